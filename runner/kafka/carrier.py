"""What every shell shares: the parts that a worker has, their states on Kafka, and what they say, written.

In:  partitions given and taken away; their records, in order; now and then ``save``.
Out: the outputs of the stage on their topics; states on the state topic.
Promises: a part begins where its newest whole state ends, so nothing is missed; a state is written only after
Kafka has every output that it covers, so nothing is lost; an output that is written again has the same place
in its headers, so nobody counts it twice. What fails ends the worker: it is never skipped.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import KafkaError, Message, Producer

from runner.kafka.records import Headers, Place, headers_of, partitions
from runner.kafka.settings import KafkaFailed, KafkaSettings
from runner.kafka.stages import Part, Record, Stage
from runner.kafka.state import Kept, load, pieces
from runner.kafka.tracing import TRACEPARENT
from runner.metrics import Figure, stream_time
from schemas.memory import building
from schemas.topics import RECORD_BYTES_MAX, STATE

FLUSH_SECONDS = 1.0
SECONDS: tuple[tuple[str, Literal["counter", "gauge"], str], ...] = (
    ("step_seconds_total", "counter", "Time in the thinking."),
    ("save_seconds", "gauge", "How long the newest saving of states took."),
    ("recovery_seconds", "gauge", "How long the newest loading of states took."),
)
WORK_PER_SAVE = 9
"""Large states are written less often: so many times as long as writing them took is for work."""


@dataclass(slots=True)
class _Carried:
    """A part at work. ``next``: the offset of the next record that it needs."""

    part: Part
    next: int
    saved: int
    states: int


class Carrier:
    """One worker's share of a stage. Use it from one thread. ``patience``: seconds that a flush may take."""

    def __init__(self, settings: KafkaSettings, city: str, stage: Stage, patience: float = 60.0) -> None:
        self._settings, self._city, self._stage, self._patience = settings, city, stage, patience
        self._parts: dict[int, _Carried] = {}
        self._failure: KafkaFailed | None = None
        self._producer = Producer(
            settings.librdkafka(
                {
                    "enable.idempotence": True,
                    "partitioner": "murmur2_random",
                    "linger.ms": 5,
                    "message.max.bytes": RECORD_BYTES_MAX,
                }
            )
        )
        (self._state_partitions,) = partitions(self._producer, settings, [STATE])
        self._source = settings.name(stage.source)
        self._save_at = time.monotonic() + settings.snapshot_seconds
        self.steps = 0
        """Records taken since the start."""
        self.ends: dict[int, int] = {}
        """Where each partition ended when a shell last looked."""
        self.begun = False
        """Whether the group has said which partitions are ours, be it none."""
        self._outputs: Counter[str] = Counter()
        self._seconds = dict.fromkeys(("step", "save", "recovery"), 0.0)

    @property
    def positions(self) -> dict[int, int]:
        """The next offset that each part at work needs. Any thread may ask."""
        return {number: carried.next for number, carried in list(self._parts.items())}

    def begin(self, given: Iterable[int]) -> dict[int, int | None]:
        """Take partitions on; the offset from which each is to be read, None where none of it is wanted.

        Raises KafkaFailed where a state can't be used.
        """
        began = time.monotonic()
        try:
            with building():
                return self._begin(given)
        finally:
            self.begun = True
            self._seconds["recovery"] = time.monotonic() - began

    def _begin(self, given: Iterable[int]) -> dict[int, int | None]:
        opened = {number: self._stage.part(number) for number in given if number not in self._parts}
        wanted = {number: part for number, part in opened.items() if part is not None}
        kept = load(
            self._settings, {self._name(number): number % self._state_partitions for number in wanted}
        )
        for number, part in wanted.items():
            self._parts[number] = self._restored(number, part, kept.get(self._name(number)))
        return {number: self._parts[number].next if number in self._parts else None for number in opened}

    def _restored(self, number: int, part: Part, kept: Kept | None) -> _Carried:
        if kept is None:
            return _Carried(part, 0, 0, 0)
        state_topic = self._settings.name(STATE)
        try:
            part.restore(kept.state["part"])
        except ValueError as error:
            raise KafkaFailed(
                f"Kafka {self._settings.address}: the state of {self._name(number)} can't be used: {error}. "
                f"Run the Crosscurrent that wrote it; or make {state_topic} anew, and all is computed again "
                "from what the other topics hold"
            ) from error
        return _Carried(part, kept.next, kept.next, kept.state["states"])

    def refuse_shrunk(self, partition: int, end: int) -> None:
        """Raise KafkaFailed where a partition ends before what its state covers: the topic is another."""
        carried = self._parts.get(partition)
        if carried is not None and carried.next > end:
            raise KafkaFailed(
                f"Kafka {self._settings.address}: partition {partition} of {self._source} ends at {end}, but "
                f"our state covers it up to offset {carried.next}: the topic was made anew. Make "
                f"{self._settings.name(STATE)} and the topics of results anew too, or use another prefix"
            )

    def take(self, partition: int, record: Record) -> None:
        """One record of a partition that was given; what was seen already is passed over."""
        carried = self._parts.get(partition)
        if carried is None or record.offset < carried.next:
            return
        began = time.perf_counter()
        try:
            trace = record.headers.get(TRACEPARENT)
            more: Headers = [(TRACEPARENT, trace)] if trace else []
            for number, output in enumerate(carried.part.step(record)):
                self._outputs[output.kind] += 1
                place = Place(self._stage.name, partition, record.offset, number)
                self._produce(
                    self._settings.name(output.topic),
                    output.value,
                    output.key,
                    headers_of(self._city, place, output.kind) + more,
                    output.partition,
                )
        except BaseException:
            self._parts.clear()  # a state in the middle of a step must never be saved
            raise
        carried.next = record.offset + 1
        self.steps += 1
        self._seconds["step"] += time.perf_counter() - began

    def figures(self) -> Iterator[Figure]:
        """How it goes. Any thread may ask."""
        stage = {"stage": self._stage.name}
        positions = self.positions
        yield Figure("crosscurrent_records_total", "counter", "Records taken.", self.steps, stage)
        for kind, count in list(self._outputs.items()):
            says = "Records written, by what they carry."
            yield Figure("crosscurrent_outputs_total", "counter", says, count, stage | {"kind": kind})
        yield Figure("crosscurrent_parts", "gauge", "Parts of the work at hand.", len(positions), stage)
        for number, end in list(self.ends.items()):
            if number in positions:
                lag = max(0, end - positions[number])
                says = "Offsets that are not taken yet (ends of transactions among them)."
                yield Figure(
                    "crosscurrent_lag_offsets", "gauge", says, lag, stage | {"partition": str(number)}
                )
        yield from self._about_time(stage)
        for name, kind, says in SECONDS:
            yield Figure(f"crosscurrent_{name}", kind, says, self._seconds[name.split("_")[0]], stage)

    def _about_time(self, stage: dict[str, str]) -> Iterator[Figure]:
        """How late the parts are, and what became of their readings."""
        parts = [carried.part for carried in list(self._parts.values())]
        counts: Counter[str] = Counter()
        for part in parts:
            counts.update(part.counts)
        for result, count in counts.items():
            says = "Readings that detection took, and what was odd about some."
            yield Figure(
                "crosscurrent_stage_readings_total", "counter", says, count, stage | {"result": result}
            )
        times = [part.stream_time for part in parts if part.stream_time is not None]
        if times:
            yield from stream_time(min(times), stage)

    def look_after(self) -> None:
        """Learn what Kafka took. Raises KafkaFailed where it refused something."""
        self._producer.poll(0)
        if self._failure is not None:
            raise self._failure

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() >= self._save_at

    def save(self, only: Iterable[int] | None = None) -> dict[int, int]:
        """Write down the states that changed, of all parts or ``only`` these; their offsets by partition."""
        began = time.monotonic()
        saved = self._save(only)
        took = time.monotonic() - began
        if saved:
            self._seconds["save"] = took
        self._save_at = began + took + max(self._settings.snapshot_seconds, took * WORK_PER_SAVE)
        return saved

    def _save(self, only: Iterable[int] | None) -> dict[int, int]:
        numbers = self._parts.keys() if only is None else self._parts.keys() & set(only)
        changed = {
            number: carried for number in numbers if (carried := self._parts[number]).next > carried.saved
        }
        if not changed:
            return {}
        self._flush()
        for number, carried in changed.items():
            carried.states += 1
            state = {"states": carried.states, "part": carried.part.snapshot()}
            for piece in pieces(self._name(number), carried.states, Kept(carried.next, state)):
                self._produce(
                    self._settings.name(STATE),
                    piece.value,
                    piece.key,
                    piece.headers,
                    number % self._state_partitions,
                )
        self._flush()
        for carried in changed.values():
            carried.saved = carried.next
        return {number: carried.next for number, carried in changed.items()}

    def end(self, taken: Iterable[int]) -> None:
        """Let partitions go; whoever has them next goes on from what was saved."""
        for number in taken:
            self._parts.pop(number, None)

    def _name(self, number: int) -> str:
        return f"{self._stage.name}/{self._city}/{number}"

    def _produce(self, topic: str, value: bytes, key: str, headers: Headers, partition: int = -1) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition, headers=headers, on_delivery=self._delivered
                )
                return
            except BufferError:
                self._producer.poll(FLUSH_SECONDS)
                self.look_after()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = KafkaFailed(
                f"Kafka {self._settings.address} did not take a record for {message.topic()}: {error.str()}"
            )

    def _flush(self) -> None:
        """Wait until Kafka has all that was said. Raises KafkaFailed where that takes too long."""
        deadline = time.monotonic() + self._patience
        while self._producer.flush(FLUSH_SECONDS):
            self.look_after()
            if time.monotonic() > deadline:
                raise KafkaFailed(
                    f"Kafka {self._settings.address} took nothing for {self._patience:.0f} s; "
                    "the next start goes on from the last state"
                )
        self.look_after()
