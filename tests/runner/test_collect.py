"""The collector on a real mosquitto and a real Kafka: what is acknowledged is there, once and in order."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import confluent_kafka.admin
import pytest
from kafka import KafkaConsumer
from kafka.partitioner.default import DefaultPartitioner

from collectors.intake import Intake
from collectors.messages import Message
from schemas.cityfile import load_city
from schemas.times import rfc3339
from schemas.topics import DEAD_LETTERS, READINGS
from schemas.vocabulary import load_vocabulary
from streams.detect import Detector
from tests.runner.kafkahelp import ROOT, OnKafka, admitted, end, publish, readings, wait_until
from tests.runner.storm import CITY, recorded
from tests.servers import Kafka, Mosquitto, free_ports

ADMIN: Any = confluent_kafka.admin
"""It offers more than its annotations say."""


@pytest.fixture
def on_kafka(kafka: Kafka, prefix: str) -> OnKafka:
    """Topics of a test's own."""
    return OnKafka(kafka, prefix)


def moves_of(messages: list[Message]) -> list[int]:
    """How stream time moves in a detector that hears the whole city."""
    city = load_city(CITY)
    detector = Detector(city, load_vocabulary(beside=CITY))
    return [
        found
        for record in Intake(city).step(messages).records
        for found in detector.step(record)
        if isinstance(found, int)
    ]


def test_each_reading_is_on_the_partition_of_its_site_and_time_on_all(
    on_kafka: OnKafka, mosquitto: Mosquitto
) -> None:
    """Every partition of a city sees the same moves of stream time; frames carry CloudEvents headers."""
    messages = recorded("storm-day", 3000)
    with on_kafka.verb("collect", "--broker", mosquitto.address) as collector:
        publish(mosquitto, messages)
        wait_until(lambda: readings(on_kafka).keys() == admitted(messages), "all readings")
        end(collector)

    found = on_kafka.records(READINGS)
    ticks: dict[int, list[str]] = {}
    for seen in found:
        if seen.json["kind"] == "tick":
            ticks.setdefault(seen.partition, []).append(seen.json["at"])
    sites: dict[str, int] = {}
    for seen in found:
        if seen.json["kind"] == "frame":
            assert sites.setdefault(seen.key, seen.partition) == seen.partition
    assert len(sites) > 1
    assert set(sites.values()) <= ticks.keys()
    assert len({tuple(times) for times in ticks.values()}) == 1
    assert set(readings(on_kafka).values()) == {1}
    headers = next(seen.headers for seen in found if seen.json["kind"] == "frame")
    assert (headers["ce_type"], headers["ce_source"]) == ("crosscurrent.frame", "/collect/riverton/1")


def test_another_client_reads_what_we_wrote_where_it_expects_it(
    on_kafka: OnKafka, mosquitto: Mosquitto
) -> None:
    """A second client library finds the readings, each under the partition that it would choose itself."""
    with on_kafka.verb("collect", "--broker", mosquitto.address) as collector:
        publish(mosquitto, recorded("storm-day", 500))
        wait_until(lambda: len(readings(on_kafka)) > 600, "readings")
        end(collector)
    consumer = KafkaConsumer(
        on_kafka.settings.name(READINGS),
        **on_kafka.settings.kafka_python(),
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        consumer_timeout_ms=2000,
    )
    found = [(message.partition, message.key) for message in consumer if b"/" in message.key]
    consumer.close()

    assert found

    class Cluster:
        """What the partitioner asks for."""

        topics = staticmethod(lambda: {"t"})
        partitions_for_topic = available_partitions_for_topic = staticmethod(
            lambda _topic: set(range(READINGS.partitions))
        )

    chosen: Any = DefaultPartitioner().partition
    assert [chosen("t", None, key, None, None, Cluster) for _, key in found] == [p for p, _ in found]


def test_what_is_refused_is_a_dead_letter_before_it_is_acknowledged(
    on_kafka: OnKafka, mosquitto: Mosquitto
) -> None:
    """Poison stops nothing: it is kept with its reason, and what comes after it goes its way."""
    topic = "city/v1/riverton/power/x/feeder-1/telemetry"
    poison = [Message(0, topic, b"\xff not JSON"), Message(0, "city/v1/atlantis/a/b/c/telemetry", b"{}")]
    with on_kafka.verb("collect", "--broker", mosquitto.address) as collector:
        publish(mosquitto, [*poison, *recorded("storm-day", 50)])
        wait_until(lambda: len(readings(on_kafka)) > 50, "readings")
        end(collector)

    assert mended(on_kafka, mosquitto) == "2 sent again\n"
    letters = {seen.json["topic"]: seen.json["reason"] for seen in on_kafka.records(DEAD_LETTERS)}
    assert letters.keys() == {message.topic for message in poison}
    assert "atlantis" in letters["city/v1/atlantis/a/b/c/telemetry"]


def mended(on_kafka: OnKafka, mosquitto: Mosquitto) -> str:
    """List the letters, show them, send them again; the last word of it."""
    with on_kafka.verb("dlq", "list", wait=False, city=False) as process:
        listed, _ = process.communicate(timeout=60)
    ids = [line.split()[0] for line in listed.splitlines()]
    with on_kafka.verb("dlq", "show", *ids, wait=False, city=False) as process:
        shown, _ = process.communicate(timeout=60)
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("letter")] == ids
    assert "payload   base64 /yBub3QgSlNPTg==" in shown
    again = ("dlq", "redrive", "--all", "--broker", mosquitto.address)
    with on_kafka.verb(*again, wait=False, city=False) as process:
        said, _ = process.communicate(timeout=60)
    return said


def test_a_killed_collector_loses_nothing_and_time_goes_on_where_it_was(
    on_kafka: OnKafka, mosquitto: Mosquitto
) -> None:
    """After kill -9 the broker sends again what was not acknowledged; time never goes back or jumps."""
    messages = recorded("storm-day", 6000)
    with on_kafka.verb("collect", "--broker", mosquitto.address) as collector:
        end(collector)  # made the session in which the broker keeps messages
    for start in range(0, 6000, 1500):
        with on_kafka.verb("collect", "--broker", mosquitto.address) as collector:
            publish(mosquitto, messages[start : start + 1500])
            if start == 4500:
                wait_until(lambda: readings(on_kafka).keys() == admitted(messages), "all readings")
                end(collector)

    by_partition: dict[int, list[str]] = {}
    for seen in on_kafka.records(READINGS):
        if seen.json["kind"] == "tick":
            by_partition.setdefault(seen.partition, []).append(seen.json["at"])
    moves = [rfc3339(now) for now in moves_of(messages)]
    assert moves
    assert [ticks for ticks in by_partition.values() if ticks != moves] == []


def test_two_collectors_share_the_messages(on_kafka: OnKafka, mosquitto: Mosquitto) -> None:
    """With a shared subscription each message goes to one of them, and nothing is missing or doubled."""
    messages = recorded("storm-day", 3000)
    shared = ("collect", "--broker", mosquitto.address, "--share", "all")
    with on_kafka.verb(*shared, "--name", "a") as one, on_kafka.verb(*shared, "--name", "b") as other:
        publish(mosquitto, messages)
        wait_until(lambda: readings(on_kafka).keys() == admitted(messages), "all readings")
        said = [end(one), end(other)]

    assert set(readings(on_kafka).values()) == {1}
    assert all("readings" in text for text in said)


def test_without_topics_it_says_what_makes_them(kafka: Kafka, mosquitto: Mosquitto) -> None:
    """No traceback, no topic made in secret, status 3."""
    command = [sys.executable, str(ROOT / "crosscurrent.py"), "collect", "--city", str(CITY)]
    done = subprocess.run(
        [*command, "--broker", mosquitto.address, "--kafka", kafka.address],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 3
    assert "has no topic 'city.readings.v1'; 'crosscurrent topics create' makes it" in done.stderr


def refused(on_kafka: OnKafka, mosquitto: Mosquitto) -> tuple[int, str]:
    """Status and last words of a collector that Kafka does not let write."""
    with on_kafka.verb("collect", "--broker", mosquitto.address, errors=True) as collector:
        publish(mosquitto, recorded("storm-day", 100))
        _, said = collector.communicate(timeout=60)
    return collector.returncode, said


def test_a_topic_that_takes_no_record_of_ours_ends_the_collector(
    on_kafka: OnKafka, mosquitto: Mosquitto
) -> None:
    """Trying again would not mend it: it ends with the reason, and nothing was acknowledged."""
    name = on_kafka.settings.name(READINGS)
    admin = ADMIN.AdminClient({"bootstrap.servers": on_kafka.kafka.bootstrap})
    small = ADMIN.ConfigEntry("max.message.bytes", "100", incremental_operation=ADMIN.AlterConfigOpType.SET)
    resource = ADMIN.ConfigResource(ADMIN.ConfigResource.Type.TOPIC, name, incremental_configs=[small])
    admin.incremental_alter_configs([resource])[resource].result(10)

    status, said = refused(on_kafka, mosquitto)

    assert status == 3
    assert f"Kafka {on_kafka.kafka.address}: " in said
    assert "too large" in said


def test_a_user_who_may_not_write_is_told(mosquitto: Mosquitto, prefix: str, tmp_path: Path) -> None:
    """Kafka's own refusal, in one sentence, with status 3."""
    authorizer = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    settings = (authorizer, "allow.everyone.if.no.acl.found=true")
    with Kafka(tmp_path, *free_ports(2), more=settings) as kafka:
        on_kafka = OnKafka(kafka, prefix)
        name = on_kafka.settings.name(READINGS)
        deny = ADMIN.AclBinding(
            ADMIN.ResourceType.TOPIC,
            name,
            ADMIN.ResourcePatternType.LITERAL,
            "User:ANONYMOUS",
            "*",
            ADMIN.AclOperation.WRITE,
            ADMIN.AclPermissionType.DENY,
        )
        admin = ADMIN.AdminClient({"bootstrap.servers": kafka.bootstrap})
        admin.create_acls([deny])[deny].result(10)
        status, said = refused(on_kafka, mosquitto)

    assert status == 3
    assert "authorization failed" in said.lower()


def test_it_can_be_stopped_while_kafka_is_away(mosquitto: Mosquitto, prefix: str, tmp_path: Path) -> None:
    """It says what it could not bring, and the broker sends exactly that to the next one."""
    messages = recorded("storm-day", 600)
    with Kafka(tmp_path, *free_ports(2)) as kafka:
        on_kafka = OnKafka(kafka, prefix)
        with on_kafka.verb("collect", "--broker", mosquitto.address, errors=True) as collector:
            publish(mosquitto, messages[:300])
            wait_until(lambda: readings(on_kafka).keys() == admitted(messages[:300]), "the first readings")
            kafka.kill()
            publish(mosquitto, messages[300:])
            time.sleep(1)
            collector.send_signal(signal.SIGTERM)
            _, said = collector.communicate(timeout=30)
        kafka.start()
        with on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "2") as collector:
            assert collector.wait(60) == 0

        assert "does not answer; stopped without it" in said
        assert readings(on_kafka).keys() == admitted(messages)


def test_of_two_collectors_of_one_name_the_newer_stays(on_kafka: OnKafka, mosquitto: Mosquitto) -> None:
    """The older is fenced off and ends with status 3; between them they lose nothing."""
    messages = recorded("storm-day", 1000)
    both = ("collect", "--broker", mosquitto.address)
    with on_kafka.verb(*both, errors=True) as older, on_kafka.verb(*both) as newer:
        while older.poll() is None:
            publish(mosquitto, messages)
            time.sleep(0.2)
        wait_until(lambda: readings(on_kafka).keys() == admitted(messages), "all readings")
        _, said = older.communicate(timeout=30)
        end(newer)

    assert older.returncode == 3
    assert "fenced" in said
