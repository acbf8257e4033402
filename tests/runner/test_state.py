"""States on a real compacted topic: whole or not at all, small enough, and compacted for real."""

import random
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from runner.kafka.settings import KafkaSettings, kafka_settings
from runner.kafka.state import PIECE_BYTES, Kept, Piece, load, pieces
from schemas.topics import STATE
from tests.runner.kafkahelp import wait_until
from tests.servers import Kafka

NAME = "detect/riverton/3"


@pytest.fixture
def here(kafka: Kafka, prefix: str) -> KafkaSettings:
    """A state topic whose segments are compacted within a second."""
    settings = kafka_settings(kafka.address, {}, prefix=prefix)
    quick = {**STATE.settings, "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    topic = NewTopic(settings.name(STATE), 1, config=quick)
    admin.create_topics([topic])[settings.name(STATE)].result(10)
    return settings


def write(settings: KafkaSettings, found: list[Piece]) -> None:
    """Put pieces on the topic."""
    producer = Producer(settings.librdkafka({}))
    for piece in found:
        producer.produce(settings.name(STATE), piece.value, piece.key, 0, headers=piece.headers)
    assert producer.flush(20) == 0


def large(number: int) -> Any:
    """A state of several pieces that can't be made smaller."""
    return {"number": number, "noise": random.Random(number).randbytes(3 * PIECE_BYTES).hex()}


def test_the_newest_whole_state_counts(here: KafkaSettings) -> None:
    """A kill in the middle of writing leaves the state before it, in the other slot."""
    first, second = (list(pieces(NAME, n, Kept(100 * n, large(n)))) for n in (1, 2))
    other = list(pieces("detect/atlantis/3", 1, Kept(999, "another city's")))
    write(here, [*other, *first, *second[:-1]])
    before = load(here, {NAME: 0, "never/written/0": 0})
    write(here, second[-1:])
    after = load(here, {NAME: 0})

    assert len(first) > 1
    assert all(len(piece.value) <= PIECE_BYTES for piece in first)
    assert before == {NAME: Kept(100, large(1))}
    assert after == {NAME: Kept(200, large(2))}


def count(settings: KafkaSettings) -> int:
    """How many records the topic holds."""
    consumer = Consumer(
        settings.librdkafka({"group.id": "x", "enable.partition.eof": True, "enable.auto.commit": False})
    )
    consumer.assign([TopicPartition(settings.name(STATE), 0, 0)])
    found = 0
    while (message := consumer.poll(20)) is not None and message.error() is None:
        found += 1
    consumer.close()
    return found


def test_compaction_leaves_a_whole_state(here: KafkaSettings) -> None:
    """Of fifty states few are left, the newest among them, also when a half written one follows."""
    for number in range(50):
        write(here, list(pieces(NAME, number, Kept(number, {"number": number}))))

    def compacted() -> bool:
        write(here, list(pieces("makes/segments/0", 0, Kept(0, "roll"))))
        return count(here) < 25

    wait_until(compacted, "compacted")
    half = list(pieces(NAME, 50, Kept(50, large(50))))[:1]
    write(here, half)

    assert load(here, {NAME: 0}) == {NAME: Kept(49, {"number": 49})}
