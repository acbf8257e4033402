"""Rain: a sign of everyday life that explains what is a little wet.

In:  the rain gauge of a catchment. Out: the sign ``rain`` while it rains and for a while after.
"""

from typing import NamedTuple

from schemas.city import City, Sensor
from schemas.times import MINUTE
from streams.groups import Past, Sign

WET_MM_PER_H = 1.0
"""Less than this wets nothing; drizzle by the usual classes of rain is below 1 mm/h."""
DRY_MINUTES = 120
"""So long after the last rain, what is wet is not wet from it; assumed, twice a small town's run-off time."""


class _Raining(NamedTuple):
    onset: int
    last: int


class RainWatcher:
    """Watches one rain gauge."""

    minutes = stride = 1

    def __init__(self, gauge: Sensor) -> None:
        self.sensors: tuple[str, ...] = (gauge.id,)
        self._asset = gauge.asset

    def begin(self) -> None:
        """Dry."""
        return

    def step(
        self, state: tuple[int, int] | None, past: Past, at: int
    ) -> tuple[_Raining | None, tuple[Sign, ...]]:
        """A reading above WET_MM_PER_H begins it; DRY_MINUTES without one end it."""
        raining = _Raining(*state) if state else None
        if past.window(at, 1)[0, 0] >= WET_MM_PER_H:  # never so for NaN: no reading
            raining = _Raining(raining.onset if raining else at, at)
        if raining is None:
            return None, ()
        ended = at - raining.last >= DRY_MINUTES * MINUTE
        sign = Sign(self._asset, "rain", raining.onset, at if ended else None)
        return None if ended else raining, (sign,)


def rain_watchers(city: City) -> list[RainWatcher]:
    """One for each rain gauge."""
    return [RainWatcher(sensor) for sensor in city.sensors if sensor.quantity == "rain"]
