"""``crosscurrent tune SENSOR|all HISTORY...``: better limits, delays and deadbands, from what a city saw.

In:  sensors; days, recorded or archived, with their labels where there are any; a city model.
Out: what to change, what that would have told, and a patch for the city model. Nothing that is there changes.
Exit status: 0, whether or not something is proposed.
"""

import argparse
import sys
from pathlib import Path

from runner.moments import BadUsage, moment
from runner.overdays import add_answer, add_span, cache_of, refuse_unwritable, workers_of, write

SUMMARY = "Propose limits, delays and deadbands from history, with what each would have cost; write a patch."
FORMATS = ("table", "markdown", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sensors, the history, and the answer's form."""
    parser.add_argument("sensor", metavar="SENSOR", help="a sensor (tank-1/level), several (a,b), or all")
    parser.add_argument(
        "history",
        metavar="HISTORY",
        nargs="+",
        help="recordings (*.jsonl, .gz, .zst), folders of them, or archives",
    )
    parser.add_argument(
        "--days", metavar="N", type=int, default=30, help="the newest so many days of it (default: 30)"
    )
    add_span(parser)
    parser.add_argument(
        "--city", metavar="FILE", type=Path, help="the city model to tune (default: the one of the history)"
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="archives: the truth (recordings have NAME.labels.json beside them)",
    )
    parser.add_argument(
        "--causes", metavar="FILE", type=Path, help="rules in the place of ours (causes.yaml)"
    )
    add_answer(parser, FORMATS)
    parser.add_argument("--patch", metavar="FILE", type=Path, help="write the patch here; a new file")


def run(args: argparse.Namespace) -> int:
    """Look, propose and print; 0. Raises CrosscurrentError or OSError."""
    from runner.days import days_in
    from runner.diff.days import trim
    from runner.tuning.advising import Asked, advise
    from runner.tuning.report import markdown, table

    if args.days < 1:
        raise BadUsage(f"--days {args.days}: expected at least 1")
    for flag, path in (("--out", args.out), ("--patch", args.patch)):
        refuse_unwritable(flag, path)
    if args.patch and args.patch.exists():
        raise BadUsage(f"--patch {args.patch}: is there already; expected a new file; nothing is proposed")
    days = days_in(args.history, moment(args.start), moment(args.end))[-args.days :]
    if args.labels and not any(day.kept for day in days):
        raise BadUsage("--labels is for archives; the truth about a recording lies beside it")
    cache = cache_of(args)
    asked = Asked(
        days=tuple(days),
        city=args.city.resolve() if args.city else None,
        sensors=() if args.sensor == "all" else tuple(args.sensor.split(",")),
        labels=tuple(args.labels),
        causes=args.causes.resolve() if args.causes else None,
        cache=cache,
        workers=workers_of(args),
    )
    report = advise(asked, lambda what, day: print(f"{what}: {day}", file=sys.stderr, flush=True))
    trim(cache)
    match args.format:
        case "json":
            text = report.model_dump_json(indent=1) + "\n"
        case "markdown":
            text = markdown(report)
        case _:
            text = table(report)
    write(text, args.out)
    if args.patch:
        with args.patch.open("x", encoding="utf-8") as file:
            file.write(report.patch)
    return 0
