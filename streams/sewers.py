"""Foul sewers watched as a whole: what enters, what is held up, and rain that leaks in.

In:  depths of the manholes of a sewer, its wet well and pump, manholes of other sewers to compare with, rain.
Out: signs. ``depth_rise`` is an early, weak high; ``discharge_pattern``, ``blockage_pattern`` and
     ``infiltration_pattern`` say what the pattern of rises and falls tells, with the places where it may be.

A sewer follows the daily demand, and so do its neighbours: a rise or fall within minutes is news where the
others don't share it. Where stations upstream pump into the sewer, its depth goes up and down with their
strokes, and only what leaves the range of some strokes is news. docs/signs.md has the formulas.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from schemas.city import City, Relation, Sensor
from schemas.times import DAY, HOUR, MINUTE
from streams.drains import (
    DRY_AFTER,
    ENOUGH,
    GAUGE_SILENT,
    HEAVY_MM_PER_H,
    LATELY,
    RECENT,
    Flags,
    Rain,
    Reach,
    Row,
    Wanted,
    after_rain,
    among,
    downstream,
    is_heavy,
    medians,
    onset_of,
    reaches,
    settle,
    shape_of,
    standing,
    upstream,
)
from streams.groups import Past, Places, Sign
from streams.rows import median, percentile

BASE, SINCE = 20, 20
"""Minutes over which the usual depth is taken, and how many lie between them and now."""
STRIDE = 4
"""Minutes from one look to the next."""
BLOCK, STROKES = 8, 17
"""Where stations pump into a sewer: the range of so many medians of so many minutes is usual."""
STROKE, STROKES_LEAST, STROKED_FOR = 0.15, 2, DAY
"""A manhole that in those minutes went up and down again so often, by so much of its depth, gets strokes of a
station, whatever the model says; for so long it is watched as one that does. None of 30 manholes without
stations above did so on any of 143 days of the benchmark (suites train, and full with seed 77), each of 11
with stations did on every day."""
STROKE_NOISE = 1.5
"""Strokes are larger than so many times the least rise that a sensor can tell."""
STILL, IDLE_LPS = 30, 3.0
"""When the pumps upstream gave less than this for so many minutes, and for the time that water takes to
the end of the sewer, their last stroke has passed."""
PEERS_MAX, PEERS_MIN = 5, 1
"""Manholes of other sewers to compare with, at most and at least."""
SHARED = 0.08
"""How far sewers of a city depart from their common course, as a share. Assumed: habits differ by 4 %."""
SHARED_PULSED = 0.12
"""The same where stations pump in: the longer their strokes, the higher they rise. Assumed."""
ALONE = 0.2
"""How far demand may change in that time where there is nothing to compare with: the steepest hour of a
morning doubles the flow, which is 1.4 times the depth."""
STEEPEST = 0.5
"""How much it may change in each further hour."""
WET_FOR = 2 * HOUR
"""So long after rain began its water may come in."""
FOREIGN_M = 0.05
"""Depth of the foreign water by itself, in rain: manholes take in a little anyway."""
HUMP_M, HUMP_PART = 0.08, 0.85
"""A manhole whose depth went up with a shower and down with it took in rain: foreign water that alone would
stand so deep, over what was before and what is after, which is no more than this part of the most. Showers
bring 0.06 m to sewers that are well (measured over 75 days of the benchmark's training cities)."""
HUMP_RAIN, HUMP_AFTER, HUMP_LOOK = 90, 40, 8
"""Minutes that such a shower lasts at the most, minutes after it when the hump is looked for, and for how
many of them."""
HUMP_TOLD = 2 * HOUR
"""So long after the shower it is told."""
CALM_AFTER = 1 * HOUR
"""So long after a disturbance of the pumps nothing new is told."""
LET_GO = 30 * MINUTE
"""When a rise is over, what was held back has been on its way for so long."""
FLAT, FLAT_M = 20, 0.05
"""A level that moved less in so many minutes gets nothing, or its sensor lies: then its pump may stand while
the wet well fills, and what rises above it afterwards rises from there."""
BLIND = 2 * HOUR
"""So long after that, backwater can't be excluded."""
BACK = 0.4
"""A rise or fall is over when less than this part of it is left."""
LASTS = 8 * HOUR
TOGETHER = 20 * MINUTE
"""A fall with nothing to confirm it must last so long."""
DOUBLE = 2.0
"""What doubles its depth so much later than the manhole below it is backed up. Assumed."""
TOLD_FOR = 1 * HOUR
"""A rise that told nothing for so long tells no more."""
HEAD, HEAD_PEERS = 0.25, 2
"""Where nothing is measured above, and only a fall can tell of a blockage there, it must be so large, and so
many other sewers must not share it."""
SHAPE_TOLD = 16 * MINUTE
"""How old a rise must be for its shape to tell a step from a slope."""
LATER = 6 * MINUTE
"""A rise so old is told beside the inflow of the wet well."""
ORDER = 3 * MINUTE
"""Onsets nearer to each other than this have no order."""
SLOWEST_M_PER_S = 0.5
"""Speed of sewage at which a rise travels at the least. Sewers are laid to clean themselves at 0.6 to 0.7."""
REACH_M = 250.0
"""Length of a sewer that the model doesn't tell."""
WELL_NOW, WELL_BASE = 10, 34
"""Minutes over which a wet well's inflow is reckoned, and those before to compare with."""
SURGE, SURGE_MORE, SURGE_LEFT = 0.35, 0.12, 0.05
"""By which share inflow may change in half an hour, and what must come beside, over the pump's rating."""
GAPLESS = 0.8
"""The part of those minutes of which level and flow must tell."""
STANDS = 0.04
"""Less than this looks like a level that doesn't move at all: its sensor may lie."""
SURGE_ALONE, SURGE_TOLD, SURGE_CLEAR = 0.2, 12 * MINUTE, 30 * MINUTE
"""What must come beside where no manhole tells of it, how long that must last, by when it must have come."""


class _Move(NamedTuple):
    """A manhole that left its usual range."""

    way: int
    """1 up, -1 down."""
    onset: int
    base: float
    extreme: float
    course: float
    """How deep other sewers usually were then; 0 where none is known."""


class _Surge(NamedTuple):
    """An inflow of the wet well that changed."""

    way: int
    onset: int
    base: float
    now: float


class _Well(NamedTuple):
    """A wet well whose inflow can be reckoned: places of its level and its pump's flow, and their sizes."""

    asset: str
    level: int
    flow: int
    area_m2: float
    rated_lps: float


class _State(NamedTuple):
    """What a sewer's watcher knows."""

    rain: Rain
    usual: tuple[tuple[float, float] | None, ...]
    """By manhole, those of other sewers included: the least and the most of its usual depth."""
    moves: tuple[_Move | None, ...]
    disturbed: tuple[int, int]
    """When its pumps, or those that lift into it, were without power or too slow: since when, when last;
    -1 is never."""
    blind: tuple[int, int]
    """When its wet well's level didn't move: since when, when last; -1 is never."""
    inflow: float | None
    """Of the wet well, in L/s: what is usual."""
    surge: _Surge | None
    hump: tuple[str, int] | None
    """The manhole that took in the last shower, and since when."""
    strokes: int
    """How often a depth went up and down lately as no station of the model lets it."""
    stroked: tuple[str, int, int] | None
    """Where those were strokes for sure: the manhole, since when, when last."""
    signs: tuple[Sign, ...]


class _Seen(NamedTuple):
    """What one look sees: rows, and of each manhole whether it spoke of late, its least and its most then."""

    rows: Row
    told: Flags
    low: Row
    high: Row
    wet: bool
    pulsed: bool
    """Whether stations pump into it."""


class SewerWatch:
    """Watches one sewer down to its wet well."""

    stride = STRIDE

    def __init__(
        self,
        city: City,
        manholes: Sequence[Reach],
        peers: Sequence[str],
        gauges: Sequence[Sensor],
        stations: Sequence[str],
        wells: Sequence[Sensor],
    ) -> None:
        """``stations`` are its own wet well, and those whose pumps lift into it; ``wells``: sensors of levels
        and pumps, theirs among them.
        """
        self._reaches = tuple(manholes)
        self._place = {reach.asset: place for place, reach in enumerate(manholes)}
        self._above = [self._upstream(reach) for reach in manholes]
        self._travel = {reach.asset: _travel(city, reach) for reach in manholes}
        self._own, self._known = len(manholes), len(manholes) + len(peers)
        beside = [sensor for sensor in wells if _tells_of(city, sensor, stations)]
        water = (*(reach.sensor for reach in manholes), *peers)
        self.sensors = (*water, *(sensor.id for sensor in beside), *(sensor.id for sensor in gauges))
        self._arriving = [
            self.sensors.index(sensor.id)
            for sensor in beside
            if sensor.quantity == "flow" and stations[0] not in _drains(city, sensor.asset)
        ]
        """Flows of the pumps that lift into it."""
        self._still = STILL + max((_way(city, name) for name in stations[1:]), default=0) // MINUTE
        self._beside = slice(self._known, self._known + len(beside))
        self._gauges = slice(self._known + len(beside), len(self.sensors))
        self._floor = np.array([_low(sensor) for sensor in beside])
        self._roof = np.array([_high(sensor) for sensor in beside])
        self._heavy = [sensor.limits.high or HEAVY_MM_PER_H for sensor in gauges]
        own = [f"{stations[0]}/level"] if stations else []
        self._level = next((self.sensors.index(name) for name in own if name in self.sensors), None)
        self._stations = len(stations) > 1
        """Whether the model says that stations pump into it."""
        self._well = None if self._stations else _well(city, stations, self.sensors)
        past = RECENT + BLOCK * STROKES
        self.minutes = past if self._stations else max(past, BASE + HUMP_RAIN + HUMP_AFTER + HUMP_LOOK)

    def _upstream(self, reach: Reach) -> list[int]:
        """Places of all manholes upstream."""
        found: dict[int, None] = {}
        waiting = list(reversed(reach.above))
        while waiting:
            place = self._place[waiting.pop()]
            if place not in found:  # a model with wrong links may run in circles
                found[place] = None
                waiting += reversed(self._reaches[place].above)
        return list(found)

    def begin(self) -> _State:
        """Nothing is known yet."""
        usual, moves, never = (None,) * self._known, (None,) * self._own, (-1, -1)
        return _State(Rain(), usual, moves, never, never, None, None, None, 0, None, ())

    def step(self, state: Any, past: Past, at: int) -> tuple[_State, tuple[Sign, ...]]:
        """One look further."""
        now = _State(*state)
        rain = after_rain(Rain(*now.rain), past.window(at, STRIDE)[:, self._gauges], self._heavy, at)
        now = self._look(now._replace(rain=rain, signs=standing(now.signs)), past, at)
        return now, now.signs

    def _look(self, now: _State, past: Past, at: int) -> _State:
        rows = past.window(at, self.minutes)
        now = self._disturbances(now, rows, at)
        rain = now.rain
        wet = rain.fell >= 0 and at - rain.began < WET_FOR
        since = at - rain.began - WET_FOR if rain.fell >= 0 else -1
        if not wet and (at // MINUTE % (2 * STRIDE) == 0 or 0 <= since < STRIDE * MINUTE):
            now = self._strokes(now, rows, at)
            now = now._replace(usual=self._usual(now, rows, self._is_pulsed(now, at)))
        pulsed = self._is_pulsed(now, at)
        recent = rows[-_recent(pulsed) :, : self._own]
        told = np.isfinite(recent).sum(axis=0) >= ENOUGH
        low, high = np.fmin.reduce(recent), np.fmax.reduce(recent)
        course = self._course(now)
        moves = [
            move and self._lasting(_Move(*move), course, low[place], high[place], at, told[place])
            for place, move in enumerate(now.moves)
        ]
        if any(before and not after for before, after in zip(now.moves, moves, strict=True)):
            now = _disturb(now, at, at - LET_GO)
        seen = _Seen(rows, told, low, high, wet, pulsed)
        now = self._surge(now._replace(moves=tuple(moves)), seen, at)
        if not is_heavy(rain, at) and at - rain.heard <= GAUGE_SILENT:
            self._find(now, moves, seen, past, at)
        if not pulsed:
            now = now._replace(hump=self._hump(now, rows, at))
        unsure = not pulsed and (len(rows) < BLOCK * STROKES or now.strokes > 0)  # it may be the next stroke
        news = any(moves) or now.surge or now.hump or now.stroked
        if not now.signs and (unsure or not news):
            return now._replace(moves=tuple(moves))
        wanted: Wanted = {}
        if now.stroked and pulsed:
            wanted[now.stroked[0], "unlike_model"] = now.stroked[1], ()
        for place, move in enumerate(moves):
            if move and move.way > 0:
                wanted[self._reaches[place].asset, "depth_rise"] = move.onset, ()
        self._patterns(now, moves, seen, wanted, at)
        return now._replace(moves=tuple(moves), signs=settle(now.signs, wanted, at))

    def _calm(self, now: _State, at: int) -> bool:
        return now.disturbed[1] < 0 or at - now.disturbed[1] > CALM_AFTER

    def _disturbances(self, now: _State, rows: Row, at: int) -> _State:
        """Pumps without power, a wet well too full, or one whose level lies."""
        checked = medians(rows[-3:, self._beside])
        with np.errstate(invalid="ignore"):
            if ((checked < self._floor) | (checked > self._roof)).any():
                now = _disturb(now, at, at)
        if self._level is not None:
            levels = rows[-FLAT:, self._level]
            levels = levels[np.isfinite(levels)]
            if len(levels) > FLAT / 2 and percentile(levels, 0.9) - percentile(levels, 0.1) < FLAT_M:
                since, last = now.blind
                goes_on = last >= 0 and at - last <= STRIDE * MINUTE
                now = now._replace(blind=(since if goes_on else at - FLAT * MINUTE, at))
        return now

    def _is_pulsed(self, now: _State, at: int) -> bool:
        """Whether stations pump into it, as the model says or its depth shows."""
        return self._stations or (now.stroked is not None and at - now.stroked[2] < STROKED_FOR)

    def _strokes(self, now: _State, rows: Row, at: int) -> _State:
        """Whether the depth shows strokes that the model doesn't explain: it is watched differently then, and
        what was found before were strokes.
        """
        dry = now.rain.fell < 0 or at - now.rain.fell >= BLOCK * STROKES * MINUTE
        if self._stations or len(rows) < BLOCK * STROKES or not dry:
            return now
        depths = _by_block(rows[-BLOCK * STROKES :, : self._own])
        least = np.array([STROKE_NOISE * reach.least_m for reach in self._reaches])
        large = np.fmax(STROKE * medians(depths), least)
        counts = list(map(_ups_and_downs, depths.T.tolist(), large.tolist()))
        now = now._replace(strokes=max(counts))
        if now.strokes < STROKES_LEAST:
            return now
        if now.stroked and self._is_pulsed(now, at):
            return now._replace(stroked=(*now.stroked[:2], at))
        usual, moves = (None,) * self._known, (None,) * self._own
        first = self._reaches[counts.index(now.strokes)].asset
        return now._replace(usual=usual, moves=moves, surge=None, hump=None, stroked=(first, at, at))

    def _usual(self, now: _State, rows: Row, pulsed: bool) -> tuple[tuple[float, float] | None, ...]:
        """The usual range of each manhole that hasn't left it; of one that wasn't heard it is unknown."""
        if pulsed:
            if len(rows) < RECENT + BLOCK * STROKES:
                return now.usual
            strokes = _by_block(rows[-RECENT - BLOCK * STROKES : -RECENT, : self._known])
            least, most = np.fmin.reduce(strokes), np.fmax.reduce(strokes)
        else:
            if len(rows) < BASE + SINCE:
                return now.usual
            least = most = medians(rows[-BASE - SINCE : -SINCE, : self._known])
        moved = (*(move is not None for move in now.moves), *[False] * (self._known - self._own))
        return tuple(
            old if away else None if np.isnan(low) else (float(low), float(high))
            for old, away, low, high in zip(now.usual, moved, least, most, strict=True)
        )

    def _lasting(
        self, move: _Move, course: float, low: float, high: float, at: int, told: bool
    ) -> _Move | None:
        """A move as it goes on, or None when it is over: what is usual has moved with the other sewers."""
        if not told:
            return move
        nearest, farthest = (low, high) if move.way > 0 else (high, low)
        base = move.base * course / move.course if course and move.course else move.base
        left = move.way * (farthest - base)
        if left < BACK * move.way * (move.extreme - move.base) or at - move.onset > LASTS:
            return None
        extreme = max(move.extreme, nearest) if move.way > 0 else min(move.extreme, nearest)
        return move._replace(extreme=float(extreme))

    def _course(self, now: _State) -> float:
        """How deep other sewers usually are at this hour."""
        known = [usual[1] for usual in now.usual[self._own :] if usual]
        return statistics.median(known) if known else 0.0

    def _find(self, now: _State, moves: list[_Move | None], seen: "_Seen", past: Past, at: int) -> None:
        """Put manholes that have just left their usual range among the moves."""
        least, most = (np.array([one[way] if one else np.nan for one in now.usual]) for way in (0, 1))
        own = slice(None, self._own)
        if self._arriving and self._is_still(seen.rows[-self._still :, self._arriving]):
            most = least  # no stroke is on its way
        with np.errstate(invalid="ignore"):
            away = seen.told & ((seen.low > most[own]) | (seen.high < least[own]))
        if not away.any():
            return
        calm, course = self._calm(now, at), self._course(now)
        recent = medians(seen.rows[-BLOCK:, : self._known])
        shared = SHARED_PULSED if seen.pulsed else SHARED
        apart = ALONE + (STEEPEST * (at - now.rain.began) / HOUR if seen.wet else 0.0)
        for place in map(int, np.flatnonzero(away)):
            reach = self._reaches[place]
            if moves[place] is not None:
                continue
            peers = [*self._above[place], *range(self._own, self._known)]
            peers = [other for other in peers if other >= self._own or moves[other] is None]
            rises, falls = recent[peers] / most[peers], recent[peers] / least[peers]
            if np.isfinite(rises).sum() >= PEERS_MIN:
                roof = most[place] * (max(_middle(rises), 1.0) + shared)
                floor = least[place] * (min(_middle(falls), 1.0) - shared)
            else:
                roof, floor = most[place] * (1 + apart), least[place] * (1 - apart)
            if seen.wet:
                roof = np.hypot(roof, FOREIGN_M)
            if seen.low[place] > roof + reach.least_m:
                since = onset_of(past, at, place, most[place] + reach.least_m, SINCE)
                if not calm and since >= now.disturbed[0]:
                    continue
                moves[place] = _Move(1, since, float(most[place]), float(seen.low[place]), course)
            elif calm and seen.high[place] < floor - reach.least_m / 2:
                since = at - _recent(seen.pulsed) * MINUTE
                moves[place] = _Move(-1, since, float(least[place]), float(seen.high[place]), course)

    def _hump(self, now: _State, rows: Row, at: int) -> tuple[str, int] | None:
        """The manhole that went up and down with the shower that is over, the furthest up; and since when."""
        dry = (at - now.rain.fell) // MINUTE
        if now.hump and now.rain.fell >= 0 and dry * MINUTE <= HUMP_TOLD:
            return now.hump
        rained = (at - now.rain.began) // MINUTE
        if not HUMP_AFTER <= dry < HUMP_AFTER + HUMP_LOOK or rained - dry > HUMP_RAIN:
            return None
        if len(rows) < rained + BASE or is_heavy(now.rain, at) or not self._calm(now, at):
            return None
        depths = rows[:, : self._own]
        during = [medians(depths[-back : len(rows) - back + BLOCK]) for back in range(BLOCK, rained, STRIDE)]
        if not during:
            return None
        peak = np.fmax.reduce(during)
        beside = np.fmax(medians(depths[-rained - BASE : len(rows) - rained]), medians(depths[-BLOCK:]))
        with np.errstate(invalid="ignore"):
            humps = (peak**2 - beside**2 > HUMP_M**2) & (beside < HUMP_PART * peak)
        for place in map(int, np.flatnonzero(humps)):  # upstream first
            above = depths[-rained:, place] > (beside[place] + peak[place]) / 2
            since = at - (rained - 1 - int(np.argmax(above))) * MINUTE
            return self._reaches[place].asset, since
        return None

    def _is_still(self, flows: Row) -> bool:
        """Whether all pumps that lift into the sewer have stood for long."""
        return bool((np.isfinite(flows).sum(axis=0) > self._still / 2).all() and np.nanmax(flows) < IDLE_LPS)

    # --- the wet well -----------------------------------------------------------------------------

    def _surge(self, now: _State, seen: _Seen, at: int) -> _State:
        """Whether the wet well gets far more or less than before, after its level and its pump."""
        well = self._well
        if well is None or seen.pulsed or len(seen.rows) < WELL_BASE + WELL_NOW + 2:
            return now
        step = 0.1 + 2 * well.rated_lps * 0.06 / well.area_m2  # metres a minute that no pump brings
        level, flow = _without_spikes(seen.rows[:, well.level], step), seen.rows[:, well.flow]
        inflow = _balance(level[-WELL_NOW - 1 :], flow[-WELL_NOW:], well.area_m2)
        if not abs(inflow) <= 3 * well.rated_lps:  # NaN too
            return now
        if now.surge:
            surge = _Surge(*now.surge)
            left = surge.way * (inflow - surge.base)
            lasts = left > SURGE_LEFT * well.rated_lps and at - surge.onset < LASTS
            return now._replace(surge=surge._replace(now=inflow) if lasts else None)
        if not seen.wet:
            ago = slice(-WELL_BASE - WELL_NOW - 1, -WELL_NOW)
            usual = _balance(level[ago], flow[ago][1:], well.area_m2)
            now = now._replace(inflow=None if np.isnan(usual) else usual)
        if now.inflow is None:
            return now
        base, since = now.inflow, at - WELL_NOW // 2 * MINUTE
        more = SURGE_MORE * well.rated_lps
        if inflow > base * (1 + SURGE) + more:
            base *= max(self._demand(now, seen), 1.0)
            if inflow > base * (1 + SURGE) + more:
                return now._replace(surge=_Surge(1, since, base, inflow))
            return now
        if inflow < base * (1 - SURGE) - SURGE_LEFT * well.rated_lps:
            return now._replace(surge=_Surge(-1, since, base, inflow))
        return now

    def _demand(self, now: _State, seen: _Seen) -> float:
        """How demand has grown meanwhile, after manholes that are as usual: flow goes with depth squared."""
        recent = medians(seen.rows[-BLOCK:, : self._known])
        moved = (*now.moves, *[None] * (self._known - self._own))
        grown = [
            float(depth) / usual[1]
            for depth, usual, move in zip(recent, now.usual, moved, strict=True)
            if usual and usual[1] > 0 and not move and np.isfinite(depth)
        ]
        return statistics.median(grown) ** 2 if grown else 1.0

    def _is_clear(self, surge: _Surge) -> bool:
        """Whether the wet well tells it without a manhole beside."""
        return self._well is not None and abs(surge.now - surge.base) > (
            SURGE * surge.base + SURGE_ALONE * self._well.rated_lps
        )

    def _is_blind(self, now: _State, onset: int) -> bool:
        """Whether what began then may be backwater from a wet well that nobody sees."""
        since, last = now.blind
        return last >= 0 and since + LATELY * MINUTE < onset < last + BLIND

    # --- patterns ---------------------------------------------------------------------------------

    def _patterns(
        self, now: _State, moves: Sequence[_Move | None], seen: _Seen, wanted: Wanted, at: int
    ) -> None:
        """What rises and falls tell together; what was told stands as long as its manhole is away."""
        told = [
            sign
            for sign in now.signs
            if sign.condition.endswith("_pattern")
            and (now.surge if sign.asset not in self._place else moves[self._place[sign.asset]])
        ]
        if [sign.condition for sign in told] == ["infiltration_pattern"] and self._backs_up(
            told[0], now, moves
        ):
            reach = self._reaches[self._place[told[0].asset]]
            wanted[reach.asset, "blockage_pattern"] = told[0].onset, _ranked(reach.holds)
            return
        for sign in told:
            wanted[sign.asset, sign.condition] = sign.onset, sign.places
        if told:
            return
        if now.hump:
            asset, since = now.hump
            wanted[asset, "infiltration_pattern"] = since, _ranked(self._reaches[self._place[asset]].enters)
            wanted.setdefault((asset, "depth_rise"), (since, ()))
            return
        for reach, move in zip(self._reaches, moves, strict=True):
            if (
                move
                and not self._is_blind(now, move.onset)
                and (found := self._pattern(now, reach, move, moves, seen, at))
            ):
                condition, names = found
                if seen.pulsed and condition != "blockage_pattern":  # strokes may hide it further up
                    names += tuple(
                        name
                        for above in self._above[self._place[reach.asset]]
                        for name in self._reaches[above].enters
                    )
                wanted[reach.asset, condition] = move.onset, _ranked(names)
                return
        if now.surge and self._well and not any(moves):
            surge, last = _Surge(*now.surge), self._reaches[-1]
            stands = surge.now < STANDS * self._well.rated_lps or is_heavy(now.rain, at)
            age = at - surge.onset
            calm = self._calm(now, surge.onset) or surge.onset < now.disturbed[0]
            clear = calm and self._is_clear(surge) and not self._is_blind(now, surge.onset)
            if stands or not clear or not SURGE_TOLD <= age <= SURGE_CLEAR:
                return
            rained = now.rain.fell >= 0 and surge.onset - now.rain.fell <= DRY_AFTER
            if surge.way > 0 and (not rained or seen.wet):
                condition = "infiltration_pattern" if rained else "discharge_pattern"
                enters = (self._well.asset, *last.holds[:0:-1])
                wanted[self._well.asset, condition] = surge.onset, _ranked(enters)
            elif not rained:
                wanted[self._well.asset, "blockage_pattern"] = surge.onset, _ranked(last.holds)

    def _backs_up(self, sign: Sign, now: _State, moves: Sequence[_Move | None]) -> bool:
        """Whether what looked like rain that comes in was none: it doesn't go on, and rises further up."""
        if sign.asset not in self._place:
            return False
        reach = self._reaches[self._place[sign.asset]]
        below = moves[self._place[reach.below]] if reach.below else None
        if (below and below.way > 0) or (now.surge and _Surge(*now.surge).way > 0):
            return False
        above = [one for name in reach.above if (one := moves[self._place[name]])]
        return any(one.onset - sign.onset > TOGETHER and one.extreme > DOUBLE * one.base for one in above)

    def _pattern(
        self,
        now: _State,
        reach: Reach,
        move: _Move,
        moves: Sequence[_Move | None],
        seen: _Seen,
        at: int,
    ) -> tuple[str, tuple[str, ...]] | None:
        """What one manhole's move tells beside those above and below it: the pattern and its places."""
        age = at - move.onset
        above = [one for name in reach.above if (one := moves[self._place[name]])]
        below = moves[self._place[reach.below]] if reach.below else None
        if move.way < 0:
            alone = self._known - self._own < HEAD_PEERS or move.extreme > (1 - HEAD) * move.base
            if alone or reach.above or age < TOGETHER:
                return None
            return "blockage_pattern", _held_above(reach, move)
        if age > TOLD_FOR:
            return None  # what stood beside it may be over
        risen_below = below is not None and below.way > 0
        if below and below.way < 0:
            return "blockage_pattern", reach.holds
        rising_above = [one for one in above if one.way > 0]
        if any(one.onset > move.onset + ORDER for one in rising_above) and not risen_below and not seen.wet:
            return "blockage_pattern", reach.holds
        if rising_above:
            return None
        held = reach.below is None and now.surge and _Surge(*now.surge).way < 0
        rained = now.rain.fell >= 0 and -SHAPE_TOLD <= move.onset - now.rain.began < WET_FOR
        if rained and not held:
            return "infiltration_pattern", reach.enters
        if reach.below is None or (seen.pulsed and not below):
            return self._at_the_end(now, reach, move, seen, at)
        if below:
            return ("discharge_pattern", reach.enters) if below.onset >= move.onset - ORDER else None
        if age >= LATER + self._travel[reach.asset] or (
            age >= 2 * LATER and self._lowered(now, reach.below, seen)
        ):
            return "blockage_pattern", reach.holds
        return None

    def _at_the_end(
        self, now: _State, reach: Reach, move: _Move, seen: _Seen, at: int
    ) -> tuple[str, tuple[str, ...]] | None:
        """What the rise of the last manhole tells beside the wet well's inflow, or by its own shape."""
        age = at - move.onset
        if now.surge and age >= LATER:
            surge = _Surge(*now.surge)
            if surge.way > 0 and surge.onset >= move.onset - TOGETHER:
                return "discharge_pattern", reach.enters
            if surge.way < 0:
                return "blockage_pattern", reach.holds
        well = self._well is not None and not seen.pulsed
        if well and not now.surge and now.inflow and age >= SHAPE_TOLD + self._travel[reach.asset]:
            return "blockage_pattern", reach.holds  # what rises here doesn't come through
        shape = shape_of(seen.rows[:, self._place[reach.asset]], move.base, age // MINUTE)
        if well or shape is None or age < SHAPE_TOLD:
            return None
        return ("discharge_pattern", reach.enters) if shape == "step" else ("blockage_pattern", reach.holds)

    def _lowered(self, now: _State, asset: str, seen: _Seen) -> bool:
        """Whether a manhole gets less than usual, if not little enough to be told."""
        place = self._place[asset]
        usual = now.usual[place]
        recent = medians(seen.rows[-BLOCK:, place : place + 1])[0]
        return usual is not None and bool(recent < usual[0] * (1 - SHARED))


def _recent(pulsed: bool) -> int:
    """Minutes whose readings must all lie outside of what is usual."""
    return 2 * RECENT if pulsed else RECENT


def _by_block(rows: Row) -> Row:
    """Medians of so many minutes each: shape (STROKES, sensors)."""
    count = rows.shape[1]
    blocks = rows.reshape(STROKES, BLOCK, count).swapaxes(0, 1).reshape(BLOCK, -1)
    return medians(blocks).reshape(STROKES, count)


def _ups_and_downs(depths: Iterable[float], size: float) -> int:
    """How often a depth went up and down again by this size at least."""
    found, rising, turn = 0, False, math.inf
    for depth in depths:
        if math.isnan(depth):
            continue
        turn = max(turn, depth) if rising else min(turn, depth)
        if abs(depth - turn) > size:
            found, rising, turn = found + rising, not rising, depth
    return found


def _disturb(now: _State, at: int, since: int) -> _State:
    """The state with a disturbance that goes on, or that has lasted since then."""
    began, last = now.disturbed
    return now._replace(disturbed=(began if last >= 0 and at - last <= CALM_AFTER else since, at))


def _held_above(reach: Reach, move: _Move) -> tuple[str, ...]:
    """Manholes above a fall, likeliest first: each brings its part, and flow goes with depth squared."""
    names = reach.enters[1:]
    left = (move.extreme / move.base) ** 2
    apart = {name: abs(left - place / (len(names) + 1)) for place, name in enumerate(names, 1)}
    return tuple(sorted(names, key=lambda name: (apart[name], name))) or reach.enters


def _without_spikes(values: Row, step: float) -> Row:
    """Values of which none leaps by more than a step from the one before it; those that do are unknown."""
    found = values.copy()
    found[1:][np.abs(values[1:] - values[:-1]) > step] = np.nan
    return found


def _balance(level: Row, flow: Row, area_m2: float) -> float:
    """Inflow in L/s: what the level gained, and what the pump took."""
    heard = np.flatnonzero(np.isfinite(level))
    flows = flow[np.isfinite(flow)]
    whole = len(heard) > 0 and heard[-1] - heard[0] >= GAPLESS * (len(level) - 1)
    if not whole or len(flows) < GAPLESS * len(flow):
        return float("nan")  # level and flow would speak of different times
    gained = (level[heard[-1]] - level[heard[0]]) * area_m2 * 1000 / (60 * (heard[-1] - heard[0]))
    return float(gained + flows.sum() / len(flows))


def _middle(values: Row) -> float:
    """The median of what is known."""
    return median(values[np.isfinite(values)])


def _ranked(names: Sequence[str]) -> Places:
    """Places of which the first speaks for all."""
    return tuple((name, 0.5 if place else 1.0) for place, name in enumerate(names))


# --- which sewers there are ---------------------------------------------------------------------------


def sewer_watchers(city: City) -> list[SewerWatch]:
    """A watcher for each foul sewer with a measured manhole; none where the city has no rain gauge."""
    sewers: dict[str, list[Reach]] = {}
    for reach in reaches(city, "manhole").values():
        sewers.setdefault(reach.end or reach.asset, []).append(reach)
    gauges = [sensor for sensor in city.sensors if sensor.quantity == "rain"]
    above = {end: stations_above(city, end) for end in sewers}
    wells = [sensor for sensor in city.sensors if _may_tell(city, sensor)]
    watched = []
    for end, found in sewers.items():
        peers = [others[-1].sensor for other, others in sewers.items() if other != end and not above[other]]
        stations = (end, *above[end])
        watched.append(SewerWatch(city, among(found), peers[:PEERS_MAX], gauges, stations, wells))
    return watched if gauges else []


def stations_above(city: City, end: str) -> list[str]:
    """The wet wells whose pumps lift into the sewer of this one."""
    into = {end, *upstream(city, end)}
    pumps = [link.source for link in city.links_by.get(Relation.LIFTS_TO, ()) if link.target in into]
    return [well for pump in pumps for well in _drains(city, pump)]


def _drains(city: City, pump: str) -> list[str]:
    """The wet wells that a pump empties."""
    return [link.source for link in city.links_to.get(pump, ()) if link.relation is Relation.DRAINS_TO]


def _may_tell(city: City, sensor: Sensor) -> bool:
    """Whether a sensor tells how some station is: the level of its well, its pump's voltage or flow."""
    if sensor.quantity == "level":
        return True
    pump = city.asset_by_id[sensor.asset].kind == "pump"
    return sensor.quantity in ("voltage", "flow") and pump and bool(_drains(city, sensor.asset))


def _tells_of(city: City, sensor: Sensor, stations: Sequence[str]) -> bool:
    """Whether it tells of one of these stations."""
    if sensor.quantity == "level":
        return sensor.asset in stations
    return any(well in stations for well in _drains(city, sensor.asset))


def _low(sensor: Sensor) -> float:
    low = sensor.limits.low
    return -np.inf if low is None or sensor.quantity != "voltage" else low


def _high(sensor: Sensor) -> float:
    high = sensor.limits.high
    return np.inf if high is None or sensor.quantity != "level" else high


def _travel(city: City, reach: Reach) -> int:
    """How long a rise takes to the next measured manhole at the most, in ms."""
    return _passing(city, reach.holds)


def _way(city: City, station: str) -> int:
    """How long what a station lifts takes to the end of the sewer that gets it at the most, in ms."""
    pumps = [link.target for link in city.links_from[station] if link.relation is Relation.DRAINS_TO]
    lifted = [
        link.target
        for pump in pumps
        for link in city.links_from.get(pump, ())
        if link.relation is Relation.LIFTS_TO
    ]
    return max((_passing(city, downstream(city, name)) for name in lifted), default=0)


def _passing(city: City, names: Sequence[str]) -> int:
    """How long sewage takes through the sewers among these assets, in ms."""
    lengths = [
        float(city.asset_by_id[name].properties.get("length_m", REACH_M))
        for name in names
        if city.asset_by_id[name].kind == "sewer"
    ]
    return round(sum(lengths) / SLOWEST_M_PER_S * 1000)


def _well(city: City, stations: Sequence[str], sensors: Sequence[str]) -> _Well | None:
    """The wet well of a sewer, where the model has its area and its only pump is measured."""
    name = stations[0]
    pumps = [
        link.target
        for link in city.links_from.get(name, ())
        if link.relation is Relation.DRAINS_TO and city.asset_by_id[link.target].kind == "pump"
    ]
    area = city.asset_by_id[name].properties.get("area_m2")
    level, flows = f"{name}/level", [f"{pump}/flow" for pump in pumps]
    if (
        len(pumps) != 1
        or not isinstance(area, int | float)
        or level not in sensors
        or flows[0] not in sensors
    ):
        return None
    rated = city.asset_by_id[pumps[0]].properties.get("rated_lps")
    rated = rated or city.sensor_by_id[flows[0]].limits.high or 0.0
    return _Well(name, sensors.index(level), sensors.index(flows[0]), float(area), float(rated))
