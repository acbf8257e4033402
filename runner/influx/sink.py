"""From Kafka's topics to InfluxDB.

In:  readings, alarms, incidents and notifications of one city.
Out: their points; dead letters for what InfluxDB will never take.
Promises: an offset is committed only after InfluxDB has confirmed every point before it, so nothing is
missing; what is written twice is there once. While InfluxDB is away nothing is read: memory does not grow,
and what waits lies on Kafka. SIGTERM writes what was read; after a kill it is read again.
"""

import threading
import time
from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from runner.influx.letters import letter_of
from runner.influx.lines import Lines
from runner.influx.pause import Pause
from runner.influx.taking import SOURCES, At, Batch, Taking
from runner.influx.writer import Away, Writer
from runner.kafka.membership import forget
from runner.kafka.reading import record_of
from runner.kafka.records import failed, headers, in_callback, partitions
from runner.kafka.settings import KafkaFailed, KafkaSettings
from runner.metrics import Figure
from schemas.city import City
from schemas.readings import DeadLetter
from schemas.topics import DEAD_LETTERS

RECORDS = 50
"""Records read before it is looked whether a batch is full."""
LOOK_SECONDS = 0.1
LOOK_AGAIN_SECONDS = 1.0
LINGER_SECONDS = 0.5


class Sink:
    """One member of the group that writes a city's points. ``run`` it once."""

    def __init__(
        self, kafka: KafkaSettings, city: City, writer: Writer, batch_points: int, say: Callable[[str], None]
    ) -> None:
        self._kafka, self._city, self._writer, self._say = kafka, city.city, writer, say
        self._lines = Lines(city)
        self._taking = Taking(self._lines, city.city)
        self._full = batch_points
        self._topics = {kafka.name(topic): topic for topic in SOURCES}
        self._producer = Producer(
            kafka.librdkafka({"enable.idempotence": True, "partitioner": "murmur2_random"})
        )
        partitions(self._producer, kafka, [*SOURCES, DEAD_LETTERS])
        self._group = f"{kafka.prefix}crosscurrent-sink-influx-{city.city}"
        self._name = f"{kafka.member}-sink" if kafka.member is not None else None
        session = kafka.session_seconds * 1000
        more: dict[str, str | int | bool] = {
            "group.id": self._group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": session,
            "heartbeat.interval.ms": session // 3,
            "queued.max.messages.kbytes": 16 * 1024,  # of each partition, read ahead of what is written
        }
        if self._name is not None:
            more["group.instance.id"] = self._name
        self._consumer = Consumer(kafka.librdkafka(more))
        self._began = time.monotonic()
        """When the oldest of the batch came."""
        self._pause = Pause()
        self._again = 0.0
        self._paused = False
        """Whether partitions may be told to bring nothing."""
        self._write_seconds = 0.0
        self._lag = 0
        self._open: set[tuple[str | None, int | None]] = set()
        """Partitions that were not read to their end yet."""
        self._looked = 0.0
        self.begun = False
        """Whether the group has said which partitions are ours."""
        self.last_taken = time.monotonic()
        """When the newest record came or was written, or partitions were given to us."""

    def idle_for(self, seconds: float) -> bool:
        """Whether all that is there was read and is written, and nothing came for so long."""
        quiet = time.monotonic() - self.last_taken >= seconds
        return self.begun and quiet and not self._open and not self._taking.batch.next

    def run(self, stopping: threading.Event) -> None:
        """Work until told to stop. Raises KafkaFailed where it can't go on."""
        try:
            if self._name is not None:
                forget(self._kafka, self._group, self._name)
            self._consumer.subscribe(
                list(self._topics),
                on_assign=in_callback(self._kafka, self._given),
                on_revoke=in_callback(self._kafka, self._taken),
                on_lost=in_callback(self._kafka, self._lost),
            )
            while not stopping.is_set():
                self._step()
            self._write(wait=True)
        except KafkaException as error:
            raise failed(self._kafka, error) from error
        finally:
            self._consumer.close()

    def _step(self) -> None:
        if self._pause.on:
            self._consumer.pause(self._consumer.assignment())
            self._paused = True
        elif self._paused:
            self._consumer.resume(self._consumer.assignment())
            self._paused = False
        for message in self._consumer.consume(RECORDS, LOOK_SECONDS):
            self._take(message)
        if time.monotonic() - self._looked >= LOOK_AGAIN_SECONDS:
            self._look()
        batch = self._taking.batch
        if self._pause.on:
            due = time.monotonic() >= self._again
        else:
            due = batch.size >= self._full or time.monotonic() - self._began >= LINGER_SECONDS
        if due and batch.next:
            self._write()

    def _take(self, message: Message) -> None:
        error, place = message.error(), (message.topic(), message.partition())
        if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's name
            self._open.discard(place)
            return
        if error is not None:
            if error.code() != KafkaError._MAX_POLL_EXCEEDED and not error.retriable():  # noqa: SLF001 - its name
                raise failed(self._kafka, error)
            return
        if not self._taking.batch.next:
            self._began = time.monotonic()
        topic, partition = place
        self._open.add(place)
        assert topic is not None
        assert partition is not None
        self._taking.take(At(self._topics[topic], partition), record_of(message))
        self.last_taken = time.monotonic()

    def _write(self, *, wait: bool = False) -> None:
        """Write the batch and commit; where InfluxDB is away, keep it for later. ``wait`` for the commit."""
        batch = self._taking.batch
        began = time.monotonic()
        letters = [*batch.letters]
        try:
            for bucket, lines in batch.lines.items():
                letters += map(letter_of, self._writer.write(bucket, lines))
        except Away as away:
            self._wait_for(away)
            return
        self._send(letters)
        self._commit(batch, wait=wait)
        self._taking.batch = Batch()
        self.last_taken = time.monotonic()
        self._write_seconds = self.last_taken - began
        if self._pause.on:
            self._say(f"InfluxDB takes points again, after {self._pause.seconds:.0f} s")
            self._pause.over()

    def _wait_for(self, away: Away) -> None:
        if not self._pause.on:
            self._say(f"{away}; nothing is read until it answers")
        self._again = time.monotonic() + self._pause.next(away)

    def _send(self, letters: list[DeadLetter]) -> None:
        for letter in letters:
            value = letter.model_dump_json().encode()
            said = headers("dead-letter", f"/{self._city}/sink", f"{time.time_ns():x}")
            self._producer.produce(self._kafka.name(DEAD_LETTERS), value, letter.topic, headers=said)
        if letters and self._producer.flush(60):
            raise KafkaFailed(f"Kafka {self._kafka.address} took no dead letters for 60 s")

    def _commit(self, batch: Batch, *, wait: bool) -> None:
        offsets = [
            TopicPartition(self._kafka.name(at.topic), at.partition, next_, metadata=self._taking.note(at))
            for at, next_ in batch.next.items()
        ]
        if offsets and wait:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        elif offsets:
            self._consumer.commit(offsets=offsets)

    def _given(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        for kept in consumer.committed(given, timeout=30) if given else ():
            self._taking.begin(At(self._topics[kept.topic], kept.partition), kept.metadata or "")
        self._open = {(one.topic, one.partition) for one in given}
        self._paused = True  # they may be so from an earlier time with us
        self.begun = True
        self.last_taken = time.monotonic()

    def _taken(self, _consumer: Consumer, _taken: list[TopicPartition]) -> None:
        """Somebody else may have them next: write what was read, or forget it."""
        if not self._pause.on:
            self._write(wait=True)
        self._forget()

    def _lost(self, _consumer: Consumer, _lost: list[TopicPartition]) -> None:
        self._forget()

    def _forget(self) -> None:
        """What is not written will be read again, by whoever has it then."""
        self._taking.batch = Batch()
        self._pause.over()

    def figures(self) -> Iterator[Figure]:
        """How it goes."""
        for result in ("written", "refused", "expired", "unknown"):
            says = "Points, by what became of them."
            count = (self._lines if result == "unknown" else self._writer).counts[result]
            yield Figure("crosscurrent_points_total", "counter", says, count, {"result": result})
        says = "Records taken from Kafka."
        yield Figure("crosscurrent_records_total", "counter", says, self._taking.counts["taken"])
        for result, count in (("confirmed", self._writer.counts["writes"]), ("failed", self._pause.count)):
            says = "Writes to InfluxDB."
            yield Figure("crosscurrent_writes_total", "counter", says, count, {"result": result})
        yield Figure("crosscurrent_write_seconds", "gauge", "Of the newest batch.", self._write_seconds)
        says = "Offsets not read yet (ends of transactions among them)."
        yield Figure("crosscurrent_sink_lag_records", "gauge", says, self._lag)
        says = "How long InfluxDB is away."
        yield Figure("crosscurrent_sink_away_seconds", "gauge", says, self._pause.seconds)

    def _look(self) -> None:
        """See how much there is to read."""
        self._looked = time.monotonic()
        positions = self._consumer.position(self._consumer.assignment())
        ends = [self._consumer.get_watermark_offsets(one, cached=True)[1] for one in positions]
        self._lag = sum(max(0, end - max(0, one.offset)) for one, end in zip(positions, ends, strict=True))
