"""Make cities/lakeland of two public networks: WNTR's ky10 for water, pandapower's mv_oberrhein for power.

In:  ky10.inp and mv_oberrhein.json, as those packages ship them (cities/lakeland/LICENSES.md says on which
     terms), and the folder to write. Needs the extra ``simulate``, and neither of those packages.
Out: city.yaml, still without limits, and physics/ with three networks; the same bytes at every run.

    python scripts/lakeland.py ky10.inp mv_oberrhein.json cities/lakeland
    crosscurrent commission cities/lakeland

What is changed of the public networks stands in the tables below, and why in cities/lakeland/README.md.
Drains, sewers, waste and roads have no public source: they are blocks of ``simulator.building``.
"""

import heapq
import json
import math
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by name: our packages lie beside scripts/

from schemas.city import Relation
from schemas.times import parse_time
from simulator.building import Builder, Point, between, pump_kw
from simulator.drafting import Grid, Sections, water
from simulator.physics import Climate, Pump, Thermal, WeakMain, load_town
from simulator.run import Run
from simulator.scenario import Scenario

COMMENT = """Lakeland: a made-up city on two public networks, for cities of size; see README.md.
Water: ky10, one of the University of Kentucky's research networks, as WNTR ships it. Power: mv_oberrhein, as
pandapower ships it. Both are changed; LICENSES.md has their terms. Limits: from a simulated fortnight."""

FOOT, INCH, GPM, PSI = 0.3048, 25.4, 0.0630902, 0.70325
"""In m, mm, L/s and m of water."""
RIVER_M = 3.8
"""The river's level, just at the mouths of the drains: higher, and SWMM begins with water from nowhere."""
CENTRE = (46.6, 0.6)
"""Latitude and longitude of the invented city's centre: countryside."""
WATER_AT, WATER_SCALE = (1800.0, -3000.0), 0.47
"""Where the middle of ky10 comes to lie, in metres from the centre, and how its map is shrunk."""
POWER_AT, POWER_SCALE = (1700.0, -2900.0), 0.4

# --- water: what is changed ---------------------------------------------------------------------------

DEMAND = 0.55
"""Of ky10's demands: more than its works give would drain its tanks for ever."""
SHOPS = 0.96
"""Junctions that draw more than this share of all others follow the commercial pattern."""
LEAST_M, LEAST_MM = 5.0, 40.0
"""Shorter and thinner pipes make solutions restless and carry nothing."""
GROUND_M = {"J-16": 202.0}
"""ky10 has it at the level of the sea, 200 m below its neighbours."""
RAISED_M = {"T-2": 15.0, "T-3": -22.0, "T-7": -7.0, "T-8": 3.0, "T-10": -7.0}
"""Tanks that ky10 leaves full or empty for good: how much higher they stand here."""
STARTS = {"T-5": 0.48, "T-7": 0.5}
"""How full a tank is when a run begins, as a part; else 0.7. Here the pumps of the works run at once."""
CHECKED = {"P-653"}
"""The main past pump 7 lets nothing flow back."""
WORKS_CURVE = ((0.0, 24.0), (60.0, 22.0), (120.0, 14.0))
"""L/s and m of the waterworks' own pumps (ky10's pump 1, between two reservoirs of one level)."""


@dataclass(frozen=True, slots=True)
class Booster:
    """One of ky10's pumps: its point of work, and what it is controlled by; parts of the tank's depth."""

    lps: float
    head_m: float
    fills: str | None = None
    on: float = 0.55
    off: float = 0.9
    holds: str | None = None
    at_m: float = 0.0


BOOSTERS = {
    2: Booster(20, 68, "tank-6", 0.65, 0.85),
    3: Booster(20, 68, "tank-7", 0.45, 0.7),
    4: Booster(20, 68, "tank-5", 0.5, 0.92),
    5: Booster(8, 66, "tank-11", 0.6),
    6: Booster(16, 32, holds="junction-729", at_m=80),
    7: Booster(34, 40, "tank-9", 0.5),
    8: Booster(14, 100, "tank-13"),
    9: Booster(10, 64, "tank-4"),
    10: Booster(9, 66, holds="junction-11", at_m=70),
    11: Booster(20, 74, "tank-3"),
    12: Booster(12, 58, "tank-12"),
    13: Booster(7, 50, "tank-1"),
}
"""ky10 gives its pumps a constant power, which stands for no machine; these curves pass where that works."""
ALSO_FILLED = {"tank-2": (2, 3), "tank-8": (7,), "tank-10": (5,)}
"""Tanks that fill with others."""
WEAK_MAINS = {"junction-141": 25.0}
"""Old mains, and the rise of pressure in m that breaks them."""
PRESSURE_EVERY = 8
"""One junction in so many has a sensor."""

# --- power: what is changed ---------------------------------------------------------------------------

MEAN_LOAD = 0.42
"""Of mv_oberrhein's loads, for a mean day: its peak is then the 0.6 of the network's own high-load case."""
SECTION = 10
"""Stations on a feeder before the next switch with a relay, beyond which another feeder begins."""

# --- drains, sewers, waste, roads: invented -----------------------------------------------------------

PLANT_AT = (7200.0, -6800.0)


@dataclass(frozen=True, slots=True)
class Area:
    """A catchment with two streets and a sewer."""

    at: Point
    east: bool
    """Whether the first street runs east, else south."""
    branch: bool
    """Whether the second street's drain ends in the first's."""
    underpass: bool
    cellar: str | None
    sewage_lps: float
    lifts_to: int | None
    """The area into whose sewer this one's is lifted, by place in the list; None is the works."""


AREAS = (
    Area((1500, -3000), True, True, True, None, 34, None),
    Area((3900, -3500), False, False, True, None, 26, None),
    Area((3500, -500), True, False, True, "substation-1", 16, 1),
    Area((-900, -1300), False, True, False, "substation-2", 14, 0),
)
INLETS = 7
BIN_DAYS = (1.5, 1.6, 1.7, 1.8)


Rows = Mapping[str, list[list[str]]]


def sections(path: Path) -> Rows:
    """The rows of an EPANET file by section."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.split(";")[0].strip()
        if text.startswith("["):
            section = text.strip("[]")
        elif text:
            found[section].append(text.split())
    return found


def table(file: Mapping[str, Any], name: str) -> dict[int, dict[str, Any]]:
    """A table of a pandapower file: rows by index."""
    frame = json.loads(file[name]["_object"])
    rows = (dict(zip(frame["columns"], row, strict=True)) for row in frame["data"])
    return dict(zip(frame["index"], rows, strict=True))


# --- water --------------------------------------------------------------------------------------------


def renamed(node: str) -> str:
    """Our name of ky10's node or link: ``J-12`` is ``junction-12``."""
    if node == "R-1":
        return "junction-works"
    word, _, number = node.removeprefix("~@").rpartition("-")
    kinds = {
        "J": "junction-{}",
        "T": "valve-t{}.out",  # each tank gets a valve before it
        "P": "main-{}",
        "I-Pump": "booster-{}.in",
        "O-Pump": "booster-{}.out",
        "I-RV": "valve-{}.in",
        "O-RV": "valve-{}.out",
    }
    return kinds[word].format(number.lower())


def owner(node: str) -> str:
    """The asset that a node belongs to."""
    return node.partition(".")[0]


@dataclass
class Mains:
    """The water network while it is converted."""

    city: Builder
    file: Sections = field(default_factory=lambda: water("Lakeland: ky10, changed (see README.md)"))
    pipes: dict[str, tuple[str, str, float, float]] = field(default_factory=dict)
    """Start, end, m, mm."""
    depths: dict[str, float] = field(default_factory=dict)

    def convert(self, public: Rows, zone_of: "Zones") -> None:
        """Everything but links, whose directions need a day of flows."""
        places = places_of({row[0]: (float(row[1]), float(row[2])) for row in public["COORDINATES"]})
        self.file.add(
            "OPTIONS", "TRIALS", 300
        )  # some minutes of it need a hundred; the usual 60 end in nonsense
        for section in ("RESERVOIRS", "JUNCTIONS", "TANKS"):  # EPANET wants every node before the first link
            self.file.add(section, ";id")
        dropped = {"R-2", "I-Pump-1", "O-Pump-1"}  # pump 1 becomes the waterworks itself
        zone_of.learn(places[row[0]] for row in public["JUNCTIONS"] if row[0].startswith("J-"))
        self._works(zone_of, places["R-1"], float(public["RESERVOIRS"][0][1]) * FOOT)
        demands = sorted(float(row[2]) for row in public["JUNCTIONS"])
        shop = demands[int(SHOPS * len(demands))]
        grounds = {row[0]: GROUND_M.get(row[0], float(row[1]) * FOOT) for row in public["JUNCTIONS"]}
        for name, _, demand, *_ in public["JUNCTIONS"]:
            if name not in dropped:
                pattern = "commercial" if float(demand) >= shop else "residential"
                self._junction(
                    renamed(name), places[name], grounds[name], float(demand) * GPM * DEMAND, pattern
                )
                if name.startswith("J-"):
                    self.city.add(renamed(name), "water", "junction", zone_of(places[name]), places[name])
        self._tanks(public, places, zone_of)
        for name, start, end, length, diameter, rough, _, status in public["PIPES"]:
            if not dropped & {start, end}:
                how = "CV" if status == "CV" or name in CHECKED else "OPEN"
                self._pipe(
                    renamed(name),
                    renamed(start),
                    renamed(end),
                    max(float(length) * FOOT, LEAST_M),
                    max(round(float(diameter) * INCH), LEAST_MM),
                    float(rough),
                    how,
                )
        for number, booster in BOOSTERS.items():
            self._booster(number, booster, places[f"I-Pump-{number}"], zone_of)
        for name, _, _, _, _, setting, _ in public["VALVES"]:
            self._reducer(name.rpartition("-")[2], float(setting) * PSI, places, grounds, zone_of)

    def _works(self, zone_of: "Zones", at: Point, level: float) -> None:
        self.file.add("RESERVOIRS", "waterworks", round(level, 2))
        self._junction("junction-works", at, level, 0.0, "")
        self.file.add("PUMPS", "waterworks", "waterworks", "junction-works", "HEAD works.curve")
        self.file.add("PIPES", "works.bypass", "waterworks", "junction-works", 50, 300, 125, 0, "CV")
        for lps, head in WORKS_CURVE:
            self.file.add("CURVES", "works.curve", lps, head)
        self.city.add("waterworks", "water", "treatment_works", zone_of(at), at)
        self.city.add("junction-works", "water", "junction", zone_of(at), at)
        self.city.load("waterworks", pump_kw(*WORKS_CURVE[1]))
        self.city.measure("waterworks")

    def _junction(self, name: str, at: Point, ground: float, lps: float, pattern: str) -> None:
        self.file.add("JUNCTIONS", name, round(ground, 2), round(lps, 4), *([pattern] if lps else []))
        self.file.add("COORDINATES", name, round(at[0]), round(at[1]))

    def _pipe(
        self, name: str, start: str, end: str, length: float, mm: float, rough: float, status: str = "OPEN"
    ) -> None:
        self.file.add("PIPES", name, start, end, round(length, 1), mm, rough, 0, status)
        self.pipes[name] = (start, end, length, mm)

    def _tanks(self, public: Rows, places: Mapping[str, Point], zone_of: "Zones") -> None:
        for public_name, ground, _, least, most, feet, *_ in public["TANKS"]:
            name, at = public_name.replace("T-", "tank-"), places[public_name]
            foot = float(ground) * FOOT + RAISED_M.get(public_name, 0.0)
            floor, depth = foot + float(least) * FOOT, (float(most) - float(least)) * FOOT
            diameter = float(feet) * FOOT
            self.file.add(
                "TANKS",
                name,
                round(floor, 2),
                round(STARTS.get(public_name, 0.7) * depth, 2),
                0.0,
                round(depth, 2),
                round(diameter, 2),
                0,
            )
            self.file.add("COORDINATES", name, round(at[0]), round(at[1]))
            self.depths[name] = depth
            area = math.pi * diameter**2 / 4
            self.city.add(name, "water", "tank", zone_of(at), at, area_m2=area, volume_m3=area * depth)
            self.city.measure(name)
            valve = f"valve-t{public_name[2:]}"
            for side in ("in", "out"):
                self._junction(f"{valve}.{side}", at, float(ground) * FOOT, 0.0, "")
            widths = [float(pipe[4]) * INCH for pipe in public["PIPES"] if public_name in pipe[1:3]]
            self._pipe(f"{name}.main", name, f"{valve}.in", 20.0, round(max(150.0, *widths)), 130)
            self._valve(valve, f"{valve}.in", f"{valve}.out", round(max(widths)), at, zone_of)

    def _valve(self, name: str, start: str, end: str, mm: float, at: Point, zone_of: "Zones") -> None:
        self.file.add("VALVES", name, start, end, mm, "TCV", 0.5, 0)
        self.city.add(name, "water", "valve", zone_of(at), at)

    def _reducer(
        self,
        number: str,
        metres: float,
        places: Mapping[str, Point],
        grounds: Mapping[str, float],
        zone_of: "Zones",
    ) -> None:
        """A valve that reduces pressure, behind one that can be shut."""
        name, at = f"valve-{number}", places[f"I-RV-{number}"]
        self._junction(f"{name}.mid", at, grounds[f"I-RV-{number}"], 0.0, "")
        self._valve(name, f"{name}.in", f"{name}.mid", 200, at, zone_of)
        self.file.add(
            "VALVES", f"{name}.reducer", f"{name}.mid", f"{name}.out", 200, "PRV", round(metres, 1), 0
        )

    def _booster(self, number: int, booster: Booster, at: Point, zone_of: "Zones") -> None:
        name = f"booster-{number}"
        self.file.add("PUMPS", name, f"{name}.in", f"{name}.out", f"HEAD {name}.curve")
        self.file.add("CURVES", f"{name}.curve", float(booster.lps), float(booster.head_m))
        self.city.add(name, "water", "pump", zone_of(at), at, rated_lps=booster.lps)
        self.city.measure(name)
        kw = pump_kw(booster.lps, booster.head_m)
        self.city.load(name, kw)
        suction = next(
            other
            for start, end, *_ in self.pipes.values()
            for here, other in ((start, end), (end, start))
            if here == f"{name}.in"
        )
        if booster.fills:
            depth = self.depths[booster.fills]
            self.city.pumps[name] = Pump(
                kw=kw,
                suction=suction,
                fills=booster.fills,
                on_below=round(booster.on * depth, 2),
                off_above=round(booster.off * depth, 2),
            )
        else:
            self.city.pumps[name] = Pump(kw=kw, suction=suction, holds=booster.holds, at_m=booster.at_m)

    # --- what hangs together ---

    def link(self, flows: Mapping[str, tuple[float, float]]) -> None:
        """Links along the pipes, the way that water goes through a day: ``flows`` has net and gross.

        Where it goes both ways, as before a tank, the way is from the tank: that one stays when pumps stop.
        """
        far = {node: metres for node, (metres, _) in self.nearest(self.depths).items()}
        city = self.city
        city.link("waterworks", Relation.SUPPLIES, "junction-works")
        for name, (start, end, length, mm) in self.pipes.items():
            one, other = owner(start), owner(end)
            net, gross = flows[name]
            forward = far[start] <= far[end] if abs(net) < 0.3 * gross or gross == 0 else net > 0
            if name == f"{one}.main":
                forward = True
            source, target = (one, other) if forward else (other, one)
            city.link(source, Relation.SUPPLIES, target, diameter_mm=mm, length_m=length)

    def nearest(self, starts: Iterable[str]) -> dict[str, tuple[float, str]]:
        """For every node the nearest of some nodes, by what mains resist, and how far it is.

        Pumps and reducers aren't passed; what lies behind them alone is infinitely far.
        """
        ways: dict[str, list[tuple[str, float]]] = defaultdict(list)
        joints = [(f"{v}.in", f"{v}.out", 1.0, 200.0) for v in (f"valve-t{t[5:]}" for t in self.depths)]
        for start, end, length, mm in [*self.pipes.values(), *joints]:
            resists = length / mm**4.87 * 1e9
            ways[start].append((end, resists))
            ways[end].append((start, resists))
        found = dict.fromkeys(ways, (math.inf, ""))
        heap = [(0.0, start, start) for start in starts]
        while heap:
            far, node, start = heapq.heappop(heap)
            if far < found[node][0]:
                found[node] = (far, start)
                for other, resists in ways[node]:
                    heapq.heappush(heap, (far + resists, other, start))
        return found

    def pressure_zones(self, zone_of: "Zones") -> None:
        """A pressure zone for each tank or reducer: the junctions to which it is nearest."""
        city = self.city
        sources = [*self.depths, "valve-2.out", "valve-3.out"]
        members: dict[str, list[str]] = defaultdict(list)
        for node, (_, source) in self.nearest(sources).items():
            if source and node in city.assets and city.assets[node].kind == "junction":
                members[owner(source)].append(node)
        filled = {tank: [n for n, b in BOOSTERS.items() if b.fills == tank] for tank in self.depths}
        for tank, pumps in (filled | {t: list(p) for t, p in ALSO_FILLED.items()}).items():
            for number in pumps:
                city.link(f"booster-{number}", Relation.SUPPLIES, tank)
        for source in dict.fromkeys(owner(one) for one in sources):
            if not members[source]:
                continue
            name = city.new("pressure-zone")
            at = city.points[source]
            city.add(name, "water", "pressure_zone", zone_of(at), at)
            is_tank = source in self.depths
            city.link(source, Relation.SERVES if is_tank else Relation.SUPPLIES, name)
            for number in filled.get(source) or ALSO_FILLED.get(source, ()):
                city.link(f"booster-{number}", Relation.SUPPLIES, name)
            for junction in members[source]:
                city.link(name, Relation.SERVES, junction)


def places_of(public: Mapping[str, tuple[float, float]]) -> dict[str, Point]:
    """ky10's places in metres from the centre of the city."""
    known = np.array([at for name, at in public.items() if name.startswith("J-")])
    middle = np.median(known, axis=0)
    found = {}
    for name, (east, north) in public.items():
        x, y = (np.array((east, north)) - middle) * FOOT * WATER_SCALE + WATER_AT
        found[name] = (round(float(x), 1), round(float(y), 1))
    return found


class Zones:
    """Districts: nine, between the terciles of the junctions' places."""

    def learn(self, points: Iterable[Point]) -> None:
        """Draw the borders."""
        self._borders = np.percentile(np.array(list(points)), (33.3, 66.7), axis=0)

    def __call__(self, at: Point) -> str:
        """The district of a place."""
        east, north = (int(np.sum(at[axis] > self._borders[:, axis])) for axis in (0, 1))
        name = ("south", "", "north")[north] + ("west", "", "east")[east]
        return name or "centre"


# --- power --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bus:
    """Where something can hang on the grid."""

    name: str
    at: Point
    feeder: str


class Feeders:
    """The power network while it is converted."""

    def __init__(self, city: Builder, public: Mapping[str, Any], zone_of: Zones) -> None:
        self._city, self._zone_of = city, zone_of
        self._lines, loads = table(public, "line"), table(public, "load")
        opened = {
            row["element"]
            for row in table(public, "switch").values()
            if row["et"] == "l" and not row["closed"]
        }
        self._kw = {row["bus"]: row["p_mw"] * 1000 * MEAN_LOAD for row in loads.values()}
        self._ways: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for index, line in self._lines.items():
            if index not in opened:
                self._ways[line["from_bus"]].append((line["to_bus"], index))
                self._ways[line["to_bus"]].append((line["from_bus"], index))
        buses = table(public, "bus")
        degrees = np.array([json.loads(bus["geo"])["coordinates"] for bus in buses.values()])
        middle = (degrees.min(axis=0) + degrees.max(axis=0)) / 2
        metres = np.array((111_320 * math.cos(math.radians(middle[1])), 111_320))
        places = (degrees - middle) * metres * POWER_SCALE + POWER_AT
        self._places = {index: (float(x), float(y)) for index, (x, y) in zip(buses, places, strict=True)}
        self.grid = Grid("Lakeland: mv_oberrhein, changed (see README.md)")
        self.buses: list[Bus] = []
        one, other = (self._places[row["lv_bus"]] for row in table(public, "trafo").values())
        home = between(one, other, 0.5)
        city.add("grid-110", "power", "grid_intake", zone_of(home), home)
        city.measure("grid-110")
        for number, row in enumerate(table(public, "trafo").values(), 1):
            self._substation(number, row)

    def _substation(self, number: int, row: Mapping[str, Any]) -> None:
        city, name, transformer = self._city, f"substation-{number}", f"transformer-{number}"
        kva, bus = row["sn_mva"] * 1000, row["lv_bus"]
        at, zone = self._places[bus], self._zone_of(self._places[bus])
        tap = round(1 - row["tap_pos"] * row["tap_step_percent"] / 100, 3)
        self.grid.rows.append(
            f"New Line.{name} bus1=grid bus2={name} length=2 units=km r1=0.06 x1=0.38 r0=0.2 x0=1.2 c1=0 c0=0"
        )
        self.grid.rows.append(
            f"New Transformer.{transformer} phases=3 windings=2 buses=({name}, {transformer}) "
            f"conns=(delta, wye) kvs=(110, 20) kvas=({kva:g}, {kva:g}) xhl={row['vk_percent']:g} "
            f"%loadloss={row['vkr_percent']:g} taps=(1, {tap:g})"
        )
        city.add(name, "power", "substation", zone, at)
        city.add(transformer, "power", "transformer", zone, (at[0] + 30, at[1]), rating_kva=kva)
        city.link("grid-110", Relation.POWERS, name)
        city.link(name, Relation.POWERS, transformer)
        city.thermal[transformer] = Thermal()
        for asset in (name, transformer):
            city.measure(asset)
        for next_bus, line in self._ways[bus]:
            self._feeder(transformer, transformer, bus, next_bus, line)

    def _feeder(self, above: str, above_bus: str, bus: int, next_bus: int, line: int) -> None:
        """A line with a relay at its head, and the tree behind it up to the next such line."""
        name, at = self._city.new("feeder"), self._places[next_bus]
        self._city.add(name, "power", "feeder", self._zone_of(at), at)
        self._city.link(above, Relation.POWERS, name)
        self._city.measure(name)
        self._city.profiles[name] = ("mixed", "residential", "commercial", "residential")[
            len(self._city.profiles) % 4
        ]
        stations = 0
        tree = [(bus, next_bus, line, above_bus)]
        while tree:
            come, here, by, start = tree.pop(0)
            label = f"{name}_{here}"
            self._line(name if here == next_bus else f"{label}_line", by, start, label)
            self.buses.append(Bus(label, self._places[here], name))
            if kw := self._kw.get(here):
                self.grid.load(label, label, round(kw, 1))
                stations += 1
            for other, way in self._ways[here]:
                if other == come:
                    continue
                if stations >= SECTION and self._stations(here, other) >= 0.7 * SECTION:
                    self._feeder(name, label, here, other, way)
                else:
                    tree.append((here, other, way, label))

    def _stations(self, come: int, here: int) -> int:
        """Loads of the tree behind a bus."""
        own = int(here in self._kw)
        return own + sum(self._stations(here, other) for other, _ in self._ways[here] if other != come)

    def _line(self, name: str, index: int, start: str, end: str) -> None:
        line = self._lines[index]
        r, x, km = line["r_ohm_per_km"], line["x_ohm_per_km"], line["length_km"]
        self.grid.rows.append(
            f"New Line.{name} bus1={start} bus2={end} length={km:.4g} units=km r1={r:g} x1={x:g} "
            f"r0={3 * r:g} x0={3 * x:g} c1=0 c0=0"
        )

    def feed(self) -> None:
        """Hang everything that wants power on the nearest bus."""
        city = self._city
        for asset, kw in city.loads.items():
            at = city.points[asset]
            bus = min(self.buses, key=lambda one: (math.dist(at, one.at), one.name))
            self.grid.load(asset, bus.name, kw)
            city.link(bus.feeder, Relation.POWERS, asset)
        city.loads.clear()


# --- what is invented ---------------------------------------------------------------------------------


def streets(city: Builder, zone_of: Zones) -> None:
    """Four catchments with their drains, sewers, underpasses, flooding cellars, bins, routes and roads."""
    plant = city.plant(zone_of(PLANT_AT), PLANT_AT, kw=260.0)
    sewers: list[str] = []
    ring = [
        city.road(zone_of(at), at, free_kmh=70, capacity_vph=2200, peak_vph=700)
        for at in ((5500.0, -5200.0), (-500.0, -1800.0))
    ]
    for number, area in enumerate(AREAS):
        east, north = area.at
        zone = zone_of(area.at)
        catchment = city.catchment(zone, area.at)
        long = 200.0 * INLETS
        ends = (
            ((east - long / 2, north), (east + long / 2, north))
            if area.east
            else ((east, north + long / 2), (east, north - long / 2))
        )
        first = city.street(
            zone,
            *ends,
            catchment,
            inlets=INLETS,
            arriving_ha=2.2 * INLETS if area.branch else 0.0,
            depths_at=(2, 4, 6),
            ponding_at=(3, 7),
        )
        into = first.manholes[3] if area.branch else None
        side = city.points[into] if into else (ends[1][0] + 450.0, ends[1][1] + 450.0)
        start = (side[0], side[1] + long) if area.east else (side[0] + long, side[1])
        second = city.street(
            zone, start, side, catchment, inlets=INLETS, into=into, depths_at=(3, 6), ponding_at=(5,)
        )
        flooding = first.inlets[2], second.inlets[4]
        roads = [
            city.road(zone, city.points[inlet], floods_with=inlet, capacity_vph=1400, peak_vph=700 + 30 * n)
            for n, inlet in enumerate(flooding)
        ]
        if area.underpass:
            low, _ = city.underpass(zone, catchment, first.manholes[5], first.inlets[5])
            at = city.points[low]
            roads.append(city.road(zone, at, floods_with=low, free_kmh=60, capacity_vph=1800, peak_vph=1100))
        if area.cellar:
            city.cellar(first.manholes[4], area.cellar)
        around = city.road(zone, (east + 900.0, north + 900.0), free_kmh=60, capacity_vph=1800, peak_vph=650)
        for road in roads:
            city.detour(road, around)
        city.detour(around, ring[number % 2])
        for road in (*roads[:2], around):
            city.signal(road)
        bins = [
            city.litter_bin(inlet, BIN_DAYS[place % len(BIN_DAYS)], measured=place % 3 != 2)
            for place, inlet in enumerate((*first.inlets, *second.inlets[:4]))
        ]
        for half, hour in ((bins[::2], 5), (bins[1::2], 6)):
            city.route(half, (0, 1, 2, 3, 4, 5, 6), f"{hour:02d}:{15 * number:02d}")
        top = (ends[0][0] + 300.0, ends[0][1] - 250.0)
        foot = (ends[1][0] + 150.0, ends[1][1] - 250.0)
        sewers.append(_sewer(city, area, zone, (top, foot), catchment, plant, sewers))
    city.detour(*ring)


def _sewer(
    city: Builder,
    area: Area,
    zone: str,
    ends: tuple[Point, Point],
    catchment: str,
    plant: str,
    above: list[str],
) -> str:
    """A catchment's sewer; the manhole into which others may lift."""
    arriving = sum(other.sewage_lps for other in AREAS if other.lifts_to == AREAS.index(area))
    sewer = city.sewer(
        zone,
        *ends,
        plant if area.lifts_to is None else above[area.lifts_to],
        manholes=7,
        lps=area.sewage_lps,
        arriving_lps=arriving,
        arriving_peak_lps=2.3 * arriving,
        catchment=catchment,
        depths_at=(2, 4, 6),
    )
    return sewer.manholes[1]


# --- all of it ----------------------------------------------------------------------------------------


def flows_of(folder: Path, pipes: Iterable[str]) -> dict[str, tuple[float, float]]:
    """By pipe: net and gross flow of a quiet day, in L/s."""
    scenario = Scenario(
        scenario="directions", city="lakeland", start=parse_time("2025-05-06T00:00:00Z"), background=False
    )
    run = Run(load_town(folder), scenario, 1)
    seen = [run.water.flows for _ in run.rows()]
    flows, links = np.array(seen), run.water.links
    return {
        pipe: (float(flows[:, links[pipe] - 1].mean()), float(np.abs(flows[:, links[pipe] - 1]).mean()))
        for pipe in pipes
    }


def _write(city: Builder, folder: Path) -> None:
    """The folder, but for water and power; outfalls stand against our own river."""
    city.write(folder, COMMENT)
    drains = folder / "physics" / "drainage.inp"
    text = re.sub(r"(?m)^(outfall-\d+ .*FIXED) +\S+", rf"\1  {RIVER_M}", drains.read_text(encoding="utf-8"))
    drains.write_text(text, encoding="utf-8")


def build(ky10: Path, oberrhein: Path, folder: Path) -> Builder:
    """Read, convert, invent, write."""
    city, zone_of = Builder("lakeland", CENTRE, climate=Climate(river_m=RIVER_M)), Zones()
    mains = Mains(city)
    mains.convert(sections(ky10), zone_of)
    feeders = Feeders(city, json.loads(oberrhein.read_text(encoding="utf-8"))["_object"], zone_of)
    streets(city, zone_of)
    feeders.feed()
    mains.pressure_zones(zone_of)
    junctions = sorted(city.of_kind("junction"), key=lambda name: (city.assets[name].zone, city.points[name]))
    watched = {"junction-works", *(b.holds for b in BOOSTERS.values() if b.holds), *WEAK_MAINS}
    for name in junctions:
        if name in watched or junctions.index(name) % PRESSURE_EVERY == 0:
            city.measure(name)
    for name, rise in WEAK_MAINS.items():
        city.weak_mains[name] = WeakMain(rise_m=rise)
    city.flood_near(junctions, within_m=250.0)
    city.gateways()
    _write(city, folder)
    mains.file.write(folder / "physics" / "water.inp")
    feeders.grid.write(folder / "physics" / "power.dss")
    mains.link(flows_of(folder, mains.pipes))
    _write(city, folder)
    return city


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python scripts/lakeland.py ky10.inp mv_oberrhein.json cities/lakeland")
    made = build(*map(Path, sys.argv[1:]))
    print(f"{len(made.assets)} assets, {len(made.links)} links, {len(made.sensors)} sensors")
