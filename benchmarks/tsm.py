"""Readings put into InfluxDB as files of its own: a month of a large city in minutes.

InfluxDB takes some tens of thousands of points a second by line protocol, which is an hour for 86 million.
Here it makes series and shards itself, of one reading of each sensor in each shard. Then it is stopped, each
shard gets a file with all its readings, and it is started again. The files are those that InfluxDB 2.7 writes
(its tsdb/engine/tsm1: writer.go, encoding.go, timestamp.go, float.go).

In:  an InfluxDB with its buckets; series with the kind of their values; a value for each kind and time.
Out: the readings, there as if they had been written.
"""

import math
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from runner.influx.writer import Writer
from schemas.times import DAY
from tests.servers import Influxd

YEAR_ONE = -62_135_596_800_000
"""Where InfluxDB counts shards from, ms before 1970."""
MAGIC, VERSION, FLOAT = 0x16D116D1, 1, 0
RLE, GORILLA = 2 << 4, 1 << 4
POINTS_MAX = 1000
"""Points of a block."""
MS_LOG10, MS_NS = 6, 1_000_000
NAN = 0x7FF8000000000001
"""What ends a block of numbers."""
FIELD = b"#!~#value"
FILE = "000001000-000000001.tsm"
"""Behind what InfluxDB has written itself."""


class Grid(NamedTuple):
    """Readings of a bucket: from, until and every so many ms; how many days a shard of it has."""

    bucket: str
    start: int
    end: int
    step: int
    shard_days: int

    def shards(self) -> list[range]:
        """The times in each shard."""
        long, begins = self.shard_days * DAY, self.start - (self.start - YEAR_ONE) % (self.shard_days * DAY)
        found = []
        for shard in range(begins, self.end, long):
            first = max(self.start, shard + (self.start - shard) % self.step)
            found.append(range(first, min(self.end, shard + long), self.step))
        return [times for times in found if times]


Series = Sequence[tuple[str, int]]
"""What lines begin with, up to ``value=``; the kind of its values."""


def fill(
    server: Influxd,
    writer: Writer,
    ids: dict[str, str],
    grids: Sequence[Grid],
    series: Series,
    value: Callable[[int, int], float],
) -> int:
    """Fill new buckets; how many points. ``ids``: of buckets, by name. ``value``: by kind and time (ms)."""
    for grid in grids:
        for times in grid.shards():  # in order: so the numbers of shards are
            lines = [f"{begins}{value(kind, times[0])} {times[0]}000000" for begins, kind in series]
            assert writer.write(grid.bucket, lines) == []
    server.stop()
    for grid in grids:
        folder = server.folder / "engine" / "data" / ids[grid.bucket] / "autogen"
        made = sorted(
            (place for place in folder.iterdir() if place.name.isdecimal()), key=lambda p: int(p.name)
        )
        for times, place in zip(grid.shards(), made, strict=True):
            _write(place / FILE, series, times, value)
    server.start()
    return sum(len(times) for grid in grids for times in grid.shards()) * len(series)


def _write(path: Path, series: Series, times: range, value: Callable[[int, int], float]) -> None:
    parts = [times[number : number + POINTS_MAX] for number in range(0, len(times), POINTS_MAX)]

    @cache
    def blocks(kind: int) -> list[bytes]:
        return [_block(part, [value(kind, at) for at in part]) for part in parts]

    keys = sorted((f"{begins.removesuffix(' value=')}".encode() + FIELD, kind) for begins, kind in series)
    index = bytearray()
    with path.open("wb") as file:
        file.write(struct.pack(">IB", MAGIC, VERSION))
        for key, kind in keys:
            index += struct.pack(">H", len(key)) + key + struct.pack(">BH", FLOAT, len(parts))
            for part, block in zip(parts, blocks(kind), strict=True):
                index += struct.pack(">qqqI", part[0] * MS_NS, part[-1] * MS_NS, file.tell(), len(block))
                file.write(block)
        at = file.tell()
        file.write(index + struct.pack(">Q", at))


def _block(times: range, values: Sequence[float]) -> bytes:
    stamps = bytes([RLE | MS_LOG10]) + struct.pack(">q", times[0] * MS_NS)
    stamps += _varint(times.step) + _varint(len(times))
    data = bytes([FLOAT]) + _varint(len(stamps)) + stamps + _gorilla(values)
    return struct.pack(">I", zlib.crc32(data)) + data


def _varint(number: int) -> bytes:
    said = bytearray()
    while number >= 0x80:
        said.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*said, number])


def _gorilla(values: Sequence[float]) -> bytes:
    """Each number by what differs from the one before it."""
    bits = length = 0
    for word, size in _words([*(struct.unpack(">Q", struct.pack(">d", one))[0] for one in values), NAN]):
        bits, length = bits << size | word, length + size
    pad = -length % 8
    return bytes([GORILLA]) + (bits << pad).to_bytes((length + pad) // 8)


def _words(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    before, kept = numbers[0], (math.inf, 0)
    yield before, 64
    for number in numbers[1:]:
        differs, before = number ^ before, number
        if not differs:
            yield 0, 1
            continue
        leading = (64 - differs.bit_length()) & 0x1F
        trailing = (differs & -differs).bit_length() - 1
        if leading >= kept[0] and trailing >= kept[1]:
            yield 0b10, 2
        else:
            kept = leading, trailing
            yield (0b11 << 5 | leading) << 6 | (64 - leading - trailing) & 0x3F, 13
        yield differs >> kept[1], 64 - int(kept[0]) - kept[1]
