"""The log to results: the core, carried record by record, with snapshots to go on from.

In:  records of the log, from the offset of the newest snapshot on.
Out: readings, alarms, incidents and notifications in the store, each batch in one transaction with the
     offset that it reaches.
Promises: after a kill at any moment the results equal those of a run without it. The newest snapshot may
be older than the newest results: the core steps over the records between, and what it says of them is
not written, because it is there.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from runner.core import Core
from runner.database import CannotRun
from runner.log import Log
from runner.store import Progress, Retention, Store
from schemas.alarms import AlarmChange
from schemas.alerting import Policy
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.notifications import Decision, Notification
from schemas.readings import Frame, Reading
from schemas.vocabulary import Vocabulary
from streams.causes import Causes

BATCH_RECORDS = 200
"""Records a transaction: a fraction of a second of work, so that a stop is quick."""
SNAPSHOT_SECONDS = 5.0
Tell = Callable[[Iterable[AlarmChange | IncidentRevision | Notification]], None]
TRIM_SECONDS = 60.0


@dataclass(slots=True)
class _Results:
    """What one transaction writes."""

    readings: list[Reading] = field(default_factory=list)
    alarms: list[AlarmChange] = field(default_factory=list)
    incidents: list[IncidentRevision] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


class Processor:
    """Use it from one thread. ``offset`` is the next record of the log that it needs.

    Raises CannotRun where the folder holds another city, or the state of another version of ours.
    """

    def __init__(
        self,
        city: City,
        vocabulary: Vocabulary,
        store: Store,
        retention: Retention,
        causes: Causes | None = None,
        policy: Policy | None = None,
        tell: Tell | None = None,
    ) -> None:
        """``tell`` is told of all that is to be written, before it is."""
        self._tell = tell
        self._core = Core(city, vocabulary, causes, policy)
        self._sensors = list(city.sensor_by_id)
        self._store = store
        self._log: Log = store.log
        self._retention = retention
        self._written = store.progress().offset
        self.offset = 1
        self._city = city.city
        if (newest := store.newest_snapshot()) is not None:
            self.offset, state = newest
            self._restore(state)
        self._saved = self.offset
        self._saved_at = self._trimmed_at = time.monotonic()

    @property
    def stream_time(self) -> int | None:
        """How far the input has got, ms since the epoch."""
        return self._core.stream_time

    def step(self) -> bool:
        """Process the next batch of the log; False where there is none. Snapshots when it is time."""
        records = self._log.read(self.offset, BATCH_RECORDS)
        results = _Results()
        for offset, record in records:
            outputs = self._core.step(record)
            self.offset = offset + 1
            if offset < self._written:
                continue
            if isinstance(record, Frame):
                results.readings.extend(record.rows())
            results.alarms.extend(outputs.alarms)
            results.incidents.extend(outputs.incidents)
            results.notifications.extend(outputs.notifications)
            results.decisions.extend(outputs.decisions)
        if self.offset > self._written:
            self._write(results)
        self._keep_house()
        return bool(records)

    def save(self) -> None:
        """Keep the core's state, so that a start from here is short."""
        if self.offset > self._saved:
            self._store.save_snapshot(self.offset, {"city": self._city, "core": self._core.snapshot()})
            self._saved = self.offset
        self._saved_at = time.monotonic()

    def _restore(self, state: dict[str, Any]) -> None:
        folder = self._store.folder
        if state["city"] != self._city:
            raise CannotRun(
                f"data folder {folder} holds the city {state['city']!r}, the model is of {self._city!r}; "
                "give another folder with --data"
            )
        try:
            self._core.restore(state["core"])
        except ValueError as error:
            raise CannotRun(
                f"data folder {folder} has results of another Crosscurrent ({error}); remove "
                f"{folder / 'results.sqlite'} and they are computed again from the log"
            ) from error

    def _write(self, results: _Results) -> None:
        if self._tell:
            self._tell([*results.alarms, *results.incidents, *results.notifications])
        progress = Progress(self.offset, self._core.stream_time, dict(self._core.counts))
        self._store.write(
            progress,
            results.readings,
            results.alarms,
            results.incidents,
            results.notifications,
            results.decisions,
        )
        self._written = self.offset

    def _keep_house(self) -> None:
        now = time.monotonic()
        if now - self._saved_at >= SNAPSHOT_SECONDS:
            self.save()
        if now - self._trimmed_at >= TRIM_SECONDS:
            self._trimmed_at = now
            self._store.trim(self._retention, self._sensors)
            self._log.trim(
                self._store.oldest_snapshot_offset(),
                self._retention.log_records,
                self._retention.dead_letters,
            )
