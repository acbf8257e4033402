"""``crosscurrent certify``: whether one input gives one output, whatever happens on the way.

In:  recordings, their city models; or the data folder of a city that was stopped.
Out: a line for each trial with a digest of what was told, and a verdict; or JSON.
Exit status: 0 all hold; 1 some trial told something else.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runner.moments import BadUsage

if TYPE_CHECKING:
    from runner.certificate import Trial

SUMMARY = "Try whether rates, order, partitions, restarts and kills change what is told; print digests."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The recordings, the model, the rules and the dice."""
    parser.add_argument(
        "recordings", metavar="RECORDING", nargs="*", type=Path, help="*.jsonl, *.jsonl.gz or *.jsonl.zst"
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="a stopped city: replay its log, compare with what it told live",
    )
    parser.add_argument(
        "--city", metavar="FILE", type=Path, help="the city model (default: city.yaml beside each recording)"
    )
    parser.add_argument(
        "--causes", metavar="FILE", type=Path, help="rules in the place of ours (causes.yaml)"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=1, help="seed of all that comes by chance (default 1)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a recording and line")


def run(args: argparse.Namespace) -> int:
    """Try all; 0 or 1. Raises BadConfig, NothingToReplay or OSError."""
    from runner.certificate import certify, certify_live

    if not args.recordings and not args.data:
        raise BadUsage("name recordings, or the data folder of a stopped city with --data")
    if args.data and not args.city:
        raise BadUsage("--data needs --city, the model under which it ran")
    holds = True
    if args.data:
        trial = certify_live(args.data, args.city, args.causes)
        holds = trial.holds
        if args.json:
            print(trial.model_dump_json(), flush=True)
        else:
            _tell(trial)
    for recording in args.recordings:
        tell = (lambda _: None) if args.json else _tell
        if not args.json:
            print(f"{recording}:", flush=True)
        found = certify(
            recording, args.city or recording.with_name("city.yaml"), args.causes, args.seed, tell
        )
        holds = holds and found.holds
        if args.json:
            print(found.model_dump_json(), flush=True)
            continue
        told = ", ".join(f"{count} {name.removesuffix('.jsonl')}" for name, count in found.told.items())
        verdict = "deterministic" if found.holds else "NOT deterministic"
        print(f"  {verdict}: {told}; digest {found.digest[:16]}, seed {found.seed}")
    return 0 if holds else 1


def _tell(trial: "Trial") -> None:
    print(
        f"  {'same' if trial.holds else 'OTHER':<6} {trial.digest[:16]}  {trial.name}: {trial.what}",
        flush=True,
    )
    for line in trial.differs:
        print(f"         {line}", file=sys.stderr)
