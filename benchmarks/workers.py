"""Workers on Kafka, each in a process of its own: ours under both shells, and Quix Streams beside them.

Every worker finds its topic full, and is measured from its first record to its last.
"""

import json
import subprocess
import threading
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from common import ROOT
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from servers import CACHE

from collectors.intake import Intake
from collectors.messages import Message
from runner.kafka.faustworker import FaustWorker
from runner.kafka.plan import Plan
from runner.kafka.records import Layout, headers
from runner.kafka.settings import KafkaSettings, kafka_settings
from runner.kafka.stages import Output, Part, Record, Stage
from runner.kafka.topics import TopicTable
from runner.kafka.worker import Worker
from schemas.city import City
from schemas.cityfile import load_city
from schemas.readings import RECORD, Frame
from schemas.topics import ALARMS, READINGS
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from streams.sites import Sorter

QUIX = CACHE / "quixstreams-3.28.1" / "bin" / "python"
SHELLS: dict[str, type[Worker | FaustWorker]] = {"faust": FaustWorker, "kafka": Worker}
ENDLESS = float("inf")


class Took(NamedTuple):
    """From the first record to the last, one process."""

    seconds: float
    cpu_seconds: float


def limits_of(city: City) -> dict[str, tuple[float, float]]:
    """Low and high of each sensor; infinity where it has none."""
    return {
        sensor.id: (
            -ENDLESS if sensor.limits.low is None else sensor.limits.low,
            ENDLESS if sensor.limits.high is None else sensor.limits.high,
        )
        for sensor in city.sensors
    }


class LimitCheck:
    """A stage that does nothing but compare: what Quix Streams does in peers/quix.py."""

    name = "limits"
    source = READINGS
    partitions: Collection[int] = range(READINGS.partitions)

    def __init__(self, city: City) -> None:
        self._limits = limits_of(city)

    def part(self, _partition: int) -> Part:
        """The check on one partition."""
        return _LimitPart(self._limits)


class _LimitPart:
    stream_time: int | None = None
    counts: Mapping[str, int] = {}

    def __init__(self, limits: dict[str, tuple[float, float]]) -> None:
        self._limits = limits
        self._known: dict[str, tuple[int, bool]] = {}

    def step(self, record: Record) -> Iterator[Output]:
        frame = RECORD.validate_json(record.value)
        if not isinstance(frame, Frame):
            return
        known, limits = self._known, self._limits
        for sensor, at, value in zip(frame.sensors, frame.at, frame.values, strict=True):
            newest, raised = known.get(sensor, (-1, False))
            if at <= newest:
                continue
            low, high = limits[sensor]
            out = value < low or value > high
            known[sensor] = (at, out)
            if out != raised:
                said = json.dumps({"sensor": sensor, "at": at, "raised": out})
                yield Output(ALARMS, record.key, "limit", said.encode())

    def snapshot(self) -> dict[str, Any]:
        return self._known

    def restore(self, state: dict[str, Any]) -> None:
        self._known = {sensor: (at, out) for sensor, (at, out) in state.items()}


def now() -> tuple[float, float]:
    """The clock on the wall, and that of this process's work on all its threads."""
    return time.perf_counter(), time.process_time()


class _Watched:
    """A stage whose records are counted, and timed from the first to the last."""

    def __init__(self, stage: Stage, records: int) -> None:
        self.name, self.source, self.partitions = stage.name, stage.source, stage.partitions
        self.done = threading.Event()
        self.took = Took(0, 0)
        self._stage, self._left = stage, records
        self._began: tuple[float, float] | None = None

    def part(self, partition: int) -> Part | None:
        part = self._stage.part(partition)
        return None if part is None else _WatchedPart(part, self)

    def count(self) -> None:
        """A record is done. The clocks are read at the first and the last only: reading them is not free."""
        if self._began is None:
            self._began = now()
        self._left -= 1
        if not self._left:
            seconds, cpu_seconds = now()
            self.took = Took(seconds - self._began[0], cpu_seconds - self._began[1])
            self.done.set()


class _WatchedPart:
    def __init__(self, part: Part, watched: _Watched) -> None:
        self._part, self._watched = part, watched
        self.snapshot, self.restore = part.snapshot, part.restore
        self.stream_time, self.counts = None, part.counts

    def step(self, record: Record) -> Iterator[Output]:
        yield from self._part.step(record)
        self._watched.count()


def _work(address: str, prefix: str, city_file: Path, stage: str, shell: str, records: int) -> Took:
    settings = kafka_settings(address, {}, prefix=prefix)
    city = load_city(city_file)
    if stage == LimitCheck.name:
        watched = _Watched(LimitCheck(city), records)
    else:
        (detect,) = Plan(city, load_vocabulary(beside=city_file), load_causes(), settings).detect()
        watched = _Watched(detect, records)
    SHELLS[shell](settings, city.city, watched).run(watched.done)
    return watched.took


def quix(
    folder: Path,
    bootstrap: str,
    limits: dict[str, tuple[float, float]],
    rows: list[tuple[str, int, bytes]],
    name: str,
) -> Took:
    """Quix Streams (peers/quix.py) on records of a topic that is made and filled: key, partition, value.

    ``name`` begins with ``frames`` or ``single``: what the records are.
    """
    topic = f"{name}-{uuid.uuid4().hex[:8]}"
    output = f"alarms-{topic}"
    file = folder / "limits.json"
    file.write_text(json.dumps(limits))
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(topic, READINGS.partitions), NewTopic(output, 1)]).values():
        made.result(10)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    for key, partition, value in rows:
        put(producer, topic, partition, key, value, None)
    producer.flush()
    script = ROOT / "benchmarks" / "peers" / "quix.py"
    done = subprocess.run(
        [str(QUIX), str(script), bootstrap, topic, output, str(len(rows)), str(file)],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # warnings about its own imports
        text=True,
    )
    return Took(**json.loads(done.stdout.splitlines()[-1]))


def put(producer: Producer, topic: str, partition: int, key: str, value: bytes, more: Any) -> None:
    """Write a record, as soon as there is room."""
    while True:
        try:
            producer.produce(topic, value, key, partition, headers=more)
            return
        except BufferError:
            producer.poll(0.1)


class Workers:
    """A city's readings on topics of one Kafka, and workers on them."""

    def __init__(
        self, folder: Path, address: str, city_file: Path, messages: list[Message], batch: int
    ) -> None:
        """``batch``: how many messages the collector had gathered for each of its transactions."""
        self._folder, self._city_file = folder, city_file
        self._city = load_city(city_file)
        self._settings = kafka_settings(address, {})
        self._producer = Producer(self._settings.librdkafka({"linger.ms": 20}))
        self._messages, self._batch = messages, batch
        records = list(self._sorted())
        self.readings = sum(len(r.sensors) for _, _, r in records if isinstance(r, Frame))
        self.frames = sum(isinstance(r, Frame) for _, _, r in records)
        self._all = [(key, partition, r.model_dump_json().encode(), r.kind) for key, partition, r in records]
        self._rows = [row for _, _, r in records if isinstance(r, Frame) for row in r.rows()]

    def _sorted(self) -> Iterator[tuple[str, int, Any]]:
        """What the collector would write: key, partition, record."""
        layout = Layout(self._city, READINGS.partitions)
        intake, sorter = Intake(self._city), Sorter(self._city, layout.site_of)
        for start in range(0, len(self._messages), self._batch):
            batch = intake.step(self._messages[start : start + self._batch])
            for site, record in sorter.step(batch.records):
                if site is None:
                    yield from ((self._city.city, partition, record) for partition in layout.sensors)
                else:
                    yield layout.key(site), layout.partition_of[site], record

    def ours(self, stage: str, shell: str, workers: int = 1) -> list[Took]:
        """So many workers, each on topics of its own with the whole of the readings, side by side.

        ``stage``: ``limits`` (``LimitCheck``) or ``detect``.
        """
        with ProcessPoolExecutor(workers, get_context("spawn")) as processes:
            jobs = []
            for _ in range(workers):
                settings = self._topics()
                only = "frame" if stage == LimitCheck.name else ""
                records = self._fill(settings, only)
                arguments = (settings.address, settings.prefix, self._city_file, stage, shell, records)
                jobs.append(arguments)
            found = [processes.submit(_work, *arguments) for arguments in jobs]
            return [one.result() for one in found]

    def quix(self, *, frames: bool) -> Took:
        """Quix Streams on the same readings, in frames or one a record."""
        if frames:
            rows = [(key, partition, value) for key, partition, value, kind in self._all if kind == "frame"]
        else:
            rows = [
                (
                    row.sensor,
                    -1,
                    json.dumps({"sensor": row.sensor, "at": row.at, "value": row.value}).encode(),
                )
                for row in self._rows
            ]
        name = "frames" if frames else "single"
        return quix(self._folder, self._settings.bootstrap, limits_of(self._city), rows, name)

    def _topics(self) -> KafkaSettings:
        settings = kafka_settings(self._settings.address, {}, prefix=f"{uuid.uuid4().hex[:8]}.")
        table = TopicTable(settings)
        table.create()
        table.close()
        return settings

    def _fill(self, settings: KafkaSettings, only: str) -> int:
        """Write all, or records of one kind; how many."""
        name = settings.name(READINGS)
        wanted = [record for record in self._all if only in {"", record[3]}]
        for number, (key, partition, value, kind) in enumerate(wanted):
            put(
                self._producer,
                name,
                partition,
                key,
                value,
                headers(kind, "/collect/benchmark/1", str(number)),
            )
        self._producer.flush()
        return len(wanted)
