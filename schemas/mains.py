"""Water mains that can't be as a city model has them, and parts of the network that no water reaches.

In:  a city model with its layout.
Out: mains that are shorter than the way between their ends, and guesses how a part without a source is joined
     to the rest. Pure.

A pump has two sides, which only its running joins.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from schemas.city import City, Link, Properties, Relation
from schemas.habits import GUESS, MISLED, MOST, NEAR_M, Ends
from schemas.layout import Layout

LENGTH = "length_m"
NODES = ("junction", "tank", "treatment_works", "valve", "pump")
"""Kinds of assets that mains join."""
STRETCH, MANY = 1.5, 10
"""A main is shorter than the way where the two differ by so many times what they do in the middle of so many
mains: maps have a scale, and pipes have bends."""
WRONG = 0.1
"""How sure such a main is."""
LOOSE = 10.0
"""How much likelier an end is that no main leads to, or a valve with one: it waits for another."""
OTHER_ZONE = 0.1
"""How likely mains go from one pressure zone to another, beside those within."""
SOURCE = 0.6
"""That a main which leads elsewhere has its source right, and not its target: models are written asset by
asset, and the other end is the one that is looked up."""
FITS = 0.1
"""So near must a way be to the length of a main that leads elsewhere, to be where it belongs."""


class End(NamedTuple):
    """A place in the network: an asset, and of pumps which side."""

    asset: str
    outlet: bool = False


class Network:
    """The mains of a city."""

    def __init__(self, city: City, layout: Layout) -> None:
        self._city, self._layout = city, layout
        self._mains = dict(self._found())
        self.strays = dict.fromkeys(self._stretched(), WRONG)
        """Mains that are shorter than the way, by their place in the model: how sure they are."""
        self._beside: dict[End, set[End]] = defaultdict(set)
        self._pumps = {asset.id for asset in layout.assets["pump"]}
        self._measures: dict[Ends, Properties] = {}
        self._zones: dict[str, set[str]] = defaultdict(set)
        """By asset: the zones that serve it."""

    def _lay(self) -> None:
        """What is beside what, without the mains that lead elsewhere, and who serves whom."""
        city, layout = self._city, self._layout
        for place, link in self._mains.items():
            one, other = self._ends(link)
            for here, there in ((one, other), (other, one)):
                self._beside[here].update([] if place in self.strays else [there])
        for kind in ("pump", "treatment_works", "tank", "valve"):
            for asset in layout.assets[kind]:
                if asset.utility == "water":
                    self._beside[End(asset.id)].update()
                    if kind == "pump":
                        self._beside[End(asset.id, outlet=True)].update()
        for place in layout.links["pressure_zone", Relation.SERVES, "junction"]:
            self._zones[city.links[place].target].add(city.links[place].source)

    def _found(self) -> Iterator[tuple[int, Link]]:
        """Places of mains in the model. Beside links with measures, those without say who depends on whom."""
        between = {
            place: self._city.links[place]
            for kind in NODES
            for far in NODES
            for place in self._layout.links.get((kind, Relation.SUPPLIES, far), ())
        }
        measured = {link.source for link in between.values() if link.properties}
        for place, link in between.items():
            if link.properties or link.source not in measured:
                yield place, link

    def _ends(self, link: Link) -> tuple[End, End]:
        source, target = link.source, link.target
        return End(source, outlet=self._layout.kinds[source] == "pump"), End(target)

    def _stretched(self) -> Iterator[int]:
        """Places of mains between junctions that are shorter than the way."""
        ratios = {}
        for place in self._layout.links["junction", Relation.SUPPLIES, "junction"]:
            link = self._city.links[place]
            length, apart = _length(link), self._layout.apart(link.source, link.target)
            if length > 0 and apart is not None:
                ratios[place] = apart / length
        self._ratio = sorted(ratios.values())[len(ratios) // 2] if len(ratios) >= MANY else 0.0
        """Of the way to the length of a main, in the middle."""
        if self._ratio > 0:
            for place, ratio in ratios.items():
                link = self._city.links[place]
                if ratio > STRETCH * self._ratio and ratio * _length(link) > NEAR_M:
                    yield place

    def gaps(self) -> Iterator[tuple[str, dict[Ends, float]]]:
        """For each part without a source, an asset in it and guesses how it is joined to the rest."""
        if not self._ratio:
            return
        self._lay()
        parts = self._parts()
        lengths = sorted(map(_length, self._mains.values()))
        usual = max(self._ratio * lengths[len(lengths) // 2], NEAR_M)
        yield from self._put_right()
        for part in parts:
            if any(self._is_source(end) for end in part):
                continue
            weights: list[tuple[float, Ends]] = []
            """Of the likeliest way to each other part, all ways taken together."""
            for other_part in parts:
                ways = [] if other_part is part else list(self._ways(part, other_part, usual))
                if ways:
                    weights.append((sum(weight for weight, _ in ways), max(ways, key=_rank)[1]))
            weight, ends = max(weights, key=_rank, default=(0.0, None))
            if ends and weight > 0:
                yield part[0].asset, {ends: round(GUESS * weight / sum(weight for weight, _ in weights), 3)}

    def _put_right(self) -> Iterator[tuple[str, dict[Ends, float]]]:
        """Where mains that lead elsewhere may belong: from either end, where the way is as long."""
        strays = [self._mains[place] for place in self.strays]
        for link in sorted(strays, key=lambda link: (link.source, link.target)):
            for end, sure in ((link.source, SOURCE), (link.target, 1 - SOURCE)):
                near = [
                    other.id
                    for other in self._layout.assets["junction"]
                    if self._is_free(end, other.id) and self._is_as_long(link, end, other.id)
                ]
                pairs = [(end, other) if end == link.source else (other, end) for other in near]
                guesses = {
                    Ends(*pair, link.relation): round(GUESS * sure / len(near), 3)
                    for pair in pairs
                    if len(near) <= MOST and Ends(*pair[::-1], link.relation) not in self._measures
                }
                self._measures.update(dict.fromkeys(guesses, link.properties))
                if guesses:
                    yield end, guesses

    def _is_free(self, one: str, other: str) -> bool:
        """Whether two junctions of a zone have no main between them."""
        zones = self._zones.get(one, set()), self._zones.get(other, set())
        return one != other and End(other) not in self._beside[End(one)] and not zones[0].isdisjoint(zones[1])

    def _is_as_long(self, main: Link, one: str, other: str) -> bool:
        apart = self._layout.apart(one, other)
        return apart is not None and abs(apart / (self._ratio * _length(main)) - 1) < FITS

    def _ways(self, part: list[End], other_part: list[End], usual: float) -> Iterator[tuple[float, Ends]]:
        """How two parts may be joined: likelihoods, and the ends of a main."""
        for one in part:
            for other in other_part:
                apart = self._layout.apart(one.asset, other.asset)
                if apart is not None and not {one.asset, other.asset} <= self._pumps:
                    yield math.exp(-apart / usual) * self._suits(one, other), self._link(one, other)

    def _parts(self) -> list[list[End]]:
        """Ends that hang together, each part in order."""
        parts, seen = [], set[End]()
        for start in sorted(self._beside):
            if start in seen:
                continue
            part, here = {start}, [start]
            while here:
                onward = self._beside[here.pop()] - part
                part |= onward
                here += onward
            seen |= part
            parts.append(sorted(part))
        return parts

    def _is_source(self, end: End) -> bool:
        return end.outlet or self._layout.kinds[end.asset] == "treatment_works"

    def _suits(self, one: End, other: End) -> float:
        """How much likelier these ends are than others as far apart."""
        zones = [self._zones[end.asset] for end in (one, other) if end.asset in self._zones]
        weight = OTHER_ZONE if len(zones) == 2 and zones[0].isdisjoint(zones[1]) else 1.0
        weight *= LOOSE if self._is_loose(one) or self._is_loose(other) else 1.0
        return weight * (MISLED if self._fits(one, other) else 1.0)

    def _is_loose(self, end: End) -> bool:
        return len(self._beside[end]) < (2 if self._layout.kinds[end.asset] == "valve" else 1)

    def _fits(self, one: End, other: End) -> bool:
        """Whether a main that leads elsewhere from one of them is as long as the way."""
        return any(
            {link.source, link.target} & {one.asset, other.asset}
            and self._is_as_long(link, one.asset, other.asset)
            for link in (self._mains[place] for place in self.strays)
        )

    def _link(self, one: End, other: End) -> Ends:
        """From the rest into the part, but out of an outlet and into an inlet."""
        into_rest = one.outlet or (self._layout.kinds[other.asset] == "pump" and not other.outlet)
        source, target = (one, other) if into_rest else (other, one)
        return Ends(source.asset, target.asset, Relation.SUPPLIES)

    def measures(self, ends: Ends) -> Properties:
        """Of a guessed main: those of the one that leads elsewhere, or its length by the way."""
        apart = self._layout.apart(ends.source, ends.target) or 0.0
        return self._measures.get(ends) or {LENGTH: max(round(apart / self._ratio, 1), 1.0)}


def _rank(way: tuple[float, Ends]) -> tuple[float, tuple[str, ...]]:
    """The likelier first; of equals always the same."""
    return way[0], way[1]


def _length(link: Link) -> float:
    value = link.properties.get(LENGTH)
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0
