"""A replay thought through once, in a thread of its own, into a ``Past`` and into a folder of results.

In:  a source of records with its core.
Out: the past, moment by moment; the files of ``runner.replay``, the very bytes that a plain replay writes.
Promises: whoever looks need not wait for the end.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runner.core import Core, Outputs
from runner.player.past import Past
from runner.replay import Heard, Input, Source, put_down
from schemas.errors import CrosscurrentError
from schemas.times import MINUTE

STATE_EVERY = 15 * MINUTE
"""Stream time between two states that are kept. One costs some 20 ms and, packed, some 40 kB of a small city;
a fork thinks on average half of this time again."""


class Left(CrosscurrentError):
    """Nobody looks any more."""


class Tapped:
    """An input whose records are noted in ``past`` as soon as ``core`` has taken them."""

    def __init__(self, source: Input, core: Core, past: Past, left: Callable[[], bool]) -> None:
        self.name, self.told = source.name, source.told
        self._input, self._core, self._past, self._left = source, core, past, left
        self._kept: int | None = None

    @property
    def taken(self) -> int:
        """Messages, or records, so far."""
        return self._input.taken

    def records(self) -> Iterator[Heard]:
        """All of them, once. Raises Left."""
        for record in self._input.records():
            yield record  # and when the next one is asked for, the core has taken it
            now = self._core.stream_time
            self._past.note(record, now, {**self._core.counts, "messages": self._input.taken})
            if now is not None and (self._kept is None or now >= self._kept + STATE_EVERY):
                self._past.keep(self._core.snapshot())
                self._kept = now
            if self._left():
                raise Left(f"{self.name}: left before the end")

    def counts(self) -> dict[str, Any]:
        """What the summary tells of the input."""
        return self._input.counts()

    def nothing(self) -> str:
        """What to say where nothing of the input could be used."""
        return self._input.nothing()


class Thinking(threading.Thread):
    """Carries a source to its end; ``tell`` hears all that is said."""

    def __init__(self, source: Source, past: Past, out: Path, tell: Callable[[Outputs], None]) -> None:
        super().__init__(name="thinking", daemon=True)
        self._source, self._past, self._tell = source, past, tell
        self.out = out
        self.summary: dict[str, Any] = {}
        self.failure: Exception | None = None

    def run(self) -> None:
        """Think."""
        try:
            self.summary = put_down(self._source, self.out, self._tell)
        except Left:
            return
        except Exception as error:  # noqa: BLE001 - told on the page
            self.failure = error
        self._past.finish()

    @property
    def faults(self) -> list[str]:
        """What of the input could not be used, the first of it; known at the end."""
        names = ("first_broken_lines", "first_damaged_files", "first_broken_records")
        return [fault for name in names for fault in self.summary.get(name, ())]
