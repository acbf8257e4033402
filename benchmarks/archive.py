"""The archive: a month of 10,000 sensors through detection and correlation, beside DuckDB and Quix Streams.

A generated city of sensors that report once a minute, each with limits; one reading in a hundred thousand is
out of them (an alarm in ten minutes, what ISA-18.2 allows an operator). The same Parquet files are scanned by
DuckDB (count, sum and largest time), read by us, and replayed through detection in columns and correlation; a
part of them also one by one. Quix Streams does a bare limit check on readings of the same city, one a record,
out of a real Kafka. The goal is 2 million readings a second on two cores.

Rates are by seconds of a core's time, for all, so that a busy machine disturbs them little; replaying is told
by the clock on the wall as well. ``memory_...``: the most that this process ever had, after the first day (of
less than ten days: the first tenth) and at the end. ``--days N`` takes another span than 30 days; ``--quick``
takes three hours.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from common import ROOT, machine, report
from numpy.typing import NDArray

from runner.archive.manifests import File, Listed, Manifest, day_of, folder_of, sha256
from runner.archive.place import Place
from runner.archive.reading import Range, records_of
from runner.archive.tables import SCHEMAS, packed_table
from runner.archive.writing import KeptModel, Writer
from runner.core import Core
from runner.replay import Cutting, Heard
from schemas.city import Asset, City, Limits, Sensor, Utility
from schemas.readings import Block, Frame
from schemas.times import MINUTE, parse_time
from schemas.vocabulary import load_vocabulary

START = parse_time("2025-06-02T00:00:00Z")
UTILITIES = (Utility.WATER, Utility.POWER, Utility.SEWAGE, Utility.STORM)
SENSORS = 10_000
PART = 180
"""Minutes that are written at once."""
OUT = 1e-5
"""Share of readings beyond their limits."""
ONE_BY_ONE = 600_000
"""Readings of which the rate one by one is taken."""
QUIX = 60_000


def city_of(count: int) -> City:
    """So many sensors of pressure, spread over utilities and zones of twenty."""
    assets = tuple(
        Asset(id=f"point-{n}", utility=UTILITIES[n % 4], kind="logger", zone=f"zone-{n // 80}")
        for n in range(count)
    )
    sensors = tuple(
        Sensor(
            asset=asset.id,
            quantity="pressure",
            unit="m",
            every=60,
            limits=Limits(low=30, high=70),
            deadband=0.5,
        )
        for asset in assets
    )
    return City(city="bench", timezone="UTC", assets=assets, sensors=sensors)


def write(place: Place, city: City, minutes: int) -> int:
    """Each minute a reading of every sensor, a daily course with noise in hundredths; bytes. As a compacted
    archive has it. The course stays where it is for months: a walk would drift to a limit and stand there.
    """
    model = KeptModel(city, "bench", {"city.yaml": city.model_dump_json().encode()})
    Writer(place, model)
    chance, count = np.random.default_rng(1), len(city.sensors)
    phase, size = chance.uniform(0, 2 * np.pi, count), 0
    for begin in range(0, minutes, PART):
        at = np.arange(begin, min(begin + PART, minutes))[:, None]
        values = 50 + 3 * np.sin(2 * np.pi * at / 1440 + phase) + chance.normal(0, 0.05, (len(at), count))
        values[chance.random(values.shape) < OUT] = 75.0
        size += _write_part(place, city, begin, values.round(2))
    return size


def _write_part(place: Place, city: City, begin: int, values: NDArray[np.float64]) -> int:
    rows, count = values.shape
    numbers = np.arange(values.size).reshape(values.shape) + begin * count
    at = np.repeat(START + (begin + np.arange(rows)) * MINUTE, count).reshape(values.shape)
    day, files = day_of(int(at[0, 0])), []
    for own, utility in enumerate(UTILITIES):
        part = np.s_[:, own::4]
        names = [sensor.id for sensor in city.sensors[own::4]]
        which = np.tile(np.arange(len(names), dtype=np.int32), rows)
        times = pa.array(at[part].ravel()).cast(SCHEMAS["readings"].field("event_time").type)
        columns = {
            "number": numbers[part].ravel(),
            "received": times,
            "sensor": pa.DictionaryArray.from_arrays(which, names),
            "event_time": times,
            "value": values[part].ravel(),
            "quality": np.zeros(len(which), np.uint8),
        }
        content = packed_table(pa.table(columns, schema=SCHEMAS["readings"]))
        files.append(_put(place, day, str(utility), begin * count, len(which), content))
    manifest = Manifest(
        city="bench",
        model="bench",
        day=day,
        first=begin * count,
        numbers=values.size,
        start=int(at[0, 0]),
        end=int(at[-1, 0]),
        source="bench",
        upto=begin + rows,
        files=tuple(files),
    )
    place.put(manifest.name, manifest.model_dump_json().encode())
    return sum(file.bytes for file in files)


def _put(place: Place, day: date, utility: str, first: int, rows: int, content: bytes) -> File:
    path = f"{folder_of('bench')}/readings/day={day}/utility={utility}/{first:016}-1.parquet"
    place.put(path, content)
    return File(
        path=path, kind="readings", utility=utility, rows=rows, bytes=len(content), sha256=sha256(content)
    )


def scan(folder: Path) -> tuple[int, float]:
    """Rows, and the seconds of a core that DuckDB took to look at every value and time."""
    connection, began = duckdb.connect(config={"threads": 1}), time.process_time()
    files = f"{folder}/city=bench/readings/**/*.parquet"
    row = connection.execute(
        "SELECT count(*), sum(value), max(event_time) FROM read_parquet(?)", [files]
    ).fetchone()
    assert row is not None
    return int(row[0]), time.process_time() - began


def heard(place: Place, cutting: Cutting) -> Iterator[Heard]:
    """What a replay reads."""
    return records_of(place, Listed(place, "bench").manifests, Range(), sys.exit, cutting)


def reading(place: Place) -> float:
    """Seconds of a core for all blocks."""
    began = time.process_time()
    for _ in heard(place, "blocks"):
        pass
    return time.process_time() - began


class Replayed(NamedTuple):
    """What a replay took."""

    readings: int
    cpu_seconds: float
    seconds: float
    alarms: int
    incidents: int
    memory: list[float]
    """The largest so far (MB), day by day; of less than a day in tenths."""


def replaying(place: Place, city: City, cutting: Cutting, most: int, step: int) -> Replayed:
    """Through detection and correlation; memory each ``step`` readings."""
    core, seen, alarms, incidents = Core(city, load_vocabulary()), 0, 0, 0
    memory: list[float] = []
    began, began_cpu = time.perf_counter(), time.process_time()
    for record in heard(place, cutting):
        outputs = core.step(record)
        alarms += sum(one.change == "raised" for one in outputs.alarms)
        incidents += sum(one.change == "opened" for one in outputs.incidents)
        assert isinstance(record, Frame | Block)
        seen += record.size if isinstance(record, Block) else len(record)
        if seen // step > len(memory):
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            spent = time.process_time() - began_cpu
            print(f"{seen:,} readings, {spent:.0f} s of a core, {memory[-1]:.0f} MB", file=sys.stderr)
        if seen >= most:
            break
    took = time.perf_counter() - began, time.process_time() - began_cpu
    return Replayed(seen, took[1], took[0], alarms, incidents, memory)


def quix_rate(city: City, folder: Path) -> float:
    """Readings a second of a core: a limit check with state by Quix Streams, one reading a record."""
    from workers import limits_of, quix

    from tests.servers import Kafka, free_ports

    subprocess.run([ROOT / "scripts" / "peers.sh", "quixstreams"], check=True, stdout=sys.stderr)
    names = [sensor.id for sensor in city.sensors]
    rows = [
        (
            name,
            -1,
            json.dumps({"sensor": name, "at": START + n // len(names) * MINUTE, "value": 50.0}).encode(),
        )
        for n in range(QUIX)
        for name in (names[n % len(names)],)
    ]
    with Kafka(folder, *free_ports(2)) as kafka:
        took = quix(folder, kafka.bootstrap, limits_of(city), rows, "single")
    return QUIX / took.cpu_seconds


def main() -> None:
    """Write, scan, read, replay; the scan and ours in turns."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--days", type=float, default=30, help="of readings (30: 432 million)")
    parser.add_argument("--quick", action="store_true", help="three hours of readings")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    args, before = parser.parse_args(), machine()
    minutes = 180 if args.quick else round(args.days * 1440)
    city = city_of(SENSORS)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "archive"
        place = Place(str(folder))
        quix = quix_rate(city, Path(scratch))
        size = write(place, city, minutes)
        readings, scanned = scan(folder)
        step = min(1440 * SENSORS, readings // 10)
        ours = replaying(place, city, "blocks", readings, step)
        scanned = min(scanned, scan(folder)[1])
        read = reading(place)
        single = replaying(place, city, "frames", ONE_BY_ONE, step)
    rate = ours.readings / ours.cpu_seconds
    figures = {
        "readings": readings,
        "bytes_per_reading": size / readings,
        "alarms": ours.alarms,
        "incidents": ours.incidents,
        "replayed_per_cpu_second": rate,
        "replayed_per_second_of_the_wall": ours.readings / ours.seconds,
        "replayed_one_by_one_per_cpu_second": single.readings / single.cpu_seconds,
        "read_per_cpu_second": readings / read,
        "duckdb_scanned_per_cpu_second": readings / scanned,
        "quixstreams_limit_check_per_cpu_second": quix,
        "memory_after_the_first_mb": ours.memory[0],
        "memory_at_the_end_mb": ours.memory[-1],
    }
    ratios = {
        "ours_vs_duckdb_scan": rate / (readings / scanned),
        "ours_vs_quixstreams": rate / quix,
        "columns_vs_one_by_one": rate / (single.readings / single.cpu_seconds),
    }
    report("archive", before, figures, ratios, args.json)


if __name__ == "__main__":
    main()
