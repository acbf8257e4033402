"""What one sensor's readings say about its asset, reading by reading.

In:  a sensor's readings in event time, good and bad.
Out: marks: a condition began (told after its on-delay), or ended (told after its off-delay).
Pure: ``step(spec, watch, reading) -> (watch, marks)``; a Watch is never changed, so the states along a
stretch of readings can be kept, and a late reading is put in its place by folding again from there.

The life of an alarm follows ISA-18.2: limits with on-delay, off-delay and deadband.
"""

import math
from typing import NamedTuple

from schemas.alarms import Severity
from schemas.city import Sensor
from schemas.readings import Quality
from schemas.times import MINUTE, SECOND
from schemas.vocabulary import Vocabulary

FROZEN_CHANCE = 1e-9
"""A run of equal values is called frozen when chance would make one so long this seldom."""
FROZEN_RUN_MIN = 8
FROZEN_PAIRS_MIN = 60
"""Pairs of neighbouring readings to learn from, before a sensor can be called frozen."""
PAIRS_MAX = 2_000
"""Learned counts are halved here, so that what was long ago fades."""
RATE_GAP = 3
"""Intervals between two readings beyond which a rate of change says nothing."""


class Check(NamedTuple):
    """One condition that a sensor can show: its name, and the value's limit."""

    condition: str
    severity: Severity
    level: str
    limit: float


class Spec(NamedTuple):
    """A sensor of the city model, prepared for ``step``. Times in ms."""

    sensor: str
    asset: str
    utility: str
    every: int
    on_delay: int
    off_delay: int
    deadband: float
    lowest_quiet: float
    highest_quiet: float
    rate: float | None
    lows: tuple[Check, ...]
    highs: tuple[Check, ...]
    severities: dict[str, Severity]
    worse: dict[str, str]
    """By condition of a milder level: the condition of the worse one on its side."""


class Open(NamedTuple):
    """A condition under way: seen since, told or still within its on-delay, back to normal since."""

    condition: str
    since: int
    told: bool
    back_since: int | None = None


class Watch(NamedTuple):
    """What is remembered of one sensor."""

    at: int = -1
    """Event time of the last reading whose value counted."""
    value: float | None = None
    open: tuple[Open, ...] = ()
    run: int = 0
    """Readings in a row that equal the one before them."""
    run_since: int = -1
    pairs: int = 0
    equal: int = 0


class Mark(NamedTuple):
    """A condition began at ``onset`` (``cleared`` None), or that one ended at ``cleared``."""

    condition: str
    onset: int
    cleared: int | None = None


NO_MARKS: tuple[Mark, ...] = ()
BAD = int(Quality.BAD)
_tuple = tuple.__new__
"""Makes a named tuple in a third of the time that its own constructor takes; for what is made by reading."""


def prepare(sensor: Sensor, utility: str, vocabulary: Vocabulary) -> Spec:
    """The sensor as ``step`` wants it."""
    limits = sensor.limits
    on_delay = round(sensor.on_delay * SECOND)

    def check(level: str, limit: float | None) -> tuple[Check, ...]:
        if limit is None:
            return ()
        severity = Severity.CRITICAL if level in ("low_low", "high_high") else Severity.WARNING
        return (Check(vocabulary.condition(sensor.quantity, level), severity, level, limit),)

    lows = check("low_low", limits.low_low) + check("low", limits.low)
    highs = check("high_high", limits.high_high) + check("high", limits.high)
    return Spec(
        sensor=sensor.id,
        asset=sensor.asset,
        utility=utility,
        every=round(sensor.every * SECOND),
        on_delay=on_delay,
        off_delay=on_delay if sensor.off_delay is None else round(sensor.off_delay * SECOND),
        deadband=sensor.deadband,
        lowest_quiet=max((c.limit for c in lows), default=-math.inf),
        highest_quiet=min((c.limit for c in highs), default=math.inf),
        rate=limits.rate,
        lows=lows,
        highs=highs,
        severities={c.condition: c.severity for c in (*lows, *highs)},
        worse={side[1].condition: side[0].condition for side in (lows, highs) if len(side) > 1},
    )


def step(spec: Spec, watch: Watch, at: int, value: float, quality: int) -> tuple[Watch, tuple[Mark, ...]]:
    """Take one reading, newer than the last.

    Returns the new watch, and the marks that this reading made.
    """
    if quality == BAD:
        return _step_bad(spec, watch, at)
    last_at, last, underway, run, run_since, pairs, equal = watch
    if value == last:
        run += 1
        if run == 1:
            run_since = last_at
    else:
        run = 0
    if run < FROZEN_RUN_MIN:  # a run that long says more about itself than about the sensor
        pairs += 1
        equal += run
        if pairs >= PAIRS_MAX:
            pairs //= 2
            equal //= 2
    quiet = spec.lowest_quiet <= value <= spec.highest_quiet and run < FROZEN_RUN_MIN and spec.rate is None
    if quiet and not underway:
        return _tuple(Watch, (at, value, (), run, run_since, pairs, equal)), NO_MARKS
    shown = _shown(spec, watch, at, value)
    if run >= FROZEN_RUN_MIN and value != 0 and not shown and _frozen(run, pairs, equal):
        shown["frozen"] = run_since
    marks = NO_MARKS
    if not _steady(spec, underway, shown):
        underway, marks = _advance(spec, underway, shown, at)
    return _tuple(Watch, (at, value, underway, run, run_since, pairs, equal)), marks


def _steady(spec: Spec, underway: tuple[Open, ...], shown: dict[str, int]) -> bool:
    """Whether all under way simply goes on: the usual case in a long alarm."""
    if len(underway) != len(shown):
        return False
    if len(underway) == 1:
        return underway[0].told and underway[0].back_since is None and underway[0].condition in shown
    told = {o.condition for o in underway if o.told}
    return all(
        o.condition in shown and o.back_since is None and (o.told or spec.worse.get(o.condition) in told)
        for o in underway
    )


def _step_bad(spec: Spec, watch: Watch, at: int) -> tuple[Watch, tuple[Mark, ...]]:
    """A bad reading's value is not looked at: what was under way stays as it is."""
    kept = tuple(o for o in watch.open if o.condition != "bad_quality")
    shown = {"bad_quality": at}
    changed, marks = _advance(spec, tuple(o for o in watch.open if o.condition == "bad_quality"), shown, at)
    return watch._replace(open=kept + changed, run=0), marks


def _frozen(run: int, pairs: int, equal: int) -> bool:
    """Whether a run of equal values is too long for a sensor whose values usually differ.

    The share of equal neighbours is learned with one equal pair too many (rule of succession).
    """
    if pairs < FROZEN_PAIRS_MIN:
        return False
    share = (equal + 1) / (pairs + 2)
    return run * math.log(share) <= math.log(FROZEN_CHANCE)


def _shown(spec: Spec, watch: Watch, at: int, value: float) -> dict[str, int]:
    """Conditions that this reading shows, each with the time from which.

    Deadband: a condition that was told holds until the value is back by more than the deadband.
    """
    told = {o.condition for o in watch.open if o.told}
    shown: dict[str, int] = {}
    for check in spec.lows:
        if value < check.limit + (spec.deadband if check.condition in told else 0):
            shown.setdefault(check.condition, at)
    for check in spec.highs:
        if value > check.limit - (spec.deadband if check.condition in told else 0):
            shown.setdefault(check.condition, at)
    if spec.rate is not None and watch.value is not None and at - watch.at <= RATE_GAP * spec.every:
        minutes = (at - watch.at) / MINUTE
        if abs(value - watch.value) > spec.rate * minutes:
            shown["rate"] = watch.at
    return shown


IMMEDIATE = frozenset({"frozen", "rate"})
"""Conditions that a single reading proves: no on-delay."""


def _advance(
    spec: Spec, underway: tuple[Open, ...], shown: dict[str, int], at: int
) -> tuple[tuple[Open, ...], tuple[Mark, ...]]:
    """Carry each condition one reading further through its life."""
    marks: list[Mark] = []
    after: list[Open] = []
    known = {o.condition: o for o in underway}
    for condition in (*known, *(c for c in shown if c not in known)):
        was = known.get(condition)
        if condition in shown:
            now = was._replace(back_since=None) if was else Open(condition, shown[condition], False)
            delay = 0 if condition in IMMEDIATE else _on_delay(spec, condition)
            after.append(now._replace(told=True) if now.told or at - now.since >= delay else now)
        elif was is not None and was.told:
            back_since = was.back_since or at
            if condition == "frozen" or at - back_since >= spec.off_delay:
                marks.append(Mark(condition, was.since, back_since))
            else:
                after.append(was._replace(back_since=back_since))
    after = _most_severe(spec, after, known)
    told_before = {o.condition for o in underway if o.told}
    marks += [Mark(o.condition, o.since) for o in after if o.told and o.condition not in told_before]
    return tuple(after), tuple(marks)


def _on_delay(spec: Spec, condition: str) -> int:
    return max(spec.on_delay, 2 * spec.every) if condition == "bad_quality" else spec.on_delay


def _most_severe(spec: Spec, after: list[Open], known: dict[str, Open]) -> list[Open]:
    """Of one side's levels that would be told together, tell the most severe only.

    ``low`` goes on untold while ``low_low`` is told, and is told if it outlasts it; if it was told
    first, both stand.
    """
    told = {o.condition for o in after if o.told}
    hushed = {milder for milder, worse in spec.worse.items() if worse in told}
    hushed -= {c for c, o in known.items() if o.told}
    return [o._replace(told=False) if o.condition in hushed else o for o in after]
