"""Whom an incident concerns: down the tree of routes, then to names of people and receivers. Pure.

In:  a policy, the facts of an incident, a moment.
Out: targets, each with the route that leads there and what else that route says.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alerts.calendar import covers, on_call
from alerts.facts import Facts, takes, told
from schemas.alerting import Policy, Route


class Target(NamedTuple):
    """Somebody to tell: ``to`` is a person, a receiver, or what else the route names."""

    to: str
    route: str
    why: str
    escalate: str | None
    remind: int | None
    muted: str | None
    """The name of the time that mutes the route now."""


class Branch(NamedTuple):
    """A route that takes an incident, with what it has from those above it."""

    path: str
    route: Route


class Router:
    """The routes of a policy; ``zone`` is the city's time zone."""

    def __init__(self, policy: Policy, zone: ZoneInfo) -> None:
        self._policy, self._zone = policy, zone

    def targets(self, facts: Facts, at: int) -> list[Target]:
        """Everybody whom an incident of these facts concerns at this moment, each once."""
        found: dict[str, Target] = {}
        for path, route in self.branches(facts, at):
            muted = next((name for name in route.mute if self._is_within(name, at)), None)
            for to in self.names(route.to, at):
                why = f"{path} takes {told(route.match)}"
                found.setdefault(to, Target(to, path, why, route.escalate, route.remind, muted))
        return list(found.values())

    def branches(self, facts: Facts, at: int) -> list[Branch]:
        """The deepest routes that take the incident."""
        return list(self._walk(self._policy.route, "route", facts, at))

    def names(self, names: Iterable[str], at: int) -> list[str]:
        """Rotas as who is on call (nobody in a gap); everybody else by name."""
        found = []
        for name in names:
            rota = self._policy.rotas.get(name)
            if rota is None:
                found.append(name)
            elif person := on_call(
                rota, at, ZoneInfo(rota.timezone) if rota.timezone else self._zone, self._policy.holidays
            ):
                found.append(person)
        return found

    def _walk(self, route: Route, path: str, facts: Facts, at: int) -> Iterator[Branch]:
        if not takes(route.match, facts):
            return
        if route.during and not any(self._is_within(name, at) for name in route.during):
            return
        deeper = False
        for number, below in enumerate(route.routes, 1):
            taken = list(self._walk(inheriting(below, route), f"{path}.{number}", facts, at))
            yield from taken
            deeper = deeper or bool(taken)
            if taken and not below.go_on:
                break
        if not deeper:
            yield Branch(path, route)

    def _is_within(self, name: str, at: int) -> bool:
        return any(
            covers(window, at, self._zone, self._policy.holidays) for window in self._policy.times[name]
        )


def inheriting(route: Route, above: Route) -> Route:
    """A route with what it does not say itself from the one above."""
    given = {name: getattr(above, name) for name in ("to", "escalate", "remind")}
    return route.model_copy(update={name: value for name, value in given.items() if not getattr(route, name)})
