"""``crosscurrent simulate SCENARIO``: days of a city of physics, what breaks in them, and the truth.

In:  a scenario file.
Out: in a folder ``city.yaml``, ``NAME.jsonl.gz`` (a recording) and ``NAME.labels.json``.
"""

import argparse
import sys
from pathlib import Path

SUMMARY = "Simulate a scenario: a recording, its city model and the truth; the same bytes for one seed."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The scenario, the seed, where the results go."""
    parser.add_argument(
        "scenario",
        metavar="SCENARIO",
        type=Path,
        help="a scenario file, or one of a shipped city: riverton/storm-day",
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=1, help="seed of all chance in it (default: 1)"
    )
    parser.add_argument(
        "--links",
        action="store_true",
        help="tell in the labels which couplings each cause passed: two more runs for each",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the results go")


def run(args: argparse.Namespace) -> int:
    """Simulate and print; 0. Raises BadConfig, EngineFailed (CrosscurrentErrors) or OSError."""
    from runner.extras import needs

    with needs("simulate"):
        from simulator.cities import open_scenario, shipped_scenario
        from simulator.making import make

    path = args.scenario if args.scenario.exists() else shipped_scenario(args.scenario)
    town, scenario = open_scenario(path)
    tell = _tell if sys.stderr.isatty() else lambda _: None
    made = make(town, scenario, args.seed, args.out, tell, links=args.links)
    print(
        f"{made.recording}: {made.messages:,} messages, {scenario.hours:g} h of {town.name}, seed {args.seed}"
    )
    for line in made.told():
        print(f"  {line}")
    print(
        f"replay it with: crosscurrent replay {made.recording} --city {made.city} "
        f"--out {args.out / 'results'}"
    )
    return 0


def _tell(what: str) -> None:
    print(f"simulating {what}", file=sys.stderr)
