"""Two runs on one picture: what happened beside a replay of it, say with other rules."""

from typing import Any

from grafana import flux, panels, shared
from grafana.frame import board, lookup
from schemas.city import City
from schemas.points import NOTIFICATION

NARROW = {
    heading: {"custom.width": width}
    for heading, width in (("Run", 110), ("Root", 140), ("Its condition", 120), ("Alarms", 80),
                           ("Kind", 100), ("To whom", 110))
}  # fmt: skip
"""Columns whose words are short, so that long ones have room."""
BESIDE = "replay"
"""The run that is shown beside, until the reader chooses another."""


def build(city: City) -> dict[str, Any]:
    """The board."""
    name = city.city
    both = flux.touching(name, run=flux.BOTH_RUNS)
    return board(
        city,
        "runs",
        "Two runs",
        "What happened beside a replay of it: alarms, incidents and messages of both, and what only one has.",
        {
            "": [
                panels.states(
                    "Alarms of both",
                    "Every alarm over time, a line for each run: a line without its twin is what differs.",
                    flux.timeline(flux.touching(name, run=flux.BOTH_RUNS), f'{flux.WHAT} + " · " + r.run'),
                    width=24,
                    height=26,
                    empty="neither run has an alarm in this time range",
                )
            ],
            "What only one has": [
                panels.rows(
                    "Alarms",
                    "Alarms that one run has and the other has not: no same asset, condition and onset.",
                    _only_one(both),
                    {"run": "Run", **shared.ALARM_COLUMNS},
                    shared.asset_links(name),
                    width=24,
                    height=6,
                    empty="both runs have the same alarms",
                ),
                panels.rows(
                    "Messages",
                    "Messages that people got in one run and not in the other.",
                    _only_one(
                        flux.rows(NOTIFICATION, "id", "text", city=name, run=flux.BOTH_RUNS)
                    ),
                    {"run": "Run", "_time": "At", "kind": "Kind", "to": "To whom", "text": "Text"},
                    NARROW,
                    width=24,
                    height=6,
                    empty="both runs sent the same messages",
                ),
            ],
            "Side by side": [
                panels.rows(
                    "Incidents of both",
                    "As each run had them at the end of the time range, by when they began.",
                    flux.flow(
                        flux.incidents(
                            name, "severity", "opened", "closed", "summary", "root_asset", "root_condition",
                            "probability", "members", run=flux.BOTH_RUNS,
                        ),
                        'sort(columns: ["opened", "incident", "run"])',
                    ),
                    {
                        "run": "Run", "severity": "Severity", "opened": "Since", "closed": "Until",
                        "root_asset": "Root", "root_condition": "Its condition", "probability": "Probability",
                        "members": "Alarms", "summary": "What happened",
                    },
                    NARROW,
                    width=24,
                    height=6,
                    empty="neither run has an incident in this time range",
                ),
                panels.series(
                    "Alarms of both per ten minutes",
                    "What one desk gets to see in each of the two.",
                    shared.windows(name, flux.BOTH_RUNS),
                    unit="none",
                    width=24,
                    empty="neither run has an alarm in this time range",
                ).display_name("${__field.labels.run}"),
            ],
        },
        [lookup("beside", "Beside", flux.runs(name), default=BESIDE)],
    )  # fmt: skip


def _only_one(rows: str) -> str:
    """Rows whose id only one run has."""
    once = flux.flow(
        rows,
        'keep(columns: ["id", "run"])',
        'group(columns: ["id"])',
        'unique(column: "run")',
        'count(column: "run")',
        "group()",
        "filter(fn: (r) => r.run == 1)",
        'keep(columns: ["id"])',
    )
    return flux.flow(flux.joined(rows, once, "id"), 'sort(columns: ["_time", "run"])')
