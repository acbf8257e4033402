"""SWMM's .inp: manholes, outfalls and storages, the pumps between them, and the catchments that drain in.

In:  the path of an .inp file, in whatever units; perhaps the utility. Out: a Part, in m, mm, m2 and L/s.

The file is read as text: no engine is needed. Conduits, weirs, orifices and outlets are links ``drains_to``,
as drawn. Storm or sewage is decided for each connected part of the network: where dry-weather flow enters, it
is sewage. SWMM does not tell capitals from small letters in names, and neither does this.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from schemas.city import Relation, Utility
from schemas.wording import nearest
from simulator.importers.draft import CantImport, DraftAsset, Part, Point, Value, counted
from simulator.importers.measures import LPS_IN, Measures
from simulator.importers.places import middle
from simulator.importers.sections import Row, Sections, metres_per_unit, read_sections

NODES = ("JUNCTIONS", "OUTFALLS", "STORAGE", "DIVIDERS")
REGULATORS = {"WEIRS": "weir", "ORIFICES": "orifice", "OUTLETS": "outlet"}
"""What lets water over or through at a node: links, not assets."""

ROUND = frozenset({"CIRCULAR", "FORCE_MAIN", "FILLED_CIRCULAR"})
NO_HEIGHT = frozenset({"DUMMY", "IRREGULAR", "STREET"})
"""Shapes of conduits whose first dimension is a diameter; those whose first is none at all."""

LEFT_OUT = (
    ("RAINGAGES", "rain gages", "add them as sensors of the catchments: rain"),
    ("INFLOWS", "inflows from outside", "a city model holds no flows over time"),
    ("RDII", "rain-dependent infiltrations", "link the catchment to the manhole by hand where it matters"),
    ("LID_USAGE", "low-impact developments", "their catchments are taken whole"),
    ("AQUIFERS", "aquifers", "a city model holds no groundwater"),
    ("POLLUTANTS", "pollutants", "a city model holds no quality of water"),
    ("PATTERNS", "patterns", "a city model holds no flows over time"),
    ("TIMESERIES", "time series", "a city model holds no flows over time"),
    ("CONTROLS", "control rules", "a city model holds no control logic"),
)


def read(path: Path, utility: str | None = None) -> Part:
    """A drainage network. Raises CantImport where a row can't be understood, OSError for the file itself."""
    part = Part(str(path), "SWMM")
    sections = read_sections(path)
    part.metres_per_unit = metres_per_unit(sections, "MAP")
    _Network(part, sections, None if utility is None else Utility(utility)).read()
    for section, what, why in LEFT_OUT:
        rows = sections.get(section, [])
        if section == "CONTROLS":
            rows = [row for row in rows if row.words[0].upper() == "RULE"]
        part.leave_out(
            len({row.words[:2] if section == "CONTROLS" else row.words[0] for row in rows}), what, why
        )
    bends = len({row.words[0] for row in sections.get("VERTICES", ())})
    part.leave_out(bends, "bent conduits' bends", "links are drawn straight")
    return part


@dataclass(slots=True)
class _Reach:
    """One link of the file: a conduit, a pump, a weir."""

    row: Row
    section: str
    start: str
    end: str


@dataclass(slots=True)
class _Network:
    part: Part
    sections: Sections
    utility: Utility | None
    unit: Measures = field(init=False)
    elevations: bool = False
    """Whether offsets of conduits are told as elevations, not as heights above their node."""
    nodes: dict[str, DraftAsset] = field(default_factory=dict)
    reaches: dict[str, _Reach] = field(default_factory=dict)
    inverts: dict[str, float] = field(default_factory=dict)
    index: dict[str, dict[str, list[Row]]] = field(default_factory=dict)

    def read(self) -> None:
        self.unit = self._measures()
        self._nodes()
        if not self.nodes:
            raise CantImport(
                f"{self.part.file}: the network is empty: no junctions, outfalls, storages or dividers"
            )
        for section in ("CONDUITS", "PUMPS", *REGULATORS):
            for row in self._rows(section):
                reach = _Reach(row, section, self._node(row, 1), self._node(row, 2))
                if self.reaches.setdefault(row.words[0].casefold(), reach) is not reach:
                    raise CantImport(
                        f"{row.file}:{row.line}: there are two links {row.words[0]!r}; rename one"
                    )
        self._say_utilities()
        self._say_kinds()
        for asset in self.nodes.values():
            self.part.add(asset)
        parallel = sum(not self._drain(reach) for reach in self.reaches.values())
        self.part.leave_out(parallel, "conduits, weirs or orifices", "beside one that is a link already")
        self._inlets()
        self._catchments()

    def _measures(self) -> Measures:
        found = None
        for row in self._rows("OPTIONS"):
            if row.words[0].upper() == "FLOW_UNITS":
                name = row.word(1, "the unit of flow").upper()
                if name not in LPS_IN:
                    raise CantImport(
                        f"{row.file}:{row.line}: SWMM knows no FLOW_UNITS {name}; mend it and import again"
                    )
                found = Measures.of(name)
            elif [word.upper() for word in row.words[:2]] == ["LINK_OFFSETS", "ELEVATION"]:
                self.elevations = True
        if found is not None:
            return found
        self.part.notes.append("no FLOW_UNITS in it: taken as CFS and feet, as SWMM does")
        return Measures.of("CFS")

    def _nodes(self) -> None:
        places = {
            row.words[0].casefold(): (row.number(1, "a coordinate"), row.number(2, "a coordinate"))
            for row in self._rows("COORDINATES")
        }
        for section in NODES:
            for row in self._rows(section):
                key = row.words[0].casefold()
                if key in self.nodes:
                    raise CantImport(
                        f"{row.file}:{row.line}: there are two nodes {row.words[0]!r}; rename one"
                    )
                self.inverts[key] = row.number(1, "an elevation")
                kind = {"OUTFALLS": "outfall", "STORAGE": "tank"}.get(section, "manhole")
                asset = DraftAsset(row.words[0], kind, Utility.STORM, at=places.get(key))
                asset.properties["invert_m"] = self.inverts[key] * self.unit.metres
                if section in ("JUNCTIONS", "STORAGE") and len(row.words) > 2:
                    depth = row.number(2, "a depth") * self.unit.metres
                    asset.properties |= {"depth_m": depth} if depth else {}
                if section == "STORAGE":
                    asset.properties |= self._storage(row)
                self.nodes[key] = asset

    def _storage(self, row: Row) -> dict[str, Value]:
        """The area of a storage with upright walls; others have none that one number tells."""
        if row.words[4:5] and row.words[4].upper() == "FUNCTIONAL" and len(row.words) > 7:
            factor, exponent, constant = (row.number(index, "a storage's shape") for index in (5, 6, 7))
            if factor == 0 or exponent == 0:
                area = constant if factor == 0 else constant + factor
                return {"area_m2": area * self.unit.metres**2}
        return {}

    def _say_utilities(self) -> None:
        """Storm or sewage for each connected part."""
        foul = {
            row.words[0].casefold()
            for row in self._rows("DWF")
            if row.word(1, "what flows in dry weather").upper() == "FLOW"
            and row.number(2, "a dry-weather flow") > 0
        }
        sewers = parts = 0
        for group in self._groups():
            found = self.utility or (Utility.SEWAGE if foul & group else Utility.STORM)
            parts += 1
            sewers += found is Utility.SEWAGE
            for key in group:
                self.nodes[key].utility = found
        if self.utility is None:
            self.part.notes.append(
                f"{sewers} of {counted(parts, 'connected part')} taken as sewage, because dry-weather flow "
                "enters, the others as storm; --utility says otherwise"
            )

    def _groups(self) -> Iterator[set[str]]:
        neighbours: dict[str, set[str]] = defaultdict(set)
        for reach in self.reaches.values():
            neighbours[reach.start].add(reach.end)
            neighbours[reach.end].add(reach.start)
        left = dict.fromkeys(self.nodes)
        while left:
            group: set[str] = set()
            waiting = [next(iter(left))]
            while waiting:
                key = waiting.pop()
                if key not in group:
                    group.add(key)
                    del left[key]
                    waiting += neighbours[key] - group
            yield group

    def _say_kinds(self) -> None:
        """What each node is in its utility: that hangs on the links too."""
        pumped = {reach.start for reach in self.reaches.values() if reach.section == "PUMPS"}
        ways_in: dict[str, set[str]] = defaultdict(set)
        for reach in self.reaches.values():
            ways_in[reach.end].add(reach.section)
        works = 0
        for key, asset in self.nodes.items():
            foul = asset.utility is Utility.SEWAGE
            if asset.kind == "manhole" and not foul:
                asset.kind = "storm_manhole"
            elif asset.kind == "tank" and key in pumped:
                asset.kind = "wet_well" if foul else "sump"
            elif asset.kind == "outfall" and foul:
                spills = bool(ways_in[key]) and ways_in[key] <= set(REGULATORS)
                asset.kind = "overflow" if spills else "treatment_works"
                works += not spills
        if works:
            self.part.notes.append(
                f"{counted(works, 'outfall')} of sewers taken as treatment_works: change what runs elsewhere"
            )
        rising = sum(self._rises(reach) for reach in self.reaches.values())
        if rising:
            self.part.notes.append(
                f"{counted(rising, 'conduit')} drawn uphill: linked as drawn; look whether the water runs so"
            )

    def _rises(self, reach: _Reach) -> bool:
        if reach.section != "CONDUITS":
            return False
        return self._level(reach.end, reach.row, 6) > self._level(reach.start, reach.row, 5)

    def _level(self, node: str, row: Row, index: int) -> float:
        """How high a conduit's end lies, in the file's unit."""
        if row.words[index : index + 1] in {(), ("*",)}:
            return self.inverts[node]
        offset = row.number(index, "an offset")
        return offset if self.elevations else self.inverts[node] + offset

    def _drain(self, reach: _Reach) -> bool:
        """Take a link along; False where its ends are linked already."""
        start, end = self.nodes[reach.start], self.nodes[reach.end]
        if reach.section == "PUMPS":
            pump = self.part.add(
                DraftAsset(reach.row.words[0], "pump", start.utility, at=middle([start.at, end.at]))
            )
            if rated := self._rated_lps(reach.row):
                pump.properties["rated_lps"] = rated
            self.part.link(pump, Relation.PROTECTS, start)
            self.part.link(start, Relation.DRAINS_TO, pump)
            return self.part.link(pump, Relation.LIFTS_TO, end)
        properties = (
            self._conduit(reach.row)
            if reach.section == "CONDUITS"
            else {"through": REGULATORS[reach.section]}
        )
        return self.part.link(start, Relation.DRAINS_TO, end, dict(properties))

    def _conduit(self, row: Row) -> dict[str, Value]:
        found: dict[str, Value] = {"length_m": row.number(3, "a length") * self.unit.metres}
        for shape in self._of("XSECTIONS", row.words[0]):
            name = shape.word(1, "a shape").upper()
            if name in ROUND:
                found["diameter_mm"] = shape.number(2, "a diameter") * self.unit.metres * 1000
            elif name != "DUMMY":
                found["shape"] = name.lower()
                if name not in NO_HEIGHT:
                    found["height_mm"] = shape.number(2, "a height") * self.unit.metres * 1000
        return found

    def _rated_lps(self, row: Row) -> float:
        """The largest flow of a pump's curve; 0 for an ideal pump."""
        best = 0.0
        if row.words[3:4]:
            for curve in self._of("CURVES", row.words[3]):
                values = (
                    curve.words[2:] if curve.words[1:2] and curve.words[1][:1].isalpha() else curve.words[1:]
                )
                first = len(curve.words) - len(values)
                flows = [curve.number(index, "a flow") for index in range(first + 1, len(curve.words), 2)]
                best = max([best, *flows])
        return best * self.unit.lps

    def _inlets(self) -> None:
        """SWMM 5.2: street inlets, each at a conduit of a street, and draining to a node of the sewer."""
        for row in self._rows("INLET_USAGE"):
            reach = self.reaches.get(row.words[0].casefold())
            node = self.nodes[self._node(row, 2)]
            ends = [self.nodes[reach.start].at, self.nodes[reach.end].at] if reach else [node.at]
            inlet = DraftAsset(row.words[0], "inlet", node.utility, at=middle(ends), derived=True)
            self.part.link(self.part.add(inlet), Relation.DRAINS_TO, node)

    def _catchments(self) -> None:
        corners: dict[str, list[Point]] = defaultdict(list)
        for row in self._rows("POLYGONS"):
            corners[row.words[0].casefold()].append((row.number(1, "a corner"), row.number(2, "a corner")))
        found: dict[str, tuple[Row, DraftAsset]] = {}
        for row in self._rows("SUBCATCHMENTS"):
            asset = DraftAsset(row.words[0], "catchment", Utility.STORM)
            asset.properties["area_m2"] = row.number(3, "an area") * self.unit.square_metres
            asset.properties["impervious_percent"] = row.number(4, "the impervious share")
            found[row.words[0].casefold()] = row, self.part.add(asset)
        for key, (row, asset) in found.items():
            outlet = row.word(2, "an outlet").casefold()
            target = self.nodes.get(outlet) or found.get(outlet, (row, None))[1]
            if target is None:
                raise CantImport(
                    f"{row.file}:{row.line}: no node or subcatchment {row.words[2]!r}"
                    f"{nearest(outlet, [*self.nodes, *found])}; mend it and import again"
                )
            asset.at = middle(list(corners[key])) or target.at
            self.part.link(asset, Relation.DRAINS_TO, target)

    def _node(self, row: Row, index: int) -> str:
        name = row.word(index, "a node")
        key = name.casefold()
        if key not in self.nodes:
            hint = nearest(key, self.nodes)
            raise CantImport(f"{row.file}:{row.line}: no node {name!r}{hint}; mend it and import again")
        return key

    def _rows(self, section: str) -> list[Row]:
        return self.sections.get(section, [])

    def _of(self, section: str, name: str) -> list[Row]:
        """The rows of a section that begin with a name."""
        if section not in self.index:
            rows = self.index[section] = defaultdict(list)
            for row in self._rows(section):
                rows[row.words[0].casefold()].append(row)
        return self.index[section].get(name.casefold(), [])
