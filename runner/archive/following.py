"""The log of a running city into an archive, every few minutes, in a thread of its own.

In:  the log of a data folder, an archive.
Out: batches in the archive; each finished day compacted, and what is too old removed.
Promises: what was archived is known from the archive itself, so a kill at any moment neither loses nor
doubles a record. Where the archive can't be reached it is tried again at the next round: the log keeps its
newest records meanwhile (``Retention.log_records``), and what went before it was archived is told.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

from runner.archive.keeping import compact, trim
from runner.archive.place import Place
from runner.archive.writing import KeptModel, Received, Writer
from runner.log import Log
from schemas.readings import Event, Frame

ROUND_SECONDS = 300.0
READ_RECORDS = 1_000
IDENTITY = "archive.id"
"""File of the data folder with a name for its log, which no other log has."""


class Follower:
    """Follows one log. ``start`` and ``stop`` it once; ``keep_days``: how many days stay (None: all).

    Raises BadArchive for an address that is none, OSError where it can't be used.
    """

    def __init__(
        self,
        log: Log,
        folder: Path,
        place: Place,
        model: KeptModel,
        tell: Callable[[str], None],
        keep_days: int | None = None,
    ) -> None:
        self._log, self._place, self._model, self._tell = log, place, model, tell
        self._keep_days = keep_days
        self._source = f"log {_identity(folder)}"
        self._writer: Writer | None = Writer(place, model)
        self._reached = self._writer.reached(self._source)
        self._day = self._writer.newest_day
        self._received = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)

    @property
    def behind(self) -> int:
        """Records of the log that are not archived."""
        return self._log.end() - 1 - self._reached

    def start(self) -> None:
        """Follow from here on."""
        self._thread.start()

    def stop(self) -> None:
        """Archive what is there, and end. The log must still be open."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(ROUND_SECONDS):
            self.round()
        self.round()

    def round(self) -> None:
        """Archive what the log has gained, and keep house; a failure is told."""
        try:
            self._writer = self._writer or Writer(self._place, self._model)
            for batch in self._writer.add(self._source, self._new()):
                self._reached = batch.upto
                if self._day is not None and batch.day > self._day:
                    self._keep_house(batch.day)
                self._day = batch.day
        except OSError as error:
            self._tell(
                f"archive {self._place.address}: {error}; {self.behind} records wait, tried again later"
            )
            self._writer = None  # what it knows of the archive may be wrong now

    def _new(self) -> Iterator[Received]:
        offset, end = self._reached + 1, self._log.end()
        while offset < end:
            records = self._log.read(offset, READ_RECORDS)
            if not records:
                return
            if records[0][0] > offset:
                gone = records[0][0] - offset
                self._tell(f"archive {self._place.address}: {gone} records went before they were archived")
            for at, record in records:
                if isinstance(record, Frame | Event):
                    self._received = record.received
                elif not self._received:  # silence from the start
                    self._received = record.at
                yield Received(self._received, at, record)
            offset = records[-1][0] + 1

    def _keep_house(self, today: date) -> None:
        city = self._model.city.city
        for _ in compact(self._place, city, self._tell, before=today):
            pass
        if self._keep_days is not None:
            trim(self._place, city, today - timedelta(days=self._keep_days - 1))


def _identity(folder: Path) -> str:
    path = folder / IDENTITY
    if not path.exists():
        path.write_text(f"{uuid4()}\n", encoding="ascii")
    return path.read_text(encoding="ascii").strip()
