"""Every Kafka topic in one table: name, key, partitions, retention. The embedded log uses the names."""

from dataclasses import dataclass

from schemas.times import DAY


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``retention_ms`` is None for a compacted topic."""

    name: str
    key: str
    carries: str
    partitions: int
    retention_ms: int | None


READINGS = Topic("city.readings.v1", "site", "Frame, Event or Tick", 12, 7 * DAY)
DEAD_LETTERS = Topic("city.readings.v1.dlq", "site", "DeadLetter", 3, 30 * DAY)
ALARMS = Topic("city.alarms.v1", "correlation domain", "AlarmChange", 6, 30 * DAY)
INCIDENTS = Topic("city.incidents.v1", "incident", "IncidentRevision", 6, 90 * DAY)
NOTIFICATIONS = Topic("city.notifications.v1", "incident", "Notification", 3, 90 * DAY)

TOPICS = (READINGS, DEAD_LETTERS, ALARMS, INCIDENTS, NOTIFICATIONS)
