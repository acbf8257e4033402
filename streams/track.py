"""One sensor's recent readings in event time, so that late ones can still be put in their place.

In:  readings in any order within the lateness, repeated or not.
Out: changes of the sensor's marks: each a mark as it was told before (or None) and as it is now (or None).
Promises: what stands in the end follows from the set of readings, not from the order in which they came.

A late reading is inserted, and what is kept from there on is folded again. Memory: the readings of two
latenesses a sensor at most, in plain arrays: 17 bytes each.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from copy import copy
from typing import Any, NamedTuple

from streams.watch import Mark, Open, Spec, Watch, step

TRIM = 32
"""Readings after which it is asked again whether some can go."""


class Change(NamedTuple):
    """A condition of the sensor that began at ``onset`` stands differently than was told before."""

    condition: str
    onset: int
    cleared: int | None
    new: bool
    """Not told before."""
    gone: bool
    """Was told, and never was."""


class Track:
    """The recent past of one sensor."""

    __slots__ = (
        "_base",
        "_before",
        "_half",
        "_half_watch",
        "_marks",
        "_qualities",
        "_values",
        "ats",
        "last_at",
        "number",
        "spec",
        "trim_at",
        "watch",
    )

    def __init__(self, spec: Spec, number: int = 0) -> None:
        self.spec = spec
        self.number = number
        """Of the sensor in the city model."""
        self._base = self._half_watch = self.watch = Watch()
        """What was known before the readings that are kept, before the one at ``_half``, and after them."""
        self._half = 0
        self.ats, self._values, self._qualities = array("q"), array("d"), array("b")
        """The readings that are kept: event times, values, qualities."""
        self._marks: list[tuple[int, tuple[Mark, ...]]] = []
        """By event time: the marks of the readings that made any."""
        self._before = (-1, spec)
        """Readings up to this event time are judged by these limits, also those that come late."""
        self.last_at = -1
        self.trim_at = 2 * TRIM
        """How many readings may gather before ``forget`` should be asked."""

    def go_on(self, watch: Watch) -> None:
        """Forget all readings: what was known after the last of them is enough."""
        self._base = self._half_watch = self.watch = watch
        self._half, self.trim_at, self.last_at = 0, 2 * TRIM, watch.at
        del self.ats[:], self._values[:], self._qualities[:], self._marks[:]

    def append(self, at: int, value: float, quality: int) -> tuple[Mark, ...]:
        """Take the newest reading; its marks are new."""
        self.watch, marks = step(self.spec, self.watch, at, value, quality)
        self.ats.append(at)
        self._values.append(value)
        self._qualities.append(quality)
        self.last_at = at
        if marks:
            self._marks.append((at, marks))
        return marks

    def forget(self, before: int) -> None:
        """Let go of the first half if it is older than ``before``: nothing so late is taken any more."""
        half = self._half
        if not half or self.ats[half - 1] < before:
            del self.ats[:half], self._values[:half], self._qualities[:half]
            del self._marks[: bisect_left(self._marks, before, key=_at)]
            self._base = self._half_watch
            self._half, self._half_watch = len(self.ats), self.watch
        self.trim_at = len(self.ats) + TRIM

    def insert(self, at: int, value: float, quality: int) -> list[Change] | None:
        """Put a late reading in its place; None when it repeats one that is there.

        Where two readings of one time differ, the better quality wins, then the smaller value: a rule
        is needed that doesn't depend on which came first.
        """
        place = bisect_left(self.ats, at)
        if place < len(self.ats) and self.ats[place] == at:
            if (quality, value) >= (self._qualities[place], self._values[place]):
                return None
            self._values[place], self._qualities[place] = value, quality
        else:
            self.ats.insert(place, at)
            self._values.insert(place, value)
            self._qualities.insert(place, quality)
            self._half += place < self._half
        before = list(_since(self._marks, at))
        self._fold(place)
        return compare(before, _since(self._marks, at))

    def _fold(self, place: int) -> None:
        """Take again what is kept from a place on."""
        begin, self.watch = (0, self._base) if place < self._half else (self._half, self._half_watch)
        readings = zip(self.ats[begin:], self._values[begin:], self._qualities[begin:], strict=True)
        if begin < len(self.ats):
            del self._marks[bisect_left(self._marks, self.ats[begin], key=_at) :]
        for number, (at, value, quality) in enumerate(readings, begin):
            if number == self._half:
                self._half_watch = self.watch
            spec = self.spec if at > self._before[0] else self._before[1]
            self.watch, marks = step(spec, self.watch, at, value, quality)
            if marks:
                self._marks.append((at, marks))
        if self._half == len(self.ats):
            self._half_watch = self.watch

    def snapshot(self) -> list[Any]:
        """What ``restore`` needs, as JSON."""
        readings = self.ats.tolist(), self._values.tolist(), self._qualities.tolist()
        return [self.last_at, self._base, *readings]

    def restore(self, state: list[Any]) -> None:
        """Go on from a snapshot: the fold over the kept readings gives the rest back."""
        self.last_at, base, ats, values, qualities = state
        self._base = Watch(*base)._replace(open=tuple(Open(*o) for o in base[2]))
        self.ats, self._values, self._qualities = array("q", ats), array("d", values), array("b", qualities)
        self._half, self.trim_at = len(ats), len(ats) + TRIM
        self._fold(0)

    def go_on_from(self, other: "Track") -> None:
        """Take over what was judged of the sensor by other limits: ours hold from the next reading on."""
        own, number = self.spec, self.number
        for name in self.__slots__:
            setattr(self, name, copy(getattr(other, name)))
        self.number = number
        self._before = other.last_at, other.spec
        self.spec = own._replace(severities={**other.spec.severities, **own.severities})


def _at(marked: tuple[int, tuple[Mark, ...]]) -> int:
    return marked[0]


def _since(marked: list[tuple[int, tuple[Mark, ...]]], at: int) -> Iterable[Mark]:
    """The marks of readings from a time on."""
    return (mark for _, marks in marked[bisect_left(marked, at, key=_at) :] for mark in marks)


def compare(before: Iterable[Mark], after: Iterable[Mark]) -> list[Change]:
    """What the marks of a stretch of readings say differently than before."""
    old, new = _standing(before), _standing(after)
    found = []
    for key in sorted(old.keys() | new.keys()):
        was_raised, was_cleared = old.get(key, (False, None))
        raised, cleared = new.get(key, (False, None))
        if (was_raised, was_cleared) != (raised, cleared):
            found.append(Change(*key, cleared, new=raised and not was_raised, gone=was_raised and not raised))
    return found


def _standing(marks: Iterable[Mark]) -> dict[tuple[str, int], tuple[bool, int | None]]:
    """By condition and onset: whether it was raised within the stretch, and when it cleared."""
    standing: dict[tuple[str, int], tuple[bool, int | None]] = {}
    for mark in marks:
        raised, _ = standing.get(mark[:2], (False, None))
        standing[mark[:2]] = (raised or mark.cleared is None, mark.cleared)
    return standing
