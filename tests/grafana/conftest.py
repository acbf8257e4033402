"""One InfluxDB with one storm for all tests of the boards."""

from collections.abc import Iterator

import pytest

from tests.grafana.room import Room
from tests.servers import Influxd, free_ports


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The storm, two days ago; an InfluxDB of its own, because runs of others would show on the boards."""
    with Influxd(tmp_path_factory.mktemp("influxd"), free_ports(1)[0]) as server:
        yield Room(server.address, tmp_path_factory.mktemp("tokens")).furnish()
