"""What depends on what: for incidents behind one that people know of, behind planned work, and behind what
has just come back. Pure; holds the state of planned work and of recoveries.

Promises: only new messages are held back, and not for ever: an incident that still stands when its time is
over may have a cause of its own.
"""

from typing import Any, NamedTuple

from schemas.alarms import AlarmChange
from schemas.alerting import Policy
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.notifications import Stage
from schemas.times import MINUTE, rfc3339

PLANNED_WORK = "planned_work"
SLACK = 2 * MINUTE
"""How much earlier than its cause something may be seen to begin."""


class Known(NamedTuple):
    """An incident that people know of."""

    incident: str
    asset: str
    condition: str
    since: int


class Hold(NamedTuple):
    """Why people are not told now."""

    stage: Stage
    reason: str


class Dependence:
    """Who hangs on whom, as far as the policy looks."""

    def __init__(self, policy: Policy, city: City | None) -> None:
        self._inhibit, self._city = policy.inhibit, city
        self._above: dict[str, frozenset[str]] = {}
        self._working: dict[str, int] = {}
        """Assets under planned work, and since when."""
        self._back: dict[str, int] = {}
        """Assets whose incidents are over, and since when."""

    def note(self, change: AlarmChange) -> None:
        """Planned work begins and ends as an alarm of its own."""
        alarm = change.alarm
        if alarm.condition == PLANNED_WORK:
            if alarm.cleared is None and change.change != "retracted":
                self._working[alarm.asset] = alarm.raised
            else:
                self._working.pop(alarm.asset, None)

    def recovered(self, asset: str, at: int) -> None:
        """The incident of an asset is over."""
        if self._inhibit is not None:
            self._back = {one: when for one, when in self._back.items() if at < when + self._inhibit.hold_off}
            self._back[asset] = at

    def hold(self, incident: IncidentRevision, since: int, known: list[Known], now: int) -> Hold | None:
        """Whether a message about an incident, known ``since`` then, should wait, and why."""
        return (
            self._under_work(incident)
            or self._behind(incident, since, known, now)
            or self._back_on(incident, now)
        )

    def _under_work(self, incident: IncidentRevision) -> Hold | None:
        inhibit = self._inhibit
        if inhibit is None or not inhibit.planned_work or not self._working:
            return None
        asset = incident.root.asset
        for place in (asset, *sorted(self.above(asset))):
            if place in self._working:
                behind = "" if place == asset else f", and {asset} depends on it"
                reason = f"planned work on {place} since {rfc3339(self._working[place])}{behind}"
                return Hold("inhibit", reason)
        return None

    def _behind(self, incident: IncidentRevision, since: int, known: list[Known], now: int) -> Hold | None:
        inhibit = self._inhibit
        if inhibit is None or now >= since + inhibit.hold:
            return None
        asset = incident.root.asset
        above = self.above(asset)
        for other in known:
            early = incident.root.since + SLACK < other.since
            if other.asset in above and other.incident != incident.id and not early:
                reason = (
                    f"people know of {other.asset} {other.condition} (incident {other.incident}), "
                    f"and {asset} depends on it"
                )
                return Hold("inhibit", reason)
        return None

    def _back_on(self, incident: IncidentRevision, now: int) -> Hold | None:
        asset = incident.root.asset
        for place in sorted(self._back.keys() & self.above(asset)):
            if self._inhibit is not None and now < self._back[place] + self._inhibit.hold_off:
                return Hold("hold-off", f"{place}, on which {asset} depends, came back just now")
        return None

    def above(self, asset: str) -> frozenset[str]:
        """What an asset depends on, over as many links as the policy looks."""
        if asset not in self._above:
            self._above[asset] = self._look_up(asset)
        return self._above[asset]

    def _look_up(self, asset: str) -> frozenset[str]:
        inhibit = self._inhibit
        if inhibit is None or self._city is None:
            return frozenset()
        found: set[str] = set()
        edge = {asset}
        for _ in range(inhibit.hops):
            links = (link for one in edge for link in self._city.links_to.get(one, ()))
            edge = {link.source for link in links if link.relation in inhibit.through} - found - {asset}
            found |= edge
        return frozenset(found)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON."""
        return {"working": self._working, "back": self._back}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._working, self._back = dict(state["working"]), dict(state["back"])
