"""What a level and the pumps that fill or empty its tank say of each other.

In:  the level of a tank, wet well or sump; of each pump that acts on it whether it runs, its flow and its
     voltage; the voltage where it empties into, and pressures before it, as far as they are measured.
Out: signs. ``lying``: the level stands still or leaps as no water does, and its pump believes it.
     ``cut_off``: nothing passes the valve between a tank and its zone. ``stopped``: a pump stands by its own
     fault: its level asks for it, and it has power and water.

A pump is a second witness of its level: its control starts and stops it at two levels, which are learnt.
docs/signs.md gives the reasoning.
"""

import math
import statistics
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from schemas.city import City
from schemas.times import MINUTE
from streams.groups import Past, Sign
from streams.plumbing import Pump, around, pump_of, pumps_of, valves_at
from streams.rows import Flags, Row, median

STRIDE = 3
"""Minutes between two looks."""
LOOKS_BACK = 120
LIVE_PU = 0.85
"""A motor's contactor closes and holds from here on (IEC 60947-4-1)."""
DRY_M = 8.0
"""Pressure before a pump below which it may have stopped itself for want of water; assumed."""
SETTLED = 2
"""Minutes after which a start or stop is looked at, when the readings around it have come."""
ALIKE = 8
"""Equal readings in a row that make a level frozen, where neighbours are seldom equal."""
SPREAD = 5.0
"""Standard deviations of a reading that noise hardly ever makes."""
SIGMA_M = 1e-4
"""No level is read more precisely than this."""
SPIKE, ENOUGH = 6.0, 12
"""A reading that is so many times further from those beside it than they are from theirs, and than readings
are in the mean, is a spike; and readings that it takes to tell. Assumed."""
REPEATS = 4
"""Equal readings in a row that are no chance."""
PRESSED_M, LEAPT_M = 2.0, 6.0
"""Metres by which pressures leave their range of two hours as a valve shuts; by the second, that is enough
beside a level that stands still. Assumed: ordinary swings between a pump's run and rest are 3 to 5 m."""
STILL = 12
"""Minutes for which a level stands, before that means something without a leap."""
LEARNT_MAX = 4
"""Starts, stops and slopes that are kept."""
BLUR = 0.2
"""Part of the way between a pump's two levels by which they are known at best."""
EDGE = 0.115
"""Part of a level's limits that is margin: the usual range and 15 % of it on both sides."""
SLOWER, PATIENCE = 1.5, 5
"""A level may take this many times what its slowest way took, and so many minutes, before it is a lie."""
PATIENCE_MAX = 90
"""Minutes for which a pump may go on under a frozen level, however slow its level was; assumed."""
NO_FLOW = 0.12
"""Part of a pump's flow that is none."""
ALWAYS, ALWAYS_MIN = 0.95, 20
"""Part of the time that a pump runs, and minutes that it was seen to, before its standing is a sign."""
FILLED = frozenset({"tank", "wet_well"})
"""Kinds of assets whose level tells of water in use; an underpass is dry most of the time."""


class Standing(NamedTuple):
    """A sign under way, and the level that a lie tells."""

    asset: str
    condition: str
    onset: int
    value: float = 0.0


class State(NamedTuple):
    """What is remembered of a level and its pumps. Levels and slopes: the last few, oldest first."""

    until: int = -1
    """Starts and stops up to this minute are learnt."""
    on: int = -1
    """Whether the pump runs: 1, 0, or -1 for not known."""
    since: int = -1
    """When it began to; -1 where it did from the beginning."""
    tripped: bool = False
    """Whether it stopped though its level asked it to go on."""
    starts: tuple[float, ...] = ()
    stops: tuple[float, ...] = ()
    repeats: int = -1
    """Since when the level has been one and the same; -1 where it isn't."""
    told_truth: int = -1
    """When a lie ended last, or a level went on that had been one and the same."""
    ran: tuple[float, ...] = ()
    """Metres a minute while the pump ran, and while it stood."""
    stood: tuple[float, ...] = ()
    standing: tuple[Standing, ...] = ()


class View:
    """The last two hours, as the rules look at them. What a rule doesn't ask for is not worked out."""

    def __init__(self, rows: Row, at: int, pumps: list[Pump]) -> None:
        self.at, self.rows, self._pumps = at, rows, pumps
        self.level = _without_spikes(rows[:, 0])
        self.known = (~np.isnan(self.level)).nonzero()[0]
        """Minutes with a level."""
        self.values = self.level[self.known]
        runs = [_held(pump.runs(rows)) for pump in pumps]
        self.on: list[float] = (runs[0] if len(runs) == 1 else np.maximum.reduce(runs)).tolist()
        """By minute: whether a pump runs."""

    def live(self, since: int = 0, until: int | None = None) -> bool:
        """Whether the pumps have power in all these rows."""
        return self._dead is None or not self._dead[since:until].any()

    def wet(self, since: int = 0, until: int | None = None) -> bool:
        """Whether the pumps have water in all these rows."""
        return self._dry is None or not self._dry[since:until].any()

    @cached_property
    def _dead(self) -> Flags | None:
        volts = [self.rows[:, column] for pump in self._pumps for column in pump.volts]
        if all(np.fmin.reduce(v) > LIVE_PU for v in volts):
            return None
        found: Flags = ~(np.minimum.reduce([_smooth(_held(v)) for v in volts]) > LIVE_PU)
        return found

    @cached_property
    def _dry(self) -> Flags | None:
        suction = [self.rows[:, column] for pump in self._pumps for column in pump.suction]
        if not any(np.fmin.reduce(pressure) < DRY_M for pressure in suction):
            return None
        found: Flags = np.logical_or.reduce([_smooth(_held(pressure)) < DRY_M for pressure in suction])
        return found

    @cached_property
    def flow(self) -> Row | None:
        """By minute: what all pumps give, where that is measured."""
        flows = [_held(self.rows[:, pump.flow]) for pump in self._pumps if pump.flow is not None]
        return np.sum(flows, axis=0) if len(flows) == len(self._pumps) else None

    @cached_property
    def sigma(self) -> float:
        """Standard deviation of one reading: second differences don't see slopes."""
        if len(self.values) <= 12:
            return SIGMA_M
        steps = self.values[1:] - self.values[:-1]
        return max(median(np.abs(steps[1:] - steps[:-1])) / 0.6745 / 6**0.5, SIGMA_M)

    @cached_property
    def still(self) -> int:
        """The first row from which the level is where it is now; one reading in three may be off."""
        away = np.abs(self.values - median(self.values[-5:])) > 4 * max(self.sigma, 0.002)
        both = (away[:-1] & away[1:]).nonzero()[0]
        first = int(both[-1]) + 2 if len(both) else 0
        return int(self.known[first]) if first < len(self.known) else len(self.rows)

    def minute(self, row: int) -> int:
        """The minute of a row."""
        return self.at - MINUTE * (len(self.rows) - 1 - row)

    def place(self, minute: int) -> int:
        """The row of a minute."""
        return len(self.rows) - 1 - (self.at - minute) // MINUTE

    def slope(self, begin: int, end: int) -> float | None:
        """Metres a minute between two rows (the second left out); None where too few readings are."""
        first, last = self.known.searchsorted((begin, end))
        rows = self.known[first:last]
        if len(rows) < 5 or rows[-1] - rows[0] < 5:
            return None
        x = rows - rows.sum() / len(rows)
        return float(x @ self.values[first:last] / (x @ x))

    def now(self) -> float:
        """The level: the median of its last three readings."""
        return median(self.values[-3:])


def _column(names: list[str], sensor: str) -> int:
    """The column of a sensor, which gets one if it has none yet."""
    if sensor not in names:
        names.append(sensor)
    return names.index(sensor)


def _without_spikes(values: Row) -> Row:
    """A copy without readings that leap away from both beside them, and back: no water does. Of the slopes to
    the readings beside, the lesser is beyond noise and what level and pump do before and after.
    """
    found = values.copy()
    known = (~np.isnan(values)).nonzero()[0]
    told = values[known]
    steps = told[1:] - told[:-1]
    sizes = np.abs(steps)
    if len(steps) < ENOUGH or sizes.max() * len(sizes) < SPIKE * sizes.sum():
        return found
    leaps, beside = np.minimum(sizes[1:-2], sizes[2:-1]), np.maximum(sizes[:-3], sizes[3:])
    usual = (sizes.sum() - 2 * leaps.max()) / len(sizes)
    spikes = (leaps > SPIKE * np.maximum(beside, usual)) & (steps[1:-2] * steps[2:-1] < 0)
    found[known[2:-2][spikes]] = np.nan
    return found


def _held(values: Row) -> Row:
    """Gaps filled with what was known last, the ones at the beginning with what comes first."""
    known = ~np.isnan(values)
    if np.count_nonzero(known) in (0, len(values)):
        return values
    place = np.where(known, np.arange(len(values)), known.argmax())
    return values[np.maximum.accumulate(place)]


def _smooth(values: Row) -> Row:
    """The median with the minute before and after, so that one bad reading doesn't count."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    before, after = padded[:-2], padded[2:]
    found: Row = np.maximum(np.minimum(before, after), np.minimum(np.maximum(before, after), values))
    return found


class LevelWatch:
    """Watches one level and its pumps."""

    minutes, stride = LOOKS_BACK, STRIDE

    def __init__(self, city: City, level: str, pumps: list[str], *, fills: bool) -> None:
        self._asset = level.rsplit("/", 1)[0]
        self._up = 1.0 if fills else -1.0
        """Which way the level goes when the pump runs."""
        names = [level]
        self._pumps = [pump_of(city, pump, names) for pump in pumps]
        area = city.asset_by_id[self._asset].properties.get("area_m2")
        self._area = float(area) if isinstance(area, (int, float)) else None
        self._limits = city.sensor_by_id[level].limits
        self._sole = len(pumps) == 1 and self._pumps[0].levels == 1
        """Whether this level alone starts and stops its pump."""
        self._used = city.asset_by_id[self._asset].kind in FILLED
        """Whether water comes or goes at all times, so that a level that stands still is a lie."""
        volume = city.asset_by_id[self._asset].properties.get("volume_m3")
        self._zone = (
            tuple(_column(names, f"{place}/pressure") for place in around(city, self._asset)) if fills else ()
        )
        self.sensors = tuple(names)
        self._full = float(volume) / self._area if isinstance(volume, (int, float)) and self._area else np.inf
        self._valves = tuple((valve, 1.0) for valve in valves_at(city, self._asset)) if fills else ()

    def begin(self) -> State:
        """Nothing is known yet."""
        return State()

    def step(self, state: Any, past: Past, at: int) -> tuple[State, tuple[Sign, ...]]:
        """One look further."""
        known = State(*state)
        standing = tuple(Standing(*one) for one in known.standing)
        view = View(past.window(at, LOOKS_BACK), at, self._pumps)
        if len(view.known) < 3 or view.place(at) - view.known[-1] > 2 * STRIDE or math.isnan(view.on[-1]):
            return known, tuple(self._sign(one) for one in standing)
        repeats = _repeats_since(known.repeats, view)
        if known.repeats >= 0 > repeats:
            known = known._replace(told_truth=at)
        known = self._learn(known._replace(repeats=repeats), view)
        found = {(one.asset, one.condition): one for one in self._judge(known, view, standing)}
        before = {(one.asset, one.condition): one for one in standing}
        after = tuple({**found, **{key: one for key, one in before.items() if key in found}}.values())
        ended = tuple(self._sign(one, at) for key, one in before.items() if key not in found)
        if any(one.condition == "lying" for one in ended):
            known = known._replace(told_truth=at)
        return known._replace(standing=after), (*ended, *(self._sign(one) for one in after))

    def _sign(self, one: Standing, cleared: int | None = None) -> Sign:
        places = self._valves if one.condition == "cut_off" else ()
        return Sign(one.asset, one.condition, one.onset, cleared, places)

    # --- what is learnt ---------------------------------------------------------------------------

    def _learn(self, state: State, view: View) -> State:
        """The levels at which the pump started and stopped since the last look, and the slopes between."""
        first = max(view.place(state.until) + 1, 1) if state.until >= 0 else 1
        last = len(view.rows) - SETTLED
        if state.on < 0:
            state = state._replace(on=int(view.on[0] > 0.5))
        for row in range(first, last):
            on = int(view.on[row] > 0.5)
            if on != state.on:
                state = self._turned(state, view, row, on)
        return state._replace(until=view.minute(last - 1)) if last > 0 else state

    def _turned(self, state: State, view: View, row: int, on: int) -> State:
        """The pump started or stopped: at which level, and how the level had moved until then.

        Nothing is learnt from a stretch in which the level lied, or a valve was shut.
        """
        deceived = state.repeats >= 0 or 0 <= state.since <= state.told_truth
        deceived |= any(one.condition in ("lying", "cut_off") for one in map(_again, state.standing))
        slope = view.slope(max(view.place(state.since) + 1, 0) if state.since >= 0 else 0, row)
        if slope is not None and not deceived:
            kept = (*(state.ran if state.on else state.stood), slope)[-LEARNT_MAX:]
            state = state._replace(ran=kept) if state.on else state._replace(stood=kept)
        state = state._replace(on=on, since=view.minute(row), tripped=False)
        around = view.level[max(row - 1, 0) : row + 2]
        able = view.live(max(row - 3, 0), row + 2) and view.wet(max(row - 5, 0), row + 2)
        if deceived or not able or np.isnan(around).all():
            return state
        ahead = self._up if not on else -self._up
        level = float(ahead * np.nanmax(ahead * around))  # the reading that is furthest on the pump's way
        if on:
            return state._replace(starts=(*state.starts, level)[-LEARNT_MAX:])
        stop, blur = self._stop(state)
        if stop is not None and self._sole and self._up * (stop - level) > blur + SPREAD * view.sigma:
            return state._replace(tripped=True)
        return state._replace(stops=(*state.stops, level)[-LEARNT_MAX:])

    def _stop(self, state: State) -> tuple[float | None, float]:
        """The level at which the pump stops, and how far it is known."""
        low, high = self._limits.low, self._limits.high
        if state.stops:
            start = statistics.median(state.starts) if state.starts else None
            if start is None and low is not None and high is not None:
                start = low if self._up > 0 else high
            stop = statistics.median(state.stops)
            return stop, BLUR * abs(stop - start) if start is not None else abs(stop) / 2
        if low is None or high is None:
            return None, 0.0
        return (high - EDGE * (high - low) if self._up > 0 else low + EDGE * (high - low)), BLUR * (
            high - low
        )

    def _start(self, state: State) -> tuple[float | None, float]:
        """The level at which the pump starts, and how far it is known."""
        if state.starts:
            start, (stop, _) = statistics.median(state.starts), self._stop(state)
            return start, BLUR * abs(stop - start) if stop is not None else abs(start) / 2
        if not self._used:  # the usual range of what is nearly always dry tells nothing of its pump
            return None, 0.0
        return self._limits.low if self._up > 0 else self._limits.high, 0.0

    # --- what is judged ---------------------------------------------------------------------------

    def _judge(self, state: State, view: View, standing: tuple[Standing, ...]) -> Iterator[Standing]:
        lie = next((one for one in standing if one.condition == "lying"), None)
        lie = self._still_lies(lie, view) if lie else self._lie(state, view)
        if lie:
            yield lie
            return
        shut = next((one for one in standing if one.condition == "cut_off"), None)
        shut = self._still_shut(shut, view) if shut else self._shut(state, view)
        if shut:
            yield shut
            return
        yield from self._stands(state, view)

    def _lie(self, state: State, view: View) -> Standing | None:
        """A level that can't be true."""
        frozen = self._frozen(state, view)
        if frozen:
            return frozen
        if not self._used or state.repeats >= 0:
            return None
        begin, long = view.still, len(view.rows) - view.still
        ended = state.told_truth >= 0 and view.at - long * MINUTE <= state.told_truth + STRIDE * MINUTE
        if begin < 2 * STILL or long < 6 or ended or not view.live(begin):
            return None
        held = view.values[view.known.searchsorted(begin) :]
        lie = Standing(self._asset, "lying", view.minute(begin), median(held))
        stands = view.on[-1] < 0.5
        if (
            stands
            and not self._valves
            and not self._asks(state, view)
            and self._flat_since_turn(state, view, begin)
        ):
            return lie
        before = view.known[(view.known < begin) & (view.known >= begin - 8)][-4:]
        if len(before) < 3:
            return None
        after = view.known[view.known >= begin][:3]
        leap = median(view.level[after]) - median(view.level[before])
        fastest = max(map(abs, (*state.ran, *state.stood)), default=0.0)
        if self._area:
            fastest = max(fastest, 1.3 * sum(pump.lps for pump in self._pumps) * 0.06 / self._area)
        if self._up * leap > 0 and self._up > 0 and max(view.on[begin - 2 : begin + 1]) < 0.5:
            fastest *= 0.2  # a tank doesn't fill while its pump stands
        natural = 1.5 * fastest * (median(after) - median(before)) + 0.8 * SPREAD * view.sigma
        believed = not self._sole or stands if self._up * leap > 0 else not stands
        return (
            lie if fastest and believed and abs(leap) > natural and self._moves(state, view, long) else None
        )

    def _flat_since_turn(self, state: State, view: View, begin: int) -> bool:
        """Whether a level stands still while its pump stands, where it moved before.

        How fast, this very stretch says best: at night a tank falls far slower than by day.
        """
        turned = view.place(state.since) if state.since >= 0 else -1
        usual = min(map(abs, state.stood), default=0.0)
        if (own := view.slope(max(turned + SETTLED, 0), begin)) is not None:
            usual = min(usual, abs(own))
        return self._sole and _flat(view, max(begin, turned + SETTLED), usual)

    def _asks(self, state: State, view: View) -> bool:
        """Whether the level is where its pump should run."""
        start, blur = self._start(state)
        recent = view.values[-4:]
        return start is not None and bool(
            (self._up * (start - recent) > max(blur, SPREAD * view.sigma)).all()
        )

    def _moves(self, state: State, view: View, long: int) -> bool:
        """Whether the level would have moved by now, as it did before."""
        slopes = state.ran if view.on[-1] > 0.5 else state.stood
        slowest = min(map(abs, slopes), default=0.0)
        return not slopes or slowest * long > SPREAD * view.sigma

    def _frozen(self, state: State, view: View) -> Standing | None:
        """The same reading again and again, for longer than its pump could have left it there."""
        if state.repeats < 0 or not self._sole or not view.live():
            return None
        long = (view.at - state.repeats) // MINUTE
        if long < ALIKE or state.since > state.repeats + SETTLED * MINUTE:
            return None
        if long < self._needs(state, view, view.place(state.repeats)):
            return None
        return Standing(self._asset, "lying", state.repeats, view.now())

    def _needs(self, state: State, view: View, begin: int) -> float:
        """Minutes that a level needs at most from where it stands to where its pump turns."""
        on = view.on[-1] > 0.5
        goal, _ = self._stop(state) if on else self._start(state)
        slopes = [abs(one) for one in (state.ran if on else state.stood)]
        turned = view.place(state.since) if state.since >= 0 else 0
        if begin - max(turned, 0) > 10 and (own := view.slope(max(turned, 0), max(begin, 0))) is not None:
            slopes.append(abs(own))
        least = 0.0
        if self._area:
            least = 0.1 * sum(pump.lps for pump in self._pumps) * 0.06 / self._area
        slowest = max(min(slopes, default=0.0), least)
        if goal is None or not slowest:
            return float("inf")
        return min(SLOWER * abs(goal - view.now()) / slowest + PATIENCE, PATIENCE_MAX)

    def _still_lies(self, lie: Standing, view: View) -> Standing | None:
        """As long as it stays where it is, and the pump doesn't go on by itself."""
        recent = view.values[-3:]
        away = np.abs(recent - lie.value) > SPREAD * max(view.sigma, 0.004)
        since = max(view.place(lie.onset), 0)
        ran = [on > 0.5 for on in view.on[min(since + 4, len(view.on) - 1) :]]
        turns = sum(one != other for one, other in pairwise(ran))
        return None if np.count_nonzero(away) >= 2 or turns >= 2 else lie

    def _shut(self, state: State, view: View) -> Standing | None:
        """Water that doesn't pass between a tank and its zone."""
        if not self._valves or state.repeats >= 0 or not view.live(-STILL):
            return None
        margin = SPREAD * view.sigma
        if not margin < view.now() < self._full - margin:  # empty or full, it stands still by itself
            return None
        if not self._sole and view.on[-1] > 0.5:
            return None  # what its pump gives goes elsewhere too: a balance tells nothing
        turned = view.place(state.since) if state.since >= 0 else -1
        begin = max(view.still, turned + SETTLED, 1)
        if len(view.rows) - begin < STILL and view.on[-1] < 0.5:
            return None  # neither flat nor full: pressures need not be asked
        pressed = self._pressed(view)
        if pressed < (PRESSED_M if self._sole else LEAPT_M):
            return None
        usual = min(map(abs, state.stood), default=0.0)
        if view.on[-1] > 0.5:
            own = view.slope(max(turned, begin - 30, 0), begin) if begin > turned + 5 else None
            usual = abs(own) if own else 0.0
        leapt = pressed > LEAPT_M
        if leapt:
            begin = max(begin, len(view.rows) - STILL - STRIDE)
        if _flat(view, begin, np.inf if leapt else usual):
            return Standing(self._asset, "cut_off", view.minute(begin))
        return self._full_flow(view, turned)

    def _pressed(self, view: View) -> float:
        """Metres by which the zone's pressures are beyond what they were before the level stood still.

        Endless where none is measured: then the level alone decides.
        """
        beyond = []
        for column in self._zone:
            values = _held(view.rows[:, column])
            before = values[: -2 * STILL]
            if len(before) > STILL and not np.isnan(values).all():
                now = median(values[-5:])
                beyond.append(max(now - float(before.max()), float(before.min()) - now))
        return statistics.median(beyond) if beyond else PRESSED_M

    def _full_flow(self, view: View, turned: int) -> Standing | None:
        """A pump that feeds its tank alone: the tank takes all of it, where the zone took part before."""
        if not self._area or view.flow is None or not self._pumps[0].direct or view.on[-1] < 0.5:
            return None
        end = len(view.rows)
        begin = end - STILL
        if turned > begin - 15:
            return None
        now, before = view.slope(begin, end), view.slope(max(turned + 1, begin - 30), begin - 3)
        if now is None or before is None:
            return None
        gives = median(view.flow[begin:])
        took = [gives - slope * self._area / 0.06 for slope in (now, before)]
        if took[0] < NO_FLOW * gives and took[1] > 3 * NO_FLOW * gives:
            return Standing(self._asset, "cut_off", view.minute(begin))
        return None

    def _still_shut(self, shut: Standing, view: View) -> Standing | None:
        """Until water leaves the tank again: its level falls while the pump stands, or as it stops."""
        end = len(view.rows)
        slope = view.slope(end - STILL, end)
        if slope is None:
            return shut
        moved = -slope * STILL > SPREAD * view.sigma or (
            not self._pumps[0].direct and abs(slope) * STILL > SPREAD * view.sigma
        )
        return None if moved else shut

    def _stands(self, state: State, view: View) -> Iterator[Standing]:
        """Pumps that stand though their level asks for them."""
        if view.on[-1] > 0.5 or state.repeats >= 0 or not view.live(-5) or not view.wet(-8):
            return
        pump = self._pumps[0].asset
        if state.tripped and view.at - state.since >= 3 * MINUTE:
            yield Standing(pump, "stopped", state.since)
        elif self._sole and max(view.on[-6:]) < 0.5 and self._asks(state, view):
            yield Standing(pump, "stopped", view.minute(int(view.known[-4:][0])))


def _again(parts: Any) -> Standing:
    return Standing(*parts)


def _flat(view: View, begin: int, usual: float) -> bool:
    """Whether a level has no slope since a row, where the usual slope would show four times over."""
    long = len(view.rows) - begin
    slope = view.slope(begin, len(view.rows)) if long >= STILL else None
    error = (12 / max(long, 1)) ** 0.5 * view.sigma  # of slope times length, where readings have this noise
    return slope is not None and abs(slope) * long < 3 * error and usual * long > 12 * error


def _repeats_since(since: int, view: View) -> int:
    """Since when the level has been one and the same, where it has for some readings; else -1."""
    values = view.values
    if since >= 0 and values[-1] == values[-2]:
        return since
    if (values[-REPEATS:] != values[-1]).any():
        return -1
    other = np.flatnonzero(values != values[-1])
    run = len(values) - 1 - int(other[-1]) if len(other) else 0
    before = np.diff(values[: len(values) - run])
    if run < REPEATS or len(before) < 10 or np.mean(before == 0) > 1 / 4:
        return -1
    return view.minute(int(view.known[len(values) - run]))


class PumpWatch:
    """Watches a pump that no level starts and stops: one that always runs, until it fails."""

    minutes, stride = 30, 1

    def __init__(self, city: City, pump: str) -> None:
        names: list[str] = []
        self._pump = pump_of(city, pump, names)
        self.sensors = tuple(names)

    def begin(self) -> Any:
        """Minutes in which it was seen, and in which it ran; since when it stands by itself. One that stood
        long and ran again is switched by something that the model doesn't have: it is told no more.
        """
        return (0, 0, -1)

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One minute further."""
        seen, ran, since = state
        now = float(self._pump.runs(past.window(at, 1))[0])
        if now > 0.5:
            ended = (Sign(self._pump.asset, "stopped", since, at),) if since >= 0 else ()
            return (seen + 1, ran + 1, -1), ended
        if np.isnan(now) or (since < 0 and (ran < ALWAYS_MIN or ran < ALWAYS * seen)):
            signs = (Sign(self._pump.asset, "stopped", since),) if since >= 0 else ()
            return (seen + int(not np.isnan(now)), ran, since), signs
        view = View(past.window(at, self.minutes), at, [self._pump])
        able = view.live(-6) and view.wet(-10)
        if since >= 0:
            if able:
                return (seen + 1, ran, since), (Sign(self._pump.asset, "stopped", since),)
            return (seen, ran, -1), (Sign(self._pump.asset, "stopped", since, at),)
        if able and len(view.on) >= 5 and max(view.on[-5:]) < 0.5:
            begun = view.minute(len(view.rows) - 5)
            return (seen, ran, begun), (Sign(self._pump.asset, "stopped", begun),)
        return (seen, ran, -1), ()


def level_watchers(city: City) -> Iterator[LevelWatch | PumpWatch]:
    """A watcher for each measured level on which a pump acts, and for each pump that acts on none."""
    yield from _levels(city)
    yield from _pumps(city)


def _levels(city: City) -> Iterator[LevelWatch]:
    for sensor in city.sensors:
        if sensor.quantity in ("level", "depth"):
            filling, emptying = pumps_of(city, sensor.asset)
            if filling or emptying:
                yield LevelWatch(city, sensor.id, filling or emptying, fills=bool(filling))


def _pumps(city: City) -> Iterator[PumpWatch]:
    led = {pump for sensor in city.sensors for side in pumps_of(city, sensor.asset) for pump in side}
    for asset in city.assets:
        if asset.kind == "pump" and asset.id not in led and asset.id in city.sensors_of:
            yield PumpWatch(city, asset.id)
