"""Replay from Kafka: the readings of all partitions through the stages of the workers, in one process.

In:  the topic of readings, between two times of writing.
Out: what the workers say of it, as ``runner.replay`` puts it down.
Promises: the bytes of the file replay of the same messages, where one collector took them; no group's offsets
are touched. The partition that is behind in stream time is always read next, so that memory does not grow
with the topic.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from runner.core import Outputs
from runner.kafka.correlating import Correlate, JoinDomains
from runner.kafka.plan import Plan
from runner.kafka.reading import count_of, read
from runner.kafka.records import Districts, Place, headers_of, kind_of
from runner.kafka.settings import KafkaSettings
from runner.kafka.stages import Detect, DetectPart, Output, Part, Record
from schemas import topics
from schemas.alarms import AlarmChange
from schemas.alerting import Policy
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.notifications import Decision, Notification
from schemas.readings import DeadLetter, Frame, Tick
from schemas.topics import READINGS, Topic
from schemas.vocabulary import Vocabulary
from streams.causes import Causes

FAULTS_MAX = 100


class KafkaSource:
    """The readings of a city on a Kafka. ``finish``: where they end, the input has ended.

    Raises KafkaFailed where Kafka does not answer or lacks a topic.
    """

    def __init__(
        self,
        city: City,
        vocabulary: Vocabulary,
        causes: Causes,
        settings: KafkaSettings,
        start: int | None = None,
        end: int | None = None,
        *,
        finish: bool = True,
        policy: Policy | None = None,
    ) -> None:
        self.name, self.city = f"{settings.address}/{settings.name(READINGS)}", city.city
        self._settings, self._start, self._end, self._finish = settings, start, end, finish
        plan = Plan(city, vocabulary, causes, settings)
        whole = Districts(city, causes, 1)
        detect = Detect(city, vocabulary, plan.layout, whole)
        self._parts: dict[int, DetectPart] = {
            number: part for number in plan.layout.sensors if (part := detect.part(number)) is not None
        }
        self._after: dict[Topic, tuple[str, Part | None]] = {
            stage.source: (stage.name, stage.part(0))
            for stage in (
                Correlate(city, vocabulary, causes, plan.layout, whole, policy),
                JoinDomains(city, causes, whole, 0, policy),
            )
        }
        """The stages after detection, by what they listen to: each is one part here."""
        self._records = self._passed = 0
        self._faults: list[str] = []
        self._broken = 0

    @property
    def stream_time(self) -> int | None:
        """How far the input has got."""
        return max((part.stream_time for part in self._parts.values() if part.stream_time), default=None)

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions that carry the city."""
        return tuple(self._parts)

    def outputs(self) -> Iterator[Outputs]:
        """All that is said, to the end of the input."""
        left = {
            number: read(self._settings, READINGS, number, self._start, self._end) for number in self._parts
        }
        while left:
            number = min(left, key=lambda one: (self._parts[one].stream_time or 0, one))
            record = next(left[number], None)
            if record is None:
                del left[number]
                continue
            self._records += 1
            yield self._step(number, record)
        if self._finish and (now := self.stream_time) is not None:  # what was waiting for time to move
            tick = Tick(at=now).model_dump_json().encode()
            for number in self._parts:
                yield self._step(number, Record(2**62, 0, self.city, tick, {}))

    def _step(self, number: int, record: Record) -> Outputs:
        outputs = Outputs()
        self._pass_on(Detect.name, number, self._parts[number], record, outputs)
        return outputs

    def _pass_on(self, stage: str, number: int, part: Part, record: Record, into: Outputs) -> None:
        """A record through a part, and what follows through the stages behind it."""
        for index, output in enumerate(part.step(record)):
            self._take(output, into)
            name, behind = self._after.get(output.topic, ("", None))
            if behind is not None:
                place = Place(stage, number, record.offset, index)
                said = {key: str(value) for key, value in headers_of(self.city, place, output.kind)}
                self._passed += 1
                self._pass_on(name, 0, behind, Record(self._passed, 0, output.key, output.value, said), into)

    def _take(self, output: Output, into: Outputs) -> None:
        match output.topic:
            case topics.ALARMS if output.kind == "alarm-change":
                into.alarms.append(AlarmChange.model_validate_json(output.value))
            case topics.INCIDENTS:
                into.incidents.append(IncidentRevision.model_validate_json(output.value))
            case topics.NOTIFICATIONS:
                into.notifications.append(Notification.model_validate_json(output.value))
            case topics.DECISIONS:
                into.decisions.append(Decision.model_validate_json(output.value))
            case topics.DEAD_LETTERS:
                self._broken += 1
                if len(self._faults) < FAULTS_MAX:
                    self._faults.append(DeadLetter.model_validate_json(output.value).reason)

    def counts(self) -> dict[str, Any]:
        """What the summary tells of the input."""
        detect: Counter[str] = sum((Counter(part.counts) for part in self._parts.values()), start=Counter())
        return {
            "records": self._records,
            "detect": dict(sorted(detect.items())),
            "broken_records": self._broken,
            "first_broken_records": self._faults,
        }

    def nothing(self) -> str:
        """What to say where nothing of the input could be used."""
        return f"{self.name}: nothing to replay: {self._records} records of {self.city}, and no stream time"


def frames_on(
    settings: KafkaSettings, city: str, start: int | None = None, end: int | None = None
) -> Iterator[Frame]:
    """The readings of a city on a Kafka, partition by partition. Raises KafkaFailed."""
    for partition in range(count_of(settings, READINGS)):
        for record in read(settings, READINGS, partition, start, end):
            if kind_of(record.headers) == "frame" and record.key.startswith(f"{city}/"):
                yield Frame.model_validate_json(record.value)
