"""What Grafana watches itself: the rules, in the order of their weight.

In:  a city's name.
Out: ``rules.Rule``s.

No data means something else for each. A stopped pipeline shows as silence: there it is an alarm. Figures that
only some set-ups have (Kafka's lag, a sink) are rightly absent elsewhere: there it is none.
"""

from grafana import flux
from grafana.boards import pipeline
from grafana.rules import Rule
from schemas.points import LIVE, PIPELINE

STOPPED_SECONDS = 300
LAG_OFFSETS = 10_000
AWAY_SECONDS = 60
_TEN_MINUTES = 600


def rules(city: str) -> list[Rule]:
    """All rules of one city."""
    return [
        _stopped(city),
        _down(city),
        _lag(city),
        _heartbeat(),
        _letters(city),
        _ledger(city),
        _writes(city),
        _incident(city),
    ]


def _stopped(city: str) -> Rule:
    return Rule(
        name="stopped",
        title=f"Crosscurrent stopped: {city}",
        query=pipeline.behind(city, LIVE),
        above=STOPPED_SECONDS,
        window=_TEN_MINUTES,
        lasting="2m",
        severity="critical",
        summary=f"Crosscurrent no longer follows {city}: nobody is watching.",
        description=(
            f"Stream time is more than {STOPPED_SECONDS} s behind the clock, or nothing was reported for ten "
            "minutes. Either no readings come, or collectors or workers stand still."
        ),
        runbook="pipeline-stopped",
        board="pipeline",
        panel="Stream time behind the clock",
        no_data="Alerting",
        failing="Alerting",
    )


def _down(city: str) -> Rule:
    query = flux.flow(
        flux.points(PIPELINE, "up", city=city, run=LIVE),
        'group(columns: ["part"])',
        "last()",
        "map(fn: (r) => ({_time: r._time, part: r.part, _value: 1.0 - r._value}))",
    )
    return Rule(
        name="down",
        title=f"A part does not answer: {city}",
        query=query,
        above=0,
        window=_TEN_MINUTES,
        lasting="2m",
        severity="warning",
        summary="{{ .Labels.part }} does not answer.",
        description="It ended, or hangs. Others may do its work meanwhile; the board says whether they do.",
        runbook="pipeline-stopped",
        board="pipeline",
        panel="Parts",
        no_data="OK",
    )


def _lag(city: str) -> Rule:
    query = flux.flow(
        flux.points(PIPELINE, "lag_offsets", city=city, run=LIVE),
        'group(columns: ["stage", "partition"])',
        "last()",
        'group(columns: ["stage"])',
        "sum()",
        "map(fn: (r) => ({r with _time: v.timeRangeStop}))",
        'keep(columns: ["_time", "_value", "stage"])',
    )
    return Rule(
        name="lag",
        title=f"Crosscurrent is behind: {city}",
        query=query,
        above=LAG_OFFSETS,
        window=_TEN_MINUTES,
        lasting="5m",
        severity="warning",
        summary="Workers of {{ .Labels.stage }} are {{ .Values.B }} records behind.",
        description="They take less than comes, or one of them hangs. Alarms come late by that much.",
        runbook="lag",
        board="pipeline",
        panel="Lag",
        no_data="OK",
    )


def _heartbeat() -> Rule:
    return Rule(
        name="heartbeat",
        title="Crosscurrent dead-man's switch",
        query=flux.script("array.from(rows: [{_time: v.timeRangeStop, _value: 1.0}])", imports=["array"]),
        above=0,
        window=_TEN_MINUTES,
        lasting="0s",
        severity="info",
        summary="All is well: this one always fires.",
        description=(
            "It goes out every five minutes as long as Grafana, its alerting and InfluxDB work. Whoever "
            "receives it must raise the alarm when it stays away."
        ),
        runbook="dead-mans-switch",
        board="pipeline",
        panel="InfluxDB away",
        # Silence is the signal here: without InfluxDB's answer it must fall silent, not cry.
        no_data="OK",
        failing="OK",
        labels={"heartbeat": "true"},
    )


def _letters(city: str) -> Rule:
    return Rule(
        name="letters",
        title=f"Dead letters: {city}",
        query=flux.flow(pipeline.refused(city, LIVE), "map(fn: (r) => ({r with _time: v.timeRangeStop}))"),
        above=0,
        window=_TEN_MINUTES,
        lasting="0s",
        severity="warning",
        summary="{{ .Values.B }} messages or points were refused in ten minutes.",
        description="They are kept with the reason; nothing else is held up by them.",
        runbook="dead-letters",
        board="pipeline",
        panel="Refused",
        no_data="OK",
    )


def _ledger(city: str) -> Rule:
    return Rule(
        name="ledger",
        title=f"The ledger does not balance: {city}",
        query=flux.flow(pipeline.unbalanced(city, LIVE), "map(fn: (r) => ({r with _time: v.timeRangeStop}))"),
        above=0,
        window=_TEN_MINUTES,
        lasting="0s",
        severity="critical",
        summary="{{ .Values.B }} things are missing, or there and unexplained.",
        description=(
            "The newest 'crosscurrent ledger verify' found that what follows from the readings does not "
            "stand where it should. Its list names each by id."
        ),
        runbook="ledger",
        board="pipeline",
        panel="Ledger",
        no_data="OK",
    )


def _writes(city: str) -> Rule:
    query = flux.flow(
        flux.points(PIPELINE, "sink_away_seconds", city=city, run=LIVE),
        'group(columns: ["part"])',
        "last()",
        'keep(columns: ["_time", "_value", "part"])',
    )
    return Rule(
        name="writes",
        title=f"InfluxDB takes no points: {city}",
        query=query,
        above=AWAY_SECONDS,
        window=_TEN_MINUTES,
        lasting="1m",
        severity="warning",
        summary="InfluxDB has not taken a point for {{ .Values.B }} s: boards show the past.",
        description="The sink waits and tries again; nothing is lost as long as Kafka keeps it.",
        runbook="influx-writes",
        board="pipeline",
        panel="InfluxDB away",
        no_data="OK",
        failing="Alerting",
    )


def _incident(city: str) -> Rule:
    """One series an open incident; 0 for a closed one, so that the all-clear comes at once."""
    names = ("incident", "root_asset", "root_condition", "root_zone")
    labels = ", ".join(f'"{name}"' for name in names)
    query = flux.flow(
        flux.incidents(city, "priority", *names[1:], run=LIVE),
        "map(fn: (r) => ({r with _time: v.timeRangeStop, _value: if r.open then r.priority else 0}))",
        f'keep(columns: ["_time", "_value", {labels}])',
        f"group(columns: [{labels}])",
    )
    return Rule(
        name="incident",
        title=f"Incident: {city}",
        query=query,
        above=2,
        window=86_400,
        lasting="0s",
        severity="critical",
        summary="{{ .Labels.root_asset }} {{ .Labels.root_condition }}: a critical incident is open.",
        description=(
            "For teams that alert from Grafana only. Crosscurrent's own notifications say more, and are "
            "fewer: use one or the other."
        ),
        runbook="incident",
        board="city",
        panel="Incidents",
        no_data="OK",
    )
