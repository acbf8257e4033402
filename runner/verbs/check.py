"""``crosscurrent check FILE...``: every fault of city models, of rules and of policies, with line and column.

In:  the paths of city models, of rules of cause and effect (files with ``rules:``), and of policies (files
     with ``route:``), each beside the city model that it is for.
Out: one line for each fault, then one that counts; with ``--json`` a list.
Exit status: 0 no faults; 1 faults; 2 a file can't be read.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.city import City
from schemas.cityfile import lint_city
from schemas.errors import BadConfig, Fault
from schemas.yamlfile import BYTES_MAX, read

if TYPE_CHECKING:
    from schemas.alerting import Route

SUMMARY = "list every fault of a city model, of rules or of an alerts.yaml, with line and column"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files and the format."""
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="a city model (city.yaml), rules (causes.yaml), or who is told what (alerts.yaml)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list, one object a file")


def run(args: argparse.Namespace) -> int:
    """Check every file, whatever the others hold; the worst status of all."""
    status = 0
    reports = []
    for path in args.files:
        try:
            found, now = _look(path), 0
        except BadConfig as error:
            found, now = _Found(error.faults), 2
        status = max(status, now, 1 if found.faults else 0)
        if args.json:
            reports.append(_report(path, found))
        else:
            sys.stdout.write(_text(path, found))
    if args.json:
        sys.stdout.write(json.dumps(reports, ensure_ascii=False, indent=2) + "\n")
    return status


@dataclass(frozen=True, slots=True)
class _Found:
    """What is wrong in a file, and else what it holds."""

    faults: Sequence[Fault]
    notes: Sequence[Fault] = ()
    name: str | None = None
    holds: Mapping[str, int | None] = field(
        default_factory=lambda: dict.fromkeys(("asset", "link", "sensor"))
    )


def _look(path: Path) -> _Found:
    if _holds(path, "rules"):
        return _rules(path)
    return _alerts(path) if _holds(path, "route") else _city(path)


def _city(path: Path) -> _Found:
    found = lint_city(path, advise=True)
    city = found.city
    if city is None:
        return _Found(found.faults, found.notes)
    holds: dict[str, int | None] = {
        "asset": len(city.assets),
        "link": len(city.links),
        "sensor": len(city.sensors),
    }
    if any(link.border for link in city.links):
        holds["domain"] = _domains(city)
    return _Found(found.faults, found.notes, city.city, holds)


def _domains(city: City) -> int:
    """How many correlation domains its borders make."""
    from streams.causes import load_causes
    from streams.domains import domains_of

    return len(domains_of(city, load_causes()).by_name)


def _rules(path: Path) -> _Found:
    from streams.causes import lint_causes, load_causes

    if faults := lint_causes(path):
        return _Found(sorted(faults), holds={"rule": None, "prior": None})
    causes = load_causes(path)
    return _Found((), holds={"rule": len(causes.rules), "prior": len(causes.priors)})


def _alerts(path: Path) -> _Found:
    """An alerts.yaml, held against the city model beside it."""
    from alerts.policyfile import lint_policy
    from schemas.cityfile import load_city

    policy, faults = lint_policy(path, load_city(path.with_name("city.yaml")))
    if policy is None:
        return _Found(faults, holds={"route": None, "receiver": None, "rota": None})
    routes = _routes(policy.route)
    return _Found((), holds={"route": routes, "receiver": len(policy.receivers), "rota": len(policy.rotas)})


def _routes(route: "Route") -> int:
    return 1 + sum(map(_routes, route.routes))


def _holds(path: Path, field: str) -> bool:
    """Whether a file is no city model but has this field; a large city is not read twice to learn that."""
    try:
        with path.open("rb") as file:
            if field.encode() not in file.read(BYTES_MAX):
                return False
    except OSError:
        return False  # told by whoever reads it next
    data = read(path).data
    return isinstance(data, dict) and field in data and "assets" not in data


def _text(path: Path, found: _Found) -> str:
    lines = [*map(str, found.faults), *(_note(note) for note in found.notes), _summary(path, found)]
    return "\n".join(lines) + "\n"


def _note(note: Fault) -> str:
    return f"{note.file}:{note.line}:{note.column}: note: {note.message}"


def _summary(path: Path, found: _Found) -> str:
    if found.faults:
        return f"{path}: {_count(len(found.faults), 'fault')}"
    counts = [_count(number, what) for what, number in found.holds.items() if number is not None]
    return f"{found.name or path}: {', '.join(counts)}, no faults"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _report(path: Path, found: _Found) -> dict[str, object]:
    named = {"city": found.name} if "asset" in found.holds else {}
    return {
        "file": str(path),
        **named,
        **{f"{what}s": number for what, number in found.holds.items()},
        "faults": [_place(fault) for fault in found.faults],
        "notes": [_place(note) for note in found.notes],
    }


def _place(fault: Fault) -> dict[str, object]:
    return {"file": fault.file, "line": fault.line, "column": fault.column, "message": fault.message}
