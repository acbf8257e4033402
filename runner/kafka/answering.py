"""An answer, put where the desk of a city reads on Kafka. Raises KafkaFailed."""

from confluent_kafka import Producer

from runner.kafka.records import headers
from runner.kafka.settings import KafkaFailed, KafkaSettings
from runner.kafka.stages import Stage
from schemas.answers import Answer

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
