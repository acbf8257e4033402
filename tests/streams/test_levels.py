"""Stories of a level and its pump: one of the two lies, or neither."""

import json
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from schemas.city import City
from schemas.times import MINUTE
from streams.groups import Groups, Sign, Watcher
from streams.levels import level_watchers
from streams.plumbing import around, pumps_of, valves_at

LATE = 30 * MINUTE
T0 = 1_750_000_020_000 - 1_750_000_020_000 % MINUTE

CITY = City.model_validate(
    {
        "city": "smallton",
        "timezone": "UTC",
        "assets": [
            {
                "id": "tank",
                "utility": "water",
                "kind": "tank",
                "zone": "a",
                "properties": {"area_m2": 100.0, "volume_m3": 500.0},
            },
            {
                "id": "pump",
                "utility": "water",
                "kind": "pump",
                "zone": "a",
                "properties": {"rated_lps": 60.0},
            },
            {"id": "booster", "utility": "water", "kind": "pump", "zone": "a"},
            {"id": "valve", "utility": "water", "kind": "valve", "zone": "a"},
            {"id": "corner", "utility": "water", "kind": "junction", "zone": "a"},
            {
                "id": "well",
                "utility": "sewage",
                "kind": "wet_well",
                "zone": "a",
                "properties": {"area_m2": 20.0},
            },
            {
                "id": "lift",
                "utility": "sewage",
                "kind": "pump",
                "zone": "a",
                "properties": {"rated_lps": 60.0},
            },
            {"id": "works", "utility": "sewage", "kind": "treatment_works", "zone": "a"},
        ],
        "links": [
            {"from": "pump", "to": "corner", "relation": "supplies", "properties": {"length_m": 100.0}},
            {"from": "pump", "to": "tank", "relation": "supplies"},
            {"from": "tank", "to": "valve", "relation": "supplies", "properties": {"length_m": 100.0}},
            {"from": "valve", "to": "corner", "relation": "supplies", "properties": {"length_m": 100.0}},
            {"from": "well", "to": "lift", "relation": "drains_to"},
            {"from": "lift", "to": "well", "relation": "protects"},
            {"from": "lift", "to": "works", "relation": "lifts_to"},
        ],
        "sensors": [
            {
                "asset": "tank",
                "quantity": "level",
                "unit": "m",
                "every": 60,
                "limits": {"low": 2.84, "high": 4.16},
            },
            {"asset": "well", "quantity": "level", "unit": "m", "every": 60, "limits": {"high": 1.8}},
            {"asset": "corner", "quantity": "pressure", "unit": "m", "every": 60},
            {"asset": "works", "quantity": "voltage", "unit": "pu", "every": 60},
            *(
                {"asset": name, "quantity": quantity, "unit": unit, "every": 60}
                for name in ("pump", "lift", "booster")
                for quantity, unit in (("run", "1"), ("voltage", "pu"))
            ),
        ],
    }
)  # fmt: skip - a city in rows


class Town:
    """Smallton by minutes: a tank filled from 3 m to 4 m, a well emptied from 1.5 m to 0.5 m."""

    def __init__(self) -> None:
        self.tank, self.well = 3.5, 1.0
        self.running = {"pump": False, "lift": False, "booster": True}
        self.failed: set[str] = set()
        self.dark: set[str] = set()
        self.lies: dict[str, float] = {}
        self.shut = False
        self.noise = np.random.default_rng(1)

    def minute(self) -> dict[str, float]:
        """One minute of the day, as the sensors tell it."""
        tank, well = self.lies.get("tank", self.tank), self.lies.get("well", self.well)
        wants = {
            "pump": tank < 3 or (self.running["pump"] and tank < 4),
            "lift": well > 1.5 or (self.running["lift"] and well > 0.5),
            "booster": True,
        }
        for name, wanted in wants.items():
            self.running[name] = wanted and name not in self.failed and name not in self.dark
        told = {
            "tank/level": tank + self.noise.normal(0, 0.015),
            "well/level": well + self.noise.normal(0, 0.015),
            "corner/pressure": 40 + 3 * self.running["pump"] + self.noise.normal(0, 0.15),
            "works/voltage": 0.0 if "works" in self.dark else 1.0,
        }
        if self.shut:
            told["corner/pressure"] += 20 if self.running["pump"] else -20
        else:
            self.tank += (60 * self.running["pump"] - 30) * 0.06 / 100
        self.well = float(np.clip(self.well + (30 - 60 * self.running["lift"]) * 0.06 / 20, 0, 3))
        for name, runs in self.running.items():
            told[f"{name}/run"] = float(runs)
            told[f"{name}/voltage"] = 0.0 if name in self.dark else 1.0
        return {sensor: round(value, 3) for sensor, value in told.items()}


def day(trouble: Callable[[int, Town, dict[str, float]], None], minutes: int = 420) -> list[dict[str, float]]:
    """A day of Smallton; ``trouble`` is asked each minute, and may spoil what the minute before told."""
    town, rows = Town(), list[dict[str, float]]()
    for minute in range(minutes):
        trouble(minute, town, rows[-1] if rows else {})
        rows.append(town.minute())
    return rows


def judged(rows: list[dict[str, float]], shuffled: bool = False) -> list[Sign]:
    """The signs that stand in the end, of all watchers of levels."""
    return [sign for watcher in level_watchers(CITY) for sign in _of(watcher, rows, shuffled)]


def _of(watcher: Watcher, rows: list[dict[str, float]], shuffled: bool) -> list[Sign]:
    heard = [
        (T0 + minute * MINUTE, sensor, row[sensor])
        for minute, row in enumerate(rows)
        for sensor in watcher.sensors
        if sensor in row
    ]
    order = list(range(len(heard)))
    if shuffled:  # everything up to 20 minutes late
        late = np.random.default_rng(2).uniform(0, 20 * MINUTE, len(heard))
        order.sort(key=lambda index: heard[index][0] + late[index])
    group, now, standing = Groups([watcher], LATE), 0, dict[tuple[str, str, int], Sign]()
    for index in order:
        at, sensor, value = heard[index]
        group.hear(sensor, at, value)
        if at > now:
            now = at
            for told in group.pass_to(now):
                key = told.sign.asset, told.sign.condition, told.sign.onset
                if told.gone:
                    del standing[key]
                else:
                    standing[key] = told.sign
    return sorted(standing.values())


def quiet(_minute: int, _town: Town, _row: dict[str, float]) -> None:
    """Nothing happens."""


def frozen(minute: int, town: Town, row: dict[str, float]) -> None:
    """From 03:30 the tank's level is one and the same, and its pump believes it."""
    if minute == 210:
        town.lies["tank"] = town.tank
    if minute > 210:
        row["tank/level"] = 3.456


def frozen_display(minute: int, _town: Town, row: dict[str, float]) -> None:
    """From 03:30 the published level is one and the same, but the pump knows better."""
    if minute > 210:
        row["tank/level"] = 3.456


def spoofed(minute: int, town: Town, _row: dict[str, float]) -> None:
    """From 03:30 the well's level is said to be low."""
    if minute == 210:
        town.lies["well"] = 0.4


def shut(minute: int, town: Town, _row: dict[str, float]) -> None:
    """From 03:30 the valve between tank and zone passes nothing."""
    town.shut = minute >= 210


def tripped(minute: int, town: Town, _row: dict[str, float]) -> None:
    """From 03:30 neither lift pump nor booster run."""
    if minute == 210:
        town.failed |= {"lift", "booster"}


def dark(minute: int, town: Town, _row: dict[str, float]) -> None:
    """From 03:30 to 05:00 all pumps are without power."""
    town.dark = {"pump", "lift", "booster"} if 210 <= minute < 300 else set()


def test_a_quiet_day_has_no_signs() -> None:
    """Pumps start and stop at their levels, and levels follow."""
    assert judged(day(quiet)) == []


def test_a_frozen_level_that_its_pump_believes_is_a_lie() -> None:
    """The pump goes on and on, since its level never gets there."""
    (sign,) = judged(day(frozen))
    assert (sign.asset, sign.condition, sign.cleared) == ("tank", "lying", None)
    assert abs(sign.onset - T0 - 210 * MINUTE) <= 2 * MINUTE


def test_a_frozen_level_that_its_pump_does_not_believe_is_the_sensors_own_fault() -> None:
    """The pump goes on starting and stopping: only what is published stands still."""
    assert judged(day(frozen_display)) == []


def test_a_spoofed_level_leaps_and_stands_still() -> None:
    """No inflow is as fast as that, and no well stands still."""
    (sign,) = judged(day(spoofed))
    assert (sign.asset, sign.condition, sign.onset, sign.cleared) == (
        "well",
        "lying",
        T0 + 210 * MINUTE,
        None,
    )


def test_a_shut_valve_leaves_the_level_and_takes_the_pressure() -> None:
    """The level stands still with all its noise; the zone's pressure doesn't."""
    (sign,) = judged(day(shut))
    assert (sign.asset, sign.condition, sign.places) == ("tank", "cut_off", (("valve", 1.0),))


@pytest.mark.parametrize("spike", [0.0, 13.0])
def test_one_wrong_reading_is_no_slope(spike: float) -> None:
    """A slow tank, no pressure beside it: by a spike it would seem to have moved, and to stand since."""
    sensors = tuple(one for one in CITY.sensors if one.id != "corner/pressure")
    (watcher,) = (
        one
        for one in level_watchers(CITY.model_copy(update={"sensors": sensors}))
        if "tank/level" in one.sensors
    )
    noise = np.random.default_rng(5)
    rows = [
        {"pump/run": 1.0, "pump/voltage": 1.0, "tank/level": 3.0 + 0.0013 * minute + noise.normal(0, 0.016)}
        for minute in range(240)
    ]
    rows[200]["tank/level"] += spike
    assert _of(watcher, rows, shuffled=False) == []


def test_pumps_that_stand_by_themselves() -> None:
    """One stands though its level asks for it, the other though it always runs."""
    signs = judged(day(tripped))
    assert [(sign.asset, sign.condition) for sign in signs] == [("lift", "stopped"), ("booster", "stopped")]
    assert all(210 <= (sign.onset - T0) // MINUTE <= 240 for sign in signs)


def test_a_pump_of_another_utility_empties_no_well() -> None:
    """A wrong link says that the booster does, which always runs: the well is its own pump's."""
    wrong = {"from": "well", "to": "booster", "relation": "drains_to"}
    links = [*(link.model_dump(mode="json", by_alias=True) for link in CITY.links), wrong]
    city = City.model_validate(CITY.model_dump(mode="json", by_alias=True) | {"links": links})
    assert pumps_of(city, "well") == ([], ["lift"])


def test_a_pump_whose_tank_the_model_does_not_know_is_told_once_at_the_most() -> None:
    """It runs for hours and stands for hours, and no level in the model asks it to: after the first time one
    knows that it doesn't always run.
    """
    links = tuple(link for link in CITY.links if (link.source, link.target) != ("pump", "tank"))
    watchers = level_watchers(CITY.model_copy(update={"links": links}))
    (watcher,) = (one for one in watchers if "pump/run" in one.sensors)
    rows = day(quiet, 1200)
    stood = sum(before["pump/run"] > row["pump/run"] for before, row in pairwise(rows))
    assert stood > 3
    assert len(_of(watcher, rows, shuffled=False)) <= 1


def test_pumps_without_power_are_nobodys_fault() -> None:
    """Nor are those that wait for their level when the power is back."""
    assert judged(day(dark)) == []


@pytest.mark.parametrize("trouble", [frozen, spoofed, shut, tripped])
def test_the_order_in_which_readings_come_changes_nothing(
    trouble: Callable[[int, Town, dict[str, float]], None],
) -> None:
    """What stands in the end is the same with everything up to 20 minutes late."""
    rows = day(trouble)
    known = [sign for sign in judged(rows) if sign.onset < T0 + 380 * MINUTE]
    assert [sign for sign in judged(rows, shuffled=True) if sign.onset < T0 + 380 * MINUTE] == known


def test_a_watchers_state_survives_json() -> None:
    """Kept and taken up again in the middle, it goes on as if nothing had been."""
    rows = day(frozen)
    for watcher in level_watchers(CITY):
        whole, first = Groups([watcher], LATE), Groups([watcher], LATE)
        for minute, row in enumerate(rows):
            at = T0 + minute * MINUTE
            if minute == 250:
                kept = json.loads(json.dumps(first.snapshot()))
                first = Groups([watcher], LATE)
                first.restore(kept)
            for group in (whole, first):
                for sensor in watcher.sensors:
                    group.hear(sensor, at, row[sensor])
            assert list(whole.pass_to(at)) == list(first.pass_to(at))


def test_what_stands_around_a_tank() -> None:
    """The valves that all its water passes, and the pressures behind them."""
    assert valves_at(CITY, "tank") == ["valve"]
    assert around(CITY, "tank") == ["corner"]
