"""Stories of drains and sewers: what enters, what is held up, what comes from the river, what leaks in."""

import json
import random
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from schemas.city import City
from schemas.times import HOUR, MINUTE
from streams.drains import Rain, after_rain, drain_watchers, is_dry, is_heavy, reaches, shape_of
from streams.groups import Groups, Sign, Watcher
from streams.sewers import sewer_watchers

LATE = 30 * MINUTE
T0 = 1_750_000_020_000 - 1_750_000_020_000 % HOUR

Depth = Callable[[int], float]
"""What a sensor tells, by minute."""
Key = tuple[str, str]

STORM = (
    [f"storm-{number}" for number in range(1, 7)],
    [f"inlet-{number}" for number in range(1, 7)],
)
FOUL = [f"manhole-{number}" for number in range(1, 5)]


def _city() -> City:
    """Six storm manholes and an outfall, measured at 2, 4, 6; four foul ones and a wet well, at 2 and 3."""
    assets = [("rain", "storm", "catchment"), ("outfall", "storm", "outfall"), ("well", "sewage", "wet_well")]
    assets += [(name, "storm", "storm_manhole") for name in STORM[0]]
    assets += [(name, "storm", "inlet") for name in STORM[1]]
    assets += [(name, "sewage", "manhole") for name in FOUL]
    assets += [(f"sewer-{number}", "sewage", "sewer") for number in range(1, 5)]
    assets += [("lift", "sewage", "pump"), ("works", "sewage", "treatment_works")]
    ways = [("rain", inlet) for inlet in STORM[1]]
    ways += list(zip(STORM[1], STORM[0], strict=True))
    ways += list(zip(STORM[0], [*STORM[0][1:], "outfall"], strict=True))
    for number, name in enumerate(FOUL, 1):
        ways += [(name, f"sewer-{number}"), (f"sewer-{number}", [*FOUL, "well"][number])]
    ways += [("well", "lift")]
    sizes = {"well": {"area_m2": 28.0}, "lift": {"rated_lps": 75.0}}
    depth = {"quantity": "depth", "unit": "m", "every": 120, "limits": {"high": 0.2}, "deadband": 0.024}
    return City.model_validate(
        {
            "city": "smallton",
            "timezone": "UTC",
            "assets": [
                {"id": name, "utility": utility, "kind": kind, "zone": "a", "properties": sizes.get(name, {})}
                for name, utility, kind in assets
            ],
            "links": [
                *({"from": source, "to": target, "relation": "drains_to"} for source, target in ways),
                {"from": "lift", "to": "works", "relation": "lifts_to"},
            ],
            "sensors": [
                *({"asset": f"storm-{number}", **depth} for number in (2, 4, 6)),
                *({"asset": f"manhole-{number}", **depth} for number in (2, 3)),
                {
                    "asset": "inlet-3",
                    "quantity": "ponding",
                    "unit": "m",
                    "every": 120,
                    "limits": {"high": 0.05},
                    "deadband": 0.012,
                },
                {
                    "asset": "rain",
                    "quantity": "rain",
                    "unit": "mm/h",
                    "every": 300,
                    "limits": {"high": 15.0},
                },
                {"asset": "well", "quantity": "level", "unit": "m", "every": 60, "limits": {"high": 1.84}},
                {"asset": "lift", "quantity": "flow", "unit": "L/s", "every": 60},
                {"asset": "lift", "quantity": "voltage", "unit": "pu", "every": 60, "limits": {"low": 0.92}},
            ],
        }
    )


CITY = _city()
EVERY = {sensor.id: round(sensor.every / 60) for sensor in CITY.sensors}
SIGMA = {"depth": 0.008, "ponding": 0.004, "level": 0.015}


class Day:
    """Some hours of Smallton: dry and quiet, but for what a story changes."""

    def __init__(self, hours: int = 5) -> None:
        self.minutes = 60 * hours
        self.told: dict[str, Depth] = dict.fromkeys(EVERY, lambda _: 0.0)
        self.told |= {"manhole-2/depth": lambda _: 0.08, "manhole-3/depth": lambda _: 0.1}
        self.told |= {"lift/voltage": lambda _: 1.0}
        self.inflow: Depth = lambda _: 30.0

    def readings(self) -> list[tuple[str, int, float]]:
        """Everything the sensors tell: sensor, minute, value with its noise."""
        throw = np.random.default_rng(1)
        level, runs, found = 1.0, False, []
        for minute in range(self.minutes):
            flow = 75.0 if runs else 0.0
            level += (self.inflow(minute) - flow) * 0.06 / 28.0
            now = {name: told(minute) for name, told in self.told.items()}
            now |= {"well/level": level, "lift/flow": flow}
            runs = level > 1.5 or (runs and level > 0.6)
            for sensor, value in now.items():
                if minute % EVERY[sensor] == 0:
                    sigma = SIGMA.get(sensor.split("/")[1], 0.0)
                    found.append((sensor, minute, max(value + float(throw.normal(0, sigma)), 0.0)))
        return found

    def rains(self, at: int, peak: float = 9.0, minutes: int = 90) -> None:
        """A shower; storm drains fill to a shape that goes with the inlets above, and empty slowly."""
        self.told["rain/rain"] = lambda minute: peak * _triangle(minute - at, minutes)
        for number in (2, 4, 6):
            self.told[f"storm-{number}/depth"] = self._wet(at, 0.09 * number**0.375)
        self.told["inlet-3/ponding"] = self._wet(at, 0.03)

    def _wet(self, at: int, most: float) -> Depth:
        return lambda minute: most * _filled(minute - at)


def _triangle(since: int, minutes: int) -> float:
    third = minutes / 3
    return float(np.clip(min(since / third, (minutes - since) / (2 * third)), 0, 1))


def _filled(since: int) -> float:
    """How full a drain is: it fills from 20 to 50 minutes after the rain began, and empties in two hours."""
    return float(np.interp(since, [20, 50, 80, 200, 260], [0, 1, 0.95, 0.3, 0]))


def _from(at: int, usual: float, risen: float, over: int = 1) -> Depth:
    """A value that goes from one to another within some minutes."""
    return lambda minute: float(np.interp(minute, [at, at + over], [usual, risen]))


def _signs(watchers: Iterable[Watcher], day: Day, shuffled: random.Random | None = None) -> dict[Key, Sign]:
    """What the watchers told in the end, by asset and condition, the newest; with late readings if asked."""
    arrivals = sorted(
        (
            minute + (shuffled.randrange(20) if shuffled and shuffled.random() < 0.1 else 0),
            n,
            sensor,
            minute,
            value,
        )
        for n, (sensor, minute, value) in enumerate(day.readings())
    )
    found: dict[Key, Sign] = {}
    for watcher in watchers:
        group = Groups([watcher], LATE)
        kept: dict[tuple[str, str, int], Sign] = {}
        waiting = [one for one in arrivals if one[2] in watcher.sensors]
        for minute in range(day.minutes + 30):
            while waiting and waiting[0][0] <= minute:
                _, _, sensor, at, value = waiting.pop(0)
                group.hear(sensor, T0 + at * MINUTE, value)
            for told in group.pass_to(T0 + (minute + 1) * MINUTE):
                key = told.sign.asset, told.sign.condition, told.sign.onset
                kept.pop(key, None)
                if not told.gone:
                    kept[key] = told.sign
            if minute == day.minutes // 2:  # a snapshot in between changes nothing
                state = json.loads(json.dumps(group.snapshot()))
                group = Groups([watcher], LATE)
                group.restore(state)
        found |= {(sign.asset, sign.condition): sign for sign in sorted(kept.values(), key=lambda s: s.onset)}
    return found


def _lateness(throw: random.Random | None) -> int:
    return throw.randrange(20) if throw and throw.random() < 0.1 else 0


def _minute(sign: Sign) -> int:
    return (sign.onset - T0) // MINUTE


def test_reaches_say_for_which_part_a_measured_manhole_speaks() -> None:
    """What enters above it shows at it first; what is held up below it backs up to it first."""
    found = reaches(CITY, "storm_manhole")
    assert list(found) == ["storm-2", "storm-4", "storm-6"]
    assert found["storm-4"].above == ("storm-2",)
    assert found["storm-4"].below == "storm-6"
    assert found["storm-4"].enters == ("storm-4", "storm-3")
    assert found["storm-4"].holds == ("storm-4", "storm-5")
    assert found["storm-4"].end == "outfall"
    assert found["storm-4"].inlets == 4
    assert reaches(CITY, "manhole")["manhole-3"].holds == (
        "manhole-3",
        "sewer-3",
        "manhole-4",
        "sewer-4",
    )


def test_rain_makes_wet_heavy_and_dry_again() -> None:
    """Three hours after the last rain drains are dry; a gauge that says nothing tells nothing."""
    heavy = [15.0]
    rain = after_rain(Rain(), np.array([[0.0]]), heavy, T0)
    assert is_dry(rain, T0)
    assert not is_dry(rain, T0 + HOUR)
    rain = after_rain(rain, np.array([[30.0]]), heavy, T0 + MINUTE)
    assert is_heavy(rain, T0 + HOUR)
    assert not is_dry(after_rain(rain, np.array([[0.0]]), heavy, T0 + 2 * HOUR), T0 + 2 * HOUR)
    later = after_rain(rain, np.array([[0.0]]), heavy, T0 + 4 * HOUR)
    assert is_dry(later, T0 + 4 * HOUR)
    assert not is_heavy(later, T0 + 4 * HOUR)


def test_a_step_and_a_slope_differ() -> None:
    """What came at once is a step; what still comes evenly after twenty minutes is a slope."""
    step = np.r_[np.zeros(10), np.full(22, 0.15)]
    slope = np.r_[np.zeros(10), np.linspace(0, 0.25, 22)]
    assert shape_of(step, 0.0, 22) == "step"
    assert shape_of(slope, 0.0, 22) == "slope"
    assert shape_of(slope, 0.0, 5) is None


def test_a_quiet_day_and_its_shower_tell_nothing() -> None:
    """Noise, strokes of the lift pump and a shower that fills all drains alike are everyday life."""
    assert _signs([*drain_watchers(CITY), *sewer_watchers(CITY)], Day()) == {}
    wet = Day(8)
    wet.rains(120)
    assert _signs([*drain_watchers(CITY), *sewer_watchers(CITY)], wet) == {}


def test_water_in_a_dry_drain_is_a_discharge_where_it_shows_first() -> None:
    """It shows at 4 and then at 6, and not at 2: it enters at 4 or 3."""
    day = Day()
    day.told |= {"storm-4/depth": _from(120, 0, 0.15), "storm-6/depth": _from(130, 0, 0.15)}
    found = _signs(drain_watchers(CITY), day)
    assert _minute(found["storm-4", "depth_rise"]) == pytest.approx(120, abs=3)
    assert [name for name, _ in found["storm-4", "discharge_pattern"].places] == ["storm-4", "storm-3"]
    assert ("storm-6", "depth_rise") in found
    assert ("storm-6", "discharge_pattern") not in found


def test_a_slow_rise_at_the_outfall_is_the_river() -> None:
    """The last manhole rises evenly, the one above it an hour later: the river stands in the outfall."""
    day = Day()
    day.told |= {"storm-6/depth": _from(120, 0, 1.5, 150), "storm-4/depth": _from(200, 0, 0.7, 70)}
    found = _signs(drain_watchers(CITY), day)
    assert found["storm-6", "backwater_pattern"].places == (("outfall", 1.0),)
    assert {condition for asset, condition in found if asset == "storm-4"} == {"depth_rise"}


def test_a_step_at_the_outfall_is_a_discharge() -> None:
    """The same manhole, but the water came at once."""
    day = Day()
    day.told["storm-6/depth"] = _from(120, 0, 0.15, 2)
    sign = _signs(drain_watchers(CITY), day)["storm-6", "discharge_pattern"]
    assert (sign.places[0], sign.places[-1]) == (("storm-6", 1.0), ("outfall", 0.3))


def test_a_small_step_at_the_outfall_may_be_a_river_that_stopped() -> None:
    """Nothing is measured below that could tell them apart."""
    day = Day()
    day.told["storm-6/depth"] = _from(120, 0, 0.05, 2)
    sign = _signs(drain_watchers(CITY), day)["storm-6", "discharge_pattern"]
    assert sign.places[-1] == ("outfall", 0.8)


def test_rain_that_backs_up_in_one_place_is_a_blockage() -> None:
    """In rain 4 rises beyond the others' shape and 6 stays lower: flow is held up between them."""
    day = Day(8)
    day.rains(120)
    day.told["storm-4/depth"] = _from(145, 0, 1.2, 60)
    day.told["storm-6/depth"] = lambda minute: 0.09 * 2**0.375 * _filled(minute - 120)
    found = _signs(drain_watchers(CITY), day)
    assert found["storm-4", "blockage_pattern"].places[0] == ("storm-4", 1.0)
    assert 150 < _minute(found["storm-4", "blockage_pattern"]) < 190


def test_water_that_stays_on_the_street_is_a_blocked_inlet() -> None:
    """The drains empty after the shower, the street does not."""
    day = Day(8)
    day.rains(120)
    day.told["inlet-3/ponding"] = _from(150, 0, 0.05, 60)
    found = _signs(drain_watchers(CITY), day)
    assert found["inlet-3", "blockage_pattern"].places == (("inlet-3", 1.0),)
    assert ("inlet-3", "ponding_rise") in found


def test_heavy_rain_tells_nothing() -> None:
    """A full drain has no shape."""
    day = Day(8)
    day.rains(120, peak=60.0)
    day.told["storm-4/depth"] = _from(145, 0, 1.2, 60)
    assert _signs(drain_watchers(CITY), day) == {}


def test_a_rise_at_both_manholes_of_a_sewer_is_a_discharge() -> None:
    """The upper one rises first, the lower one and the wet well's inflow follow."""
    day = Day()
    day.told |= {"manhole-2/depth": _from(120, 0.08, 0.2), "manhole-3/depth": _from(126, 0.1, 0.2)}
    day.inflow = _from(135, 30, 80)
    found = _signs(sewer_watchers(CITY), day)
    assert [name for name, _ in found["manhole-2", "discharge_pattern"].places] == ["manhole-2", "manhole-1"]
    assert ("manhole-3", "discharge_pattern") not in found


def test_a_rise_above_and_a_fall_below_is_a_blockage_between() -> None:
    """What rises at 2 and doesn't come to 3 is held up at 2 or behind it."""
    day = Day()
    day.told |= {"manhole-2/depth": _from(120, 0.08, 1.0, 20), "manhole-3/depth": _from(120, 0.1, 0.06, 10)}
    day.inflow = _from(130, 30, 15)
    found = _signs(sewer_watchers(CITY), day)
    assert found["manhole-2", "blockage_pattern"].places[0] == ("manhole-2", 1.0)
    assert ("manhole-3", "depth_rise") not in found


def test_the_wet_well_tells_whether_the_last_manhole_is_backed_up() -> None:
    """The last measured manhole rises. The wet well gets more: a discharge; or less: a blockage."""
    more, less = Day(), Day()
    for day in (more, less):
        day.told["manhole-3/depth"] = _from(120, 0.1, 0.25, 4)
    more.inflow, less.inflow = _from(125, 30, 80), _from(120, 30, 8)
    assert ("manhole-3", "discharge_pattern") in _signs(sewer_watchers(CITY), more)
    assert ("manhole-3", "blockage_pattern") in _signs(sewer_watchers(CITY), less)


def test_inflow_that_no_manhole_shows_enters_below_the_last_one() -> None:
    """The manholes stay as they are and the wet well gets twice as much."""
    day = Day()
    day.inflow = _from(120, 30, 72)
    found = _signs(sewer_watchers(CITY), day)
    assert [name for name, _ in found["well", "discharge_pattern"].places] == [
        "well",
        "sewer-4",
        "manhole-4",
        "sewer-3",
    ]


def test_a_morning_in_which_all_rises_tells_nothing() -> None:
    """Demand that doubles in an hour lifts depths by 1.4."""
    day = Day(6)
    day.told |= {
        "manhole-2/depth": _from(120, 0.05, 0.1, 120),
        "manhole-3/depth": _from(120, 0.06, 0.12, 120),
    }
    day.inflow = _from(120, 12, 48, 120)
    assert _signs(sewer_watchers(CITY), day) == {}


class Unheard(Day):
    """A day of which a gateway loses two hours of the manholes."""

    def readings(self) -> list[tuple[str, int, float]]:
        """All but what was lost."""
        lost = {"manhole-2/depth", "manhole-3/depth"}
        return [one for one in super().readings() if one[0] not in lost or not 150 <= one[1] < 270]


def test_what_grew_while_nobody_heard_it_is_no_rise() -> None:
    """When a manhole is heard again, what was usual two hours ago is no measure."""
    day = Unheard(7)
    day.told |= {
        "manhole-2/depth": _from(150, 0.05, 0.12, 120),
        "manhole-3/depth": _from(150, 0.06, 0.13, 120),
    }
    assert _signs(sewer_watchers(CITY), day) == {}


def test_a_sewer_that_rises_with_the_rain_takes_it_in() -> None:
    """The lower manhole rises half an hour into the rain, the upper one doesn't: it leaks in between."""
    day = Day(6)
    day.rains(120)
    day.told["manhole-3/depth"] = _from(145, 0.1, 0.2, 40)
    day.inflow = _from(155, 30, 70, 40)
    found = _signs(sewer_watchers(CITY), day)
    assert found["manhole-3", "infiltration_pattern"].places[0] == ("manhole-3", 1.0)
    assert not {condition for asset, condition in found if asset == "manhole-2"}


def test_a_hump_that_came_and_went_with_a_shower_was_its_water() -> None:
    """At once it might be the morning; later both its sides are known. It may be from the head on."""
    day = Day(8)
    day.rains(120)
    day.told["manhole-2/depth"] = lambda minute: float(np.interp(minute, [140, 160, 190, 220], HUMP))
    found = _signs(sewer_watchers(CITY), day)
    sign = found["manhole-2", "infiltration_pattern"]
    assert (sign.places[0], 145 <= _minute(sign) <= 165) == (("manhole-2", 1.0), True)
    assert ("manhole-2", "depth_rise") in found


HUMP = [0.08, 0.13, 0.13, 0.08]
"""Too little to be told at once where nothing can be compared with: a morning may bring as much."""


def test_a_rise_that_stays_after_the_shower_is_no_hump() -> None:
    """Demand grew meanwhile."""
    day = Day(8)
    day.rains(120)
    day.told["manhole-2/depth"] = _from(140, 0.08, 0.13, 60)
    assert _signs(sewer_watchers(CITY), day) == {}


def test_strokes_that_the_model_does_not_have_are_no_discharges() -> None:
    """A station pumps in every fifty minutes, and its link is not in the model. The manhole is told to be
    unlike its model, and is watched as one with strokes: only what goes beyond them is news.
    """
    day = Day(9)

    def stroke(minute: int) -> float:
        return 0.08 if minute % 50 < 12 else 0.0

    day.told |= {
        "manhole-2/depth": lambda minute: 0.08 + stroke(minute) + (0.25 if minute > 420 else 0.0),
        "manhole-3/depth": lambda minute: 0.1 + stroke(minute - 6) + (0.25 if minute > 426 else 0.0),
    }
    found = _signs(sewer_watchers(CITY), day)
    assert {sign.condition for sign in found.values() if _minute(sign) < 400} == {"unlike_model"}
    assert found["manhole-2", "unlike_model"].cleared is None
    assert _minute(found["manhole-2", "discharge_pattern"]) > 400


def test_backwater_from_a_wet_well_without_its_pump_is_no_blockage() -> None:
    """The lift pump has no voltage, the well fills, and the manholes rise from below: nothing new."""
    day = Day()
    day.told["lift/voltage"] = lambda minute: 1.0 if minute < 120 else 0.0
    day.told |= {"manhole-3/depth": _from(150, 0.1, 0.6, 30), "manhole-2/depth": _from(170, 0.08, 0.5, 30)}
    assert _signs(sewer_watchers(CITY), day) == {}


@pytest.mark.parametrize("seed", [1, 2])
def test_late_readings_tell_the_same(seed: int) -> None:
    """One reading in ten comes up to twenty minutes late; what stands in the end is the same."""
    day = Day(4)
    day.told |= {
        "storm-4/depth": _from(120, 0, 0.15),
        "manhole-2/depth": _from(120, 0.08, 1.0, 20),
        "manhole-3/depth": _from(120, 0.1, 0.06, 10),
    }
    watchers: list[Watcher] = [*drain_watchers(CITY), *sewer_watchers(CITY)]
    assert _signs(watchers, day, random.Random(seed)) == _signs(watchers, day)


def test_no_rain_gauge_no_watcher() -> None:
    """Without rain nobody knows what is dry."""
    city = CITY.model_copy(update={"sensors": tuple(s for s in CITY.sensors if s.quantity != "rain")})
    assert drain_watchers(city) == []
    assert sewer_watchers(city) == []
