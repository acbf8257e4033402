"""Boards and rules, read strictly by the models that Grafana generates from its own schemas."""

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grafana import alerting, files, rules, watch
from grafana.sync import ORG
from schemas.cityfile import load_city
from tests.servers import built

CITY = load_city(Path(__file__).parents[2] / "cities" / "riverton" / "city.yaml")
BOARDS = files.boards(CITY)
WHOLE_DEGREES = "options.view.l"
"""The models take the map's centre for whole degrees, which Grafana itself does not."""


def faults(things: list[tuple[str, str, Any]]) -> list[str]:
    """What Grafana's models don't take, a line each. ``things``: kind, name, body."""
    said = subprocess.run(
        [built("strict")],
        input="\n".join(json.dumps({"kind": k, "name": n, "body": body}) for k, n, body in things),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode in {0, 1}, said.stdout + said.stderr
    return [line for line in said.stdout.splitlines() if WHOLE_DEGREES not in line]


def everything() -> Iterator[tuple[str, str, Any]]:
    """Boards, rules, contact points. Of policies and mute timings the models are wrong: they ask for other
    names than Grafana's own examples of such files have (``from`` for ``start_time``).
    """
    panels = files.panel_ids(BOARDS)
    yield from (("board", name, board) for name, board in BOARDS.items())
    for rule in watch.rules(CITY.city):
        yield "rule", rule.name, {**rules.for_api(rule, CITY.city, panels, files.RUNBOOKS), **ORG}
    for point in alerting.contact_points()["contactPoints"]:
        yield from (("contact point", point["name"], receiver) for receiver in point["receivers"])


def test_grafana_s_models_take_all_of_it() -> None:
    """No field that they don't know, none of another type, none missing."""
    assert faults(list(everything())) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [("lineWidth", "thin"), ("thresholdStyle", "line")],
    ids=["another type", "an unknown field"],
)
def test_the_models_see_what_is_wrong(place: str, value: str) -> None:
    """A slip in a panel's options is found: the check above can fail."""
    board = copy.deepcopy(BOARDS["storm"])
    panel = next(panel for panel in board["panels"] if panel["type"] == "timeseries")
    panel["fieldConfig"]["defaults"]["custom"][place] = value

    assert any(place in line for line in faults([("board", "storm", board)]))
