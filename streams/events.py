"""Discrete events to conditions: a breaker tripped, planned work began, a citizen reported.

In:  events of ``.../event`` topics.
Out: changes of conditions: the event that begins one, and the event that ends it.
Events that we don't know are kept and shown by others; here they change nothing.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from schemas.alarms import Severity
from schemas.readings import Event
from streams.track import Change


class _Begin(NamedTuple):
    condition: str
    severity: Severity
    momentary: bool = False


BEGINS = {
    "tripped": _Begin("tripped", Severity.CRITICAL),
    "opened": _Begin("opened", Severity.INFO),
    "planned_work_started": _Begin("planned_work", Severity.INFO),
    "reported": _Begin("reported", Severity.INFO, momentary=True),
}
ENDS = {"restored": "tripped", "closed": "opened", "planned_work_ended": "planned_work"}


class EventWatch:
    """Conditions that events began, by asset."""

    def __init__(self) -> None:
        self._open: dict[str, dict[str, int]] = {}
        """Asset, condition: onset."""
        self._ended: dict[str, dict[str, int]] = {}
        """Asset, condition: newest end, so that a repeated or late event opens nothing again."""

    def step(self, event: Event) -> Iterator[tuple[str, Change, Severity]]:
        """Take one event: (asset, change, severity) of each condition that it begins or ends."""
        if begin := BEGINS.get(event.event):
            yield from self._begin(event, begin)
        elif condition := ENDS.get(event.event):
            onset = self._open.get(event.asset, {}).get(condition)
            if onset is not None and event.at >= onset:
                del self._open[event.asset][condition]
                self._note_end(event.asset, condition, event.at)
                severity = next(b.severity for b in BEGINS.values() if b.condition == condition)
                yield event.asset, Change(condition, onset, event.at, new=False, gone=False), severity

    def _begin(self, event: Event, begin: _Begin) -> Iterator[tuple[str, Change, Severity]]:
        opened = self._open.setdefault(event.asset, {})
        ended = self._ended.get(event.asset, {}).get(begin.condition, -1)
        if begin.condition in opened or event.at <= ended:
            return
        yield event.asset, Change(begin.condition, event.at, None, new=True, gone=False), begin.severity
        if begin.momentary:
            self._note_end(event.asset, begin.condition, event.at)
            yield (
                event.asset,
                Change(begin.condition, event.at, event.at, new=False, gone=False),
                begin.severity,
            )
        else:
            opened[begin.condition] = event.at

    def _note_end(self, asset: str, condition: str, at: int) -> None:
        self._ended.setdefault(asset, {})[condition] = at

    def snapshot(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON."""
        return {"open": self._open, "ended": self._ended}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._open = {asset: dict(found) for asset, found in state["open"].items()}
        self._ended = {asset: dict(found) for asset, found in state["ended"].items()}
