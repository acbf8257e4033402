"""OpenDSS's circuits: the master file is run by the engine, then its elements are read.

In:  the path of a master file, which may redirect to others and name a file of bus coordinates. Out: a Part.

An OpenDSS file is a script: what it says is done, exports and all. Import only what you would run.
"""

import importlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulator.importers.draft import CantImport, Part, Point
from simulator.importers.grid import Bus, Grid, Line, Load, Transformer, compose

METRES_IN_LENGTH = {1: 1609.344, 2: 304.8, 3: 1000.0, 4: 1.0, 5: 0.3048, 6: 0.0254, 7: 0.01, 8: 0.001}
"""OpenDSS's length units by number (``LineUnits``): mi, kft, km, m, ft, in, cm, mm; 0 is none."""

SAME_VOLTAGE = 0.05
"""Windings that differ by less than this share make a voltage regulator, not a step."""

LEFT_OUT = (
    ("Capacitors", "capacitors"),
    ("RegControls", "regulator controls"),
    ("CapControls", "capacitor controls"),
    ("Generators", "generators"),
    ("PVsystems", "solar plants"),
    ("Storages", "storages"),
    ("Monitors", "monitors"),
    ("Meters", "energy meters"),
    ("Relays", "relays"),
    ("Reclosers", "reclosers"),
    ("Fuses", "fuses"),
)
_WHERE = re.compile(r'\s*\[file: "([^"]*)", line: (\d+)\]')


def read(path: Path) -> Part:
    """A power network. Raises CantImport where OpenDSS refuses the file or is not installed."""
    try:
        dss: Any = importlib.import_module("opendssdirect")
    except ImportError as error:
        raise CantImport(
            f"{path}: OpenDSS is not installed; pip install 'crosscurrent[simulate]' brings it, "
            "then import again"
        ) from error
    part = Part(str(path), "OpenDSS")
    try:
        dss.Basic.ClearAll()
        dss.Basic.AllowChangeDir(False)
        dss.Basic.AllowEditor(False)
        dss.Text.Command(f'Redirect "{path.resolve()}"')
        if not dss.Basic.NumCircuits():
            raise CantImport(f"{path}: no circuit in it; expected the master file, with 'New Circuit.NAME'")
        dss.Text.Command("MakeBusList")
        grid = _grid(dss, part)
    except CantImport:
        raise
    except Exception as error:
        raise CantImport(_refusal(path, str(error))) from error
    finally:
        dss.Basic.ClearAll()
    compose(grid, part)
    return part


def _grid(dss: Any, part: Part) -> Grid:
    grid = Grid()
    out: Counter[str] = Counter()
    for name in dss.Circuit.AllBusNames():
        grid.buses[name] = Bus(name, _at(dss, name))
    for name in _each(dss.Vsources):
        bus = _ends(dss)[0]
        grid.sources.append((f"grid-{dss.Circuit.Name()}" if name == "source" else name, bus))
    for name in _each(dss.Lines):
        start, end = _ends(dss)[:2]
        if dss.CktElement.IsOpen(1, 0) or dss.CktElement.IsOpen(2, 0):
            out["open lines"] += 1
            continue
        metres = METRES_IN_LENGTH.get(int(dss.Lines.Units()), 0.0)
        out["lines"] += not metres
        grid.lines.append(
            Line(name, start, end, 0.0 if dss.Lines.IsSwitch() else dss.Lines.Length() * metres)
        )
    for name in _each(dss.Transformers):
        _transformer(dss, name, grid)
    for _ in _each(dss.Reactors):
        ends = dss.CktElement.BusNames()
        if len(ends) == 2 and not re.search(r"\.0\b", ends[1]) and _bus(ends[0]) != _bus(ends[1]):
            grid.ties.append((_bus(ends[0]), _bus(ends[1])))
        else:
            out["reactors"] += 1
    for name in _each(dss.Loads):
        grid.loads.append(Load(name, _ends(dss)[0], float(dss.Loads.kW())))
    part.leave_out(out["open lines"], "open lines", "normally open")
    part.leave_out(
        out["lines"], "lengths of lines", "no unit is told; OpenDSS forgets units= when r1= comes behind it"
    )
    part.leave_out(out["reactors"], "shunt reactors", "a city model has no kind for them")
    for elements, what in LEFT_OUT:
        part.leave_out(int(getattr(dss, elements).Count()), what, "a city model has no kind for them")
    return grid


def _transformer(dss: Any, name: str, grid: Grid) -> None:
    """The active transformer: a step from its highest to each other voltage, or a regulator."""
    sides = []
    for number, bus in enumerate(_ends(dss)[: int(dss.Transformers.NumWindings())], 1):
        dss.Transformers.Wdg(number)
        sides.append((float(dss.Transformers.kV()), bus, float(dss.Transformers.kVA())))
    top_kv, high, _ = max(sides, key=lambda side: side[0])
    single = int(dss.CktElement.NumPhases()) == 1
    done = {high}
    for kv, bus, kva in sides:
        if bus in done:
            continue
        done.add(bus)
        if kv >= top_kv * (1 - SAME_VOLTAGE):
            grid.ties.append((high, bus))
        else:
            grid.transformers.append(Transformer(name, high, bus, kv, kva, single))


def _each(elements: Any) -> Iterator[str]:
    """Make each enabled element of a class the active one, in turn; their names."""
    found = elements.First()
    while found:
        yield str(elements.Name())
        found = elements.Next()


def _ends(dss: Any) -> list[str]:
    """The buses of the active element."""
    return [_bus(name) for name in dss.CktElement.BusNames()]


def _bus(name: str) -> str:
    """``650.1.2`` is bus 650."""
    return name.split(".", 1)[0].lower()


def _at(dss: Any, bus: str) -> Point | None:
    dss.Circuit.SetActiveBus(bus)
    return (float(dss.Bus.X()), float(dss.Bus.Y())) if dss.Bus.Coorddefined() else None


def _refusal(path: Path, error: str) -> str:
    """OpenDSS's own words, with the file and line that it names in front."""
    found = _WHERE.search(error)
    file = found[1] if found and Path(found[1]) != path.resolve() else path
    where = f"{file}:{found[2]}" if found else str(path)
    said = " ".join(_WHERE.sub("", error).split()).rstrip(".")
    return f"{where}: OpenDSS refuses the network: {said}; mend it until OpenDSS runs it, and import again"
