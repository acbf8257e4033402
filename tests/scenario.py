"""A small city for stories: readings in, alarms, incidents and notifications out, as short texts.

Five assets ``beat-1`` to ``beat-5`` report each minute, so that stream time moves as in a real city.
"""

from collections.abc import Callable, Mapping

import yaml

from runner.core import Core, Outputs
from schemas.alarms import Alarm
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.notifications import Notification
from schemas.readings import Event, Frame, Quality, Reading, Tick
from schemas.times import MINUTE, parse_time, rfc3339
from schemas.vocabulary import load_vocabulary

Series = Mapping[str, float | Callable[[int], float | None] | None]
"""Value of each sensor by minute since the start of the stretch; None where it says nothing."""

BEATS = [f"beat-{n}" for n in range(1, 6)]


def at(clock: str) -> int:
    """08:30, or 2+08:30 on the second day, as event time."""
    day, _, hours = clock.rpartition("+")
    return parse_time(f"2025-06-{int(day or 1):02d}T{hours}:00Z")


def clock(moment: int) -> str:
    """Event time as 08:30, or 2+08:30 on the second day."""
    text = rfc3339(moment)
    day = int(text[8:10])
    return text[11:16] if day == 1 else f"{day}+{text[11:16]}"


def city_of(text: str) -> City:
    """A city from the assets, links and sensors in ``text`` (YAML), with five beats."""
    parts = yaml.safe_load(text) if text else {}
    beats = [{"id": b, "utility": "power", "kind": "meter", "zone": "z"} for b in BEATS]
    sensors = [{"asset": b, "quantity": "frequency", "unit": "Hz", "every": 60} for b in BEATS]
    return City.model_validate(
        {
            "city": "testville",
            "timezone": "UTC",
            "assets": parts.get("assets", []) + beats,
            "links": parts.get("links", []),
            "sensors": parts.get("sensors", []) + sensors,
        }
    )


class Scenario:
    """One city under the real core."""

    def __init__(self, text: str = "") -> None:
        self.city = city_of(text)
        self.core = Core(self.city, load_vocabulary())
        self.records: list[Frame | Event | Tick] = []
        self._alarms: dict[str, Alarm] = {}
        self._incidents: dict[str, IncidentRevision] = {}
        self.revisions: list[IncidentRevision] = []
        self.notifications: list[Notification] = []

    def play(self, start: str, end: str, series: Series | None = None) -> None:
        """A reading a minute of each sensor in ``series`` and of the beats, from start to before end."""
        first = at(start)
        for minute in range((at(end) - first) // MINUTE):
            moment = first + minute * MINUTE
            readings = []
            for sensor, value in (series or {}).items():
                now = value(minute) if callable(value) else value
                if now is not None:
                    readings.append(Reading(sensor, moment, now))
            beats = [Reading(f"{beat}/frequency", moment, 50 + minute % 7 / 100) for beat in BEATS]
            self.take(frame(*readings, *beats))

    def reading(self, time: str, sensor: str, value: float, quality: Quality = Quality.GOOD) -> None:
        """One reading, whenever it comes."""
        self.take(frame(Reading(sensor, at(time), value, quality)))

    def event(self, time: str, asset: str, event: str) -> None:
        """One event."""
        self.take(Event(received=0, asset=asset, at=at(time), event=event))

    def take(self, record: Frame | Event | Tick) -> None:
        """One record of any kind."""
        self.records.append(record)
        self._keep(self.core.step(record))

    def settle(self) -> None:
        """Let what is waiting for stream time to move be looked at."""
        self.take(Tick(at=self.core.stream_time or 0))

    def _keep(self, outputs: Outputs) -> None:
        for change in outputs.alarms:
            if change.change == "retracted":
                self._alarms.pop(change.alarm.id, None)
            else:
                self._alarms[change.alarm.id] = change.alarm
        for revision in outputs.incidents:
            self.revisions.append(revision)
            if revision.change in ("replaced", "retracted"):
                self._incidents.pop(revision.id, None)
            else:
                self._incidents[revision.id] = revision
        self.notifications += outputs.notifications

    @property
    def alarms(self) -> list[str]:
        """'08:02 pump-3 stopped' while it stands, '08:02-08:10 pump-3 stopped' when it cleared."""
        ordered = sorted(
            self._alarms.values(), key=lambda a: (a.raised, a.asset, a.condition, a.sensor or "")
        )
        return [_line(alarm) for alarm in ordered]

    @property
    def incidents(self) -> list[IncidentRevision]:
        """Incidents as they stand, oldest first."""
        return sorted(self._incidents.values(), key=lambda i: (i.opened, i.id))

    @property
    def roots(self) -> list[str]:
        """'08:02 feeder-7 dead' of each incident, oldest first."""
        return [f"{clock(i.root.since)} {i.root.asset} {i.root.condition}" for i in self.incidents]

    @property
    def told(self) -> list[str]:
        """'08:05 opened: a new incident', in order."""
        return [f"{clock(n.at)} {n.kind}: {n.reason}" for n in self.notifications]


def frame(*readings: Reading) -> Frame:
    """A frame of these readings."""
    sensors, times, values, qualities = zip(*readings, strict=True)
    return Frame(
        received=0,
        sensors=list(sensors),
        at=list(times),
        values=list(values),
        qualities=[int(q) for q in qualities],
    )


def _line(alarm: Alarm) -> str:
    until = f"-{clock(alarm.cleared)}" if alarm.cleared is not None else ""
    return f"{clock(alarm.raised)}{until} {alarm.asset} {alarm.condition}"
