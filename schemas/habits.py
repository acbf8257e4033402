"""What assets of a kind are usually joined to, and where a city model departs from that.

In:  a city model with its layout.
Out: links that stand out, and links that an asset may lack, each with how sure it is. Pure.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from schemas.city import City, Relation, Utility
from schemas.layout import Layout

FEW = 1 / 3
"""Where more of the assets than this, and more than one, lack such a link, the model doesn't tell of it."""
MOST, LEAST = 4, 0.05
"""Guesses for one link, and how sure each must be."""
LONG, LONG_MANY = 4.0, 4
"""So many times the middle one of the lengths of so many such links is too long."""
MISLED = 10.0
"""How much likelier an end is that has a link which seems to lead elsewhere."""
GUESS = 0.9
"""That a link is missing at all, where one seems to be. Assumed, as all numbers here."""
NEAR_M = 20.0
"""Distances are as good as that."""
SAME_ZONE, OTHER_ZONE = 1.0, 0.3
"""Nearness where positions are not known."""


class Habit(NamedTuple):
    """Each asset of ``kinds`` has a link: to one of ``others``, or from one where ``back``."""

    kinds: tuple[str, ...]
    relation: Relation
    back: bool
    others: tuple[str, ...]
    own: bool = False
    """Whether each of the others has one such link at the most."""
    local: bool = False
    """Whether they lie beside each other, so that a long link is a wrong one."""
    several: bool = False
    """Whether an asset may well have more than one."""
    utility: Utility | None = None
    """Only assets of this one."""
    but_at: tuple[str, ...] = ()
    """Not those that water passes to or from an asset of these kinds: they may lie before or between."""


HABITS = (
    Habit(("pump", "signal", "treatment_works"), Relation.POWERS, True, ("feeder",)),
    Habit(("feeder",), Relation.POWERS, True, ("transformer", "feeder")),
    Habit(("transformer",), Relation.POWERS, True, ("substation",), local=True),
    Habit(("substation",), Relation.POWERS, True, ("grid_intake",)),
    Habit(("tank",), Relation.SUPPLIES, True, ("pump", "treatment_works"), several=True),
    Habit(("tank",), Relation.SERVES, False, ("pressure_zone",), own=True, local=True),
    Habit(
        ("junction",),
        Relation.SERVES,
        True,
        ("pressure_zone",),
        but_at=("treatment_works", "pump", "valve", "tank"),
    ),
    Habit(("inlet",), Relation.DRAINS_TO, False, ("storm_manhole",), local=True),
    Habit(("inlet", "underpass"), Relation.DRAINS_TO, True, ("catchment",)),
    Habit(("storm_manhole",), Relation.DRAINS_TO, False, ("storm_manhole", "outfall"), local=True),
    Habit(("sump",), Relation.DRAINS_TO, True, ("storm_manhole",)),
    Habit(("sump",), Relation.NEAR, False, ("substation",)),
    Habit(("underpass",), Relation.NEAR, False, ("road",), local=True),
    Habit(("manhole",), Relation.DRAINS_TO, False, ("sewer",), own=True, local=True),
    Habit(("sewer",), Relation.DRAINS_TO, True, ("manhole",), own=True, local=True),
    Habit(("sewer",), Relation.DRAINS_TO, False, ("manhole", "wet_well"), local=True),
    Habit(("wet_well",), Relation.DRAINS_TO, False, ("pump",), own=True, local=True),
    Habit(("wet_well",), Relation.DRAINS_TO, False, ("overflow",), own=True, local=True),
    Habit(("wet_well", "underpass"), Relation.PROTECTS, True, ("pump",), own=True, local=True),
    Habit(("pump",), Relation.LIFTS_TO, False, ("treatment_works", "manhole"), utility=Utility.SEWAGE),
    Habit(("signal",), Relation.SERVES, False, ("road",), local=True),
    Habit(("bin",), Relation.SERVES, True, ("route",)),
    Habit(("bin",), Relation.BLOCKS, False, ("inlet",), own=True, local=True),
)


class Ends(NamedTuple):
    """A link's."""

    source: str
    target: str
    relation: Relation


class Kept:
    """How a city keeps to one habit."""

    def __init__(self, city: City, habit: Habit, layout: Layout) -> None:
        self._city, self._habit, self._layout = city, habit, layout
        mine = (asset for kind in habit.kinds for asset in layout.assets[kind])
        self._mine = [asset.id for asset in mine if habit.utility in (None, asset.utility)]
        self._others = [asset.id for kind in habit.others for asset in layout.assets[kind]]
        self.strays: dict[int, float] = {}
        """Links that stand out, by their place in the model: how sure they are."""
        self._links = self._found(layout)
        apart = self._at(habit.but_at)
        self._lacking = [asset for asset in self._mine if asset not in self._links and asset not in apart]
        self._misled: set[str] = set()
        """The other ends of links that stand out."""
        self._taken: set[str] = set()
        """The other ends of those that don't."""
        if len(self._lacking) > _few(self._mine) or not (self._links or self._is_told()):
            self._lacking, self._links = [], {}  # the model doesn't tell of such links
        several = sum(len(found) > 1 for found in self._links.values())
        if not self._lacking and not several and not habit.local:
            return
        self._length = {
            place: layout.apart(asset, other)
            for asset, found in self._links.items()
            for place, other in found.items()
        }
        """Of each link in metres, by its place."""
        lengths = self._lengths(habit.others)
        self._usual = max(_middle(lengths), NEAR_M) if lengths else math.inf
        self._longest = {kind: self._too_long(kind) for kind in habit.others}
        self._single = not habit.several and several <= _few(self._links)
        for asset, found in self._links.items():
            self._weigh(asset, found)

    def _found(self, layout: Layout) -> dict[str, dict[int, str]]:
        """By asset: the places of its links, and their other ends."""
        habit, mine = self._habit, set(self._mine)
        found: dict[str, dict[int, str]] = defaultdict(dict)
        for kind in habit.kinds:
            for far in habit.others:
                ends = (far, habit.relation, kind) if habit.back else (kind, habit.relation, far)
                for place in layout.links[ends]:
                    link = self._city.links[place]
                    here, there = (link.target, link.source) if habit.back else (link.source, link.target)
                    if here in mine:
                        found[here][place] = there
        return found

    def _is_told(self) -> bool:
        """Whether the model tells of such links elsewhere, where its only asset of the kind has none."""
        ends = {*self._habit.kinds, *self._habit.others}
        return any(
            links and relation is self._habit.relation and not ends.isdisjoint((source, target))
            for (source, relation, target), links in self._layout.links.items()
        )

    def _at(self, kinds: Sequence[str]) -> set[str]:
        """What water passes to or from assets of these kinds."""
        links, supplies, mine = self._layout.links, Relation.SUPPLIES, self._habit.kinds
        ways = [(kind, supplies, here) for kind in kinds for here in mine]
        ways += [(here, supplies, kind) for kind in kinds for here in mine]
        found = [self._city.links[place] for way in ways for place in links.get(way, ())]
        return {asset for link in found for asset in (link.source, link.target)}

    def _lengths(self, kinds: Sequence[str]) -> list[float]:
        """Of all such links to assets of these kinds, in order."""
        return sorted(
            length
            for found in self._links.values()
            for place, other in found.items()
            if (length := self._length[place]) is not None and self._kind(other) in kinds
        )

    def _too_long(self, kind: str) -> float:
        """How long a link to an asset of this kind may be."""
        lengths = self._lengths([kind]) if self._habit.local else []
        if len(lengths) < LONG_MANY:
            return math.inf
        return LONG * max(_middle(lengths), NEAR_M)

    def _rate(self, kind: str) -> float:
        """How many such links an asset of this kind has."""
        links = sum(self._kind(other) == kind for found in self._links.values() for other in found.values())
        return (links + 0.5) / max(len(self._layout.assets[kind]), 1)

    def _weigh(self, asset: str, found: dict[int, str]) -> None:
        """Which of an asset's links stand out."""
        fit = {
            place: other
            for place, other in found.items()
            if (self._length[place] or 0.0) <= self._longest[self._kind(other)]
        }
        if len(fit) < len(found):
            self.strays.update((place, 1 - GUESS) for place in found.keys() - fit.keys())
            self._misled.update(other for place, other in found.items() if place not in fit)
        if not fit:
            self._lacking.append(asset)
        elif len(fit) == 1 or not self._single or not self._lacking:
            self._taken.update(fit.values())
        else:
            self._misled.update(fit.values())
            near = {place: self._nearness(asset, other) for place, other in fit.items()}
            whole = sum(near.values())
            self.strays.update((place, max(weight / whole, 1 - GUESS)) for place, weight in near.items())

    def gaps(self) -> Iterator[tuple[str, dict[Ends, float]]]:
        """Assets that may lack a link, with guesses."""
        if not self._lacking:
            return
        self._usually = {kind: self._rate(kind) for kind in self._habit.others}
        self._alike = all(
            self._utility(asset) == self._utility(other)
            for asset, found in self._links.items()
            for other in found.values()
        )
        """Whether such links stay within a utility."""
        for asset in self._lacking:
            barred = self._barred(asset)
            weights = {
                other: self._nearness(asset, other) * self._suits(other)
                for other in self._others
                if other not in barred
            }
            least = LEAST * sum(weights.values())
            best = sorted(weights, key=lambda other: (-weights[other], other))[:MOST]
            guesses = {
                self._ends(asset, other): round(GUESS * LEAST * weights[other] / least, 3)
                for other in best
                if weights[other] > least
            }
            if guesses:
                yield asset, guesses

    def _ends(self, asset: str, other: str) -> Ends:
        pair = (other, asset) if self._habit.back else (asset, other)
        return Ends(*pair, self._habit.relation)

    def _suits(self, other: str) -> float:
        if self._habit.own and other in self._taken:
            return 0.0
        return self._usually[self._kind(other)] * (MISLED if other in self._misled else 1.0)

    def _barred(self, asset: str) -> set[str]:
        """What can't be at the other end of an asset's link."""
        barred = {asset, *self._links.get(asset, {}).values(), *self._round(asset)}
        if self._alike:
            barred.update(other for other in self._others if self._utility(other) != self._utility(asset))
        barred.update(
            other
            for other in self._others
            if (self._layout.apart(asset, other) or 0.0) > self._longest[self._kind(other)]
        )
        return barred

    def _round(self, asset: str) -> set[str]:
        """Where a link would make water run in a circle."""
        if self._habit.relation is not Relation.DRAINS_TO:
            return set()
        seen, here = {asset}, [asset]
        while here:
            onward = self._onward(here.pop()) - seen
            seen |= onward
            here += onward
        return seen

    def _onward(self, asset: str) -> set[str]:
        """Where its water goes, or comes from, away from the link that is missing."""
        if self._habit.back:
            links = self._city.links_from.get(asset, ())
            return {link.target for link in links if link.relation is Relation.DRAINS_TO}
        links = self._city.links_to.get(asset, ())
        return {link.source for link in links if link.relation is Relation.DRAINS_TO}

    def _nearness(self, one: str, other: str) -> float:
        metres = self._layout.apart(one, other)
        if metres is None or self._usual == math.inf:
            zones = {self._city.asset_by_id[asset].zone for asset in (one, other)}
            return SAME_ZONE if len(zones) == 1 else OTHER_ZONE
        return math.exp(-metres / self._usual)

    def _kind(self, asset: str) -> str:
        return self._layout.kinds[asset]

    def _utility(self, asset: str) -> Utility:
        return self._city.asset_by_id[asset].utility


def _few(assets: Collection[str]) -> float:
    """How many of them may be exceptions."""
    return max(1, FEW * len(assets))


def _middle(ordered: Sequence[float]) -> float:
    return ordered[(len(ordered) - 1) // 2]
