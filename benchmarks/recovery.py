"""How long a killed worker is away: kill -9, started again, until it takes its next record.

A city of 100,000 sensors (a tenth with ``--quick``), all of which have spoken; one worker holds all states.
It is killed and started again, with a name of its own in its group and without. Counted is all of it: the
interpreter, the city model (JSON), its place in the group, the states on the compacted topic, and the first
record that waited. ``named_vs_unnamed`` is what the name is worth: without it the group waits for the end of
the session first. ``cpu_s``: what the new worker has used of the processors by then, which tells more than
the clock where others work on the machine.
"""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from common import flags, machine, report
from servers import cpu_seconds, publish, running, verb, wait_until

from collectors.messages import Message
from runner.kafka.settings import kafka_settings
from runner.kafka.topics import TopicTable
from schemas.times import MINUTE, parse_time, rfc3339
from tests.servers import Kafka, Mosquitto, free_ports

START = parse_time("2025-06-04T09:00:00Z")
SESSION_SECONDS = 10
PLACE = "127.0.0.1"


def main() -> None:
    """Measure and print."""
    args = flags(__doc__.splitlines()[0])
    before = machine()
    sensors = 10_000 if args.quick else 100_000
    rounds = 1 if args.quick else 2
    mqtt, *kafka_ports = free_ports(3)
    with TemporaryDirectory() as name:
        folder = Path(name)
        city = folder / "city.json"
        city.write_text(json.dumps(of_bins(sensors)))
        with Mosquitto(folder, mqtt) as broker, Kafka(folder, *kafka_ports) as kafka:
            table = TopicTable(kafka_settings(kafka.address, {}))
            table.create()
            table.close()
            where = ("--city", str(city), "--kafka", kafka.address)
            with running(verb("collect", "--broker", broker.address, *where)) as collector:
                assert collector.stdout is not None
                collector.stdout.readline()
                publish(mqtt, spoken(sensors, 0))
                away = {
                    kind: [one_kill(where, shell, member, mqtt, sensors, 2 + turn) for turn in range(rounds)]
                    for turn, (kind, shell, member) in enumerate(KINDS)
                }
    figures = {f"away_s_{kind}": median(seconds for seconds, _ in found) for kind, found in away.items()}
    figures |= {f"cpu_s_{kind}": median(cpu for _, cpu in found) for kind, found in away.items()}
    figures["sensors"] = float(sensors)
    figures["session_s"] = float(SESSION_SECONDS)
    ratios = {"named_vs_unnamed": figures["away_s_plain_unnamed"] / figures["away_s_plain_named"]}
    report("recovery", before, figures, ratios, args.json)


KINDS = (
    ("plain_named", "kafka", "a"),
    ("faust_named", "faust", "a"),
    ("plain_unnamed", "kafka", ""),
)


def of_bins(count: int) -> dict[str, object]:
    """A city of bins that tell how full they are."""
    bins = range(count)
    return {
        "city": "bins",
        "timezone": "Europe/Paris",
        "assets": [
            {"id": f"bin-{n}", "utility": "waste", "kind": "bin", "zone": f"zone-{n // 500}"} for n in bins
        ],
        "sensors": [
            {
                "asset": f"bin-{n}",
                "quantity": "fill",
                "unit": "%",
                "every": 60,
                "limits": {"high": 90},
                "deadband": 2,
            }
            for n in bins
        ],
    }


def spoken(count: int, minute: int) -> list[Message]:
    """Each bin once."""
    at = START + minute * MINUTE
    said = json.dumps({"at": rfc3339(at), "values": {"fill": 40 + minute}}).encode()
    return [Message(at, f"city/v1/bins/waste/zone-{n // 500}/bin-{n}/telemetry", said) for n in range(count)]


def one_kill(
    where: tuple[str, ...], shell: str, member: str, mqtt: int, sensors: int, minute: int
) -> tuple[float, float]:
    """Seconds from kill -9 to the first record that the next worker takes; its processor seconds by then."""
    with worker(where, shell, member) as (first, port):
        wait_until(lambda: figure(port, "crosscurrent_lag_offsets", 1e9) <= PARTITIONS, "it has read all")
        publish(mqtt, spoken(min(sensors, 1000), minute))
        wait_until(lambda: figure(port, "crosscurrent_save_seconds") > 0, "it has saved")
        time.sleep(SAVED_SECONDS)
        began = time.monotonic()
        first.kill()
    publish(mqtt, spoken(min(sensors, 1000), minute + 1))
    with worker(where, shell, member) as (second, port):
        wait_until(lambda: figure(port, "crosscurrent_records_total") > 0, "it takes a record")
        return time.monotonic() - began, cpu_seconds(second)


PARTITIONS = 24
"""Marks of transactions that may stand at the ends of partitions, unread for ever."""
SAVED_SECONDS = 7


@contextmanager
def worker(where: tuple[str, ...], shell: str, member: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A detecting worker, and where its figures are."""
    (port,) = free_ports(1)
    variables = {"CROSSCURRENT_KAFKA_SESSION_SECONDS": str(SESSION_SECONDS)}
    if member:
        variables["CROSSCURRENT_KAFKA_MEMBER"] = member
    command = verb("stream", "detect", "--shell", shell, "--metrics", str(port), *where)
    with running(command, variables) as process:
        yield process, port


def figure(port: int, name: str, absent: float = 0.0) -> float:
    """The sum of a figure of a worker."""
    with suppress(OSError), urllib.request.urlopen(f"http://{PLACE}:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
        found = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)]
        return sum(found) if found else absent
    return absent


if __name__ == "__main__":
    main()
