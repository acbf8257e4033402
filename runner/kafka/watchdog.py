"""Ends a worker that makes no progress, so that its supervisor starts it again."""

import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from runner.kafka.progress import Progress
from runner.kafka.settings import KafkaSettings
from runner.kafka.stages import Stage

STATUS = 3
LOOKS = 4
"""Looks in the time that a record may wait."""


class Watchdog:
    """Watches from a thread of its own, inside ``with``."""

    def __init__(
        self, settings: KafkaSettings, group: str, stage: Stage, positions: Callable[[], Mapping[int, int]]
    ) -> None:
        """``positions``: the next offset of each part at work here."""
        self._who, self._seconds = f"{stage.name} worker", settings.stuck_seconds
        topic = settings.name(stage.source)
        self._progress = Progress(settings, group, topic, stage.partitions, positions, self._seconds)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        with self._progress:
            while not self._over.wait(self._seconds / LOOKS):
                try:
                    what = self._progress.standing()
                except Exception:  # noqa: BLE001 - a worker whom nobody watches must not work on
                    what = traceback.format_exc()
                if what is not None and not self._over.is_set():
                    sys.stderr.write(f"crosscurrent: the {self._who} ends, to be started again: {what}\n")
                    sys.stderr.flush()
                    os._exit(STATUS)  # what hangs would hang an orderly end too; the state on Kafka is whole
