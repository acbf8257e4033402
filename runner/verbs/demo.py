"""``crosscurrent demo``: a day of trouble in a made-up city, played over MQTT, watched and explained."""

import argparse
import math
import os
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.verdict import Verdict

SUMMARY = "Play a city's day of trouble and watch it become a handful of explained incidents."
RATE = 480.0
"""A day in three minutes."""
RIVERTON = Path(__file__).parents[2] / "cities" / "riverton"
"""Beside our packages, in a checkout as in a wheel."""
HOST = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add = parser.add_argument
    add("--city", type=Path, default=RIVERTON / "city.yaml", help="city model (default: riverton's)")
    add(
        "--recording",
        type=Path,
        default=RIVERTON / "demo-day.jsonl.gz",
        help="default: riverton's demo day",
    )
    add(
        "--rate",
        type=rate,
        default=RATE,
        metavar="N|max",
        help="times real time (default 480: three minutes)",
    )
    add("--data", type=Path, metavar="DIR", help="data folder (default: one that is thrown away)")
    add("--mqtt-port", type=int, default=1883, help="the broker's port, or the next free one (default 1883)")
    add("--console-port", type=int, default=8080, help="the page's port, or the next free one (default 8080)")
    add("--no-browser", action="store_true", help="don't open a browser")
    add(
        "--once", action="store_true", help="end after the day; exit status 0 only if it truly ran, and right"
    )


def rate(text: str) -> float:
    """How many times as fast as it was: a number above zero, or ``max`` (infinity)."""
    value = math.inf if text == "max" else float(text)
    if not value > 0:
        raise ValueError
    return value


def run(args: argparse.Namespace) -> int:
    """Play the day: 0 where it went right, 1 where not, 130 after Ctrl-C.

    Raises BadConfig, CannotRun, OSError, BadInput.
    """
    from rich.console import Console

    from alerts.policyfile import load_policy
    from runner.demo import play_day
    from runner.embedded import Embedded
    from runner.hours import Hours
    from runner.interrupts import CTRL_C, interrupts
    from runner.screen import screen
    from runner.serving import free_port, say, serve
    from runner.verdict import labels_beside
    from schemas.cityfile import load_city
    from schemas.vocabulary import load_vocabulary

    args.recording.stat()  # a missing file is told before anything starts
    city, labels = load_city(args.city), labels_beside(args.recording)
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="crosscurrent-"))
        caught = stack.enter_context(interrupts())
        embedded = Embedded(
            city,
            load_vocabulary(beside=args.city),
            args.data or Path(scratch),
            mqtt_port=free_port(HOST, args.mqtt_port, "--mqtt-port"),
            policy=load_policy(args.city, city),
            on_failure=caught.leave,
        )
        embedded.hours = Hours(embedded.store.folder, args.city)
        embedded.start()
        stack.callback(embedded.stop)
        port = free_port(HOST, args.console_port, "--console-port")
        say(
            f"playing  {args.recording.name} into {embedded.status().broker}; data in {embedded.store.folder}"
        )

        def tell(stopping: threading.Event) -> "Verdict":
            verdict = play_day(embedded, args.recording, args.rate, screen(Console()), labels, stopping)
            if stopping.is_set():  # cut short: there is nothing to judge
                return verdict
            say("\n".join(["", *verdict.lines()]))
            if args.once:
                caught.leave()
            else:
                say("the console stays up; Ctrl-C ends it")
            return verdict

        story = Story(tell, caught.leave)
        story.start()
        stack.callback(story.end)
        serve(args.console, embedded, HOST, port, show=not args.no_browser and has_display())
    if (error := embedded.failure or story.error) is not None:
        raise error
    if caught.status == CTRL_C:
        return CTRL_C
    return 0 if story.verdict is not None and story.verdict.is_right else 1


class Story(threading.Thread):
    """Tells the day beside the web page; where that fails, the page is left."""

    def __init__(self, tell: "Callable[[threading.Event], Verdict]", leave: "Callable[[], None]") -> None:
        super().__init__(name="story", daemon=True)
        self._stopping = threading.Event()
        self._tell = tell
        self._leave = leave
        self.verdict: Verdict | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        """Tell it."""
        try:
            self.verdict = self._tell(self._stopping)
        except Exception as error:  # noqa: BLE001 - raised again in the main thread
            self.error = error
            self._leave()

    def end(self) -> None:
        """Stop telling."""
        self._stopping.set()
        self.join()


def has_display() -> bool:
    """Whether a browser could show anything."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
