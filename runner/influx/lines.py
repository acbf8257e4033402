"""Facts to points, in InfluxDB's line protocol. Pure.

In:  frames, alarm changes, incident revisions, notifications of one city.
Out: lines, each one point of a measurement of ``schemas.points``; their buckets.
Promises: the same fact gives the same line; different facts differ in measurement, tags or time. What tells
an incident from all others is its first alarm: asset, condition and sensor are tags, the onset is the time,
with a microsecond for each revision and a nanosecond for each part of one. Only a notification leaves that to
chance: it lies at one of the billion nanoseconds after it was sent, by its id.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import Any

from schemas.alarms import Alarm, AlarmChange, Severity, alarm_id, incident_id
from schemas.city import City
from schemas.incidents import Expected, IncidentRevision
from schemas.notifications import Notification
from schemas.points import (
    ALARM,
    ALARM_STANDING,
    ALTERNATIVE,
    EXPECTED,
    FACTS,
    FORETOLD,
    INCIDENT,
    INCIDENT_STANDING,
    LIVE,
    MEASUREMENTS,
    MEMBER,
    NONE,
    NOTIFICATION,
    PARTS_MAX,
    READING,
    STANDING,
    STEP,
    Kind,
    Measurement,
)
from schemas.readings import Frame, Quality
from schemas.times import SECOND

MILLISECOND_NS = 1_000_000
MICROSECOND_NS = 1_000
KNOWN_MAX = 4_096
"""Incidents whose first alarm is remembered; that of others is found anew."""

Fact = AlarmChange | IncidentRevision | Notification

_TAG = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\\": "/", "\n": r"\ ", "\r": r"\ ", "\t": r"\ "})
_TEXT = str.maketrans({'"': r"\"", "\\": r"\\"})
_FORMS: dict[Kind, Callable[[Any], str]] = {
    "float": lambda value: repr(float(value)),
    "integer": lambda value: f"{value}i",
    "string": lambda value: f'"{(str(value) or NONE).translate(_TEXT)}"',
    "boolean": lambda value: "true" if value else "false",
}
_BUCKETS = {one.name: one.bucket.name for one in MEASUREMENTS if one.bucket in (FACTS, STANDING)}
_QUALITIES = tuple(f",quality={quality.value}i " for quality in Quality)


def line(measurement: Measurement, tags: Mapping[str, str], values: Mapping[str, object], at_ns: int) -> str:
    """One point. Raises KeyError for a tag that is missing, or a field that the table has not."""
    fields = ",".join(f"{name}={_FORMS[measurement.field(name).kind](values[name])}" for name in values)
    return f"{head(measurement, tags)} {fields} {at_ns}"


def head(measurement: Measurement, tags: Mapping[str, str]) -> str:
    """What a point begins with: its series. A tag without a value says so."""
    named = (f",{name}={(tags[name] or NONE).translate(_TAG)}" for name in sorted(measurement.tags))
    return measurement.name + "".join(named)


class Lines:
    """The points of one city, under the name of one run."""

    def __init__(self, city: City, run: str = LIVE) -> None:
        self._city = city
        self._run = {"run": run, "city": city.city}
        self._readings = {
            sensor.id: f"{head(READING, self._where(sensor.asset) | {'quantity': sensor.quantity})} value="
            for sensor in city.sensors
        }
        self._first = lru_cache(KNOWN_MAX)(self._found_first)
        self.counts: Counter[str] = Counter()
        """Readings of sensors that the city model does not have: ``unknown``."""

    def frame(self, frame: Frame) -> list[str]:
        """Its readings, in order."""
        heads, said = self._readings, []
        for sensor, at, value, quality in zip(
            frame.sensors, frame.at, frame.values, frame.qualities, strict=True
        ):
            begins = heads.get(sensor)
            if begins is None:
                self.counts["unknown"] += 1
            else:
                said.append(f"{begins}{value!r}{_QUALITIES[quality]}{at}000000")
        return said

    def of(self, fact: Fact) -> Iterator[str]:
        """All points of a fact."""
        match fact:
            case AlarmChange():
                yield self.alarm(fact)
                yield self.alarm_standing(fact)
            case IncidentRevision():
                yield from self.revision(fact)
                yield self.incident_standing(fact)
            case _:
                yield self.notification(fact)

    def alarm(self, change: AlarmChange) -> str:
        """An alarm as it now stands."""
        alarm = change.alarm
        state = "standing" if alarm.cleared is None else "cleared"
        values: dict[str, object] = {
            "id": alarm.id,
            "state": "retracted" if change.change == "retracted" else state,
            **_severity(alarm.severity),
            "known_at": change.known_at,
            "cleared": alarm.cleared or 0,
            "seconds": 0 if alarm.cleared is None else (alarm.cleared - alarm.raised) / SECOND,
            **self._place(alarm.asset),
        }
        if change.change == "raised":
            values["announced"] = change.known_at
        return line(ALARM, self._alarm(alarm), values, alarm.raised * MILLISECOND_NS)

    def alarm_standing(self, change: AlarmChange) -> str:
        """From when to when an alarm stood."""
        alarm = change.alarm
        until = alarm.raised if change.change == "retracted" else alarm.cleared or 0
        return line(ALARM_STANDING, self._alarm(alarm), {"until": until}, alarm.raised * MILLISECOND_NS)

    def revision(self, revision: IncidentRevision) -> Iterator[str]:
        """A revision of an incident, and its parts."""
        tags = self._run | self._first_alarm(revision)
        at = revision.opened * MILLISECOND_NS + revision.revision * MICROSECOND_NS
        yield line(INCIDENT, tags, self._incident(revision), at)
        of = {"incident": revision.id, "revision": revision.revision}
        for measurement, entries in self._parts(revision):
            for number, values in enumerate(islice(entries, PARTS_MAX)):
                yield line(measurement, tags, of | values, at + number)

    def incident_standing(self, revision: IncidentRevision) -> str:
        """From when to when an incident was open."""
        until = (revision.closed or 0) if _stands(revision) else revision.known_at
        values = {"incident": revision.id, "until": until}
        tags = self._run | self._first_alarm(revision)
        return line(INCIDENT_STANDING, tags, values, revision.opened * MILLISECOND_NS)

    def notification(self, note: Notification) -> str:
        """What people were told."""
        digest = int.from_bytes(blake2b(note.id.encode(), digest_size=8).digest())
        at = note.at * MILLISECOND_NS + digest % (SECOND * MILLISECOND_NS)
        said = ("id", "incident", "at", "reason", "title", "text", "asset", "condition")
        values = {
            **{name: getattr(note, name) for name in said},
            **_severity(note.severity),
            "utilities": ",".join(note.utilities),
        }
        return line(NOTIFICATION, self._run | {"kind": note.kind, "to": note.to}, values, at)

    def _incident(self, revision: IncidentRevision) -> dict[str, object]:
        root, stands = revision.root, _stands(revision)
        return {
            "incident": revision.id,
            "revision": revision.revision,
            "change": revision.change,
            "stands": stands,
            "open": stands and revision.closed is None,
            **_severity(revision.severity),
            "opened": revision.opened,
            "closed": revision.closed or 0,
            "known_at": revision.known_at,
            **{f"root_{name}": value for name, value in self._asset(root.asset, root.condition).items()},
            "root_since": root.since,
            "probability": root.probability,
            "utilities": ",".join(revision.utilities),
            "members": len(revision.members),
            "standing": sum(member.until is None for member in revision.members),
            "summary": revision.summary,
            "explanation": "\n".join(revision.explanation),
            "replaces": ",".join(revision.replaces),
            "replaced_by": revision.replaced_by or "",
            **self._place(root.asset),
        }

    def _parts(self, revision: IncidentRevision) -> Iterator[tuple[Measurement, Iterable[dict[str, object]]]]:
        yield (
            MEMBER,
            (
                self._asset(one.asset, one.condition) | {"since": one.since, "until": one.until or 0}
                for one in revision.members
            ),
        )
        yield (
            ALTERNATIVE,
            (
                self._asset(one.asset, one.condition) | {"since": one.since, "probability": one.probability}
                for one in revision.alternatives
            ),
        )
        yield STEP, ({**dict(one), "through": ",".join(one.through)} for one in revision.chain)
        yield EXPECTED, (self._foreseen(one) for one in revision.expected)
        yield (
            FORETOLD,
            (
                self._foreseen(one) | {"told": one.told, "outcome": one.outcome or "", "came": one.came or 0}
                for one in revision.foretold
            ),
        )

    def _foreseen(self, one: Expected) -> dict[str, object]:
        return {
            **self._asset(one.asset, one.condition),
            "start": one.start,
            "end": one.end,
            "probability": one.probability,
            "watched": one.watched,
            **self._place(one.asset),
        }

    def _first_alarm(self, revision: IncidentRevision) -> dict[str, str]:
        """The tags of the alarm that an incident has its id from."""
        at_first = tuple((m.asset, m.condition) for m in revision.members if m.since == revision.opened)
        asset, condition, sensor = self._first(revision.id, revision.opened, at_first)
        return {"first_asset": asset, "first_condition": condition, "first_sensor": sensor}

    def _found_first(
        self, incident: str, opened: int, members: tuple[tuple[str, str], ...]
    ) -> tuple[str, str, str]:
        """Asset, condition and sensor of the first alarm: those that give the id. Members lack the sensor."""
        city = self._city.city
        for asset, condition in members:
            for sensor in (None, *(one.id for one in self._city.sensors_of.get(asset, ()))):
                if incident_id(city, alarm_id(city, asset, sensor, condition, opened)) == incident:
                    return asset, condition, sensor or NONE
        # Not of our making, or of a sensor that the model lost since: as near as may be.
        asset, condition = min(members, default=(NONE, NONE))
        return asset, condition, f"{NONE}{NONE}"

    def _alarm(self, alarm: Alarm) -> dict[str, str]:
        """The tags of an alarm."""
        return self._where(alarm.asset) | {"condition": alarm.condition, "sensor": alarm.sensor or NONE}

    def _asset(self, asset: str, condition: str) -> dict[str, object]:
        """The fields that say what is meant."""
        where = self._where(asset)
        return {"asset": asset, "condition": condition, "utility": where["utility"], "zone": where["zone"]}

    def _where(self, asset: str) -> dict[str, str]:
        """The tags of an asset."""
        known = self._city.asset_by_id.get(asset)
        utility, zone = (str(known.utility), known.zone) if known else (NONE, NONE)
        return {**self._run, "utility": utility, "zone": zone, "asset": asset}

    def _place(self, asset: str) -> dict[str, object]:
        known = self._city.asset_by_id.get(asset)
        if known is None or known.position is None:
            return {}
        return dict(zip(("latitude", "longitude"), known.position, strict=True))


def by_bucket(facts: Iterable[str]) -> dict[str, list[str]]:
    """Lines of facts by the bucket that keeps them. Raises KeyError for a measurement of no fact."""
    said: dict[str, list[str]] = defaultdict(list)
    for one in facts:
        said[_BUCKETS[one[: one.index(",")]]].append(one)
    return said


def _stands(revision: IncidentRevision) -> bool:
    return revision.change not in ("replaced", "retracted")


def _severity(severity: Severity) -> dict[str, object]:
    return {"severity": severity.value, "priority": severity.rank + 1}
