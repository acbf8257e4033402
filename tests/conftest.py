"""Real servers for the tests, on free ports. Mosquitto is a test's own; Kafka serves the whole session."""

import signal
import uuid
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from tests.servers import Influxd, Kafka, Mosquitto, free_ports

settings.register_profile("patient", deadline=None)  # two noisy cores: a clock would judge the machine
settings.load_profile("patient")

# As in a terminal: a shell's background job ignores Ctrl-C, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Mosquitto]:
    """A running broker that is not ours."""
    with Mosquitto(tmp_path_factory.mktemp("mosquitto"), free_port()) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A running Kafka that all tests of a session share; each uses topics of its own."""
    with Kafka(tmp_path_factory.mktemp("kafka"), *free_ports(2)) as broker:
        yield broker


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """A running InfluxDB that all tests of a session share; each uses an organisation or a run of its own."""
    with Influxd(tmp_path_factory.mktemp("influxd"), free_ports(1)[0]) as server:
        yield server


@pytest.fixture
def prefix() -> str:
    """What a test's own topics begin with."""
    return f"{uuid.uuid4().hex[:8]}."


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Asks the kernel for a port that nobody has."""
    return lambda: free_ports(1)[0]
