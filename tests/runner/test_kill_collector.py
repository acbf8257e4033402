"""Twenty kills of ``up`` at another broker: it acknowledges what is stored, and is sent the rest again."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.runner.test_kill import CITY, ROOT, SEED, Results, results, storm
from tests.servers import Mosquitto

KILLS = 20


@contextmanager
def up(folder: Path, broker: Mosquitto) -> Iterator[subprocess.Popen[bytes]]:
    """A real ``crosscurrent up`` at another broker, once it collects."""
    command = [sys.executable, str(ROOT / "crosscurrent.py"), "up", "--no-console"]
    command += ["--city", str(CITY), "--data", str(folder), "--broker", broker.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def publish(broker: Mosquitto, messages: list[tuple[str, bytes]]) -> None:
    """Bring all messages to the broker, and wait until it has them."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    sent = [client.publish(topic, payload, qos=1) for topic, payload in messages]
    for one in sent:
        one.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


def run(messages: list[tuple[str, bytes]], folder: Path, broker: Mosquitto, kills: int) -> Results:
    """Publish in as many parts as there are lives of ``up``; all but the last are cut short by a kill."""
    chance = random.Random(SEED)
    with up(folder, broker) as process:  # makes the session in which the broker keeps messages
        process.terminate()
        process.wait(10)
    part = len(messages) // (kills + 1) + 1
    for start in range(0, len(messages), part):
        with up(folder, broker) as process:
            publish(broker, messages[start : start + part])
            if start + part < len(messages):
                time.sleep(chance.uniform(0, 0.05))
                process.kill()
            else:
                wait_until_quiet(folder)
                process.terminate()
            process.wait(10)
    return results(folder)


def wait_until_quiet(folder: Path) -> None:
    """Return when the log has not grown for a second."""
    size, deadline = -1, time.monotonic() + 30
    with closing(sqlite3.connect(f"file:{folder / 'log.sqlite'}?mode=ro", uri=True)) as log:
        while size != (now := log.execute("SELECT max(offset) FROM log").fetchone()[0]):
            assert time.monotonic() < deadline
            size = now
            time.sleep(1)


def test_twenty_kills_at_another_broker_change_nothing(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """A session that outlives the process, and acknowledgements only after the commit."""
    messages = list(storm())
    undisturbed = run(messages, tmp_path / "undisturbed", mosquitto, kills=0)
    killed = run(messages, tmp_path / "killed", mosquitto, kills=KILLS)
    assert len(undisturbed.alarms) > 10
    for name in Results._fields:
        assert getattr(killed, name) == getattr(undisturbed, name), name
