"""Physics is real: each kind of injection against its twin, in metres and litres; and what a cut link stops.

All days are a Wednesday of Riverton without the accidents of everyday life, so that what departs from the
twin has one cause. Times are UTC, as in a scenario.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.city import Relation
from simulator.making import rows_of
from simulator.physics import Town, load_town
from simulator.run import Cut, Mark, Run, Twin
from simulator.scenario import Scenario
from simulator.trouble import KINDS

RIVERTON = Path(__file__).parent.parent.parent / "cities" / "riverton"

Column = NDArray[np.float64]
Shower = Mapping[str, Any]


@dataclass(frozen=True)
class Hours:
    """A stretch of the day that is simulated: its first hour and how many."""

    first: int
    count: int


MORNING, EVENING = Hours(7, 8), Hours(16, 8)
HIGH_WATER = Hours(4, 12)
"""Until the river has fallen again."""
SHOWER: Shower = {"at": "09:00", "peak_mm_per_h": 10, "minutes": 90}
DOWNPOUR: Shower = {"at": "09:00", "peak_mm_per_h": 30, "minutes": 90}
NO_CAUSE = Twin(without=frozenset({0}))


@dataclass
class Story:
    """True values by signal (``tank-1/level``) and minute, with the marks of the run."""

    hours: Hours
    signals: dict[str, Column]
    marks: list[Mark]

    def __getitem__(self, signal: str) -> Column:
        return self.signals[signal]

    def part(self, signal: str, begin: str, end: str) -> Column:
        """The values of a signal between two times of the day."""
        return self[signal][self.minute(begin) : self.minute(end)]

    def at(self, signal: str, clock: str) -> float:
        """The value of a signal at a time of the day."""
        return float(self[signal][self.minute(clock)])

    def minute(self, clock: str) -> int:
        """The row of a time of the day."""
        return int(clock[:2]) * 60 + int(clock[3:]) - self.hours.first * 60

    def clock(self, minute: int) -> str:
        """The time of the day of a row."""
        return f"{self.hours.first + minute // 60:02d}:{minute % 60:02d}"

    def m3(self, signal: str, begin: str, end: str) -> float:
        """Volume that a flow in L/s brings between two times."""
        return float(self.part(signal, begin, end).sum() * 60 / 1000)

    def happened(self, what: str) -> dict[str, str]:
        """Assets that did this by themselves, with the time."""
        return {mark.asset: self.clock(mark.at) for mark in self.marks if what in mark.what}


@dataclass
class Days:
    """Runs of Riverton, each made once."""

    town: Town
    made: dict[Any, Story] = field(default_factory=dict)

    def both(
        self,
        kind: str,
        asset: str,
        at: str,
        hours: Hours,
        size: Mapping[str, float] | None = None,
        *,
        showers: Iterable[Shower] = (),
        lasts: str | None = None,
        cut: Cut | None = None,
    ) -> tuple[Story, Story]:
        """The day with the cause, in which the link ``cut`` doesn't act; and its twin without the cause.

        Twins are shared: that of any other cause in the same hours is the same day (a test below says so).
        """
        cause = {"kind": kind, "asset": asset, "at": at, "size": dict(size or {}), "lasts": lasts}
        weather = [dict(shower) for shower in showers]
        cuts = frozenset({cut} if cut else ())
        day = self.run(hours, cause, weather, Twin(cut=cuts))
        twin = (hours, repr(weather))
        if twin not in self.made:
            self.made[twin] = self.run(hours, cause, weather, NO_CAUSE)
        return day, self.made[twin]

    def run(self, hours: Hours, cause: Mapping[str, Any], showers: list[dict[str, Any]], twin: Twin) -> Story:
        """One run, cached."""
        key = (hours, repr(cause), repr(showers), twin.without, twin.cut)
        if key not in self.made:
            run, rows = rows_of(self.town, scenario_of(hours, cause, showers), 1, twin)
            signals = {"/".join(signal): rows[:, index] for index, signal in enumerate(run.signals)}
            self.made[key] = Story(hours, signals, run.marks)
        return self.made[key]


def scenario_of(
    hours: Hours, cause: Mapping[str, Any] | None, showers: Iterable[Mapping[str, Any]] = ()
) -> Scenario:
    """Some hours of a Wednesday, with one cause or none."""
    return Scenario.model_validate(
        {
            "scenario": "story",
            "city": "riverton",
            "start": f"2025-06-04T{hours.first:02d}:00:00Z",
            "hours": hours.count,
            "injections": [cause] if cause else [],
            "showers": list(showers),
            "background": False,
        }
    )


@pytest.fixture(scope="module")
def days() -> Days:
    """Riverton, and the runs that tests share."""
    return Days(load_town(RIVERTON))


def tank_m3(story: Story, begin: str, end: str) -> float:
    """What the tank, 12 m across, gained between two times; a row's level is that at its minute's end."""
    level, first, last = story["tank-1/level"], story.minute(begin), story.minute(end)
    return float(level[last - 1] - level[first - 1]) * np.pi * 12**2 / 4


def lost_m3(day: Story, twin: Story, begin: str, end: str) -> float:
    """Water that left the mains beside what the twin used: more from the works, less in the tank."""
    more = day.m3("waterworks/flow", begin, end) - twin.m3("waterworks/flow", begin, end)
    return more - tank_m3(day, begin, end) + tank_m3(twin, begin, end)


def furthest(day: Story, twin: Story, signal: str) -> float:
    """The largest departure of a signal from its twin."""
    return float(np.abs(day[signal] - twin[signal]).max())


# --- power ----------------------------------------------------------------------------------------


def test_feeder_trip_stops_the_booster_and_empties_the_tank(days: Days) -> None:
    """Feeder 2 feeds the booster: the tank that it fills is below 1 m within 3 h, and pressure goes too."""
    day, twin = days.both("feeder_trip", "feeder-2", "17:00", EVENING)

    assert not day.part("booster-1/run", "17:00", "22:00").any()
    assert twin.part("booster-1/run", "17:00", "22:00").sum() > 60
    assert day.part("feeder-2/current", "17:00", "22:00").max() < 0.1
    assert day.part("tank-1/level", "17:00", "20:00").min() < 1.0
    assert twin["tank-1/level"].min() > 3.2
    for junction in ("junction-h01", "junction-h22", "junction-h33"):
        fallen = twin[f"{junction}/pressure"] - day[f"{junction}/pressure"]
        assert fallen.max() > 10, junction


def test_feeder_trip_ends_with_a_surge_that_breaks_an_old_main(days: Days) -> None:
    """The booster starts into an empty zone: a weak main bursts, and its water stands in the street."""
    day, twin = days.both("feeder_trip", "feeder-2", "17:00", EVENING)

    assert day.happened("burst") == {"junction-h01": "22:00"}
    assert twin.marks == []
    assert day.at("inlet-5/ponding", "23:30") > 0.03
    assert day.at("storm-6/depth", "23:30") > 0.08


def test_feeder_trip_without_its_link_to_the_booster_leaves_the_water_alone(days: Days) -> None:
    """What the feeder does to the tank goes through the link that powers the booster, and nothing else."""
    cut = ("feeder-2", "booster-1", Relation.POWERS)
    day, twin = days.both("feeder_trip", "feeder-2", "17:00", EVENING, cut=cut)

    assert furthest(day, twin, "signal-2/voltage") > 0.9
    for signal in ("booster-1/run", "tank-1/level", "junction-h22/pressure"):
        assert furthest(day, twin, signal) == 0, signal


def test_feeder_trip_darkens_a_signal_and_slows_its_road(days: Days) -> None:
    """Signal 2 is dark in the rush hour: its road is slower by more than 5 km/h, by way of two links."""
    day, twin = days.both("feeder_trip", "feeder-2", "17:00", EVENING)
    assert (twin["road-market/speed"] - day["road-market/speed"]).max() > 5

    for cut in (
        ("feeder-2", "signal-2", Relation.POWERS),
        ("signal-2", "road-market", Relation.SERVES),
    ):  # fmt: skip - one link a row
        day, twin = days.both("feeder_trip", "feeder-2", "17:00", EVENING, cut=cut)
        assert furthest(day, twin, "road-market/speed") == 0, cut


def test_feeder_trip_at_the_treatment_plant_stops_the_lift_station(days: Days) -> None:
    """No power at the plant: the lift pump may not send it anything, and sewage spills for hours."""
    day, twin = days.both("feeder_trip", "feeder-3", "08:00", MORNING)
    assert not day.part("lift-pump-1/run", "08:01", "13:00").any()
    assert day.m3("overflow-1/flow", "08:00", "13:00") > 200
    assert twin["overflow-1/flow"].max() == 0

    day, twin = days.both(
        "feeder_trip", "feeder-3", "08:00", MORNING, cut=("feeder-3", "plant-1", Relation.POWERS)
    )
    assert furthest(day, twin, "overflow-1/flow") == 0


def test_substation_trip_takes_water_sewage_and_signals(days: Days) -> None:
    """Substation A: three feeders dead, the low zone left to gravity, sewage spilt within the hour."""
    day, twin = days.both("substation_trip", "substation-a", "17:00", EVENING)

    for feeder in ("feeder-1", "feeder-2", "feeder-3"):
        assert day.part(f"{feeder}/current", "17:00", "20:00").max() < 0.1, feeder
    assert day.part("junction-l12/pressure", "17:05", "20:00").max() < 25
    assert twin.part("junction-l12/pressure", "17:05", "20:00").min() > 50
    assert day.part("tank-1/level", "17:00", "20:00").min() < 1
    assert day.m3("overflow-1/flow", "17:00", "18:00") > 5
    assert day.m3("overflow-1/flow", "17:00", "20:00") > 150
    assert twin["overflow-1/flow"].max() == 0
    assert furthest(day, twin, "feeder-4/current") < 1, "the other substation goes on"


def test_substation_trip_of_a_transformer_leaves_its_substation_live(days: Days) -> None:
    """The bus above a tripped transformer keeps its voltage; all below is dead for three hours."""
    day, _ = days.both("substation_trip", "transformer-b", "09:00", MORNING)

    assert day["substation-b/voltage"].min() > 0.95
    for below in ("signal-1", "signal-3", "lift-pump-1", "underpass-pump-1"):
        assert day.part(f"{below}/voltage", "09:00", "12:00").max() < 0.05, below
        assert day.at(f"{below}/voltage", "12:05") > 0.95, below


def test_voltage_sag_is_seen_everywhere_and_motors_ride_through(days: Days) -> None:
    """To 0.86 of nominal: every voltage falls by more than 0.12, loads draw more current, no motor stops."""
    day, twin = days.both("voltage_sag", "grid-110", "18:00", EVENING)
    assert day.part("grid-110/voltage", "18:00", "19:00") == pytest.approx(0.86)

    for signal in ("grid-110", "substation-a", "substation-b", "booster-1", "plant-1", "signal-3"):
        fallen = twin.part(f"{signal}/voltage", "18:00", "19:00") - day.part(
            f"{signal}/voltage", "18:00", "19:00"
        )
        assert fallen.min() > 0.12, signal
    assert (day.at("feeder-1/current", "18:30") / twin.at("feeder-1/current", "18:30")) > 1.1
    for pump in ("booster-1", "lift-pump-1"):
        assert furthest(day, twin, f"{pump}/run") == 0, pump


def test_voltage_sag_that_is_deep_drops_the_motors_out(days: Days) -> None:
    """Contactors let go below 0.8: at 0.7 of nominal the works and the booster stand as long as it lasts."""
    day, twin = days.both("voltage_sag", "grid-110", "18:00", EVENING, {"to_pu": 0.7})

    assert not day.part("booster-1/run", "18:00", "19:00").any()
    assert twin.part("booster-1/run", "18:00", "19:00").any()
    assert (
        day.part("waterworks/flow", "18:01", "19:00").max()
        < twin.part("waterworks/flow", "18:01", "19:00").max() - 20
    )
    assert day.part("junction-l12/pressure", "18:05", "19:00").max() < 25
    assert day.at("junction-l12/pressure", "19:30") > 45, "all starts again by itself"


def test_transformer_overload_trips_after_its_minutes(days: Days) -> None:
    """Above 1.1 of its rating for more than 40 min: the protection opens, and three feeders are dead."""
    day, twin = days.both("transformer_overload", "transformer-a", "17:30", EVENING)

    tripped = day.happened("overloaded")
    assert list(tripped) == ["transformer-a"]
    loading = day["transformer-a/loading"]
    hot = np.flatnonzero(loading > 1.1)
    trip = day.minute(tripped["transformer-a"])
    assert trip - hot[0] == 40
    assert day.minute("17:40") < hot[0] < day.minute("18:00"), "load grows for half an hour"
    assert loading[trip + 1 : trip + 180].max() == pytest.approx(0, abs=1e-3)
    assert loading[trip + 185] > 0.2
    assert day["feeder-2/current"][trip + 5] < 0.1
    assert twin["feeder-2/current"].min() > 20
    assert not twin.marks


# --- water ----------------------------------------------------------------------------------------


def test_pump_trip_of_the_booster_empties_the_tank(days: Days) -> None:
    """Four hours without the booster in the evening: the tank is below 1 m within three."""
    day, twin = days.both("pump_trip", "booster-1", "17:00", EVENING)

    assert not day.part("booster-1/run", "17:00", "21:00").any()
    assert day.part("tank-1/level", "17:00", "20:00").min() < 1.0
    assert twin["tank-1/level"].min() > 3.2
    assert (twin["junction-h22/pressure"] - day["junction-h22/pressure"]).max() > 10
    assert day.at("booster-1/voltage", "18:00") > 0.95, "the supply is healthy: it is the pump"
    assert day["booster-1/run"][day.minute("21:00") :].all(), "it fills the tank again"


def test_pump_trip_of_the_lift_station_spills_sewage(days: Days) -> None:
    """The wet well fills in less than an hour, then everything that comes goes over the weir."""
    day, twin = days.both("pump_trip", "lift-pump-1", "08:00", MORNING)

    assert day.part("wetwell-1/level", "08:00", "09:00").max() > 3.6
    assert twin["wetwell-1/level"].max() < 1.9
    spilt = day.m3("overflow-1/flow", "09:00", "12:00")
    came = day.m3("sewer-5/flow", "09:00", "12:00")
    assert spilt == pytest.approx(came, rel=0.05)
    assert spilt > 250
    assert day.m3("plant-1/flow", "08:01", "12:00") == 0


def test_pump_trip_in_the_underpass_shows_when_it_rains(days: Days) -> None:
    """A downpour that the pump keeps below half a metre stands half a metre higher without it."""
    day, twin = days.both("pump_trip", "underpass-pump-1", "08:00", MORNING, showers=[DOWNPOUR])

    assert twin["underpass-1/depth"].max() < 0.5
    assert day["underpass-1/depth"].max() > twin["underpass-1/depth"].max() + 0.5
    assert not day.part("underpass-pump-1/run", "08:00", "12:00").any()
    assert day["underpass-pump-1/run"][day.minute("12:00") :].any(), "then it empties the sump"


def test_plant_power_loss_at_the_waterworks_leaves_gravity(days: Days) -> None:
    """Without its pumps the low zone lives on the reservoir's height: 35 m less, and never negative."""
    day, twin = days.both("plant_power_loss", "waterworks", "08:00", MORNING)

    for junction in ("junction-l00", "junction-l12", "junction-l34"):
        pressure = day.part(f"{junction}/pressure", "08:05", "11:00")
        assert 10 < pressure.min() <= pressure.max() < 25, junction
        assert twin.part(f"{junction}/pressure", "08:05", "11:00").min() - pressure.max() > 25, junction
    assert day.at("tank-1/level", "10:55") < twin["tank-1/level"].min() - 1


def test_plant_power_loss_at_the_sewage_works_backs_up_to_the_overflow(days: Days) -> None:
    """The works can't take anything: the lift station waits and sewage goes to the river."""
    day, twin = days.both("plant_power_loss", "plant-1", "08:00", MORNING)

    assert not day.part("lift-pump-1/run", "08:00", "11:00").any()
    assert day.m3("overflow-1/flow", "08:00", "11:00") > 150
    assert twin["overflow-1/flow"].max() == 0
    assert day.at("lift-pump-1/voltage", "09:00") > 0.95


def test_valve_stuck_cuts_the_tank_off(days: Days) -> None:
    """Valve 1 is the tank's only way: its level stands still, and the pressure swings with the booster."""
    day, twin = days.both("valve_stuck", "valve-1", "08:00", MORNING)

    shut = day.part("tank-1/level", "08:00", "14:00")
    assert np.ptp(shut) < 0.01
    assert np.ptp(twin.part("tank-1/level", "08:00", "14:00")) > 1
    assert np.abs(day.part("valve-1/flow", "08:00", "14:00")).max() < 0.01
    apart = day["junction-h22/pressure"] - twin["junction-h22/pressure"]
    assert np.abs(apart).max() > 15


@pytest.mark.parametrize(("junction", "falls_m"), [("junction-h12", 1.2), ("junction-l12", 3.0)])
def test_burst_loses_what_the_orifice_equation_says(days: Days, junction: str, falls_m: float) -> None:
    """5 L/s for each square root of a metre: 120 m3 an hour, from the works or the tank; pressure falls."""
    day, twin = days.both("burst", junction, "08:00", MORNING)

    fallen = twin.at(f"{junction}/pressure", "08:05") - day.at(f"{junction}/pressure", "08:05")
    assert fallen > falls_m
    expected = float((5.0 * np.sqrt(day.part(f"{junction}/pressure", "08:00", "14:00"))).sum() * 60 / 1000)
    assert lost_m3(day, twin, "08:00", "14:00") == pytest.approx(expected, rel=0.03)
    assert expected > 600


def test_burst_floods_the_street_beside_it(days: Days) -> None:
    """The main at junction h01 runs into inlet 5: water slows Mill Road; without the link it stays dry."""
    day, twin = days.both("burst", "junction-h01", "08:00", MORNING)
    assert day["inlet-5/ponding"].max() > 0.03
    assert twin["inlet-5/ponding"].max() == 0
    assert day["storm-6/depth"].max() > 0.08
    assert (twin["road-mill/speed"] - day["road-mill/speed"]).max() > 3

    day, twin = days.both(
        "burst", "junction-h01", "08:00", MORNING, cut=("junction-h01", "inlet-5", Relation.NEAR)
    )
    assert furthest(day, twin, "junction-h01/pressure") > 1
    for signal in ("inlet-5/ponding", "storm-6/depth", "road-mill/speed"):
        assert furthest(day, twin, signal) == 0, signal


def test_leak_grows_for_three_hours(days: Days) -> None:
    """A leak begins as nothing: the first hour loses less than a third of what the fourth does."""
    day, twin = days.both("leak", "junction-h12", "08:00", MORNING)

    first = lost_m3(day, twin, "08:00", "09:00")
    fourth = lost_m3(day, twin, "11:00", "12:00")
    assert 0 < first < fourth / 3
    size = KINDS["leak"].sizes["lps_per_sqrt_m"]
    expected = float((size * np.sqrt(day.part("junction-h12/pressure", "11:00", "12:00"))).sum() * 60 / 1000)
    assert fourth == pytest.approx(expected, rel=0.05)


def test_hydrant_theft_takes_pressure_and_water(days: Days) -> None:
    """18 L/s from a hydrant for two hours: pressure beside it falls at once, and comes back at once."""
    day, twin = days.both("hydrant_theft", "junction-l23", "09:00", MORNING)

    apart = twin["junction-l23/pressure"] - day["junction-l23/pressure"]
    assert apart[day.minute("09:00")] > 1.0
    assert apart[: day.minute("09:00")].max() == 0
    assert lost_m3(day, twin, "09:00", "11:00") == pytest.approx(18 * 7.2, rel=0.03)


def test_level_sensor_frozen_while_filling_overfills_the_tank(days: Days) -> None:
    """The control waits for a level that never comes: the booster runs on until the tank is brimful."""
    _, twin = days.both("level_sensor_frozen", "tank-1", "08:00", MORNING)
    level, filling = twin["tank-1/level"], twin["booster-1/run"] > 0
    half = np.flatnonzero(filling & (level > 3.6) & (level < 4.0))
    at = twin.clock(int(half[0]))

    day, twin = days.both("level_sensor_frozen", "tank-1", at, MORNING, lasts="5h")

    assert day["tank-1/level"].max() > 4.95
    assert twin["tank-1/level"].max() < 4.6
    assert day["booster-1/run"][half[0] : half[0] + 300].all()
    assert (day["junction-h22/pressure"] - twin["junction-h22/pressure"]).max() > 10


def test_level_sensor_spoofed_full_starves_the_tank(days: Days) -> None:
    """The sensor says 4.6 m, so the booster stands: the true level is below 1 m within four hours."""
    day, twin = days.both("level_sensor_spoofed", "tank-1", "08:00", MORNING)

    assert not day.part("booster-1/run", "08:00", "14:00").any()
    assert day.part("tank-1/level", "08:00", "12:00").min() < 1.0
    assert twin["tank-1/level"].min() > 3.2
    assert (twin["junction-h22/pressure"] - day["junction-h22/pressure"]).max() > 10


def test_level_sensor_spoofed_empty_drowns_the_lift_station(days: Days) -> None:
    """The wet well is told to be nearly empty: its pump stands, healthy and powered, and sewage spills."""
    day, twin = days.both("level_sensor_spoofed", "wetwell-1", "08:00", MORNING, {"level_m": 0.3})

    assert not day.part("lift-pump-1/run", "08:00", "14:00").any()
    assert day["wetwell-1/level"].max() > 3.6
    assert twin["wetwell-1/level"].max() < 1.9
    assert day.m3("overflow-1/flow", "08:00", "14:00") > 400


# --- storm water and sewage -----------------------------------------------------------------------


def test_storm_drowns_a_substation_and_with_it_the_underpass(days: Days) -> None:
    """69 mm in 75 min: streets flood, a cellar fills, its substation trips, what it powered goes under."""
    day, twin = days.both("storm", "catchment-1", "09:00", MORNING)

    assert float(day["catchment-1/rain"].sum() / 60) == pytest.approx(110 * 75 / 60 / 2, rel=0.05)
    assert list(day.happened("flooded")) == ["substation-b"]
    assert "09:20" < day.happened("flooded")["substation-b"] < "10:15"
    assert day["inlet-3/ponding"].max() > 0.3
    assert day["storm-6/depth"].max() > 2.5
    assert day["underpass-1/depth"].max() > 2.2
    assert day.m3("overflow-1/flow", "09:00", "15:00") > 300
    assert twin["overflow-1/flow"].max() == 0
    assert day["road-underpass/speed"].min() < 15
    assert day["road-ring/volume"].max() > twin["road-ring/volume"].max() + 300, "everybody takes the ring"
    assert not twin.marks


def test_storm_with_a_dry_cellar_leaves_the_power_on(days: Days) -> None:
    """Cut the way from the cellar to the breaker: the same storm, and the pumps keep the underpass open."""
    day, twin = days.both(
        "storm", "catchment-1", "09:00", MORNING, cut=("sump-b", "substation-b", Relation.NEAR)
    )

    assert day["sump-b/depth"].max() > 1.1, "it floods as before"
    assert day.marks == []
    assert furthest(day, twin, "substation-b/voltage") < 0.01
    assert day["underpass-1/depth"].max() < 2.2
    assert furthest(day, twin, "road-underpass/speed") < 1


def test_storm_in_the_underpass_stops_the_road_only_through_its_link(days: Days) -> None:
    """Two metres of water are nothing to a road that isn't there."""
    day, twin = days.both(
        "storm", "catchment-1", "09:00", MORNING, cut=("underpass-1", "road-underpass", Relation.NEAR)
    )

    assert day["underpass-1/depth"].max() > 2.2
    assert furthest(day, twin, "road-underpass/speed") == 0


def test_storm_floods_a_road_through_its_inlet(days: Days) -> None:
    """Market Road stands still under half a metre of water, unless its inlet is somewhere else."""
    day, twin = days.both("storm", "catchment-1", "09:00", MORNING)
    assert day["road-market/speed"].min() < 5
    assert twin["road-market/speed"].min() > 40

    day, twin = days.both(
        "storm", "catchment-1", "09:00", MORNING, cut=("inlet-3", "road-market", Relation.NEAR)
    )
    assert day["inlet-3/ponding"].max() > 0.3
    assert furthest(day, twin, "road-market/speed") == 0


def test_blocked_drain_backs_up_as_soon_as_it_rains(days: Days) -> None:
    """A blocked trunk: a shower stands a metre higher above the blockage, and less comes below it."""
    day, twin = days.both("blocked_drain", "storm-6", "08:00", MORNING, showers=[SHOWER])

    assert day["storm-6/depth"].max() > twin["storm-6/depth"].max() + 1.0
    assert day["storm-5/depth"].max() > twin["storm-5/depth"].max() + 0.5
    assert day.part("storm-7/depth", "09:00", "14:00").max() < twin["storm-7/depth"].max()
    assert furthest(day, twin, "storm-1/depth") < 0.05, "it doesn't reach the top of the street"


def test_blocked_drain_without_rain_shows_nothing(days: Days) -> None:
    """In dry weather nobody can know."""
    day, twin = days.both("blocked_drain", "storm-6", "08:00", MORNING)

    assert all(furthest(day, twin, signal) == 0 for signal in day.signals)


def test_blocked_drain_at_an_inlet_leaves_rain_in_the_street(days: Days) -> None:
    """A closed grate: a downpour that would have run off stands on Market Road, 10 cm deeper."""
    day, twin = days.both("blocked_drain", "inlet-3", "08:00", MORNING, showers=[DOWNPOUR])

    assert day["inlet-3/ponding"].max() > twin["inlet-3/ponding"].max() + 0.1
    assert day["road-market/speed"].min() < twin["road-market/speed"].min() - 5
    cut = ("inlet-3", "road-market", Relation.NEAR)
    day, _ = days.both("blocked_drain", "inlet-3", "08:00", MORNING, showers=[DOWNPOUR], cut=cut)
    assert day["road-market/speed"].min() > 45, "nor would the puddle of an ordinary downpour slow it"


def test_dry_weather_blockage_rises_from_manhole_to_manhole(days: Days) -> None:
    """Grease closes sewer 3 over two hours: manholes rise above it one after another, below it runs dry."""
    day, twin = days.both("dry_weather_blockage", "sewer-3", "08:00", MORNING)

    rises = [
        int(np.flatnonzero(day[f"manhole-{number}/depth"] > 1.0)[0]) for number in (3, 2)
    ]  # fmt: skip - from the blockage upwards
    assert day.minute("09:30") < rises[0] < rises[1]
    assert day.part("sewer-3/flow", "10:30", "15:00").max() < 5 < twin["sewer-3/flow"].min() + 5
    assert day.part("manhole-4/depth", "10:30", "15:00").max() < twin["manhole-4/depth"].max()
    assert day["overflow-1/flow"].max() == 0


def test_illicit_discharge_into_the_sewer_travels_and_overflows(days: Days) -> None:
    """60 L/s for two hours: each sewer passes it on, later and later; all 432 m3 come out below."""
    day, twin = days.both("illicit_discharge", "manhole-1", "08:00", MORNING)

    arrivals = []
    for number in range(1, 6):
        more = day[f"sewer-{number}/flow"] - twin[f"sewer-{number}/flow"]
        arrivals.append(int(np.flatnonzero(more > 30)[0]))
    assert arrivals == sorted(arrivals)
    assert arrivals[0] < arrivals[-1] < arrivals[0] + 45
    assert day.m3("sewer-5/flow", "08:00", "12:00") - twin.m3("sewer-5/flow", "08:00", "12:00") == (
        pytest.approx(432, rel=0.05)
    )
    assert day.m3("overflow-1/flow", "08:00", "12:00") > 20


def test_illicit_discharge_fills_a_storm_drain_in_dry_weather(days: Days) -> None:
    """Storm drains are dry without rain: 10 cm in all manholes below is somebody's doing; above stays dry."""
    day, twin = days.both("illicit_discharge", "storm-3", "08:00", MORNING)

    for number in (3, 4, 5, 6, 7, 8):
        assert day[f"storm-{number}/depth"].max() > 0.1, number
        assert twin[f"storm-{number}/depth"].max() == 0, number
    assert day["storm-1/depth"].max() == 0


def test_inflow_and_infiltration_bring_rain_into_the_sewer(days: Days) -> None:
    """3 ha of street drain into manhole 2: a shower swells the sewer by 30 L/s; storm drains don't care."""
    shower = {**SHOWER, "peak_mm_per_h": 9}
    day, twin = days.both("inflow_and_infiltration", "manhole-2", "08:00", MORNING, showers=[shower])

    assert (day["sewer-2/flow"] - twin["sewer-2/flow"]).max() > 30
    assert (day["manhole-4/depth"] - twin["manhole-4/depth"]).max() > 0.06
    assert (day["sewer-1/flow"] - twin["sewer-1/flow"]).max() < 1, "above the wrong connections all is well"
    for signal in ("storm-3/depth", "inlet-3/ponding", "catchment-1/rain", "underpass-1/depth"):
        assert furthest(day, twin, signal) == 0, signal


def test_river_backwater_fills_the_trunk_to_the_rivers_level(days: Days) -> None:
    """The river at 6.2 m above datum stands in each manhole whose invert is lower, in none that is higher."""
    day, twin = days.both("river_backwater", "outfall-1", "04:00", HIGH_WATER)

    inverts = {"storm-8": 4.7, "storm-7": 5.6, "storm-6": 6.5}
    for manhole, invert in inverts.items():
        depth = day.at(f"{manhole}/depth", "13:00")
        assert depth == pytest.approx(max(4.0 + 2.2 - invert, 0), abs=0.05), manhole
        assert twin[f"{manhole}/depth"].max() == 0, manhole


def test_river_backwater_makes_a_shower_worse(days: Days) -> None:
    """Rain that can't leave: the trunk's last manhole stands more than a metre higher than in a low river."""
    day, twin = days.both("river_backwater", "outfall-1", "04:00", HIGH_WATER, showers=[SHOWER])

    assert (day["storm-8/depth"] - twin["storm-8/depth"]).max() > 1.0
    assert day["storm-7/depth"].max() > twin["storm-7/depth"].max() + 0.3


# --- waste and roads ------------------------------------------------------------------------------


def test_route_missed_clogs_the_inlet_and_floods_the_street(days: Days) -> None:
    """Nobody empties bin 5: rain washes what lies beside it into inlet 5, and Mill Road is under water."""
    hours = Hours(5, 18)
    rain = {"at": "20:00", "peak_mm_per_h": 25, "minutes": 120}
    day, twin = days.both("route_missed", "route-2", "05:00", hours, showers=[rain])

    assert day["route-2/served"][day.minute("07:00") :].max() == 0
    assert day["bin-5/fill"].max() > 1.0
    assert twin["bin-5/fill"].max() < 0.9
    assert furthest(day, twin, "bin-7/fill") == 0, "another route's"
    assert day["inlet-5/ponding"].max() > twin["inlet-5/ponding"].max() + 0.05
    assert day["road-mill/speed"].min() < twin["road-mill/speed"].min() - 5

    cut = ("bin-5", "inlet-5", Relation.BLOCKS)
    day, twin = days.both("route_missed", "route-2", "05:00", hours, showers=[rain], cut=cut)
    assert day["bin-5/fill"].max() > 1.0
    assert furthest(day, twin, "inlet-5/ponding") == 0
    assert furthest(day, twin, "road-mill/speed") == 0


def test_road_closed_sends_its_traffic_round(days: Days) -> None:
    """What Market Road may not carry, the ring carries: all of it, within minutes."""
    day, twin = days.both("road_closed", "road-market", "16:00", EVENING)

    assert day.part("road-market/volume", "16:00", "20:00").max() < 50
    assert day.part("road-market/speed", "16:00", "20:00").max() < 5
    missing = (twin["road-market/volume"] - day["road-market/volume"])[day.minute("16:00") :]
    more = (day["road-ring/volume"] - twin["road-ring/volume"])[day.minute("16:00") :]
    assert more.sum() == pytest.approx(missing.sum(), rel=0.02)
    assert more.max() > 500

    cut = ("road-market", "road-ring", Relation.NEAR)
    day, twin = days.both("road_closed", "road-market", "16:00", EVENING, cut=cut)
    assert furthest(day, twin, "road-ring/volume") == 0


# --- what holds of every day ----------------------------------------------------------------------


def test_every_kind_of_injection_that_hurts_the_city_has_a_story_here() -> None:
    """A new kind comes with a test of its physics."""
    stories = [name for name in globals() if name.startswith("test_")]
    without = [
        kind
        for kind, how in KINDS.items()
        if how.process and not any(story.startswith(f"test_{kind}") for story in stories)
    ]  # fmt: skip - one question, one row
    assert without == []


def test_a_twin_is_the_day_without_the_cause_whatever_the_cause_was(days: Days) -> None:
    """The twin of a trip, that of a theft and the quiet day are one: same dice, same values, bit by bit."""
    trip = {"kind": "feeder_trip", "asset": "feeder-2", "at": "08:00"}
    theft = {"kind": "hydrant_theft", "asset": "junction-h22", "at": "10:00"}
    quiet_run, quiet = rows_of(days.town, scenario_of(Hours(7, 4), None), 1)

    for cause in (trip, theft):
        run, rows = rows_of(days.town, scenario_of(Hours(7, 4), cause), 1, NO_CAUSE)
        assert run.signals == quiet_run.signals
        assert np.array_equal(rows, quiet)


def test_nothing_departs_before_its_cause(days: Days) -> None:
    """Until 08:00 the day and its twin are the same to the last bit: no effect comes before its cause."""
    for kind, asset in (("feeder_trip", "feeder-3"), ("burst", "junction-h12"), ("pump_trip", "lift-pump-1")):
        day, twin = days.both(kind, asset, "08:00", MORNING)
        for signal in day.signals:
            assert np.array_equal(day.part(signal, "07:00", "08:00"), twin.part(signal, "07:00", "08:00")), (
                kind,
                signal,
            )


@pytest.fixture(scope="module")
def quiet(days: Days) -> Story:
    """A whole quiet day."""
    hours = Hours(0, 24)
    run, rows = rows_of(days.town, scenario_of(hours, None), 1)
    return Story(
        hours, {"/".join(signal): rows[:, index] for index, signal in enumerate(run.signals)}, run.marks
    )


def test_a_quiet_day_has_pressure_everywhere(quiet: Story) -> None:
    """No junction below 15 m (what a customer asks for), none above 80 m (what pipes bear), all day."""
    for signal, values in quiet.signals.items():
        if signal.endswith("/pressure"):
            assert 15 < values.min() < values.max() < 80, signal


def test_a_quiet_day_is_quiet(quiet: Story) -> None:
    """No spill, no storm water, no breaker, no full bin; the tank and the wet well stay in their bands."""
    assert quiet.marks == []
    assert quiet["overflow-1/flow"].max() == 0
    assert all(values.max() == 0 for signal, values in quiet.signals.items() if signal.startswith("storm-"))
    assert all(values.max() < 1 for signal, values in quiet.signals.items() if signal.endswith("/fill"))
    assert 3.2 < quiet["tank-1/level"].min() < quiet["tank-1/level"].max() < 4.6
    assert 0.4 < quiet["wetwell-1/level"].min() < quiet["wetwell-1/level"].max() < 1.8
    assert all(
        0.95 < values.min() <= values.max() < 1.05
        for signal, values in quiet.signals.items()
        if signal.endswith("/voltage")
    )


def test_the_waters_of_a_quiet_day_add_up(quiet: Story) -> None:
    """What the works give is drunk or stored: a city of 90 L/s. What the sewers bring, the plant gets."""
    begin, end = "00:00", "23:59"
    drunk = quiet.m3("waterworks/flow", begin, end) - tank_m3(quiet, begin, end)
    assert drunk == pytest.approx(90.4 * 86.34, rel=0.1), "customers' mean demand in water.inp"
    stored = (quiet.at("wetwell-1/level", end) - quiet.at("wetwell-1/level", begin)) * 28
    assert quiet.m3("plant-1/flow", begin, end) + stored == pytest.approx(
        quiet.m3("sewer-5/flow", begin, end), rel=0.02
    )
    assert 20 < quiet["plant-1/flow"].mean() < 40, "sewage is a part of the water that was drunk"


def test_the_currents_of_a_quiet_day_add_up(quiet: Story) -> None:
    """A transformer of 16 MVA carries what its three feeders take at 20 kV, and a little for itself."""
    feeders = sum(quiet[f"feeder-{number}/current"] for number in (1, 2, 3))
    carried = np.sqrt(3) * 20 * np.asarray(feeders) / 16000
    assert quiet["transformer-a/loading"] == pytest.approx(carried, rel=0.08)


@pytest.mark.parametrize(
    ("kind", "asset", "hours"),
    [
        ("road_closed", "road-market", Hours(6, 4)),
        ("storm", "catchment-1", Hours(6, 6)),
        ("river_backwater", "outfall-1", HIGH_WATER),
    ],
)
def test_swmm_loses_less_than_a_hundredth_of_the_water(
    days: Days, kind: str, asset: str, hours: Hours
) -> None:
    """Flow routing's continuity error: dry, in a cloudburst, and after high water in the river."""
    at = f"{hours.first + 2:02d}:00" if kind != "river_backwater" else "04:00"
    scenario = scenario_of(hours, {"kind": kind, "asset": asset, "at": at})
    run = Run(days.town, scenario, 1)
    for minute, _ in enumerate(run.rows(), 1):
        if minute == scenario.minutes:  # before the run itself throws away what lost more
            assert abs(run.drainage.end()) < 0.01
