"""Which file is of which kind: to tell a wrong word from a wrong file."""

import re
from pathlib import Path

from simulator.importers.draft import CantImport
from simulator.importers.sections import read_text

EPANET = ("PIPES", "RESERVOIRS", "TANKS", "VALVES", "EMITTERS")
SWMM = ("CONDUITS", "SUBCATCHMENTS", "OUTFALLS", "RAINGAGES", "XSECTIONS", "EVAPORATION")
_COMMAND = re.compile(r"(?im)^\s*(clear|redirect|compile|new\s+(object\s*=\s*)?(circuit|line|transformer)\b)")


def kind_of(path: Path) -> str | None:
    """``epanet``, ``swmm``, ``opendss`` or ``pandapower`` by what stands in the file; None where unclear."""
    text = read_text(path)
    if text.lstrip().startswith("{"):
        return "pandapower" if "pandapowerNet" in text else None
    sections = {name.upper() for name in re.findall(r"^\s*\[([A-Za-z_]+)\]", text, re.MULTILINE)}
    if sections & set(SWMM):
        return "swmm"
    if sections & set(EPANET):
        return "epanet"
    return "opendss" if not sections and _COMMAND.search(text) else None


def expect(path: Path, kind: str) -> None:
    """Raise CantImport where a file is plainly of another kind than was said, or empty."""
    if not read_text(path).strip():
        raise CantImport(f"{path}: the file is empty; expected a model that {kind} reads")
    found = kind_of(path)
    if found not in (None, kind):
        raise CantImport(f"{path}: this is a file of {found}, not of {kind}; say {found}:{path}")
