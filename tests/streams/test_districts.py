"""A large city in districts: pipes stay whole, small cities as they are, and work grows with the city."""

from pathlib import Path

from schemas.borders import Parts
from schemas.city import City
from schemas.cityfile import load_city
from streams.districts import ASSETS, districts
from streams.watchers import watchers

TOWN = load_city(Path(__file__).parents[2] / "cities" / "riverton" / "city.yaml")


def towns(count: int, *, joined: bool = False) -> City:
    """So many Rivertons; ``joined``: by one feeder that powers a pump in each."""
    pump = next(asset.id for asset in TOWN.assets if asset.kind == "pump")
    links = [
        link.model_copy(update={"source": f"t{n}-{link.source}", "target": f"t{n}-{link.target}"})
        for n in range(count)
        for link in TOWN.links
    ]
    power = next(link for link in TOWN.links if link.relation == "powers")
    source = f"t0-{power.source}"
    hub = [power.model_copy(update={"source": source, "target": f"t{n}-{pump}"}) for n in range(1, count)]
    return City(
        city="metropolis",
        timezone=TOWN.timezone,
        assets=tuple(
            asset.model_copy(update={"id": f"t{n}-{asset.id}"}) for n in range(count) for asset in TOWN.assets
        ),
        links=(*links, *(hub if joined else ())),
        sensors=tuple(
            sensor.model_copy(update={"asset": f"t{n}-{sensor.asset}"})
            for n in range(count)
            for sensor in TOWN.sensors
        ),
    )


def test_a_small_city_is_one_district() -> None:
    """Nothing changes for it."""
    assert districts(TOWN) == [TOWN]
    assert districts(TOWN)[0] is TOWN


def test_every_asset_is_in_one_district_and_no_pipe_is_cut() -> None:
    """Also where one feeder joins all of them."""
    for city in (towns(40), towns(40, joined=True)):
        found = districts(city)
        home = {asset.id: number for number, part in enumerate(found) for asset in part.assets}
        assert len(found) > 1
        assert sorted(home) == sorted(city.asset_by_id)
        assert sum(len(part.assets) for part in found) == len(city.assets)
        assert max(len(part.assets) for part in found) <= ASSETS
        pipes = [link for link in city.links if link.relation in ("drains_to", "lifts_to")]
        assert all(home[link.source] == home[link.target] for link in pipes)


def test_what_watches_a_town_watches_it_in_a_metropolis() -> None:
    """Of every town as many sensors are watched as of one by itself, and no watcher sees many towns."""
    alone = {sensor for watcher in watchers(TOWN) for sensor in watcher.sensors}
    seen = [watcher.sensors for watcher in watchers(towns(40))]
    for number in range(40):
        prefix = f"t{number}-"
        assert {s.removeprefix(prefix) for its in seen for s in its if s.startswith(prefix)} == alone
    assert max(len({s.split("-")[0] for s in its}) for its in seen) < 20


def test_a_district_without_a_gauge_sees_the_nearest() -> None:
    """Rain falls on neighbours too."""
    city = towns(40)
    without = City(
        city=city.city,
        timezone=city.timezone,
        assets=city.assets,
        links=city.links,
        sensors=tuple(s for s in city.sensors if s.quantity != "rain" or s.asset.startswith("t0-")),
    )
    gauges = [[s.id for s in part.sensors if s.quantity == "rain"] for part in districts(without)]
    assert gauges == [gauges[0]] * len(gauges)
    assert gauges[0]


def test_what_hangs_together_stays_together_as_far_as_it_may() -> None:
    """A town is a connected part of the city, and small enough: it is in one district."""
    city = towns(40)
    parts = Parts(city.asset_by_id, city.links).members().values()
    home = {asset.id: number for number, part in enumerate(districts(city)) for asset in part.assets}
    assert all(len({home[asset] for asset in part}) == 1 for part in parts)
