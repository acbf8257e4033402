"""Groups of sensors looked at together, minute by minute, so that late readings still find their place.

In:  accepted readings of the sensors of the groups, in any order within the lateness; stream time.
Out: changes of signs: something that no single sensor's limits show (a zone that takes more water than its
     pumps account for, a manhole that rises in dry weather).
Promises: what stands in the end follows from the set of readings, not from the order in which they came.

All groups look at one table of readings by minute. A watcher is a pure fold over the minutes at which it
looks; its state after each look is kept for one lateness, and a late reading makes the fold run again from
its minute. Memory: a row of values a minute, for as long as the watcher that looks back furthest does, and
the states of one lateness.
"""

import math
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from schemas.times import MINUTE

Times = NDArray[np.int64]

SPARE = 30
"""Minutes for which there is room beyond what must be kept, so that making room is rare."""

Places = tuple[tuple[str, float], ...]
"""Assets at which a sign's cause may sit, each with its likelihood beside the likeliest (1.0)."""


class Sign(NamedTuple):
    """A condition of an asset that began at ``onset``, as it stands; ``cleared`` is None while it lasts."""

    asset: str
    condition: str
    onset: int
    cleared: int | None = None
    places: Places = ()


class Table:
    """By minute (counted since the epoch): the last good reading of each sensor in it, NaN for none."""

    def __init__(self, sensors: Iterable[str], most: int) -> None:
        """At most so many minutes are kept."""
        self.column = {sensor: index for index, sensor in enumerate(sensors)}
        self._width, self._most = len(self.column), most
        self.keep = 0
        """Nobody looks at the minutes before this one any more."""
        self._lay(0, 0)

    def _lay(self, first: int, count: int) -> None:
        """Begin with so many empty rows. They lie in plain arrays: writing into those one by one is quick."""
        self.first, self.count = first, count
        cells, shape = count * self._width, (count, self._width)
        self._values, self._newest = array("d", [math.nan]) * cells, array("H", [0]) * cells
        self.rows: NDArray[np.float64] = np.frombuffer(self._values, np.float64).reshape(shape)
        self.newest = np.frombuffer(self._newest, np.uint16).reshape(shape)
        """When in its minute each was read: milliseconds from 1 on, 0 for not at all."""

    def reach(self, minute: int) -> None:
        """See to it that there are rows up to this minute, if anything was heard at all."""
        if 0 < self.count <= minute - self.first:
            self._make_room(minute)

    def put(self, sensor: str, at: int, value: float) -> int:
        """Take a reading; its minute, or -1 where nobody looks at the sensor, or a newer one is there."""
        column = self.column.get(sensor)
        if column is None:
            return -1
        minute, within = divmod(at, MINUTE)
        row = minute - self.first
        if not 0 <= row < self.count:
            self._make_room(minute)
            row = minute - self.first
        cell = row * self._width + column
        newest = self._newest[cell]
        if within < newest and (within + 1 < newest or value >= self._values[cell]):
            return -1  # of two for one time, the same one always
        self._newest[cell] = within + 1
        self._values[cell] = value
        return minute

    def put_all(self, columns: NDArray[np.intp], at: Times, values: NDArray[np.float64]) -> None:
        """Take readings, of each sensor in order and newer than what it told before."""
        first, last = int(at.min()) // MINUTE, int(at.max()) // MINUTE
        for minute in (last, first):
            if not 0 <= minute - self.first < self.count:
                self._make_room(minute)
        if first == last:
            row = first - self.first
            self.newest[row][columns] = at - (first * MINUTE - 1)
            self.rows[row][columns] = values
            return
        minutes, within = np.divmod(at, MINUTE)
        rows = minutes - self.first
        self.newest[rows, columns] = within + 1
        self.rows[rows, columns] = values

    def _make_room(self, minute: int) -> None:
        """Let go of what nobody looks at any more, and add rows up to this minute and some beyond."""
        end = self.first + self.count
        if not self.count:
            begin, end = minute - SPARE, minute + SPARE
        elif minute < self.first:
            begin = minute - SPARE
        else:
            begin, end = max(self.first, min(self.keep, minute), minute - self._most), minute + SPARE
        since, until = max(begin, self.first), min(end, self.first + self.count)
        here = slice(since - self.first, max(until, since) - self.first)
        there = slice(since - begin, max(until, since) - begin)
        rows, newest = self.rows[here], self.newest[here]
        self._lay(begin, end - begin)
        self.rows[there], self.newest[there] = rows, newest

    def snapshot(self, late: int) -> dict[str, Any]:
        """What ``restore`` needs, as JSON. Readings are taken for the minutes from ``late`` on."""
        told: list[list[float]] = self.rows.tolist()
        rows = [[None if math.isnan(value) else value for value in row] for row in told]
        newest = self.newest[max(late - self.first, 0) :].tolist()
        return {"sensors": list(self.column), "first": self.first, "rows": rows, "newest": newest}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; sensors that are new begin without a past, others are let go."""
        self._lay(state["first"], len(state["rows"]))
        known = [(old, self.column[one]) for old, one in enumerate(state["sensors"]) if one in self.column]
        if self.count and known:
            old, new = np.array(known).T
            self.rows[:, new] = np.array(state["rows"], np.float64)[:, old]
            if late := len(state["newest"]):
                self.newest[-late:, new] = np.array(state["newest"], np.uint16)[:, old]


class Past:
    """What a watcher may look at: its sensors' values by minute, from the first that any of them told of."""

    def __init__(self, table: Table, sensors: Iterable[str]) -> None:
        self._table = table
        self.columns = np.array([table.column[sensor] for sensor in sensors], np.intp)
        self.since: int | None = None
        """The first minute; None as long as there is none."""

    def window(self, until: int, minutes: int) -> NDArray[np.float64]:
        """The rows of so many minutes up to and with the one that begins at ``until``; fewer at the start.

        Shape (minutes, sensors): the last good value of each sensor in the minute, NaN for none.
        """
        end = until // MINUTE + 1
        return self._rows(max(end - minutes, end if self.since is None else self.since), end)

    def first_told(self, since: int, until: int) -> int | None:
        """The first of these minutes in which any sensor told anything."""
        told = np.flatnonzero(~np.isnan(self._rows(since, until)).all(axis=1))
        return max(since, self._table.first) + int(told[0]) if len(told) else None

    def _rows(self, since: int, until: int) -> NDArray[np.float64]:
        first = self._table.first
        return self._table.rows[max(since - first, 0) : max(until - first, 0)].take(self.columns, axis=1)


class Watcher(Protocol):
    """Judges a group; pure."""

    sensors: tuple[str, ...]
    minutes: int
    """How far it looks back."""
    stride: int
    """Minutes from one look to the next: it looks at those that are a multiple of it, since the epoch."""

    def begin(self) -> Any:
        """The state before the first minute: nested tuples of JSON values."""

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One look further, at the minute that begins at ``at``: the state, and the signs that stand after it
        or that ended since the look before.
        """
        ...


@runtime_checkable
class Learner(Protocol):
    """A watcher whose state was learnt over days: it stays true, however long nothing was heard."""

    learns: bool


class Told(NamedTuple):
    """A change of what was told: the sign as it stands, whether it is new, whether it never was."""

    sign: Sign
    new: bool
    gone: bool


class Groups:
    """Watchers with what they remember."""

    def __init__(
        self, watchers: Sequence[Watcher], lateness: int, numbers: Mapping[str, int] | None = None
    ) -> None:
        """``numbers``: of the sensors, where somebody tells which of them are awaited."""
        self._lateness = lateness
        longest = max((watcher.minutes for watcher in watchers), default=0)
        self._back = lateness // MINUTE + longest + 1
        """How far before the minute judged last rows are needed."""
        sensors = dict.fromkeys(sensor for watcher in watchers for sensor in watcher.sensors)
        # No reading is further ahead of what was judged than the longest gap after which that still counts.
        self._table = Table(sensors, most=2 * self._back + SPARE)
        self._groups = [_Group(watcher, self._table, lateness, numbers or {}) for watcher in watchers]
        self._groups_of: dict[str, list[_Group]] = defaultdict(list)
        for group in self._groups:
            for sensor in group.watcher.sensors:
                self._groups_of[sensor].append(group)
        self._judged = self._newest = -1
        """The newest minute that all have judged, and that any has."""
        self._early = np.full(len(sensors) + 1, -1, np.int64)
        """By column, the newest minute that any group of that sensor judged before it was over."""
        self._rewound = False
        """Whether a reading came for such a minute since."""

    def hear(self, sensor: str, at: int, value: float) -> None:
        """Take a reading that detection has accepted."""
        if 0 <= (minute := self._table.put(sensor, at, value)) <= self._newest:
            for group in self._groups_of[sensor]:
                if minute <= max(self._judged, group.early):
                    self._rewound = True
                    group.changed = minute if group.changed is None else min(group.changed, minute)

    def columns(self, sensors: Sequence[str]) -> NDArray[np.intp]:
        """Which column of the table each sensor has; -1: nobody looks at it."""
        return np.array([self._table.column.get(sensor, -1) for sensor in sensors], np.intp)

    def judged(self, columns: NDArray[np.intp]) -> Times:
        """By column, the newest minute that is judged: readings of it, and of those before, change what was
        said.
        """
        return np.maximum(self._early[columns], self._judged)

    def hear_all(self, columns: NDArray[np.intp], at: Times, values: NDArray[np.float64]) -> None:
        """Take accepted readings of minutes that are not judged, of each sensor in order."""
        looked_at = columns >= 0
        if looked_at.any():
            self._table.put_all(columns[looked_at], at[looked_at], values[looked_at])

    def pass_to(self, now: int, awaited: NDArray[np.bool_] | None = None) -> Iterator[Told]:
        """Stream time is ``now``: judge every minute that is over; again from the first that a
        late reading changed.

        ``awaited``: by number, the sensors from which something is to come yet of this minute. Groups that
        wait for nobody judge it at once.
        """
        ready = now // MINUTE - 1
        if ready <= self._judged and not self._rewound and awaited is None:
            return
        self._rewound = False
        here = now // MINUTE
        self._table.reach(ready if awaited is None else here)
        for group in self._groups:
            judged = max(self._judged, group.early)
            if awaited is not None and group.early < here and not awaited[group.numbers].any():
                group.early = here
                self._early[group.columns] = here
            until = max(ready, group.early)
            if group.changed is not None or group.due <= until:
                lapse = now - judged * MINUTE - self._lateness
                yield from group.pass_to(judged, until, lapse)
            self._newest = max(until, self._newest)
        self._judged = max(ready, self._judged)
        self._table.keep = self._judged - self._back

    def standing(self) -> set[Sign]:
        """Signs that were told and have not ended."""
        return {sign for group in self._groups for sign in group.told if sign.cleared is None}

    def snapshot(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON."""
        return {
            "judged": self._judged,
            "table": self._table.snapshot(self._judged - self._lateness // MINUTE),
            "groups": [group.snapshot() for group in self._groups],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; groups that are new, or have other sensors, begin afresh."""
        self._judged = self._newest = state["judged"]
        self._table.restore(state["table"])
        self._table.keep = self._judged - self._back
        kept: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for one in state["groups"]:
            kept[one["watcher"], *one["sensors"]].append(one)
        for group in self._groups:
            if same := kept[group.name, *group.watcher.sensors]:
                group.restore(same.pop(0))
        self._rewound = any(group.changed is not None for group in self._groups)
        self._newest = max([self._judged, *(group.early for group in self._groups)])
        self._early[:] = -1
        for group in self._groups:
            self._early[group.columns] = np.maximum(self._early[group.columns], group.early)


class _Group:
    """A watcher with its memory."""

    def __init__(self, watcher: Watcher, table: Table, lateness: int, numbers: Mapping[str, int]) -> None:
        self.watcher, self._lateness = watcher, lateness
        self.name = type(watcher).__name__
        self._past = Past(table, watcher.sensors)
        self.columns = self._past.columns
        self.numbers = np.array([numbers[sensor] for sensor in watcher.sensors if sensor in numbers], np.intp)
        self._states: list[_Judged] = []
        """Those of one lateness, and the one before them to go on from."""
        self._told: dict[tuple[str, str, int], Sign] = {}
        self.due = 0
        """The minute of the next look; 0 as long as nothing was heard."""
        self.changed: int | None = None
        """The first minute that a late reading changed."""
        self.early = -1
        """The newest minute that was judged before it was over, as nothing more was to come of it."""

    @property
    def told(self) -> Iterable[Sign]:
        """Signs that were told, and not taken back."""
        return self._told.values()

    def pass_to(self, judged: int, ready: int, lapse: int) -> Iterator[Told]:
        """Look at the minutes up to ``ready``; those up to ``judged`` were. That was ``lapse`` and one
        lateness ago.
        """
        past, rewound, news = self._past, self.changed is not None, False
        if self.changed is not None:
            past.since = self.changed if past.since is None else min(self.changed, past.since)
            self._rewind(self.changed)
            self.changed = None
        if lapse > self.watcher.minutes * MINUTE:
            if rewound:  # what came late belongs to the time before the silence
                self._catch_up(judged)
                yield from self._tell()
            learnt = self._states[-1:] if isinstance(self.watcher, Learner) else []
            self._rewind(0)  # nothing was heard for so long that what was is no guide
            self._states, past.since = learnt, None
        if past.since is None and (first := past.first_told(judged + 1, ready + 1)) is not None:
            past.since = first
            self._rewind(first)
        if past.since is not None:
            news = self._catch_up(ready)
        if rewound or self._told or news:
            yield from self._tell()
        self._forget(ready * MINUTE - self._lateness)

    def _rewind(self, minute: int) -> None:
        """Forget what was judged from this minute on."""
        while self._states and self._states[-1].minute >= minute * MINUTE:
            self._states.pop()
        self.due = -(-minute // self.watcher.stride) * self.watcher.stride

    def _catch_up(self, ready: int) -> bool:
        """Every look that is due up to a minute; whether any shows signs."""
        news = False
        while self.due <= ready:
            news |= self._look(self.due * MINUTE)
            self.due += self.watcher.stride
        return news

    def _look(self, at: int) -> bool:
        """One look; whether it shows signs."""
        before = self._states[-1].state if self._states else self.watcher.begin()
        state, signs = self.watcher.step(before, self._past, at)
        self._states.append(_Judged(at, state, signs))
        return bool(signs)

    def _tell(self) -> Iterator[Told]:
        standing = {_key(sign): sign for judged in self._states for sign in judged.signs}
        for key, sign in sorted(standing.items()):
            if (known := self._told.get(key)) != sign:
                self._told[key] = sign
                yield Told(sign, new=known is None, gone=False)
        since = self._states[0].minute if self._states else (self._past.since or 0) * MINUTE
        for key in sorted(self._told.keys() - standing.keys()):
            sign = self._told.pop(key)
            if sign.cleared is None or sign.cleared >= since:  # else it ended long ago, and stays told
                yield Told(sign, new=False, gone=True)

    def _forget(self, final: int) -> None:
        """Now and then let go of the states that no late reading can change any more."""
        if self._states and self._states[0].minute < final - SPARE * MINUTE:
            del self._states[: max(bisect_left(self._states, final, key=_minute_of) - 1, 0)]

    def snapshot(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON."""
        return {
            "watcher": self.name,
            "sensors": list(self.watcher.sensors),
            "since": self._past.since,
            "states": self._states,
            "told": list(self._told.values()),
            "due": self.due,
            "changed": self.changed,
            "early": self.early,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._past.since, self.due, self.changed = state["since"], state["due"], state["changed"]
        self.early = state["early"]
        self._states = [
            _Judged(minute, as_tuples(after), tuple(map(_sign, signs)))
            for minute, after, signs in state["states"]
        ]
        self._told = {_key(sign): sign for sign in map(_sign, state["told"])}


class _Judged(NamedTuple):
    """A look: its minute, the watcher's state after it, and its signs."""

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
