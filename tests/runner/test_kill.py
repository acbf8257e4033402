"""The promise of custody: twenty kills -9 under load, and the stores equal those of a run without.

Sensors publish over real MQTT and know only their acknowledgements; ``up`` is a real process.
"""

import gzip
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from alerts.policyfile import load_policy
from runner.processor import Processor
from runner.store import Retention, Store
from schemas.alarms import Alarm
from schemas.cityfile import load_city
from schemas.incidents import IncidentRevision
from schemas.notifications import Notification
from schemas.readings import Reading
from schemas.vocabulary import load_vocabulary

ROOT = Path(__file__).parents[2]
CITY = ROOT / "cities" / "riverton" / "city.yaml"
STORM = ROOT / "cities" / "riverton" / "storm-day.jsonl.gz"
FIRST, LAST = "2025-06-04T08:30", "2025-06-04T12:30"
KILLS = 20
SEED = 20251123
ALL_TIMES = (0, 1 << 60)


class Results(NamedTuple):
    """Everything that must not depend on kills."""

    readings: dict[str, list[Reading]]
    alarms: list[Alarm]
    incidents: list[IncidentRevision]
    notifications: list[Notification]
    refused: set[tuple[str, bytes, str]]


class Sensors:
    """One MQTT client with a lasting session that publishes everything at once and counts PUBACKs."""

    def __init__(self, port: int, messages: list[tuple[str, bytes]]) -> None:
        self.acknowledged = 0
        self._counted = threading.Condition()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="sensors", clean_session=False, protocol=mqtt.MQTTv311
        )
        # paho waits for any part of a second; its hints say int.
        self._client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]
        self._client.on_publish = self._on_publish
        for topic, payload in messages:
            self._client.publish(topic, payload, qos=1)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def wait_for(self, acknowledged: int, seconds: float = 60) -> None:
        """Return when so many messages are acknowledged."""
        with self._counted:
            assert self._counted.wait_for(lambda: self.acknowledged >= acknowledged, seconds), (
                f"{self.acknowledged} of {acknowledged} acknowledged"
            )

    def leave(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_publish(self, *_: object) -> None:
        with self._counted:
            self.acknowledged += 1
            self._counted.notify_all()


def test_twenty_kills_change_nothing(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Nothing acknowledged is lost, nothing counts twice, incidents go on under their ids."""
    messages = list(storm())
    undisturbed = run(messages, tmp_path / "undisturbed", free_port(), kills=0)
    killed = run(messages, tmp_path / "killed", free_port(), kills=KILLS)
    assert len(undisturbed.alarms) > 10
    assert undisturbed.incidents != []
    assert undisturbed.refused != set()
    for name in Results._fields:
        assert getattr(killed, name) == getattr(undisturbed, name), name


def run(messages: list[tuple[str, bytes]], folder: Path, port: int, kills: int) -> Results:
    """Publish everything to ``up``, killing it so often on the way; what the folder then holds."""
    chance = random.Random(SEED)
    sensors = Sensors(port, messages)
    for moment in sorted(chance.sample(range(50, len(messages) - 500), kills)):
        with up(folder, port) as process:
            if chance.random() < 0.25:  # while it starts, or recovers
                time.sleep(chance.uniform(0.2, 1.0))
            else:
                sensors.wait_for(moment)
                time.sleep(chance.uniform(0, 0.02))
            process.kill()
    with up(folder, port) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it is up
        sensors.wait_for(len(messages))
        sensors.leave()
        process.terminate()
        assert process.wait(10) == 0
    return results(folder)


@contextmanager
def up(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A real ``crosscurrent up``."""
    command = [sys.executable, str(ROOT / "crosscurrent.py"), "up", "--no-console"]
    command += ["--city", str(CITY), "--data", str(folder), "--mqtt-port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def storm() -> Iterator[tuple[str, bytes]]:
    """The hours around the storm, with a poisonous message now and then."""
    with gzip.open(STORM, "rt") as lines:
        for number, line in enumerate(lines):
            entry = json.loads(line)
            if not FIRST <= entry["received"] < LAST:
                continue
            yield entry["topic"], json.dumps(entry["payload"]).encode()
            if number % 400 == 0:
                yield entry["topic"], b"poison %d" % number


def results(folder: Path) -> Results:
    """What a folder holds, once what the last run left in the log is processed too."""
    store = Store(folder)
    city = load_city(CITY)
    processor = Processor(city, load_vocabulary(), store, Retention(), policy=load_policy(CITY, city))
    try:
        while processor.step():
            pass
        sensors = sorted(store.latest())
        return Results(
            {sensor: store.readings(sensor, *ALL_TIMES) for sensor in sensors},
            store.alarms(),
            store.incidents(limit=10_000),
            store.notifications(),
            {(letter.topic, letter.payload, letter.reason) for letter in store.dead_letters(10_000)},
        )
    finally:
        store.close()
