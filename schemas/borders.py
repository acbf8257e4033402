"""Where a city model is cut: what hangs together when its borders are taken away.

In:  assets, and the links between them, some of them marked ``border: true``.
Out: the connected parts that remain, and the way by which two assets still hang together.
Promises: the same parts for the same city, in whatever order its lists stand. Work grows with the lists.

``carries`` joins nothing: a gateway spreads no trouble, it only stops telling.
"""

from collections import defaultdict
from collections.abc import Iterable

from schemas.city import Link, Relation


class Parts:
    """The parts of an asset graph. Links to assets that are not there are passed over."""

    def __init__(self, assets: Iterable[str], links: Iterable[Link]) -> None:
        beside: dict[str, list[str]] = {asset: [] for asset in sorted(assets)}
        for link in links:
            if not link.border and joins(link) and link.source in beside and link.target in beside:
                beside[link.source].append(link.target)
                beside[link.target].append(link.source)
        self._before: dict[str, tuple[str, str]] = {}
        """By asset: the first of its part, and the asset by which a walk from there came to it."""
        for first in beside:
            walk = [first] if first not in self._before else []
            for asset in walk:
                self._before.setdefault(asset, (first, asset))
                for other in beside[asset]:
                    if other not in self._before:
                        self._before[other] = first, asset
                        walk.append(other)

    def first(self, asset: str) -> str:
        """The asset of its part that comes first by name: what the part is called."""
        return self._before[asset][0]

    def members(self) -> dict[str, frozenset[str]]:
        """The parts by their first asset."""
        found: dict[str, set[str]] = defaultdict(set)
        for asset, (first, _) in self._before.items():
            found[first].add(asset)
        return {first: frozenset(part) for first, part in found.items()}

    def way(self, one: str, other: str) -> list[str] | None:
        """Assets by which these two hang together, both included; None where they don't, or are not there."""
        if not {one, other} <= self._before.keys() or self.first(one) != self.first(other):
            return None
        here, there = self._back(one), self._back(other)
        while len(here) > 1 and len(there) > 1 and here[-2] == there[-2]:
            here.pop()
            there.pop()
        return [*here, *there[-2::-1]]

    def _back(self, asset: str) -> list[str]:
        """From an asset to the first of its part."""
        way = [asset]
        while (before := self._before[way[-1]][1]) != way[-1]:
            way.append(before)
        return way


def joins(link: Link) -> bool:
    """Whether trouble can pass here."""
    return link.relation is not Relation.CARRIES
