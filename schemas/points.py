"""Every measurement of InfluxDB in one table: tags, fields, units, and what a point's time says.

The sink writes by it, and boards ask by it. Times in fields are ms since the epoch, 0 where there is none.
Tags take their values from the city model, the vocabulary and our own words, so the number of series is
bounded by the model and never grows with time: ids are fields. What tags can't tell apart, time does, down to
the nanosecond.
"""

from dataclasses import dataclass
from typing import Literal

LIVE = "live"
"""The run of what truly happens; a replay has a name of its own."""
NONE = "-"
"""A tag, or a text in a field, that has no value here. Never an empty text: of a column of texts Flux (0.196,
InfluxDB 2.7) loses the first empty one that follows others, and those after it move up by a row.
"""
PARTS_MAX = 1_000
"""Parts of one kind that one revision can have: its nanoseconds."""

Kind = Literal["float", "integer", "string", "boolean"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket; ``days`` is how long it keeps what it has, by the points' own times."""

    name: str
    days: int
    says: str
    shard_days: int = 0
    """How much of its time one shard holds; 0 leaves that to InfluxDB. To look through many costs."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a measurement."""

    name: str
    kind: Kind
    unit: str
    says: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """One kind of point."""

    name: str
    bucket: Bucket
    tags: tuple[str, ...]
    fields: tuple[Field, ...]
    time: str
    """What a point's time is."""
    series: str
    """What bounds the number of series of one run of one city."""
    says: str

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError where there is none."""
        return {field.name: field for field in self.fields}[name]


RAW = Bucket("crosscurrent", 30, "Readings as they came, and our own figures.")
FIVE_MINUTES = Bucket("crosscurrent_5m", 730, "Readings, in windows of five minutes.")
FACTS = Bucket("crosscurrent_facts", 730, "Alarms, incidents and notifications.")
STANDING = Bucket("crosscurrent_standing", 730, "From when to when each alarm and incident stood.", 365)
BUCKETS = (RAW, FIVE_MINUTES, FACTS, STANDING)

_WHERE = ("run", "city", "utility", "zone", "asset")
_FIRST = ("run", "city", "first_asset", "first_condition", "first_sensor")


def _text(name: str, says: str) -> Field:
    return Field(name, "string", "", says)


def _number(name: str, says: str, unit: str = "") -> Field:
    return Field(name, "integer", unit, says)


def _moment(name: str, says: str) -> Field:
    return Field(name, "integer", "ms", says)


def _flag(name: str, says: str) -> Field:
    return Field(name, "boolean", "", says)


def _real(name: str, says: str, unit: str = "") -> Field:
    return Field(name, "float", unit, says)


_SEVERITY = (_text("severity", "info, warning or critical"), _number("priority", "The same: 1, 2 or 3"))
_PLACE = (
    _real("latitude", "Of the asset, where the model has it", "degrees"),
    _real("longitude", "Of the asset, where the model has it", "degrees"),
)
_ASSET = (
    _text("asset", "Its id in the city model"),
    _text("utility", "Of the asset"),
    _text("zone", "Of the asset"),
)
_REVISION = (_text("incident", "The incident's id"), _number("revision", "Of the incident, from 1"))

READING = Measurement(
    "reading",
    RAW,
    (*_WHERE, "quantity"),
    (
        _real("value", "What was measured", "as the city model says of the sensor"),
        _number("quality", "0 good, 1 uncertain, 2 bad"),
    ),
    "event time",
    "sensors",
    "One measured value of one sensor.",
)
READING_5M = Measurement(
    "reading",
    FIVE_MINUTES,
    READING.tags,
    (
        _real("value", "The mean", "as the city model says of the sensor"),
        _real("low", "The least", "as value"),
        _real("high", "The greatest", "as value"),
        _number("quality", "The worst: 0 good, 1 uncertain, 2 bad"),
        _number("count", "How many readings"),
    ),
    "end of the five minutes",
    "sensors",
    "One sensor over five minutes.",
)
ALARM = Measurement(
    "alarm",
    FACTS,
    (*_WHERE, "condition", "sensor"),
    (
        _text("id", "The alarm's id"),
        _text("state", "standing, cleared, or retracted: late data showed that it never was"),
        *_SEVERITY,
        _moment("announced", "Stream time at which it was first told"),
        _moment("known_at", "Stream time of the newest that was told of it"),
        _moment("cleared", "Event time from which it was seen no more; 0 while it stands"),
        _real("seconds", "From raised to cleared; 0 while it stands", "s"),
        *_PLACE,
    ),
    "raised: the onset, in event time",
    "sensors and assets, times the conditions that each can show",
    "One alarm as it stands: written again, over itself, when it changes.",
)
ALARM_STANDING = Measurement(
    "alarm_standing",
    STANDING,
    ALARM.tags,
    (_moment("until", "When it cleared; 0 while it stands; when it was raised, where it was retracted"),),
    ALARM.time,
    ALARM.series,
    "From when to when an alarm stood: what began long ago is found by it, however long the past is.",
)
INCIDENT = Measurement(
    "incident",
    FACTS,
    _FIRST,
    (
        _text("incident", "The incident's id"),
        _number("revision", "From 1; the greatest of an incident is how it stands"),
        _text("change", "Why it was revised"),
        _flag("stands", "False where its id is given up: replaced or retracted"),
        _flag("open", "It stands, and is not closed"),
        *_SEVERITY,
        _moment("opened", "Onset of the earliest member"),
        _moment("closed", "When the last member had cleared; 0 while open"),
        _moment("known_at", "Stream time at which this was known"),
        _text("root_asset", "The probable cause"),
        _text("root_condition", "And what is wrong with it"),
        _text("root_utility", "Whose it is"),
        _text("root_zone", "Where it is"),
        _moment("root_since", "Since when"),
        _real("probability", "Of the root, 0 to 1"),
        _text("utilities", "All that it reaches, with commas"),
        _number("members", "How many alarms it holds"),
        _number("standing", "How many of them stand"),
        _text("summary", "In one sentence"),
        _text("explanation", "In plain words, a line each"),
        _text("replaces", "Ids that it took over, with commas"),
        _text("replaced_by", "The id that took it over, or -"),
        *_PLACE,
    ),
    "opened, plus one microsecond for each revision",
    "sensors and assets, times the conditions that each can show: the first alarm of an incident",
    "One revision of an incident; never written over.",
)
INCIDENT_STANDING = Measurement(
    "incident_standing",
    STANDING,
    _FIRST,
    (
        _text("incident", "The incident's id"),
        _moment("until", "When it closed, or its id was given up; 0 while it is open"),
    ),
    "opened",
    INCIDENT.series,
    "From when to when an incident was open: the newest word on it.",
)
_PART_TIME = "opened, plus one microsecond for each revision, plus one nanosecond for each before it"


def _parts(name: str, fields: tuple[Field, ...], says: str) -> Measurement:
    """A list in an incident's revision, a point for each entry (at most ``PARTS_MAX``)."""
    return Measurement(name, FACTS, _FIRST, (*_REVISION, *fields), _PART_TIME, INCIDENT.series, says)


_CONDITION = _text("condition", "Of the asset")
MEMBER = _parts(
    "member",
    (*_ASSET, _CONDITION, _moment("since", "Raised"), _moment("until", "Cleared; 0 while it stands")),
    "One alarm of an incident, as a revision holds it.",
)
ALTERNATIVE = _parts(
    "alternative",
    (*_ASSET, _CONDITION, _moment("since", "Since when"), _real("probability", "0 to 1")),
    "Another cause that would explain an incident.",
)
STEP = _parts(
    "step",
    (
        _text("cause", "Asset"),
        _text("cause_condition", "Its condition"),
        _text("effect", "Asset"),
        _text("effect_condition", "Its condition"),
        _text("through", "Assets without a sensor on the way, with commas"),
        _text("rule", "Of causes.yaml"),
        _real("strength", "0 to 1"),
        _real("lag_seconds", "Seen between the onsets", "s"),
        _real("lag_seconds_min", "Expected, at least", "s"),
        _real("lag_seconds_max", "Expected, at most", "s"),
    ),
    "One link of the causal chain.",
)
_FORESEEN = (
    *_ASSET,
    _CONDITION,
    _moment("start", "The earliest that it is expected"),
    _moment("end", "The latest"),
    _real("probability", "0 to 1"),
    _flag("watched", "A sensor's limits would show it"),
    *_PLACE,
)
EXPECTED = _parts("expected", _FORESEEN, "A consequence that has not shown yet.")
FORETOLD = _parts(
    "foretold",
    (
        *_FORESEEN,
        _moment("told", "When it was first told"),
        _text("outcome", "hit, miss, unknown; - while that is open"),
        _moment("came", "When it began; 0 where it did not"),
    ),
    "A prediction as it was first told, and what came of it.",
)
NOTIFICATION = Measurement(
    "notification",
    FACTS,
    ("run", "city", "kind", "to"),
    (
        _text("id", "The notification's id"),
        _text("incident", "The incident's id"),
        _moment("at", "When, to the millisecond"),
        _text("reason", "Why it was sent"),
        _text("title", "In one line"),
        _text("text", "What was said"),
        *_SEVERITY,
        _text("asset", "Of the root"),
        _text("condition", "Of the root"),
        _text("utilities", "All that it reaches, with commas"),
    ),
    "at, plus less than a second that follows from its id",
    "kinds times recipients",
    "One message to people.",
)
PIPELINE = Measurement(
    "pipeline",
    RAW,
    ("run", "city", "part", "stage", "kind", "result", "partition"),
    (
        _real("messages_total", "MQTT messages, by result: accepted, refused, flooded"),
        _real("readings_total", "Readings let in"),
        _real("late_total", "Readings too late to count"),
        _real("future_total", "Readings of a clock that is ahead"),
        _real("duplicates_total", "Readings that were there"),
        _real("transactions_total", "Of a collector, by result"),
        _real("connections_total", "To the MQTT broker"),
        _real("outstanding_messages", "Messages that wait for an acknowledgement"),
        _real("outstanding_bound", "Most that may wait"),
        _real("oldest_unacknowledged_seconds", "Age of the oldest that waits", "s"),
        _real("stream_time_seconds", "How far the input has got, since 1970", "s"),
        _real("records_total", "Records that a worker took"),
        _real("outputs_total", "Records that a worker wrote, by kind"),
        _real("parts", "Parts of the work at hand"),
        _real("lag_offsets", "Records not taken yet, by partition"),
        _real("step_seconds_total", "Time in the thinking", "s"),
        _real("save_seconds", "How long the newest saving of states took", "s"),
        _real("recovery_seconds", "How long the newest loading of states took", "s"),
        _real("points_total", "Of the sink, by result: written, refused, expired, unknown"),
        _real("writes_total", "Of the sink, by result: confirmed, failed"),
        _real("write_seconds", "How long the newest write took", "s"),
        _real("sink_lag_records", "Records that the sink has not read yet"),
        _real("sink_away_seconds", "For how long InfluxDB has taken nothing", "s"),
        _real("ledger_due", "Of the newest look into the ledger: what should be there, by kind"),
        _real("ledger_missing", "And is not there"),
        _real("ledger_unexplained", "There, and nobody can say why"),
        _real("starts_total", "How often a part was started"),
        _real("up", "1 where a part answers, else 0"),
    ),
    "when the figure was read, by the clock on the wall",
    "parts of the system, times stages, kinds, results and partitions",
    "Figures of our own, as /metrics of each part shows them without 'crosscurrent_'.",
)

PARTS = (MEMBER, ALTERNATIVE, STEP, EXPECTED, FORETOLD)
MEASUREMENTS = (
    READING, READING_5M, ALARM, ALARM_STANDING, INCIDENT, INCIDENT_STANDING, *PARTS, NOTIFICATION, PIPELINE,
)  # fmt: skip
