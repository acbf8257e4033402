"""Alarms: an abnormal condition of one asset, with a life (ISA-18.2 / IEC 62682)."""

from enum import StrEnum
from typing import Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

from schemas.times import Time

NAMESPACE = UUID("6f1d7a52-3c0e-5b8e-9d43-0c7f6a1e2b90")
"""Root of all our UUIDv5: ids follow from content, so that writing twice writes once."""
_LEVELS = {"high_high": "very high", "low_low": "very low", "high": "high", "low": "low"}


def content_id(kind: str, *parts: object) -> str:
    """An id that follows from what a thing is: the same parts give the same id, everywhere."""
    return str(uuid5(NAMESPACE, "\x1f".join([kind, *map(str, parts)])))


def alarm_id(city: str, asset: str, sensor: str | None, condition: str, onset: int) -> str:
    """The id of an alarm; ``onset`` in ms since the epoch."""
    return content_id("alarm", city, asset, sensor, condition, onset)


def incident_id(city: str, first_alarm: str) -> str:
    """The id of an incident, which follows from that of its first alarm."""
    return content_id("incident", city, first_alarm)


class Severity(StrEnum):
    """How bad, in the order of the field's priorities."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return list(Severity).index(self)


class Alarm(BaseModel):
    """One line of ``alarms.jsonl``.

    ``raised`` is the onset: the event time of the first reading that showed the condition (the alarm
    itself is told only after the sensor's on-delay). ``cleared`` is the event time from which it was
    seen no more, or None while it stands.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    asset: str
    utility: str
    condition: str
    severity: Severity
    raised: Time
    cleared: Time | None = None
    sensor: str | None = None
    places: tuple[tuple[str, float], ...] = ()
    """Of a sign that several sensors show together: assets at which its cause may sit, each with its
    likelihood beside the likeliest (1.0); empty where the asset itself is the place.
    """


AlarmMove = Literal["raised", "cleared", "revised", "retracted"]
"""What happened to an alarm; ``retracted`` means that late data showed it never was."""


class AlarmChange(BaseModel):
    """What detection says to the log ``city.alarms.v1``: the alarm as it now stands, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alarm: Alarm
    change: AlarmMove
    known_at: Time
    """Stream time at which this was known."""


def condition_words(condition: str) -> str:
    """``depth_high_high`` as people say it: depth very high."""
    for suffix, words in _LEVELS.items():
        if condition.endswith("_" + suffix):
            return f"{condition.removesuffix('_' + suffix)} {words}".replace("_", " ")
    return condition.replace("_", " ")
