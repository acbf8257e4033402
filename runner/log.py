"""The log ``city.readings.v1`` of the embedded runner: custody of what was received.

In:  what the intake made of a batch of messages: records and dead letters, with its counts.
Out: the records, in the order appended, under offsets that grow and are never given twice.
Promises: when ``append`` returns, all of the batch is on the disk (power loss included), or it raised
CannotRun and none is. A dead letter that comes again is kept once.

The log has a file of its own, so that writing results never delays an acknowledgement.
"""

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from runner.database import machine_errors, open_reader, open_writer, transaction
from schemas.answers import Answer
from schemas.readings import DeadLetter, Event, Frame, Tick

VERSION = 1
TABLES = """
CREATE TABLE log (offset INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE dead_letters (
  id BLOB PRIMARY KEY, number INTEGER NOT NULL, received INTEGER NOT NULL, topic TEXT NOT NULL,
  payload BLOB NOT NULL, size INTEGER NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX dead_letters_newest ON dead_letters (number);
CREATE TABLE counts (name TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
"""


Logged = Frame | Event | Tick | Answer
LOGGED: TypeAdapter[Logged] = TypeAdapter(Annotated[Logged, Field(discriminator="kind")])


class Log:
    """The file ``log.sqlite`` of a data folder. Any thread may use it."""

    def __init__(self, folder: Path, *, check: bool = False) -> None:
        self._path = folder / "log.sqlite"
        self._writer = open_writer(self._path, TABLES, VERSION, durable=True, check=check)
        self._reader = open_reader(self._path)
        self._writing = threading.Lock()
        self._reading = threading.Lock()

    def append(
        self,
        records: Iterable[Logged],
        dead: Sequence[DeadLetter] = (),
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Keep a batch, in one transaction; ``counts`` are added to what was counted before."""
        with self._writing, machine_errors(self._path), transaction(self._writer) as writer:
            writer.executemany(
                "INSERT INTO log (body) VALUES (?)", ((LOGGED.dump_json(record),) for record in records)
            )
            writer.executemany(
                "INSERT OR IGNORE INTO dead_letters VALUES "
                "(?, (SELECT ifnull(max(number), 0) + 1 FROM dead_letters), ?, ?, ?, ?, ?)",
                ((_identity(x), x.received, x.topic, x.payload, x.size, x.reason) for x in dead),
            )
            writer.executemany(
                "INSERT INTO counts VALUES (?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                (counts or {}).items(),
            )

    def trim(self, processed: int, keep_records: int, keep_dead_letters: int) -> None:
        """Drop the oldest beyond the bounds; never a record at or after offset ``processed``."""
        with self._writing, machine_errors(self._path), transaction(self._writer) as writer:
            oldest_kept = min(processed, self.end() - keep_records)
            writer.execute("DELETE FROM log WHERE offset < ?", (oldest_kept,))
            writer.execute(
                "DELETE FROM dead_letters WHERE number <= (SELECT max(number) FROM dead_letters) - ?",
                (keep_dead_letters,),
            )

    def read(self, offset: int, limit: int) -> list[tuple[int, Logged]]:
        """At most ``limit`` records from ``offset`` on, each with its own offset."""
        with self._reading:
            rows = self._reader.execute(
                "SELECT offset, body FROM log WHERE offset >= ? ORDER BY offset LIMIT ?", (offset, limit)
            ).fetchall()
        return [(at, LOGGED.validate_json(body)) for at, body in rows]

    def end(self) -> int:
        """The offset that the next record will get."""
        with self._reading:
            row = self._reader.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log'").fetchone()
        return row[0] + 1 if row else 1

    def size(self) -> int:
        """Records that are kept."""
        with self._reading:
            (oldest,) = self._reader.execute("SELECT min(offset) FROM log").fetchone()
        return self.end() - oldest if oldest else 0

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest refused messages, newest first."""
        with self._reading:
            rows = self._reader.execute(
                "SELECT received, topic, payload, size, reason FROM dead_letters "
                "ORDER BY number DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [
            DeadLetter(received=received, topic=topic, payload=payload, size=size, reason=reason)
            for received, topic, payload, size, reason in rows
        ]

    def counts(self) -> dict[str, int]:
        """What the intake counted since the folder was new."""
        with self._reading:
            return dict(self._reader.execute("SELECT name, count FROM counts"))

    def close(self) -> None:
        """Close the file; what was appended is in it."""
        self._reader.close()
        self._writer.close()


def _identity(letter: DeadLetter) -> bytes:
    """The same message refused for the same reason is the same letter, however often it is sent."""
    parts = (letter.topic.encode("utf-8", "surrogatepass"), letter.payload, letter.reason.encode("utf-8"))
    digest = hashlib.sha256(letter.size.to_bytes(8, "big"))
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
