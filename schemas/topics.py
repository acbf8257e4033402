"""Every Kafka topic in one table: name, key, what it carries, partitions, retention. The embedded log uses
the names; ``crosscurrent topics`` makes and checks topics by it; ``schemas.export`` describes it in AsyncAPI.
"""

from dataclasses import dataclass

from schemas.times import DAY, MINUTE

RECORD_BYTES_MAX = 1_000_000
"""Most bytes of one record: below Kafka's own default, so that no broker needs a setting for us."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``retention_ms`` is None for a compacted topic."""

    name: str
    key: str
    carries: tuple[str, ...]
    """Names of models, as ``schemas.export`` has them; none where only we read it."""
    partitions: int
    retention_ms: int | None
    says: str

    @property
    def settings(self) -> dict[str, str]:
        """The topic's own settings, as Kafka names them."""
        if self.retention_ms is not None:
            return {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
        # Only closed segments are compacted: without small ones the topic would only grow.
        return {
            "cleanup.policy": "compact",
            "segment.ms": str(10 * MINUTE),
            "segment.bytes": str(64 * 1024 * 1024),
            "min.cleanable.dirty.ratio": "0.1",
        }


READINGS = Topic(
    "city.readings.v1",
    "city/site",
    ("frame", "event", "tick"),
    12,
    7 * DAY,
    "What sensors said, site by site, and how far stream time has got.",
)
DEAD_LETTERS = Topic(
    "city.readings.v1.dlq",
    "MQTT topic",
    ("dead-letter",),
    3,
    30 * DAY,
    "What was refused, each with its reason.",
)
RECEIPTS = Topic(
    "city.receipts.v1",
    "collector",
    ("receipt",),
    3,
    7 * DAY,
    "What collectors took of messages that their sources number, and what the MQTT broker dropped.",
)
ALARMS = Topic(
    "city.alarms.v1",
    "city/domain",
    ("alarm-change", "alarm-overheard", "tick", "answer"),
    6,
    30 * DAY,
    "What detection says of each partition of the readings, and how far stream time has got there. An alarm "
    "stands once as a change, with the domain of its asset; other domains that see the asset overhear it.",
)
DOMAINS = Topic(
    "city.domains.v1",
    "city",
    ("domain-word", "alarm-change", "tick", "answer"),
    6,
    30 * DAY,
    "What each correlation domain of a city with borders says, to be joined.",
)
INCIDENTS = Topic(
    "city.incidents.v1",
    "incident",
    ("incident-revision",),
    6,
    90 * DAY,
    "Every revision of every incident; the newest of an id is how it stands.",
)
NOTIFICATIONS = Topic(
    "city.notifications.v1",
    "thread",
    ("notification",),
    3,
    90 * DAY,
    "What people are to be told, and why.",
)
DECISIONS = Topic(
    "city.decisions.v1",
    "incident",
    ("decision",),
    3,
    90 * DAY,
    "Why people were told of an incident, or were not.",
)
DELIVERIES = Topic(
    "city.deliveries.v1",
    "thread",
    ("delivered",),
    NOTIFICATIONS.partitions,
    90 * DAY,
    "What came of each message at each receiver, on the partition of the message.",
)
STATE = Topic(
    "city.state.v1",
    "whose, and which piece",
    (),
    12,
    None,
    "Snapshots of our workers, in a form of their own.",
)

TOPICS = (
    READINGS,
    DEAD_LETTERS,
    RECEIPTS,
    ALARMS,
    DOMAINS,
    INCIDENTS,
    NOTIFICATIONS,
    DECISIONS,
    DELIVERIES,
    STATE,
)
