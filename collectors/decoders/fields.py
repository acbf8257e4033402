"""What decoders of JSON payloads share: find out what exactly is wrong, in words for the dead letter."""

import json
from typing import Any

from collectors.moments import moment
from schemas.errors import BadPayload
from schemas.times import parse_time

EARLIEST = parse_time("2000-01-01T00:00:00Z")
"""A device that says less has lost its clock (most then start in 1970)."""
LATEST = parse_time("2100-01-01T00:00:00Z")
"""A clock that is merely ahead is no concern of the collectors: the streams flag it."""

SEQ_END = 2**63

UNKNOWN_FIELDS = "unknown_fields"
"""Counter of payloads with fields that we don't know; devices add things, so these are no fault."""

BAD_SEQ = "bad_seq"
"""Counter of payloads whose ``seq`` is no number to count with; it is passed over."""

QUOTED = 60
"""Characters quoted of what somebody else wrote."""


def shown(value: object) -> str:
    """A value as JSON, cut to a length that fits a sentence."""
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):
        text = "a deeply nested value"
    return text if len(text) <= QUOTED else text[:QUOTED] + "..."


def named(value: object) -> str:
    """The JSON name of a value's type, with an article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def json_object(payload: bytes) -> dict[str, Any]:
    """The payload as a JSON object; also takes NaN and Infinity, so that they can be refused one by one.

    Raises BadPayload where it is anything else.
    """
    try:
        found = json.loads(payload.decode())
    except UnicodeDecodeError as error:
        raise BadPayload(f"payload is not UTF-8: byte {error.start} is {payload[error.start]:#04x}") from None
    except RecursionError:
        raise BadPayload("payload is nested too deeply") from None
    except ValueError as error:
        raise BadPayload(f"payload is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadPayload(f"payload is {named(found)}; expected an object with 'at'")
    return found


def seq_of(fields: dict[str, Any]) -> tuple[int | None, tuple[str, ...]]:
    """The source's own number of the message, None where it has none; and the counter to note, if any."""
    seq = fields.get("seq")
    if seq is None:
        return None, ()
    if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq < SEQ_END:
        return None, (BAD_SEQ,)
    return seq, ()


def time_of(fields: dict[str, Any]) -> int:
    """The event time, ms since the epoch. Raises BadPayload where it is missing or not to be believed."""
    if "at" not in fields:
        raise BadPayload("payload has no time; expected 'at', such as 2025-06-04T09:00:00Z")
    text = fields["at"]
    if not isinstance(text, str):
        raise BadPayload(f"time {shown(text)} is {named(text)}; expected RFC 3339 text")
    return believable(text)


def believable(text: str) -> int:
    """``moment(text)`` if it is of this century. Raises BadPayload otherwise."""
    try:
        at = moment(text)
    except ValueError as error:
        raise BadPayload(str(error)) from None
    if at < EARLIEST:
        raise BadPayload(f"time {text!r} is before 2000: the device has lost its clock")
    if at >= LATEST:
        raise BadPayload(f"time {text!r} is not before 2100: the device has lost its clock")
    return at
