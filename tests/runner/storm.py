"""Riverton and its recorded days, for tests."""

from itertools import islice
from pathlib import Path

from collectors.messages import Message
from collectors.recording import read
from schemas.times import DAY

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton"
CITY = RIVERTON / "city.yaml"


def storm_days(count: int) -> list[Message]:
    """So many storms, one each day."""
    day = recorded("storm-day")
    return [
        Message(
            message.received + number * DAY,
            message.topic,
            message.payload.replace(b"2025-06-04", f"2025-06-{4 + number:02}".encode()),
        )
        for number in range(count)
        for message in day
    ]


def recorded(name: str, count: int | None = None) -> list[Message]:
    """The first messages of a recorded day of riverton."""
    return list(islice(read(RIVERTON / f"{name}.jsonl.gz", lambda *_: None), count))
