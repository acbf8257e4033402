"""Decoder ``event``: something discrete that an asset, or a person near it, tells.

Payload  ``{"at": "2025-06-04T09:00:00Z", "event": "tripped", "detail": {"relay": "overcurrent"}}``
Fields   ``at`` RFC 3339 with an offset; ``event`` a word (letters, digits, dot, dash, underscore). Optional:
         ``detail`` (an object; what is in it is kept as it is), ``seq`` (as in telemetry, counted by itself).
Quirks   Words that no rule knows are kept and shown. A detail that can't be kept is refused by itself: that
         a breaker opened matters more than what it adds. Other fields are ignored and counted.
"""

import math
import re
from typing import Any

import msgspec

from collectors.decoders.fields import UNKNOWN_FIELDS, json_object, named, seq_of, shown, time_of
from collectors.decoders.registry import Happened, decoder
from schemas.errors import BadPayload

FIELDS = frozenset({"at", "event", "detail", "seq"})
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DEEPEST = 16
"""Levels of objects and arrays in a detail."""
LONGEST = 64 * 1024
"""Bytes of a detail as JSON."""


@decoder("event")
def event(payload: bytes) -> Happened:
    """What an event payload says. Raises BadPayload where nothing of it can be used."""
    fields = json_object(payload)
    at = time_of(fields)
    word = fields.get("event")
    if not isinstance(word, str) or not WORD.fullmatch(word):
        raise BadPayload(f"'event' is {shown(word)}; expected a word of letters, digits, dots and dashes")
    detail = fields.get("detail", {})
    why = _why_not(detail)
    seq, noted = seq_of(fields)
    if fields.keys() - FIELDS:
        noted += (UNKNOWN_FIELDS,)
    return Happened(at, word, {}, (why,), noted, seq) if why else Happened(at, word, detail, (), noted, seq)


def _why_not(detail: object) -> str | None:
    """Why a detail can't be kept, or None if it can."""
    if not isinstance(detail, dict):
        return f"'detail' is {named(detail)}; expected an object"
    if _depth(detail) > DEEPEST:
        return f"'detail' is nested deeper than {DEEPEST} levels"
    if not _is_strict(detail):
        return "'detail' holds a number or text that JSON can't carry on"
    if len(msgspec.json.encode(detail)) > LONGEST:
        return f"'detail' is longer than {LONGEST} bytes"
    return None


def _depth(value: Any) -> int:
    level, deep = [value], 0
    while level and deep <= DEEPEST:
        inner = [part for part in level if isinstance(part, (dict, list))]
        level = [child for part in inner for child in (part.values() if isinstance(part, dict) else part)]
        deep += bool(inner)
    return deep


def _is_strict(value: Any) -> bool:
    """Whether every number is finite and fits, and every text is valid Unicode."""
    match value:
        case dict():
            return all(_is_strict(key) and _is_strict(child) for key, child in value.items())
        case list():
            return all(map(_is_strict, value))
        case str():
            return not any("\ud800" <= letter <= "\udfff" for letter in value)
        case float():
            return math.isfinite(value)
        case int():
            return abs(value) < 2**63
        case _:
            return True
