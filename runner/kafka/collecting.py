"""Received messages to Kafka: refuse nonsense, sort the rest to its sites, then let them be acknowledged.

In:  batches of messages from a collector; times without any.
Out: on the topic of readings frames, events and ticks, each on the partition of its site; dead letters. One
     transaction a batch, which also holds the clock that decided stream time.
Promises: when ``store`` returns, Kafka has the whole batch; where it raised, or the process was killed, Kafka
shows none of it to our workers, and the broker sends it again. A second collector of the same name ends the
first. While Kafka is away ``store`` waits, so the collector takes no more from the broker.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from collectors.intake import Intake, IntakeSettings
from collectors.messages import Message
from runner.kafka.receipts import receipts_of
from runner.kafka.records import Headers, Layout, failed, headers, partitions
from runner.kafka.settings import KafkaFailed, KafkaSettings
from runner.kafka.state import Kept, load, pieces
from runner.kafka.tracing import TRACEPARENT, of_batch
from schemas.city import City
from schemas.readings import DeadLetter, Event, Frame, Tick
from schemas.topics import DEAD_LETTERS, READINGS, RECEIPTS, RECORD_BYTES_MAX, STATE
from streams.sites import Sorter

TRANSACTION_SECONDS = 10
"""A transaction that a dead collector left open holds the workers up for so long at most."""
LOOK_SECONDS = 1.0
"""How often a wait for Kafka looks whether it should stop."""
PATIENCE_SECONDS = 5.0
"""How long a stop waits for a Kafka that does not answer."""
STATE_PARTITION = 0
FINAL = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.POLICY_VIOLATION,
        KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
    }
)
"""Refusals of a record that trying again does not mend."""
KEY_BYTES = 1_000


class _Entry(NamedTuple):
    """One record to be written; without a partition the key decides."""

    topic: str
    partition: int
    key: str
    value: bytes
    headers: Headers


class KafkaLog:
    """The door to the topic of readings for one collector. One thread at a time goes in.

    ``name`` is the collector's own among those of a city, and stable over restarts. Raises KafkaFailed where
    Kafka is out of reach, refuses us, or lacks a topic.
    """

    def __init__(self, city: City, settings: KafkaSettings, name: str) -> None:
        self._city, self._settings, self._name = city.city, settings, f"collect/{city.city}/{name}"
        self._door = threading.Lock()
        self._stop_at: float | None = None
        self._refused: KafkaError | None = None
        self.transactions: Counter[str] = Counter()
        """Since the start: ``committed`` and ``given_up``, which are tried again."""
        transactional_id = f"{settings.prefix}crosscurrent/{self._name}"
        self._producer = Producer(
            settings.librdkafka(
                {
                    "transactional.id": transactional_id,
                    "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
                    "partitioner": "murmur2_random",
                    "linger.ms": 0,  # the batch has gathered already
                    "message.max.bytes": RECORD_BYTES_MAX,
                }
            )
        )
        count, *_ = partitions(self._producer, settings, [READINGS, DEAD_LETTERS, RECEIPTS, STATE])
        try:
            self._producer.init_transactions(30)  # from here on an older one of our name is fenced off
        except KafkaException as error:
            raise failed(settings, error) from error
        self._layout = Layout(city, count)
        self._intake = Intake(city, IntakeSettings(frame_readings=settings.frame_readings))
        self._sorter = Sorter(city, self._layout.site_of)
        self._begun = f"{time.time_ns():x}"
        self._entries_written = 0
        self._trace = ""
        self._states_written = 0
        self.dropped: int | None = None
        self._dropped_told: int | None = None
        """What the MQTT broker counts as dropped, newest; and what of it stands on Kafka."""
        if (kept := load(settings, {self._name: STATE_PARTITION}).get(self._name)) is not None:
            self._states_written = kept.next
            self._sorter.restore(kept.state)
            self._dropped_told = kept.state.get("dropped")
        self.last_received = time.monotonic()
        """When the last message came, on the monotonic clock."""

    @property
    def stream_time(self) -> int | None:
        """How far the input has got, ms since the epoch."""
        return self._sorter.clock.time

    @property
    def counts(self) -> dict[str, int]:
        """What the intake counted since the start."""
        return dict(self._intake.counts)

    def store(self, messages: list[Message]) -> None:
        """Keep a batch. Raises KafkaFailed where that can't be; then none of it is kept."""
        self.last_received = time.monotonic()
        with self._door:
            self._trace = of_batch({message.trace for message in messages})
            batch = self._intake.step(messages)
            entries = [self._dead_letter(letter) for letter in batch.dead]
            for site, record in self._sorter.step(batch.records):
                entries += self._for_site(site, record)
            for receipt in receipts_of(batch, messages[-1].received, self._newly_dropped()):
                value = receipt.model_dump_json().encode()
                entries.append(self._entry(RECEIPTS.name, -1, self._name, value, receipt.kind))
            self._write(entries)
        self.last_received = time.monotonic()

    def pass_time(self, at: int) -> None:
        """Tell every site that time has come to ``at`` (ms), or that nothing more comes for now."""
        with self._door:
            self._trace = of_batch(frozenset())
            self._write(list(self._for_site(None, self._sorter.pass_to(at))))

    def note_dropped(self, total: int) -> None:
        """The MQTT broker says how many messages it has dropped since it began. Any thread may call it."""
        self.dropped = total

    def _newly_dropped(self) -> int:
        """How many it dropped since this was last asked; a broker that began anew counts from 0."""
        now, told = self.dropped, self._dropped_told
        if now is None:
            return 0
        self._dropped_told = now
        return 0 if told is None else now - told if now >= told else now

    def stop(self) -> None:
        """Let nobody wait long for a Kafka that does not answer. Any thread may call it."""
        self._stop_at = time.monotonic() + PATIENCE_SECONDS

    def _for_site(self, site: str | None, record: Frame | Event | Tick) -> Iterator[_Entry]:
        """The record for its site; or, for none, once for each partition."""
        value = record.model_dump_json().encode()
        if site is None:
            for partition in self._layout.sensors:
                yield self._entry(READINGS.name, partition, self._city, value, record.kind)
        elif isinstance(record, Event) and len(value) > RECORD_BYTES_MAX - KEY_BYTES:
            reason = (
                f"event of {record.asset!r} has {len(value)} bytes; at most {RECORD_BYTES_MAX} fit a record"
            )
            letter = DeadLetter(
                received=record.received,
                topic=record.asset,
                payload=value[:65536],
                size=len(value),
                reason=reason,
            )
            yield self._dead_letter(letter)
        else:
            partition = self._layout.partition_of[site]
            yield self._entry(READINGS.name, partition, self._layout.key(site), value, record.kind)

    def _dead_letter(self, letter: DeadLetter) -> _Entry:
        key = letter.topic[:KEY_BYTES]
        return self._entry(DEAD_LETTERS.name, -1, key, letter.model_dump_json().encode(), "dead-letter")

    def _entry(self, topic: str, partition: int, key: str, value: bytes, kind: str) -> _Entry:
        self._entries_written += 1
        number = f"{self._begun}/{self._entries_written}"
        said: Headers = [*headers(kind, f"/{self._name}", number), (TRACEPARENT, self._trace)]
        return _Entry(self._settings.prefix + topic, partition, key, value, said)

    def _write(self, entries: list[_Entry]) -> None:
        """Commit the entries and the clock, all or nothing, however often it takes."""
        if not entries:
            return
        self._states_written += 1
        state = self._sorter.snapshot() | {"dropped": self._dropped_told}
        kept = Kept(self._states_written, state)
        entries += [
            _Entry(self._settings.name(STATE), STATE_PARTITION, piece.key, piece.value, piece.headers)
            for piece in pieces(self._name, self._states_written, kept)
        ]
        while not self._try(entries):
            self._look_for_stop()

    def _try(self, entries: list[_Entry]) -> bool:
        """One transaction; False where Kafka made us give it up, so that it may be tried again."""
        try:
            self._producer.begin_transaction()
            for entry in entries:
                self._produce(entry)
            self._until_done(self._producer.commit_transaction)
            self.transactions["committed"] += 1
            return True
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise failed(self._settings, error) from error
        try:
            self._until_done(self._producer.abort_transaction)
        except KafkaException as error:
            raise failed(self._settings, error) from error
        if self._refused is not None:
            raise failed(self._settings, self._refused)
        self.transactions["given_up"] += 1
        return False

    def _produce(self, entry: _Entry) -> None:
        while True:
            try:
                self._producer.produce(
                    entry.topic,
                    entry.value,
                    entry.key,
                    entry.partition,
                    headers=entry.headers,
                    on_delivery=self._delivered,
                )
                return
            except BufferError:
                self._producer.poll(LOOK_SECONDS)
                self._look_for_stop()

    def _delivered(self, error: KafkaError | None, _message: object) -> None:
        """Note what trying again does not mend."""
        if error is not None and error.code() in FINAL:
            self._refused = error

    def _until_done(self, step: Callable[[float], None]) -> None:
        """Commit or abort; both may be called again where Kafka did not answer in time."""
        while True:
            try:
                step(LOOK_SECONDS)
                return
            except KafkaException as error:
                why = error.args[0]
                if not isinstance(why, KafkaError) or not why.retriable():
                    raise
            self._look_for_stop()

    def _look_for_stop(self) -> None:
        if self._stop_at is not None and time.monotonic() > self._stop_at:
            raise KafkaFailed(
                f"Kafka {self._settings.address} does not answer; stopped without it. What it lacks was not "
                "acknowledged: the MQTT broker sends it again"
            )
