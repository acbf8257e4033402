"""The past as it was known at one moment, read like the store of a running city.

In:  a ``Past``, a moment that whoever shows it sets.
Out: readings, alarms, incidents, what people were told, counts: as a ``runner.store.Store`` would have had
     them.
Promises: nothing that became known later is in it: no later revision, outcome, clearing or late reading.
"""

from collections.abc import Mapping
from json import loads
from typing import NamedTuple

from runner.player.past import Past
from runner.store import CLOCKS_AGREE
from schemas.alarms import Alarm, Severity
from schemas.incidents import IncidentRevision
from schemas.notifications import Decision, Notification
from schemas.readings import DeadLetter, Reading

LIVE = "known <= ?1 AND (until IS NULL OR until > ?1)"


class Happened(NamedTuple):
    """What became known at one moment."""

    alarms: list[Alarm]
    """Newly raised."""
    incidents: list[IncidentRevision]
    messages: list[Notification]
    """To people."""


class Marks(NamedTuple):
    """What stands on a time bar, each with the moment at which it became known; as it stood in the end."""

    incidents: list[tuple[int, IncidentRevision]]
    alarms: list[tuple[int, Severity]]
    messages: list[int]


class AsOf:
    """Reads ``past`` as of ``now`` (ms of stream time); both may be set to others at any time."""

    def __init__(self, past: Past, now: int = 0) -> None:
        self.past, self.now = past, now

    def open_alarms(self) -> list[Alarm]:
        """Alarms that stood, oldest first."""
        rows = self.past.read(
            f"SELECT body FROM alarms WHERE cleared IS NULL AND {LIVE} ORDER BY raised, id",  # noqa: S608 - our words
            self.now,
        )
        return [Alarm.model_validate_json(body) for (body,) in rows]

    def alarms(self, since: int | None = None) -> list[Alarm]:
        """Alarms raised at ``since`` or later (all where None), oldest first."""
        rows = self.past.read(
            f"SELECT body FROM alarms WHERE raised >= ?2 AND {LIVE} ORDER BY raised, id",  # noqa: S608 - our words
            self.now,
            since or 0,
        )
        return [Alarm.model_validate_json(body) for (body,) in rows]

    def incidents(self, limit: int = 100) -> list[IncidentRevision]:
        """Each incident that stood or was closed, as it was seen then; newest opened first."""
        rows = self.past.read(
            f"SELECT body FROM revisions WHERE live AND {LIVE} ORDER BY opened DESC, incident LIMIT ?2",  # noqa: S608 - our words
            self.now,
            limit,
        )
        return [IncidentRevision.model_validate_json(body) for (body,) in rows]

    def incident(self, incident_id: str) -> list[IncidentRevision]:
        """All revisions of an incident so far, oldest first, and of the one that had replaced it."""
        revisions: list[IncidentRevision] = []
        seen: set[str] = set()
        following: str | None = incident_id
        while following is not None and following not in seen:
            seen.add(following)
            rows = self.past.read(
                "SELECT body FROM revisions WHERE incident = ? AND known <= ? ORDER BY revision",
                following,
                self.now,
            )
            found = [IncidentRevision.model_validate_json(body) for (body,) in rows]
            revisions += found
            following = found[-1].replaced_by if found else None
        return revisions

    def first_told(self, incident_id: str) -> int | None:
        """When an incident became known, be it after this moment; None for one that never was."""
        ((known,),) = self.past.read("SELECT min(known) FROM revisions WHERE incident = ?", incident_id)
        return None if known is None else int(known)

    def notifications(self, incident: str | None = None) -> list[Notification]:
        """What people had been told, oldest first; of one incident, or all."""
        rows = self.past.read(
            "SELECT body FROM notifications WHERE (?2 IS NULL OR incident = ?2) AND at <= ?1 ORDER BY at, id",
            self.now,
            incident,
        )
        return [Notification.model_validate_json(body) for (body,) in rows]

    def decisions(self, incident: str | None = None, since: int = 0) -> list[Decision]:
        """Why people had been told, or not, at ``since`` or later, oldest first; of one incident, or all."""
        rows = self.past.read(
            "SELECT body FROM decisions WHERE (?2 IS NULL OR incident = ?2) AND at BETWEEN ?3 AND ?1 "
            "ORDER BY at, id",
            self.now,
            incident,
            since,
        )
        return [Decision.model_validate_json(body) for (body,) in rows]

    def readings(self, sensor: str, start: int, end: int) -> list[Reading]:
        """Readings of one sensor from ``start`` to before ``end`` (ms), in event time, that had come."""
        rows = self.past.read(
            "SELECT sensor, at, value, quality FROM readings "
            "WHERE sensor = ? AND at >= ? AND at < ? AND known <= ? ORDER BY at",
            sensor,
            start,
            min(end, self.now + 1),
            self.now,
        )
        return [Reading(*row) for row in rows]

    def latest(self) -> dict[str, Reading]:
        """The newest reading of each sensor, leaving out those of a fast clock."""
        rows = self.past.read(
            "WITH RECURSIVE names (sensor) AS (SELECT min(sensor) FROM readings UNION ALL "
            "SELECT (SELECT min(r.sensor) FROM readings r WHERE r.sensor > names.sensor) FROM names "
            "WHERE names.sensor IS NOT NULL) "
            "SELECT r.sensor, r.at, r.value, r.quality FROM names JOIN readings r ON r.sensor = names.sensor "
            "AND r.at = (SELECT at FROM readings WHERE sensor = names.sensor AND at <= ?1 + ?2 "
            "AND known <= ?1 ORDER BY at DESC LIMIT 1)",
            self.now,
            CLOCKS_AGREE,
        )
        return {row[0]: Reading(*row) for row in rows}

    def counts(self) -> dict[str, int]:
        """What had been counted."""
        rows = self.past.read(
            "SELECT counts FROM counted WHERE known <= ? ORDER BY known DESC LIMIT 1", self.now
        )
        counted: Mapping[str, int] = loads(rows[0][0]) if rows else {}
        return dict(counted)

    def dead_letters(self, _limit: int) -> list[DeadLetter]:
        """None: a replay counts what can't be used, and keeps none of it."""
        return []

    # -- to find one's way --------------------------------------------------------------------------

    def next_moment(self) -> int | None:
        """When something becomes known next: an alarm, a revision, a message to people."""
        return self._nearest("min", ">")

    def moment_before(self) -> int | None:
        """When something became known, the last time before this moment."""
        return self._nearest("max", "<")

    def _nearest(self, end: str, side: str) -> int | None:
        parts = (
            ("alarms", "known", "told AND "),
            ("revisions", "known", ""),
            ("notifications", "at", ""),
        )
        found = [
            self.past.read(f"SELECT {end}({when}) FROM {table} WHERE {which}{when} {side} ?", self.now)[0][0]  # noqa: S608 - our words
            for table, when, which in parts
        ]
        known = [at for at in found if at is not None]
        return (min if end == "min" else max)(known, default=None)

    def happened(self) -> Happened:
        """What became known at this very moment."""
        return Happened(
            [
                Alarm.model_validate_json(body)
                for (body,) in self.past.read("SELECT body FROM alarms WHERE told AND known = ?", self.now)
            ],
            [
                IncidentRevision.model_validate_json(body)
                for (body,) in self.past.read("SELECT body FROM revisions WHERE known = ?", self.now)
            ],
            [
                Notification.model_validate_json(body)
                for (body,) in self.past.read("SELECT body FROM notifications WHERE at = ?", self.now)
            ],
        )

    def marks(self) -> Marks:
        """All that is known to the end: what a time bar shows of it."""
        incidents = self.past.read(
            "SELECT r.incident, min(o.known), r.body FROM revisions r JOIN revisions o USING (incident) "
            "WHERE r.live AND r.until IS NULL GROUP BY r.incident ORDER BY min(o.known), r.incident"
        )
        alarms = self.past.read("SELECT known, body FROM alarms WHERE told ORDER BY known")
        pages = self.past.read("SELECT DISTINCT at FROM notifications ORDER BY at")
        return Marks(
            [(known, IncidentRevision.model_validate_json(body)) for _, known, body in incidents],
            [(known, Alarm.model_validate_json(body).severity) for known, body in alarms],
            [at for (at,) in pages],
        )
