"""One sensor's recent readings in event time, so that late ones can still be put in their place.

In:  readings in any order within the lateness, repeated or not.
Out: changes of the sensor's marks: each a mark as it was told before (or None) and as it is now (or None).
Promises: what stands in the end follows from the set of readings, not from the order in which they came.

Each reading is kept with the watch after it until it is older than the lateness; a late one is inserted
and the fold runs again from there. Memory: the readings of one lateness a sensor.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, NamedTuple

from streams.watch import Mark, Open, Spec, Watch, step

TRIM_MIN = 64
_tuple = tuple.__new__
"""Makes a named tuple in a third of the time that its own constructor takes."""


class Kept(NamedTuple):
    """One reading, with what was known after it."""

    at: int
    value: float
    quality: int
    watch: Watch
    marks: tuple[Mark, ...]


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

    __slots__ = ("base", "kept", "last_at", "spec", "trim_at")

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.base = Watch()
        self.kept: list[Kept] = []
        self.last_at = -1
        self.trim_at = TRIM_MIN
        """How many readings may gather before ``forget`` should be asked."""

    def append(self, at: int, value: float, quality: int) -> tuple[Mark, ...]:
        """Take the newest reading; its marks are new."""
        kept = self.kept
        watch, marks = step(self.spec, kept[-1].watch if kept else self.base, at, value, quality)
        kept.append(_tuple(Kept, (at, value, quality, watch, marks)))
        self.last_at = at
        return marks

    def forget(self, before: int) -> None:
        """Let go of readings older than ``before``: nothing so late is taken any more."""
        kept = self.kept
        gone = bisect_left(kept, before, key=_at)
        if gone:
            self.base = kept[gone - 1].watch
            del kept[:gone]
        self.trim_at = max(TRIM_MIN, 2 * len(kept))

    def insert(self, at: int, value: float, quality: int) -> list[Change] | None:
        """Put a late reading in its place; None when it repeats one that is there.

        Where two readings of one time differ, the better quality wins, then the smaller value: a rule
        is needed that doesn't depend on which came first.
        """
        kept = self.kept
        place = bisect_left(kept, at, key=_at)
        end = place
        if place < len(kept) and kept[place].at == at:
            there = kept[place]
            if (quality, value) >= (there.quality, there.value):
                return None
            end = place + 1
        before = [mark for item in kept[place:] for mark in item.marks]
        refold = [(at, value, quality), *((k.at, k.value, k.quality) for k in kept[end:])]
        del kept[place:]
        for reading in refold:
            self.append(*reading)
        after = [mark for item in kept[place:] for mark in item.marks]
        return compare(before, after)

    def snapshot(self) -> list[Any]:
        """What ``restore`` needs, as JSON."""
        return [self.last_at, self.base, [k[:3] for k in self.kept]]

    def restore(self, state: list[Any]) -> None:
        """Go on from a snapshot: the fold over the kept readings gives the watches back."""
        last_at, base, readings = state
        self.base = Watch(*base)._replace(open=tuple(Open(*o) for o in base[2]))
        self.kept = []
        for reading in readings:
            self.append(*reading)
        self.last_at = last_at


def _at(kept: Kept) -> int:
    return kept.at


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
