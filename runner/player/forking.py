"""Fork from here: a replay goes on from a moment under another limit, without an event, without a sensor, or
with late messages; and what that changes.

In:  what is replayed, its past, a moment, what shall be otherwise from then on.
Out: a past and a folder of results of its own; the differences to what it was forked from.
Promises: what was known at the moment is the same on both sides. From then on it is what a replay would say
whose limits were changed at that moment: a condition that stands goes on, and ends by the new limits.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from runner.core import Core, Outputs
from runner.diff.changes import changes_of
from runner.diff.compare import compare
from runner.diff.told import DayDiff, load_told
from runner.model import Model
from runner.player.past import Past
from runner.player.thinking import Tapped
from runner.replay import Heard, Input, Thought, put_down
from runner.sources import Opened
from runner.whatif import Changed, Removal, WhatIf, removal
from schemas.alarms import Alarm, AlarmChange
from schemas.incidents import IncidentRevision
from schemas.notifications import Decision, Notification
from schemas.times import SECOND
from streams.causes import Causes


class Replayed(NamedTuple):
    """What a fork starts from: a replay, or another fork, that is thought through."""

    name: str
    causes: Causes
    past: Past
    out: Path
    """The folder of its results, which are complete."""
    open: Callable[[], Opened]
    """Its input anew, with its model and what never was."""
    before: int = 0
    """Records of its past that came before those of ``open``."""
    number: int = 0
    """Of the fork; 0: what was as it was."""


class Forked:
    """The source of a fork: what was known before it, then what follows."""

    def __init__(self, before: Outputs, thought: Thought, tell: Callable[[Outputs], None]) -> None:
        self.name, self.city = thought.name, thought.city
        self._before, self._thought, self._tell = before, thought, tell

    @property
    def stream_time(self) -> int | None:
        """How far the input has got."""
        return self._thought.stream_time

    def outputs(self) -> Iterator[Outputs]:
        """All that is said, in order."""
        yield self._before
        for outputs in self._thought.outputs():
            self._tell(outputs)
            yield outputs

    def counts(self) -> dict[str, Any]:
        """What the summary tells of the input."""
        return self._thought.counts()

    def nothing(self) -> str:
        """What to say where nothing of the input could be used."""
        return self._thought.nothing()


class _Rest:
    """What is left of an input of which some records were taken."""

    def __init__(self, source: Input, left: Iterator[Heard]) -> None:
        self.name, self.told = source.name, source.told
        self._input, self._left = source, left

    @property
    def taken(self) -> int:
        return self._input.taken

    def records(self) -> Iterator[Heard]:
        return self._left

    def counts(self) -> dict[str, Any]:
        return self._input.counts()

    def nothing(self) -> str:
        return self._input.nothing()


class Fork(threading.Thread):
    """One fork, thought through in a thread of its own; ``past`` is a new file for its past. Raises BadUsage
    for names that are not there.
    """

    def __init__(self, base: Replayed, at: int, what: WhatIf, out: Path, past: Path) -> None:
        super().__init__(name="fork", daemon=True)
        self.at, self.what, self.out, self.base = at, what, out, base
        self.diff: DayDiff | None = None
        self.failure: Exception | None = None
        self._left = threading.Event()
        self._before, self._input, self._never = base.open()
        self._removed = removal(what, self._before.city)
        self.model = what.model(self._before)
        self.past = Past(past)
        self._taken = base.past.records_until(at)
        """Records that had been taken at the moment."""

    def leave(self) -> None:
        """Nobody looks any more."""
        self._left.set()

    def run(self) -> None:
        """Think, then compare."""
        try:
            put_down(self._source(), self.out)
            self.past.finish()
            self.diff = self._compared()
        except Exception as error:  # noqa: BLE001 - told on the page
            self.failure = error
            self.past.finish()

    def replayed(self, number: int) -> Replayed:
        """What another fork starts from, under this one's number."""
        return Replayed(
            self.base.name, self.base.causes, self.past, self.out, self._again, self._taken, number
        )

    def _again(self) -> Opened:
        source = self.base.open().source
        records = source.records()
        _skip(records, self._taken - self.base.before)
        removed = removal(self.what, self._before.city)
        return Opened(self.model, self._changed(source, records, removed), self._never_from_here)

    def _changed(self, source: Input, left: Iterator[Heard], removed: Removal) -> Changed:
        return Changed(_Rest(source, left), self.what, self.model.city, removed)

    def _source(self) -> Forked:
        records = self._input.records()
        old = self._carried(records)
        self.past.begin_with(self.base.past, self.at, self._taken)
        core = self._core(self.model, self._never_from_here)
        at_once = core.take_over(old)
        self.past.keep(core.snapshot())
        self.past.tell(at_once)
        before = _told_before(self.base.past, self.at)
        before.alarms += at_once.alarms
        changed = self._changed(self._input, records, self._removed)
        thought = Thought(Tapped(changed, core, self.past, self._left.is_set), core)
        return Forked(before, thought, self.past.tell)

    def _carried(self, records: Iterator[Heard]) -> Core:
        """A core as it was at the moment, which has taken the records up to there."""
        core, taken = self._core(self._before, self._never), self.base.before
        if kept := self.base.past.state_before(self.at):
            core.restore(kept.state)
            _skip(records, kept.record - taken)
            taken = kept.record
        for record in islice(records, self._taken - taken):
            core.step(record)
        return core

    def _core(self, model: Model, never: Callable[[AlarmChange], bool] | None) -> Core:
        return Core(*model[:2], self.base.causes, model.policy, never, told=self._input.told)

    def _never_from_here(self, change: AlarmChange) -> bool:
        """What had begun before the moment goes on."""
        before = self._never is not None and self._never(change)
        return before or (change.alarm.raised > self.at and self._removed.takes_change(change))

    def _compared(self) -> DayDiff:
        causes = self.base.causes
        before, after = load_told(self.base.out), load_told(self.out)
        sides = [(model.city, causes, model.policy) for model in (self._before, self.model)]
        others = [words for words in self.what.words() if not words.startswith("set ")]
        zone = ZoneInfo(self.model.city.timezone)

        def clock(at: int) -> str:
            return datetime.fromtimestamp(at / SECOND, UTC).astimezone(zone).strftime("%m-%d %H:%M")

        return DayDiff(
            day=self.base.name,
            city=self.model.city.city,
            timezone=self.model.city.timezone,
            before=before.side,
            after=after.side,
            differences=tuple(compare(before, after, changes_of(sides[0], sides[1], others), clock)),
        )


def _skip(records: Iterator[Heard], count: int) -> None:
    for _ in islice(records, count):
        pass


def _told_before(past: Past, now: int) -> Outputs:
    """All that had been said at a moment, as the files of a replay want it."""

    def rows(table: str, when: str) -> list[str]:
        found = past.read(f"SELECT body FROM {table} WHERE {when} <= ? ORDER BY rowid", now)  # noqa: S608 - our words
        return [body for (body,) in found]

    standing = past.read(
        "SELECT body, known FROM alarms WHERE known <= ?1 AND (until IS NULL OR until > ?1) ORDER BY rowid",
        now,
    )
    return Outputs(
        [
            AlarmChange(alarm=Alarm.model_validate_json(body), change="raised", known_at=known)
            for body, known in standing
        ],
        [IncidentRevision.model_validate_json(body) for body in rows("revisions", "known")],
        [Notification.model_validate_json(body) for body in rows("notifications", "at")],
        [Decision.model_validate_json(body) for body in rows("decisions", "at")],
    )
