"""Generated cities: plausible at every size and seed, different in equipment, breaking as cities break."""

from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from runner.cli import main
from schemas.city import Relation, Utility
from schemas.cityfile import lint_city
from simulator.building import METRES_A_DEGREE, Builder
from simulator.generating import APART_M, generate
from simulator.making import rows_of
from simulator.physics import Pump, Town, load_town
from simulator.run import Row
from simulator.scenario import Scenario

SEEDS = range(1, 13)
MORNING = "2025-06-04T05:00:00Z"


def written(zones: int, seed: int, folder: Path) -> Town:
    """A city's folder, not commissioned."""
    generate(zones, seed).write(folder, "A city for a test.")
    return load_town(folder)


@cache
def drawn(zones: int, seed: int) -> Builder:
    """A city as it is built, drawn once for all tests."""
    return generate(zones, seed)


class Day:
    """True values of some hours of a generated city."""

    def __init__(self, town: Town, start: str, hours: float, *causes: dict[str, str]) -> None:
        self.town = town
        scenario = Scenario.model_validate(
            {
                "scenario": "day",
                "city": town.name,
                "start": start,
                "hours": hours,
                "injections": causes,
                "background": False,
            }
        )
        run, self.rows = rows_of(town, scenario, seed=1)
        self.place = {signal: index for index, signal in enumerate(run.signals)}

    def of(self, asset: str, quantity: str) -> Row:
        """One asset's values by minute."""
        return np.asarray(self.rows[:, self.place[asset, quantity]])

    def all(self, quantity: str, kind: str | None = None) -> dict[str, Row]:
        """The values of every asset that has this quantity."""
        kinds = {asset.id: asset.kind for asset in self.town.city.assets}
        return {a: self.of(a, q) for a, q in self.place if q == quantity and kind in (None, kinds[a])}


# --- what is drawn --------------------------------------------------------------------------------


@pytest.mark.parametrize("zones", [1, 3, 8, 30])
def test_the_city_model_has_no_fault_and_no_unknown_word(zones: int, tmp_path: Path) -> None:
    """`crosscurrent check` finds nothing in a city of any size, and physics and networks load."""
    town = written(zones, 5, tmp_path)
    found = lint_city(tmp_path / "city.yaml")

    assert (found.faults, found.notes) == ((), ())
    assert len({asset.zone for asset in town.city.assets}) == zones


def test_a_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """City model, physics and networks are the same for a seed, and others for the next."""
    for folder, seed in (("one", 7), ("same", 7), ("other", 8)):
        written(3, seed, tmp_path / folder)
    files = [file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*.*")]

    def bytes_of(folder: str) -> list[bytes]:
        return [(tmp_path / folder / file).read_bytes() for file in files]

    assert len(files) == 5
    assert bytes_of("one") == bytes_of("same")
    assert all(one != other for one, other in zip(bytes_of("one"), bytes_of("other"), strict=True))


def test_cities_differ_in_equipment() -> None:
    """A dozen seeds of three zones: each way to feed a zone, rings and radii, what only some have."""
    seen: dict[str, set[object]] = defaultdict(set)
    for seed in SEEDS:
        city = drawn(3, seed)
        water = [pump for name, pump in city.pumps.items() if city.assets[name].utility == Utility.WATER]
        seen["feeds"].add(tuple(sorted("holds" if pump.holds else "fills" for pump in water)))
        seen["gravity"].add(len(city.of_kind("pump")) - len([p for p in city.pumps if "transfer" not in p]))
        seen["rings"].add(sum(".tie" in row for row in city.grid.rows) > 0)
        seen["valves"].add(len(city.of_kind("valve")) > 0)
        seen["underpasses"].add(len(city.of_kind("underpass")))
        seen["cellars"].add(len(city.pits))
        seen["old mains"].add(len(city.weak_mains))
        seen["into other sewers"].add(sum(pump.into is None for pump in city.pumps.values()))
        seen["outfalls"].add(len(city.of_kind("outfall")))
        seen["rounds"].update(route.days for route in city.routes.values())
        seen["levels"].update((pump.on_below, pump.off_above) for pump in water)

    assert {what: len(values) for what, values in seen.items() if len(values) < 2} == {"valves": 1}
    assert len(seen["feeds"]) >= 3
    assert len(seen["levels"]) > len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_zones_lie_apart_and_most_assets_are_not_measured_everywhere(seed: int) -> None:
    """Zones keep their distance around the city's centre; of mains and manholes only some have sensors."""
    city = drawn(8, seed)
    zones = city.of_kind("pressure_zone")
    apart = [np.hypot(*np.subtract(city.points[a], city.points[b])) for a, b in pairwise(zones)]
    measured = {sensor.asset for sensor in city.sensors}

    assert min(apart) >= APART_M
    for asset in city.assets.values():
        assert asset.position
        assert np.hypot(*np.subtract(asset.position, city.centre)) * METRES_A_DEGREE < 25_000
    for kind, least, most in (("junction", 0.15, 0.5), ("storm_manhole", 0.2, 0.8), ("manhole", 0.2, 0.8)):
        names = city.of_kind(kind)
        assert least < len(measured.intersection(names)) / len(names) < most


@pytest.mark.parametrize("zones", [1, 3, 8])
def test_whatever_the_networks_connect_is_a_link(zones: int, tmp_path: Path) -> None:
    """Every pipe, drain, pump, weir and load of the three networks stands in the city model as a link."""
    town = written(zones, 3, tmp_path)
    linked = {frozenset((link.source, link.target)) for link in town.city.links}
    known = set(town.city.asset_by_id)
    missing = []
    for chain in connected(town):
        assets = [name for name in (element.split(".")[0] for element in chain) if name in known]
        missing += [
            pair for pair in pairwise(assets) if len(set(pair)) == 2 and frozenset(pair) not in linked
        ]

    assert missing == []


def connected(town: Town) -> list[tuple[str, ...]]:
    """Elements of the networks that touch: node, link, node."""
    found: list[tuple[str, ...]] = []
    for network in ("water", "drainage"):
        section = ""
        for line in town.network(network).read_text(encoding="utf-8").splitlines():
            words = line.split()
            if line.startswith("["):
                section = line.strip("[]")
            elif not words or words[0].startswith(";"):
                continue
            elif section in ("PIPES", "VALVES", "PUMPS", "CONDUITS", "ORIFICES", "WEIRS"):
                inner = () if network == "water" else (words[0],)
                found.append((words[1], *inner, words[2]))
            elif section == "SUBCATCHMENTS":
                found.append((words[1], words[2]))
    found.extend(
        (row.split("bus1=")[1].split()[0], row.split()[1].removeprefix("Load."))
        for row in town.network("power").read_text(encoding="utf-8").splitlines()
        if row.startswith("New Load.")
    )
    return found


def test_numbers_of_couplings_are_links_too(tmp_path: Path) -> None:
    """What physics.yaml couples by name, the city model links: bins, cellars, controls, loads on rings."""
    town = written(8, 2, tmp_path)
    physics, city = town.physics, town.city
    links = {(link.source, link.relation, link.target) for link in city.links}

    def powers(asset: str) -> int:
        return sum((feeder, Relation.POWERS, asset) in links for feeder in city.asset_by_id)

    assert all((sump, Relation.NEAR, pit.breaker) in links for sump, pit in physics.pits.items())
    for name, pump in physics.pumps.items():
        if pump.fills:
            assert (name, Relation.SUPPLIES, pump.fills) in links
        if pump.drains:
            assert (name, Relation.PROTECTS, pump.drains) in links
        assert powers(name) in (1, 2)
    served = {link.target for link in city.links if link.relation is Relation.SERVES}
    assert set(physics.bins) <= served
    carried = {link.target for link in city.links if link.relation is Relation.CARRIES}
    assert carried == {sensor.asset for sensor in city.sensors}


# --- quiet days -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("zones", "seed", "hours"), [(1, 2, 24), (1, 10, 24), (3, 4, 24), (8, 3, 8)])
def test_a_quiet_day_is_quiet(zones: int, seed: int, hours: int, tmp_path: Path) -> None:
    """Pressures within reason, tanks within their control, pumps that come and go, nothing wet or overloaded.

    SWMM's continuity is held by the run itself.
    """
    town = written(zones, seed, tmp_path)
    day = Day(town, "2025-06-04T00:00:00Z", hours)

    assert outside(day.all("pressure"), 20, 80) == {}
    assert outside(day.all("voltage"), 0.95, 1.06) == {}
    assert outside(day.all("loading"), 0.1, 0.88) == {}
    assert outside(day.all("flow", "overflow"), -0.1, 0.1) == {}
    assert outside(day.all("ponding"), 0, 0.02) == {}
    assert outside(day.all("depth"), 0, 1.0) == {}
    for name, pump in town.physics.pumps.items():
        starts = int((np.diff(day.of(name, "run")) > 0).sum())
        assert (starts, pump.watches) in expected_starts(pump, hours), name
        if pump.watches and not pump.holds and not name.startswith("underpass"):
            low, high = (pump.on_below, pump.off_above) if pump.fills else (pump.off_below, pump.on_above)
            assert outside({name: day.of(pump.watches, "level")}, (low or 0) - 0.5, (high or 0) + 0.4) == {}


def outside(values: dict[str, Row], least: float, most: float) -> dict[str, tuple[float, float]]:
    """Assets whose values leave a range, with their least and most."""
    return {
        name: (float(one.min()), float(one.max()))
        for name, one in values.items()
        if one.min() < least or one.max() > most
    }


def expected_starts(pump: Pump, hours: int) -> list[tuple[int, str | None]]:
    """How often a pump may start in so many dry hours."""
    if pump.holds or (pump.drains and pump.drains.startswith("underpass")):
        return [(0, pump.watches)]
    most = hours * 4 if pump.drains else hours
    return [(starts, pump.watches) for starts in range(hours // 24, most + 1)]


# --- days that break ------------------------------------------------------------------------------


def test_a_storm_floods(tmp_path: Path) -> None:
    """110 mm/h on a small city stand in the streets, fill the drains and make sewage overflow."""
    town = written(3, 2, tmp_path)
    gage = next(asset.id for asset in town.city.assets if asset.kind == "catchment")
    day = Day(town, MORNING, 5, {"kind": "storm", "asset": gage, "at": "06:00"})

    assert max(values.max() for values in day.all("ponding").values()) > 0.2
    assert max(values.max() for values in day.all("flow", "overflow").values()) > 10
    assert sum(values.max() > 0.05 for values in day.all("ponding").values()) > 5


@pytest.mark.parametrize("seed", [1, 3, 4])
def test_a_trip_stops_the_pumps_of_a_radial_feeder_and_none_of_a_ring(seed: int, tmp_path: Path) -> None:
    """Where a feeder stands alone its pumps stop and the zone's pressure falls; in a ring nobody notices."""
    town = written(3, seed, tmp_path)
    feeders = defaultdict(list)
    boosters = {pump for pump in town.physics.pumps if town.city.asset_by_id[pump].utility == Utility.WATER}
    for link in town.city.links:
        if link.relation is Relation.POWERS and link.target in boosters:
            feeders[link.target].append(link.source)
    alone = next(pump for pump, above in feeders.items() if len(above) == 1)
    ringed = [pump for pump, above in feeders.items() if len(above) == 2]
    causes = [
        {"kind": "feeder_trip", "asset": feeders[pump][0], "at": "06:00", "lasts": "11h"}
        for pump in [alone, *ringed[:1]]
    ]
    quiet, day = Day(town, MORNING, 12), Day(town, MORNING, 12, *causes)
    zone = town.city.asset_by_id[alone].zone
    fell = [
        float((quiet.of(name, "pressure") - values).max())
        for name, values in day.all("pressure").items()
        if town.city.asset_by_id[name].zone == zone
    ]

    assert day.of(alone, "run")[61:700].max() == 0
    assert max(fell) > 15
    for pump in ringed[:1]:
        assert np.array_equal(day.of(pump, "voltage") > 0.8, quiet.of(pump, "voltage") > 0.8)


# --- the verb -------------------------------------------------------------------------------------


def test_generate_makes_a_city_that_simulate_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One call gives a folder with limits; a scenario beside it is simulated; nothing is overwritten."""
    out = tmp_path / "smallville"
    asked = [
        "generate",
        "--zones",
        "1",
        "--seed",
        "3",
        "--name",
        "smallville",
        "--days",
        "1",
        "--out",
        str(out),
    ]
    scenario = tmp_path / "hour.yaml"
    scenario.write_text("scenario: hour\ncity: smallville\nstart: 2025-06-04T06:00:00Z\nhours: 1\n")

    assert main(asked) == 0
    assert "smallville, " in capsys.readouterr().out
    city = load_town(out).city
    assert city.city == "smallville"
    assert sum(sensor.limits.model_dump(exclude_none=True) != {} for sensor in city.sensors) > 20
    assert main(["simulate", str(scenario), "--out", str(tmp_path / "made")]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*.*")}
    capsys.readouterr()
    assert main(asked) == 2
    assert "is there already; name a new or empty folder" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*.*")} == before
    assert [path.name for path in tmp_path.glob(".generating-*")] == []


def test_no_zones_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A city without zones is wrong usage, told before anything is written."""
    assert main(["generate", "--zones", "0", "--out", str(tmp_path / "none")]) == 2
    assert "expected a whole number from 1" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
