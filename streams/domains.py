"""Correlation domains: the parts of a city that are reasoned about apart, and who hears what.

In:  the city model, with its borders, and the rules.
Out: domains, each with its own assets and those that it sees beyond its borders; for each alarm the domains
that hear it; for each domain the piece of the city model that it needs.
Pure; the same domains for the same city. A city without borders is one domain.

A domain is a connected part of the asset graph, cut at the links marked ``border: true``. Beyond a border it
sees the asset at the other end, and, where that has no sensor, what stands behind it, to the first that have
one: a cause in sight shows itself, or stays quiet, on both sides. Where a rule spreads trouble everywhere
(one storm over all rain gauges), all measured assets of its kind are one more domain, across the others.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from schemas.alarms import AlarmChange
from schemas.borders import Parts, joins
from schemas.city import City
from streams.causes import EVERYWHERE, Causes

BEYOND = 3
"""Links that a domain sees beyond its border at most, where no sensor ends the view before."""


class Domain(NamedTuple):
    """``own`` assets are in no other domain; ``seen`` are these and others, in sight of several."""

    name: str
    own: frozenset[str]
    seen: frozenset[str]


class Domains:
    """The domains of a city."""

    def __init__(self, domains: Iterable[Domain]) -> None:
        self.by_name = {domain.name: domain for domain in domains}
        self.home = {asset: domain.name for domain in self.by_name.values() for asset in domain.own}
        """By asset: the domain that it belongs to."""
        seen_by: dict[str, tuple[str, ...]] = {}
        for name, domain in sorted(self.by_name.items()):
            alone = (name,)
            for asset in domain.seen:
                seen_by[asset] = (*seen_by[asset], name) if asset in seen_by else alone
        self.seen_by: Mapping[str, tuple[str, ...]] = seen_by
        """By asset: the domains that hear its alarms."""

    def shared(self, asset: str) -> bool:
        """Whether several domains see this asset."""
        return len(self.seen_by[asset]) > 1

    def heard(self, change: AlarmChange) -> Iterator[tuple[str, AlarmChange]]:
        """The domains that hear of an alarm, each with the alarm as it can be told there.

        Of the places that a sign names, a domain is told those that it sees; where it sees none, the sign
        says nothing there, and what it said before is taken back.
        """
        alarm = change.alarm
        for name in self.seen_by[alarm.asset]:
            seen = self.by_name[name].seen
            places = tuple(place for place in alarm.places if place[0] in seen)
            if places == alarm.places:
                yield name, change
            elif places:
                told = alarm.model_copy(update={"places": places})
                yield name, change.model_copy(update={"alarm": told})
            else:
                yield name, change.model_copy(update={"change": "retracted"})


def domains_of(city: City, causes: Causes) -> Domains:
    """The domains of a city, by name: each is called after the first asset of its part."""
    every = frozenset(city.asset_by_id)
    whole = Domains([Domain(min(every, default=""), every, every)])
    borders = [link for link in city.links if link.border and joins(link)]
    if not borders:
        return whole
    parts = Parts(every, city.links)
    borders = [link for link in borders if parts.first(link.source) != parts.first(link.target)]
    if not borders:
        return whole
    home = {asset: parts.first(asset) for asset in city.asset_by_id}
    home.update(_gateways(city, home))
    own: dict[str, set[str]] = defaultdict(set)
    for asset, name in home.items():
        own[name].add(asset)
    seen = {name: set(assets) for name, assets in own.items()}
    for link in borders:
        for near, far in ((link.source, link.target), (link.target, link.source)):
            seen[home[near]] |= _beyond(city, far, own[home[near]])
    for name, assets in _spanning(city, causes).items():
        if len({home[asset] for asset in assets}) > 1:
            own[name], seen[name] = set(), assets
    return Domains(
        Domain(name, frozenset(own[name]), frozenset(seen[name] | _carriers(city, seen[name])))
        for name in sorted(seen)
    )


def view(city: City, domain: Domain) -> City:
    """What of the city model a domain needs: the assets that it sees, their sensors, the links among them."""
    if len(domain.seen) == len(city.assets):
        return city
    seen = sorted(domain.seen)
    return City(
        city=city.city,
        timezone=city.timezone,
        assets=tuple(city.asset_by_id[asset] for asset in seen),
        links=tuple(link for a in seen for link in city.links_from.get(a, ()) if link.target in domain.seen),
        sensors=tuple(sensor for asset in seen for sensor in city.sensors_of.get(asset, ())),
    )


def _beyond(city: City, first: str, own: set[str]) -> set[str]:
    """What is seen from a border on: through assets without sensors, to the first that have one."""
    seen, edge = {first}, {first}
    for _ in range(BEYOND - 1):
        behind = (other for a in edge if a not in city.sensors_of for other in _beside(city, a))
        edge = set(behind) - own - seen
        seen |= edge
    return seen


def _beside(city: City, asset: str) -> Iterator[str]:
    yield from (link.target for link in city.links_from.get(asset, ()) if joins(link))
    yield from (link.source for link in city.links_to.get(asset, ()) if joins(link))


def _gateways(city: City, home: Mapping[str, str]) -> dict[str, str]:
    """Homes of gateways that nothing but what they carry joins to the city: with the first of that."""
    found = {}
    for asset in city.asset_by_id:
        carried = [link.target for link in city.links_from.get(asset, ()) if not joins(link)]
        if carried and not any(True for _ in _beside(city, asset)):
            found[asset] = home[min(carried)]
    return found


def _carriers(city: City, seen: Iterable[str]) -> set[str]:
    """The gateways of these assets: while one is silent, what it carries says nothing."""
    return {link.source for asset in seen for link in city.links_to.get(asset, ()) if not joins(link)}


def _spanning(city: City, causes: Causes) -> dict[str, set[str]]:
    """Measured assets over which a rule spreads trouble wherever they are, by the name of their domain."""
    kinds = {asset.kind for asset in city.assets}
    reached = {
        kind
        for rule in causes.rules
        if EVERYWHERE in rule.via
        for kind in (kinds if rule.kinds is None else rule.kinds)
    }
    found: dict[str, set[str]] = defaultdict(set)
    for asset in city.assets:
        if asset.kind in reached and asset.id in city.sensors_of:
            found[f"{EVERYWHERE}/{asset.kind}"].add(asset.id)
    return found
