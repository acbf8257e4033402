"""Stories of water that stood somewhere unseen and is let go, and of water that only looks like it."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from schemas.city import City
from schemas.times import MINUTE
from streams.backlogs import backlog_watchers
from streams.groups import Groups, Sign

T0 = 1_750_000_200_000 - 1_750_000_200_000 % (8 * MINUTE)
MINUTES = 480
SINCE = 300


def _asset(name: str) -> dict[str, Any]:
    kinds = {"inlet": "inlet", "storm": "storm_manhole", "outfall": "outfall", "catchment": "catchment"}
    return {"id": name, "utility": "storm", "kind": kinds[name.partition("-")[0]], "zone": "a"}


def drain(*more: str) -> City:
    """Three manholes in a row; the first isn't measured, and each has an inlet."""
    names = ["catchment-1", *(f"{kind}-{n}" for n in (1, 2, 3) for kind in ("inlet", "storm")), "outfall-1"]
    down = [(f"storm-{n}", f"storm-{n + 1}") for n in (1, 2)] + [("storm-3", "outfall-1")]
    down += [(f"inlet-{n}", f"storm-{n}") for n in (1, 2, 3)]
    down += [("catchment-1", f"inlet-{n}") for n in (1, 2, 3)]
    sensors = [("storm-2", "depth", "m"), ("storm-3", "depth", "m"), ("catchment-1", "rain", "mm/h")]
    sensors += [(name, "ponding", "m") for name in more]
    return City.model_validate(
        {
            "city": "smallton",
            "timezone": "UTC",
            "assets": [_asset(name) for name in names],
            "links": [{"from": one, "to": other, "relation": "drains_to"} for one, other in down],
            "sensors": [
                {"asset": asset, "quantity": quantity, "unit": unit, "every": 120, "deadband": 0.015}
                for asset, quantity, unit in sensors
            ],
        }
    )


def heard(city: City, second: np.ndarray, third: np.ndarray | None = None, rain: float = 0.0) -> list[Sign]:
    """What is told of eight hours: depths of the two manholes over a little water that runs out; every other
    minute is reported, with noise.
    """
    rng = np.random.default_rng(1)
    groups = Groups(backlog_watchers(city), 30 * MINUTE)
    told: dict[tuple[str, str, int], Sign] = {}
    rest = 0.08 * np.exp(-np.arange(MINUTES) / 200)
    third = second if third is None else third
    for minute in range(0, MINUTES, 2):
        at = T0 + minute * MINUTE
        for sensor, depths in (("storm-2/depth", second), ("storm-3/depth", third)):
            groups.hear(sensor, at, float(rest[minute] + depths[minute] + rng.normal(0, 0.008)))
        groups.hear("catchment-1/rain", at, rain if minute in range(SINCE - 30, SINCE) else 0.0)
        for sign, _, gone in groups.pass_to(at):
            told.pop((sign.asset, sign.condition, sign.onset), None)
            if not gone:
                told[sign.asset, sign.condition, sign.onset] = sign
    return list(told.values())


def rush(metres: float, lasts: float = 25.0, since: int = SINCE) -> np.ndarray:
    """It comes at once, and runs out."""
    clock = np.arange(MINUTES) - since
    return np.where(clock >= 0, metres * np.exp(-np.maximum(clock, 0) / lasts), 0.0)


def stays(metres: float, over: float = 1.0) -> np.ndarray:
    """It comes within some minutes, and goes on."""
    return metres * np.clip((np.arange(MINUTES) - SINCE) / over, 0.0, 1.0)


@pytest.mark.parametrize("lasts", [10.0, 25.0, 60.0])
def test_what_runs_out_was_held_up_above(lasts: float) -> None:
    """The inlets above that nobody measures are named, the nearest first; below nothing else is told."""
    (sign,) = heard(drain(), rush(0.1, lasts))
    assert (sign.asset, sign.condition) == ("storm-2", "blockage_pattern")
    assert abs(sign.onset - (T0 + SINCE * MINUTE)) <= 4 * MINUTE
    assert [name for name, _ in sign.places] == ["inlet-2", "inlet-1", "storm-1"]
    assert sign.cleared is not None


def test_an_inlet_that_is_measured_would_have_shown_it() -> None:
    """It isn't named."""
    (sign,) = heard(drain("inlet-2"), rush(0.1))
    assert [name for name, _ in sign.places] == ["inlet-1", "storm-1"]


@pytest.mark.parametrize(
    "depths",
    [
        stays(0.0),
        stays(0.1),
        stays(0.1, 60.0),
        rush(0.02),
        rush(0.1, since=60),
        rush(0.1) + rush(0.1, 25, 180),
    ],
    ids=["quiet", "discharge", "leak", "little", "in the first hours", "strokes"],
)
def test_what_stays_grows_or_comes_again_is_nothing_of_the_kind(depths: np.ndarray) -> None:
    """Nor what is too little, or comes before anything is known; of strokes the first is told at most."""
    assert [sign for sign in heard(drain(), depths) if sign.onset > T0 + 200 * MINUTE] == []


def test_rain_runs_out_too() -> None:
    """So nothing is told in the hour after it."""
    assert heard(drain(), rush(0.1), rain=5.0) == []


def test_what_was_seen_to_stand_above_is_no_news() -> None:
    """The upper manhole was backed up, and falls as the lower one gets what stood there."""
    stood = 0.2 * (np.arange(MINUTES) < SINCE)
    assert heard(drain(), stood, rush(0.1)) == []


def test_only_the_manhole_below_rises_when_it_is_its_own_inlet() -> None:
    """What is let go between two measured manholes shows at the lower one alone."""
    (sign,) = heard(drain(), stays(0.0), rush(0.1))
    assert (sign.asset, [name for name, _ in sign.places]) == ("storm-3", ["inlet-3"])


@pytest.mark.parametrize(("level", "told"), [(1.0, True), (2.5, False)])
def test_a_wet_well_that_is_too_full_backs_up(level: float, told: bool) -> None:
    """What rises above it and runs out then was its backwater."""
    utility = {"utility": "sewage", "zone": "a"}
    kinds = {"manhole-1": "manhole", "sewer-1": "sewer", "manhole-2": "manhole", "well-1": "wet_well"}
    names = list(kinds)
    city = City.model_validate(
        {
            "city": "smallton",
            "timezone": "UTC",
            "assets": [
                {"id": "catchment-1", "utility": "storm", "kind": "catchment", "zone": "a"},
                *({"id": name, "kind": kind, **utility} for name, kind in kinds.items()),
            ],
            "links": [{"from": one, "to": other, "relation": "drains_to"} for one, other in pairwise(names)],
            "sensors": [
                {"asset": "manhole-2", "quantity": "depth", "unit": "m", "every": 120, "deadband": 0.015},
                {"asset": "well-1", "quantity": "level", "unit": "m", "every": 60, "limits": {"high": 2.0}},
                {"asset": "catchment-1", "quantity": "rain", "unit": "mm/h", "every": 60},
            ],
        }
    )
    (watch,) = backlog_watchers(city)
    values = {
        "manhole-2/depth": 0.08 + rush(0.1),
        "well-1/level": np.where(np.arange(MINUTES) < SINCE - 20, 1.0, level),
        "catchment-1/rain": np.zeros(MINUTES),
    }
    groups = Groups([watch], 30 * MINUTE)
    signs = []
    for minute in range(MINUTES):
        for sensor, column in values.items():
            groups.hear(sensor, T0 + minute * MINUTE, float(column[minute]))
        signs += [sign for sign, new, _ in groups.pass_to(T0 + minute * MINUTE) if new]
    assert [dict(sign.places) for sign in signs] == ([{"sewer-1": 1.0, "manhole-1": 0.6}] if told else [])
