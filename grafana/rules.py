"""Alert rules, and two shapes of them: files for provisioning, bodies for the API.

In:  what to watch, as Flux; a city.
Out: rules with summary, description, runbook and board, as Grafana wants them.
Promises: each rule says what it means when there is no data, and that is decided here, not by default.

Grafana watches here what Crosscurrent can't say of itself: that it stopped. What is wrong in the city is
Crosscurrent's own to tell; the one rule about incidents is for teams that alert from Grafana only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grafana import names

EXPRESSION = "__expr__"
"""The data source of steps that reckon with answers."""
GROUP = "crosscurrent"
EVERY = "1m"
"""How often the group is judged: Grafana's own default, so that the API makes it no other."""

State = Literal["Alerting", "NoData", "OK"]
Panels = Mapping[tuple[str, str], int]
"""The id of a panel, by its board's name and its own title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: ``query`` gives series; one fires while its newest value is above ``above``.

    ``window`` is how many seconds back the query looks, ``lasting`` how long it must hold.
    """

    name: str
    title: str
    query: str
    above: float
    window: int = 600
    lasting: str = "0s"
    severity: Literal["info", "warning", "critical"] = "warning"
    summary: str
    description: str
    runbook: str
    board: str = "pipeline"
    panel: str
    no_data: State
    failing: Literal["Alerting", "Error", "OK"] = "Error"
    labels: Mapping[str, str] = field(default_factory=dict)


def for_file(rules: list[Rule], city: str, title: str, panels: Panels, runbooks: str) -> dict[str, Any]:
    """The group of rules as a provisioning file has it."""
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": GROUP,
                "folder": title,
                "interval": EVERY,
                "rules": [
                    _core(rule, city, panels, runbooks)
                    | {
                        "dashboardUid": names.board(city, rule.board),
                        "panelId": panels[rule.board, rule.panel],
                    }
                    for rule in rules
                ],
            }
        ],
    }


def for_api(rule: Rule, city: str, panels: Panels, runbooks: str) -> dict[str, Any]:
    """One rule as the provisioning API has it."""
    return _core(rule, city, panels, runbooks) | {
        "folderUID": names.folder(city),
        "ruleGroup": GROUP,
        "isPaused": False,
    }


def judged(rule: Rule) -> str:
    """The query with the comparison in it: what is not above the limit is 0, which is what fires nothing.

    Grafana's own step for comparing writes ``$B > 5``, and early Grafanas take that dollar in a file for a
    variable of their environment.
    """
    return (
        f"{rule.query}\n  |> map(fn: (r) => ({{r with _value: "
        f"if float(v: r._value) > {float(rule.above)} then float(v: r._value) else 0.0}}))"
    )


def _core(rule: Rule, city: str, panels: Panels, runbooks: str) -> dict[str, Any]:
    board, panel = names.board(city, rule.board), panels[rule.board, rule.panel]
    return {
        "uid": names.rule(city, rule.name),
        "title": rule.title,
        "condition": "B",
        "data": [_asked(rule), _newest()],
        "noDataState": rule.no_data,
        "execErrState": rule.failing,
        "for": rule.lasting,
        "annotations": {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": f"{runbooks}/{rule.runbook}.md",
            "dashboard": f"/d/{board}?viewPanel={panel}",
            # By these two Grafana links a firing rule with its panel.
            "__dashboardUid__": board,
            "__panelId__": str(panel),
        },
        "labels": {"source": "crosscurrent", "city": city, "severity": rule.severity, **rule.labels},
    }


def _asked(rule: Rule) -> dict[str, Any]:
    return {
        "refId": "A",
        "relativeTimeRange": {"from": rule.window, "to": 0},
        "datasourceUid": names.DATASOURCE,
        "model": {
            "refId": "A",
            "datasource": {"type": names.DATASOURCE_TYPE, "uid": names.DATASOURCE},
            "query": judged(rule),
            "intervalMs": 1000,
            "maxDataPoints": 43200,
        },
    }


def _newest() -> dict[str, Any]:
    """The last number of each series, which fires where it is not 0; without any there is no data."""
    return {
        "refId": "B",
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": EXPRESSION,
        "model": {
            "refId": "B",
            "datasource": {"type": EXPRESSION, "uid": EXPRESSION},
            "type": "reduce",
            "expression": "A",
            "reducer": "last",
            "settings": {"mode": "dropNN"},
        },
    }
