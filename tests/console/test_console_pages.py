"""The pages in a real browser: they load, follow, are usable by keyboard, and keep to themselves."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from runner.answering import Signer
from tests.console.tabs import HOSTILE, NAMELESS, Tab, contrasts
from tests.receivers import message

Opener = Callable[..., Tab]


@pytest.mark.parametrize("path", ["/", "/data", "/asset/sump-b", "/asset/nothing", "/incident/nothing"])
def test_a_page_loads_without_a_complaint_and_asks_nobody_else(tab: Opener, path: str) -> None:
    """No console error, no request to another host (the fixture checks), no control without a name."""
    page = tab().open(path)

    assert page.evaluate(NAMELESS) == []


def test_the_storm_is_on_the_page(tab: Opener) -> None:
    """An incident with its sentence, its root, and its chain as arrows on the map."""
    page = tab().open()

    page.wait_for_selector(".chain path", state="attached")
    page.wait_for_selector(".asset.alarmed")
    assert "catchment-1" in page.inner_text(".incident .card-facts")
    assert page.locator(".asset.root").get_attribute("data-id") == "catchment-1"


def test_an_incident_opens_by_keyboard_alone(tab: Opener) -> None:
    """/ goes to the incidents, Enter opens, the timeline and charts are there, Esc goes back."""
    page = tab().open()

    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.className").startswith("incident")
    page.keyboard.press("Enter")
    page.wait_for_url("**/incident/*")
    page.wait_for_selector(".timeline li.root")
    page.wait_for_selector(".plot svg")
    page.keyboard.press("Escape")
    page.wait_for_selector(".incident-list .incident")


def test_help_opens_and_closes_by_keyboard(tab: Opener) -> None:
    """? shows the keys, Escape puts them away and stays on the page."""
    page = tab().open()

    page.keyboard.press("?")
    page.wait_for_selector("dialog.help[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.help:not([open])", state="attached")
    assert page.locator(".incident-list").count() == 1


def test_an_asset_tells_itself_and_opens_beside_the_map(tab: Opener) -> None:
    """Pointing at an asset tells its readings; Enter on it opens a panel with charts; Escape closes it."""
    page = tab().open()
    page.wait_for_selector(".asset.alarmed")
    asset = page.locator(".asset[data-id=catchment-1]")

    asset.focus()
    page.wait_for_selector(".tip.shown dl div")
    page.keyboard.press("Enter")
    page.wait_for_selector(".panel.open .plot svg")
    page.keyboard.press("Escape")
    page.wait_for_selector(".panel:not(.open)", state="attached")


def test_markup_in_a_name_is_only_text(tab: Opener) -> None:
    """What a city model or a message holds can't act on the page."""
    opened = tab()
    page = opened.open("/asset/road-market")

    assert page.inner_text("h1") == HOSTILE
    page = opened.open("/")
    page.locator(".asset[data-id=road-market]").dispatch_event("pointerover")
    page.wait_for_selector(".tip.shown")
    assert page.inner_text(".tip > b") == HOSTILE
    assert "taken" not in page.title()


@pytest.mark.parametrize("path", ["/", "/data", "/asset/sump-b"])
def test_a_phone_never_scrolls_sideways(tab: Opener, path: str) -> None:
    """Everything fits into 390 pixels."""
    page = tab(width=390, height=844).open(path)

    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_an_incident_fits_a_phone(tab: Opener) -> None:
    """So does the timeline."""
    page = tab(width=390, height=844).open()
    page.locator(".incident").first.click()
    page.wait_for_selector(".timeline li.root")

    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_words_are_readable_in_both_themes(tab: Opener, scheme: str) -> None:
    """Text has the contrast that WCAG AA asks for (4.5 to 1)."""
    page = tab(scheme=scheme).open()

    words = (".incident .summary", ".incident .when", ".severity", ".headline span")
    assert min(contrasts(page, ".side", *((word, "color") for word in words))) >= 4.5


def test_the_chosen_theme_is_remembered(tab: Opener) -> None:
    """Follows the system at first; the toggle wins, also after a reload."""
    page = tab(scheme="light").open()
    page.wait_for_selector("[data-shown=system]")

    page.keyboard.press("t")
    page.reload()
    page.wait_for_selector("[data-shown=dark]")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_other_sites_are_kept_out(address: str) -> None:
    """A foreign Host or Origin is refused with a reason; the policy forbids to load from elsewhere."""
    assert answer(address, {"Host": "evil.example"}) == (
        403,
        "Host 'evil.example' is not this machine; open the console as http://127.0.0.1 or localhost.",
    )
    status, reason = answer(address, {"Origin": "http://evil.example"})
    assert (status, reason.partition(" is ")[0]) == (403, "Origin 'http://evil.example'")
    with urllib.request.urlopen(address) as fine:
        assert "default-src 'self'" in fine.headers["Content-Security-Policy"]


def answer(address: str, headers: dict[str, str]) -> tuple[int, str]:
    """Status and text of a request that is refused."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(address, headers=headers))
    return refused.value.code, refused.value.read().decode()


def test_nothing_is_sent_for_what_stays(tab: Opener) -> None:
    """While no message comes, an open page receives no more than the clock's heartbeat, and at first the line
    of past rates that moves on: 1.6 kB a second at most.
    """
    opened = tab()
    frames: list[str] = []
    opened.page.on("websocket", lambda ws: ws.on("framereceived", lambda data: frames.append(str(data))))
    page = opened.open()
    page.wait_for_selector(".chain path", state="attached")
    page.wait_for_timeout(1500)
    frames.clear()

    page.wait_for_timeout(3000)
    assert sum(map(len, frames)) < 6000, json.dumps(frames)[:2000]


def test_an_incident_is_acknowledged_on_its_page(tab: Opener) -> None:
    """Whoever answers says who they are; who and when then stands among what people were told."""
    page = tab().open()
    page.locator(".incident").first.click()
    page.wait_for_url("**/incident/*")
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("Say who you are").wait_for()
    page.get_by_label("Your name").fill("ana <b>")
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("Kept: acknowledge by ana <b>.").wait_for()
    page.get_by_text("acknowledge by ana <b> at 20").wait_for()


def test_a_link_in_a_message_asks_before_it_answers(tab: Opener, address: str) -> None:
    """Opening it changes nothing, its button does; a link that was changed does nothing."""
    opened = tab()
    page = opened.open()
    page.locator(".incident").first.click()
    page.wait_for_url("**/incident/*")
    incident = page.url.rpartition("/")[2]
    signer = Signer("{token}", "for tests")
    note = message(1, to="bo").model_copy(update={"incident": incident})
    token = signer.link(note, "acknowledge")

    asking = opened.page.context.new_page()
    asking.goto(f"{address}answer/{token}")
    assert asking.inner_text("h1") == "Acknowledge?"
    assert "As bo: " in asking.inner_text("p")
    asking.get_by_role("button", name="Acknowledge").click()
    assert asking.inner_text("h1") == "Thank you"
    page.get_by_text("acknowledge by bo at 20").wait_for()
    assert answer(f"{address}answer/{token[:-1]}0", {})[0] == 403
