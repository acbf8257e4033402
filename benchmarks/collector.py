"""MQTT to Kafka on one host, with the delivery guarantee: ``crosscurrent collect`` beside Telegraf.

Both take the same messages (riverton's storm, one message an asset, 1.5 readings each) out of a session that
mosquitto keeps for them, QoS 1, and write to Kafka with acks=all; both acknowledge to mosquitto only what
Kafka has. Telegraf (``mqtt_consumer`` to ``kafka``, idempotent) passes each payload on as it is. Ours
decodes, checks, converts and sorts the readings to the sites of the city, in transactions. The clock runs
from the first record on the topic to the last; then both topics are looked through: all must be there.

``ours_vs_telegraf`` is the ratio of messages a second, the median of rounds in turns; ``..._cpu`` that of the
processor's time a message, which depends less on what else the machine does.
"""

import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from statistics import median
from typing import NamedTuple

import paho.mqtt.client as mqtt
from common import ROOT, flags, machine, report
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from paho.mqtt.enums import CallbackAPIVersion
from servers import (
    CACHE,
    CITY,
    LOOK_SECONDS,
    PATIENCE_SECONDS,
    QUIET_SECONDS,
    Ends,
    cpu_seconds,
    publish,
    running,
    storm_days,
    verb,
    wait_until,
)

from collectors.intake import Intake
from collectors.messages import Message
from runner.kafka.reading import read
from runner.kafka.settings import kafka_settings
from runner.kafka.topics import TopicTable
from schemas.cityfile import load_city
from schemas.readings import Frame
from schemas.topics import READINGS
from tests.servers import Kafka, Mosquitto, free_ports

TELEGRAF = CACHE / "telegraf-v1.37.2"
TELEGRAF_TOML = """
[agent]
  interval = "1s"
  flush_interval = "100ms"
  metric_batch_size = 1000
  metric_buffer_limit = 100000
  omit_hostname = true
  quiet = true
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{mqtt}"]
  topics = ["city/v1/#"]
  qos = 1
  client_id = "telegraf-{name}"
  persistent_session = true
  max_undelivered_messages = 10000
  data_format = "value"
  data_type = "string"
[[outputs.kafka]]
  brokers = ["{kafka}"]
  topic = "{topic}"
  required_acks = -1
  idempotent_writes = true
  max_retry = 10
  routing_tag = "topic"
  data_format = "json"
"""
MOSQUITTO = ("max_inflight_messages 1000", "autosave_interval 1800")
"""So many on the way to a client of MQTT 3.1.1 (Telegraf), as ours asks for; no saving of the queue."""


class Round(NamedTuple):
    """One peer's work on all messages."""

    seconds: float
    cpu_seconds: float


class Bench:
    """Servers and messages; a new topic and session for each round."""

    def __init__(self, folder: Path, mosquitto: Mosquitto, kafka: Kafka, messages: list[Message]) -> None:
        self._folder, self._mosquitto, self._kafka, self._messages = folder, mosquitto, kafka, messages
        records = Intake(load_city(CITY)).step(messages).records
        self.readings = sum(len(record.sensors) for record in records if isinstance(record, Frame))

    def ours(self) -> Round:
        """``crosscurrent collect``."""
        name = uuid.uuid4().hex[:8]
        settings = kafka_settings(self._kafka.address, {}, prefix=f"{name}.")
        table = TopicTable(settings)
        table.create()
        table.close()
        command = verb("collect", "--city", str(CITY), "--name", name)
        command += ["--broker", self._mosquitto.address, "--kafka", self._kafka.address]
        round_ = self._measure(
            command,
            settings.name(READINGS),
            f"crosscurrent-riverton-{name}",
            {"CROSSCURRENT_KAFKA_PREFIX": settings.prefix},
        )
        found = sum(
            len(Frame.model_validate_json(record.value).sensors)
            for partition in range(READINGS.partitions)
            for record in read(settings, READINGS, partition)
            if record.headers["ce_type"] == "crosscurrent.frame"
        )
        if found != self.readings:
            raise RuntimeError(f"ours brought {found} of {self.readings} readings")
        return round_

    def telegraf(self) -> Round:
        """Telegraf, to a topic of as many partitions."""
        name = uuid.uuid4().hex[:8]
        topic = f"telegraf-{name}"
        admin = AdminClient({"bootstrap.servers": self._kafka.bootstrap})
        admin.create_topics([NewTopic(topic, READINGS.partitions)])[topic].result(10)
        config = self._folder / f"{topic}.toml"
        config.write_text(
            TELEGRAF_TOML.format(
                mqtt=self._mosquitto.port, kafka=self._kafka.bootstrap, topic=topic, name=name
            )
        )
        round_ = self._measure(
            [str(TELEGRAF), "--config", str(config), "--quiet", "--non-strict-env-handling"],
            topic,
            f"telegraf-{name}",
            {},
        )
        ends = Ends(self._kafka.bootstrap, topic)
        found = ends.total()
        ends.close()
        if found != len(self._messages):
            raise RuntimeError(f"Telegraf brought {found} of {len(self._messages)} messages")
        return round_

    def _measure(self, command: list[str], topic: str, client_id: str, variables: dict[str, str]) -> Round:
        self._session(client_id)
        publish(self._mosquitto.port, self._messages)
        ends = Ends(self._kafka.bootstrap, topic)
        before = ends.total()
        with running(command, variables) as process:
            wait_until(lambda: ends.total() > before, "the first record")
            began = last = time.monotonic()
            cpu_before, total = cpu_seconds(process), 0
            cpu_after = cpu_before
            while time.monotonic() - last < QUIET_SECONDS:
                if (now := ends.total()) > total:
                    last, total, cpu_after = time.monotonic(), now, cpu_seconds(process)
                time.sleep(LOOK_SECONDS)
        ends.close()
        return Round(last - began, cpu_after - cpu_before)

    def _session(self, client_id: str) -> None:
        """Make the session that the peer will take up: mosquitto keeps for it what comes from now on."""
        subscribed = threading.Event()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
        client.on_connect = lambda client, *_: client.subscribe("city/v1/#", qos=1)
        client.on_subscribe = lambda *_: subscribed.set()
        client.connect("127.0.0.1", self._mosquitto.port)
        client.loop_start()
        subscribed.wait(PATIENCE_SECONDS)
        client.disconnect()
        client.loop_stop()


def rates(rounds: list[Round], messages: int, name: str) -> dict[str, float]:
    """The medians of one peer."""
    return {
        f"{name}_messages_per_second": round(median(messages / one.seconds for one in rounds)),
        f"{name}_cpu_us_per_message": round(median(one.cpu_seconds / messages * 1e6 for one in rounds), 1),
    }


def main() -> None:
    """Measure and tell."""
    args, before = flags("Messages a second from MQTT to Kafka, beside Telegraf."), machine()
    subprocess.run([ROOT / "scripts" / "peers.sh", "telegraf"], check=True, stdout=sys.stderr)
    messages = storm_days(1 if args.quick else 4)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            Mosquitto(folder, free_ports(1)[0], more=MOSQUITTO) as mosquitto,
            Kafka(folder, *free_ports(2)) as kafka,
        ):
            bench = Bench(folder, mosquitto, kafka, messages)
            both = [(bench.ours(), bench.telegraf()) for _ in range(1 if args.quick else 5)]
    ours, telegraf = ([one[side] for one in both] for side in (0, 1))
    figures: dict[str, float] = {"messages": len(messages), "readings": bench.readings}
    figures |= rates(ours, len(messages), "ours") | rates(telegraf, len(messages), "telegraf")
    ratios = {
        "ours_vs_telegraf": round(median(b.seconds / a.seconds for a, b in both), 2),
        "ours_vs_telegraf_cpu": round(median(b.cpu_seconds / a.cpu_seconds for a, b in both), 2),
    }
    report("collector", before, figures, ratios, args.json)


if __name__ == "__main__":
    main()
