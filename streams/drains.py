"""Storm drains watched as a whole: water that comes without rain, that rises from the river, or is held up.

In:  depths of storm manholes and sumps, ponding at inlets, rain of the catchments above, minute by minute.
Out: signs. ``depth_rise`` and ``ponding_rise`` are an early, weak high; ``discharge_pattern`` says that
     something enters, ``backwater_pattern`` that the river stands in the outfall, ``blockage_pattern`` that
     flow is held up; their places are assets at which that may be.

Storm drains are flat in dry weather, so any lasting rise is news. In rain their depths keep a common shape,
and a drain that departs from it is blocked between what stands higher and what stands lower. docs/signs.md
has the formulas and the numbers.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.city import City, Relation, Sensor
from schemas.times import HOUR, MINUTE
from streams.groups import Past, Places, Sign
from streams.rows import median

ONWARD = frozenset({"manhole", "storm_manhole", "sewer", "inlet", "wet_well", "outfall"})
"""Kinds of assets that water passes on its way down; cellars, underpasses and overflows lie beside it."""
LEAST_RISE_M = 0.02
"""No rise below this is news, however quiet the sensor."""
STRIDE = 2
"""Minutes from one look to the next."""
DRY_AFTER = 3 * HOUR
"""So long after the last rain a storm drain stands as flat as ever."""
PAUSE = HOUR
"""Rain after a longer pause is rain that began anew."""
HEAVY_MM_PER_H, HEAVY = 15.0, 1.5
"""Rain that counts as heavy where the gauge has no high limit, and how much of it fills a drain so that its
depths tell nothing. Drains are laid for twice that and more."""

Row = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Reach(NamedTuple):
    """A measured manhole, and the part of the drain for which it speaks."""

    asset: str
    sensor: str
    least_m: float
    """The least rise that its noise allows to be told."""
    above: tuple[str, ...]
    """The next measured manholes upstream."""
    below: str | None
    """The next measured manhole downstream."""
    enters: tuple[str, ...]
    """Manholes whose inflow it is the first to show: itself, and those above up to the next measured ones."""
    holds: tuple[str, ...]
    """Where a blockage backs up to it first: itself, and what follows down to the next measured manhole."""
    end: str | None
    """The outfall or wet well downstream."""
    inlets: int
    """How many inlets drain through it."""


def reaches(city: City, kind: str) -> dict[str, Reach]:
    """The measured manholes of a kind, upstream first."""
    measured = {sensor.asset: sensor for sensor in city.sensors if _is_depth_of(city, sensor, kind)}
    found = {}
    for asset, sensor in measured.items():
        above, before = _walk(city, asset, up=True, until=measured.keys())
        below, after = _walk(city, asset, up=False, until=measured.keys())
        whole = downstream(city, asset)
        found[asset] = Reach(
            asset,
            sensor.id,
            max(sensor.deadband, LEAST_RISE_M),
            tuple(above),
            next(iter(below), None),
            (asset, *(name for name in before if city.asset_by_id[name].kind == kind)),
            (asset, *(name for name in after if city.asset_by_id[name].kind in (kind, "sewer"))),
            next((name for name in whole if city.asset_by_id[name].kind in ("outfall", "wet_well")), None),
            sum(city.asset_by_id[name].kind == "inlet" for name in upstream(city, asset)),
        )
    depth = {asset: len(upstream(city, asset)) for asset in found}
    return dict(sorted(found.items(), key=lambda item: (depth[item[0]], item[0])))


def among(found: Sequence[Reach]) -> list[Reach]:
    """The manholes of one watcher, which know no others: a model with wrong links joins what isn't joined."""
    own = {reach.asset for reach in found}
    return [
        reach._replace(
            above=tuple(name for name in reach.above if name in own),
            below=reach.below if reach.below in own else None,
        )
        for reach in found
    ]


def upstream(city: City, asset: str) -> list[str]:
    """Everything whose water comes by an asset, nearest first."""
    return _walk(city, asset, up=True, until=())[1]


def downstream(city: City, asset: str) -> list[str]:
    """Everything by which an asset's water goes, nearest first."""
    return _walk(city, asset, up=False, until=())[1]


def _is_depth_of(city: City, sensor: Sensor, kind: str) -> bool:
    return sensor.quantity == "depth" and city.asset_by_id[sensor.asset].kind == kind


def _walk(city: City, start: str, *, up: bool, until: Iterable[str]) -> tuple[list[str], list[str]]:
    """Along the drain: the assets at which the walk stopped, and those that it passed, nearest first."""
    stops, passed, seen, here = [], [], {start}, [start]
    while here:
        links = [link for name in here for link in (city.links_to if up else city.links_from).get(name, ())]
        onward = [link.source if up else link.target for link in links if link.relation is Relation.DRAINS_TO]
        here = []
        for name in onward:
            if name in seen or city.asset_by_id[name].kind not in ONWARD:
                continue
            seen.add(name)
            if name in until:
                stops.append(name)
            else:
                passed.append(name)
                here.append(name)
    return stops, passed


# --- rain ---------------------------------------------------------------------------------------------


class Rain(NamedTuple):
    """What the gauges of a drain told."""

    heard: int = -1
    """When they last told anything; -1 is never."""
    began: int = -1
    """First rain of the present wet spell, or of the last one."""
    fell: int = -1
    """Last rain."""
    heaviest: float = 0.0
    """Of the spell, over what counts as heavy."""


def after_rain(rain: Rain, told: Row, heavy: Sequence[float], until: int) -> Rain:
    """The rain after some more minutes, the last of which is ``until``; ``told`` has a row for each, with one
    value for each gauge, NaN where it said nothing.
    """
    minutes: list[list[float]] = told.tolist()
    for ago, row in zip(range(len(minutes) - 1, -1, -1), minutes, strict=True):
        shares = [value / most for value, most in zip(row, heavy, strict=True) if not math.isnan(value)]
        if shares:
            rain = _rained(rain, max(shares), until - ago * MINUTE)
    return rain


def _rained(rain: Rain, share: float, at: int) -> Rain:
    """The rain after a minute, of which the gauge that got most tells this part of what counts as heavy."""
    if share <= 0:
        return rain._replace(heard=at)
    pause = at - rain.fell
    if rain.fell < 0 or pause > DRY_AFTER:
        return Rain(at, at, at, share)
    return Rain(at, at if pause > PAUSE else rain.began, at, max(rain.heaviest, share))


def is_heavy(rain: Rain, at: int) -> bool:
    """Whether drains are too full of rain, or still emptying, to tell anything else."""
    return rain.heaviest >= HEAVY and at - rain.fell <= DRY_AFTER


def is_dry(rain: Rain, at: int) -> bool:
    """Whether drains are surely as in dry weather: the gauges speak, and it hasn't rained for long."""
    return at - rain.heard <= GAUGE_SILENT and (rain.fell < 0 or at - rain.fell > DRY_AFTER)


# --- what all watchers of water share -----------------------------------------------------------------

Wanted = dict[tuple[str, str], tuple[int, Places]]
"""Signs that should stand, by asset and condition: since when, and their places."""


def settle(standing: Iterable[Sign], wanted: Wanted, at: int) -> tuple[Sign, ...]:
    """The signs that stand now, with those that end now. One that stands keeps its onset."""
    known = {(sign.asset, sign.condition): sign for sign in standing}
    ended = [sign._replace(cleared=at) for key, sign in known.items() if key not in wanted]
    stand = [
        known[key]._replace(places=places) if key in known else Sign(*key, onset, None, places)
        for key, (onset, places) in wanted.items()
    ]
    return tuple(sorted(stand + ended))


def standing(signs: Iterable[Any]) -> tuple[Sign, ...]:
    """The signs of a state without those that had ended."""
    return tuple(Sign(*sign) for sign in signs if sign[3] is None)


def medians(rows: Row) -> Row:
    """The lower median of each column, NaN where it holds nothing."""
    if not len(rows):
        return np.full(rows.shape[1], np.nan)
    ordered = np.sort(rows, axis=0)  # NaN comes last
    count = np.isfinite(rows).sum(axis=0)
    middle: Row = ordered[(count - 1) // 2, np.arange(rows.shape[1])]
    return middle


def onset_of(past: Past, at: int, place: int, above: float, minutes: int) -> int:
    """Since when a sensor has stood above a value without a break, looking back so many minutes."""
    column = past.window(at, minutes)[:, place]
    first = at
    for back in range(1, len(column) + 1):
        value = column[-back]
        if np.isnan(value):
            continue
        if value <= above:
            break
        first = at - (back - 1) * MINUTE
    return first


def shape_of(column: Row, base: float, age: int) -> str | None:
    """Whether a rise over ``base``, so many minutes old, came in one step or still goes on evenly."""
    if age < LATELY + ENOUGH:
        return None
    late = medians(column[-RECENT:, None])[0]
    before = medians(column[-RECENT - LATELY : -LATELY, None])[0]
    share = (late - before) / (late - base)
    if share < STEP:
        return "step"
    return "slope" if share > SLOPE and age >= 2 * LATELY else None


# --- storm drains -------------------------------------------------------------------------------------

RECENT = 6
"""Minutes whose readings must all lie above, for a rise: three readings of a usual depth sensor."""
ENOUGH = 2
"""Readings among them at least: one may be lost."""
LONG = 30
"""Minutes over which a dry level is taken, and after which it is taken anew."""
DRIFT_M = 0.003
"""How far a dry level may climb in that time: sensors drift, and the ground drains after rain."""
STEP, SLOPE = 0.12, 0.25
"""A rise of which less than this came in the last minutes was a step; of which more, is a slope."""
LATELY = 10
"""Those minutes. A slope is one for twice as long."""
LEAST_SLOPE_M = 0.08
"""By then a river that rises at half a metre an hour has brought so much."""
RIVER_STOPS, RIVER_LEAPS, RIVER_HOLDS = 0.8, 0.3, 0.6
"""How likely, beside the likeliest place, the river stands behind what the last measured manhole shows: a
small step, a large one, water held up in rain. Nothing is measured below that would tell. Assumed."""
LEAVES_WATER, LET_GO = 1 / 3, 9 * HOUR
"""Rain of this part of heavy rain leaves water in streets with blocked inlets; so long it may stand there."""
GAUGE_SILENT = 20 * MINUTE
"""A rain gauge that says nothing for longer tells nothing about dry weather."""


class _State(NamedTuple):
    """What a drain's watcher knows."""

    rain: Rain
    bases: tuple[float | None, ...]
    """By sensor of water: its level in dry weather."""
    onsets: tuple[int | None, ...]
    """By sensor of water: since when it stands above that."""
    shape: tuple[str, int, int, int]
    """The blockage that depths in rain last told: its asset, since when, when last, how often."""
    peaks: tuple[float, ...]
    """By inlet and cellar: the most of the present wet spell."""
    signs: tuple[Sign, ...]


class DrainWatch:
    """Watches the storm drains below the same catchments."""

    minutes, stride = 40, STRIDE

    def __init__(
        self, city: City, manholes: Sequence[Reach], others: Sequence[Sensor], gauges: Sequence[Sensor]
    ) -> None:
        self._reaches = tuple(manholes)
        self._place = {reach.asset: place for place, reach in enumerate(manholes)}
        measured = [*(reach.sensor for reach in manholes), *(sensor.id for sensor in others)]
        self.sensors = (*measured, *(sensor.id for sensor in gauges))
        self._told = [
            (asset, "ponding_rise" if quantity == "ponding" else "depth_rise")
            for asset, quantity in (sensor.split("/") for sensor in measured)
        ]
        self._least = np.array(
            [*(reach.least_m for reach in manholes), *(max(one.deadband, LEAST_RISE_M) for one in others)]
        )
        self._heavy = [sensor.limits.high or HEAVY_MM_PER_H for sensor in gauges]
        self._count = len(measured)
        self._no_peaks = (0.0,) * len(others)
        self._trunks = _trunks(city, manholes)

    def begin(self) -> _State:
        """Neither the rain is known nor how the drain stands in dry weather."""
        return _State(
            Rain(), (None,) * self._count, (None,) * self._count, ("", -1, -1, 0), self._no_peaks, ()
        )

    def step(self, state: Any, past: Past, at: int) -> tuple[_State, tuple[Sign, ...]]:
        """One look further."""
        now = _State(*state)
        rain = after_rain(Rain(*now.rain), past.window(at, STRIDE)[:, self._count :], self._heavy, at)
        now = now._replace(rain=rain, signs=standing(now.signs))
        if at - rain.heard > GAUGE_SILENT:
            return now, now.signs
        if is_dry(rain, at):
            now = self._dry(now, past, at)
        else:
            if any(now.onsets):  # rain on other water has another shape
                now = now._replace(rain=rain._replace(heaviest=max(rain.heaviest, HEAVY)))
            unknown = (None,) * self._count
            now = now._replace(bases=unknown, onsets=unknown)
            if at // MINUTE % WET_STRIDE == 0:
                now = self._wet(now, past, at)
        return now, now.signs

    # --- dry weather ------------------------------------------------------------------------------

    def _dry(self, now: _State, past: Past, at: int) -> _State:
        """What stands above its dry level, and what the rises tell together."""
        if at // MINUTE % LONG == 0:
            now = now._replace(bases=self._levels(now, past, at))
        bases = np.array([np.nan if base is None else base for base in now.bases])
        recent = past.window(at, RECENT)[:, : self._count]
        told = np.isfinite(recent).sum(axis=0) >= ENOUGH
        up = told & (np.fmin.reduce(recent) > bases + self._least)
        down = told & (np.fmax.reduce(recent) < bases + self._least / 2)
        now = now._replace(peaks=self._no_peaks)
        if not up.any() and not now.signs:
            return now
        onsets = list(now.onsets)
        for place in range(self._count):
            if down[place]:
                onsets[place] = None
            elif up[place] and onsets[place] is None:
                above = float(bases[place] + self._least[place] / 2)
                onsets[place] = onset_of(past, at, place, above, self.minutes)
        wanted: Wanted = {
            told: (onset, ()) for told, onset in zip(self._told, onsets, strict=True) if onset is not None
        }
        for reach in self._reaches:
            if (onset := onsets[self._place[reach.asset]]) is not None:
                for condition, places in self._pattern(now, reach, onset, onsets, bases, past, at):
                    wanted[reach.asset, condition] = onset, places
        return now._replace(onsets=tuple(onsets), signs=settle(now.signs, wanted, at))

    def _levels(self, now: _State, past: Past, at: int) -> tuple[float | None, ...]:
        """Dry levels: they follow what falls at once, and what climbs hardly."""
        rows = past.window(at, LONG)[:, : self._count]
        known = np.isfinite(rows).sum(axis=0) * 4 >= LONG / 2
        return tuple(
            base if onset is not None or not enough else _level(base, float(level))
            for base, onset, level, enough in zip(now.bases, now.onsets, medians(rows), known, strict=True)
        )

    def _pattern(
        self,
        now: _State,
        reach: Reach,
        onset: int,
        onsets: list[int | None],
        bases: Row,
        past: Past,
        at: int,
    ) -> Iterable[tuple[str, Places]]:
        """What a rise tells about its cause, with the places; what was told stands as long as the rise."""
        for sign in now.signs:
            if sign.asset == reach.asset and sign.condition.endswith("_pattern"):
                return ((sign.condition, sign.places),)
        if at - onset > self.minutes * MINUTE or any(
            onsets[self._place[name]] is not None for name in reach.above
        ):
            return ()  # too late to tell, or it comes from above
        rain = now.rain
        if rain.heaviest > LEAVES_WATER and rain.fell >= 0 and onset - rain.fell < LET_GO:
            return ()  # it may be rain that stood somewhere and is let go
        enters = _alike(reach.enters)
        if reach.below is not None:
            below = onsets[self._place[reach.below]]
            if below is not None and below < onset - RECENT * MINUTE:
                return ()  # it came from downstream
            return (("discharge_pattern", enters),)
        base = float(bases[self._place[reach.asset]])
        column = past.window(at, self.minutes)[:, self._place[reach.asset]]
        shape = shape_of(column, base, (at - onset) // MINUTE)
        risen = medians(column[-RECENT:, None])[0] - base
        if shape == "step":
            likely = RIVER_STOPS if risen < LEAST_SLOPE_M else RIVER_LEAPS
            return (("discharge_pattern", (*enters, *_river(reach, likely))),)
        if shape == "slope" and reach.end and risen > LEAST_SLOPE_M:
            return (("backwater_pattern", ((reach.end, 1.0),)),)
        return ()

    # --- rain -------------------------------------------------------------------------------------

    def _wet(self, now: _State, past: Past, at: int) -> _State:
        """Where the shape of the depths tells that flow is held up."""
        wanted: Wanted = {}
        asset, since, last, times = now.shape
        rain = now.rain
        rows = past.window(at, 2 * SMOOTH)[:, : self._count]
        depths = medians(rows[-SMOOTH:])
        if not is_heavy(rain, at):
            now = self._standing_water(now, depths, wanted, at)
        if not is_heavy(rain, at) and at - rain.began >= SETTLED and at - rain.fell < FADES:
            found = self._held(depths, medians(rows[:-SMOOTH]))
            if found:
                name, places = found
                same = name == asset and at - last <= 2 * WET_STRIDE * MINUTE
                since, times = (since, times + 1) if same else (at, 1)
                asset, last = name, at
                if times >= SEEN:
                    wanted[name, "blockage_pattern"] = since, places
        if asset and times >= SEEN and at - last < FADES:
            for sign in now.signs:
                if sign.asset == asset and sign.condition == "blockage_pattern":
                    wanted.setdefault((asset, sign.condition), (sign.onset, sign.places))
        return now._replace(shape=(asset, since, last, times), signs=settle(now.signs, wanted, at))

    def _standing_water(self, now: _State, depths: Row, wanted: Wanted, at: int) -> _State:
        """Inlets at which water stands on when the rain is over."""
        told = {sign.asset: sign.onset for sign in now.signs if sign.condition == "ponding_rise"}
        peaks = list(now.peaks)
        first = len(self._reaches)
        for place, (asset, condition) in enumerate(self._told[first:]):
            depth = float(depths[first + place])
            if condition != "ponding_rise" or np.isnan(depth):
                continue
            peaks[place] = max(peaks[place], depth)
            stands = depth > (LEFT if asset in told else STAYS) * peaks[place]
            over = at - now.rain.fell >= RAIN_OVER or asset in told
            if stands and over and depth > LEAST_PONDING_M:
                onset = told.get(asset, at)
                wanted[asset, condition] = onset, ()
                wanted[asset, "blockage_pattern"] = onset, ((asset, 1.0),)
        return now._replace(peaks=tuple(peaks))

    def _held(self, depths: Row, before: Row) -> tuple[str, Places] | None:
        """The likeliest blockage: the manhole that shows it first, and the places it may be at."""
        scaled = [trunk.scaled(depths) for trunk in self._trunks]
        best: tuple[float, str, Places] | None = None
        for number, trunk in enumerate(self._trunks):
            others = np.concatenate([np.zeros(0), *(one for i, one in enumerate(scaled) if i != number)])
            usual = median(others) if others.size > 1 else None
            found = trunk.blocked(depths[trunk.columns], before[trunk.columns], usual)
            if found and (best is None or found[0] > best[0]):
                best = found
        return best and (best[1], best[2])


LEAST_PONDING_M = 0.025
STAYS, LEFT, RAIN_OVER = 0.85, 0.6, 25 * MINUTE
"""Water on a street goes with the rain. Where so much of its peak stands when the rain has been over for so
long, the inlet is blocked, until less than the second part is left."""
WET_STRIDE = 4
SMOOTH = 12
"""Minutes over which depths in rain are taken."""
SETTLED = 20 * MINUTE
"""So long after the rain began depths have their shape."""
FADES = 90 * MINUTE
"""So long after the rain they have lost it."""
SEEN = 2
"""Looks in a row that must tell the same blockage."""
LEAST_DEPTH_M = 0.02
POWER = 0.375
"""Manning: in pipes that are laid for the same rain, depth goes with the area that drains, to this power."""
SHAPE_SIGMA, DEPTH_SIGMA_M, USUAL_SIGMA = 0.12, 0.006, 0.3
"""How far depths depart from that shape, in logs; the noise of a median; how far drains differ. Assumed."""
GAIN, MISFIT = 20.0, 4.0
"""How much better a blockage must fit than none, and how badly a manhole may fit, in squared sigmas."""
STILL_RISING, GAIN_RISING = 1.1, 40.0
"""Where depths below still rise by a tenth, rain may be on its way: only a far better fit counts then."""


class _Trunk(NamedTuple):
    """One storm drain with all its branches."""

    reaches: tuple[Reach, ...]
    columns: NDArray[np.int_]
    inlets: Row
    weights: Row
    onward: NDArray[np.int_]
    """Place in this drain of the next measured manhole downstream; -1 for none."""
    candidates: tuple[tuple[str, float, Flags, Flags, str], ...]
    """Manholes that may be blocked: id, inlets above, which measured ones lie above and below, and the
    measured one that speaks for it (itself where none does)."""

    def scaled(self, depths: Row) -> Row:
        """Logs of the depths that tell something, over what their place in the drain lets expect."""
        here = depths[self.columns]
        told = here > LEAST_DEPTH_M
        return np.asarray(np.log(here[told] / self.weights[told]))

    def blocked(self, depths: Row, before: Row, usual: float | None) -> tuple[float, str, Places] | None:
        """The blockage that explains the depths far better than none does: by how much, asset, places."""
        told = depths > LEAST_DEPTH_M
        if not told.any() or (usual is None and told.sum() < ENOUGH):
            return None
        values = np.log(np.where(told, depths, 1.0) / self.weights)
        sigma = np.where(
            told, np.hypot(SHAPE_SIGMA, DEPTH_SIGMA_M / np.maximum(depths, LEAST_DEPTH_M)), np.inf
        )
        free = np.zeros(len(depths), dtype=bool)
        none = _misfit(values, sigma, free, self.onward, usual)
        rising = depths > STILL_RISING * before + DEPTH_SIGMA_M
        costs = {}
        for name, cut, above, below, _ in self.candidates:
            left = np.where(below, (self.inlets - cut).clip(0.1) / self.inlets, 1.0)
            costs[name] = _misfit(values - POWER * np.log(left), sigma, above, self.onward, usual)
        least = min(costs.values())
        likeliest = min(costs, key=lambda name: (costs[name], name))
        below = next(below for name, _, _, below, _ in self.candidates if name == likeliest)
        gain = GAIN_RISING if (rising & below).any() else GAIN
        if none - least < gain or least > MISFIT * told.sum():
            return None
        speaks = {name: measured for name, _, _, _, measured in self.candidates}
        places: dict[str, float] = {}
        for name, cost in costs.items():
            likely = float(np.exp((least - cost) / 2))
            if likely > 0.1:
                places[speaks[name]] = max(places.get(speaks[name], 0.0), round(likely, 3))
        first = max(places, key=lambda name: (places[name], name))
        shown = first if first in {reach.asset for reach in self.reaches} else self._first_below(first)
        speaker = next(reach for reach in self.reaches if reach.asset == shown)
        if speaker.below is None:
            places |= _river(speaker, RIVER_HOLDS)
        ranked = sorted(places.items(), key=lambda item: (-item[1], item[0]))
        return none - least, shown, tuple(ranked)

    def _first_below(self, name: str) -> str:
        below = next(below for candidate, _, _, below, _ in self.candidates if candidate == name)
        return self.reaches[int(np.flatnonzero(below)[0])].asset


def _backed_up(high: Flags, above: Flags, below: NDArray[np.int_]) -> Flags:
    """Which of the high ones a blockage backs up: those from which all is high down to it."""
    found = high.copy()
    for place in np.flatnonzero(high)[::-1]:  # downstream first
        onward = below[place]
        if onward >= 0 and above[onward] and not found[onward]:
            found[place] = False
    return found


def _misfit(values: Row, sigma: Row, above: Flags, below: NDArray[np.int_], usual: float | None) -> float:
    """Squared sigmas by which logs of scaled depths depart from a common level.

    What lies above a blockage may stand higher than that for nothing.
    """
    weights = 1 / sigma**2
    surcharged = np.zeros(len(values), dtype=bool)
    level = 0.0
    for _ in range(3):
        free = np.where(surcharged, 0.0, weights)
        prior = 0.0 if usual is None else 1 / USUAL_SIGMA**2
        if free.sum() + prior == 0:
            return 0.0
        level = float((values * free).sum() + (usual or 0.0) * prior) / (float(free.sum()) + prior)
        surcharged = _backed_up(above & (values > level), above, below)
    apart = np.where(surcharged, 0.0, (values - level) ** 2 * weights)
    return float(apart.sum()) + ((level - usual) ** 2 / USUAL_SIGMA**2 if usual is not None else 0.0)


def _level(base: float | None, level: float) -> float:
    return level if base is None else min(level, base + DRIFT_M)


def _alike(names: Iterable[str]) -> Places:
    """Places of which the first, the measured one, speaks for all."""
    return tuple((name, 1.0 if place == 0 else 0.5) for place, name in enumerate(names))


def _river(reach: Reach, likely: float) -> Places:
    """The outfall as one of the places."""
    return ((reach.end, likely),) if reach.end else ()


def _trunks(city: City, manholes: Sequence[Reach]) -> tuple[_Trunk, ...]:
    """Manholes by the drain they belong to."""
    groups: dict[str, list[tuple[int, Reach]]] = {}
    for place, reach in enumerate(manholes):
        groups.setdefault(reach.end or reach.asset, []).append((place, reach))
    trunks = []
    for members in groups.values():
        found = [reach for _, reach in members]
        inlets = np.array([max(reach.inlets, 1) for reach in found], dtype=float)
        columns = np.array([place for place, _ in members])
        place_of = {reach.asset: place for place, reach in enumerate(found)}
        onward = np.array([place_of.get(reach.below or "", -1) for reach in found])
        candidates = tuple(_candidates(city, found))
        trunks.append(_Trunk(tuple(found), columns, inlets, inlets**POWER, onward, candidates))
    return tuple(trunks)


def _candidates(city: City, found: Sequence[Reach]) -> Iterable[tuple[str, float, Flags, Flags, str]]:
    names = dict.fromkeys(name for reach in found for name in (*reach.enters, *reach.holds))
    by_asset = {reach.asset: reach for reach in found}
    for name in names:
        over = set(upstream(city, name))
        under = set(downstream(city, name))
        above = np.array([reach.asset in over or reach.asset == name for reach in found])
        below = np.array([reach.asset in under for reach in found])
        cut = float(sum(city.asset_by_id[one].kind == "inlet" for one in over))
        speaks = next((one.asset for one in found if name in one.holds), name)
        yield name, cut, above, below, name if name in by_asset else speaks


# --- which drains there are ---------------------------------------------------------------------------


def drain_watchers(city: City) -> list[DrainWatch]:
    """A watcher for the storm drains of each set of catchments; a drain without a rain gauge has none."""
    groups: dict[tuple[str, ...], list[Reach]] = {}
    gauges = {sensor.asset: sensor for sensor in city.sensors if sensor.quantity == "rain"}
    for reach in reaches(city, "storm_manhole").values():
        groups.setdefault(rained_by(city, reach.end or reach.asset, gauges), []).append(reach)
    watched = []
    beside = [sensor for sensor in city.sensors if _may_stand_beside(city, sensor)]
    for rained, found in groups.items():
        if not rained:
            continue
        near = {
            name for reach in found for name in (*reach.enters, *reach.holds, *upstream(city, reach.asset))
        }
        others = [sensor for sensor in beside if _stands_beside(city, sensor, near)]
        watched.append(DrainWatch(city, among(found), others, [gauges[name] for name in rained]))
    return watched


def rained_by(city: City, end: str, gauges: Iterable[str]) -> tuple[str, ...]:
    """The catchments with a gauge whose rain passes an asset; all of the city where none is linked."""
    over = {end, *upstream(city, end)}
    linked = {
        link.source
        for name in over
        for link in city.links_to.get(name, ())
        if link.relation is Relation.DRAINS_TO
    }
    return tuple(name for name in gauges if name in linked) or tuple(gauges)


def _may_stand_beside(city: City, sensor: Sensor) -> bool:
    """Whether a sensor is an inlet's, or a cellar's."""
    return (sensor.quantity, city.asset_by_id[sensor.asset].kind) in {("ponding", "inlet"), ("depth", "sump")}


def _stands_beside(city: City, sensor: Sensor, near: set[str]) -> bool:
    """Whether the inlet is one of this drain, or the cellar one that it floods."""
    if sensor.quantity == "ponding":
        return sensor.asset in near
    over = city.links_to.get(sensor.asset, ())
    return any(link.source in near for link in over if link.relation is Relation.DRAINS_TO)
