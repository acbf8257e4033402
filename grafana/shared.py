"""Panels and links that several boards have.

In:  a city's name, a place on the board.
Out: builders of panels, or links.
"""

from typing import Any

from grafana import flux, look, names, panels
from schemas.points import ALARM, EXPECTED

FLOOD = 10
"""Alarms in ten minutes at one desk above which nobody keeps up (ISA-18.2, EEMUA 191)."""
TWO_HOURS_MS = 7_200_000
WEEK_DAYS = 7
WARN, STOP = look.STATES["warning"], look.STATES["critical"]
INCIDENT_COLUMNS = {
    "_opened": "Opened",
    "severity": "Severity",
    "summary": "What happened",
    "root_asset": "Root",
    "probability": "Probability",
    "standing": "Standing",
    "incident": "Incident",
}
ALARM_COLUMNS = {
    "_time": "Raised",
    "severity": "Severity",
    "utility": "Utility",
    "zone": "Zone",
    "asset": "Asset",
    "condition": "Condition",
}


def board_link(uid: str, title: str, **variables: str) -> list[dict[str, Any]]:
    """A data link, as an override wants it: it keeps the time range and the run, and sets variables."""
    asked = "".join(f"&var-{name}={value}" for name, value in variables.items())
    return [{"title": title, "url": f"/d/{uid}?${{__url_time_range}}&${{run:queryparam}}{asked}"}]


def to_asset(city: str, asset: str) -> list[dict[str, Any]]:
    """The link to an asset's board; ``asset`` is what Grafana puts there."""
    return board_link(names.board(city, "asset"), "This asset", asset=asset, utility="All", zone="All")


def asset_links(city: str, column: str = "Asset") -> dict[str, dict[str, Any]]:
    """What differs in a table's column of assets: each leads to its board."""
    return {column: {"links": to_asset(city, f"${{__data.fields.{column}}}")}}


def to_incident(city: str) -> list[dict[str, Any]]:
    """The link to the incident of the row."""
    return board_link(names.board(city, "incident"), "This incident", incident="${__data.fields.Incident}")


def open_incidents(city: str, *, utility: str = "", **place: Any) -> panels.Panel:
    """How many incidents are open."""
    return panels.figure(
        "Open incidents",
        "Physical causes that explain what is wrong, at the end of the time range.",
        flux.counted(_open(city, utility)),
        steps=[(None, look.CALM), (1, WARN), (4, STOP)],
        **{"height": 4, **place},
    )


def standing_alarms(city: str, *, utility: str = "", **place: Any) -> panels.Panel:
    """How many alarms stand."""
    return panels.figure(
        "Standing alarms",
        "Conditions that are wrong at the end of the time range.",
        flux.counted(flux.standing(city, {"utility": utility} if utility else None)),
        steps=[(None, look.CALM), (1, WARN), (20, STOP)],
        **{"height": 4, **place},
    )


def alarms_now(city: str, **place: Any) -> panels.Panel:
    """The load of the newest ten minutes."""
    recent = f"filter(fn: (r) => int(v: r._time) > int(v: v.timeRangeStop) - {10 * 60} * 1000000000)"
    return panels.figure(
        "Alarms in ten minutes",
        f"Told in the last ten minutes of the time range. More than {FLOOD} are a flood (ISA-18.2).",
        flux.counted(flux.flow(flux.raised(city), recent)),
        steps=[(None, look.CALM), (FLOOD / 2, WARN), (FLOOD, STOP)],
        **{"height": 4, **place},
    )


def windows(city: str, run: str = flux.RUN) -> str:
    """How many alarms were told in each ten minutes of the picture, a line for each run."""
    return flux.flow(
        flux.raised(city, run),
        'group(columns: ["run"])',
        "map(fn: (r) => ({r with _value: 1}))",
        "aggregateWindow(every: 10m, fn: count, createEmpty: true)",
        'keep(columns: ["_time", "_value", "run"])',
    )


def load(city: str, **place: Any) -> panels.Panel:
    """Alarms in each ten minutes, with the limit."""
    return panels.limited(
        panels.bars(
            "Alarms per ten minutes",
            f"What one desk gets to see. Above the line, at {FLOOD}, nobody keeps up (ISA-18.2, EEMUA 191).",
            windows(city),
            **place,
        ).display_name("alarms"),
        FLOOD,
    )


def incidents(city: str, *, utility: str = "", **place: Any) -> panels.Panel:
    """Open incidents, the worst first; each leads to its board."""
    return panels.rows(
        "Incidents",
        "Open at the end of the time range, the worst first.",
        flux.flow(
            _open(city, utility, "priority", "severity", "opened", "summary", "root_asset", "probability",
                  "standing"),
            'sort(columns: ["priority", "standing"], desc: true)',
            "map(fn: (r) => ({r with _opened: time(v: r.opened * 1000000)}))",
        ),
        INCIDENT_COLUMNS,
        {
            "What happened": {"links": to_incident(city)},
            "Root": {"links": to_asset(city, "${__data.fields.Root}"), "custom.width": 140},
            "Standing": {"custom.width": 90},
            "Incident": {"custom.hidden": True},  # for the link alone: nobody reads an id
        },
        empty="no incident is open",
        **place,
    )  # fmt: skip


def alarm_table(
    city: str, query: str, title: str, says: str, *, without: str = "", **place: Any
) -> panels.Panel:
    """Alarms, a row each, with links to their assets; a column may be left out."""
    return panels.rows(
        title,
        says,
        query,
        {name: heading for name, heading in ALARM_COLUMNS.items() if name != without},
        asset_links(city),
        **place,
    )


def soon(city: str) -> str:
    """What open incidents foretell for the two hours after the picture's end."""
    fields = ("asset", "utility", "condition", "start", "end", "probability")
    return flux.flow(
        flux.parts(EXPECTED, city, *fields, having=flux.Having(EXPECTED, "end", "r._value >= ended")),
        f"filter(fn: (r) => r.open and r.end >= {flux.NOW} and r.start <= {flux.NOW} + {TWO_HOURS_MS})",
    )


def newest(city: str, **place: Any) -> panels.Panel:
    """Whether what the board shows is of now."""
    age = flux.script(
        f"ended = {flux.NOW}",  # a name is a constant to InfluxDB, which finds the newest by itself then
        flux.flow(
            flux.points(ALARM, "announced", city=city, days_back=WEEK_DAYS),
            "filter(fn: (r) => r._value <= ended)",
            "group()",
            "max()",
            "map(fn: (r) => ({_value: float(v: ended - r._value) / 1000.0}))",
        ),
    )
    return panels.figure(
        "Since the last alarm",
        "How long before the end of the time range the last alarm was told.",
        age,
        unit="s",
        empty="no alarm in a week",
        **{"height": 4, **place},
    )


def _open(city: str, utility: str, *fields: str) -> str:
    touches = [f"filter(fn: (r) => r.utilities =~ /(^|,){utility}(,|$)/)"] if utility else []
    return flux.flow(flux.incidents(city, "utilities", *fields), "filter(fn: (r) => r.open)", *touches)
