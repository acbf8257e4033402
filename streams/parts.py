"""Which episodes belong together: those that may share a cause, seen or not, or where one may be another's.

In:  the episodes of a city, look after look, and the network of causes.
Out: parts that no rule can connect. Each is reasoned about apart.
Promises: parts are a function of the set of episodes and of which sensors can be trusted. From look to look
only what is new is joined; when an episode is gone, or points elsewhere, all is joined anew.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from streams.causes import PLACES
from streams.episodes import Episode
from streams.network import STRENGTH_MIN, Cone, Network, Node, Way, joined

Touched = tuple[frozenset[Node], frozenset[Node]]
"""What can have brought an episode: all such nodes, and those among them that may hold unseen."""


class Parts:
    """The parts of a city's episodes."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._touched: dict[Node, Touched] = {}
        self._start()

    def _start(self) -> None:
        self._known: set[tuple[object, ...]] = set()
        """Episodes that are joined: their node, and the places to which they point."""
        self._there: set[Node] = set()
        self._heads: dict[Node, Node] = {}
        """A forest: who has the same node on top belongs together."""
        self._awaited: dict[Node, list[Node]] = defaultdict(list)
        """By node that is not there: those that it can have brought."""

    def change(self, stale: Iterable[Node]) -> None:
        """The causes or effects of these nodes are others than before."""
        for node in stale:
            self._touched.pop(node, None)
        self._start()

    def of(self, found: Sequence[Episode]) -> list[list[Episode]]:
        """The parts, each in the order of ``found``."""
        now = {(episode.node, episode.places): episode for episode in found}
        if not self._known <= now.keys():
            self._start()
        for key, episode in now.items():
            if key not in self._known:
                self._known.add(key)
                self._join(episode)
        parts: dict[Node, list[Episode]] = defaultdict(list)
        for episode in found:
            parts[self._top(episode.node)].append(episode)
        return list(parts.values())

    def _join(self, episode: Episode) -> None:
        node, heads = episode.node, self._heads
        if node not in self._there:
            self._there.add(node)
            for effect in self._awaited.pop(node, ()):
                heads[self._top(effect)] = self._top(node)
        seen, unseen = self.touches(episode)
        for cause in seen:
            if cause in self._there or cause in unseen:
                heads[self._top(cause)] = self._top(node)
            else:
                self._awaited[cause].append(node)

    def _top(self, node: Node) -> Node:
        heads = self._heads
        while (head := heads.setdefault(node, node)) != node:
            heads[node] = heads.setdefault(head, head)
            node = heads[node]
        return node

    def touches(self, episode: Episode) -> Touched:
        """What can have brought an episode."""
        node = episode.node
        if node not in self._touched:
            seen = frozenset(far for far, _ in self._network.causes_of(node))
            self._touched[node] = seen, frozenset(self._network.hidden_causes_of(node))
        if not episode.places:
            return self._touched[node]
        seen, unseen = self._touched[node]
        there = pointed(self._network, episode)
        hidden = {far for far, ended in there if not ended and self._network.hidden_root(far)}
        return seen | {far for far, _ in there}, unseen | hidden


def pointed(network: Network, episode: Episode) -> Cone:
    """Causes at the places that a sign names, and what brings those: the best way from each to the sign."""
    found: Cone = {}

    def offer(way: Way) -> None:
        key = way.nodes[0], way.after_end
        if key not in found or way.strength > found[key].strength:
            found[key] = way

    for rule in network.causes.by_effect.get(episode.node.condition, ()):
        if PLACES not in rule.via:
            continue
        for asset, share in episode.places:
            if rule.kinds is not None and network.kind(asset) not in rule.kinds:
                continue
            for condition in rule.cause:
                here = Node(asset, condition)
                last = Way(rule.strength * share, *rule.lag, (here, episode.node), (rule,), False)
                offer(last)
                for way in network.causes_of(here).values():
                    if way.strength * last.strength >= STRENGTH_MIN:
                        offer(joined(way, last))
    return found
