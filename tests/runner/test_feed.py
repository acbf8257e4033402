"""The embedded runner writes to a real InfluxDB: what the folder holds is there, whatever was killed.

CROSSCURRENT_CHAOS_ROUNDS=10 (``make chaos``) kills the runner and InfluxDB ten times each.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.embedded import Embedded
from runner.influx.lines import Fact, Lines
from runner.influx.settings import InfluxFailed
from schemas.cityfile import load_city
from schemas.points import RAW, READING
from schemas.vocabulary import load_vocabulary
from tests.runner.influxhelp import OnInflux, points_of
from tests.runner.kafkahelp import ROOT, wait_until
from tests.runner.storm import CITY
from tests.runner.test_kill import ALL_TIMES, Sensors, storm
from tests.servers import Influxd, free_ports

ROUNDS = int(os.environ.get("CROSSCURRENT_CHAOS_ROUNDS", "2"))
SEED = 20250604


@contextmanager
def up(folder: Path, port: int, influx: OnInflux) -> Iterator[subprocess.Popen[bytes]]:
    """A real ``crosscurrent up``, killed in the end."""
    command = [
        *(sys.executable, str(ROOT / "crosscurrent.py"), "up", "--no-console", "--city", str(CITY)),
        *("--data", str(folder), "--mqtt-port", str(port), "--influx", influx.influxd.address),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | influx.variables) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def here(folder: Path, port: int, influx: OnInflux | None) -> Iterator[Embedded]:
    """The runner in this process."""
    embedded = Embedded(
        load_city(CITY),
        load_vocabulary(beside=CITY),
        folder,
        mqtt_port=port,
        influx=influx.settings(influx.token_file) if influx else None,
    )
    embedded.start()
    try:
        yield embedded
    finally:
        embedded.stop()


def differences(influx: OnInflux, embedded: Embedded) -> list[str]:
    """What is in the folder and not in InfluxDB, or there and other; alarms that were retracted aside."""
    store, lines = embedded.store, Lines(embedded.city)
    facts: list[Fact] = [*store.revisions(), *store.notifications()]
    due = points_of(line for fact in facts for line in lines.of(fact))
    there = {name: influx.everything()[name] for name in [*due, "alarm", "reading"]}
    found = [
        f"{name}: {len(due[name])} due, {len(there[name])} there" for name in due if due[name] != there[name]
    ]
    alarms = {alarm.id: alarm.cleared or 0 for alarm in store.alarms()}
    stand = {one["id"]: one["cleared"] for one in there["alarm"].values() if one["state"] != "retracted"}
    if alarms != stand:
        found.append(f"alarm: {len(alarms)} due, {len(stand)} there")
    readings = {
        (sensor, at * 1_000_000, value)
        for sensor in embedded.city.sensor_by_id
        for _, at, value, _ in store.readings(sensor, *ALL_TIMES)
    }
    tags = {series: json.loads(series) for series, _ in there["reading"]}
    if readings != {
        (f"{tags[series]['asset']}/{tags[series]['quantity']}", stamp, fields["value"])
        for (series, stamp), fields in there["reading"].items()
    }:
        found.append(f"reading: {len(readings)} due, {len(there['reading'])} there")
    return found


def test_what_the_folder_holds_is_in_influxdb_over_kills_of_both(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """A folder that had no InfluxDB at first gets one; runner and InfluxDB are killed; nothing is missing."""
    chance = random.Random(SEED)
    messages, folder, port = list(storm()), tmp_path / "data", free_port()
    before = len(messages) // 4
    with here(folder, port, None) as embedded:
        sensors = Sensors(port, messages[:before])
        sensors.wait_for(before)
        sensors.leave()
        wait_until(lambda: embedded.lag == 0, "all is processed")
    (tmp_path / "influxd").mkdir()
    with Influxd(tmp_path / "influxd", free_ports(1)[0]) as influxd:
        influx = OnInflux(influxd, tmp_path)
        messages = messages[before:]
        sensors = Sensors(port, messages)
        moments = sorted(chance.sample(range(50, len(messages) - 500), 2 * ROUNDS))
        for kill in range(ROUNDS):
            with up(folder, port, influx) as process:
                sensors.wait_for(moments[2 * kill])
                influxd.kill()
                sensors.wait_for(moments[2 * kill + 1])
                influxd.start()
                time.sleep(chance.uniform(0, 0.5))
                process.kill()
        with here(folder, port, influx) as embedded:
            sensors.wait_for(len(messages))
            sensors.leave()
            wait_until(lambda: embedded.lag == 0 and not differences(influx, embedded), "all points")
            assert embedded.status().buffers[0].waiting == 0


def test_a_watched_city_does_not_wait_for_influxdb(
    tmp_path: Path, free_port: Callable[[], int], influxd: Influxd
) -> None:
    """One that is away costs nothing but delay, and no longer a stop; a token that is none is told."""
    influx, port = OnInflux(influxd, tmp_path), free_port()
    away = Influxd(tmp_path, free_ports(1)[0])  # never started
    messages = list(storm())[:500]
    embedded = Embedded(
        load_city(CITY),
        load_vocabulary(beside=CITY),
        tmp_path / "data",
        mqtt_port=port,
        influx=influx.settings(influx.token_file).model_copy(update={"url": away.address}),
    )
    embedded.start()
    sensors = Sensors(port, messages)
    sensors.wait_for(len(messages))
    sensors.leave()
    wait_until(lambda: embedded.lag == 0, "all is processed")
    began = time.monotonic()
    embedded.stop()

    assert time.monotonic() - began < 5
    assert influx.points(RAW, READING.name) == {}
    with here(tmp_path / "data", port, influx):
        wait_until(lambda: len(influx.points(RAW, READING.name)) > 500, "it came later")
    influx.token_file.write_text("none\n")
    with pytest.raises(InfluxFailed, match="does not let us write"):
        Embedded(
            load_city(CITY),
            load_vocabulary(beside=CITY),
            tmp_path / "data",
            influx=influx.settings(influx.token_file),
        )
