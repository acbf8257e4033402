"""The log of a data folder as the input of a replay, also while ``up`` writes to it.

In:  a data folder, times.
Out: what was received and answered, in that order, of which the log keeps the newest million records.
Promises: only read. Times are event times here, as what was played into a city keeps those that it had; a
record's is that of the middle of its readings, which one wrong clock does not move.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median_low
from typing import Any

from runner.database import machine_errors, open_reader
from runner.log import LOGGED, Logged
from schemas.answers import Answer
from schemas.readings import Frame
from schemas.times import rfc3339

FILE = "log.sqlite"
READ_RECORDS = 500


class FromLog:
    """What a log holds from ``start`` to before ``end`` (ms of event time; None: all)."""

    def __init__(self, folder: Path, start: int | None = None, end: int | None = None) -> None:
        self.name, self.told = str(folder), False
        self._path = folder / FILE
        self._start, self._end = start, end
        self._there: tuple[int, int] | None = None
        """Times of the first and the last record of all."""
        self.taken = 0

    def records(self) -> Iterator[Logged]:
        """All of them, once. Raises CannotRun where the file can't be read."""
        with machine_errors(self._path), closing(open_reader(self._path)) as reader:
            first, last = reader.execute("SELECT min(offset), max(offset) FROM log").fetchone()
            if first is None:
                return

            def read(offset: int, limit: int) -> list[tuple[int, Logged]]:
                rows = reader.execute(
                    "SELECT offset, body FROM log WHERE offset >= ? ORDER BY offset LIMIT ?", (offset, limit)
                )
                return [(at, LOGGED.validate_json(body)) for at, body in rows]

            def when(offset: int) -> int:
                return next((at for _, one in read(offset, 20) if (at := time_of(one)) is not None), 0)

            self._there = when(first), when(last)
            offset = first if self._start is None else _first_at(when, first, last, self._start)
            while found := read(offset, READ_RECORDS):
                for number, record in found:
                    offset = number + 1
                    at = time_of(record)
                    if self._end is not None and at is not None and at >= self._end:
                        return
                    if self._start is None or at is None or at >= self._start:
                        self.taken += 1
                        yield record

    def counts(self) -> dict[str, Any]:
        """What was read."""
        return {"records": self.taken}

    def nothing(self) -> str:
        """What to say where nothing of it could be used."""
        if self._there is None:
            return f"{self._path}: nothing to replay: the log is empty"
        there = " to ".join(map(rfc3339, self._there))
        return f"{self._path}: nothing to replay in the range; it holds {there}"


def began(folder: Path) -> int | None:
    """Event time (ms) of the oldest record that the log of a data folder keeps; None for an empty one."""
    path = folder / FILE
    with machine_errors(path), closing(open_reader(path)) as reader:
        rows = reader.execute("SELECT body FROM log ORDER BY offset LIMIT 20").fetchall()
    return next((at for (body,) in rows if (at := time_of(LOGGED.validate_json(body))) is not None), None)


def time_of(record: Logged) -> int | None:
    """The event time of a record (ms); None for an answer, and a frame without readings."""
    match record:
        case Frame():
            return median_low(record.at) if record.at else None
        case Answer():
            return None
        case _:
            return record.at


def _first_at(when: Any, first: int, last: int, start: int) -> int:
    """The first offset whose record is not before ``start``: times grow, but for what came late."""
    while first < last:
        middle = (first + last) // 2
        if when(middle) < start:
            first = middle + 1
        else:
            last = middle
    return first
