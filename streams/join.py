"""Incidents of domains to incidents of the city: what crosses a border is one.

In:  what each domain says, in its own order; domains in any order, interleaved in any way.
Out: revisions of incidents over all domains, told by the same rules as those of one domain.
Promises: what stands in the end follows from what each domain said last. Incidents of different domains that
share an alarm are one (``streams.across``); it keeps the id that follows from its earliest alarm, and names
those that it replaces. An incident at a border that the domain behind explains by everyday life or planned
work is none. The work of a look grows with the incidents that share alarms with those that changed, not with
the number of domains. Memory: the incidents that domains hold.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from schemas.city import City
from schemas.incidents import Incident, IncidentRevision, Member
from streams.across import Side, joined
from streams.causes import Causes
from streams.consequences import foretell
from streams.correlate import KEPT_AFTER
from streams.domains import Domains
from streams.episodes import alarm_key
from streams.tell import Live, Teller

Place = tuple[str, str]
"""Domain, and the incident's id there."""


class Join:
    """The incidents of a city's domains."""

    def __init__(self, city: City, causes: Causes, domains: Domains) -> None:
        self._city, self._causes, self._domains = city, causes, domains
        self._sides: dict[Place, IncidentRevision] = {}
        self._excused: dict[str, frozenset[str]] = {}
        """By domain: alarms in others' sight that it explains by what is no incident."""
        self._teller = Teller()
        self._groups: dict[str, frozenset[Place]] = {}
        """What the incidents that were told are made of."""
        self._group_of: dict[Place, str] = {}
        self._at: dict[str, set[Place]] = defaultdict(set)
        """By alarm in sight of several domains: who holds it."""
        self._touched: set[Place] = set()
        self._final: list[tuple[int, Place]] = []
        """When a closed incident gains nothing more."""

    def take(self, domain: str, revisions: Iterable[IncidentRevision], excused: frozenset[str]) -> None:
        """What a domain says anew, and which alarms it excuses now; ``look`` tells what follows."""
        for revision in revisions:
            place = domain, revision.id
            self._drop(place)
            self._touched.add(place)
            if revision.change not in ("replaced", "retracted"):
                self._keep(place, revision)
        for alarm in excused ^ self._excused.get(domain, frozenset()):
            self._touched |= self._at.get(alarm, set())
        if excused:
            self._excused[domain] = excused
        else:
            self._excused.pop(domain, None)

    def look(self, now: int) -> list[IncidentRevision]:
        """Stream time is ``now``: the revisions that follow from what was taken."""
        self._forget(now)
        if not self._touched:
            return []
        places, ids = self._concerned()
        self._touched = set()
        for id_ in ids:
            for place in self._groups.pop(id_):
                self._group_of.pop(place, None)
        standing: dict[str, tuple[Incident, frozenset[str]]] = {}
        for group in self._together(places):
            self._note_final(group)
            incident = joined(
                self._city, self._causes, self._domains, (Side(p[0], self._sides[p]) for p in group)
            )
            if self._is_excused(incident, group):
                continue
            standing[incident.id] = incident, _alarms(incident)
            self._groups[incident.id] = group
            self._group_of.update(dict.fromkeys(group, incident.id))
        ordered = dict(sorted(standing.items(), key=lambda one: (one[1][0].opened, one[0])))
        judged = {
            id_: foretell(*(self._sides[place].foretold for place in self._groups[id_])) for id_ in ordered
        }
        return self._teller.tell(ordered, now, sorted(ids), judged)

    def _keep(self, place: Place, revision: IncidentRevision) -> None:
        self._sides[place] = revision
        for alarm in self._shared_alarms(revision):
            self._at[alarm].add(place)

    def _drop(self, place: Place) -> None:
        revision = self._sides.pop(place, None)
        for alarm in self._shared_alarms(revision) if revision else ():
            self._at[alarm].discard(place)
            if not self._at[alarm]:
                del self._at[alarm]

    def _keys(self, members: Iterable[Member]) -> frozenset[str]:
        return frozenset(alarm_key(self._causes, m.asset, m.condition, m.since) for m in members)

    def _shared_alarms(self, incident: Incident) -> frozenset[str]:
        """Those that several domains see."""
        return self._keys(m for m in incident.members if self._domains.shared(m.asset))

    def _concerned(self) -> tuple[set[Place], set[str]]:
        """What may stand together otherwise than before: places, and the ids under which they were told."""
        places: set[Place] = set()
        ids: set[str] = set()
        ahead = list(self._touched)
        while ahead:
            place = ahead.pop()
            if place in places:
                continue
            places.add(place)
            if (id_ := self._group_of.get(place)) is not None and id_ not in ids:
                ids.add(id_)
                ahead += self._groups[id_]
            ahead += self._beside(place)
        return places & self._sides.keys(), ids

    def _beside(self, place: Place) -> set[Place]:
        """Who shares an alarm with it."""
        revision = self._sides.get(place)
        alarms = self._shared_alarms(revision) if revision else ()
        return {other for alarm in alarms for other in self._at[alarm]}

    def _together(self, places: set[Place]) -> list[frozenset[Place]]:
        """Places in groups that hang together by shared alarms."""
        groups = []
        left = set(places)
        while left:
            group: set[Place] = set()
            ahead = [left.pop()]
            while ahead:
                place = ahead.pop()
                group.add(place)
                ahead += self._beside(place) - group
            left -= group
            groups.append(frozenset(group))
        return groups

    def _is_excused(self, incident: Incident, group: frozenset[Place]) -> bool:
        """Whether a domain that knows better says that this is no incident.

        Each knows of what began in its sight. Where a cause lies in a domain that holds no incident of it,
        that domain knows of all alarms in its sight.
        """
        root = incident.root
        begun = alarm_key(self._causes, root.asset, root.condition, root.since)
        if any(begun in self._excused.get(name, ()) for name in self._domains.seen_by[root.asset]):
            return True
        home = self._domains.home[root.asset]
        if home not in self._excused or home in {domain for domain, _ in group}:
            return False
        in_sight = self._keys(m for m in incident.members if home in self._domains.seen_by[m.asset])
        return bool(in_sight) and in_sight <= self._excused[home]

    def _forget(self, now: int) -> None:
        """Let go of what is final: closed for so long that its domains have let go of it too."""
        while self._final and self._final[0][0] <= now:
            place = heapq.heappop(self._final)[1]
            group = self._together({place} & self._sides.keys())
            if not group or (final := self._final_from(group[0])) is None or final > now:
                continue
            for one in group[0]:
                self._drop(one)
                id_ = self._group_of.pop(one, None)
                if id_ is not None:
                    self._groups.pop(id_, None)
                    self._teller.live.pop(id_, None)

    def _final_from(self, group: Iterable[Place]) -> int | None:
        """When a group gains nothing more; None while any of it is open."""
        closed = [self._sides[place].closed for place in group]
        return None if None in closed else max(at or 0 for at in closed) + KEPT_AFTER

    def _note_final(self, group: frozenset[Place]) -> None:
        if (final := self._final_from(group)) is not None:
            heapq.heappush(self._final, (final, min(group)))

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON."""
        return {
            "sides": [[domain, r.model_dump(mode="json")] for (domain, _), r in self._sides.items()],
            "excused": {domain: sorted(alarms) for domain, alarms in self._excused.items()},
            "told": [
                [live.revision.model_dump(mode="json"), sorted(map(list, self._groups[id_]))]
                for id_, live in self._teller.live.items()
            ],
            "touched": sorted(map(list, self._touched)),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot, in a join that has taken nothing yet."""
        for domain, body in state["sides"]:
            revision = IncidentRevision.model_validate(body)
            self._keep((domain, revision.id), revision)
        self._excused = {domain: frozenset(alarms) for domain, alarms in state["excused"].items()}
        for body, places in state["told"]:
            told = IncidentRevision.model_validate(body)
            self._teller.live[told.id] = Live(told, _alarms(told), told.foretold)
            self._groups[told.id] = frozenset((domain, id_) for domain, id_ in places)
            self._group_of.update(dict.fromkeys(self._groups[told.id], told.id))
        self._touched = {(domain, id_) for domain, id_ in state["touched"]}
        for group in self._together(set(self._sides)):
            self._note_final(group)


def _alarms(incident: Incident) -> frozenset[str]:
    return frozenset(f"{m.asset} {m.condition} {m.since}" for m in incident.members)
