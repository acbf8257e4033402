"""An answer, put where the desk of a city reads on Kafka. Raises KafkaFailed."""

from confluent_kafka import Producer

from runner.kafka.plan import Plan
from runner.kafka.records import headers
from runner.kafka.settings import KafkaFailed, KafkaSettings
from schemas.answers import Answer
from schemas.city import City
from schemas.vocabulary import Vocabulary
from streams.causes import Causes

SECONDS = 30.0


def keep(city: City, vocabulary: Vocabulary, causes: Causes, settings: KafkaSettings, answer: Answer) -> None:
    """Write the answer; it is on Kafka when this returns."""
    desk = Plan(city, vocabulary, causes, settings).correlate()[-1]
    refused: list[str] = []
    producer = Producer(settings.librdkafka({"enable.idempotence": True}))
    (partition,) = desk.partitions
    producer.produce(
        settings.name(desk.source),
        answer.model_dump_json().encode(),
        city.city,
        partition,
        headers=headers("answer", f"/{city.city}/people/0", answer.id),
        on_delivery=lambda error, _: refused.append(error.str()) if error is not None else None,
    )
    if producer.flush(SECONDS) or refused:
        raise KafkaFailed(
            f"Kafka {settings.address} did not take the answer: {', '.join(refused) or 'no word'}"
        )
