"""Pumps that fill several tanks: one of these should be why a pump stops.

In:  whether the pump runs, its voltage, pressures before it; the levels that it fills, and the other pumps
     that fill them.
Out: signs. ``stopped``: it stood still by its own fault.

Which of the tanks controls the pump is not in the model, and need not be known: where each of them is less
than half full as the pump stops, none can have stopped it. docs/signs.md gives the reasoning.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from schemas.city import City
from streams.groups import Past, Sign
from streams.levels import View
from streams.plumbing import pump_of, pumps_of
from streams.rows import Row, median

STRIDE = 3
"""Minutes between two looks."""
RAN, STOOD = 10, 5
"""Minutes for which it ran, and for which it stands since."""
HALF = 0.5
"""Part of the way between a level's limits from which it may have stopped the pump: controls stop far higher.
Runs are 1 or 0."""
HABIT = 2
"""A pump that stops more often without a reason is switched by something that the model doesn't have: a
clock, a cheaper hour, a turn of duty. Assumed."""


class _State(NamedTuple):
    """Since when it stands by its own fault, or -1; how often it stopped without a reason."""

    since: int = -1
    stops: int = 0


class TripWatch:
    """Watches a pump that fills several measured tanks."""

    minutes, stride = 30, STRIDE

    def __init__(self, city: City, pump: str, tanks: list[str]) -> None:
        names = [f"{tank}/level" for tank in tanks]
        self._levels = slice(0, len(names))
        self._halves = np.array([_half(city, name) for name in names])
        self._pump = pump_of(city, pump, names)
        beside = dict.fromkeys(other for tank in tanks for other in pumps_of(city, tank)[0] if other != pump)
        self._others = [pump_of(city, other, names) for other in beside]
        self.sensors = tuple(names)

    def begin(self) -> _State:
        """It never stopped yet."""
        return _State()

    def step(self, state: Any, past: Past, at: int) -> tuple[_State, tuple[Sign, ...]]:
        """One look further."""
        now = _State(*state)
        rows = past.window(at, self.minutes)
        if len(rows) < RAN + STOOD + STRIDE:
            return now, self._signs(now)
        view = View(rows, at, [self._pump])
        if now.since >= 0:
            if view.on[-1] > HALF or not (view.live(-STOOD) and view.wet(-STOOD)):
                return now._replace(since=-1), self._signs(now, at)
            return now, self._signs(now)
        turned = self._turned(view)
        if turned is None or not self._without_reason(view, turned):
            return now, ()
        stops = now.stops + 1
        now = _State(view.minute(turned) if stops <= HABIT else -1, stops)
        return now, self._signs(now)

    def _turned(self, view: View) -> int | None:
        """The row at which it stopped, in the look at which it has stood for long enough."""
        ran = np.flatnonzero(np.array(view.on) > HALF)
        if not len(ran):
            return None
        turned = int(ran[-1]) + 1
        stood = len(view.on) - turned
        just = turned >= RAN and STOOD <= stood < STOOD + STRIDE
        return turned if just and min(view.on[turned - RAN : turned]) > HALF else None

    def _without_reason(self, view: View, turned: int) -> bool:
        """Whether it has power and water, every level asks for more, and no other pump took over."""
        since = turned - STOOD
        levels: Row = view.rows[since:turned, self._levels]
        if np.isnan(levels).all(axis=0).any() or not (view.live(since) and view.wet(since)):
            return False
        told = [median(level[~np.isnan(level)]) for level in levels.T]
        if (np.array(told) > self._halves).any():
            return False
        return not any(self._began(pump.runs(view.rows[since:])) for pump in self._others)

    @staticmethod
    def _began(runs: Row) -> bool:
        known = runs[~np.isnan(runs)]
        return len(known) > 0 and known[0] < HALF < known[-1]

    def _signs(self, now: _State, cleared: int | None = None) -> tuple[Sign, ...]:
        return (Sign(self._pump.asset, "stopped", now.since, cleared),) if now.since >= 0 else ()


def _half(city: City, level: str) -> float:
    """Half way between a level's limits."""
    limits = city.sensor_by_id[level].limits
    assert limits.low is not None
    assert limits.high is not None
    return limits.low + HALF * (limits.high - limits.low)


def trip_watchers(city: City) -> Iterator[TripWatch]:
    """A watcher for each pump that fills several tanks, all of which are measured and have limits."""
    fills: dict[str, list[str]] = {}
    for asset in city.assets:
        for pump in pumps_of(city, asset.id)[0]:
            fills.setdefault(pump, []).append(asset.id)
    for pump, tanks in fills.items():
        if len(tanks) > 1 and all(_is_told(city, tank) for tank in tanks) and pump in city.sensors_of:
            yield TripWatch(city, pump, tanks)


def _is_told(city: City, tank: str) -> bool:
    sensor = city.sensor_by_id.get(f"{tank}/level")
    return sensor is not None and sensor.limits.low is not None and sensor.limits.high is not None
