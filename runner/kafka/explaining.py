"""What Kafka holds of who was told, and why: for ``alerts explain`` and ``report``.

In:  a Kafka, a city, from when on (time of writing).
Out: messages, decisions, what came of each; alarms where they are wanted. Raises KafkaFailed.
"""

from collections.abc import Iterator

from runner.explaining import Kept
from runner.kafka.reading import count_of, read
from runner.kafka.records import is_of, kind_of
from runner.kafka.settings import KafkaSettings
from schemas.alarms import Alarm, AlarmChange
from schemas.notifications import UNSETTLED, Decision, Delivered, Notification
from schemas.topics import ALARMS, DECISIONS, DELIVERIES, NOTIFICATIONS, Topic


def kept_on(settings: KafkaSettings, city: str, *, alarms: bool, since: int | None = None) -> Kept:
    """All of it, each thing once however often it was written."""

    def values(topic: Topic, kind: str) -> Iterator[bytes]:
        for partition in range(count_of(settings, topic)):
            for record in read(settings, topic, partition, since):
                if is_of(city, record.headers) and kind_of(record.headers) == kind:
                    yield record.value

    notes = map(Notification.model_validate_json, values(NOTIFICATIONS, "notification"))
    decisions = map(Decision.model_validate_json, values(DECISIONS, "decision"))
    outcomes = map(Delivered.model_validate_json, values(DELIVERIES, "delivered"))
    standing: dict[str, Alarm] = {}
    for value in values(ALARMS, "alarm-change") if alarms else ():
        change = AlarmChange.model_validate_json(value)
        if change.change == "retracted":
            standing.pop(change.alarm.id, None)
        else:
            standing[change.alarm.id] = change.alarm
    return Kept(
        sorted({one.id: one for one in notes}.values(), key=lambda one: one.at),
        sorted({one.id: one for one in decisions}.values(), key=lambda one: one.at),
        sorted(standing.values(), key=lambda one: one.raised),
        [one for one in {one.id: one for one in outcomes}.values() if one.state not in UNSETTLED],
    )
