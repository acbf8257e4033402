"""The ledger: is all that was let in on Kafka, and does all that follows from it stand where it should?

In:  the topics of a city; if wanted, the recording of what was published, and an InfluxDB.
Out: for readings, alarms, incidents and notifications: what is due, what is there, and by id what is missing,
     what nobody can explain, and what is there twice.
Promises: what is due is computed anew, from the readings and people's answers, by the thinking of the
workers. Nothing is written. Memory grows with what was concluded, and by a byte a record; with a recording,
by its readings too.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.intake import Intake
from collectors.recording import read as read_recording
from runner.core import Core, Outputs
from runner.kafka.answering import given
from runner.kafka.arrivals import Arrivals
from runner.kafka.merging import KafkaLog, in_blocks
from runner.kafka.plan import Plan
from runner.kafka.reading import count_of, read
from runner.kafka.records import kind_of, place_of
from runner.kafka.replaying import frames_on
from runner.kafka.settings import KafkaSettings
from runner.metrics import Figure
from runner.replay import BLOCKS_FROM, batches
from schemas.alarms import AlarmChange
from schemas.alerting import Policy
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.notifications import Decision, Notification
from schemas.readings import Frame
from schemas.times import rfc3339
from schemas.topics import ALARMS, DECISIONS, INCIDENTS, NOTIFICATIONS, Topic
from schemas.vocabulary import Vocabulary
from streams.causes import Causes

if TYPE_CHECKING:
    from runner.influx.held import Held


@dataclass(frozen=True, slots=True)
class Account:
    """One kind of thing: what is due and what is there, by id."""

    kind: str
    due: Counter[str]
    there: Counter[str]

    @property
    def missing(self) -> list[str]:
        """Due, and not there."""
        return sorted(self.due.keys() - self.there.keys())

    @property
    def unexplained(self) -> list[str]:
        """There, and not due."""
        return sorted(self.there.keys() - self.due.keys())

    @property
    def twice(self) -> list[str]:
        """There more often than due: harmless, as readers know them by their ids."""
        return sorted(one for one, count in self.there.items() if 0 < self.due[one] < count)


class Ledger:
    """Accounts of one city, for what has its time (event time, or stream time when it was known) between
    ``start`` and ``end`` (ms, the end left out). Raises KafkaFailed.
    """

    def __init__(
        self,
        city: City,
        vocabulary: Vocabulary,
        causes: Causes,
        settings: KafkaSettings,
        start: int | None = None,
        end: int | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._city, self._settings = city, settings
        self._start, self._end = start, end
        self._log = KafkaLog(city, settings, finish=False)
        self._core = Core(city, vocabulary, causes, policy, told=True)
        self._desk = Plan(city, vocabulary, causes, settings, policy).correlate()[-1]
        self._due: dict[str, Counter[str]] = {kind: Counter() for kind in SAID}
        self._alarms: dict[str, AlarmChange] = {}
        """The newest that is due of each alarm."""
        self._known = 0
        """Stream time when the readings ended: what is known later can't be there yet."""

    def arrivals(self) -> Arrivals:
        """What reached the collectors, and what they wrote."""
        return Arrivals(self._settings, self._city.city, self._start, self._end)

    def readings(self, recording: Path) -> Account:
        """Readings of the recording that the intake lets in, against those on Kafka."""
        return Account("reading", Counter(self._published(recording)), Counter(self._kept()))

    def conclusions(self) -> list[Account]:
        """What follows from the readings on Kafka, against what the workers said."""
        records = self._log.records()
        answers = deque(given(self._city.city, self._desk, self._settings))
        ahead: list[AlarmChange] = []
        for record in in_blocks(records) if len(self._city.sensors) >= BLOCKS_FROM else records:
            outputs = self._core.step(record)
            self._known = self._core.stream_time or 0
            changes, ahead = ahead + outputs.alarms, []
            for change in changes:
                if change.known_at <= self._known:
                    self._count(self._due["alarm change"], _alarm_id(change), change.known_at)
                    self._alarms[change.alarm.id] = change
                else:
                    ahead.append(change)
            self._hear(outputs)
            while answers and answers[0][0] <= self._known:
                self._hear(self._core.step(answers.popleft()[1]))
        return [
            Account(kind, self._due[kind], self._there(topic, said)) for kind, (topic, said) in SAID.items()
        ]

    def _hear(self, outputs: Outputs) -> None:
        """Count what follows from alarms."""
        due = self._due
        for revision in outputs.incidents:
            self._count(due["incident revision"], _revision_id(revision), revision.known_at)
        for note in outputs.notifications:
            self._count(due["notification"], note.id, note.at)
        for decision in outputs.decisions:
            self._count(due["decision"], decision.id, decision.at)

    def points(self, held: "Held") -> list[Account]:
        """What an InfluxDB holds, against the readings on Kafka and what follows from them; to be asked after
        ``conclusions``. Raises InfluxFailed.
        """
        alarms: Counter[str] = Counter()
        for change in self._alarms.values():
            alarm = change.alarm
            state = "retracted" if change.change == "retracted" else _state(alarm.cleared)
            self._count(alarms, f"{alarm.id} {state}", change.known_at)
        due = {**self._due, "reading": Counter(set(self._kept())), "alarm": alarms}
        there: dict[str, Counter[str]] = {kind: Counter() for kind in HELD}
        for kind, name, at in self._held(held):
            self._count(there[kind], name, at)
        return [Account(f"{kind} point", due[kind], there[kind]) for kind in HELD]

    def _held(self, held: "Held") -> Iterator[tuple[str, str, int]]:
        """Kind, id and time of all that an InfluxDB holds and that can be due by now."""
        known = self._known
        for sensor, at in held.readings():
            yield "reading", f"{sensor} {rfc3339(at)}", at
        for id_, state, cleared, at in held.alarms():
            if at <= known:
                yield "alarm", f"{id_} {state if state == 'retracted' else _state(cleared or None)}", at
        for id_, number, at in held.revisions():
            if at <= known:
                yield "incident revision", f"{id_} revision {number}", at
        for id_, at in held.notifications():
            if at <= known:
                yield "notification", id_, at

    def _published(self, recording: Path) -> Iterator[str]:
        intake = Intake(self._city)
        for batch in batches(read_recording(recording, lambda *_: None)):
            for record in intake.step(batch).records:
                if isinstance(record, Frame):
                    yield from self._ids(record)

    def _kept(self) -> Iterator[str]:
        for frame in frames_on(self._settings, self._city.city):
            yield from self._ids(frame)

    def _ids(self, frame: Frame) -> Iterator[str]:
        for sensor, at in zip(frame.sensors, frame.at, strict=True):
            if self._is_asked(at) and sensor in self._city.sensor_by_id:
                yield f"{sensor} {rfc3339(at)}"

    def _there(self, topic: Topic, said: Callable[[bytes], tuple[str, int]]) -> Counter[str]:
        """What is on a topic, each repetition by a worker that started anew counted as one more."""
        found: Counter[str] = Counter()
        for partition in range(count_of(self._settings, topic)):
            for record in read(self._settings, topic, partition):
                if kind_of(record.headers) in {"tick", "alarm-overheard"} or not self._is_ours(
                    record.headers
                ):
                    continue
                name, at = said(record.value)
                if at <= self._known:
                    self._count(found, name, at)
        return found

    def _is_ours(self, headers: dict[str, str]) -> bool:
        try:
            place_of(headers)
        except ValueError:
            return False
        return headers["ce_source"].split("/")[1] == self._city.city

    def _count(self, into: Counter[str], name: str, at: int) -> None:
        if self._is_asked(at):
            into[name] += 1

    def _is_asked(self, at: int) -> bool:
        return (self._start is None or at >= self._start) and (self._end is None or at < self._end)


def _state(cleared: int | None) -> str:
    return "standing" if cleared is None else f"cleared {rfc3339(cleared)}"


def _alarm_id(change: AlarmChange) -> str:
    cleared = "" if change.alarm.cleared is None else f" until {rfc3339(change.alarm.cleared)}"
    return f"{change.alarm.id} {change.change} at {rfc3339(change.known_at)}{cleared}"


def _revision_id(revision: IncidentRevision) -> str:
    return f"{revision.id} revision {revision.revision}"


def _said_alarm(value: bytes) -> tuple[str, int]:
    change = AlarmChange.model_validate_json(value)
    return _alarm_id(change), change.known_at


def _said_revision(value: bytes) -> tuple[str, int]:
    revision = IncidentRevision.model_validate_json(value)
    return _revision_id(revision), revision.known_at


def _said_note(value: bytes) -> tuple[str, int]:
    note = Notification.model_validate_json(value)
    return note.id, note.at


def _said_decision(value: bytes) -> tuple[str, int]:
    decision = Decision.model_validate_json(value)
    return decision.id, decision.at


SAID: dict[str, tuple[Topic, Callable[[bytes], tuple[str, int]]]] = {
    "alarm change": (ALARMS, _said_alarm),
    "incident revision": (INCIDENTS, _said_revision),
    "notification": (NOTIFICATIONS, _said_note),
    "decision": (DECISIONS, _said_decision),
}
"""By kind: where it is said, and the id and time of one."""
HELD = ("reading", "alarm", "incident revision", "notification")
"""What an InfluxDB holds."""


def faults(accounts: Iterable[Account]) -> list[str]:
    """What is missing or unexplained, a line each."""
    return [
        f"{what}  {account.kind}  {one}"
        for account in accounts
        for what, ids in (("missing", account.missing), ("unexplained", account.unexplained))
        for one in ids
    ]


def figures(accounts: Iterable[Account]) -> Iterator[Figure]:
    """How many are due, missing and unexplained, by kind."""
    for account in accounts:
        kind = {"kind": account.kind}
        yield Figure("crosscurrent_ledger_due", "gauge", "", len(account.due), kind)
        yield Figure("crosscurrent_ledger_missing", "gauge", "", len(account.missing), kind)
        yield Figure("crosscurrent_ledger_unexplained", "gauge", "", len(account.unexplained), kind)
