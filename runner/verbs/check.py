"""``crosscurrent check city.yaml...``: every fault of city models, with line and column.

In:  the paths of city models. Out: one line for each fault, then one that counts; with ``--json`` a list.
Exit status: 0 no faults; 1 faults; 2 a file can't be read.
"""

import argparse
import json
import sys
from pathlib import Path

from schemas.cityfile import Lint, lint_city
from schemas.errors import BadConfig, Fault

SUMMARY = "list every fault of a city model, with line and column"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files and the format."""
    parser.add_argument("files", nargs="+", type=Path, metavar="CITY", help="a city model (city.yaml)")
    parser.add_argument("--json", action="store_true", help="print one JSON list, one object a file")


def run(args: argparse.Namespace) -> int:
    """Check every file, whatever the others hold; the worst status of all."""
    status = 0
    reports = []
    for path in args.files:
        try:
            found, now = lint_city(path), 0
        except BadConfig as error:
            found, now = Lint(None, error.faults, ()), 2
        status = max(status, now, 1 if found.faults else 0)
        if args.json:
            reports.append(_report(path, found))
        else:
            sys.stdout.write(_text(path, found))
    if args.json:
        sys.stdout.write(json.dumps(reports, ensure_ascii=False, indent=2) + "\n")
    return status


def _text(path: Path, found: Lint) -> str:
    lines = [*map(str, found.faults), *(_note(note) for note in found.notes), _summary(path, found)]
    return "\n".join(lines) + "\n"


def _note(note: Fault) -> str:
    return f"{note.file}:{note.line}:{note.column}: note: {note.message}"


def _summary(path: Path, found: Lint) -> str:
    city = found.city
    if city is None:
        return f"{path}: {_count(len(found.faults), 'fault')}"
    counts = (
        _count(len(city.assets), "asset"),
        _count(len(city.links), "link"),
        _count(len(city.sensors), "sensor"),
    )
    return f"{city.city}: {', '.join(counts)}, no faults"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _report(path: Path, found: Lint) -> dict[str, object]:
    city = found.city
    return {
        "file": str(path),
        "city": city.city if city else None,
        "assets": len(city.assets) if city else None,
        "links": len(city.links) if city else None,
        "sensors": len(city.sensors) if city else None,
        "faults": [_place(fault) for fault in found.faults],
        "notes": [_place(note) for note in found.notes],
    }


def _place(fault: Fault) -> dict[str, object]:
    return {"file": fault.file, "line": fault.line, "column": fault.column, "message": fault.message}
