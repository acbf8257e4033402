"""Everyday life and faults of the measuring: what is published differs, the city stays as it is."""

import gzip
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from schemas.city import LEVELS, Limits
from simulator.making import make
from simulator.physics import load_town
from simulator.scenario import Scenario

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton"
Series = dict[str, dict[str, float]]
"""Values by sensor and the time that they claim."""


@cache
def told(*faults: str, hours: int = 3, background: bool = False) -> Series:
    """What a morning's recording says, with these injections."""
    scenario = Scenario.model_validate(
        {
            "scenario": "morning",
            "city": "riverton",
            "start": "2025-06-04T06:00:00Z",
            "hours": hours,
            "background": background,
            "injections": [json.loads(fault) for fault in faults],
        }
    )
    found: Series = {}
    with TemporaryDirectory() as folder:
        made = make(load_town(RIVERTON), scenario, 3, Path(folder))
        truth = json.loads(made.labels.read_text(encoding="utf-8"))
        assert truth["incidents"] == truth["unobservable"] == [], "a fault of the measuring is no cause"
        assert [fault["kind"] for fault in truth["sensor_faults"]] == [
            json.loads(one)["kind"] for one in faults
        ]
        with gzip.open(made.recording, "rt", encoding="utf-8") as file:
            for message in map(json.loads, file):
                asset, payload = message["topic"].split("/")[5], message["payload"]
                for quantity, value in payload.get("values", {}).items():
                    found.setdefault(f"{asset}/{quantity}", {})[payload["at"][11:16]] = value
    return found


def fault(**fields: Any) -> str:
    """An injection at 07:00 for an hour, as JSON (a cache can hold it)."""
    return json.dumps({"at": "07:00", "lasts": "1h", **fields})


def test_a_frozen_sensor_repeats_its_value_and_nothing_else_changes() -> None:
    """For an hour the tank's level stands; before, after and everywhere else the morning is the same."""
    usual, frozen = told(), told(fault(kind="sensor_frozen", asset="tank-1"))

    values = frozen["tank-1/level"]
    assert {values[f"07:{minute:02d}"] for minute in range(60)} == {usual["tank-1/level"]["07:00"]}
    assert {at for at in values if values[at] != usual["tank-1/level"][at]} <= {
        f"07:{minute:02d}" for minute in range(60)
    }
    assert {name: series for name, series in frozen.items() if name != "tank-1/level"} == {
        name: series for name, series in usual.items() if name != "tank-1/level"
    }


def test_a_drifting_sensor_grows_by_its_share_an_hour() -> None:
    """10 % an hour: nothing at first, 5 % after half an hour."""
    usual = told()["tank-1/level"]
    drifted = told(fault(kind="sensor_drift", asset="tank-1", size={"per_h": 0.1}))["tank-1/level"]

    assert drifted["07:00"] == usual["07:00"]
    assert drifted["07:30"] == pytest.approx(1.05 * usual["07:30"], abs=0.01)
    assert drifted["08:00"] == usual["08:00"], "the fault is over"


def test_spikes_hit_the_share_of_the_readings() -> None:
    """Half of an hour's readings are half as large again, the others as usual."""
    usual = told()["tank-1/level"]
    spiked = told(fault(kind="sensor_spikes", asset="tank-1", size={"share": 0.5, "size": 0.5}))[
        "tank-1/level"
    ]

    raised = [at for at in usual if spiked[at] != usual[at]]
    assert 18 <= len(raised) <= 42
    assert all(spiked[at] == pytest.approx(1.5 * usual[at], abs=0.01) for at in raised)
    assert all(at.startswith("07:") for at in raised)


def test_a_gateway_that_is_offline_loses_what_it_carries() -> None:
    """For an hour nothing of its assets is heard; all others report."""
    usual = told()
    city = load_town(RIVERTON).city
    gateway = next(asset.id for asset in city.assets if asset.kind == "gateway")
    behind = {link.target for link in city.links_from[gateway]}
    offline = told(fault(kind="gateway_offline", asset=gateway))

    for name, series in usual.items():
        gone = series.keys() - offline[name].keys()
        if name.split("/")[0] in behind:
            assert gone == {at for at in series if at.startswith("07:")}, name
        else:
            assert not gone, name


def test_a_skewed_clock_claims_another_time() -> None:
    """An hour ahead: what is measured from 07:00 to 08:00 claims to be of 08:00 to 09:00."""
    usual = told()["tank-1/level"]
    skewed = told(fault(kind="clock_skew", asset="tank-1", size={"by_s": 7200}))["tank-1/level"]

    assert not [at for at in skewed if at.startswith("07:")]
    assert skewed["09:15"] == usual["07:15"]


def test_everyday_life_crosses_limits_that_nothing_has_hurt() -> None:
    """A quiet day with spikes, switching and works: a plain limit checker raises alarms about nothing."""
    town = load_town(RIVERTON)
    limits = {sensor.id: sensor.limits for sensor in town.city.sensors}
    crossed = sum(
        outside(limits[name], value)
        for name, series in told(hours=24, background=True).items()
        for value in series.values()
    )
    calm = sum(
        outside(limits[name], value) for name, series in told(hours=24).items() for value in series.values()
    )

    assert calm < crossed < 500


def outside(limits: Limits, value: float) -> bool:
    """Whether a value is beyond any of its sensor's limits."""
    return any(
        limit is not None and (value < limit if "low" in level else value > limit)
        for level in LEVELS
        for limit in [getattr(limits, level)]
    )
