"""Alert rules and who hears of them: what Grafana would load, and what it would make of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana import alerting, files, rules, watch
from schemas.cityfile import load_city
from tests.grafana.room import Room

ROOT = Path(__file__).parents[2]
CITY = load_city(ROOT / "cities" / "riverton" / "city.yaml")
PROVISIONED = {
    path: yaml.safe_load(text) for path, text in files.files(CITY).items() if path.suffix == ".yaml"
}
[GROUP] = PROVISIONED[Path("alerting/rules.yaml")]["groups"]
BOARDS = {board["uid"]: board for board in files.boards(CITY).values()}
NO_DATA = {
    "stopped": ("Alerting", "Alerting"),
    "down": ("OK", "Error"),
    "lag": ("OK", "Error"),
    "heartbeat": ("OK", "OK"),
    "letters": ("OK", "Error"),
    "ledger": ("OK", "Error"),
    "writes": ("OK", "Alerting"),
    "incident": ("OK", "Error"),
}
"""What silence and failing queries mean, decided rule by rule."""


@pytest.mark.parametrize("rule", GROUP["rules"], ids=lambda rule: rule["uid"])
def test_a_rule_tells_people_all_they_need(rule: dict[str, Any]) -> None:
    """Summary, description, a runbook that is there, a panel that is there."""
    told = rule["annotations"]
    runbook = told["runbook_url"].rpartition("/")[2]
    board = BOARDS[rule["dashboardUid"]]
    panel = next(panel for panel in board["panels"] if panel["id"] == rule["panelId"])

    assert told["summary"].endswith(".")
    assert told["description"].endswith(".")
    assert (ROOT / "docs" / "runbooks" / runbook).is_file()
    assert told["dashboard"] == f"/d/{board['uid']}?viewPanel={panel['id']}"
    assert (told["__dashboardUid__"], told["__panelId__"]) == (board["uid"], str(panel["id"]))
    assert {"source", "city", "severity"} <= set(rule["labels"])


@pytest.mark.parametrize("rule", GROUP["rules"], ids=lambda rule: rule["uid"])
def test_silence_is_handled_on_purpose(rule: dict[str, Any]) -> None:
    """Each rule says what no data and a failing query mean."""
    wanted = NO_DATA[rule["uid"].removeprefix("cc-riverton-")]

    assert (rule["noDataState"], rule["execErrState"]) == wanted


@pytest.mark.parametrize("rule", GROUP["rules"], ids=lambda rule: rule["uid"])
def test_grafana_fills_in_nothing_of_ours(rule: dict[str, Any]) -> None:
    """Early Grafanas take a dollar in a rule for their environment, later ones leave it as it is."""
    assert "$" not in json.dumps(rule)


@pytest.mark.parametrize("rule", GROUP["rules"], ids=lambda rule: rule["uid"])
def test_the_steps_of_a_rule_lean_on_each_other(rule: dict[str, Any]) -> None:
    """A query that gives 0 below the limit, and its newest number, which decides."""
    query, newest = rule["data"]

    assert (query["refId"], newest["refId"]) == ("A", "B")
    assert newest["model"]["expression"] == "A"
    assert rule["condition"] == "B"
    assert query["relativeTimeRange"]["from"] > 0
    assert (
        query["datasourceUid"] == PROVISIONED[Path("datasources/crosscurrent.yaml")]["datasources"][0]["uid"]
    )


def test_the_api_gets_the_same_rules() -> None:
    """What is synchronised and what is provisioned differ in their frame alone."""
    panels = files.panel_ids(files.boards(CITY))
    frame = {"folderUID", "ruleGroup", "isPaused", "dashboardUid", "panelId"}
    for rule, filed in zip(watch.rules(CITY.city), GROUP["rules"], strict=True):
        sent = rules.for_api(rule, CITY.city, panels, files.RUNBOOKS)
        assert {k: v for k, v in sent.items() if k not in frame} == {
            k: v for k, v in filed.items() if k not in frame
        }


def test_rules_do_not_make_the_folder_of_the_boards() -> None:
    """Grafana reads rules first, and would give the folder a uid of its own choice."""
    [provider] = PROVISIONED[Path("dashboards/crosscurrent.yaml")]["providers"]

    assert GROUP["folder"] != provider["folder"]
    assert provider["folderUid"] == "cc-riverton"


def test_every_alert_finds_its_way() -> None:
    """Receivers and mute timings of all routes exist; the heartbeat has a place of its own."""
    [tree] = alerting.policies()["policies"]
    receivers = {point["name"] for point in alerting.contact_points()["contactPoints"]}
    muted = {timing["name"] for timing in alerting.mute_timings()["muteTimes"]}

    def route(labels: dict[str, str]) -> dict[str, Any]:
        return next(
            one
            for one in tree["routes"]
            if all(labels.get(name) == value for name, _, value in one["object_matchers"])
        )

    for one in [tree, *tree["routes"]]:
        assert one["receiver"] in receivers
        assert set(one.get("mute_time_intervals", ())) <= muted
    for rule in GROUP["rules"]:
        found = route(rule["labels"])
        assert (found["receiver"] == alerting.HEARTBEAT) == (rule["labels"].get("heartbeat") == "true")
        if rule["labels"]["severity"] == "critical":
            assert "mute_time_intervals" not in found, "what is critical never rests"


def test_files_hold_no_secret() -> None:
    """Address and token come from Grafana's environment."""
    text = json.dumps([str(content) for content in PROVISIONED.values()])

    assert set(re.findall(r"\$\{(\w+)\}", text)) == {
        f"CROSSCURRENT_{name}"
        for name in (
            "ALERT_URL", "BOARDS", "HEARTBEAT_URL", "INFLUX_ORG", "INFLUX_TOKEN", "INFLUX_URL",
        )
    }  # fmt: skip


def values(room: Room, name: str, start: str, stop: str) -> dict[str, float]:
    """What decides whether a rule fires, by the labels of its series: 0 does not."""
    rule = next(one for one in watch.rules(CITY.city) if one.name == name)
    return {
        json.dumps(table.labels, sort_keys=True): float(table.columns["_value"][-1])
        for table in room.ask(rules.judged(rule), start, stop)
    }


def test_the_incident_rule_fires_in_the_storm_and_clears_after_it(room: Room) -> None:
    """At eleven the series of the critical incident fires; at night it is back at nought."""
    storm = values(room, "incident", "05:00", "11:00")
    night = values(room, "incident", "00:00", "23:59")

    assert [labels for labels, value in storm.items() if value > 0]
    assert all(json.loads(labels)["root_asset"] for labels in storm)
    assert set(night.values()) == {0.0}


def test_the_pipeline_rules_follow_their_figures(room: Room) -> None:
    """Stream time seven seconds behind fires nothing; the heartbeat always fires, lag and refusals do."""
    assert set(values(room, "stopped", "10:50", "11:00").values()) == {0.0}
    assert set(values(room, "down", "10:50", "11:00").values()) == {0.0}
    assert set(values(room, "heartbeat", "10:50", "11:00").values()) == {1.0}
    assert max(values(room, "letters", "10:50", "11:00").values()) > 0
    assert max(values(room, "writes", "10:50", "11:00").values()) > 60
    assert set(values(room, "lag", "10:50", "11:00").values()) == {0.0}
