"""Building a city block by block: assets, links, sensors, physics and the drafts of three networks at once.

In:  calls for one block after another: a substation, a pressure zone, a street with its drain, a sewer, ...
Out: a city's folder that ``simulator.physics.load_town`` reads, still without limits.

Blocks know nothing of each other but the ids that they hand out, so that drains, waste, roads and gateways
fit on water and power that came from elsewhere. What wants power waits in ``loads`` for ``feed``.
Places are metres east and north of the city's centre. All levels of drains count from one river's datum.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import yaml

from schemas.city import Asset, City, Link, Relation, Sensor, Utility
from simulator.commissioning import write_city
from simulator.drafting import Drains, Grid, water
from simulator.physics import (
    Bin,
    Climate,
    Foul,
    Physics,
    Pit,
    Pump,
    Road,
    Route,
    Thermal,
    WeakMain,
)

Point = tuple[float, float]
"""Metres east and north of the city's centre."""

RIVER_M = 4.0
"""Level of the river, above the datum of the drains."""
METRES_A_DEGREE = 111_320.0
"""Of latitude; of longitude times the cosine of the latitude."""
SENSORS = {
    "grid_intake": (("voltage", "pu", 60),),
    "substation": (("voltage", "pu", 60),),
    "transformer": (("loading", "pu", 60),),
    "feeder": (("current", "A", 60),),
    "treatment_works": (("voltage", "pu", 60), ("flow", "L/s", 60)),
    "pump": (("voltage", "pu", 60), ("flow", "L/s", 60), ("run", "1", 60)),
    "junction": (("pressure", "m", 120),),
    "tank": (("level", "m", 60),),
    "catchment": (("rain", "mm/h", 300),),
    "storm_manhole": (("depth", "m", 120),),
    "inlet": (("ponding", "m", 120),),
    "underpass": (("depth", "m", 60),),
    "sump": (("depth", "m", 120),),
    "manhole": (("depth", "m", 120),),
    "wet_well": (("level", "m", 60),),
    "overflow": (("flow", "L/s", 60),),
    "bin": (("fill", "1", 900),),
    "route": (("served", "1", 900),),
    "road": (("speed", "km/h", 300), ("volume", "veh/h", 300)),
    "signal": (("voltage", "pu", 120),),
}  # fmt: skip - a table
"""What is measured of a kind, in which unit, every how many seconds; as in cities/riverton/README.md."""
DIAMETERS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.4)
"""Of drains that are sold, in m."""
MAINS = (100.0, 125.0, 150.0, 200.0, 250.0, 300.0, 350.0, 400.0, 500.0, 600.0, 700.0, 800.0, 1000.0)
"""Of water mains that are sold, in mm."""
ROUNDABOUT = 1.15
"""Length of mains over the straight line (assumed)."""
SLOPE = 0.0045
"""Fall of drains and sewers; a usual one in flat cities."""


_COLUMNS = {
    "RESERVOIRS": "id  level_m",
    "JUNCTIONS": "id  ground_m  demand_lps  pattern",
    "TANKS": "id  floor_m  start_m  least_m  most_m  diameter_m",
    "PIPES": "id  start  end  length_m  diameter_mm  roughness  minor_loss  status",
}


def pump_kw(lps: float, head_m: float) -> float:
    """What a pump takes: water lifted, over an efficiency of 0.65 of pump and motor (assumed)."""
    return round(9.81 * lps * head_m / 1000 / 0.65 + 0.5, 1)


def main_diameter(lps: float, metres_a_second: float = 1.0) -> float:
    """The least usual diameter in mm that carries so much no faster than this."""
    needed = (lps / 1000 / metres_a_second / (math.pi / 4)) ** 0.5 * 1000
    return next((one for one in MAINS if one >= needed), MAINS[-1])


def head_loss(lps: float, diameter_mm: float, length_m: float) -> float:
    """Head lost in a main in m (Hazen and Williams, C = 125)."""
    return float(10.67 * length_m * (lps / 1000) ** 1.852 / (125**1.852 * (diameter_mm / 1000) ** 4.871))


def drain_diameter(lps: float, slope: float = SLOPE) -> float:
    """The least diameter in m of a concrete pipe that carries so much when full (Manning, n = 0.013)."""
    needed = (lps / 1000 * 0.013 / (0.312 * slope**0.5)) ** 0.375
    return next((one for one in DIAMETERS if one >= needed), DIAMETERS[-1])


def between(one: Point, other: Point, share: float) -> Point:
    """The point at a share of the way."""
    return one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share


def beside(at: Point, east: float, north: float = 0.0) -> Point:
    """A point some metres away."""
    return at[0] + east, at[1] + north


@dataclass(frozen=True, slots=True)
class Street:
    """A street with a storm drain below it, from its upper to its lower end."""

    manholes: tuple[str, ...]
    inlets: tuple[str, ...]
    outfall: str | None


@dataclass(frozen=True, slots=True)
class Sewer:
    """A sewer down to its lift station."""

    manholes: tuple[str, ...]
    wet_well: str
    pump: str
    overflow: str


@dataclass
class Builder:
    """A city that grows. ``centre`` is latitude and longitude; ``write`` puts it into a folder."""

    name: str
    centre: tuple[float, float]
    timezone: str = "Europe/Paris"
    climate: Climate = field(default_factory=lambda: Climate(river_m=RIVER_M))

    def __post_init__(self) -> None:
        self.assets: dict[str, Asset] = {}
        self.links: dict[tuple[str, Relation, str], Link] = {}
        self.sensors: list[Sensor] = []
        self.loads: dict[str, float] = {}
        """What wants power, in kW, and hangs on no feeder yet."""
        self.points: dict[str, Point] = {}
        self.pumps: dict[str, Pump] = {}
        self.pits: dict[str, Pit] = {}
        self.weak_mains: dict[str, WeakMain] = {}
        self.thermal: dict[str, Thermal] = {}
        self.foul: dict[str, Foul] = {}
        self.bins: dict[str, Bin] = {}
        self.routes: dict[str, Route] = {}
        self.roads: dict[str, Road] = {}
        self.profiles: dict[str, str] = {}
        self.water, self.drains, self.grid = water(self.name), Drains(self.name), Grid(self.name)
        for section, columns in _COLUMNS.items():  # EPANET wants every node before the first link
            self.water.add(section, f";{columns}")
        self._wet = self._lit = False
        self._inverts: dict[str, float] = {}
        self._grounds: dict[str, float] = {}
        self._counts: dict[str, int] = defaultdict(int)

    # --- the plain parts --------------------------------------------------------------------------

    def new(self, word: str) -> str:
        """The next free id of a word: ``tank-3``."""
        self._counts[word] += 1
        return f"{word}-{self._counts[word]}"

    def add(
        self, name: str, utility: Utility | str, kind: str, zone: str, at: Point, **properties: float
    ) -> str:
        """An asset at a place; its id. Properties are facts with the unit in the name."""
        latitude, longitude = self.centre
        position = (
            round(latitude + at[1] / METRES_A_DEGREE, 5),
            round(longitude + at[0] / (METRES_A_DEGREE * math.cos(math.radians(latitude))), 5),
        )
        rounded = {key: float(f"{value:.4g}") for key, value in properties.items()}
        self.assets[name] = Asset(
            id=name, utility=Utility(utility), kind=kind, zone=zone, position=position, properties=rounded
        )
        self.points[name] = at
        return name

    def link(self, source: str, relation: Relation, target: str, **properties: float) -> None:
        """A link, once, however often it is asked for."""
        rounded = {key: float(f"{value:.4g}") for key, value in properties.items()}
        self.links.setdefault(
            (source, relation, target),
            Link.model_validate({"from": source, "to": target, "relation": relation, "properties": rounded}),
        )

    def measure(self, asset: str) -> None:
        """Give an asset the sensors that are usual for its kind."""
        for quantity, unit, every in SENSORS[self.assets[asset].kind]:
            self.sensors.append(Sensor(asset=asset, quantity=quantity, unit=unit, every=every))

    def of_kind(self, kind: str, zone: str | None = None) -> list[str]:
        """Ids of the assets of a kind, in all zones or one."""
        return [a.id for a in self.assets.values() if a.kind == kind and zone in (None, a.zone)]

    def nearest(self, at: Point, names: Iterable[str]) -> str:
        """Which of these assets is nearest to a place."""
        return min(names, key=lambda name: (math.dist(at, self.points[name]), name))

    # --- power ------------------------------------------------------------------------------------

    def intake(self, zone: str, at: Point) -> str:
        """Where the city takes its power from the grid above."""
        self._lit = True
        name = self.add("grid-110", "power", "grid_intake", zone, at)
        self.measure(name)
        return name

    def substation(self, zone: str, at: Point, kva: float) -> str:
        """A substation behind the intake, with one transformer; the transformer's id."""
        name, transformer = self.new("substation"), self.new("transformer")
        self.grid.substation(name, transformer, kva)
        self.add(name, "power", "substation", zone, at)
        self.add(transformer, "power", "transformer", zone, beside(at, 30), rating_kva=kva)
        self.link("grid-110", Relation.POWERS, name)
        self.link(name, Relation.POWERS, transformer)
        self.thermal[transformer] = Thermal()
        self.measure(name)
        self.measure(transformer)
        return transformer

    def feeder(
        self, zone: str, at: Point, transformer: str, kw: float, km: float, profile: str | None = None
    ) -> str:
        """A feeder and its customers, in kW on a mean day; ``profile`` as in physics.yaml."""
        name = self.new("feeder")
        self.grid.feeder(name, transformer, km, kw)
        self.add(name, "power", "feeder", zone, at)
        self.link(transformer, Relation.POWERS, name)
        if profile:
            self.profiles[name] = profile
        self.measure(name)
        return name

    def ring(self, one: str, other: str, km: float) -> None:
        """Close two feeders to a ring: each holds the other's loads when one trips."""
        self.grid.tie(f"{one}_{other}.tie", one, other, km)

    def load(self, asset: str, kw: float) -> None:
        """Note that an asset wants power."""
        self.loads[asset] = kw

    def feed(self, asset: str, *feeders: str) -> None:
        """Connect a load to a feeder, or to a ring of two."""
        self.grid.load(asset, feeders[0], self.loads.pop(asset))
        for feeder in feeders:
            self.link(feeder, Relation.POWERS, asset)

    # --- water ------------------------------------------------------------------------------------

    def works(self, zone: str, at: Point, level_m: float, lps: float, head_m: float) -> str:
        """A waterworks: a reservoir and pumps of a flat curve that give ``lps`` at ``head_m`` above it."""
        self._wet = True
        name = self.new("waterworks")
        self.water.add("RESERVOIRS", name, level_m)
        self._grounds[name] = level_m - 14
        self.water.add("JUNCTIONS", f"{name}.out", self._grounds[name], 0)
        self._spot(f"{name}.out", at)
        self.water.add("PIPES", f"{name}.bypass", name, f"{name}.out", 50.0, 300.0, 125, 0, "CV")
        self.water.add("PUMPS", name, name, f"{name}.out", f"HEAD {name}.curve")
        for share, height in ((0.0, 1.12), (1.0, 1.0), (2.0, 0.75)):
            self.water.add("CURVES", f"{name}.curve", lps * share, head_m * height)
        self.add(name, "water", "treatment_works", zone, at)
        self.load(name, pump_kw(lps, head_m))
        self.measure(name)
        return name

    def junction(
        self, zone: str, at: Point, ground_m: float, lps: float = 0.0, pattern: str = "residential"
    ) -> str:
        """A junction of mains, and what its customers draw on a mean day."""
        name = self.new("junction")
        self.water.add("JUNCTIONS", name, round(ground_m, 2), round(lps, 3), *([pattern] if lps else []))
        self._spot(name, at)
        self._grounds[name] = ground_m
        return self.add(name, "water", "junction", zone, at)

    def main(
        self, source: str, target: str, diameter_mm: float, *, valve: bool = False, check: bool = False
    ) -> str | None:
        """A main between two assets that water passes; with a valve in its middle, whose id comes back.

        Mains follow streets: they are longer than the straight line. ``check`` lets water pass onward only.
        """
        start, end = self._outlet(source), target
        length = max(math.dist(self.points[source], self.points[target]) * ROUNDABOUT, 20.0)
        if not valve:
            status = "CV" if check else "OPEN"
            self._pipe(f"{source}.{target}", start, end, length, diameter_mm, status)
            self.link(source, Relation.SUPPLIES, target, diameter_mm=diameter_mm, length_m=length)
            return None
        name = self.new("valve")
        at = between(self.points[source], self.points[target], 0.5)
        zone = self.assets[target if self.assets[source].kind in ("treatment_works", "tank") else source].zone
        self.add(name, "water", "valve", zone, at)
        for side in ("in", "out"):
            self.water.add(
                "JUNCTIONS", f"{name}.{side}", min(self._grounds[source], self._grounds[target]), 0
            )
            self._spot(f"{name}.{side}", at)
        self.water.add("VALVES", name, f"{name}.in", f"{name}.out", diameter_mm, "TCV", 0.5, 0)
        self._pipe(f"{source}.{name}", start, f"{name}.in", length / 2, diameter_mm)
        self._pipe(f"{name}.{target}", f"{name}.out", end, length / 2, diameter_mm)
        for one, other in ((source, name), (name, target)):
            self.link(one, Relation.SUPPLIES, other, diameter_mm=diameter_mm, length_m=length / 2)
        return name

    def pressure_zone(self, zone: str, at: Point, junctions: Iterable[str], source: str) -> str:
        """The junctions that share one head, and what gives it to them: works, a pump or a tank."""
        name = self.add(self.new("pressure-zone"), "water", "pressure_zone", zone, at)
        relation = Relation.SERVES if self.assets[source].kind == "tank" else Relation.SUPPLIES
        self.link(source, relation, name)
        for junction in junctions:
            self.link(name, Relation.SERVES, junction)
        return name

    def pump(
        self, word: str, zone: str, at: Point, suction: str, lps: float, head_m: float, bypass: bool = True
    ) -> str:
        """A pump that draws from a junction; ``main`` leads on from it. Its control is for the caller to set.

        Its curve is EPANET's of one point: 4/3 of the head at no flow, twice the flow at no head. Past a
        standing pump a check valve lets through what the suction's pressure gives.
        """
        name = self.new(word)
        ground = self._grounds[suction]
        for side in ("in", "out"):
            self.water.add("JUNCTIONS", f"{name}.{side}", ground, 0)
            self._spot(f"{name}.{side}", at)
        self.add(name, "water", "pump", zone, at, rated_lps=lps)
        self._grounds[name] = ground
        length = max(math.dist(self.points[suction], at), 20.0)
        diameter = main_diameter(2 * lps)
        self._pipe(f"{name}.suction", suction, f"{name}.in", length, diameter)
        self.link(suction, Relation.SUPPLIES, name, diameter_mm=diameter, length_m=length)
        if bypass:
            self._pipe(f"{name}.bypass", f"{name}.in", f"{name}.out", 20.0, diameter, "CV")
        self.water.add("PUMPS", name, f"{name}.in", f"{name}.out", f"HEAD {name}.curve")
        self.water.add("CURVES", f"{name}.curve", lps, head_m)
        self.load(name, pump_kw(lps, head_m))
        self.measure(name)
        return name

    def tank(
        self, zone: str, at: Point, floor_m: float, area_m2: float, depth_m: float, start_m: float
    ) -> str:
        """A tank with its floor at a level; ``main`` leads to and from it."""
        name = self.new("tank")
        diameter = (4 * area_m2 / math.pi) ** 0.5
        self.water.add("TANKS", name, round(floor_m, 2), start_m, 0.0, depth_m, round(diameter, 2), 0)
        self._spot(name, at)
        self._grounds[name] = floor_m
        self.add(name, "water", "tank", zone, at, area_m2=area_m2, volume_m3=area_m2 * depth_m)
        self.measure(name)
        return name

    def _outlet(self, asset: str) -> str:
        """The node at which water leaves an asset."""
        return f"{asset}.out" if self.assets[asset].kind in ("pump", "treatment_works") else asset

    def _pipe(
        self, name: str, start: str, end: str, length: float, diameter_mm: float, status: str = "OPEN"
    ) -> None:
        self.water.add("PIPES", name, start, end, round(length, 1), diameter_mm, 125, 0, status)

    def _spot(self, node: str, at: Point) -> None:
        self.water.add("COORDINATES", node, round(at[0], 1), round(at[1], 1))

    # --- storm water ------------------------------------------------------------------------------

    def catchment(self, zone: str, at: Point) -> str:
        """A rain gage and the land around it."""
        name = self.add(self.new("catchment"), "storm", "catchment", zone, at)
        self.drains.gage(name)
        self.measure(name)
        return name

    def street(
        self,
        zone: str,
        start: Point,
        end: Point,
        catchment: str,
        *,
        inlets: int = 6,
        hectares: float = 2.2,
        design_mm_per_h: float = 45.0,
        arriving_ha: float = 0.0,
        into: str | None = None,
        depths_at: Sequence[int] = (2, 4, 6, 8),
        ponding_at: Sequence[int] = (3,),
    ) -> Street:
        """A street's drain: an inlet with its low place, a manhole and a pipe for each part, down to ``end``.

        Pipes carry a rain of ``design_mm_per_h`` on the ``hectares`` of each inlet and on ``arriving_ha`` of
        streets above. It ends at an outfall of its own, or ``into`` a manhole of another street.
        ``depths_at`` and ``ponding_at`` number (from 1) the manholes and inlets that have a sensor.
        """
        step = math.dist(start, end) / inlets
        last = RIVER_M - 0.2 if into is None else self._inverts[into]
        manholes = [self.new("storm") for _ in range(inlets)]
        grates = [self.new("inlet") for _ in range(inlets)]
        outfall = self.new("outfall") if into is None else None
        for index, (manhole, grate) in enumerate(zip(manholes, grates, strict=True)):
            at = between(start, end, index / inlets)
            invert = round(last + SLOPE * step * (inlets - index), 2)
            self._inverts[manhole] = invert
            self.drains.manhole(manhole, invert, 3.0)
            self.drains.basin(grate, invert + 3.0, 1.5, 1600.0)
            self.drains.opening(f"{grate}.grate", grate, manhole, 0.6)
            self.drains.area(f"{grate}.area", catchment, grate, round(hectares, 2))
            self.add(manhole, "storm", "storm_manhole", zone, at)
            self.add(grate, "storm", "inlet", zone, beside(at, 0, 15))
            self._mark(manhole)
            self._mark(grate)
            self.link(catchment, Relation.DRAINS_TO, grate)
            self.link(grate, Relation.DRAINS_TO, manhole)
            onward = manholes[index + 1] if index + 1 < inlets else into or str(outfall)
            self.link(manhole, Relation.DRAINS_TO, onward)
            runoff = 2.78 * 0.7 * (arriving_ha + hectares * (index + 1)) * design_mm_per_h
            self.drains.conduit(
                f"{manhole}.pipe", manhole, onward, round(step, 1), max(drain_diameter(runoff), 0.5)
            )
            if index + 1 in depths_at:
                self.measure(manhole)
            if index + 1 in ponding_at:
                self.measure(grate)
        if outfall:
            self.drains.outfall(outfall, round(last, 2), RIVER_M)
            self.add(outfall, "storm", "outfall", zone, end)
        return Street(tuple(manholes), tuple(grates), outfall)

    def underpass(
        self, zone: str, catchment: str, manhole: str, inlet: str, lps: float = 220.0, hectares: float = 1.4
    ) -> tuple[str, str]:
        """An underpass, which takes its ramps' rain and what an inlet spills; its id and its pump's."""
        name, pump = self.new("underpass"), self.new("underpass-pump")
        at = beside(self.points[manhole], 60, -70)
        self.drains.basin(name, round(self._inverts[manhole] - 2.2, 2), 6.0, 230.0)
        self.drains.area(f"{name}.area", catchment, name, round(hectares, 2), 85.0)
        self.drains.weir(f"{inlet}.spill", inlet, name, 0.22, 3.0)
        self.drains.outfall(f"{name}.river", 0.0)
        self.drains.pump(pump, name, f"{name}.river", round(lps))
        self.add(name, "storm", "underpass", zone, at)
        self._mark(name)
        self.add(pump, "storm", "pump", zone, beside(at, 10), rated_lps=lps)
        for source, relation, target in (
            (inlet, Relation.DRAINS_TO, name),
            (catchment, Relation.DRAINS_TO, name),
            (pump, Relation.PROTECTS, name),
        ):
            self.link(source, relation, target)
        kw = pump_kw(lps, 8.0)
        self.pumps[pump] = Pump(kw=kw, drains=name, on_above=0.4, off_below=0.2)
        self.load(pump, kw)
        self.measure(name)
        self.measure(pump)
        return name, pump

    def cellar(
        self,
        manhole: str,
        substation: str,
        *,
        above_m: float = 1.1,
        repair_h: float = 5.0,
        measured: bool = True,
    ) -> str:
        """A substation's cellar, which a surcharged storm manhole fills until its breaker drowns."""
        name = self.new("sump")
        zone = self.assets[manhole].zone
        self.drains.basin(name, round(self._inverts[manhole] + 1.7, 2), 4.0, 60.0)
        self.drains.opening(f"{name}.hole", manhole, name, 0.3, 1.7, "SIDE")
        self.add(name, "storm", "sump", zone, between(self.points[manhole], self.points[substation], 0.5))
        self._mark(name)
        self.link(manhole, Relation.DRAINS_TO, name)
        self.link(name, Relation.NEAR, substation)
        self.pits[name] = Pit(breaker=substation, above_m=above_m, repair_h=repair_h)
        if measured:
            self.measure(name)
        return name

    def flood_near(self, junctions: Iterable[str], within_m: float = 400.0) -> None:
        """Say where the water of a burst main runs: to the nearest inlet, where one is near enough."""
        inlets = self.of_kind("inlet")
        for junction in junctions:
            inlet = self.nearest(self.points[junction], inlets)
            if math.dist(self.points[junction], self.points[inlet]) <= within_m:
                self.link(junction, Relation.NEAR, inlet)

    # --- sewage -----------------------------------------------------------------------------------

    def plant(self, zone: str, at: Point, kw: float = 180.0) -> str:
        """A sewage works with its inlet chamber, into which any number of lift pumps may empty."""
        name = self.new("plant")
        self.drains.manhole(f"{name}.in", 1.0, 6.0)
        self.drains.outfall(name, 0.0)
        self.drains.conduit(f"{name}.inlet", f"{name}.in", name, 100.0, 1.2)
        self.add(name, "sewage", "treatment_works", zone, at)
        self.load(name, kw)
        self.measure(name)
        return name

    def sewer(
        self,
        zone: str,
        start: Point,
        end: Point,
        into: str,
        *,
        manholes: int = 5,
        lps: float = 30.0,
        arriving_lps: float = 0.0,
        arriving_peak_lps: float = 0.0,
        catchment: str | None = None,
        soaks_ha: float = 0.4,
        reserve: float = 2.3,
        band_m: tuple[float, float] = (0.6, 1.6),
        depths_at: Sequence[int] = (2, 4),
    ) -> Sewer:
        """A sewer from manhole to manhole to a lift station, which lifts ``into`` a plant or a manhole.

        ``lps`` is its own sewage on a mean day, ``arriving_lps`` and ``arriving_peak_lps`` what other
        stations bring, in the mean and while they pump. The pump takes ``reserve`` times the mean.
        A ``catchment`` lets rain of ``soaks_ha`` in at its upper end. ``band_m`` are its control's levels.
        """
        step = math.dist(start, end) / manholes
        top = 5.0 + SLOPE * step * (manholes - 1)
        mean = lps + arriving_lps
        rate = round(max(reserve * mean, 1.3 * arriving_peak_lps))
        holes = [self.new("manhole") for _ in range(manholes)]
        wet_well, pump, overflow = self.new("wetwell"), self.new("lift-pump"), self.new("overflow")
        diameter = max(drain_diameter(2.2 * lps + arriving_peak_lps), 0.3)
        for index, hole in enumerate(holes):
            at = between(start, end, index / manholes)
            invert = round(top - SLOPE * step * index, 2)
            sewer = self.new("sewer")
            onward = holes[index + 1] if index + 1 < manholes else wet_well
            self.drains.manhole(hole, invert, 3.5)
            offset = 2.2 if onward == wet_well else 0.0
            self.drains.conduit(sewer, hole, onward, round(step, 1), diameter, 0, offset)
            self.add(hole, "sewage", "manhole", zone, at)
            self._mark(hole)
            middle = between(start, end, (index + 0.5) / manholes)
            self.add(
                sewer, "sewage", "sewer", zone, middle, length_m=round(step), diameter_mm=1000 * diameter
            )
            self.link(hole, Relation.DRAINS_TO, sewer)
            self.link(sewer, Relation.DRAINS_TO, onward)
            self.foul[hole] = Foul(lps=round(lps / manholes, 2))
            if index + 1 in depths_at:
                self.measure(hole)
        if catchment:
            self.drains.area(f"{holes[0]}.area", catchment, holes[0], round(soaks_ha, 2), 20.0)
            self.link(catchment, Relation.DRAINS_TO, holes[0])
        floor = 5.0 - SLOPE * step - 2.2
        self._lift(zone, end, (wet_well, pump, overflow), into, floor, mean, rate, band_m)
        return Sewer(tuple(holes), wet_well, pump, overflow)

    def _lift(
        self,
        zone: str,
        at: Point,
        names: tuple[str, str, str],
        into: str,
        floor: float,
        mean: float,
        rate: float,
        band_m: tuple[float, float],
    ) -> None:
        """A wet well whose sewer comes in 2.2 m above its floor, its pump and its overflow to the river."""
        wet_well, pump, overflow = names
        works = self.assets[into].kind == "treatment_works"
        area = max(0.9 * mean, 8.0)  # of the same proportion as Riverton's: some two starts an hour
        self.drains.basin(wet_well, round(floor, 2), 6.0, round(area, 1), 1.0)
        self.drains.pump(pump, wet_well, f"{into}.in" if works else into, rate)
        self.drains.outfall(f"{overflow}.river", 0.0)
        self.drains.weir(overflow, wet_well, f"{overflow}.river", 3.6, 2.0)
        self.add(wet_well, "sewage", "wet_well", zone, at, area_m2=round(area, 1))
        self._mark(wet_well)
        self.add(pump, "sewage", "pump", zone, beside(at, 5), rated_lps=rate)
        self.add(overflow, "sewage", "overflow", zone, beside(at, 20, -20))
        self.link(pump, Relation.PROTECTS, wet_well)
        self.link(wet_well, Relation.DRAINS_TO, pump)
        self.link(pump, Relation.LIFTS_TO, into)
        self.link(wet_well, Relation.DRAINS_TO, overflow)
        kw = pump_kw(rate, 8.0)
        self.pumps[pump] = Pump(
            kw=kw, drains=wet_well, on_above=band_m[1], off_below=band_m[0], into=into if works else None
        )
        self.load(pump, kw)
        for one in names:
            self.measure(one)

    def _mark(self, node: str) -> None:
        """Tell SWMM's file where a node lies."""
        east, north = self.points[node]
        self.drains.file.add("COORDINATES", node, round(east, 1), round(north, 1))

    # --- waste ------------------------------------------------------------------------------------

    def litter_bin(self, inlet: str, days_to_full: float, measured: bool = True) -> str:
        """A bin beside an inlet, whose litter clogs it when nobody empties the bin."""
        at = beside(self.points[inlet], 8, 8)
        name = self.add(self.new("bin"), "waste", "bin", self.assets[inlet].zone, at)
        self.link(name, Relation.BLOCKS, inlet)
        self.bins[name] = Bin(days_to_full=round(days_to_full, 2))
        if measured:
            self.measure(name)
        return name

    def route(
        self, bins: Sequence[str], days: tuple[int, ...], at: str = "06:00", measured: bool = True
    ) -> str:
        """A waste route: the bins that one lorry empties on its days."""
        first = bins[0]
        name = self.add(self.new("route"), "waste", "route", self.assets[first].zone, self.points[first])
        for one in bins:
            self.link(name, Relation.SERVES, one)
        self.routes[name] = Route(days=days, at=at)
        if measured:
            self.measure(name)
        return name

    # --- roads ------------------------------------------------------------------------------------

    def road(
        self,
        zone: str,
        at: Point,
        *,
        floods_with: str | None = None,
        free_kmh: float = 50.0,
        capacity_vph: float = 1400.0,
        peak_vph: float = 750.0,
        measured: bool = True,
    ) -> str:
        """A road; water at the inlet or in the underpass ``floods_with`` slows it."""
        name = self.add(self.new("road"), "roads", "road", zone, at)
        if floods_with:
            self.link(floods_with, Relation.NEAR, name)
        self.roads[name] = Road(free_kmh=free_kmh, capacity_vph=round(capacity_vph), peak_vph=round(peak_vph))
        if measured:
            self.measure(name)
        return name

    def detour(self, road: str, other: str) -> None:
        """Say that drivers who can't go one way go the other."""
        self.link(road, Relation.NEAR, other)

    def signal(self, road: str, kw: float = 2.0) -> str:
        """Traffic lights, whose darkness halves what a road carries."""
        at = beside(self.points[road], 40, 20)
        name = self.add(self.new("signal"), "roads", "signal", self.assets[road].zone, at)
        self.link(name, Relation.SERVES, road)
        self.load(name, kw)
        self.measure(name)
        return name

    # --- the end ----------------------------------------------------------------------------------

    def gateways(self) -> None:
        """A gateway for each utility and zone, which carries the messages of all that is measured there."""
        groups: dict[tuple[Utility, str], list[str]] = defaultdict(list)
        for name in dict.fromkeys(sensor.asset for sensor in self.sensors):
            groups[self.assets[name].utility, self.assets[name].zone].append(name)
        for (utility, zone), names in groups.items():
            at = (
                fmean(self.points[name][0] for name in names),
                fmean(self.points[name][1] for name in names),
            )
            gateway = self.add(f"gw-{utility}-{zone}", utility, "gateway", zone, at)
            for name in names:
                self.link(gateway, Relation.CARRIES, name)

    def city(self) -> City:
        """The city model as it stands, without limits."""
        return City(
            city=self.name,
            timezone=self.timezone,
            assets=tuple(self.assets.values()),
            links=tuple(self.links.values()),
            sensors=tuple(self.sensors),
        )

    def physics(self) -> Physics:
        """The numbers as they stand, after the names that the networks get."""
        return Physics.model_validate(
            {
                "water": "water.inp",
                "drainage": "drainage.inp",
                "power": "power.dss",
                "pumps": self.pumps,
                "pits": self.pits,
                "weak_mains": self.weak_mains,
                "thermal": self.thermal,
                "foul": self.foul,
                "bins": self.bins,
                "routes": self.routes,
                "roads": self.roads,
                "climate": self.climate,
                "load_profile": self.profiles,
            }
        )

    def write(self, folder: Path, comment: str) -> None:
        """Write the folder. Networks that have no block of ours are left to whoever made them.

        Raises OSError, and ValueError where power is ours and a load hangs on no feeder.
        """
        if self._lit and self.loads:
            raise ValueError(f"no feeder for {', '.join(self.loads)}; connect them by feed() before write()")
        place = folder / "physics"
        place.mkdir(parents=True, exist_ok=True)
        write_city(folder / "city.yaml", self.city(), self.sensors, comment)
        (place / "physics.yaml").write_text(_yaml(self.physics(), comment), encoding="utf-8")
        self.drains.write(place / "drainage.inp")
        if self._wet:
            self.water.write(place / "water.inp")
        if self._lit:
            self.grid.write(place / "power.dss")


def _yaml(physics: Physics, comment: str) -> str:
    """The file of the numbers, one asset a line."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    for section, entries in physics.model_dump(mode="json", exclude_defaults=True).items():
        if isinstance(entries, dict) and section not in ("climate", "load_profile"):
            lines += [f"{section}:", *(f"  {name}: {_flow(entry)}" for name, entry in entries.items())]
        else:
            lines.append(f"{section}: {_flow(entries)}")
    return "\n".join(lines) + "\n"


def _flow(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("...\n").strip()
