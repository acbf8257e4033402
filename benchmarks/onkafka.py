"""The work of kafka.py: detection on Kafka beside Quix Streams, and the way from MQTT to an alarm.

The readings are riverton's storm in its worst hours, over twenty districts at once (1,340 sensors). Topics
are full before a worker starts; it is measured from its first record to its last. Rates are readings for a
second of the processor (one core): a machine that is busy elsewhere changes them little.

``ours_vs_quixstreams``: a plain limit check with state for each sensor, by our shell on Faust, out of the
frames that a collector writes at full speed, against Quix Streams with one reading a record, as is usual
there; ``..._small_frames`` out of those that it writes at 10,000 readings a second; ``..._on_frames``: Quix
Streams reads the same frames as ours; ``..._plain_shell``: ours on the plain client.
``detection_vs_quixstreams``: the whole of our detection (limits with delays and deadbands, rates, frozen and
missing sensors, comparisons of several) against their limit check with one reading a record.
``two_workers_vs_one``: readings a second, by the clock on the wall, of two detecting workers with a city
each, against one; they share the cores with Kafka. ``..._by_cpu``: the same by processor time a reading.
``publish_to_alarm_ms_p99``: from an MQTT message that makes an alarm to that alarm on Kafka, at 10,000
readings a second, with mosquitto, Kafka, collector, worker and publisher on this machine.

``--quick`` leaves out the plain shell, detection and the second worker.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from common import ROOT, flags, machine, report
from latency import latencies
from servers import in_districts, large_city, storm_days
from workers import LimitCheck, Took, Workers

from tests.servers import Kafka, Mosquitto, free_ports

DISTRICTS = 20
START = 16_000
"""The message of the storm's day with which its worst hours begin."""
FULL_SPEED, STEADY = 5_000, 150
"""Messages in a transaction: the most there can be, and what comes in 20 ms at 10,000 readings a second."""
QUIET = ("autosave_interval 1800",)
"""mosquitto writes its queues down seldom."""
QUICK = ("quix_single", "limits_faust", "quix_frames")
RATIOS = {
    "ours_vs_quixstreams": ("quix_single", "limits_faust"),
    "ours_vs_quixstreams_small_frames": ("quix_single", "limits_faust_small_frames"),
    "ours_vs_quixstreams_on_frames": ("quix_frames", "limits_faust"),
    "ours_vs_quixstreams_on_frames_plain_shell": ("quix_frames", "limits_plain"),
    "detection_vs_quixstreams": ("quix_single", "detection_faust"),
    "detection_vs_quixstreams_plain_shell": ("quix_single", "detection_plain"),
    "two_workers_vs_one_by_cpu": ("detection_plain", "two_detections_plain"),
}
"""What is divided by what: processor time a reading."""
Sides = dict[str, Callable[[], list[Took]]]
Rounds = list[dict[str, list[Took]]]


def sides_of(workers: Workers, small: Workers) -> Sides:
    """What is measured, in the order of each round."""
    check = LimitCheck.name
    return {
        "quix_single": lambda: [workers.quix(frames=False)],
        "limits_faust": lambda: workers.ours(check, "faust"),
        "quix_frames": lambda: [workers.quix(frames=True)],
        "limits_faust_small_frames": lambda: small.ours(check, "faust"),
        "limits_plain": lambda: workers.ours(check, "kafka"),
        "detection_faust": lambda: workers.ours("detect", "faust"),
        "detection_plain": lambda: workers.ours("detect", "kafka"),
        "two_detections_plain": lambda: workers.ours("detect", "kafka", 2),
    }


def cpu_us(took: list[Took], readings: int) -> float:
    """Microseconds of the processor for a reading, of workers that each had all readings."""
    return sum(one.cpu_seconds for one in took) / len(took) / readings * 1e6


def ratios_of(rounds: Rounds) -> dict[str, float]:
    """The median of each ratio that was measured."""
    found = {
        name: median(cpu_us(run[theirs], 1) / cpu_us(run[ours], 1) for run in rounds)
        for name, (theirs, ours) in RATIOS.items()
        if {theirs, ours} <= rounds[0].keys()
    }
    if "two_workers_vs_one_by_cpu" in found:
        found["two_workers_vs_one_by_cpu"] *= 2
        found["two_workers_vs_one"] = median(
            2 * run["detection_plain"][0].seconds / max(one.seconds for one in run["two_detections_plain"])
            for run in rounds
        )
    return {name: round(ratio, 2) for name, ratio in found.items()}


def main() -> None:
    """Measure and tell."""
    args, before = flags("Detection on Kafka beside Quix Streams; from MQTT to an alarm."), machine()
    subprocess.run([ROOT / "scripts" / "peers.sh", "quixstreams"], check=True, stdout=sys.stderr)
    count, rounds, seconds = (1_500, 1, 4) if args.quick else (6_000, 3, 30)
    storm = storm_days(1)[START:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        city = large_city(folder, DISTRICTS)
        with (
            Mosquitto(folder, free_ports(1)[0], more=QUIET) as mosquitto,
            Kafka(folder, *free_ports(2)) as kafka,
        ):
            messages = in_districts(storm[:count], DISTRICTS)
            workers = Workers(folder, kafka.address, city, messages, FULL_SPEED)
            small = Workers(folder, kafka.address, city, messages, STEADY)
            sides = sides_of(workers, small)
            wanted = QUICK if args.quick else tuple(sides)
            measured = [{side: sides[side]() for side in wanted} for _ in range(rounds)]
            delays = latencies(mosquitto, kafka, city, in_districts(storm, DISTRICTS), seconds)
    figures: dict[str, float] = {
        "readings": workers.readings,
        "readings_a_frame": round(workers.readings / workers.frames),
        "readings_a_small_frame": round(small.readings / small.frames),
    }
    for side in wanted:
        cost = median(cpu_us(run[side], workers.readings) for run in measured)
        figures[f"{side}_cpu_us_a_reading"] = round(cost, 2)
    report("kafka", before, figures | delays, ratios_of(measured), args.json)
