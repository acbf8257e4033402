"""``crosscurrent fit``: what labelled days teach about the rules, as a change for review.

In:  recordings with their city models and labels, and a causes file.
Out: a unified diff of the causes file on stdout, or the whole changed file with ``--out``; on stderr what
changed most. No file that is there is ever changed.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.fitting import Proposal
    from streams.learn import Lessons

SUMMARY = "Learn strengths, lags and priors of the rules from labelled days; propose a diff."

SHOWN = 20
"""Changed numbers of rules, and changed priors, that the table shows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The days, their truth, the rules, and where the proposal goes."""
    parser.add_argument(
        "recordings",
        metavar="RECORDING",
        type=Path,
        nargs="+",
        help="*.jsonl, *.jsonl.gz or *.jsonl.zst, with city.yaml beside it",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        type=Path,
        nargs="+",
        help="the truth about each recording, in the same order (default: NAME.labels.json beside it)",
    )
    parser.add_argument(
        "--causes", metavar="FILE", type=Path, help="rules in the place of ours (causes.yaml)"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write the whole changed file here, in the place of the diff"
    )


def run(args: argparse.Namespace) -> int:
    """Learn and propose; 0. Raises CrosscurrentError or OSError."""
    from runner.fitting import fit
    from runner.labels import BadInput

    if args.out is not None and args.out.exists():
        raise BadInput(f"--out {args.out}: is there already; expected a new file; nothing was replayed")
    if args.out is not None and not args.out.absolute().parent.is_dir():
        raise BadInput(f"--out {args.out}: its folder is not there; nothing was replayed")
    many = len(args.recordings)

    def tell(done: int, recording: Path) -> None:
        print(f"{done + 1} of {many}: {recording}", file=sys.stderr, flush=True)

    proposal = fit(args.recordings, args.labels, args.causes, tell)
    for line in _said(proposal):
        print(line, file=sys.stderr)
    if args.out is None:
        sys.stdout.write(proposal.diff)
    else:
        with args.out.open("x", encoding="utf-8") as file:
            file.write(proposal.after)
    return 0


def _said(proposal: "Proposal") -> Iterator[str]:
    """What changed most, and what could not be used."""
    lessons = proposal.lessons
    yield from _rules(lessons)
    yield from _priors(lessons)
    for kind, count in sorted(lessons.nameless.items()):
        yield f"left out: {count} of kind {kind!r}: no incident has such a root, so no rule is known for it"
    if proposal.after == proposal.before:
        yield f"nothing changes in {proposal.file}: {lessons.causes} causes, {lessons.days} days"
    else:
        yield "look at each change before you take it: fitting sees what happened, not why"


def _rules(lessons: "Lessons") -> Iterator[str]:
    from streams.amend import window

    rows: list[tuple[float, str]] = []
    for lesson in lessons.rules:
        for tried, moves, what in (
            (lesson.strength, lesson.strength_moves, "strength"),
            (lesson.forecast, lesson.forecast_moves, "forecast"),
        ):
            if tried is not None and moves:
                text = f"{tried.trials:>6.1f} {tried.successes:>6.1f}   {tried.old:>5g} -> {tried.new:>4g}"
                rows.append((abs(tried.new - tried.old), f"{lesson.name:<44} {what} {text}"))
        if lesson.lag is not None and lesson.lag_moves:
            count, old, new = lesson.lag
            lags = f"lag      {count:>6} {'seen':>6}   {window(old)} -> {window(new)}"
            rows.append((0.0, f"{lesson.name:<44} {lags}"))
    rows.sort(key=lambda row: (-row[0], row[1]))
    if rows:
        yield f"{'rule':<44} {'':<8} {'trials':>6} {'came':>6}   {'old':>5}    {'new':>4}"
    yield from (text for _, text in rows[:SHOWN])
    if len(rows) > SHOWN:
        yield f"... and {len(rows) - SHOWN} numbers of rules that changed less"


def _priors(lessons: "Lessons") -> Iterator[str]:
    changed = [prior for prior in lessons.priors if prior.moves]
    changed.sort(key=lambda prior: -abs(prior.causes - prior.foreseen))
    if changed:
        yield f"{'prior':<44} {'causes':>6} {'foreseen':>8} {'old':>5}    {'new':>4}"
    for prior in changed[:SHOWN]:
        what = f"{prior.entry.condition} at {', '.join(prior.entry.kinds or ('any kind',))}"
        yield (
            f"{what:<44} {prior.causes:>6} {prior.foreseen:>8.1f} {prior.entry.prior:>5g} -> {prior.new:>4g}"
        )
