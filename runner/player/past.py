"""What a replay said and read, kept by the moment at which it was known.

In:  records with stream time after them, what the core said of them, its state now and then.
Out: a file of which ``AsOf`` reads what was known at any moment; states to fork from.
Promises: whoever reads sees all that was known up to ``reached``, and never half of a moment. Memory does not
grow with what is replayed. One thread writes.

Each version of an alarm or an incident has the moment from which it stood (``known``) and the one at which
another took its place (``until``), so that a look at any moment is a look-up.
"""

import threading
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from runner.core import Outputs
from runner.database import open_reader, open_writer
from schemas.alarms import AlarmChange
from schemas.incidents import IncidentRevision
from schemas.readings import Frame

VERSION = 1
TABLES = """
CREATE TABLE readings (
  sensor TEXT NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL, quality INTEGER NOT NULL,
  known INTEGER NOT NULL, PRIMARY KEY (sensor, at)
) WITHOUT ROWID;
CREATE TABLE alarms (
  id TEXT NOT NULL, known INTEGER NOT NULL, until INTEGER, raised INTEGER NOT NULL, cleared INTEGER,
  told INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX alarms_newest ON alarms (id) WHERE until IS NULL;
CREATE INDEX alarms_raised ON alarms (raised);
CREATE INDEX alarms_open ON alarms (known) WHERE cleared IS NULL;
CREATE INDEX alarms_told ON alarms (known) WHERE told;
CREATE TABLE revisions (
  incident TEXT NOT NULL, revision INTEGER NOT NULL, known INTEGER NOT NULL, until INTEGER,
  opened INTEGER NOT NULL, live INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (incident, revision)
);
CREATE INDEX revisions_opened ON revisions (opened) WHERE live;
CREATE INDEX revisions_known ON revisions (known);
CREATE TABLE notifications (
  id TEXT PRIMARY KEY, incident TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX notifications_of ON notifications (incident, at);
CREATE INDEX notifications_at ON notifications (at);
CREATE TABLE decisions (
  id TEXT PRIMARY KEY, incident TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX decisions_of ON decisions (incident, at);
CREATE TABLE counted (known INTEGER PRIMARY KEY, record INTEGER NOT NULL, counts TEXT NOT NULL);
CREATE TABLE states (record INTEGER PRIMARY KEY, known INTEGER NOT NULL, state BLOB NOT NULL);
CREATE TABLE span (one INTEGER PRIMARY KEY CHECK (one = 1), began INTEGER, reached INTEGER, records INTEGER);
INSERT INTO span VALUES (1, NULL, NULL, 0)
"""
ROWS_MAX = 10_000
COMMIT_SECONDS = 0.2
"""What is known is shown that much later, while it is thought through."""


class Span(NamedTuple):
    """Stream time (ms) of the first and of the newest moment; None before there is any."""

    began: int | None
    reached: int | None


class State(NamedTuple):
    """The core's state before the record of this number, when stream time was ``known``."""

    record: int
    known: int
    state: dict[str, Any]


class Past:
    """A file that is written once, from front to back. Raises CannotRun where the machine refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = open_writer(path, TABLES, VERSION, durable=False, check=False)
        self._writer.execute("PRAGMA synchronous = OFF")  # a scratch file
        self._writer.execute("BEGIN")
        self._committed = time.monotonic()
        self._reader = open_reader(path)
        self._reading = threading.Lock()
        self._rows: list[tuple[str, int, float, int, int]] = []
        """Readings that wait to be written together."""
        self._said: list[Outputs] = []
        (span,) = self.read("SELECT began, reached, records FROM span")
        self._began, self._now, self._records = span
        self.over = False
        """Whether nothing more will come."""

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
        self._writer.close()

    # -- written by who thinks ----------------------------------------------------------------------

    def note(self, record: object, now: int | None, counts: Mapping[str, int]) -> None:
        """A record was taken; stream time is ``now`` after it, and so much was counted. What it made the core
        say is known from now on, also what is dated later.
        """
        self._records += 1
        if now is None:
            return
        self._write_said(now)
        if isinstance(record, Frame):
            self._rows.extend((*row, now) for row in record.rows())
        if now != self._now or len(self._rows) >= ROWS_MAX:
            self._write_rows()
        if now != self._now:
            self._began = now if self._began is None else self._began
            self._now = now
            self._writer.execute(
                "INSERT OR REPLACE INTO counted VALUES (?, ?, ?)",
                (now, self._records - 1, msgspec.json.encode(dict(counts)).decode()),
            )
            if time.monotonic() - self._committed >= COMMIT_SECONDS:
                self._commit()

    def tell(self, outputs: Outputs) -> None:
        """What the core said of a record that is noted next."""
        self._said.append(outputs)

    def _write_said(self, now: int | None = None) -> None:
        for outputs in self._said:
            for change in outputs.alarms:
                self._alarm(change, change.known_at if now is None else min(now, change.known_at))
            for incident in outputs.incidents:
                self._incident(incident)
            self._write_words(outputs)
        self._said.clear()

    def _write_words(self, outputs: Outputs) -> None:
        for table, said in (("notifications", outputs.notifications), ("decisions", outputs.decisions)):
            if not said:
                continue
            self._writer.executemany(
                f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?)",  # noqa: S608 - one of our two words
                ((one.id, one.incident, one.at, one.model_dump_json()) for one in said),
            )

    def keep(self, state: Mapping[str, Any]) -> None:
        """Keep the core's state as it is before the next record."""
        packed = zlib.compress(msgspec.json.encode(state), 1)
        self._writer.execute(
            "INSERT OR REPLACE INTO states VALUES (?, ?, ?)", (self._records, self._now or 0, packed)
        )

    def finish(self) -> None:
        """Nothing more will come."""
        self._write_said()
        self._commit()
        self.over = True

    def begin_with(self, other: "Past", now: int, records: int) -> None:
        """Take over what ``other`` knew at ``now``, after so many records; before anything was written."""
        self._writer.execute("COMMIT")
        self._writer.execute("ATTACH ? AS other", (str(other.path),))
        self._writer.execute("BEGIN")
        for table, when in _KNOWN_BY.items():
            self._writer.execute(
                f"INSERT OR REPLACE INTO {table} SELECT * FROM other.{table} WHERE {when} <= ?",  # noqa: S608 - our words
                (now,),
            )
        for table in ("alarms", "revisions"):
            self._writer.execute(f"UPDATE {table} SET until = NULL WHERE until > ?", (now,))  # noqa: S608 - our words
        self._began, self._now, self._records = other.span.began, now, records
        self._commit()
        self._writer.execute("COMMIT")
        self._writer.execute("DETACH other")
        self._writer.execute("BEGIN")

    def _alarm(self, change: AlarmChange, known: int) -> None:
        alarm = change.alarm
        self._writer.execute("UPDATE alarms SET until = ? WHERE id = ? AND until IS NULL", (known, alarm.id))
        if change.change != "retracted":
            self._writer.execute(
                "INSERT INTO alarms VALUES (?, ?, NULL, ?, ?, ?, ?)",
                (
                    alarm.id,
                    known,
                    alarm.raised,
                    alarm.cleared,
                    change.change == "raised",
                    alarm.model_dump_json(),
                ),
            )

    def _incident(self, incident: IncidentRevision) -> None:
        live = incident.replaced_by is None and incident.change not in ("replaced", "retracted")
        self._writer.execute(
            "UPDATE revisions SET until = ? WHERE incident = ? AND until IS NULL",
            (incident.known_at, incident.id),
        )
        self._writer.execute(
            "INSERT OR REPLACE INTO revisions VALUES (?, ?, ?, NULL, ?, ?, ?)",
            (
                incident.id,
                incident.revision,
                incident.known_at,
                incident.opened,
                live,
                incident.model_dump_json(),
            ),
        )

    def _write_rows(self) -> None:
        self._writer.executemany("INSERT OR IGNORE INTO readings VALUES (?, ?, ?, ?, ?)", self._rows)
        self._rows.clear()

    def _commit(self) -> None:
        self._write_rows()
        self._writer.execute(
            "UPDATE span SET began = ?, reached = ?, records = ?", (self._began, self._now, self._records)
        )
        self._writer.execute("COMMIT")
        self._writer.execute("BEGIN")
        self._committed = time.monotonic()

    # -- read by any thread -------------------------------------------------------------------------

    @property
    def span(self) -> Span:
        """How far it reaches."""
        ((began, reached),) = self.read("SELECT began, reached FROM span")
        return Span(began, reached)

    def state_before(self, now: int) -> State | None:
        """The newest state that is not after ``now``; None where there is none yet."""
        rows = self.read(
            "SELECT record, known, state FROM states WHERE known <= ? ORDER BY record DESC LIMIT 1", now
        )
        return (
            State(rows[0][0], rows[0][1], msgspec.json.decode(zlib.decompress(rows[0][2]))) if rows else None
        )

    def records_until(self, now: int) -> int:
        """How many records were taken before stream time went beyond ``now``."""
        ((record,),) = self.read("SELECT min(record) FROM counted WHERE known > ?", now)
        if record is None:
            ((record,),) = self.read("SELECT records FROM span")
        return int(record)

    def read(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows, as of the newest commit."""
        with self._reading:
            return self._reader.execute(statement, parameters).fetchall()


_KNOWN_BY = {
    "readings": "known",
    "alarms": "known",
    "revisions": "known",
    "notifications": "at",
    "decisions": "at",
    "counted": "known",
}
"""Tables, and the column that says since when a row is known."""
