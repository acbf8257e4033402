"""What docker-compose.yml runs, run here: the same commands, with this machine's folders and ports for those
of the containers, on a real mosquitto (with the passwords and rights of deploy/compose), Kafka and InfluxDB.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from collectors.recording import Writer
from schemas.topics import INCIDENTS
from tests.runner.kafkahelp import OnKafka, at_work, wait_until
from tests.runner.storm import RIVERTON, recorded
from tests.runner.test_metrics import ask
from tests.servers import Influxd, Kafka, Mosquitto, free_ports
from tests.test_containers import ROOT, Services, ours, services

__all__ = ["ours", "services"]  # fixtures
ONCE = ("topics", "influx-setup", "boards")
LASTING = ("collect", "detect", "correlate", "alert", "console", "sink")
INSIDE = "9100"
"""The port at which each container shows its figures."""


class FromFolder(Mosquitto):
    """mosquitto by the script and the files of its container."""

    def __init__(self, folder: Path, port: int, script: str) -> None:
        super().__init__(folder, port)
        shutil.copytree(ROOT / "deploy" / "compose" / "mosquitto", folder / "config")
        (folder / "data").mkdir()
        places = {"/mosquitto/": f"{folder}/", "/tmp/": f"{folder}/", "/run/secrets": str(folder / "secrets")}
        config = folder / "config" / "mosquitto.conf"
        text = config.read_text().replace(
            "listener 1883", f"user {os.environ.get('USER', 'root')}\nlistener {port} 127.0.0.1"
        )
        config.write_text(_with(text, places))
        self._script = _with(script, places)

    def command(self) -> list[str]:
        """The script, by the shell that its container has."""
        return ["env", f"PATH={os.environ['PATH']}:/usr/sbin", "sh", "-euc", self._script]


def _with(text: str, places: dict[str, str]) -> str:
    """The text with places of this machine; what was put in is not looked at again."""
    return re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], text)


class Natively:
    """The services of the compose file as processes of this machine."""

    def __init__(self, services: Services, places: dict[str, str], prefix: str) -> None:
        self._services, self._places, self._prefix = services, places, prefix
        self._ports = dict(zip(services, map(str, free_ports(len(services))), strict=True))

    def page(self, name: str, page: str) -> str:
        """The address of a service's page."""
        return f"http://127.0.0.1:{self._ports[name]}/{page}"

    def _command(self, name: str) -> list[str]:
        ports = {f"{other}:{INSIDE}": f"127.0.0.1:{port}" for other, port in self._ports.items()}
        own = {f"0.0.0.0:{INSIDE}": f"127.0.0.1:{self._ports[name]}", "0.0.0.0": "127.0.0.1"}
        words = [_with(word, own | ports | self._places) for word in self._services[name]["command"]]
        return [sys.executable, str(ROOT / "crosscurrent.py"), *words]

    def _variables(self, name: str) -> dict[str, str]:
        told = self._services[name].get("environment") or {}
        own = {key: _with(value, self._places) for key, value in told.items()}
        return os.environ | own | {"CROSSCURRENT_KAFKA_PREFIX": self._prefix}

    def once(self, name: str) -> None:
        """Run a service that ends."""
        done = subprocess.run(self._command(name), env=self._variables(name), check=False, timeout=60)
        assert done.returncode == 0, name

    @contextmanager
    def lasting(self, name: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A service that goes on; ended in order."""
        with subprocess.Popen(
            self._command(name), env=self._variables(name), stdout=subprocess.DEVNULL
        ) as process:
            try:
                yield process
                process.terminate()
                assert process.wait(30) == 0, name
            finally:
                process.kill()


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Passwords as the first start makes them."""
    (tmp_path / "scripts").mkdir()
    subprocess.run([shutil.copy(ROOT / "scripts" / "secrets.sh", tmp_path / "scripts")], check=True)
    return tmp_path / "secrets"


def play(recording: Path, broker: Mosquitto, user: str, password: Path) -> int:
    """Play a recording as a user; the exit status."""
    address = broker.address.replace("mqtt://", f"mqtt://{user}@" if user else "mqtt://")
    command = [sys.executable, str(ROOT / "crosscurrent.py"), "play", str(recording), "--rate", "max"]
    variables = {"CROSSCURRENT_MQTT_PASSWORD_FILE": str(password)} if user else {}
    return subprocess.run(
        [*command, "--broker", address],
        env=os.environ | variables,
        check=False,
        capture_output=True,
        timeout=60,
    ).returncode


def test_the_composed_services_work_together(
    services: Services, ours: Services, kafka: Kafka, prefix: str, tmp_path: Path, secrets: Path
) -> None:
    """From a sensor with a password to incidents on Kafka, points in InfluxDB and boards for Grafana."""
    with Writer(tmp_path / "storm.jsonl") as writer:
        for message in recorded("storm-day", 24_000)[18_000:]:
            writer.write(message)
    with ExitStack() as stack:
        mosquitto = stack.enter_context(
            FromFolder(tmp_path, free_ports(1)[0], services["mosquitto"]["command"][0].replace("$$", "$"))
        )
        influx = stack.enter_context(Influxd(tmp_path, free_ports(1)[0]))
        (tmp_path / "tokens").mkdir()
        places = {
            "mosquitto:1883": f"127.0.0.1:{mosquitto.port}",
            "kafka:9092": kafka.bootstrap,
            "influxdb:8086": f"127.0.0.1:{influx.port}",
            "/run/secrets": str(secrets),
            "/tokens": str(tmp_path / "tokens"),
            "/boards": str(tmp_path / "boards"),
            "/data": str(tmp_path / "data"),
            "/city/": f"{RIVERTON}/",
        }
        native = Natively(ours, places, prefix)
        for name in ONCE:
            native.once(name)
        for name in LASTING:
            stack.enter_context(native.lasting(name))
        wait_until(lambda: all(at_work(native.page(name, "ready")) for name in LASTING), "all ready")
        assert play(tmp_path / "storm.jsonl", mosquitto, "", secrets / "mqtt_sensors") == 3
        assert play(tmp_path / "storm.jsonl", mosquitto, "sensors", secrets / "mqtt_crosscurrent") == 3
        assert play(tmp_path / "storm.jsonl", mosquitto, "sensors", secrets / "mqtt_sensors") == 0
        on_kafka = OnKafka(kafka, prefix)
        wait_until(lambda: len(on_kafka.records(INCIDENTS)) > 3, "incidents")
        wait_until(lambda: points(native) > 1_000, "points")

    assert set(ONCE) | set(LASTING) == ours.keys()
    assert json.loads((tmp_path / "boards" / "boards" / "city.json").read_text())["title"]
    told = services["grafana"]["environment"]
    assert told["CROSSCURRENT_BOARDS"].startswith(told["GF_PATHS_PROVISIONING"])
    assert {path.name for path in (tmp_path / "boards").iterdir()} == {
        "alerting",
        "boards",
        "dashboards",
        "datasources",
    }
    assert (tmp_path / "tokens" / "read").stat().st_mode & 0o077 == 0


def points(native: Natively) -> int:
    """What the sink has brought to InfluxDB, or InfluxDB has dropped as too old."""
    _, page = ask(native.page("sink", "metrics"))
    found: list[Any] = re.findall(
        r'^crosscurrent_points_total\{.*?"(?:written|expired)".*?\} (\d+)', page, re.MULTILINE
    )
    return sum(map(int, found))
