"""From a recording to the boards by commands alone: what ``replay --influx`` writes, boards ask for."""

import pytest

from grafana import files
from runner.cli import main
from schemas.cityfile import load_city
from tests.grafana.room import Room, frames
from tests.runner.influxhelp import OnInflux
from tests.runner.storm import CITY, RIVERTON
from tests.servers import Influxd

START, STOP = "2025-06-04T05:00:00Z", "2025-06-04T11:00:00Z"
ELSEWHERE = {"pipeline", "runs"}
"""Boards of the live system, and of two runs."""


@pytest.fixture(scope="module")
def replayed(influxd: Influxd, tmp_path_factory: pytest.TempPathFactory) -> Room:
    """A room over an InfluxDB that a replay of the storm filled."""
    folder = tmp_path_factory.mktemp("replayed")
    influx = OnInflux(influxd, folder)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in influx.variables.items():
            environment.setenv(name, value)
        arguments = ["--city", str(CITY), "--out", str(folder / "out"), "--influx", influxd.address]
        assert main(["replay", str(RIVERTON / "storm-day.jsonl.gz"), *arguments, "--run", "tried"]) == 0
    room = Room(influxd.address, folder)
    room.settings = influx.settings(influx.read_token_file)
    room.reader = influx.read_token_file
    room.variables = {"run": "tried", "zone": ".*", "utility": ".*", "asset": "storm-4", "quantity": "depth"}
    return room


def asked(room: Room, query: str) -> int:
    """How many rows a query brings of the storm's morning in 2025."""
    query = query.replace("v.timeRangeStart", START).replace("v.timeRangeStop", STOP)
    return sum(map(len, frames(room.answer(room.filled(query)))))


def test_boards_show_a_replay(replayed: Room) -> None:
    """Each board has something to show of it (where no incident is chosen, that), and no question fails."""
    boards = files.boards(load_city(CITY))
    told = {
        name: sum(
            asked(replayed, target["query"].replace("${incident}", "c"))
            for panel in board["panels"]
            for target in panel.get("targets", ())
        )
        for name, board in boards.items()
        if name not in ELSEWHERE
    }

    assert [name for name, rows in told.items() if not rows] == []


def test_an_incident_of_a_replay_can_be_chosen(replayed: Room) -> None:
    """The variable lists its id, and with it the board fills."""
    board = files.boards(load_city(CITY))["incident"]
    choice = next(one["query"] for one in board["templating"]["list"] if one["name"] == "incident")
    text = choice.replace("v.timeRangeStart", START).replace("v.timeRangeStop", STOP)
    [ids] = frames(replayed.answer(replayed.filled(text)))
    replayed.variables["incident"] = ids.columns["_value"][0]

    counts = [
        asked(replayed, target["query"]) for panel in board["panels"] for target in panel.get("targets", ())
    ]

    assert min(counts) > 0
