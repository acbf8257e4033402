"""The ledger's first page: what reached the collectors of a city, and whether all that they wrote is there.

In:  the topics that collectors write.
Out: numbers of sources that never came, and records of collectors that are no longer there, a line each.
Promises: what was lost before us and what was lost on Kafka are told apart; where both may be, it says so.
"""

import time
from collections.abc import Iterator
from heapq import merge
from operator import attrgetter

from runner.kafka.entries import Entries, entry_of
from runner.kafka.reading import count_of, read
from runner.kafka.receipts import Gap, Sources
from runner.kafka.settings import KafkaSettings
from runner.metrics import Figure
from schemas.receipts import Receipt
from schemas.times import HOUR, SECOND, rfc3339
from schemas.topics import DEAD_LETTERS, READINGS, RECEIPTS

TOPICS = (READINGS, DEAD_LETTERS, RECEIPTS)
"""What collectors write, and readers of it need."""
KEPT_MS = min(topic.retention_ms or 0 for topic in TOPICS) - HOUR
"""Records that are not older are on every topic, as the table has it."""
SETTLED_MS = 2 * SECOND
"""Of younger records some may be committed while we read, and others have been passed by already."""


class Arrivals:
    """Of one city, for messages whose event time is between ``start`` and ``end`` (ms, the end left out).

    Raises KafkaFailed.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        city: str,
        start: int | None = None,
        end: int | None = None,
    ) -> None:
        self._start, self._end = start, end
        self.entries, self.sources = Entries(), Sources()
        now = round(time.time() * 1000)
        for topic in TOPICS:
            partitions = (read(settings, topic, number) for number in range(count_of(settings, topic)))
            for record in merge(*partitions, key=attrgetter("at")):  # as they were written, by whomever
                entry = entry_of(record.headers, city)
                if entry is None or record.at > now - SETTLED_MS:
                    continue
                if record.at < now - KEPT_MS:
                    self.entries.forget_to(entry)
                else:
                    self.entries.take(entry)
                if topic is RECEIPTS:
                    self.sources.take(Receipt.model_validate_json(record.value), entry)

    @property
    def gaps(self) -> list[Gap]:
        """Numbers that did not come, as far as they are asked for."""
        return [
            gap
            for gap in self.sources.gaps()
            if (self._start is None or gap.at >= self._start) and (self._end is None or gap.at < self._end)
        ]

    def faults(self) -> Iterator[str]:
        """What is missing, a line each."""
        for collector, life, first, last in self.entries.missing():
            yield f"missing  record  {collector} {life}/{_stretch(first, last)}"
        for gap in self.gaps:
            if gap.lost:
                ours = not self.entries.is_whole(gap.after, gap.before)
                what = "lost before us, or with records that are missing" if ours else "lost before us"
                came = f", {gap.unread} of them came and could not be read" if gap.unread else ""
                numbers = _stretch(gap.first, gap.last)
                yield f"{what}  message  {gap.source} {numbers}{came}, before {rfc3339(gap.at)}"

    def figures(self) -> Iterator[Figure]:
        """How many are due and missing, by kind."""
        records, missing = self.entries.count(), self._missing
        messages, lost = self.sources.counts["numbered"], self._lost
        for kind, there, absent in (("record", records, missing), ("message", messages, lost)):
            yield Figure("crosscurrent_ledger_due", "gauge", "", there + absent, {"kind": kind})
            yield Figure("crosscurrent_ledger_missing", "gauge", "", absent, {"kind": kind})

    @property
    def _missing(self) -> int:
        return sum(last - first + 1 for *_, first, last in self.entries.missing())

    @property
    def _lost(self) -> int:
        return sum(gap.lost for gap in self.gaps)

    def said(self) -> Iterator[str]:
        """How many there are, a line for each kind."""
        yield f"records of collectors: {self.entries.count():,} there, {self._missing:,} missing"
        counts = self.sources.counts
        yield (
            f"messages: {counts['numbered']:,} numbered by {self.sources.sources:,} sources, "
            f"{self._lost:,} lost before us, {counts['late']:,} late, {counts['twice']:,} twice, "
            f"{counts['restarts']:,} sources began anew; "
            f"{counts['unread']:,} came whose number could not be read; "
            f"the MQTT broker dropped {counts['dropped']:,}"
        )


def _stretch(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
