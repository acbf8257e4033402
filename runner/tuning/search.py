"""What each setting of a sensor would have told, and which one to propose.

In:  the sensor, its courses and troubles day by day.
Out: ``Found``: what the present setting and the proposed one cost, and the settings that nothing beats.
Pure. docs/tune.md states the choice in words.

A setting is beaten where another misses no more troubles, has no more nuisance and is no later, and is better
in one of these. Of those that are left: the fewest missed; then the least nuisance and delay together, an
alarm counting as PRICE of delay; then what is nearest to the present, and rather a delay than a limit.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from runner.tuning.practice import Grid, Quiet, Setting, grid_of, quiet_of
from runner.tuning.troubles import Trouble, belongs
from schemas.city import Sensor
from schemas.citychecks import limit_faults
from schemas.times import MINUTE, SECOND
from streams.lives import Course, Values

PRICE = 5 * MINUTE
"""An alarm fewer is worth so much delay: what an operator needs for one (EEMUA 191: one in five minutes is
the most that can be handled)."""


class Cost(NamedTuple):
    """What a setting tells over all days."""

    alarms: int
    false: int
    """Outside of every trouble."""
    repeats: int
    """In a trouble, after its first."""
    missed: tuple[str, ...]
    """Troubles without any alarm of this sensor: ``DAY NAME``."""
    delay: int
    """Sum over the troubles that are shown, ms."""

    @property
    def nuisance(self) -> int:
        """Alarms that tell nothing new."""
        return self.false + self.repeats

    @property
    def point(self) -> tuple[int, int, int]:
        """What settings are compared by: missed, nuisance, delay."""
        return len(self.missed), self.nuisance, self.delay


class Tried(NamedTuple):
    """A setting and what it costs."""

    setting: Setting
    cost: Cost


class Found(NamedTuple):
    """The answer for one sensor."""

    now: Tried
    best: Tried
    """``now`` where nothing is better."""
    front: tuple[Tried, ...]
    """What nothing beats, by missed, nuisance and delay; of settings that cost the same the nearest."""
    tried: int


class Day(NamedTuple):
    """A sensor's day."""

    name: str
    course: Course
    troubles: Sequence[Trouble]

    @property
    def quiet(self) -> Values:
        """Its readings outside of trouble."""
        inside = np.zeros(len(self.course.at), np.bool_)
        for one in self.troubles:
            inside |= (self.course.at >= one.first) & (self.course.at <= one.last)
        return self.course.value[~inside]


class _Told(NamedTuple):
    """What some limits tell: by day and trouble the first moment told; counts."""

    alarms: int
    false: int
    first: dict[tuple[int, int], int]


def cost_of(sensor: Sensor, days: Sequence[Day]) -> Cost:
    """What a sensor's limits would have told, all levels together."""
    return _cost(days, [_told(days, limit, sensor, high=high) for limit, high in _limits_of(sensor)])


def search(sensor: Sensor, days: Sequence[Day]) -> Found:
    """The best setting; the present one where nothing costs less, or no day is quiet enough to tell."""
    setting = Setting.of(sensor)
    now = Tried(setting, cost_of(sensor, days))
    quiet = quiet_of([day.quiet for day in days])
    if quiet is None or (not now.cost.nuisance and not now.cost.missed):
        return Found(now, now, (now,), 1)
    tried = [now, *(one for one in _all(sensor, grid_of(sensor, quiet), days) if one.setting != setting)]
    front = _front(tried)
    allowed = [one for one in tried if _allowed(one, now)]
    best = min(allowed, key=lambda one: (*_price(one.cost), _distance(one.setting, setting, quiet)))
    return Found(now, best if _worth_it(best.cost, now.cost) else now, front, len(tried))


def _all(sensor: Sensor, grid: Grid, days: Sequence[Day]) -> Iterator[Tried]:
    fixed = [(sensor.limits.low_low, False), (sensor.limits.high_high, True)]
    for on, off, deadband in product(grid.on_delays, grid.off_delays, grid.deadbands):
        base = sensor.model_copy(update={"on_delay": on, "off_delay": off, "deadband": deadband})
        always = [_told(days, limit, base, high=high) for limit, high in fixed if limit is not None]
        lows = {low: _told(days, low, base, high=False) for low in grid.lows if low is not None}
        highs = {high: _told(days, high, base, high=True) for high in grid.highs if high is not None}
        for low, high in product(grid.lows, grid.highs):
            setting = Setting(low, high, on, off, deadband)
            if any(True for _ in limit_faults(setting.into(sensor))):
                continue
            told = [*always, *([lows[low]] if low in lows else ()), *([highs[high]] if high in highs else ())]
            yield Tried(setting, _cost(days, told))


def _limits_of(sensor: Sensor) -> Iterator[tuple[float, bool]]:
    limits = sensor.limits
    for limit, high in (
        (limits.low_low, False),
        (limits.low, False),
        (limits.high, True),
        (limits.high_high, True),
    ):
        if limit is not None:
            yield limit, high


def _told(days: Sequence[Day], limit: float, sensor: Sensor, *, high: bool) -> _Told:
    on = round(sensor.on_delay * SECOND)
    off = on if sensor.off_delay is None else round(sensor.off_delay * SECOND)
    alarms = false = 0
    first: dict[tuple[int, int], int] = {}
    for number, day in enumerate(days):
        for life in day.course.lives(limit, high=high, on_delay=on, off_delay=off, deadband=sensor.deadband):
            alarms += 1
            if (place := belongs(life.onset, day.troubles)) is None:
                false += 1
            else:
                key = number, place
                first[key] = min(first.get(key, life.told), life.told)
    return _Told(alarms, false, first)


def _cost(days: Sequence[Day], told: Sequence[_Told]) -> Cost:
    alarms, false = sum(one.alarms for one in told), sum(one.false for one in told)
    first: dict[tuple[int, int], int] = {}
    for one in told:
        for key, at in one.first.items():
            first[key] = min(first.get(key, at), at)
    missed = [
        f"{day.name} {trouble.name}"
        for number, day in enumerate(days)
        for place, trouble in enumerate(day.troubles)
        if (number, place) not in first
    ]
    delay = sum(max(at - days[number].troubles[place].since, 0) for (number, place), at in first.items())
    return Cost(alarms, false, alarms - false - len(first), tuple(missed), delay)


def _allowed(one: Tried, now: Tried) -> bool:
    """Nothing that is shown now may be missed, nobody is told more that is false, and limits become tighter
    only for what they miss.
    """
    fewer = len(one.cost.missed) < len(now.cost.missed)
    safe = set(one.cost.missed) <= set(now.cost.missed) and one.cost.false <= now.cost.false
    return safe and (fewer or not _tighter(one.setting, now.setting))


def _tighter(setting: Setting, now: Setting) -> bool:
    low = setting.low is not None and now.low is not None and setting.low > now.low
    return low or (setting.high is not None and now.high is not None and setting.high < now.high)


def _worth_it(cost: Cost, now: Cost) -> bool:
    """Whether it misses less, or saves an alarm or as much as one is worth."""
    if len(cost.missed) < len(now.missed):
        return True
    return _price(cost)[1] + PRICE <= _price(now)[1]


def _price(cost: Cost) -> tuple[int, int]:
    return len(cost.missed), cost.nuisance * PRICE + cost.delay


def _distance(setting: Setting, now: Setting, quiet: Quiet) -> tuple[int, int, float]:
    """How many limits differ, since they have their reason in the plant; how many fields; and by how much,
    limits and deadband in spans, delays in PRICEs.
    """
    unit = quiet.span or 1.0
    scales = (unit, unit, PRICE / SECOND, PRICE / SECOND, unit)
    moved = sum(
        abs((new or 0.0) - (old or 0.0)) / scale
        for new, old, scale in zip(setting, now, scales, strict=True)
        if new != old
    )
    fields = [new != old for new, old in zip(setting, now, strict=True)]
    return sum(fields[:2]), sum(fields), moved


def _front(tried: Sequence[Tried]) -> tuple[Tried, ...]:
    """What nothing beats. One of each cost, the first that was tried; the present setting is tried first."""
    by_point: dict[tuple[int, int, int], Tried] = {}
    for one in tried:
        by_point.setdefault(one.cost.point, one)
    points = sorted(by_point)
    front: list[tuple[int, int, int]] = []
    for point in points:  # sorted: what could beat it stands before it
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in front):
            front.append(point)
    return tuple(by_point[point] for point in front)
