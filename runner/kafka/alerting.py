"""Notifications on Kafka to people: any number of replicas share the partitions.

In:  the topic of notifications, and what came of earlier messages.
Out: messages to receivers; what came of each, on ``city.deliveries.v1``.
Promises: an outcome is on Kafka before the next message of its thread is tried, and whoever gets a partition
reads its outcomes first: what was accepted is not sent again by another replica. An offset is committed when
all before it is settled, so nothing is missed. A replica that was away for longer than its lease (frozen, cut
off) sends nothing before Kafka has told it what is still its own. Only a kill while a message is on its way
repeats it, under its own key; a receiver that gets each at most once is not sent it again.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from pydantic import ValidationError

from runner.kafka.reading import read, record_of
from runner.kafka.records import failed, headers, in_callback, is_of, partitions
from runner.kafka.settings import KafkaFailed, KafkaSettings
from runner.metrics import Figure
from runner.sending.deliveries import Delivery, Outcome, Past
from runner.sending.postman import Postman
from schemas.alerting import Policy
from schemas.notifications import UNSETTLED, Delivered, Notification
from schemas.topics import DELIVERIES, NOTIFICATIONS, RECORD_BYTES_MAX

BATCH = 200
LOOK_SECONDS = 0.1
COMMIT_SECONDS = 1.0
WAITING_MAX = 5_000
"""Deliveries that are held in memory; more wait on Kafka."""
FLUSH_SECONDS = 30.0
LEASE_SHARE = 0.4
"""Of the session: so long after Kafka was last asked, messages may still be taken up."""


@dataclass(slots=True)
class _Part:
    """One partition at work."""

    next: int = -1
    """The offset after the newest record that was taken."""
    open: dict[int, int] = field(default_factory=dict)
    """Deliveries that are not settled, by the offset of their record."""
    known: dict[str, int] = field(default_factory=dict)
    """Deliveries that are settled or under way, with the offset of their record."""
    begun: set[str] = field(default_factory=set)
    """Deliveries of which nobody knows whether they arrived."""
    past: dict[str, Past] = field(default_factory=dict)
    """By lane."""
    committed: int = -1

    @property
    def done(self) -> int:
        """The offset before which all is settled."""
        return min(self.open, default=self.next)


class AlertWorker:
    """One replica. ``run`` it once. Raises KafkaFailed, NoSecret, ExtraMissing."""

    def __init__(self, settings: KafkaSettings, city: str, policy: Policy) -> None:
        self._settings, self._city = settings, city
        self._topic = settings.name(NOTIFICATIONS)
        self._parts: dict[int, _Part] = {}
        self._where: dict[str, int] = {}
        """Partition of each delivery under way."""
        self._door = threading.Lock()
        self._lease = 0.0
        self.begun = False
        """Whether the group has said which partitions are ours, be it none."""
        self._broken = 0
        self._producer = Producer(
            settings.librdkafka(
                {"enable.idempotence": True, "linger.ms": 0, "message.max.bytes": RECORD_BYTES_MAX}
            )
        )
        notes, outcomes = partitions(self._producer, settings, [NOTIFICATIONS, DELIVERIES])
        if notes != outcomes:
            raise KafkaFailed(
                f"Kafka {settings.address}: {self._topic} has {notes} partitions and "
                f"{settings.name(DELIVERIES)} has {outcomes}; they need the same number"
            )
        session = settings.session_seconds * 1000
        more: dict[str, str | int | bool] = {
            "group.id": f"{settings.prefix}crosscurrent-alert-{city}",
            "partition.assignment.strategy": "cooperative-sticky",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": session,
            "heartbeat.interval.ms": session // 3,
        }
        if settings.member is not None:
            more["group.instance.id"] = f"{settings.member}-alert"
        self._consumer = Consumer(settings.librdkafka(more))
        self._postman = Postman(policy, self._settled, may=lambda: time.monotonic() < self._lease)

    def run(self, stopping: threading.Event) -> None:
        """Work until told to stop. Raises KafkaFailed where it can't go on."""
        commit_at = 0.0
        self._postman.start()
        try:
            self._consumer.subscribe(
                [self._topic],
                on_assign=in_callback(self._settings, self._given),
                on_revoke=in_callback(self._settings, self._taken),
                on_lost=in_callback(self._settings, self._lost),
            )
            while not stopping.is_set():
                full = self._postman.waiting >= WAITING_MAX
                held = self._consumer.assignment()
                (self._consumer.pause if full else self._consumer.resume)(held)
                messages = self._consumer.consume(BATCH, LOOK_SECONDS)
                self._lease = time.monotonic() + self._settings.session_seconds * LEASE_SHARE
                for message in messages:
                    self._take(message)
                if (failure := self._postman.failure) is not None:
                    raise failure
                if time.monotonic() >= commit_at:
                    self._commit(list(self._parts))
                    commit_at = time.monotonic() + COMMIT_SECONDS
        except KafkaException as error:
            raise failed(self._settings, error) from error
        finally:
            self._postman.stop()
            if self._postman.failure is None:
                self._commit(list(self._parts))
            self._consumer.close()

    def figures(self) -> Iterator[Figure]:
        """How it goes. Any thread may ask."""
        yield from self._postman.figures()
        says = "Records that could not be read."
        yield Figure("crosscurrent_broken_notifications_total", "counter", says, self._broken)

    # -- records ---------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        error, number = message.error(), message.partition()
        if error is not None:
            if not error.retriable():
                raise failed(self._settings, error)
            return
        record = record_of(message)
        assert number is not None
        part = self._parts.get(number)
        if part is None:
            return
        deliveries = self._deliveries(record.value) if is_of(self._city, record.headers) else []
        with self._door:
            part.next = record.offset + 1
            new = [delivery for delivery in deliveries if delivery.id not in part.known]
            if new:
                part.open[record.offset] = len(new)
            for delivery in new:
                part.known[delivery.id] = record.offset
                self._where[delivery.id] = number
                part.past.setdefault(delivery.lane, Past())
        for delivery in new:
            self._postman.put(delivery, part.past[delivery.lane], begun=delivery.id in part.begun)

    def _deliveries(self, value: bytes) -> list[Delivery]:
        try:
            return self._postman.deliveries(Notification.model_validate_json(value))
        except ValidationError:
            self._broken += 1  # written by somebody else: there is nobody to tell
            return []

    def _settled(self, outcome: Outcome) -> None:
        """By the thread that sent: keep the outcome, then count its record as done."""
        delivered = outcome.record()
        number = self._where[delivered.id]
        refused: list[str] = []
        self._producer.produce(
            self._settings.name(DELIVERIES),
            delivered.model_dump_json().encode(),
            outcome.delivery.notification.thread,
            number,
            headers=headers("delivered", f"/{self._city}/alert/{number}", delivered.id),
            on_delivery=lambda error, _: refused.append(error.str()) if error is not None else None,
        )
        if self._producer.flush(FLUSH_SECONDS) or refused:
            what = refused[0] if refused else f"nothing for {FLUSH_SECONDS:.0f} s"
            raise KafkaFailed(f"Kafka {self._settings.address} did not take what came of a message: {what}")
        if outcome.state in UNSETTLED:
            return
        with self._door:
            del self._where[delivered.id]
            part = self._parts.get(number)
            if part is None:
                return
            offset = part.known[delivered.id]
            part.open[offset] -= 1
            if not part.open[offset]:
                del part.open[offset]

    # -- partitions ------------------------------------------------------------------------------

    def _given(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        for one in given:
            part = _Part()
            for record in read(self._settings, DELIVERIES, one.partition):
                delivered = Delivered.model_validate_json(record.value)
                if delivered.state in UNSETTLED:
                    (part.begun.add if delivered.state == "begun" else part.begun.discard)(delivered.id)
                    continue
                part.known[delivered.id] = -1
                part.past.setdefault(delivered.lane, Past()).note(delivered)
            with self._door:
                self._parts[one.partition] = part
        self.begun = True
        consumer.incremental_assign(given)

    def _taken(self, consumer: Consumer, taken: list[TopicPartition]) -> None:
        numbers = {one.partition for one in taken}
        self._let_go(numbers)
        self._commit(list(numbers))
        for number in numbers:
            self._parts.pop(number, None)
        consumer.incremental_unassign(taken)

    def _lost(self, consumer: Consumer, lost: list[TopicPartition]) -> None:
        """Somebody else has them by now."""
        numbers = {one.partition for one in lost}
        self._let_go(numbers)
        for number in numbers:
            self._parts.pop(number, None)
        consumer.incremental_unassign(lost)

    def _let_go(self, numbers: set[int]) -> None:
        """Take nothing more of these partitions up; what is on its way is settled first."""
        with self._door:
            lanes = {lane for number in numbers if (part := self._parts.get(number)) for lane in part.past}
        self._postman.drop(lanes.__contains__)

    def _commit(self, numbers: list[int]) -> None:
        offsets = []
        with self._door:
            for number in numbers:
                part = self._parts.get(number)
                if part is not None and part.done > part.committed:
                    part.committed = part.done
                    offsets.append(TopicPartition(self._topic, number, part.done))
        if offsets:  # one that Kafka does not take is taken later: the outcomes are what counts
            self._consumer.commit(offsets=offsets, asynchronous=True)
