"""What the embedded runner has said and InfluxDB has not confirmed yet: a file in the data folder.

In:  alarm changes, revisions and notifications, before the store commits them.
Out: the oldest of them, until they are done; how far the log was written.
Promises: what is in the store was in here before, power loss included; so after a kill nothing is missing,
and some may come twice. Beyond its bound the oldest go, and are counted.
"""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from runner.database import machine_errors, open_writer, transaction
from runner.influx.lines import Fact
from schemas.alarms import AlarmChange
from schemas.incidents import IncidentRevision
from schemas.notifications import Notification

VERSION = 1
TABLES = """
CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE progress (
  one INTEGER PRIMARY KEY CHECK (one = 1), offset INTEGER NOT NULL, lost INTEGER NOT NULL
);
INSERT INTO progress VALUES (1, 0, 0)
"""
FACTS_MAX = 1_000_000
KINDS: dict[str, type[Fact]] = {
    "alarm": AlarmChange,
    "incident": IncidentRevision,
    "notification": Notification,
}


class Waiting(NamedTuple):
    """The oldest facts, and the number of the newest of them (0 where there is none)."""

    facts: list[Fact]
    number: int


class Outbox:
    """The file ``influx.sqlite`` of a data folder. Any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "influx.sqlite"
        self.new = not self._path.exists()
        """Whether nobody has written from this folder to an InfluxDB before."""
        self._file = open_writer(self._path, TABLES, VERSION, durable=True, check=False)
        self._door = threading.Lock()

    def put(self, facts: Iterable[Fact]) -> None:
        """Keep facts until they are done. Raises CannotRun where the disk refuses them."""
        rows = [(_kind(fact), fact.model_dump_json()) for fact in facts]
        if not rows:
            return
        with self._door, machine_errors(self._path), transaction(self._file) as file:
            file.executemany("INSERT INTO outbox (kind, body) VALUES (?, ?)", rows)
            gone = file.execute(
                "DELETE FROM outbox WHERE number <= (SELECT max(number) FROM outbox) - ?", (FACTS_MAX,)
            ).rowcount
            file.execute("UPDATE progress SET lost = lost + ?", (gone,))

    def read(self, limit: int) -> Waiting:
        """The oldest facts that wait."""
        with self._door:
            rows = self._file.execute(
                "SELECT number, kind, body FROM outbox ORDER BY number LIMIT ?", (limit,)
            ).fetchall()
        facts = [KINDS[kind].model_validate_json(body) for _, kind, body in rows]
        return Waiting(facts, rows[-1][0] if rows else 0)

    def done(self, number: int, offset: int, lost: int = 0) -> None:
        """Let go of facts up to ``number``; the log is written up to ``offset``, but for ``lost`` records."""
        with self._door, machine_errors(self._path), transaction(self._file) as file:
            file.execute("DELETE FROM outbox WHERE number <= ?", (number,))
            file.execute("UPDATE progress SET offset = ?, lost = lost + ?", (offset, lost))

    def offset(self) -> int:
        """The next record of the log that is to be written; 0 where none was."""
        with self._door:
            ((offset,),) = self._file.execute("SELECT offset FROM progress").fetchall()
        return int(offset)

    def lost(self) -> int:
        """Facts and records that were dropped at their bound before InfluxDB took them."""
        with self._door:
            ((lost,),) = self._file.execute("SELECT lost FROM progress").fetchall()
        return int(lost)

    def size(self) -> int:
        """Facts that wait."""
        with self._door:
            ((oldest, newest),) = self._file.execute("SELECT min(number), max(number) FROM outbox").fetchall()
        return newest - oldest + 1 if newest else 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _kind(fact: Fact) -> str:
    return next(kind for kind, model in KINDS.items() if isinstance(fact, model))
