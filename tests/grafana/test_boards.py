"""Boards as code: what holds for each of them, whatever the city."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from grafana import files, flux, look, names
from schemas.city import City
from schemas.cityfile import load_city
from schemas.points import ALARM

RIVERTON = load_city(Path(__file__).parents[2] / "cities" / "riverton" / "city.yaml")
BOARDS = files.boards(RIVERTON)
UID_MAX = 40
"""Grafana's bound."""
CONTRAST_MIN = 3.0
"""WCAG 2.1, 1.4.11: what graphics need against what lies beside them."""
PAGES = {"light": "#ffffff", "dark": "#181b1f"}
"""Grafana's panels."""
APART_MIN = 15.0
"""CIE76 distance of two states: six times what is just seen."""
SIGHTS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]
    ],
}  # fmt: skip
"""Machado, Oliveira, Fernandes (2009), severity 1: what a colour looks like, in linear RGB."""


def panels(kind: str = "") -> list[dict[str, Any]]:
    """Panels of all boards, or those of one kind; headings are none."""
    return [
        panel
        for board in BOARDS.values()
        for panel in board["panels"]
        if panel["type"] != "row" and kind in ("", panel["type"])
    ]


def linear(colour: str) -> np.ndarray:
    """A hex colour as linear RGB."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    """How bright a colour is, 0 to 1."""
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two colours, 1 to 21."""
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB in CIE Lab."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ) / np.array([[0.95047], [1.0], [1.08883]])
    scaled = to_xyz @ np.clip(rgb, 0, 1)
    f = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_committed_files_are_what_the_code_says() -> None:
    """``crosscurrent grafana build --check`` finds nothing."""
    assert files.stale(files.files(RIVERTON), files.FOLDER) == []


def test_building_twice_gives_the_same_bytes() -> None:
    """So that a review shows what somebody changed, and nothing else."""
    assert files.files(RIVERTON) == files.files(RIVERTON)


def test_every_utility_has_a_board() -> None:
    """And the city, the asset, the incident, the pipeline, the load."""
    assert tuple(BOARDS) == names.BOARDS


@pytest.mark.parametrize("name", BOARDS)
def test_names_are_stable_and_links_lead_to_boards(name: str) -> None:
    """Uids say which board it is, panel ids are unique, links keep time and run and find their board."""
    board = BOARDS[name]
    ids = [panel["id"] for panel in board["panels"]]
    text = json.dumps(board)
    targets = re.findall(r"/d/([\w-]+)\?([^\"]*)", text)

    assert board["uid"] == f"cc-riverton-{name}"
    assert len(board["uid"]) <= UID_MAX
    assert names.TAG in board["tags"]
    assert len(ids) == len(set(ids))
    assert {uid for uid, _ in targets} <= {other["uid"] for other in BOARDS.values()}
    assert all("${__url_time_range}" in rest and "${run:queryparam}" in rest for _, rest in targets)
    [menu] = board["links"]
    assert menu["keepTime"]
    assert menu["includeVars"]


def test_a_panel_keeps_its_id_when_others_come_before_it() -> None:
    """Links and rules name panels by id: it follows from the title alone."""
    ids = {panel["title"]: panel["id"] for panel in BOARDS["power"]["panels"]}

    assert (
        ids["Standing alarms"] == {p["title"]: p["id"] for p in BOARDS["water"]["panels"]}["Standing alarms"]
    )


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_panels_speak(panel: dict[str, Any]) -> None:
    """Each says what it shows, what nothing means, and in which unit its numbers are."""
    defaults = panel["fieldConfig"]["defaults"]

    assert panel["description"].endswith(".")
    assert defaults["noValue"]
    if panel["type"] in {"timeseries", "stat", "bargauge"}:
        assert defaults["unit"]


def test_incidents_are_marked_on_every_board() -> None:
    """With a colour, and fields named as Grafana's annotations name them."""
    for board in BOARDS.values():
        [mark] = board["annotations"]["list"]
        assert mark["enable"]
        assert set(mark["mappings"]) == {"time", "timeEnd", "title", "text", "tags"}


def test_units_are_those_of_the_city_model() -> None:
    """A level is in metres as the model has it, never turned into centimetres."""
    drawn = [panel for panel in BOARDS["storm"]["panels"] if panel["type"] == "timeseries"]
    units = {panel["title"]: panel["fieldConfig"]["defaults"]["unit"] for panel in drawn}

    assert units["Depth"] == "suffix:m"
    assert units["Rain"] == "suffix:mm/h"
    assert look.unit("1") == "none"


def test_states_are_words_and_stand_out_on_both_pages() -> None:
    """No state by colour alone; every colour has contrast 3 on light and on dark."""
    [mapping] = look.shown(look.STATES)
    words = json.loads(json.dumps(mapping, default=lambda one: one.to_json()))["options"]

    assert all(entry["text"] == state for state, entry in words.items())
    for colour in {*look.STATES.values(), look.LIMIT}:
        for page in PAGES.values():
            assert contrast(colour, page) >= CONTRAST_MIN, (colour, page)


@pytest.mark.parametrize("sight", SIGHTS)
def test_colour_blind_eyes_tell_states_apart(sight: str) -> None:
    """Any two states differ clearly as people with this sight see them."""
    seen = {state: lab(np.array(SIGHTS[sight]) @ linear(colour)) for state, colour in look.STATES.items()}
    distances = {
        (one, other): float(np.linalg.norm(seen[one] - seen[other])) for one, other in combinations(seen, 2)
    }

    assert {pair: round(far) for pair, far in distances.items() if far < APART_MIN} == {}


def test_a_renamed_field_can_not_be_asked_for() -> None:
    """Building fails, rather than a panel that stays empty."""
    with pytest.raises(KeyError, match="colour"):
        flux.points(ALARM, "colour", city="riverton")
    with pytest.raises(KeyError, match="street"):
        flux.points(ALARM, "id", city="riverton", where={"street": "x"})


def test_the_map_has_the_links_of_the_city_model() -> None:
    """Each link is a line between its two assets; those between utilities have a colour of their own."""
    [panel] = panels("geomap")
    layer = panel["options"]["layers"][0]
    drawn = json.loads(unquote(layer["config"]["src"].partition(",")[2]))
    lines = {one["properties"]["kind"]: one["geometry"]["coordinates"] for one in drawn["features"]}
    feeder, pump = (RIVERTON.asset_by_id[link] for link in ("feeder-4", "underpass-pump-1"))
    colours = {one["check"]["value"]: one["style"]["color"]["fixed"] for one in layer["config"]["rules"]}
    assert feeder.position
    assert pump.position

    assert layer["type"] == "geojson"
    assert sum(map(len, lines.values())) == len(RIVERTON.links)
    assert [list(reversed(feeder.position)), list(reversed(pump.position))] in lines["between"]
    assert colours == look.LINES
    assert all(
        contrast(colour, page) >= CONTRAST_MIN for colour in colours.values() for page in PAGES.values()
    )


def test_a_city_without_a_utility_gets_no_board_of_it() -> None:
    """Nor an empty page in the menu."""
    town = large(1)

    assert {"water", "city", "asset"} <= set(files.boards(town))
    assert not {"power", "waste"} & set(files.boards(town))


def test_boards_of_a_large_city_stay_small() -> None:
    """Of ten thousand sensors no list travels in a query, and crowded boards begin with one zone."""
    boards = files.boards(large(10_000))

    assert max(len(json.dumps(board)) for board in boards.values()) < 70_000
    [_, zone] = boards["water"]["templating"]["list"]
    assert zone["current"]["value"] == "zone-00"


def large(sensors: int) -> City:
    """A city of many pumps."""
    limits = {"high": 9.0}
    return City.model_validate(
        {
            "city": "metropolis",
            "timezone": "Europe/Paris",
            "assets": [
                {"id": f"pump-{n}", "utility": "water", "kind": "pump", "zone": f"zone-{n % 50:02}"}
                for n in range(sensors)
            ],
            "sensors": [
                {"asset": f"pump-{n}", "quantity": "flow", "unit": "L/s", "every": 60.0, "limits": limits}
                for n in range(sensors)
            ],
        }
    )


@pytest.mark.parametrize("city", ["riverton", "Saint-Denis.2", "a" * 100])
def test_uids_fit_and_differ(city: str) -> None:
    """Any name of a city gives uids that Grafana takes; two long names give different ones."""
    uids = {names.board(city, name) for name in names.BOARDS}

    assert len(uids) == len(names.BOARDS)
    assert all(len(uid) <= UID_MAX and re.fullmatch(r"[a-zA-Z0-9_-]+", uid) for uid in uids)
    assert names.folder(city) != names.folder(city + "b")
