"""What was held up and is let go: a manhole that rises at once in dry weather, and falls again by itself.

In:  depths of a measured manhole and of those next above it, rain; minute by minute.
Out: signs ``blockage_pattern`` of the manhole; their places are the inlets, manholes and sewers above it that
     nothing measures, where something must have been shut until then.

A blockage at which nothing is measured shows itself only when it ends: what stood behind it comes at once,
and runs out. A discharge stays, a leak grows, strokes of a pump come again. docs/signs.md has the numbers.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from schemas.city import City, Sensor
from schemas.times import HOUR, MINUTE
from streams.drains import Reach, medians, onset_of, rained_by, reaches, upstream
from streams.groups import Past, Places, Sign
from streams.rows import Row
from streams.sewers import stations_above

STRIDE = 4
BLOCK, BLOCKS = 8, 11
"""Minutes whose median counts, and how many such blocks are looked at; the last one is the present."""
BASE, GAP = 3, 1
"""Blocks before the rise, and between them and its height."""
RISE_M, RISE_PART = 0.04, 0.4
"""The least rise, and the least part of the depth before: demand doesn't grow so fast. Assumed."""
LEFT, FALLEN_M = 0.75, 0.02
"""Now no more than this part of the rise is left, and it has fallen so far: what is discharged goes on.
Assumed."""
EARLY, LATE = 0.3, 0.6
"""It comes at once: in the minutes before it is half up less than the first part of the rise was there, in
those after it more than the second. Assumed."""
SHARES = 0.5
"""A manhole above that rises by this part of it says that it came from further up. Assumed."""
DRY = HOUR
"""What rises so long after rain or sooner may be rain that took its time. Assumed."""
LEARNS, AGAIN = 2 * HOUR, 12 * HOUR
"""Nothing is told in its first hours, nor where the same came before within so long: those are strokes."""
STANDS = HOUR
"""So long the sign is told."""
FAR = 0.6
"""How likely it was further up than at the first of its kind; assumed."""
DEEP = 0.3
"""How likely it was in the drain itself, where rain may have stood at an inlet; assumed."""


class State(NamedTuple):
    """What is remembered of a manhole."""

    since: int = -1
    """When it was first looked at."""
    last: int = -1
    """When something was let go last."""
    onset: int = -1
    """Of the sign that stands; -1 where none does."""
    found: int = -1


class BacklogWatch:
    """Watches one measured manhole."""

    minutes, stride = BLOCK * BLOCKS + DRY // MINUTE, STRIDE

    def __init__(self, reach: Reach, above: Sequence[str], gauges: Sequence[Sensor], places: Places) -> None:
        """``above``: depth sensors of the next measured manholes upstream."""
        self._asset, self._places = reach.asset, places
        self._least = max(RISE_M, 2 * reach.least_m)
        self._water = 1 + len(above)
        self.sensors = (reach.sensor, *above, *(gauge.id for gauge in gauges))

    def begin(self) -> State:
        """Nothing known."""
        return State()

    def step(self, state: Any, past: Past, at: int) -> tuple[State, tuple[Sign, ...]]:
        """One look further."""
        now = State(*state)
        if now.since < 0:
            now = now._replace(since=at)
        if now.onset >= 0 and at - now.found >= STANDS:
            return now._replace(onset=-1), (self._sign(now.onset, at),)
        if now.onset < 0 and (onset := self._let_go(past, at)) is not None:
            strokes = now.last >= 0 and onset - now.last < AGAIN
            new = onset - now.last > BLOCK * BLOCKS * MINUTE or now.last < 0
            if new and not strokes and onset - now.since > LEARNS:
                now = now._replace(onset=onset, found=at)
            now = now._replace(last=onset)
        return now, (self._sign(now.onset, None),) if now.onset >= 0 else ()

    def _sign(self, onset: int, cleared: int | None) -> Sign:
        return Sign(self._asset, "blockage_pattern", onset, cleared, self._places)

    def _let_go(self, past: Past, at: int) -> int | None:
        """When it rose, if something was let go in the last hour."""
        rows = past.window(at, BLOCK * BLOCKS)
        if len(rows) < BLOCK * BLOCKS:
            return None
        water = rows[:, : self._water]
        levels = np.array([medians(block) for block in np.split(water, BLOCKS)])
        highest = BASE + GAP + int(np.argmax(np.nan_to_num(levels[BASE + GAP : -1, 0], nan=-np.inf)))
        base = medians(water[BLOCK * (highest - BASE - GAP) : BLOCK * (highest - GAP)])
        rises, left = levels[highest] - base, float(levels[-1, 0] - base[0])
        rise = float(rises[0])
        if not (
            rise > max(self._least, RISE_PART * float(base[0])) and left < min(LEFT * rise, rise - FALLEN_M)
        ):
            return None  # NaN too
        if np.nanmax(rises[1:], initial=0.0) > SHARES * rise:
            return None
        until = at - BLOCK * (BLOCKS - 1 - highest) * MINUTE
        onset = onset_of(past, until, 0, float(base[0]) + rise / 2, BLOCK * (GAP + 1))
        sudden = self._is_sudden(past, onset, float(base[0]), rise)
        return onset if sudden and self._is_dry(past.window(at, (at - onset + DRY) // MINUTE)) else None

    def _is_sudden(self, past: Past, onset: int, base: float, rise: float) -> bool:
        before = medians(past.window(onset - MINUTE, BLOCK)[:, :1])[0]
        after = medians(past.window(onset + (BLOCK - 1) * MINUTE, BLOCK)[:, :1])[0]
        return bool(before < base + EARLY * rise and after > base + LATE * rise)

    def _is_dry(self, rows: Row) -> bool:
        """Whether the gauges speak, and told of no rain."""
        rain = rows[:, self._water :]
        known = rain[np.isfinite(rain)]
        return bool(len(known) and known.max() <= 0)


def backlog_watchers(city: City) -> list[BacklogWatch]:
    """One for each measured manhole above which something may be shut unseen, but where stations pump in."""
    gauges = {sensor.asset: sensor for sensor in city.sensors if sensor.quantity == "rain"}
    watched = []
    for kind in ("storm_manhole", "manhole"):
        found = reaches(city, kind)
        for reach in found.values():
            end = reach.end or reach.asset
            if not gauges or not (places := _places(city, reach)) or stations_above(city, end):
                continue
            over = [gauges[name] for name in rained_by(city, end, gauges)]
            above = [found[name].sensor for name in reach.above]
            watched.append(BacklogWatch(reach, above, over, places))
    return watched


def _places(city: City, reach: Reach) -> Places:
    """What lies above up to the next measured manholes, and isn't measured: inlets first, the nearest of them
    before the others.
    """
    beyond = {name for above in reach.above for name in (above, *upstream(city, above))}
    near = [name for name in upstream(city, reach.asset) if name not in beyond]
    blind = [name for name in near if name not in city.sensors_of]
    inlets = [name for name in blind if city.asset_by_id[name].kind == "inlet"]
    likely = tuple((name, FAR if place else 1.0) for place, name in enumerate(inlets or blind))
    return likely + tuple((name, DEEP) for name in blind if inlets and name not in inlets)
