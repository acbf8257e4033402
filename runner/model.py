"""A city with all that lies beside its model: its words, and who is told what."""

from pathlib import Path
from typing import NamedTuple

from alerts.policyfile import FILE_NAME as ALERTS
from alerts.policyfile import load_policy
from schemas.alerting import Policy
from schemas.city import City
from schemas.cityfile import load_city
from schemas.vocabulary import FILE_NAME as VOCABULARY
from schemas.vocabulary import Vocabulary, load_vocabulary

BESIDE = (VOCABULARY, ALERTS)
"""Files that count where they lie beside a city model."""


class Model(NamedTuple):
    """What a core is made of, besides the rules."""

    city: City
    vocabulary: Vocabulary
    policy: Policy


def load_model(path: Path, alerts: Path | None = None) -> Model:
    """The city model in a file, with what lies beside it; ``alerts``: another ``alerts.yaml``.

    Raises BadConfig with every fault of a file.
    """
    city = load_city(path)
    return Model(city, load_vocabulary(beside=path), load_policy(alerts or path, city))
