"""What a sink makes of Kafka's records: lines to write, letters for what can't be read. Pure.

In:  records of the topics of readings, alarms, incidents and notifications, in the order of each partition.
Out: a batch of lines by bucket, and where each partition goes on after it.
Promises: what a cut-off worker says after its successor has said it is passed over, as an alarm's point would
go back to what it was. The places up to which alarms and incidents were taken go along with the offset of
their partition.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import ValidationError

from runner.influx.letters import KEPT_BYTES
from runner.influx.lines import Fact, Lines, by_bucket
from runner.kafka.records import Repeats, is_of, kind_of
from runner.kafka.stages import Record
from schemas.alarms import AlarmChange
from schemas.incidents import IncidentRevision
from schemas.notifications import Notification
from schemas.points import RAW
from schemas.readings import DeadLetter, Frame
from schemas.topics import ALARMS, INCIDENTS, NOTIFICATIONS, READINGS, Topic

SOURCES = (READINGS, ALARMS, INCIDENTS, NOTIFICATIONS)


class At(NamedTuple):
    """A partition of a topic."""

    topic: Topic
    partition: int


@dataclass(slots=True)
class Batch:
    """What waits to be written."""

    lines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By bucket."""
    letters: list[DeadLetter] = field(default_factory=list)
    next: dict[At, int] = field(default_factory=dict)
    """The offset at which each partition goes on."""

    @property
    def size(self) -> int:
        """Points."""
        return sum(map(len, self.lines.values()))


class Taking:
    """The records of one city, on the way to points."""

    def __init__(self, lines: Lines, city: str) -> None:
        self._lines, self._city = lines, city
        self._repeats: dict[At, Repeats] = defaultdict(Repeats)
        """Of alarms and incidents."""
        self.batch = Batch()
        self.counts: Counter[str] = Counter()
        """Records ``taken``, and ``broken`` ones."""

    def begin(self, at: At, note: str) -> None:
        """Go on with a partition, with the note that was kept with its offset."""
        known = {part: (one, two) for part, (one, two) in json.loads(note or "{}").items()}
        self._repeats[at] = Repeats(known)

    def note(self, at: At) -> str:
        """What to keep with a partition's offset."""
        return json.dumps(self._repeats[at].newest) if at in self._repeats else ""

    def take(self, at: At, record: Record) -> None:
        """One record; what is not of the city is passed over."""
        self.batch.next[at] = record.offset + 1
        self.counts["taken"] += 1
        try:
            self._take(at, record)
        except (ValidationError, ValueError) as error:
            self.counts["broken"] += 1
            reason = f"no point was made of it: {error}"
            self.batch.letters.append(
                DeadLetter(
                    received=record.at,
                    topic=at.topic.name,
                    payload=record.value[:KEPT_BYTES],
                    size=len(record.value),
                    reason=reason,
                )
            )

    def _take(self, at: At, record: Record) -> None:
        match at.topic.name:
            case READINGS.name if record.key.startswith(f"{self._city}/"):
                if kind_of(record.headers) == "frame":
                    frame = Frame.model_validate_json(record.value)
                    self.batch.lines[RAW.name] += self._lines.frame(frame)
            case ALARMS.name if is_of(self._city, record.headers):
                if (
                    kind_of(record.headers) == "alarm-change"  # people's answers lie there too
                    and self._repeats[at].is_new(record.headers)
                ):
                    self._add(AlarmChange.model_validate_json(record.value))
            case INCIDENTS.name if is_of(self._city, record.headers):
                if self._repeats[at].is_new(record.headers):
                    self._add(IncidentRevision.model_validate_json(record.value))
            case NOTIFICATIONS.name if is_of(self._city, record.headers):
                self._add(Notification.model_validate_json(record.value))

    def _add(self, fact: Fact) -> None:
        for bucket, said in by_bucket(self._lines.of(fact)).items():
            self.batch.lines[bucket] += said
