"""An hour at 5,000 readings a second: does memory stay flat, is the lag bounded, is the ledger empty?

``make soak`` (MINUTES=60). Twenty districts of riverton (1,340 sensors) live a stormy day, then a quiet one,
and so on, some two hundred times as fast as life. mosquitto, Kafka and ``crosscurrent up --kafka`` with two
detecting workers on this machine; every ten seconds each process's memory and each worker's lag are looked
at. At the end all that was published must have been accepted, and ``crosscurrent ledger verify`` must find
nothing missing.

It is no comparison, so there are no ratios; ``make bench`` leaves it out. Status 1: something is missing.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from statistics import median

from common import machine, report
from publisher import Publisher
from servers import PATIENCE_SECONDS, RIVERTON, in_districts, large_city, verb, wait_until

from collectors.messages import Message
from collectors.recording import read
from runner.metrics import Figure, figures_of
from tests.servers import Kafka, Mosquitto, free_ports

DISTRICTS = 20
DAYS = (("storm-day", b"2025-06-04"), ("quiet-day", b"2025-06-02"))
FIRST = date(2025, 7, 1)
READINGS_A_MESSAGE = 58_040 / 45_409
"""Of the storm, and about the same of a quiet day."""
LOOK_SECONDS = 10.0
WARM_SECONDS = 120.0
"""What a process takes in its first minutes says nothing about growth."""
SETTLED = 100
"""Offsets that remain when all is taken: ends of transactions."""
STARTS = "crosscurrent_starts_total"


def days() -> Iterator[Message]:
    """Days of a large city, one after the other, for ever."""
    recorded = [(list(read(RIVERTON / f"{name}.jsonl.gz", lambda *_: None)), date) for name, date in DAYS]
    for number in count():
        messages, then = recorded[number % len(recorded)]
        today = (FIRST + timedelta(number)).isoformat().encode()
        for message in messages:
            payload = message.payload.replace(then, today)
            yield from in_districts([message._replace(payload=payload)], DISTRICTS)


class Watch:
    """What the supervisor tells of its services."""

    def __init__(self, page: str) -> None:
        self._page = page
        self.memory: dict[str, list[float]] = defaultdict(list)
        """Megabytes by service."""
        self.lag: list[float] = []
        """Records that are not taken yet, of all workers."""
        self.oldest: list[float] = []
        """For how long the oldest message has waited for its acknowledgement, in seconds."""

    def figures(self) -> list[Figure]:
        """The newest figures; none where nobody answers yet."""
        try:
            with urllib.request.urlopen(self._page, timeout=10) as answer:  # noqa: S310 - our own, on loopback
                return list(figures_of(answer.read().decode()))
        except OSError:
            return []

    def look(self) -> None:
        """Note them."""
        figures = self.figures()
        for figure in figures:
            if figure.name == "process_resident_memory_bytes":
                self.memory[figure.labels.get("service", "supervisor")].append(figure.value / 1e6)
        self.lag.append(total(figures, "crosscurrent_lag_offsets"))
        self.oldest.append(total(figures, "crosscurrent_oldest_unacknowledged_seconds"))


def total(figures: list[Figure], name: str, **labels: str) -> float:
    """The sum of a figure over all that carry these labels."""
    return sum(one.value for one in figures if one.name == name and labels.items() <= one.labels.items())


def until_quiet(watch: Watch, published: int) -> int:
    """Wait until all is accepted and no worker is behind; how many messages were accepted."""
    deadline = time.monotonic() + 10 * PATIENCE_SECONDS
    while True:
        figures = watch.figures()
        accepted = total(figures, "crosscurrent_messages_total", result="accepted")
        if accepted >= published and total(figures, "crosscurrent_lag_offsets") <= SETTLED:
            return int(accepted)
        if time.monotonic() > deadline:
            return int(accepted)
        time.sleep(1)


def main() -> int:
    """Run, look, tell; the exit status."""
    parser = argparse.ArgumentParser(description="Memory, lag and ledger over a long time.")
    parser.add_argument("--minutes", type=float, default=60, help="how long (60)")
    parser.add_argument("--rate", type=float, default=5_000, help="readings a second (5,000)")
    parser.add_argument(
        "--shell", choices=("faust", "kafka"), default="faust", help="what carries the workers"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    args, before = parser.parse_args(), machine()
    metrics = f"127.0.0.1:{free_ports(1)[0]}"
    watch = Watch(f"http://{metrics}/metrics")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        city = str(large_city(folder, DISTRICTS))
        with (
            Mosquitto(folder, free_ports(1)[0]) as mosquitto,
            Kafka(folder, *free_ports(2)) as kafka,
        ):
            up = verb(
                "up", "--no-console", "--city", city, "--broker", mosquitto.address, "--kafka", kafka.address
            )
            up += ["--detectors", "2", "--shell", args.shell, "--metrics", metrics]
            with (
                (folder / "up.log").open("w") as log,
                subprocess.Popen(up, stdout=log, stderr=log) as process,
            ):
                while not watch.figures():
                    time.sleep(1)
                wait_until(
                    lambda: total(watch.figures(), "crosscurrent_connections_total") > 0, "a connection"
                )
                publisher = Publisher(mosquitto.port, days, args.rate / READINGS_A_MESSAGE)
                began = time.monotonic()
                publisher.start()
                while (elapsed := time.monotonic() - began) < args.minutes * 60:
                    if elapsed > min(WARM_SECONDS, args.minutes * 20):
                        watch.look()
                    time.sleep(LOOK_SECONDS)
                published = publisher.stop().acknowledged
                seconds = time.monotonic() - began
                accepted = until_quiet(watch, published)
                readings = total(watch.figures(), "crosscurrent_readings_total")
                starts = {one.labels["service"]: one.value for one in watch.figures() if one.name == STARTS}
                process.terminate()
                process.wait()
            ledger = subprocess.run(
                verb("ledger", "verify", "--city", city, "--kafka", kafka.address),
                check=False,
                stdout=subprocess.PIPE,
                text=True,
            )
    sys.stderr.write(ledger.stdout)
    figures: dict[str, float] = {
        "minutes": round(seconds / 60, 1),
        "readings": readings,
        "readings_per_second": round(readings / seconds),
        "messages_published": published,
        "messages_accepted": accepted,
        "lag_records_median": median(watch.lag),
        "lag_records_max": max(watch.lag),
        "oldest_unacknowledged_seconds_max": round(max(watch.oldest), 2),
        "restarts": sum(starts.values()) - len(starts),
        "ledger_status": ledger.returncode,
    }
    for service, found in watch.memory.items():
        quarter = max(1, len(found) // 4)
        figures[f"{service}_memory_mb_first_quarter"] = round(median(found[:quarter]), 1)
        figures[f"{service}_memory_mb_last_quarter"] = round(median(found[-quarter:]), 1)
    report("soak", before, figures, {}, args.json)
    return 1 if ledger.returncode or accepted < published else 0


if __name__ == "__main__":
    sys.exit(main())
