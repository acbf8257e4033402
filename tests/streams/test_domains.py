"""Correlation domains: where a city is cut, what each part sees beyond, and who hears what."""

import pytest

from schemas.alarms import Alarm, AlarmChange, Severity
from schemas.borders import Parts
from schemas.city import City
from streams.causes import load_causes
from streams.domains import Domains, domains_of, view
from tests.scenario import BEATS, at, city_of

CAUSES = load_causes()

TWO_TOWNS = """
assets:
  - {id: north-station, utility: power, kind: substation, zone: north}
  - {id: north-feeder, utility: power, kind: feeder, zone: north}
  - {id: north-signal, utility: roads, kind: signal, zone: north}
  - {id: south-feeder, utility: power, kind: feeder, zone: south}
  - {id: south-pump, utility: water, kind: pump, zone: south}
  - {id: south-tank, utility: water, kind: tank, zone: south}
  - {id: gw, utility: power, kind: gateway, zone: north}
links:
  - {from: north-station, to: north-feeder, relation: powers}
  - {from: north-feeder, to: north-signal, relation: powers}
  - {from: north-feeder, to: south-feeder, relation: powers, border: true}
  - {from: south-feeder, to: south-pump, relation: powers}
  - {from: south-pump, to: south-tank, relation: supplies}
  - {from: gw, to: north-station, relation: carries}
  - {from: gw, to: south-pump, relation: carries}
sensors:
  - {asset: north-station, quantity: voltage, unit: pu, every: 60, limits: {low_low: 0.5}}
  - {asset: north-feeder, quantity: current, unit: A, every: 60, limits: {low_low: 1}}
  - {asset: south-pump, quantity: voltage, unit: pu, every: 60, limits: {low_low: 0.5}}
  - {asset: south-tank, quantity: level, unit: m, every: 60, limits: {low: 2}}
"""
CITY = city_of(TWO_TOWNS)
NORTH, SOUTH = "north-feeder", "south-feeder"
"""Domains are called after the first of their assets, gateways aside."""


def towns(city: City) -> Domains:
    """The domains of a city under our rules."""
    return domains_of(city, CAUSES)


def test_a_city_without_borders_is_one_domain() -> None:
    """All of it is one part, and needs the whole model; also what no link joins."""
    city = city_of(TWO_TOWNS.replace(", border: true", ""))
    (domain,) = towns(city).by_name.values()
    assert domain.own == domain.seen == set(city.asset_by_id)
    assert view(city, domain) is city


def test_a_city_is_cut_at_its_borders() -> None:
    """Each asset has one home; a gateway that joins nothing lives with the first that it carries."""
    found = towns(CITY)
    assert found.by_name[NORTH].own == {"north-station", "north-feeder", "north-signal", "gw"}
    assert found.by_name[SOUTH].own == {"south-feeder", "south-pump", "south-tank"}
    assert {found.home[beat] for beat in BEATS} == set(BEATS)


def test_a_border_that_separates_nothing_cuts_nothing() -> None:
    """Another link goes round it."""
    roundabout = "links:\n  - {from: north-station, to: south-pump, relation: powers}"
    assert len(towns(city_of(TWO_TOWNS.replace("links:", roundabout, 1))).by_name) == 1


def test_a_domain_sees_over_its_border_to_the_first_sensors() -> None:
    """The feeder beyond has none, so what stands behind it is seen too; and the gateways of all that."""
    found = towns(CITY)
    assert found.by_name[NORTH].seen - found.by_name[NORTH].own == {"south-feeder", "south-pump"}
    assert found.by_name[SOUTH].seen - found.by_name[SOUTH].own == {"north-feeder", "gw"}


def test_a_domain_needs_the_links_and_sensors_among_what_it_sees() -> None:
    """Its piece of the city model is a city model."""
    south = view(CITY, towns(CITY).by_name[SOUTH])
    assert {(link.source, link.target) for link in south.links} == {
        ("north-feeder", "south-feeder"),
        ("south-feeder", "south-pump"),
        ("south-pump", "south-tank"),
        ("gw", "south-pump"),
    }
    assert set(south.sensor_by_id) == {"north-feeder/current", "south-pump/voltage", "south-tank/level"}


def change(asset: str, *places: tuple[str, float]) -> AlarmChange:
    """An alarm of an asset; of a sign with these places."""
    alarm = Alarm(
        id=asset,
        asset=asset,
        utility="power",
        condition="dead",
        severity=Severity.CRITICAL,
        raised=at("08:00"),
        places=places,
    )
    return AlarmChange(alarm=alarm, change="raised", known_at=at("08:00"))


@pytest.mark.parametrize(
    ("asset", "hearing"),
    [
        ("north-station", {NORTH}),
        ("north-feeder", {NORTH, SOUTH}),
        ("south-feeder", {NORTH, SOUTH}),
        ("south-pump", {NORTH, SOUTH}),
        ("south-tank", {SOUTH}),
    ],
)
def test_alarms_at_a_border_go_to_both_sides(asset: str, hearing: set[str]) -> None:
    """All others to their own domain alone."""
    assert {name for name, _ in towns(CITY).heard(change(asset))} == hearing


def test_a_sign_says_on_each_side_what_is_seen_there() -> None:
    """Places beyond the view are left out; where none is left, it is as if it had never been said."""
    sign = change("north-feeder", ("north-station", 1.0), ("south-pump", 0.5))
    heard = dict(towns(CITY).heard(sign))
    assert heard[NORTH] == sign
    assert heard[SOUTH].alarm.places == (("south-pump", 0.5),)
    gone = dict(towns(CITY).heard(change("north-feeder", ("north-station", 1.0))))
    assert (gone[NORTH].change, gone[SOUTH].change) == ("raised", "retracted")


def test_what_spreads_everywhere_has_a_domain_across_all_others() -> None:
    """One storm over the rain gauges of both towns."""
    gauges = """assets:
  - {id: north-sky, utility: storm, kind: catchment, zone: north}
  - {id: south-sky, utility: storm, kind: catchment, zone: south}"""
    rain = """
  - {asset: north-sky, quantity: rain, unit: mm/h, every: 300, limits: {high: 10}}
  - {asset: south-sky, quantity: rain, unit: mm/h, every: 300, limits: {high: 10}}"""
    found = towns(city_of(TWO_TOWNS.replace("assets:", gauges, 1) + rain))
    across = found.by_name["everywhere/catchment"]
    assert not across.own
    assert across.seen == {"north-sky", "south-sky"}
    assert found.seen_by["north-sky"] == ("everywhere/catchment", "north-sky")


def test_two_assets_hang_together_by_a_way() -> None:
    """Told from one to the other, without the start of the walk that found it."""
    left = Parts(CITY.asset_by_id, CITY.links)
    assert left.way("north-signal", "north-station") == ["north-signal", "north-feeder", "north-station"]
    assert left.way("south-pump", "south-pump") == ["south-pump"]
    assert left.way("north-feeder", "south-pump") is None
    assert left.way("north-feeder", "nowhere") is None
