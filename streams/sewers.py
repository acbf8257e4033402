"""Foul sewers watched as a whole: what enters, what is held up, and rain that leaks in.

In:  depths of the manholes of a sewer, its wet well and pump, manholes of other sewers to compare with, rain.
Out: signs. ``depth_rise`` is an early, weak high; ``discharge_pattern``, ``blockage_pattern`` and
     ``infiltration_pattern`` say what the pattern of rises and falls tells, with the places where it may be.

A sewer follows the daily demand, and so do its neighbours: a rise or fall within minutes is news where the
others don't share it. Where stations upstream pump into the sewer, its depth goes up and down with their
strokes, and only what leaves the range of some strokes is news. docs/signs.md has the formulas.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from schemas.city import City, Relation, Sensor
from schemas.times import HOUR, MINUTE
from streams.drains import (
    DRY_AFTER,
    ENOUGH,
    GAUGE_SILENT,
    HEAVY_MM_PER_H,
    RECENT,
    SLOPE,
    STEP,
    Flags,
    Rain,
    Reach,
    Row,
    Wanted,
    after_rain,
    medians,
    onset_of,
    reaches,
    settle,
    standing,
    upstream,
)
from streams.groups import Past, Places, Sign

BASE, SINCE = 20, 20
"""Minutes over which the usual depth is taken, and how many lie between them and now."""
STRIDE = 4
"""Minutes from one look to the next."""
BLOCK, STROKES = 8, 17
"""Where stations pump into a sewer: the range of so many medians of so many minutes is usual."""
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
CALM_AFTER = 1 * HOUR
"""So long after a disturbance of the pumps nothing new is told."""
BLIND = 6 * HOUR
"""So long after the wet well's level jumped or stood still, backwater from it can't be excluded."""
BACK = 0.4
"""A rise or fall is over when less than this part of it is left."""
LASTS = 12 * HOUR
TOGETHER = 20 * MINUTE
"""A fall with nothing to confirm it must last so long."""
TOLD_FOR = 1 * HOUR
"""A rise that told nothing for so long tells no more."""
HEAD = 0.2
"""Where nothing is measured above, and only a fall can tell of a blockage there, it must be so large."""
SHAPE_TOLD = 16 * MINUTE
"""How old a rise must be for its shape to tell a step from a slope."""
LATER = 6 * MINUTE
"""Onsets nearer to each other than this have no order."""
SLOWEST_M_PER_S = 0.5
"""Speed of sewage at which a rise travels at the least. Sewers are laid to clean themselves at 0.6 to 0.7."""
REACH_M = 250.0
"""Length of a sewer that the model doesn't tell."""
WELL_NOW, WELL_BASE = 10, 34
"""Minutes over which a wet well's inflow is reckoned, and those before to compare with."""
SURGE, SURGE_MORE, SURGE_LEFT = 0.35, 0.12, 0.05
"""By which share inflow may change in half an hour, and what must come beside, over the pump's rating."""
STANDS = 0.04
"""Less than this looks like a level that doesn't move at all: its sensor may lie."""
SURGE_TOLD = 12 * MINUTE


class _Move(NamedTuple):
    """A manhole that left its usual range."""

    way: int
    """1 up, -1 down."""
    onset: int
    base: float
    extreme: float


class _Surge(NamedTuple):
    """An inflow of the wet well that changed."""

    way: int
    onset: int
    base: float


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
    disturbed: int
    """When its pumps, or those that lift into it, were last without power or too slow; -1 is never."""
    blind: int
    """When its wet well's level was last not to be trusted."""
    surge: _Surge | None
    signs: tuple[Sign, ...]


class _Seen(NamedTuple):
    """What one look sees: rows, and of each manhole whether it spoke of late, its least and its most then."""

    rows: Row
    told: Flags
    low: Row
    high: Row
    wet: bool


class SewerWatch:
    """Watches one sewer down to its wet well."""

    def __init__(
        self,
        city: City,
        manholes: Sequence[Reach],
        peers: Sequence[str],
        gauges: Sequence[Sensor],
        stations: Sequence[str],
    ) -> None:
        """``stations`` are its own wet well, and those whose pumps lift into it."""
        self._reaches = tuple(manholes)
        self._place = {reach.asset: place for place, reach in enumerate(manholes)}
        self._above = [self._upstream(reach) for reach in manholes]
        self._travel = {reach.asset: _travel(city, reach) for reach in manholes}
        self._own, self._known = len(manholes), len(manholes) + len(peers)
        beside = [sensor for sensor in city.sensors if _tells_of(city, sensor, stations)]
        water = (*(reach.sensor for reach in manholes), *peers)
        self.sensors = (*water, *(sensor.id for sensor in beside), *(sensor.id for sensor in gauges))
        self._beside = slice(self._known, self._known + len(beside))
        self._gauges = slice(self._known + len(beside), len(self.sensors))
        self._floor = np.array([_low(sensor) for sensor in beside])
        self._roof = np.array([_high(sensor) for sensor in beside])
        self._heavy = np.array([sensor.limits.high or HEAVY_MM_PER_H for sensor in gauges])
        own = [f"{stations[0]}/level"] if stations else []
        self._level = next((self.sensors.index(name) for name in own if name in self.sensors), None)
        self._pulsed = len(stations) > 1
        self._recent = 2 * RECENT if self._pulsed else RECENT
        self._well = None if self._pulsed else _well(city, stations, self.sensors)
        self.minutes = RECENT + BLOCK * STROKES if self._pulsed else WELL_NOW + WELL_BASE + 1

    def _upstream(self, reach: Reach) -> list[int]:
        """Places of all manholes upstream."""
        found: list[int] = []
        for name in reach.above:
            found += [self._place[name], *self._upstream(self._reaches[self._place[name]])]
        return found

    def begin(self) -> _State:
        """Nothing is known yet."""
        return _State(Rain(), (None,) * self._known, (None,) * self._own, -1, -1, None, ())

    def step(self, state: Any, past: Past, at: int) -> tuple[_State, tuple[Sign, ...]]:
        """One minute further."""
        now = _State(*state)
        rain = after_rain(Rain(*now.rain), past.rows[-1][self._gauges], self._heavy, at)
        now = now._replace(rain=rain, signs=standing(now.signs))
        if at // MINUTE % STRIDE == 0:
            now = self._look(now, past, at)
        return now, now.signs

    def _look(self, now: _State, past: Past, at: int) -> _State:
        rows = past.window(at, self.minutes)
        now = self._disturbances(now, rows, at)
        rain = now.rain
        wet = rain.fell >= 0 and at - rain.began < WET_FOR
        if not wet and at // MINUTE % (2 * STRIDE) == 0:
            now = now._replace(usual=self._usual(now, rows))
        recent = rows[-self._recent :, : self._own]
        told = np.isfinite(recent).sum(axis=0) >= ENOUGH
        low, high = np.fmin.reduce(recent), np.fmax.reduce(recent)
        moves = [
            move and self._lasting(_Move(*move), low[place], high[place], at, told[place])
            for place, move in enumerate(now.moves)
        ]
        if any(before and not after for before, after in zip(now.moves, moves, strict=True)):
            now = now._replace(disturbed=at)  # what was held back is let go
        seen = _Seen(rows, told, low, high, wet)
        now = now._replace(surge=self._surge(now, seen, at))
        if self._calm(now, at) and rain.heaviest < 1 and at - rain.heard <= GAUGE_SILENT:
            self._find(now, moves, seen, past, at)
        if not any(moves) and not now.signs and not now.surge:
            return now._replace(moves=tuple(moves))
        wanted: Wanted = {}
        for place, move in enumerate(moves):
            if move and move.way > 0:
                wanted[self._reaches[place].asset, "depth_rise"] = move.onset, ()
        self._patterns(now, moves, seen, wanted, at)
        return now._replace(moves=tuple(moves), signs=settle(now.signs, wanted, at))

    def _calm(self, now: _State, at: int) -> bool:
        return now.disturbed < 0 or at - now.disturbed > CALM_AFTER

    def _disturbances(self, now: _State, rows: Row, at: int) -> _State:
        """Pumps without power, a wet well too full, or one whose level lies."""
        checked = medians(rows[-3:, self._beside])
        with np.errstate(invalid="ignore"):
            if ((checked < self._floor) | (checked > self._roof)).any():
                now = now._replace(disturbed=at)
        if self._level is not None:
            levels = rows[-10:, self._level]
            levels = levels[np.isfinite(levels)]
            if len(levels) >= 6 and not np.ptp(levels):
                now = now._replace(blind=at)
        return now

    def _usual(self, now: _State, rows: Row) -> tuple[tuple[float, float] | None, ...]:
        """The usual range of each manhole that hasn't left it."""
        if self._pulsed:
            if len(rows) < self.minutes:
                return now.usual
            blocks = rows[: BLOCK * STROKES, : self._known].reshape(STROKES, BLOCK, self._known)
            strokes = medians(blocks.swapaxes(0, 1).reshape(BLOCK, -1)).reshape(STROKES, self._known)
            least, most = np.fmin.reduce(strokes), np.fmax.reduce(strokes)
        else:
            if len(rows) < BASE + SINCE:
                return now.usual
            least = most = medians(rows[-BASE - SINCE : -SINCE, : self._known])
        moved = (*(move is not None for move in now.moves), *[False] * (self._known - self._own))
        return tuple(
            old if away or np.isnan(low) else (float(low), float(high))
            for old, away, low, high in zip(now.usual, moved, least, most, strict=True)
        )

    def _lasting(self, move: _Move, low: float, high: float, at: int, told: bool) -> _Move | None:
        """A move as it goes on, or None when it is over."""
        if not told:
            return move
        nearest = low if move.way > 0 else high
        farthest = high if move.way > 0 else low
        left = move.way * (farthest - move.base)
        if left < BACK * move.way * (move.extreme - move.base) or at - move.onset > LASTS:
            return None
        extreme = max(move.extreme, nearest) if move.way > 0 else min(move.extreme, nearest)
        return move._replace(extreme=float(extreme))

    def _find(self, now: _State, moves: list[_Move | None], seen: "_Seen", past: Past, at: int) -> None:
        """Put manholes that have just left their usual range among the moves."""
        least, most = (np.array([one[way] if one else np.nan for one in now.usual]) for way in (0, 1))
        own = slice(None, self._own)
        with np.errstate(invalid="ignore"):
            away = seen.told & ((seen.low > most[own]) | (seen.high < least[own]))
        if not away.any():
            return
        recent = medians(seen.rows[-BLOCK:, : self._known])
        shared = SHARED_PULSED if self._pulsed else SHARED
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
                moves[place] = _Move(1, since, float(most[place]), float(seen.low[place]))
            elif seen.high[place] < floor - reach.least_m / 2:
                moves[place] = _Move(
                    -1, at - self._recent * MINUTE, float(least[place]), float(seen.high[place])
                )

    # --- the wet well -----------------------------------------------------------------------------

    def _surge(self, now: _State, seen: _Seen, at: int) -> _Surge | None:
        """Whether the wet well gets far more or less than an hour ago, after its level and its pump."""
        well = self._well
        unsure = self._is_blind(now, at) or not self._calm(now, at)
        if well is None or unsure or len(seen.rows) < WELL_BASE + WELL_NOW:
            return None
        level, flow = seen.rows[:, well.level], seen.rows[:, well.flow]
        inflow = _balance(level[-WELL_NOW - 1 :], flow[-WELL_NOW:], well.area_m2)
        if not abs(inflow) <= 3 * well.rated_lps:  # NaN too
            return now.surge and _Surge(*now.surge)
        if now.surge:
            surge = _Surge(*now.surge)
            left = surge.way * (inflow - surge.base)
            lasts = left > SURGE_LEFT * well.rated_lps and at - surge.onset < LASTS
            return surge if lasts and inflow > STANDS * well.rated_lps else None
        ago = slice(-WELL_BASE - WELL_NOW - 1, -WELL_NOW)
        base = _balance(level[ago], flow[ago][1:], well.area_m2)
        if inflow > base * (1 + SURGE) + SURGE_MORE * well.rated_lps:
            return _Surge(1, at - WELL_NOW // 2 * MINUTE, base)
        if STANDS * well.rated_lps < inflow < base * (1 - SURGE) - SURGE_LEFT * well.rated_lps:
            return _Surge(-1, at - WELL_NOW // 2 * MINUTE, base)
        return None

    def _is_blind(self, now: _State, at: int) -> bool:
        return now.blind >= 0 and at - now.blind < BLIND

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
        for sign in told:
            wanted[sign.asset, sign.condition] = sign.onset, sign.places
        if told or self._is_blind(now, at):
            return
        for reach, move in zip(self._reaches, moves, strict=True):
            if move and (found := self._pattern(now, reach, move, moves, seen, at)):
                condition, names = found
                wanted[reach.asset, condition] = move.onset, _ranked(names)
                return
        if now.surge and self._well and not any(moves):
            surge = _Surge(*now.surge)
            last = self._reaches[-1]
            calm = now.disturbed < 0 or surge.onset - now.disturbed > CALM_AFTER
            dry = now.rain.fell < 0 or surge.onset - now.rain.fell > DRY_AFTER
            if not calm or not dry or at - surge.onset < SURGE_TOLD:
                return
            if surge.way > 0:
                wanted[self._well.asset, "discharge_pattern"] = (
                    surge.onset,
                    _ranked((self._well.asset, *last.holds[:0:-1])),
                )
            else:
                wanted[self._well.asset, "blockage_pattern"] = surge.onset, _ranked(last.holds)

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
            if reach.above or age < TOGETHER or move.extreme > (1 - HEAD) * move.base:
                return None
            return "blockage_pattern", reach.enters[1:] or reach.enters
        if age > TOLD_FOR:
            return None  # what stood beside it may be over
        risen_below = below is not None and below.way > 0
        if below and below.way < 0:
            return "blockage_pattern", reach.holds
        rising_above = [one for one in above if one.way > 0]
        if any(one.onset > move.onset + LATER for one in rising_above) and not risen_below and not seen.wet:
            return "blockage_pattern", reach.holds
        if rising_above:
            return None
        if now.rain.fell >= 0 and 0 <= move.onset - now.rain.began < WET_FOR:
            return "infiltration_pattern", reach.enters
        if reach.below is None:
            return self._at_the_end(now, reach, move, seen, at)
        if below:
            return ("discharge_pattern", reach.enters) if below.onset >= move.onset - LATER else None
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
            if surge.onset >= move.onset - TOGETHER:
                enters = surge.way > 0
                return ("discharge_pattern", reach.enters) if enters else ("blockage_pattern", reach.holds)
        if age < SHAPE_TOLD:
            return None
        column = seen.rows[max(len(seen.rows) - 1 - age // MINUTE, 0) :, self._place[reach.asset], None]
        early, late = medians(column[:RECENT])[0], medians(column[-RECENT:])[0]
        share = (late - early) / (late - move.base)
        if share < STEP:
            return "discharge_pattern", reach.enters
        return ("blockage_pattern", reach.holds) if share > SLOPE and self._well is None else None

    def _lowered(self, now: _State, asset: str, seen: _Seen) -> bool:
        """Whether a manhole gets less than usual, if not little enough to be told."""
        place = self._place[asset]
        usual = now.usual[place]
        recent = medians(seen.rows[-BLOCK:, place : place + 1])[0]
        return usual is not None and bool(recent < usual[0] * (1 - SHARED))


def _balance(level: Row, flow: Row, area_m2: float) -> float:
    """Inflow in L/s: what the level gained, and what the pump took."""
    heard = np.flatnonzero(np.isfinite(level))
    if len(heard) < 2 or not np.isfinite(flow).any():
        return float("nan")
    gained = (level[heard[-1]] - level[heard[0]]) * area_m2 * 1000 / (60 * (heard[-1] - heard[0]))
    return float(gained + np.mean(flow[np.isfinite(flow)]))


def _middle(values: Row) -> float:
    """The median of what is known."""
    return float(np.median(values[np.isfinite(values)]))


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
    above = {end: _stations_above(city, end) for end in sewers}
    watched = []
    for end, found in sewers.items():
        peers = [others[-1].sensor for other, others in sewers.items() if other != end and not above[other]]
        watched.append(SewerWatch(city, found, peers[:PEERS_MAX], gauges, (end, *above[end])))
    return watched if gauges else []


def _stations_above(city: City, end: str) -> list[str]:
    """The wet wells whose pumps lift into the sewer of this one."""
    into = {end, *upstream(city, end)}
    pumps = [link.source for link in city.links if link.relation is Relation.LIFTS_TO and link.target in into]
    return [well for pump in pumps for well in _drains(city, pump)]


def _drains(city: City, pump: str) -> list[str]:
    """The wet wells that a pump empties."""
    return [link.source for link in city.links_to.get(pump, ()) if link.relation is Relation.DRAINS_TO]


def _tells_of(city: City, sensor: Sensor, stations: Sequence[str]) -> bool:
    """Whether a sensor tells how these stations are: levels of their wells, their pumps' voltage and flow."""
    if sensor.quantity == "level":
        return sensor.asset in stations
    return (
        sensor.quantity in ("voltage", "flow")
        and any(well in stations for well in _drains(city, sensor.asset))
        and city.asset_by_id[sensor.asset].kind == "pump"
    )


def _low(sensor: Sensor) -> float:
    low = sensor.limits.low
    return -np.inf if low is None or sensor.quantity != "voltage" else low


def _high(sensor: Sensor) -> float:
    high = sensor.limits.high
    return np.inf if high is None or sensor.quantity != "level" else high


def _travel(city: City, reach: Reach) -> int:
    """How long a rise takes to the next measured manhole at the most, in ms."""
    lengths = [
        float(city.asset_by_id[name].properties.get("length_m", REACH_M))
        for name in reach.holds
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
