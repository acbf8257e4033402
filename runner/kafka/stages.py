"""The stages of the thinking, each cut into the parts that partitions carry; and the first, detection. Pure.

In:  records of one partition, in order.
Out: what follows from each record, for other topics; a state to go on from.
Promises: the same records give the same outputs, in the same order and number, from the start or from a
restored state; a record that means nothing here becomes a dead letter, and nothing raises for what is in one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from runner.core import STATE_VERSION
from runner.kafka.records import Districts, Layout
from schemas.alarms import AlarmChange
from schemas.city import City
from schemas.readings import RECORD, DeadLetter, Tick
from schemas.topics import ALARMS, DEAD_LETTERS, READINGS, Topic
from schemas.vocabulary import Vocabulary
from streams.clock import ToldClock
from streams.detect import Detector
from streams.groups import Watcher
from streams.sites import part_of

KEPT_BYTES = 64 * 1024
COUNTED = dict.fromkeys(("readings", "events", "duplicates", "late", "future", "unknown"), 0)
"""What detection counts: whoever draws its figures wants them from the start."""


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
    partition: int = -1
    """Where it has to go; -1 where its key decides."""


class Part(Protocol):
    """What one partition needs."""

    @property
    def stream_time(self) -> int | None:
        """How far its input has got, ms since the epoch."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """What became of its readings; empty where it takes none."""
        ...

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

    def __init__(self, city: City, vocabulary: Vocabulary, layout: Layout, districts: Districts) -> None:
        self._city, self._vocabulary, self._layout = city, vocabulary, layout
        self._districts = districts
        self.partitions: Collection[int] = layout.sensors.keys()

    def part(self, partition: int) -> "DetectPart | None":
        """Detection of the sites on one partition."""
        sensors = self._layout.sensors.get(partition)
        if sensors is None:
            return None
        watching = self._layout.watchers[partition]
        return DetectPart(part_of(self._city, sensors), self._vocabulary, self._districts, watching)


class DetectPart:
    """Detection of some sites."""

    def __init__(
        self, city: City, vocabulary: Vocabulary, districts: Districts, watching: Sequence[Watcher]
    ) -> None:
        self._city, self._districts = city.city, districts
        clock = ToldClock(len(city.sensors_of))
        self._detector = Detector(city, vocabulary, clock=clock, watching=watching)

    @property
    def stream_time(self) -> int | None:
        """How far the input has got."""
        return self._detector.stream_time

    @property
    def counts(self) -> Mapping[str, int]:
        """Readings taken, and those that were duplicates, late, of the future or unknown; 0 where none."""
        return {**COUNTED, **self._detector.counts}

    def step(self, record: Record) -> Iterator[Output]:
        """Alarm changes, to each partition that hears of them; and stream time each time it moved, to all."""
        if record.key.partition("/")[0] != self._city:
            return
        try:
            taken = RECORD.validate_json(record.value)
        except ValidationError as error:
            yield dead_letter(READINGS, record, error)
            return
        for found in self._detector.step(taken):
            if isinstance(found, AlarmChange):
                value = found.model_dump_json().encode()
                home, others = self._districts.hearing(found.alarm.asset)
                yield Output(ALARMS, home, "alarm-change", value)
                for key in others:
                    yield Output(ALARMS, key, "alarm-overheard", value)
            else:
                tick = Tick(at=found).model_dump_json().encode()
                for partition in self._districts.names:
                    yield Output(ALARMS, self._city, "tick", tick, partition)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return versioned(detect=self._detector)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises ValueError where another version of us wrote it."""
        refuse_others(state)
        self._detector.restore(state["detect"])


class Kept(Protocol):
    """Something with a state."""

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        ...


def versioned(**parts: Kept) -> dict[str, Any]:
    """The states of parts, each under its name, and by which version of us."""
    return {"version": STATE_VERSION} | {name: part.snapshot() for name, part in parts.items()}


def refuse_others(state: dict[str, Any]) -> None:
    """Raise ValueError where another version of us wrote a state."""
    if state.get("version") != STATE_VERSION:
        raise ValueError(f"it has version {state.get('version')!r}, expected {STATE_VERSION}")


def dead_letter(topic: Topic, record: Record, error: Exception) -> Output:
    """What becomes of a record that means nothing here: ``error`` is why."""
    letter = DeadLetter(
        received=record.at,
        topic=topic.name,
        payload=record.value[:KEPT_BYTES],
        size=len(record.value),
        reason=why(error),
    )
    return Output(DEAD_LETTERS, topic.name, "dead-letter", letter.model_dump_json().encode())


def why(error: Exception) -> str:
    """What is wrong with a record, in one line: its first fault."""
    if not isinstance(error, ValidationError):
        return str(error)
    first, *others = error.errors(include_url=False, include_input=False)
    where = ".".join(map(str, first["loc"]))
    more = f" ({len(others)} more faults)" if others else ""
    return f"{where}: {first['msg']}{more}" if where else f"{first['msg']}{more}"
