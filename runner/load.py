"""Operator load, as ISA-18.2 and EEMUA 191 count it: what alarms and messages asked of people.

In:  alarms and messages, from one time to another.
Out: rates, floods, chattering, fleeting and stale alarms, bad actors, priorities.
Periods are whole ten minutes, as both standards have them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.alarms import Alarm, Severity, condition_words
from schemas.notifications import Notification
from schemas.times import DAY, HOUR, MINUTE

PERIOD = 10 * MINUTE
FLOOD_BEGINS = 10
"""More than so many in a period (ISA-18.2, 16.5.3)."""
FLOOD_ENDS = 5
"""Fewer than so many."""
CHATTER_TIMES, CHATTER_WITHIN = 3, MINUTE
FLEETING = MINUTE
STALE = DAY
ACTORS = 10
GOALS = {Severity.CRITICAL: 0.05, Severity.WARNING: 0.15, Severity.INFO: 0.80}
"""Shares of priorities that EEMUA 191 recommends."""
PAGES = ("opened", "escalated", "reminded")


class Rate(NamedTuple):
    """What one desk, or one utility, had to take."""

    name: str
    total: int
    a_day: float
    peak: int
    """Most in a period."""
    floods: int
    in_flood: float
    """Share of the time."""


class Actor(NamedTuple):
    """An alarm that came again and again."""

    name: str
    times: int
    share: float


class Load(NamedTuple):
    """All of it; times in ms."""

    start: int
    end: int
    desks: list[Rate]
    """By whom messages went to; those that wake somebody (pages) are counted."""
    utilities: list[Rate]
    """Alarms, as a panel in each control room would have shown them."""
    pages: int
    messages: int
    alarms: int
    actors: list[Actor]
    priorities: dict[Severity, float]
    chattering: list[str]
    fleeting: int
    stale: list[str]
    hours: list[tuple[int, int, int]]
    """Each hour with its alarms and its pages."""


def load_of(alarms: Sequence[Alarm], notes: Sequence[Notification], start: int, end: int) -> Load:
    """The load from ``start`` to before ``end``. An alarm counts when it was raised, a message when sent."""
    raised = [alarm for alarm in alarms if start <= alarm.raised < end]
    sent = [note for note in notes if start <= note.at < end]
    pages = [note for note in sent if note.kind in PAGES]
    names = Counter(_name(alarm) for alarm in raised)
    return Load(
        start=start,
        end=end,
        desks=_rates(((note.to, note.at) for note in pages), start, end),
        utilities=_rates(((alarm.utility, alarm.raised) for alarm in raised), start, end),
        pages=len(pages),
        messages=len(sent),
        alarms=len(raised),
        actors=[
            Actor(name, times, times / len(raised)) for name, times in names.most_common(ACTORS) if times > 1
        ],
        priorities={
            severity: sum(alarm.severity is severity for alarm in raised) / max(1, len(raised))
            for severity in Severity
        },
        chattering=_chattering(raised),
        fleeting=sum(
            alarm.cleared is not None and alarm.cleared - alarm.raised < FLEETING for alarm in raised
        ),
        stale=sorted(
            {
                _name(alarm)
                for alarm in alarms
                if alarm.raised < end and (alarm.cleared or end) - alarm.raised > STALE
            }
        ),
        hours=_hours([alarm.raised for alarm in raised], [note.at for note in pages], start, end),
    )


def floods(times: Iterable[int], start: int, end: int) -> tuple[int, int, int]:
    """Floods, periods in a flood, and the most in a period."""
    counts = Counter((at - start) // PERIOD for at in times)
    found = inside = 0
    flooded = False
    for period in range(-(-(end - start) // PERIOD)):
        if not flooded and counts[period] > FLOOD_BEGINS:
            flooded, found = True, found + 1
        elif flooded and counts[period] < FLOOD_ENDS:
            flooded = False
        inside += flooded
    return found, inside, max(counts.values(), default=0)


def _rates(what: Iterable[tuple[str, int]], start: int, end: int) -> list[Rate]:
    by_name: dict[str, list[int]] = defaultdict(list)
    for name, at in what:
        by_name[name].append(at)
    found = []
    for name, times in sorted(by_name.items()):
        count, inside, peak = floods(times, start, end)
        in_flood = inside * PERIOD / (end - start)
        found.append(Rate(name, len(times), len(times) * DAY / max(DAY, end - start), peak, count, in_flood))
    return found


def _chattering(raised: Iterable[Alarm]) -> list[str]:
    """Alarms that came three times within a minute."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for alarm in raised:
        by_name[_name(alarm)].append(alarm.raised)
    return sorted(
        name
        for name, times in by_name.items()
        if any(
            last - first < CHATTER_WITHIN
            for ordered in [sorted(times)]
            for first, last in zip(ordered, ordered[CHATTER_TIMES - 1 :], strict=False)
        )
    )


def _hours(alarms: Iterable[int], pages: Iterable[int], start: int, end: int) -> list[tuple[int, int, int]]:
    of_alarms, of_pages = (Counter((at - start) // HOUR for at in times) for times in (alarms, pages))
    count = -(-(end - start) // HOUR)
    return [(start + hour * HOUR, of_alarms[hour], of_pages[hour]) for hour in range(count)]


def _name(alarm: Alarm) -> str:
    return f"{alarm.asset} {condition_words(alarm.condition)}"
