"""Where messages can go, as it stands in ``alerts.yaml``. Secrets are named there, never written.

In:  ``receivers`` of the file. Out: models; ``runner.sending`` sends.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from schemas.city import Seconds
from schemas.rotas import Part
from schemas.times import HOUR, Duration
from schemas.wording import Names, some

PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"


class Secret(Part):
    """Where a secret is: in an environment variable, or in the first line of a file."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Secret":
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret is named by one of env and file")
        return self


class Receiver(Part):
    """What all share."""

    timeout: Annotated[Seconds, Field(gt=0, le=120)] = 10.0
    """Seconds for one attempt."""
    give_up: Annotated[Duration, Field(gt=0)] = HOUR
    """How long a message is tried before it becomes a dead letter."""
    per_minute: Annotated[int, Field(ge=1, le=100_000)] = 60
    """Most messages in a minute; more wait."""
    delivery: Literal["at-least-once", "at-most-once"] = "at-least-once"
    """What becomes of a message that may have arrived, though nobody heard so (a kill came between, or no
    answer): it is sent again under its own key, or not at all.
    """
    allow_private: bool = False
    """Whether its address may lie in a private, loopback or link-local network."""


class Console(Receiver):
    """Shown in the console, sent to nobody."""

    type: Literal["console"]


class Apprise(Receiver):
    """Any service that Apprise knows; its address holds secrets, so it is one."""

    type: Literal["apprise"]
    url: Secret


class Smtp(Receiver):
    """Mail. Updates answer the first mail, so that mail programs show one thread."""

    type: Literal["smtp"]
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: Secret | None = None
    sender: str
    to: Annotated[Names, AfterValidator(some)]


class Webhook(Receiver):
    """A POST of JSON, signed where there is a secret."""

    type: Literal["webhook"]
    url: str | Secret
    secret: Secret | None = None


class PagerDuty(Receiver):
    """PagerDuty Events v2, and what speaks like it."""

    type: Literal["pagerduty"]
    routing_key: Secret
    url: str = PAGERDUTY


class Alertmanager(Receiver):
    """Prometheus Alertmanager, API v2: its own routes then decide."""

    type: Literal["alertmanager"]
    url: str
    token: Secret | None = None


class Grafana(Receiver):
    """An annotation on Grafana's dashboards for each incident, from its beginning to its end."""

    type: Literal["grafana"]
    url: str
    token: Secret


class Cap(Receiver):
    """Warnings for the public as CAP 1.2 files in a folder, with an Atom feed of them. Only for what a person
    has decided to publish.
    """

    type: Literal["cap"]
    folder: Path
    url: str | None = None
    """Where the folder is served: the feed's links are relative where it is not given."""
    sender: str
    """Who warns, as CAP wants it: an address without blanks, say ``warnings@riverton.example``."""
    area: str


AnyReceiver = Annotated[
    Console | Apprise | Smtp | Webhook | PagerDuty | Alertmanager | Grafana | Cap, Field(discriminator="type")
]
