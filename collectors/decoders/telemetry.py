"""Decoder ``telemetry``: measured values of one asset, the contract of the city's MQTT topics.

Payload  ``{"at": "2025-06-04T09:00:00Z", "values": {"power": 12.3, "run": true}}``
Fields   ``at`` RFC 3339 with an offset; ``values`` finite numbers, or booleans as 1 and 0, by quantity.
         Optional: ``quality`` (``good``, ``uncertain`` or ``bad`` by quantity), ``units`` (by quantity,
         where it is not the city model's), ``seq`` (the source's own count of its messages, for the ledger).
Quirks   A bad value is refused by itself and the good ones beside it are kept. A quality that is no known
         word makes its value uncertain: a device that speaks of quality has a doubt. Fields that we don't
         know are ignored and counted.
"""

import math
from typing import Annotated, Any

import msgspec

from collectors.decoders.fields import (
    SEQ_END,
    UNKNOWN_FIELDS,
    believable,
    json_object,
    named,
    seq_of,
    shown,
    time_of,
)
from collectors.decoders.registry import Measured, decoder
from schemas.errors import BadPayload
from schemas.readings import Quality

QUALITIES = {quality.name.lower(): int(quality) for quality in Quality}
UNKNOWN_QUALITY = "unknown_quality"
FIELDS = frozenset({"at", "values", "quality", "units", "seq"})


class _Usual(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What nearly every payload is, decoded in one step; what doesn't fit is looked at slowly."""

    at: str
    values: dict[str, float | bool]
    quality: dict[str, str] = {}
    units: dict[str, str] = {}
    seq: Annotated[int, msgspec.Meta(ge=0, le=SEQ_END - 1)] | None = None


_decode = msgspec.json.Decoder(_Usual).decode


@decoder("telemetry")
def telemetry(payload: bytes) -> Measured:
    """What a telemetry payload says. Raises BadPayload where nothing of it can be used."""
    try:
        found = _decode(payload)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return _looked_at_slowly(payload)
    if not found.values:
        raise _no_values("is empty")
    if not found.quality:
        return Measured(believable(found.at), found.values, {}, found.units, seq=found.seq)
    qualities, unknown = _qualities(found.quality, found.values)
    noted = (UNKNOWN_QUALITY,) if unknown else ()
    return Measured(believable(found.at), found.values, qualities, found.units, (), noted, found.seq)


def _looked_at_slowly(payload: bytes) -> Measured:
    fields = json_object(payload)
    at = time_of(fields)
    values = fields.get("values")
    if not isinstance(values, dict):
        raise _no_values(f"is {named(values)}" if "values" in fields else "is missing")
    if not values:
        raise _no_values("is empty")
    seq, bad_seq = seq_of(fields)
    noted = [*bad_seq, UNKNOWN_FIELDS] if fields.keys() - FIELDS else [*bad_seq]
    units, wrong_units = _units(fields.get("units", {}), values)
    wrong = {name: why for name, value in values.items() if (why := _why_not(name, value))} | wrong_units
    good = {name: float(value) for name, value in values.items() if name not in wrong}
    qualities, unknown = _qualities(fields.get("quality", {}), good)
    if unknown:
        noted.append(UNKNOWN_QUALITY)
    return Measured(at, good, qualities, units, tuple(wrong.values()), tuple(noted), seq)


def _no_values(what: str) -> BadPayload:
    return BadPayload(f"'values' {what}; expected an object with a number for each quantity")


def _why_not(name: str, value: object) -> str | None:
    """Why a value can't be used, or None if it can."""
    if not isinstance(value, (int, float)):
        return f"value of {shown(name)} is {named(value)} ({shown(value)}); expected a number"
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        finite = False
    return None if finite else f"value of {shown(name)} is not finite; expected a number"


def _qualities(words: object, values: dict[str, Any]) -> tuple[dict[str, int], bool]:
    """The qualities that are not GOOD, and whether any of the words is unknown."""
    if not isinstance(words, dict):
        return dict.fromkeys(values, int(Quality.UNCERTAIN)), True
    known = {name: QUALITIES.get(word) if isinstance(word, str) else None for name, word in words.items()}
    qualities = {
        name: int(Quality.UNCERTAIN) if quality is None else quality
        for name, quality in known.items()
        if quality != Quality.GOOD and name in values
    }
    return qualities, None in known.values()


def _units(units: object, values: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The units that the device names, and why the values whose unit can't be read are refused."""
    if not isinstance(units, dict):
        why = f"'units' is {named(units)}; expected an object, so no value's unit is known"
        return {}, dict.fromkeys(values, why)
    wrong = {
        name: f"unit of {shown(name)} is {named(unit)} ({shown(unit)}); expected text"
        for name, unit in units.items()
        if not isinstance(unit, str) and name in values
    }
    return {name: unit for name, unit in units.items() if isinstance(unit, str)}, wrong
