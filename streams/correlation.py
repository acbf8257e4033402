"""Correlation of a whole city: each alarm to the domains that hear it, and their incidents joined.

In:  alarm changes, in any order, and stream time as it moves.
Out: revisions of incidents.
Promises: those of ``streams.correlate``, over borders too. A city without borders is one domain, and nothing
is joined. A look asks only domains that heard something, or that time alone changes.
"""

import heapq
from collections.abc import Collection, Iterator
from typing import Any

from schemas.alarms import AlarmChange
from schemas.city import City
from schemas.incidents import DomainWord, IncidentRevision
from schemas.mending import mended
from schemas.vocabulary import Vocabulary
from streams.causes import Causes
from streams.correlate import Correlator
from streams.domains import Domains, domains_of, view
from streams.join import Join


class Domainwise:
    """Some domains of a city, each thinking for itself. ``names``: which."""

    def __init__(
        self, city: City, causes: Causes, vocabulary: Vocabulary, domains: Domains, names: Collection[str]
    ) -> None:
        self._city, self._causes, self._vocabulary = mended(city), causes, vocabulary
        self._domains, self._names = domains, frozenset(names)
        self._correlators: dict[str, Correlator] = {}
        """By domain; of those that have heard anything."""
        self._heard: set[str] = set()
        self._due: list[tuple[int, str]] = []
        """When time alone changes something, and in which domain; what is no longer so stays until then."""
        self._due_at: dict[str, int | None] = {}
        if len(domains.by_name) == 1:
            self._correlator(*self._names)

    def take(self, change: AlarmChange) -> None:
        """Take in one alarm change; ``look`` tells what follows from it."""
        for name, told in self._domains.heard(change):
            if name in self._names:
                self._correlator(name).take(told)
                self._heard.add(name)

    def look(self, now: int) -> Iterator[DomainWord]:
        """Stream time is ``now``: what domains that were asked say, by name."""
        asked, self._heard = self._heard, set()
        while self._due and self._due[0][0] <= now:
            due, name = heapq.heappop(self._due)
            if self._due_at[name] == due:
                asked.add(name)
        for name in sorted(asked):
            correlator = self._correlators[name]
            revisions = correlator.look(now)
            self._note_due(name)
            excused = sorted(correlator.excused()) if len(self._domains.by_name) > 1 else []
            yield DomainWord(domain=name, revisions=revisions, excused=excused)

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
            "heard": sorted(self._heard),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot, before anything was taken."""
        for name, body in state["domains"].items():
            self._correlator(name).restore(body)
            self._note_due(name)
        self._heard = set(state["heard"])


class Correlation:
    """All domains of a city, in one process, and their incidents joined."""

    def __init__(self, city: City, causes: Causes, vocabulary: Vocabulary) -> None:
        domains = domains_of(city, causes)
        self._domains = Domainwise(city, causes, vocabulary, domains, domains.by_name)
        self._join = Join(city, causes, domains) if len(domains.by_name) > 1 else None

    def take(self, change: AlarmChange) -> None:
        """Take in one alarm change; ``look`` tells what follows from it."""
        self._domains.take(change)

    def look(self, now: int) -> list[IncidentRevision]:
        """Stream time is ``now``: the revisions that follow from what was taken, and from time."""
        words = self._domains.look(now)
        if self._join is None:
            return [revision for word in words for revision in word.revisions]
        for word in words:
            self._join.take(word.domain, word.revisions, frozenset(word.excused))
        return self._join.look(now)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON."""
        return {
            "domains": self._domains.snapshot(),
            "join": self._join.snapshot() if self._join else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot, before anything was taken."""
        self._domains.restore(state["domains"])
        if self._join:
            self._join.restore(state["join"])
