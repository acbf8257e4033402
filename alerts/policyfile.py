"""``alerts.yaml`` to a policy, or every fault of it at once.

In:  the path of an alerts.yaml, and the city that it is for.
Out: ``Policy``, or faults with line and column: unknown names with the nearest valid one, routes that nothing
can reach, rotas with gaps, receivers and other parts that nothing uses, templates that can't be filled in.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from alerts.calendar import gaps
from alerts.messages import fault as template_fault
from alerts.messages import ours
from alerts.routing import inheriting
from schemas.alerting import Match, Policy, Route
from schemas.city import City
from schemas.errors import BadConfig, Fault
from schemas.wording import nearest, validate
from schemas.yamlfile import Document, read

FILE_NAME = "alerts.yaml"
MATCHED = ("utility", "zone", "kind", "asset", "condition")

Path_ = tuple[str | int, ...]


def load_policy(beside: Path, city: City) -> Policy:
    """The policy of an ``alerts.yaml`` beside the file ``beside``; the default one where there is none.

    Raises BadConfig with every fault.
    """
    path = beside.parent / FILE_NAME
    if not path.exists():
        return Policy()
    policy, faults = lint_policy(path, city)
    if policy is None:
        raise BadConfig(faults)
    return policy


def lint_policy(path: Path, city: City) -> tuple[Policy | None, list[Fault]]:
    """The policy in a file, and what is wrong with it: None where anything is.

    Raises BadConfig only where the file itself can't be read.
    """
    document = read(path)
    if document.faults:
        return None, sorted(document.faults)
    return policy_in(document.data, (), city, document)


def policy_in(
    value: object, path: Path_, city: City, document: Document
) -> tuple[Policy | None, list[Fault]]:
    """The policy that stands at ``path`` of a document, and what is wrong with it."""
    faults: list[Fault] = []
    policy = validate(Policy, value, path, document, faults)
    if policy is not None:
        faults += _Lint(policy, city, document, path).faults()
    return (None if faults else policy), sorted(faults)


class _Lint:
    """What a policy that is well formed can still get wrong."""

    def __init__(self, policy: Policy, city: City, document: Document, path: Path_) -> None:
        self._policy, self._city, self._document, self._path = policy, city, document, path
        self._used: dict[str, set[str]] = {
            "people": set(),
            "rotas": set(),
            "receivers": set(),
            "times": set(),
        }
        self._escalations: set[str] = set()

    def faults(self) -> Iterator[Fault]:
        """All of them."""
        yield from self._twice()
        yield from self._names_in(("route",), self._policy.route)
        for name, steps in self._policy.escalations.items():
            for number, step in enumerate(steps):
                yield from self._addressees(("escalations", name, number, "to"), step.to)
                if number and step.after <= steps[number - 1].after:
                    yield self._fault(
                        ("escalations", name, number, "after"), "a step must come after the one before"
                    )
        yield from self._rotas()
        for name, person in self._policy.people.items():
            for receiver in person.by:
                yield from self._known(("people", name, "by"), receiver, "receivers", self._policy.receivers)
        for number, silence in enumerate(self._policy.silences):
            yield from self._match(("silences", number, "match"), silence.match)
        yield from self._tree(("route",), self._policy.route)
        yield from self._templates()
        yield from self._unused()

    def _fault(self, path: Path_, message: str, *, at_key: bool = False) -> Fault:
        return self._document.fault((*self._path, *path), message, at_key=at_key)

    def _known(self, path: Path_, name: str, kind: str, there: Collection[str]) -> Iterator[Fault]:
        self._used.setdefault(kind, set()).add(name)
        if name not in there:
            known = f"; there are {', '.join(sorted(there))}" if there else "; there are none"
            yield self._fault(path, f"{kind} has no {name!r}{nearest(name, there) or known}")

    def _addressees(self, path: Path_, names: Collection[str]) -> Iterator[Fault]:
        """Names that messages go to: of rotas, people or receivers."""
        there = {**self._policy.rotas, **self._policy.people, **self._policy.receivers}
        for name in names:
            for kind in ("rotas", "people", "receivers"):
                if name in getattr(self._policy, kind):
                    self._used[kind].add(name)
            if name not in there:
                known = nearest(name, there) or f"; there are {', '.join(sorted(there)) or 'none'}"
                yield self._fault(path, f"no receiver, person or rota {name!r}{known}")

    def _twice(self) -> Iterator[Fault]:
        seen: dict[str, str] = {}
        for kind in ("receivers", "people", "rotas"):
            for name in getattr(self._policy, kind):
                if name in seen:
                    message = (
                        f"{name!r} stands under {seen[name]} too; messages go by name, so it must be one"
                    )
                    yield self._fault((kind, name), message, at_key=True)
                seen.setdefault(name, kind)

    def _names_in(self, path: Path_, route: Route) -> Iterator[Fault]:
        """Names in a route and those below it."""
        yield from self._addressees((*path, "to"), route.to)
        for field in ("during", "mute"):
            for name in getattr(route, field):
                yield from self._known((*path, field), name, "times", self._policy.times)
        if route.escalate is not None:
            self._escalations.add(route.escalate)
            if route.escalate not in self._policy.escalations:
                hint = nearest(route.escalate, self._policy.escalations)
                yield self._fault((*path, "escalate"), f"escalations has no {route.escalate!r}{hint}")
        yield from self._match((*path, "match"), route.match)
        for number, below in enumerate(route.routes):
            yield from self._names_in((*path, "routes", number), below)

    def _match(self, path: Path_, match: Match) -> Iterator[Fault]:
        """Values that nothing in the city has: such a match never takes anything."""
        assets = self._city.assets
        there: dict[str, set[str]] = {
            "utility": {str(asset.utility) for asset in assets},
            "zone": {asset.zone for asset in assets},
            "kind": {asset.kind for asset in assets},
            "asset": {asset.id for asset in assets},
        }
        for field, known in there.items():
            for value in getattr(match, field):
                if value not in known and not (field == "asset" and set("*?[") & set(value)):
                    hint = nearest(value, known)
                    yield self._fault(
                        (*path, field), f"the city has no {field} {str(value)!r}, so this never matches{hint}"
                    )

    def _tree(self, path: Path_, route: Route) -> Iterator[Fault]:
        """Routes that lead nowhere, that nothing can reach, or that an earlier one shadows."""
        if path == ("route",):
            if not route.to:
                yield self._fault(path, "the root route needs 'to': it takes what no other route does")
            given = [field for field in MATCHED if getattr(route.match, field)] + (
                ["during"] if route.during else []
            )
            if given:
                message = (
                    f"the root route must take everything; move {', '.join(given)} into a route below it"
                )
                yield self._fault(path, message)
        for number, below in enumerate(route.routes):
            here = (*path, "routes", number)
            if why := _contradiction(route.match, below.match):
                yield self._fault(here, f"nothing can reach this route: the one above it {why}")
            for earlier, before in enumerate(route.routes[:number]):
                if not before.go_on and not before.during and _includes(before.match, below.match):
                    line = self._document.line((*self._path, *path, "routes", earlier))
                    yield self._fault(
                        here,
                        f"the route on line {line} takes all that this one could; put this one before it",
                    )
                    break
            yield from self._tree(here, inheriting(below, route))

    def _rotas(self) -> Iterator[Fault]:
        for name, rota in self._policy.rotas.items():
            people: list[tuple[Path_, str]] = [
                ((*("rotas", name, "shifts", number), "people", place), person)
                for number, shift in enumerate(rota.shifts)
                for place, person in enumerate(shift.people)
            ]
            people += [
                (("rotas", name, "overrides", number, "person"), override.person)
                for number, override in enumerate(rota.overrides)
            ]
            for path, person in people:
                yield from self._known(path, person, "people", self._policy.people)
            if found := gaps(rota.shifts):
                shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
                yield self._fault(
                    ("rotas", name), f"nobody is on call in rota {name!r}: {shown}", at_key=True
                )

    def _templates(self) -> Iterator[Fault]:
        for name, text in self._policy.templates.items():
            if name not in ours():
                hint = nearest(name, ours()) or f"; there are {', '.join(ours())}"
                yield self._fault(("templates", name), f"no message is called {name!r}{hint}", at_key=True)
            elif why := template_fault(text):
                yield self._fault(("templates", name), f"this template can't be filled in: {why}")

    def _unused(self) -> Iterator[Fault]:
        for kind, used in self._used.items():
            for name in getattr(self._policy, kind):
                if name not in used:
                    yield self._fault((kind, name), f"nothing uses {name!r} of {kind}", at_key=True)
        for name in self._policy.escalations:
            if name not in self._escalations:
                yield self._fault(("escalations", name), f"no route escalates by {name!r}", at_key=True)


def _contradiction(above: Match, below: Match) -> str | None:
    """Why ``below`` takes nothing that ``above`` lets through. Utilities and zones an incident has many."""
    for field in ("kind", "asset", "condition"):
        ours_, theirs = getattr(above, field), getattr(below, field)
        plain = not any(set("*?[") & set(value) for value in (*ours_, *theirs))
        if ours_ and theirs and plain and set(ours_).isdisjoint(theirs):
            return f"lets only {field} {' or '.join(ours_)} through"
    return None


def _includes(first: Match, second: Match) -> bool:
    """Whether every incident that ``second`` takes, ``first`` takes too."""
    if first.severity.rank > second.severity.rank:
        return False
    for field in MATCHED:
        wide, narrow = getattr(first, field), getattr(second, field)
        if wide and not (narrow and set(narrow) <= set(wide)):
            return False
    return True
