"""What no sensor shows and may have begun it: from when on it would have held, and who stayed quiet then.

In:  the episodes of a part, the ways by which a node may have brought them, stream time.
Out: the node with the onset that suits it best, what it explains, and its price: its prior, and every healthy
     sensor that should have shown it by now and didn't. And when more of that quiet becomes evidence.
Pure.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.times import MINUTE
from streams.episodes import Episode
from streams.network import Network, Node, Way

UNUSUAL_FACTOR = 0.3
"""Weight of an effect at the end of its rule's lags, beside 1 up to the usual lag; straight between."""
TOLERANCE = 1 * MINUTE
"""Slack of clocks and transport, besides the sampling of both sides."""
ONSETS = 8
"""Onsets that a hidden node is tried with: those that the earliest of its effects would give it."""


class Edge(NamedTuple):
    """How one node explains another."""

    way: Way
    weight: float
    """Strength times how well the lag fits."""
    lag: int
    """Seen, in ms, from the cause's onset (or end, where the way counts from it)."""


class Unseen(NamedTuple):
    """A hidden node, from when on, with the edges to what it explains."""

    node: Node
    since: int
    edges: dict[int, Edge]
    cost: float
    """Log prior, with what its quiet effects cost."""


class _Shown(NamedTuple):
    """An episode that the node may have brought."""

    episode: int
    """Its index."""
    node: Node
    onset: int
    slack: int
    way: Way


class _Quiet(NamedTuple):
    """What it would bring for sure, where a healthy sensor would show it."""

    node: Node
    first: int
    """The least lag after which it is told, in ms."""
    spread: int
    """From the least to the most."""
    strength: float


class Suspect:
    """A node that may hold unseen."""

    def __init__(
        self,
        network: Network,
        node: Node,
        ways: Mapping[int, Way],
        found: Sequence[Episode],
        slacks: Sequence[int],
    ) -> None:
        """``ways`` by the index of the episode to which they lead, ``slacks`` by the index of any."""
        self.node = node
        self._prior = math.log(network.prior(node))
        self._shown = [
            _Shown(index, found[index].node, found[index].onset, TOLERANCE + slacks[index], way)
            for index, way in ways.items()
        ]
        self._sinces = sorted({found[index].onset - way.lag_min for index, way in ways.items()})[:ONSETS]
        weighed = {
            network.utility(found[index].node.asset)
            for index in ways
            if node.asset in {asset for asset, _ in found[index].places}
        }
        """Utilities whose sensors a sign that names this place has weighed already."""
        self._quiet = [
            _Quiet(
                effect,
                way.lag_min + network.told_after[effect] + TOLERANCE,
                way.lag_max - way.lag_min,
                way.strength,
            )
            for (effect, _), way in network.effects_of(node).items()
            if network.watched(effect) and network.utility(effect.asset) not in weighed
        ]

    def hope(self, paid: Sequence[float]) -> float:
        """What it could gain at the most, beside what is paid for each episode."""
        return self._prior + sum(
            max(0.0, math.log(shown.way.strength) - paid[shown.episode]) for shown in self._shown
        )

    def at_best(self, now: int, paid: Sequence[float], ripens: set[int]) -> tuple[float, Unseen]:
        """From the onset that suits it best: how much better it explains what it reaches than what is paid
        for that, and the node. ``ripens`` gets the times at which more of the quiet becomes evidence.
        """
        tried = [self._since(since, now, paid, ripens) for since in self._sinces]
        gain, cost, since = max(tried, key=lambda one: one[0])
        edges = {
            shown.episode: Edge(shown.way, shown.way.strength * how_well, shown.onset - since)
            for shown, how_well in self._fits(since)
        }
        return gain, Unseen(self.node, since, edges, cost)

    def _since(
        self, since: int, now: int, paid: Sequence[float], ripens: set[int]
    ) -> tuple[float, float, int]:
        """Gain, cost and onset, where it holds from then on."""
        gain, explained = 0.0, set()
        for shown, how_well in self._fits(since):
            gain += max(0.0, math.log(shown.way.strength * how_well) - paid[shown.episode])
            explained.add(shown.node)
        cost = self._prior
        for node, least, spread, strength in self._quiet:
            if node not in explained:
                cost += math.log(1 - strength * _share_passed(since + least, spread, now, ripens))
        return cost + gain, cost, since

    def _fits(self, since: int) -> Iterator[tuple[_Shown, float]]:
        for shown in self._shown:
            how_well = fit(shown.way, shown.onset - since, shown.slack)
            if how_well is not None:
                yield shown, how_well


def _share_passed(first: int, spread: int, now: int, ripens: set[int]) -> float:
    """Share of the lag window that has passed, with what the sensor needs to tell."""
    last = first + spread
    if now >= last:
        return 1.0
    middle = (first + last) // 2
    ripens.add(middle if now < middle else last)
    return max(0.0, (now - first) / spread)


def fit(way: Way, lag: int, slack: int) -> float | None:
    """How well a lag fits: 1 up to the usual one, then falling; None outside of what the rule says."""
    if not way.lag_min - slack <= lag <= way.lag_max + slack:
        return None
    if lag <= way.lag_usual + slack:
        return 1.0
    over = (lag - way.lag_usual - slack) / max(way.lag_max - way.lag_usual, 1)
    return 1.0 - (1.0 - UNUSUAL_FACTOR) * min(over, 1.0)
