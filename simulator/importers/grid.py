"""A power network without a format: what OpenDSS's and pandapower's files have in common.

In:  buses, what joins them, sources and loads; only what is in service and closed.
Out: in the Part, assets grid_intake, substation, transformer and feeder, and who powers whom.

An alarm names a feeder, not one of its two hundred line sections, so the sections are merged:
- a substation is what its main transformers join: those that end at 1 kV or more. Where there is none, the
  source's own bus is the substation, or its transformers are the main ones.
- every line that leaves a substation begins a feeder; the tree below it is that one feeder. Where lines meet
  again (a loop that is closed), what they reach in common is one feeder with several beginnings.
- a line that ends at another substation and feeds nothing on its way is a link between the two.
- a transformer in a feeder is an asset; the low-voltage lines below it are merged into it.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from schemas.city import Relation, Utility
from simulator.importers.draft import CantImport, DraftAsset, Part, Point, Value, counted
from simulator.importers.places import middle

HIGH_KV = 1.0
"""From here on it is no longer low voltage (IEC 60038)."""


@dataclass(frozen=True, slots=True)
class Bus:
    """A node of the network."""

    name: str
    at: Point | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line or cable. ``length_m`` is 0 where the file does not tell."""

    name: str
    start: str
    end: str
    length_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Transformer:
    """A transformer of two voltages, in kV. Single-phase ones between the same buses make up a bank."""

    name: str
    high: str
    low: str
    low_kv: float
    rating_kva: float
    single_phase: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What takes power at a bus."""

    name: str
    bus: str
    kw: float


@dataclass(slots=True)
class Grid:
    """A network as it stands: whatever is open or out of service has been left out."""

    buses: dict[str, Bus] = field(default_factory=dict)
    sources: list[tuple[str, str]] = field(default_factory=list)
    """Name and bus."""
    lines: list[Line] = field(default_factory=list)
    transformers: list[Transformer] = field(default_factory=list)
    ties: list[tuple[str, str]] = field(default_factory=list)
    """Buses that are one for our purpose: closed couplers, voltage regulators, series reactors."""
    loads: list[Load] = field(default_factory=list)


def compose(grid: Grid, part: Part) -> None:
    """Put the assets of a network into the part. Raises CantImport where it has no source, or only that."""
    if not grid.sources:
        raise CantImport(f"{part.file}: the network has no source; expected a grid connection that feeds it")
    if not grid.lines and not grid.transformers:
        raise CantImport(f"{part.file}: the network is empty: no lines and no transformers")
    _Composer(grid, part).compose()


@dataclass(eq=False, slots=True)
class _Area:
    """Buses that lines join, between substations and transformers."""

    buses: set[str] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)
    edges: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    """The substation and source buses that it touches, with the lines that touch them."""


class _Composer:
    def __init__(self, grid: Grid, part: Part) -> None:
        self._grid = grid
        self._part = part
        self._one = _united(grid.buses, grid.ties)
        self._members: dict[str, list[Bus]] = defaultdict(list)
        for key, member in grid.buses.items():
            self._members[self._one[key]].append(member)
        self._transformers = list(self._banks())
        self._sources: dict[str, str] = {}
        for name, bus in grid.sources:
            self._sources.setdefault(self._one[bus], name)
        self._depth = self._depths()
        self._feeds: dict[str, list[DraftAsset]] = {}
        """Who powers what hangs on a bus."""
        self._above: dict[DraftAsset, DraftAsset] = {}

    def compose(self) -> None:
        main = self._main()
        intakes = {bus: self._add(name, "grid_intake", [bus]) for bus, name in self._sources.items()}
        stations = self._substations(main)
        for bus, intake in intakes.items():
            if bus in stations:
                self._power(intake, stations[bus])
            else:
                self._feeds[bus] = [intake]
        for unit in main:
            self._substation_transformer(unit, stations)
        areas = self._areas(set(stations) | set(intakes))
        for area in areas:
            if area.edges:
                self._feeder(area, stations, {self._one[unit.low] for unit in main} | set(intakes))
        feeders = [asset for asset in self._part.assets if asset.kind == "feeder"]
        if feeders:
            lines = sum(len(area.lines) for area in areas if area.edges)
            self._part.notes.append(
                f"{counted(lines, 'line')} merged into {counted(len(feeders), 'feeder')}, each named after "
                "its first line, and into links between substations"
            )
        rest = [unit for unit in self._transformers if unit not in main]
        self._field_transformers(rest, [area for area in areas if not area.edges])
        self._loads()
        same = "the buses on both sides are taken as one"
        self._part.leave_out(len(self._grid.ties), "closed couplers, regulators, series reactors", same)

    def _main(self) -> list[Transformer]:
        high = [unit for unit in self._transformers if unit.low_kv >= HIGH_KV]
        return high or [unit for unit in self._transformers if self._one[unit.high] in self._sources]

    def _banks(self) -> Iterator[Transformer]:
        """Transformers with their buses united; those of one phase each taken together."""
        banks: dict[tuple[str, str], list[Transformer]] = defaultdict(list)
        merged = 0
        for unit in self._grid.transformers:
            high, low = self._one[unit.high], self._one[unit.low]
            if high == low:
                continue
            if not unit.single_phase:
                yield Transformer(unit.name, high, low, unit.low_kv, unit.rating_kva)
            else:
                merged += bool(banks[high, low])
                banks[high, low].append(unit)
        for (high, low), units in banks.items():
            rating = sum(unit.rating_kva for unit in units)
            yield Transformer(units[0].name, high, low, units[0].low_kv, rating)
        if merged:
            self._part.notes.append(
                f"single-phase transformers between the same buses are one bank: {merged} merged"
            )

    def _substations(self, main: list[Transformer]) -> dict[str, DraftAsset]:
        """The substation of each bus that belongs to one."""
        joined = [(unit.high, unit.low) for unit in main]
        ends = dict.fromkeys([*self._sources, *(bus for pair in joined for bus in pair)])
        groups = _united(ends, joined)
        buses: dict[str, list[str]] = defaultdict(list)
        for bus, group in groups.items():
            buses[group].append(bus)
        found: dict[str, DraftAsset] = {}
        for members in buses.values():
            units = [unit for unit in main if unit.high in members]
            if main and not units:
                continue  # a source that feeds its substations by lines
            bus = members[0]
            if units:
                bus = next((unit.high for unit in units if unit.high not in self._sources), units[0].low)
            asset = self._add(self._members[bus][0].name, "substation", members, derived=True)
            found |= dict.fromkeys(members, asset)
            self._feeds |= {member: [asset] for member in members}
        return found

    def _substation_transformer(self, unit: Transformer, stations: dict[str, DraftAsset]) -> None:
        asset = self._transformer(unit)
        asset.coupled = False  # what stands beside a substation hangs on one of its feeders
        station = stations[unit.low]
        self._power(station, asset)
        fed = self._feeds[unit.low]
        self._feeds[unit.low] = [asset] if fed == [station] else [*fed, asset]

    def _areas(self, borders: set[str]) -> list[_Area]:
        inner = [bus for bus in self._members if bus not in borders]
        ends = [(self._one[line.start], self._one[line.end]) for line in self._grid.lines]
        groups = _united(inner, (pair for pair in ends if not borders & set(pair)))
        areas = {group: _Area() for group in groups.values()}
        for bus, group in groups.items():
            areas[group].buses.add(bus)
        direct = []
        for line, (start, end) in zip(self._grid.lines, ends, strict=True):
            if start == end:
                continue
            touched = [bus for bus in (start, end) if bus in borders]
            if len(touched) == 2:
                area = _Area()
                direct.append(area)
            else:
                area = areas[groups[start if end in borders else end]]
            area.lines.append(line)
            for bus in touched:
                area.edges[bus].append(line)
        live = [area for area in areas.values() if any(bus in self._depth for bus in area.buses)]
        dead = sum(
            len(self._members[bus]) for area in areas.values() if area not in live for bus in area.buses
        )
        self._part.leave_out(dead, "buses", "no closed way leads from a source to them")
        return [*direct, *live]

    def _feeder(self, area: _Area, stations: dict[str, DraftAsset], giving: set[str]) -> None:
        """An area beside substations, as a feeder, or as links where it only joins them."""
        ins = [bus for bus in area.edges if bus in giving] or [
            min(area.edges, key=lambda bus: (self._depth.get(bus, len(self._depth)), bus))
        ]
        sources = list(dict.fromkeys(asset for bus in ins for asset in self._feeds[bus]))
        fed = list(dict.fromkeys(stations[bus] for bus in area.edges if bus not in ins and bus in stations))
        fed = [station for station in fed if station not in sources]
        length: dict[str, Value] = {"length_m": sum(line.length_m for line in area.lines)}
        if not length["length_m"]:
            length = {}
        busy = {self._one[load.bus] for load in self._grid.loads} | {unit.high for unit in self._transformers}
        if fed and not busy & area.buses:
            for source in sources:
                for station in fed:
                    self._power(source, station, length)
            self._feeds |= dict.fromkeys(area.buses, sources)
            return
        if not area.buses and not fed:
            return  # a line between two buses of one substation
        heads = [line for bus in ins for line in area.edges[bus]]
        first = heads[0]
        far = first.end if self._one[first.start] in ins else first.start
        asset = self._add(first.name, "feeder", area.buses, derived=True, at=self._grid.buses[far].at)
        asset.properties |= length
        if len(heads) > 1:
            names = ", ".join([*(line.name for line in heads[:5]), *(["..."] if len(heads) > 5 else [])])
            meet = f"{len(heads)} lines begin it and meet again, so it is one ({names})"
            self._part.notes.append(f"feeder of line {first.name}: {meet}")
        for source in sources:
            self._power(source, asset)
        for station in fed:
            self._power(asset, station)
        self._feeds |= {bus: [asset] for bus in area.buses}

    def _field_transformers(self, units: list[Transformer], areas: list[_Area]) -> None:
        """Transformers in feeders, the nearest to a source first, with the low voltage below them."""
        area_of = {bus: area for area in areas for bus in area.buses}
        merged = 0
        for unit in sorted(units, key=lambda unit: self._depth.get(unit.high, len(self._depth))):
            above = self._feeds.get(unit.high)
            if not above:
                continue  # told with the dead buses
            asset = self._transformer(unit)
            for source in above:
                self._power(source, asset)
            area = area_of.get(unit.low)
            for bus in sorted(area.buses) if area else ():
                if bus not in self._feeds:
                    asset.reach += self._points([bus])
                    self._feeds[bus] = [asset]
            merged += len(area.lines) if area else 0
            if area:
                area.lines = []
        self._part.leave_out(merged, "low-voltage lines", "merged into the transformer that feeds them")

    def _transformer(self, unit: Transformer) -> DraftAsset:
        asset = self._add(unit.name, "transformer", [unit.high, unit.low])
        if unit.rating_kva:
            asset.properties["rating_kva"] = unit.rating_kva
        return asset

    def _loads(self) -> None:
        """What each feeder and each of its transformers carries; the loads themselves stay out."""
        for load in self._grid.loads:
            fed_by = self._feeds.get(self._one[load.bus], [])
            if not fed_by:
                continue
            self._part.consumers[load.name] = fed_by[0]
            asset: DraftAsset | None = fed_by[0]
            while asset is not None and asset.coupled and asset.kind in ("feeder", "transformer"):
                asset.properties["load_kw"] = float(asset.properties.get("load_kw", 0.0)) + load.kw
                asset = None if asset.kind == "feeder" else self._above.get(asset)
        self._part.leave_out(len(self._grid.loads), "loads", "summed up as load_kw of what feeds them")

    def _power(
        self, source: DraftAsset, target: DraftAsset, properties: dict[str, Value] | None = None
    ) -> None:
        self._above.setdefault(target, source)
        self._part.link(source, Relation.POWERS, target, dict(properties or {}))

    def _add(
        self, name: str, kind: str, buses: Iterable[str], *, derived: bool = False, at: Point | None = None
    ) -> DraftAsset:
        ordered = sorted(buses)
        points = self._points(ordered)
        zones = [bus.zone for one in ordered for bus in self._members[one] if bus.zone]
        asset = DraftAsset(name, kind, Utility.POWER, at=at or middle(points), reach=points, derived=derived)
        asset.zone = zones[0] if zones else None
        return self._part.add(asset)

    def _points(self, buses: Iterable[str]) -> list[Point]:
        return [bus.at for one in buses for bus in self._members[one] if bus.at is not None]

    def _depths(self) -> dict[str, int]:
        """Steps from the nearest source; a bus that is not in it is dead."""
        ways: dict[str, set[str]] = defaultdict(set)
        pairs = [(self._one[line.start], self._one[line.end]) for line in self._grid.lines]
        for start, end in [*pairs, *((unit.high, unit.low) for unit in self._transformers)]:
            ways[start].add(end)
            ways[end].add(start)
        depth = dict.fromkeys(self._sources, 0)
        waiting = deque(depth)
        while waiting:
            bus = waiting.popleft()
            for other in ways[bus] - depth.keys():
                depth[other] = depth[bus] + 1
                waiting.append(other)
        return depth


def _united(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """For each name the first name of the group that the pairs join it to."""
    parent = {name: name for name in names}

    def top(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for one, other in pairs:
        parent[top(other)] = top(one)
    first: dict[str, str] = {}
    for name in parent:
        first.setdefault(top(name), name)
    return {name: first[top(name)] for name in parent}
