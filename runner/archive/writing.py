"""Records into an archive: batches by day, files by utility.

In:  records in the order received, each with the time of its receipt; how far that is in their source.
Out: Parquet files and, last, a manifest for each batch. Memory is bounded by BATCH_ROWS.
Promises: adding goes on after a kill with the same batch: what was half done is written over.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from collectors.intake import Intake
from collectors.recording import OnFault, read
from runner.archive.manifests import NOWHERE, File, Listed, Manifest, day_of, folder_of, sha256
from runner.archive.place import Place
from runner.archive.tables import SCHEMAS, packed
from runner.log import Logged
from runner.model import BESIDE
from runner.replay import Heard, moments
from schemas.answers import Answer
from schemas.city import City
from schemas.readings import Block, Event, Frame, Tick

BATCH_ROWS = 262_144
"""A batch that fills is Python objects: about 150 MB. Compaction makes larger ones."""


class Received(NamedTuple):
    """A record, when it was received, and the place in its source after it."""

    received: int
    upto: int
    record: Logged


class KeptModel(NamedTuple):
    """A city model as the archive keeps it."""

    city: City
    digest: str
    texts: dict[str, bytes]

    @classmethod
    def of(cls, city: City, path: Path) -> "KeptModel":
        """The model in a file, with what lies beside it."""
        texts = {"city.yaml": path.read_bytes()}
        for name in BESIDE:
            if (there := path.with_name(name)).is_file():
                texts[name] = there.read_bytes()
        digests = "\n".join(f"{name} {sha256(text)}" for name, text in texts.items())
        return cls(city, sha256(digests.encode()), texts)


class Writer:
    """Adds to an archive. One at a time: two would give the same numbers.

    Raises BadArchive for an address that is none, OSError where the place can't be used.
    """

    def __init__(self, place: Place, model: KeptModel) -> None:
        self._place, self._model = place, model
        self._utility = {asset.id: str(asset.utility) for asset in model.city.assets}
        self._listed = Listed(place, model.city.city)
        self._next = self._listed.next
        for name, text in model.texts.items():
            place.put(f"{folder_of(model.city.city)}/models/{model.digest}/{name}", text)

    def reached(self, source: str) -> int:
        """How far into a source the archive has got; 0 where it has nothing of it."""
        return max((one.upto for one in self._listed.manifests if one.source == source), default=0)

    @property
    def newest_day(self) -> date | None:
        """The newest day of what was there when this was made; None for an empty archive."""
        return max((one.day for one in self._listed.manifests), default=None)

    def others(self, source: str, since: int) -> Manifest | None:
        """A batch of another source that was received since then (ms); None for none."""
        return next(
            (one for one in self._listed.manifests if one.source != source and one.end >= since), None
        )

    def add(self, source: str, records: Iterable[Received], *, told: bool = False) -> Iterator[Manifest]:
        """Write records of a source; yields each batch when it is in the archive. ``told``: its stream time
        comes by ticks alone.
        """
        for _, of_day in groupby(records, key=lambda one: day_of(one.received)):
            batch = _Batch(self._next, self._utility)
            for one in of_day:
                batch.take(one)
                if batch.numbers >= BATCH_ROWS:
                    yield self._write(source, batch, told)
                    batch = _Batch(self._next, self._utility)
            if batch.numbers:
                yield self._write(source, batch, told)

    def _write(self, source: str, batch: "_Batch", told: bool) -> Manifest:
        city = self._model.city.city
        day = day_of(batch.start)
        files = []
        for (kind, utility), rows in sorted(batch.rows.items()):
            path = f"{folder_of(city)}/{kind}/day={day}/utility={utility}/{batch.first:016}-0.parquet"
            content = packed(kind, rows)
            self._place.put(path, content)
            files.append(
                File(
                    path=path,
                    kind=kind,
                    utility=utility,
                    rows=len(rows["number"]),
                    bytes=len(content),
                    sha256=sha256(content),
                )
            )
        manifest = Manifest(
            city=city,
            model=self._model.digest,
            day=day,
            first=batch.first,
            numbers=batch.numbers,
            start=batch.start,
            end=batch.end,
            source=source,
            told=told,
            upto=batch.upto,
            files=tuple(files),
        )
        self._place.put(manifest.name, manifest.model_dump_json(indent=1).encode())
        self._next = manifest.next
        return manifest


class _Batch:
    """Columns that fill, by kind and utility."""

    def __init__(self, first: int, utility: dict[str, str]) -> None:
        self.first, self.numbers, self.start, self.end, self.upto = first, 0, 0, 0, 0
        self.rows: dict[tuple[str, str], dict[str, list[Any]]] = {}
        self._utility = utility

    def take(self, one: Received) -> None:
        """Add a record."""
        if not self.numbers:
            self.start = self.end = one.received
        self.start, self.end = min(self.start, one.received), max(self.end, one.received)
        self.upto = one.upto
        match one.record:
            case Frame() as frame:
                for sensor, at, value, quality in frame.rows():
                    asset = sensor.rpartition("/")[0]
                    self._row("readings", asset, (one.received, sensor, at, value, quality))
            case Event() as event:
                detail = msgspec.json.encode(event.detail).decode()
                self._row("events", event.asset, (one.received, event.asset, event.at, event.event, detail))
            case Tick() as tick:
                self._row("ticks", NOWHERE, (one.received, tick.at))
            case Answer() as answer:
                said = answer.model_dump_json()
                self._row("answers", NOWHERE, (one.received, answer.incident, answer.answer, answer.by, said))

    def _row(self, kind: str, asset: str, values: tuple[Any, ...]) -> None:
        key = kind, self._utility.get(asset, NOWHERE)
        rows = self.rows.setdefault(key, {name: [] for name in SCHEMAS[kind].names})
        for column, value in zip(rows.values(), (self.first + self.numbers, *values), strict=True):
            column.append(value)
        self.numbers += 1


def of_recording(path: Path, city: City, on_fault: OnFault) -> Iterator[Received]:
    """A recording's records as the archive keeps them: messages of one moment together.

    Raises OSError where it can't be read.
    """
    intake = Intake(city)
    number = 0
    for messages in moments(read(path, on_fault)):
        for record in intake.step(messages).records:
            number += 1
            yield Received(messages[0].received, number, record)


def of_kafka(records: Iterable[Heard]) -> Iterator[Received]:
    """What a Kafka holds as the archive keeps it; a tick is received when what came before it was."""
    received = 0
    for number, record in enumerate(records, 1):
        assert not isinstance(record, Block), "a Kafka holds frames"
        if isinstance(record, Frame | Event):
            received = max(received, record.received)
        if received:
            yield Received(received, number, record)
