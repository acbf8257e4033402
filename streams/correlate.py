"""Alarms to incidents: one incident for the alarms that one physical cause explains.

In:  alarm changes, in any order, and stream time as it moves.
Out: revisions of incidents: each states the whole incident as it stands, and why it changed.
Promises: the incidents are a function of the set of alarms and of stream time; an incident's id follows
from its earliest alarm, and a revision that takes over other ids names them. Alarms of the measuring
(missing, frozen, ...) and what planned work explains open no incident. Memory: the alarms of incidents
that are open, or closed for less than ``KEPT_AFTER``.
"""

from collections.abc import Iterable
from typing import Any

from schemas.alarms import Alarm, AlarmChange, incident_id
from schemas.city import City, Relation
from schemas.incidents import Foretold, Incident, IncidentRevision, Member, Root, Step
from schemas.times import HOUR, MINUTE, SECOND
from schemas.vocabulary import Vocabulary
from streams.causes import Causes
from streams.consequences import expected
from streams.episodes import alarm_key, episodes
from streams.explain import Explainer, Explanation
from streams.network import Network, Node
from streams.tell import Live, Teller
from streams.wording import sentence, story

HOLD = 30 * MINUTE
"""An incident closes when all its alarms have been clear for this long."""
KEPT_AFTER = 12 * HOUR
"""A closed incident can still gain late effects for this long; then it is final."""


class Correlator:
    """Correlation for one domain: a city, or a connected part of it."""

    def __init__(self, city: City, causes: Causes, vocabulary: Vocabulary) -> None:
        self._city = city
        self._causes = causes
        self._network = Network(city, causes, vocabulary)
        self._explainer = Explainer(self._network)
        self._alarms: dict[str, Alarm] = {}
        self._measuring: dict[str, Alarm] = {}
        self._teller = Teller()
        self._told: dict[int, tuple[Explanation, Incident, frozenset[str]]] = {}
        """Incidents of the last look, by the identity of their explanation (which is kept for that)."""
        self._aside: list[Explanation] = []
        """What opened no incident at the last look."""
        self._next_look: int | None = None
        self._look_again: int | None = None
        """When the quiet of some sensor becomes evidence."""
        self._dirty = False

    def take(self, change: AlarmChange) -> None:
        """Take in one alarm change; ``look`` tells what follows from it."""
        alarm = change.alarm
        if alarm.condition in self._causes.measuring:
            if change.change == "retracted" or alarm.cleared is not None:
                self._measuring.pop(alarm.id, None)
            else:
                self._measuring[alarm.id] = alarm
            self._dirty = True
        if alarm.condition in self._causes.measuring and alarm.condition not in self._causes.signs:
            return
        if change.change == "retracted":
            self._alarms.pop(alarm.id, None)
            self._dirty = True
        else:
            self._alarms[alarm.id] = alarm
            self._dirty = True

    def look(self, now: int) -> list[IncidentRevision]:
        """Stream time is ``now``: the revisions that follow from what was taken, and from time."""
        if not self._dirty and (self._next_look is None or now < self._next_look):
            return []
        self._dirty = False
        changed = self._network.trust_all_but(self._blind())
        standing = self._incidents(now, changed)
        self._teller.judge(self._alarms.values(), self._network.watched, now, standing)
        revisions = self._teller.tell(standing, now, list(self._teller.live))
        self._forget(now)
        self._next_look = self._when_next()
        return revisions

    @property
    def next_look(self) -> int | None:
        """When time alone will change something; None where it won't."""
        return self._next_look

    def excused(self) -> frozenset[str]:
        """Alarms that everyday life or planned work explains, as of the last look, by ``alarm_key``."""
        return frozenset(
            alarm_key(self._causes, alarm.asset, alarm.condition, alarm.raised)
            for explanation in self._aside
            if explanation.root.node.condition in self._causes.everyday
            for episode in explanation.episodes
            for alarm in episode.alarms
        )

    def _blind(self) -> set[str]:
        """Sensors that say nothing now."""
        blind: set[str] = set()
        for alarm in self._measuring.values():
            sensors = self._city.sensors_of.get(alarm.asset, ())
            blind.update([alarm.sensor] if alarm.sensor else [s.id for s in sensors])
            if alarm.condition == "silent":
                for link in self._city.links_from.get(alarm.asset, ()):
                    if link.relation is Relation.CARRIES:
                        blind.update(s.id for s in self._city.sensors_of.get(link.target, ()))
        return blind

    def _incidents(self, now: int, changed: set[Node]) -> dict[str, tuple[Incident, frozenset[str]]]:
        found = episodes(self._alarms.values(), self._causes)
        standing = {}
        explained = self._explainer.explain(found, now, changed)
        self._look_again = explained.look_again
        told, self._told = self._told, {}
        self._aside = [explanation for explanation in explained.explanations if not explanation.opens]
        for explanation in explained.explanations:
            if not explanation.opens:
                continue
            kept = told.get(id(explanation))
            if kept is None or kept[1].closed is not None or _all_clear(kept[1]):
                kept = explanation, *self._incident(explanation, now)
            self._told[id(explanation)] = kept
            standing[kept[1].id] = kept[1:]
        return standing

    def _incident(self, explanation: Explanation, now: int) -> tuple[Incident, frozenset[str]]:
        inside = list(explanation.episodes)
        alarms = sorted((a for e in inside for a in e.alarms), key=lambda a: (a.raised, a.id))
        root = explanation.root
        until = None if any(e.until is None for e in inside) else max(e.until or 0 for e in inside)
        closed = until if until is not None and now - until >= HOLD else None
        incident = Incident(
            id=incident_id(self._city.city, alarms[0].id),
            opened=alarms[0].raised,
            closed=closed,
            severity=max((a.severity for a in alarms), key=lambda s: s.rank),
            utilities=sorted({a.utility for a in alarms}),
            root=_root(root.node, root.since, explanation.probability),
            alternatives=[_root(other.node, other.since, p) for other, p in explanation.alternatives],
            members=[
                Member(asset=a.asset, condition=a.condition, since=a.raised, until=a.cleared) for a in alarms
            ],
            expected=[] if closed else expected(self._network, explanation, now),
            summary=sentence(
                self._city,
                self._causes,
                root.node,
                root.since,
                root.hidden,
                [e.node for e in inside],
            ),
            explanation=story(self._city, self._causes, explanation),
            chain=_chain(explanation),
        )
        return incident, frozenset(a.id for a in alarms)

    def _forget(self, now: int) -> None:
        """Let go of incidents that are final, and of what is long over and in none.

        An explanation goes as a whole: an alarm without the planned work that explained it is another one.
        """
        final = [
            id_
            for id_, live in self._teller.live.items()
            if live.revision.closed is not None and now - live.revision.closed >= KEPT_AFTER
        ]
        for id_ in final:
            for alarm_id in self._teller.live.pop(id_).alarms:
                self._alarms.pop(alarm_id, None)
        for explanation in self._aside:
            alarms = [alarm for episode in explanation.episodes for alarm in episode.alarms]
            if all(a.cleared is not None and now - a.cleared >= KEPT_AFTER for a in alarms):
                for alarm in alarms:
                    self._alarms.pop(alarm.id, None)

    def _when_next(self) -> int | None:
        """When time alone will change something: an incident can close, or become final."""
        times = [] if self._look_again is None else [self._look_again]
        for live in self._teller.live.values():
            if live.revision.closed is not None:
                times.append(live.revision.closed + KEPT_AFTER)
            elif all(member.until is not None for member in live.revision.members):
                times.append(max(member.until or 0 for member in live.revision.members) + HOLD)
        return min(times, default=None)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON."""
        return {
            "alarms": [alarm.model_dump(mode="json") for alarm in self._alarms.values()],
            "measuring": [alarm.model_dump(mode="json") for alarm in self._measuring.values()],
            "live": [
                [
                    live.revision.model_dump(mode="json"),
                    sorted(live.alarms),
                    [one.model_dump(mode="json") for one in live.foretold],
                ]
                for live in self._teller.live.values()
            ],
            "next_look": self._next_look,
            "dirty": self._dirty,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._alarms = _by_id(state["alarms"])
        self._measuring = _by_id(state["measuring"])
        self._teller.live = {
            revision["id"]: Live(
                IncidentRevision.model_validate(revision),
                frozenset(alarms),
                [Foretold.model_validate(one) for one in foretold],
            )
            for revision, alarms, foretold in state["live"]
        }
        self._next_look = state["next_look"]
        self._dirty = state["dirty"]


def _all_clear(incident: Incident) -> bool:
    return all(member.until is not None for member in incident.members)


def _root(node: Node, since: int, probability: float) -> Root:
    return Root(asset=node.asset, condition=node.condition, since=since, probability=round(probability, 3))


def _chain(explanation: Explanation) -> list[Step]:
    steps = []
    for charge in explanation.charges:
        effect, way = charge.effect.node, charge.edge.way
        origin = explanation.root.node if charge.cause is None else charge.cause.node
        steps.append(
            Step(
                cause=origin.asset,
                cause_condition=origin.condition,
                effect=effect.asset,
                effect_condition=effect.condition,
                rule=", then ".join(rule.name for rule in way.rules),
                strength=round(way.strength, 3),
                lag_seconds=charge.edge.lag / SECOND,
                lag_seconds_min=way.lag_min / SECOND,
                lag_seconds_max=way.lag_max / SECOND,
                through=list(
                    dict.fromkeys(
                        node.asset for node in way.nodes if node.asset not in (origin.asset, effect.asset)
                    )
                ),
            )
        )
    return steps


def _by_id(alarms: Iterable[dict[str, Any]]) -> dict[str, Alarm]:
    return {alarm["id"]: Alarm.model_validate(alarm) for alarm in alarms}
