"""What of an incident decides who is told, and whether a ``match`` of the policy takes it. Pure."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from schemas.alarms import Severity
from schemas.alerting import Match
from schemas.city import Asset
from schemas.incidents import IncidentRevision


class Facts(NamedTuple):
    """Of an incident: whom it reaches; of its root: which asset, and what is wrong with it."""

    utilities: frozenset[str]
    zones: frozenset[str]
    asset: str
    kind: str
    condition: str
    severity: Severity


def facts_of(incident: IncidentRevision, assets: Mapping[str, Asset]) -> Facts:
    """The facts of an incident; assets that the city model does not know have neither zone nor kind."""
    root = assets.get(incident.root.asset)
    names = (incident.root.asset, *(member.asset for member in incident.members))
    places = map(assets.get, names)
    return Facts(
        utilities=frozenset(incident.utilities),
        zones=frozenset(place.zone for place in places if place is not None),
        asset=incident.root.asset,
        kind=root.kind if root else "",
        condition=incident.root.condition,
        severity=incident.severity,
    )


def takes(match: Match, facts: Facts) -> bool:
    """Whether every field that is given has a value of the incident's."""
    return (
        facts.severity.rank >= match.severity.rank
        and (not match.utility or not facts.utilities.isdisjoint(match.utility))
        and (not match.zone or not facts.zones.isdisjoint(match.zone))
        and (not match.kind or facts.kind in match.kind)
        and (not match.asset or _like(facts.asset, match.asset))
        and (not match.condition or _like(facts.condition, match.condition))
    )


def told(match: Match) -> str:
    """``utility power or water, severity critical or worse``."""
    fields = ("utility", "zone", "kind", "asset", "condition")
    given = [f"{name} {' or '.join(values)}" for name in fields if (values := getattr(match, name))]
    worse = " or worse" if match.severity is not Severity.CRITICAL else ""
    return ", ".join([*given, f"severity {match.severity}{worse}"])


def _like(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
