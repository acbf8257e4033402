"""Links between utilities, which no model file holds: guesses for somebody to review.

In:  the parts, placed. Out: links with ``guessed: true``, and in a comment what speaks for them.

A load in the power model that bears the name of a pump is taken for that pump. Everything else goes by
distance, so both ends need positions: each asset is linked to the nearest that could be meant, and the
comment tells how far the next one is, because two that are equally near need a look at the street.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.city import Relation, Utility
from simulator.importers.draft import DraftAsset, DraftLink, Part
from simulator.importers.places import METRES_PER_DEGREE, distance_m

CONSUMERS = frozenset({"pump", "treatment_works"})
"""Kinds that stand still without power."""

WITHIN_M = 150.0
"""How far a guess reaches: a low-voltage service is seldom longer, and neither is the way of street water to
the next inlet. Assumed; ``--couple-within`` changes it."""


@dataclass(frozen=True, slots=True)
class Coupling:
    """One kind of guess: for each of ``seekers`` the nearest of ``found``, best kinds first at one place."""

    relation: Relation
    seekers: frozenset[str]
    found: tuple[str, ...]
    seeker_acts: bool
    """Whether the link points from the seeker."""


COUPLINGS = (
    Coupling(Relation.POWERS, CONSUMERS, ("transformer", "feeder", "substation"), seeker_acts=False),
    Coupling(Relation.NEAR, frozenset({"substation"}), ("sump", "storm_manhole"), seeker_acts=False),
    Coupling(Relation.NEAR, frozenset({"junction"}), ("inlet", "storm_manhole"), seeker_acts=True),
)
"""Which bus feeds a pump; which drain floods a substation; which inlet takes the water of a burst main."""


def couple(parts: Sequence[Part], within_m: float) -> list[DraftLink]:
    """Guesses by name, then by distance up to ``within_m`` metres (0: none at all)."""
    if not within_m:
        return []
    named = list(_by_name(parts))
    powered = {link.target for link in named}
    assets = [asset for part in parts for asset in part.assets]
    near = [
        link
        for coupling in COUPLINGS
        for link in _by_distance(coupling, assets, within_m)
        if link.relation is not Relation.POWERS or link.target not in powered
    ]
    return named + near


def unpowered(parts: Sequence[Part], guesses: Sequence[DraftLink]) -> list[DraftAsset]:
    """What stands still without power, and has no link that gives it any."""
    powered = {link.target for link in guesses if link.relation is Relation.POWERS}
    return [
        asset
        for part in parts
        for asset in part.assets
        if asset.kind in CONSUMERS and asset not in powered and asset.utility is not Utility.POWER
    ]


def _by_name(parts: Sequence[Part]) -> Iterator[DraftLink]:
    sources = {
        load.casefold(): (source, Path(part.file).name)
        for part in parts
        for load, source in part.consumers.items()
    }
    for asset in (asset for part in parts for asset in part.assets if asset.kind in CONSUMERS):
        source, file = sources.get(asset.name.casefold(), (None, ""))
        if source is not None and not asset.name.isdecimal():
            yield DraftLink(
                source, asset, Relation.POWERS, {"guessed": True}, f"guessed: {file} has a load of this name"
            )


def _by_distance(coupling: Coupling, assets: Sequence[DraftAsset], within_m: float) -> Iterator[DraftLink]:
    places = _Places(assets, coupling.found, within_m)
    for seeker in assets:
        if seeker.kind not in coupling.seekers:
            continue
        nearest = places.nearest(seeker)
        if not nearest:
            continue
        distance, found = nearest[0]
        comment = f"guessed: {distance:.0f} m"
        if len(nearest) > 1:
            comment += f"; the next is {nearest[1][1].id} at {nearest[1][0]:.0f} m"
        ends = (seeker, found) if coupling.seeker_acts else (found, seeker)
        properties = {"guessed": True, "guessed_distance_m": round(distance)}
        yield DraftLink(*ends, coupling.relation, dict(properties), comment)


class _Places:
    """Assets by where they can be met, in cells as wide as the search: nine cells hold all that is near."""

    def __init__(self, assets: Sequence[DraftAsset], kinds: Sequence[str], within_m: float) -> None:
        self._within_m = within_m
        self._rank = {kind: rank for rank, kind in enumerate(kinds)}
        latitudes = (abs(position[0]) for asset in assets for position in _positions(asset))
        self._narrowest = math.cos(math.radians(min(89.0, max(latitudes, default=0.0))))
        self._cells: dict[tuple[int, int], list[tuple[tuple[float, float], DraftAsset]]] = defaultdict(list)
        for asset in (asset for asset in assets if asset.kind in kinds and asset.coupled):
            for position in _positions(asset):
                self._cells[self._cell(position)].append((position, asset))

    def nearest(self, seeker: DraftAsset) -> list[tuple[float, DraftAsset]]:
        """Distance and asset, the nearest first, each asset once."""
        best: dict[DraftAsset, float] = {}
        for here in _positions(seeker):
            row, column = self._cell(here)
            cells = [(r, c) for r in range(row - 1, row + 2) for c in range(column - 1, column + 2)]
            for there, asset in (found for cell in cells for found in self._cells.get(cell, ())):
                distance = distance_m(here, there)
                if asset is not seeker and distance <= min(self._within_m, best.get(asset, math.inf)):
                    best[asset] = distance
        order = sorted(best.items(), key=lambda item: (round(item[1]), self._rank[item[0].kind], item[0].id))
        return [(distance, asset) for asset, distance in order]

    def _cell(self, position: tuple[float, float]) -> tuple[int, int]:
        """Row and column; wide enough everywhere where they are on the parallel nearest to a pole."""
        latitude, longitude = position
        degrees = self._within_m / METRES_PER_DEGREE
        return math.floor(latitude / degrees), math.floor(longitude * self._narrowest / degrees)


def _positions(asset: DraftAsset) -> list[tuple[float, float]]:
    own = [] if asset.position is None else [asset.position]
    return asset.reach_positions or own
