"""Ends a process that makes no progress, so that its supervisor starts it again."""

import os
import sys
import threading
import time
from types import TracebackType
from typing import Self

STATUS = 3


class Watchdog:
    """Watches from a thread of its own, inside ``with``; ``beat`` says that all is well."""

    def __init__(self, who: str, seconds: float) -> None:
        self._who, self._seconds = who, seconds
        self._beaten = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def beat(self) -> None:
        """There was progress, or there is nothing to do."""
        self._beaten = time.monotonic()

    def __enter__(self) -> Self:
        self.beat()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(min(1.0, self._seconds / 4)):
            if time.monotonic() - self._beaten > self._seconds:
                sys.stderr.write(
                    f"crosscurrent: the {self._who} made no progress for {self._seconds:.0f} s though it has "
                    "work; it ends, so that it is started again\n"
                )
                sys.stderr.flush()
                os._exit(STATUS)  # whatever hangs would hang an orderly end too; the state on Kafka is whole
