"""The alarms that a limit would have told, counted over a whole past at once.

In:  good readings of one sensor in event time, as columns; a limit with its deadband and delays.
Out: ``Life``s: the same onsets and ends, and the moments at which they are told, as ``streams.watch`` makes
     reading by reading (tests/streams/test_lives.py holds them together).
Pure. What to try many limits, delays and deadbands costs: one comparison of the columns for each limit and
deadband; delays only look at the stretches that are left.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]


class Life(NamedTuple):
    """An alarm: its onset, when it was told (after its on-delay), its end; None where it lasts. In ms."""

    onset: int
    told: int
    cleared: int | None


class Stretches(NamedTuple):
    """Runs of readings of which something holds, in order: index of the first, and of the first after it."""

    first: NDArray[np.intp]
    after: NDArray[np.intp]


class Course:
    """The past of one sensor. ``at`` ascends; readings of bad quality are left out: they decide nothing."""

    def __init__(self, at: Times, value: Values) -> None:
        self.at, self.value = at, value
        self._beyond: dict[tuple[float, bool], Stretches] = {}
        self._back: dict[tuple[float, bool], Stretches] = {}

    def lives(
        self, limit: float, *, high: bool, on_delay: int = 0, off_delay: int = 0, deadband: float = 0.0
    ) -> list[Life]:
        """The alarms of one limit; ``high``: above it is abnormal, else below. Delays in ms."""
        beyond = self._stretches(self._beyond, limit, high, back=False)
        release = limit - deadband if high else limit + deadband
        back = self._stretches(self._back, release, high, back=True)
        told, began = self._lasting(beyond, on_delay)
        over, ended = self._lasting(back, off_delay)
        return self._alternate(told, began, over, ended)

    def _stretches(
        self, known: dict[tuple[float, bool], Stretches], bound: float, high: bool, *, back: bool
    ) -> Stretches:
        found = known.get((bound, high))
        if found is None:
            # Of a told alarm, back is what is not beyond the limit by less than the deadband any more.
            beyond = self.value > bound if high else self.value < bound
            found = known[bound, high] = stretches(~beyond if back else beyond)
        return found

    def _lasting(self, there: Stretches, delay: int) -> tuple[NDArray[np.intp], Times]:
        """Of the stretches that last so long: the reading at which that is known, the time of the first."""
        began = self.at[there.first]
        known = np.searchsorted(self.at, began + delay)
        lasts = known < there.after
        return known[lasts], began[lasts]

    def _alternate(
        self, told: NDArray[np.intp], began: Times, over: NDArray[np.intp], ended: Times
    ) -> list[Life]:
        """Told, over, told, over: what lies between two of the same changes nothing."""
        lives: list[Life] = []
        place = -1
        while (here := int(np.searchsorted(told, place, side="right"))) < len(told):
            place = int(told[here])
            end = int(np.searchsorted(over, place, side="right"))
            there = end < len(over)
            lives.append(Life(int(began[here]), int(self.at[place]), int(ended[end]) if there else None))
            if not there:
                break
            place = int(over[end])
        return lives


def stretches(holds: NDArray[np.bool_]) -> Stretches:
    """The runs of readings of which something holds."""
    steps = np.diff(holds.astype(np.int8), prepend=0, append=0)
    return Stretches(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1))


def course_of(at: Sequence[int] | Times, value: Sequence[float] | Values) -> Course:
    """A course of readings in any order; of two for one time the smaller value, as detection has it."""
    times, values = np.asarray(at, np.int64), np.asarray(value, np.float64)
    order = np.lexsort((values, times))
    times, values = times[order], values[order]
    first = np.ones(len(times), np.bool_)
    first[1:] = times[1:] != times[:-1]
    return Course(times[first], values[first])
