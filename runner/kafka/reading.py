"""Reading a topic from outside: by assignment, so that no group's offsets are touched.

In:  a partition, and between which times its records were written.
Out: its committed records up to where the partition ended when reading began.
"""

from collections.abc import Iterator

from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from runner.kafka.records import failed, partitions, said
from runner.kafka.settings import KafkaFailed, KafkaSettings
from runner.kafka.stages import Record
from schemas.topics import Topic

AHEAD_KBYTES = 4_096
"""What a reader may have fetched ahead: there is one for each partition. librdkafka's own bound is 64 MB."""
SECONDS = 30.0
"""How long a Kafka may take to deliver the next records."""


def record_of(message: Message) -> Record:
    """What a stage is told of a record."""
    key, value, offset = message.key(), message.value(), message.offset()
    assert offset is not None
    text = key.decode(errors="replace") if isinstance(key, bytes) else ""
    return Record(
        offset, message.timestamp()[1], text, value if isinstance(value, bytes) else b"", said(message)
    )


def reader(settings: KafkaSettings) -> Consumer:
    """A consumer that belongs to no group; the caller assigns and closes it."""
    return Consumer(
        settings.librdkafka(
            {
                "group.id": f"{settings.prefix}crosscurrent-reads",  # asked for, and never used
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # where the oldest are gone, what is left; not its end
                "fetch.wait.max.ms": 50,  # the end is told with an answer: it must not be slow to come
                "isolation.level": "read_committed",
                "queued.max.messages.kbytes": AHEAD_KBYTES,
                "fetch.queue.backoff.ms": 10,  # soon again where the above has stopped it
            }
        )
    )


def count_of(settings: KafkaSettings, topic: Topic) -> int:
    """How many partitions a topic has. Raises KafkaFailed where it is missing or Kafka does not answer."""
    consumer = reader(settings)
    try:
        (count,) = partitions(consumer, settings, [topic])
    finally:
        consumer.close()
    return count


def read(
    settings: KafkaSettings, topic: Topic, partition: int, start: int | None = None, end: int | None = None
) -> Iterator[Record]:
    """The records of a partition; ``start`` and ``end`` are times of writing (ms), the end left out.

    Raises KafkaFailed where Kafka does not deliver.
    """
    consumer = reader(settings)
    name = settings.name(topic)
    try:
        _, last = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=SECONDS)
        first = 0 if start is None else offset_at(consumer, name, partition, start, last)
        until = last if end is None else offset_at(consumer, name, partition, end, last)
        consumer.assign([TopicPartition(name, partition, first)])
        while True:
            message = consumer.poll(SECONDS)
            if message is None:
                raise KafkaFailed(f"Kafka {settings.address} delivered nothing of {name} for {SECONDS:.0f} s")
            error = message.error()
            if error is not None and error.name() != "_PARTITION_EOF":
                raise failed(settings, error)
            if error is not None or (message.offset() or 0) >= until:
                return
            yield record_of(message)
    except KafkaException as error:
        raise failed(settings, error) from error
    finally:
        consumer.close()


def offset_at(consumer: Consumer, name: str, partition: int, at: int, last: int) -> int:
    """The first record written at this time or after it; the end where there is none."""
    (found,) = consumer.offsets_for_times([TopicPartition(name, partition, at)], timeout=SECONDS)
    return last if found.offset in {OFFSET_END, -1} else found.offset
