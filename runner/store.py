"""The data folder of the embedded runner: the log, and what the core made of it.

In:  the core's outputs, batch by batch, with the offset of the log up to which they are complete.
Out: readings, alarms, incidents and notifications for the console; the state to go on from.
Promises: outputs and their offset are committed together, so that a kill neither loses an output nor
writes one for a record twice; all writes are upserts under ids that follow from content.

The results file waits for no disk: after a power loss it may lack its newest commits, and is then
computed again from the log, which lacks none.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from runner.database import FolderLock, machine_errors, open_reader, open_writer, transaction
from runner.log import Log
from schemas.alarms import Alarm, AlarmChange
from schemas.incidents import IncidentRevision
from schemas.notifications import Decision, Notification
from schemas.readings import DeadLetter, Reading
from schemas.times import DAY, MINUTE

VERSION = 2
TABLES = """
CREATE TABLE readings (
  sensor TEXT NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL, quality INTEGER NOT NULL,
  PRIMARY KEY (sensor, at)
) WITHOUT ROWID;
CREATE TABLE alarms (id TEXT PRIMARY KEY, raised INTEGER NOT NULL, cleared INTEGER, body TEXT NOT NULL);
CREATE INDEX alarms_raised ON alarms (raised);
CREATE INDEX alarms_open ON alarms (raised) WHERE cleared IS NULL;
CREATE TABLE revisions (
  incident TEXT NOT NULL, revision INTEGER NOT NULL, known_at INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (incident, revision)
) WITHOUT ROWID;
CREATE TABLE incidents (
  id TEXT PRIMARY KEY, opened INTEGER NOT NULL, closed INTEGER, live INTEGER NOT NULL,
  replaced_by TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX incidents_newest ON incidents (opened) WHERE live;
CREATE TABLE notifications (
  id TEXT PRIMARY KEY, incident TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX notifications_of ON notifications (incident, at);
CREATE TABLE decisions (
  id TEXT PRIMARY KEY, incident TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX decisions_of ON decisions (incident, at);
CREATE TABLE snapshots (offset INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE progress (
  one INTEGER PRIMARY KEY CHECK (one = 1), offset INTEGER NOT NULL, stream_time INTEGER, counts TEXT NOT NULL
);
INSERT INTO progress VALUES (1, 1, NULL, '{}')
"""
SNAPSHOTS_KEPT = 3
CLOCKS_AGREE = 10 * MINUTE
"""A reading dated further after stream time comes from a fast clock."""


class Progress(NamedTuple):
    """How far the results have got: everything before ``offset`` of the log is in them."""

    offset: int
    stream_time: int | None
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept; beyond it the oldest goes. Days are event time, counted back from stream time.

    A record of the log that is not processed yet never goes, nor does an alarm or incident that is open.
    """

    log_records: int = 1_000_000
    dead_letters: int = 10_000
    readings_days: float = 30
    results_days: float = 400


class Store:
    """An opened data folder. One thread writes results; any thread reads, or appends to ``log``.

    Raises CannotRun where the folder is in use, can't be written, is damaged or of another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "results.sqlite"
        self._lock = FolderLock(folder)
        check = self._lock.unclean
        try:
            self.log = Log(folder, check=check)
            try:
                self._writer = open_writer(self._path, TABLES, VERSION, durable=False, check=check)
            except BaseException:
                self.log.close()
                raise
        except BaseException:
            self._lock.release(clean=not check)
            raise
        self._reader = open_reader(self._path)
        self._reading = threading.Lock()

    def close(self) -> None:
        """Close the files and give the folder free."""
        self._reader.close()
        self._writer.close()
        self.log.close()
        self._lock.release()

    # -- written by the processor ---------------------------------------------------------------

    def write(
        self,
        progress: Progress,
        readings: Iterable[Reading] = (),
        alarms: Sequence[AlarmChange] = (),
        incidents: Sequence[IncidentRevision] = (),
        notifications: Sequence[Notification] = (),
        decisions: Sequence[Decision] = (),
    ) -> None:
        """Commit outputs together with the offset up to which they are complete.

        The number of readings that were new is added to the count ``stored``.
        """
        with machine_errors(self._path), transaction(self._writer) as writer:
            before = writer.total_changes
            writer.executemany("INSERT OR IGNORE INTO readings VALUES (?, ?, ?, ?)", readings)
            stored = self._stored() + writer.total_changes - before
            write_standing(writer, alarms, incidents)
            writer.executemany(
                "INSERT OR REPLACE INTO notifications VALUES (?, ?, ?, ?)",
                ((x.id, x.incident, x.at, x.model_dump_json()) for x in notifications),
            )
            writer.executemany(
                "INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?)",
                ((x.id, x.incident, x.at, x.model_dump_json()) for x in decisions),
            )
            writer.execute(
                "UPDATE progress SET offset = ?, stream_time = ?, counts = ?",
                (progress.offset, progress.stream_time, json.dumps({**progress.counts, "stored": stored})),
            )

    def save_snapshot(self, offset: int, state: Mapping[str, Any]) -> None:
        """Keep the core's state as it is before the record at ``offset``; older ones go."""
        with machine_errors(self._path), transaction(self._writer) as writer:
            writer.execute(
                "INSERT OR REPLACE INTO snapshots VALUES (?, ?)",
                (offset, json.dumps(state, separators=(",", ":")).encode()),
            )
            writer.execute(
                "DELETE FROM snapshots WHERE offset NOT IN "
                "(SELECT offset FROM snapshots ORDER BY offset DESC LIMIT ?)",
                (SNAPSHOTS_KEPT,),
            )

    def trim(self, retention: Retention, sensors: Iterable[str]) -> None:
        """Drop results older than the retention allows, seen from stream time."""
        now = self.progress().stream_time
        if now is None:
            return
        readings_from = now - int(retention.readings_days * DAY)
        results_from = now - int(retention.results_days * DAY)
        with machine_errors(self._path), transaction(self._writer) as writer:
            writer.executemany(
                "DELETE FROM readings WHERE sensor = ? AND at < ?",
                ((sensor, readings_from) for sensor in sensors),
            )
            writer.execute("DELETE FROM alarms WHERE cleared < ?", (results_from,))
            writer.execute(
                "DELETE FROM revisions WHERE incident IN (SELECT id FROM incidents WHERE closed < ?)",
                (results_from,),
            )
            writer.execute("DELETE FROM incidents WHERE closed < ?", (results_from,))
            writer.execute("DELETE FROM notifications WHERE at < ?", (results_from,))
            writer.execute("DELETE FROM decisions WHERE at < ?", (results_from,))

    # -- to go on from ----------------------------------------------------------------------------

    def newest_snapshot(self) -> tuple[int, dict[str, Any]] | None:
        """Offset and state of the newest snapshot; None in a new folder."""
        rows = self._read("SELECT offset, state FROM snapshots ORDER BY offset DESC LIMIT 1")
        return (rows[0][0], json.loads(rows[0][1])) if rows else None

    def oldest_snapshot_offset(self) -> int:
        """Records before this offset are needed by no snapshot."""
        ((offset,),) = self._read("SELECT ifnull(min(offset), 1) FROM snapshots")
        return int(offset)

    def progress(self) -> Progress:
        """How far the results have got."""
        ((offset, stream_time, counts),) = self._read("SELECT offset, stream_time, counts FROM progress")
        return Progress(offset, stream_time, json.loads(counts))

    # -- read by the console ------------------------------------------------------------------------

    def open_alarms(self) -> list[Alarm]:
        """Alarms that stand, oldest first."""
        rows = self._read("SELECT body FROM alarms WHERE cleared IS NULL ORDER BY raised, id")
        return [Alarm.model_validate_json(body) for (body,) in rows]

    def alarms(self, since: int | None = None) -> list[Alarm]:
        """Alarms raised at ``since`` or later (all where None), oldest first."""
        rows = self._read("SELECT body FROM alarms WHERE raised >= ? ORDER BY raised, id", since or 0)
        return [Alarm.model_validate_json(body) for (body,) in rows]

    def incidents(self, limit: int = 100) -> list[IncidentRevision]:
        """The newest revision of each incident, newest opened first; none that was replaced or retracted."""
        rows = self._read("SELECT body FROM incidents WHERE live ORDER BY opened DESC, id LIMIT ?", limit)
        return [IncidentRevision.model_validate_json(body) for (body,) in rows]

    def incident(self, incident_id: str) -> list[IncidentRevision]:
        """All revisions of an incident, oldest first, and of the one that replaced it; empty if unknown."""
        revisions: list[IncidentRevision] = []
        seen: set[str] = set()
        following: str | None = incident_id
        while following is not None and following not in seen:
            seen.add(following)
            rows = self._read("SELECT body FROM revisions WHERE incident = ? ORDER BY revision", following)
            found = [IncidentRevision.model_validate_json(body) for (body,) in rows]
            revisions += found
            following = found[-1].replaced_by if found else None
        return revisions

    def revisions(self) -> Iterator[IncidentRevision]:
        """All revisions of all incidents, by incident, oldest first."""
        for (body,) in self._read("SELECT body FROM revisions ORDER BY incident, revision"):
            yield IncidentRevision.model_validate_json(body)

    def notifications(self, incident: str | None = None, since: int = 0) -> list[Notification]:
        """What people were told at ``since`` or later, oldest first; of one incident, or all."""
        rows = self._read(
            "SELECT body FROM notifications WHERE (? IS NULL OR incident = ?) AND at >= ? ORDER BY at, id",
            incident,
            incident,
            since,
        )
        return [Notification.model_validate_json(body) for (body,) in rows]

    def notifications_after(self, row: int, limit: int) -> list[tuple[int, Notification]]:
        """At most ``limit`` messages that were written after the row of that number, with their own rows."""
        rows = self._read(
            "SELECT rowid, body FROM notifications WHERE rowid > ? ORDER BY rowid LIMIT ?", row, limit
        )
        return [(number, Notification.model_validate_json(body)) for number, body in rows]

    def decisions(self, incident: str | None = None, since: int = 0) -> list[Decision]:
        """Why people were told, or not, at ``since`` or later, oldest first; of one incident, or all."""
        rows = self._read(
            "SELECT body FROM decisions WHERE (? IS NULL OR incident = ?) AND at >= ? ORDER BY at, id",
            incident,
            incident,
            since,
        )
        return [Decision.model_validate_json(body) for (body,) in rows]

    def readings(self, sensor: str, start: int, end: int) -> list[Reading]:
        """Readings of one sensor from ``start`` to before ``end`` (ms), in event time."""
        rows = self._read(
            "SELECT sensor, at, value, quality FROM readings "
            "WHERE sensor = ? AND at >= ? AND at < ? ORDER BY at",
            sensor,
            start,
            end,
        )
        return [Reading(*row) for row in rows]

    def latest(self) -> dict[str, Reading]:
        """The newest reading of each sensor, leaving out those of a fast clock."""
        rows = self._read(
            "WITH RECURSIVE names (sensor) AS (SELECT min(sensor) FROM readings UNION ALL "
            "SELECT (SELECT min(r.sensor) FROM readings r WHERE r.sensor > names.sensor) FROM names "
            "WHERE names.sensor IS NOT NULL) "
            "SELECT r.sensor, r.at, r.value, r.quality FROM names JOIN readings r ON r.sensor = names.sensor "
            "AND r.at = (SELECT max(at) FROM readings WHERE sensor = names.sensor "
            "AND at <= (SELECT ifnull(stream_time, 0) FROM progress) + ?)",
            CLOCKS_AGREE,
        )
        return {row[0]: Reading(*row) for row in rows}

    def counts(self) -> dict[str, int]:
        """Counts since the folder was new: of the intake, of the core, and ``stored`` readings."""
        return {**self.log.counts(), **self.progress().counts}

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest refused messages, newest first."""
        return self.log.dead_letters(limit)

    def _read(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._reading:
            return self._reader.execute(statement, parameters).fetchall()

    def _stored(self) -> int:
        ((counts,),) = self._writer.execute("SELECT counts FROM progress").fetchall()
        return int(json.loads(counts).get("stored", 0))


def open_scratch(path: Path) -> sqlite3.Connection:
    """A new file with our ``TABLES`` for what stands until it is closed: nothing waits for the disk."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(TABLES)
    return connection


def write_standing(
    writer: sqlite3.Connection, alarms: Iterable[AlarmChange], incidents: Iterable[IncidentRevision]
) -> list[str]:
    """Bring alarms and incidents up to date in a file with our ``TABLES``; the revisions as JSON texts."""
    for change in alarms:
        _write_alarm(writer, change)
    return [_write_incident(writer, incident) for incident in incidents]


def standing(reader: sqlite3.Connection, table: Literal["alarms", "incidents"]) -> Iterator[str]:
    """The alarms, or the incidents that stand, as JSON texts, oldest first, one at a time."""
    statement = {
        "alarms": "SELECT body FROM alarms ORDER BY raised, id",
        "incidents": "SELECT body FROM incidents WHERE live ORDER BY opened, id",
    }[table]
    for (body,) in reader.execute(statement):
        yield body


def _write_alarm(writer: sqlite3.Connection, change: AlarmChange) -> None:
    alarm = change.alarm
    if change.change == "retracted":
        writer.execute("DELETE FROM alarms WHERE id = ?", (alarm.id,))
        return
    writer.execute(
        "INSERT OR REPLACE INTO alarms VALUES (?, ?, ?, ?)",
        (alarm.id, alarm.raised, alarm.cleared, alarm.model_dump_json()),
    )


def _write_incident(writer: sqlite3.Connection, incident: IncidentRevision) -> str:
    body = incident.model_dump_json()
    live = incident.replaced_by is None and incident.change not in ("replaced", "retracted")
    writer.execute(
        "INSERT OR REPLACE INTO revisions VALUES (?, ?, ?, ?)",
        (incident.id, incident.revision, incident.known_at, body),
    )
    writer.execute(
        "INSERT INTO incidents VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "opened = excluded.opened, closed = excluded.closed, live = excluded.live, "
        "replaced_by = excluded.replaced_by, revision = excluded.revision, body = excluded.body "
        "WHERE excluded.revision >= revision",
        (incident.id, incident.opened, incident.closed, live, incident.replaced_by, incident.revision, body),
    )
    return body
