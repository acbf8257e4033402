"""What verbs that look at many days share: which days, how many at once, where the answer goes.

In:  a parser; parsed arguments.
Out: the arguments ``start``, ``end``, ``format``, ``out``, ``workers`` and ``cache``, and what they mean.
Promises: an answer that could not be written is refused before anything is replayed.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.moments import BadUsage


def add_span(parser: argparse.ArgumentParser) -> None:
    """Between which times."""
    parser.add_argument("--from", dest="start", metavar="TIME", help="only what was received since then")
    parser.add_argument("--to", dest="end", metavar="TIME", help="only what was received before")


def add_answer(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """In which form, written where, with how much of the machine."""
    parser.add_argument("--format", choices=formats, default="table", help="of the answer (default: table)")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the answer here (default: stdout)")
    parser.add_argument("--workers", metavar="N", type=positive, help="days at once (default: one a core)")
    parser.add_argument(
        "--cache",
        metavar="DIR",
        type=Path,
        help="where replays are kept (default: in the user's cache folder)",
    )


def positive(text: str) -> int:
    """A number of workers. Raises argparse.ArgumentTypeError."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is no number of workers; expected 1 or more")
    return number


def refuse_unwritable(flag: str, path: Path | None) -> None:
    """Raise BadUsage where a file's folder is not there."""
    if path and not path.absolute().parent.is_dir():
        raise BadUsage(f"{flag} {path}: its folder is not there; nothing was replayed")


def workers_of(args: argparse.Namespace) -> int:
    """How many days at once."""
    return args.workers or len(os.sched_getaffinity(0))


def cache_of(args: argparse.Namespace) -> Path:
    """Where replays are kept."""
    from runner.diff.days import default_cache

    cache: Path = args.cache or default_cache()
    return cache.resolve()


def write(text: str, out: Path | None) -> None:
    """The answer, to a file or to stdout. Raises OSError."""
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
