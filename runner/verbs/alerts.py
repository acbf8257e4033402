"""``crosscurrent alerts explain INCIDENT``: who was told of it, when, by which route, and why.

In:  the folder of a replay, or the data folder of ``up`` (which may be running).
Out: a line for each decision and message, in the order of time.
Exit status: 0; 1 where the incident is not there.
"""

import argparse
import sys
from pathlib import Path

SUMMARY = "Say who was told of an incident, when, by which route and why."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to explain, and where it is kept."""
    parser.add_argument("action", metavar="ACTION", choices=("explain",), help="explain")
    parser.add_argument("incident", metavar="INCIDENT", help="its id, or how the id begins")
    parser.add_argument(
        "--data", metavar="DIR", type=Path, required=True, help="folder of a replay, or data folder of `up`"
    )
    parser.add_argument("--city", metavar="FILE", type=Path, help="city model, for its clocks (default: UTC)")


def run(args: argparse.Namespace) -> int:
    """Explain; 0, or 1. Raises BadConfig, BadUsage, OSError."""
    from zoneinfo import ZoneInfo

    from runner.explaining import explained, kept_in
    from schemas.cityfile import load_city

    zone = ZoneInfo(load_city(args.city).timezone if args.city else "UTC")
    lines = explained(kept_in(args.data), args.incident, zone)
    if not lines:
        sys.stdout.write(f"{args.data}: nothing was decided about an incident {args.incident}\n")
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
