"""Event time as whole milliseconds since 1970-01-01 UTC.

Inside, a time is an ``int``: it compares, sorts and survives JSON without surprises, and no local
time zone can slip in. Outside (files, wire) it is RFC 3339 text; the two functions here are the border.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 text.

    Raises ValueError where the text is no such time or names no offset from UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no offset from UTC; write it as 2025-06-04T09:00:00Z")
    return milliseconds(moment)


def milliseconds(moment: datetime) -> int:
    """Milliseconds since the epoch of an aware moment, rounded to the nearest."""
    return round(moment.timestamp() * SECOND)


@lru_cache(maxsize=8192)  # revisions of an incident repeat the times of its members
def rfc3339(at: int) -> str:
    """The RFC 3339 text of a time in UTC, with milliseconds only where there are any."""
    whole, rest = divmod(at, SECOND)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:03d}Z" if rest else f"{text}Z"


def local_text(at: int, zone: ZoneInfo) -> str:
    """A moment on a city's own clocks, as people say it: ``Wed 17:05``."""
    return datetime.fromtimestamp(at / SECOND, UTC).astimezone(zone).strftime("%a %H:%M")


def _accept(value: object) -> object:
    return parse_time(value) if isinstance(value, str) else value


Time = Annotated[
    int,
    BeforeValidator(_accept),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A field that holds milliseconds since the epoch and travels as RFC 3339 text."""

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def duration(value: object) -> object:
    """Milliseconds of a text such as ``90s``, ``5m``, ``1.5h`` or ``2d``; what is no text stays as it is.

    Raises ValueError where the text is none of these.
    """
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", value)
        if match is None:
            raise ValueError(f"{value!r} is no duration; expected a number and one of s, m, h, d, as in 5m")
        return round(float(match[1]) * _UNITS[match[2]])
    return value


Duration = Annotated[int, BeforeValidator(duration)]
"""A field of a file that holds milliseconds, and is written as ``5m``."""
