"""What the tests on Kafka share: a city on topics of its own, verbs as processes, what topics hold."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from confluent_kafka import Consumer, KafkaException, TopicPartition
from paho.mqtt.enums import CallbackAPIVersion

from collectors.intake import Intake
from collectors.messages import Message
from runner.kafka.records import said
from runner.kafka.settings import KafkaSettings, kafka_settings
from runner.kafka.topics import TopicTable
from schemas.cityfile import load_city
from schemas.readings import Frame
from schemas.topics import READINGS, Topic
from tests.runner.storm import CITY
from tests.servers import Kafka, Mosquitto

ROOT = Path(__file__).parents[2]
SECONDS = 60.0


class Seen(NamedTuple):
    """A record of a topic."""

    partition: int
    key: str
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The value."""
        return json.loads(self.text)


class OnKafka:
    """A Kafka with topics of a test's own, and the verbs that work on them."""

    def __init__(self, kafka: Kafka, prefix: str, city: Path = CITY) -> None:
        self.kafka, self._city = kafka, city
        self.settings: KafkaSettings = kafka_settings(kafka.address, {}, prefix=prefix)
        table = TopicTable(self.settings)
        table.create()
        table.close()

    @contextmanager
    def verb(
        self,
        *arguments: str,
        wait: bool = True,
        city: bool = True,
        kafka: bool = True,
        member: str = "",
        errors: bool = False,
    ) -> Iterator[subprocess.Popen[str]]:
        """A verb as a process of its own; ``wait`` until it has said its first line. Killed in the end.

        ``city``, ``kafka``: whether to say which; ``member``: a worker's own name; ``errors``: whether
        its stderr can be read.
        """
        variables = {"CROSSCURRENT_KAFKA_PREFIX": self.settings.prefix}
        if member:
            variables["CROSSCURRENT_KAFKA_MEMBER"] = member
        command = [sys.executable, str(ROOT / "crosscurrent.py"), *arguments]
        command += ["--city", str(self._city)] if city else []
        command += ["--kafka", self.kafka.address] if kafka else []
        with subprocess.Popen(
            command,
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors else None,
            text=True,
        ) as process:
            assert process.stdout is not None
            if wait:
                process.stdout.readline()
            try:
                yield process
            finally:
                process.kill()

    def committed(self, group: str) -> int:
        """How many records a group of ours has committed, of all topics together."""
        consumer = Consumer(
            self.settings.librdkafka({"group.id": f"{self.settings.prefix}crosscurrent-{group}"})
        )
        try:
            partitions = [
                TopicPartition(name, number)
                for name, topic in consumer.list_topics(timeout=30).topics.items()
                if name.startswith(self.settings.prefix)
                for number in topic.partitions
            ]
            return sum(max(0, one.offset) for one in consumer.committed(partitions, timeout=30))
        except KafkaException as error:  # a new group has no coordinator yet
            if not error.args[0].retriable():
                raise
            return 0
        finally:
            consumer.close()

    def records(self, topic: Topic) -> list[Seen]:
        """What workers see of a topic."""
        consumer = Consumer(
            self.settings.librdkafka(
                {
                    "group.id": "looks",
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "earliest",  # what is left, where the first are gone
                    "isolation.level": "read_committed",
                }
            )
        )
        name = self.settings.name(topic)
        open_ = set(consumer.list_topics(name, 10).topics[name].partitions)
        consumer.assign([TopicPartition(name, partition, 0) for partition in open_])
        found = []
        while open_:
            message = consumer.poll(20)
            assert message is not None, f"{name} does not answer"
            error, partition, value = message.error(), message.partition(), message.value()
            if error is not None:
                assert error.name() == "_PARTITION_EOF", error
                open_.discard(partition)
                continue
            key, value = message.key() or b"", value or b""  # others may write without
            assert isinstance(value, bytes)
            assert isinstance(key, bytes)
            assert partition is not None
            text = value.decode(errors="replace")
            found.append(Seen(partition, key.decode(errors="replace"), said(message), text))
        consumer.close()
        return found


def end(process: "subprocess.Popen[str]") -> str:
    """End a verb in order; what it said."""
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    text = process.stdout.read()
    assert process.wait(30) == 0
    return text


def publish(broker: Mosquitto, messages: list[Message]) -> None:
    """Bring messages to the broker, and wait until it has them."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    sent = [client.publish(message.topic, message.payload, qos=1) for message in messages]
    for one in sent:
        one.wait_for_publish(SECONDS)
    client.disconnect()
    client.loop_stop()


def readings(on_kafka: OnKafka) -> Counter[tuple[str, int]]:
    """How often each reading is on the topic, by sensor and time."""
    found: Counter[tuple[str, int]] = Counter()
    for record in (seen.json for seen in on_kafka.records(READINGS)):
        if record["kind"] == "frame":
            found.update(zip(record["sensors"], record["at"], strict=True))
    return found


def admitted(messages: list[Message]) -> set[tuple[str, int]]:
    """The readings that the intake lets in."""
    records = Intake(load_city(CITY)).step(messages).records
    return {key for r in records if isinstance(r, Frame) for key in zip(r.sensors, r.at, strict=True)}


def at_work(ready: str) -> bool:
    """Whether somebody answers at this address, and says yes."""
    try:
        with urllib.request.urlopen(ready, timeout=5):
            return True
    except OSError:  # an HTTPError is one too
        return False


def wait_until(true: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Poll until it is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.2)
