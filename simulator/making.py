"""A scenario and a seed to a recording with its truth.

In:  a town, a scenario, a seed.
Out: ``city.yaml``, ``NAME.jsonl.gz`` and ``NAME.labels.json`` in a folder.

Promises: the same scenario, seed and versions of the engines give the same bytes; files appear whole or not
at all; memory does not grow with the length of the scenario (true values wait on disk, messages leave as they
come), unless the scenario has faults of the stream.
"""

import gzip
import json
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.times import MINUTE, rfc3339
from simulator.background import ordinary
from simulator.engines import WaterLost
from simulator.physics import Town
from simulator.run import Mark, Run, Twin
from simulator.scenario import Injection, Scenario
from simulator.sensors import Sensors, announcements, carried
from simulator.streamfaults import Sent, StreamFaults, apply
from simulator.trouble import KINDS
from simulator.truth import Effect, Judged, Passed, couplings, effects, first_observable, labels

OnProgress = Callable[[str], None]
"""Told in words what is being done."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was written, and how many messages it holds."""

    recording: Path
    labels: Path
    city: Path
    messages: int

    def told(self) -> list[str]:
        """The labels in short: a line for each cause."""
        truth = json.loads(self.labels.read_text(encoding="utf-8"))
        lines = []
        for one in [*truth["incidents"], *truth["unobservable"]]:
            cause, seen = one["cause"], one["first_observable"]
            shows = (
                f"shows from {seen[11:16]} at {one['first_sensor']}" if seen else "no sensor ever shows it"
            )
            lines.append(
                f"{cause['start'][:16]} {cause['kind']} at {cause['asset']}: "
                f"{len(one['effects'])} assets; {shows}"
            )
        return lines


@dataclass(slots=True)
class _Day:
    """A run as it lies on disk."""

    signals: list[tuple[str, str]]
    true: NDArray[np.float32]
    shown: NDArray[np.float32]
    marks: list[Mark]


def make(
    town: Town,
    scenario: Scenario,
    seed: int,
    out: Path,
    on_progress: OnProgress = lambda _: None,
    *,
    links: bool = False,
) -> Made:
    """Simulate and write into the folder ``out``; with ``links`` also which couplings each cause passed.

    Where SWMM loses too much water, the day and its twins are run again with half the routing step. Raises
    EngineFailed where that loses too much as well (what may be lost is in ``simulator.run``).
    """
    try:
        return _make(town, scenario, seed, out, on_progress, links=links)
    except WaterLost as error:
        on_progress(f"{error}; all again")
        return _make(replace(town, lost=error.share), scenario, seed, out, on_progress, links=links)


def _make(
    town: Town, scenario: Scenario, seed: int, out: Path, on_progress: OnProgress, *, links: bool
) -> Made:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".making-") as folder:
        work = Path(folder)
        name = scenario.scenario
        on_progress("the day")
        day, rows = _stored(town, scenario, seed, Twin(), work / "day")
        messages, faults = _record(town, scenario, seed, day, rows, work / f"{name}.jsonl.gz")
        judged: list[Judged] = []
        for number, injection in enumerate(scenario.injections):
            if KINDS[injection.kind].process:
                on_progress(f"its twin without {injection.kind} at {injection.asset}")
                since = max((injection.begins(scenario.start) - scenario.start) // MINUTE, 0)
                twin = _ran(town, scenario, seed, Twin(frozenset({number})), work / "twin")
                found = effects(town.city, day.signals, day.true, twin.true, since, injection.asset)
                judged.append(
                    Judged(
                        injection,
                        found,
                        first_observable(town.city, day.signals, day.shown, twin.shown, since),
                        [mark for mark in day.marks if mark not in twin.marks],
                    )
                )
                if links:
                    judged[-1].through += _through(
                        town, scenario, seed, number, since, found, work, on_progress
                    )
        told = labels(town.city, scenario, judged)
        truth = {
            "recording": f"{name}.jsonl.gz",
            "city": town.name,
            "seed": seed,
            "start": rfc3339(scenario.start),
            "hours": scenario.hours,
            "messages": messages,
            "incidents": [one for one in told if one["first_observable"]],
            "unobservable": [one for one in told if not one["first_observable"]],
            "marks": [_mark(scenario, mark) for mark in day.marks],
            "sensor_faults": [
                _sensor_fault(scenario, one)
                for one in scenario.injections
                if KINDS[one.kind].nature == "measuring"
            ],
            "stream_faults": faults,
        }  # fmt: skip - as it stands in the file
        (work / f"{name}.labels.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
        shutil.copyfile(town.folder / "city.yaml", work / "city.yaml")
        made = [out / file for file in (f"{name}.jsonl.gz", f"{name}.labels.json", "city.yaml")]
        for path in made:
            (work / path.name).replace(path)
    return Made(made[0], made[1], made[2], messages)


def _through(
    town: Town,
    scenario: Scenario,
    seed: int,
    number: int,
    since: int,
    found: list[Effect],
    work: Path,
    on_progress: OnProgress,
) -> list[Passed]:
    """The couplings that a cause passed: without one of them, some assets are out of its reach."""
    cause = scenario.injections[number].asset
    passed = []
    for link in couplings(town.city, {cause, *(effect.asset for effect in found)}):
        on_progress(f"its twins without {link.source} {link.relation} {link.target}")
        cut = frozenset({(link.source, link.target, link.relation)})
        day = _ran(town, scenario, seed, Twin(cut=cut), work / "cut")
        twin = _ran(town, scenario, seed, Twin(frozenset({number}), cut), work / "twin")
        left = {one.asset for one in effects(town.city, day.signals, day.true, twin.true, since, cause)}
        if carries := [effect.asset for effect in found if effect.asset not in left]:
            passed.append(Passed(link, carries))
    return passed


def rows_of(
    town: Town, scenario: Scenario, seed: int, twin: Twin | None = None
) -> tuple[Run, NDArray[np.float64]]:
    """A run in memory, for a day or so: the run with its signals and marks, and its true values by minute."""
    run = Run(town, scenario, seed, twin)
    return run, np.array(list(run.rows()))


def _ran(town: Town, scenario: Scenario, seed: int, twin: Twin, path: Path) -> _Day:
    """A whole run, on disk."""
    day, rows = _stored(town, scenario, seed, twin, path)
    deque(rows, maxlen=0)
    return day


def _stored(
    town: Town, scenario: Scenario, seed: int, twin: Twin, path: Path
) -> tuple[_Day, Iterator[NDArray[np.float64]]]:
    """A run whose rows are kept on disk as they are drawn; shown rows come out, minute by minute."""
    run = Run(town, scenario, seed, twin)
    day = _Day(run.signals, np.empty((0, 0), np.float32), np.empty((0, 0), np.float32), run.marks)

    def rows() -> Iterator[NDArray[np.float64]]:
        place: dict[str, int] = {}
        for minute, row in enumerate(run.rows()):
            if minute == 0:
                size = (scenario.minutes, len(row))
                day.true = np.memmap(f"{path}.true", np.float32, "w+", shape=size)
                day.shown = np.memmap(f"{path}.shown", np.float32, "w+", shape=size)
                place = {
                    asset: index for index, (asset, quantity) in enumerate(run.signals) if quantity == "level"
                }
            shown = row.copy()
            for asset, level in run.believed.items():
                shown[place[asset]] = level
            day.true[minute], day.shown[minute] = row, shown
            yield shown

    return day, rows()


def _record(
    town: Town, scenario: Scenario, seed: int, day: _Day, rows: Iterator[NDArray[np.float64]], path: Path
) -> tuple[int, list[dict[str, Any]]]:
    """Write the recording; the number of messages, and the faults of the stream that were put in."""
    count = 0
    told: list[dict[str, Any]] = []
    with _gzip(path) as file:
        for sent in _spoiled(_sent(town, scenario, seed, day, rows), town, scenario, seed, told):
            line = {"received": rfc3339(sent.received), "topic": sent.topic, "payload": sent.payload}
            file.write(msgspec.json.encode(line) + b"\n")
            count += 1
    return count, told


def _sent(
    town: Town, scenario: Scenario, seed: int, day: _Day, rows: Iterator[NDArray[np.float64]]
) -> Iterator[Sent]:
    works = [*scenario.planned, *(ordinary(town.city, scenario, seed) if scenario.background else [])]
    events = sorted(announcements(town.city, scenario, works), key=lambda sent: sent.received)
    sensors: Sensors | None = None
    for minute, shown in enumerate(rows):
        sensors = sensors or Sensors(town.city, day.signals, scenario, seed)
        now = scenario.start + (minute + 1) * MINUTE
        due = [event for event in events if event.received < now]
        events = events[len(due) :]
        yield from sorted([*due, *sensors.messages(minute, shown)], key=lambda sent: sent.received)


def _spoiled(
    messages: Iterator[Sent], town: Town, scenario: Scenario, seed: int, told: list[dict[str, Any]]
) -> Iterator[Sent]:
    """The messages with the faults of the stream. They are held in memory for that: a message can be late."""
    if scenario.stream_faults == StreamFaults():
        yield from messages
        return
    gateways = {a.id: frozenset(carried(town.city, a.id)) for a in town.city.assets if a.kind == "gateway"}
    kept, done = apply(list(messages), scenario.stream_faults, seed, gateways, scenario.start)
    told += done
    yield from kept


def _mark(scenario: Scenario, mark: Mark) -> dict[str, str]:
    return {"at": rfc3339(scenario.start + mark.at * MINUTE), "asset": mark.asset, "what": mark.what}


def _sensor_fault(scenario: Scenario, fault: Injection) -> dict[str, Any]:
    start = fault.begins(scenario.start)
    return {
        "kind": fault.kind,
        "asset": fault.asset,
        "quantity": fault.quantity,
        "start": rfc3339(start),
        "end": rfc3339(start + fault.length),
        "size": fault.sizes,
    }  # fmt: skip - as it stands in the file


@contextmanager
def _gzip(path: Path) -> Iterator[gzip.GzipFile]:
    """A gzip file without name and time in it, so that the same content is the same bytes."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as file,
    ):
        yield file
