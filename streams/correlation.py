"""Correlation of a whole city: each alarm to the domains that hear it, and their incidents joined.

In:  alarm changes, in any order, and stream time as it moves.
Out: revisions of incidents.
Promises: those of ``streams.correlate``, over borders too. A city without borders is one domain, and nothing
is joined. A look asks only domains that heard something, or that time alone changes.
"""

import heapq
from typing import Any

from schemas.alarms import AlarmChange
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.vocabulary import Vocabulary
from streams.causes import Causes
from streams.correlate import Correlator
from streams.domains import domains_of, view
from streams.join import Join


class Correlation:
    """The domains of a city, in one process."""

    def __init__(self, city: City, causes: Causes, vocabulary: Vocabulary) -> None:
        self._city, self._causes, self._vocabulary = city, causes, vocabulary
        self._domains = domains_of(city, causes)
        self._correlators: dict[str, Correlator] = {}
        """By domain; of those that have heard anything."""
        self._join = Join(city, causes, self._domains) if len(self._domains.by_name) > 1 else None
        self._heard: set[str] = set()
        self._due: list[tuple[int, str]] = []
        """When time alone changes something, and in which domain; what is no longer so stays until then."""
        self._due_at: dict[str, int | None] = {}
        if self._join is None:
            self._correlator(*self._domains.by_name)

    def take(self, change: AlarmChange) -> None:
        """Take in one alarm change; ``look`` tells what follows from it."""
        for name, told in self._domains.heard(change):
            self._correlator(name).take(told)
            self._heard.add(name)

    def look(self, now: int) -> list[IncidentRevision]:
        """Stream time is ``now``: the revisions that follow from what was taken, and from time."""
        asked, self._heard = self._heard, set()
        while self._due and self._due[0][0] <= now:
            due, name = heapq.heappop(self._due)
            if self._due_at[name] == due:
                asked.add(name)
        revisions: list[IncidentRevision] = []
        for name in sorted(asked):
            correlator = self._correlators[name]
            revisions = correlator.look(now)
            self._note_due(name)
            if self._join:
                self._join.take(name, revisions, correlator.excused())
        return self._join.look(now) if self._join else revisions

    def _correlator(self, name: str) -> Correlator:
        if name not in self._correlators:
            city = view(self._city, self._domains.by_name[name])
            self._correlators[name] = Correlator(city, self._causes, self._vocabulary)
        return self._correlators[name]

    def _note_due(self, name: str) -> None:
        due = self._correlators[name].next_look
        if due is not None and due != self._due_at.get(name):
            heapq.heappush(self._due, (due, name))
        self._due_at[name] = due

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON."""
        return {
            "domains": {name: correlator.snapshot() for name, correlator in self._correlators.items()},
            "join": self._join.snapshot() if self._join else None,
            "heard": sorted(self._heard),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot, before anything was taken."""
        for name, body in state["domains"].items():
            self._correlator(name).restore(body)
            self._note_due(name)
        if self._join:
            self._join.restore(state["join"])
        self._heard = set(state["heard"])
