"""An answer, put where the desk of a city reads on Kafka; and what was answered there. Raises KafkaFailed."""

from collections.abc import Iterator
from contextlib import suppress

from confluent_kafka import Producer

from runner.kafka.reading import read
from runner.kafka.records import headers, kind_of, place_of
from runner.kafka.settings import KafkaFailed, KafkaSettings
from runner.kafka.stages import Stage
from schemas.answers import Answer
from schemas.readings import Tick

SECONDS = 30.0


def keep(city: str, desk: Stage, settings: KafkaSettings, answer: Answer) -> None:
    """Write the answer where the ``desk`` reads; it is on Kafka when this returns."""
    refused: list[str] = []
    producer = Producer(settings.librdkafka({"enable.idempotence": True}))
    (partition,) = desk.partitions
    producer.produce(
        settings.name(desk.source),
        answer.model_dump_json().encode(),
        city,
        partition,
        headers=headers("answer", f"/{city}/people/0", answer.id),
        on_delivery=lambda error, _: refused.append(error.str()) if error is not None else None,
    )
    if producer.flush(SECONDS) or refused:
        raise KafkaFailed(
            f"Kafka {settings.address} did not take the answer: {', '.join(refused) or 'no word'}"
        )


def given(city: str, desk: Stage, settings: KafkaSettings) -> Iterator[tuple[int, Answer]]:
    """What people answered where the ``desk`` reads, each with how far stream time had got there (ms; -1: not
    begun).
    """
    (partition,) = desk.partitions
    reached: dict[int, int] = {}
    for record in read(settings, desk.source, partition):
        if record.key.partition("/")[0] != city:
            continue
        with suppress(ValueError):  # broken ones are passed over by the desk too
            if kind_of(record.headers) == "tick":
                part = place_of(record.headers).partition
                reached[part] = max(Tick.model_validate_json(record.value).at, reached.get(part, -1))
            elif kind_of(record.headers) == "answer":
                yield min(reached.values(), default=-1), Answer.model_validate_json(record.value)
