"""Episodes to explanations: who was brought by whom, and what began it, seen or not.

In:  the episodes of a city, and the network of causes.
Out: explanations: trees of episodes, each with one root (an episode, or a condition that no sensor shows).
Pure, and a function of the set of episodes: the order in which alarms arrived plays no part.

Each episode is charged to its nearest watched cause, or to a hidden root that explains several better than
chance would, or it began by itself: the forest of greatest probability (``streams.arborescence``). A hidden
root pays for every healthy sensor that should have shown it and stayed quiet: absence is evidence.
"""

import math
from collections import defaultdict
from typing import NamedTuple

from schemas.times import HOUR, MINUTE
from streams.arborescence import CHANCE, best_causes
from streams.episodes import Episode
from streams.network import Network, Node, Way

LATE_FACTOR = 0.3
"""Weight of a cause whose effect comes later than its rule says, while the cause still holds."""
LATE_MAX = 6 * HOUR
TOLERANCE = 1 * MINUTE
"""Slack of clocks and transport, besides the sampling of both sides."""
QUIET_STRENGTH_MIN = 0.5
"""Effects weaker than this are no evidence when they stay away."""
HIDDEN_MAX = 20
"""Hidden roots added to one set of episodes at the most."""


class Explained(NamedTuple):
    """The explanations in order of their earliest episode, and when silence alone could change them."""

    explanations: list["Explanation"]
    look_again: int | None


class Edge(NamedTuple):
    """How one episode explains another."""

    way: Way
    weight: float
    """Strength times how well the lag fits."""
    lag: int
    """Seen, in ms, from the cause's onset (or end, where the way counts from it)."""


class Root(NamedTuple):
    """What began it: a node, since when, and the episode that shows it (None where hidden)."""

    node: Node
    since: int
    episode: int | None


class Explanation(NamedTuple):
    """One tree: its root, its episodes, the cause of each, and other roots with their probability."""

    root: Root
    probability: float
    alternatives: tuple[tuple[Root, float], ...]
    episodes: tuple[int, ...]
    causes: dict[int, tuple[int | None, Edge]]
    """Episode: (its cause's episode, None for a hidden root; the edge). The root has no entry."""


class Hidden(NamedTuple):
    """A root that no sensor shows, from when on, with the edges to what it explains."""

    node: Node
    since: int
    edges: dict[int, Edge]
    log_prior: float
    """With what its quiet effects cost."""


def explain(network: Network, found: list[Episode], now: int) -> Explained:
    """The most probable explanations of all episodes, as seen at stream time ``now``."""
    case = _Case(network, found, now)
    return Explained(case.explanations(), min(case.ripens, default=None))


class _Case:
    """One set of episodes under one look."""

    def __init__(self, network: Network, found: list[Episode], now: int) -> None:
        self.network = network
        self.found = found
        self.now = now
        self.at: dict[Node, list[int]] = defaultdict(list)
        for index, episode in enumerate(found):
            self.at[episode.node].append(index)
        self.edges: list[dict[int, Edge]] = [self._edges_into(i) for i in range(len(found))]
        self.priors = [math.log(network.prior(e.node)) for e in found]
        self.hidden: list[Hidden] = []
        self.ripens: set[int] = set()
        """Times at which the quiet of some sensor becomes evidence."""

    def explanations(self) -> list[Explanation]:
        causes = best_causes(self._scores())
        for _ in range(HIDDEN_MAX):
            best = self._best_hidden(causes)
            if best is None:
                break
            self.hidden.append(best)
            causes = best_causes(self._scores())
        trees: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self.found)):
            trees[self._top(causes, index)].append(index)
        return [
            self._explanation(top, members, causes) for top, members in sorted(trees.items(), key=_earliest)
        ]

    def _edges_into(self, index: int) -> dict[int, Edge]:
        """What can have brought this episode, by the index of the cause's."""
        effect = self.found[index]
        edges: dict[int, Edge] = {}
        for (node, after_end), way in self.network.causes_of(effect.node).items():
            for cause in self.at.get(node, ()):
                edge = self._edge(self.found[cause], effect, way, after_end) if cause != index else None
                if edge and (cause not in edges or edge.weight > edges[cause].weight):
                    edges[cause] = edge
        return edges

    def _edge(self, cause: Episode, effect: Episode, way: Way, after_end: bool) -> Edge | None:
        if after_end and cause.until is None:
            return None
        start = cause.until if after_end and cause.until is not None else cause.onset
        lag = effect.onset - start
        slack = self._slack(cause.node, effect.node)
        if lag < way.lag_min - slack:
            return None
        if lag <= way.lag_max + slack:
            return Edge(way, way.strength, lag)
        ended = cause.until is not None and effect.onset > cause.until + way.lag_max + slack
        if after_end or ended or lag > max(way.lag_max, LATE_MAX):
            return None
        return Edge(way, way.strength * LATE_FACTOR, lag)

    def _slack(self, *nodes: Node) -> int:
        return TOLERANCE + sum(self.network.every.get(node, 0) for node in nodes)

    def _scores(self) -> dict[int, dict[int, float]]:
        """Log probability of each cause of each episode; hidden roots come after the episodes."""
        count = len(self.found)
        scores: dict[int, dict[int, float]] = {}
        for index in range(count):
            scores[index] = {CHANCE: self.priors[index]}
            scores[index] |= {cause: math.log(edge.weight) for cause, edge in self.edges[index].items()}
        for place, hidden in enumerate(self.hidden, start=count):
            scores[place] = {CHANCE: hidden.log_prior}
            for index, edge in hidden.edges.items():
                scores[index][place] = math.log(edge.weight)
        return scores

    def _best_hidden(self, causes: dict[int, int]) -> Hidden | None:
        """The hidden root that would explain more than it costs; None where none does."""
        scores = self._scores()
        paid = {i: scores[i][causes[i]] for i in range(len(self.found))}
        reached: dict[Node, dict[int, Way]] = defaultdict(dict)
        for index, episode in enumerate(self.found):
            if causes[index] != CHANCE:
                continue
            for (node, after_end), way in self.network.causes_of(episode.node).items():
                if not after_end and node not in self.at and self._may_hide(node):
                    reached[node][index] = way
        best: tuple[float, Node, Hidden] | None = None
        for node in sorted(reached):
            for anchor in sorted(reached[node]):
                hidden = self._hidden(node, self.found[anchor].onset - reached[node][anchor].lag_min)
                gain = hidden.log_prior + sum(
                    max(0.0, math.log(edge.weight) - paid[i]) for i, edge in hidden.edges.items()
                )
                if gain > 1e-9 and (best is None or gain > best[0]):
                    best = gain, node, hidden
        return best[2] if best else None

    def _may_hide(self, node: Node) -> bool:
        return (
            self.network.hidden_root(node)
            and not self.network.watched(node)
            and all(hidden.node != node for hidden in self.hidden)
        )

    def _hidden(self, node: Node, since: int) -> Hidden:
        """The hidden root with all that it could explain, and the price of what stayed quiet."""
        edges: dict[int, Edge] = {}
        log_prior = math.log(self.network.prior(node))
        for (effect, _), way in self.network.effects_of(node).items():
            shown = False
            for index in self.at.get(effect, ()):
                lag = self.found[index].onset - since
                slack = self._slack(effect)
                if way.lag_min - slack <= lag <= way.lag_max + slack:
                    edges[index] = Edge(way, way.strength, lag)
                    shown = True
            if not shown and way.strength >= QUIET_STRENGTH_MIN and self.network.watched(effect):
                log_prior += math.log(1 - way.strength * self._should_have_shown(effect, way, since))
        return Hidden(node, since, edges, log_prior)

    def _should_have_shown(self, effect: Node, way: Way, since: int) -> float:
        """Share of the lag window that has passed, with what the sensor needs to tell."""
        first = since + way.lag_min + self.network.told_after[effect] + TOLERANCE
        last = first + way.lag_max - way.lag_min
        if self.now >= last:
            return 1.0
        middle = (first + last) // 2
        self.ripens.add(middle if self.now < middle else last)
        return max(0.0, (self.now - first) / (last - first))

    def _top(self, causes: dict[int, int], index: int) -> int:
        while causes[index] != CHANCE:
            index = causes[index]
        return index

    def _explanation(self, top: int, members: list[int], causes: dict[int, int]) -> Explanation:
        count = len(self.found)
        root = self._root(top)
        chosen: dict[int, tuple[int | None, Edge]] = {}
        for index in members:
            cause = causes[index]
            if cause >= count:
                chosen[index] = (None, self.hidden[cause - count].edges[index])
            elif cause != CHANCE:
                chosen[index] = (cause, self.edges[index][cause])
        ranked = self._ranked(root, members)
        alternatives = tuple((other, p) for other, p in ranked if other.node != root.node)
        probability = next(p for other, p in ranked if other.node == root.node)
        return Explanation(root, probability, alternatives, tuple(members), chosen)

    def _root(self, top: int) -> Root:
        if top >= len(self.found):
            hidden = self.hidden[top - len(self.found)]
            return Root(hidden.node, hidden.since, None)
        return Root(self.found[top].node, self.found[top].onset, top)

    def _ranked(self, root: Root, members: list[int]) -> list[tuple[Root, float]]:
        """The root and the best others, each with its probability among them.

        Each candidate is taken as the one spontaneous beginning; the rest is charged as well as it goes.
        """
        inside = set(members)
        scored = [(self._score(root, inside), root)]
        scored += [(self._score(other, inside), other) for other in self._candidates(root, members)]
        scored.sort(key=lambda s: (-s[0], s[1].node))
        top = max(score for score, _ in scored)
        total = sum(math.exp(score - top) for score, _ in scored)
        return [(other, math.exp(score - top) / total) for score, other in scored][:6]

    def _candidates(self, root: Root, members: list[int]) -> list[Root]:
        """Early members, and hidden causes of the root, that could have begun it instead."""
        seen = {root.node}
        found: list[Root] = []
        for index in members:
            episode = self.found[index]
            if episode.node not in seen and episode.onset <= root.since + 30 * MINUTE:
                seen.add(episode.node)
                found.append(Root(episode.node, episode.onset, index))
        for (node, after_end), way in self.network.causes_of(root.node).items():
            if node not in seen and not after_end and node not in self.at and self._may_hide(node):
                seen.add(node)
                found.append(Root(node, root.since - way.lag_min, None))
        return found[:12]

    def _score(self, root: Root, inside: set[int]) -> float:
        if root.episode is None:
            hidden = self._hidden(root.node, root.since)
            total, edges = hidden.log_prior, hidden.edges
        else:
            total, edges = self.priors[root.episode], {}
        for index in inside - {root.episode}:
            ways = [math.log(e.weight) for cause, e in self.edges[index].items() if cause in inside]
            if index in edges:
                ways.append(math.log(edges[index].weight))
            total += max(ways, default=self.priors[index])
        return total


def _earliest(item: tuple[int, list[int]]) -> int:
    return item[1][0]
