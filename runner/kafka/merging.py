"""What the topic of readings holds of a city, as one log: to archive it, to replay it otherwise.

In:  the topic of readings, between two times of writing.
Out: frames, events and ticks for one core whose time comes by ticks alone (``Core(told=True)``); frames
     joined to blocks, for whoever has many.
Promises: between two ticks come the records of all partitions, partition by partition; a tick comes when
every partition has it. So detection sees each reading at the stream time at which the workers saw it. Memory:
a record of each partition. No group's offsets are touched.
"""

from collections.abc import Generator, Iterable, Iterator
from typing import Any

import numpy as np
from pydantic import ValidationError

from runner.kafka.reading import count_of, read
from runner.kafka.records import Layout
from runner.kafka.settings import KafkaSettings
from runner.kafka.stages import why
from runner.log import Logged
from runner.replay import Heard
from schemas.city import City
from schemas.readings import RECORD, Block, Frame, Tick
from schemas.topics import READINGS

FAULTS_MAX = 100
NOTHING = (-1, 0)
"""The tick that a partition has reached: its time, and how often time stood there. Said again it is a look of
its own: what was due has come.
"""


class KafkaLog:
    """The records of a city; an input for a replay. ``finish``: where they end, time goes on to the last tick
    that any partition has; else they end with what belongs to the last tick that all have. Raises
    KafkaFailed where Kafka does not answer or lacks the topic.
    """

    def __init__(
        self,
        city: City,
        settings: KafkaSettings,
        start: int | None = None,
        end: int | None = None,
        *,
        finish: bool = True,
    ) -> None:
        self.name, self.told = f"{settings.address}/{settings.name(READINGS)}", True
        self.taken = 0
        self._city, self._settings, self._start, self._end = city.city, settings, start, end
        self._finish = finish
        self._partitions = tuple(Layout(city, count_of(settings, READINGS)).sensors)
        self._faults: list[str] = []
        self._broken = 0

    def records(self) -> Iterator[Logged]:
        """All of them, once."""
        left = {number: self._of(number) for number in self._partitions}
        reached = dict.fromkeys(left, NOTHING)
        told = NOTHING
        while left:
            number = min(left, key=lambda one: (reached[one], one))
            tick = yield from self._up_to_tick(left[number])
            if tick is not None:
                at, times = reached[number]
                reached[number] = (tick.at, 1) if tick.at > at else (at, times + 1)
            else:
                del left[number]
                if not self._finish:  # no later tick can be on every partition
                    break
            if left and (now := min(reached[one] for one in left)) > told:
                told = now
                yield Tick(at=now[0])
        for number, rest in left.items():
            if reached[number] == told:
                yield from self._up_to_tick(rest)
        if self._finish and (last := max(reached.values(), default=NOTHING)) > told:
            yield Tick(at=last[0])

    def _up_to_tick(self, records: Iterator[Logged]) -> Generator[Logged, None, Tick | None]:
        """The records before the next tick; then that, None where they end."""
        for record in records:
            if isinstance(record, Tick):
                return record
            self.taken += 1
            yield record
        return None

    def _of(self, partition: int) -> Iterator[Logged]:
        for record in read(self._settings, READINGS, partition, self._start, self._end):
            if record.key.partition("/")[0] != self._city:
                continue
            try:
                yield RECORD.validate_json(record.value)
            except ValidationError as error:
                self._broken += 1
                if len(self._faults) < FAULTS_MAX:
                    self._faults.append(f"partition {partition}, offset {record.offset}: {why(error)}")

    def counts(self) -> dict[str, Any]:
        """What was read, and records that could not be."""
        return {
            "records": self.taken,
            "broken_records": self._broken,
            "first_broken_records": self._faults,
        }

    def nothing(self) -> str:
        """What to say where nothing of it could be used."""
        return f"{self.name}: nothing to replay: {self.taken} records of {self._city}, and no stream time"


BLOCK_ROWS = 50_000
"""Readings of one block at most."""


def in_blocks(records: Iterable[Logged]) -> Iterator[Heard]:
    """The same records, frames that follow one another as blocks."""
    numbers: dict[str, int] = {}
    names: list[str] = []

    def block(frames: list[Frame]) -> Block:
        sensors = [sensor for frame in frames for sensor in frame.sensors]
        for sensor in sensors:
            if sensor not in numbers:
                numbers[sensor] = len(names)
                names.append(sensor)
        return Block(
            names,
            np.array([numbers[sensor] for sensor in sensors], np.int32),
            np.array([at for frame in frames for at in frame.at], np.int64),
            np.array([value for frame in frames for value in frame.values], np.float64),
            np.array([quality for frame in frames for quality in frame.qualities], np.uint8),
        )

    waiting: list[Frame] = []
    rows = 0
    for record in records:
        if isinstance(record, Frame):
            waiting.append(record)
            rows += len(record)
        if waiting and (rows >= BLOCK_ROWS or not isinstance(record, Frame)):
            yield block(waiting)
            waiting, rows = [], 0
        if not isinstance(record, Frame):
            yield record
    if waiting:
        yield block(waiting)
