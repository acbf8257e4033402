"""Operator load of the last day, live, for Prometheus: what ``crosscurrent report`` tells of a week.

In:  alarms, messages and decisions as they come, or as a store has them; stream time.
Out: figures: by desk and by utility, floods, chatter, stale alarms, bad actors, priorities, decisions.
Promises: bounded by what a day brings; what comes twice counts once.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from runner.load import PERIOD, Load, load_of
from runner.metrics import Figure
from schemas.alarms import Alarm, AlarmChange
from schemas.notifications import Decision, Notification
from schemas.times import DAY

SPAN = DAY
PRUNE_EVERY = 1_000
"""So many things later what is too old is let go."""


class LoadWatch:
    """What came in the last day. One thread tells it, another may ask for figures."""

    def __init__(self) -> None:
        self._alarms: dict[str, Alarm] = {}
        self._notes: dict[str, Notification] = {}
        self._decisions: dict[str, Decision] = {}
        self._now = 0
        self._taken = 0

    def take(self, found: AlarmChange | Notification | Decision | int) -> None:
        """One more thing; an int is stream time."""
        match found:
            case AlarmChange(alarm=alarm, change="retracted"):
                self._alarms.pop(alarm.id, None)
            case AlarmChange(alarm=alarm):
                self._alarms[alarm.id] = alarm
            case Notification():
                self._notes[found.id] = found
            case Decision():
                self._decisions[found.id] = found
        at = found if isinstance(found, int) else getattr(found, "at", 0)
        self._now = max(self._now, at)
        self._taken += 1
        if self._taken % PRUNE_EVERY == 0:
            self._prune()

    def figures(self) -> Iterator[Figure]:
        """How it stands. Any thread may ask."""
        alarms, notes = list(self._alarms.copy().values()), list(self._notes.copy().values())
        return figures_of_load(alarms, notes, list(self._decisions.copy().values()), self._now)

    def _prune(self) -> None:
        since = self._now - SPAN
        self._alarms = {
            id_: one for id_, one in self._alarms.items() if one.cleared is None or one.raised >= since
        }
        self._notes = {id_: one for id_, one in self._notes.items() if one.at >= since}
        self._decisions = {id_: one for id_, one in self._decisions.items() if one.at >= since}


def figures_of_load(
    alarms: Sequence[Alarm], notes: Sequence[Notification], decisions: Sequence[Decision], now: int
) -> Iterator[Figure]:
    """The figures of the day up to and with ``now``; ``alarms`` hold also those that stand since before."""
    end = now + 1
    load = load_of(alarms, notes, end - SPAN, end)
    recent = load_of((), notes, end - PERIOD, end)
    yield from _of_desks(load, recent)
    for rate in load.utilities:
        labels = {"utility": rate.name}
        yield _gauge("alarms_last_day", "Alarms of the last day.", rate.total, labels)
        yield _gauge("alarms_ten_minutes_max", "Most alarms in ten minutes.", rate.peak, labels)
        yield _gauge(
            "alarm_flood_ratio", "Share of the last day in a flood of alarms.", rate.in_flood, labels
        )
    for severity, share in load.priorities.items():
        says = "Share of the last day's alarms by priority."
        yield _gauge("alarm_priority_ratio", says, share, {"severity": str(severity)})
    for actor in load.actors:
        yield _gauge(
            "bad_actor_alarms", "The alarms that came most often.", actor.times, {"alarm": actor.name}
        )
    yield _gauge("alarms_chattering", "Alarms that came thrice within a minute.", len(load.chattering))
    yield _gauge("alarms_fleeting", "Alarms that stood for less than a minute.", load.fleeting)
    yield _gauge("alarms_stale", "Alarms that stood for more than a day.", len(load.stale))
    counted = Counter((one.stage, one.verdict) for one in decisions if one.at >= end - SPAN)
    for (stage, verdict), count in sorted(counted.items()):
        says = "Decisions of the last day on who is told."
        yield _gauge("decisions_last_day", says, count, {"stage": stage, "verdict": verdict})


def _of_desks(load: Load, recent: Load) -> Iterator[Figure]:
    now = {rate.name: rate.total for rate in recent.desks}
    for rate in load.desks:
        labels = {"desk": rate.name}
        yield _gauge("pages_last_day", "Pages of the last day, by whom they went to.", rate.total, labels)
        yield _gauge("pages_ten_minutes", "Pages of the last ten minutes.", now.get(rate.name, 0), labels)
        yield _gauge("pages_ten_minutes_max", "Most pages in ten minutes.", rate.peak, labels)
        yield _gauge("page_floods", "Floods of pages in the last day.", rate.floods, labels)
        yield _gauge("page_flood_ratio", "Share of the last day in a flood of pages.", rate.in_flood, labels)


def _gauge(name: str, says: str, value: float, labels: dict[str, str] | None = None) -> Figure:
    return Figure(f"crosscurrent_{name}", "gauge", says, value, labels or {})
