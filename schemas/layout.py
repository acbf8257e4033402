"""Where the assets of a city model lie, and which links join which kinds: what mistakes are looked for in.

In: a city model. Out: tables. Pure.
"""

import math
from collections import defaultdict

from schemas.city import Asset, City, Relation

METRES_A_DEGREE = 111_195.0
"""Of latitude."""


class Layout:
    """Assets by kind, where they lie, and places of links by their relation and the kinds at their ends."""

    def __init__(self, city: City) -> None:
        self.assets: dict[str, list[Asset]] = defaultdict(list)
        for asset in city.assets:
            self.assets[asset.kind].append(asset)
        self.kinds = {asset.id: asset.kind for asset in city.assets}
        self.links: dict[tuple[str, Relation, str], list[int]] = defaultdict(list)
        for place, link in enumerate(city.links):
            self.links[self.kinds[link.source], link.relation, self.kinds[link.target]].append(place)
        known = {asset.id: asset.position for asset in city.assets if asset.position is not None}
        north = sum(position[0] for position in known.values()) / max(len(known), 1)
        narrow = math.cos(math.radians(north))
        self._metres = {
            asset: (METRES_A_DEGREE * at[0], METRES_A_DEGREE * at[1] * narrow) for asset, at in known.items()
        }
        """Northwards and eastwards. A plane is good enough for a city."""

    def apart(self, one: str, other: str) -> float | None:
        """Metres between two assets; None where nobody knows."""
        here, there = self._metres.get(one), self._metres.get(other)
        return math.dist(here, there) if here and there else None
