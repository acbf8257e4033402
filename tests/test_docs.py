"""What the docs say is there: commands, arguments, statuses, files."""

import argparse
import importlib
import re
from pathlib import Path

import pytest

from runner.cli import STATUSES, VERBS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("cities/*/*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
CODE = re.compile(r"```(?:bash|sh)?\n(.*?)```|`([^`\n]+)`", re.DOTALL)


def code(page: Path) -> str:
    """All that stands in code marks on a page, a piece a line."""
    return "\n".join("".join(found) for found in CODE.findall(page.read_text(encoding="utf-8")))


def sections(page: Path) -> dict[str, str]:
    """Second-level headings of a page with the text below each."""
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def parser_of(verb: str) -> argparse.ArgumentParser:
    """The verb's arguments, as its command line has them."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"runner.verbs.{verb}").add_arguments(parser)
    return parser


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of ours finds it."""
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_exist(page: Path) -> None:
    """Every make target and every verb that a page shows is there."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = code(page)
    made = set(re.findall(r"^\s*make ([a-z]+)", text, re.MULTILINE))
    said = set(re.findall(r"^\s*(?:\S*/)?crosscurrent(?:\.py)? ([a-z]+)", text, re.MULTILINE))

    assert (made - targets, said - set(VERBS)) == (set(), set())


@pytest.mark.parametrize("verb", VERBS)
def test_every_argument_is_documented(verb: str) -> None:
    """The page of the command line has a section for each verb, with each of its arguments."""
    section = sections(ROOT / "docs" / "cli.md")[f"crosscurrent {verb}"]
    actions = [action for action in parser_of(verb)._actions if action.dest != "help"]
    names = [name for action in actions for name in (action.option_strings or [str(action.metavar)])]

    assert [name for name in names if f"`{name}" not in section] == []


@pytest.mark.parametrize("verb", VERBS)
def test_no_argument_is_documented_that_is_not_there(verb: str) -> None:
    """The page of the command line promises nothing that a verb does not take."""
    section = sections(ROOT / "docs" / "cli.md")[f"crosscurrent {verb}"]
    options = {name for action in parser_of(verb)._actions for name in action.option_strings}

    assert set(re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE)) - options == set()


def test_exit_statuses_are_documented() -> None:
    """The page of the command line has the same statuses, in the same words, as the help."""
    rows = re.findall(
        r"^\| (\d+) \| (.+) \|$", sections(ROOT / "docs" / "cli.md")["Exit statuses"], re.MULTILINE
    )

    assert {int(status): meaning for status, meaning in rows} == STATUSES


def test_the_changelog_knows_this_version() -> None:
    """What is about to be released is told to users."""
    from runner import VERSION

    assert f"## {VERSION}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
