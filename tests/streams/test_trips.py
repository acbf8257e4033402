"""Pumps that fill several tanks: a stop without a reason is told, one with a reason is not."""

import math

import pytest

from schemas.city import City
from schemas.times import MINUTE
from streams.groups import Groups, Sign
from streams.trips import trip_watchers

T0 = 29_166_660 * MINUTE
STOPS, AGAIN, END = 60, 120, 150
"""Minutes: when the pump stops, runs again; when the story ends."""


def asset(name: str, kind: str) -> dict[str, object]:
    """An asset of the water network."""
    return {"id": name, "utility": "water", "kind": kind, "zone": "a", "position": [0, 0]}


def level(tank: str) -> dict[str, object]:
    """A level that is usually between two and eight metres."""
    limits = {"low": 2.0, "high": 8.0}
    return {"asset": tank, "quantity": "level", "unit": "m", "every": 60, "limits": limits}


CITY = City.model_validate(
    {
        "city": "twotanks",
        "timezone": "UTC",
        "assets": [
            *(asset(name, "pump") for name in ("pump-1", "pump-2")),
            *(asset(name, "tank") for name in ("tank-1", "tank-2")),
        ],
        "links": [
            {"from": "pump-1", "to": "tank-1", "relation": "supplies"},
            {"from": "pump-1", "to": "tank-2", "relation": "supplies"},
            {"from": "pump-2", "to": "tank-2", "relation": "supplies"},
        ],
        "sensors": [
            level("tank-1"),
            level("tank-2"),
            {"asset": "pump-1", "quantity": "run", "unit": "1", "every": 60},
            {"asset": "pump-2", "quantity": "run", "unit": "1", "every": 60},
            {"asset": "pump-1", "quantity": "voltage", "unit": "pu", "every": 60},
        ],
    }
)


def told(levels: tuple[float, float] = (3.0, 4.0), volts: float = 1.0, other: bool = False) -> set[Sign]:
    """Signs of a pump that stops for an hour: at these levels and volts; whether the other then begins."""
    (watcher,) = trip_watchers(CITY)
    groups, found = Groups([watcher], 30 * MINUTE), dict[tuple[str, int], Sign]()
    for minute in range(END):
        stands = STOPS <= minute < AGAIN
        shown = {
            "tank-1/level": levels[0],
            "tank-2/level": levels[1],
            "pump-1/run": float(not stands),
            "pump-2/run": float(other and stands),
            "pump-1/voltage": volts if stands else 1.0,
        }
        for sensor, value in shown.items():
            if not math.isnan(value):
                groups.hear(sensor, T0 + minute * MINUTE, value)
        for change in groups.pass_to(T0 + minute * MINUTE):
            found[change.sign.asset, change.sign.onset] = change.sign
    return set(found.values())


def test_a_pump_that_stops_though_both_tanks_want_water_has_tripped() -> None:
    """From when it stopped until it runs again."""
    (sign,) = told()
    assert (sign.asset, sign.condition, sign.onset) == ("pump-1", "stopped", T0 + STOPS * MINUTE)
    assert sign.cleared is not None
    assert T0 + AGAIN * MINUTE <= sign.cleared <= T0 + (AGAIN + 5) * MINUTE


@pytest.mark.parametrize("levels", [(7.5, 4.0), (3.0, 7.0), (3.0, math.nan)])
def test_a_tank_that_is_half_full_may_have_stopped_it(levels: tuple[float, float]) -> None:
    """Nobody knows which of the two controls it; one that says nothing may be full."""
    assert not told(levels)


def test_without_power_it_is_no_fault_of_its_own() -> None:
    """Its voltage tells."""
    assert not told(volts=0.0)


def test_a_turn_of_duty_is_no_trip() -> None:
    """Another pump of the same tanks begins as it stops."""
    assert not told(other=True)
