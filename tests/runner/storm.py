"""Riverton and its recorded days, for tests."""

from itertools import islice
from pathlib import Path

from collectors.messages import Message
from collectors.recording import read

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton"
CITY = RIVERTON / "city.yaml"


def recorded(name: str, count: int | None = None) -> list[Message]:
    """The first messages of a recorded day of riverton."""
    return list(islice(read(RIVERTON / f"{name}.jsonl.gz", lambda *_: None), count))
