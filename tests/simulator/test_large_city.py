"""Lakeland, the large city on two public networks: it loads, is large, runs, and says whose they are."""

from pathlib import Path

import numpy as np

from schemas.cityfile import load_city
from schemas.times import parse_time
from simulator.cities import SHIPPED
from simulator.making import rows_of
from simulator.physics import Town, load_town
from simulator.scenario import Scenario, check, read_scenario

LAKELAND = SHIPPED / "lakeland"
LEAST_KINDS = {
    "substation": 2,
    "feeder": 10,
    "tank": 10,
    "valve": 10,
    "catchment": 2,
    "underpass": 2,
    "sump": 2,
    "wet_well": 3,
    "inlet": 40,
    "storm_manhole": 40,
    "bin": 30,
    "road": 12,
}  # fmt: skip - a table
"""What a city of this size has at least."""


def an_hour(town: Town) -> Scenario:
    """A quiet hour in the morning peak, without the accidents of everyday life."""
    return Scenario(
        scenario="an-hour",
        city=town.name,
        start=parse_time("2025-06-04T07:00:00Z"),
        hours=1,
        background=False,
    )


def test_it_is_five_times_larger_than_riverton_and_has_something_of_everything() -> None:
    """The issue asks for five Rivertons at least, with every kind of place where trouble couples."""
    town, riverton = load_town(LAKELAND), load_city(SHIPPED / "riverton" / "city.yaml")
    assert len(town.city.assets) >= 5 * len(riverton.assets)
    assert len({asset.zone for asset in town.city.assets}) >= 6
    kinds = [asset.kind for asset in town.city.assets]
    assert {kind: kinds.count(kind) for kind, least in LEAST_KINDS.items() if kinds.count(kind) < least} == {}


def test_every_pump_hangs_on_a_feeder_and_most_junctions_are_not_measured() -> None:
    """A pump without power would never stop; a city that measures every junction isn't one."""
    city = load_town(LAKELAND).city
    powered = {link.target for link in city.links if link.relation == "powers"}
    kinds = {asset.id: asset.kind for asset in city.assets}
    assert {name for name, kind in kinds.items() if kind == "pump"} <= powered
    junctions = [name for name, kind in kinds.items() if kind == "junction"]
    measured = sum(name in city.sensors_of for name in junctions)
    assert len(junctions) / 9 < measured < len(junctions) / 7
    unmeasured = {
        name
        for name, kind in kinds.items()
        if kind in ("pump", "tank", "feeder", "substation") and name not in city.sensors_of
    }
    assert unmeasured == set()


def test_an_hour_of_it_runs_with_pressure_at_every_tap() -> None:
    """The public model falls below -100 m; what we made of it supplies everyone and sheds no water."""
    town = load_town(LAKELAND)
    run, rows = rows_of(town, an_hour(town), seed=1)
    pressures = rows[:, [quantity == "pressure" for _, quantity in run.signals]]
    levels = rows[:, [name.startswith("tank-") for name, _ in run.signals]]
    assert rows.shape[0] == 60
    assert np.isfinite(rows).all()
    assert pressures.min() > 15
    assert levels.min() > 1
    assert run.marks == []


def test_every_sensor_finds_its_signal_and_has_limits_where_an_engineer_sets_some() -> None:
    """The city model and the physics were made apart: no sensor may be left without a value."""
    town = load_town(LAKELAND)
    run, _ = rows_of(town, an_hour(town), seed=1)
    lost = [sensor.id for sensor in town.city.sensors if (sensor.asset, sensor.quantity) not in run.signals]
    assert lost == []
    bare = [s.id for s in town.city.sensors if s.quantity == "pressure" and s.limits.low is None]
    assert bare == []


def test_its_scenarios_name_places_that_it_has() -> None:
    """Storm, feeder and burst: three days that anyone can make."""
    town = load_town(LAKELAND)
    files = sorted((LAKELAND / "scenarios").glob("*.yaml"))
    assert len(files) >= 3
    for file in files:
        scenario, document = read_scenario(file)
        check(scenario, town.city, document)


def test_the_licences_name_every_source() -> None:
    """Two networks are other people's: their notices and what they ask to be cited stand beside them."""
    said = (LAKELAND / "LICENSES.md").read_text(encoding="utf-8")
    for needed in (
        "ky10",
        "WNTR",
        "National Technology & Engineering Solutions of Sandia",
        "Jolly",
        "mv_oberrhein",
        "pandapower",
        "University of Kassel",
        "Redistributions in binary form",
        "CC BY-NC",
    ):
        assert needed in said
    assert [
        line for line in Path(LAKELAND, "README.md").read_text("utf-8").splitlines() if "LICENSES.md" in line
    ]
