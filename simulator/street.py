"""What no engine knows: litter bins, waste routes and roads, as small models of a minute's step.

In:  who was served, how deep water stands in the street, which signals are dark, how many want to drive.
Out: fill of bins, clogging of inlets, speed and volume of roads.
"""

from dataclasses import dataclass, field

from simulator.physics import Bin, Road

FULL = 1.25
"""A bin with bags beside it holds no more than this."""
CLOGS_FROM = 1.0
CLOGS_BY = 0.02
"""Each minute of rain washes litter from an overfull bin into the grate: share of it, assumed."""
CLOGGED = 0.96
_STANDSTILL_MM = 300
"""Depth at which cars stop: Pregnolato et al. 2017, Transportation Research D 55, figure 4."""


@dataclass(slots=True)
class Litter:
    """The bins of a city and what they leave in the grates."""

    bins: dict[str, Bin]
    fill: dict[str, float] = field(default_factory=dict)
    clogged: dict[str, float] = field(default_factory=dict)
    """By bin: the share of its grate that its litter has closed."""

    def step(self, name: str, factor: float, rain_mm_per_h: float) -> None:
        """A minute of littering at one bin; ``factor`` is how busy the day is."""
        fill = self.fill.get(name, 0.0)
        self.fill[name] = min(fill + factor / (self.bins[name].days_to_full * 1440), FULL)
        if fill >= CLOGS_FROM and rain_mm_per_h > 1.0:
            self.clogged[name] = min(self.clogged.get(name, 0.0) + CLOGS_BY, CLOGGED)

    def empty(self, name: str) -> None:
        """Somebody has emptied the bin and swept around it."""
        self.fill[name] = 0.03
        self.clogged.pop(name, None)


def wade(depth_m: float) -> float:
    """How fast one drives through water, as a share of free flow (Pregnolato et al. 2017, equation 1)."""
    mm = depth_m * 1000
    if mm <= 0:
        return 1.0
    if mm >= _STANDSTILL_MM:
        return 0.0
    return max(0.0009 * mm * mm - 0.5529 * mm + 86.9448, 0.0) / 86.9448


def drive(road: Road, wanted: float, passable: float, capacity: float) -> tuple[float, float, float]:
    """Speed in km/h, volume that goes through, and volume that looks for another way (vehicles an hour).

    ``wanted`` is the volume that would like to go, ``passable`` the share of free speed that water or a
    closure leaves, ``capacity`` the share of its capacity (a dark signal takes half). Speed over volume
    follows the curve of the US Bureau of Public Roads (1964): free / (1 + 0.15 (volume / capacity) ** 4).
    """
    can = road.capacity_vph * capacity
    through = min(wanted * min(passable * 2, 1.0), can * 1.05)
    crowd = min(wanted / can, 2.0) if can > 0 else 2.0
    speed = road.free_kmh * passable / (1 + 0.15 * crowd**4)
    return max(speed, 0.0), through, max(wanted - through, 0.0)
