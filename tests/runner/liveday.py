"""A recorded day lived: over real MQTT into ``up``, in one process or on a real Kafka, which sends to real
webhooks; beside it, its replay.

The day is moved ahead by whole years of 52 weeks, to the same weekday: what is older than an hour wakes
nobody, and a day that lies ahead of the clock on the wall is never old.
"""

import math
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.policyfile import load_policy
from collectors.messages import Message
from collectors.play import Player
from collectors.recording import Writer
from runner.embedded import Embedded
from runner.sending.opening import receivers_of
from schemas.cityfile import load_city
from schemas.notifications import Notification
from schemas.times import DAY, SECOND
from schemas.vocabulary import load_vocabulary
from tests.receivers import Hook
from tests.runner.kafkahelp import OnKafka, at_work, wait_until
from tests.servers import Mosquitto, free_ports

YEAR = timedelta(weeks=52)
Arrival = tuple[str, str, str]
"""Receiver, thread, and kind of a message."""


def ahead(messages: list[Message], path: Path) -> Path:
    """A recording of the same messages on a day that is still to come."""
    first = datetime.fromtimestamp(messages[0].received / SECOND, UTC).date()
    years = math.ceil((datetime.now(UTC).date() + timedelta(2) - first) / YEAR)
    days = [first + timedelta(number) for number in (-1, 0, 1)]
    writer = Writer(path)
    for message in messages:
        payload = message.payload
        for day in days:
            payload = payload.replace(day.isoformat().encode(), (day + years * YEAR).isoformat().encode())
        received = message.received + years * YEAR // timedelta(milliseconds=1)
        assert received > time.time() * SECOND + DAY // 24
        writer.write(Message(received, message.topic, payload))
    writer.close()
    return path


def hooked(city: Path, folder: Path, hook: Hook) -> Path:
    """The city in a folder of its own; of its alerts.yaml each receiver is a webhook that bears its name."""
    text = city.with_name("alerts.yaml").read_text(encoding="utf-8")
    policy = load_policy(city, load_city(city))
    for name in policy.receivers:
        url = f'{{type: webhook, url: "{hook.address}/{name}", allow_private: true, per_minute: 100000}}'
        text = text.replace(f"{name}: {{type: console}}", f"{name}: {url}")
    (folder / "alerts.yaml").write_text(text, encoding="utf-8")
    copy = folder / city.name
    copy.write_bytes(city.read_bytes())
    return copy


def due(city: Path, notes: list[Notification]) -> list[Arrival]:
    """What should arrive, of what was decided."""
    policy = load_policy(city, load_city(city))
    return [(name, note.id, note.kind) for note in notes for name in receivers_of(policy, note.to)]


def came(hook: Hook) -> list[Arrival]:
    """What has arrived, in that order."""
    return [(one.path.strip("/"), one.json["id"], one.json["kind"]) for one in list(hook.requests)]


def lived(
    recording: Path, city: Path, folder: Path, until: Callable[[], bool], seconds: float = 120.0
) -> None:
    """Play it as fast as it goes into ``up``, until that is so or the seconds are over, and a moment more."""
    model = load_city(city)
    embedded = Embedded(
        model,
        load_vocabulary(beside=city),
        folder,
        mqtt_port=0,
        policy=load_policy(city, model),
        send=True,
    )
    embedded.start()
    try:
        Player(recording, embedded.status().broker, math.inf).run()
        embedded.end_of_input()
        _watch(until, seconds)
    finally:
        embedded.stop()
    assert embedded.failure is None


def lived_on_kafka(
    recording: Path, on_kafka: OnKafka, broker: Mosquitto, until: Callable[[], bool], seconds: float = 120.0
) -> None:
    """The same on Kafka: ``up --kafka`` as people start it, with a collector behind a broker that is not
    ours, Faust's workers, and ``crosscurrent alert``.
    """
    metrics = f"127.0.0.1:{free_ports(1)[0]}"
    with on_kafka.verb("up", "--no-console", "--broker", broker.address, "--metrics", metrics) as up:
        wait_until(lambda: at_work(f"http://{metrics}/ready"), "all at work", seconds)
        Player(recording, broker.address, math.inf).run()
        _watch(until, seconds)
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=seconds)


def _watch(until: Callable[[], bool], seconds: float) -> None:
    """Until it is so, or the seconds are over; and a moment more, for what should not come."""
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
