"""What a day and a week usually bring, learnt: leaks and discharges that come too slowly for any other watch.

In:  flows, levels, voltages, pressures and rain, hour by hour.
Out: signs ``standing_draw`` of a pressure zone and ``standing_inflow`` of a wet well, which take more than at
     the same hours of other days, for most of a day.

What a zone draws and what a wet well takes in are both a balance: metered flow and the change of what is
stored. The numbers stand in docs/signs.md.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from schemas.city import City, Relation
from schemas.times import DAY, HOUR, SECOND
from streams.balances import (
    BLOCK,
    CALM,
    LEVEL_M,
    LOOK_BACK,
    Ends,
    Row,
    Zone,
    balance_sensors,
    calm,
    demand,
    ends,
    is_metered,
    litres,
    means,
    middle,
    zone_of,
)
from streams.groups import Past, Sign
from streams.hydraulics import parts
from streams.places import names
from streams.sewers import stations_above

BLOCKS, BLOCKS_KNOWN = 12, 9
"""Of an hour, and how many of them must be known."""
ENOUGH = 4
"""Days of a class (working days; Saturdays and Sundays) that must be learnt of an hour before it counts."""
MEMORY = 15
"""Days of a class that an hour remembers: each new one counts for one in so many."""
STRAYS, STRAYS_DAYS = 0.08, 4
"""How far an hour departs from the same hour of other days, as a share, until it has shown its own; worth so
many days. Assumed."""
LEAST_SIGMA_LPS = 0.1
"""Nothing is known better."""
FAR = 3.0
"""Deviations beyond which an hour counts no further: a burst, a hydrant."""
WINDOW, KNOWN = 24, 12
"""Hours that are looked at together, and how many of them must be known."""
LATELY, LATELY_KNOWN = 8, 4
"""The same for what goes on."""
SIGMAS = 2.5
LEAST_LPS = 1.5
"""Less is no sign; a service pipe that breaks loses as much (assumed)."""
LEFT = 0.5
"""Over when less than this part of it is left."""
LASTS = 7 * DAY
"""After this a sign ends, and what is taken then is usual."""
DRY_FOR = 12 * HOUR
"""So long after rain the ground still drains into sewers; assumed."""
SLOTS = 48
"""Hours of a working day, then those of a Saturday or Sunday."""


class Learnt(NamedTuple):
    """An exponentially forgotten mean and variance."""

    seen: int
    mean: float
    variance: float

    def sigma(self, strays: float, worth: int) -> float:
        """The deviation, ``strays`` counting as that of so many values more."""
        spread = self.seen * self.variance + worth * (strays * self.mean) ** 2
        return math.sqrt(spread / (self.seen + worth))

    def after(self, value: float, memory: int, most: float = math.inf) -> "Learnt":
        """With one value more, which counts as no further away than ``most``."""
        seen = self.seen + 1
        part = 1 / min(seen, memory)
        away = min(max(value - self.mean, -most), most)
        # Finch 2009, "Incremental calculation of weighted mean and variance", section 9
        variance = (1 - part) * (self.variance + part * away**2)
        return Learnt(min(seen, memory), round(self.mean + part * away, 3), round(variance, 4))


NOTHING = Learnt(0, 0.0, 0.0)


class Course(NamedTuple):
    """A zone or a wet well, with the columns of its sensors."""

    asset: str
    condition: str
    zone: Zone
    full: tuple[tuple[int, float], ...] = ()
    """Levels above which it may spill: column, and the level."""
    gauges: tuple[int, ...] = ()
    """Where only dry weather counts: columns of the rain gauges."""

    def is_calm(self, last: Row, rows: Row) -> bool:
        """Whether nothing spills, and gauges would tell of rain."""
        if any(last[column] > most for column, most in self.full):
            return False
        return not self.gauges or bool(np.isfinite(rows[:, self.gauges]).any())


class Open(NamedTuple):
    """A sign that stands."""

    onset: int
    found: int
    size: float


class Known(NamedTuple):
    """What is known of one course."""

    slots: tuple[Learnt, ...]
    excess: tuple[tuple[float, float] | None, ...]
    """Of the last hours: what was taken beyond what was expected, and the deviation of that."""
    open: Open | None


class State(NamedTuple):
    """What is remembered from hour to hour."""

    known: tuple[Known, ...]
    fell: int
    """When it last rained; -1 is never."""


class ProfileWatch:
    """Watches courses that follow the same people: all zones of a city, or all its wet wells."""

    minutes, stride = BLOCKS * BLOCK + LOOK_BACK, BLOCKS * BLOCK
    learns = True

    def __init__(self, timezone: str, sensors: Sequence[str], courses: Sequence[Course]) -> None:
        self.sensors = tuple(sensors)
        self._clock, self._courses = ZoneInfo(timezone), tuple(courses)
        self._gauges = sorted({column for one in courses for column in one.gauges})

    def begin(self) -> Any:
        """Nothing learnt."""
        return State((Known((NOTHING,) * SLOTS, (), None),) * len(self._courses), -1)

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One hour further: the one that ends at ``at``."""
        before = [_known(*one) for one in state[0]]
        rows = past.window(at, self.minutes)
        fell = state[1]
        if len(rows) and (rows[:, self._gauges] > 0).any():
            fell = at
        dry = fell < 0 or at - fell > DRY_FOR
        taken = [
            one if dry or not course.gauges else None
            for course, one in zip(self._courses, self._hourly(rows), strict=True)
        ]
        slot = self._slot(at - HOUR // 2)
        grown = [_grown(*pair, slot) for pair in zip(before, taken, strict=True)]
        after = [
            _after(known, value, slot, _shared(grown, place), at)
            for place, (known, value) in enumerate(zip(before, taken, strict=True))
        ]
        signs = tuple(
            Sign(course.asset, course.condition, one.onset, None if known.open else at)
            for course, was, known in zip(self._courses, before, after, strict=True)
            if (one := known.open or was.open)
        )
        return State(tuple(after), fell), signs

    def _slot(self, at: int) -> int:
        """The hour of the local day, those of a Saturday or Sunday after those of a working day."""
        local = datetime.fromtimestamp(at / SECOND, self._clock)
        return local.hour + SLOTS // 2 * (local.weekday() >= 5)

    def _hourly(self, rows: Row) -> list[float | None]:
        """What each course took on average in the hour, in L/s; None where that is unknown."""
        count = len(self._courses)
        if len(rows) < self.minutes:
            return [None] * count
        found: list[list[float]] = [[] for _ in range(count)]
        before: list[Ends] = []
        for until in range(LOOK_BACK, self.minutes + 1, BLOCK):
            part = rows[until - LOOK_BACK : until]
            of = means(part)
            after = [ends(one.zone, of) for one in self._courses]
            for place, (course, *both) in enumerate(zip(self._courses, before, after, strict=False)):
                taken = demand(course.zone, *both)
                steady = course.is_calm(of.last, part) and calm(course.zone, of, part) == CALM
                if taken is not None and steady:
                    found[place].append(taken)
            before = after
        return [sum(one) / len(one) if len(one) >= BLOCKS_KNOWN else None for one in found]


def _known(slots: Any, excess: Any, one: Any) -> Known:
    """From a state, which may come from JSON."""
    return Known(tuple(Learnt(*slot) for slot in slots), excess, one and Open(*one))


def _grown(known: Known, taken: float | None, slot: int) -> float | None:
    """How many times the usual was taken; None where a sign stands, or something isn't known."""
    usual = known.slots[slot]
    if known.open or taken is None or usual.seen < ENOUGH or usual.mean <= 0:
        return None
    return taken / usual.mean


def _shared(grown: Sequence[float | None], place: int) -> float:
    """By how much the others grew, if they did: a hot day is no leak."""
    others = [(one, 1.0) for other, one in enumerate(grown) if other != place and one is not None]
    return max(middle(others) or 1.0, 1.0)


def _after(known: Known, taken: float | None, slot: int, shared: float, at: int) -> Known:
    """What is known of a course an hour later."""
    usual, found = known.slots[slot], None
    if taken is not None and usual.seen >= ENOUGH:
        sigma = max(usual.sigma(STRAYS, STRAYS_DAYS), LEAST_SIGMA_LPS)
        found = round(taken - usual.mean * shared, 3), round(sigma, 3)
    known = known._replace(excess=(*known.excess, found)[-WINDOW:])
    if known.open:
        return _lasting(known, known.open, at)
    if one := _risen(known.excess, at):
        return known._replace(open=one)
    return known if taken is None else _with(known, taken, slot)


def _with(known: Known, taken: float, place: int) -> Known:
    """With one more value of an hour learnt."""
    slot = known.slots[place]
    most = FAR * slot.sigma(STRAYS, STRAYS_DAYS) if slot.seen >= ENOUGH else math.inf
    slots = (*known.slots[:place], slot.after(taken, MEMORY, most), *known.slots[place + 1 :])
    return known._replace(slots=slots)


def _excess(hours: Sequence[tuple[float, float] | None], enough: int) -> tuple[float, float] | None:
    """The middle excess of some hours and its deviation, those that are surer counting more.

    Hours of one day stray together: many of them are no surer than one.
    """
    told = [one for one in hours if one]
    if len(told) < enough:
        return None
    weights = [1 / sigma**2 for _, sigma in told]
    over = middle([(excess, weight) for (excess, _), weight in zip(told, weights, strict=True)])
    spread = sum(weight * sigma for (_, sigma), weight in zip(told, weights, strict=True)) / sum(weights)
    return over or 0.0, spread


def _risen(excess: tuple[tuple[float, float] | None, ...], at: int) -> Open | None:
    """Whether far more is taken than usual, most of the day and of late."""
    over, lately = _excess(excess, KNOWN), _excess(excess[-LATELY:], LATELY_KNOWN)
    if over is None or lately is None:
        return None
    size, sigma = over
    if size < max(LEAST_LPS, SIGMAS * sigma) or lately[0] < LEFT * size:
        return None
    return Open(at - _hours(excess, LEFT * size) * HOUR, at, size)


def _hours(excess: Sequence[tuple[float, float] | None], over: float) -> int:
    """For how many of the last hours more was taken: as many as together lie furthest over this."""
    best, most, so_far = 1, 0.0, 0.0
    for ago, one in enumerate(reversed(excess), start=1):
        so_far += (one[0] - over) / one[1] ** 2 if one else 0.0
        if so_far > most:
            best, most = ago, so_far
    return best


def _lasting(known: Known, one: Open, at: int) -> Known:
    """A sign as it goes on. What stood for very long is usual from then on."""
    over = _excess(known.excess, KNOWN)
    if over is not None and over[0] < LEFT * one.size:
        return known._replace(open=None, excess=())
    if at - one.found < LASTS:
        return known
    more = over[0] if over else one.size
    slots = tuple(
        slot._replace(mean=round(slot.mean + more, 3)) if slot.seen else slot for slot in known.slots
    )
    return Known(slots, (), None)


# --- what a city gives reason for ---------------------------------------------------------------------


def profile_watchers(city: City) -> Iterator[ProfileWatch]:
    """One for the metered zones of the water network, one for the wet wells whose inflow can be reckoned."""
    mains = [part for part in parts(city) if is_metered(city, part)]
    if mains:
        sensors = sorted({sensor for part in mains for sensor in balance_sensors(city, part)})
        column = {sensor: index for index, sensor in enumerate(sensors)}
        courses = [
            Course(names(city, part)[0][0], "standing_draw", zone_of(city, part, (), column))
            for part in mains
        ]
        yield ProfileWatch(city.timezone, sensors, courses)
    wells = [asset.id for asset in city.assets if asset.kind == "wet_well" and _is_reckoned(city, asset.id)]
    gauges = [sensor.id for sensor in city.sensors if sensor.quantity == "rain"]
    if wells and gauges:
        sensors = list(
            dict.fromkeys([*(one for well in wells for one in _well_sensors(city, well)), *gauges])
        )
        column = {sensor: index for index, sensor in enumerate(sensors)}
        yield ProfileWatch(city.timezone, sensors, [_inflow(city, well, column) for well in wells])


def _inflow(city: City, well: str, column: dict[str, int]) -> Course:
    """What runs into a wet well by itself: what its pumps take and it gains, less what is lifted into it."""
    level, rate = f"{well}/level", litres(city, well) / 60
    own, others = _pumps(city, well)
    flows = (*((column[f"{one}/flow"], 1) for one in own), *((column[f"{one}/flow"], -1) for one in others))
    volts = tuple(column[name] for one in own if (name := f"{one}/voltage") in column)
    noise = LEVEL_M * rate * (2 / BLOCK) ** 0.5 / BLOCK
    high = city.sensor_by_id[level].limits.high
    # what is stored counts for it, where what a zone's tank stores counts against its demand
    zone = Zone(flows, ((column[level], -rate, -math.inf),), volts, (), (), (), noise, ())
    full = () if high is None else ((column[level], high),)
    gauges = tuple(column[sensor.id] for sensor in city.sensors if sensor.quantity == "rain")
    return Course(well, "standing_inflow", zone, full, gauges)


def _pumps(city: City, well: str) -> tuple[list[str], list[str]]:
    """The pumps that empty a wet well, and those that lift into its sewer."""
    return _emptying(city, well), [
        one for other in stations_above(city, well) for one in _emptying(city, other)
    ]


def _emptying(city: City, well: str) -> list[str]:
    return [
        link.target
        for link in city.links_from.get(well, ())
        if link.relation is Relation.DRAINS_TO and city.asset_by_id[link.target].kind == "pump"
    ]


def _is_reckoned(city: City, well: str) -> bool:
    own, others = _pumps(city, well)
    wanted = [f"{well}/level", *(f"{one}/flow" for one in (*own, *others))]
    return bool(own) and litres(city, well) > 0 and all(one in city.sensor_by_id for one in wanted)


def _well_sensors(city: City, well: str) -> Iterator[str]:
    own, others = _pumps(city, well)
    yield f"{well}/level"
    for pump in (*own, *others):
        yield f"{pump}/flow"
    yield from (name for pump in own if (name := f"{pump}/voltage") in city.sensor_by_id)
