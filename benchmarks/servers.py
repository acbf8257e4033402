"""What benchmarks on real servers share: a city's messages, processes and topics watched from outside.

The servers are those of the tests (tests/servers.py; ``scripts/servers.sh`` provides them); the peers are
built by ``scripts/peers.sh`` into the cache folder.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import yaml
from common import ROOT
from confluent_kafka import Consumer, TopicPartition
from paho.mqtt.enums import CallbackAPIVersion

from collectors.messages import Message
from collectors.recording import read
from schemas.times import DAY

RIVERTON = ROOT / "cities" / "riverton"
CITY = RIVERTON / "city.yaml"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crosscurrent"
LOOK_SECONDS = 0.02
QUIET_SECONDS = 4.0
"""A topic that has not grown for so long is complete."""
PATIENCE_SECONDS = 120.0
AT_ONCE = 50_000
"""Messages that are under way at most: MQTT has 65,535 numbers for them."""
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def storm_days(count: int) -> list[Message]:
    """Riverton's storm, on so many days in a row."""
    day = list(read(RIVERTON / "storm-day.jsonl.gz", lambda *_: None))
    return [
        message._replace(
            received=message.received + number * DAY,
            payload=message.payload.replace(b"2025-06-04", f"2025-06-{4 + number:02}".encode()),
        )
        for number in range(count)
        for message in day
    ]


def publish(port: int, messages: Sequence[Message]) -> None:
    """Bring messages to the broker with QoS 1, and return when it has them all."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for first in range(0, len(messages), AT_ONCE):
        some = messages[first : first + AT_ONCE]
        sent = [client.publish(message.topic, message.payload, qos=1) for message in some]
        for one in sent:
            one.wait_for_publish(PATIENCE_SECONDS)
    client.disconnect()
    client.loop_stop()


@contextmanager
def running(
    command: Sequence[str], variables: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """A process, ended in order in the end; its stdout can be read."""
    with subprocess.Popen(
        command, env=os.environ | dict(variables or {}), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate()


def verb(*arguments: str) -> list[str]:
    """The command that runs one of our verbs."""
    return [sys.executable, str(ROOT / "crosscurrent.py"), *arguments]


def cpu_seconds(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> float:
    """What a process has used of the processors so far, user and system."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


class Ends:
    """Where a topic's partitions end. ``close`` it."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "looks"})
        found = self._consumer.list_topics(topic, 10).topics[topic].partitions
        self._partitions = [TopicPartition(topic, number) for number in found]

    def total(self) -> int:
        """The sum over all partitions."""
        return sum(self._consumer.get_watermark_offsets(one, timeout=10)[1] for one in self._partitions)

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Poll until it is true. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"still not after {PATIENCE_SECONDS:.0f} s: {what}")
        time.sleep(LOOK_SECONDS)


def large_city(folder: Path, districts: int) -> Path:
    """A city model of so many Rivertons side by side, each district for itself."""
    whole = yaml.load(CITY.read_text(encoding="utf-8"), yaml.CSafeLoader)
    renamed = {"assets": ("id", "zone"), "links": ("from", "to"), "sensors": ("asset",)}
    for part, names in renamed.items():
        whole[part] = [
            {**one, **{name: f"d{number}-{one[name]}" for name in names}}
            for number in range(districts)
            for one in whole[part]
        ]
    made = folder / "city.yaml"
    made.write_text(json.dumps(whole, default=str), encoding="utf-8")
    return made


def in_districts(messages: Sequence[Message], districts: int) -> list[Message]:
    """The same weather over all of them: each message once for each district."""
    found = []
    for message in messages:
        head, zone, asset, tail = message.topic.rsplit("/", 3)
        found += [
            message._replace(topic=f"{head}/d{number}-{zone}/d{number}-{asset}/{tail}")
            for number in range(districts)
        ]
    return found
