"""Take the pictures of the console for the docs: riverton's storm, after the substation fell; and its replay.

In:  cities/riverton, Chromium. Out: docs/pictures/*.png, each under 400 kB.
The day runs through the whole system: a recording, played to the embedded broker, read by the console.
"""

import math
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from collectors.play import Player
from collectors.recording import Writer, read
from console.app import serve
from runner.embedded import Embedded
from runner.serving import any_port
from schemas.cityfile import load_city
from schemas.times import parse_time, rfc3339
from schemas.vocabulary import load_vocabulary

ROOT = Path(__file__).parents[1]
RIVERTON = ROOT / "cities" / "riverton"
PICTURES = ROOT / "docs" / "pictures"
MOMENT = parse_time("2025-06-04T10:45:00Z")
LIVE_RATE = 60.0
"""Rate from the moment on: the pictures show a stream that runs."""
SETTLE_MS = 5000
BYTES_MAX = 400_000
BROWSER = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


def main() -> int:
    """Take them; 0 where all are there and small enough."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crosscurrent-pictures-")))
        before, after = split(RIVERTON / "storm-day.jsonl.gz", folder)
        embedded = Embedded(
            load_city(RIVERTON / "city.yaml"),
            load_vocabulary(beside=RIVERTON / "city.yaml"),
            folder / "data",
            mqtt_port=0,
        )
        embedded.start()
        stack.callback(embedded.stop)
        broker = embedded.status().broker
        Player(before, broker, math.inf).run()
        wait_until(lambda: embedded.lag == 0)
        live = Player(after, broker, LIVE_RATE)
        live.start()
        stack.callback(live.stop)
        address = stack.enter_context(served(embedded))
        browser = stack.enter_context(chromium())
        take_all(browser, address)
        take_replay(browser, stack.enter_context(replayed(folder)))
    too_big = [path.name for path in PICTURES.glob("*.png") if path.stat().st_size > BYTES_MAX]
    for name in too_big:
        sys.stderr.write(f"{name} is larger than {BYTES_MAX} bytes\n")
    return 1 if too_big else 0


def take_all(browser: Browser, address: str) -> None:
    """Open all pages side by side, let them settle, then take them."""
    dark = opened(browser, address, 1440, 900, "dark")
    light = opened(browser, address, 1440, 900, "light")
    phone = opened(browser, address, 390, 844, "dark", scale=2)
    incident = opened(browser, address, 1440, 1180, "light")
    light.keyboard.press("z")
    incident.keyboard.press("/")
    incident.keyboard.press("Enter")
    incident.wait_for_url("**/incident/*")
    dark.wait_for_timeout(SETTLE_MS)
    for name, page in (
        ("storm-dark", dark),
        ("storm-light", light),
        ("phone", phone),
        ("incident", incident),
    ):
        page.screenshot(path=PICTURES / f"{name}.png")


def take_replay(browser: Browser, address: str) -> None:
    """The player amid the storm, and what another limit would have changed."""
    player = opened(browser, address, 1440, 900, "dark")
    player.wait_for_function(
        "!document.querySelector('.tb-note').textContent.startsWith('Thinking')", timeout=60_000
    )
    player.keyboard.press("ArrowRight")
    player.wait_for_timeout(SETTLE_MS)
    player.screenshot(path=PICTURES / "player.png")
    phone = opened(browser, address, 390, 844, "light", scale=2)
    phone.wait_for_timeout(SETTLE_MS)
    phone.screenshot(path=PICTURES / "player-phone.png")
    player.keyboard.press("g")
    player.keyboard.type("10:45")
    player.keyboard.press("Enter")
    fork = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme="light")
    fork.goto(f"{address}fork?sensor=sump-b/depth")
    fork.get_by_label("New value").fill("2.5")
    fork.get_by_role("button", name="Go on from here").click()
    fork.get_by_text("alarms: ").wait_for(timeout=60_000)
    fork.wait_for_timeout(SETTLE_MS)
    fork.screenshot(path=PICTURES / "fork.png")


@contextmanager
def replayed(folder: Path) -> Iterator[str]:
    """The address of a player of the storm day, in a process of its own: one console to a process."""
    words = ["replay", str(RIVERTON / "storm-day.jsonl.gz"), "--city", str(RIVERTON / "city.yaml")]
    words += [
        "--console",
        "--no-browser",
        "--start-paused",
        "--at",
        rfc3339(MOMENT),
        "--out",
        str(folder / "replay"),
    ]
    words += ["--out", str(folder / "replay"), "--console-port", str(any_port())]
    command = [sys.executable, str(ROOT / "crosscurrent.py"), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as player:
        assert player.stdout, "it is a pipe"
        told = next(line for line in player.stdout if line.startswith("console"))
        try:
            yield f"{told.split()[1]}/"
        finally:
            player.send_signal(signal.SIGINT)


def opened(browser: Browser, address: str, width: int, height: int, scheme: str, scale: int = 1) -> Page:
    """A page that shows an incident."""
    page = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=scale,
    ).new_page()
    page.goto(address)
    page.wait_for_selector(".incident .summary")
    page.wait_for_selector(".chain path", state="attached")
    return page


def split(recording: Path, folder: Path) -> tuple[Path, Path]:
    """The recording up to the moment, and the rest."""
    paths = folder / "before.jsonl", folder / "after.jsonl"
    with Writer(paths[0]) as before, Writer(paths[1]) as after:
        for message in read(recording, refuse):
            (before if message.received < MOMENT else after).write(message)
    return paths


def refuse(line: int, fault: str) -> None:
    """Our own recording has no broken lines."""
    raise ValueError(f"line {line}: {fault}")


@contextmanager
def served(embedded: Embedded) -> Iterator[str]:
    """The console's address, while it serves."""
    addresses: list[str] = []
    stop = threading.Event()
    thread = threading.Thread(
        target=serve,
        args=(embedded, "127.0.0.1", 0, False),
        kwargs={"ready": addresses.append, "stop": stop},
    )
    thread.start()
    try:
        wait_until(lambda: bool(addresses))
        yield addresses[0]
    finally:
        stop.set()
        thread.join()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a screen."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("pictures: no chromium on this machine; scripts/servers.sh installs it")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=BROWSER)
        try:
            yield browser
        finally:
            browser.close()


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Poll; TimeoutError where it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not ready after {seconds:g} s")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
