"""A city on a page: one embedded runner and one console for all browser tests, and a real Chromium."""

import math
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from collectors.play import Player
from collectors.recording import Writer, read
from console.app import serve
from runner.embedded import Embedded
from runner.hours import Hours
from schemas.alerting import Policy
from schemas.city import City
from schemas.cityfile import load_city
from schemas.times import parse_time
from schemas.vocabulary import load_vocabulary
from tests.console.tabs import HOSTILE, Tab, with_assets

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton"
FROM, UNTIL = parse_time("2025-06-04T08:40:00Z"), parse_time("2025-06-04T10:05:00Z")
BROWSER = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


def wait_until(true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Poll; fails where it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hours of the storm day in which the cloudburst begins, recorded."""
    path = tmp_path_factory.mktemp("storm") / "storm.jsonl"
    with Writer(path) as writer:
        for message in read(RIVERTON / "storm-day.jsonl.gz", lambda at, what: pytest.fail(f"{at}: {what}")):
            if FROM <= message.received < UNTIL:
                writer.write(message)
    return path


@pytest.fixture(scope="session")
def riverton() -> City:
    """The demo city."""
    return load_city(RIVERTON / "city.yaml")


@pytest.fixture(scope="session")
def hostile(riverton: City) -> City:
    """The demo city, where somebody has written markup into a name."""
    assets = tuple(
        asset.model_copy(update={"name": HOSTILE}) if asset.id == "road-market" else asset
        for asset in riverton.assets
    )
    return with_assets(riverton, assets)


@pytest.fixture(scope="session")
def address(hostile: City, storm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The console of a city in which the cloudburst has begun."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "secret").write_text("for tests\n")
    links = {"answers": "http://here/answer/{token}", "secret": {"file": str(folder / "secret")}}
    policy = Policy.model_validate({"links": links})
    embedded = Embedded(hostile, load_vocabulary(), folder / "data", mqtt_port=0, policy=policy)
    program = (sys.executable, str(RIVERTON.parents[1] / "crosscurrent.py"))
    embedded.hours = Hours(folder / "data", RIVERTON / "city.yaml", program=program)
    embedded.start()
    Player(storm, embedded.status().broker, math.inf).run()
    wait_until(lambda: bool(embedded.store.incidents()), "an incident")
    wait_until(lambda: embedded.lag == 0, "all processed")
    addresses: list[str] = []
    stop = threading.Event()
    console = threading.Thread(
        target=serve,
        args=(embedded, "127.0.0.1", 0, False),
        kwargs={"ready": addresses.append, "stop": stop},
    )
    console.start()
    wait_until(lambda: bool(addresses), "the console")
    yield addresses[0]
    stop.set()
    stopping = time.monotonic()
    console.join()
    embedded.stop()
    assert time.monotonic() - stopping < 4, "console and runner stop quickly, with pages open"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a screen."""
    program = shutil.which("chromium")
    assert program, "no chromium on this machine; scripts/servers.sh installs it"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=BROWSER)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Browser, address: str) -> Iterator[Callable[..., Tab]]:
    """Opens tabs: ``tab(width=390)``. Whatever a test does, no tab may complain or ask elsewhere."""
    yield from tabs_of(chromium, address)


def tabs_of(chromium: Browser, address: str) -> Iterator[Callable[..., Tab]]:
    """Opens tabs of one console, and looks in the end whether one complained or asked elsewhere."""
    opened: list[tuple[BrowserContext, Tab]] = []

    def new(width: int = 1280, height: int = 860, scheme: str = "dark") -> Tab:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        opened.append((context, Tab(context, address)))
        return opened[-1][1]

    yield new
    for context, tab in opened:
        context.close()
        assert tab.complaints == []
        assert tab.foreign == []
