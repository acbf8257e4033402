"""The archive: bytes a reading; how fast a replay reads and thinks, beside DuckDB's bare scan of its files.

A generated city of sensors that report once a minute, each with limits. The same Parquet files are scanned by
DuckDB (count, sum and largest time), read by us into frames, and replayed through detection and correlation.
The goal for a month of 10,000 sensors is 2 million readings a second on two cores, with detection in columns;
this measures the reducer that takes readings one by one, which is what there is. Rates are by seconds of a
core's time, for DuckDB too, so that a busy machine disturbs them little.
"""

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
from common import flags, machine, report

from runner.archive.manifests import Listed
from runner.archive.place import Place
from runner.archive.reading import Range, records_of
from runner.archive.writing import KeptModel, Received, Writer
from runner.core import Core
from schemas.city import Asset, City, Limits, Sensor, Utility
from schemas.readings import Frame
from schemas.times import MINUTE, parse_time
from schemas.vocabulary import load_vocabulary

START = parse_time("2025-06-02T00:00:00Z")
UTILITIES = (Utility.WATER, Utility.POWER, Utility.SEWAGE, Utility.STORM)


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


def received(city: City, minutes: int) -> Iterator[Received]:
    """Each minute a frame of every sensor: a walk in hundredths, that some leave now and then."""
    chance = np.random.default_rng(1)
    names = [sensor.id for sensor in city.sensors]
    values = np.full(len(names), 50.0)
    for minute in range(minutes):
        at = START + minute * MINUTE
        values = np.clip(values + chance.normal(0, 0.05, len(names)).round(2), 35, 65)
        shown = np.where(chance.random(len(names)) < 0.0002, 75.0, values).round(2)
        frame = Frame.model_construct(
            received=at,
            sensors=names,
            at=[at] * len(names),
            values=shown.tolist(),
            qualities=[0] * len(names),
        )
        yield Received(at, minute + 1, frame)


def scan(folder: Path) -> tuple[int, float]:
    """Rows, and the seconds of a core that DuckDB took to look at every value and time."""
    connection, began = duckdb.connect(config={"threads": 1}), time.process_time()
    files = f"{folder}/city=bench/readings/**/*.parquet"
    row = connection.execute(
        "SELECT count(*), sum(value), max(event_time) FROM read_parquet(?)", [files]
    ).fetchone()
    assert row is not None
    return int(row[0]), time.process_time() - began


def frames(place: Place) -> Iterator[Frame]:
    """What a replay reads."""
    for record in records_of(place, Listed(place, "bench").manifests, Range(), sys.exit):
        assert isinstance(record, Frame)
        yield record


def reading(place: Place) -> float:
    """Seconds for all frames."""
    began = time.process_time()
    for _ in frames(place):
        pass
    return time.process_time() - began


def replaying(place: Place, city: City) -> tuple[float, list[int]]:
    """Seconds through detection and correlation; the largest memory so far (KB), tenth by tenth."""
    core, began, seen = Core(city, load_vocabulary()), time.process_time(), 0
    memory: list[int] = []
    total = sum(one.numbers for one in Listed(place, "bench").manifests)
    for frame in frames(place):
        core.step(frame)
        seen += len(frame)
        if seen * 10 // total > len(memory):
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return time.process_time() - began, memory


def main() -> None:
    """Write, scan, read, replay; the scan and ours in turns."""
    args, before = flags(str(__doc__).splitlines()[0]), machine()
    city = city_of(2_000 if args.quick else 10_000)
    minutes = 120 if args.quick else 240
    with TemporaryDirectory() as scratch:
        place = Place(scratch)
        model = KeptModel(city, "bench", {"city.yaml": city.model_dump_json().encode()})
        began = time.process_time()
        written = list(Writer(place, model).add("bench", received(city, minutes)))
        writing = time.process_time() - began
        size = sum(file.bytes for one in written for file in one.files)
        scans = [scan(Path(scratch)) for _ in range(3)]
        readings = scans[0][0]
        read = min(reading(place) for _ in range(2))
        took, memory = replaying(place, city)
        scanned = min(seconds for _, seconds in [*scans, scan(Path(scratch))])
    figures = {
        "readings": readings,
        "bytes_per_reading": size / readings,
        "written_per_cpu_second": readings / writing,
        "read_per_cpu_second": readings / read,
        "replayed_per_cpu_second": readings / took,
        "duckdb_scanned_per_cpu_second": readings / scanned,
        "memory_after_a_fifth_mb": memory[1] / 1024,
        "memory_at_the_end_mb": memory[-1] / 1024,
    }
    report("archive", before, figures, {"ours_vs_duckdb_scan": scanned / took}, args.json)


if __name__ == "__main__":
    main()
