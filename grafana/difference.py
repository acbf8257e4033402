"""What would change in a running Grafana: pure.

In:  what is wanted and what is there, each thing as Grafana's API has it.
Out: changes in the order in which they must happen, each with what differs.
Promises: nothing that is not ours is ever among the changes; what Grafana adds of its own is no difference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["folder", "data source", "board", "rule"]
KINDS: tuple[Kind, ...] = ("folder", "data source", "board", "rule")
"""In the order in which they are made: each leans on those before it."""

Action = Literal["create", "update", "delete", "foreign"]
"""``foreign``: our uid belongs to something that is not ours, which stays as it is."""

VALUE_MAX = 60
"""Most characters of a value in a line about what differs."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing of Grafana's. ``body`` is what we say of it; ``ours`` whether we made it.

    ``secret`` is sent with the body and shown nowhere: Grafana does not tell it either, so it is written
    anew each time that it is given.
    """

    kind: Kind
    uid: str
    title: str
    body: Mapping[str, Any]
    ours: bool = True
    secret: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One step, and a line for each value that differs."""

    action: Action
    thing: Thing
    differs: tuple[str, ...] = ()

    def __str__(self) -> str:
        """A line for people, and one a value."""
        head = f"{self.action:<8} {self.thing.kind} {self.thing.title} ({self.thing.uid})"
        return "\n".join([head, *(f"         {line}" for line in self.differs)])


def changes(wanted: list[Thing], there: list[Thing]) -> list[Change]:
    """What to do so that what is wanted is there and nothing else of ours."""
    found = {(thing.kind, thing.uid): thing for thing in there}
    asked = {(thing.kind, thing.uid) for thing in wanted}
    made = [change for thing in wanted if (change := _change(thing, found.get((thing.kind, thing.uid))))]
    gone = [Change("delete", thing) for thing in there if thing.ours and (thing.kind, thing.uid) not in asked]
    return sorted(made, key=lambda change: KINDS.index(change.thing.kind)) + sorted(
        gone, key=lambda change: -KINDS.index(change.thing.kind)
    )


def _change(wanted: Thing, found: Thing | None) -> Change | None:
    if found is None:
        return Change("create", wanted)
    if not found.ours:
        return Change("foreign", wanted, ("this uid belongs to something that we did not make: left alone",))
    differs = tuple(differences(wanted.body, found.body))
    if wanted.secret:
        differs += ("its secret is written anew: Grafana does not say what it has",)
    return Change("update", wanted, differs) if differs else None


def differences(wanted: Any, there: Any, path: str = "") -> Iterator[str]:
    """A line for each value that differs. Keys of mappings that we don't speak of are Grafana's own."""
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        for key, value in wanted.items():
            yield from differences(value, there.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(wanted, list | tuple) and isinstance(there, list) and len(wanted) == len(there):
        for number, (mine, theirs) in enumerate(zip(wanted, there, strict=True)):
            yield from differences(mine, theirs, f"{path}[{number}]")
    elif wanted != there and not (_nothing(wanted) and _nothing(there)):
        yield f"{path}: {_brief(there)} -> {_brief(wanted)}"


def _nothing(value: Any) -> bool:
    """Grafana leaves empty values out, or writes them, as it pleases."""
    return value is None or value in ("", [], {}) or value is False


def _brief(value: Any) -> str:
    text = "nothing" if value is None else f"{len(value)} entries" if isinstance(value, list) else repr(value)
    return text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 3]}..."
