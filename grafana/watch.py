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
from schemas.times import DAY, SECOND

STOPPED_SECONDS = 300
LAG_OFFSETS = 10_000
AWAY_SECONDS = 60
NOW = "map(fn: (r) => ({r with _time: v.timeRangeStop}))"
"""What was reckoned has no time of its own any more."""


def rules(city: str) -> list[Rule]:
    """All rules of one city."""
    return [
        Rule(
            name="stopped",
            title=f"Crosscurrent stopped: {city}",
            query=pipeline.behind(city, LIVE),
            above=STOPPED_SECONDS,
            lasting="2m",
            severity="critical",
            summary=f"Crosscurrent no longer follows {city}: nobody is watching.",
            description=(
                f"Stream time is more than {STOPPED_SECONDS} s behind the clock, or nothing was reported for "
                "ten minutes. Either no readings come, or collectors or workers stand still."
            ),
            runbook="pipeline-stopped",
            panel="Stream time behind the clock",
            no_data="Alerting",
            failing="Alerting",
        ),
        Rule(
            name="down",
            title=f"A part does not answer: {city}",
            query=flux.flow(_newest(city, "up", "part"), "map(fn: (r) => ({r with _value: 1.0 - r._value}))"),
            above=0,
            lasting="2m",
            summary="{{ .Labels.part }} does not answer.",
            description="It ended, or hangs. Others may do its work meanwhile: the board tells.",
            runbook="pipeline-stopped",
            panel="Parts",
            no_data="OK",
        ),
        Rule(
            name="lag",
            title=f"Crosscurrent is behind: {city}",
            query=_lag(city),
            above=LAG_OFFSETS,
            lasting="5m",
            summary="Workers of {{ .Labels.stage }} are {{ .Values.B }} records behind.",
            description="They take less than comes, or one of them hangs. Alarms come late by that much.",
            runbook="lag",
            panel="Lag",
            no_data="OK",
        ),
        Rule(
            name="heartbeat",
            title="Crosscurrent dead-man's switch",
            query=flux.script("array.from(rows: [{_time: v.timeRangeStop, _value: 1.0}])", imports=["array"]),
            above=0,
            severity="info",
            summary="All is well: this one always fires.",
            description=(
                "It goes out every five minutes as long as Grafana, its alerting and InfluxDB work. Whoever "
                "receives it must raise the alarm when it stays away."
            ),
            runbook="dead-mans-switch",
            panel="InfluxDB away",
            # Silence is the signal here: without InfluxDB's answer it must fall silent, not cry.
            no_data="OK",
            failing="OK",
            labels={"heartbeat": "true"},
        ),
        Rule(
            name="letters",
            title=f"Dead letters: {city}",
            query=flux.flow(pipeline.refused(city, LIVE), NOW),
            above=0,
            summary="{{ .Values.B }} messages or points were refused in ten minutes.",
            description="They are kept with the reason; nothing else is held up by them.",
            runbook="dead-letters",
            panel="Refused",
            no_data="OK",
        ),
        Rule(
            name="ledger",
            title=f"The ledger does not balance: {city}",
            query=flux.flow(pipeline.unbalanced(city, LIVE), NOW),
            above=0,
            severity="critical",
            summary="{{ .Values.B }} things are missing, or there and unexplained.",
            description=(
                "The newest 'crosscurrent ledger verify' found that what follows from the readings does not "
                "stand where it should. Its list names each by id."
            ),
            runbook="ledger",
            panel="Ledger",
            no_data="OK",
        ),
        Rule(
            name="writes",
            title=f"InfluxDB takes no points: {city}",
            query=_newest(city, "sink_away_seconds", "part"),
            above=AWAY_SECONDS,
            lasting="1m",
            summary="InfluxDB has not taken a point for {{ .Values.B }} s: boards show the past.",
            description="The sink waits and tries again; nothing is lost as long as Kafka keeps it.",
            runbook="influx-writes",
            panel="InfluxDB away",
            no_data="OK",
            failing="Alerting",
        ),
        Rule(
            name="incident",
            title=f"Incident: {city}",
            query=_incidents(city),
            above=2,
            window=DAY // SECOND,
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
        ),
    ]


def _newest(city: str, figure: str, *by: str) -> str:
    """The newest value of a figure of ours, a series for each of its tags' values."""
    labels = ", ".join(f'"{tag}"' for tag in by)
    return flux.flow(
        flux.points(PIPELINE, figure, city=city, run=LIVE),
        f"group(columns: [{labels}])",
        "last()",
        f'keep(columns: ["_time", "_value", {labels}])',
    )


def _lag(city: str) -> str:
    """Records that wait, a series a stage."""
    return flux.flow(
        _newest(city, "lag_offsets", "stage", "partition"), 'group(columns: ["stage"])', "sum()", NOW
    )


def _incidents(city: str) -> str:
    """A series an open incident; 0 for one that closed in a day, so that the all-clear comes at once."""
    names = ("incident", "root_asset", "root_condition", "root_zone")
    labels = ", ".join(f'"{name}"' for name in names)
    return flux.flow(
        flux.incidents(city, "priority", *names[1:], run=LIVE),
        "map(fn: (r) => ({r with _time: v.timeRangeStop, _value: if r.open then r.priority else 0}))",
        f'keep(columns: ["_time", "_value", {labels}])',
        f"group(columns: [{labels}])",
    )
