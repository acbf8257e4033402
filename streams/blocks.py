"""Blocks of readings for detection: which sensors are meant, which readings are quiet.

In:  blocks as an archive has them; stretches of them within which stream time does not move.
Out: the same with detection's own numbers for sensors; which readings were taken in columns.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.readings import Block
from schemas.times import MINUTE
from streams.asleep import Asleep, Flags
from streams.groups import Groups
from streams.track import Track

STRETCH_MIN = 1_000
"""Readings that are looked at together at least; and as many as there are sensors."""


class Blocks:
    """What one detector needs to take blocks."""

    def __init__(self, tracks: Sequence[Track], groups: Groups, lateness: int, ahead: int) -> None:
        self.tracks = tracks
        self.assets = [track.spec.asset for track in tracks]
        self.numbers_of: dict[str, list[int]] = defaultdict(list)
        """By asset: its sensors."""
        for track in tracks:
            self.numbers_of[track.spec.asset].append(track.number)
        self.stretch = max(STRETCH_MIN, len(tracks))
        self._number = {track.spec.sensor: track.number for track in tracks}
        self._groups = groups
        self._columns = groups.columns([track.spec.sensor for track in tracks])
        self._asleep = Asleep(tracks, lateness, ahead)
        self._names: Sequence[str] = ()
        self._numbers = np.empty(0, np.int32)
        """By place in ``_names``: the sensor's number, -1 for a stranger."""

    def known(self, block: Block) -> Block:
        """Its readings of sensors that are in the city model, with their numbers there."""
        if block.names is not self._names:
            self._names, self._numbers = block.names, np.empty(0, np.int32)
        if len(block.names) > len(self._numbers):  # the same list may have grown
            found = [self._number.get(name, -1) for name in block.names]
            self._numbers = np.array(found, np.int32)
        block = block._replace(sensors=self._numbers[block.sensors])
        there = block.sensors >= 0
        if there.all():
            return block
        return block.rows(there)

    def take(self, part: Block, now: int, watched: Collection[int]) -> NDArray[np.bool_]:
        """Take what is quiet of a stretch; which readings were. ``watched``: sensors that are not asleep."""
        self._asleep.rest(now)
        sensors = part.sensors
        columns = self._columns[sensors]
        slow: Flags = (columns >= 0) & (part.at < (self._groups.judged(columns) + 1) * MINUTE)
        if watched:
            touched = np.zeros(len(self.tracks), np.bool_)
            touched[list(watched)] = True
            slow |= touched[sensors]
        quiet = self._asleep.take(sensors, part.at, part.values, part.qualities, slow, now)
        self._groups.hear_all(columns[quiet], part.at[quiet], part.values[quiet])
        return quiet

    def look_at(self, track: Track) -> None:
        """One reading of this sensor comes by itself."""
        if self._asleep.sleeps[track.number]:
            self._asleep.wake(track.number)

    def look_at_all(self) -> None:
        """Every track is asked for."""
        self._asleep.wake_all()
