"""What the topics say of a city, gathered for a store. Pure.

In:  records of the topics that people look at, in the order of each partition.
Out: batches for a store, and where each partition goes on after them.
Promises: what workers say a second time is passed over; what can't be read is counted, and stops nothing.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from runner.kafka.records import Repeats, is_of, kind_of
from runner.kafka.stages import Record
from schemas.alarms import AlarmChange
from schemas.incidents import IncidentRevision
from schemas.notifications import Decision, Notification
from schemas.readings import RECORD, DeadLetter, Frame, Reading, Tick
from schemas.topics import ALARMS, DEAD_LETTERS, DECISIONS, INCIDENTS, NOTIFICATIONS, READINGS, Topic

SHOWN = (READINGS, ALARMS, INCIDENTS, NOTIFICATIONS, DECISIONS, DEAD_LETTERS)
"""What the console shows."""


@dataclass(slots=True)
class Batch:
    """What waits to be written."""

    readings: list[Reading] = field(default_factory=list)
    alarms: list[AlarmChange] = field(default_factory=list)
    incidents: list[IncidentRevision] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)


class Gathering:
    """The records of one city. ``state``: what another one of it told by ``snapshot``; where not given, it
    begins anew.
    """

    def __init__(self, city: str, state: dict[str, Any] | None = None) -> None:
        state = state or {"next": {}, "repeats": {}, "counts": {}, "stream_time": None}
        self._city = city
        self.next: dict[tuple[str, int], int] = {
            (topic, int(partition)): offset
            for topic, partitions in state["next"].items()
            for partition, offset in partitions.items()
        }
        """By name of a topic in the table and partition: the offset at which it goes on."""
        self._repeats = {
            int(partition): Repeats({part: (one, two) for part, (one, two) in newest.items()})
            for partition, newest in state["repeats"].items()
        }
        """By partition of the alarms."""
        self.counts: Counter[str] = Counter(state["counts"])
        self.stream_time: int | None = state["stream_time"]
        """How far collectors have got, ms since the epoch."""
        self.batch = Batch()

    def snapshot(self) -> dict[str, Any]:
        """Where it is, as JSON; without the batch, which must be written before."""
        next_: dict[str, dict[str, int]] = {}
        for (topic, partition), offset in self.next.items():
            next_.setdefault(topic, {})[str(partition)] = offset
        return {
            "next": next_,
            "repeats": {str(partition): found.newest for partition, found in self._repeats.items()},
            "counts": dict(self.counts),
            "stream_time": self.stream_time,
        }

    def take(self, topic: Topic, partition: int, record: Record) -> None:
        """One record; what is not of the city is passed over."""
        self.next[topic.name, partition] = record.offset + 1
        try:
            if topic is READINGS:
                self._take_readings(record)
            elif is_of(self._city, record.headers):
                self._take(partition, record)
        except ValueError:  # a ValidationError is one too; its dead letter is told by whoever thinks
            self.counts["broken_records"] += 1

    def _take_readings(self, record: Record) -> None:
        if record.key.partition("/")[0] != self._city:
            return
        found = RECORD.validate_json(record.value)
        if isinstance(found, Tick):
            self.stream_time = max(found.at, self.stream_time or 0)
            return
        self.counts["records"] += 1
        if isinstance(found, Frame):
            self.counts["readings"] += len(found)
            self.batch.readings += found.rows()

    def _take(self, partition: int, record: Record) -> None:
        batch = self.batch
        match kind_of(record.headers):
            case "alarm-change" if self._repeats.setdefault(partition, Repeats()).is_new(record.headers):
                batch.alarms.append(AlarmChange.model_validate_json(record.value))
            case "answer":
                self.counts["answers"] += 1
            case "incident-revision":
                batch.incidents.append(IncidentRevision.model_validate_json(record.value))
            case "notification":
                batch.notifications.append(Notification.model_validate_json(record.value))
            case "decision":
                batch.decisions.append(Decision.model_validate_json(record.value))
            case "dead-letter":
                self.counts["refused"] += 1
                batch.letters.append(DeadLetter.model_validate_json(record.value))
