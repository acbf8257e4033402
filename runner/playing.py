"""A replay at a pace, with keys as in rosbag2: an input that waits until each record is due.

In:  an input whose frames are of one moment each, a rate, keys from a terminal.
Out: the records, each when it is due; how fast it really went.
Promises: pace and keys change no output: what is said depends on the records alone. Waiting takes no time of
the processor.

space pauses and goes on; right arrow (paused): the next record; up and down: a tenth faster, slower; g: go to
a time, then Enter; q: end here. Going back starts anew and runs up to there as fast as it goes.
"""

import math
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from runner.replay import Heard, Input
from schemas.readings import Event, Frame
from schemas.times import DAY, SECOND, parse_time

FASTER = 1.1
LOOK_SECONDS = 0.05
"""How often keys are looked at while nothing waits."""
ESCAPE = "\x1b["
RIGHT, UP, DOWN = f"{ESCAPE}C", f"{ESCAPE}A", f"{ESCAPE}B"


class Rewind(Exception):
    """Somebody wants to go back to ``at`` (ms): the replay must start anew."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


class Keys:
    """Keys of the terminal, one at a time, without waiting for Enter; none where there is no terminal."""

    def __init__(self) -> None:
        self._file = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before: list[Any] = []
        self._pressed = ""

    @property
    def there(self) -> bool:
        """Whether anybody could press one."""
        return self._file is not None

    def __enter__(self) -> Self:
        if self._file is not None:
            self._before = termios.tcgetattr(self._file)
            tty.setcbreak(self._file, termios.TCSANOW)  # what was pressed meanwhile counts
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def get(self, seconds: float | None) -> str:
        """The next key, or nothing after so many seconds (None: wait for one)."""
        if self._file is None:
            if seconds:
                time.sleep(seconds)
            return ""
        if not self._pressed:
            if not select.select([self._file], [], [], seconds)[0]:
                return ""
            self._pressed = os.read(self._file, 1024).decode(errors="replace")
        length = len(RIGHT) if self._pressed.startswith(ESCAPE) else 1
        key, self._pressed = self._pressed[:length], self._pressed[length:]
        return key


class Pace:
    """When each record is due. One for a whole replay, over rewinds too."""

    def __init__(self, keys: Keys, rate: float, *, paused: bool = False, tell: Callable[[str], None]) -> None:
        self.rate = rate
        self._keys, self._paused, self._tell = keys, paused, tell
        self._until: int | None = None
        """Up to then it runs as fast as it goes."""
        self._anchor: tuple[float, int] | None = None
        """A moment of the clock on the wall, and the time of receipt that was due then."""
        self._looked = 0.0
        self._first = self._at = 0
        self._played = 0.0
        self._resumed = time.monotonic()
        self.ended = False

    @property
    def rate_reached(self) -> float:
        """How many times real time it really was, without pauses."""
        seconds = self._played + (0.0 if self._paused else time.monotonic() - self._resumed)
        return (self._at - self._first) / SECOND / seconds if seconds else 0.0

    def go_to(self, at: int) -> None:
        """Run up to ``at`` (ms) as fast as it goes; before the first record, or after a rewind."""
        self._until = at
        self._first = self._at = 0

    def wait(self, at: int) -> None:
        """Return when what was received at ``at`` is due. Raises Rewind."""
        if self._until is not None and at >= self._until:
            self._until, self._anchor, self._first = None, None, at
            self._played, self._resumed = 0.0, time.monotonic()
        self._first = self._first or at
        while not self.ended and (self._until is None or at >= self._until):
            if self._paused:
                if self._press(self._keys.get(None), at):
                    break
                continue
            left = self._left(at)
            if left <= 0 and not self._time_to_look():
                break
            self._press(self._keys.get(max(left, 0.0)), at)
        self._at = max(self._at, at)

    def _left(self, at: int) -> float:
        """Seconds until what was received at ``at`` is due."""
        now = time.monotonic()
        self._anchor = self._anchor or (now, at)
        return self._anchor[0] + (at - self._anchor[1]) / SECOND / self.rate - now

    def _time_to_look(self) -> bool:
        """Whether keys were not looked at for a while, though nothing waits."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        return True

    def _press(self, key: str, at: int) -> bool:
        """Do what a key says; whether it lets one record pass."""
        match key:
            case " ":
                self._pause()
            case "q":
                self.ended = True
            case "g":
                self._ask(at)
            case _ if key == UP:
                self._change(self.rate * FASTER)
            case _ if key == DOWN:
                self._change(self.rate / FASTER)
        return key == RIGHT

    def _pause(self) -> None:
        now = time.monotonic()
        if not self._paused:
            self._played += now - self._resumed
        self._paused, self._resumed, self._anchor = not self._paused, now, None
        self._tell("paused" if self._paused else f"on, at {self.rate:g} times real time")

    def _change(self, rate: float) -> None:
        if math.isinf(rate):
            self._tell("it runs as fast as it goes already; give --rate to choose another")
            return
        self.rate, self._anchor = rate, None
        self._tell(f"{rate:.3g} times real time")

    def _ask(self, at: int) -> None:
        """Read a time up to Enter, and go there."""
        self._tell("go to (12:30, or 2025-06-04T12:30:00Z, then Enter):")
        text = ""
        while not text.endswith(("\n", "\r")):
            text += self._keys.get(None)
        try:
            wanted = time_of(text.strip(), at)
        except ValueError as error:
            self._tell(str(error))
            return
        if wanted <= at:
            raise Rewind(wanted)
        self._until = wanted


class Paced:
    """An input that gives each record when it is due. Raises Rewind while it is read."""

    def __init__(self, source: Input, pace: Pace) -> None:
        self.name, self.told = source.name, source.told
        self._input, self._pace = source, pace

    @property
    def taken(self) -> int:
        """Messages, or records, so far."""
        return self._input.taken

    def records(self) -> Iterator[Heard]:
        """All of them, once, to the end or until somebody wants no more."""
        for record in self._input.records():
            if isinstance(record, Frame | Event):
                self._pace.wait(record.received)
            if self._pace.ended:
                return
            yield record

    def counts(self) -> dict[str, Any]:
        """What the summary tells of the input."""
        return self._input.counts()

    def nothing(self) -> str:
        """What to say where nothing of the input could be used."""
        return self._input.nothing()


def time_of(text: str, at: int) -> int:
    """A time as people type it: ``12:30`` (UTC) on the day of ``at``, or a whole one. Raises ValueError."""
    try:
        clock = datetime.strptime(text, "%H:%M").replace(tzinfo=UTC)
    except ValueError:
        return parse_time(text)
    return at // DAY * DAY + (clock.hour * 60 + clock.minute) * 60 * SECOND
