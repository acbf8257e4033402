"""Where a replay is: a moment of stream time that moves while it plays.

In:  what people press, how far the past reaches, a clock on the wall that is handed in.
Out: the moment to show, the rate that was really reached. Pure.
"""

from collections import deque
from dataclasses import dataclass, field

from schemas.times import SECOND

RATES = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 3600)
"""Times real time."""
_LOOKS = 12
_SECONDS_MIN = 0.5


@dataclass(slots=True)
class Clock:
    """Moments are in ms of stream time, ``wall`` in seconds."""

    at: float
    rate: float
    playing: bool = False
    _wall: float = 0.0
    _looks: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_LOOKS))

    def look(self, wall: float, first: int, last: int) -> int:
        """The moment to show now: it never leaves what is there, and waits at its end."""
        if self.playing:
            self.at += (wall - self._wall) * self.rate * SECOND
        self._wall = wall
        self.at = min(max(self.at, first), last)
        if self.playing:
            self._looks.append((wall, self.at))
        return int(self.at)

    def play(self, wall: float, *, playing: bool) -> None:
        """Go on, or stand still."""
        self.playing, self._wall = playing, wall
        self._looks.clear()

    def go_to(self, wall: float, at: float) -> None:
        """Be there, playing or not."""
        self.at, self._wall = at, wall
        self._looks.clear()

    def change_rate(self, steps: int) -> None:
        """Faster or slower by so many steps of RATES."""
        nearest = min(range(len(RATES)), key=lambda place: abs(RATES[place] - self.rate))
        self.rate = RATES[min(max(nearest + steps, 0), len(RATES) - 1)]
        self._looks.clear()

    @property
    def reached(self) -> float | None:
        """How many times real time it really was, over the last looks; None before that can be said."""
        if len(self._looks) < 2 or self._looks[-1][0] - self._looks[0][0] < _SECONDS_MIN:
            return None
        (first, before), (last, after) = self._looks[0], self._looks[-1]
        return (after - before) / SECOND / (last - first)
