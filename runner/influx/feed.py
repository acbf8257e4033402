"""From the embedded runner to InfluxDB, in a thread of its own.

In:  the log's readings, and the facts of the outbox.
Out: their points; dead letters for what InfluxDB will never take.
Promises: what is not confirmed stays in log and outbox, over kills and stops. InfluxDB being away costs
nothing but delay: the city is watched all the same, and memory does not grow.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

from runner.influx.figures import Watcher
from runner.influx.letters import letter_of
from runner.influx.lines import Fact, Lines, by_bucket
from runner.influx.outbox import Outbox
from runner.influx.pause import Pause
from runner.influx.settings import InfluxSettings
from runner.influx.writer import Away, Writer
from runner.metrics import Figure
from runner.store import Store
from schemas.alarms import AlarmChange
from schemas.city import City
from schemas.points import RAW
from schemas.readings import Frame
from schemas.times import SECOND

RECORDS = 500
FACTS_AT_ONCE = 500
IDLE_SECONDS = 0.2
STOP_SECONDS = 1.0


class Feed:
    """Between ``start`` and ``stop``. Raises InfluxFailed where InfluxDB says that we may not write."""

    def __init__(
        self, city: City, store: Store, settings: InfluxSettings, on_failure: Callable[[Exception], None]
    ) -> None:
        """``on_failure`` is called, from another thread, where it can't go on."""
        self._city, self._store, self._on_failure = city, store, on_failure
        self._writer = Writer(settings)
        with suppress(Away):  # it may come later; one that refuses us is told at once
            self._writer.check()
        self._lines = Lines(city)
        self.outbox = Outbox(store.folder)
        if self.outbox.new:
            self.outbox.put(_history(store))
        self._offset = self.outbox.offset()
        self._pause = Pause()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="influx", daemon=True)
        self._watcher = Watcher(city.city, settings, {"up": self._figures}, {})

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()
        self._watcher.start()

    def stop(self) -> None:
        """Write what is there, if InfluxDB takes it at once; the rest waits for the next start."""
        self._over.set()
        self._thread.join(STOP_SECONDS)
        self._watcher.stop(STOP_SECONDS / 2)
        self.close()

    def close(self) -> None:
        """Let the file and the connections go."""
        self.outbox.close()
        self._writer.close()

    @property
    def facts(self) -> int:
        """Facts that InfluxDB has not confirmed; at most ``outbox.FACTS_MAX``."""
        return self.outbox.size()

    @property
    def lag(self) -> int:
        """Records of the log that InfluxDB has not confirmed."""
        return max(0, self._store.log.end() - max(1, self._offset))

    def _run(self) -> None:
        try:
            self._work()
            while self._step():  # what came last
                pass
        except Exception as error:  # noqa: BLE001 - handed on to whoever runs us
            if not self._over.is_set():  # else others did not wait for us, and have closed the files
                self._on_failure(error)

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                busy = self._step()
                self._pause.over()
            except Away as away:
                self._over.wait(self._pause.next(away))
                continue
            if not busy:
                self._over.wait(IDLE_SECONDS)

    def _step(self) -> bool:
        """Write the oldest of what waits; False where nothing does."""
        waiting = self.outbox.read(FACTS_AT_ONCE)
        records = self._store.log.read(self._offset, RECORDS)
        if not waiting.facts and not records:
            return False
        readings = [
            line for _, record in records if isinstance(record, Frame) for line in self._lines.frame(record)
        ]
        facts = by_bucket(line for fact in waiting.facts for line in self._lines.of(fact))
        refused = [
            one
            for bucket, lines in {RAW.name: readings, **facts}.items()
            for one in self._writer.write(bucket, lines)
        ]
        self._store.log.append([], [letter_of(one) for one in refused])
        lost = records[0][0] - self._offset if records and self._offset else 0
        self._offset = records[-1][0] + 1 if records else self._offset
        self.outbox.done(waiting.number, self._offset, lost)
        return True

    def _figures(self) -> Iterator[Figure]:
        """How the whole process is doing."""
        counts = self._store.counts()
        refused = counts.get("refused", 0) + counts.get("flooded", 0)
        for result, count in (("accepted", counts.get("accepted", 0)), ("refused", refused)):
            yield Figure("crosscurrent_messages_total", "counter", "", count, {"result": result})
        for name in ("readings", "late", "future", "duplicates"):
            yield Figure(f"crosscurrent_{name}_total", "counter", "", counts.get(name, 0))
        progress = self._store.progress()
        if progress.stream_time is not None:
            stream_time = progress.stream_time / SECOND
            yield Figure("crosscurrent_stream_time_seconds", "gauge", "", stream_time)
        behind = max(0, self._store.log.end() - progress.offset)
        yield Figure("crosscurrent_lag_offsets", "gauge", "", behind)
        for result in ("written", "refused", "expired"):
            count = self._writer.counts[result]
            yield Figure("crosscurrent_points_total", "counter", "", count, {"result": result})
        yield Figure("crosscurrent_sink_lag_records", "gauge", "", self.lag + self.facts)
        yield Figure("crosscurrent_sink_away_seconds", "gauge", "", self._pause.seconds)


def _history(store: Store) -> Iterator[Fact]:
    """What a folder concluded before it had an InfluxDB. When an alarm was told is not known any more."""
    for alarm in store.alarms():
        known_at = alarm.raised if alarm.cleared is None else alarm.cleared
        yield AlarmChange(alarm=alarm, change="raised", known_at=known_at)
    yield from store.revisions()
    yield from store.notifications()
