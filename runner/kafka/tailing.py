"""The last day of alarms, messages and decisions on Kafka, followed from outside: for operator load.

In:  three topics, from a day ago on.
Out: a ``LoadWatch`` that knows what is on them.
Promises: belongs to no group and holds nobody up; ``up_to_date`` only when all that was there is taken.
"""

import threading
import time
from typing import Self

from confluent_kafka import OFFSET_END, Message, TopicPartition

from runner.kafka.reading import reader, record_of
from runner.kafka.records import is_of, kind_of, partitions
from runner.kafka.settings import KafkaSettings
from runner.loadwatch import SPAN, LoadWatch
from schemas.alarms import AlarmChange
from schemas.notifications import Decision, Notification
from schemas.readings import Tick
from schemas.times import SECOND
from schemas.topics import ALARMS, DECISIONS, NOTIFICATIONS

TOPICS = (ALARMS, NOTIFICATIONS, DECISIONS)
BATCH = 1_000
LOOK_SECONDS = 0.5
ANSWER_SECONDS = 30.0
MODELS: dict[str, type[AlarmChange] | type[Notification] | type[Decision]] = {
    "alarm-change": AlarmChange,
    "notification": Notification,
    "decision": Decision,
}


class Tail:
    """Follows one city inside ``with``. Raises KafkaFailed where a topic is missing."""

    def __init__(self, settings: KafkaSettings, city: str, watch: LoadWatch) -> None:
        self._settings, self._city, self._watch = settings, city, watch
        self._consumer = reader(settings)
        self._counts = partitions(self._consumer, settings, TOPICS)
        self._ends: set[tuple[str, int]] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="tail", daemon=True)

    @property
    def up_to_date(self) -> bool:
        """Whether the end of each partition was seen."""
        return len(self._ends) == sum(self._counts)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._consumer.close()

    def _follow(self) -> None:
        since = round(time.time() * SECOND) - SPAN
        places = [
            TopicPartition(self._settings.name(topic), number, since)
            for topic, count in zip(TOPICS, self._counts, strict=True)
            for number in range(count)
        ]
        found = self._consumer.offsets_for_times(places, timeout=ANSWER_SECONDS)
        for place in found:
            place.offset = OFFSET_END if place.offset < 0 else place.offset
        self._consumer.assign(found)
        while not self._stopping.is_set():
            for message in self._consumer.consume(BATCH, LOOK_SECONDS):
                self._take(message)

    def _take(self, message: Message) -> None:
        error, topic, partition = message.error(), message.topic(), message.partition()
        if error is not None:
            if error.name() == "_PARTITION_EOF" and topic is not None and partition is not None:
                self._ends.add((topic, partition))
            return
        record = record_of(message)
        if not is_of(self._city, record.headers):
            return
        kind = kind_of(record.headers)
        if kind == "tick":
            self._watch.take(Tick.model_validate_json(record.value).at)
        elif (model := MODELS.get(kind)) is not None:
            self._watch.take(model.model_validate_json(record.value))
