"""pandapower's JSON: tables of buses, lines, transformers, switches and loads.

In:  the path of a file that ``pandapower.to_json`` wrote (of versions 2 and 3). Out: a Part.

pandapower itself is not needed, and nothing in the file is run: tables are read as the JSON that they are.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simulator.importers.draft import CantImport, Part, Point, cleaned
from simulator.importers.grid import Bus, Grid, Line, Load, Transformer, compose
from simulator.importers.sections import read_text

Table = dict[int, dict[str, Any]]
"""Rows by index; values by column."""

LEFT_OUT = (
    ("sgen", "static generators"),
    ("gen", "generators"),
    ("storage", "storages"),
    ("motor", "motors"),
    ("shunt", "shunts"),
    ("ward", "ward equivalents"),
    ("xward", "extended ward equivalents"),
    ("impedance", "impedances between buses"),
    ("dcline", "direct-current lines"),
    ("asymmetric_load", "asymmetric loads"),
    ("measurement", "measurements"),
    ("controller", "controllers"),
)


def read(path: Path) -> Part:
    """A power network. Raises CantImport where the file is no such JSON, or a table of it is broken."""
    part = Part(str(path), "pandapower")
    net = _net(path)
    tables = {name: _table(path, name, value) for name, value in net.items() if _is_table(value)}
    if not tables.get("bus"):
        raise CantImport(f"{path}: the network is empty: no buses")
    try:
        grid = _grid(tables, part)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise CantImport(
            f"{path}: a table is not as pandapower writes it ({type(error).__name__}: {error}); "
            "write the file again with pandapower.to_json"
        ) from error
    compose(grid, part)
    for name, what in LEFT_OUT:
        part.leave_out(len(tables.get(name, ())), what, "a city model has no kind for them")
    return part


def _net(path: Path) -> Mapping[str, Any]:
    again = "expected what pandapower.to_json(net, FILE) writes"
    try:
        data = json.loads(read_text(path))
    except (RecursionError, ValueError) as error:
        raise CantImport(f"{path}: not JSON ({error}); {again}") from error
    net = data.get("_object") if isinstance(data, dict) else None
    if not isinstance(net, dict) or data.get("_class") != "pandapowerNet":
        raise CantImport(f"{path}: no pandapower network in it; {again}")
    return net


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and value.get("_class") == "DataFrame"


def _table(path: Path, name: str, value: Mapping[str, Any]) -> Table:
    """A data frame in pandas' form ``split``, which may be text inside the JSON."""
    try:
        inner = value["_object"]
        frame = json.loads(inner) if isinstance(inner, str) else inner
        columns = frame["columns"]
        rows = zip(frame["index"], frame["data"], strict=True)
        return {index: dict(zip(columns, row, strict=True)) for index, row in rows if isinstance(index, int)}
    except (KeyError, TypeError, ValueError) as error:
        raise CantImport(
            f"{path}: the table {name!r} can't be read ({error}); write it again with pandapower.to_json"
        ) from error


def _grid(tables: Mapping[str, Table], part: Part) -> Grid:
    grid = Grid()
    out: Counter[str] = Counter()
    geodata = tables.get("bus_geodata", {})
    for index, row in tables["bus"].items():
        if _on(row):
            zone = row.get("zone")
            grid.buses[str(index)] = Bus(
                str(row.get("name") or f"bus-{index}"),
                _at(row, geodata.get(index)),
                (cleaned(str(zone)) or None) if zone is not None else None,
            )
        else:
            out["buses"] += 1
    cut = _switches(tables.get("switch", {}), grid, out)
    for index, row in tables.get("line", {}).items():
        ends = str(row["from_bus"]), str(row["to_bus"])
        if ("l", index) in cut:
            continue
        if _on(row) and grid.buses.keys() >= set(ends):
            grid.lines.append(Line(_name(row, "line", index), *ends, float(row["length_km"]) * 1000))
        else:
            out["lines"] += 1
    _transformers(tables, grid, cut, out)
    _sources_and_loads(tables, grid, out)
    for what, count in out.items():
        why = "normally open" if what == "open switches" else "not in service"
        part.leave_out(count, what, why)
    return grid


def _switches(switches: Table, grid: Grid, out: Counter[str]) -> set[tuple[str, int]]:
    """Join buses that a closed coupler joins; the lines and transformers that an open switch cuts off."""
    cut: set[tuple[str, int]] = set()
    for row in switches.values():
        kind, element = str(row["et"]), int(row["element"])
        if not row["closed"]:
            out["open switches"] += 1
            cut.add((kind, element))
        elif kind == "b" and grid.buses.keys() >= {str(row["bus"]), str(element)}:
            grid.ties.append((str(row["bus"]), str(element)))
    return cut


def _transformers(
    tables: Mapping[str, Table], grid: Grid, cut: set[tuple[str, int]], out: Counter[str]
) -> None:
    for table, kind, sides in (
        ("trafo", "t", (("lv", "sn_mva"),)),
        ("trafo3w", "t3", (("mv", "sn_mv_mva"), ("lv", "sn_lv_mva"))),
    ):
        for index, row in tables.get(table, {}).items():
            if (kind, index) in cut:
                continue
            if not _on(row):
                out["transformers"] += 1
                continue
            for side, rating in sides:
                high, low = str(row["hv_bus"]), str(row[f"{side}_bus"])
                if grid.buses.keys() >= {high, low}:
                    name = _name(row, table, index) + ("-tertiary" if kind == "t3" and side == "lv" else "")
                    parallel = row.get("parallel") or 1
                    kva = float(row[rating]) * 1000 * float(parallel)
                    grid.transformers.append(Transformer(name, high, low, float(row[f"vn_{side}_kv"]), kva))


def _sources_and_loads(tables: Mapping[str, Table], grid: Grid, out: Counter[str]) -> None:
    for index, row in tables.get("ext_grid", {}).items():
        if _on(row) and str(row["bus"]) in grid.buses:
            name = row.get("name") or grid.buses[str(row["bus"])].name
            grid.sources.append((f"grid-{name}" if not row.get("name") else str(name), str(row["bus"])))
        else:
            out["grid connections"] += 1
        del index
    for index, row in tables.get("gen", {}).items():
        if row.get("slack") and _on(row) and str(row["bus"]) in grid.buses:
            grid.sources.append((_name(row, "gen", index), str(row["bus"])))
    for index, row in tables.get("load", {}).items():
        if _on(row) and str(row["bus"]) in grid.buses:
            scaling = row.get("scaling")
            kw = float(row["p_mw"]) * 1000 * (1.0 if scaling is None else float(scaling))
            grid.loads.append(Load(_name(row, "load", index), str(row["bus"]), kw))
        else:
            out["loads"] += 1


def _on(row: Mapping[str, Any]) -> bool:
    return bool(row.get("in_service", True))


def _name(row: Mapping[str, Any], table: str, index: int) -> str:
    return str(row.get("name") or f"{table}-{index}")


def _at(row: Mapping[str, Any], old: Mapping[str, Any] | None) -> Point | None:
    """A bus's x and y: GeoJSON in its row since version 3, a table of their own before."""
    geo = row.get("geo")
    where: Sequence[Any] = ()
    if isinstance(geo, str):
        where = json.loads(geo).get("coordinates", ())
    elif old is not None:
        where = (old.get("x"), old.get("y"))
    numbers = [float(value) for value in where[:2] if isinstance(value, int | float)]
    return (numbers[0], numbers[1]) if len(numbers) == 2 and all(map(math.isfinite, numbers)) else None
