"""Replay: a recording through the whole of the thinking, into a folder of results.

In:  a recording, a city model.
Out: ``alarms.jsonl``, ``incidents.jsonl`` (as they stand in the end, oldest first), ``revisions.jsonl``,
     ``notifications.jsonl`` (in the order in which they were known) and ``summary.json``.
Promises: the same recording and model give the same bytes, at every run; files appear whole or not at all;
memory does not grow with the recording (what stands is kept on disk until the end).
"""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Literal, Protocol

from collectors.intake import Intake
from collectors.messages import Message
from collectors.recording import read
from runner.core import Core, Outputs
from runner.foresight import reliability
from runner.log import Logged
from runner.model import load_model
from runner.store import open_scratch, standing, write_standing
from schemas.city import City
from schemas.errors import CrosscurrentError
from schemas.incidents import IncidentRevision
from schemas.readings import Block, Tick
from schemas.times import rfc3339
from streams.causes import load_causes
from streams.tell import plain

BATCH = 1_000
FAULTS_MAX = 100
"""Broken lines that the summary lists; all are counted."""

Heard = Logged | Block
"""What a core takes: what logs hold, and blocks of an archive."""
Cutting = Literal["frames", "fine", "blocks"]
"""How an input cuts readings: in frames of some thousand; in a frame for each moment of receipt; in blocks,
for detection in columns, where it has columns.
"""
BLOCKS_FROM = 500
"""Sensors from which on columns are quicker than one reading after the other."""

OnProgress = Callable[[int, int | None], None]
"""Told the messages so far, and stream time."""


class NothingToReplay(CrosscurrentError):
    """The recording holds no message of this city."""


@dataclass(slots=True)
class Faults:
    """Lines of the recording that could not be used."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, line: int, what: str) -> None:
        """Count one, and keep it for the summary while there is room."""
        self.count += 1
        if len(self.first) < FAULTS_MAX:
            self.first.append(f"line {line}: {what}")


class Source(Protocol):
    """Where records come from, with the thinking that takes them."""

    name: str
    city: str

    @property
    def stream_time(self) -> int | None:
        """How far the input has got."""
        ...

    def outputs(self) -> Iterator[Outputs]:
        """All that is said of the records, in order, to the end of the input."""
        ...

    def counts(self) -> dict[str, Any]:
        """What the summary tells of the input."""
        ...

    def nothing(self) -> str:
        """What to say where nothing of the input could be used."""
        ...


def replay(
    recording: Path,
    city: Path,
    out: Path,
    on_progress: OnProgress | None = None,
    causes: Path | None = None,
    alerts: Path | None = None,
) -> dict[str, Any]:
    """Replay a recording under a city model into the folder ``out``; the summary, as it was written.

    ``causes`` is a file of rules in the place of ours, ``alerts`` an ``alerts.yaml`` in the place of the one
    beside the city model. Raises BadConfig for one of these files with faults, NothingToReplay where no
    message of the recording could be used, OSError where a file can't be read or written.
    """
    model, vocabulary, policy = load_model(city, alerts)
    core = Core(model, vocabulary, load_causes(causes) if causes else None, policy)
    return put_down(Thought(Recorded(recording, model), core, on_progress), out)


def put_down(source: Source, out: Path, tell: Callable[[Outputs], None] | None = None) -> dict[str, Any]:
    """Write all that is said of a source into the folder ``out``; the summary, as it was written. ``tell`` is
    told it too.

    Raises NothingToReplay where nothing of it could be used, OSError where a file can't be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".replay-", dir=out) as scratch:
        folder = Path(scratch)
        store = open_scratch(folder / "standing.sqlite")
        try:
            results = _Results(folder, store)
            try:
                for outputs in source.outputs():
                    results.take(outputs)
                    if tell:
                        tell(outputs)
            finally:
                results.close()
            _write_lines(folder / "alarms.jsonl", standing(store, "alarms"))
            _write_lines(folder / "incidents.jsonl", map(_without_history, standing(store, "incidents")))
            if source.stream_time is None:
                raise NothingToReplay(source.nothing())
            summary = _summary(source, store, folder, results.decided)
        finally:
            store.close()
        (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        for name in (*RESULTS, "summary.json"):
            (folder / name).replace(out / name)
    return summary


RESULTS = ("alarms.jsonl", "incidents.jsonl", "revisions.jsonl", "notifications.jsonl", "decisions.jsonl")


class _Results:
    """Where outputs go while they come: histories to their files, what stands to the store."""

    def __init__(self, folder: Path, store: sqlite3.Connection) -> None:
        self._store = store
        self._revisions = (folder / "revisions.jsonl").open("w", encoding="utf-8")
        self._notifications = (folder / "notifications.jsonl").open("w", encoding="utf-8")
        self.decided: Counter[str] = Counter()
        self._decisions = (folder / "decisions.jsonl").open("w", encoding="utf-8")

    def take(self, outputs: Outputs) -> None:
        _write(self._revisions, write_standing(self._store, outputs.alarms, outputs.incidents))
        _write(self._notifications, (n.model_dump_json() for n in outputs.notifications))
        self.decided.update(f"{d.stage} {d.verdict}" for d in outputs.decisions)
        _write(self._decisions, (d.model_dump_json() for d in outputs.decisions))

    def close(self) -> None:
        self._revisions.close()
        self._notifications.close()
        self._decisions.close()


class Input(Protocol):
    """Records in the order received, for one core."""

    name: str
    told: bool
    """Whether its stream time comes by ticks alone, as on Kafka (``Core(told=True)``)."""

    @property
    def taken(self) -> int:
        """Messages, or records, so far."""
        ...

    def records(self) -> Iterator[Heard]:
        """All of them, once."""
        ...

    def counts(self) -> dict[str, Any]:
        """What the summary tells of the input."""
        ...

    def nothing(self) -> str:
        """What to say where nothing of the input could be used."""
        ...


class Thought:
    """An input and one core. ``until``: end when an incident whose id begins so is told."""

    def __init__(
        self, source: Input, core: Core, on_progress: OnProgress | None = None, until: str | None = None
    ) -> None:
        self.name, self.city = source.name, core.city.city
        self._input, self._core, self._on_progress, self._until = source, core, on_progress, until
        self.incidents = 0
        """Told so far."""
        self.began: int | None = None
        """Stream time when it was first known."""
        self.met = False
        """Whether the incident came."""

    @property
    def stream_time(self) -> int | None:
        """How far the input has got."""
        return self._core.stream_time

    def outputs(self) -> Iterator[Outputs]:
        """All that is said of the records, in order, to the end of the input."""
        core = self._core
        for record in self._input.records():
            outputs = core.step(record)
            yield outputs
            if self.began is None:
                self.began = core.stream_time
            self.incidents += sum(one.change == "opened" for one in outputs.incidents)
            if self._until and any(one.id.startswith(self._until) for one in outputs.incidents):
                self.met = True
                return
            if self._on_progress:
                self._on_progress(self._input.taken, core.stream_time)
        if core.stream_time is not None:  # the end of the input: look at what was waiting for time to move
            yield core.step(Tick(at=core.stream_time))

    def counts(self) -> dict[str, Any]:
        """What the summary tells of the input, and of its readings."""
        counted = self._input.counts()
        return {**counted, "detect": dict(sorted(self._core.counts.items()))}

    def nothing(self) -> str:
        """What to say where nothing of the input could be used."""
        return self._input.nothing()


class Recorded:
    """A recording as an input; of it what was received from ``start`` to before ``end`` (ms; None: all).

    ``topic`` says which topics count; ``fine``: a frame is what came at one moment.
    """

    def __init__(
        self,
        path: Path,
        city: City,
        start: int | None = None,
        end: int | None = None,
        *,
        topic: Callable[[str], bool] | None = None,
        fine: bool = False,
    ) -> None:
        self.name, self.told = path.name, False
        self._path, self._start, self._end = path, start, end
        self._topic, self._fine = topic, fine
        self._intake, self._faults = Intake(city), Faults()
        self._times: tuple[int, int] | None = None
        """When the first and the last of all its messages were received, where some are asked for."""

    @property
    def taken(self) -> int:
        """Messages so far."""
        return self._intake.counts["messages"]

    def records(self) -> Iterator[Logged]:
        """All of them, once. Raises OSError where the file can't be read."""
        messages = read(self._path, self._faults.add)
        if (self._start, self._end, self._topic) != (None, None, None):
            messages = filter(self._asked_for, messages)
        for batch in moments(messages) if self._fine else batches(messages):
            yield from self._intake.step(batch).records

    def counts(self) -> dict[str, Any]:
        """What the intake counted, and broken lines."""
        return {
            "intake": dict(sorted(self._intake.counts.items())),
            "broken_lines": self._faults.count,
            "first_broken_lines": self._faults.first,
        }

    def nothing(self) -> str:
        """What to say where nothing of it could be used."""
        if self._times and not self.taken:
            there = f"{rfc3339(self._times[0])} to {rfc3339(self._times[1])}"
            return f"{self._path}: nothing to replay: nothing was received in the range; it holds {there}"
        return why_nothing(self._path, self._intake, self._faults)

    def _asked_for(self, message: Message) -> bool:
        at = message.received
        self._times = (min(self._times[0], at), max(self._times[1], at)) if self._times else (at, at)
        inside = (self._start is None or at >= self._start) and (self._end is None or at < self._end)
        return inside and (self._topic is None or self._topic(message.topic))


def batches(messages: Iterator[Message]) -> Iterator[list[Message]]:
    """Messages in lists of at most BATCH."""
    while batch := list(islice(messages, BATCH)):
        yield batch


def moments(messages: Iterator[Message]) -> Iterator[list[Message]]:
    """Messages in lists of what was received at one moment."""
    return (list(together) for _, together in groupby(messages, key=lambda message: message.received))


def _write(file: IO[str], lines: Iterable[str]) -> None:
    for line in lines:
        file.write(line + "\n")


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        _write(file, lines)


def _without_history(revision: str) -> str:
    """The incident in a revision: what stands, not how it came to stand."""
    return plain(IncidentRevision.model_validate_json(revision)).model_dump_json()


def why_nothing(recording: Path, intake: Intake, faults: Faults) -> str:
    """What to say of a recording without anything that could be used."""
    said = faults.first[:1] or [
        f"{intake.counts['messages']} messages, none with a reading that could be used"
    ]
    return f"{recording}: nothing to replay: {said[0]}; expected MQTT messages of this city, a line each"


def _summary(
    source: Source, store: sqlite3.Connection, folder: Path, decided: Counter[str]
) -> dict[str, Any]:
    """What happened, in figures. Nothing of the machine or its clock: the same bytes at every run."""
    by_utility: Counter[str] = Counter()
    alarms = 0
    for body in standing(store, "alarms"):
        alarms += 1
        by_utility[json.loads(body)["utility"]] += 1
    incidents = [IncidentRevision.model_validate_json(body) for body in standing(store, "incidents")]
    foretold = (one for incident in incidents for one in incident.foretold)
    return {
        "recording": source.name,
        "city": source.city,
        "until": rfc3339(source.stream_time or 0),
        "alarms": alarms,
        "alarms_by_utility": dict(sorted(by_utility.items())),
        "incidents": len(incidents),
        "roots": [f"{i.root.asset} {i.root.condition}" for i in incidents],
        "predictions": reliability(foretold).model_dump(mode="json"),
        "notifications": _lines_of(folder / "notifications.jsonl"),
        "decisions": dict(sorted(decided.items())),
        "revisions": _lines_of(folder / "revisions.jsonl"),
        **source.counts(),
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in RESULTS},
    }


def _lines_of(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
