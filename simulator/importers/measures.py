"""The units of EPANET's and SWMM's files, in ours.

One word in a file, the unit of flow, decides all others: the five American and imperial ones bring feet,
inches, horsepower and acres with them, the metric ones metres, millimetres, kilowatts and hectares (EPANET
2.2 user manual, appendix A; SWMM 5.2 user manual, appendix A).
"""

from dataclasses import dataclass
from typing import Self

_GALLON_L, _IMPERIAL_GALLON_L, _ACRE_FOOT_L = 3.785411784, 4.54609, 1_233_481.83754752
_DAY_S = 86_400

LPS_IN = {
    "CFS": 28.316846592,
    "GPM": _GALLON_L / 60,
    "MGD": 1e6 * _GALLON_L / _DAY_S,
    "IMGD": 1e6 * _IMPERIAL_GALLON_L / _DAY_S,
    "AFD": _ACRE_FOOT_L / _DAY_S,
    "LPS": 1.0,
    "LPM": 1 / 60,
    "MLD": 1e6 / _DAY_S,
    "CMH": 1e3 / 3600,
    "CMD": 1e3 / _DAY_S,
    "CMS": 1e3,
}
"""Litres a second in one unit of flow."""

AMERICAN = frozenset({"CFS", "GPM", "MGD", "IMGD", "AFD"})

METRES_IN_PRESSURE = {
    "PSI": 6.894757293 / 9.80665,
    "KPA": 1 / 9.80665,
    "METERS": 1.0,
    "BAR": 100 / 9.80665,
    "FEET": 0.3048,
}
"""Metres of water (1000 kg/m3, standard gravity) in one unit of pressure."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What one unit of a file is in ours."""

    lps: float
    metres: float
    millimetres: float
    """Of a diameter in EPANET; SWMM gives its conduits in feet or metres."""
    square_metres: float
    """Of a subcatchment: acres or hectares."""
    kilowatts: float

    @classmethod
    def of(cls, flow_unit: str) -> Self:
        """The measures that go with a unit of flow. Raises KeyError where it is none."""
        lps = LPS_IN[flow_unit]
        if flow_unit in AMERICAN:
            return cls(lps, 0.3048, 25.4, 4046.8564224, 0.745699872)
        return cls(lps, 1.0, 1.0, 10_000.0, 1.0)
