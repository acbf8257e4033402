"""Files of ``[SECTIONS]``, which EPANET and SWMM share: rows of words with their line numbers.

In:  a path. Out: rows by section, sections by their full upper-case names.

The engines tell a section by the beginning of its name, so that old files say [COORD]; so do we.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from simulator.importers.draft import CantImport

SECTIONS = (
    "TITLE",
    "OPTIONS",
    "JUNCTIONS",
    "RESERVOIRS",
    "TANKS",
    "PIPES",
    "PUMPS",
    "VALVES",
    "BACKDROP",
    "RAINGAGES",
    "SUBCATCHMENTS",
    "OUTFALLS",
    "STORAGE",
    "DIVIDERS",
    "CONDUITS",
    "ORIFICES",
    "WEIRS",
    "OUTLETS",
    "XSECTIONS",
    "CURVES",
    "DWF",
    "INFLOWS",
    "RDII",
    "HYDROGRAPHS",
    "COORDINATES",
    "VERTICES",
    "POLYGONS",
    "MAP",
    "CONTROLS",
    "RULES",
    "LID_USAGE",
    "LID_CONTROLS",
    "AQUIFERS",
    "GROUNDWATER",
    "POLLUTANTS",
    "TREATMENT",
    "INLETS",
    "INLET_USAGE",
    "STREETS",
    "TRANSECTS",
    "PATTERNS",
    "TIMESERIES",
)  # fmt: skip - a table of words
"""What we look for, in either kind of file."""

METRES = {"FEET": 0.3048, "METERS": 1.0}
"""Map units that files name, in metres. ``NONE`` and ``DEGREES`` are no lengths."""

_WORD = re.compile(r'"([^"]*)"|(\S+)')
_NAME = re.compile(r"\[([A-Za-z_]+)\]?")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a section. ``line`` counts from 1."""

    file: str
    line: int
    words: tuple[str, ...]

    def word(self, index: int, what: str) -> str:
        """The word at a place. Raises CantImport where the row is too short."""
        if index >= len(self.words):
            raise CantImport(f"{self.file}:{self.line}: {what} is missing; mend this row and import again")
        return self.words[index]

    def number(self, index: int, what: str) -> float:
        """The number at a place. Raises CantImport where it is missing or none."""
        text = self.word(index, what)
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if number - number != 0:
            raise CantImport(
                f"{self.file}:{self.line}: expected a number for {what}, got {text!r}; "
                "mend it and import again"
            )
        return number


Sections = dict[str, list[Row]]


def read_sections(path: Path) -> Sections:
    """All rows of a file. Raises CantImport where it has no section, or OSError where it can't be read."""
    sections: Sections = defaultdict(list)
    name = ""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        text = line.split(";", 1)[0].strip()
        if found := _NAME.match(text):
            name = _full(found[1].upper())
        elif text and name:
            words = tuple(quoted or plain for quoted, plain in _WORD.findall(text))
            sections[name].append(Row(str(path), number, words))
        if name:
            sections[name] += []
    if not sections:
        raise CantImport(
            f"{path}: no [SECTION] in it; expected the text file (.inp) that EPANET or SWMM opens"
        )
    return sections


def read_text(path: Path) -> str:
    """A file's text: UTF-8, or what Windows wrote before it."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def metres_per_unit(sections: Sections, section: str) -> float | None:
    """What the file's map says of its units, as metres; None where it says nothing."""
    for row in sections.get(section, ()):
        if len(row.words) > 1 and row.words[0].upper() == "UNITS":
            return METRES.get(row.words[1].upper())
    return None


def _full(name: str) -> str:
    exact = name in SECTIONS
    return name if exact else next((full for full in SECTIONS if full[:4] == name[:4]), name)
