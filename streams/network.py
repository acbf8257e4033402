"""The city model under the rules: which condition of which asset can bring which.

In:  the city model, ``causes.yaml``, the vocabulary.
Out: cones: for a node (asset, condition), everything that can have brought it (``causes_of``) or that it
can bring (``effects_of``), with strength, lag window and the way.
Pure; cones depend on the city alone and on which sensors can be trusted now, and are kept.

A cone goes through assets that nothing watches, and ends at a node that a healthy sensor watches: if that
was in trouble too, it is the cause to charge; if it stayed quiet, the trouble did not come that way.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from schemas.city import LEVELS, City
from schemas.times import SECOND
from schemas.vocabulary import Vocabulary
from streams.causes import AGAINST, EVERYWHERE, SELF, Causes, Prior, Rule
from streams.hydraulics import measure

STRENGTH_MIN = 0.04
"""Ways weaker than this explain nothing."""
SURE_MIN = 0.5
"""Effects weaker than this are no evidence when they stay away."""
HOPE_MIN = 0.1
"""Effects weaker than this are not foretold."""
HOPS_MAX = 7
LITRES = 1000
"""In a cubic metre."""
WATCHER = "*"
"""Stands for a sensor where a condition is shown by watchers of several; they are never blind as a whole."""


class Node(NamedTuple):
    """One condition of one asset."""

    asset: str
    condition: str


class Way(NamedTuple):
    """How one node reaches another: product of strengths, sum of lags (ms), the nodes and rules on it.

    ``nodes`` runs from cause to effect, both included. ``after_end``: the lag counts from the cause's end.
    """

    strength: float
    lag_min: int
    lag_usual: int
    lag_max: int
    nodes: tuple[Node, ...]
    rules: tuple[Rule, ...]
    after_end: bool


def joined(first: Way, second: Way) -> Way:
    """One way after the other: ``second`` begins where ``first`` ends."""
    least, usual, most = _lags(first[1:4], second[1:4])
    nodes, rules = (*first.nodes, *second.nodes[1:]), (*first.rules, *second.rules)
    return Way(first.strength * second.strength, least, usual, most, nodes, rules, first.after_end)


def _lags(first: tuple[int, int, int], second: tuple[int, int, int]) -> tuple[int, int, int]:
    """Least, usual and most of two lags in a row. What exceeds the usual adds as independent spreads do, in
    squares: that each of several steps takes its longest is no longer to be expected.
    """
    usual = first[1] + second[1]
    over = math.hypot(first[2] - first[1], second[2] - second[1])
    return first[0] + second[0], usual, usual + round(over)


Cone = dict[tuple[Node, bool], Way]
"""Best way by node at its far end, and whether it counts from that node's end."""


class Network:
    """Cause and effect in one city."""

    def __init__(self, city: City, causes: Causes, vocabulary: Vocabulary) -> None:
        self.city = city
        self.causes = causes
        self._watched: dict[Node, set[str]] = defaultdict(set)
        self._limited: set[Node] = set()
        """Nodes that a sensor's limits show."""
        self._ordinary: dict[str, set[str]] = defaultdict(set)
        """By kind: the conditions that limits show at some asset of it."""
        self.every: dict[Node, int] = {}
        self.told_after: dict[Node, int] = {}
        """How long a condition must hold before a sensor tells it: its on-delay and one report."""
        for sensor in city.sensors:
            for level in LEVELS:
                if getattr(sensor.limits, level) is not None:
                    node = Node(sensor.asset, causes.base(vocabulary.condition(sensor.quantity, level)))
                    self._watched[node].add(sensor.id)
                    self._limited.add(node)
                    self._ordinary[self.kind(sensor.asset)].add(node.condition)
                    every = round(sensor.every * SECOND)
                    delay = round(sensor.on_delay * SECOND) + every
                    self.every[node] = min(every, self.every.get(node, every))
                    self.told_after[node] = min(delay, self.told_after.get(node, delay))
            for condition, shown in causes.shown.items():
                if sensor.quantity in shown.by:
                    node = Node(sensor.asset, condition)
                    self._watched[node].add(sensor.id)
                    self.every[node] = round(sensor.every * SECOND)
                    self.told_after[node] = shown.within
        for condition, shown in causes.shown.items():
            for asset in city.assets:
                if asset.kind in shown.kinds:
                    node = Node(asset.id, condition)
                    self._watched[node] = {WATCHER}
                    self.told_after[node] = shown.within
        self._blind: set[str] = set()
        self._causes: dict[Node, Cone] = {}
        self._effects: dict[Node, Cone] = {}
        self._hopes: dict[Node, Cone] = {}
        self._unseen: dict[Node, dict[Node, Way]] = {}
        self._measured: dict[str, list[str]] = defaultdict(list)
        """By kind: the assets that have a sensor."""
        for asset_id in city.sensors_of:
            self._measured[self.kind(asset_id)].append(asset_id)
        self._stepped: dict[tuple[Node, bool], tuple[tuple[Rule, Node, float], ...]] = {}
        self._priors: dict[tuple[str, str], Prior] = {}
        self._met: dict[str, set[Node]] = defaultdict(set)
        """Nodes whose cones met a node that this sensor watches: they lead further when it is blind."""

    def watched(self, node: Node) -> bool:
        """Whether a sensor that can be trusted now would show this."""
        sensors = self._watched.get(node)
        return sensors is not None and not self._blind.issuperset(sensors)

    def trust_all_but(self, blind: set[str]) -> set[Node]:
        """These sensors say nothing now: missing, frozen, bad, or with a wrong clock. The nodes whose causes
        or effects have changed by that.
        """
        changed = {node for sensor in blind ^ self._blind for node in self._met.pop(sensor, ())}
        self._blind = set(blind)
        for node in changed:
            self._causes.pop(node, None)
            self._effects.pop(node, None)
            self._unseen.pop(node, None)
        return changed

    def prior(self, node: Node) -> float:
        """Probability that this begins by itself."""
        return self._prior(node).prior

    def _prior(self, node: Node) -> Prior:
        key = self.kind(node.asset), node.condition
        if key not in self._priors:
            self._priors[key] = self.causes.prior(*key)
        return self._priors[key]

    def hidden_root(self, node: Node) -> bool:
        """Whether this may be a root now though no sensor shows it."""
        return self._prior(node).hidden and not self.watched(node)

    def hidden_causes_of(self, node: Node) -> dict[Node, Way]:
        """What can have brought this that may be a root unseen."""
        if node not in self._unseen:
            cone = self.causes_of(node)
            self._unseen[node] = {
                far: way for (far, ended), way in cone.items() if not ended and self.hidden_root(far)
            }
        return self._unseen[node]

    def kind(self, asset: str) -> str:
        """The asset's kind."""
        return self.city.asset_by_id[asset].kind

    def utility(self, asset: str) -> str:
        """The asset's utility."""
        return str(self.city.asset_by_id[asset].utility)

    def causes_of(self, node: Node) -> Cone:
        """What can have brought this, back to the nearest nodes that are watched."""
        if node not in self._causes:
            self._causes[node] = self._search(node, STRENGTH_MIN, back=True)
        return self._causes[node]

    def effects_of(self, node: Node) -> Cone:
        """What this brings for sure (SURE_MIN), on to the nearest nodes that are watched."""
        if node not in self._effects:
            self._effects[node] = self._search(node, SURE_MIN, back=False)
        return self._effects[node]

    def limited(self, node: Node) -> bool:
        """Whether a sensor's limits would show this, if it can be trusted."""
        return node in self._limited

    def expected_of(self, node: Node) -> Cone:
        """What this may bring in the end that some sensor's limits would show, or people on the spot: at an
        asset without any sensor, what is measured at others of its kind.
        """
        if node not in self._hopes:
            self._hopes[node] = self._ahead(node, lambda rule: rule.ahead)
        return self._hopes[node]

    def tried_of(self, node: Node) -> Cone:
        """As ``expected_of``, also by rules that have come to foretell little: what may be learnt of them."""
        return self._ahead(node, lambda rule: max(rule.ahead, rule.strength))

    def _ahead(self, node: Node, strength: Callable[[Rule], float]) -> Cone:
        cone = self._search(node, HOPE_MIN, strength, back=False, through_watched=True)
        return {key: way for key, way in cone.items() if self._tellable(key[0])}

    def _tellable(self, node: Node) -> bool:
        bare = node.asset not in self.city.sensors_of
        return node in self._limited or (bare and node.condition in self._ordinary[self.kind(node.asset)])

    def _search(
        self,
        start: Node,
        least: float,
        strength: Callable[[Rule], float] = lambda rule: rule.strength,
        *,
        back: bool,
        through_watched: bool = False,
    ) -> Cone:
        """Best-first search over rules: strongest ways first, each node once."""
        cone: Cone = {}
        here = Way(1.0, 0, 0, 0, (start,), (), False)
        heap: list[tuple[float, int, tuple[Node, bool], Way]] = [(-1.0, 0, (start, False), here)]
        nearest: dict[tuple[Node, bool], tuple[float, int]] = {}
        """Rank of the best way so far: most ways are worse than one that is known."""
        while heap:
            _, _, (node, ended), way = heapq.heappop(heap)
            if (node, ended) in cone:
                continue
            cone[node, ended] = way
            for sensor in self._watched.get(node, ()):
                self._met[sensor].add(start)
            stops = ended or len(way.rules) == HOPS_MAX or (self.watched(node) and not through_watched)
            if node != start and stops:
                continue
            hops = len(way.rules) + 1
            for rule, other, sure in self._steps(node, back):
                after_end = rule.after == "end"
                if after_end and not back:
                    continue  # whether and when it ends is not known yet
                whole = way.strength * strength(rule) * sure
                key, rank = (other, after_end), (-whole, hops)
                if whole < least or rank > nearest.get(key, rank) or other in way.nodes:
                    continue
                nearest[key] = rank
                if back:
                    nodes, rules = (other, *way.nodes), (rule, *way.rules)
                else:
                    nodes, rules = (*way.nodes, other), (*way.rules, rule)
                lag = self._lag_ahead(rule, node.asset, other.asset) if through_watched else rule.lag
                onward = Way(whole, *_lags(way[1:4], lag), nodes, rules, after_end)
                heapq.heappush(heap, (*rank, key, onward))
        del cone[start, False]
        return cone

    def _lag_ahead(self, rule: Rule, cause: str, effect: str) -> tuple[int, int, int]:
        """The rule's lags; by the storage at the effect's end where it says so and the model has numbers."""
        flow = measure(self.city.asset_by_id[cause].properties, "rated_lps")
        volume = measure(self.city.asset_by_id[effect].properties, "volume_m3")
        if rule.storage is None or not flow or not volume:
            return rule.lag
        whole = volume * LITRES / flow * SECOND
        least, usual, most = (round(share * whole) for share in rule.storage)
        return least, usual, most

    def _steps(self, node: Node, back: bool) -> tuple[tuple[Rule, Node, float], ...]:
        """One rule further: rule, node at its other end, how sure the link is."""
        if (node, back) not in self._stepped:
            self._stepped[node, back] = tuple(self._step(node, back))
        return self._stepped[node, back]

    def _step(self, node: Node, back: bool) -> Iterator[tuple[Rule, Node, float]]:
        index = self.causes.by_effect if back else self.causes.by_cause
        for rule in index.get(node.condition, ()):
            if not (self._reaches(rule, node.asset) if back else self._fits(rule, node.asset)):
                continue
            conditions = rule.cause if back else rule.effect
            for asset, sure in self._neighbours(node.asset, rule, back).items():
                if not (self._fits(rule, asset) if back else self._reaches(rule, asset)):
                    continue
                for condition in conditions:
                    yield rule, Node(asset, condition), sure

    def _fits(self, rule: Rule, asset: str) -> bool:
        return rule.kinds is None or self.kind(asset) in rule.kinds

    def _reaches(self, rule: Rule, asset: str) -> bool:
        return rule.to_kinds is None or self.kind(asset) in rule.to_kinds

    def _neighbours(self, asset: str, rule: Rule, back: bool) -> dict[str, float]:
        """At the other end of the rule's links, with how sure those are; a sign's places are its own."""
        found: dict[str, float] = {}
        for via in rule.via:
            for other, sure in self._follow(asset, via, back):
                found[other] = max(sure, found.get(other, 0.0))
        return found

    def _follow(self, asset: str, via: str, back: bool) -> Iterator[tuple[str, float]]:
        relation, against = via.removeprefix(AGAINST), via.startswith(AGAINST)
        if via == SELF:
            yield asset, 1.0
        elif via == EVERYWHERE:
            yield from ((other, 1.0) for other in self._measured[self.kind(asset)] if other != asset)
        elif against == back:
            links = self.city.links_from.get(asset, ())
            yield from ((link.target, link.sure) for link in links if link.relation == relation)
        else:
            links = self.city.links_to.get(asset, ())
            yield from ((link.source, link.sure) for link in links if link.relation == relation)
