"""The operator's load, by ISA-18.2 and EEMUA 191: what the alarms ask of one desk, and which ask too much."""

from typing import Any

from grafana import flux, look, panels, shared
from grafana.frame import board
from schemas.city import City
from schemas.points import NOTIFICATION

CHATTER_SECONDS = 60
CHATTER_TIMES = 3
STALE_HOURS = 24
PRIORITIES = "80 % info, 15 % warning, 5 % critical is what the standards aim at."


def build(city: City) -> dict[str, Any]:
    """The board."""
    name = city.city
    told = flux.raised(name)
    return board(
        city,
        "load",
        "Operator load",
        "Alarms per desk by ISA-18.2 and EEMUA 191: one in ten minutes on average, ten at worst.",
        {
            "": [_average(name), _worst(name), _flood(name), _chattering(name), _stale(name)],
            "Over time": [shared.load(name, width=12), _messages(name)],
            "What asks too much": [
                panels.ranking(
                    "Bad actors",
                    "The ten that were told most often. Together they should make at most 5 % of all.",
                    flux.flow(
                        told,
                        f"map(fn: (r) => ({{name: {flux.WHAT}, one: 1}}))",
                        'group(columns: ["name"])',
                        'count(column: "one")',
                        "group()",
                        'sort(columns: ["one"], desc: true)',
                        "limit(n: 10)",
                    ),
                    width=12,
                    height=10,
                    empty="no alarm in this time range",
                ),
                panels.ranking(
                    "Priorities",
                    f"Alarms by severity. {PRIORITIES}",
                    flux.flow(
                        told,
                        'group(columns: ["priority", "severity"])',
                        'count(column: "state")',
                        "group()",
                        'sort(columns: ["priority"], desc: true)',
                        'rename(columns: {severity: "name", state: "alarms"})',
                        'keep(columns: ["name", "alarms"])',
                    ),
                    width=12,
                    height=10,
                    empty="no alarm in this time range",
                ),
            ],
            "What should not stand so": [
                shared.alarm_table(
                    name,
                    _old(name),
                    "Which are stale",
                    f"Standing for more than {STALE_HOURS} hours at the end of the time range.",
                    empty="no alarm is stale",
                ),
                panels.rows(
                    "Which chatter",
                    f"Raised {CHATTER_TIMES} times or more within {CHATTER_SECONDS} seconds.",
                    _chatter(name),
                    {"name": "Alarm", "times": "Most in a minute"},
                    empty="no alarm chatters",
                ),
            ],
        },
        since="now-24h",
    )


def _average(city: str) -> panels.Panel:
    return panels.figure(
        "Average in ten minutes",
        "One is what an operator can well handle, two is the most that is manageable for long.",
        flux.flow(shared.windows(city), "mean()"),
        steps=[(None, look.CALM), (1, shared.WARN), (2, shared.STOP)],
        width=5,
        height=4,
    )


def _worst(city: str) -> panels.Panel:
    return panels.figure(
        "Worst ten minutes",
        f"More than {shared.FLOOD} are a flood.",
        flux.flow(shared.windows(city), "max()"),
        steps=[(None, look.CALM), (shared.FLOOD / 2, shared.WARN), (shared.FLOOD, shared.STOP)],
        width=5,
        height=4,
    )


def _flood(city: str) -> panels.Panel:
    flooded = f"map(fn: (r) => ({{r with _value: if r._value > {shared.FLOOD} then 1.0 else 0.0}}))"
    return panels.figure(
        "Time in flood",
        "The share of ten-minute windows with more than ten alarms. Less than 1 % is the aim.",
        flux.flow(shared.windows(city), flooded, "mean()"),
        unit="percentunit",
        steps=[(None, look.CALM), (0.01, shared.WARN), (0.05, shared.STOP)],
        width=5,
        height=4,
    )


def _chattering(city: str) -> panels.Panel:
    return panels.figure(
        "Chattering alarms",
        f"Raised {CHATTER_TIMES} times or more within {CHATTER_SECONDS} seconds. None is the aim.",
        flux.counted(_chatter(city)),
        steps=[(None, look.CALM), (1, shared.STOP)],
        width=5,
        height=4,
    )


def _stale(city: str) -> panels.Panel:
    return panels.figure(
        "Stale alarms",
        f"Standing for more than {STALE_HOURS} hours. Fewer than five on any day is the aim.",
        flux.counted(_old(city)),
        steps=[(None, look.CALM), (1, shared.WARN), (5, shared.STOP)],
        width=4,
        height=4,
    )


def _old(city: str) -> str:
    since = f"int(v: v.timeRangeStop) - {STALE_HOURS} * 3600 * 1000000000"
    return flux.flow(flux.standing(city), f"filter(fn: (r) => int(v: r._time) < {since})")


def _chatter(city: str) -> str:
    """Alarms by the most that they were raised in any window of a minute, windows half a minute apart."""
    return flux.flow(
        flux.alarms(city),
        f"map(fn: (r) => ({{_time: r._time, name: {flux.WHAT}, times: 1}}))",
        'group(columns: ["name"])',
        f"window(every: {CHATTER_SECONDS // 2}s, period: {CHATTER_SECONDS}s)",
        'sum(column: "times")',
        'group(columns: ["name"])',
        'max(column: "times")',
        "group()",
        f"filter(fn: (r) => r.times >= {CHATTER_TIMES})",
    )


def _messages(city: str) -> panels.Panel:
    return panels.bars(
        "Messages per ten minutes",
        "What people were really sent: a page for each cause, and one all-clear.",
        flux.flow(
            flux.points(NOTIFICATION, "id", city=city),
            'group(columns: ["kind"])',
            "aggregateWindow(every: 10m, fn: count, createEmpty: false)",
            'keep(columns: ["_time", "_value", "kind"])',
        ),
        width=12,
        empty="nobody was told anything in this time range",
    ).display_name("${__field.labels.kind}")
