"""What collectors wrote, counted: each record of theirs has a number, so one that Kafka lost is missed.

In:  the records of collectors, of any topic, in any order.
Out: the numbers that are missing between the first and the last of each life of a collector.
Promises: what may have been let go because of its age is not called missing. A byte of memory a record. Pure.
"""

from collections.abc import Iterator, Mapping

from runner.kafka.receipts import Entry


def entry_of(headers: Mapping[str, str], city: str) -> Entry | None:
    """Where a record stands among those of its collector; None where no collector of the city wrote it."""
    name = headers.get("ce_source", "")
    life, _, number = headers.get("ce_id", "").rpartition("/")
    if not name.startswith(f"/collect/{city}/") or not life or not number.isdecimal():
        return None
    return Entry(name.removeprefix("/"), life, int(number))


class Entries:
    """The entries of all collectors of a city."""

    def __init__(self) -> None:
        self._there: dict[tuple[str, str], bytearray] = {}
        self._from: dict[tuple[str, str], int] = {}
        """The first number that must be there; 1 where nothing is said."""

    def take(self, entry: Entry) -> None:
        """One that is there."""
        there = self._there.setdefault(entry[:2], bytearray())
        if entry.number >= len(there):
            there.extend(bytes(max(entry.number + 1 - len(there), len(there))))
        there[entry.number] = 1

    def forget_to(self, entry: Entry) -> None:
        """One that is so old that those before it may have been let go."""
        self._from[entry[:2]] = max(entry.number + 1, self._from.get(entry[:2], 1))

    def count(self) -> int:
        """How many are there."""
        return sum(sum(there) for there in self._there.values())

    def missing(self) -> Iterator[tuple[str, str, int, int]]:
        """Collector, life, first and last of each stretch of numbers that are missing."""
        for (collector, life), there in sorted(self._there.items()):
            end = there.rfind(1)
            at = there.find(0, self._from.get((collector, life), 1), max(0, end))
            while at >= 0:
                next_ = there.find(1, at)
                yield collector, life, at, next_ - 1
                at = there.find(0, next_, end)

    def is_whole(self, after: Entry, before: Entry) -> bool:
        """Whether nothing is missing between two entries; where their collector started anew, at all."""
        if after[:2] != before[:2]:
            return all(lost[:2] not in {after[:2], before[:2]} for lost in self.missing())
        return self._there[after[:2]].find(0, after.number, before.number) < 0
