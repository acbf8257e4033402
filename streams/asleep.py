"""Sensors of which nothing can come: their readings are taken in columns, many sensors at once.

In:  blocks of readings, stream time; the tracks that detection keeps.
Out: which readings are proven to be quiet, after they were taken; all others are to be taken one by one.
Promises: what ``Track.append`` would know of a quiet reading is known here; a sensor that is looked at again
one by one (``wake``) has the very track that it would have had.

A sensor sleeps while no condition of it is under way. A reading leaves it asleep if it is good, in order,
not late and not ahead, within all limits, not too steep, and in no run of equal values that could be called
frozen. ``streams.watch.step`` then tells nothing, and changes only what stands here in arrays. Quiet readings
of different sensors don't depend on each other, so those of one stretch of stream time can be taken sensor
beside sensor: a round takes the first reading of each, the next round the second.

Readings of one or two lifetimes of the lateness are kept as they came; from them ``wake`` rebuilds the track.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.times import MINUTE
from streams.track import Track
from streams.watch import BAD, FROZEN_CHANCE, FROZEN_PAIRS_MIN, FROZEN_RUN_MIN, PAIRS_MAX, RATE_GAP, Watch

Numbers = NDArray[np.int32]
Times = NDArray[np.int64]
Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

SURE = 1.0 - 1e-9
"""numpy's logarithm may differ from Python's in the last digit: what is so near is looked at one by one."""


@dataclass(slots=True)
class _Kept:
    """The state of all sensors at a moment, and the readings taken asleep since."""

    since: int
    """Stream time at the moment."""
    at: Times
    watches: tuple[NDArray[Any], ...]
    readings: list[tuple[Numbers, Times, Values, NDArray[np.uint8]]] = field(default_factory=list)


class Asleep:
    """Every sensor of a city, by number; ``lateness`` and ``ahead`` (ms) are how far a reading may be from
    stream time.
    """

    def __init__(self, tracks: Sequence[Track], lateness: int, ahead: int) -> None:
        self._tracks, self._lateness, self._ahead = tracks, lateness, ahead
        specs = [track.spec for track in tracks]
        count = len(tracks)
        self._lowest = np.array([spec.lowest_quiet for spec in specs])
        self._highest = np.array([spec.highest_quiet for spec in specs])
        self._rate = np.array([spec.rate or 0.0 for spec in specs])
        self._rated = np.array([spec.rate is not None for spec in specs], np.bool_)
        self._gap = np.array([RATE_GAP * spec.every for spec in specs], np.int64)
        self.sleeps = np.zeros(count, np.bool_)
        """Whether a sensor's state stands here; else in its track."""
        self._awake = set(range(count))
        self._at = np.full(count, -1, np.int64)
        self._value = np.full(count, np.nan)
        self._run, self._run_since = np.zeros(count, np.int64), np.full(count, -1, np.int64)
        self._pairs, self._equal = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._kept: list[_Kept] = []

    def rest(self, now: int) -> None:
        """Let every sensor sleep of which nothing is under way; now and then, forget what is too old."""
        for number in [n for n in self._awake if not self._tracks[n].watch.open]:
            watch = self._tracks[number].watch
            self._at[number] = self._tracks[number].last_at
            self._value[number] = math.nan if watch.value is None else watch.value
            self._run[number], self._run_since[number] = watch.run, watch.run_since
            self._pairs[number], self._equal[number] = watch.pairs, watch.equal
            self.sleeps[number] = True
            self._awake.discard(number)
        # What began so long ago holds no reading before which a late one could still come.
        if not self._kept or now - self._kept[-1].since > self._lateness + self._ahead:
            state = (self._value, self._run, self._run_since, self._pairs, self._equal)
            fresh = _Kept(now, self._at.copy(), tuple(column.copy() for column in state))
            self._kept = [*self._kept[-1:], fresh]

    def take(
        self, sensors: Numbers, at: Times, values: Values, qualities: NDArray[np.uint8], slow: Flags, now: int
    ) -> Flags:
        """Take what is quiet of a stretch within which stream time does not move; which readings were.

        ``slow``: readings that are to be taken one by one for other reasons.
        """
        slow = (
            slow
            | ~self.sleeps[sensors]
            | (qualities == BAD)
            | ~((self._lowest[sensors] <= values) & (values <= self._highest[sensors]))
            | (at > now + self._ahead)
            | (at < now - self._lateness)
        )
        quiet = ~self._with_all_of(sensors, slow)
        left = np.flatnonzero(quiet)
        while len(left):  # the first reading of each sensor that is left, then the next
            first = self._first(sensors[left])
            taken = left[first]
            steady = self._round(sensors[taken], at[taken], values[taken])
            left = left[~first]
            if not steady.all():
                quiet[taken[~steady]] = False
                turned = np.zeros(len(self._tracks), np.bool_)
                turned[sensors[taken[~steady]]] = True
                quiet[left[turned[sensors[left]]]] = False
                left = left[~turned[sensors[left]]]
        if quiet.any():
            whole = (sensors, at, values, qualities)
            columns = whole if quiet.all() else tuple(column[quiet] for column in whole)
            self._kept[-1].readings.append(columns)  # type: ignore[arg-type] # four columns, as above
        return quiet

    def _with_all_of(self, sensors: Numbers, chosen: Flags) -> Flags:
        """All readings of the sensors of which some are chosen: a sensor's readings keep their order."""
        if not chosen.any():
            return chosen
        touched = np.zeros(len(self._tracks), np.bool_)
        touched[sensors[chosen]] = True
        found: Flags = touched[sensors]
        return found

    def _first(self, sensors: Numbers) -> Flags:
        """Of each sensor its first reading."""
        place = np.empty(len(self._tracks), np.intp)
        order = np.arange(len(sensors))
        place[sensors[::-1]] = order[::-1]  # of several assignments the last one stands
        return np.asarray(place[sensors] == order, np.bool_)

    def _round(self, sensors: Numbers, at: Times, values: Values) -> Flags:
        """One reading of each sensor, as ``streams.watch.step`` takes it; which ones it leaves asleep."""
        last_at, last = self._at[sensors], self._value[sensors]
        same = values == last
        run = np.where(same, self._run[sensors] + 1, 0)
        learns = run < FROZEN_RUN_MIN
        pairs = self._pairs[sensors] + learns
        equal = self._equal[sensors] + np.where(learns, run, 0)
        full = learns & (pairs >= PAIRS_MAX)
        pairs, equal = np.where(full, pairs // 2, pairs), np.where(full, equal // 2, equal)
        elapsed = at - last_at
        steady: Flags = elapsed > 0
        if not learns.all():
            chance = run * np.log((equal + 1) / (pairs + 2))
            frozen = ~learns & (values != 0) & (pairs >= FROZEN_PAIRS_MIN)
            steady &= ~(frozen & (chance <= math.log(FROZEN_CHANCE) * SURE))
        if (rated := self._rated[sensors]).any():
            near = elapsed <= self._gap[sensors]
            steady &= ~(rated & near & (np.abs(values - last) > self._rate[sensors] * (elapsed / MINUTE)))
        run_since = np.where(same & (run == 1), last_at, self._run_since[sensors])
        if not steady.all():
            sensors, at, values = sensors[steady], at[steady], values[steady]
            run, run_since, pairs, equal = run[steady], run_since[steady], pairs[steady], equal[steady]
        self._at[sensors], self._value[sensors] = at, values
        self._run[sensors], self._run_since[sensors] = run, run_since
        self._pairs[sensors], self._equal[sensors] = pairs, equal
        return steady

    def wake(self, number: int) -> None:
        """Give a sensor its track back, as it would be."""
        track = self._tracks[number]
        self.sleeps[number] = False
        self._awake.add(number)
        if self._kept and track.last_at < (at := int(self._kept[0].at[number])):
            value, run, run_since, pairs, equal = (column[number] for column in self._kept[0].watches)
            track.go_on(Watch(at, float(value), (), int(run), int(run_since), int(pairs), int(equal)))
        for kept in self._kept:
            for sensors, times, values, qualities in kept.readings:
                for row in np.flatnonzero(sensors == number).tolist():
                    if (time := int(times[row])) > track.last_at:
                        track.append(time, float(values[row]), int(qualities[row]))

    def wake_all(self) -> None:
        """Give every sensor its track back."""
        for number in np.flatnonzero(self.sleeps).tolist():
            self.wake(number)
