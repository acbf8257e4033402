"""How long it takes from an MQTT message to the alarm that it makes, on Kafka, at a steady rate.

In:  servers, a city, messages in the order received.
Out: milliseconds (median, 99th percentile, worst) and how many alarms they are of.

Publisher, mosquitto, collector, Kafka and the detecting worker are processes of their own on one machine,
with one clock. An alarm's time is the one that Kafka keeps with its record, given by the worker's client as
it writes. Only alarms count that a reading makes when it comes, not those that time makes (a sensor that is
missing): their ``known_at`` is the time of a reading of their sensor.
"""

import time
from collections import Counter
from functools import partial
from pathlib import Path

from publisher import Publisher
from servers import Ends, running, verb, wait_until

from collectors.intake import Intake
from collectors.messages import Message
from runner.kafka.reading import read
from runner.kafka.settings import kafka_settings
from runner.kafka.topics import TopicTable
from schemas.alarms import AlarmChange
from schemas.cityfile import load_city
from schemas.readings import Frame
from schemas.topics import ALARMS, READINGS
from tests.runner.kafkahelp import at_work
from tests.servers import Kafka, Mosquitto, free_ports

RATE = 10_000
PREFIX = "latency."
WARM_SECONDS = 2.0


def latencies(
    mosquitto: Mosquitto, kafka: Kafka, city: Path, messages: list[Message], seconds: float
) -> dict[str, float]:
    """Publish for so long, and compare."""
    settings = kafka_settings(kafka.address, {}, prefix=PREFIX)
    table = TopicTable(settings)
    table.create()
    table.close()
    readings = _readings_of(city, messages, round((seconds + WARM_SECONDS) * RATE))
    variables = {"CROSSCURRENT_KAFKA_PREFIX": PREFIX}
    of_city = ["--city", str(city), "--kafka", kafka.address]
    ports = free_ports(2)
    detect = ("stream", "detect", *of_city, "--shell", "kafka", "--metrics", str(ports[0]))
    collect = ("collect", *of_city, "--broker", mosquitto.address, "--metrics", str(ports[1]))
    with running(verb(*detect), variables), running(verb(*collect), variables):
        for port in ports:
            wait_until(partial(at_work, f"http://127.0.0.1:{port}/ready"), "all at work")
        rate = RATE * len(readings) / sum(map(len, readings))
        publisher = Publisher(mosquitto.port, partial(list, messages[: len(readings)]), rate)
        publisher.start()
        times = publisher.wait().times
        ends = Ends(kafka.bootstrap, settings.name(READINGS))
        _until_quiet(ends)
        ends.close()
    published = {key: at for keys, at in zip(readings, times, strict=True) for key in keys}
    begun = times[0] + WARM_SECONDS
    delays = sorted(
        record.at / 1000 - published[key]
        for partition in range(ALARMS.partitions)
        for record in read(settings, ALARMS, partition)
        if record.headers["ce_type"] == "crosscurrent.alarm-change"
        and (key := _key(AlarmChange.model_validate_json(record.value))) in published
        and published[key] >= begun
    )
    ms = [round(1000 * delay, 1) for delay in delays]
    return {
        "publish_to_alarm_readings_per_second": round(len(published) / (times[-1] - times[0])),
        "publish_to_alarm_alarms": len(ms),
        "publish_to_alarm_ms_p50": ms[len(ms) // 2],
        "publish_to_alarm_ms_p99": ms[len(ms) * 99 // 100],
        "publish_to_alarm_ms_max": ms[-1],
    }


def _readings_of(city: Path, messages: list[Message], most: int) -> list[list[tuple[str, int]]]:
    """Sensor and time of the readings in each message, until there are so many."""
    intake, found, count = Intake(load_city(city)), [], 0
    for message in messages:
        keys = [
            key
            for record in intake.step([message]).records
            if isinstance(record, Frame)
            for key in zip(record.sensors, record.at, strict=True)
        ]
        found.append(keys)
        count += len(keys)
        if count >= most:
            break
    return found


def _until_quiet(ends: Ends) -> None:
    """Return when nothing more comes."""
    seen: Counter[int] = Counter()

    def quiet() -> bool:
        time.sleep(0.5)
        seen[ends.total()] += 1
        return max(seen.values()) > 3

    wait_until(quiet, "all readings")


def _key(change: AlarmChange) -> tuple[str, int]:
    return (change.alarm.sensor or "", change.known_at)
