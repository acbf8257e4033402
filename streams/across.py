"""One incident out of what several domains say of it.

In:  incidents of different domains that share an alarm, as each domain stands to them.
Out: the incident over all of them.
Pure, and a function of the set: the order of the sides plays no part.

Its root is found by giving way: what one side takes for the beginning may stand among the alarms of another
side, which knows what brought it; then that side's root counts, and so on. A side that blames what no sensor
shows gives way to one that knows its earliest alarm as the end of a longer story, or else to the domain that
it blames. Where two sides name each other's cause, that stays which the other holds more probable.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.city import City
from schemas.incidents import Expected, Incident, IncidentRevision, Member, Step
from streams.causes import Causes
from streams.consequences import EXPECTED_MAX
from streams.domains import Domains
from streams.explain import FIRST
from streams.network import Node
from streams.tell import plain
from streams.wording import STEPS_MAX, across, owed, sentence


class Side(NamedTuple):
    """An incident as one domain holds it."""

    domain: str
    incident: IncidentRevision


def joined(city: City, causes: Causes, domains: Domains, sides: Iterable[Side]) -> Incident:
    """The incident that these sides are one of; just that of a side alone."""
    sides = sorted(sides, key=lambda side: (side.incident.opened, side.incident.id, side.domain))
    if len(sides) == 1:
        return plain(sides[0].incident)
    return _Joining(city, causes, domains, sides).incident()


class _Joining:
    """Sides in a row, and how they become one."""

    def __init__(self, city: City, causes: Causes, domains: Domains, sides: Sequence[Side]) -> None:
        self.city, self.causes, self.domains = city, causes, domains
        self.sides = sides
        self.members = self._members()
        self.nodes = self._nodes(self.members)
        self.inside = [frozenset(self._nodes(side.incident.members)) for side in sides]
        self.speaker = self._speaker()
        """The side whose root is that of all."""
        self.root = _root(self.speaker)

    def incident(self) -> Incident:
        incidents = [side.incident for side in self.sides]
        closed = [incident.closed for incident in incidents]
        until = None if None in closed else max(at or 0 for at in closed)
        chain = self._chain()
        told = self.speaker.incident
        return Incident(
            id=incidents[0].id,
            opened=incidents[0].opened,
            closed=until,
            severity=max((incident.severity for incident in incidents), key=lambda s: s.rank),
            utilities=sorted({utility for incident in incidents for utility in incident.utilities}),
            root=told.root,
            alternatives=told.alternatives,
            members=self.members,
            expected=[] if until else self._expected(),
            summary=sentence(
                self.city, self.causes, self.root, told.root.since, self.root not in self.nodes, self.nodes
            ),
            explanation=self._explanation(chain),
            chain=[step for step, _ in chain],
        )

    def _members(self) -> list[Member]:
        """Each alarm once, as the side that spoke last knows it."""
        newest = sorted(self.sides, key=lambda side: (side.incident.known_at, side.domain))
        found = {(m.since, m.asset, m.condition): m for side in newest for m in side.incident.members}
        return [found[key] for key in sorted(found)]

    def _nodes(self, members: Iterable[Member]) -> list[Node]:
        return list(dict.fromkeys(Node(m.asset, self.causes.base(m.condition)) for m in members))

    def _speaker(self) -> Side:
        """Where giving way ends, from the most alarms."""
        ends: dict[int, int] = defaultdict(int)
        for index, side in enumerate(self.sides):
            ends[self._end(index)] += len(side.incident.members)
        return self.sides[min(ends, key=lambda index: (-ends[index], index))]

    def _end(self, index: int) -> int:
        """The side that gives way to none, from this one on."""
        way = [index]
        while (onward := self._gives_way_to(way[-1])) is not None:
            if onward in way:
                circle = way[way.index(onward) :]
                return max(circle, key=lambda one: (self._held_by_next(one, circle), -one))
            way.append(onward)
        return way[-1]

    def _gives_way_to(self, index: int) -> int | None:
        """The side that knows better what began, or None."""
        side, root = self.sides[index], _root(self.sides[index])
        home = self.domains.home[root.asset]
        others = [other for other in range(len(self.sides)) if self.sides[other].domain != side.domain]
        judges = [other for other in others if root in self.inside[other]]
        if root not in self.inside[index]:
            judges = judges or self._better_guesses(index, others)
            judges = judges or [other for other in others if self.sides[other].domain == home]
        if not judges or (side.domain == home and any(_root(self.sides[judge]) == root for judge in judges)):
            return None
        return max(
            judges,
            key=lambda other: (
                self.sides[other].domain == home,
                len(self.inside[other] & self.inside[index]),
                -other,
            ),
        )

    def _better_guesses(self, index: int, others: Sequence[int]) -> list[int]:
        """Sides that hold a side's earliest alarm, know of trouble long before it, and are surer of its root.

        For a side that blames what no sensor shows. One that knows of nothing earlier sees less of the same.
        """
        guess = self.sides[index].incident
        first = Node(guess.members[0].asset, self.causes.base(guess.members[0].condition))
        return [
            other
            for other in others
            if first in self.inside[other]
            and self.sides[other].incident.opened + FIRST < guess.opened
            and self.sides[other].incident.root.probability > guess.root.probability
        ]

    def _held_by_next(self, index: int, circle: Sequence[int]) -> float:
        """How probable the side that this one gives way to holds its root."""
        onward = circle[(circle.index(index) + 1) % len(circle)]
        held = self.sides[onward].incident
        return sum(
            root.probability
            for root in (held.root, *held.alternatives)
            if (root.asset, root.condition) == _root(self.sides[index])
        )

    # --- what it brought, and will bring --------------------------------------------------------------

    def _chain(self) -> list[tuple[Step, str | None]]:
        """The steps, each with its sentence: the speaker's, and of the others those to effects that are not
        explained yet.
        """
        brought: dict[Node, Node] = {}
        found: list[tuple[Step, str | None]] = []
        for side in (self.speaker, *(side for side in self.sides if side is not self.speaker)):
            incident = side.incident
            known = set(brought)
            for number, step in enumerate(incident.chain):
                cause = Node(step.cause, step.cause_condition)
                effect = Node(step.effect, step.effect_condition)
                told_before = effect == self.root or effect in known or _leads(brought, cause, effect)
                if told_before and side is not self.speaker:
                    continue
                brought.setdefault(effect, cause)
                told = min(len(incident.chain), STEPS_MAX)
                found.append((step, incident.explanation[number] if number < told else None))
        onset = {node: number for number, node in enumerate(self.nodes)}
        last = len(onset)
        return sorted(found, key=lambda one: onset.get(Node(one[0].effect, one[0].effect_condition), last))

    def _explanation(self, chain: Sequence[tuple[Step, str | None]]) -> list[str]:
        told = [words for _, words in chain if words][:STEPS_MAX]
        if (more := len(chain) - len(told)) > 0:
            told.append(f"{more} more followed in the same ways.")
        counts = Counter(node for inside in self.inside for node in inside)
        shared = dict.fromkeys(node.asset for node in self.nodes if counts[node] > 1)
        others = dict.fromkeys(
            _root(side) for side in self.sides if side.incident.root.asset != self.root.asset
        )
        effects = {step.effect for step, _ in chain}
        return [
            *told,
            *_witnesses(self.speaker.incident),
            *across(self.city, self.causes, list(shared), list(others)),
            *owed(self.city, self.causes, self.root, effects),
        ]

    def _expected(self) -> list[Expected]:
        """What a side foresees, no side has seen, and may still come; of two alike, the surer."""
        been = set(self.nodes)
        standing = {member.asset for member in self.members if member.until is None}
        latest = max(side.incident.known_at for side in self.sides)
        found: dict[Node, Expected] = {}
        for one in (one for side in self.sides for one in side.incident.expected):
            node = Node(one.asset, one.condition)
            if node not in been and one.asset not in standing and one.end > latest:
                found[node] = min(found.get(node, one), one, key=_soonest_of_surest)
        return sorted(found.values(), key=_soonest_of_surest)[:EXPECTED_MAX]


def _soonest_of_surest(one: Expected) -> tuple[float, str, str, int, int]:
    return -one.probability, one.asset, one.condition, one.start, one.end


def _root(side: Side) -> Node:
    return Node(side.incident.root.asset, side.incident.root.condition)


def _leads(brought: Mapping[Node, Node], here: Node, there: Node) -> bool:
    """Whether one goes back from here to there: a step from here to there would close a circle."""
    seen = {here}
    while here != there and here in brought and brought[here] not in seen:
        here = brought[here]
        seen.add(here)
    return here == there


def _witnesses(incident: Incident) -> list[str]:
    """The sentences on who stayed quiet: after the steps (and a word on more), before what is owed."""
    steps = len(incident.chain)
    first = min(steps, STEPS_MAX) + (steps > STEPS_MAX)
    owing = any(step.effect != incident.root.asset for step in incident.chain)
    return incident.explanation[first : len(incident.explanation) - owing]
