"""`crosscurrent simulate`: the same bytes for a seed, one clear word where it can't, flat memory."""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.cli import main
from simulator.making import make
from simulator.physics import load_town
from simulator.scenario import Scenario

ROOT = Path(__file__).parents[2]
RIVERTON = ROOT / "cities" / "riverton"
BURST = {"kind": "burst", "asset": "junction-h12", "at": "08:00"}

Edit = Callable[[str], str]


def written(folder: Path, **fields: Any) -> Path:
    """A scenario file: three hours of a morning in Riverton."""
    path = folder / "morning.yaml"
    base = {"scenario": "morning", "city": "riverton", "start": "2025-06-04T06:00:00Z", "hours": 3}
    path.write_text(yaml.safe_dump({**base, **fields}))
    return path


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder, with its digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def simulated(scenario: Path, out: Path, seed: int, hashes: str = "random") -> Path:
    """Run the verb in a process of its own; the folder of its results."""
    command = [sys.executable, "crosscurrent.py", "simulate", str(scenario)]
    subprocess.run(
        [*command, "--seed", str(seed), "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hashes},
        check=True,
        capture_output=True,
    )
    return out


def messages(path: Path) -> list[dict[str, Any]]:
    """The lines of a recording."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


# --- what comes out -------------------------------------------------------------------------------


def test_a_seed_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """Recording, labels and city model, with everyday life and a bad network: one digest each, twice."""
    scenario = written(
        tmp_path, injections=[BURST], stream_faults={"late": {"share": 0.02}, "lost": {"share": 0.01}}
    )

    one = digests(simulated(scenario, tmp_path / "one", 5, hashes="0"))
    other = digests(simulated(scenario, tmp_path / "other", 5, hashes="4711"))

    assert sorted(one) == ["city.yaml", "morning.jsonl.gz", "morning.labels.json"]
    assert one == other


def test_another_seed_gives_another_day_in_the_same_city(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chance hangs on the seed alone; the city model doesn't hang on it."""
    scenario = str(written(tmp_path, injections=[BURST]))
    for seed in ("1", "2"):
        assert main(["simulate", scenario, "--seed", seed, "--out", str(tmp_path / seed)]) == 0

    one, two = digests(tmp_path / "1"), digests(tmp_path / "2")
    assert one["city.yaml"] == two["city.yaml"] == digests(RIVERTON)["city.yaml"]
    assert one["morning.jsonl.gz"] != two["morning.jsonl.gz"]
    assert one["morning.labels.json"] != two["morning.labels.json"]


def test_what_a_cause_does_not_reach_reads_the_same_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The twin has the same noise: all messages before the cause, and those of other utilities to the end."""
    cause = {"kind": "pump_trip", "asset": "booster-1", "at": "07:30"}
    recordings = []
    for name, injections in (("day", [cause]), ("twin", [])):
        scenario = written(tmp_path, injections=injections)
        assert main(["simulate", str(scenario), "--out", str(tmp_path / name)]) == 0
        recordings.append(messages(tmp_path / name / "morning.jsonl.gz"))
    day, twin = recordings

    def chosen(recording: list[dict[str, Any]], *, before: bool) -> list[dict[str, Any]]:
        return [
            one
            for one in recording
            if (before and one["payload"]["at"] < "2025-06-04T07:30")
            or (not before and "/waste/" in one["topic"])
        ]

    assert len(chosen(day, before=True)) > 1000
    assert chosen(day, before=True) == chosen(twin, before=True)
    assert len(chosen(day, before=False)) > 50
    assert chosen(day, before=False) == chosen(twin, before=False)
    assert [one for one in day if one not in twin], "the booster does read otherwise"


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("injection", "said"),
    [
        (
            {"kind": "feeder_tripp", "asset": "feeder-2", "at": "07:00"},
            "there is no kind of injection 'feeder_tripp'; did you mean 'feeder_trip'?",
        ),
        (
            {"kind": "feeder_trip", "asset": "feeder-22", "at": "07:00"},
            "the city has no asset 'feeder-22'; did you mean 'feeder-2'?",
        ),
        (
            {"kind": "feeder_trip", "asset": "booster-1", "at": "07:00"},
            "feeder_trip happens to a feeder; booster-1 is a pump",
        ),
        (
            {"kind": "storm", "asset": "catchment-1", "at": "07:00", "size": {"minute": 30}},
            "storm has no size 'minute'; did you mean 'minutes'?",
        ),
        ({"kind": "burst", "asset": "junction-h12", "at": "09:00"}, "09:00 is after the end of the scenario"),
        ({"kind": "burst", "asset": "junction-h12", "at": "7 am"}, "'7 am' is no time of a scenario"),
        (
            {"kind": "burst", "asset": "junction-h12", "at": "07:00", "lasts": "long"},
            "'long' is no length of time; write it as 45m, 5h or 2d",
        ),
    ],
    ids=["kind", "place", "kind of place", "size", "after the end", "time", "length"],
)
def test_a_bad_injection_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], injection: Mapping[str, Any], said: str
) -> None:
    """The line, what is wrong and the nearest valid name; status 2, and no folder at all."""
    scenario = written(tmp_path, injections=[BURST, injection])
    lines = scenario.read_text().splitlines()
    second = [number for number, line in enumerate(lines, 1) if line.startswith("- ")][1]

    assert main(["simulate", str(scenario), "--out", str(tmp_path / "out")]) == 2

    told = capsys.readouterr().err
    assert said in told
    line = int(re.findall(rf"{re.escape(str(scenario))}:(\d+):\d+: ", told)[0])
    assert second <= line < second + 6
    assert not (tmp_path / "out").exists()


def test_all_faults_of_a_scenario_are_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three mistakes, three lines, one run."""
    wrong = [{"kind": "storm", "asset": f"catchment-{number}", "at": "07:00"} for number in (7, 8, 9)]
    scenario = written(tmp_path, injections=wrong)

    assert main(["simulate", str(scenario), "--out", str(tmp_path / "out")]) == 2

    assert capsys.readouterr().err.count("did you mean 'catchment-1'?") == 3


def test_an_unknown_city_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which cities there are, and where else one may lie."""
    scenario = written(tmp_path, city="rivertown")

    assert main(["simulate", str(scenario), "--out", str(tmp_path / "out")]) == 2

    told = capsys.readouterr().err
    assert "there is no simulated city 'rivertown'; did you mean 'riverton'?" in told
    assert not (tmp_path / "out").exists()


def test_an_unknown_scenario_gets_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip in the name of a shipped scenario."""
    assert main(["simulate", "riverton/strom-day", "--out", str(tmp_path / "out")]) == 2

    assert "did you mean 'riverton/storm-day'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def lost(old: str, new: str) -> Edit:
    """An edit that must find what it replaces."""

    def edit(text: str) -> str:
        assert re.search(old, text, re.MULTILINE), old
        return re.sub(old, new, text, flags=re.MULTILINE)

    return edit


def unstable(text: str) -> str:
    """A sewer of 5 m pipes, routed every 30 s: water runs through them many times within a step."""
    short = lost(r"^(sewer-\d  \S+  \S+)  250", r"\1  5")(text)
    return lost(r"^ROUTING_STEP .*", "ROUTING_STEP  30")(short)


@pytest.mark.parametrize(
    ("network", "edit", "said"),
    [
        (
            "water.inp",
            lost(r"^works.main  waterworks.out  junction-l00", "works.main  waterworks.out  nowhere"),
            "EPANET refuses",
        ),
        (
            "drainage.inp",
            lost(r"^storm-1.pipe  storm-1  storm-2", "storm-1.pipe  storm-1  nowhere"),
            "SWMM refuses",
        ),
        ("power.dss", lost(r"^New Line.feeder-1", "New Lien.feeder-1"), "OpenDSS refuses"),
        ("drainage.inp", unstable, "SWMM lost"),
    ],
    ids=["water", "drainage", "power", "continuity"],
)
def test_an_engine_that_fails_is_one_error_and_leaves_no_half_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], network: str, edit: Edit, said: str
) -> None:
    """It names the engine and the file; what an earlier run left in the folder stays whole."""
    town = tmp_path / "town"
    (town / "physics").mkdir(parents=True)
    shutil.copy(RIVERTON / "city.yaml", town)
    for part in (RIVERTON / "physics").iterdir():
        shutil.copy(part, town / "physics")
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    scenario = str(written(tmp_path, city="town", injections=[BURST]))
    assert main(["simulate", scenario, "--out", str(out)]) == 0
    earlier = digests(out)
    capsys.readouterr()
    file = town / "physics" / network
    file.write_text(edit(file.read_text()))

    for folder in (out, fresh):
        assert main(["simulate", scenario, "--seed", "2", "--out", str(folder)]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith(f"crosscurrent simulate: {said}")
        assert str(file) in told.err
        assert "Traceback" not in told.err

    assert digests(out) == earlier
    assert digests(fresh) == {}


def test_a_river_in_the_drains_is_no_water_lost(tmp_path: Path) -> None:
    """While the river stands in a steep conduit SWMM reckons its water badly, also with half the step:
    the day is made, and its twin with it.
    """
    scenario = Scenario.model_validate(
        {
            "scenario": "river",
            "city": "riverton",
            "start": "2025-06-04T06:00:00Z",
            "hours": 5,
            "injections": [{"kind": "river_backwater", "asset": "outfall-1", "at": "06:30"}],
        }
    )
    told: list[str] = []
    made = make(load_town(RIVERTON), scenario, 1, tmp_path, told.append)
    assert told[0] == "the day"
    assert re.match(r"SWMM lost \d\.\d% .*; all again$", told[1])
    assert told[2:] == ["the day", "its twin without river_backwater at outfall-1"]
    assert json.loads(made.labels.read_text())["incidents"][0]["cause"]["asset"] == "outfall-1"


# --- rain of any shape, and which links a cause passed ------------------------------------------------


def test_a_storm_rains_as_its_hyetograph_says(tmp_path: Path) -> None:
    """Two bursts of rain with a dry hour between: the catchment measures just that, the labels repeat it."""
    points = [[0, 40], [20, 40], [21, 0], [80, 0], [81, 60], [100, 60]]
    storm = {"kind": "storm", "asset": "catchment-1", "at": "06:30", "hyetograph": points}
    out = simulated(written(tmp_path, injections=[storm], background=False), tmp_path / "out", 1)

    rain = {
        line["payload"]["at"][11:16]: line["payload"]["values"]["rain"]
        for line in messages(out / "morning.jsonl.gz")
        if "/catchment-1/" in line["topic"] and "rain" in line["payload"].get("values", {})
    }
    assert rain["06:40"] == pytest.approx(40, abs=3)
    assert rain["07:20"] == pytest.approx(0, abs=1)
    assert rain["08:00"] == pytest.approx(60, abs=3)
    cause = json.loads((out / "morning.labels.json").read_text())["incidents"][0]["cause"]
    assert cause["hyetograph"] == points
    assert cause["size"] == {"elsewhere": 0.6}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"injections": [{**BURST, "hyetograph": [[0, 1], [5, 2]]}]}, "only a storm has a hyetograph"),
        (
            {
                "injections": [
                    {
                        "kind": "storm",
                        "asset": "catchment-1",
                        "at": "06:30",
                        "hyetograph": [[0, 1], [5, 2]],
                        "size": {"minutes": 5},
                    }
                ]
            },
            "either a hyetograph or minutes",
        ),
        ({"showers": [{"at": "06:30", "hyetograph": [[5, 1], [5, 2]]}]}, "minutes must rise"),
        ({"showers": [{"at": "06:30"}]}, "either peak_mm_per_h"),
        (
            {"showers": [{"at": "06:30", "peak_mm_per_h": 3, "hyetograph": [[0, 1], [5, 2]]}]},
            "either peak_mm_per_h",
        ),
    ],
    ids=["of a burst", "two shapes", "backwards", "no rain", "shower of two shapes"],
)
def test_a_hyetograph_that_fits_nothing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: dict[str, Any], said: str
) -> None:
    """One shape of rain each, in the order of time, on a storm or a shower."""
    assert main(["simulate", str(written(tmp_path, **fields)), "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_labels_tell_which_links_a_cause_passed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A feeder trips: without the link that powers it, booster-1 would be well; each link has its own."""
    trip = {"kind": "feeder_trip", "asset": "feeder-2", "at": "07:00"}
    scenario = str(written(tmp_path, injections=[trip], background=False))
    assert main(["simulate", scenario, "--links", "--out", str(tmp_path / "out")]) == 0

    incident = json.loads((tmp_path / "out" / "morning.labels.json").read_text())["incidents"][0]
    passed = {(one["source"], one["target"]): one["carries"] for one in incident["through"]}
    assert "booster-1" in passed["feeder-2", "booster-1"]
    assert "booster-1" not in passed["feeder-2", "signal-2"]
    assert {one["relation"] for one in incident["through"]} == {"powers"}


# --- what it costs --------------------------------------------------------------------------------

_PEAK = """
import resource, sys
from pathlib import Path
from simulator.cities import open_scenario
from simulator.making import make
town, scenario = open_scenario(Path(sys.argv[1]))
make(town, scenario, 1, Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_days(tmp_path: Path) -> None:
    """A day more, and its twin, take at most 20 MB more: rows wait on disk, messages leave."""
    peaks = []
    for hours in (6, 30):
        folder = tmp_path / str(hours)
        folder.mkdir()
        scenario = written(folder, hours=hours, injections=[BURST])
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, str(scenario), str(folder / "out")],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        peaks.append(int(done.stdout) / 1024)

    assert peaks[1] < peaks[0] + 20
