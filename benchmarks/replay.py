"""The price of thinking: readings a second of ``replay``, beside a loop that only parses the same file.

Both sides read riverton's storm day in one process each, new for every round and in turns; the clock runs
around the call alone, so that neither side pays for starting Python. The bare loop is gzip and the
standard library's ``json.loads`` on each line; the same with msgspec, a faster parser, is a figure beside.
``ours_vs_bare_parse`` is our rate over the bare one, the median of the rounds: the aim is 1/8 at least.

Peak memory is that of a whole process (``ru_maxrss``) which replays the recording once, and one which
replays it ten times over, each time a day later: flat means that memory does not grow with the length.
"""

import gzip
import json
import re
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec
from common import ROOT, flags, machine, report

from runner.replay import replay

RIVERTON = ROOT / "cities" / "riverton"
RECORDING = RIVERTON / "storm-day.jsonl.gz"
TIMES = 10
"""How many times over the longer recording holds it."""
DATE = re.compile(rb"(?<=\")\d{4}-\d\d-\d\d(?=T)")
KIBIBYTES_A_MEGABYTE = 1e6 / 1024


class Round(NamedTuple):
    """One process's work: readings in the recording (0 where it did not count), seconds, peak MB."""

    readings: int
    seconds: float
    peak_mb: float


def bare(recording: Path) -> int:
    """Parse every line with the standard library; the number of readings."""
    return _parse(recording, json.loads)


def bare_msgspec(recording: Path) -> int:
    """Parse every line with msgspec; the number of readings."""
    return _parse(recording, msgspec.json.Decoder().decode)


def ours(recording: Path) -> int:
    """Replay it as the verb does, model loaded and every output written; counts nothing."""
    with tempfile.TemporaryDirectory() as out:
        replay(recording, RIVERTON / "city.yaml", Path(out))
    return 0


def _parse(recording: Path, parse: Callable[[bytes], Any]) -> int:
    with gzip.open(recording) as lines:
        return sum(len(parse(line)["payload"].get("values", ())) for line in lines)


def measure(work: Callable[[Path], int], recording: Path) -> Round:
    """Do the work once in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_timed, work, recording).result()


def _timed(work: Callable[[Path], int], recording: Path) -> Round:
    begun = time.perf_counter()
    readings = work(recording)
    seconds = time.perf_counter() - begun
    return Round(readings, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIBIBYTES_A_MEGABYTE)


def lengthen(recording: Path, times: int, into: Path) -> None:
    """Write the recording so many times in a row, each time a day later."""
    with gzip.open(into, "wb", compresslevel=1) as longer:
        for days in range(times):
            with gzip.open(recording) as lines:
                longer.writelines(_later(line, days) for line in lines)


def _later(line: bytes, days: int) -> bytes:
    return DATE.sub(lambda found: _day_later(found[0], days), line)


@cache
def _day_later(day: bytes, days: int) -> bytes:
    return (date.fromisoformat(day.decode()) + timedelta(days)).isoformat().encode()


def main() -> None:
    """Measure and tell."""
    args, before = flags("Readings a second of replay, beside a loop that only parses."), machine()
    rounds = 3 if args.quick else 9
    sides = (bare, ours, bare_msgspec)
    runs = [{side: measure(side, RECORDING) for side in sides} for _ in range(rounds)]
    readings = runs[0][bare].readings
    rates = {side: median(readings / run[side].seconds for run in runs) for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        longer = Path(folder) / "longer.jsonl.gz"
        lengthen(RECORDING, TIMES, longer)
        long_run = measure(ours, longer)
    figures = {
        "readings": readings,
        "ours_readings_per_second": round(rates[ours]),
        "bare_json_readings_per_second": round(rates[bare]),
        "bare_msgspec_readings_per_second": round(rates[bare_msgspec]),
        "peak_mb": round(median(run[ours].peak_mb for run in runs), 1),
        "longer_recording_times": TIMES,
        "longer_recording_peak_mb": round(long_run.peak_mb, 1),
        "longer_recording_readings_per_second": round(TIMES * readings / long_run.seconds),
    }
    ratios = {"ours_vs_bare_parse": round(median(run[bare].seconds / run[ours].seconds for run in runs), 4)}
    report("replay", before, figures, ratios, args.json)


if __name__ == "__main__":
    main()
