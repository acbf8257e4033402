"""Energy per volume of a pump: a clogged impeller, wear or a valve half shut shows before the pump fails.

In:  a pump's power, flow and, where there is one, voltage, hour by hour.
Out: the sign ``inefficient`` of a pump that takes far more power for each litre than it usually does.

Only minutes count in which the pump runs steadily. The numbers stand in docs/signs.md.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.city import City
from schemas.times import HOUR
from streams.balances import IDLE_LPS, smooth
from streams.groups import Past, Sign
from streams.profiles import FAR, LASTS, NOTHING, SIGMAS, Learnt

HALF = 30
"""Minutes of each half of an hour: both must show it."""
STARTS = 3
"""Minutes after a start, and before a stop, that don't count."""
RUNS = 8
"""Minutes of each half hour in which it must run steadily. Assumed."""
ENOUGH, MEMORY = 48, 400
"""Hours in which it ran that must be learnt, and that are remembered."""
MORE = 0.18
"""Part by which energy per volume must have risen: a worn pump is repaired at 10 to 20 % (assumed)."""
STRAYS, STRAYS_HOURS = 0.03, 24
"""How far it strays until it has shown its own, as a share; worth so many hours. Assumed."""
SAG_PU = 0.9
"""At less voltage a motor takes more current for the same work."""

Row = NDArray[np.float64]


class Worn(NamedTuple):
    """A rise that stands."""

    onset: int
    found: int


class EfficiencyWatch:
    """Watches one pump."""

    minutes, stride = 2 * HALF + 2, 2 * HALF
    learns = True

    def __init__(self, pump: str, *, voltage: bool) -> None:
        self._pump = pump
        self.sensors: tuple[str, ...] = (f"{pump}/power", f"{pump}/flow")
        if voltage:
            self.sensors += (f"{pump}/voltage",)

    def begin(self) -> Any:
        """Nothing learnt, nothing told."""
        return NOTHING, None

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One hour further: the one that ends at ``at``."""
        usual, told = Learnt(*state[0]), state[1] and Worn(*state[1])
        rows = past.window(at, self.minutes)
        used = _halves(smooth(rows)) if len(rows) == self.minutes else None
        if told:
            return self._lasting(usual, told, used, at)
        if used is None:
            return (usual, None), ()
        sigma = usual.sigma(STRAYS, STRAYS_HOURS)
        if usual.seen >= ENOUGH and min(used) > usual.mean + max(MORE * usual.mean, SIGMAS * sigma):
            worn = Worn(at - HOUR, at)
            return (usual, worn), (self._sign(worn),)
        most = FAR * sigma if usual.seen >= ENOUGH else np.inf
        return (usual.after(sum(used) / 2, MEMORY, most), None), ()

    def _lasting(
        self, usual: Learnt, worn: Worn, used: tuple[float, float] | None, at: int
    ) -> tuple[Any, tuple[Sign, ...]]:
        """A rise as it goes on. What stood for very long is learnt anew."""
        if at - worn.found >= LASTS:
            return (NOTHING, None), (self._sign(worn, at),)
        if used and max(used) < usual.mean * (1 + MORE / 2):
            return (usual, None), (self._sign(worn, at),)
        return (usual, worn), (self._sign(worn),)

    def _sign(self, worn: Worn, cleared: int | None = None) -> Sign:
        return Sign(self._pump, "inefficient", worn.onset, cleared)


def _halves(rows: Row) -> tuple[float, float] | None:
    """kW per L/s, which is MJ per m3, in both halves of an hour; None where it didn't run well in either."""
    power, flow = rows[:, 0], rows[:, 1]
    if rows.shape[1] > 2 and (rows[:, 2] < SAG_PU).any():
        return None
    runs = (power > 0) & (flow > IDLE_LPS)
    stands = np.flatnonzero(flow <= IDLE_LPS)
    for minute in stands:
        runs[max(minute - STARTS, 0) : minute + STARTS + 1] = False
    first, second = (np.flatnonzero(half) for half in (runs[:HALF], runs[HALF:]))
    if min(len(first), len(second)) < RUNS:
        return None
    halves = [sum(power[half]) / sum(flow[half]) for half in (first, second + HALF)]
    return round(float(halves[0]), 4), round(float(halves[1]), 4)


def efficiency_watchers(city: City) -> Iterator[EfficiencyWatch]:
    """One for each pump whose power and flow are measured."""
    for asset in city.assets:
        if asset.kind != "pump":
            continue
        measured = {sensor.quantity for sensor in city.sensors_of.get(asset.id, ())}
        if {"power", "flow"} <= measured:
            yield EfficiencyWatch(asset.id, voltage="voltage" in measured)
