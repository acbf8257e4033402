"""The two stages of the thinking, each cut into the parts that partitions carry. Pure.

In:  records of one partition, in order.
Out: what follows from each record, for other topics; a state to go on from.
Promises: the same records give the same outputs, in the same order and number, from the start or from a
restored state; a record that means nothing here becomes a dead letter, and nothing raises for what is in one.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from alerts.desk import Desk, Said
from runner.core import STATE_VERSION
from runner.kafka.records import Layout, kind_of, place_of
from schemas.alarms import AlarmChange
from schemas.alerting import Policy
from schemas.city import City
from schemas.errors import BadPayload
from schemas.notifications import Decision
from schemas.readings import RECORD, DeadLetter, Tick
from schemas.topics import ALARMS, DEAD_LETTERS, DECISIONS, INCIDENTS, NOTIFICATIONS, READINGS, Topic
from schemas.vocabulary import Vocabulary
from streams.causes import Causes
from streams.clock import ToldClock
from streams.correlation import Correlation
from streams.detect import Detector
from streams.merge import Merge
from streams.sites import part_of

KEPT_BYTES = 64 * 1024


class Record(NamedTuple):
    """One record of the stage's own topic."""

    offset: int
    at: int
    """When it was written, ms since the epoch."""
    key: str
    value: bytes
    headers: dict[str, str]


class Output(NamedTuple):
    """One record to be written; ``kind`` is a name of ``schemas.export``."""

    topic: Topic
    key: str
    kind: str
    value: bytes


class Part(Protocol):
    """What one partition needs."""

    def step(self, record: Record) -> Iterator[Output]:
        """What follows from a record."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises ValueError where another version of us wrote it."""
        ...


class Stage(Protocol):
    """One step of the way, over all its partitions."""

    name: str
    source: Topic
    partitions: Collection[int]
    """Those that carry something of the city."""

    def part(self, partition: int) -> Part | None:
        """The work on one partition; None where it carries nothing of the city."""
        ...


class Detect:
    """Readings to alarms, a part for each partition of the readings."""

    name = "detect"
    source = READINGS

    def __init__(self, city: City, vocabulary: Vocabulary, layout: Layout) -> None:
        self._city, self._vocabulary, self._layout = city, vocabulary, layout
        self.partitions: Collection[int] = layout.assets.keys()

    def part(self, partition: int) -> "DetectPart | None":
        """Detection of the sites on one partition."""
        assets = self._layout.assets.get(partition)
        return None if assets is None else DetectPart(part_of(self._city, assets), self._vocabulary)


class DetectPart:
    """Detection of some sites."""

    def __init__(self, city: City, vocabulary: Vocabulary) -> None:
        self._city = city.city
        self._detector = Detector(city, vocabulary, clock=ToldClock(len(city.sensors_of)))

    @property
    def stream_time(self) -> int | None:
        """How far the input has got."""
        return self._detector.stream_time

    @property
    def counts(self) -> Counter[str]:
        """Readings taken, and those that were duplicates, late, of the future, or unknown."""
        return self._detector.counts

    def step(self, record: Record) -> Iterator[Output]:
        """Alarm changes, and stream time each time it moved."""
        if record.key.partition("/")[0] != self._city:
            return
        try:
            taken = RECORD.validate_json(record.value)
        except ValidationError as error:
            yield _dead_letter(READINGS, record, str(error))
            return
        for found in self._detector.step(taken):
            if isinstance(found, AlarmChange):
                yield Output(ALARMS, self._city, "alarm-change", found.model_dump_json().encode())
            else:
                yield Output(ALARMS, self._city, "tick", Tick(at=found).model_dump_json().encode())

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {"version": STATE_VERSION, "detect": self._detector.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises ValueError where another version of us wrote it."""
        _refuse_others(state)
        self._detector.restore(state["detect"])


class Correlate:
    """Alarms to incidents and notifications. A city is one part, wherever its key falls."""

    name = "correlate"
    source = ALARMS

    def __init__(
        self,
        city: City,
        vocabulary: Vocabulary,
        causes: Causes,
        layout: Layout,
        partition: int,
        policy: Policy | None = None,
    ) -> None:
        self._city, self._vocabulary, self._causes = city, vocabulary, causes
        self._layout, self._policy = layout, policy
        self.partitions: Collection[int] = (partition,)

    def part(self, partition: int) -> "CorrelatePart | None":
        """Correlation of the city on the partition of its key."""
        if partition not in self.partitions:
            return None
        return CorrelatePart(self._city, self._vocabulary, self._causes, self._layout, self._policy)


class CorrelatePart:
    """Correlation of a city, from the alarms of all its partitions of readings."""

    def __init__(
        self,
        city: City,
        vocabulary: Vocabulary,
        causes: Causes,
        layout: Layout,
        policy: Policy | None = None,
    ) -> None:
        self._city = city.city
        self._merge = Merge(layout.assets, AlarmChange)
        self._taken = dict.fromkeys(layout.assets, (-1, -1))
        """Offset and number of the newest output of each part: those up to it are repetitions."""
        self._correlation = Correlation(city, causes, vocabulary)
        self._desk = Desk(policy, city)

    def step(self, record: Record) -> Iterator[Output]:
        """Revisions and notifications of the moves of stream time that are complete now."""
        if record.key != self._city:
            return
        try:
            self._take(record)
        except (ValueError, BadPayload) as error:  # a ValidationError is one too
            yield _dead_letter(ALARMS, record, str(error))
            return
        for changes, now in self._merge.rounds():
            for change in changes:
                self._correlation.take(change)
                self._desk.note(change)
            for revision in self._correlation.look(now):
                yield Output(INCIDENTS, revision.id, "incident-revision", revision.model_dump_json().encode())
                yield from self._notify(self._desk.take(revision))
            yield from self._notify(self._desk.look(now))

    def _take(self, record: Record) -> None:
        place = place_of(record.headers)
        if place.stage != Detect.name or place.partition not in self._taken:
            raise BadPayload(f"partition {place.partition} carries nothing of the city {self._city!r}")
        known = (place.offset, place.number)
        if known <= self._taken[place.partition]:
            return
        if kind_of(record.headers) == "tick":
            self._merge.take(place.partition, Tick.model_validate_json(record.value).at)
        else:
            self._merge.take(place.partition, AlarmChange.model_validate_json(record.value))
        self._taken[place.partition] = known

    @staticmethod
    def _notify(said: list[Said]) -> Iterator[Output]:
        for one in said:
            body = one.model_dump_json().encode()
            if isinstance(one, Decision):
                yield Output(DECISIONS, one.incident, "decision", body)
            else:
                yield Output(NOTIFICATIONS, one.thread, "notification", body)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {
            "version": STATE_VERSION,
            "taken": {str(part): place for part, place in self._taken.items()},
            "merge": self._merge.snapshot(),
            "correlate": self._correlation.snapshot(),
            "desk": self._desk.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises ValueError where another version of us, or of the city, wrote it."""
        _refuse_others(state)
        taken = {int(part): (place[0], place[1]) for part, place in state["taken"].items()}
        if taken.keys() != self._taken.keys():
            raise ValueError("it is of a city model with sites on other partitions")
        self._taken = taken
        self._merge.restore(state["merge"])
        self._correlation.restore(state["correlate"])
        self._desk.restore(state["desk"])


def _refuse_others(state: dict[str, Any]) -> None:
    if state.get("version") != STATE_VERSION:
        raise ValueError(f"it has version {state.get('version')!r}, expected {STATE_VERSION}")


def _dead_letter(topic: Topic, record: Record, reason: str) -> Output:
    letter = DeadLetter(
        received=record.at,
        topic=topic.name,
        payload=record.value[:KEPT_BYTES],
        size=len(record.value),
        reason=reason,
    )
    return Output(DEAD_LETTERS, topic.name, "dead-letter", letter.model_dump_json().encode())
