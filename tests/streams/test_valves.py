"""Stories of valves that shut off what lies behind them, and of pumps that only look like it."""

from typing import Any

import numpy as np
import pytest

from schemas.city import City
from schemas.times import MINUTE
from streams.groups import Groups, Sign
from streams.valves import Cut, cut_watchers, cuts

T0 = 1_750_000_200_000 - 1_750_000_200_000 % MINUTE


def _asset(name: str) -> dict[str, Any]:
    kinds = {"works": "treatment_works", "pump": "pump", "valve": "valve", "tank": "tank"}
    kind = next((kind for word, kind in kinds.items() if name.startswith(word)), "junction")
    return {"id": name, "utility": "water", "kind": kind, "zone": "a"}


def city(mains: str, *sensors: str) -> City:
    """A water network in a few words: ``works>a a>valve-1 valve-1>b``; a sensor is ``asset/quantity``."""
    pairs = [main.split(">") for main in mains.split()]
    return City.model_validate(
        {
            "city": "smallton",
            "timezone": "UTC",
            "assets": [_asset(name) for name in dict.fromkeys(name for pair in pairs for name in pair)],
            "links": [
                {"from": one, "to": other, "relation": "supplies", "properties": {"length_m": 100}}
                for one, other in pairs
            ],
            "sensors": [
                {"asset": name, "quantity": quantity, "unit": unit, "every": 60}
                for name, quantity in (sensor.split("/") for sensor in sensors)
                for unit in ({"pressure": "m", "flow": "L/s", "voltage": "pu", "run": "1"}[quantity],)
            ],
        }
    )


RING = "works>a a>valve-1 valve-1>b b>c c>valve-2 valve-2>d b>d"
"""Behind the first valve lies all; the second stands in a ring."""
BOOSTED = "works>a a>valve-1 valve-1>pump pump>b b>c"
PRESSURES = ("a/pressure", "b/pressure", "c/pressure")
WITH_PUMP = (*PRESSURES, "pump/run", "pump/flow", "pump/voltage")


def test_only_what_has_no_other_way_is_cut_off() -> None:
    """A valve in a ring leaves another way; one at the foot of it leaves none; a tank is a source too."""
    assert cuts(city(RING, *PRESSURES, "d/pressure")) == [Cut(("valve-1",), ("b", "c", "d"), ("a",), ())]
    assert cuts(city(f"{RING} tank>d", *PRESSURES)) == []


def test_pumps_run_dry_behind_a_valve() -> None:
    """The cut goes on behind a pump, which could be to blame; two valves in a row are told together."""
    (cut,) = cuts(city(BOOSTED.replace("valve-1>pump", "valve-1>valve-2 valve-2>pump"), *PRESSURES))
    assert cut == Cut(("valve-1", "valve-2"), ("b", "c"), ("a",), ("pump",))


def test_a_pump_behind_measured_junctions_is_not_to_blame() -> None:
    """Where pressure is lost before the pump too, the pump can't have done it."""
    (cut,) = cuts(city("works>a a>valve-1 valve-1>b b>pump pump>c", *PRESSURES))
    assert cut == Cut(("valve-1",), ("b", "c"), ("a",), ())


def heard(town: City, values: dict[str, np.ndarray]) -> list[Sign]:
    """What stands in the end of some hours."""
    groups = Groups(cut_watchers(town), 30 * MINUTE)
    told: dict[tuple[str, str, int], Sign] = {}
    for minute in range(len(next(iter(values.values())))):
        for sensor, column in values.items():
            if np.isfinite(column[minute]):
                groups.hear(sensor, T0 + minute * MINUTE, float(column[minute]))
        for sign, _, gone in groups.pass_to(T0 + minute * MINUTE):
            told.pop((sign.asset, sign.condition, sign.onset), None)
            if not gone:
                told[sign.asset, sign.condition, sign.onset] = sign
    return list(told.values())


def pressures(town: City, lost: dict[str, tuple[int, int]]) -> dict[str, np.ndarray]:
    """Two hours of 40 m with noise everywhere; none where it is lost between two minutes."""
    rng = np.random.default_rng(1)
    values = {}
    for sensor in town.sensors:
        usual = {"pressure": 40.0, "flow": 20.0}.get(sensor.quantity, 1.0)
        noise = {"pressure": 0.15, "flow": 0.5}.get(sensor.quantity, 0.0)
        values[sensor.id] = usual + noise * rng.normal(0, 1, 120)
        since, until = lost.get(sensor.id, (120, 120))
        values[sensor.id][since:until] = 0.0
    return values


def test_a_shut_valve_is_told_within_minutes_and_until_it_opens() -> None:
    """All behind it lose their pressure at once, those before it don't."""
    town = city(RING, *PRESSURES, "d/pressure")
    shut = {f"{name}/pressure": (60, 90) for name in "bcd"}
    (sign,) = heard(town, pressures(town, shut))
    assert (sign.asset, sign.condition, sign.places) == ("b", "cut_off", (("valve-1", 1.0),))
    assert sign.onset == T0 + 60 * MINUTE
    assert sign.cleared is not None
    assert 0 <= sign.cleared - (T0 + 90 * MINUTE) <= 10 * MINUTE


@pytest.mark.parametrize("lost", ["bc", "abcd", ""])
def test_other_losses_are_no_valve(lost: str) -> None:
    """Where one behind it keeps its pressure, or one before it loses it, or nobody does: no sign."""
    town = city(RING, *PRESSURES, "d/pressure")
    assert heard(town, pressures(town, {f"{name}/pressure": (60, 120) for name in lost})) == []


def test_one_that_was_always_without_pressure_is_no_news() -> None:
    """A main that is not in use, or a sensor that only ever sent nought."""
    town = city(RING, *PRESSURES, "d/pressure")
    assert heard(town, pressures(town, {f"{name}/pressure": (0, 120) for name in "bcd"})) == []


@pytest.mark.parametrize(
    ("pump", "told"),
    [
        ({"pump/flow": (60, 120)}, True),
        ({"pump/flow": (60, 120), "pump/run": (60, 120)}, False),
        ({"pump/flow": (60, 120), "pump/voltage": (60, 120)}, False),
        ({}, False),
    ],
    ids=["runs dry", "stands", "without power", "gives as ever"],
)
def test_a_pump_between_must_run_dry(pump: dict[str, tuple[int, int]], told: bool) -> None:
    """A pump that stands, or has no power, explains the loss; one that runs and gives nothing doesn't."""
    town = city(BOOSTED, *WITH_PUMP)
    lost = {f"{name}/pressure": (60, 120) for name in "bc"}
    assert bool(heard(town, pressures(town, {**lost, **pump}))) is told
