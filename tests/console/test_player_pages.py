"""A replay in a real browser: play, pause, step, seek, speed and fork, by mouse and by keyboard."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from runner.serving import any_port
from tests.console.conftest import RIVERTON, tabs_of
from tests.console.tabs import NAMELESS, Tab, contrasts

ROOT = RIVERTON.parents[1]
Opener = Callable[..., Tab]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory, storm: Path) -> Iterator[str]:
    """``crosscurrent replay --console`` of the storm, as people start it; its address."""
    folder = tmp_path_factory.mktemp("played")
    words = [str(storm), "--city", str(RIVERTON / "city.yaml"), "--console", "--no-browser"]
    words += ["--console-port", str(any_port()), "--start-paused", "--at", "2025-06-04T09:00:00Z"]
    with subprocess.Popen(
        [sys.executable, str(ROOT / "crosscurrent.py"), "replay", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        told = {line.split()[0]: line.split() for line in (process.stdout.readline() for _ in range(2))}
        yield told["console"][1] + "/"
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 130
    runs = list((folder / "replays").iterdir())
    assert [run.name.partition("-")[0] for run in runs] == ["storm"], "all that it wrote is under its run"
    assert {path.name for path in runs[0].iterdir()} >= {"incidents.jsonl", "summary.json"}


@pytest.fixture
def tab(chromium: Browser, replayed: str) -> Iterator[Opener]:
    """Opens tabs of the replay."""
    yield from tabs_of(chromium, replayed)


@pytest.fixture
def page(tab: Opener) -> Page:
    """The first page, thought through to the end, at rest at 11:00 of the city's clock."""
    page = opened(tab())
    go_to(page, "11:00")
    return page


def opened(tab: Tab, path: str = "/") -> Page:
    """A page with a time bar that reaches to the end."""
    tab.page.goto(tab.address.rstrip("/") + path)
    tab.page.wait_for_selector(".tb-bar")
    tab.page.wait_for_function("!document.querySelector('.tb-note').textContent.startsWith('Thinking')")
    if tab.page.locator("[aria-label=Pause]").count():
        tab.page.keyboard.press("Space")
        tab.page.wait_for_selector("[aria-label=Play]")
    return tab.page


def go_to(page: Page, clock: str) -> None:
    """By the field for a time, with the keyboard alone."""
    page.keyboard.press("g")
    page.keyboard.type(clock)
    page.keyboard.press("Enter")
    shows(page, clock)


def shows(page: Page, clock: str) -> None:
    """Wait until the clock on top says so."""
    page.wait_for_function(
        "(clock) => document.querySelector('.top-clock time b').textContent === clock", arg=clock
    )


def clock_of(page: Page) -> str:
    """What the clock on top says."""
    return page.inner_text(".top-clock time b")


def test_incidents_and_alarms_stand_on_the_time_bar(page: Page) -> None:
    """Severity by colour, by sign and by height; all of the day; nothing is nameless."""
    assert page.locator(".tb-bar.s-critical svg path").count() == 1
    heights = {
        kind: float(page.locator(f".tb-alarms rect.s-{kind}").first.get_attribute("height") or 0)
        for kind in ("critical", "warning")
    }
    assert heights["critical"] > heights["warning"] > 0
    assert page.locator(".tb-told i").count() >= 1
    assert page.inner_text(".pulse") == "Replay"
    assert page.evaluate(NAMELESS) == []


def test_it_plays_and_pauses(page: Page) -> None:
    """Space plays and pauses; the rate that was reached is told; two tabs show one moment."""
    for _ in range(3):
        page.keyboard.press("+")
    page.wait_for_function("document.querySelector('.tb-rate b').textContent === '600×'")
    page.keyboard.press("Space")
    page.wait_for_selector("[aria-label=Pause]")
    page.wait_for_function("/^[0-9]+× reached$/.test(document.querySelector('.tb-rate small').textContent)")
    page.wait_for_function("document.querySelector('.top-clock time b').textContent > '11:05'")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector("[aria-label=Play]")
    there = page.context.new_page()
    there.goto(page.url)
    there.wait_for_selector(".top-clock time b")
    page.wait_for_timeout(500)
    assert clock_of(there) == clock_of(page)
    still = clock_of(page)
    page.wait_for_timeout(600)
    assert clock_of(page) == still
    for _ in range(3):
        page.keyboard.press("-")
    page.wait_for_function("document.querySelector('.tb-rate b').textContent === '60×'")


def test_steps_tell_what_became_known(page: Page) -> None:
    """Right arrow: what came next, in words; the incident stands in the list when it is known, not before."""
    assert page.locator(".incident .summary").count() == 0
    seen = []
    for _ in range(4):
        before = page.inner_text(".tb-note")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("(old) => document.querySelector('.tb-note').textContent !== old", arg=before)
        seen.append(page.inner_text(".tb-note"))
        if page.inner_text(".tb-note").startswith("Opened"):
            break
    assert seen[-1].startswith("Opened: catchment-1 rain high"), seen
    page.wait_for_selector(".incident .summary")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.querySelectorAll('.incident .summary').length === 0")


def test_it_seeks_by_mouse_and_by_keyboard(page: Page) -> None:
    """A click, a drag, and the keys of the bar; the map follows."""
    box = page.locator(".tb-track").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.click(box["x"] + box["width"] * 0.97, middle)
    page.wait_for_selector(".asset.s-critical.alarmed")
    assert clock_of(page) > "11:55"
    page.mouse.move(box["x"] + box["width"] * 0.97, middle)
    page.mouse.down()
    for step in range(10):
        page.mouse.move(box["x"] + box["width"] * (0.9 - step / 11), middle)
    page.mouse.up()
    page.wait_for_function("document.querySelectorAll('.asset.alarmed').length === 0")
    assert clock_of(page) < "11:00"
    slider = page.get_by_role("slider", name="Moment of the replay")
    slider.focus()
    page.keyboard.press("End")
    shows(page, "12:04")
    page.keyboard.press("ArrowLeft")
    shows(page, "12:03")
    page.keyboard.press("PageDown")
    shows(page, "11:03")
    assert (slider.get_attribute("aria-valuetext") or "").startswith("11:03, Wed")
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('.top-clock time b').textContent < '10:45'")


def test_a_time_that_is_none_is_told(page: Page) -> None:
    """And nothing moves."""
    page.keyboard.press("g")
    page.keyboard.type("noon")
    page.keyboard.press("Enter")
    page.get_by_text("'noon' is no time; write 12:30").wait_for()
    assert clock_of(page) == "11:00"


def test_charts_and_incident_pages_follow_the_same_clock(tab: Opener) -> None:
    """Readings, alarms and revisions of then; before an incident was known its page says so."""
    page = opened(tab())
    go_to(page, "12:00")
    page.locator(".incident").first.click()
    page.wait_for_url("**/incident/*")
    page.wait_for_selector(".timeline li.root")
    late = page.locator(".history li").count()
    go_to(page, "11:20")
    page.wait_for_function("(count) => document.querySelectorAll('.history li').length < count", arg=late)
    assert page.get_by_role("button", name="Acknowledge").count() == 0, "nobody answers the past"
    go_to(page, "11:00")
    page.get_by_text("Not known yet").wait_for()
    page.get_by_role("button", name="Go there").click()
    page.wait_for_selector(".timeline li.root")

    page = opened(tab(), "/asset/catchment-1")
    go_to(page, "11:00")
    page.wait_for_selector(".plot svg")
    page.get_by_text("No alarms.").wait_for()
    dry = page.locator(".plot figcaption").first.inner_text()
    go_to(page, "11:30")
    page.get_by_text("rain high").first.wait_for()
    assert page.locator(".plot figcaption").first.inner_text() != dry


def test_a_fork_tells_what_another_limit_would_have_changed(page: Page) -> None:
    """Another limit from here on: both sides, each difference with its reason; the fork on map and bar."""
    page.keyboard.press("f")
    page.wait_for_url("**/fork")
    page.get_by_label("Sensor").fill("underpass-1/depth")
    page.get_by_text("now 0.").wait_for()
    page.get_by_label("New value").fill("9")
    page.get_by_role("button", name="Go on from here").click()
    page.get_by_text("alarms: ").wait_for()
    table = page.inner_text(".fork table")
    assert "underpass-1 depth_high" in table
    assert re.search(r"sensor underpass-1/depth: limits.high [0-9.]+ -> 9.0", table)
    assert page.locator(".fork-sides ol").count() == 2
    page.get_by_role("button", name="Show this fork").click()
    page.get_by_text("Replay, fork 1").wait_for()
    go_to(page, "11:40")
    page.get_by_role("link", name="City").click()
    page.wait_for_selector(".asset[data-id=storm-4].alarmed")
    assert page.locator(".asset[data-id=underpass-1].alarmed").count() == 0
    page.get_by_role("link", name="Fork", exact=True).first.click()
    page.get_by_role("button", name="Show as it was").click()
    page.wait_for_function("document.querySelector('.pulse').textContent === 'Replay'")
    page.get_by_role("link", name="City").click()
    page.wait_for_selector(".asset[data-id=underpass-1].alarmed")


def test_a_fork_of_an_unknown_sensor_names_the_nearest(page: Page) -> None:
    """Nothing is begun."""
    page.keyboard.press("f")
    page.wait_for_url("**/fork")
    page.get_by_label("Sensor").fill("underpas-1/depth")
    page.get_by_label("New value").fill("9")
    page.get_by_role("button", name="Go on from here").click()
    page.get_by_text("there is no sensor 'underpas-1/depth'; did you mean 'underpass-1/depth'?").wait_for()


@pytest.mark.parametrize("path", ["/", "/data", "/fork", "/asset/sump-b"])
def test_a_phone_never_scrolls_sideways(tab: Opener, path: str) -> None:
    """The time bar fits into 390 pixels, too."""
    page = opened(tab(width=390, height=844), path)

    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("[data-tb=play]").is_visible()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_bar_is_readable_in_both_themes(tab: Opener, scheme: str) -> None:
    """Words have 4.5 to 1, marks 3 to 1 (WCAG AA)."""
    page = opened(tab(scheme=scheme))

    words = (".tb-rate b", ".tb-rate small", ".tb-side a", ".tb-drawing .axis span", ".tb-note")
    assert min(contrasts(page, ".timebar", *((word, "color") for word in words))) >= 4.5
    marks = ((".tb-bar svg", "fill"), (".tb-alarms rect", "fill"), (".tb-head", "backgroundColor"))
    assert min(contrasts(page, ".timebar", *marks, (".tb-buttons button", "color"))) >= 3


def test_an_hour_of_a_running_city_is_replayed_from_its_log(chromium: Browser, address: str) -> None:
    """From the incident's page of the live console to a player beside it, five minutes before it began."""
    page = chromium.new_page()
    page.goto(address)
    page.locator(".incident").first.click()
    page.wait_for_url("**/incident/*")
    assert page.locator(".timebar").count() == 0
    page.get_by_role("button", name="Replay this hour").click()
    page.wait_for_url(lambda url: not url.startswith(address))
    page.wait_for_selector(".tb-bar")
    page.wait_for_selector("[aria-label=Pause]")
    page.wait_for_function("document.querySelector('.top-clock time b').textContent >= '11:00'")
    page.keyboard.press("Space")
    page.wait_for_selector("[aria-label=Play]")
    assert clock_of(page) < "11:40", "it plays from five minutes before"
    assert page.inner_text(".pulse") == "Replay"
    page.close()


def test_an_hour_is_replayed_in_the_player_itself(page: Page) -> None:
    """Back to five minutes before the incident began, and on it plays."""
    go_to(page, "11:50")
    page.locator(".incident").first.click()
    page.wait_for_url("**/incident/*")
    page.get_by_role("button", name="Replay this hour").click()
    page.wait_for_selector("[aria-label=Pause]")
    page.wait_for_function("document.querySelector('.top-clock time b').textContent < '11:10'")
    page.keyboard.press("Space")
    page.wait_for_selector("[aria-label=Play]")
