"""The alarms of a day as a baseline meets them: one after the other, each at the moment it became known.

In:  what the product's replay wrote.
Out: ``Arrival``s in the order of time.
Pure.
"""

from collections.abc import Collection
from typing import NamedTuple

from runner.outputs import Outputs

ANNOUNCED = "planned_work"
"""The condition of work that was announced: no trouble, so nobody's incident."""


class Arrival(NamedTuple):
    """One alarm; times are ms of event time, ``known`` is ms of stream time."""

    known: int
    raised: int
    asset: str
    condition: str
    cleared: int | None = None


def arrivals(product: Outputs, measuring: Collection[str]) -> list[Arrival]:
    """The alarms that the product made incidents of, or could have: without those of the ``measuring``
    (missing, frozen, ...) and announcements of work, of which the product makes none either.

    An alarm is known from the product's first revision that holds it, so that a baseline is told of it
    neither sooner nor later; where no revision ever held it, from its onset.
    """
    told: dict[tuple[str, str, int], int] = {}
    for revision in product.revisions:
        for member in revision.members:
            what = (member.asset, member.condition, member.since)
            told[what] = min(told.get(what, revision.known_at), revision.known_at)
    found = [
        Arrival(
            told.get((alarm.asset, alarm.condition, alarm.raised), alarm.raised),
            alarm.raised,
            alarm.asset,
            alarm.condition,
            alarm.cleared,
        )
        for alarm in product.alarms
        if alarm.condition not in measuring and alarm.condition != ANNOUNCED
    ]
    return sorted(found, key=lambda alarm: alarm[:4])
