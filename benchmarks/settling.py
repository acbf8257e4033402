"""From an alarm on Kafka to the webhook of whoever is paged, with the default settle time.

``crosscurrent up --kafka`` (collector, detection, correlation on Faust, ``alert``) runs on a real mosquitto
and a real Kafka for a city of feeders that report together, every ten seconds, on the second: in each round
some of them are dead, each a cause of its own. An alarm's time is the one that Kafka keeps with its record on
``city.alarms.v1``; a page's is when the webhook has it. Between the two lie correlation, the settle time,
the desk, and ``crosscurrent alert``. ``missed`` and ``doubled`` should be 0. Not quick: the same on the plain
client too (``kafka_...``).
"""

import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median, quantiles

from common import flags, machine, report
from servers import publish, running, verb, wait_until

from runner.kafka.reading import read
from runner.kafka.settings import kafka_settings
from runner.kafka.topics import TopicTable
from schemas.alarms import AlarmChange
from schemas.alerting import Policy
from schemas.times import SECOND
from schemas.topics import ALARMS
from tests.receivers import Hook
from tests.runner.feeders import city, voltage
from tests.runner.kafkahelp import at_work
from tests.servers import Kafka, Mosquitto, free_ports

PREFIX = "settling."
EVERY = 10
A_ROUND = 5
"""Feeders that die in each round."""
WARM = 3
"""Rounds before the first of them."""
PACE_SECONDS = 0.01
"""Between two messages of a round: a city does not speak at one instant."""


class Pager(Hook):
    """Notes when each page came, by the clock that Kafka's records have."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[tuple[str, float]] = []

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """Take a page."""
        note = json.loads(body)
        if note["kind"] == "opened":
            self.pages.append((note["asset"], time.time()))
        return super().answer(method, path, body)


def live(port: int, rounds: int, feeders: int) -> None:
    """Readings of now, round after round; from each on some more feeders are dead."""
    begin = time.time() // EVERY * EVERY + EVERY
    for number in range(WARM + rounds):
        at = round(begin + number * EVERY)
        time.sleep(max(0.0, at - time.time()))
        dead = max(0, number - WARM + 1) * A_ROUND
        for feeder in reversed(range(feeders)):  # the dead ones last, when time has moved
            publish(port, [voltage(feeder, at * SECOND, dead=feeder < dead)])
            time.sleep(PACE_SECONDS)


def alarms(kafka: Kafka) -> dict[str, float]:
    """When Kafka got the alarm of each feeder, seconds since 1970."""
    settings = kafka_settings(kafka.address, {}, prefix=PREFIX)
    found: dict[str, float] = {}
    for partition in range(ALARMS.partitions):
        for record in read(settings, ALARMS, partition):
            if record.headers["ce_type"] == "crosscurrent.alarm-change":
                asset = AlarmChange.model_validate_json(record.value).alarm.asset
                found.setdefault(asset, record.at / SECOND)
    return found


def measured(shell: str, rounds: int) -> dict[str, float]:
    """All of it, on servers that are new."""
    due = rounds * A_ROUND
    with tempfile.TemporaryDirectory() as name, Pager() as hook:
        folder = Path(name)
        place = city(folder, hook, due + 20, EVERY)
        mqtt, metrics = free_ports(2)
        with Mosquitto(folder, mqtt) as mosquitto, Kafka(folder, *free_ports(2)) as kafka:
            table = TopicTable(kafka_settings(kafka.address, {}, prefix=PREFIX))
            table.create()
            table.close()
            up = verb("up", "--city", str(place), "--kafka", kafka.address, "--broker", mosquitto.address)
            variables = {"CROSSCURRENT_KAFKA_PREFIX": PREFIX}
            with running([*up, "--metrics", str(metrics), "--shell", shell, "--no-console"], variables):
                wait_until(lambda: at_work(f"http://127.0.0.1:{metrics}/ready"), "all at work")
                live(mosquitto.port, rounds, due + 20)
                wait_until(lambda: len(hook.requests) >= due, "the last page")
            raised = alarms(kafka)
    delays = [at - raised[asset] for asset, at in hook.pages if asset in raised]
    return {
        "settle_seconds": Policy().settle / SECOND,
        "alarms": len(raised),
        "missed": len(raised.keys() - {asset for asset, _ in hook.pages}),
        "doubled": sum(count - 1 for count in Counter(asset for asset, _ in hook.pages).values()),
        "alarm_to_webhook_seconds_p50": median(delays),
        "alarm_to_webhook_seconds_p99": quantiles(delays, n=100, method="inclusive")[98],
        "alarm_to_webhook_seconds_max": max(delays),
    }


def main() -> int:
    """Measure and tell; 0."""
    asked = flags("From an alarm on Kafka to the webhook, with the default settle time.")
    before = machine()
    figures = measured("faust", 2 if asked.quick else 20)
    if not asked.quick:
        figures |= {f"kafka_{name}": value for name, value in measured("kafka", 20).items()}
    report("settling", before, figures, {}, asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
