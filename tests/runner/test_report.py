"""Operator load: counted as the standards count it, told in Markdown and HTML."""

from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runner.cli import main
from runner.load import floods, load_of
from runner.loadreport import html, markdown
from runner.replay import replay
from schemas.alarms import Alarm, Severity
from schemas.times import DAY, HOUR, MINUTE, SECOND
from tests.receivers import message

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton"


def alarm(number: int, at: int, lasts: int | None = HOUR, severity: Severity = Severity.WARNING) -> Alarm:
    """An alarm of one of three pumps."""
    return Alarm(
        id=f"{number}",
        asset=f"pump-{number % 3}",
        utility="water",
        condition="stopped",
        severity=severity,
        raised=at,
        cleared=None if lasts is None else at + lasts,
    )


def test_a_flood_begins_above_ten_in_ten_minutes_and_ends_below_five() -> None:
    """Eleven, six, four; then eleven again: two floods, three periods in one."""
    times = [period * 10 * MINUTE + n for period, count in enumerate((11, 6, 4, 11)) for n in range(count)]
    assert floods(times, 0, 40 * MINUTE) == (2, 3, 11)
    assert floods(range(10), 0, 40 * MINUTE) == (0, 0, 10)


def test_chattering_fleeting_and_stale_alarms_are_named() -> None:
    """Three times within a minute; less than a minute; more than a day."""
    chatter = [alarm(0, n * 20 * SECOND, 5 * SECOND) for n in range(3)]
    stale = alarm(1, 0, None)
    load = load_of([*chatter, stale, alarm(2, HOUR)], [], 0, 2 * DAY)
    assert (load.chattering, load.fleeting, load.stale) == (["pump-0 stopped"], 3, ["pump-1 stopped"])
    assert load.actors[0][:2] == ("pump-0 stopped", 3)
    assert load.hours[0][1:] == (4, 0)


def test_only_what_wakes_somebody_is_a_page() -> None:
    """Updates and all-clears join a thread; each desk has its own rate."""
    notes = [message(1), message(1, "updated"), message(1, "escalated", "chief"), message(1, "resolved")]
    now = notes[0].at
    load = load_of([], notes, now - HOUR, now + HOUR)
    assert (load.messages, load.pages) == (4, 2)
    assert [(rate.name, rate.total) for rate in load.desks] == [("chief", 1), ("desk", 1)]
    assert load.desks[0].a_day == 1  # two hours say nothing of a day


class Balanced(HTMLParser):
    """Fails where tags don't close in order; keeps the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """A tag opens."""
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """The newest one closes."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text += data


def test_the_storm_day_in_both_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same figures; HTML that closes what it opens, with a bar for each hour that had any."""
    replay(RIVERTON / "storm-day.jsonl.gz", RIVERTON / "city.yaml", tmp_path / "storm")
    asked = ["report", "--data", str(tmp_path / "storm"), "--city", str(RIVERTON / "city.yaml")]
    assert main(asked) == 0
    text = capsys.readouterr().out
    title, figures, *_ = text.split("\n\n")
    assert title == "# Operator load of riverton, 2025-06-04"
    assert figures.startswith("31 alarms, 15 messages to people, 4 of them pages")
    assert "| storm | 12 |" in text
    assert main([*asked, "--format", "html", "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "31 alarms, " in Balanced(page).text
    assert page.count('<rect class="alarms"') == 3
    assert "http" not in page


def test_names_that_look_like_markup_are_only_text() -> None:
    """In HTML escaped, in Markdown no new column."""
    odd = [alarm(1, at).model_copy(update={"asset": "<b>|x"}) for at in (0, 1)]
    load = load_of(odd, [], 0, DAY)
    assert "&lt;b&gt;|x stopped" in html(load, "<i>", ZoneInfo("UTC"))
    assert "<b>/x stopped" in markdown(load, "c", ZoneInfo("UTC"))


def test_a_folder_without_anything_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2."""
    city = ["--city", str(RIVERTON / "city.yaml")]
    assert main(["report", "--data", str(tmp_path), *city]) == 2
    assert "neither results.sqlite nor decisions.jsonl" in capsys.readouterr().err
    assert main(["report", "--data", str(tmp_path), *city, "--days", "0"]) == 2
