"""Pressure zones that take more water than they should: bursts, thefts and leaks that no limits show.

In:  flows of works and pumps, levels of tanks, pressures, depths of drains, rain: minute by minute.
Out: signs ``excess_draw`` (sudden) and ``growing_draw`` (slow) of a zone, with the junctions where it may be.

A zone's demand is held against what it was before, grown as the other zones' demand grew. The formulas and
numbers stand in docs/signs.md.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.city import City
from schemas.times import MINUTE
from streams.balances import (
    BLOCK,
    DRY,
    IDLE_LPS,
    LOOK_BACK,
    UNEVEN,
    WITHOUT_POWER,
    Block,
    Ends,
    Record,
    Span,
    Zone,
    balance_sensors,
    calm,
    demand,
    ends,
    is_metered,
    means,
    middle,
    number,
    zone_of,
)
from streams.groups import Past, Places, Sign
from streams.hydraulics import Mains, Row, parts
from streams.places import Sights, Stretch, has_grown, likelihoods, places, sights, sights_sensors
from streams.rows import medians

Indices = NDArray[np.intp]

KEPT = 44
"""Blocks that are remembered."""
SMALL_LPS, SMALL_GROWN_LPS = 9.5, 10.0
"""Less is no sign: flushing a main takes some 8 L/s (assumed)."""
STRAYS, STRAYS_WEIGHT, STRAYS_MAX = 0.065, 8, 0.15
"""The same within an hour, until a zone has shown its own; worth so many looks; one counts at most."""
ALONE = 2
"""Where no other zone is a measure, demand strays by so much more; assumed."""
MORNING = 2.0
"""By which demand grows in the steepest hour of a morning: where no other zone is a measure, it may be so."""
SIGMAS = 3.4
BASE = 6
"""Blocks before, that a sudden draw is held against."""
SPANS = (12, 24, 36)
"""Blocks over which a draw may grow."""
ENDS = 4
"""Blocks at either end of such a span that are averaged."""
WITH_DRAINS = 0.35
"""A drain that rises in dry weather lowers the limit to this share of it; assumed."""
PASSED_ON, MOSTLY = 0.4, 0.8
"""Where a zone beside falls by this share of the excess, or that of the rise, water only goes another way."""
SWITCH_LPS, SWITCH_BLOCKS = 12.0, 2
"""A pump that began or ended to give so much between so many blocks and the ones after."""
FOLLOWS, FOLLOWS_TOLD, FOLLOWS_MOST, FOLLOWS_SIGMAS = 0.4, 2, 100, 2.5
"""A zone whose demand jumps by this share of it, more often than not, is not balanced by the model: a link is
wrong, or a meter. Nothing is told of it, from the first time on, but, from the second on, that the model is
wrong. Where that share is less than so many deviations of the noise that tanks make, a jump tells nothing.
Assumed."""
STARVES = 0.3
"""A zone that takes less than this of what it should is dry, or a level lies; assumed."""
STEADY_LPS = 1.0
"""Only a zone with less noise over the blocks before has a trend of its own; assumed."""
NOW = 3
"""Blocks that are the present."""
LATELY, ALIKE, AWAY = 20, 120, 45
"""Minutes: the length of a stretch; how far back one with the same pumps is sought; what is kept clear."""
FEW = 4
"""Minutes that make a stretch."""
LASTS = 12 * 60 * MINUTE
"""After this a sign ends, whatever became of it; assumed."""
LOOKS = {"excess_draw": (2, 4, 6), "growing_draw": (2, 4, 8, 14, 20, 26)}
"""Blocks after the first, at which a sign's places are looked for again: what grows is seen better later."""
STILL_DRAWN = 0.75
"""Part of the draw that must be left, or its places are not looked for again: it may be ending. Assumed."""


class Open(NamedTuple):
    """A sign that stands, and what its size is reckoned from."""

    asset: str
    condition: str
    onset: int
    found: int
    base: tuple[float | None, ...]
    """What each zone took before."""
    size: float
    places: Places
    likely: tuple[float, ...] = ()
    """By junction: the log likelihood, as the mean of all looks."""
    looks: int = 0
    cleared: int | None = None

    def sign(self) -> Sign:
        """What is told of it."""
        return Sign(self.asset, self.condition, self.onset, self.cleared, self.places)


class State(NamedTuple):
    """What is remembered from block to block."""

    ends: tuple[Ends, ...]
    blocks: tuple[Block, ...]
    open: tuple[Open | None, ...]
    strays: tuple[tuple[int, float], ...]
    """By zone: how often its demand was held against the others', and the sum of squares."""
    odd: tuple[int | None, ...]
    """By zone: since when it is not balanced as the model says."""
    follows: tuple[tuple[tuple[int, int], ...], ...]
    """By zone and pump: how often the demand jumped as the pump began or ended to give, and how often not."""


class Step(NamedTuple):
    """How a zone's last blocks differ from those before."""

    then: Span
    now: Span
    risen: float
    """Beyond the higher of what was expected; 0 where it doesn't last."""
    fallen: float
    """Below all that was expected, and what it was."""
    limit: float
    high: int
    """The first block that is nearer to what is taken than to what was expected."""


class ZoneWatch:
    """Watches all zones of a city's water network, each against the others."""

    minutes, stride = 240, BLOCK

    def __init__(self, city: City) -> None:
        mains = [part for part in parts(city) if is_metered(city, part)]
        self.sensors = tuple(
            sorted(
                {
                    sensor
                    for part in mains
                    for sensor in (*balance_sensors(city, part), *sights_sensors(city, part))
                }
            )
        )
        column = {sensor: index for index, sensor in enumerate(self.sensors)}
        self._zones = tuple(zone_of(city, part, _beside(mains, part), column) for part in mains)
        self._sights = [sights(city, part, column) for part in mains]

    def begin(self) -> Any:
        """Nothing known."""
        count = len(self._zones)
        meters = len(meters_of(self._zones))
        follows = (((0, 0),) * meters,) * count
        none = (None,) * count
        return tuple(State(((None, None),) * count, (), none, ((0, 0.0),) * count, none, follows))

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """A block at a time."""
        known = State(*state)
        known = known._replace(open=tuple(Open(*one) if one else None for one in known.open))
        rows = past.window(at, LOOK_BACK)
        if len(rows) < LOOK_BACK:
            return state, ()
        after, judged = _Look(self._zones, self._sights, known, past, at).over(rows)
        odd = (
            Sign(seen.called(()), "unlike_model", since, None if still else at)
            for seen, was, still in zip(self._sights, known.odd, after.odd, strict=True)
            if (since := still or was)
        )
        return tuple(after), (*(one.sign() for one in judged if one), *odd)


def meters_of(zones: tuple[Zone, ...]) -> list[int]:
    """Columns of all meters."""
    return sorted({column for zone in zones for column, _ in zone.meters})


def zone_watchers(city: City) -> list[ZoneWatch]:
    """One for the whole city, if any part of its water network is metered."""
    watch = ZoneWatch(city)
    return [watch] if watch.sensors else []


class _Look:
    """One look at all zones, after a block."""

    def __init__(
        self, zones: tuple[Zone, ...], seen: list[Sights], state: State, past: Past, at: int
    ) -> None:
        self._zones, self._sights, self._state, self._past, self._at = zones, seen, state, past, at
        self._meters = meters_of(zones)

    def over(self, rows: Row) -> tuple[State, list[Open | None]]:
        """The state after it, and every zone's sign, those that end in it too."""
        state, of = self._state, means(rows)
        after = tuple(ends(its, of) for its in self._zones)
        block = tuple(
            (
                None if (taken := demand(its, *both)) is None else number(taken),
                calm(its, of, rows),
                one is None,
            )
            for its, one, *both in zip(self._zones, state.open, state.ends, after, strict=True)
        )
        blocks = (*state.blocks, block)[-KEPT:]
        self._record = Record(blocks, self._zones)
        if starving := {zone for zone in range(len(block)) if self._starves(zone)}:
            block = tuple(
                (taken, WITHOUT_POWER if z in starving and ok != DRY else ok, fair)
                for z, (taken, ok, fair) in enumerate(block)
            )
            blocks = (*blocks[:-1], block)
            self._record = Record(blocks, self._zones)
        self._state = state = state._replace(follows=self._followed())
        odd = tuple(
            None if self._is_balanced(zone, FOLLOWS_TOLD) else since or self._at
            for zone, since in enumerate(state.odd)
        )
        judged = [self._judge(zone, one) for zone, one in enumerate(state.open)]
        for zone, one in enumerate(judged):
            if one and one.found == self._at:
                blocks = _unfair(blocks, zone, self._ago(one.onset))
        left = tuple(one if one and one.cleared is None else None for one in judged)
        strays = tuple(self._strayed(zone, *so_far) for zone, so_far in enumerate(state.strays))
        return State(after, blocks, left, strays, odd, state.follows), judged

    def _ago(self, at: int) -> int:
        """How many blocks."""
        return (self._at - at) // (BLOCK * MINUTE)

    def _starves(self, zone: int) -> bool:
        """Whether a zone takes far less than an hour ago, others don't: a level lies, or it is dry."""
        record = self._record
        then, now = (record.now - SPANS[0] - ENDS, record.now - ENDS), (record.now - NOW, record.now)
        should = STARVES * record.mean(zone, then, "base") - 2 * record.noise(zone, now)
        if not record.mean(zone, now) < should:
            return False
        grown = record.grown(zone, then, now)
        return grown is None or record.mean(zone, now) < should * min(grown.usual, 1.0)

    def _followed(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """What the last blocks tell of zones that jump with a pump; most often no pump began or ended."""
        part, known = SWITCH_BLOCKS * BLOCK, self._state.follows
        rows = self._past.window(self._at, 2 * part)[:, self._meters]
        if len(rows) < 2 * part or self._record.now <= 2 * SWITCH_BLOCKS:
            return known
        before, after = medians(rows[:part]), medians(rows[part:])
        steps = np.abs(after - before)
        with np.errstate(invalid="ignore"):
            turned = (steps > SWITCH_LPS) & (np.fmin(before, after) < IDLE_LPS)
        if not turned.any():
            return known
        now, then = self._record.now - SWITCH_BLOCKS, self._record.now - 2 * SWITCH_BLOCKS
        found = [list(of) for of in known]
        for zone, of in enumerate(found):
            spans = (now, self._record.now), (then, now)
            jump = abs(self._record.mean(zone, spans[0]) - self._record.mean(zone, spans[1]))
            least = FOLLOWS_SIGMAS * math.hypot(*(self._record.noise(zone, span) for span in spans))
            for place in map(int, np.flatnonzero(turned)):
                share = FOLLOWS * float(steps[place])
                if not math.isnan(jump) and share > least:
                    moved, stood = of[place]
                    with_it = jump > share
                    moved, stood = (moved + 1, stood) if with_it else (moved, stood + 1)
                    if moved + stood > FOLLOWS_MOST:  # what was long ago counts less
                        moved, stood = moved // 2, stood // 2
                    of[place] = moved, stood
        return tuple(map(tuple, found))

    def _is_balanced(self, zone: int, doubts: int = 1) -> bool:
        return not any(moved >= doubts and moved > stood for moved, stood in self._state.follows[zone])

    def _judge(self, zone: int, one: Open | None) -> Open | None:
        if not self._is_balanced(zone):
            return one and one._replace(cleared=self._at)
        if one is None:
            return self._sudden(zone) or self._growing(zone)
        step, age = self._step(zone, self._zones[zone].quick[-1], "known"), self._ago(one.found)
        if step and age > NOW and step.fallen > max(one.size / 2, step.limit * 0.75):
            return one._replace(cleared=self._at - (step.now[1] - step.now[0]) * BLOCK * MINUTE)
        if self._at - one.found >= LASTS:
            return one._replace(cleared=self._at)
        return self._again(zone, one) if age in LOOKS[one.condition] else one

    # --- sudden -----------------------------------------------------------------------------------------

    def _step(self, zone: int, quick: int, kind: str) -> Step | None:
        """The last blocks against those before, as the others grew, and as it went itself."""
        record = self._record
        now = record.now - quick, record.now
        then = now[0] - 1 - max(BASE, quick), now[0] - 1
        before, taken = record.mean(zone, then, kind), record.mean(zone, now)
        if math.isnan(before + taken) or np.isnan(record.demand[slice(*now), zone]).any():
            return None
        grown = record.grown(zone, then, now)
        hours = (sum(now) - sum(then)) / 2 * BLOCK / 60
        expected = [before * (grown.usual if grown else MORNING**hours)]
        trend = before + record.slope(zone, then) * (sum(now) - sum(then)) / 2
        if record.noise(zone, then) > STEADY_LPS:
            expected.append(before)
        elif not grown or abs(trend - before) < before / 2 + IDLE_LPS:
            expected.append(trend)
        most = max(expected)
        spread = math.hypot(
            record.noise(zone, now),
            record.noise(zone, then) * (grown.usual if grown else 1.0),
            before * grown.unsure if grown else 0.0,
            UNEVEN * (1 if grown else ALONE) * max(before, most),
        )
        half = max(quick // 2, 1)
        least = min(record.mean(zone, (now[0], now[0] + half)), record.mean(zone, (now[1] - half, now[1])))
        high = record.demand[now[0] - 1 : now[1], zone] > (most + taken) / 2
        return Step(
            then,
            now,
            taken - most if least - most > (taken - most) / 2 else 0.0,
            min(before, *expected) - taken,
            max(SMALL_LPS, SIGMAS * spread),
            now[0] - 1 + int(high.argmax()),
        )

    def _sudden(self, zone: int) -> Open | None:
        for quick in self._zones[zone].quick:
            step = self._step(zone, quick, "base")
            if (
                step
                and step.risen > step.limit
                and not self._passed_on(zone, step.then, step.now, step.risen)
            ):
                onset = self._at - (self._record.now - step.high) * BLOCK * MINUTE
                return self._found(zone, "excess_draw", onset, step.then, step.risen)
        return None

    def _passed_on(self, zone: int, then: Span, now: Span, excess: float) -> bool:
        """Whether a zone behind a pump takes less by much of the excess, or by most of the rise: water then
        goes another way.
        """
        mean = self._record.mean
        rise = mean(zone, now) - mean(zone, then, "base")
        most = min(PASSED_ON * excess, MOSTLY * rise if rise > IDLE_LPS else math.inf)
        return any(not self._fell(other, then, now) < most for other in self._zones[zone].beside)

    def _fell(self, zone: int, then: Span, now: Span) -> float:
        """How much less a zone takes; by its meters alone where it runs dry, or has a sign."""
        mean = self._record.mean
        fell = mean(zone, then, "base") - mean(zone, now)
        return mean(zone, then, "metered") - mean(zone, now, "metered") if math.isnan(fell) else fell

    # --- slow -------------------------------------------------------------------------------------------

    def _excess(self, zone: int, then: Span, ago: int) -> tuple[float, float, float] | None:
        """So many blocks ago: what was taken beyond what was expected, what was expected, and the noise."""
        record = self._record
        now = record.now - ago - ENDS, record.now - ago
        before, taken = record.mean(zone, then, "base"), record.mean(zone, now)
        if math.isnan(before + taken) or (grown := record.grown(zone, then, now)) is None:
            return None
        noise, expected = record.noise(zone, then), before * grown.most
        return (
            taken - expected,
            expected,
            math.hypot(
                record.noise(zone, now), (grown.most + grown.unsure) * noise, (before + noise) * grown.unsure
            ),
        )

    def _strayed(self, zone: int, count: int, squares: float) -> tuple[int, float]:
        """Twice an hour: how far a zone's demand went from the others' in an hour."""
        first = self._record.now - SPANS[0] - ENDS
        if self._at // MINUTE % (SPANS[0] * BLOCK // 2) or self._state.open[zone]:
            return count, squares
        over = self._excess(zone, (first, first + ENDS), 0)
        if over is None or over[1] <= 0:
            return count, squares
        return count + 1, round(squares + min(abs(over[0] / over[1]), STRAYS_MAX) ** 2, 6)

    def _growing(self, zone: int) -> Open | None:
        count, squares = self._state.strays[zone]
        strays = ((STRAYS_WEIGHT * STRAYS**2 + squares) / (STRAYS_WEIGHT + count)) ** 0.5
        for span in SPANS:
            then = self._record.now - span - ENDS, self._record.now - span
            over = self._excess(zone, then, 0)
            if over is None:
                continue
            excess, expected, noise = over
            limit = max(SMALL_GROWN_LPS, SIGMAS * math.hypot(noise, strays * span / SPANS[0] * expected))
            if excess < limit * WITH_DRAINS:
                continue
            lately, halfway = self._excess(zone, then, ENDS), self._excess(zone, then, span // 2)
            if lately is None or halfway is None or not _grows(excess, lately[0], halfway[0]):
                continue
            if self._passed_on(zone, then, (self._record.now - ENDS, self._record.now), excess):
                continue
            ago = excess / (excess - halfway[0]) * span / 2 + ENDS / 2
            onset = self._at - round(min(max(ago, ENDS), span)) * BLOCK * MINUTE
            if excess < limit and not self._is_wet(zone, onset):
                continue
            return self._found(zone, "growing_draw", onset, then, excess)
        return None

    def _is_wet(self, zone: int, onset: int) -> bool:
        """Whether a drain rose since, little by little, which water from this zone may reach."""
        rows = self._past.window(self._at, ZoneWatch.minutes)
        begun = max(len(rows) - 1 - (self._at - onset) // MINUTE, AWAY)
        since = rows[begun - AWAY :]
        return has_grown(self._sights[zone], since, since[:AWAY], rows[-LATELY:], rows)

    # --- where ------------------------------------------------------------------------------------------

    def _found(self, zone: int, condition: str, onset: int, then: Span, size: float) -> Open:
        base = tuple(number(self._record.mean(other, then, "base")) for other in range(len(self._zones)))
        one = self._placed(zone, Open("", condition, onset, self._at, base, round(size, 2), ()))
        return one._replace(asset=self._sights[zone].called(one.places))

    def _again(self, zone: int, one: Open) -> Open:
        """Size and places again, with what has come in since."""
        now = self._record.now - ENDS, self._record.now
        others = [
            (self._record.mean(other, now, "fair") / base, base)
            for other, base in enumerate(one.base)
            if other != zone and base and base > IDLE_LPS
        ]
        grown = middle([pair for pair in others if pair[0] > 0])
        base, taken = one.base[zone], self._record.mean(zone, now)
        if base and grown:
            size = taken - base * grown
            if size < STILL_DRAWN * one.size:
                return one
            one = one._replace(size=number(size) or one.size)
        return self._placed(zone, one)

    def _placed(self, zone: int, one: Open) -> Open:
        """With its places, by this look and those before: they share the model's errors, so many count as
        one.
        """
        rows = self._past.window(self._at, ZoneWatch.minutes)
        begun = len(rows) - 1 - (self._at - one.onset) // MINUTE
        before, after = _stretches(self._zones[zone], rows, begun, slow=one.condition == "growing_draw")
        now = self._record.now
        taken = self._record.mean(zone, (now - max(min(len(after) // BLOCK, ENDS), 1), now))
        base = one.base[zone]
        if len(before) < FEW or len(after) < FEW or base is None or math.isnan(taken):
            return one
        seen, then, since = self._sights[zone], Stretch(rows[before], base), Stretch(rows[after], taken)
        likely = likelihoods(seen, then, since, one.size, rows)
        if one.looks:
            likely = (np.array(one.likely) * one.looks + likely) / (one.looks + 1)
        return one._replace(
            places=places(seen, likely), likely=tuple(likely.round(3).tolist()), looks=one.looks + 1
        )


def _grows(excess: float, lately: float, halfway: float) -> bool:
    """Whether an excess came little by little: halfway some was there, lately most."""
    return 0.15 * excess < halfway < 0.85 * excess and 0.45 * excess < lately < 1.1 * excess


def _unfair(blocks: tuple[Block, ...], zone: int, ago: int) -> tuple[Block, ...]:
    """The last blocks of a zone marked: a sign stood."""
    since = len(blocks) - ago - 1
    return tuple(
        tuple(
            (taken, calm, fair and not (other == zone and number >= since))
            for other, (taken, calm, fair) in enumerate(block)
        )
        for number, block in enumerate(blocks)
    )


def _stretches(zone: Zone, rows: Row, begun: int, *, slow: bool) -> tuple[Indices, Indices]:
    """Rows before and after that are alike: the same pumps run in both, if there are such."""
    gap = 0 if slow else 3
    until = max(begun - gap, 0)
    after = np.arange(len(rows) - LATELY if slow else begun + gap + 1, len(rows))[-2 * LATELY :]
    before = np.arange(max(until - LATELY, 0), until)
    if len(zone.tanks) > 1 or not len(after):  # slopes of levels want minutes in a row
        return before, after
    runs = rows[:, [column for column, _ in zone.meters]] > IDLE_LPS
    alike = (runs == (np.median(runs[after], axis=0) > 0.5)).all(axis=1)
    earlier = np.flatnonzero(alike[:until])
    earlier = earlier[earlier >= until - ALIKE][-LATELY:]
    kept = after[alike[after]]
    return (earlier if len(earlier) >= FEW else before), (kept if len(kept) >= FEW else after)


def _beside(mains: list[Mains], part: Mains) -> tuple[int, ...]:
    pumps = {*part.into, *part.out_of}
    return tuple(
        index
        for index, other in enumerate(mains)
        if other is not part and pumps & {*other.into, *other.out_of}
    )
