"""Alarms to episodes: one stretch of one condition of one asset, however often its alarm came and went.

In:  a set of alarms.
Out: episodes in order of onset.
Pure, and a function of the set.
"""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.alarms import Alarm
from schemas.times import HOUR
from streams.causes import Causes
from streams.network import Node

SAME_EPISODE = 1 * HOUR
"""A condition that comes back within this time of its end is still the same trouble."""


class Episode(NamedTuple):
    """``until`` is None while any of its alarms stands."""

    node: Node
    onset: int
    until: int | None
    alarms: tuple[Alarm, ...]

    @property
    def places(self) -> tuple[tuple[str, float], ...]:
        """Where its cause may sit, as far as its newest sign tells."""
        return next((alarm.places for alarm in reversed(self.alarms) if alarm.places), ())


def episodes(alarms: Iterable[Alarm], causes: Causes) -> list[Episode]:
    """The alarms, put together by asset and condition where they follow on each other."""
    found: dict[Node, list[Episode]] = {}
    for alarm in sorted(alarms, key=lambda a: (a.raised, a.id)):
        node = Node(alarm.asset, causes.base(alarm.condition))
        stretches = found.setdefault(node, [])
        if stretches and _follows(stretches[-1], alarm):
            last = stretches.pop()
            until = None if last.until is None or alarm.cleared is None else max(last.until, alarm.cleared)
            stretches.append(last._replace(until=until, alarms=(*last.alarms, alarm)))
        else:
            stretches.append(Episode(node, alarm.raised, alarm.cleared, (alarm,)))
    return sorted(
        (episode for stretches in found.values() for episode in stretches),
        key=lambda e: (e.onset, e.node),
    )


def alarm_key(causes: Causes, asset: str, condition: str, since: int) -> str:
    """What two domains know an alarm by."""
    return f"{asset} {causes.base(condition)} {since}"


def _follows(episode: Episode, alarm: Alarm) -> bool:
    return episode.until is None or alarm.raised <= episode.until + SAME_EPISODE
