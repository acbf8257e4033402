"""``crosscurrent grafana``: boards and rules as files, or made in a running Grafana.

In:  a city model; for ``sync`` the address of a Grafana and a token of a service account.
Out: ``build``: files for Grafana's provisioning. ``sync``: a line for each difference, then the changes.
Exit status: 0 all is as it is wanted; 1 it is not (``build --check``, ``sync --dry-run``, or something that
is not ours stands in the way).
"""

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grafana.difference import Thing
    from grafana.sync import Running
    from grafana.wanted import Influx

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton" / "city.yaml"
SYNC_NEEDS = ("city", "url", "token_file", "runbooks")
INFLUX = ("influx", "influx_org", "influx_token_file")
SUMMARY = "Make Grafana's boards and alert rules from the city model: as files, or in a running Grafana."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to make, and where."""
    parser.add_argument("action", metavar="ACTION", choices=("build", "sync"), help="build or sync")
    parser.add_argument(
        "--city", metavar="FILE", type=Path, help="city model (city.yaml; build: Riverton if not given)"
    )
    parser.add_argument("--runbooks", metavar="URL", help="where the runbooks can be read")
    parser.add_argument("--out", metavar="DIR", type=Path, help="build: where the files go")
    parser.add_argument("--check", action="store_true", help="build: write nothing, list files that differ")
    parser.add_argument("--url", metavar="URL", help="sync: Grafana's address")
    parser.add_argument(
        "--token-file", metavar="FILE", type=Path, help="sync: file with a service account's token"
    )
    parser.add_argument("--dry-run", action="store_true", help="sync: only show what differs")
    parser.add_argument("--influx", metavar="URL", help="sync: InfluxDB's address, as Grafana reaches it")
    parser.add_argument("--influx-org", metavar="NAME", help="sync: InfluxDB's organization")
    parser.add_argument(
        "--influx-token-file", metavar="FILE", type=Path, help="sync: file with a token that may read"
    )


def run(args: argparse.Namespace) -> int:
    """Do it; 0, or 1. Raises BadConfig, BadUsage, ExtraMissing, GrafanaFailed or OSError."""
    return _build(args) if args.action == "build" else _sync(args)


def _build(args: argparse.Namespace) -> int:
    from runner.extras import needs
    from runner.moments import BadUsage
    from schemas.cityfile import load_city

    with needs("grafana"):
        from grafana import files
    if args.city and not args.out:
        raise BadUsage("--city without --out would write over the demo city's files; say where to with --out")
    wanted = files.files(load_city(args.city or RIVERTON), args.runbooks or files.RUNBOOKS)
    folder = args.out or files.FOLDER
    differing = files.stale(wanted, folder)
    if args.check:
        for path in differing:
            sys.stdout.write(f"{folder / path} is not as the code and the city model say\n")
        return 1 if differing else 0
    files.write(wanted, folder)
    sys.stdout.write(f"{len(wanted)} files in {folder}, {len(differing)} of them changed\n")
    return 0


def _sync(args: argparse.Namespace) -> int:
    from runner.extras import needs
    from runner.moments import BadUsage
    from schemas.cityfile import load_city

    with needs("grafana"):
        from grafana.sync import Running
        from grafana.wanted import Influx, wanted
    missing = [f"--{name.replace('_', '-')}" for name in SYNC_NEEDS if not getattr(args, name)]
    if missing:
        raise BadUsage(f"sync needs {', '.join(missing)}")
    place = [getattr(args, name) for name in INFLUX]
    if any(place) and not all(place):
        raise BadUsage("--influx, --influx-org and --influx-token-file go together")
    influx = Influx(args.influx, args.influx_org, _secret(args.influx_token_file)) if all(place) else None
    city = load_city(args.city)
    with closing(Running(args.url, _secret(args.token_file), city.city)) as grafana:
        return _synced(args, grafana, wanted(city, args.runbooks, influx), influx)


def _synced(
    args: argparse.Namespace, grafana: "Running", things: "list[Thing]", influx: "Influx | None"
) -> int:
    from grafana.difference import changes
    from runner.moments import BadUsage

    sys.stdout.write(f"Grafana {grafana.version()} at {args.url}\n")
    found = changes(things, grafana.there(things))
    if influx is None and not grafana.has_source():
        raise BadUsage(
            "Grafana has no data source of ours yet; add --influx, --influx-org and --influx-token-file"
        )
    for change in found:
        sys.stdout.write(f"{change}\n")
    if grafana.blind:
        sys.stdout.write(
            "note: this Grafana does not list its rules, so old ones of ours are not looked for\n"
        )
    foreign = any(change.action == "foreign" for change in found)
    if args.dry_run:
        sys.stdout.write(f"{len(found)} differences; nothing was changed\n")
        return 1 if found else 0
    sys.stdout.flush()
    for change in found:
        grafana.apply(change)
    sys.stdout.write(f"{sum(change.action != 'foreign' for change in found)} changes made\n")
    return 1 if foreign else 0


def _secret(file: Path) -> str:
    return file.read_text("utf-8").strip()
