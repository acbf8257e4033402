"""A replay as points, under a name of its own, to be laid beside what truly happened.

In:  what a replay says, and the frames that it read.
Out: their points, with the name as the tag ``run``.
Promises: what was there under that name before is gone first, so that two replays never mix; what truly
happened is never touched. When ``finish`` returns, InfluxDB has confirmed every point.
"""

import re
import time
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TypeVar

from runner.core import Outputs
from runner.influx.lines import Fact, Lines, by_bucket
from runner.influx.pause import Pause
from runner.influx.settings import InfluxFailed, InfluxSettings
from runner.influx.writer import WRITTEN, Away, Writer
from runner.moments import BadUsage
from schemas.city import City
from schemas.points import LIVE, RAW
from schemas.readings import Frame

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
PATIENCE_SECONDS = 60.0
Done = TypeVar("Done")


class Run:
    """One replay on its way to InfluxDB.

    Raises BadUsage where the name can't be one, InfluxFailed where InfluxDB does not let us write.
    """

    def __init__(self, city: City, settings: InfluxSettings, name: str, say: Callable[[str], None]) -> None:
        if name == LIVE or not NAME.fullmatch(name):
            raise BadUsage(
                f"a run can't be called {name!r}: expected letters, digits, dots and dashes, and not "
                f"{LIVE!r}, which is what truly happened"
            )
        self._city, self._name, self._say = city, name, say
        self._lines = Lines(city, name)
        self._writer = Writer(settings)
        self._full = settings.batch_points
        self._waiting: dict[str, list[str]] = {bucket.name: [] for bucket in WRITTEN}
        self._patiently(self._writer.check)
        self._patiently(lambda: self._writer.forget(city.city, name))

    def take(self, outputs: Outputs) -> None:
        """What was said of a record."""
        facts: list[Fact] = [*outputs.alarms, *outputs.incidents, *outputs.notifications]
        for bucket, said in by_bucket(chain.from_iterable(map(self._lines.of, facts))).items():
            self._waiting[bucket] += said
            self._write_if_full(bucket)

    def readings(self, frames: Iterable[Frame]) -> None:
        """The readings that were replayed."""
        for frame in frames:
            self._waiting[RAW.name] += self._lines.frame(frame)
            self._write_if_full(RAW.name)

    def finish(self) -> None:
        """Write the rest, tell how much it was, and leave."""
        for bucket in self._waiting:
            self._write(bucket)
        counts = self._writer.counts
        self._writer.close()
        self._say(f"{counts['written']:,} points written as run {self._name!r}")
        if counts["refused"] or counts["expired"]:
            self._say(
                f"{counts['refused']:,} points refused, {counts['expired']:,} older than their bucket keeps "
                "('crosscurrent influx setup --raw-days 0' keeps all)"
            )

    def _write_if_full(self, bucket: str) -> None:
        if len(self._waiting[bucket]) >= self._full:
            self._write(bucket)

    def _write(self, bucket: str) -> None:
        lines = self._waiting[bucket]
        for refused in self._patiently(lambda: self._writer.write(bucket, lines))[:1]:
            self._say(f"InfluxDB refused points: {refused.reason}")
        self._waiting[bucket] = []

    def _patiently(self, work: Callable[[], Done]) -> Done:
        """Do it, again where InfluxDB is away. Raises InfluxFailed after a minute of that."""
        pause = Pause()
        while True:
            try:
                return work()
            except Away as away:
                if pause.seconds > PATIENCE_SECONDS:
                    raise InfluxFailed(f"{away}; the replay is not whole there") from away
                time.sleep(pause.next(away))
