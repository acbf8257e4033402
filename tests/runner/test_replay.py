"""Replays of Riverton's recorded days, and of recordings that are not what they should be."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from runner.cli import main
from schemas.incidents import Incident
from schemas.notifications import Notification

ROOT = Path(__file__).parents[2]
RIVERTON = ROOT / "cities" / "riverton"
RESULTS = ("alarms.jsonl", "incidents.jsonl", "revisions.jsonl", "notifications.jsonl", "summary.json")


def replay(recording: Path, out: Path, *more: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """``crosscurrent replay`` in a process of its own."""
    return subprocess.run(
        [
            sys.executable,
            "crosscurrent.py",
            "replay",
            str(recording),
            "--city",
            str(RIVERTON / "city.yaml"),
            "--out",
            str(out),
            *more,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


def incidents(out: Path) -> list[Incident]:
    """The lines of incidents.jsonl."""
    return [Incident.model_validate_json(line) for line in (out / "incidents.jsonl").read_text().splitlines()]


def roots(out: Path) -> list[str]:
    """The root of each incident."""
    return [incident.root.asset for incident in incidents(out)]


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storm day, replayed once."""
    out = tmp_path_factory.mktemp("storm")
    assert replay(RIVERTON / "storm-day.jsonl.gz", out).returncode == 0
    return out


def test_the_storm_is_one_incident_and_its_root_is_the_rain(storm: Path) -> None:
    """Forty signs in four control rooms are one incident with one cause."""
    assert roots(storm) == ["catchment-1"]
    assert incidents(storm)[0].utilities == ["power", "roads", "sewage", "storm"]


def test_the_feeder_day_names_the_feeder(tmp_path: Path) -> None:
    """What began with feeder-2 ends with low pressure two hours later, in one incident."""
    replay(RIVERTON / "feeder-day.jsonl.gz", tmp_path)
    assert roots(tmp_path) == ["feeder-2"]


def test_the_quiet_day_stays_quiet(tmp_path: Path) -> None:
    """Noise, spikes, lost messages and a light shower are no incident."""
    replay(RIVERTON / "quiet-day.jsonl.gz", tmp_path)
    assert incidents(tmp_path) == []


def test_a_bad_network_leaves_the_storm_what_it_is(tmp_path: Path, storm: Path) -> None:
    """Late, doubled, disordered, with two fast clocks and gaps: the same roots as on a clean stream."""
    replay(RIVERTON / "storm-day-faults.jsonl.gz", tmp_path)
    assert roots(tmp_path) == roots(storm)


def test_the_summary_says_how_far_the_forecasts_can_be_trusted(storm: Path) -> None:
    """A share of came true by stated probability, over the judged; some of the storm was foretold."""
    told = json.loads((storm / "summary.json").read_text())["predictions"]
    assert told["hits"] > 0
    assert told["open"] == 0  # the incident has closed
    assert sum(one["count"] for one in told["bins"]) == told["hits"] + told["misses"]
    off = [one["count"] * abs(one["predicted"] - one["came_true"]) for one in told["bins"]]
    assert told["calibration_error"] == pytest.approx(sum(off) / (told["hits"] + told["misses"]))
    assert all(one["low"] <= one["predicted"] <= one["high"] for one in told["bins"])


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.zst"])
def test_packing_and_hash_seeds_change_no_byte(tmp_path: Path, storm: Path, suffix: str) -> None:
    """Plain or packed, whatever PYTHONHASHSEED: the same five files, but for the recording's name."""
    raw = gzip.decompress((RIVERTON / "storm-day.jsonl.gz").read_bytes())
    recording = tmp_path / f"storm-day{suffix}"
    recording.write_bytes(zstandard.compress(raw) if suffix.endswith("zst") else raw)
    replay(recording, tmp_path / "out", hash_seed="12345")

    def content(out: Path) -> list[str]:
        return [
            (out / name).read_text().replace('"storm-day.jsonl.gz"', f'"{recording.name}"')
            for name in RESULTS
        ]

    assert content(tmp_path / "out") == content(storm)


def test_a_broken_line_is_told_by_number_and_the_rest_is_read(tmp_path: Path) -> None:
    """One bad line in the middle costs one line."""
    lines = gzip.decompress((RIVERTON / "quiet-day.jsonl.gz").read_bytes()).splitlines(keepends=True)[:2000]
    lines[1000] = b'{"received": "2025-06-02T00:\n'
    (tmp_path / "broken.jsonl").write_bytes(b"".join(lines))
    done = replay(tmp_path / "broken.jsonl", tmp_path / "out", "--json")
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["broken_lines"], summary["intake"]["messages"]) == (0, 1, 1999)
    assert "broken.jsonl: line 1001: not a recorded message" in done.stderr


def test_a_truncated_recording_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """A copy that broke off: what is there counts, and the fault says where it ended."""
    whole = (RIVERTON / "quiet-day.jsonl.gz").read_bytes()
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    done = replay(tmp_path / "cut.jsonl.gz", tmp_path / "out", "--json")
    summary = json.loads(done.stdout)
    assert done.returncode == 0
    assert 10_000 < summary["intake"]["messages"] < 40_000
    assert summary["broken_lines"] == 1


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.jsonl.gz", "other.jsonl"])
def test_a_recording_without_anything_of_this_city_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing to replay is an error that says so, and leaves no results that look like a quiet day."""
    recording = tmp_path / name
    content = b'{"received":"2025-06-04T00:00:00Z","topic":"other/things","payload":{}}\n' * 3
    recording.write_bytes(content if name == "other.jsonl" else b"")
    done = replay(recording, tmp_path / "out")
    assert done.returncode == 2
    assert f"{recording}: nothing to replay" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_recording_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The name is said."""
    done = replay(tmp_path / "none.jsonl", tmp_path / "out")
    assert done.returncode == 2
    assert "none.jsonl" in done.stderr


def test_a_bad_city_model_starts_nothing(tmp_path: Path) -> None:
    """Every fault with its line; no results."""
    (tmp_path / "city.yaml").write_text("city: x\ntimezone: Mars/North\nassets: []\nroads: []\n")
    done = subprocess.run(
        [
            sys.executable,
            "crosscurrent.py",
            "replay",
            str(RIVERTON / "quiet-day.jsonl.gz"),
            "--city",
            str(tmp_path / "city.yaml"),
            "--out",
            str(tmp_path / "out"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "city.yaml:2:11: " in done.stderr
    assert "city.yaml:4:1: " in done.stderr
    assert not (tmp_path / "out").exists()


def test_why_people_were_told_can_be_read_afterwards(storm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``alerts explain``: by route, to whom, when, in the city's clocks; or that nothing is known."""
    incident = Notification.model_validate_json(
        (storm / "notifications.jsonl").read_text().splitlines()[0]
    ).incident
    asked = ["alerts", "explain", incident[:8], "--data", str(storm), "--city", str(RIVERTON / "city.yaml")]
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Wed 11:16  route: told city-desk: route.4 takes utility")
    assert lines[1] == "Wed 11:16  sent: opened to city-desk: a new incident"
    told = {line.split(" to ")[1].split(":")[0] for line in lines if "sent: " in line}
    assert told == {"city-desk", "ana", "power-desk", "duty-manager"}
    assert sum("sent: resolved" in line for line in lines) == len(told)

    assert main(["alerts", "explain", "nobody", "--data", str(storm)]) == 1
    assert "nothing was decided about an incident nobody" in capsys.readouterr().out
