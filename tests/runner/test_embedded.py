"""The embedded runner end to end: real MQTT in, incidents in the store, stops, restarts and refusals."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from collectors import recording
from collectors.intake import Intake
from collectors.messages import Message
from runner import embedded as embedded_module
from runner import livetime
from runner import reception as reception_module
from runner.core import Core
from runner.database import CannotRun
from runner.embedded import Embedded
from schemas.city import City
from schemas.cityfile import load_city
from schemas.times import parse_time
from schemas.vocabulary import load_vocabulary

ROOT = Path(__file__).parents[2]
RIVERTON = ROOT / "cities" / "riverton"


@pytest.fixture(scope="module")
def city() -> City:
    """Riverton."""
    return load_city(RIVERTON / "city.yaml")


@pytest.fixture(scope="module")
def storm() -> list[Message]:
    """The storm day, from an hour before the rain to the middle of it."""
    first, last = parse_time("2025-06-04T08:00:00Z"), parse_time("2025-06-04T11:00:00Z")
    messages = recording.read(RIVERTON / "storm-day.jsonl.gz", lambda line, what: None)
    return [message for message in messages if first <= message.received < last]


@contextmanager
def running(
    city: City, folder: Path, on_failure: Callable[[Exception], None] | None = None
) -> Iterator[Embedded]:
    """A started runner on a free port, stopped at the end."""
    embedded = Embedded(city, load_vocabulary(), folder, mqtt_port=0, on_failure=on_failure)
    embedded.start()
    try:
        yield embedded
    finally:
        embedded.stop()


def publish(embedded: Embedded, messages: list[Message]) -> None:
    """Publish and wait until all is acknowledged, then until all of it is processed."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.connect("127.0.0.1", int(embedded.status().broker.rsplit(":", 1)[1]))
    client.loop_start()
    sent = [client.publish(message.topic, message.payload, qos=1) for message in messages]
    for one in sent:
        one.wait_for_publish(30)
        assert one.is_published()
    client.disconnect()
    client.loop_stop()
    until(lambda: embedded.lag == 0)


def until(reached: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something to become true; fail where it does not in time."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def test_the_storm_becomes_an_incident_that_goes_on_after_a_restart(
    city: City, storm: list[Message], tmp_path: Path
) -> None:
    """Stopped in the middle and started again: the same incident, under its id, with more in it."""
    half = len(storm) * 3 // 4
    with running(city, tmp_path) as embedded:
        publish(embedded, storm[:half])
        before = embedded.store.incidents()
        status = embedded.status()
    assert [incident.root.asset for incident in before] == ["catchment-1"]
    assert (status.received, status.refused, status.lag, status.failure) == (half, 0, 0, None)
    assert status.stored == status.readings > half
    with running(city, tmp_path) as embedded:
        publish(embedded, storm[half - 100 :])  # the last hundred come twice
        after = embedded.store.incidents()
        status = embedded.status()
    assert [incident.id for incident in after] == [incident.id for incident in before]
    assert len(after[0].members) > len(before[0].members)
    assert status.duplicates == sum(len(json.loads(m.payload)["values"]) for m in storm[half - 100 : half])
    assert status.stored == status.readings - status.duplicates


def test_it_says_what_a_replay_says(city: City, storm: list[Message], tmp_path: Path) -> None:
    """Over real MQTT, in other batches, through log and store: the same revisions and notifications."""
    core = Core(city, load_vocabulary())
    outputs = [core.step(record) for record in Intake(city).step(storm).records]
    with running(city, tmp_path) as embedded:
        publish(embedded, storm)
        revisions = sorted(embedded.store.revisions(), key=lambda revision: revision.known_at)
        notifications = embedded.store.notifications()
    said = [revision for output in outputs for revision in output.incidents]
    assert revisions == sorted(said, key=lambda revision: (revision.known_at, revision.id, revision.revision))
    assert sorted(note.id for note in notifications) == sorted(n.id for o in outputs for n in o.notifications)


def test_poison_is_in_the_dead_letters_before_it_is_acknowledged(city: City, tmp_path: Path) -> None:
    """What nobody can use is kept with the reason, acknowledged, and harms nothing."""
    topic = "city/v1/riverton/water/north/tank-1/telemetry"
    good = b'{"at": "2025-06-04T08:00:00Z", "values": {"level": 2.5}}'
    with running(city, tmp_path) as embedded:
        publish(embedded, [Message(0, topic, b"\xff\x00rubbish"), Message(0, topic, good)])
        (letter,) = embedded.store.dead_letters(10)
        status = embedded.status()
    assert (letter.topic, letter.payload) == (topic, b"\xff\x00rubbish")
    assert (status.received, status.refused, status.stored) == (2, 1, 1)


def test_a_live_city_that_falls_silent_is_noticed(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the wall clock agrees with stream time and nothing comes, time passes all the same."""
    monkeypatch.setattr(livetime, "SILENCE_SECONDS", 0.2)
    now = time.time_ns() // 1_000_000
    at = json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now / 1000 - 120))})
    with running(city, tmp_path) as embedded:
        publish(embedded, _one_reading_each(city, at))
        until(lambda: (embedded.status().stream_time or 0) >= now)


def test_a_day_that_is_played_never_ticks(
    city: City, storm: list[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stream time in the past is left alone, however long nothing comes."""
    monkeypatch.setattr(livetime, "SILENCE_SECONDS", 0.0)
    monkeypatch.setattr(embedded_module, "IDLE_SECONDS", 0.01)
    with running(city, tmp_path) as embedded:
        publish(embedded, storm[:500])
        before = embedded.store.log.end()
        time.sleep(0.3)
        assert embedded.store.log.end() == before


def test_the_log_may_not_run_away_from_the_processor(
    city: City, storm: list[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the bound senders wait, and all of it is processed in the end."""
    monkeypatch.setattr(reception_module, "LAG_MAX", 2)
    with running(city, tmp_path) as embedded:
        publish(embedded, storm[:1000])
        assert embedded.status().received == 1000


def test_a_full_disk_stops_it_with_a_clear_word(city: City, storm: list[Message], tmp_path: Path) -> None:
    """The failure is told, the folder can be used again once there is space, and holds what was there."""
    failures: list[Exception] = []
    with running(city, tmp_path, on_failure=failures.append) as embedded:
        publish(embedded, storm[:200])
        embedded.store.log._writer.execute("PRAGMA max_page_count = 1")
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        client.connect("127.0.0.1", int(embedded.status().broker.rsplit(":", 1)[1]))
        client.loop_start()
        late = [client.publish(message.topic, message.payload, qos=1) for message in storm[200:3000]]
        until(lambda: failures != [])
        kept = sum(one.is_published() for one in late)
        client.disconnect()
        client.loop_stop()
        assert "disk is full" in (embedded.status().failure or "")
    with running(city, tmp_path) as embedded:
        assert embedded.status().received in range(200 + kept, 200 + kept + 1)


def test_a_folder_of_another_city_is_refused(city: City, storm: list[Message], tmp_path: Path) -> None:
    """State of one city is never taken for another's, and the folder stays free."""
    with running(city, tmp_path) as embedded:
        publish(embedded, storm[:10])
    other = city.model_copy(update={"city": "elsewhere"})
    with pytest.raises(
        CannotRun, match="holds the city 'riverton', the model is of 'elsewhere'; give another"
    ):
        Embedded(other, load_vocabulary(), tmp_path)
    with running(city, tmp_path):
        pass


# -- the verb --------------------------------------------------------------------------------------


@contextmanager
def up(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``crosscurrent up`` on riverton without a console."""
    command = [sys.executable, str(ROOT / "crosscurrent.py"), "up", "--city", str(RIVERTON / "city.yaml")]
    with subprocess.Popen(
        [*command, "--no-console", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _lines(process: subprocess.Popen[str], count: int) -> str:
    assert process.stdout is not None
    return "".join(process.stdout.readline() for _ in range(count))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_ctrl_c_and_sigterm_stop_it_within_two_seconds(
    tmp_path: Path, free_port: Callable[[], int], number: signal.Signals, status: int
) -> None:
    """It says where things are; asked to end it ends at once, with a client still connected."""
    port = free_port()
    with up("--data", str(tmp_path / "data"), "--mqtt-port", str(port)) as process:
        told = _lines(process, 3)
        assert f"broker   mqtt://127.0.0.1:{port}\n" in told
        assert f"data     {tmp_path / 'data'}\n" in told
        with socket.create_connection(("127.0.0.1", port)):
            asked = time.monotonic()
            process.send_signal(number)
            assert process.wait(10) == status
            assert time.monotonic() - asked < 2
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert (tmp_path / "data" / "lock").read_text() == ""


def test_a_second_up_on_one_folder_or_port_refuses(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Exit status 3, and one line that says who has it and what to do."""
    port = free_port()
    with up("--data", str(tmp_path), "--mqtt-port", str(port)) as first:
        _lines(first, 3)
        with up("--data", str(tmp_path), "--mqtt-port", str(free_port())) as second:
            assert second.wait(20) == 3
            assert second.stderr is not None
            assert f"data folder {tmp_path} is in use by process {first.pid}" in second.stderr.read()
        with up("--data", str(tmp_path / "other"), "--mqtt-port", str(port)) as third:
            assert third.wait(20) == 3
            assert third.stderr is not None
            assert f"MQTT port {port} on 127.0.0.1 can't be used" in third.stderr.read()
        assert first.poll() is None


def _one_reading_each(city: City, payload: str) -> list[Message]:
    """A message of every asset with sensors, all at one time."""
    messages = []
    for asset, sensors in city.sensors_of.items():
        found = city.asset_by_id[asset]
        topic = f"city/v1/{city.city}/{found.utility}/{found.zone}/{asset}/telemetry"
        body = json.loads(payload) | {"values": {sensor.quantity: 1.0 for sensor in sensors}}
        messages.append(Message(0, topic, json.dumps(body).encode()))
    return messages
