"""What was held up and is let go: a manhole that rises at once in dry weather, and falls again by itself.

In:  depths of measured manholes, levels of the wet wells below them, and rain, minute by minute.
Out: signs ``blockage_pattern`` of the manhole; their places are the inlets, manholes and sewers above it that
     nothing measures, where something must have been shut until then.

A blockage at which nothing is measured shows itself only when it ends: what stood behind it comes at once,
and runs out. A discharge stays, a leak grows, strokes of a pump come again. docs/signs.md has the numbers.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
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
"""A manhole above that rises by this part of it says that it came from further up; one that falls by it, that
it was held up there, and seen. Assumed."""
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


class Held(NamedTuple):
    """A measured manhole, and what may be shut above it."""

    reach: Reach
    above: tuple[int, ...]
    """Columns of the next measured manholes upstream."""
    places: Places
    well: tuple[int, float] | None
    """Column of the level of the wet well below, and from where on it is too full: it backs up then."""


class Rush(NamedTuple):
    """What is remembered of a manhole; -1 is never."""

    last: int = -1
    """When something was let go last."""
    onset: int = -1
    """Of the sign that stands."""
    found: int = -1


class BacklogWatch:
    """Watches the manholes below the same rain gauges."""

    minutes, stride = BLOCK * BLOCKS + DRY // MINUTE, STRIDE

    def __init__(
        self, held: Sequence[Held], water: Sequence[str], gauges: Sequence[str], wells: Sequence[str]
    ) -> None:
        """``water``: depth sensors, those of ``held`` first, in their order."""
        self._held, self._water = tuple(held), len(water)
        self._rain = slice(len(water), len(water) + len(gauges))
        self._least = np.array([max(RISE_M, 2 * one.reach.least_m) for one in held])
        self.sensors = (*water, *gauges, *wells)

    def begin(self) -> Any:
        """Nothing known: since when it looks, and what it remembers of each manhole."""
        return -1, (Rush(),) * len(self._held)

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One look further."""
        since, known = state
        rushes, signs = [Rush(*one) for one in known], []
        for place, onset in self._let_go(past, at):
            now = rushes[place]
            new = now.last < 0 or onset - now.last > BLOCK * BLOCKS * MINUTE
            if new and (now.last < 0 or onset - now.last >= AGAIN) and 0 <= since < onset - LEARNS:
                now = now._replace(onset=onset, found=at)
            rushes[place] = now._replace(last=onset)
        for place, now in enumerate(rushes):
            if now.onset >= 0:
                held, over = self._held[place], at - now.found >= STANDS
                cleared = at if over else None
                signs.append(Sign(held.reach.asset, "blockage_pattern", now.onset, cleared, held.places))
                rushes[place] = now._replace(onset=-1) if over else now
        return (at if since < 0 else since, tuple(rushes)), tuple(signs)

    def _let_go(self, past: Past, at: int) -> Iterator[tuple[int, int]]:
        """Manholes at which something was let go in the last hour, and when it rose."""
        rows = past.window(at, BLOCK * BLOCKS)
        if len(rows) < BLOCK * BLOCKS:
            return
        count, first = len(self._held), BASE + GAP
        blocks = rows[:, : self._water].reshape(BLOCKS, BLOCK, -1).swapaxes(0, 1)
        levels = medians(blocks.reshape(BLOCK, -1)).reshape(BLOCKS, -1)
        with np.errstate(invalid="ignore"):
            peaks, now = np.fmax.reduce(levels[first:-1, :count]), levels[-1, :count]
            least = np.fmin.reduce(levels[:-1, :count])
            candidates = (peaks - least > self._least) & (peaks - now > FALLEN_M)
        for place in map(int, np.flatnonzero(candidates)):
            highest = first + int(np.nanargmax(levels[first:-1, place]))
            onset = self._rush(past, rows, levels[highest], place, highest, at)
            if onset is None:
                continue
            since = past.window(at, (at - onset + DRY) // MINUTE)
            if self._is_dry(since) and not _backs_up(since, self._held[place].well):
                yield place, onset

    def _rush(self, past: Past, rows: Row, peaks: Row, place: int, highest: int, at: int) -> int | None:
        """Since when a manhole stood so high, if that came at once, from nowhere above, and runs out."""
        base = medians(rows[BLOCK * (highest - BASE - GAP) : BLOCK * (highest - GAP), : self._water])
        rises = peaks - base
        rise, low = float(rises[place]), float(base[place])
        present = medians(rows[-BLOCK:, : self._water])
        left = float(present[place]) - low
        if not (rise > max(self._least[place], RISE_PART * low) and left < min(LEFT * rise, rise - FALLEN_M)):
            return None  # NaN too
        for above in self._held[place].above:
            if max(rises[above], base[above] - present[above]) > SHARES * rise:
                return None  # it came from further up, or what was held up there is seen
        until = at - BLOCK * (BLOCKS - 1 - highest) * MINUTE
        onset = onset_of(past, until, place, low + rise / 2, BLOCK * (GAP + 1))
        before = medians(past.window(onset - MINUTE, BLOCK)[:, place : place + 1])[0]
        after = medians(past.window(onset + (BLOCK - 1) * MINUTE, BLOCK)[:, place : place + 1])[0]
        return onset if before < low + EARLY * rise and after > low + LATE * rise else None

    def _is_dry(self, rows: Row) -> bool:
        """Whether the gauges speak, and told of no rain."""
        rain = rows[:, self._rain]
        known = rain[np.isfinite(rain)]
        return bool(len(known) and known.max() <= 0)


def _backs_up(rows: Row, well: tuple[int, float] | None) -> bool:
    """Whether the wet well below was too full."""
    if well is None:
        return False
    column, roof = well
    with np.errstate(invalid="ignore"):
        return bool((rows[:, column] > roof).any())


def backlog_watchers(city: City) -> list[BacklogWatch]:
    """One for the measured manholes below the same gauges above which something may be shut unseen, but where
    stations pump in.
    """
    gauges = {sensor.asset: sensor.id for sensor in city.sensors if sensor.quantity == "rain"}
    groups: dict[tuple[str, ...], list[Reach]] = defaultdict(list)
    for kind in ("storm_manhole", "manhole") if gauges else ():
        for reach in reaches(city, kind).values():
            end = reach.end or reach.asset
            if not stations_above(city, end):
                groups[rained_by(city, end, gauges)].append(reach)
    watched = []
    for rained, found in groups.items():
        found.sort(key=lambda reach: not _places(city, reach))
        column = {reach.asset: place for place, reach in enumerate(found)}
        names = [gauges[name] for name in rained]
        wells = {
            sensor.id: (len(found) + len(names) + place, sensor.limits.high or 0.0)
            for place, sensor in enumerate(_levels(city, found))
        }
        held = [
            Held(
                reach,
                tuple(column[name] for name in reach.above if name in column),
                places,
                wells.get(f"{reach.end}/level"),
            )
            for reach in found
            if (places := _places(city, reach))
        ]
        if held:
            watched.append(BacklogWatch(held, [reach.sensor for reach in found], names, tuple(wells)))
    return watched


def _levels(city: City, found: Sequence[Reach]) -> list[Sensor]:
    """Of the wet wells below, with a limit that tells when they are too full."""
    names = sorted({f"{reach.end}/level" for reach in found})
    sensors = [city.sensor_by_id[name] for name in names if name in city.sensor_by_id]
    return [sensor for sensor in sensors if sensor.limits.high is not None]


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
