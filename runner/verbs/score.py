"""``crosscurrent score``: what a replay understood, against the truth about its recording.

In:  the folder that ``crosscurrent replay`` wrote, and the recording's labels.
Out: a table, or JSON whose keys are those of ``runner.score.Score``.
"""

import argparse
import sys
from pathlib import Path

SUMMARY = "Measure a replay's incidents against the truth about its recording."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, the labels, and the form of the answer."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="what 'crosscurrent replay --out DIR' wrote")
    parser.add_argument("labels", metavar="LABELS", type=Path, help="the truth: a labels file (JSON)")
    parser.add_argument(
        "--city", metavar="FILE", type=Path, help="the city model: delays are told in sampling steps too"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Score and print; always 0. Raises BadInput (a CrosscurrentError) or OSError on bad input."""
    from runner.labels import load_labels
    from runner.outputs import load_outputs
    from runner.score import score
    from runner.scoretable import table
    from schemas.cityfile import load_city

    city = load_city(args.city) if args.city else None
    result = score(load_outputs(args.folder), load_labels(args.labels), city)
    text = result.model_dump_json(indent=2) if args.json else table(result)
    sys.stdout.write(text + "\n")
    return 0
