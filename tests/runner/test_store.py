"""The data folder: what it keeps, whom it lets in, and what happens when the machine stands in the way."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.database import CannotRun
from runner.log import Log
from runner.store import Progress, Retention, Store
from schemas.alarms import Alarm, AlarmChange, Severity
from schemas.incidents import IncidentRevision, Member, Root
from schemas.notifications import Notification
from schemas.readings import DeadLetter, Event, Frame, Reading, Tick
from schemas.times import DAY, MINUTE

NOON = 1_749_038_400_000
SENSORS = ["pump-1/power", "tank-1/level"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An opened, empty data folder."""
    opened = Store(tmp_path / "data")
    yield opened
    opened.close()


def frame(minute: int, *values: float) -> Frame:
    """A frame of one reading per value, all of pump-1, a minute apart."""
    at = [NOON + (minute + i) * MINUTE for i in range(len(values))]
    return Frame(
        received=NOON,
        sensors=["pump-1/power"] * len(values),
        at=at,
        values=list(values),
        qualities=[0] * len(values),
    )


def alarm(name: str = "a1", cleared: int | None = None) -> Alarm:
    """An alarm of pump-1, raised at noon."""
    return Alarm(
        id=name,
        asset="pump-1",
        utility="water",
        condition="stopped",
        severity=Severity.WARNING,
        raised=NOON,
        cleared=cleared,
        sensor="pump-1/power",
    )


def changed(alarm: Alarm, change: str) -> AlarmChange:
    """The change that detection would tell."""
    return AlarmChange.model_validate({"alarm": alarm, "change": change, "known_at": NOON})


def revision(name: str, number: int, **more: object) -> IncidentRevision:
    """Revision ``number`` of an incident that feeder-7 caused at noon."""
    facts: dict[str, object] = {
        "opened": NOON,
        "closed": None,
        "severity": Severity.CRITICAL,
        "utilities": ["water"],
        "root": Root(asset="feeder-7", condition="dead", since=NOON, probability=0.9),
        "alternatives": [],
        "members": [Member(asset="pump-1", condition="stopped", since=NOON)],
        "expected": [
            {"asset": "tank-1", "condition": "low", "from": NOON, "to": NOON + 1, "probability": 0.5}
        ],
        "summary": "feeder-7 lost supply",
        "chain": [],
        "known_at": NOON + number,
        "change": "opened" if number == 1 else "more",
    }
    return IncidentRevision.model_validate({"id": name, "revision": number} | facts | more)


def dead(text: bytes, received: int = NOON) -> DeadLetter:
    """A refused message."""
    return DeadLetter(received=received, topic="city/v1/x", payload=text, size=len(text), reason="not JSON")


def test_the_log_gives_back_what_was_appended_in_order(store: Store) -> None:
    """Frames, events and ticks come back as they went in, under offsets from 1."""
    event = Event(received=NOON, asset="feeder-7", at=NOON, event="tripped", detail={"phase": 2})
    records: list[Frame | Event | Tick] = [frame(0, 1.0, 2.0), event, Tick(at=NOON)]
    store.log.append(records[:2])
    store.log.append(records[2:])
    assert store.log.read(1, 10) == list(enumerate(records, start=1))
    assert store.log.read(2, 1) == [(2, event)]
    assert store.log.end() == 4


def test_counts_of_the_intake_add_up_over_batches_and_restarts(tmp_path: Path) -> None:
    """Counts are committed with the batch that they count."""
    for _ in range(2):
        store = Store(tmp_path)
        store.log.append([frame(0, 1.0)], counts={"received": 3, "refused": 1})
        store.close()
    store = Store(tmp_path)
    assert store.counts() == {"received": 6, "refused": 2}
    store.close()


def test_a_dead_letter_that_comes_again_is_kept_once(store: Store) -> None:
    """A redelivered message is no second refusal; the newest letter comes first."""
    store.log.append([], [dead(b"one"), dead(b"two")])
    store.log.append([], [dead(b"one", received=NOON + 1)])
    assert store.dead_letters(10) == [dead(b"two"), dead(b"one")]


def test_a_repeated_reading_is_written_once(store: Store) -> None:
    """The same sensor and event time is the same reading; the count of stored ones says so."""
    row = Reading("pump-1/power", NOON, 12.5)
    store.write(Progress(2, NOON, {"readings": 1}), [row, row])
    store.write(Progress(3, NOON, {"readings": 2}), [row, Reading("pump-1/power", NOON + 1, 13.0, 1)])
    assert store.readings("pump-1/power", NOON, NOON + 2) == [row, Reading("pump-1/power", NOON + 1, 13.0, 1)]
    assert store.readings("pump-1/power", NOON, NOON + 1) == [row]
    assert store.counts() == {"readings": 2, "stored": 2}
    assert store.progress() == Progress(3, NOON, {"readings": 2, "stored": 2})


def test_the_latest_reading_of_each_sensor_is_none_from_the_future(store: Store) -> None:
    """A sensor whose clock is ahead does not show a value that has not happened."""
    store.write(
        Progress(2, NOON, {}),
        [
            Reading("tank-1/level", NOON - 1, 3.0),
            Reading("pump-1/power", NOON, 12.0),
            Reading("pump-1/power", NOON + DAY, 99.0),
        ],
    )
    assert store.latest() == {
        "pump-1/power": Reading("pump-1/power", NOON, 12.0),
        "tank-1/level": Reading("tank-1/level", NOON - 1, 3.0),
    }


def test_an_alarm_lives_and_a_retracted_one_never_was(store: Store) -> None:
    """Raised, cleared and retracted leave what an operator should see."""
    store.write(
        Progress(2, NOON, {}), alarms=[changed(alarm("a1"), "raised"), changed(alarm("a2"), "raised")]
    )
    assert [x.id for x in store.open_alarms()] == ["a1", "a2"]
    store.write(
        Progress(3, NOON, {}),
        alarms=[changed(alarm("a1", cleared=NOON + 5), "cleared"), changed(alarm("a2"), "retracted")],
    )
    assert store.open_alarms() == []
    assert store.alarms() == [alarm("a1", cleared=NOON + 5)]
    assert store.alarms(since=NOON + 1) == []


def test_an_incident_keeps_its_revisions_and_follows_into_its_replacement(store: Store) -> None:
    """The list shows what lives; the history of an old link leads to the incident that took over."""
    first, second = revision("old", 1), revision("old", 2, change="replaced", replaced_by="new")
    third = revision("new", 1, change="merged", replaces=["old"], opened=NOON - 1)
    gone = revision("gone", 1, change="retracted")
    store.write(Progress(2, NOON, {}), incidents=[first, gone])
    store.write(Progress(3, NOON, {}), incidents=[second, third])
    assert store.incidents() == [third]
    assert store.incident("old") == [first, second, third]
    assert store.incident("unknown") == []


def test_an_older_revision_never_hides_a_newer_one(store: Store) -> None:
    """Writing history again, as a recovery may, leaves the newest in front."""
    newest = revision("one", 2)
    store.write(Progress(2, NOON, {}), incidents=[revision("one", 1), newest, revision("one", 1)])
    assert store.incidents() == [newest]


def test_notifications_come_by_incident_or_all(store: Store) -> None:
    """What people were told is kept once per id, in order."""
    told = [
        Notification(id=i, incident=of, kind="opened", at=NOON, to="desk", reason="new", text="!")
        for i, of in [("n1", "one"), ("n2", "two")]
    ]
    store.write(Progress(2, NOON, {}), notifications=[*told, told[0]])
    assert store.notifications() == told
    assert store.notifications("two") == told[1:]


def test_the_newest_snapshots_are_kept_and_the_newest_is_given(store: Store) -> None:
    """A new folder has none; later three are kept, so that the log can be trimmed behind the oldest."""
    assert store.newest_snapshot() is None
    assert store.oldest_snapshot_offset() == 1
    for offset in range(10, 60, 10):
        store.save_snapshot(offset, {"offset": offset})
    assert store.newest_snapshot() == (50, {"offset": 50})
    assert store.oldest_snapshot_offset() == 30


def test_trimming_keeps_what_is_not_processed_and_gives_no_offset_twice(store: Store) -> None:
    """The bound drops the oldest processed records; the next record's offset goes on."""
    store.log.append([frame(i, 1.0) for i in range(10)], [dead(bytes([i])) for i in range(5)])
    store.log.trim(processed=4, keep_records=2, keep_dead_letters=2)
    assert [offset for offset, _ in store.log.read(1, 99)] == list(range(4, 11))
    assert [x.payload for x in store.dead_letters(9)] == [b"\4", b"\3"]
    store.log.trim(processed=11, keep_records=0, keep_dead_letters=2)
    store.log.append([Tick(at=NOON)])
    assert store.log.read(1, 99) == [(11, Tick(at=NOON))]


def test_old_results_go_and_what_is_open_stays(store: Store) -> None:
    """Retention counts back from stream time; an alarm or incident that stands is never dropped."""
    old = NOON - 10 * DAY
    store.write(
        Progress(2, NOON, {}),
        [Reading("pump-1/power", old, 1.0), Reading("pump-1/power", NOON, 2.0)],
        [changed(alarm("over", cleared=old), "cleared"), changed(alarm("stands"), "raised")],
        [revision("closed", 1, closed=old), revision("open", 1)],
    )
    store.trim(Retention(readings_days=5, results_days=5), SENSORS)
    assert store.readings("pump-1/power", 0, NOON + 1) == [Reading("pump-1/power", NOON, 2.0)]
    assert [x.id for x in store.alarms()] == ["stands"]
    assert [x.id for x in store.incidents()] == ["open"]
    assert store.incident("closed") == []


def test_a_second_owner_of_a_folder_is_refused_by_name(store: Store) -> None:
    """The text names the folder and the process that has it."""
    with pytest.raises(CannotRun, match=f"{store.folder} is in use by process {os.getpid()}; stop that one"):
        Store(store.folder)


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    """/proc takes no files from anybody, root included."""
    with pytest.raises(CannotRun, match=r"data folder /proc/nothing can't be written .*--data"):
        Store(Path("/proc/nothing"))


def test_data_of_another_version_is_refused_untouched(tmp_path: Path) -> None:
    """A newer Crosscurrent's folder is left as it is."""
    Store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "results.sqlite", isolation_level=None)) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(
        CannotRun, match=r"results.sqlite has data version 99, this Crosscurrent reads version 2"
    ):
        Store(tmp_path)


def test_damage_is_found_after_an_unclean_end(tmp_path: Path) -> None:
    """A torn page is told before anything is built on it."""
    store = Store(tmp_path)
    store.log.append([frame(i, *map(float, range(50))) for i in range(200)])
    store.close()
    log = tmp_path / "log.sqlite"
    content = bytearray(log.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = b"\xff" * 4096
    log.write_bytes(content)
    (tmp_path / "lock").write_text("4242")
    for _ in range(2):  # it is not forgotten by the next start
        with pytest.raises(CannotRun, match=r"log\.sqlite (is damaged|can't be used)"):
            Store(tmp_path)


@pytest.mark.parametrize("batch", [1, 500], ids=["one frame", "many frames"])
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, batch: int) -> None:
    """The batch that does not fit is refused whole; what was there stays, and goes on after space is made."""
    folder = tmp_path
    log = Log(folder)
    log.append([frame(0, 1.0)], [dead(b"first")], {"received": 2})
    _bound_pages(log)
    with pytest.raises(CannotRun, match=r"log\.sqlite can't be used: database or disk is full\. Nothing"):
        log.append([frame(i, *[1.0] * 2000) for i in range(batch)], [dead(b"second")], {"received": 2})
    assert log.read(1, 9) == [(1, frame(0, 1.0))]
    assert log.dead_letters(9) == [dead(b"first")]
    assert log.counts() == {"received": 2}
    log.close()


def _bound_pages(log: Log) -> None:
    """SQLite's own way to make a disk full: the file may not grow any more."""
    log._writer.execute("PRAGMA max_page_count = 1")


WRITE_FOREVER = """
import sys
from pathlib import Path
from runner.store import Progress, Store
from schemas.readings import Reading, Tick
store = Store(Path(sys.argv[1]))
for n in range(1, 10**9):
    store.log.append([Tick(at=n)] * 3)
    store.write(Progress(n, n, {}), [Reading("s/q", n, float(n))])
    print(n, flush=True)
"""


def test_a_kill_while_writing_tears_nothing(tmp_path: Path) -> None:
    """After kill -9 the folder is free, both files are sound, and all that was told is there."""
    command = [sys.executable, "-c", WRITE_FOREVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        process.wait()
        said = max(
            told
            + [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        )
    store = Store(tmp_path)
    assert store.log.end() - 1 in (3 * said, 3 * said + 3)
    stored = store.progress().offset
    assert stored in (said, said + 1)
    assert len(store.readings("s/q", 0, 10**9)) == stored
    store.close()
