"""Units: from the unit in which a value came to the unit that the city model gives its sensor.

In:  two unit texts (``m3/h``, ``L/s``) and the quantity. Out: a function from float to float, found once
     for each pair and kept. Only the edge converts; inside, every value is in the model's unit.

The library is pint: it knows compound units, prefixes and offsets (degF to degC), which a table of factors
gets wrong sooner or later. It takes most of a second to load, so it is loaded at the first question, and
``cityfile`` asks none about a quantity's usual unit, or about one that is known to convert to it. What pint
reads differently from a control room is in ``DEFINITIONS``.
"""

import difflib
import math
import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pint

Converter = Callable[[float], float]

DEFINITIONS = (
    "per_unit = [] = pu",
    "pH = []",
    "vehicle = [vehicle] = veh",
    "turbidity_unit = [turbidity] = NTU = FNU",
    "colony_forming_unit = [colony] = cfu = CFU",
    "liter_per_second = liter / second = lps",
    "gallon_per_minute = gallon / minute = gpm",
    "million_gallons_per_day = 1e6 * gallon / day = MGD",
    "volt_ampere_reactive = volt * ampere = var",
)

COMMON = (
    "1", "%", "pu", "A", "V", "kV", "W", "kW", "MW", "kVA", "kvar", "kWh", "Hz", "degC", "degF", "K",
    "mm", "cm", "m", "km", "ft", "in", "m2", "m3", "L", "L/s", "L/min", "m3/s", "m3/h", "m3/day", "gpm",
    "MGD", "Pa", "kPa", "bar", "mbar", "psi", "mH2O", "inH2O", "mm/h", "m/s", "km/h", "mph", "veh/h", "s",
    "min", "h", "day", "kg", "t", "mg/L", "ug/m3", "ppm", "uS/cm", "NTU", "FNU", "pH", "cfu", "cfu/100mL",
)  # fmt: skip
"""What people usually write: the words that a misspelt unit is compared with."""

ALIKE = (
    {"1", "%", "pu"},
    {"W", "kW", "MW"},
    {"V", "kV"},
    {"mm", "cm", "m", "km", "ft", "in"},
    {"L/s", "L/min", "m3/s", "m3/h", "m3/day", "gpm", "MGD"},
    {"Pa", "kPa", "bar", "mbar", "psi", "mH2O", "inH2O"},
    {"m/s", "km/h", "mph"},
    {"degC", "degF", "K"},
)
"""Common units that convert to one another."""

_TERM = r"[A-Za-z°µμΩ%][A-Za-z0-9_]*?(?:(?:\^|\*\*)?-?[1-9]|[²³])?"
_GRAMMAR = re.compile(rf"(?:1|(?:1/)?{_TERM}(?:[*/·]{_TERM}){{0,4}})")
_POWER = re.compile(r"(?<![A-Za-z])((?:mm|cm|dm|km|ft|in|m|s))([23])(?![A-Za-z0-9])")
_TEXT_MAX = 32


def same(value: float) -> float:
    """The converter between equal units. Callers that hold it may skip the call."""
    return value


def alike(one: str, other: str) -> bool:
    """Whether two units are known to convert to one another, without asking pint."""
    return any(one in units and other in units for units in ALIKE)


@lru_cache(maxsize=4096)
def converter(unit_from: str, unit_to: str, quantity: str = "") -> Converter:
    """A function that takes a value in ``unit_from`` to ``unit_to``; ``same`` where nothing is to do.

    For a pressure (``quantity`` is or ends in ``pressure``) a length is the height of a column of water:
    1 bar is 10.197 m. Raises ValueError where a unit is unknown, or where the two measure different things.
    """
    source, target = _parse(unit_from), _parse(unit_to)
    contexts = ("water_column",) if quantity.endswith("pressure") else ()
    if not source.is_compatible_with(target, *contexts):
        raise ValueError(f"unit {unit_from!r} does not convert to {unit_to!r}")
    if unit_from == unit_to:
        return same
    registry = _registry()

    def convert(value: float) -> float:
        with registry.context(*contexts):
            return float(registry.convert(value, source, target))

    return _straight_line(convert, unit_from, unit_to)


def _straight_line(convert: Converter, unit_from: str, unit_to: str) -> Converter:
    """The same as ``convert`` as one multiplication and one addition, which is a hundred times quicker."""
    offset = convert(0.0)
    factor = convert(1.0) if offset == 0 else (convert(1000.0) - offset) / 1000
    if not math.isclose(convert(500.0), 500 * factor + offset, rel_tol=1e-9):
        raise ValueError(f"unit {unit_from!r} does not convert to {unit_to!r} by a straight line")
    if (factor, offset) == (1, 0):
        return same
    return lambda value: value * factor + offset


@cache
def _registry() -> "pint.UnitRegistry[float]":
    import pint

    registry: pint.UnitRegistry[float] = pint.UnitRegistry()
    for definition in DEFINITIONS:
        registry.define(definition)
    weight = registry("1000 kg/m**3") * registry("9.80665 m/s**2")

    def push(ureg: Any, value: Any, **_: Any) -> Any:  # noqa: ARG001 - pint passes it by this name
        return value * weight

    def rise(ureg: Any, value: Any, **_: Any) -> Any:  # noqa: ARG001 - as above
        return value / weight

    column = pint.Context("water_column")
    column.add_transformation("[length]", "[pressure]", push)
    column.add_transformation("[pressure]", "[length]", rise)
    registry.add_context(column)
    return registry


@lru_cache(maxsize=1024)
def _parse(text: str) -> "pint.Unit":
    """What pint makes of a unit text, once our grammar has kept out whatever is none (9**9**9)."""
    import pint

    plain = text.replace("100mL", "dL")
    if len(text) <= _TEXT_MAX and _GRAMMAR.fullmatch(plain):
        try:
            return _registry().parse_units(_POWER.sub(r"\1**\2", plain.replace("·", "*")))
        except (pint.errors.PintError, AttributeError, ValueError, TypeError):
            pass
    shown = text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}..."
    raise ValueError(f"unknown unit {shown!r}; {_hint(text[:_TEXT_MAX])}")


def _hint(text: str) -> str:
    folded = {unit.casefold(): unit for unit in COMMON}
    near = [folded[text.casefold()]] if text.casefold() in folded else []
    near = near or difflib.get_close_matches(text, COMMON, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    return "expected one such as 'kW', 'L/s', 'm3/h', 'bar', 'degC', '%' or '1'"
