"""Groups of sensors looked at together, minute by minute, so that late readings still find their place.

In:  accepted readings of the sensors of one group, in any order within the lateness; stream time.
Out: changes of signs: something that no single sensor's limits show (a zone that takes more water than its
     pumps account for, a manhole that rises in dry weather).
Promises: what stands in the end follows from the set of readings, not from the order in which they came.

A watcher is a pure fold over minutes. Its state after each minute is kept for one lateness; a late reading
makes the fold run again from its minute. Memory: a row of values a minute for as long as the watcher looks
back, and its states of one lateness.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.times import MINUTE

SETTLE = 1 * MINUTE
"""How long after its end a minute is judged: most stragglers have come, and need no second judgement."""
SPARE = 30
"""Minutes that are kept longer than they must be, so that letting go is rare."""

Places = tuple[tuple[str, float], ...]
"""Assets at which a sign's cause may sit, each with its likelihood beside the likeliest (1.0)."""


class Sign(NamedTuple):
    """A condition of an asset that began at ``onset``, as it stands; ``cleared`` is None while it lasts."""

    asset: str
    condition: str
    onset: int
    cleared: int | None = None
    places: Places = ()


class Past:
    """What a watcher may look at: the group's values by minute, up to the minute that is being judged."""

    def __init__(self, sensors: tuple[str, ...]) -> None:
        self.place = {sensor: index for index, sensor in enumerate(sensors)}
        self._table = np.empty((4 * SPARE, len(sensors)))
        self._first = 0
        """Where the rows begin in the table; they lie in one piece, so that a window is no copy."""
        self._count = 0
        self._since = 0
        """The minute (ms) of the first row."""

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> NDArray[np.float64]:
        """By minute: the last good value of each sensor in it, NaN for none. Not to be written to."""
        return self._table[self._first : self._first + self._count]

    @property
    def last(self) -> int:
        """The newest minute that has a row; the one before the first where there is none yet."""
        return self._since + (self._count - 1) * MINUTE

    def window(self, until: int, minutes: int) -> NDArray[np.float64]:
        """The rows of so many minutes up to and with the one that begins at ``until``; fewer at the start.

        Shape (minutes, sensors). Not to be written to.
        """
        end = min((until - self._since) // MINUTE + 1, self._count)
        return self.rows[max(end - minutes, 0) : max(end, 0)]

    def add(self, minute: int, row: NDArray[np.float64]) -> None:
        """The row of the minute after the last."""
        if not self._count:
            self._since = minute
        end = self._first + self._count
        if end == len(self._table):
            room = len(self._table) * (2 if self._count > len(self._table) // 2 else 1)
            table = np.empty((room, self._table.shape[1]))
            table[: self._count] = self.rows
            self._table, self._first, end = table, 0, self._count
        self._table[end] = row
        self._count += 1

    def cut(self, minute: int) -> None:
        """Let go of the rows from this minute on."""
        self._count = min(max((minute - self._since) // MINUTE, 0), self._count)

    def forget(self, before: int) -> None:
        """Let go of the rows before this minute."""
        gone = min(max((before - self._since) // MINUTE, 0), self._count)
        self._first += gone
        self._count -= gone
        self._since += gone * MINUTE


class Watcher(Protocol):
    """Judges a group minute by minute; pure."""

    sensors: tuple[str, ...]
    minutes: int
    """How far it looks back."""

    def begin(self) -> Any:
        """The state before the first minute: nested tuples of JSON values."""

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One minute further, the one that begins at ``at``: the state, and the signs that stand after it
        or that ended in it.
        """
        ...


class Told(NamedTuple):
    """A change of what was told: the sign as it stands, whether it is new, whether it never was."""

    sign: Sign
    new: bool
    gone: bool


class Group:
    """A watcher with its memory."""

    def __init__(self, watcher: Watcher, lateness: int) -> None:
        self._watcher, self._lateness = watcher, lateness
        self.sensors = watcher.sensors
        self._past = Past(watcher.sensors)
        self._heard: dict[int, dict[int, tuple[int, float]]] = {}
        """By minute and sensor: the newest reading in it."""
        self._states: list[_Judged] = []
        """The minutes of one lateness, and the one before them to go on from."""
        self._told: dict[tuple[str, str, int], Sign] = {}
        self._dirty: int | None = None
        """The first minute that has to be judged again."""

    def hear(self, sensor: str, at: int, value: float) -> None:
        """Take a reading that detection has accepted."""
        minute = at - at % MINUTE
        index = self._past.place[sensor]
        row = self._heard.setdefault(minute, {})
        newest, there = row.get(index, (-1, value))
        if at > newest or (at == newest and value < there):  # of two for one time, the same one always
            row[index] = at, value
            if len(self._past) and minute <= self._past.last:
                self._dirty = minute if self._dirty is None else min(self._dirty, minute)

    def pass_to(self, now: int) -> Iterator[Told]:
        """Stream time is ``now``: judge every minute that is over and settled; again from the first that a
        late reading changed.
        """
        rewound = self._dirty is not None
        if self._dirty is not None:
            self._rewind(self._dirty)
            self._dirty = None
        past = self._past
        if len(past) and now - past.last > self._lateness + self._watcher.minutes * MINUTE:
            self._heard = {minute: row for minute, row in self._heard.items() if minute > past.last}
            self._rewind(0)  # nothing was heard for so long that what was is no guide
        following = past.last + MINUTE if len(past) else min(self._heard, default=now)
        judged = 0
        while following + MINUTE + SETTLE <= now:
            self._judge(following)
            following += MINUTE
            judged += 1
        if (
            rewound
            or self._told
            or any(self._states[-n].signs for n in range(1, min(judged, len(self._states)) + 1))
        ):
            yield from self._tell()
        if len(self._states) > self._lateness // MINUTE + SPARE:
            self._forget(now)

    def _rewind(self, minute: int) -> None:
        """Forget what was judged from this minute on."""
        self._past.cut(minute)
        while self._states and self._states[-1].minute >= minute:
            self._states.pop()

    def _judge(self, minute: int) -> None:
        row = np.full(len(self._past.place), np.nan)
        for index, (_, value) in self._heard.get(minute, {}).items():
            row[index] = value
        self._past.add(minute, row)
        before = self._states[-1].state if self._states else self._watcher.begin()
        state, signs = self._watcher.step(before, self._past, minute)
        self._states.append(_Judged(minute, state, signs))

    def _tell(self) -> Iterator[Told]:
        standing = {_key(sign): sign for judged in self._states for sign in judged.signs}
        for key, sign in sorted(standing.items()):
            if (known := self._told.get(key)) != sign:
                self._told[key] = sign
                yield Told(sign, new=known is None, gone=False)
        since = self._states[0].minute if self._states else 0
        for key in sorted(self._told.keys() - standing.keys()):
            sign = self._told.pop(key)
            if sign.cleared is None or sign.cleared >= since:  # else it ended long ago, and stays told
                yield Told(sign, new=False, gone=True)

    def _forget(self, now: int) -> None:
        """Let go of what no late reading can change and no watcher looks at."""
        final = now - self._lateness - MINUTE
        del self._states[: max(bisect_left(self._states, final, key=_minute_of) - 1, 0)]
        for minute in [minute for minute in self._heard if minute < final]:
            del self._heard[minute]
        self._past.forget(final - self._watcher.minutes * MINUTE)

    def snapshot(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON."""
        return {
            "sensors": list(self.sensors),
            "last": self._past.last,
            "rows": [[None if np.isnan(v) else float(v) for v in row] for row in self._past.rows],
            "heard": [[minute, [[i, *r] for i, r in row.items()]] for minute, row in self._heard.items()],
            "states": self._states,
            "told": list(self._told.values()),
            "dirty": self._dirty,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; where the group's sensors are others now, it begins afresh."""
        if state["sensors"] != list(self.sensors):
            return
        self._past = Past(self.sensors)
        first = state["last"] - (len(state["rows"]) - 1) * MINUTE
        for number, row in enumerate(state["rows"]):
            self._past.add(first + number * MINUTE, np.array([np.nan if v is None else v for v in row]))
        self._heard = {
            minute: {index: (at, value) for index, at, value in row} for minute, row in state["heard"]
        }
        self._states = [
            _Judged(minute, as_tuples(after), tuple(map(_sign, signs)))
            for minute, after, signs in state["states"]
        ]
        self._told = {_key(sign): sign for sign in map(_sign, state["told"])}
        self._dirty = state["dirty"]


class _Judged(NamedTuple):
    """A minute that was judged: the watcher's state after it, and its signs."""

    minute: int
    state: Any
    signs: tuple[Sign, ...]


def _key(sign: Sign) -> tuple[str, str, int]:
    return sign.asset, sign.condition, sign.onset


def _minute_of(judged: _Judged) -> int:
    return judged.minute


def _sign(parts: list[Any]) -> Sign:
    asset, condition, onset, cleared, places = parts
    return Sign(asset, condition, onset, cleared, tuple((where, share) for where, share in places))


def as_tuples(value: Any) -> Any:
    """Lists, as JSON gives them back, as the tuples that they were."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value
