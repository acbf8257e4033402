"""``crosscurrent up``, killed again and again while messages are on their way: none is missed."""

import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from collectors.play import Player
from collectors.recording import Writer
from runner.sending.line import WORKERS
from schemas.times import MINUTE, SECOND
from tests.receivers import Hook
from tests.runner.feeders import city, voltage
from tests.runner.kafkahelp import ROOT, wait_until

FEEDERS = 30
KILLS = 3 * int(os.environ.get("CROSSCURRENT_CHAOS_ROUNDS", "1"))


def outage(path: Path) -> Path:
    """Twenty minutes up to now; in the last ten all feeders are dead."""
    now = round(time.time() * SECOND)
    writer = Writer(path)
    for minute in range(20):
        at = now - (20 - minute) * MINUTE
        for number in range(FEEDERS):
            writer.write(voltage(number, at, dead=minute >= 10))
    writer.close()
    return path


def test_no_page_is_missed_over_kills(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Kill -9 whenever some have arrived; what was on its way comes again under its own key, nothing else."""
    recording = outage(tmp_path / "outage.jsonl")
    with Hook(slow=0.2) as hook:
        for kill in range(KILLS + 1):
            port = free_port()
            command = [sys.executable, str(ROOT / "crosscurrent.py"), "up", "--no-console"]
            command += [
                "--city",
                str(city(tmp_path, hook, FEEDERS, every=60)),
                "--data",
                str(tmp_path / "data"),
            ]
            with subprocess.Popen(
                [*command, "--mqtt-port", str(port)], stdout=subprocess.PIPE, text=True
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                if not kill:
                    Player(recording, f"mqtt://127.0.0.1:{port}", math.inf).run()
                some = FEEDERS if kill == KILLS else len(arrived(hook)) + max(1, FEEDERS // (KILLS + 2))
                has_come(hook, some)
                process.kill()

    assert {request.json["asset"] for request in hook.requests} == {f"feeder-{n}" for n in range(FEEDERS)}
    assert sum(arrived(hook).values()) - len(arrived(hook)) <= KILLS * WORKERS


def has_come(hook: Hook, count: int) -> None:
    """Wait until so many messages have come."""
    wait_until(lambda: len(arrived(hook)) >= min(count, FEEDERS), f"{count} pages")


def arrived(hook: Hook) -> Counter[str]:
    """How often each message has come."""
    return Counter(request.headers["Idempotency-Key"] for request in list(hook.requests))
