"""``crosscurrent generate``: a plausible city of N zones from a seed, ready to be simulated.

In:  a number of zones, a seed. Out: a folder with ``city.yaml`` (its limits set) and ``physics/``.
"""

import argparse
from collections import Counter
from pathlib import Path

SUMMARY = "Make a plausible city of N zones from a seed, ready to be simulated; the same bytes for one seed."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The size, the seed, where the city goes, and for how long it is commissioned."""
    parser.add_argument(
        "--zones", metavar="N", type=_number, required=True, help="how many zones, 1 to 30 or so"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=1, help="seed of all chance in it (default: 1)"
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="where the city goes: a new folder, or an empty one",
    )
    parser.add_argument("--name", metavar="NAME", help="the city's name (default: town-ZONES-SEED)")
    parser.add_argument(
        "--days",
        metavar="N",
        type=_number,
        default=14,
        help="quiet days that are simulated to set the limits (default: 14)",
    )


def run(args: argparse.Namespace) -> int:
    """Make the city and tell what it has; 0. Raises NotEmpty, EngineFailed or OSError."""
    from runner.extras import needs

    with needs("simulate"):
        from simulator.generating import generate_folder

    city = generate_folder(args.out, args.zones, args.seed, args.name, args.days)
    kinds = Counter(asset.kind for asset in city.assets.values())
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    counts = f"{len(city.assets)} assets, {len(city.links)} links, {len(city.sensors)} sensors"
    print(f"{args.out}: {city.name}, {counts}")
    print(f"  {told}")
    return 0


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is too few; expected a whole number from 1")
    return number
