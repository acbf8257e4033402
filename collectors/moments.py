"""Times as devices and recordings write them: RFC 3339 text to milliseconds, strict and quick.

Stricter than ``datetime.fromisoformat``, which takes week dates and times without minutes. Many messages
carry the same few times, so the newest answers are kept.
"""

from datetime import datetime
from functools import lru_cache

import msgspec

from schemas.times import milliseconds

LONGEST = 64
"""Characters of the longest text looked at: far more than any time needs."""


@lru_cache(maxsize=8192)
def moment(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 text.

    Raises ValueError, saying what was expected, where the text is no such time or has no offset from UTC.
    """
    try:
        if len(text) > LONGEST:
            raise ValueError("too long")
        parsed = msgspec.convert(text, datetime)
        if parsed.tzinfo is not None:
            return milliseconds(parsed)
    except (ValueError, OverflowError):
        raise ValueError(
            f"time {text[:LONGEST]!r} is not RFC 3339; write it as 2025-06-04T09:00:00Z"
        ) from None
    raise ValueError(f"time {text!r} has no offset from UTC; write it as 2025-06-04T09:00:00Z")
