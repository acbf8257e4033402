"""The same limit check as ``LimitCheck`` in workers.py, by Quix Streams, which runs this in an environment of
its own: ``python quix.py BOOTSTRAP TOPIC OUTPUT RECORDS LIMITS``.

LIMITS is a JSON file: low and high by sensor. Records are JSON: one reading (``sensor``, ``at``, ``value``,
keyed by the sensor), or a frame of them in columns (keyed by the site). The state of a key has for each
sensor the time of its newest reading, and whether it is out of limits; it is kept in RocksDB, with a
changelog topic.
At the last of RECORDS it prints seconds and processor seconds since the first, as JSON.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quixstreams import Application

Limits = dict[str, tuple[float, float]]


class Check:
    """Called for each record with the state of its key."""

    def __init__(self, limits: Limits, records: int) -> None:
        self._limits, self._left = limits, records
        self._began: tuple[float, float] | None = None
        self.took: dict[str, float] = {}
        self.stop: Callable[[], None] = bool

    def reading(self, record: dict[str, Any], state: Any) -> list[dict[str, Any]]:
        """One reading a record."""
        known = state.get("known")
        after, changed = self._step(known, record["sensor"], record["at"], record["value"])
        if after is not known:
            state.set("known", after)
        self._count()
        return [{"sensor": record["sensor"], "at": record["at"], "raised": after[1]}] if changed else []

    def frame(self, record: dict[str, Any], state: Any) -> list[dict[str, Any]]:
        """Many readings a record: one look at the state and one change of it for all of them."""
        known = state.get("known") or {}
        said = []
        for sensor, at, value in zip(record["sensors"], record["at"], record["values"], strict=True):
            after, changed = self._step(known.get(sensor), sensor, at, value)
            known[sensor] = after
            if changed:
                said.append({"sensor": sensor, "at": at, "raised": after[1]})
        state.set("known", known)
        self._count()
        return said

    def _step(self, known: Any, sensor: str, at: int, value: float) -> tuple[Any, bool]:
        """What is known of the sensor afterwards, and whether it went out of its limits or came back."""
        newest, raised = known or (-1, False)
        if at <= newest:
            return known, False
        low, high = self._limits[sensor]
        out = value < low or value > high
        return [at, out], out != raised

    def _count(self) -> None:
        if self._began is None:
            self._began = time.perf_counter(), time.process_time()
        self._left -= 1
        if not self._left:
            seconds, cpu_seconds = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
            self.took = {"seconds": seconds, "cpu_seconds": cpu_seconds}
            self.stop()


def main() -> None:
    """Work until the last record."""
    bootstrap, topic, output, records, limits = sys.argv[1:]
    check = Check(json.loads(Path(limits).read_text()), int(records))
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            bootstrap,
            consumer_group=output,
            auto_offset_reset="earliest",
            state_dir=folder,
            loglevel="ERROR",
        )
        work = check.frame if "frames" in topic else check.reading
        rows = app.dataframe(app.topic(topic, value_deserializer="json"))
        rows.apply(work, stateful=True, expand=True).to_topic(app.topic(output, value_serializer="json"))
        check.stop = app.stop
        app.run()
    sys.stdout.write(json.dumps(check.took) + "\n")


if __name__ == "__main__":
    main()
