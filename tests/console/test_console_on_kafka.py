"""The console of a city on Kafka, in a real browser: incidents, who was told and why, answers."""

import signal
import urllib.request
from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import Browser

from schemas.topics import ALARMS, DECISIONS
from tests.console.conftest import tabs_of
from tests.console.tabs import NAMELESS
from tests.runner.kafkahelp import OnKafka, at_work, publish, wait_until
from tests.runner.storm import recorded
from tests.servers import Kafka, Mosquitto


def answers_at(page: str) -> bool:
    """Whether somebody listens there; a page takes longer to load than a worker."""
    with suppress(OSError), urllib.request.urlopen(page, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def test_people_see_and_answer_a_storm_that_is_thought_about_on_kafka(
    kafka: Kafka,
    prefix: str,
    mosquitto: Mosquitto,
    chromium: Browser,
    free_port: Callable[[], int],
) -> None:
    """``up --kafka`` has the page: the incident, its reasons, a chart; an answer goes to the desk on Kafka,
    and what the desk made of it comes back.
    """
    on_kafka = OnKafka(kafka, prefix)
    page_at, ready = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}/ready"
    places = ("--console-port", page_at.rpartition(":")[2], "--metrics", ready.split("/")[2])
    with on_kafka.verb("up", "--broker", mosquitto.address, "--shell", "kafka", *places) as up:
        wait_until(lambda: at_work(ready), "all at work")
        wait_until(lambda: answers_at(page_at), "the page is there")
        publish(mosquitto, recorded("storm-day", 20_000)[16_000:])
        wait_until(lambda: bool(on_kafka.records(DECISIONS)), "a decision")
        tabs = tabs_of(chromium, f"{page_at}/")
        page = next(tabs)().open()
        assert page.evaluate(NAMELESS) == []
        page.wait_for_selector(".chain path", state="attached")
        page.locator(".incident").first.click()
        page.wait_for_url("**/incident/*")
        page.wait_for_selector(".plot svg")
        page.get_by_text("opened to").first.wait_for()
        page.get_by_text("Why these people").click()
        page.get_by_text("takes utility").first.wait_for()
        page.get_by_label("Your name").fill("ana")
        page.get_by_role("button", name="Acknowledge").click()
        page.get_by_text("Kept: acknowledge by ana.").wait_for()
        page.get_by_text("answer: done").wait_for()
        page.get_by_text("acknowledge by ana at 20").wait_for()
        answers = [
            seen.json for seen in on_kafka.records(ALARMS) if seen.headers["ce_type"].endswith("answer")
        ]
        assert [(one["answer"], one["by"]) for one in answers] == [("acknowledge", "ana")]
        page.goto(f"{page_at}/data")
        page.get_by_text(on_kafka.settings.address).wait_for()
        page.get_by_text("route: told").wait_for()
        next(tabs, None)
        up.send_signal(signal.SIGINT)
        assert up.wait(60) == 130
