"""``crosscurrent diff A B DAY...``: which alarms, incidents and pages differ between two versions, and why.

In:  two versions (folders or git revisions, of city model, rules or code) and days, recorded or archived; or
     two folders that replays wrote.
Out: a table, Markdown, HTML or JSON.
Exit status: 0 nothing differs; 1 something does; 2 a version or a day can't be used (other days are).
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from runner.moments import BadUsage, moment
from runner.overdays import add_answer, add_span, cache_of, refuse_unwritable, workers_of, write

if TYPE_CHECKING:
    from runner.diff.days import Task
    from runner.diff.told import DayDiff, LeftOut, Report

SUMMARY = "Say which alarms, incidents and pages differ between two versions over the same days, and why."
FORMATS = ("table", "markdown", "html", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Two versions, the days, and the answer's form."""
    files = "city.yaml, causes.yaml, alerts.yaml or a Crosscurrent"
    meaning = f"a folder with {files}; a git revision; or what a replay wrote"
    parser.add_argument("a", metavar="A", help=f"before: {meaning}")
    parser.add_argument("b", metavar="B", help="after: the same")
    parser.add_argument(
        "days",
        metavar="DAY",
        nargs="*",
        help="recordings (*.jsonl, .gz, .zst), folders of them, or archives (each of their days)",
    )
    add_span(parser)
    parser.add_argument(
        "--repo", metavar="DIR", type=Path, default=Path(), help="repository of git revisions (default: here)"
    )
    add_answer(parser, FORMATS)


def run(args: argparse.Namespace) -> int:
    """Compare and print; 0, 1 or 2. Raises BadVersion, BadConfig, BadInput, BadUsage or OSError."""
    from runner.diff.versions import is_results

    results = [name for name in (args.a, args.b) if is_results(name)]
    if len(results) == 1:
        raise BadUsage(f"{results[0]} is what a replay wrote, the other is not; compare two of one sort")
    refuse_unwritable("--out", args.out)
    report = _of_results(args) if results else _of_days(args)
    text = _text(report, args.format)
    write(text, args.out)
    if report.left_out:
        return 2
    return 1 if report.differs else 0


def _of_results(args: argparse.Namespace) -> "Report":
    from runner.diff.days import between
    from runner.diff.told import Report

    if args.days:
        raise BadUsage("A and B are what replays wrote, and bring their day; name no other days")
    day = between(Path(args.a).resolve().name, [Path(args.a), Path(args.b)])
    return Report(a=args.a, b=args.b, changes=(), days=(day,), left_out=())


def _of_days(args: argparse.Namespace) -> "Report":
    from runner.days import days_in
    from runner.diff.days import Task, changes_between, setup, trim
    from runner.diff.told import Report
    from runner.diff.versions import open_version
    from runner.labels import BadInput

    if not args.days:
        raise BadUsage("name the days over which to compare: recordings, or folders of them")
    cache = cache_of(args)
    a, b = (open_version(name, args.repo, cache) for name in (args.a, args.b))
    days_given = days_in(args.days, moment(args.start), moment(args.end))
    changes: dict[str, None] = {}
    told = set[tuple[Path, ...]]()
    for day in days_given:
        try:
            sides = [setup(version, day, cache) for version in (a, b)]
        except BadInput:
            continue  # told of each day
        if (cities := tuple(side.city for side in sides)) not in told:
            told.add(cities)
            changes |= dict.fromkeys(changes_between(sides).words())
    tasks = [Task(day, a, b, cache) for day in days_given]
    days, left_out = _do(tasks, workers_of(args))
    trim(cache)
    return Report(a=args.a, b=args.b, changes=tuple(changes), days=tuple(days), left_out=tuple(left_out))


def _do(tasks: "list[Task]", workers: int) -> "tuple[list[DayDiff], list[LeftOut]]":
    """Every day in the order of the tasks, and those that gave nothing."""
    from runner.diff.days import work
    from runner.diff.told import LeftOut
    from runner.progress import Progress
    from runner.workers import run as run_all

    progress = Progress(len(tasks))
    days, left_out = {}, {}
    for done in run_all(tasks, work, workers, progress.beat):
        if done.result is None:
            left_out[done.task] = LeftOut(day=done.task.title, why=done.why)
            progress.tell(f"{done.task.title}: left out: {done.why}")
        else:
            days[done.task] = done.result
        progress.day(done.task.title)
    progress.end()
    return [days[task] for task in tasks if task in days], [
        left_out[task] for task in tasks if task in left_out
    ]


def _text(report: "Report", form: str) -> str:
    from runner.diff import render

    if form == "json":
        return report.model_dump_json(indent=1) + "\n"
    if form == "markdown":
        return render.markdown(report)
    if form == "html":
        return render.html(report)
    from rich.console import Console

    lines = "\n".join([*render.headline(report), *render.notes(report)]) + "\n"
    if not report.differs:
        return lines
    console = Console(highlight=False, markup=False, width=200)
    with console.capture() as captured:
        console.print(render.table(report))
    return lines + "\n" + captured.get()
