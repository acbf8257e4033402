"""When assets were truly in trouble: by the labels of a day, else by the incidents that were told on it.

In:  labels, or incidents of a replay.
Out: the truth about a day; of each asset its ``Trouble``s. Outside of them its hours are quiet, and its
     alarms false.
Pure.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.labels import EARLY, Cause, Effect, Labels, TrueIncident
from runner.outputs import SeenIncident

WITNESSES = 2
"""Assets that an incident must have, before it counts as true where nobody has labelled the day."""


class Trouble(NamedTuple):
    """One stretch of trouble of one asset. Times in ms."""

    name: str
    first: int
    """From here on an alarm belongs to it; up to ``last``."""
    last: int
    since: int
    """When the asset first could have shown it: delays count from here."""


def as_told(incidents: Iterable[SeenIncident]) -> Labels:
    """For want of labels: what was told of several assets at once was so."""
    return Labels(
        incidents=tuple(
            TrueIncident(
                id=f"{one.root.words} ({one.id})",
                cause=Cause(asset=one.root.asset, kind=one.root.condition, start=one.opened, end=one.closed),
                effects=tuple(Effect(asset=member.asset, start=member.since) for member in one.members),
            )
            for one in incidents
            if len({member.asset for member in one.members}) >= WITNESSES
        )
    )


def troubles_of(asset: str, labels: Labels) -> list[Trouble]:
    """The true incidents that reach an asset."""
    found = []
    for truth in labels.incidents:
        if asset in truth.assets:
            effects = [effect.start for effect in truth.effects if effect.asset == asset]
            since = min(effects, default=truth.cause.start)
            first, last = truth.span
            found.append(Trouble(truth.id, min(first, since - EARLY), last, since))
    return found


def belongs(at: int, troubles: Sequence[Trouble]) -> int | None:
    """Which of the troubles an alarm with this onset belongs to: of several the one that began last."""
    fits = [number for number, one in enumerate(troubles) if one.first <= at <= one.last]
    return max(fits, key=lambda number: troubles[number].since, default=None)
