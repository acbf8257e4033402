"""A real Grafana, where one is named: everything goes into it, and its API is asked for it again.

``GRAFANA_URL`` is its address, ``GRAFANA_TOKEN_FILE`` a file with an admin's service account token. Without
them this part does not run: there is no Grafana in the package registries.
"""

import os
from pathlib import Path

import pytest

from grafana import names, watch
from grafana.sync import Running
from grafana.wanted import Influx, wanted
from runner.cli import main
from schemas.cityfile import load_city
from tests.grafana.room import Room
from tests.runner.storm import CITY

URL = os.environ.get("GRAFANA_URL", "")
TOKEN_FILE = os.environ.get("GRAFANA_TOKEN_FILE", "")
pytestmark = pytest.mark.skipif(
    not (URL and TOKEN_FILE), reason="no Grafana: GRAFANA_URL and GRAFANA_TOKEN_FILE name none"
)


def test_a_real_grafana_holds_all_of_it(
    room: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each board and rule is there under its uid after one run, and a second run finds nothing to change."""
    city = load_city(CITY)
    (tmp_path / "influx").write_text(room.token)
    arguments = [
        "grafana", "sync", "--city", str(CITY), "--url", URL, "--token-file", TOKEN_FILE,
        "--runbooks", "https://wiki.example/runbooks",
    ]  # fmt: skip
    place = [
        "--influx",
        room.address,
        "--influx-org",
        room.org,
        "--influx-token-file",
        str(tmp_path / "influx"),
    ]
    assert main([*arguments, *place]) == 0

    things = wanted(city, "https://wiki.example/runbooks", Influx(room.address, room.org, room.token))
    held = Running(URL, Path(TOKEN_FILE).read_text().strip(), city.city).there(things)

    assert {thing.uid for thing in held} >= {names.board(city.city, name) for name in names.BOARDS}
    assert {thing.uid for thing in held} >= {
        names.rule(city.city, rule.name) for rule in watch.rules(city.city)
    }
    capsys.readouterr()
    assert main([*arguments, "--dry-run"]) == 0, capsys.readouterr().out
