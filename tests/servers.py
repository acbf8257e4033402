"""Real servers on free loopback ports: mosquitto, Kafka, InfluxDB, S3 and more; for tests, and people too.

In:  a folder for their data, free ports.
Out: addresses that answer. A server can be killed and started again on its port, its data kept.
Promises: whoever leaves the ``with`` block, or calls ``stop``, leaves no process behind.
"""

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

SCRIPTS = Path(__file__).parents[1] / "scripts"
POM = SCRIPTS / "kafka" / "pom.xml"
KAFKA_SECONDS = 120


def free_ports(count: int) -> list[int]:
    """So many ports that nobody has, from the kernel."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def answers(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """One process that listens on a port; a subclass says which."""

    name = "server"
    patience = 10

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What to run."""
        raise NotImplementedError

    def start(self) -> None:
        """Start, and wait until it answers. Raises RuntimeError with what it said where it does not."""
        said = self.folder / f"{self.name}.log"
        with said.open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        deadline = time.monotonic() + self.patience
        while not answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.name} does not answer on port {self.port}:\n{said.read_text()}")
            time.sleep(0.02)

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """What runs. Raises RuntimeError where nothing does."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    def stop(self) -> None:
        """End in order: it writes down what it holds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End like a power cut."""
        self._end(signal.SIGKILL)

    def freeze(self, seconds: float) -> None:
        """Answer nobody for a while, as if the network were cut; connections stay."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:  # Kafka waits long for a controller that it lost
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Mosquitto(Server):
    """A broker that is not ours; its sessions outlive it."""

    name = "mosquitto"

    def __init__(self, folder: Path, port: int, *, more: Sequence[str] = ()) -> None:
        """``more``: further lines for mosquitto.conf; the later one of two counts."""
        super().__init__(folder, port)
        self.address = f"mqtt://127.0.0.1:{port}"
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user {getpass.getuser()}\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nautosave_interval 1\nmax_queued_messages 0\n"
            + "".join(f"{line}\n" for line in more)
        )

    def command(self) -> list[str]:
        """Debian's binary, wherever it lies."""
        return [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(self._config)]


class Alertmanager(Server):
    """A Prometheus Alertmanager that tells a webhook each change at once; what it knows outlives it."""

    name = "alertmanager"

    def __init__(self, folder: Path, port: int, webhook: str) -> None:
        super().__init__(folder, port)
        self.address = f"http://127.0.0.1:{port}"
        self._config = folder / "alertmanager.yml"
        self._config.write_text(
            "route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s}\n"
            f"receivers: [{{name: hook, webhook_configs: [{{url: '{webhook}', send_resolved: true}}]}}]\n"
        )

    def command(self) -> list[str]:
        """Debian's binary, alone: no cluster."""
        return [
            "prometheus-alertmanager",
            f"--config.file={self._config}",
            f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            "--log.level=error",
        ]


class Moto(Server):
    """A store of objects that speaks S3 over HTTP; what it holds goes with it."""

    name, patience = "moto", 30

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        self.address = f"http://127.0.0.1:{port}"

    def command(self) -> list[str]:
        """As installed beside us."""
        return [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.port)]


class Kafka(Server):
    """One Kafka node, broker and controller in one; it makes no topic by itself."""

    name = "kafka"
    patience = KAFKA_SECONDS

    def __init__(self, folder: Path, port: int, controller_port: int, *, more: Sequence[str] = ()) -> None:
        """``more``: further lines for server.properties."""
        super().__init__(folder, port)
        self.bootstrap = f"127.0.0.1:{port}"
        self.address = f"kafka://{self.bootstrap}"
        self._jars = kafka_jars()
        self._config = folder / "server.properties"
        self._config.write_text(
            "process.roles=broker,controller\nnode.id=1\n"
            f"controller.quorum.voters=1@127.0.0.1:{controller_port}\n"
            f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n"
            "controller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\n"
            f"log.dirs={folder}/data\nauto.create.topics.enable=false\n"
            "offsets.topic.replication.factor=1\noffsets.topic.num.partitions=5\n"
            "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
            "transaction.state.log.num.partitions=5\nmin.insync.replicas=1\n"
            "group.initial.rebalance.delay.ms=0\nlog.cleaner.backoff.ms=200\n"
            + "".join(f"{line}\n" for line in more)
        )

    def command(self) -> list[str]:
        """The broker's main class; its storage is formatted before the first start."""
        if not (self.folder / "data").exists():
            cluster = "Y3Jvc3NjdXJyZW50LXRlc3Q"
            formatting = self._java(
                "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._config)
            )
            subprocess.run(formatting, check=True, capture_output=True)
        return self._java("kafka.Kafka", str(self._config))

    def _java(self, *what: str) -> list[str]:
        return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{self._jars}/*", *what]


class Influxd(Server):
    """An InfluxDB, new: nobody has set it up."""

    name = "influxd"
    patience = 60

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        self.address = f"http://127.0.0.1:{port}"
        self._binary = built("influxd")

    def command(self) -> list[str]:
        """The binary that ``scripts/gobuild.sh`` built."""
        places = {"bolt-path": "influxd.bolt", "sqlite-path": "influxd.sqlite", "engine-path": "engine"}
        paths = [f"--{option}={self.folder / name}" for option, name in places.items()]
        bind = f"--http-bind-address=127.0.0.1:{self.port}"
        return [str(self._binary), bind, *paths, "--reporting-disabled", "--log-level=warn"]


class Grafana(Server):
    """A Grafana: API, provisioning, queries and alerting.

    ``environment``: what its files ask for. ``home``: where it is, else what ``make grafana`` built, which
    has no pages.
    """

    name = "grafana"
    patience = 240
    """It makes a new database, some five hundred steps."""
    owner = "admin:admin"
    """Who may do all."""

    def __init__(
        self, folder: Path, port: int, environment: Mapping[str, str] | None = None, home: Path | None = None
    ) -> None:
        super().__init__(folder, port)
        self.address = f"http://127.0.0.1:{port}"
        self._environment, self._home = dict(environment or {}), home

    def command(self) -> list[str]:
        """Its one binary; provisioned by ``folder``/provisioning."""
        home = self._home or place_of("grafana")
        settings = {
            **{f"PATHS_{what.upper()}": str(self.folder / what) for what in ("data", "logs", "plugins")},
            "PATHS_PROVISIONING": str(self.folder / "provisioning"),
            "SERVER_HTTP_ADDR": "127.0.0.1",
            "SERVER_HTTP_PORT": str(self.port),
            "ANALYTICS_REPORTING_ENABLED": "false",
            "ANALYTICS_CHECK_FOR_UPDATES": "false",
            "ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        }
        given = [f"GF_{name}={value}" for name, value in settings.items()]
        given += [f"{name}={value}" for name, value in self._environment.items()]
        return ["env", *given, str(home / "bin" / "grafana"), "server", "--homepath", str(home)]


def cache() -> Path:
    """Where the scripts put what they fetched or built."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crosscurrent"


def built(name: str) -> Path:
    """What ``scripts/gobuild.sh`` made of a program. Raises RuntimeError that tells what to do else."""
    place = place_of(name)
    if not place.exists():
        raise RuntimeError(
            f"these tests need {name}: run scripts/servers.sh, which builds it into {place} "
            "('make test' does so by itself)"
        )
    return place


def place_of(name: str) -> Path:
    """Where ``scripts/gobuild.sh`` puts a program, or would."""
    told = subprocess.run(
        [SCRIPTS / "gobuild.sh", "--path", name], check=True, capture_output=True, text=True
    )
    return Path(told.stdout.strip())


def kafka_jars() -> Path:
    """Where ``scripts/servers.sh`` put Kafka. Raises RuntimeError that says what to do where it did not."""
    found = re.search(r"kafka_2\.13</artifactId><version>([^<]+)<", POM.read_text(encoding="utf-8"))
    assert found is not None
    jars = cache() / f"kafka-{found[1]}"
    if shutil.which("java") is None or not jars.is_dir():
        raise RuntimeError(
            f"these tests need Kafka {found[1]}: run scripts/servers.sh, which installs Java and fetches it "
            f"into {jars} ('make test' does so by itself)"
        )
    return jars


def main() -> int:
    """Run all until Ctrl-C or SIGTERM, and say where."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    mqtt, kafka, controller, http = free_ports(4)
    with TemporaryDirectory(prefix="crosscurrent-servers-") as name:
        folder = Path(name)
        with (
            Mosquitto(folder, mqtt) as mosquitto,
            Kafka(folder, kafka, controller) as broker,
            Influxd(folder, http) as influxd,
        ):
            sys.stdout.write(
                f"mosquitto  {mosquitto.address}\nkafka      {broker.address}\n"
                f"influxdb   {influxd.address}\nCtrl-C ends all\n"
            )
            sys.stdout.flush()
            with suppress(KeyboardInterrupt):
                signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
