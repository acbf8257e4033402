"""The archive: what was received, in Parquet; whatever happens, the same bytes come of it."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as some

from runner.archive import replaying, tables, writing
from runner.archive.following import Follower
from runner.archive.keeping import compact, trim, verify
from runner.archive.manifests import Listed
from runner.archive.place import Place
from runner.archive.reading import Range, records_of
from runner.archive.writing import KeptModel, Received, Writer
from runner.cli import main
from runner.log import Log, Logged
from runner.replay import RESULTS, Heard
from schemas.answers import Answer
from schemas.cityfile import load_city
from schemas.readings import Event, Frame, Reading, Tick
from schemas.times import DAY, HOUR
from tests.runner.test_determinism import recorded, stretch
from tests.runner.test_replay import RIVERTON

CITY = RIVERTON / "city.yaml"
MODEL = KeptModel.of(load_city(CITY), CITY)
SENSORS = [sensor.id for sensor in MODEL.city.sensors]


def archive(*words: object) -> int:
    """``crosscurrent archive``; its status."""
    return main(["archive", *map(str, words)])


def told(out: Path, *words: object) -> dict[str, bytes]:
    """The results of ``crosscurrent replay``."""
    assert main(["replay", *map(str, words), "--out", str(out)]) == 0
    return {name: (out / name).read_bytes() for name in RESULTS}


def damage(path: Path) -> None:
    """One bit of a file is another."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hours of a storm on a bad network: late, doubled, disordered, with events and fast clocks."""
    return recorded(stretch("storm-day-faults"), tmp_path_factory.mktemp("storm"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, storm: Path) -> Path:
    """The storm in an archive. Not to be written to."""
    there = tmp_path_factory.mktemp("archive")
    assert archive("add", there, storm, "--city", CITY) == 0
    return there


# -- the same bytes out ----------------------------------------------------------------------------


def test_a_recording_and_its_archive_give_the_same_bytes(tmp_path: Path, storm: Path, kept: Path) -> None:
    """The archive brings its own city model; --from and --to mean the same for both."""
    assert told(tmp_path / "a", storm, "--city", CITY) == told(tmp_path / "b", kept)
    hour = ("--from", "2025-06-04T09:40:00Z", "--to", "2025-06-04T11:10:00Z")
    assert told(tmp_path / "c", storm, "--city", CITY, *hour) == told(tmp_path / "d", kept, *hour)


@pytest.mark.parametrize("rows", [70, 16_384])
def test_detection_in_columns_gives_the_same_bytes(
    rows: int, tmp_path: Path, storm: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for large cities, however the blocks are cut: a storm on a bad network, whole and a part of it."""
    monkeypatch.setattr(replaying, "BLOCKS_FROM", 0)
    monkeypatch.setattr(tables.blocks, "__defaults__", (rows,))
    hour = ("--from", "2025-06-04T09:40:00Z", "--to", "2025-06-04T11:10:00Z")
    assert told(tmp_path / "a", kept) == told(tmp_path / "b", storm, "--city", CITY)
    assert told(tmp_path / "c", kept, *hour) == told(tmp_path / "d", storm, "--city", CITY, *hour)


def test_small_batches_compacted_or_not_give_the_same_bytes(
    tmp_path: Path,
    storm: Path,
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A batch of 500 rows, as in a city that is archived every few minutes."""
    monkeypatch.setattr(writing, "BATCH_ROWS", 500)
    there = tmp_path / "archive"
    assert archive("add", there, storm, "--city", CITY) == 0
    before = len(list(there.rglob("*.parquet")))
    small = told(tmp_path / "a", there)
    assert archive("compact", there) == 0
    assert archive("verify", there) == 0
    assert "all is as it was written" in capsys.readouterr().out
    assert len(list(there.rglob("*.parquet"))) < before / 5
    assert small == told(tmp_path / "b", there) == told(tmp_path / "c", kept)


def test_adding_again_adds_nothing(tmp_path: Path, storm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording is known by its content."""
    for _ in range(2):
        assert archive("add", tmp_path, storm, "--city", CITY) == 0
    assert "0 records more than there were" in capsys.readouterr().out.splitlines()[-1]
    assert len(Listed(Place(str(tmp_path)), "riverton").manifests) == 1


sensors = some.sampled_from(SENSORS)
values = some.floats(allow_nan=False, allow_infinity=False)
times = some.integers(0, 3 * DAY)
rows = some.lists(some.tuples(sensors, times, values, some.integers(0, 2)), min_size=1, max_size=5)
details = some.dictionaries(some.text(max_size=3), some.integers() | some.text(max_size=3), max_size=2)


@some.composite
def records(draw: some.DrawFn) -> list[Received]:
    """Frames, events and ticks, received in order over three days."""
    found: list[Received] = []
    for upto, received in enumerate(sorted(draw(some.lists(times, max_size=12))), 1):
        record: Logged
        match draw(some.sampled_from(["frame", "event", "answer", "tick"])):
            case "frame":
                columns = list(zip(*draw(rows), strict=True))
                record = Frame(
                    received=received,
                    sensors=list(columns[0]),
                    at=list(columns[1]),
                    values=list(columns[2]),
                    qualities=list(columns[3]),
                )
            case "event":
                asset = draw(some.sampled_from([asset.id for asset in MODEL.city.assets]))
                record = Event(
                    received=received, asset=asset, at=draw(times), event="tripped", detail=draw(details)
                )
            case "answer":
                record = Answer(id="x", incident="y", answer="shelve", by="ana", at=draw(times), minutes=5)
            case _:
                record = Tick(at=received)
        found.append(Received(received, upto, record))
    return found


def flat(records: Sequence[Heard] | Iterator[Heard]) -> list[Any]:
    """Readings one by one, in order, with all else."""
    found: list[Any] = []
    for record in records:
        found += record.rows() if isinstance(record, Frame) else [record]
    return found


@given(records())
def test_what_goes_in_comes_out(received: list[Received]) -> None:
    """To the bit, in order, before and after compaction; at an address that is no folder."""
    place = Place(f"memory://{uuid.uuid4()}")
    for start in range(0, len(received), 3):
        list(Writer(place, MODEL).add("test", received[start : start + 3]))
    wanted = flat([one.record for one in received])
    for _ in range(2):
        found = records_of(place, Listed(place, "riverton").manifests, Range(), pytest.fail)
        assert list(map(repr, flat(found))) == list(map(repr, wanted))
        list(compact(place, "riverton", pytest.fail))
    assert list(verify(place, "riverton")) == []


# -- kills and damage ------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("what", ["add", "compact"])
def test_a_kill_at_any_write_loses_and_doubles_nothing(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each single write and removal in turn; then done again."""
    frames = [
        Received(
            at * HOUR,
            at,
            Frame(received=at * HOUR, sensors=[SENSORS[at]], at=[at], values=[at], qualities=[0]),
        )
        for at in range(1, 30)
    ]
    calls = left = 0
    put, remove = Place.put, Place.remove

    def counted(call: Any) -> Any:
        def run(*words: Any) -> None:
            nonlocal calls
            calls += 1
            if calls > left:
                raise Killed
            call(*words)

        return run

    killed = True
    while killed:
        place = Place(str(tmp_path / str(left)))
        if what == "compact":
            for start in (0, 10, 20):
                list(Writer(place, MODEL).add("test", frames[start : start + 10]))
        monkeypatch.setattr(Place, "put", counted(put))
        monkeypatch.setattr(Place, "remove", counted(remove))
        try:
            calls, killed = 0, False
            do(what, place, frames)
        except Killed:
            killed = True
        monkeypatch.setattr(Place, "put", put)
        monkeypatch.setattr(Place, "remove", remove)
        do(what, place, frames)
        found = records_of(place, Listed(place, "riverton").manifests, Range(), pytest.fail)
        assert flat(found) == flat([one.record for one in frames])
        assert list(verify(place, "riverton")) == []
        left += 1
    assert left > 5


def do(what: str, place: Place, frames: Sequence[Received]) -> None:
    """Add what is not there, or compact."""
    if what == "compact":
        assert list(compact(place, "riverton", pytest.fail)) is not None
        return
    writer = Writer(place, MODEL)
    before = writer.reached("test")
    list(writer.add("test", [one for one in frames if one.upto > before]))


def test_a_damaged_file_is_named_skipped_and_reported(
    tmp_path: Path, storm: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One bit in water, a file of roads gone: the rest is replayed; verify tells, compact leaves the day."""
    monkeypatch.setattr(writing, "BATCH_ROWS", 4000)
    archive("add", tmp_path, storm, "--city", CITY)
    batches = len(Listed(Place(str(tmp_path)), "riverton").manifests)
    (water, *_) = sorted(tmp_path.rglob("readings/*/utility=water/*.parquet"))
    (roads, *_) = sorted(tmp_path.rglob("readings/*/utility=roads/*.parquet"))
    damage(water)
    roads.unlink()
    capsys.readouterr()

    told(tmp_path / "out", tmp_path)
    said = capsys.readouterr()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["damaged_files"] == 2
    for path in (water, roads):
        assert str(path.relative_to(tmp_path)) in said.err
    assert "2 files of the archive could not be read" in said.out
    assert (archive("verify", tmp_path), archive("compact", tmp_path)) == (1, 1)
    said = capsys.readouterr()
    assert "its digest is not the one that was written" in said.out
    assert "left as it is" in said.err
    assert len(Listed(Place(str(tmp_path)), "riverton").manifests) == batches > 1


def test_a_damaged_manifest_is_named(tmp_path: Path, storm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its batch is skipped; what it names is not swept away."""
    archive("add", tmp_path, storm, "--city", CITY)
    (manifest,) = tmp_path.rglob("manifests/*/*.json")
    manifest.write_text(manifest.read_text()[:100])
    files = len(list(tmp_path.rglob("*.parquet")))
    assert (archive("compact", tmp_path), archive("verify", tmp_path)) == (1, 1)
    assert "not a manifest that can be read" in capsys.readouterr().err
    assert len(list(tmp_path.rglob("*.parquet"))) == files
    assert main(["replay", str(tmp_path), "--out", str(tmp_path / "out")]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--from", "2026-01-01T00:00:00Z"],
            "nothing was received from 2026-01-01T00:00:00Z to the end; it holds",
        ),
        (["--from", "yesterday"], "'yesterday' is no time"),
    ],
)
def test_a_range_without_data_says_what_there_is(
    words: list[str], said: str, tmp_path: Path, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves no results that look like a quiet day."""
    assert main(["replay", str(kept), "--out", str(tmp_path), *words]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["nonsense://x", "EMPTY"])
def test_what_is_no_archive_is_refused(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A protocol that nobody knows; a folder with nothing in it."""
    where = str(tmp_path) if address == "EMPTY" else address
    assert main(["replay", where, "--out", str(tmp_path / "out")]) == 2
    assert where in capsys.readouterr().err


def test_a_range_over_a_change_of_the_model_is_refused_or_has_one_named(
    tmp_path: Path, storm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each part by itself has its own model."""
    edited = tmp_path / "edited" / "city.yaml"
    edited.parent.mkdir()
    edited.write_text(CITY.read_text().replace("low: 41.18", "low: 41.2"))
    there = tmp_path / "archive"
    archive("add", there, storm, "--city", CITY)
    archive("add", there, recorded(stretch("feeder-day"), tmp_path), "--city", edited)
    out = ["--out", str(tmp_path / "out")]

    assert main(["replay", str(there), *out]) == 2
    assert "the city model changed within the range" in capsys.readouterr().err
    assert main(["replay", str(there), *out, "--to", "2025-06-04T00:00:00Z"]) == 0
    assert main(["replay", str(there), *out, "--city", str(edited)]) == 0


def test_retention_removes_the_oldest_days(tmp_path: Path) -> None:
    """Two of four days stay."""
    place = Place(str(tmp_path))
    frames = [
        Received(
            at * DAY, at, Frame(received=at * DAY, sensors=[SENSORS[0]], at=[at], values=[1], qualities=[0])
        )
        for at in range(4)
    ]
    list(Writer(place, MODEL).add("test", frames))
    assert archive("trim", tmp_path, "--keep-days", 2) == 0
    assert [one.day for one in Listed(place, "riverton").manifests] == [date(1970, 1, 3), date(1970, 1, 4)]
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
    assert trim(place, "riverton", date(1970, 1, 1)) == []
    assert Writer(place, MODEL).reached("test") == 3


# -- others read it --------------------------------------------------------------------------------


def test_duckdb_reads_it(kept: Path, storm: Path) -> None:
    """By day and utility, with what the intake let in."""
    wanted = [
        reading
        for one in writing.of_recording(storm, MODEL.city, lambda *_: None)
        if isinstance(one.record, Frame)
        for reading in one.record.rows()
    ]
    utility = {asset.id: str(asset.utility) for asset in MODEL.city.assets}
    water = [one for one in wanted if utility[one.sensor.split("/")[0]] == "water"]
    found = (
        duckdb.connect()
        .execute(
            "SELECT count(*), sum(value), epoch_ms(max(event_time)) "
            f"FROM read_parquet('{kept}/city=riverton/readings/**/*.parquet', hive_partitioning = true) "
            "WHERE utility = 'water' AND day = '2025-06-04'"
        )
        .fetchone()
    )

    assert found is not None
    assert found[0] == len(water)
    assert found[1] == pytest.approx(sum(one.value for one in water))
    assert found[2] == max(one.at for one in water)


def test_it_is_compact(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A few bytes a reading, even of three hours on a bad network; a whole good day takes 3.6."""
    assert archive("list", kept) == 0
    assert float(capsys.readouterr().out.split(", ")[-1].split()[0]) < 8


# -- a running city --------------------------------------------------------------------------------


def frame(sensor: str, received: int) -> Frame:
    """One reading."""
    reading = Reading(sensor, received, 1.0)
    return Frame(received=received, sensors=[sensor], at=[received], values=[reading.value], qualities=[0])


def test_the_log_of_a_running_city_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Day after day; a follower that comes anew goes on; an archive out of reach is tried again."""
    log, place, said = Log(tmp_path), Place(str(tmp_path / "archive")), list[str]()

    def follower() -> Follower:
        return Follower(log, tmp_path, place, MODEL, said.append, keep_days=2)

    put: list[Logged] = []
    follow = follower()
    for day in range(4):
        for hour in range(3):
            new: list[Logged] = [
                frame(SENSORS[hour], day * DAY + hour * HOUR),
                Tick(at=day * DAY + hour * HOUR + 1),
            ]
            log.append(new)
            put += new
            follow.round()
        assert follow.behind == 0
        follow = follower()
    assert said == []
    days = [one.day.day for one in Listed(place, "riverton").manifests]
    assert days == [3, 4, 4, 4], "the third day is compacted, the first two are too old"

    monkeypatch.setattr(Place, "put", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    log.append([frame(SENSORS[0], 4 * DAY)])
    follow.round()
    monkeypatch.undo()
    assert (follow.behind, "no space; 1 records wait" in said[0]) == (1, True)
    follow.round()
    assert follow.behind == 0
    found = records_of(place, Listed(place, "riverton").manifests, Range(), pytest.fail)
    assert flat(found)[-1] == Reading(SENSORS[0], 4 * DAY, 1.0)
    log.append([frame(SENSORS[0], 4 * DAY + 1), frame(SENSORS[0], 4 * DAY + 2)])
    log.trim(log.end() - 1, 1, 1)
    follow.round()
    assert "1 records went before they were archived" in said[1]
    log.close()


def test_up_archives_what_comes_over_mqtt(
    tmp_path: Path, storm: Path, monkeypatch: pytest.MonkeyPatch, free_port: Any
) -> None:
    """A process of its own, killed softly: all that it acknowledged is in the archive, and replays alike."""
    port, there = free_port(), tmp_path / "archive"
    lines = storm.read_text().splitlines(keepends=True)[:2000]
    (tmp_path / "part.jsonl").write_text("".join(lines))
    with subprocess.Popen(
        [
            sys.executable,
            "crosscurrent.py",
            "up",
            "--city",
            CITY,
            "--data",
            tmp_path / "data",
            "--mqtt-port",
            str(port),
            "--no-console",
            "--archive",
            there,
        ],
        cwd=RIVERTON.parents[1],
        stdout=subprocess.PIPE,
        text=True,
    ) as up:  # fmt: skip - words of a command
        assert up.stdout is not None
        while "archive" not in up.stdout.readline():
            assert up.poll() is None
        address = f"mqtt://127.0.0.1:{port}"
        assert main(["play", str(tmp_path / "part.jsonl"), "--broker", address, "--rate", "max"]) == 0
        up.terminate()
        assert up.wait(60) == 0
    live = told(tmp_path / "a", there)
    assert (
        live["alarms.jsonl"] == told(tmp_path / "b", tmp_path / "part.jsonl", "--city", CITY)["alarms.jsonl"]
    )


def test_a_plain_install_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """pyarrow is an extra."""
    for name in ("runner.archive.place", "runner.archive.manifests", "runner.archive.reading"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    assert main(["archive", "list", str(tmp_path)]) == 2
    assert "crosscurrent[archive]" in capsys.readouterr().err
