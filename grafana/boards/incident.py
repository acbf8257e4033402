"""One incident: what happened, why that is thought, what was foretold and what came."""

from typing import Any

from grafana import flux, look, panels, shared
from grafana.frame import board, lookup
from schemas.city import City
from schemas.points import ALTERNATIVE, EXPECTED, FORETOLD, INCIDENT, MEMBER, NOTIFICATION, STEP

THIS = "${incident}"
CHOOSE = "choose an incident, or widen the time range"
BEGINS, FOLLOWS = "arc__begins", "arc__follows"
"""Rings of a node, as Grafana's node graph calls them: whether nothing brought it, or something did."""
_ONLY = f'filter(fn: (r) => r.incident == "{THIS}")'


def build(city: City) -> dict[str, Any]:
    """The board."""
    name = city.city
    return board(
        city,
        "incident",
        "Incident",
        "One incident: what happened, why that is thought, what was foretold and what came.",
        {
            "": [
                panels.prose(
                    "What happened",
                    "The incident as it stood at the end of the time range.",
                    flux.incident(name, THIS, "summary"),
                    "summary",
                    width=24,
                    height=4,
                    empty=CHOOSE,
                ),
                panels.rows(
                    "At a glance",
                    "As it stood at the end of the time range. Standing: how many of its alarms still stood.",
                    flux.incident(
                        name, THIS, "severity", "opened", "closed", "root_asset", "root_condition",
                        "probability", "members", "standing",
                    ),
                    {
                        "severity": "Severity", "opened": "Since", "closed": "Until", "root_asset": "Root",
                        "root_condition": "Its condition", "probability": "Probability",
                        "members": "Alarms", "standing": "Standing",
                    },
                    shared.asset_links(name, "Root"),
                    width=24,
                    height=4,
                    empty=CHOOSE,
                ),
            ],
            "Why": [_explanation(name), _alternatives(name), _graph(name), _steps(name)],
            "What": [
                panels.states(
                    "Alarms of all utilities",
                    "Every alarm that this incident explains, by utility, on one time axis.",
                    _members(name),
                    width=24,
                    height=16,
                    empty="no alarm of it in this time range",
                )
            ],
            "What comes of it": [_expected(name), _foretold(name)],
            "How it was told": [_revisions(name), _notifications(name)],
        },
        [lookup("incident", "Incident", _choices(name))],
    )  # fmt: skip


def _choices(city: str) -> str:
    """Ids of the incidents that the time range shows, the newest first."""
    return flux.flow(
        flux.incidents(city, "opened"),
        'sort(columns: ["opened"], desc: true)',
        'keep(columns: ["incident"])',
        'rename(columns: {incident: "_value"})',
    )


def _graph(city: str) -> panels.Panel:
    steps = flux.parts(
        STEP, city, "cause", "cause_condition", "effect", "effect_condition", "rule", "lag_seconds",
        incident=THIS,
    )  # fmt: skip
    cause, effect = 'r.cause + " " + r.cause_condition', 'r.effect + " " + r.effect_condition'
    nodes = flux.script(
        f"steps = {steps}",
        f"causes = steps |> map(fn: (r) => ({{id: {cause}, title: r.cause, subtitle: r.cause_condition, "
        f"{BEGINS}: 1.0}}))",
        f"effects = steps |> map(fn: (r) => ({{id: {effect}, title: r.effect, subtitle: r.effect_condition, "
        f"{BEGINS}: 0.0}}))",
        flux.or_rows(
            flux.flow(
                "union(tables: [causes, effects])",
                'group(columns: ["id"])',
                f'min(column: "{BEGINS}")',
                "group()",
                f"map(fn: (r) => ({{r with {FOLLOWS}: 1.0 - r.{BEGINS}}}))",
            ),
            ("id", "title", "subtitle", BEGINS, FOLLOWS),
            f'id: "?", title: "?", subtitle: "no cause is known", {BEGINS}: 0.0, {FOLLOWS}: 1.0',
            f'id: "-", title: "this incident", subtitle: "-", {BEGINS}: 0.0, {FOLLOWS}: 1.0',
        ),
    )
    edges = flux.or_rows(
        flux.flow(
            steps,
            f'map(fn: (r) => ({{id: {cause} + " to " + {effect}, source: {cause}, target: {effect}, '
            'mainstat: string(v: int(v: r.lag_seconds / 60.0)) + " min", secondarystat: r.rule}))',
        ),
        ("id", "source", "target", "mainstat", "secondarystat"),
        'id: "? to -", source: "?", target: "-", mainstat: "-", secondarystat: "-"',
    )
    colours = {BEGINS: look.ALARMED, FOLLOWS: look.STATES["unknown"]}
    panel = panels.graph(
        "Causal chain",
        "What brought what, with the minutes between the onsets. A red ring: here it began.",
        nodes,
        edges,
        width=24,
        height=16,
        empty="one alarm alone, or nothing known of what brought it",
    )
    for ring, colour in colours.items():
        panel.override_by_name(ring, panels.properties({"color": {"mode": "fixed", "fixedColor": colour}}))
    return panel


def _steps(city: str) -> panels.Panel:
    return panels.rows(
        "Steps",
        "Each link of the chain: what was seen between the onsets, and what the rule expects.",
        flux.flow(
            flux.parts(
                STEP, city, "cause", "cause_condition", "effect", "effect_condition", "through", "rule",
                "strength", "lag_seconds", "lag_seconds_min", "lag_seconds_max", incident=THIS,
            ),
            'map(fn: (r) => ({r with cause: r.cause + " " + r.cause_condition, '
            'effect: r.effect + " " + r.effect_condition}))',
        ),
        {
            "cause": "Cause", "effect": "Effect", "through": "Through", "rule": "Rule",
            "strength": "Strength", "lag_seconds": "Lag", "lag_seconds_min": "At least",
            "lag_seconds_max": "At most",
        },
        {
            **{heading: {"unit": "s", "custom.width": 85} for heading in ("Lag", "At least", "At most")},
            "Strength": {"unit": "percentunit", "custom.width": 85},
        },
        width=24,
        height=10,
        empty="one alarm alone, or nothing known of what brought it",
    )  # fmt: skip


def _explanation(city: str) -> panels.Panel:
    return panels.prose(
        "In words",
        "What brought what and how that is known, who stayed quiet, what would not be without the root.",
        flux.incident(city, THIS, "explanation"),
        "explanation",
        width=16,
        height=10,
        empty=CHOOSE,
    )


def _alternatives(city: str) -> panels.Panel:
    return panels.rows(
        "Alternatives",
        "Other causes that would explain the same alarms, the likeliest first.",
        flux.flow(
            flux.parts(ALTERNATIVE, city, "asset", "condition", "probability", incident=THIS),
            'sort(columns: ["probability"], desc: true)',
        ),
        {"asset": "Asset", "condition": "Condition", "probability": "Probability"},
        shared.asset_links(city),
        width=8,
        height=10,
        empty="no other cause explains this",
    )


def _members(city: str) -> str:
    members = flux.parts(MEMBER, city, "asset", "condition", "since", "until", incident=THIS)
    severities = flux.touching(city)
    key = 'r.asset + " " + r.condition + " " + string(v: {at})'
    mine = flux.flow(members, f"map(fn: (r) => ({{key: {key.format(at='r.since')}}}))")
    theirs = flux.flow(
        severities, f"map(fn: (r) => ({{r with key: {key.format(at='int(v: r._time) / 1000000')}}}))"
    )
    held = flux.joined(theirs, mine, "key")
    return flux.timeline(held, f'r.utility + " · " + {flux.WHAT}')


def _expected(city: str) -> panels.Panel:
    return panels.rows(
        "Expected next",
        "Consequences that have not shown yet.",
        flux.flow(
            flux.parts(
                EXPECTED, city, "asset", "utility", "condition", "start", "end", "probability", incident=THIS
            ),
            'sort(columns: ["start"])',
        ),
        {
            "asset": "Asset", "utility": "Utility", "condition": "Condition", "start": "From", "end": "To",
            "probability": "Probability",
        },
        shared.asset_links(city),
        width=24,
        height=5,
        empty="nothing more is expected",
    )  # fmt: skip


def _foretold(city: str) -> panels.Panel:
    return panels.rows(
        "Foretold, and what came",
        "Each prediction as it was first told. Unknown: no healthy sensor could tell.",
        flux.flow(
            flux.parts(
                FORETOLD, city, "asset", "condition", "told", "start", "end", "probability", "outcome",
                "came", incident=THIS,
            ),
            'sort(columns: ["told"])',
        ),
        {
            "asset": "Asset", "condition": "Condition", "told": "Told", "start": "From", "end": "To",
            "probability": "Probability", "outcome": "Outcome", "came": "Came",
        },
        shared.asset_links(city),
        width=24,
        empty="nothing was foretold",
    )  # fmt: skip


def _revisions(city: str) -> panels.Panel:
    return panels.rows(
        "Revisions",
        "How the incident grew and changed, and when that was known.",
        flux.flow(
            flux.rows(
                INCIDENT, "incident", "revision", "known_at", "change", "root_asset", "root_condition",
                "probability", "members", city=city, standing=flux.known_as(THIS),
            ),
            _ONLY,
            'sort(columns: ["revision"])',
        ),
        {
            "revision": "Revision", "known_at": "Known", "change": "Change", "root_asset": "Root",
            "root_condition": "Its condition", "probability": "Probability", "members": "Alarms",
        },
    )  # fmt: skip


def _notifications(city: str) -> panels.Panel:
    return panels.rows(
        "Notifications",
        "What people were told of it, and why.",
        flux.flow(
            flux.rows(NOTIFICATION, "incident", "at", "reason", "text", city=city), _ONLY,
            'sort(columns: ["_time"])',
        ),
        {"_time": "At", "kind": "Kind", "to": "To whom", "reason": "Reason", "text": "Text"},
        empty="nobody was told in this time range",
    )  # fmt: skip
