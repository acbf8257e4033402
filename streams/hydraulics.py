"""Mains and what flows in them: the parts of a water network, and their heads for given draws.

In:  a city model with ``supplies`` links; draws in L/s by node. Out: parts (``Mains``), heads in m.

A part ends at pumps, because a pump's flow is measured and its two sides differ in pressure. Works and tanks
belong to the part that they feed, valves are nodes like junctions. The equations stand in docs/signs.md.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.city import City, Link, Properties, Relation

Row = NDArray[np.float64]

ROUGHNESS = 125.0
"""Hazen and Williams' C of a middle-aged main; assumed."""
LENGTH_M, DIAMETER_MM = 200.0, 200.0
"""A main of which the city model says neither; assumed."""
CREEP_LPS = 0.5
"""Below this a main is taken as if it carried this: its law has no slope at rest; assumed."""
_NODES = frozenset({"junction", "tank", "treatment_works", "valve", "pump"})
_EXPONENT = 1.852
_ROUNDS, _CLOSE_LPS = 40, 0.01


class Mains(NamedTuple):
    """A part of the network. Mains join nodes by their places in ``nodes``."""

    nodes: tuple[str, ...]
    ends: NDArray[np.intp]
    """Two columns: the nodes that a main joins."""
    resistance: Row
    """Head lost in a main in m is this times its flow in L/s to the power of 1.852."""
    junctions: tuple[str, ...]
    tanks: tuple[str, ...]
    works: tuple[str, ...]
    into: tuple[str, ...]
    """Pumps that deliver into this part."""
    out_of: tuple[str, ...]
    """Pumps that draw from this part."""

    def heads(self, inflows: Row) -> Row:
        """Heads in m over the first node, for inflows at the nodes in L/s (draws are negative).

        Rows of ``inflows`` are cases, solved together; each should sum to nothing, else the first node gives
        the rest. After Todini and Pilati 1988: flows and heads in turn, each main by its tangent.
        """
        flows = np.ones((len(inflows), len(self.ends)))
        heads = np.zeros_like(inflows)
        for _ in range(_ROUNDS):
            gain = self._gain(flows)
            kept = flows - gain * self._chord(flows) * flows
            heads[:, 1:] = np.linalg.solve(
                self._laplacian(gain)[:, 1:, 1:], (inflows - self._gathered(kept))[:, 1:, None]
            )[:, :, 0]
            before, flows = flows, kept + gain * (heads[:, self.ends[:, 0]] - heads[:, self.ends[:, 1]])
            if np.abs(flows - before).max() < _CLOSE_LPS:
                break
        return heads

    def responses(self, heads: Row) -> Row:
        """How the head of each node (row) changes with one L/s more into each node (column), about these."""
        lost = heads[self.ends[:, 0]] - heads[self.ends[:, 1]]
        flows = (np.abs(lost) / self.resistance) ** (1 / _EXPONENT)
        found = np.zeros((len(self.nodes),) * 2)
        found[1:, 1:] = np.linalg.inv(self._laplacian(self._gain(flows[None]))[0, 1:, 1:])
        return found

    def _gain(self, flows: Row) -> Row:
        """How much more flows in each main for a metre more between its ends."""
        return 1 / (np.where(np.abs(flows) > CREEP_LPS, _EXPONENT, 1.0) * self._chord(flows))

    def _chord(self, flows: Row) -> Row:
        """Head lost in each main over its flow; of a creeping one as if it carried ``CREEP_LPS``."""
        return self.resistance * np.maximum(np.abs(flows), CREEP_LPS) ** (_EXPONENT - 1)

    def _laplacian(self, gain: Row) -> Row:
        one, other, count = self.ends[:, 0], self.ends[:, 1], len(self.nodes)
        place = np.concatenate(
            [one * count + one, other * count + other, one * count + other, other * count + one]
        )
        return np.array(
            [np.bincount(place, np.concatenate([row, row, -row, -row]), count**2) for row in gain]
        ).reshape(-1, count, count)

    def _gathered(self, flows: Row) -> Row:
        """What mains carry away from each node."""
        way = np.zeros((len(self.ends), len(self.nodes)))
        way[np.arange(len(way)), self.ends[:, 0]] = 1.0
        way[np.arange(len(way)), self.ends[:, 1]] -= 1.0
        return flows @ way

    def neighbours(self) -> dict[str, tuple[str, ...]]:
        """The junctions one main away from each junction; a valve between two is passed through."""
        near: dict[str, set[str]] = defaultdict(set)
        for one, other in self.ends:
            near[self.nodes[one]].add(self.nodes[other])
            near[self.nodes[other]].add(self.nodes[one])
        known = set(self.junctions)
        return {
            node: tuple(sorted((near[node] | _beyond(node, near, known)) & known - {node}))
            for node in self.junctions
        }


def _beyond(node: str, near: dict[str, set[str]], junctions: set[str]) -> set[str]:
    """What lies behind the nodes next to this one that are no junctions and join just two mains."""
    return {
        far for next_ in near[node] - junctions if len(near[next_]) == 2 for far in near[next_]
    }  # fmt: skip - one question


def parts(city: City) -> tuple[Mains, ...]:
    """The parts of the city's water network that hold junctions, by their first node."""
    kinds = {asset.id: asset.kind for asset in city.assets if asset.utility == "water"}
    links = [
        link for link in city.links if link.relation is Relation.SUPPLIES and _is_main(link, city, kinds)
    ]
    pumps = {asset for asset, kind in kinds.items() if kind == "pump"}
    mains = [
        (
            outlet(link.source) if link.source in pumps else link.source,
            inlet(link.target) if link.target in pumps else link.target,
            _resistance(link),
        )
        for link in links
    ]
    made = [_mains(sorted(nodes), kinds, mains) for nodes in _joined(mains)]
    return tuple(sorted((part for part in made if part.junctions), key=lambda part: part.nodes))


def inlet(pump: str) -> str:
    """The node that a pump draws from."""
    return f"{pump}>"


def outlet(pump: str) -> str:
    """The node that a pump delivers to."""
    return f">{pump}"


def _is_main(link: Link, city: City, kinds: dict[str, str]) -> bool:
    """Whether water passes here. Beside links with measures, those without only say who depends on whom."""
    if not {kinds.get(link.source), kinds.get(link.target)} <= _NODES:
        return False
    return bool(link.properties) or not any(
        other.properties
        for other in city.links_from[link.source]
        if other.relation is Relation.SUPPLIES and kinds.get(other.target) in _NODES
    )


def _joined(mains: Iterable[tuple[str, str, float]]) -> list[set[str]]:
    """Nodes that hang together."""
    group: dict[str, set[str]] = {}
    for one, other, _ in mains:
        small, large = sorted((group.get(one, {one}), group.get(other, {other})), key=len)
        if small is not large:
            large |= small
            group.update(dict.fromkeys(large, large))
    return list({id(nodes): nodes for nodes in group.values()}.values())


def _mains(nodes: list[str], kinds: dict[str, str], mains: Iterable[tuple[str, str, float]]) -> Mains:
    place = {node: index for index, node in enumerate(nodes)}
    inside = [main for main in mains if main[0] in place]
    pumps = [asset for asset, kind in kinds.items() if kind == "pump"]
    return Mains(
        tuple(nodes),
        np.array([(place[one], place[other]) for one, other, _ in inside], dtype=np.intp),
        np.array([resistance for *_, resistance in inside]),
        tuple(node for node in nodes if kinds.get(node) == "junction"),
        tuple(node for node in nodes if kinds.get(node) == "tank"),
        tuple(node for node in nodes if kinds.get(node) == "treatment_works"),
        tuple(pump for pump in pumps if outlet(pump) in place),
        tuple(pump for pump in pumps if inlet(pump) in place),
    )


def measure(properties: Properties, name: str) -> float:
    """A physical fact as a number above 0; 0 where the city model doesn't tell one."""
    value = properties.get(name)
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def _resistance(link: Link) -> float:
    """Hazen and Williams in metric units, for a flow in L/s."""
    length = measure(link.properties, "length_m") or LENGTH_M
    diameter = (measure(link.properties, "diameter_mm") or DIAMETER_MM) / 1000
    metres: float = 10.67 * length / (ROUGHNESS**_EXPONENT * diameter**4.871 * 1000**_EXPONENT)
    return metres
