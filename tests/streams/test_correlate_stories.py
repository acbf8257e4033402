"""Stories of incidents: one cause is one incident, with its root, its reasons, and its end."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from schemas.alarms import Alarm, AlarmChange, Severity, content_id
from schemas.city import City
from schemas.incidents import Foretold, IncidentRevision
from schemas.times import MINUTE
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from streams.correlate import Correlator
from tests.scenario import Scenario, at, city_of

NORTH = """
assets:
  - {id: feeder-7, utility: power, kind: feeder, zone: north}
  - {id: pump-1, utility: water, kind: pump, zone: north}
  - {id: pump-2, utility: water, kind: pump, zone: north}
  - {id: signal-1, utility: roads, kind: signal, zone: north}
  - {id: tank-1, utility: water, kind: tank, zone: north}
  - {id: feeder-9, utility: power, kind: feeder, zone: south}
  - {id: pump-9, utility: sewage, kind: pump, zone: south}
  - {id: well-9, utility: sewage, kind: wet_well, zone: south}
links:
  - {from: feeder-7, to: pump-1, relation: powers}
  - {from: feeder-7, to: pump-2, relation: powers}
  - {from: feeder-7, to: signal-1, relation: powers}
  - {from: pump-1, to: tank-1, relation: supplies}
  - {from: feeder-9, to: pump-9, relation: powers}
  - {from: pump-9, to: well-9, relation: protects}
sensors:
  - {asset: pump-1, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: pump-2, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: signal-1, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: tank-1, quantity: level, unit: m, every: 60, on_delay: 60, limits: {low: 2, low_low: 1}}
  - {asset: pump-9, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: well-9, quantity: level, unit: m, every: 60, on_delay: 60, limits: {high: 3}}
"""


def wave(minute: int) -> float:
    """A little noise."""
    return minute % 7 / 1000


def voltage(dead_from: int | None, dead_to: int = 10_000) -> Callable[[int], float]:
    """1 pu, and nothing between two minutes."""
    return lambda m: 0.0 if dead_from is not None and dead_from <= m < dead_to else 1 + wave(m)


def falls(before: float, after: float, since: int | None) -> Callable[[int], float]:
    """One value, and another from a minute on."""
    return lambda m: (after if since is not None and m >= since else before) + wave(m)


def north(**dead_from: int | None) -> dict[str, Callable[[int], float | None]]:
    """The north's sensors; assets dead, the tank low, the well high from a minute on."""
    series: dict[str, Callable[[int], float | None]] = {
        f"{name}/voltage": voltage(dead_from.get(name.replace("-", "_")))
        for name in ("pump-1", "pump-2", "signal-1", "pump-9")
    }
    series["tank-1/level"] = falls(3, 1.5, dead_from.get("tank"))
    series["well-9/level"] = falls(1, 3.5, dead_from.get("well"))
    return series


def test_three_dead_assets_name_the_feeder_that_nobody_measures() -> None:
    """Pumps and a signal go dark together: one incident, and its root is the feeder they share."""
    story = Scenario(NORTH)
    story.play("08:00", "08:30", north(pump_1=10, pump_2=10, signal_1=10))
    assert story.roots == ["08:10 feeder-7 dead"]
    assert story.incidents[0].utilities == ["roads", "water"]
    assert story.incidents[0].root.probability > 0.9


def test_one_dead_pump_beside_healthy_neighbours_is_its_own_fault() -> None:
    """Absence is evidence: the feeder's other customers have power."""
    story = Scenario(NORTH)
    story.play("08:00", "08:30", north(pump_1=10))
    assert story.roots == ["08:10 pump-1 dead"]


def test_a_neighbour_whose_sensor_is_silent_says_nothing() -> None:
    """Nothing speaks against the feeder when its other customers are not heard."""
    story = Scenario(NORTH)
    series = {**north(pump_1=30), "pump-2/voltage": lambda m: None if m > 5 else 1 + wave(m)}
    series["signal-1/voltage"] = lambda m: None if m > 5 else 1 + wave(m)
    story.play("08:00", "08:50", series)
    assert story.roots == ["08:30 feeder-7 dead"]


def test_a_tank_that_empties_later_joins_the_incident_with_its_lag() -> None:
    """The pump's death explains the low tank: the chain says by which rule, and after how long."""
    story = Scenario(NORTH)
    story.play("08:00", "09:00", north(pump_1=10, pump_2=10, signal_1=10, tank=35))
    (incident,) = story.incidents
    step = next(s for s in incident.chain if s.effect == "tank-1")
    assert (step.cause, step.rule, step.lag_seconds) == ("pump-1", "a tank drains without its pump", 25 * 60)
    assert incident.summary == (
        "Feeder-7 lost supply at 08:10 (no sensor shows it; its effects do); "
        "then no supply at pump-1, pump-2 and signal-1, low level in tank-1."
    )


def test_the_tank_is_expected_before_it_falls() -> None:
    """What the dead pump will bring is told, with when and how sure."""
    story = Scenario(NORTH)
    story.play("08:00", "08:20", north(pump_1=10, pump_2=10, signal_1=10))
    (expected,) = [e for e in story.incidents[0].expected if e.asset == "tank-1"]
    assert expected.condition == "level_low"
    assert expected.start <= at("08:35") <= expected.end
    assert 0.5 < expected.probability < 1


def test_a_tank_lasts_as_long_as_its_volume_over_what_the_pump_gave() -> None:
    """Twice the volume, twice the time: 360 m3 at 50 L/s last two hours, and are low somewhere on the way."""

    def window(volume: int) -> tuple[int, int]:
        story = Scenario(
            NORTH.replace("id: pump-1,", "id: pump-1, properties: {rated_lps: 50},").replace(
                "id: tank-1,", f"id: tank-1, properties: {{volume_m3: {volume}}},"
            )
        )
        story.play("08:00", "08:13", north(pump_1=10, pump_2=10, signal_1=10))
        (expected,) = [e for e in story.incidents[0].expected if e.asset == "tank-1"]
        return expected.start - at("08:10"), expected.end - at("08:10")

    assert window(360) == (36 * MINUTE, 192 * MINUTE)
    assert window(720) == (72 * MINUTE, 384 * MINUTE)


def outcomes(story: Scenario) -> dict[str, Foretold]:
    """What came of the predictions of the only incident, by asset."""
    return {one.asset: one for one in story.incidents[0].foretold}


def test_a_prediction_that_came_true_says_when() -> None:
    """The tank was foretold when the pump died, and fell 25 minutes later: a hit, with its lead."""
    story = Scenario(NORTH)
    story.play("08:00", "09:00", north(pump_1=10, pump_2=10, signal_1=10, tank=35))
    one = outcomes(story)["tank-1"]
    assert (one.condition, one.outcome, one.came) == ("level_low", "hit", at("08:35"))
    assert one.told <= at("08:13")


def test_a_prediction_that_nobody_saw_come_true_is_a_miss_at_the_close_at_the_latest() -> None:
    """Power is back after 20 minutes, the tank never fell. No revision is told only to say so."""
    story = Scenario(NORTH)
    series = {f"{n}/voltage": voltage(10, 30) for n in ("pump-1", "pump-2", "signal-1")}
    story.play("08:00", "08:50", {**north(), **series})
    assert outcomes(story)["tank-1"].outcome is None
    told = len(story.revisions)
    story.play("08:50", "09:10", north())
    assert outcomes(story)["tank-1"].outcome == "miss"
    assert [revision.change for revision in story.revisions[told:]] == ["closed"]


def test_nobody_knows_what_came_where_the_sensor_was_silent() -> None:
    """No reading of the tank since the pump died: neither hit nor miss."""
    story = Scenario(NORTH)
    dead = {f"{n}/voltage": voltage(10, 30) for n in ("pump-1", "pump-2", "signal-1")}
    story.play("08:00", "08:50", {**north(), **dead, "tank-1/level": lambda m: 3.0 if m < 10 else None})
    story.play("08:50", "09:30", {**north(), "tank-1/level": lambda _: None})
    assert outcomes(story)["tank-1"].outcome == "unknown"


def test_two_causes_at_once_stay_two_incidents() -> None:
    """What no link connects is not one incident, even in the same minute."""
    story = Scenario(NORTH)
    story.play("08:00", "08:40", north(pump_1=10, pump_2=10, signal_1=10, pump_9=10, well=14))
    assert sorted(root[6:] for root in story.roots) == ["feeder-7 dead", "feeder-9 dead"]


def test_an_incident_closes_when_all_has_stayed_clear() -> None:
    """Half an hour of calm ends it, dated from when the last alarm cleared; people hear it once."""
    story = Scenario(NORTH)
    series = {f"{n}/voltage": voltage(10, 30) for n in ("pump-1", "pump-2", "signal-1")}
    story.play("08:00", "08:50", {**north(), **series})
    closed = [story.incidents[0].closed]
    story.play("08:50", "09:10", north())
    closed += [story.incidents[0].closed]
    assert closed == [None, at("08:30")]
    assert story.told == [
        "08:12 opened: a new incident",
        "09:00 resolved: all its alarms have cleared and stayed clear",
    ]


def test_planned_work_is_nobodys_incident() -> None:
    """What was announced explains what follows, and pages no one."""
    story = Scenario(NORTH)
    story.play("08:00", "08:05", north())
    story.event("08:05", "feeder-7", "planned_work_started")
    story.play("08:05", "08:30", north(pump_1=10, pump_2=10, signal_1=10))
    assert story.incidents == []
    assert story.told == []


def test_a_tripped_breaker_is_the_root_that_everybody_sees() -> None:
    """An event says it outright."""
    story = Scenario(NORTH)
    story.play("08:00", "08:10", north())
    story.event("08:10", "feeder-7", "tripped")
    story.play("08:10", "08:30", north(pump_1=0, pump_2=0, signal_1=0))
    assert story.roots == ["08:10 feeder-7 tripped"]
    assert len(story.incidents[0].members) == 4


def test_trouble_of_the_measuring_opens_no_incident() -> None:
    """A sensor that sends nothing is an alarm for those who mend sensors."""
    story = Scenario(NORTH)
    story.play("08:00", "08:10", north())
    story.play("08:10", "08:40", {**north(), "tank-1/level": lambda _: None})
    assert story.alarms == ["08:10 tank-1 missing"]
    assert story.incidents == []


CITY = city_of(NORTH)


def alarm(asset: str, condition: str, raised: str, cleared: str | None = None) -> Alarm:
    """An alarm as detection would tell it."""
    return Alarm(
        id=content_id("alarm", asset, condition, raised),
        asset=asset,
        utility=str(CITY.asset_by_id[asset].utility),
        condition=condition,
        severity=Severity.CRITICAL,
        raised=at(raised),
        cleared=at(cleared) if cleared else None,
    )


ALARMS = [
    alarm("pump-1", "dead", "08:10", "09:00"),
    alarm("pump-2", "dead", "08:10", "09:01"),
    alarm("signal-1", "dead", "08:11", "09:00"),
    alarm("tank-1", "level_low", "08:40"),
    alarm("tank-1", "level_low_low", "08:55"),
    alarm("pump-9", "dead", "08:12"),
    alarm("well-9", "level_high", "08:20"),
]


def final(order: list[Alarm], looks: random.Random) -> list[str]:
    """The incidents after alarms arrived in this order, looked at now and then on the way."""
    correlator = Correlator(CITY, load_causes(), load_vocabulary())
    seen: dict[str, IncidentRevision] = {}
    for each in order:
        raised = AlarmChange(alarm=each, change="raised", known_at=at("09:10"))
        correlator.take(raised)
        if looks.random() < 0.5:
            seen |= {r.id: r for r in correlator.look(at("09:10"))}
    seen |= {r.id: r for r in correlator.look(at("09:10") + MINUTE)}
    stand = [r for r in seen.values() if r.replaced_by is None]
    leave_out = {"revision", "known_at", "change", "replaces", "replaced_by"}
    return sorted(r.model_dump_json(exclude=leave_out) for r in stand)


@pytest.mark.parametrize("seed", range(20))
def test_incidents_follow_from_the_set_of_alarms(seed: int) -> None:
    """Whatever the order in which alarms arrive, the same incidents stand in the end."""
    rng = random.Random(seed)
    shuffled = ALARMS[:]
    rng.shuffle(shuffled)
    assert final(shuffled, rng) == final(ALARMS, random.Random(0))


def test_a_late_first_alarm_gives_a_new_id_that_names_the_old_one() -> None:
    """An id follows from the earliest alarm; pages and links follow by ``replaces``."""
    correlator = Correlator(CITY, load_causes(), load_vocabulary())
    correlator.take(AlarmChange(alarm=ALARMS[3], change="raised", known_at=at("08:41")))
    (opened,) = correlator.look(at("08:41"))
    correlator.take(AlarmChange(alarm=ALARMS[0], change="raised", known_at=at("08:42")))
    gone, new = correlator.look(at("08:42"))
    assert (gone.id, gone.change, gone.replaced_by) == (opened.id, "replaced", new.id)
    assert (new.change, new.replaces, new.root.asset) == ("retimed", [opened.id], "pump-1")


def test_an_alarm_that_never_was_takes_its_incident_along() -> None:
    """Late data withdraws the only alarm: the incident ends as retracted."""
    correlator = Correlator(CITY, load_causes(), load_vocabulary())
    correlator.take(AlarmChange(alarm=ALARMS[3], change="raised", known_at=at("08:41")))
    correlator.look(at("08:41"))
    correlator.take(AlarmChange(alarm=ALARMS[3], change="retracted", known_at=at("08:42")))
    (revision,) = correlator.look(at("08:42"))
    assert revision.change == "retracted"


def test_what_planned_work_explained_stays_explained_when_the_work_is_long_over() -> None:
    """The work ended before its effects did; neither is forgotten without the other."""
    correlator = Correlator(CITY, load_causes(), load_vocabulary())
    for each in (
        alarm("feeder-7", "planned_work", "08:00", "08:05"),
        alarm("pump-1", "dead", "08:02", "09:00"),
        alarm("pump-2", "dead", "08:02", "09:00"),
    ):
        correlator.take(AlarmChange(alarm=each, change="raised", known_at=at("09:00")))
    assert correlator.look(at("09:00")) == []
    for hour, other in enumerate(("08:30", "08:31", "08:32", "08:33")):  # each makes it look again
        elsewhere = alarm("tank-1", "frozen", other)
        correlator.take(AlarmChange(alarm=elsewhere, change="raised", known_at=at("20:00")))
        assert correlator.look(at("20:00") + hour * 20 * MINUTE) == []


def test_of_many_that_began_in_one_minute_the_one_behind_them_is_the_root() -> None:
    """A sag shows everywhere at once; whatever the names, it came from the intake."""
    pumps = [f"a-pump-{number:02}" for number in range(20)]
    assets = [
        {"id": "the-intake", "utility": "power", "kind": "grid_intake", "zone": "north"},
        {"id": "station", "utility": "power", "kind": "substation", "zone": "north"},
        *({"id": name, "utility": "water", "kind": "pump", "zone": "north"} for name in pumps),
    ]
    links = [{"from": "the-intake", "to": "station", "relation": "powers"}]
    links += [{"from": "station", "to": name, "relation": "powers"} for name in pumps]
    city = City.model_validate(
        {"city": "hilltown", "timezone": "UTC", "assets": assets, "links": links, "sensors": []}
    )
    correlator = Correlator(city, load_causes(), load_vocabulary())
    for asset in city.assets:
        low = Alarm(
            id=content_id("alarm", asset.id, "voltage_low"),
            asset=asset.id,
            utility=str(asset.utility),
            condition="voltage_low",
            severity=Severity.WARNING,
            raised=at("08:00"),
        )
        correlator.take(AlarmChange(alarm=low, change="raised", known_at=at("08:01")))
    (incident,) = correlator.look(at("08:01"))
    assert (incident.root.asset, len(incident.members)) == ("the-intake", 22)
    assert incident.root.probability > 0.9


def test_the_places_that_a_sign_names_weigh_more_than_quiet_pressures() -> None:
    """Who found them had looked at the same pressures; a junction that is not named is hardly it."""
    names = [f"corner-{number}" for number in range(1, 9)]
    zone = [{"from": "zone", "to": name, "relation": "serves"} for name in names]
    mains = [{"from": one, "to": next_, "relation": "supplies"} for one, next_ in pairwise(names)]
    pressure = {"quantity": "pressure", "unit": "m", "every": 60, "limits": {"low": 30}}
    city = City.model_validate(
        {
            "city": "hilltown",
            "timezone": "UTC",
            "assets": [
                {"id": "zone", "utility": "water", "kind": "pressure_zone", "zone": "north"},
                *({"id": name, "utility": "water", "kind": "junction", "zone": "north"} for name in names),
            ],
            "links": [*zone, *mains],
            "sensors": [{"asset": name, **pressure} for name in names[::2]],
        }
    )
    sign = Alarm(
        id=content_id("alarm", "zone", "excess_draw"),
        asset="zone",
        utility="water",
        condition="excess_draw",
        severity=Severity.INFO,
        raised=at("08:00"),
        places=(("corner-3", 1.0), ("corner-4", 0.5)),
    )
    correlator = Correlator(city, load_causes(), load_vocabulary())
    correlator.take(AlarmChange(alarm=sign, change="raised", known_at=at("08:01")))
    (incident,) = correlator.look(at("14:00"))
    assert (incident.root.asset, incident.root.condition) == ("corner-3", "burst")
    assert incident.root.probability > 0.5
    assert incident.alternatives[0].asset == "corner-4"


STREETS = """
assets:
  - {id: rain-1, utility: storm, kind: catchment, zone: z}
  - {id: inlet-1, utility: storm, kind: inlet, zone: z}
  - {id: inlet-2, utility: storm, kind: inlet, zone: z}
  - {id: main-1, utility: storm, kind: storm_manhole, zone: z}
  - {id: main-2, utility: storm, kind: storm_manhole, zone: z}
links:
  - {from: rain-1, to: inlet-1, relation: drains_to}
  - {from: rain-1, to: inlet-2, relation: drains_to}
  - {from: inlet-1, to: main-1, relation: drains_to}
  - {from: inlet-2, to: main-2, relation: drains_to}
sensors:
  - {asset: rain-1, quantity: rain, unit: mm/h, every: 60, limits: {high: 20}}
  - {asset: inlet-1, quantity: ponding, unit: m, every: 60, limits: {high: 0.1}}
"""


def test_what_no_sensor_watches_is_expected_as_far_as_others_of_its_kind_are_measured() -> None:
    """Streets flood where nobody measures, too. Manholes, measured nowhere here, have no word for it."""
    story = Scenario(STREETS)
    rain = {"rain-1/rain": lambda m: 40.0 if m >= 10 else 0.0, "inlet-1/ponding": wave}
    story.play("08:00", "08:15", rain)
    (incident,) = story.incidents
    assert {(one.asset, one.condition, one.watched) for one in incident.expected} == {
        ("inlet-1", "ponding_high", True),
        ("inlet-2", "ponding_high", False),
    }
    story.play("08:15", "13:00", {"rain-1/rain": lambda m: 40.0 if m < 60 else 0.0, "inlet-1/ponding": wave})
    assert {(one.asset, one.outcome) for one in story.incidents[0].foretold} == {("inlet-1", "miss")}


def test_a_root_that_no_sensor_shows_foretells_as_well() -> None:
    """Pump and signal are dead, so the feeder is: what else it powers, though far from them, is expected."""
    story = Scenario(
        NORTH.replace("links:", "  - {id: sump-1, utility: storm, kind: pump, zone: north}\nlinks:")
        .replace("links:", "links:\n  - {from: feeder-7, to: sump-1, relation: powers}")
        .replace("sensors:", "  - {from: sump-1, to: tank-2, relation: supplies}\nsensors:")
        .replace("links:", "  - {id: tank-2, utility: water, kind: tank, zone: north}\nlinks:", 1)
    )
    story.play("08:00", "08:15", north(pump_1=10, pump_2=10, signal_1=10))
    expected = {(one.asset, one.condition) for one in story.incidents[0].expected}
    assert ("tank-2", "level_low") in expected


def test_a_link_that_the_model_lacks_makes_no_second_incident() -> None:
    """A pump whose feeder nobody drew dies with the others of a feeder: it is one of them, and told why."""
    gap = NORTH.replace("  - {from: feeder-7, to: pump-2, relation: powers}\n", "")
    story = Scenario(gap)
    story.play("08:00", "09:00", north(pump_1=10, pump_2=10, signal_1=10))
    assert story.roots == ["08:10 feeder-7 dead"]
    told = " ".join(story.incidents[0].explanation)
    assert "; the city model may lack a link from feeder-7 to pump-2." in told
    assert told.count("may lack") == 1


def test_a_guessed_link_excuses_nobody_who_stays_well() -> None:
    """That a pump without a feeder runs on says nothing about the feeder that it might have had."""
    gap = NORTH.replace("  - {from: feeder-7, to: pump-2, relation: powers}\n", "")
    story = Scenario(gap)
    story.play("08:00", "09:00", north(pump_1=10, signal_1=10))
    assert story.roots == ["08:10 feeder-7 dead"]


def test_a_full_wet_well_overflows_and_its_pump_gives_no_more() -> None:
    """The well drains to both; a rule may say which kinds of assets its effect is for."""
    story = Scenario(
        """
assets:
  - {id: well-1, utility: sewage, kind: wet_well, zone: north}
  - {id: pump-1, utility: sewage, kind: pump, zone: north}
  - {id: weir-1, utility: sewage, kind: overflow, zone: north}
links:
  - {from: well-1, to: pump-1, relation: drains_to}
  - {from: well-1, to: weir-1, relation: drains_to}
sensors:
  - {asset: well-1, quantity: level, unit: m, every: 60, on_delay: 60, limits: {high: 2, high_high: 3}}
  - {asset: pump-1, quantity: flow, unit: L/s, every: 60, on_delay: 60, limits: {high: 90}}
  - {asset: weir-1, quantity: flow, unit: L/s, every: 60, on_delay: 60, limits: {high: 5}}
"""
    )
    series = {
        "well-1/level": falls(1, 3.5, 10),
        "pump-1/flow": lambda m: 80 + wave(m),
        "weir-1/flow": lambda _: 0.0,
    }
    story.play("08:00", "08:20", series)
    (incident,) = story.incidents
    assert [(one.asset, one.condition) for one in incident.expected] == [("weir-1", "flow_high")]


OVERLOADED = """
assets:
  - {id: transformer-1, utility: power, kind: transformer, zone: north}
  - {id: feeder-1, utility: power, kind: feeder, zone: north}
  - {id: feeder-2, utility: power, kind: feeder, zone: north}
  - {id: feeder-3, utility: power, kind: feeder, zone: north}
  - {id: feeder-4, utility: power, kind: feeder, zone: north}
links:
  - {from: transformer-1, to: feeder-1, relation: powers}
  - {from: transformer-1, to: feeder-2, relation: powers}
  - {from: transformer-1, to: feeder-3, relation: powers}
  - {from: transformer-1, to: feeder-4, relation: powers}
sensors:
  - {asset: transformer-1, quantity: loading, unit: pu, every: 60, on_delay: 60, limits: {high: 0.9}}
  - {asset: feeder-1, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: feeder-2, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: feeder-3, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: feeder-4, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
"""


@pytest.mark.parametrize(("eased", "roots"), [(False, ["loading_high"]), (True, ["dead", "loading_high"])])
def test_a_trip_that_an_overload_brought_is_one_incident_with_it(eased: bool, roots: list[str]) -> None:
    """Nobody measures the breaker that all in the dark have in common: it had a reason, or none any more."""
    story = Scenario(OVERLOADED)
    loading = (lambda m: 1.2 if 10 <= m < 40 else 0.5 + wave(m)) if eased else falls(0.5, 1.2, 10)
    series = {f"feeder-{n}/voltage": voltage(95) for n in (1, 2, 3, 4)} | {"transformer-1/loading": loading}
    story.play("08:00", "09:50", series)
    assert sorted(incident.root.condition for incident in story.incidents) == roots
    assert {incident.root.asset for incident in story.incidents} == {"transformer-1"}
