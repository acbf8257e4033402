"""Real servers for the tests: each is started on a free port, and ended with the test that asked for it."""

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # two noisy cores: a clock would judge the machine
settings.load_profile("patient")


class Mosquitto:
    """A mosquitto of a test's own, which can be killed and started again on its port, its sessions kept."""

    def __init__(self, folder: Path, port: int) -> None:
        self.address = f"mqtt://127.0.0.1:{port}"
        self.port = port
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user {getpass.getuser()}\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nautosave_interval 1\nmax_queued_messages 0\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process = subprocess.Popen([program, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError(f"mosquitto does not answer on port {self.port}")

    def stop(self) -> None:
        """End in order: it writes its sessions down."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Mosquitto]:
    """A running broker that is not ours."""
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"), free_port())
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Asks the kernel for a port that nobody has."""

    def ask() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return ask
