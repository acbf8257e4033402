"""When a receiver may be tried: so many messages a minute, and none for a while after failures in a row.

In:  attempts and what came of them; times of a steady clock, in seconds.
Out: when the next may begin, and how long a message that failed waits.
"""

from collections import deque
from random import Random

LONGEST_WAIT_SECONDS = 120.0
BREAK_AFTER = 8
"""Failures in a row after which a receiver is left alone."""
WINDOW_SECONDS = 60.0


class Gate:
    """One receiver's. Not for several threads at a time: whoever shares it locks it.

    ``first_wait``: seconds after a first failure; ``break_seconds``: how long a receiver is left alone, give
    or take a half; ``seed`` of what spreads retries.
    """

    def __init__(self, per_minute: int, first_wait: float, break_seconds: float, seed: int | None) -> None:
        self._per_minute, self._first_wait, self._break = per_minute, first_wait, break_seconds
        self._random = Random(seed)  # noqa: S311 - spreads retries, and guards nothing
        self._begun: deque[float] = deque()
        """When attempts of the last minute began."""
        self._failures = 0
        self._closed_until = 0.0

    def opens_at(self, now: float) -> float:
        """When the next attempt may begin."""
        while self._begun and self._begun[0] <= now - WINDOW_SECONDS:
            self._begun.popleft()
        free = now if len(self._begun) < self._per_minute else self._begun[0] + WINDOW_SECONDS
        return max(free, self._closed_until)

    def enter(self, now: float) -> None:
        """An attempt begins. Of a receiver that is left alone one tries whether it answers again."""
        self._begun.append(now)
        if self._failures >= BREAK_AFTER:
            self._closed_until = now + self._break

    def give_back(self) -> None:
        """It took nobody's time."""
        self._begun.pop()

    def note(self, now: float, *, failed: bool) -> None:
        """What came of an attempt."""
        self._failures = self._failures + 1 if failed else 0
        if self._failures >= BREAK_AFTER:
            self._closed_until = now + self._break * (0.5 + self._random.random())
        elif not failed:
            self._closed_until = 0.0

    def is_closed(self, now: float) -> bool:
        """Whether the receiver is left alone."""
        return now < self._closed_until

    def wait(self, attempts: int) -> float:
        """Seconds to the next attempt: twice as long each time, and never the same for all (full jitter)."""
        longest = min(self._first_wait * 2.0 ** min(attempts, 10), LONGEST_WAIT_SECONDS)
        return longest * (0.5 + 0.5 * self._random.random())
