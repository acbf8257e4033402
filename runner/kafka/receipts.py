"""Receipts written, and followed: which messages a source numbered, and which of them never reached us.

In:  batches of an intake; later the receipts on Kafka, in the order written.
Out: receipts of a bounded size; gaps in the numbers of each source.
Promises: a source that starts anew, and counts from below again, has no gap there. A number that comes late
fills its gap, and one that comes twice is known as such. Memory grows with sources and gaps alone. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from collectors.intake import Batch
from schemas.receipts import Receipt

ROWS = 2_000
"""Numbers in one receipt at most."""
KNOWN = 2_000
"""So many of a source's newest numbers are known one by one. Whether an older one that comes is late or comes
again is not known: it counts as late, and is no loss either way.
"""


def receipts_of(batch: Batch, received: int, dropped: int) -> Iterator[Receipt]:
    """The receipts of a batch; none where its messages have no numbers and all could be read.

    ``dropped``: messages that the MQTT broker dropped since the batch before.
    """
    if dropped:
        yield Receipt(received=received, dropped=dropped)
    rows = [(source, pair) for source, pairs in batch.numbers.items() for pair in pairs]
    for start in range(0, len(rows), ROWS):
        numbers: dict[str, list[tuple[int, int]]] = {}
        for source, pair in rows[start : start + ROWS]:
            numbers.setdefault(source, []).append(pair)
        yield Receipt(received=received, numbers=numbers)


class Entry(NamedTuple):
    """Where a record of a collector stands: the collector, one life of it, and its number in that life."""

    collector: str
    life: str
    number: int


@dataclass(slots=True)
class Gap:
    """Numbers that never came, from ``first`` to ``last``."""

    source: str
    first: int
    last: int
    at: int
    """Event time of the message after them."""
    after: Entry
    before: Entry
    """The receipts between which they are missing."""
    unread: int
    """So many messages of the source came in their place, and nobody read their numbers."""

    @property
    def lost(self) -> int:
        """How many of them did not reach us."""
        return max(0, self.last - self.first + 1 - self.unread)


@dataclass(slots=True)
class _Run:
    """What a source counted without starting anew."""

    began: int
    next: int
    newest: int
    entry: Entry
    seen: dict[int, int] = field(default_factory=dict)
    """Event time by number, of the newest."""
    gaps: list[Gap] = field(default_factory=list)

    def goes_on(self, at: int, seq: int) -> bool:
        """Whether a message belongs to this run."""
        if seq in self.seen:
            return self.seen[seq] == at
        return seq >= self.next or at <= self.newest

    def fill(self, seq: int) -> None:
        """A number that was missing has come."""
        for index, gap in enumerate(self.gaps):
            if gap.first <= seq <= gap.last:
                below = Gap(gap.source, gap.first, seq - 1, gap.at, gap.after, gap.before, gap.unread)
                gap.first = seq + 1
                self.gaps[index : index + 1] = [part for part in (below, gap) if part.first <= part.last]
                return


class Sources:
    """All sources of a city, followed from receipt to receipt."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """``numbered``, ``unread``, ``late``, ``twice``, ``restarts``; ``dropped`` by the MQTT broker."""
        self._runs: defaultdict[str, list[_Run]] = defaultdict(list)
        self._unread: Counter[str] = Counter()

    def take(self, receipt: Receipt, entry: Entry) -> None:
        """One more receipt, and where it stands."""
        self.counts["dropped"] += receipt.dropped
        for source, pairs in receipt.numbers.items():
            runs = self._runs[source]
            for at, seq in pairs:
                if seq < 0:
                    self.counts["unread"] -= seq
                    self._unread[source] -= seq
                else:
                    self.counts["numbered"] += 1
                    self._number(source, runs, at, seq, entry)

    def gaps(self) -> list[Gap]:
        """Numbers that did not come, by source, in the order in which they are missing."""
        return [gap for _, runs in sorted(self._runs.items()) for run in runs for gap in run.gaps]

    @property
    def sources(self) -> int:
        """How many number their messages."""
        return sum(map(bool, self._runs.values()))

    def _number(self, source: str, runs: list[_Run], at: int, seq: int, entry: Entry) -> None:
        run = runs[-1] if runs else None
        if len(runs) > 1 and at < runs[-1].began and seq < runs[-2].next:
            run = runs[-2]  # a straggler from before the source started anew
        elif run is None or not run.goes_on(at, seq):
            self.counts["restarts"] += run is not None
            runs.append(_Run(at, seq + 1, at, entry, {seq: at}))
            return
        if seq in run.seen:
            self.counts["twice"] += 1
            return
        run.seen[seq] = at
        run.newest = max(run.newest, at)
        if seq < run.next:
            self.counts["late"] += 1
            run.fill(seq)
            return
        if seq > run.next:
            run.gaps.append(Gap(source, run.next, seq - 1, at, run.entry, entry, self._unread[source]))
        self._unread[source] = 0
        run.next, run.entry = seq + 1, entry
        if len(run.seen) > 2 * KNOWN:
            run.seen = {number: then for number, then in run.seen.items() if number >= run.next - KNOWN}
