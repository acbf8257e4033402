"""Readings to InfluxDB, confirmed: our writer beside influxdb-client's own.

Both write riverton's storms (days in a row) as the same points, with the same tags and two fields, to the
same InfluxDB, each round into an organisation of its own, in turns. The clock stops when InfluxDB has
confirmed the last point; then the points are counted: all must be there. Ours goes from frames to lines to
writes of ten thousand, one after the other. The plain way is the library's batching writer (5,000 points, as
InfluxData advises), fed with a ``Point`` for each reading; it writes in a thread beside, and confirms when it
is closed.

Telegraf, where ``scripts/peers.sh telegraf_influx`` has built it, is given the same points as a file of line
protocol, which it parses and writes in batches of 10,000; its seconds count from its start to its end.

``ours_vs_influxdb_client`` and ``ours_vs_telegraf`` are ratios of points a second, medians of the rounds;
``..._cpu`` is that of our own processor's time a point, which depends less on what else the machine does.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from common import flags, machine, report
from influxdb_client import Point, WritePrecision
from influxdb_client.client.write_api import WriteOptions
from servers import CACHE, CITY, storm_days

from collectors.intake import Intake
from runner.influx.lines import Lines
from schemas.city import City
from schemas.cityfile import load_city
from schemas.points import RAW, READING
from schemas.readings import Frame
from tests.runner.influxhelp import OnInflux
from tests.servers import Influxd, free_ports

TELEGRAF = CACHE / "telegraf-influx-v1.37.2"
TELEGRAF_TOML = """
[agent]
  metric_batch_size = 10000
  metric_buffer_limit = {readings}
  omit_hostname = true
[[inputs.file]]
  files = ["{file}"]
  data_format = "influx"
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
  timeout = "60s"
"""
BATCH_FRAMES = 600
"""Frames that ours gathers before it writes: some ten thousand readings."""


class Round(NamedTuple):
    """Seconds on the clock, and of our own processor."""

    wall: float
    cpu: float


def ours(city: City, frames: list[Frame], influx: OnInflux) -> None:
    """As the sink does it."""
    lines, writer = Lines(city), influx.writer()
    for start in range(0, len(frames), BATCH_FRAMES):
        batch = [line for frame in frames[start : start + BATCH_FRAMES] for line in lines.frame(frame)]
        assert writer.write(RAW.name, batch) == []
    writer.close()


def plain(city: City, frames: list[Frame], influx: OnInflux) -> None:
    """As the library's documentation does it."""
    known = {sensor.id: (sensor, city.asset_by_id[sensor.asset]) for sensor in city.sensors}
    with (
        influx.settings(influx.token_file).client() as client,
        client.write_api(write_options=WriteOptions(batch_size=5_000, flush_interval=1_000)) as api,
    ):
        for frame in frames:
            for reading in frame.rows():
                sensor, asset = known[reading.sensor]
                api.write(
                    RAW.name,
                    influx.org,
                    Point(READING.name)
                    .tag("run", "live")
                    .tag("city", city.city)
                    .tag("utility", asset.utility.value)
                    .tag("zone", asset.zone)
                    .tag("asset", asset.id)
                    .tag("quantity", sensor.quantity)
                    .field("value", reading.value)
                    .field("quality", reading.quality)
                    .time(reading.at, WritePrecision.MS),
                )


def telegraf(_city: City, frames: list[Frame], influx: OnInflux) -> None:
    """As its own documentation does it, once through the file that lies beside the tokens."""
    file = influx.token_file.with_name("points.lp")
    config = influx.token_file.with_name("telegraf.toml")
    config.write_text(
        TELEGRAF_TOML.format(
            readings=sum(map(len, frames)),
            url=influx.influxd.address,
            token=influx.token_file.read_text().strip(),
            org=influx.org,
            bucket=RAW.name,
            file=file,
        )
    )
    subprocess.run([TELEGRAF, "--config", config, "--once"], check=True, capture_output=True)


def measure(
    write: Callable[[City, list[Frame], OnInflux], None], city: City, frames: list[Frame], influxd: Influxd
) -> Round:
    """Write all once into an organisation of its own, and see that all is there."""
    with tempfile.TemporaryDirectory() as folder:
        influx = OnInflux(influxd, Path(folder))
        if write is telegraf:
            lines = Lines(city)
            said = (f"{line}\n" for frame in frames for line in lines.frame(frame))
            Path(folder, "points.lp").write_text("".join(said))
        wall, cpu = time.perf_counter(), time.process_time()
        write(city, frames, influx)
        taken = Round(time.perf_counter() - wall, time.process_time() - cpu)
        due = {row[:2] for frame in frames for row in frame.rows()}
        assert len(influx.points(RAW, READING.name)) == len(due)
    return taken


def main() -> None:
    """Measure and tell."""
    args, before = (
        flags("Readings to InfluxDB, confirmed: our writer beside influxdb-client's own."),
        machine(),
    )
    city = load_city(CITY)
    messages = storm_days(1 if args.quick else 4)
    intake = Intake(city)
    records = [
        r for start in range(0, len(messages), 20) for r in intake.step(messages[start : start + 20]).records
    ]
    frames = [record for record in records if isinstance(record, Frame)]
    readings = sum(map(len, frames))
    sides = [ours, plain, *([telegraf] if TELEGRAF.exists() else [])]
    with tempfile.TemporaryDirectory() as folder, Influxd(Path(folder), free_ports(1)[0]) as influxd:
        rounds = [
            {side: measure(side, city, frames, influxd) for side in sides}
            for _ in range(2 if args.quick else 5)
        ]
    walls = {side: median(one[side].wall for one in rounds) for side in sides}
    cpus = {side: median(one[side].cpu for one in rounds) for side in sides}
    figures = {
        "readings": readings,
        "readings_a_frame": round(readings / len(frames), 1),
        "ours_points_per_second": round(readings / walls[ours]),
        "influxdb_client_points_per_second": round(readings / walls[plain]),
        "ours_cpu_us_per_point": round(cpus[ours] / readings * 1e6, 2),
        "influxdb_client_cpu_us_per_point": round(cpus[plain] / readings * 1e6, 2),
    }
    ratios = {
        "ours_vs_influxdb_client": round(median(one[plain].wall / one[ours].wall for one in rounds), 2),
        "ours_vs_influxdb_client_cpu": round(median(one[plain].cpu / one[ours].cpu for one in rounds), 2),
    }
    if telegraf in sides:
        figures["telegraf_points_per_second"] = round(readings / walls[telegraf])
        ratios["ours_vs_telegraf"] = round(median(one[telegraf].wall / one[ours].wall for one in rounds), 2)
    report("influx", before, figures, ratios, args.json)


if __name__ == "__main__":
    main()
