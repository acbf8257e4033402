"""How far the thinking about a city has got on Kafka, seen from outside: what a sign of life is worth.

In:  a Kafka, the city's desk: its stage and partitions.
Out: a number that grows while the stage that decides what people are told takes records. It takes some with
     each move of stream time, so readings come in and are detected as well.
Promises: no group is joined; while Kafka does not answer the number stands, and so does the heart.
"""

from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition

from runner.kafka.settings import KafkaSettings
from runner.kafka.stages import Stage

ANSWER_SECONDS = 5.0
SHELLS = ("crosscurrent", "crosscurrent-faust")
"""Both shells name their groups after themselves."""


class Pulse:
    """Call it, from one thread; ``close`` it."""

    def __init__(self, settings: KafkaSettings, city: str, desk: Stage) -> None:
        topic = settings.name(desk.source)
        self._places = [TopicPartition(topic, number) for number in desk.partitions]
        self._consumers = [
            Consumer(settings.librdkafka({"group.id": f"{settings.prefix}{shell}-{desk.name}-{city}"}))
            for shell in SHELLS
        ]
        self._seen = 0

    def __call__(self) -> int:
        """The sum of what the desk's group has taken, by either shell."""
        with suppress(KafkaException):  # the silence is the message
            self._seen = sum(
                max(0, one.offset)
                for consumer in self._consumers
                for one in consumer.committed(self._places, timeout=ANSWER_SECONDS)
            )
        return self._seen

    def close(self) -> None:
        """Leave."""
        for consumer in self._consumers:
            consumer.close()
