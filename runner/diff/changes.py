"""What differs between two versions' city models and rules, and so what a difference may come of.

In:  two city models, two sets of rules.
Out: ``Changes``: words by sensor, asset, rule. Pure.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from schemas.alerting import Policy
from schemas.city import City
from streams.causes import Causes

Key = TypeVar("Key", bound=Hashable)
SHOWN = 60
"""Characters of a value that words show."""


@dataclass(frozen=True, slots=True)
class Changes:
    """In words, by what they touch."""

    sensors: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)
    """By asset: its own fields, and links from or to it."""
    rules: Mapping[str, str] = field(default_factory=dict)
    """By name of the rule."""
    others: tuple[str, ...] = ()
    """What touches everything: priors, signs, words; the code."""
    alerts: tuple[str, ...] = ()
    """What touches pages alone: ``alerts.yaml``."""

    def words(self) -> list[str]:
        """All of them, each once."""
        touched = (self.sensors, self.assets, self.rules)
        return list(
            dict.fromkeys([*(w for part in touched for w in part.values()), *self.others, *self.alerts])
        )

    def of_asset(self, asset: str) -> list[str]:
        """What changed of an asset: its sensors, itself, its links."""
        own = [words for sensor, words in self.sensors.items() if sensor.rpartition("/")[0] == asset]
        return own + ([self.assets[asset]] if asset in self.assets else [])


def changes_of(
    before: tuple[City, Causes, Policy], after: tuple[City, Causes, Policy], others: Iterable[str] = ()
) -> Changes:
    """What differs; ``others`` are added as they are."""
    (city, causes, policy), (new_city, new_causes, new_policy) = before, after
    links = _words(_links(city), _links(new_city), lambda key: f"link {key[0]} {key[2]} {key[1]}")
    assets = _words(city.asset_by_id, new_city.asset_by_id, lambda asset: f"asset {asset}")
    for (source, target, _), words in links.items():
        for asset in (source, target):
            assets[asset] = "; ".join(filter(None, (assets.get(asset), words)))
    rules = _words(_by_name(causes), _by_name(new_causes), lambda name: f"rule {name!r}")
    return Changes(
        sensors=_words(city.sensor_by_id, new_city.sensor_by_id, lambda sensor: f"sensor {sensor}"),
        assets=assets,
        rules=rules,
        others=(*_tables(causes, new_causes), *others),
        alerts=tuple(_alerts(policy, new_policy)),
    )


def _links(city: City) -> dict[tuple[str, str, str], BaseModel]:
    return {(link.source, link.target, link.relation): link for link in city.links}


def _by_name(causes: Causes) -> dict[str, BaseModel]:
    return {rule.name: rule for rule in causes.rules}


def _tables(before: Causes, after: Causes) -> Iterator[str]:
    """Everything in the rules' file besides the rules."""
    was, is_ = (causes.model_dump(mode="python", exclude={"rules"}) for causes in (before, after))
    for name in was:
        if was[name] != is_[name]:
            yield f"rules: {name}"


def _alerts(before: Policy, after: Policy) -> Iterator[str]:
    """Which parts of ``alerts.yaml`` differ, in one line."""
    was, is_ = before.model_dump(), after.model_dump()
    if names := [name for name in was if was[name] != is_[name]]:
        none = [side for side, policy in (("before", before), ("after", after)) if policy == Policy()]
        said = f" (there is none {none[0]}, or one that says nothing)" if none else ""
        yield f"alerts.yaml: {', '.join(names)}{said}"


def _words(before: Mapping[Key, BaseModel], after: Mapping[Key, BaseModel], name: Any) -> dict[Key, str]:
    """By key: what became of it, where something did."""
    found: dict[Key, str] = {}
    for key in [*before, *(key for key in after if key not in before)]:
        if key not in after:
            found[key] = f"{name(key)} is gone"
        elif key not in before:
            found[key] = f"{name(key)} is new"
        elif fields := list(_fields(_flat(before[key]), _flat(after[key]))):
            found[key] = f"{name(key)}: {', '.join(fields)}"
    return found


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in [*before, *(name for name in after if name not in before)]:
        was, is_ = before.get(name), after.get(name)
        if was != is_:
            yield f"{name} {_shown(was)} -> {_shown(is_)}"


def _flat(part: BaseModel) -> dict[str, Any]:
    """Fields by dotted name: ``limits.low``."""
    flat: dict[str, Any] = {}
    for name, value in part.model_dump(mode="json").items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": one for inner, one in value.items()}
        else:
            flat[name] = value
    return flat


def _shown(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
