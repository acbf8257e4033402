"""Stories of a low zone that the works feed and a high one behind a pump, with a tank."""

import json
import random
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest

from schemas.city import City
from schemas.times import MINUTE
from streams.groups import Groups, Sign
from streams.hydraulics import Mains, inlet, outlet, parts
from streams.zones import ZoneWatch, zone_watchers

LATE = 30 * MINUTE
T0 = 1_750_000_200_000 - 1_750_000_200_000 % (5 * MINUTE)
AREA_M2, NOISE_M = 60.0, 0.015
MEASURED = ("l1", "l4", "l6", "h1", "h3")
LOW, HIGH = ("l1", "l2", "l3", "l4", "l5", "l6"), ("h1", "h2", "h3", "h4")
RINGS = (("l1", "l2", "l3", "l4", "l5", "l6"), ("h1", "h2", "h3", "h4"))
BESIDE = {ring[at]: (ring[at - 1], ring[(at + 1) % len(ring)]) for ring in RINGS for at in range(len(ring))}


def _asset(name: str, utility: str, kind: str, **properties: float) -> dict[str, Any]:
    return {"id": name, "utility": utility, "kind": kind, "zone": "a", "properties": properties}


def _main(one: str, other: str, diameter_mm: float = 200.0, length_m: float = 800.0) -> dict[str, Any]:
    measures = {"length_m": length_m, "diameter_mm": diameter_mm}
    return {"from": one, "to": other, "relation": "supplies", "properties": measures}


def _link(one: str, relation: str, other: str) -> dict[str, Any]:
    return {"from": one, "to": other, "relation": relation}


def _sensor(name: str, quantity: str, unit: str) -> dict[str, Any]:
    return {"asset": name, "quantity": quantity, "unit": unit, "every": 60}


DRAWING: dict[str, Any] = {
    "city": "smallton",
    "timezone": "UTC",
    "assets": [
        _asset("works", "water", "treatment_works"),
        _asset("pump", "water", "pump"),
        _asset("tank", "water", "tank", area_m2=AREA_M2),
        *(_asset(name, "water", "junction") for name in (*LOW, *HIGH)),
        _asset("zone-low", "water", "pressure_zone"),
        _asset("rain", "storm", "catchment"),
        *(_asset(name, "storm", "inlet") for name in ("in-2", "in-3")),
        *(_asset(name, "storm", "storm_manhole") for name in ("storm-2", "storm-3")),
    ],
    "links": [
        _main("works", "l1", 300.0, 100.0),
        *(_main(one, other) for ring in RINGS for one, other in zip(ring, (*ring[1:], ring[0]), strict=True)),
        _main("l6", "pump", 300.0, 100.0),
        _main("pump", "h1", 300.0, 100.0),
        _main("tank", "h3", 300.0, 100.0),
        *(_link("zone-low", "serves", junction) for junction in LOW),
        _link("l2", "near", "in-2"),
        _link("l3", "near", "in-3"),
        _link("in-2", "drains_to", "storm-2"),
        _link("in-3", "drains_to", "storm-3"),
        _link("storm-2", "drains_to", "storm-3"),
    ],
    "sensors": [
        *(_sensor(name, "flow", "L/s") for name in ("works", "pump")),
        *(_sensor(name, "voltage", "pu") for name in ("works", "pump")),
        _sensor("tank", "level", "m"),
        *(_sensor(name, "pressure", "m") for name in MEASURED),
        *(_sensor(name, "depth", "m") for name in ("storm-2", "storm-3")),
        _sensor("rain", "rain", "mm/h"),
    ],
}
CITY = City.model_validate(DRAWING)


class Town:
    """The city by minutes. Demand swings by a third; the pump fills the tank from 2 to 3 m."""

    def __init__(self, minutes: int, draws: Mapping[str, np.ndarray] | None = None, *, seed: int = 1) -> None:
        self.draws = draws or {}
        rng = np.random.default_rng(seed)
        self.high, self.low = sorted(parts(CITY), key=lambda part: part.junctions)
        clock = np.arange(minutes)
        swing = 1 + 0.33 * np.sin(2 * np.pi * clock / 720)
        self.values = {sensor.id: np.zeros(minutes) for sensor in CITY.sensors}
        level, runs = 2.5, False
        for minute in range(minutes):
            runs = level < 2.0 or (runs and level < 3.0)
            self.values["tank/level"][minute] = level
            level += self._minute(minute, float(swing[minute]), 35.0 if runs else 0.0, level)
        noise = {
            "flow": 0.5,
            "level": NOISE_M,
            "pressure": 0.15,
            "voltage": 0.002,
            "depth": 0.004,
            "rain": 0.0,
        }
        for sensor in self.values:
            self.values[sensor] += rng.normal(0, 1, minutes) * noise[sensor.split("/")[1]]

    def _minute(self, minute: int, swing: float, pumped: float, level: float) -> float:
        """Fill a minute in; how much the tank rises."""
        low, high = 30.0 * swing, 14.0 * swing
        drawn = {name: float(lps[minute]) for name, lps in self.draws.items()}
        low_drawn = sum(lps for name, lps in drawn.items() if name in LOW)
        high_drawn = sum(lps for name, lps in drawn.items() if name in HIGH)
        given = low + low_drawn + pumped
        self._fill(minute, self.low, low, {"works": given, inlet("pump"): -pumped}, drawn, "works", 60.0)
        kept = pumped - high - high_drawn
        self._fill(
            minute, self.high, high, {outlet("pump"): pumped, "tank": -kept}, drawn, "tank", 37.5 + level
        )
        for sensor, value in (
            ("works/flow", given),
            ("pump/flow", pumped),
            ("works/voltage", 1),
            ("pump/voltage", 1),
        ):
            self.values[sensor][minute] = value
        for manhole, junctions in (("storm-2", ("l2",)), ("storm-3", ("l2", "l3"))):
            self.values[f"{manhole}/depth"][minute] = 0.002 * sum(drawn.get(name, 0) for name in junctions)
        return kept * 60 / 1000 / AREA_M2

    def _fill(
        self,
        minute: int,
        part: Mains,
        demand: float,
        given: Mapping[str, float],
        drawn: Mapping[str, float],
        foot: str,
        head: float,
    ) -> None:
        inflows = np.array(
            [
                given.get(node, 0.0)
                - (demand / len(part.junctions) + drawn.get(node, 0.0) if node in part.junctions else 0.0)
                for node in part.nodes
            ]
        )
        heads = part.heads(inflows[None])[0]
        for junction in part.junctions:
            if junction in MEASURED:
                above = heads[part.nodes.index(junction)] - heads[part.nodes.index(foot)]
                self.values[f"{junction}/pressure"][minute] = head + above

    def readings(self) -> list[tuple[str, int, float]]:
        """Sensor, time, value, in the order of time; what is NaN was never sent."""
        return [
            (sensor, T0 + minute * MINUTE, round(float(values[minute]), 3))
            for minute in range(len(self.values["tank/level"]))
            for sensor, values in self.values.items()
            if np.isfinite(values[minute])
        ]


def heard(readings: Iterable[tuple[str, int, float]], until: int, city: City = CITY) -> list[Sign]:
    """What stands in the end, of readings in the order of their arrival."""
    group = Groups([ZoneWatch(city)], LATE)
    told: dict[tuple[str, str, int], Sign] = {}
    now = T0
    for sensor, at, value in readings:
        group.hear(sensor, at, value)
        if at > now:
            now = at
            _note(told, group, now)
    _note(told, group, until)
    return [told[key] for key in sorted(told)]


def _note(told: dict[tuple[str, str, int], Sign], group: Groups, now: int) -> None:
    for sign, _, gone in group.pass_to(now):
        key = sign.asset, sign.condition, sign.onset
        told.pop(key, None)
        if not gone:
            told[key] = sign


def signs(town: Town) -> list[Sign]:
    """What stands in the end of a day in order."""
    minutes = len(town.values["tank/level"])
    return heard(town.readings(), T0 + minutes * MINUTE)


def steady(lps: float, since: int, until: int, minutes: int) -> np.ndarray:
    """A draw from one minute to another."""
    clock = np.arange(minutes)
    return np.where((clock >= since) & (clock < until), lps, 0.0)


def growing(lps: float, since: int, minutes: int, over: int = 150) -> np.ndarray:
    """A draw that grows."""
    return np.clip((np.arange(minutes) - since) / over, 0, 1) * lps


def test_quiet_hours_tell_nothing() -> None:
    """Ten hours with a swing of demand, and a pump that starts and stops."""
    town = Town(600)
    assert (np.abs(np.diff(town.values["pump/flow"])) > 20).sum() >= 3  # the story is worth something
    assert signs(town) == []


@pytest.mark.parametrize("where", ["l4", "h1", "h3"])
def test_burst_is_told_and_placed(where: str) -> None:
    """A main bursts where there is a sensor: the zone and the place within twenty minutes."""
    (sign,) = signs(Town(180, {where: steady(30.0, 157, 180, 180)}))
    assert sign.condition == "excess_draw"
    assert sign.asset == ("zone-low" if where in LOW else "tank")
    assert abs(sign.onset - (T0 + 157 * MINUTE)) <= 10 * MINUTE
    assert sign.places[0] == (where, 1.0)
    assert sign.cleared is None


def test_burst_that_is_mended_is_over() -> None:
    """The sign ends when the draw does."""
    (sign,) = signs(Town(300, {"l4": steady(30.0, 150, 240, 300)}))
    assert sign.cleared is not None
    assert abs(sign.cleared - (T0 + 240 * MINUTE)) <= 10 * MINUTE


def test_burst_is_told_while_the_neighbour_is_dry() -> None:
    """The high zone's tank is empty; what the low one takes is metered all the same."""
    town = Town(180, {"l4": steady(30.0, 157, 180, 180)})
    town.values["tank/level"] -= town.values["tank/level"].max() - 0.28
    (sign,) = signs(town)
    assert (sign.asset, sign.condition) == ("zone-low", "excess_draw")


@pytest.mark.parametrize(("minutes", "told"), [(1, False), (100, True)], ids=["at once", "little by little"])
def test_a_drain_that_rose_at_once_is_no_leaks(minutes: int, told: bool) -> None:
    """Demand grows by less than what would be told: a drain that grows with it tells of a leak, else none."""
    town = Town(400, {"l4": growing(13.0, 200, 400)})
    town.values["storm-3/depth"] += growing(0.1, 210, 400, minutes)
    assert bool(signs(town)) is told


def test_flushing_is_no_sign() -> None:
    """Eight litres a second for half an hour are everyday work."""
    assert signs(Town(300, {"l4": steady(8.0, 150, 180, 300)})) == []


def test_leak_is_told_while_it_grows() -> None:
    """A leak grows to 30 L/s in two and a half hours."""
    (sign,) = signs(Town(400, {"h4": growing(30.0, 180, 400)}))
    assert (sign.asset, sign.condition) == ("tank", "growing_draw")
    assert abs(sign.onset - (T0 + 180 * MINUTE)) < 50 * MINUTE
    assert "h4" in dict(sign.places)


@pytest.mark.parametrize(
    ("where", "passed_by", "beyond"), [("l2", {"storm-2", "storm-3"}, "l4"), ("l3", {"storm-3"}, "l1")]
)
def test_wet_drain_tells_neighbours_apart(where: str, passed_by: set[str], beyond: str) -> None:
    """Pressures hardly tell l2 from l3; the drain that stays dry does: who begins at the first place sees it,
    and hardly anybody looks beyond the other one.
    """
    town = Town(190, {where: steady(30.0, 150, 190, 190)})
    assert {name for name in ("storm-2", "storm-3") if town.values[f"{name}/depth"][-1] > 0.03} == passed_by
    (sign,) = signs(town)
    first, _ = sign.places[0]
    assert where in (first, *BESIDE[first])
    assert dict(sign.places).get(beyond, 0.0) < 0.3


def test_rain_silences_drains() -> None:
    """A drain that rises in the rain says nothing of mains."""
    town = Town(190, {"l4": steady(30.0, 150, 190, 190)})
    town.values["storm-3/depth"][150:] += 0.3
    town.values["rain/rain"][140:] = 5.0
    (sign,) = signs(town)
    assert sign.places[0] == ("l4", 1.0)


def test_power_cut_and_restart_tell_nothing() -> None:
    """Works and pump stand for an hour; then all is as it was."""
    town = Town(420)
    for name in ("works", "pump"):
        town.values[f"{name}/voltage"][200:260] = 0.0
        town.values[f"{name}/flow"][200:260] = 0.0
    assert signs(town) == []


def test_level_that_stands_still_tells_nothing() -> None:
    """A frozen level says that the tank keeps nothing; it is not believed, nor when it wakes up."""
    town = Town(420)
    town.values["tank/level"][200:290] = town.values["tank/level"][200]
    assert signs(town) == []


def test_level_that_leaps_tells_nothing() -> None:
    """A level that lies by a metre is no demand."""
    town = Town(420)
    town.values["tank/level"][200:] -= 1.0
    assert signs(town) == []


def test_water_past_a_meter_is_no_draw() -> None:
    """What the low zone takes more and the high zone less at the same time went past the pump's meter."""
    town = Town(270)
    town.values["works/flow"][200:] += 14.0
    town.values["tank/level"][200:] += np.arange(1, 71) * 14.0 * 60 / 1000 / AREA_M2
    assert signs(town) == []


def test_spikes_are_no_draw() -> None:
    """One value in twelve of a meter is three times too high."""
    town = Town(300)
    town.values["works/flow"][150::12] *= 3
    assert signs(town) == []


def test_lost_meter_is_no_draw() -> None:
    """A meter is not heard for an hour."""
    town = Town(300)
    town.values["pump/flow"][150:210] = np.nan
    assert signs(town) == []


def test_order_of_arrival_does_not_matter() -> None:
    """One reading in twenty comes up to twenty minutes late: the same signs."""
    town = Town(260, {"l4": steady(30.0, 150, 230, 260)})
    chance = random.Random(5)
    order = sorted(
        town.readings(),
        key=lambda one: one[1] + (chance.randrange(20) * MINUTE if chance.random() < 0.05 else 0),
    )
    assert heard(order, T0 + 260 * MINUTE) == signs(town)


def test_goes_on_from_a_snapshot() -> None:
    """A snapshot as JSON, in the midst of a burst, changes nothing."""
    town = Town(220, {"l4": steady(30.0, 150, 220, 220)})
    whole, first = Groups([ZoneWatch(CITY)], LATE), Groups([ZoneWatch(CITY)], LATE)
    readings = town.readings()
    for sensor, at, value in readings:
        whole.hear(sensor, at, value)
        if at < T0 + 185 * MINUTE:
            first.hear(sensor, at, value)
    told: dict[tuple[str, str, int], Sign] = {}
    _note(told, first, T0 + 185 * MINUTE)
    second = Groups([ZoneWatch(CITY)], LATE)
    second.restore(json.loads(json.dumps(first.snapshot())))
    for sensor, at, value in readings:
        if at >= T0 + 185 * MINUTE:
            second.hear(sensor, at, value)
    _note(told, second, T0 + 220 * MINUTE)
    straight: dict[tuple[str, str, int], Sign] = {}
    _note(straight, whole, T0 + 220 * MINUTE)
    assert told == straight
    assert straight


def test_zone_whose_demand_jumps_with_a_pump_is_not_believed() -> None:
    """The model knows a main between the zones that isn't there, and not that of the tank: each start of the
    pump would look like a burst. From the second on it is told that the model is wrong.
    """
    links = [link for link in DRAWING["links"] if (link["from"], link["to"]) != ("tank", "h3")]
    city = City.model_validate(DRAWING | {"links": [*links, _main("l1", "h1")]})
    town = Town(900)
    told = heard(town.readings(), T0 + 900 * MINUTE, city)
    assert int((np.diff(town.values["pump/flow"]) > 20).sum()) > 4
    assert [(sign.condition, sign.cleared) for sign in told] == [("unlike_model", None)]
    assert heard(town.readings(), T0 + 900 * MINUTE) == []


def test_a_zone_by_itself_may_have_a_morning() -> None:
    """A wrong link makes one zone of two. That demand doubles in an hour is told where the other zone tells
    that it is no morning; by itself it may be one. A burst is told all the same.
    """
    one = City.model_validate(DRAWING | {"links": [*DRAWING["links"], _main("l1", "h1")]})
    morning = Town(600, {"l2": growing(44, 300, 600, over=60)}).readings()
    assert heard(morning, T0 + 600 * MINUTE, one) == []
    assert heard(morning, T0 + 600 * MINUTE) != []
    burst = Town(600, {"l2": steady(60, 300, 600, 600)}).readings()
    assert [sign.condition for sign in heard(burst, T0 + 600 * MINUTE, one)] == ["excess_draw"]


def test_city_without_meters_has_no_watcher() -> None:
    """Where nobody measures what flows in, or how large a tank is, there is no balance."""
    bare = City.model_validate({**DRAWING, "sensors": [_sensor("l1", "pressure", "m")]})
    assert zone_watchers(bare) == []
    unknown = [one if one["id"] != "tank" else _asset("tank", "water", "tank") for one in DRAWING["assets"]]
    (watch,) = zone_watchers(City.model_validate({**DRAWING, "assets": unknown}))
    assert "tank/level" not in watch.sensors
