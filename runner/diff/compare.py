"""Two tellings of one day: what is new, lost, earlier, later, re-rooted, re-grouped; and why.

In:  ``Told`` before and after, what changed between the versions, a clock for words.
Out: differences, in the order of their times.
Pure. Things are paired one to one, nearest first: alarms of one sensor and condition that overlap or begin
within PAIR_WITHIN; incidents by the members that they share; pages of two paired incidents by kind, whom
they went to, and time. What finds no partner is new or lost. docs/diff.md tells it in words.
"""

from collections.abc import Iterator, Sequence

from runner.diff.changes import Changes
from runner.diff.incidents import REASONS_MAX, Incidents
from runner.diff.pairing import FOREVER, PAIR_WITHIN, Clock, Pairs, by, difference, paired
from runner.diff.told import WHATS, Difference, Move, Told
from runner.outputs import SeenAlarm


def compare(before: Told, after: Told, changes: Changes, clock: Clock) -> list[Difference]:
    """Everything that differs, with reasons."""
    alarms = list(_alarms(before.outputs.alarms, after.outputs.alarms, changes, clock))
    found = Incidents(before, after, alarms, changes, clock)
    differences = [*alarms, *found.differences(), *found.pages()]
    return sorted(
        differences, key=lambda one: (one.at, WHATS.index(one.what), one.subject, one.move, one.after or "")
    )


def _alarms(
    before: Sequence[SeenAlarm], after: Sequence[SeenAlarm], changes: Changes, clock: Clock
) -> Iterator[Difference]:
    left, right = (by(side, lambda a: (a.asset, a.condition, a.sensor or "")) for side in (before, after))
    for key in sorted({*left, *right}):
        pairs = _pairs(left.get(key, []), right.get(key, []))
        reasons = _alarm_reasons(key[0], key[2], changes)
        subject = f"{key[0]} {key[1]}"

        def told(
            move: Move,
            was: SeenAlarm | None,
            is_: SeenAlarm | None,
            subject: str = subject,
            reasons: tuple[str, ...] = reasons,
        ) -> Difference:
            return difference("alarm", move, subject, _life(was, clock), _life(is_, clock), reasons)

        yield from (told("lost", one, None) for one in pairs.lost)
        yield from (told("new", None, one) for one in pairs.new)
        for one, other in pairs.both:
            if one.raised != other.raised:
                yield told("earlier" if other.raised < one.raised else "later", one, other)
            elif (one.cleared, one.severity) != (other.cleared, other.severity):
                yield told("changed", one, other)


def _pairs(before: Sequence[SeenAlarm], after: Sequence[SeenAlarm]) -> Pairs:
    """Those of one onset at once, as there may be thousands; the others nearest first."""
    then = {one.raised: one for one in after}
    same = [(one, then.pop(one.raised)) for one in before if one.raised in then]
    onsets = {one.raised for one, _ in same}
    rest = paired([one for one in before if one.raised not in onsets], list(then.values()), _alarm_distance)
    return Pairs([*same, *rest.both], rest.lost, rest.new)


def _alarm_distance(one: SeenAlarm, other: SeenAlarm) -> tuple[int, int] | None:
    begins = abs(one.raised - other.raised)
    ends, others_end = one.cleared or FOREVER, other.cleared or FOREVER
    overlap = one.raised < others_end and other.raised < ends
    return (begins, abs(ends - others_end)) if overlap or begins <= PAIR_WITHIN else None


def _life(alarm: SeenAlarm | None, clock: Clock) -> tuple[int, str] | None:
    if alarm is None:
        return None
    until = clock(alarm.cleared) if alarm.cleared is not None else "the end"
    return alarm.raised, f"{clock(alarm.raised)} to {until}" + (
        f", {alarm.severity}" if alarm.severity else ""
    )


def _alarm_reasons(asset: str, sensor: str, changes: Changes) -> tuple[str, ...]:
    if sensor in changes.sensors:
        return (changes.sensors[sensor],)
    if own := changes.of_asset(asset):
        return tuple(own[:REASONS_MAX])
    if others := list(changes.sensors.values()):
        said = "the asset has no change of its own; sensors that are looked at together with it may have: "
        return (said + "; ".join(others[:REASONS_MAX]),)
    return changes.others[:REASONS_MAX]
