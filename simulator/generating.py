"""A plausible city of N zones from a seed, for tests and benchmarks on cities that nobody has seen.

In:  a number of zones and a seed.
Out: ``Builder`` with the whole city, or its folder, commissioned.

Cities differ in their equipment, not only in their map. Water comes to a zone straight from the works, by
gravity from a tank that a pump fills, from a level-controlled booster with a tank behind the zone, or from a
variable-speed pump that holds a pressure. Feeders are radial or rings. Drains end at the river or in another
street's; sewers lift to the works or into each other. Zones may have an underpass, a substation with a cellar
beside the drain, old mains, rain in their foul sewers. Each has dice of its own for each of its utilities.

Sizes follow from people: numbers without a source beside them are assumed.
"""

import heapq
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator

from schemas.city import Relation
from schemas.errors import CrosscurrentError
from simulator.building import (
    ROUNDABOUT,
    Builder,
    Point,
    Sewer,
    Street,
    beside,
    between,
    head_loss,
    main_diameter,
    pump_kw,
)
from simulator.commissioning import DAYS, commission_folder
from simulator.dice import dice
from simulator.habits import Curve, shape
from simulator.physics import Pump, WeakMain

_NAMES = (
    "oldtown harbour north mill station meadow abbey quarry orchard castle market canal garden forge "
    "chapel bridge hillside brewery tannery lakeside foundry college vineyard common priory airfield "
    "depot heath wharf park cloister terrace"
)
"""Names of districts."""
PLACES = (
    (48.1, 1.6, "Europe/Paris"),
    (50.9, 4.9, "Europe/Brussels"),
    (52.3, 5.9, "Europe/Amsterdam"),
    (47.4, 8.3, "Europe/Zurich"),
    (49.3, 10.2, "Europe/Berlin"),
    (45.1, 9.4, "Europe/Rome"),
    (52.6, -1.1, "Europe/London"),
)
"""Where a city may lie, none of them a real one's centre."""
APART_M = 1900.0
"""Between the centres of two zones, at least."""
LITRES_A_DAY = 200.0
"""Of drinking water a person, with shops and losses (120 to 150 at home in Europe, EurEau 2021)."""
KW_A_PERSON = 0.35
"""Of electricity on a mean day, with shops."""
TO_SEWER = 0.85
"""Of the drinking water (Metcalf & Eddy: 60 to 90 %)."""
PEAK = 2.1
"""The highest demand for water over its mean: of the habits' shape, with a bad day and noise."""

RESERVE = 2.3
"""What a lift pump gives over the mean of what arrives."""

Profile = Literal["mixed", "residential", "commercial"]
"""Whose habits a feeder's load follows."""
Feed = Literal["direct", "gravity", "booster", "speed"]
"""How water comes to a zone."""


class NotEmpty(CrosscurrentError):
    """The folder for a new city holds something already."""


@dataclass(slots=True)
class Zone:
    """What is drawn of a zone before anything is built."""

    name: str
    at: Point
    people: float
    feed: Feed
    street: tuple[Point, Point]
    inlets: int
    into: "Zone | None" = None
    """The zone into whose drain this one's ends."""
    lifts_to: "Zone | None" = None
    """The zone into whose sewer this one's is lifted; None is the sewage works."""
    catchment: str = ""
    radial: bool = True
    """Whether its feeders stand alone; else two of them make a ring."""
    sinks: bool = False
    """Whether it has an underpass."""
    feeders: list[str] = field(default_factory=list)
    drain: Street | None = None
    sewer: Sewer | None = None
    wants: list[str] = field(default_factory=list)
    """Its assets that want power."""

    @property
    def water_lps(self) -> float:
        """Drinking water on a mean day."""
        return self.people * LITRES_A_DAY / 86_400


def generate_folder(
    folder: Path, zones: int, seed: int, name: str | None = None, days: int = DAYS
) -> Builder:
    """Draw a city, write its folder and set its limits from so many quiet days; what it is built of.

    The folder appears whole or not at all. Raises NotEmpty where there is something already, EngineFailed
    where the city can't be simulated, OSError.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NotEmpty(f"{folder} is there already; name a new or empty folder, nothing was written")
    city = generate(zones, seed, name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".generating-") as made:
        work = Path(made) / "city"
        comment = (
            f"{city.name}: a made-up city of {zones} zones, drawn by `crosscurrent generate --zones {zones} "
            f"--seed {seed}`.\nLimits: from {days} simulated quiet days."
        )
        city.write(work, comment)
        commission_folder(work, seed, days)
        work.replace(folder)
    return city


def generate(zones: int, seed: int, name: str | None = None) -> Builder:
    """Draw a city. Raises ValueError for less than one zone."""
    if zones < 1:
        raise ValueError(f"a city has at least one zone, not {zones}")
    throw = dice(seed, "city", zones)
    latitude, longitude, timezone = PLACES[throw.integers(len(PLACES))]
    centre = (
        round(latitude + throw.uniform(-0.2, 0.2), 3),
        round(longitude + throw.uniform(-0.2, 0.2), 3),
    )
    city = Builder(name or f"town-{zones}-{seed}", centre, timezone)
    plan = _plan(zones, seed)
    _power(city, plan, seed)
    _water(city, plan, seed)
    _storm(city, plan, seed)
    _sewage(city, plan, seed)
    _waste(city, plan, seed)
    _roads(city, plan, seed)
    for zone in plan:
        _connect(city, zone, dice(seed, "connect", zone.name))
    city.gateways()
    return city


# --- the map ------------------------------------------------------------------------------------------


def _plan(count: int, seed: int) -> list[Zone]:
    """Zones on a map, and what they are like."""
    throw = dice(seed, "plan", count)
    centres = _scattered(throw, count, APART_M, (0.0, 0.0), APART_M * 0.8 * count**0.5)
    feeds: list[Feed] = ["gravity", "booster", "speed"] * (1 + count // 3)
    feeds = feeds[:count] if count >= 3 else [feeds[index] for index in throw.permutation(3)[:count]]
    first, *others = _NAMES.split()
    names = [first, *(others[index] for index in throw.permutation(len(others)))]
    names += [f"district-{number}" for number in range(len(names) + 1, count + 1)]
    plan = []
    for number, feed in zip(range(count), (feeds[i] for i in throw.permutation(count)), strict=True):
        at, inlets = centres[number], int(throw.integers(4, 9))
        half = inlets * throw.uniform(75, 105)
        south = throw.uniform(-1.2, 1.2) - math.pi / 2  # the river passes in the south
        way = (half * math.cos(south), half * math.sin(south))
        street = (beside(at, -way[0], -way[1]), beside(at, *way))
        people = throw.uniform(5_000, 15_000)
        plan.append(Zone(names[number], at, people, feed, street, inlets))
    for zone in plan:
        zone.radial, zone.sinks = _chance(throw, 0.6), _chance(throw, 0.4)
    plan[throw.integers(count)].radial = True  # so that somewhere a trip is felt
    if count > 1:
        plan[throw.integers(count)].sinks = True
    return plan


def _scattered(throw: Generator, count: int, apart: float, centre: Point, radius: float) -> list[Point]:
    """Points in a disc that keep a distance, the nearest to its centre first; the disc grows if it must."""
    found: list[Point] = []
    while len(found) < count:
        angle, far = throw.uniform(0, 2 * math.pi), radius * throw.uniform(0, 1) ** 0.5
        at = (centre[0] + far * math.cos(angle), centre[1] + far * math.sin(angle))
        if all(math.dist(at, other) >= apart for other in found):
            found.append(at)
        radius *= 1.003
    return sorted(found, key=lambda at: math.dist(at, centre))


def _groups(plan: Sequence[Zone], size: int) -> list[list[Zone]]:
    """Neighbouring zones in groups of about ``size``, one more at most: by the nearest of some of them."""
    groups = [[head] for head in plan[::size]]
    for zone in plan:
        if all(zone is not group[0] for group in groups):
            free = [group for group in groups if len(group) <= size]
            min(free, key=lambda group: math.dist(group[0].at, zone.at)).append(zone)
    return groups


def _towards(start: Point, end: Point, metres: float) -> Point:
    """The point so far on the way, or its end."""
    return between(start, end, min(metres / max(math.dist(start, end), 1.0), 1.0))


def _edge(plan: Sequence[Zone], angle: float, beyond: float) -> Point:
    """A place outside the city."""
    far = max(math.hypot(*zone.at) for zone in plan) + beyond
    return far * math.cos(angle), far * math.sin(angle)


def _chance(throw: Generator, share: float) -> bool:
    return bool(throw.random() < share)


# --- power --------------------------------------------------------------------------------------------

RATINGS_KVA = (
    1600,
    2000,
    2500,
    3150,
    4000,
    5000,
    6300,
    8000,
    10_000,
    12_500,
    16_000,
    20_000,
    25_000,
    31_500,
    40_000,
)
"""Of transformers: IEC 60076-1's preferred ones."""


def _power(city: Builder, plan: Sequence[Zone], seed: int) -> None:
    """Substations for one to three zones each; feeders by zone, alone or two in a ring."""
    city.intake(plan[0].name, _edge(plan, dice(seed, "intake").uniform(0, 2 * math.pi), 2500))
    for group in _groups(plan, 2):
        throw = dice(seed, "power", group[0].name)
        customers = [(zone, kw, profile) for zone in group for kw, profile in _customers(zone, throw)]
        loads = np.sum([kw * _shape(profile) for _, kw, profile in customers], axis=0)
        busiest = float(loads.max()) + 150 * len(group)  # with pumps
        kva = next((one for one in RATINGS_KVA if one >= busiest / 0.96 / 0.75), RATINGS_KVA[-1])
        low = between(*group[0].street, throw.uniform(0.55, 0.85))  # cellars flood where the street is low
        at = beside(low, throw.uniform(60, 120), throw.uniform(40, 100))
        transformer = city.substation(group[0].name, at, kva)
        for zone, kw, profile in customers:
            place = beside(zone.at, 150 * (len(zone.feeders) - 1), 180 + throw.uniform(-80, 80))
            km = round(ROUNDABOUT * math.dist(at, place) / 1000 + 0.5, 2)
            zone.feeders.append(city.feeder(zone.name, place, transformer, round(kw), km, profile))
        for zone in group:
            if not zone.radial:
                city.ring(zone.feeders[0], zone.feeders[1], round(throw.uniform(0.5, 2.0), 2))


def _customers(zone: Zone, throw: Generator) -> list[tuple[float, Profile]]:
    """The feeders that a zone needs: kW on a mean day, and whose habits."""
    kw = zone.people * KW_A_PERSON
    count = int(min(max(round(kw / 1500), 1 if zone.radial else 2), 3))
    profiles: tuple[Profile, ...] = ("mixed", "residential", "commercial")
    return [(kw / count, profiles[throw.integers(3)]) for _ in range(count)]


def _shape(profile: Profile) -> Curve:
    """What customers take through a working day, over their mean."""
    names = ("residential", "commercial") if profile == "mixed" else (profile,)
    monday = datetime(2025, 5, 5, tzinfo=UTC)
    return np.asarray(np.mean([shape(f"electric-{name}", monday, ()) for name in names], axis=0))


def _connect(city: Builder, zone: Zone, throw: Generator) -> None:
    """Hang what wants power in a zone on its feeders: on both of a ring, or on one of the others."""
    ring = () if zone.radial else tuple(zone.feeders[:2])
    first = int(throw.integers(len(zone.feeders)))
    for number, asset in enumerate(zone.wants, first):
        feeder = zone.feeders[number % len(zone.feeders)]
        city.feed(asset, *(ring if feeder in ring else (feeder,)))


# --- water --------------------------------------------------------------------------------------------


def _water(city: Builder, plan: Sequence[Zone], seed: int) -> None:
    """Waterworks at the city's edge, trunk mains from zone to zone, and each zone behind its station."""
    for group in _groups(plan, 6):
        throw = dice(seed, "water", group[0].name)
        home = min(group, key=lambda zone: (-math.hypot(*zone.at), zone.name))
        level = round(throw.uniform(18, 60), 1)
        site = _towards((0, 0), home.at, math.hypot(*home.at) + throw.uniform(1200, 1800))
        order = _spanning(site, group)
        direct = order[0][0]
        if _chance(throw, 0.6) and any(zone.radial for zone in group if zone is not direct):
            direct.feed = "direct"  # never the only one whose pump a trip would stop
        flows = {zone.name: _taken(zone) for zone, _ in order}
        for zone, above in reversed(order):
            if above:
                flows[above.name] += flows[zone.name]
        lps, head = flows[direct.name], 42.0
        works = city.works(home.name, site, level, lps, head)
        home.wants.append(works)
        trunk: dict[str, str] = {}
        heads = {works: level + head}
        for zone, above in order:
            source = trunk[above.name] if above else works
            at = _towards(zone.at, city.points[source], 750)
            trunk[zone.name] = here = city.junction(
                zone.name, at, level - 12 + round(throw.uniform(-3, 3), 1)
            )
            diameter = main_diameter(flows[zone.name], 0.6)
            city.main(source, here, diameter, valve=above is not None and _chance(throw, 0.4))
            length = ROUNDABOUT * math.dist(city.points[source], at)
            heads[here] = heads[source] - head_loss(flows[zone.name], diameter, length) - 0.5
            if _chance(throw, 0.4):
                city.measure(here)
            _zone(city, zone, here, heads[here], works, dice(seed, "mains", zone.name))


def _spanning(site: Point, group: Sequence[Zone]) -> list[tuple[Zone, Zone | None]]:
    """Zones in the order in which a trunk main reaches them, each with the one before it (Prim's tree)."""
    first = min(group, key=lambda zone: math.dist(zone.at, site))
    order: list[tuple[Zone, Zone | None]] = [(first, None)]
    left = [zone for zone in group if zone is not first]
    while left:
        reached = [zone for zone, _ in order]
        above, zone = min(
            ((one, other) for one in reached for other in left),
            key=lambda pair: math.dist(pair[0].at, pair[1].at),
        )
        order.append((zone, above))
        left.remove(zone)
    return order


def _rate(zone: Zone) -> float:
    """What the pump of a zone with a tank gives: enough for the worst day, and to fill the tank."""
    return 1.8 * zone.water_lps


def _taken(zone: Zone) -> float:
    """The most that a zone draws from the trunk."""
    return _rate(zone) if zone.feed in ("gravity", "booster") else PEAK * zone.water_lps


def _zone(city: Builder, zone: Zone, trunk: str, head: float, works: str, throw: Generator) -> None:
    """A zone's mains and its station. ``head`` is what the trunk gives in the worst hour."""
    station = city.points[trunk]
    count = int(min(max(round(zone.water_lps / 1.8), 6), 16))
    points = _scattered(throw, count, 210, zone.at, 550)
    points.sort(key=lambda at: math.dist(at, station))
    below = throw.uniform(42, 48) if zone.feed == "direct" else throw.uniform(6, 14)
    fall = throw.uniform(-0.003, 0.003), throw.uniform(-0.003, 0.003)
    grounds = [
        head - below + fall[0] * (at[0] - zone.at[0]) + fall[1] * (at[1] - zone.at[1]) for at in points
    ]
    shops = throw.uniform(0.1, 0.5)
    names = [
        city.junction(
            zone.name,
            at,
            ground,
            zone.water_lps / count,
            "commercial" if _chance(throw, shops) else "residential",
        )
        for at, ground in zip(points, grounds, strict=True)
    ]
    hill = _towards(zone.at, beside(zone.at, *throw.normal(0, 1, 2)), 1.0)
    hill = beside(zone.at, (hill[0] - zone.at[0]) * 900, (hill[1] - zone.at[1]) * 900)
    far = min(range(count), key=lambda index: math.dist(points[index], hill))
    entry = far if zone.feed == "gravity" else 0
    _mains(city, names, points, entry, zone, far if zone.feed == "booster" else None, throw)
    for index in dict.fromkeys([entry, *throw.permutation(count)[: max(count // 4, 1)].tolist()]):
        city.measure(names[index])
    top = max(grounds)
    if zone.feed == "direct":
        city.main(trunk, names[0], main_diameter(PEAK * zone.water_lps, 0.8), valve=_chance(throw, 0.5))
        source = works
    elif zone.feed == "speed":
        source = _speed(city, zone, trunk, head, names[0], grounds[0], throw)
    else:
        source = _with_tank(city, zone, trunk, head, (names[0], names[far]), top, hill, throw)
    supplied = city.pressure_zone(zone.name, zone.at, names, source)
    for tank in city.of_kind("tank", zone.name):
        city.link(tank, Relation.SERVES, supplied)
    if zone.feed in ("booster", "speed") and _chance(throw, 0.6):
        city.weak_mains[names[0]] = WeakMain(
            rise_m=round(throw.uniform(15, 20), 1), repair_h=round(throw.uniform(3, 6), 1)
        )


def _mains(
    city: Builder,
    names: Sequence[str],
    points: Sequence[Point],
    entry: int,
    zone: Zone,
    tank_at: int | None,
    throw: Generator,
) -> None:
    """Mains of a zone: few loops or many, sized for the flow from the entry, and through it to a tank."""
    away, before = _ways(points, _pairs(points, looped=_chance(throw, 0.6)), entry)
    demand = PEAK * zone.water_lps / len(points)
    flows = dict.fromkeys(before, 0.0)
    for index in range(len(points)):
        here = index
        while here != entry:
            flows[here] += demand
            here = before[here]
    here = entry if tank_at is None else tank_at
    while here != entry:
        flows[here] = max(flows[here], PEAK * zone.water_lps)
        here = before[here]
    for one, other in away:
        flow = flows[other] if before.get(other) == one else demand
        valve = before.get(other) == one and one != entry and _chance(throw, 0.05)
        city.main(names[one], names[other], max(main_diameter(flow, 0.7), 100.0), valve=valve)


def _pairs(points: Sequence[Point], looped: bool) -> list[tuple[int, int]]:
    """Neighbours among points: all of Gabriel's graph, or the fewer of the relative neighbourhood graph.

    Both look like streets, and both hold the shortest spanning tree, so that all points hang together.
    """
    found = []
    for one, other in combinations(range(len(points)), 2):
        middle, apart = between(points[one], points[other], 0.5), math.dist(points[one], points[other])
        rest = [points[index] for index in range(len(points)) if index not in (one, other)]
        if looped:
            free = all(math.dist(middle, at) >= apart / 2 for at in rest)
        else:
            free = all(max(math.dist(points[one], at), math.dist(points[other], at)) >= apart for at in rest)
        if free:
            found.append((one, other))
    return found


def _ways(
    points: Sequence[Point], pairs: Sequence[tuple[int, int]], entry: int
) -> tuple[list[tuple[int, int]], dict[int, int]]:
    """The pairs turned away from the entry, and by point the one before it on its shortest way (Dijkstra)."""
    neighbours: dict[int, list[int]] = {index: [] for index in range(len(points))}
    for one, other in pairs:
        neighbours[one].append(other)
        neighbours[other].append(one)
    far, before = {entry: 0.0}, dict[int, int]()
    queue = [(0.0, entry)]
    while queue:
        way, here = heapq.heappop(queue)
        if way > far[here]:
            continue
        for there in neighbours[here]:
            longer = way + math.dist(points[here], points[there])
            if longer < far.get(there, math.inf):
                far[there], before[there] = longer, here
                heapq.heappush(queue, (longer, there))
    return [(one, other) if far[one] <= far[other] else (other, one) for one, other in pairs], before


def _speed(
    city: Builder, zone: Zone, trunk: str, head: float, entry: str, ground: float, throw: Generator
) -> str:
    """A variable-speed pump that holds the pressure at the zone's entry."""
    held = round(throw.uniform(38, 46), 1)
    lps = PEAK * zone.water_lps
    lift = held + ground + 3 - head
    at = _towards(city.points[trunk], zone.at, 60)
    pump = city.pump("booster", zone.name, at, trunk, round(lps, 1), round(lift, 1))
    city.main(pump, entry, main_diameter(lps, 0.8))
    city.pumps[pump] = Pump(kw=pump_kw(lps, lift), holds=entry, at_m=held, suction=trunk)
    zone.wants.append(pump)
    return pump


def _with_tank(
    city: Builder,
    zone: Zone,
    trunk: str,
    head: float,
    ends: tuple[str, str],
    top: float,
    hill: Point,
    throw: Generator,
) -> str:
    """A pump and a tank: the pump fills it through the zone, or by a main of its own (gravity).

    ``ends`` are the zone's junctions nearest to the trunk and to the hill with the tank.
    """
    gravity = zone.feed == "gravity"
    depth = float(throw.integers(4, 8))
    volume = zone.water_lps * 3.6 * throw.uniform(3, 8)  # hours of storage
    low, high = round(depth * throw.uniform(0.45, 0.65), 1), round(depth * throw.uniform(0.84, 0.92), 1)
    floor = top + throw.uniform(36, 44)
    start = round((low + high) / 2, 1)
    tank = city.tank(zone.name, hill, floor, round(volume / depth, 1), depth, start)
    lps = _rate(zone)
    diameter = main_diameter(lps, 0.8)
    at = _towards(city.points[trunk], zone.at, 60)
    reach = ROUNDABOUT * (
        math.dist(at, hill) if gravity else math.dist(at, zone.at) + math.dist(zone.at, hill)
    )
    lift = floor + high + 1 + head_loss(lps, diameter, reach) - head
    word = "transfer-pump" if gravity else "booster"
    pump = city.pump(word, zone.name, at, trunk, round(lps, 1), round(lift, 1), bypass=not gravity)
    if gravity:
        city.main(pump, tank, diameter)
        city.main(trunk, ends[0], 150.0, check=True)  # what is left to the zone when its tank is empty
    else:
        city.main(pump, ends[0], diameter)
        city.link(pump, Relation.SUPPLIES, tank)
    city.main(tank, ends[1], main_diameter(PEAK * zone.water_lps, 0.8), valve=_chance(throw, 0.7))
    city.pumps[pump] = Pump(kw=pump_kw(lps, lift), fills=tank, on_below=low, off_above=high, suction=trunk)
    zone.wants.append(pump)
    return tank if gravity else pump


# --- storm water ----------------------------------------------------------------------------------------


def _storm(city: Builder, plan: Sequence[Zone], seed: int) -> None:
    """A drain below each zone's street; some end in another's. Underpasses, and cellars beside the drain."""
    for group in _groups(plan, 3):
        throw = dice(seed, "rain", group[0].name)
        gage = city.catchment(group[0].name, beside(group[0].at, *throw.uniform(-300, 300, 2).tolist()))
        for zone in group:
            zone.catchment = gage
    _join(plan, seed)
    throws = {zone.name: dice(seed, "storm", zone.name) for zone in plan}
    hectares = {zone.name: float(throws[zone.name].uniform(1.3, 2.6)) for zone in plan}
    for zone in sorted(plan, key=lambda one: one.into is not None):  # what lies below is built first
        throw = throws[zone.name]
        below = zone.into.drain if zone.into else None
        above = sum(one.inlets * hectares[one.name] for one in plan if one.into is zone)
        zone.drain = street = city.street(
            zone.name,
            *zone.street,
            zone.catchment,
            inlets=zone.inlets,
            hectares=hectares[zone.name],
            design_mm_per_h=throw.uniform(30, 70),
            arriving_ha=above,
            into=below.manholes[0] if below else None,
            depths_at=[number for number in range(1, zone.inlets + 1) if _chance(throw, 0.5)]
            or [zone.inlets],
            ponding_at=[int(throw.integers(1, zone.inlets + 1))] if _chance(throw, 0.7) else [],
        )
        if zone.sinks:
            place = zone.inlets - 1 - int(throw.integers(2))
            _, pump = city.underpass(
                zone.name,
                zone.catchment,
                street.manholes[place],
                street.inlets[place],
                lps=round(throw.uniform(70, 180)),
                hectares=throw.uniform(1.0, 1.6),
            )
            zone.wants.append(pump)
    for number, substation in enumerate(city.of_kind("substation")):
        throw = dice(seed, "cellar", number)
        if number == 0 or _chance(throw, 0.4):
            manhole = city.nearest(city.points[substation], city.of_kind("storm_manhole"))
            city.cellar(
                manhole,
                substation,
                above_m=round(throw.uniform(0.8, 1.2), 2),
                repair_h=round(throw.uniform(3, 6), 1),
                measured=_chance(throw, 0.7),
            )
    city.flood_near(city.of_kind("junction"), 350)


def _join(plan: Sequence[Zone], seed: int) -> None:
    """Let some drains end where a neighbour's begins, in the place of an outfall of their own."""
    taken: set[str] = set()
    for zone in plan:
        start = min(
            (other for other in plan if other is not zone and other.into is None),
            key=lambda other: math.dist(zone.street[1], other.street[0]),
            default=None,
        )
        throw = dice(seed, "join", zone.name)
        if start is None or zone.name in taken or not _chance(throw, 0.35):
            continue
        if math.dist(zone.street[0], start.street[0]) / zone.inlets <= 350:
            zone.into, zone.street = start, (zone.street[0], start.street[0])
            taken.add(start.name)


# --- sewage ---------------------------------------------------------------------------------------------


def _sewage(city: Builder, plan: Sequence[Zone], seed: int) -> None:
    """A sewer and a lift station for each zone, to the sewage works or into a sewer on the way."""
    for group in _groups(plan, 10):
        throw = dice(seed, "plant", group[0].name)
        south = throw.uniform(-0.9, 0.9) - math.pi / 2
        site = _edge(group, south, 1500) if len(group) == len(plan) else beside(group[0].at, 0, -2500)
        home = min(group, key=lambda zone: math.dist(zone.at, site))
        plant = city.plant(home.name, site, round(120 + sum(zone.people for zone in group) / 250))
        home.wants.append(plant)
        nearer = sorted(group, key=lambda zone: (math.dist(zone.at, site), zone.name))
        for place, zone in enumerate(nearer):
            next_ = min(nearer[:place], key=lambda one: math.dist(one.at, zone.at), default=None)
            if next_ and math.dist(next_.at, zone.at) < 3500 and _chance(dice(seed, "lift", zone.name), 0.6):
                zone.lifts_to = next_
        means = {zone.name: TO_SEWER * zone.water_lps for zone in group}
        totals = dict(means)
        for zone in reversed(nearer):
            if zone.lifts_to:
                totals[zone.lifts_to.name] += totals[zone.name]
        for zone in nearer:
            _sewer(city, zone, plant, [one for one in nearer if one.lifts_to is zone], means, totals, seed)


def _sewer(
    city: Builder,
    zone: Zone,
    plant: str,
    above: Sequence[Zone],
    means: dict[str, float],
    totals: dict[str, float],
    seed: int,
) -> None:
    """One zone's sewer, which takes what the stations of the zones above bring."""
    throw = dice(seed, "sewer", zone.name)
    into = zone.lifts_to.sewer.manholes[0] if zone.lifts_to and zone.lifts_to.sewer else plant
    holes = int(throw.integers(3, 7))
    goal = city.points[into]
    start = _towards(zone.at, goal, -holes * 90)
    end = _towards(start, goal, holes * throw.uniform(170, 230))
    low = round(throw.uniform(0.4, 0.7), 2)
    zone.sewer = sewer = city.sewer(
        zone.name,
        start,
        end,
        into,
        manholes=holes,
        lps=means[zone.name],
        arriving_lps=totals[zone.name] - means[zone.name],
        arriving_peak_lps=RESERVE * sum(totals[one.name] for one in above),
        catchment=zone.catchment if _chance(throw, 0.4) else None,
        soaks_ha=throw.uniform(0.3, 0.9),
        reserve=RESERVE,
        band_m=(low, round(low + throw.uniform(0.8, 1.2), 2)),
        depths_at=[number for number in range(1, holes + 1) if _chance(throw, 0.4)] or [holes],
    )
    zone.wants.append(sewer.pump)


# --- waste ----------------------------------------------------------------------------------------------

ROUNDS = ((0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 4, 5), (0, 2, 4), (1, 3, 5), (0, 3), (2, 5))
"""Days of the week on which routes are driven."""


def _waste(city: Builder, plan: Sequence[Zone], seed: int) -> None:
    """Bins at most inlets; one or two routes for each zone, daily or twice a week."""
    for number, zone in enumerate(plan):
        throw = dice(seed, "waste", zone.name)
        inlets = [one for one in zone.drain.inlets if _chance(throw, 0.85)] if zone.drain else []
        half = int(throw.integers(0, len(inlets) // 2 + 1))
        for part in (inlets[:half], inlets[half:]):
            days = ROUNDS[throw.integers(len(ROUNDS))]
            gap = max(
                (later - day - 1) % 7 + 1 for day, later in zip(days, [*days[1:], days[0]], strict=True)
            )
            bins = [
                city.litter_bin(one, gap * throw.uniform(1.4, 1.8), measured=_chance(throw, 0.75))
                for one in part
            ]
            if bins:
                at = f"{5 + (number + half) % 4:02d}:{throw.integers(0, 4) * 15:02d}"
                city.route(bins, days, at, measured=_chance(throw, 0.65))


# --- roads ----------------------------------------------------------------------------------------------


def _roads(city: Builder, plan: Sequence[Zone], seed: int) -> None:
    """A main road or two for each zone, its underpass, and a ring road for a few zones to go round by."""
    rings: list[str] = []
    for group in _groups(plan, 4):
        throw = dice(seed, "ring", group[0].name)
        home = group[-1]
        peak = throw.uniform(500, 800)
        ring = city.road(
            home.name,
            beside(home.at, 700, 500),
            free_kmh=float(throw.choice([70, 80])),
            capacity_vph=peak * 3.2,
            peak_vph=peak,
        )
        home.wants.append(city.signal(ring))
        for other in rings[-1:]:
            city.detour(ring, other)
            city.detour(other, ring)
        rings.append(ring)
        for zone in group:
            _zone_roads(city, zone, ring, dice(seed, "roads", zone.name))


def _zone_roads(city: Builder, zone: Zone, ring: str, throw: Generator) -> None:
    """The roads of a zone, which all go round by the ring."""
    inlets = zone.drain.inlets if zone.drain else ()
    wet = [
        inlets[int(index)] for index in throw.choice(len(inlets), int(throw.integers(1, 3)), replace=False)
    ]
    roads = []
    for place in [*wet, *city.of_kind("underpass", zone.name)]:
        peak = throw.uniform(500, 1000)
        underpass = place.startswith("underpass")
        road = city.road(
            zone.name,
            city.points[place],
            floods_with=place,
            free_kmh=60.0 if underpass else 50.0,
            capacity_vph=peak * throw.uniform(1.5, 2.0),
            peak_vph=peak,
            measured=underpass or _chance(throw, 0.7),
        )
        city.detour(road, ring)
        roads.append(road)
    for road in roads:
        if _chance(throw, 0.6):
            zone.wants.append(city.signal(road))
