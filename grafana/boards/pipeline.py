"""The health of Crosscurrent itself: how much comes, how far it has got, what was refused."""

from typing import Any

from grafana import flux, look, panels, shared
from grafana.frame import board
from schemas.city import City
from schemas.points import PIPELINE

NOT_HERE = "no such figure in this time range: this part does not run here, or does not report"


def build(city: City) -> dict[str, Any]:
    """The board."""
    name = city.city
    return board(
        city,
        "pipeline",
        "Pipeline health",
        "Crosscurrent itself: how much comes, how far it has got, what was refused, what waits.",
        {
            "": [_behind(name), _refused(name), _unwritten(name), _away(name), _ledger(name)],
            "Who is at work": [_parts(name), _starts(name)],
            "What comes": [
                _rate(name, "Readings", "Let in, late, twice, or of the future.", "readings_total",
                      "late_total", "future_total", "duplicates_total", label="${__field.name}"),
                _rate(name, "Messages", "MQTT messages by what became of them.", "messages_total",
                      label="${__field.labels.result}", by="result"),
                _rate(name, "Records", "Records that workers took, by stage.", "records_total",
                      label="${__field.labels.stage}", by="stage"),
                _rate(name, "Conclusions", "Records that workers wrote, by kind.", "outputs_total",
                      label="${__field.labels.kind}", by="kind"),
            ],
            "How far": [
                _level(name, "Stream time behind the clock", "How old the newest is that was reckoned with.",
                       "stream_time_seconds", unit="s", by="part", age=True),
                _level(name, "Lag", "Records on Kafka that no worker has taken yet, by stage.", "lag_offsets",
                       unit="none", by="stage"),
                _level(name, "Waiting for acknowledgement", "MQTT messages that a collector holds.",
                       "outstanding_messages", unit="none", by="part"),
                _level(name, "Oldest that waits", "Grows while Kafka or the disk is away.",
                       "oldest_unacknowledged_seconds", unit="s", by="part"),
            ],
            "How fast": [
                _announced(name),
                _level(name, "Saving and loading states", "The newest of each, by stage.", "save_seconds",
                       "recovery_seconds", unit="s", by="stage"),
            ],
            "InfluxDB": [
                _rate(name, "Points", "What the sink wrote, and what it could not.", "points_total",
                      label="${__field.labels.result}", by="result"),
                _rate(name, "Writes", "Batches, by result.", "writes_total", label="${__field.labels.result}",
                      by="result"),
                _level(name, "Sink behind", "Records that are not written yet.", "sink_lag_records",
                       unit="none", by="part"),
                _level(name, "Newest write", "How long it took.", "write_seconds", unit="s", by="part"),
            ],
        },
        since="now-1h",
    )  # fmt: skip


def _parts(city: str) -> panels.Panel:
    answering = 'map(fn: (r) => ({r with _value: if r._value > 0.0 then "normal" else "critical"}))'
    return panels.states(
        "Parts",
        "Whether each part answered when its figures were asked for.",
        flux.flow(
            flux.points(PIPELINE, "up", city=city),
            answering,
            'keep(columns: ["_time", "_value", "part"])',
            'group(columns: ["part"])',
        ),
        label="part",
        width=16,
        height=6,
        empty="not reported",
        nothing="unknown",
    )


def _starts(city: str) -> panels.Panel:
    return panels.rows(
        "Started again",
        "How often each part was started in the time range: more than once means that it ended.",
        flux.flow(
            flux.points(PIPELINE, "starts_total", city=city),
            'group(columns: ["part"])',
            "increase()",
            "last()",
            "group()",
        ),
        {"part": "Part", "_value": "Starts"},
        width=8,
        height=6,
        empty=NOT_HERE,
    )


def refused(city: str, run: str = flux.RUN) -> str:
    """How many messages and points were refused in the time range: the size of the dead letters."""
    return flux.flow(
        flux.points(PIPELINE, "messages_total", "points_total", city=city, run=run,
                    where={"result": "/refused|unknown/"}),
        "increase()",
        "last()",
        "group()",
        "sum()",
    )  # fmt: skip


def _figure(
    title: str, says: str, query: str, limit: float, unit: str = "none", width: int = 5
) -> panels.Panel:
    return panels.figure(
        title,
        says,
        query,
        unit=unit,
        steps=[(None, look.CALM), (limit, shared.STOP)],
        width=width,
        height=4,
        empty="not reported",
    )


def _behind(city: str) -> panels.Panel:
    return _figure(
        "Stream time behind",
        "How old the newest thing is that was reckoned with, at the end of the time range.",
        behind(city),
        300,
        "s",
    )


def behind(city: str, run: str = flux.RUN) -> str:
    """How far stream time is behind the end of the time range, in seconds."""
    return flux.flow(
        flux.points(PIPELINE, "stream_time_seconds", city=city, run=run),
        "last()",
        "group()",
        "max()",
        "map(fn: (r) => ({_time: r._time, "
        "_value: float(v: int(v: v.timeRangeStop) / 1000000) / 1000.0 - r._value}))",
    )


def _refused(city: str) -> panels.Panel:
    return _figure(
        "Refused",
        "Dead letters: messages and points that could not be used. They are kept, with the reason.",
        refused(city),
        1,
    )


def _unwritten(city: str) -> panels.Panel:
    return _figure(
        "Not in InfluxDB yet",
        "Records that the sink has not written: what these boards do not show yet.",
        flux.flow(flux.points(PIPELINE, "sink_lag_records", city=city), "last()", "group()", "sum()"),
        10_000,
    )


def _away(city: str) -> panels.Panel:
    return _figure(
        "InfluxDB away",
        "For how long InfluxDB has not answered the sink.",
        flux.flow(flux.points(PIPELINE, "sink_away_seconds", city=city), "last()", "group()", "max()"),
        60,
        "s",
    )


def unbalanced(city: str, run: str = flux.RUN) -> str:
    """What the newest look into the ledger found missing or unexplained; looks are a day apart at most."""
    return flux.flow(
        flux.points(PIPELINE, "ledger_missing", "ledger_unexplained", city=city, days_back=1, run=run),
        "last()",
        "group()",
        "sum()",
    )


def _ledger(city: str) -> panels.Panel:
    return _figure(
        "Ledger",
        "What the newest 'crosscurrent ledger verify' found missing or unexplained, in a day at most.",
        unbalanced(city),
        1,
        width=4,
    )


def _rate(city: str, title: str, says: str, *fields: str, label: str, by: str = "_field") -> panels.Panel:
    """Counters as rates; a part that began anew counts on from nothing."""
    short = 'map(fn: (r) => ({r with _field: strings.trimSuffix(v: r._field, suffix: "_total")}))'
    query = flux.flow(
        flux.points(PIPELINE, *fields, city=city),
        "derivative(unit: 1s, nonNegative: true)",
        "aggregateWindow(every: v.windowPeriod, fn: mean, createEmpty: false)",
        f'group(columns: ["_time", "{by}"])',
        "sum()",
        f'group(columns: ["{by}"])',
        *([short] if by == "_field" else []),
    )
    query = flux.script(query, imports=["strings"])
    return panels.series(title, says, query, unit="suffix:/s", empty=NOT_HERE).display_name(label)


def _level(
    city: str, title: str, says: str, *fields: str, unit: str, by: str, age: bool = False
) -> panels.Panel:
    behind_clock = "map(fn: (r) => ({r with _value: float(v: int(v: r._time)) / 1000000000.0 - r._value}))"
    query = flux.flow(
        flux.points(PIPELINE, *fields, city=city),
        *([behind_clock] if age else []),
        f'group(columns: ["{by}", "_field"])',
        "aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false)",
        f'keep(columns: ["_time", "_value", "{by}", "_field"])',
    )
    which = " ${__field.name}" if len(fields) > 1 else ""
    return panels.series(title, says, query, unit=unit, empty=NOT_HERE).display_name(
        f"${{__field.labels.{by}}}{which}"
    )


def _announced(city: str) -> panels.Panel:
    query = flux.flow(
        flux.alarms(city),
        "map(fn: (r) => ({_time: r._time, "
        "_value: float(v: r.announced - int(v: r._time) / 1000000) / 1000.0}))",
        'sort(columns: ["_time"])',
        "aggregateWindow(every: v.windowPeriod, fn: median, createEmpty: false)",
    )
    return panels.series(
        "From onset to alarm",
        "Seconds from the first reading that showed a condition to the alarm (median): delays are in it.",
        query,
        unit="s",
        empty="no alarm in this time range",
    ).display_name("median")
