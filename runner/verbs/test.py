"""``crosscurrent test``: stories told to the core, and whether the incidents come that they expect.

In:  story files, or folders of them; the shipped ones where none is named.
Out: a line for each story; for one that failed what was expected, what came, at which line of its file.
Exit status: 0 all hold; 1 some don't; 2 a story (or the rules) has faults: all are listed, none is told.
"""

import argparse
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


def run(args: argparse.Namespace) -> int:
    """Tell them all; 0 or 1. Raises BadConfig with the faults of every file, NoStories."""
    from runner.stories import SHIPPED, load_story
    from runner.storytelling import tell
    from streams.causes import BUILT_IN, load_causes

    files = list(_files(args.files or [SHIPPED]))
    faults: list[Fault] = []
    rules = _load(load_causes, [args.causes or BUILT_IN], faults)
    stories = _load(load_story, files, faults)
    if faults:
        raise BadConfig(sorted(set(faults)))
    failed = 0
    for file, story in zip(files, stories, strict=True):
        failures = tell(story, *rules)
        failed += bool(failures)
        print(f"{'FAILED' if failures else 'ok':<7} {file}: {story.title}")
        for failure in failures:
            print(f"  {failure}")
    print(f"{len(files)} told, {failed} failed" if failed else f"{len(files)} told, all hold")
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
