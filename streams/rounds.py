"""Whether what was due by now has come, so that it is worth a look before time moves on.

In:  readings as they come, by the sensor's number in the city model; moves of stream time.
Out: the readings with which a round of reports is as good as whole, and whole; whom a minute still waits for.
Promises: says the same of the same readings, one by one or many at once. Who missed two reports is waited for
no longer. Clocks that report on the full minute move stream time with the first tenth of their reports:
without this, what the others say would be looked at a minute later.
"""

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.city import City
from schemas.readings import Block
from schemas.times import MINUTE, SECOND

FEW = 10
"""A round is as good as whole when one in so many of those that were due is still to come: networks lose or
delay some in a hundred."""
SLACK = 4
"""Clocks differ: a report may come this part of the shortest interval before it is due."""


class Rounds:
    """The round of reports under way, and when every sensor was last heard (event time, ms)."""

    def __init__(self, city: City) -> None:
        self.number = {sensor.id: number for number, sensor in enumerate(city.sensors)}
        """Of each sensor in the city model."""
        self._every = np.array([round(sensor.every * SECOND) for sensor in city.sensors], np.int64)
        self._every_of: list[int] = self._every.tolist()
        shortest = min(self._every_of, default=MINUTE)
        self._slack, self._apart = shortest // SLACK, shortest // 2
        self._heard, self._due = array("q", [-1]) * len(self.number), bytearray(len(self.number))
        self._heard_at = np.frombuffer(self._heard, np.int64)
        self._due_now = np.frombuffer(self._due, np.bool_)
        """The same for many at once: plain arrays are quicker one by one."""
        self._began = self._left = self._few = 0

    def begin(self, now: int) -> None:
        """Stream time has moved to ``now``: a round begins with those that are due and have not come."""
        if now < self._began + self._apart:
            return
        self._began = now
        silent = now - self._heard_at + self._slack
        np.copyto(self._due_now, (self._heard_at >= 0) & (silent >= self._every) & (silent < 2 * self._every))
        self._left = int(np.count_nonzero(self._due_now))
        self._few = self._left // FEW

    def hear(self, number: int, at: int) -> bool:
        """A reading came; whether with it the round is as good as whole, or whole."""
        self._heard[number] = max(at, self._heard[number])
        if not self._due[number] or at <= self._began - self._every_of[number]:
            return False
        self._due[number] = False
        self._left -= 1
        return self._left == self._few or not self._left

    def first_whole(self, readings: Block, until: int) -> int | None:
        """Which of these readings, heard in this order, would be the first of which ``hear`` says so; those
        of later than ``until`` are not heard.
        """
        if not self._left:
            return None
        counts = np.flatnonzero(self._counts(readings) & (readings.at <= until))
        first = np.sort(np.unique(readings.sensors[counts], return_index=True)[1])
        missing = self._left - self._few if self._left > self._few else self._left
        return int(counts[first[missing - 1]]) if len(first) >= missing else None

    def hear_all(self, readings: Block, until: int) -> None:
        """Readings came, one after the other; those of later than ``until`` are not heard."""
        if not (punctual := readings.at <= until).all():
            readings = readings.rows(punctual)
        self._due_now[readings.sensors[self._counts(readings)]] = False
        self._left = int(np.count_nonzero(self._due_now))
        np.maximum.at(self._heard_at, readings.sensors, readings.at)

    def _counts(self, readings: Block) -> NDArray[np.bool_]:
        """Which of them are what was due of their sensors."""
        numbers = readings.sensors
        counts: NDArray[np.bool_] = self._due_now[numbers] & (
            readings.at > self._began - self._every[numbers]
        )
        return counts

    def awaited(self, now: int) -> NDArray[np.bool_]:
        """By number: from whom something is still to come of the minute of stream time ``now``."""
        due = self._heard_at + self._every
        awaited: NDArray[np.bool_] = (due < (now // MINUTE + 1) * MINUTE) & (due > now - self._every)
        return awaited

    def snapshot(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON."""
        return {
            "heard": self._heard.tolist(),
            "due": np.flatnonzero(self._due_now).tolist(),
            "began": self._began,
            "few": self._few,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; with more or fewer sensors than it had, begin afresh."""
        if len(state["heard"]) == len(self._heard_at):
            self._heard_at[:] = state["heard"]
            self._due_now[:] = False
            self._due_now[state["due"]] = True
            self._left, self._few, self._began = len(state["due"]), state["few"], state["began"]
