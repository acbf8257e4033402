"""What sensors read on many days, on disk, so that a month of a large city needs little memory.

In:  records of a day in the order received, each frame of one moment.
Out: for each sensor and day its course: good readings in event time.
Promises: a day is in memory while it is laid down, a sensor while it is looked at. What detection would set
aside (readings that come too late, or from a clock that runs ahead) is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from runner.replay import Heard
from schemas.readings import Frame, Quality
from streams.detect import LATENESS
from streams.fastclocks import AHEAD
from streams.lives import Course, course_of


def lay_down(records: Iterable[Heard], sensors: Sequence[str], folder: Path) -> Iterator[Heard]:
    """Pass records on; after the last one their readings are in the folder, by sensor and event time."""
    numbers = {sensor: number for number, sensor in enumerate(sensors)}
    parts: list[tuple[list[int], list[int], list[float], list[int], int]] = []
    for record in records:
        if isinstance(record, Frame):
            which = [numbers.get(sensor, -1) for sensor in record.sensors]
            parts.append((which, record.at, record.values, record.qualities, record.received))
        yield record
    sensor = np.concatenate([np.asarray(part[0], np.int32) for part in parts] or [np.empty(0, np.int32)])
    at = np.concatenate([np.asarray(part[1], np.int64) for part in parts] or [np.empty(0, np.int64)])
    value = np.concatenate([np.asarray(part[2], np.float64) for part in parts] or [np.empty(0)])
    quality = np.concatenate([np.asarray(part[3], np.uint8) for part in parts] or [np.empty(0, np.uint8)])
    received = np.repeat(np.asarray([part[4] for part in parts], np.int64), [len(part[0]) for part in parts])
    punctual = (at <= received + AHEAD) & (at >= received - LATENESS)
    good = (sensor >= 0) & (quality != Quality.BAD) & punctual
    sensor, at, value = sensor[good], at[good], value[good]
    order = np.lexsort((at, sensor))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "first.npy", np.searchsorted(sensor[order], np.arange(len(sensors) + 1)))
    np.save(folder / "at.npy", at[order])
    np.save(folder / "value.npy", value[order])


class History:
    """The days that were laid down, each in its folder."""

    def __init__(self, folders: Sequence[Path], sensors: Sequence[str]) -> None:
        self._numbers = {sensor: number for number, sensor in enumerate(sensors)}
        self._days = [
            tuple(
                np.load(folder / f"{name}.npy", mmap_mode="r" if (folder / "at.npy").stat().st_size else None)
                for name in ("first", "at", "value")
            )
            for folder in folders
        ]

    def courses(self, sensor: str) -> list[Course]:
        """What it read, day by day; of a day on which it said nothing an empty course."""
        number = self._numbers[sensor]
        found = []
        for first, at, value in self._days:
            rows = slice(int(first[number]), int(first[number + 1]))
            found.append(course_of(np.asarray(at[rows]), np.asarray(value[rows])))
        return found
