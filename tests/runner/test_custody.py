"""The ledger knows each message that a source numbers: lost before us, lost by us, late, twice, dropped."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.structs import TopicPartition as Place

from collectors.messages import Message
from schemas.topics import READINGS, RECEIPTS
from tests.runner.kafkahelp import OnKafka, end, publish, wait_until
from tests.runner.storm import recorded
from tests.servers import Kafka, Mosquitto


@pytest.fixture
def on_kafka(kafka: Kafka, prefix: str) -> OnKafka:
    """Topics of a test's own."""
    return OnKafka(kafka, prefix)


def numbered(messages: Sequence[Message]) -> list[Message]:
    """Each message with a number of its source's own."""
    counts: dict[str, int] = {}
    found = []
    for message in messages:
        counts[message.topic] = counts.get(message.topic, -1) + 1
        payload = json.dumps(json.loads(message.payload) | {"seq": counts[message.topic]})
        found.append(message._replace(payload=payload.encode()))
    return found


def source_of(message: Message) -> str:
    """As the ledger names it."""
    return "/".join(message.topic.split("/")[-2:])


def seq_of(message: Message) -> int:
    """The source's own number."""
    found: int = json.loads(message.payload)["seq"]
    return found


def ledger(on_kafka: OnKafka) -> tuple[int, list[str], str]:
    """Status, what is lost or missing of messages and records, and the figures of messages."""
    with on_kafka.verb("ledger", "verify", wait=False) as process:
        said, _ = process.communicate(timeout=120)
    lines = said.splitlines()
    lost = [line for line in lines if "  message  " in line or "  record  " in line]
    (figures,) = (line for line in lines if line.startswith("messages: "))
    return process.returncode, lost, figures


def collected(on_kafka: OnKafka, mosquitto: Mosquitto, messages: Sequence[Message]) -> None:
    """Publish, and wait until the collector has all."""
    with on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "3") as collector:
        publish(mosquitto, list(messages))
        assert collector.wait(60) == 0


def test_a_message_that_never_reached_us_is_told_by_its_number(
    on_kafka: OnKafka, mosquitto: Mosquitto
) -> None:
    """One never comes; one comes late, one twice, one broken: only the first is lost, and before us."""
    messages = numbered(recorded("storm-day", 2000))
    first = messages[0].topic
    own = [number for number, message in enumerate(messages) if message.topic == first]
    lost, late, twice, broken = own[2], own[4], own[6], own[8]
    sent = [message for number, message in enumerate(messages) if number not in {lost, late}]
    sent[sent.index(messages[broken])] = messages[broken]._replace(payload=b"\x00")
    sent.insert(sent.index(messages[own[5]]) + 1, messages[late])
    sent.append(messages[twice])
    collected(on_kafka, mosquitto, sent)

    status, listed, figures = ledger(on_kafka)
    (line,) = listed
    assert line.startswith(f"lost before us  message  {source_of(messages[0])} 2, before 2025-06-04T")
    assert "1 lost before us, 1 late, 1 twice, 0 sources began anew; 1 came whose number" in figures
    assert status == 1


def test_a_source_that_starts_anew_has_lost_nothing(on_kafka: OnKafka, mosquitto: Mosquitto) -> None:
    """All sources count from 0 again in the middle; the collector too is another then."""
    messages = recorded("storm-day", 2000)
    collected(on_kafka, mosquitto, numbered(messages[:1000]))
    collected(on_kafka, mosquitto, numbered(messages[1000:]))

    _, listed, figures = ledger(on_kafka)
    sources = {message.topic for message in messages[:1000]} & {message.topic for message in messages[1000:]}
    assert listed == []
    assert f"2,000 numbered by {len({message.topic for message in messages})} sources" in figures
    assert f"0 late, 0 twice, {len(sources)} sources began anew" in figures


def test_what_kafka_lost_is_not_blamed_on_the_sources(on_kafka: OnKafka, mosquitto: Mosquitto) -> None:
    """The first records of a partition are made to disappear: each is missed by its number."""
    collected(on_kafka, mosquitto, numbered(recorded("storm-day", 600)))
    gone = next(seen for seen in on_kafka.records(READINGS) if seen.json["kind"] == "frame")
    admin = KafkaAdminClient(**on_kafka.settings.kafka_python())
    place = Place(on_kafka.settings.name(READINGS), gone.partition)
    before = [seen.headers["ce_id"] for seen in on_kafka.records(READINGS)]
    admin.delete_records({place: 5})
    admin.close()
    left = [seen.headers["ce_id"] for seen in on_kafka.records(READINGS)]

    status, listed, figures = ledger(on_kafka)
    assert status == 1
    assert left != before
    assert sum(map(_length, listed)) == len(before) - len(left)
    assert all(line.startswith("missing  record  collect/riverton/1 ") for line in listed)
    assert " 0 lost before us" in figures


def _length(line: str) -> int:
    """How many records a line is about."""
    first, _, last = line.rpartition("/")[2].partition("-")
    return int(last or first) - int(first) + 1


@pytest.fixture
def forgetful(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Mosquitto:
    """A broker that keeps ten messages of a session and tells each second what it dropped."""
    folder: Path = tmp_path_factory.mktemp("forgetful")
    more = ("max_queued_messages 10", "max_inflight_messages 1", "sys_interval 1")
    return Mosquitto(folder, free_port(), more=more)


def test_what_the_broker_dropped_while_we_were_away_is_counted(
    on_kafka: OnKafka, forgetful: Mosquitto
) -> None:
    """Its queue for us was full: each lost number is told, and how many the broker says it dropped."""
    messages = numbered(recorded("storm-day", 600))
    with forgetful:
        with on_kafka.verb("collect", "--broker", forgetful.address) as collector:
            publish(forgetful, messages[:200])
            wait_until(lambda: len(on_kafka.records(RECEIPTS)) > 0, "a receipt")
            time.sleep(2)
            end(collector)
        publish(forgetful, messages[200:400])
        time.sleep(2)
        with on_kafka.verb("collect", "--broker", forgetful.address, "--until-idle", "4") as collector:
            time.sleep(2)
            publish(forgetful, messages[400:])
            assert collector.wait(60) == 0

    status, listed, figures = ledger(on_kafka)
    dropped = int(figures.rpartition(" ")[2])
    assert status == 1
    assert dropped >= 180
    assert listed
    assert all(line.startswith("lost before us  message  ") for line in listed)
