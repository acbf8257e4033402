"""``crosscurrent bench``: many days through replay, scored beside baselines and other teams' systems.

In:  folders of recorded days with their truth, or a suite that the simulator makes.
Out: tables, JSON or both. docs/benchmark.md says what is measured.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from runner.overdays import positive, workers_of

if TYPE_CHECKING:
    from runner.bench.day import Entrant, Task
    from runner.bench.spoil import Spoil

SUMMARY = "Replay and score many days, beside baselines and other teams' systems."

ROOM = 200
"""Columns that a table may take; it takes what it needs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which days, whose outputs beside ours, how many workers, where things lie, and the answer's form."""
    parser.add_argument(
        "folders",
        metavar="FOLDER",
        type=Path,
        nargs="*",
        help="days to use: city.yaml, and NAME.jsonl (.gz, .zst) with NAME.labels.json",
    )
    parser.add_argument("--suite", metavar="NAME", help="make the days instead: quick, full or train")
    parser.add_argument(
        "--seed",
        metavar="N",
        type=int,
        default=1,
        help="seed of the suite, and of what is spoilt (default: 1)",
    )
    parser.add_argument(
        "--enter",
        metavar="NAME=DIR",
        action="append",
        default=[],
        help="another system: DIR/CITY/DAY holds its alarms.jsonl, incidents.jsonl and revisions.jsonl",
    )
    parser.add_argument(
        "--workers", metavar="N", type=positive, default=None, help="days at once (default: one a core)"
    )
    parser.add_argument(
        "--work", metavar="DIR", type=Path, help="keep days and results here, and go on from what lies here"
    )
    parser.add_argument(
        "--causes", metavar="FILE", type=Path, help="rules in the place of ours (causes.yaml)"
    )
    parser.add_argument(
        "--wrong-links",
        metavar="SHARE",
        type=_share,
        default=0.0,
        help="spoil this share of the model's links: half are removed, half lead elsewhere (0.08 is 8%%)",
    )
    parser.add_argument(
        "--bad-network",
        action="store_true",
        help="deliver every day's messages late, twice, out of order or not at all, a few in a hundred",
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures as JSON; '-' prints them instead")


def run(args: argparse.Namespace) -> int:
    """Do every day and print; 0, or 1 where a day gave nothing. Raises CrosscurrentError or OSError."""
    from rich.console import Console

    from runner.bench.report import report
    from runner.bench.table import heading, tables

    _check(args)
    entrants = _entrants(args.enter)
    with _folder(args.work) as work:
        tasks = _tasks(args, work, entrants)
        days, failed = _do(tasks, workers_of(args))
    whole = report(days, failed, args.suite, None if args.suite is None else args.seed, _spoil(args).words)
    if args.json:
        text = json.dumps(whole, indent=1) + "\n"
        if args.json == "-":
            sys.stdout.write(text)
        else:
            Path(args.json).write_text(text, encoding="utf-8")
    if args.json != "-":
        # A window that is too narrow folds lines; no figure is ever left out.
        console = Console(highlight=False, markup=False, width=ROOM)
        console.print(heading(whole))
        for table in tables(whole):
            console.print(table)
    return 1 if failed or any(day.complaints for day in days) else 0


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share; expected a number from 0 to 1")
    return share


def _check(args: argparse.Namespace) -> None:
    """Raise BadInput or BadConfig for what would only come out at the end, or has no meaning."""
    from runner.labels import BadInput
    from streams.causes import load_causes

    if args.causes:
        load_causes(args.causes)
    if bool(args.folders) == (args.suite is not None):
        raise BadInput("name folders of days, or a suite with --suite (one of both); nothing was replayed")
    if args.json not in {None, "-"} and not Path(args.json).absolute().parent.is_dir():
        raise BadInput(f"--json {args.json}: its folder is not there; nothing was replayed")


def _entrants(given: list[str]) -> "tuple[Entrant, ...]":
    from runner.bench.baselines import BASELINES
    from runner.bench.day import PRODUCT, Entrant
    from runner.labels import BadInput

    found: dict[str, Entrant] = {}
    for text in given:
        name, _, folder = text.partition("=")
        if not name or not folder:
            raise BadInput(f"--enter {text}: expected NAME=DIR; nothing was replayed")
        if name in {PRODUCT, *BASELINES, *found}:
            raise BadInput(f"--enter {text}: there is a system {name!r} already; nothing was replayed")
        if not Path(folder).is_dir():
            raise BadInput(f"--enter {text}: no such folder; nothing was replayed")
        found[name] = Entrant(name, Path(folder).resolve())
    return tuple(found.values())


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """The folder to work in: the one that was named, or one that is thrown away."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with TemporaryDirectory(prefix="crosscurrent-bench-") as scratch:
        yield Path(scratch)


def _tasks(args: argparse.Namespace, work: Path, entrants: "tuple[Entrant, ...]") -> "list[Task]":
    from runner.bench.tasks import of_folders, of_suite

    if args.suite is None:
        tasks = of_folders(args.folders, work, entrants)
    else:
        tasks = of_suite(args.suite, args.seed, work, entrants)
    causes, spoil = args.causes and args.causes.resolve(), _spoil(args)
    if spoil.words:  # beside the results of the days as they are
        beside = work / f"results, {spoil.words}"
        tasks = [
            replace(task, spoil=spoil, seed=args.seed, results=beside / task.city / task.name)
            for task in tasks
        ]
    return [replace(task, causes=causes) for task in tasks]


def _spoil(args: argparse.Namespace) -> "Spoil":
    from runner.bench.spoil import Spoil

    return Spoil(args.wrong_links, args.bad_network)


def _do(tasks: "list[Task]", workers: int) -> tuple[list[Any], list[dict[str, str]]]:
    """Every day's report in the order of the tasks, and the days that gave none."""
    from runner.bench.day import DayReport, work
    from runner.bench.tasks import in_good_order
    from runner.progress import Progress
    from runner.workers import run as run_all

    progress = Progress(len(tasks))
    reports: dict[str, DayReport] = {}
    failed: dict[str, str] = {}
    for done in run_all(in_good_order(tasks), work, workers, progress.beat):
        title = done.task.title
        if done.result is None:
            failed[title] = done.why
            progress.tell(f"{title}: {done.why}")
        else:
            reports[title] = done.result
            for complaint in done.result.complaints:
                progress.tell(complaint)
        progress.day(title)
    progress.end()
    return (
        [reports[task.title] for task in tasks if task.title in reports],
        [
            {"city": task.city, "day": task.name, "why": failed[task.title]}
            for task in tasks
            if task.title in failed
        ],
    )
