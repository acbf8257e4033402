"""Whether a group gets on: seen from outside its members, who may be wrong about themselves.

In:  where the parts at work here stand; of all others, what the group has committed.
Out: which partition stands still though committed records wait there.
Promises: Kafka itself is asked, by a consumer that belongs to no group: the ends that a worker's own client
remembers are those of its last fetch, and one that fetches nothing would believe that there is nothing. Marks
of transactions at the end of a topic are no work. While Kafka does not answer, nobody is blamed.
"""

import time
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from runner.kafka.settings import KafkaSettings

ANSWER_SECONDS = 5.0
OTHERS_PATIENCE = 2
"""So many times as long as for one's own parts, others are waited for: they watch themselves, and commit
later than they work."""


class _Waiting(NamedTuple):
    """A record at ``offset`` waits, seen first at ``since`` (seconds of the monotonic clock)."""

    offset: int
    since: float


class Progress:
    """Looks at ``partitions`` of a group's topic again and again. Use it from one thread, inside ``with``."""

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        topic: str,
        partitions: Collection[int],
        positions: Callable[[], Mapping[int, int]],
        seconds: float,
    ) -> None:
        """``positions``: the next offset of each part at work here; ``seconds``: how long one may wait."""
        self._topic, self._positions, self._seconds = topic, positions, seconds
        self._places = [TopicPartition(topic, number) for number in sorted(partitions)]
        self._seen: dict[int, int] = {}
        """Where each partition stood at the last look; only one that stands still is looked into."""
        self._waiting: dict[int, _Waiting] = {}
        self._consumer = Consumer(
            settings.librdkafka(
                {
                    "group.id": group,  # to learn what it committed; we never join it
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "fetch.wait.max.ms": 50,
                    "fetch.message.max.bytes": 1,  # one batch tells all that we want to know
                    "isolation.level": "read_committed",
                    "auto.offset.reset": "earliest",
                }
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def standing(self) -> str | None:
        """What stands still for too long by now, in words; None where all gets on, or Kafka is away."""
        try:
            return self._standing()
        except KafkaException:
            self._waiting.clear()  # nobody works while Kafka is away: the patience begins anew
            return None

    def _standing(self) -> str | None:
        own = self._positions()
        committed = {
            one.partition: max(0, one.offset)
            for one in self._consumer.committed(self._places, timeout=ANSWER_SECONDS)
        }
        places = {number: own.get(number, theirs) for number, theirs in committed.items()}
        self._note(places)
        now = time.monotonic()
        for number, waiting in self._waiting.items():
            patience = self._seconds if number in own else self._seconds * OTHERS_PATIENCE
            if now - waiting.since > patience:
                whose = "which is ours" if number in own else "which nobody seems to work on"
                return (
                    f"partition {number} of {self._topic}, {whose}, has stood at {waiting.offset} "
                    f"for {now - waiting.since:.0f} s, and there are records"
                )
        return None

    def _note(self, places: Mapping[int, int]) -> None:
        """Keep those that wait, forget those that moved, and look into those that now stand still."""
        for number, offset in places.items():
            known = self._waiting.get(number)
            if known is None or known.offset != offset:
                self._waiting.pop(number, None)
                if self._seen.get(number) == offset and self._has_record(number, offset):
                    self._waiting[number] = _Waiting(offset, time.monotonic())
        self._seen = dict(places)

    def _has_record(self, number: int, offset: int) -> bool:
        """Whether a committed record lies at this offset or after it."""
        place = TopicPartition(self._topic, number, offset or OFFSET_BEGINNING)
        _, end = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
        if offset >= end:
            return False
        self._consumer.assign([place])
        message = self._consumer.poll(ANSWER_SECONDS)
        self._consumer.unassign()
        return message is not None and message.error() is None
