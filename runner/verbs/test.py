"""``crosscurrent test``: stories told to the core, and whether the incidents come that they expect.

In:  story files, or folders of them; the shipped ones where none is named.
Out: a line for each story; for one that failed what was expected, what came, at which line of its file, and
     both on one time line; with ``--junit`` a report for CI as well.
Exit status: 0 all hold; 1 some don't; 2 a story (or the rules) has faults: all are listed, none is told.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from schemas.errors import BadConfig, CrosscurrentError, Fault

SUMMARY = "tell stories (series in, expected incidents out) to the rules, and say which hold"

Loaded = TypeVar("Loaded")


class NoStories(CrosscurrentError):
    """There is nothing to tell."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The stories and the rules."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="STORY",
        help="a story, or a folder of *.yaml (default: the stories that come with us)",
    )
    parser.add_argument(
        "--causes", metavar="FILE", type=Path, help="rules in the place of ours (causes.yaml)"
    )
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write a JUnit report for CI")
    parser.add_argument(
        "--watch", action="store_true", help="tell them again each time a file changes, until Ctrl-C"
    )


def run(args: argparse.Namespace) -> int:
    """Tell them all; 0 or 1. Raises BadConfig with the faults of every file, NoStories."""
    return _watch(args) if args.watch else _tell_all(args)


def _watch(args: argparse.Namespace) -> int:
    """Tell them again and again; ends with Ctrl-C alone."""
    from watchfiles import watch

    from runner.stories import SHIPPED
    from streams.causes import BUILT_IN

    def told() -> None:
        try:
            _tell_all(args)
        except CrosscurrentError as error:
            print(error, flush=True)

    told()
    # Folders, because editors put a new file in the place of the old one.
    given = [*(args.files or [SHIPPED]), args.causes or BUILT_IN]
    folders = {path if path.is_dir() else path.absolute().parent for path in given}
    for _ in watch(*folders, raise_interrupt=True):
        print(flush=True)
        told()
    return 0


def _tell_all(args: argparse.Namespace) -> int:
    from runner.junit import Case, junit
    from runner.stories import SHIPPED, load_story
    from runner.storytelling import tell
    from runner.timeline import Timeline
    from streams.causes import BUILT_IN, load_causes

    files = list(_files(args.files or [SHIPPED]))
    faults: list[Fault] = []
    rules = _load(load_causes, [args.causes or BUILT_IN], faults)
    stories = _load(load_story, files, faults)
    if faults:
        raise BadConfig(sorted(set(faults)))
    cases = []
    for file, story in zip(files, stories, strict=True):
        timeline, began = Timeline(story), time.monotonic()
        failures = [str(failure) for failure in tell(story, rules[0], timeline.take)]
        case = Case(str(file), story.title, time.monotonic() - began, failures, timeline.lines())
        cases.append(case)
        print(f"{'FAILED' if failures else 'ok':<7} {file}: {story.title}")
        if failures:
            print("\n".join(f"  {line}".rstrip() for line in [*failures, "", *case.timeline, ""]))
    failed = sum(bool(case.failures) for case in cases)
    print(f"{len(files)} told, {failed} failed" if failed else f"{len(files)} told, all hold", flush=True)
    if args.junit:
        args.junit.write_bytes(junit(cases))
    return 1 if failed else 0


def _files(given: Sequence[Path]) -> Iterator[Path]:
    for path in given:
        if not path.is_dir():
            yield path
        elif found := sorted(path.glob("*.yaml")):
            yield from found
        else:
            raise NoStories(f"{path}: no story here; expected files *.yaml")


def _load(load: Callable[[Path], Loaded], paths: Sequence[Path], faults: list[Fault]) -> list[Loaded]:
    """What can be loaded; ``faults`` gains those of the others."""
    loaded = []
    for path in paths:
        try:
            loaded.append(load(path))
        except BadConfig as error:
            faults += error.faults
    return loaded
