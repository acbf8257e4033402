"""The benchmark on Riverton's days, on days that are broken, and with another team's system beside."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runner.bench.baselines import BASELINES
from runner.bench.day import PRODUCT, Task, work
from runner.bench.figures import CauseRow, DayResult, interval, judge_day, pool
from runner.bench.tasks import in_good_order, of_suite
from runner.labels import Labels, load_labels
from runner.outputs import Outputs, SeenAlarm, SeenIncident, SeenRevision
from runner.workers import Done
from runner.workers import run as run_all
from schemas.cityfile import load_city
from schemas.errors import CrosscurrentError
from schemas.times import HOUR, MINUTE, rfc3339

ROOT = Path(__file__).parents[2]
RIVERTON = ROOT / "cities" / "riverton"
SYSTEMS = [PRODUCT, *BASELINES]
BEFORE, AFTER = 30 * MINUTE, 2 * HOUR
"""Of the days of the small town: so long around the storm's beginning."""


def bench(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    """``crosscurrent bench`` in a process of its own, which runs the Python line ``before`` first."""
    code = f"import sys; {before}\nfrom runner.cli import main\nsys.exit(main(['bench', *sys.argv[1:]]))"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def figures(*arguments: object, status: int = 0) -> dict[str, Any]:
    """The JSON that it prints."""
    done = bench(*arguments, "--json", "-")
    assert done.returncode == status, done.stderr
    whole: dict[str, Any] = json.loads(done.stdout)
    return whole


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A morning of the storm and the same hours of a quiet day, in the folder ``town``; ``work`` beside it,
    where they were done once, and ``first.json`` with the figures.
    """
    folder = tmp_path_factory.mktemp("made") / "town"
    folder.mkdir()
    shutil.copy(RIVERTON / "city.yaml", folder)
    storm = load_labels(RIVERTON / "storm-day.labels.json")
    into_the_day = storm.incidents[0].cause.start - (storm.start or 0)
    for name in ("quiet-day", "storm-day"):
        labels = RIVERTON / f"{name}.labels.json"
        moment = (load_labels(labels).start or 0) + into_the_day
        begin, end = rfc3339(moment - BEFORE), rfc3339(moment + AFTER)
        with gzip.open(RIVERTON / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            chosen = [line for line in lines if begin <= json.loads(line)["received"] < end]
        (folder / f"{name}.jsonl").write_text("".join(chosen))
        shutil.copy(labels, folder)
    first = figures(folder, "--work", folder.parent / "work")
    (folder.parent / "first.json").write_text(json.dumps(first))
    return folder.parent


@pytest.fixture
def town(made: Path, tmp_path: Path) -> Path:
    """The folder of the two mornings, for a test to spoil."""
    return shutil.copytree(made / "town", tmp_path / "town")


@pytest.fixture
def first(made: Path) -> dict[str, Any]:
    """The figures of the two mornings."""
    found: dict[str, Any] = json.loads((made / "first.json").read_text())
    return found


@pytest.fixture
def kept(made: Path, tmp_path: Path) -> Path:
    """A folder of ``--work`` in which the two mornings are done."""
    return shutil.copytree(made / "work", tmp_path / "work")


def written(work: Path) -> dict[str, int]:
    """When each file of the results was written, in ns."""
    return {path.as_posix(): path.stat().st_mtime_ns for path in work.glob("results/*/*/*")}


def test_riverton_product_and_baselines_side_by_side(tmp_path: Path) -> None:
    """Folders of days need no simulator: one table, and the same as JSON, with every system on every day."""
    kept = tmp_path / "all.json"
    done = bench(RIVERTON, "--json", kept)
    whole = json.loads(kept.read_text())
    days = sorted(path.name.removesuffix(".labels.json") for path in RIVERTON.glob("*.labels.json"))

    assert done.returncode == 0, done.stderr
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert [row for row in rows if row in SYSTEMS][: len(SYSTEMS)] == SYSTEMS
    assert f"{len(days)} days" in done.stdout.splitlines()[0]
    assert len(done.stderr.splitlines()) == len(days)
    assert (whole["name"], whole["suite"], whole["seed"], whole["failed"]) == ("bench", None, None, [])
    assert whole["days"] == len(days)
    assert [(day["city"], day["day"]) for day in whole["per_day"]] == [("riverton", day) for day in days]
    assert list(whole["systems"]) == SYSTEMS
    assert whole["by_city"] == {"riverton": whole["systems"]}
    assert "storm" in whole["by_kind"]
    assert (
        sum(kind[PRODUCT]["causes"] for kind in whole["by_kind"].values())
        == whole["systems"][PRODUCT]["causes"]
    )
    assert {one["alarms_per_day"] for one in whole["systems"].values()} == {
        whole["systems"][PRODUCT]["alarms_per_day"]
    }


def test_the_same_days_give_the_same_bytes_whoever_works(town: Path, first: dict[str, Any]) -> None:
    """One worker or two, with a folder to keep or without, the answer does not tell."""
    assert bench(town, "--workers", 1, "--json", "-").stdout == json.dumps(first, indent=1) + "\n"


def test_a_run_goes_on_from_what_lies_there(town: Path, kept: Path, first: dict[str, Any]) -> None:
    """What is whole is not done again; a day whose truth was edited is, and only that one."""
    before = written(kept)

    assert figures(town, "--work", kept) == first
    assert written(kept) == before

    labels = town / "quiet-day.labels.json"
    labels.write_text(labels.read_text() + "\n")
    assert figures(town, "--work", kept) == first
    now = written(kept)
    assert {path for path in now if now[path] != before[path]} == {
        path for path in now if "quiet-day" in path
    }


def test_what_a_killed_run_left_half_is_done_again(town: Path, kept: Path, first: dict[str, Any]) -> None:
    """Results whose key can't be read count for nothing."""
    results = kept / "results" / "town" / "storm-day" / "bench.json"
    results.write_text(results.read_text()[:100])

    assert figures(town, "--work", kept) == first


def test_a_broken_day_is_told_and_the_others_go_on(town: Path) -> None:
    """The status is 1, the day is listed with the reason, and counts in no figure."""
    (town / "quiet-day.jsonl").write_text("not a message\n")
    done = bench(town, "--json", "-")
    whole = json.loads(done.stdout)

    assert done.returncode == 1
    assert "town/quiet-day: " in done.stderr
    assert "nothing to replay: line 1" in done.stderr
    assert [day["day"] for day in whole["failed"]] == ["quiet-day"]
    assert whole["failed"][0]["why"].endswith("expected MQTT messages of this city, a line each")
    assert (whole["days"], whole["systems"][PRODUCT]["days_with_trouble"]) == (1, 1)


def test_no_day_at_all(town: Path) -> None:
    """Where every day is broken the table says so."""
    for recording in town.glob("*.jsonl"):
        recording.write_text("")
    done = bench(town)

    assert done.returncode == 1
    assert done.stdout.strip() == "given days: no day gave a result"


def test_labels_without_a_length_are_told(town: Path) -> None:
    """False incidents are counted a day: a day of unknown length is left out."""
    path = town / "quiet-day.labels.json"
    labels = json.loads(path.read_text())
    del labels["hours"]
    path.write_text(json.dumps(labels))
    whole = figures(town, status=1)

    assert [day["day"] for day in whole["failed"]] == ["quiet-day"]
    assert "'start' and 'hours' are missing" in whole["failed"][0]["why"]


def test_another_system_is_scored_beside_ours(town: Path, kept: Path, first: dict[str, Any]) -> None:
    """The product's own files, entered as somebody else's, get the product's figures."""
    whole = figures(town, "--work", kept, "--enter", f"twin={kept / 'results'}")

    assert list(whole["systems"]) == [*SYSTEMS, "twin"]
    assert whole["systems"]["twin"] == whole["systems"][PRODUCT] == first["systems"][PRODUCT]
    assert whole["systems"]["twin"]["alarms_per_day"] > 0


def test_an_entrant_without_a_day_said_nothing_on_it(town: Path, kept: Path, tmp_path: Path) -> None:
    """Leaving out the hard days does not help: they count as missed, it is told, and the status is 1."""
    theirs = shutil.copytree(kept / "results", tmp_path / "theirs")
    (theirs / "town" / "storm-day" / "incidents.jsonl").write_text('{"id": 1}\n')
    shutil.rmtree(theirs / "town" / "quiet-day")
    done = bench(town, "--work", kept, "--enter", f"[red]={theirs}", "--json", tmp_path / "all.json")
    lazy = json.loads((tmp_path / "all.json").read_text())["systems"]["[red]"]

    assert done.returncode == 1
    assert "[red] counts as silent on town/quiet-day: " in done.stderr
    assert "incidents.jsonl:1: id: " in done.stderr
    assert (lazy["days"], lazy["alarms_per_day"], lazy["main_top1"], lazy["incident_recall"]) == (2, 0, 0, 0)
    assert "[red]" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name folders of days, or a suite with --suite"),
        (["{town}", "--suite", "quick"], "one of both"),
        (["{town}/.."], "no day lies here; expected city.yaml"),
        (["{town}", "{town}"], "there are two days town/quiet-day"),
        (["{town}", "--json", "{town}/nowhere/x.json"], "its folder is not there"),
        (["{town}", "--enter", "mine"], "expected NAME=DIR"),
        (["{town}", "--enter", "silo={town}"], "there is a system 'silo' already"),
        (["{town}", "--enter", "mine={town}/nowhere"], "no such folder"),
        (["{town}", "--workers", "0"], "0 is no number of workers; expected 1 or more"),
    ],
)
def test_bad_usage_is_told_before_anything_runs(town: Path, arguments: list[str], said: str) -> None:
    """Exit status 2, one line that says what was expected, and no day done."""
    done = bench(*[argument.format(town=town) for argument in arguments])

    assert done.returncode == 2
    assert said in done.stderr
    assert "days after" not in done.stderr


def test_ctrl_c_stops_the_workers(tmp_path: Path) -> None:
    """Status 130, no traceback, and nothing left running; the folder is good to go on from."""
    work = tmp_path / "work"
    command = [
        sys.executable,
        "crosscurrent.py",
        "bench",
        str(RIVERTON),
        "--work",
        str(work),
        "--workers",
        "1",
    ]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # one day is done, the next has begun
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stderr.read()

    assert process.returncode == 130
    assert "Traceback" not in rest
    deadline = time.monotonic() + 20
    while alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(process.pid)
    assert len(list(work.glob("results/*/*/bench.json"))) >= 1


def alive(group: int) -> bool:
    """Whether any process of a group still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


INTERRUPTED_START = """
import signal
import time
from multiprocessing import reduction
from runner.workers import run
from runner.interrupts import interrupts

send = reduction.sendfds

def send_after_ctrl_c(*arguments):
    signal.raise_signal(signal.SIGINT)
    send(*arguments)

reduction.sendfds = send_after_ctrl_c
with interrupts() as caught:
    for _ in run([1, 2], abs, workers=1):
        pass
time.sleep(1)  # time for the fork server to see that it was left
raise SystemExit(caught.status)
"""


def test_ctrl_c_while_a_worker_is_being_started_leaves_no_traceback() -> None:
    """Python's fork server would die with one, were it left between the call and what was to be sent."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_START],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (130, "")


def fate(task: str) -> str:
    """Work of a worker: an answer, a foreseen error, or a sudden end."""
    if task == "dies":
        os._exit(7)
    if task == "fails":
        raise CrosscurrentError("foreseen")
    return f"{task} in process {os.getpid()}"


def test_a_worker_that_dies_takes_only_its_own_task_along() -> None:
    """An engine that crashes costs one day; no process does two."""
    done: list[Done[str, str]] = list(run_all(["one", "dies", "fails", "two"], fate, workers=2))
    answers = {d.task: d.result for d in done}

    assert {d.task: d.why for d in done if d.result is None} == {
        "dies": "its process ended with status 7 and no result",
        "fails": "foreseen",
    }
    assert len({answers["one"], answers["two"], str(os.getpid())}) == 3
    assert str(answers["one"]).split()[-1] != str(answers["two"]).split()[-1]


def test_a_suite_names_the_extra_that_makes_its_days() -> None:
    """Where an engine is not installed, one error tells what to install."""
    done = bench("--suite", "quick", before="sys.modules['epanet'] = None")

    assert done.returncode == 2
    assert "pip install 'crosscurrent[simulate]'" in done.stderr


def test_an_unknown_suite_is_told() -> None:
    """With the suites that there are."""
    pytest.importorskip("epanet")
    done = bench("--suite", "quik")

    assert done.returncode == 2
    assert "'quick'" in done.stderr


def test_a_day_of_a_suite_is_made_once(tmp_path: Path) -> None:
    """Its worker makes it where nothing lies, and takes what lies there; its truth is scored."""
    pytest.importorskip("epanet")
    task = of_suite("quick", 5, tmp_path)[0]
    first = work(task)
    recordings = {path: path.stat().st_mtime_ns for path in task.folder.iterdir()}
    shutil.rmtree(task.results)

    assert work(task) == first
    assert {path: path.stat().st_mtime_ns for path in task.folder.iterdir()} == recordings
    assert list(first.systems) == SYSTEMS


def test_one_day_of_each_city_comes_first(tmp_path: Path) -> None:
    """The first worker on a generated city makes the city; meanwhile the others have something to do."""
    tasks = [
        Task(city, f"{city}-{number}", tmp_path, tmp_path, "")
        for city, number in (("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2))
    ]

    assert [task.name for task in in_good_order(tasks)] == ["a-1", "b-1", "a-2", "a-3", "b-2"]


def cause(name: str, right: bool, incidents: int = 1, delay: float | None = 60, **more: int) -> CauseRow:
    """One cause of a day, understood or not."""
    return CauseRow(
        id=name,
        asset="feeder-7",
        kind="trip",
        main_root=None,
        main_top1=right,
        root_top1=right,
        root_top3=right,
        incidents=incidents,
        incident_delay_seconds=delay,
        root_delay_seconds=delay if right else None,
        incident_delay_steps=None if delay is None else delay / 60,
        root_delay_steps=delay / 60 if right and delay is not None else None,
        **({"later_effects": 0, "later_effects_foretold": 0} | more),
    )


def result(*causes: CauseRow, incidents: int = 0, false: int = 0, **more: Any) -> DayResult:
    """One day of a system."""
    plain = {"days": 1, "alarms": 10, "alarm_grouping_ari": None, "predictions": ()}
    return DayResult.model_validate(
        plain | {"incidents": incidents, "false_incidents": false, "causes": causes} | more
    )


def test_days_are_pooled_not_averaged() -> None:
    """A day with three causes weighs three times one with one; quiet days have a rate of their own."""
    busy = result(
        cause("a", True),
        cause("b", True),
        cause("c", False, incidents=4),
        incidents=8,
        false=2,
        predictions=((0.9, 60.0), (0.9, 180.0), (0.9, None)),
        alarm_grouping_ari=1.0,
    )  # fmt: skip - one day
    calm = result(cause("d", False, incidents=0, delay=None), alarm_grouping_ari=0.5)
    quiet = result(incidents=2, false=2, days=0.5)
    found = pool([busy, calm, quiet])

    assert (found.causes, found.main_top1, found.incident_recall) == (4, 0.5, 0.75)
    assert found.incidents_per_true_cause == 2
    assert (found.incidents, found.incident_precision, found.false_incidents) == (10, 0.6, 4)
    assert (found.days, found.days_with_trouble, found.alarms_per_day) == (3, 2, 12)
    assert found.false_incidents_per_day == 1.6
    assert (found.false_incidents_per_day_with_trouble, found.false_incidents_per_quiet_day) == (1, 4)
    assert (found.incident_delay_seconds_median, found.root_delay_seconds_median) == (60, 60)
    assert (found.incident_delay_steps_median, found.root_delay_steps_median) == (1, 1)
    assert (found.predictions, found.hits, found.lead_seconds_median) == (3, 2, 120)
    assert found.calibration_error == pytest.approx(0.9 - 2 / 3)
    assert found.alarm_grouping_ari == 0.75


def test_nothing_to_measure_is_none() -> None:
    """Quiet days alone give no share of causes, and no made-up 0 or 1."""
    found = pool([result()])

    assert (found.main_top1, found.main_top1_interval, found.incident_precision) == (None, None, None)
    assert (found.later_effects_foretold, found.hit_rate, found.false_incidents_per_quiet_day) == (
        None,
        None,
        0,
    )


@pytest.mark.parametrize(
    ("right", "tried", "expected"),
    # From R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_interval_is_wilsons(right: int, tried: int, expected: tuple[float, float]) -> None:
    """The published worked examples of the score interval come out."""
    assert interval(right, tried) == pytest.approx(expected, abs=5e-5)


def test_a_foretold_effect_is_one_expected_before_it_began() -> None:
    """Counted from the truth: expected in time, expected too late, expected for a window long over, never."""
    day = "2025-06-04T"
    truth = {
        "id": "one",
        "cause": {"asset": "feeder-7", "kind": "trip", "start": f"{day}10:00:00Z", "end": f"{day}14:00:00Z"},
        "effects": [
            {"asset": asset, "start": f"{day}{clock}:00Z"}
            for asset, clock in (
                ("pump-3", "10:01"),
                ("tank-2", "11:00"),
                ("tank-4", "11:00"),
                ("tank-6", "13:00"),
                ("tank-8", "11:00"),
            )
        ],
    }  # fmt: skip - one effect after the other
    labels = Labels.model_validate({"start": f"{day}00:00:00Z", "hours": 24, "incidents": [truth]})
    incident = {
        "id": "seen",
        "opened": f"{day}10:01:00Z",
        "root": {"asset": "feeder-7"},
        "members": [{"asset": "pump-3", "condition": "stopped", "since": f"{day}10:01:00Z"}],
    }

    def expecting(clock: str, *assets: str) -> SeenRevision:
        window = {"condition": "low", "from": f"{day}11:30:00Z", "to": f"{day}12:00:00Z", "probability": 0.8}
        more = {"revision": 1, "known_at": f"{day}{clock}:00Z", "change": "more"}
        return SeenRevision.model_validate(
            incident | more | {"expected": [{"asset": asset} | window for asset in assets]}
        )

    outputs = Outputs(
        alarms=[
            SeenAlarm.model_validate({"asset": "pump-3", "condition": "stopped", "raised": f"{day}10:01:00Z"})
        ],
        incidents=[SeenIncident.model_validate(incident)],
        revisions=[expecting("10:05", "tank-2", "tank-6"), expecting("11:05", "tank-4")],
    )  # fmt: skip - one part after the other
    row = judge_day(outputs, labels, load_city(RIVERTON / "city.yaml")).causes[0]

    assert (row.later_effects, row.later_effects_foretold) == (4, 1)
