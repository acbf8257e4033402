"""One input, one output: hours of recorded trouble, with all signs and watchers, told again and again.

Hash seeds, batches, restarts and kills change no byte. Shuffled arrival changes neither alarms nor incidents;
what an incident still expects is counted from when it was told, and so is left out there. Whether a sensor
was missing is a matter of when messages came: held up for longer than four reports, it was.
"""

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from alerts.policyfile import load_policy
from collectors.intake import Intake
from collectors.recording import read
from runner import trials
from runner.cli import main
from runner.processor import Processor
from runner.store import Retention, Store
from schemas.cityfile import load_city
from schemas.incidents import Incident
from schemas.times import HOUR, MINUTE, parse_time
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from tests.runner.test_replay import RIVERTON, replay

STRETCHES = {
    "feeder-day": parse_time("2025-06-03T21:00:00Z"),
    "storm-day-faults": parse_time("2025-06-04T09:00:00Z"),
    "storm-day": parse_time("2025-06-04T09:00:00Z"),
}
"""Three hours each: a burst that signs find, a storm on a bad network, the same on a good one."""
CITY, VOCABULARY, CAUSES = load_city(RIVERTON / "city.yaml"), load_vocabulary(), load_causes()


def stretch(day: str) -> list[str]:
    """The recorded lines of three hours."""
    lines = gzip.decompress((RIVERTON / f"{day}.jsonl.gz").read_bytes()).decode().splitlines()
    return [line for line in lines if 0 <= received(line) - STRETCHES[day] < 3 * HOUR]


def received(line: str) -> int:
    """When a line's message came."""
    return parse_time(json.loads(line)["received"])


def recorded(lines: Iterable[str], folder: Path) -> Path:
    """A recording of these lines."""
    path = folder / "storm.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def replayed(lines: Iterable[str], folder: Path, hash_seed: str = "0") -> Path:
    """The results of a replay of these lines."""
    done = replay(recorded(lines, folder), folder / "out", hash_seed=hash_seed)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def lines_of(out: Path, name: str) -> list[dict[str, object]]:
    """One kind of results."""
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The results of a stretch as it was recorded."""
    return cache(lambda day: replayed(stretch(day), tmp_path_factory.mktemp(day)))


Straight = Callable[[str], Path]


@pytest.mark.parametrize(
    ("day", "conditions"),
    [
        ("feeder-day", {"depth_rise", "discharge_pattern", "pressure_low"}),
        ("storm-day-faults", {"clock_ahead", "bad_quality", "dead", "rain"}),
    ],
)
def test_there_is_something_to_tell(day: str, conditions: set[str], straight: Straight) -> None:
    """Signs among the alarms, and trouble of the measuring; an incident."""
    assert conditions <= {alarm["condition"] for alarm in lines_of(straight(day), "alarms.jsonl")}
    assert len(lines_of(straight(day), "incidents.jsonl")) == 1


def test_what_comes_very_late_changes_neither_roots_nor_alarms(straight: Straight, tmp_path: Path) -> None:
    """Up to a quarter of an hour: sensors are called missing that were not, and are no evidence meanwhile."""
    shuffled = held_up(stretch("storm-day"), 15 * MINUTE)
    found = []
    for out in (replayed(shuffled, tmp_path), straight("storm-day")):
        alarms, incidents = told(out, but=("missing", "silent"))
        roots = [Incident.model_validate({**i, "expected": []}).root for i in incidents]
        found.append(
            (
                alarms,
                [(root.asset, root.condition, root.since) for root in roots],
                [(i["id"], i["members"]) for i in incidents],
            )
        )
    assert found[0] == found[1]


def held_up(lines: list[str], delay: int) -> list[str]:
    """The lines in the order in which they come when each is held up by chance."""
    chance = Random(delay)
    return sorted(lines, key=lambda line: received(line) + chance.uniform(0, delay))


def told(out: Path, but: tuple[str, ...] = ()) -> tuple[list[str], list[dict[str, object]]]:
    """The alarms, but for some conditions, and the incidents, but for what they expect."""
    alarms = [alarm for alarm in lines_of(out, "alarms.jsonl") if alarm["condition"] not in but]
    incidents = [{**incident, "expected": None} for incident in lines_of(out, "incidents.jsonl")]
    return sorted(map(str, alarms)), incidents


@pytest.mark.parametrize("day", ["feeder-day", "storm-day-faults"])
def test_the_certificate_holds(day: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rates, hash seeds, restarts, kills and partitions change no byte; late messages neither alarm nor
    incident: on a clean stream and on a faulty one.
    """
    recording = recorded(stretch(day), tmp_path)
    assert main(["certify", str(recording), "--city", str(RIVERTON / "city.yaml")]) == 0
    said = capsys.readouterr().out
    assert said.count("same") == 6
    assert "deterministic: " in said


def test_what_is_not_the_same_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages that are held up for longer than the lateness are another input: the verdict is no."""
    monkeypatch.setattr(trials, "HELD_UP", 4 * HOUR)
    recording = recorded(stretch("storm-day"), tmp_path)
    assert (
        main(["certify", str(recording), "--city", str(RIVERTON / "city.yaml"), "--seed", "7", "--json"]) == 1
    )
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["trials"] if not one["holds"]] == ["held up"]
    assert found["trials"][-1]["differs"]


def test_what_ran_live_is_what_a_replay_of_its_log_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A city that was stopped; one whose store was touched; one whose log was trimmed; one in use."""
    folder = tmp_path / "data"
    store = Store(folder)
    intake = Intake(CITY)
    policy = load_policy(RIVERTON / "city.yaml", CITY)
    processor = Processor(CITY, VOCABULARY, store, Retention(), CAUSES, policy)
    messages = read(recorded(stretch("storm-day"), tmp_path), lambda *_: None)
    store.log.append(intake.step(islice(messages, 4000)).records)
    while processor.step():
        pass
    words = ["certify", "--data", str(folder), "--city", str(RIVERTON / "city.yaml")]
    assert (main(words), "in use" in capsys.readouterr().err) == (3, True)
    store.close()
    assert main(words) == 0
    assert "same" in capsys.readouterr().out
    with closing(sqlite3.connect(folder / "results.sqlite")) as touched, touched:
        touched.execute("DELETE FROM alarms WHERE id = (SELECT min(id) FROM alarms)")
    assert main(words) == 1
    with closing(sqlite3.connect(folder / "log.sqlite")) as trimmed, trimmed:
        trimmed.execute("DELETE FROM log WHERE offset < 3")
    assert main(words) == 2
    assert "its log begins at record 3" in capsys.readouterr().err


def test_nothing_to_certify_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a recording nor a folder; a folder without its model."""
    assert main(["certify"]) == 2
    assert main(["certify", "--data", "somewhere"]) == 2
    assert "--data needs --city" in capsys.readouterr().err
