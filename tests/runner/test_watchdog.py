"""Who holds partitions and does nothing is found out, on a real Kafka; who has nothing to do is not."""

import signal
import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from runner.kafka.progress import Progress
from runner.kafka.records import in_callback
from runner.kafka.settings import KafkaFailed, KafkaSettings
from runner.kafka.watchdog import STATUS
from schemas.topics import ALARMS, DEAD_LETTERS, READINGS, Topic
from tests.runner.kafkahelp import OnKafka, wait_until
from tests.servers import Kafka

PARTITION = 3
SECONDS = 0.4
GROUP = "looked-at"


@pytest.fixture
def on_kafka(kafka: Kafka, prefix: str) -> OnKafka:
    """Topics of a test's own."""
    return OnKafka(kafka, prefix)


@pytest.fixture
def positions() -> dict[int, int]:
    """Where the parts at work stand; a test moves them."""
    return {}


@pytest.fixture
def progress(on_kafka: OnKafka, positions: dict[int, int]) -> Iterator[Progress]:
    """Looks at one partition of the alarms."""
    name = on_kafka.settings.name(ALARMS)
    with Progress(on_kafka.settings, GROUP, name, [PARTITION], lambda: positions, SECONDS) as looking:
        yield looking


def write(settings: KafkaSettings, count: int, topic: Topic = ALARMS, partition: int = PARTITION) -> None:
    """Records in one transaction, whose mark takes an offset of its own."""
    producer = Producer(settings.librdkafka({"transactional.id": uuid.uuid4().hex}))
    producer.init_transactions(20)
    producer.begin_transaction()
    for number in range(count):
        producer.produce(settings.name(topic), str(number), "riverton/north", partition)
    producer.commit_transaction(20)


def looks(progress: Progress, seconds: float) -> str | None:
    """Look again and again for a while, as the watchdog does; what was found."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := progress.standing():
            return found
        time.sleep(SECONDS / 4)
    return None


def test_an_empty_topic_and_one_read_to_its_end_are_no_work(
    on_kafka: OnKafka, positions: dict[int, int], progress: Progress
) -> None:
    """What remains behind the last record is the mark of its transaction, for ever."""
    positions[PARTITION] = 0
    assert looks(progress, 3 * SECONDS) is None
    write(on_kafka.settings, 5)
    positions[PARTITION] = 5
    assert looks(progress, 3 * SECONDS) is None


def test_a_part_of_ours_that_stands_still_is_found(
    on_kafka: OnKafka, positions: dict[int, int], progress: Progress
) -> None:
    """It says which, and where; one that goes on is left alone."""
    write(on_kafka.settings, 50)
    for offset in range(8):
        positions[PARTITION] = offset
        assert looks(progress, SECONDS / 2) is None
    said = looks(progress, 10 * SECONDS)
    assert said is not None
    assert f"partition {PARTITION} of {on_kafka.settings.name(ALARMS)}, which is ours, has stood at 7" in said


def test_a_partition_that_nobody_works_on_is_found_later(on_kafka: OnKafka, progress: Progress) -> None:
    """A worker to whom the group gives nothing sees that the group has stopped; commits keep it calm."""
    write(on_kafka.settings, 50)
    group = Consumer(on_kafka.settings.librdkafka({"group.id": GROUP}))
    for offset in range(1, 4):
        group.commit(
            offsets=[TopicPartition(on_kafka.settings.name(ALARMS), PARTITION, offset)], asynchronous=False
        )
        assert looks(progress, SECONDS) is None
    group.close()
    said = looks(progress, 10 * SECONDS)
    assert said is not None
    assert "which nobody seems to work on, has stood at 3" in said


def test_nobody_is_blamed_while_kafka_is_away(
    on_kafka: OnKafka, positions: dict[int, int], progress: Progress
) -> None:
    """A frozen broker answers nobody: the patience begins anew when it is back."""
    write(on_kafka.settings, 50)
    positions[PARTITION] = 0
    assert progress.standing() is None
    on_kafka.kafka.freeze(3 * SECONDS)
    assert progress.standing() is None


def test_what_fails_while_partitions_come_is_told(on_kafka: OnKafka) -> None:
    """Errors of the client in its own callbacks are none that Python could catch, but for this."""
    settings = on_kafka.settings

    def given(consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.get_watermark_offsets(partitions[0], timeout=1e-6)

    consumer = Consumer(settings.librdkafka({"group.id": f"{settings.prefix}fails"}))
    consumer.subscribe([settings.name(READINGS)], on_assign=in_callback(settings, given))

    def join() -> None:
        for _ in range(60):
            consumer.consume(1, 1)  # raises when its time is over

    try:
        with pytest.raises(KafkaFailed, match="Timed out"):
            join()
    finally:
        consumer.close()


@pytest.mark.parametrize("shell", ["faust", "kafka"])
def test_a_worker_whose_group_has_stopped_ends_itself(
    on_kafka: OnKafka, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    """A frozen member keeps its group waiting: the other one ends with status 3, and says why."""
    monkeypatch.setenv("CROSSCURRENT_KAFKA_STUCK_SECONDS", "5")  # a busy machine is slow, not stuck
    monkeypatch.setenv("CROSSCURRENT_KAFKA_SESSION_SECONDS", "60")
    detect = ("stream", "detect", "--shell", shell)
    with on_kafka.verb(*detect, member="a") as frozen:
        write(on_kafka.settings, 1, READINGS, 0)
        wait_until(lambda: bool(on_kafka.records(DEAD_LETTERS)), "the first one is at work")
        frozen.send_signal(signal.SIGSTOP)
        with on_kafka.verb(*detect, member="b", errors=True) as other:
            write(on_kafka.settings, 5, READINGS, 0)
            _, complaints = other.communicate(timeout=60)
    assert other.returncode == STATUS
    assert "partition 0 of" in complaints
    assert "which nobody seems to work on, has stood at" in complaints
