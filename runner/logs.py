"""What long-running verbs say, as a JSON object a line where ``CROSSCURRENT_LOGS=json`` asks for it.

In:  whatever is written to stdout and stderr, by us or by a library.
Out: for each line ``at`` (RFC 3339), ``level`` (``info`` from stdout, ``error`` from stderr), ``verb`` and
     ``text``; of a service under a supervisor also ``service``.
Promises: a line is written at once and whole, also where several threads speak.
"""

import io
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from runner.moments import BadUsage
from schemas.times import rfc3339

VARIABLE = "CROSSCURRENT_LOGS"
LONG_RUNNING = frozenset({"up", "collect", "stream", "sink", "alert", "console"})
_OF_SERVICE = re.compile(r'(\S+): (\{"at": .*\})')
"""How a supervisor passes on what one of its services said."""


@contextmanager
def as_asked(verb: str) -> Iterator[None]:
    """Say things as the environment asks. Raises BadUsage where it asks for something that there is not."""
    asked = os.environ.get(VARIABLE, "text")
    if asked not in {"text", "json"}:
        raise BadUsage(f"{VARIABLE} is {asked!r}; expected 'text' or 'json'")
    if asked == "text" or verb not in LONG_RUNNING:
        yield
        return
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = JsonLines(sys.stdout, verb, "info"), JsonLines(sys.stderr, verb, "error")
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class JsonLines(io.TextIOBase):
    """Text goes in, JSON lines come out of the stream ``under``."""

    def __init__(self, under: TextIO, verb: str, level: str) -> None:
        self._under, self._verb, self._level = under, verb, level
        self._door = threading.Lock()
        self._open = ""

    def write(self, text: str) -> int:
        """Take text; its whole lines are said."""
        with self._door:
            *lines, self._open = (self._open + text).split("\n")
            for line in lines:
                if line.strip():
                    self._under.write(json.dumps(self._said(line.rstrip())) + "\n")
            self._under.flush()
        return len(text)

    def flush(self) -> None:
        """What waits is the beginning of a line: it is not said yet."""
        self._under.flush()

    def fileno(self) -> int:
        """Of the stream below."""
        return self._under.fileno()

    def _said(self, line: str) -> dict[str, str]:
        if found := _OF_SERVICE.fullmatch(line):
            said: dict[str, str] = json.loads(found[2])
            return said | {"service": found[1]}
        at = rfc3339(time.time_ns() // 1_000_000)
        return {"at": at, "level": self._level, "verb": self._verb, "text": line}
