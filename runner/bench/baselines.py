"""Simple ways from alarms to incidents, which the product must beat to be worth its trouble.

In:  alarms as they become known, the city model.
Out: ``Outputs``: incidents, and a revision each time that one of them changed.
Pure. All of them chain alarms that are near each other (``runner.bench.chaining``); they differ in what is
near, and in which member they call the root. docs/benchmark.md tells where each comes from.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from runner.bench.arrivals import Arrival
from runner.bench.chaining import Near, Rooter, chain
from runner.outputs import Outputs
from schemas.city import City, Relation
from schemas.times import HOUR, MINUTE

WINDOW = 15 * MINUTE
"""Onsets at most this far apart chain, for the baselines that look at time alone: three times the
``group_interval`` of Alertmanager's defaults, since tanks and streets are slower than servers."""


class Reach(NamedTuple):
    """Near is: time apart as a share of ``time``, plus links apart as a share of ``links``, is below 1."""

    time: int
    links: int


REACH = Reach(3 * HOUR, 3)
"""One asset chains over 3 h, neighbours over 2 h, assets two links apart over 1 h, none farther."""
WIDE = Reach(12 * HOUR, 8)
"""The best of 26 settings for ``most_upstream`` on the suite ``train``, by ``main_top1``; of equals the
shortest. It makes one incident of almost all that alarms in half a day (docs/benchmark.md)."""
TELEMETRY = frozenset({Relation.CARRIES})
"""Links that messages take, not trouble: a gateway would make neighbours of everything behind it."""
SIDEWAYS = TELEMETRY | {Relation.NEAR}
"""Links that lead nowhere downstream."""

Baseline = Callable[[Sequence[Arrival], City], Outputs]


def silo(alarms: Sequence[Arrival], city: City) -> Outputs:
    """A control room for each utility: its alarms in a window of time; the first is the root."""
    utility = {asset.id: asset.utility for asset in city.assets}
    return chain(alarms, lambda a, b: utility[a.asset] == utility[b.asset] and _window(a, b), _first)


def window_zone(alarms: Sequence[Arrival], city: City) -> Outputs:
    """Alarms of one zone in a window of time, whatever the utility; the first is the root."""
    zone = {asset.id: asset.zone for asset in city.assets}
    return chain(alarms, lambda a, b: zone[a.asset] == zone[b.asset] and _window(a, b), _first)


def graph_distance(alarms: Sequence[Arrival], city: City) -> Outputs:
    """Alarms close in time and in the graph of assets together; the first is the root."""
    return chain(alarms, _close(city, REACH), _first)


def most_upstream(alarms: Sequence[Arrival], city: City) -> Outputs:
    """The incidents of ``graph_distance``; the root has most of the others downstream of it."""
    return chain(alarms, _close(city, REACH), _upstream(city))


def most_upstream_wide(alarms: Sequence[Arrival], city: City) -> Outputs:
    """``most_upstream`` with the reach that suits it best, so that the product meets it at its strongest."""
    return chain(alarms, _close(city, WIDE), _upstream(city))


def per_alarm(alarms: Sequence[Arrival], city: City) -> Outputs:  # noqa: ARG001 - all baselines look alike
    """An incident for each asset that alarms: what an operator has without any correlation."""
    return chain(alarms, lambda a, b: a.asset == b.asset, _first)


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "silo": silo,
        "window-zone": window_zone,
        "graph-distance": graph_distance,
        "most-upstream": most_upstream,
        "most-upstream-wide": most_upstream_wide,
        "per-alarm": per_alarm,
    }
)
"""Every baseline by its name, in the order in which tables show them."""


def _window(a: Arrival, b: Arrival) -> bool:
    return abs(a.raised - b.raised) <= WINDOW


def _close(city: City, reach: Reach) -> Near:
    """Near in time and graph together, as a weighted sum of both."""
    beside: dict[str, set[str]] = defaultdict(set)
    for link in city.links:
        if link.relation not in TELEMETRY:
            beside[link.source].add(link.target)
            beside[link.target].add(link.source)

    @cache
    def links_apart(asset: str) -> dict[str, int]:
        return dict(_walk(asset, lambda one: beside[one], most=reach.links))

    def near(a: Arrival, b: Arrival) -> bool:
        links = links_apart(a.asset).get(b.asset)
        return links is not None and abs(a.raised - b.raised) / reach.time + links / reach.links < 1

    return near


def _first(members: Sequence[Arrival]) -> Arrival:
    return members[0]


def _upstream(city: City) -> Rooter:
    """The member with most other members' assets downstream; of equals the first."""

    def onward(asset: str) -> Iterator[str]:
        return (link.target for link in city.links_from.get(asset, ()) if link.relation not in SIDEWAYS)

    @cache
    def downstream(asset: str) -> frozenset[str]:
        return frozenset(dict(_walk(asset, onward))) - {asset}

    def root(members: Sequence[Arrival]) -> Arrival:
        assets = {member.asset for member in members}
        return max(members, key=lambda member: len(assets & downstream(member.asset)))

    return root


def _walk(
    start: str, onward: Callable[[str], Iterable[str]], most: int | None = None
) -> Iterator[tuple[str, int]]:
    """Assets that can be reached, the nearest first, with the links to them; at most ``most`` links."""
    passed, edge, links = {start}, [start], 0
    while edge:
        yield from ((asset, links) for asset in edge)
        if links == most:
            return
        links += 1
        # In the order of first meeting, each once.
        edge = list(dict.fromkeys(other for asset in edge for other in onward(asset) if other not in passed))
        passed.update(edge)
