"""A worker on plain confluent-kafka: brings a stage its records, in a group that shares the partitions.

In:  records of the stage's topic, committed ones only.
Out: what ``Carrier`` makes of them; offsets committed for people who watch the lag (they decide nothing).
Promises: partitions change hands one by one (cooperative): the rest goes on. SIGTERM saves what was done.
"""

import threading

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaException,
    Message,
    TopicPartition,
)

from runner.kafka.carrier import Carrier
from runner.kafka.membership import forget
from runner.kafka.reading import record_of
from runner.kafka.records import failed, in_callback
from runner.kafka.settings import KafkaSettings
from runner.kafka.stages import Stage
from runner.kafka.watchdog import Watchdog

BATCH = 500
LOOK_SECONDS = 0.1


class Worker:
    """One member of a stage's group. ``run`` it once."""

    def __init__(self, settings: KafkaSettings, city: str, stage: Stage) -> None:
        self._settings, self._stage = settings, stage
        self._topic = settings.name(stage.source)
        self.carrier = Carrier(settings, city, stage)
        session = settings.session_seconds * 1000
        self._group = f"{settings.prefix}crosscurrent-{stage.name}-{city}"
        self._name = f"{settings.member}-{stage.name}" if settings.member is not None else None
        self._watchdog = Watchdog(settings, self._group, stage, lambda: self.carrier.positions)
        more: dict[str, str | int | bool] = {
            "group.id": self._group,
            "partition.assignment.strategy": "cooperative-sticky",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": session,
            "heartbeat.interval.ms": session // 3,
        }
        if self._name is not None:
            more["group.instance.id"] = self._name
        self._consumer = Consumer(settings.librdkafka(more))

    def run(self, stopping: threading.Event) -> None:
        """Work until told to stop. Raises KafkaFailed where it can't go on."""
        try:
            if self._name is not None:
                forget(self._settings, self._group, self._name)
            self._consumer.subscribe(
                [self._topic],
                on_assign=in_callback(self._settings, self._given),
                on_revoke=in_callback(self._settings, self._taken),
                on_lost=in_callback(self._settings, self._lost),
            )
            with self._watchdog:
                while not stopping.is_set():
                    for message in self._consumer.consume(BATCH, LOOK_SECONDS):
                        self._take(message)
                    self.carrier.look_after()
                    if self.carrier.due:
                        self._save()
                    self._note_ends()
                self._save()
        except KafkaException as error:
            raise failed(self._settings, error) from error
        finally:
            self._consumer.close()

    def _take(self, message: Message) -> None:
        error, partition = message.error(), message.partition()
        assert partition is not None
        if error is None:
            self.carrier.take(partition, record_of(message))
        elif not error.retriable():
            raise failed(self._settings, error)

    def _given(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        begin = self.carrier.begin([one.partition for one in given])
        where = []
        for number, offset in begin.items():
            _, end = consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=10)
            self.carrier.refuse_shrunk(number, end)
            at = OFFSET_END if offset is None else offset or OFFSET_BEGINNING
            where.append(TopicPartition(self._topic, number, at))
        consumer.incremental_assign(where)

    def _taken(self, consumer: Consumer, taken: list[TopicPartition]) -> None:
        numbers = [one.partition for one in taken]
        self._save(numbers)
        self.carrier.end(numbers)
        consumer.incremental_unassign(taken)

    def _lost(self, consumer: Consumer, lost: list[TopicPartition]) -> None:
        """Somebody else has them by now, and goes on from what was saved before."""
        self.carrier.end([one.partition for one in lost])
        consumer.incremental_unassign(lost)

    def _save(self, only: list[int] | None = None) -> None:
        if saved := self.carrier.save(only):
            offsets = [TopicPartition(self._topic, number, next_) for number, next_ in saved.items()]
            self._consumer.commit(offsets=offsets, asynchronous=True)

    def _note_ends(self) -> None:
        """Where partitions ended when they were last fetched: for people who watch the lag."""
        self.carrier.ends = {
            one.partition: self._consumer.get_watermark_offsets(one, cached=True)[1]
            for one in self._consumer.assignment()
        }
