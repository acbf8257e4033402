"""Points that InfluxDB will never take, as dead letters."""

import time

from runner.influx.writer import Refused
from schemas.points import ALARM, INCIDENT, NOTIFICATION, PARTS, READING
from schemas.readings import DeadLetter
from schemas.topics import ALARMS, INCIDENTS, NOTIFICATIONS, READINGS

KEPT_BYTES = 64 * 1024
SOURCE_OF = {
    READING.name: READINGS,
    ALARM.name: ALARMS,
    NOTIFICATION.name: NOTIFICATIONS,
    **{measurement.name: INCIDENTS for measurement in (INCIDENT, *PARTS)},
}
"""Where the facts of a measurement come from."""


def letter_of(refused: Refused) -> DeadLetter:
    """The letter: the point as its payload, the topic that its fact came from, and what InfluxDB said."""
    payload = refused.line.encode()
    return DeadLetter(
        received=time.time_ns() // 1_000_000,
        topic=SOURCE_OF[refused.line.partition(",")[0]].name,
        payload=payload[:KEPT_BYTES],
        size=len(payload),
        reason=f"InfluxDB refused the point: {refused.reason}",
    )
