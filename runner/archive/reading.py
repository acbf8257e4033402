"""A range of an archive as records, in the order received.

In:  manifests, and times between which something was received.
Out: frames or blocks, events and ticks.
Promises: a file that is damaged or gone is named to ``on_fault`` and skipped, the rest is read. Of each file
of a batch one row group is in memory; of blocks, those of the part that is read ahead too.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from runner.archive.manifests import NOWHERE, File, Manifest, sha256
from runner.archive.place import Place
from runner.archive.tables import (
    Columns,
    Names,
    Other,
    blocks,
    columns_of,
    frames,
    in_order,
    others_of,
    unpacked,
)
from runner.replay import Cutting, Heard
from schemas.readings import Block, Frame
from schemas.times import rfc3339

OnDamage = Callable[[str], None]
"""Told of each file that can't be used."""


class Range(NamedTuple):
    """What is asked for: received from ``start`` to before ``end`` (ms), of these utilities; None: all."""

    start: int | None = None
    end: int | None = None
    utilities: frozenset[str] | None = None

    def meets(self, one: Manifest) -> bool:
        """Whether a batch has anything in the times asked for."""
        return (self.end is None or one.start < self.end) and (self.start is None or one.end >= self.start)

    def holds(self, received: int) -> bool:
        """Whether a time is in it."""
        return (self.start is None or received >= self.start) and (self.end is None or received < self.end)

    def wants(self, file: File) -> bool:
        """Whether a file's utility is asked for; what has no utility always is."""
        return self.utilities is None or file.utility == NOWHERE or file.utility in self.utilities

    def words(self) -> str:
        """For people."""
        start, end = (None if at is None else rfc3339(at) for at in (self.start, self.end))
        return f"from {start or 'the beginning'} to {end or 'the end'}"


def checked(place: Place, file: File) -> bytes:
    """A file's content. Raises OSError where it is gone or not what was written."""
    content = place.get(file.path)
    if sha256(content) != file.sha256:
        raise OSError(
            f"its digest is not the one that was written; {len(content)} bytes, {file.bytes} expected"
        )
    return content


def records_of(
    place: Place,
    manifests: Sequence[Manifest],
    wanted: Range,
    on_fault: OnDamage,
    cutting: Cutting = "frames",
) -> Iterator[Heard]:
    """All that was received in a range.

    Raises OSError where the place can't be reached.
    """
    cut = _Cut(wanted, cutting)
    parts = _parts(place, manifests, wanted)
    for part in _one_ahead(parts) if cutting == "blocks" else parts:
        for piece in part:
            if isinstance(piece, Columns):
                yield from cut.pieces(piece)
            elif isinstance(piece, str):
                on_fault(piece)
            elif wanted.holds(piece[1]):
                yield piece[2]


_Piece = Columns | Other | str
"""Readings, something else that came between them, or what is wrong with a file."""


def _one_ahead(parts: Iterator[list[_Piece]]) -> Iterator[list[_Piece]]:
    """The same, each read by a thread while the one before is used: unpacking leaves Python's lock alone."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = reader.submit(next, parts, None)
            yield part


def _parts(place: Place, manifests: Sequence[Manifest], wanted: Range) -> Iterator[list[_Piece]]:
    """All in the order received, in parts of some row groups."""
    names = Names()
    for manifest in manifests:
        if wanted.meets(manifest):
            yield from _batch(place, manifest, wanted, names)


def _batch(place: Place, manifest: Manifest, wanted: Range, names: Names) -> Iterator[list[_Piece]]:
    readings: list[Iterator[Columns]] = []
    others: list[Iterator[Other]] = []
    faults: list[_Piece] = []
    for file in manifest.files:
        if not wanted.wants(file):
            continue
        try:
            content = checked(place, file)
            tables = unpacked(content)
            if file.kind == "readings":
                readings.append(map(partial(columns_of, names), tables))
            else:
                others.append(chain.from_iterable(map(partial(others_of, file.kind), tables)))
        except (OSError, pa.ArrowException) as error:
            faults.append(f"{file.path}: {error}; its {file.rows} {file.kind} are skipped")
    yield faults
    yield from _woven(in_order(readings), heapq.merge(*others, key=lambda other: other[0]))


class _Cut:
    """Readings to the frames or blocks that are asked for."""

    def __init__(self, wanted: Range, cutting: Cutting) -> None:
        self._asked = (wanted.start, wanted.end) != (None, None)
        self._cutting = cutting
        self._low = -np.inf if wanted.start is None else wanted.start
        self._high = np.inf if wanted.end is None else wanted.end

    def pieces(self, part: Columns) -> Iterator[Frame | Block]:
        """Those of the range."""
        inside = part
        if self._asked:
            inside = part[(part.received >= self._low) & (part.received < self._high)]
        if self._cutting == "blocks":
            yield from blocks(inside)
            return
        if self._cutting == "frames":
            yield from frames(inside)
            return
        moments = np.flatnonzero(np.diff(inside.received)) + 1
        for start, end in pairwise((0, *moments.tolist(), len(inside))):
            yield from frames(inside[start:end])


def _woven(readings: Iterable[Columns], others: Iterator[Other]) -> Iterator[list[_Piece]]:
    """Readings, with events and ticks where they came."""
    other = next(others, None)
    for part in readings:
        start, pieces = 0, list[_Piece]()
        while other is not None and other[0] < part.number[-1]:
            place = int(np.searchsorted(part.number, other[0]))
            pieces += part[start:place], other
            start, other = place, next(others, None)
        yield [*pieces, part[start:]]
    if other is not None:
        yield [other, *others]
