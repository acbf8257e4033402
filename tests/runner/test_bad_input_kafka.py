"""What others do wrong on Kafka: records that nobody understands, topics that are missing or too narrow,
rights that are not given. The stream goes on, or a worker ends with one sentence.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import confluent_kafka.admin
import pytest
from confluent_kafka.cimpl import NewTopic
from kafka import KafkaProducer

from collectors.messages import Message
from runner.kafka.records import Districts, Layout
from schemas.cityfile import load_city
from schemas.topics import ALARMS, DEAD_LETTERS, READINGS, RECORD_BYTES_MAX, TOPICS
from streams.causes import load_causes
from tests.runner.kafkahelp import ROOT, OnKafka, admitted, end, publish, readings, wait_until
from tests.runner.storm import CITY, recorded
from tests.runner.test_stream import embedded, settled
from tests.servers import Kafka, Mosquitto, free_ports

ADMIN: Any = confluent_kafka.admin
"""It offers more than its annotations say."""
FRAME = (
    b'{"kind":"frame","received":0,"sensors":["feeder-1/voltage"],"at":[%s],"values":[%s],"qualities":[0]%s}'
)
HUGE = b'{"kind":"event","received":0,"asset":"' + b"x" * (RECORD_BYTES_MAX - 100_000) + b'"}'
POISON: dict[str, bytes | None] = {
    "no JSON": b"\xff\x00",
    "a value that is not there": None,
    "columns of two lengths": FRAME % (b"1,2", b"1", b""),
    "a value that is no number": FRAME % (b"1", b"NaN", b""),
    "a field of a later version": FRAME % (b"1", b"1", b',"version":2'),
    "a kind of a later version": b'{"kind":"frame.v2","received":0}',
    "as large as a record may be": HUGE,
}


@pytest.fixture
def on_kafka(kafka: Kafka, prefix: str) -> OnKafka:
    """Topics of a test's own."""
    return OnKafka(kafka, prefix)


@pytest.mark.parametrize("shell", ["faust", "kafka"])
def test_what_another_producer_wrote_stops_nobody(
    on_kafka: OnKafka, mosquitto: Mosquitto, tmp_path: Path, shell: str
) -> None:
    """Poison on readings and alarms, before the storm and in it: a dead letter each, and no word differs."""
    messages = recorded("storm-day", 21_000)[18_000:]
    expected = embedded(messages, tmp_path)
    with (
        on_kafka.verb("stream", "all", "--shell", shell) as workers,
        on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "5") as collector,
    ):
        poison(on_kafka)
        publish(mosquitto, messages[:1_000])
        poison(on_kafka)
        publish(mosquitto, messages[1_000:])
        assert collector.wait(60) == 0
        settled(on_kafka, expected)
        wait_until(lambda: len(on_kafka.records(DEAD_LETTERS)) >= 4 * len(POISON), "all dead letters")
        end(workers)

    letters = [seen.json for seen in on_kafka.records(DEAD_LETTERS)]
    assert len(letters) == 4 * len(POISON)
    assert {letter["topic"] for letter in letters} == {READINGS.name, ALARMS.name}
    assert all(letter["reason"] for letter in letters)
    assert len(HUGE) in {letter["size"] for letter in letters}


def poison(on_kafka: OnKafka) -> None:
    """Write all of it under our keys, by a client that knows nothing of us."""
    city = load_city(CITY)
    layout = Layout(city, READINGS.partitions)
    key = layout.key(layout.site_of["booster-1"]).encode()
    home, _ = Districts(city, load_causes(), ALARMS.partitions).hearing("booster-1")
    producer = KafkaProducer(**on_kafka.settings.kafka_python(), max_request_size=2 * RECORD_BYTES_MAX)
    for value in POISON.values():
        producer.send(on_kafka.settings.name(READINGS), value, key)
        producer.send(on_kafka.settings.name(ALARMS), value, home.encode())
    producer.send(on_kafka.settings.name(READINGS), b"not ours", b"\xff\xfe")  # the key of nobody's city
    producer.send(on_kafka.settings.name(READINGS), b"not ours", None)
    producer.close()


def test_a_message_larger_than_a_record_is_a_dead_letter(on_kafka: OnKafka, mosquitto: Mosquitto) -> None:
    """What a device sends may be of any size: its beginning is kept, and what comes after it goes its way."""
    asset, *_ = load_city(CITY).assets
    topic = f"city/v1/riverton/{asset.utility}/{asset.zone}/{asset.id}/event"
    detail = json.dumps({"at": "2025-06-04T00:00:00Z", "event": "said", "detail": {"words": "x" * 1_500_000}})
    messages = [Message(0, topic, detail.encode()), *recorded("storm-day", 50)]
    with on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "2") as collector:
        publish(mosquitto, messages)
        assert collector.wait(60) == 0

    (letter,) = [seen.json for seen in on_kafka.records(DEAD_LETTERS)]
    assert letter["size"] > RECORD_BYTES_MAX
    assert letter["reason"]
    assert readings(on_kafka).keys() == admitted(messages)


def test_topics_of_one_partition_are_enough(
    kafka: Kafka, prefix: str, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Narrower than the table says: 'topics check' tells it, and all is said as it should be."""
    admin = ADMIN.AdminClient({"bootstrap.servers": kafka.bootstrap})
    for made in admin.create_topics([NewTopic(prefix + topic.name, 1) for topic in TOPICS]).values():
        made.result(10)
    on_kafka = OnKafka(kafka, prefix)
    messages = recorded("storm-day", 21_000)[18_000:]
    expected = embedded(messages, tmp_path)
    with (
        on_kafka.verb("stream", "all", "--shell", "kafka") as workers,
        on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "3") as collector,
    ):
        publish(mosquitto, messages)
        assert collector.wait(60) == 0
        settled(on_kafka, expected)
        end(workers)
    with on_kafka.verb("topics", "check", wait=False, city=False) as check:
        said, _ = check.communicate(timeout=30)
    assert check.returncode == 1
    assert f"{prefix}{READINGS.name}: has 1 partitions, the table says {READINGS.partitions}" in said


@pytest.mark.parametrize("verb", [("stream", "detect"), ("stream", "correlate"), ("alert",)])
def test_without_topics_it_says_what_makes_them(kafka: Kafka, prefix: str, verb: tuple[str, ...]) -> None:
    """No traceback, no topic made in secret, status 3."""
    command = [sys.executable, str(ROOT / "crosscurrent.py"), *verb, "--city", str(CITY)]
    done = subprocess.run(
        [*command, "--kafka", kafka.address],
        env=os.environ | {"CROSSCURRENT_KAFKA_PREFIX": prefix},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 3
    assert f"has no topic '{prefix}city." in done.stderr
    assert "'crosscurrent topics create' makes it" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A Kafka that asks who may do what."""
    authorizer = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    settings = (authorizer, "allow.everyone.if.no.acl.found=true")
    with Kafka(tmp_path_factory.mktemp("guarded"), *free_ports(2), more=settings) as kafka:
        yield kafka


@pytest.mark.parametrize(
    ("shell", "topic", "operation"),
    [("faust", READINGS, "READ"), ("kafka", READINGS, "READ"), ("kafka", ALARMS, "WRITE")],
)
def test_a_worker_that_may_not_is_told(
    guarded: Kafka, prefix: str, mosquitto: Mosquitto, shell: str, topic: Any, operation: str
) -> None:
    """It may not read its input, or not write what it says: Kafka's own refusal, with status 3."""
    on_kafka = OnKafka(guarded, prefix)
    deny = ADMIN.AclBinding(
        ADMIN.ResourceType.TOPIC,
        on_kafka.settings.name(topic),
        ADMIN.ResourcePatternType.LITERAL,
        "User:ANONYMOUS",
        "*",
        getattr(ADMIN.AclOperation, operation),
        ADMIN.AclPermissionType.DENY,
    )
    admin = ADMIN.AdminClient({"bootstrap.servers": guarded.bootstrap})
    admin.create_acls([deny])[deny].result(10)
    with (
        on_kafka.verb("collect", "--broker", mosquitto.address),
        on_kafka.verb("stream", "detect", "--shell", shell, wait=False, errors=True) as worker,
    ):
        publish(mosquitto, recorded("storm-day", 19_000)[18_000:])
        _, said = worker.communicate(timeout=60)

    assert worker.returncode == 3
    assert "authorization failed" in said.lower() or "not authorized" in said.lower(), said
