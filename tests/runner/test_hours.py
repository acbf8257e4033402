"""The log of a running city is replayed: what was told live is told again, and a player opens beside it."""

import json
import math
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.play import Player
from runner.answering import answered
from runner.cli import main
from runner.database import CannotRun
from runner.embedded import Embedded
from runner.hours import Hours
from runner.model import load_model
from runner.pastlog import began
from schemas.times import HOUR, MINUTE, parse_time
from tests.runner.storm import CITY
from tests.runner.test_deck import at, storm, wait

__all__ = ["storm"]
PROGRAM = (sys.executable, str(CITY.parents[2] / "crosscurrent.py"))


@pytest.fixture(scope="module")
def city(storm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A city that has seen the morning of the storm, and runs on."""
    model = load_model(CITY)
    folder = tmp_path_factory.mktemp("city") / "data"
    embedded = Embedded(model.city, model.vocabulary, folder, mqtt_port=0, policy=model.policy)
    embedded.start()
    Player(storm, embedded.status().broker, math.inf).run()
    wait(lambda: bool(embedded.store.incidents()) and embedded.lag == 0)
    embedded.answer(answered(embedded.store.incidents()[0].id, "acknowledge", "ana"))
    embedded.end_of_input()
    wait(lambda: embedded.lag == 0)
    yield embedded
    embedded.stop()


def replay(city: Embedded, out: Path, *words: str) -> int:
    """``crosscurrent replay`` of its data folder, while it runs."""
    return main(["replay", str(city.store.folder), "--city", str(CITY), "--out", str(out), *words])


def test_what_was_told_live_is_told_again(city: Embedded, tmp_path: Path) -> None:
    """From the log, answers included: the same alarms, incidents, messages and decisions."""
    assert replay(city, tmp_path) == 0

    def lines(name: str) -> list[str]:
        return sorted((tmp_path / f"{name}.jsonl").read_text().splitlines())

    assert lines("alarms") == sorted(one.model_dump_json() for one in city.store.alarms())
    assert lines("revisions") == sorted(one.model_dump_json() for one in city.store.revisions())
    assert lines("notifications") == sorted(one.model_dump_json() for one in city.store.notifications())
    assert lines("decisions") == sorted(one.model_dump_json() for one in city.store.decisions())
    assert any("acknowledge by ana" in line for line in lines("decisions"))


def test_a_part_of_the_log_is_found_by_event_time(city: Embedded, tmp_path: Path) -> None:
    """From and to; what lies outside is not there, and a range without data says what there is."""
    words = ["--from", "2025-06-04T09:00:00Z", "--to", "2025-06-04T09:30:00Z"]
    assert replay(city, tmp_path, *words) == 0
    alarms = [json.loads(line) for line in (tmp_path / "alarms.jsonl").read_text().splitlines()]
    assert alarms
    assert {at("09:00") <= parse_time(alarm["raised"]) < at("09:31") for alarm in alarms} == {True}
    first = began(city.store.folder)
    assert first is not None
    assert abs(first - at("08:30")) <= MINUTE


def test_a_range_that_the_log_does_not_hold(
    city: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what it holds; without a city model it asks for one."""
    assert replay(city, tmp_path, "--from", "2025-06-05T00:00:00Z") == 2
    assert "nothing to replay in the range; it holds 2025-06-04T08:30" in capsys.readouterr().err
    assert main(["replay", str(city.store.folder)]) == 2
    assert "name the city model with --city" in capsys.readouterr().err


def test_a_player_opens_beside_the_city_and_ends_with_it(city: Embedded, tmp_path: Path) -> None:
    """Asked twice it is one; it answers; it ends when it is told to."""
    hours = Hours(city.store.folder, CITY, program=PROGRAM)
    incident = city.store.incidents()[0]
    address = hours.open(incident)
    assert hours.open(incident) == address
    with urllib.request.urlopen(address) as page:
        assert page.status == 200
    hours.stop()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address)
    assert city.failure is None


def test_a_player_that_can_not_start_is_told(city: Embedded, tmp_path: Path) -> None:
    """With the status; the city runs on."""
    hours = Hours(city.store.folder, tmp_path / "nowhere.yaml", program=PROGRAM)
    with pytest.raises(CannotRun, match="ended with status 2"):
        hours.open(city.store.incidents()[0])
    hours.stop()


def test_what_the_log_holds_no_more_comes_from_the_archive(city: Embedded, tmp_path: Path) -> None:
    """An incident before the oldest record."""
    hours = Hours(city.store.folder, CITY, archive=str(tmp_path), program=("/bin/sh", "-c", 'exit "${#1}"'))
    early = city.store.incidents()[0].model_copy(update={"opened": at("08:30") - HOUR})
    source = hours.source_of(early)
    assert source == str(tmp_path)
    assert hours.source_of(city.store.incidents()[0]) == str(city.store.folder)
