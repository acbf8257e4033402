"""The ways in which a certificate brings one input: rates, order, partitions, restarts, kills.

In:  a ``Subject``: a recording, a city model, rules, chance.
Out: what was told, as sorted lines by file.
The parts are those that run live: the embedded runner's log, store and processor; detection cut into parts
and merged as on Kafka.

What is compared: alarms, revisions of incidents, notifications and decisions, line by line. Where messages
come in another order, what an incident still expects is left out (it is counted from when it was told), and
so are revisions, pages, and alarms of silence and of fast clocks: they tell of when messages came.
"""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from pydantic import TypeAdapter

from alerts.desk import Desk
from collectors.intake import Intake
from collectors.messages import Message
from collectors.recording import Writer, read
from runner.core import Core, Outputs
from runner.labels import BadInput
from runner.log import Logged
from runner.model import Model
from runner.processor import BATCH_RECORDS, Processor
from runner.replay import RESULTS, Input, Recorded, Source, Thought, put_down
from runner.store import Retention, Store
from schemas.alarms import AlarmChange
from schemas.city import Sensor
from schemas.readings import Event, Frame, Tick
from schemas.times import MINUTE
from streams.causes import Causes
from streams.clock import ToldClock
from streams.correlation import Correlation
from streams.detect import Detector
from streams.merge import Merge
from streams.sites import Sorter, part_of, sites

PARTS = 4
OF_ARRIVAL = frozenset({"missing", "silent", "clock_ahead"})
"""Alarms that say when messages came, or did not: of other arrivals they are others."""
HELD_UP = 2 * MINUTE
CHUNK = 2_000
COMPARED = tuple(name for name in RESULTS if name != "incidents.jsonl")

Lines = Mapping[str, tuple[str, ...]]
"""By file: what was told, sorted, so that the order of keeping does not count."""
PACKAGES = str(Path(__file__).resolve().parents[1])
LAUNCH = f"import sys; sys.path.insert(0, {PACKAGES!r}); from runner.cli import main; sys.exit(main())"
"""Runs our command line in another process, from a checkout and from a wheel."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is put on trial."""

    recording: Path
    city: Path
    causes: Path | None
    model: Model
    rules: Causes
    seed: int
    scratch: Path

    def dice(self, name: str) -> Random:
        """Chance of a trial's own, the same for one seed."""
        return Random(f"{self.seed} {name}")  # noqa: S311 - dice that can be thrown again are wanted

    def core(self) -> Core:
        """A core as a replay makes it."""
        return Core(self.model.city, self.model.vocabulary, self.rules, self.model.policy)

    def records(self, name: str) -> Iterator[list[Frame | Event]]:
        """What the intake makes of the messages, in batches of any size."""
        dice, intake = self.dice(name), Intake(self.model.city)
        messages = read(self.recording, lambda *_: None)
        while batch := list(islice(messages, dice.randint(1, 300))):
            yield intake.step(batch).records


Run = Callable[[Subject], Lines]


def replayed(subject: Subject, source: Input, name: str) -> Lines:
    """What a replay of an input tells."""
    return _put_down(Thought(source, subject.core()), subject.scratch / name)


def _put_down(source: Source, out: Path) -> Lines:
    put_down(source, out)
    return _lines(out)


def _lines(out: Path) -> Lines:
    return {name: tuple(sorted((out / name).read_text(encoding="utf-8").splitlines())) for name in RESULTS}


class Batched:
    """A recording in batches of any size."""

    def __init__(self, subject: Subject) -> None:
        self.name, self.told, self.taken = subject.recording.name, False, 0
        self._subject = subject

    def records(self) -> Iterator[Logged]:
        """All of them, once."""
        for batch in self._subject.records("batches"):
            yield from batch

    def counts(self) -> dict[str, Any]:
        """Nothing is counted."""
        return {}

    def nothing(self) -> str:
        """What to say where nothing could be used."""
        return f"{self.name}: nothing to replay"


def _batches(subject: Subject) -> Lines:
    return replayed(subject, Batched(subject), "batches")


def _one_by_one(subject: Subject) -> Lines:
    source = Recorded(subject.recording, subject.model.city, fine=True)
    return replayed(subject, source, "one-by-one")


def _hash_seeds(subject: Subject) -> Lines:
    """Another process, in which Python's sets of text come in another order."""
    out = subject.scratch / "hash-seed"
    rules: list[object] = ["--causes", subject.causes] if subject.causes else []
    words = ["replay", subject.recording, "--city", subject.city, "--out", out, *rules]
    subprocess.run(
        [sys.executable, "-c", LAUNCH, *map(str, words)],
        env={**os.environ, "PYTHONHASHSEED": str(subject.dice("hash").randint(1, 4_000_000_000))},
        capture_output=True,
        check=True,
    )
    return _lines(out)


def _killed(subject: Subject) -> Lines:
    """The embedded runner's log and store: stopped now and then, and killed before it kept its state."""
    dice, folder = subject.dice("kills"), subject.scratch / "killed"
    model, rules = subject.model, subject.rules

    def opened() -> tuple[Store, Processor]:
        store = Store(folder)
        return store, Processor(model.city, model.vocabulary, store, Retention(), rules, model.policy)

    folder.mkdir()
    store, processor = opened()
    for records in subject.records("kills"):
        store.log.append(records)
        while processor.step():
            pass
        if dice.random() < 0.1:
            if dice.random() < 0.5:
                processor.save()
            store.close()
            store, processor = opened()
    if processor.stream_time is not None:
        store.log.append([Tick(at=processor.stream_time)])
    while processor.step():
        pass
    lines = _stored(store)
    store.close()
    return lines


def _stored(store: Store) -> Lines:
    told = {
        "alarms.jsonl": store.alarms(),
        "revisions.jsonl": store.revisions(),
        "notifications.jsonl": store.notifications(),
        "decisions.jsonl": store.decisions(),
    }
    return {name: tuple(sorted(one.model_dump_json() for one in found)) for name, found in told.items()}


class FromLog:
    """What a running city has processed of its log, thought about anew.

    Raises BadInput where the log does not go back to its beginning.
    """

    def __init__(self, store: Store, core: Core) -> None:
        self.name, self.city = str(store.folder), core.city.city
        self._store, self._core = store, core
        first = next((offset for offset, _ in store.log.read(0, 1)), 1)
        if first > 1:
            raise BadInput(
                f"{store.folder}: its log begins at record {first}; what it held before was dropped, so what "
                "ran live can't be told again; certify a younger folder"
            )

    @property
    def stream_time(self) -> int | None:
        """How far the input has got."""
        return self._core.stream_time

    def outputs(self) -> Iterator[Outputs]:
        """All that is said, up to where the city had got."""
        offset, end = 1, self._store.progress().offset
        while offset < end and (records := self._store.log.read(offset, min(BATCH_RECORDS, end - offset))):
            for at, record in records:
                yield self._core.step(record)
                offset = at + 1

    def counts(self) -> dict[str, Any]:
        """Nothing is counted."""
        return {}

    def nothing(self) -> str:
        """What to say where nothing could be used."""
        return f"{self.name}: nothing to replay: its log is empty"


def live(folder: Path, model: Model, rules: Causes, scratch: Path) -> tuple[Lines, Lines]:
    """What was told live, and what a replay of the log tells. Raises CannotRun where the folder is in use."""
    store = Store(folder)
    try:
        core = Core(model.city, model.vocabulary, rules, model.policy)
        return _stored(store), _put_down(FromLog(store, core), scratch / "live")
    finally:
        store.close()


class Interleaved:
    """Detection in parts, as partitions of Kafka carry it, that get ahead of each other by chance."""

    def __init__(self, subject: Subject) -> None:
        model = subject.model
        self.name, self.city = subject.recording.name, model.city.city
        self._subject, self._dice = subject, subject.dice("partitions")
        site_of = sites(model.city)
        self._part_of = {site: self._dice.randrange(PARTS) for site in sorted(set(site_of.values()))}
        sensors: dict[int, list[Sensor]] = {number: [] for number in sorted(set(self._part_of.values()))}
        for sensor in model.city.sensors:
            sensors[self._part_of[site_of[sensor.asset]]].append(sensor)
        self._detectors = {
            number: Detector(part_of(model.city, heard), model.vocabulary, clock=ToldClock(1))
            for number, heard in sensors.items()
        }
        self._sorter = Sorter(model.city, site_of)
        self._merge = Merge(self._detectors, TypeAdapter(AlarmChange))
        self._correlation = Correlation(model.city, subject.rules, model.vocabulary)
        self._desk = Desk(model.policy, model.city)

    @property
    def stream_time(self) -> int | None:
        """How far the input has got."""
        return self._sorter.clock.time

    def outputs(self) -> Iterator[Outputs]:
        """All that is said, to the end of the input."""
        chunk: list[Frame | Event] = []
        for records in self._subject.records("partitions"):
            chunk += records
            if len(chunk) >= CHUNK:
                yield from self._step(chunk)
                chunk = []
        yield from self._step(chunk)
        if (now := self.stream_time) is not None:  # what was waiting for time to move
            yield from self._take({number: deque([Tick(at=now)]) for number in self._detectors})

    def _step(self, records: list[Frame | Event]) -> Iterator[Outputs]:
        queues: dict[int, deque[Frame | Event | Tick]] = {number: deque() for number in self._detectors}
        for site, record in self._sorter.step(records):
            for number, queue in queues.items():
                if site is None or self._part_of[site] == number:
                    queue.append(record)
        yield from self._take(queues)

    def _take(self, queues: dict[int, deque[Any]]) -> Iterator[Outputs]:
        while waiting := [number for number, queue in queues.items() if queue]:
            number = self._dice.choice(waiting)
            for _ in range(min(self._dice.randint(1, 50), len(queues[number]))):
                for found in self._detectors[number].step(queues[number].popleft()):
                    self._merge.take(number, found)
            for changes, now in self._merge.rounds():
                yield self._round(changes, now)

    def _round(self, changes: list[AlarmChange], now: int) -> Outputs:
        outputs = Outputs()
        for change in changes:
            outputs.alarms.append(change)
            self._correlation.take(change)
            self._desk.note(change)
        for revision in self._correlation.look(now):
            outputs.incidents.append(revision)
            outputs.hear(self._desk.take(revision))
        outputs.hear(self._desk.look(now))
        return outputs

    def counts(self) -> dict[str, Any]:
        """Nothing is counted."""
        return {}

    def nothing(self) -> str:
        """What to say where nothing could be used."""
        return f"{self.name}: nothing to replay"


def _partitions(subject: Subject) -> Lines:
    return _put_down(Interleaved(subject), subject.scratch / "partitions")


def _held_up(subject: Subject) -> Lines:
    """Every message comes later by chance, up to HELD_UP, and so in another order."""
    dice = subject.dice("held up")
    path = subject.scratch / "held-up.jsonl"
    messages = [
        (message.received + dice.uniform(0, HELD_UP), number, message)
        for number, message in enumerate(read(subject.recording, lambda *_: None))
    ]
    with Writer(path) as writer:
        for came, _, message in sorted(messages, key=lambda one: one[:2]):
            writer.write(Message(int(came), message.topic, message.payload))
    return replayed(subject, Recorded(path, subject.model.city), "held-up")


def whole(lines: Lines) -> Lines:
    """All that is told."""
    return {name: lines[name] for name in COMPARED}


def _lasting(lines: Lines) -> Lines:
    """What does not depend on when messages came: no alarms about that, nothing that is still expected."""
    alarms = [json.loads(line) for line in lines["alarms.jsonl"]]
    incidents = [{**json.loads(line), "expected": None} for line in lines["incidents.jsonl"]]
    return {
        "alarms.jsonl": tuple(json.dumps(one) for one in alarms if one["condition"] not in OF_ARRIVAL),
        "incidents.jsonl": tuple(map(json.dumps, incidents)),
    }


TRIALS: tuple[tuple[str, str, Run, Callable[[Lines], Lines]], ...] = (
    ("batches", "messages in batches of any size, as at any rate", _batches, whole),
    ("one by one", "each moment by itself, as in a slow city", _one_by_one, whole),
    ("hash seed", "another process, another order of Python's sets", _hash_seeds, whole),
    ("kills", "the embedded runner, stopped and killed again and again", _killed, whole),
    ("partitions", f"detection in {PARTS} parts that get ahead of each other", _partitions, whole),
    ("held up", f"messages up to {HELD_UP // MINUTE} minutes late, in another order", _held_up, _lasting),
)
