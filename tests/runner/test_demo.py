"""The demo: a day over real MQTT, told on the terminal, judged against the truth."""

import gzip
import io
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from runner.embedded import Status
from runner.score import CauseScore, Score
from runner.screen import LiveScreen, Moment, PlainScreen, screen
from runner.verbs.demo import has_display, rate
from runner.verdict import Played, Verdict, labels_beside
from schemas.alarms import Severity
from schemas.cityfile import load_city
from schemas.incidents import IncidentRevision, Member, Root
from schemas.times import parse_time

ROOT = Path(__file__).parents[2]
RIVERTON = ROOT / "cities" / "riverton"
NINE = parse_time("2025-06-04T09:00:00Z")

RUN = """
import sys
sys.path[:0] = sys.argv[1:3]
from runner.cli import main
sys.exit(main(sys.argv[3:], console="quiet_console"))
"""
QUIET_CONSOLE = """
import signal

def serve(embedded, host, port, show):
    print(f"served at {host}:{port}, show={show}", flush=True)
    signal.pause()
"""


@pytest.fixture
def short_day(tmp_path: Path) -> Path:
    """The storm day from 08:30 to 12:30, with the truth beside it."""
    first, last = "2025-06-04T08:30", "2025-06-04T12:30"
    with gzip.open(RIVERTON / "storm-day.jsonl.gz", "rt") as lines:
        kept = [line for line in lines if first <= json.loads(line)["received"] < last]
    recording = tmp_path / "short-day.jsonl"
    recording.write_text("".join(kept))
    (tmp_path / "short-day.labels.json").write_bytes((RIVERTON / "storm-day.labels.json").read_bytes())
    return recording


def demo(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """``crosscurrent demo --once`` without terminal and display, with a console that only waits."""
    (folder / "quiet_console.py").write_text(QUIET_CONSOLE)
    environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    return subprocess.run(
        [sys.executable, "-c", RUN, str(ROOT), str(folder), "demo", "--once", "--rate", "max", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )


def test_the_storm_is_played_told_and_found(
    short_day: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """All acknowledged and processed, the root found: status 0. Taken ports are told and got round."""
    with socket.socket() as one, socket.socket() as other:
        taken = [free_port(), free_port()]
        for port, holder in zip(taken, (one, other), strict=True):
            holder.bind(("127.0.0.1", port))
            holder.listen()
        done = demo(
            tmp_path,
            *("--recording", str(short_day), "--mqtt-port", str(taken[0]), "--console-port", str(taken[1])),
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"port {taken[0]} is taken, so " in done.stdout
    assert f"port {taken[1]} is taken, so " in done.stdout
    assert "show=False" in done.stdout
    messages = len(short_day.read_text().splitlines())
    assert f"{messages:,} of {messages:,} messages acknowledged in " in done.stdout
    assert "control rooms would have seen each alone: storm" in done.stdout
    assert "opened: Catchment-1 has heavy rain" in done.stdout
    assert "truth: catchment-1 was found" in done.stdout


def test_a_root_that_is_not_the_truth_is_status_1(
    short_day: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Where the labels name another cause, the demo says what was taken for it, and fails."""
    beside = tmp_path / "short-day.labels.json"
    truth = json.loads(beside.read_text())
    truth["incidents"][0]["cause"]["asset"] = "feeder-2"
    beside.write_text(json.dumps(truth))
    ports = ("--mqtt-port", str(free_port()), "--console-port", str(free_port()))
    done = demo(tmp_path, "--recording", str(short_day), *ports)
    assert done.returncode == 1, done.stderr
    assert "truth: feeder-2 was missed, catchment-1 was taken for the root" in done.stdout


def test_a_missing_recording_is_told_before_anything_starts(tmp_path: Path) -> None:
    """Status 2, the path, no ports."""
    done = demo(tmp_path, "--recording", str(tmp_path / "nowhere.jsonl"))
    assert done.returncode == 2
    assert str(tmp_path / "nowhere.jsonl") in done.stderr
    assert done.stdout == ""


def test_ctrl_c_in_the_middle_ends_it_without_a_verdict(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Status 130 within two seconds, and nothing is said of a day that was cut short."""
    (tmp_path / "quiet_console.py").write_text(QUIET_CONSOLE)
    command = [sys.executable, "-c", RUN, str(ROOT), str(tmp_path), "demo", "--no-browser"]
    command += ["--mqtt-port", str(free_port()), "--console-port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("served at" in line for line in process.stdout), process.communicate()[1]
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        try:
            said, complaints = process.communicate(timeout=10)
        finally:
            process.kill()  # a shell's background jobs get no SIGINT: then this fails, and hangs nobody
    assert time.monotonic() - asked < 2
    assert process.returncode == 130
    assert "truth" not in said
    assert "Traceback" not in complaints


# -- the verdict -----------------------------------------------------------------------------------


def verdict(acknowledged: int = 10, unprocessed: int = 0, found: bool = True) -> Verdict:
    """A day of ten messages with one true cause."""
    cause = CauseScore(
        id="s1",
        cause="catchment-1",
        incidents=("i1",),
        root_top1=found,
        root_top3=found,
        main_incident="i1",
        main_root="catchment-1" if found else "pump-1",
        main_top1=found,
        incident_delay_seconds=1,
        root_delay_seconds=1,
        incident_delay_steps=None,
        root_delay_steps=None,
    )
    played = Played(messages=10, acknowledged=acknowledged, seconds=1.0)
    score = Score.model_construct(causes=(cause,))
    return Verdict(
        load_city(RIVERTON / "city.yaml"), played, 9, 1, unprocessed, Counter(storm=2, power=1), [], score
    )


def test_a_demo_is_right_only_if_it_truly_ran() -> None:
    """A message without an acknowledgement, a record not processed, a missed root: each is a no."""
    assert verdict().is_right
    assert not verdict(acknowledged=9).is_right
    assert not verdict(unprocessed=1).is_right
    assert not verdict(found=False).is_right


def test_the_verdict_tells_what_each_control_room_would_have_seen() -> None:
    """The numbers, in words for people."""
    assert verdict().lines() == [
        "10 of 10 messages acknowledged in 1 s; 9 readings stored, 1 messages refused",
        "3 alarms, which the control rooms would have seen each alone: storm 2, power 1",
        "0 incidents:",
        "truth: catchment-1 was found",
    ]


def test_labels_lie_beside_their_recording(tmp_path: Path) -> None:
    """NAME.labels.json, whatever the recording is packed with; none is no fault."""
    assert labels_beside(RIVERTON / "storm-day.jsonl.gz") is not None
    assert labels_beside(tmp_path / "storm-day.jsonl.zst") is None


# -- the screen ------------------------------------------------------------------------------------


def moment(share: float, *incidents: IncidentRevision) -> Moment:
    """How it stands at a share of the day."""
    status = Status(
        *(
            "mqtt://127.0.0.1:1883",
            Path("data"),
            NINE,
            1200,
            3,
            1500,
            0,
            0,
            0,
            1500,
            240.0,
            300.0,
            0,
            (),
            None,
        )
    )
    return Moment(load_city(RIVERTON / "city.yaml"), share, status, list(incidents))


def incident(revision: int, change: str, summary: str) -> IncidentRevision:
    """A revision of the one incident of these tests."""
    return IncidentRevision.model_validate(
        {
            "id": "i1",
            "opened": NINE,
            "closed": None,
            "severity": Severity.CRITICAL,
            "utilities": ["storm"],
            "root": Root(asset="catchment-1", condition="rain_high", since=NINE, probability=0.9),
            "alternatives": [],
            "members": [Member(asset="catchment-1", condition="rain_high", since=NINE)],
            "expected": [],
            "summary": summary,
            "chain": [],
            "revision": revision,
            "known_at": NINE,
            "change": change,
        }
    )


def test_without_a_terminal_there_are_plain_lines() -> None:
    """A line when an incident opens or turns, and for each tenth of the day, in the city's own time."""
    out = io.StringIO()
    with screen(Console(file=out, width=200)) as plain:
        assert isinstance(plain, PlainScreen)
        plain.show(moment(0.05))
        for share in (0.11, 0.12):
            plain.show(moment(share, incident(1, "opened", "it rains")))
        plain.show(moment(0.13, incident(2, "more", "it rains more")))
        plain.show(moment(0.14, incident(3, "new root", "the dam broke")))
    assert out.getvalue().splitlines() == [
        "11:00  opened: it rains",
        "11:00   11%  1,200 messages (240/s), 1,500 readings, 3 refused, 1 incidents",
        "11:00  new root: the dam broke",
    ]


def test_on_a_terminal_there_is_one_live_picture() -> None:
    """Progress, and the incidents with what happened."""
    out = io.StringIO()
    with screen(Console(file=out, width=100, force_terminal=True)) as live:
        assert isinstance(live, LiveScreen)
        live.show(moment(0.5, incident(1, "opened", "it rains")))
    assert "it rains" in out.getvalue()
    assert "50%" in out.getvalue()


# -- the arguments ---------------------------------------------------------------------------------


def test_a_rate_is_a_number_above_zero_or_max() -> None:
    """Anything else is wrong usage."""
    assert (rate("480"), rate("max")) == (480.0, math.inf)
    for wrong in ("0", "-1", "fast", "nan"):
        with pytest.raises(ValueError, match=r".*"):
            rate(wrong)


def test_a_browser_needs_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a server nobody tries to open one."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert has_display()
