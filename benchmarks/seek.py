"""How long a seek takes: to any moment of a day, beside a replay from the start to the same moment.

Riverton's storm day is thought through once, then looked at at moments by chance, as the console looks:
status, incidents, alarms and the newest readings of all sensors. ``ours_vs_replay_from_start`` is the seconds
of a plain replay of the day up to such a moment over those of the look, both by time of the processor, the
median of the same moments. Where there is a Chromium, a page of the console seeks too: from the key pressed
until the page shows the moment. The aim is under a second.
"""

import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from common import ROOT, flags, machine, report
from playwright.sync_api import sync_playwright

from runner.core import Core
from runner.player.deck import Deck
from runner.serving import any_port
from runner.sources import Asked, opened
from runner.whatif import WhatIf
from schemas.times import DAY, rfc3339
from streams.causes import load_causes

RIVERTON = ROOT / "cities" / "riverton"
ASKED = Asked(str(RIVERTON / "storm-day.jsonl.gz"), RIVERTON / "city.yaml")
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]

ZONE = ZoneInfo("Europe/Paris")


def main() -> int:
    """Measure and print."""
    args = flags("How long a seek takes")
    before, dice = machine(), random.Random(1)
    moments, replays = (60, 2) if args.quick else (400, 6)
    with tempfile.TemporaryDirectory() as out:
        figures, looks = looked(Path(out), dice, moments)
        ratios = [from_start(at) / looks[at] for at in dice.sample(list(looks), replays)]
        if program := shutil.which("chromium"):
            figures |= in_browser(program, Path(out), list(looks)[: moments // 4])
    report(
        "seek", before, figures, {"ours_vs_replay_from_start": round(statistics.median(ratios), 1)}, args.json
    )
    return 0


def looked(out: Path, dice: random.Random, count: int) -> tuple[dict[str, float], dict[int, float]]:
    """Figures, and by moment how long the look at it took."""
    deck = Deck(ASKED, load_causes(), out / "run", rate=60, paused=True)
    began = time.process_time()
    deck.start()
    while not deck.position().over:
        time.sleep(0.1)
    thought = time.process_time() - began
    try:
        here = deck.position()
        chosen = [dice.randrange(here.first, here.last) for _ in range(count)]
        looks, walls = {}, []
        for at in chosen:
            wall, cpu = time.perf_counter(), time.process_time()
            deck.seek(at)
            deck.status()
            deck.store.incidents(60)
            deck.store.alarms(at - DAY)
            deck.store.open_alarms()
            deck.store.latest()
            looks[at] = time.process_time() - cpu
            walls.append(time.perf_counter() - wall)
        deck.seek((here.first + here.last) // 2)
        cpu = time.process_time()
        number = deck.fork(WhatIf(settings=("sump-b/depth.high=2.5",)))
        deck.forks[number].join()
        forked = time.process_time() - cpu
    finally:
        deck.stop()
    figures = {
        "thought_through_cpu_seconds": round(thought, 2),
        "look_median_milliseconds": round(statistics.median(walls) * 1000, 2),
        "look_worst_milliseconds": round(max(walls) * 1000, 2),
        "fork_at_noon_cpu_seconds": round(forked, 2),
    }
    return figures, looks


def from_start(at: int) -> float:
    """Seconds of the processor of a replay that ends when stream time is there."""
    model, source, never = opened(ASKED)
    core = Core(model.city, model.vocabulary, load_causes(), model.policy, never)
    began = time.process_time()
    for record in source.records():
        core.step(record)
        if (core.stream_time or 0) >= at:
            break
    return time.process_time() - began


def in_browser(program: str, folder: Path, moments: list[int]) -> dict[str, float]:
    """Seconds from the key pressed until a page shows the moment."""
    address = f"http://127.0.0.1:{(port := any_port())}/"
    words = [ASKED.name, "--city", str(ASKED.city_file), "--console", "--no-browser", "--start-paused"]
    words += ["--console-port", str(port), "--out", str(folder / "browser"), "--at", rfc3339(moments[0])]
    command = [sys.executable, str(ROOT / "crosscurrent.py"), "replay", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as player, sync_playwright() as driver:
        assert player.stdout
        while not player.stdout.readline().startswith("console"):
            pass
        browser = driver.chromium.launch(executable_path=program, args=BROWSER)
        page = browser.new_page()
        page.goto(address, wait_until="domcontentloaded")
        page.wait_for_selector(".tb-drawing .axis span")
        page.wait_for_function(
            "!document.querySelector('.tb-note').textContent.startsWith('Thinking')", timeout=120_000
        )
        there = [datetime.fromtimestamp(at / 1000, ZONE) for at in moments]
        day = [one for one in there if one.date() == min(there).date()]
        seconds = []
        for clock in dict.fromkeys(f"{one:%H:%M}" for one in day):
            page.keyboard.press("g")
            page.keyboard.type(clock)
            began = time.perf_counter()
            page.keyboard.press("Enter")
            page.wait_for_function(
                "(clock) => document.querySelector('.top-clock time b').textContent === clock", arg=clock
            )
            seconds.append(time.perf_counter() - began)
        browser.close()
        player.send_signal(signal.SIGINT)
    return {
        "browser_median_seconds": round(statistics.median(seconds), 3),
        "browser_worst_seconds": round(max(seconds), 3),
    }


if __name__ == "__main__":
    sys.exit(main())
