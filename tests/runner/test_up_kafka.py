"""``crosscurrent up --kafka``: all of one host under one supervisor, on a real Kafka and a real mosquitto."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cli import main
from runner.metrics import Figure, figures_of
from tests.runner.kafkahelp import OnKafka, admitted, at_work, publish, readings, wait_until
from tests.runner.storm import CITY, recorded
from tests.runner.test_metrics import ask
from tests.runner.test_stream import embedded, settled
from tests.servers import Kafka, Mosquitto

SERVICES = ("collect", "detect-1", "detect-2", "correlate")


@pytest.fixture
def on_kafka(kafka: Kafka, prefix: str) -> OnKafka:
    """Topics of a test's own."""
    return OnKafka(kafka, prefix)


def started(figures: list[Figure]) -> dict[str, float]:
    """How often each service was started."""
    return {one.labels["service"]: one.value for one in figures if one.name == "crosscurrent_starts_total"}


def processes(parent: int) -> dict[int, str]:
    """The children of a process that are there, and their command lines."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True, check=False
    )
    found = (line.split(maxsplit=1) for line in listed.stdout.splitlines())
    return {int(number): arguments for number, arguments in found}


def test_a_killed_service_comes_back_and_nothing_is_lost(
    on_kafka: OnKafka, mosquitto: Mosquitto, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Kill -9 of each service in turn, in the worst hours of the storm; then a stop, from the source on."""
    messages = recorded("storm-day", 24_000)[16_000:]
    expected = embedded(messages, tmp_path)
    base = f"http://127.0.0.1:{free_port()}"
    place = base.removeprefix("http://")
    arguments = ("up", "--broker", mosquitto.address, "--detectors", "2", "--metrics", place, "--no-console")
    with on_kafka.verb(*arguments, "--shell", "kafka") as up:
        wait_until(lambda: at_work(f"{base}/ready"), "all at work")
        children = processes(up.pid)
        for number, start in enumerate(range(0, len(messages), 2_000)):
            publish(mosquitto, messages[start : start + 2_000])
            os.kill(list(children)[number], signal.SIGKILL)
        wait_until(lambda: readings(on_kafka).keys() == admitted(messages), "all readings")
        wait_until(lambda: at_work(f"{base}/ready"), "all at work again")
        _, page = ask(f"{base}/metrics")
        figures = list(figures_of(page))
        up.send_signal(signal.SIGINT)
        assert up.stdout is not None
        said = up.stdout.read()
        assert up.wait(60) == 130
    with on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "1") as last:
        assert last.wait(60) == 0  # it says that nothing more comes
    with on_kafka.verb("stream", "all", "--shell", "kafka"):
        settled(on_kafka, expected)

    assert len(children) == len(SERVICES)
    assert started(figures) == dict.fromkeys(SERVICES, 2.0)
    assert {one.labels["service"] for one in figures if one.name == "crosscurrent_parts"} == {*SERVICES[1:]}
    ends = re.findall(r"^(\S+): ended \(status 0\)$", said, re.MULTILINE)
    assert ends[0] == SERVICES[0]
    assert {*ends[1:3]} == {*SERVICES[1:3]}
    assert ends[3:] == [SERVICES[3]]
    assert said.count("ended (SIGKILL); started again in 1 s") == len(SERVICES)


def test_services_end_with_a_supervisor_that_was_killed(on_kafka: OnKafka, mosquitto: Mosquitto) -> None:
    """Kill -9 of the supervisor leaves nobody behind."""
    with on_kafka.verb("up", "--broker", mosquitto.address, "--shell", "kafka") as up:
        wait_until(lambda: len(processes(up.pid)) == 4, "all started")
        time.sleep(0.5)
        children = list(processes(up.pid))
        up.kill()
        up.wait()
        wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "all ended")


def test_a_service_that_can_not_use_its_settings_ends_all(on_kafka: OnKafka) -> None:
    """Starting again would not mend it: status 2, and its reason above."""
    with on_kafka.verb("up", "--broker", "mqtt://ann:secret@127.0.0.1", errors=True) as up:
        said, errors = up.communicate(timeout=60)

    assert up.returncode == 2
    assert "collect: broker address:1:1: 'mqtt://127.0.0.1' holds a password" in said
    assert "collect can't use what it was told (above); all end" in errors
    assert "secret" not in said + errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--detectors", "2"], "--detectors: means nothing without --kafka"),
        (
            ["--kafka", "kafka://127.0.0.1", "--mqtt-port", "1", "--archive", "x"],
            "--mqtt-port, --archive: means nothing with",
        ),
        (["--kafka", "kafka://127.0.0.1", "--detectors", "0"], "--detectors 0: expected at least 1"),
    ],
)
def test_arguments_of_the_other_way_are_told(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing that was asked for is passed over in silence."""
    assert main(["up", "--city", str(CITY), *arguments]) == 2
    assert told in capsys.readouterr().err
