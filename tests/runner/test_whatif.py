"""What if: the same hours with another limit, without an event or a sensor; and replays at a pace."""

import gzip
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runner.cli import main
from runner.playing import DOWN, RIGHT, UP, time_of
from runner.replay import RESULTS
from runner.whatif import delayed
from schemas.readings import Event, Frame, Tick
from schemas.times import DAY, HOUR, parse_time
from tests.runner.test_determinism import recorded
from tests.runner.test_replay import RIVERTON, ROOT

CITY = RIVERTON / "city.yaml"


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first hour after feeder-2 tripped, and the quarter before."""
    first, last = (parse_time(f"2025-06-03T{at}:00Z") for at in ("16:45", "18:00"))
    chosen = [
        line
        for line in gzip.decompress((RIVERTON / "feeder-day.jsonl.gz").read_bytes()).decode().splitlines()
        if first <= parse_time(json.loads(line)["received"]) < last
    ]
    return recorded(chosen, tmp_path_factory.mktemp("evening"))


def replay(recording: Path, out: Path, *words: str) -> int:
    """``crosscurrent replay``; its status."""
    return main(["replay", str(recording), "--city", str(CITY), "--out", str(out), *words])


def lines(out: Path, name: str) -> list[dict[str, Any]]:
    """One kind of results."""
    return [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()]


def content(out: Path) -> list[bytes]:
    """All results."""
    return [(out / name).read_bytes() for name in RESULTS]


def conditions(out: Path) -> set[str]:
    """Asset and condition of each alarm."""
    return {f"{one['asset']} {one['condition']}" for one in lines(out, "alarms")}


def test_without_an_event_others_are_explained_otherwise(evening: Path, tmp_path: Path) -> None:
    """Nobody saw that feeder-2 was dead: its pumps still stand, and the feeder is not told as an alarm."""
    assert replay(evening, tmp_path) == 0
    assert "feeder-2 dead" in conditions(tmp_path)
    before = conditions(tmp_path)
    assert replay(evening, tmp_path, "--without", "feeder-2 dead", "--without", "feeder-2 tripped") == 0
    assert before - conditions(tmp_path) == {"feeder-2 dead"}
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["what_if"] == ["without feeder-2 dead", "without feeder-2 tripped"]
    assert summary["taken_out"]["feeder-2 dead"] > 0


def test_what_never_came_is_told(evening: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A condition may have any name; one that took nothing out is most likely misspelt."""
    assert replay(evening, tmp_path, "--without", "feeder-2 deaf") == 0
    assert "--without 'feeder-2 deaf' took nothing out" in capsys.readouterr().err


def test_another_limit_is_that_of_another_model(evening: Path, tmp_path: Path) -> None:
    """--set gives the bytes of an edited city.yaml, and the diff of both tells why."""
    edited = tmp_path / "city.yaml"
    edited.write_text(CITY.read_text().replace("low: 41.18, high: 48.45", "low: 46.18, high: 48.45"))
    (tmp_path / "alerts.yaml").write_text((RIVERTON / "alerts.yaml").read_text())
    was, a, b = (tmp_path / name for name in ("was", "a", "b"))
    assert replay(evening, was) == 0
    assert replay(evening, a, "--set", "junction-h12/pressure.low=46.18") == 0
    assert replay(evening, b, "--city", str(edited)) == 0
    assert content(a) == content(b) != content(was)
    assert main(["diff", str(was), str(a)]) == 1
    none = [word for level in ("low", "low_low") for word in ("--set", f"junction-h12/pressure.{level}=none")]
    assert replay(evening, b, *none) == 0
    assert "junction-h12 pressure_low" not in conditions(b)


def test_a_dropped_sensor_is_not_missing(evening: Path, tmp_path: Path) -> None:
    """As if it had never been there: neither alarms of it nor one that it is silent."""
    assert replay(evening, tmp_path, "--drop", "feeder-2/current") == 0
    assert not any(one["sensor"] == "feeder-2/current" for one in lines(tmp_path, "alarms"))
    assert lines(tmp_path, "incidents") != []


def test_one_control_room_alone(evening: Path, tmp_path: Path) -> None:
    """--utility and --zone: alarms of theirs only, and nobody else is called silent."""
    assert replay(evening, tmp_path, "--utility", "water") == 0
    assert {one["utility"] for one in lines(tmp_path, "alarms")} == {"water"}
    assert replay(evening, tmp_path, "--topics", "city/v1/+/power/#") == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert 0 < summary["intake"]["messages"] < len(evening.read_text().splitlines()) / 2


def test_late_messages_make_incidents_late(evening: Path, tmp_path: Path) -> None:
    """Power twenty minutes late: the feeder is known later, with the same onset."""
    told = []
    for words in ([], ["--delay", "power=20m"]):
        assert replay(evening, tmp_path, *words) == 0
        found = [
            (one["known_at"], member["since"])
            for one in lines(tmp_path, "revisions")
            for member in one["members"]
            if member["asset"] == "feeder-2"
        ]
        told.append(min(found))
    assert told[0][0] < told[1][0]
    assert told[0][1] == told[1][1]


def test_a_late_utility_reads_the_same_from_an_archive(evening: Path, tmp_path: Path) -> None:
    """Frames of an archive are cut where a moment ends."""
    assert main(["archive", "add", str(tmp_path / "archive"), str(evening), "--city", str(CITY)]) == 0
    words = ["--delay", "water=7m", "--rate", "max", "--without", "feeder-2 dead"]
    assert replay(evening, tmp_path / "a", *words) == 0
    assert main(["replay", str(tmp_path / "archive"), "--out", str(tmp_path / "b"), *words]) == 0
    assert content(tmp_path / "a") == content(tmp_path / "b")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--set", "junction-h12/presure.low=46"],
            "no sensor 'junction-h12/presure'; did you mean 'junction-h12/pressure'",
        ),
        (["--set", "junction-h12/pressure.lou=46"], "no field of a sensor 'lou'; did you mean 'low'"),
        (["--set", "junction-h12/pressure.low=a lot"], "'a lot' is no number"),
        (["--set", "junction-h12/pressure.low=90"], "limits in the wrong order"),
        (["--set", "junction-h12/pressure.every=0"], "greater than 0"),
        (["--drop", "feeder-2/curent"], "did you mean 'feeder-2/current'"),
        (["--without", "feeder-22 dead"], "no asset 'feeder-22'; did you mean 'feeder-2'"),
        (["--without", "feeder-2"], "expected an asset and a condition"),
        (["--delay", "watr=20m"], "no utility 'watr'; did you mean 'water'"),
        (["--delay", "water=soon"], "'soon' is no duration"),
        (["--zone", "nort"], "did you mean 'north'"),
        (["--utility", "citizens"], "no sensor is left"),
        (["--until-incident", "nonsense"], "no such incident was told"),
        (["--from", "2030-01-01T00:00:00Z"], "nothing was received in the range; it holds 2025-06-03"),
        (["--start-paused"], "needs a terminal"),
    ],
)  # fmt: skip - a table
def test_what_means_nothing_is_refused(
    words: list[str], said: str, evening: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, with the nearest name."""
    assert replay(evening, tmp_path, *words) == 2
    assert said in capsys.readouterr().err


def test_until_an_incident(evening: Path, tmp_path: Path) -> None:
    """It ends with the revision that told it."""
    assert replay(evening, tmp_path / "a") == 0
    (incident,) = lines(tmp_path / "a", "incidents")
    assert replay(evening, tmp_path / "b", "--until-incident", incident["id"][:8]) == 0
    assert len(lines(tmp_path / "b", "revisions")) < len(lines(tmp_path / "a", "revisions"))
    assert lines(tmp_path / "b", "revisions")[-1]["id"] == incident["id"]


def test_results_lie_under_a_name_that_follows_from_the_question(
    evening: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same question, the same folder; another question, another one."""
    monkeypatch.chdir(tmp_path)
    for words in ([], ["--json"], ["--drop", "feeder-2/current"]):
        assert main(["replay", str(evening), "--city", str(CITY), *words]) == 0
    assert len(list((tmp_path / "replays").iterdir())) == 2


moments = some.lists(some.tuples(some.integers(0, 100), some.sampled_from("abt")), max_size=20)


@given(moments, some.integers(0, 50))
def test_what_is_late_comes_later_and_nothing_is_lost(sent: list[tuple[int, str]], late: int) -> None:
    """Each record of b comes when it is due, before what is received after that; all others as they came."""
    records = [
        Tick(at=at) if asset == "t" else Event(received=at, asset=asset, at=number, event="x")
        for number, (at, asset) in enumerate(sorted(sent))
    ]
    found = list(delayed(iter(records), lambda asset: late * (asset == "b")))
    assert len(found) == len(records)
    assert [one for one in found if not is_b(one)] == [one for one in records if not is_b(one)]
    came = [one.received for one in found if isinstance(one, Event | Frame)]
    assert came == sorted(came)
    assert sorted(one.at for one in found) == sorted(one.at for one in records)


def is_b(record: object) -> bool:
    """Whether the record is of the asset that is late."""
    return isinstance(record, Event) and record.asset == "b"


# -- at a pace -------------------------------------------------------------------------------------


def test_any_rate_gives_the_same_bytes(
    evening: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A storm of frames, or one by one; the rate that was reached is told."""
    assert replay(evening, tmp_path / "a") == 0
    assert replay(evening, tmp_path / "b", "--rate", "7200") == 0
    assert content(tmp_path / "a") == content(tmp_path / "b")
    (reached,) = re.findall(r"at ([\d,]+) times real time", capsys.readouterr().err.splitlines()[-1])
    assert 0 < int(reached.replace(",", "")) <= 7300


class Terminal:
    """A replay on a pseudo-terminal, and somebody at its keys."""

    def __init__(self, *words: object) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "crosscurrent.py", "replay", *map(str, words)],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.said = ""

    def press(self, *keys: str) -> None:
        """Press them, one after the other, each as a stroke of its own."""
        for key in keys:
            os.write(self._ours, key.encode())
            time.sleep(0.1)

    def await_text(self, text: str) -> None:
        """Read until it says this."""
        end = time.monotonic() + 40
        while text not in self.said:
            assert select.select([self._ours], [], [], end - time.monotonic())[0], self.said
            try:
                self.said += os.read(self._ours, 4096).decode()
            except OSError:  # the other side is closed
                break
        assert text in self.said, self.said

    def end(self) -> int:
        """Its status, when it has ended."""
        self.await_text("notifications in")
        return self._process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


def test_keys_change_the_pace_and_no_byte(evening: Path, tmp_path: Path) -> None:
    """Paused at the start, step by step, on, faster, slower, paused, back, on to the end."""
    assert replay(evening, tmp_path / "a") == 0
    words = (evening, "--city", CITY, "--out", tmp_path / "b", "--rate", "60", "--start-paused")
    with Terminal(*words) as terminal:
        terminal.press(RIGHT, RIGHT, " ", UP, DOWN, " ")
        terminal.await_text("paused")
        terminal.press("g", "17:20\n", " ", "g", "noon\n", "g", "17:00\n", "g", "2025-06-04T00:00:00Z\n")
        assert terminal.end() == 0
    assert "66 times real time" in terminal.said
    assert "Invalid isoformat string: 'noon'" in terminal.said
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_q_ends_it_and_writes_what_was_told(evening: Path, tmp_path: Path) -> None:
    """A loop too."""
    with Terminal(evening, "--city", CITY, "--out", tmp_path, "--rate", "max", "--loop") as terminal:
        terminal.await_text("times real time")
        terminal.press("q")
        assert terminal.end() == 0
    assert lines(tmp_path, "alarms") is not None


@pytest.mark.parametrize(("text", "at"), [("12:30", 3 * DAY + 12.5 * HOUR), ("1970-01-02T00:00:00Z", DAY)])
def test_times_as_people_type_them(text: str, at: float) -> None:
    """A clock on the day that is played, or a whole time."""
    assert time_of(text, 3 * DAY + HOUR) == at
