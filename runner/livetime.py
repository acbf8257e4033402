"""Time passes in a live city though nobody says so: between two reports, and where all is silent.

In:  how far stream time has got, when something last came; the clock on the wall.
Out: ticks, which a shell writes into its log; so a replay of the log sees the same time.
Promises: a city whose wall clock and stream time differ widely, a recorded day that is played, gets none.

Clocks that report on the full minute move stream time once a minute, by the first tenth of them. What the
others say would wait for the next minute, and so would people who wait for an incident to settle, however
late in the minute it was known. So stream time goes on by itself after each move, until shortly before the
next: a report must find it behind, or it would be no move, and nothing would begin anew.
"""

import time
from collections.abc import Callable

from schemas.city import City
from schemas.times import MINUTE, SECOND

SILENCE_SECONDS = 60.0
LIVE = 10 * MINUTE
"""Stream time and wall clock agree so far in a live city; a day that is played does not."""
STEP = SECOND // 2
"""How finely time goes on between reports."""


class LiveTime:
    """Ask it a few times a second, from one thread. ``wall`` and ``steady`` tell seconds."""

    def __init__(
        self,
        city: City,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._steady = wall, steady
        intervals = [round(sensor.every * SECOND) for sensor in city.sensors]
        self._goes_on = min(intervals, default=MINUTE) - STEP
        """So far beyond a report at most, that a pause of the network makes no sensor look missing."""
        self._reported = self._told = 0
        """Stream time as reports moved it, and as far as it was told to go on from there."""
        self._moved_at = 0.0

    def tick(self, last_received: float, stream_time: int | None) -> int | None:
        """The time to tell (ms); None where there is none. ``last_received`` is by the steady clock."""
        if stream_time is None:
            return None
        now, steady = round(self._wall() * SECOND), self._steady()
        behind = now - stream_time
        if steady - last_received > SILENCE_SECONDS and SILENCE_SECONDS * SECOND < behind < LIVE:
            return now
        if not self._reported <= stream_time <= self._told:
            self._reported = self._told = stream_time
            self._moved_at = steady
        passed = round((steady - self._moved_at) * SECOND)
        goes_on = self._reported + min(passed, self._goes_on)
        if abs(behind) >= LIVE or goes_on < self._told + STEP:
            return None
        self._told = goes_on
        return goes_on
