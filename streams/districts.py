"""A large city in districts, so that what watchers ask of a city grows with it and not with its square.

In:  a city model.
Out: districts, each a city model of its own: its assets, the links among them, their sensors.
Promises: a small city is one district, itself. Pipes are cut at borders of the model only: networks of water,
sewers and drains are whole, with the pumps between them. Which assets are together follows from assets and
links alone, not from which sensors are heard. A district without a rain gauge sees the nearest ones. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from schemas.city import Asset, City, Link, Relation, Sensor, Utility

ASSETS = 2_000
"""A city with no more assets is one district; in a larger one, districts grow to so many. The power network
is cut where it would bring more together, and so is all else that is no pipe."""
GAUGES = 3
"""Rain gauges that a district without its own sees: the nearest."""
_PIPES = frozenset({Relation.SUPPLIES, Relation.DRAINS_TO, Relation.LIFTS_TO})
_LOOSE = frozenset({Relation.CARRIES})
"""A gateway carries what its part of the city holds; nothing passes by it."""


def districts(city: City) -> list[City]:
    """The districts of a city, by the first of their assets."""
    if len(city.assets) <= ASSETS:
        return [city]
    groups = _Groups()
    for link in _pipes_first(city):
        groups.join(link.source, link.target, None if _is_pipe(city, link) else ASSETS)
    together = _gathered(city, groups)
    return list(_cut(city, together))


class _Groups:
    """Assets that are together."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}
        self._more: Counter[str] = Counter()
        """By the asset that a group is called after: how many others there are."""

    def first(self, asset: str) -> str:
        """The asset that its group is called after."""
        above = self._above
        while (next_ := above.get(asset, asset)) != asset:
            above[asset] = above.get(next_, next_)
            asset = next_
        return asset

    def join(self, one: str, other: str, most: int | None) -> None:
        """Bring two assets together, unless that makes a group of more than ``most``."""
        small, large = sorted((self.first(one), self.first(other)), key=self._more.__getitem__)
        more = self._more[small] + self._more[large] + 1
        if small != large and (most is None or more < most):
            self._above[small] = large
            self._more[large] = more


def _is_pipe(city: City, link: Link) -> bool:
    return link.relation in _PIPES and city.asset_by_id[link.source].utility != Utility.POWER


def _pipes_first(city: City) -> list[Link]:
    """Links by which assets belong together: pipes, then those within a utility, then the others."""

    def rank(link: Link) -> int:
        one, other = city.asset_by_id[link.source], city.asset_by_id[link.target]
        return 0 if _is_pipe(city, link) else 1 if one.utility == other.utility else 2

    return sorted((link for link in city.links if link.relation not in _LOOSE and not link.border), key=rank)


def _gathered(city: City, groups: _Groups) -> dict[str, int]:
    """The number of each asset's district: groups zone by zone, as many together as a district holds."""
    members: dict[str, list[Asset]] = defaultdict(list)
    for asset in city.assets:
        members[groups.first(asset.id)].append(asset)
    number, held = 0, 0
    found: dict[str, int] = {}
    for group in sorted(members.values(), key=lambda its: its[0].zone):
        if held and held + len(group) > ASSETS:
            number, held = number + 1, 0
        held += len(group)
        for asset in group:
            found[asset.id] = number
    return found


def _cut(city: City, number_of: dict[str, int]) -> Iterator[City]:
    assets: dict[int, list[Asset]] = defaultdict(list)
    for asset in city.assets:
        assets[number_of[asset.id]].append(asset)
    links: dict[int, list[Link]] = defaultdict(list)
    for link in city.links:
        if number_of[link.source] == number_of[link.target]:
            links[number_of[link.source]].append(link)
    sensors: dict[int, list[Sensor]] = defaultdict(list)
    for sensor in city.sensors:
        sensors[number_of[sensor.asset]].append(sensor)
    gauges = [sensor for sensor in city.sensors if sensor.quantity == "rain"]
    for number, its in assets.items():
        seen = sensors[number]
        near = [] if any(sensor.quantity == "rain" for sensor in seen) else _nearest(city, gauges, its)
        yield City.model_construct(
            city=city.city,
            timezone=city.timezone,
            assets=(*its, *(city.asset_by_id[asset] for asset in dict.fromkeys(g.asset for g in near))),
            links=tuple(links[number]),
            sensors=(*seen, *near),
        )


def _nearest(city: City, gauges: Sequence[Sensor], assets: Sequence[Asset]) -> list[Sensor]:
    """The gauges next to the middle of some assets, in degrees; where none is known, the first ones."""
    placed = [asset.position for asset in assets if asset.position]
    middle = [sum(axis) / len(placed) for axis in zip(*placed, strict=True)]

    def distance(gauge: Sensor) -> float:
        position = city.asset_by_id[gauge.asset].position
        return (
            sum((a - b) ** 2 for a, b in zip(position, middle, strict=True)) if position and middle else 9e9
        )

    return sorted(gauges, key=distance)[:GAUGES]
