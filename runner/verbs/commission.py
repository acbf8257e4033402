"""``crosscurrent commission FOLDER``: the limits of a simulated city, from a quiet fortnight.

In:  a city's folder with its physics. Out: its ``city.yaml``, written anew with limits, delays and deadbands.
"""

import argparse
from pathlib import Path

SUMMARY = "Set the limits of a simulated city's sensors from a simulated quiet fortnight."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The city, the seed and the length of the quiet time."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a folder with city.yaml and physics/")
    parser.add_argument(
        "--seed", metavar="N", type=int, default=1, help="seed of the quiet days (default: 1)"
    )
    parser.add_argument("--days", metavar="N", type=int, default=14, help="how many (default: 14)")


def run(args: argparse.Namespace) -> int:
    """Simulate, write and print; 0. Raises BadConfig, EngineFailed (CrosscurrentErrors) or OSError."""
    from runner.extras import needs

    with needs("simulate"):
        from simulator.commissioning import commission_folder

    sensors = commission_folder(args.folder, args.seed, args.days)
    limited = sum(sensor.limits.model_dump(exclude_none=True) != {} for sensor in sensors)
    city = args.folder / "city.yaml"
    print(f"{city}: limits for {limited} of {len(sensors)} sensors, from {args.days} quiet days")
    return 0
