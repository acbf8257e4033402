"""One day of the benchmark: made if need be, replayed, scored for the product, baselines and entrants.

In:  a ``Task``.
Out: a ``DayReport``; in the results folder what the replay wrote, and ``bench.json`` with the key under which
     it is found again: the same recording, city model, labels and code are not replayed twice.
"""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from runner.bench.arrivals import arrivals
from runner.bench.baselines import BASELINES
from runner.bench.figures import DayResult, judge_day
from runner.bench.spoil import Spoil, spoilt_city, spoilt_recording
from runner.extras import needs
from runner.labels import BadInput, Labels, load_labels
from runner.outputs import Outputs, load_outputs
from runner.replay import replay
from schemas.cityfile import load_city
from schemas.vocabulary import FILE_NAME as VOCABULARY
from streams.causes import BUILT_IN, load_causes

if TYPE_CHECKING:
    from simulator.suite import Day

PRODUCT = "crosscurrent"
"""What the product is called beside the others."""
RECORDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst")
LABELS = ".labels.json"
CITY = "city.yaml"
KEPT = "bench.json"
NOTHING = Outputs(alarms=[], incidents=[], revisions=[])


AS_IT_IS = Spoil()


@dataclass(frozen=True, slots=True)
class Entrant:
    """Another team's system: ``outputs/CITY/DAY`` holds the three files of the contract."""

    name: str
    outputs: Path


@dataclass(frozen=True, slots=True)
class Task:
    """One day: its city's folder and the stem of its files, and where results go."""

    city: str
    name: str
    folder: Path
    results: Path
    code: str
    """Digest of the code that replays and scores."""
    made_from: "Day | None" = None
    """The day of a suite that is to be made in ``folder``; None where it lies there."""
    entrants: tuple[Entrant, ...] = ()
    causes: Path | None = None
    """Rules in the place of ours."""
    spoil: Spoil = AS_IT_IS
    """What is made worse before anybody sees it."""
    seed: int = 0
    """Of what is spoilt, beside the day's own name."""

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.city}/{self.name}"


class DayReport(BaseModel):
    """What each system did on one day, and what was wrong with an entrant's files."""

    model_config = ConfigDict(frozen=True)

    city: str
    day: str
    systems: Mapping[str, DayResult]
    complaints: tuple[str, ...] = ()


class _Kept(BaseModel):
    """``bench.json``: our own results, and the key of what they are of."""

    key: str
    systems: dict[str, DayResult]


def work(task: Task) -> DayReport:
    """Do one day. Raises CrosscurrentError or OSError where it can't be made, replayed or scored."""
    if task.made_from is not None and recording_of(task.folder, task.name) is None:
        with needs("simulate"):
            from simulator.suite import make
        make(task.made_from, task.folder.parent)
    labels = _labels(task)
    systems = _ours(task, labels)
    complaints = []
    city = load_city(task.folder / CITY)
    for entrant in task.entrants:
        try:
            outputs = load_outputs(entrant.outputs / task.city / task.name)
            systems[entrant.name] = judge_day(outputs, labels, city)
        except BadInput as error:
            systems[entrant.name] = judge_day(NOTHING, labels, city)
            complaints.append(f"{entrant.name} counts as silent on {task.title}: {error}")
    return DayReport(city=task.city, day=task.name, systems=systems, complaints=tuple(complaints))


def recording_of(folder: Path, name: str) -> Path | None:
    """The recording of a day whose labels and city model lie beside it; None where anything is absent."""
    found = [folder / f"{name}{suffix}" for suffix in RECORDINGS if (folder / f"{name}{suffix}").is_file()]
    whole = found and (folder / f"{name}{LABELS}").is_file() and (folder / CITY).is_file()
    return found[0] if whole else None


def digest(paths: Iterable[Path]) -> str:
    """One digest of the contents of files, in the order given; folders stand for the files in them."""
    whole = hashlib.sha256()
    for path in paths:
        inside = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in inside:
            if "__pycache__" not in file.parts:
                whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def _labels(task: Task) -> Labels:
    path = task.folder / f"{task.name}{LABELS}"
    labels = load_labels(path)
    if labels.span is None:
        raise BadInput(
            f"{path}: 'start' and 'hours' are missing; expected both, since false incidents are counted a "
            "day; the day is left out"
        )
    return labels


def _ours(task: Task, labels: Labels) -> dict[str, DayResult]:
    """Product and baselines: from ``bench.json`` where it is of the same day and code, else by replay."""
    recording = recording_of(task.folder, task.name)
    if recording is None:
        raise BadInput(f"{task.folder}: {task.name} has no recording, labels or {CITY}; it is left out")
    city = task.folder / CITY
    own_words = city.with_name(VOCABULARY)
    rules = [task.causes] if task.causes else []
    parts = [recording, city, task.folder / f"{task.name}{LABELS}", own_words, *rules]
    key = f"{task.code} {digest(part for part in parts if part.exists())} {task.spoil.words} {task.seed}"
    kept = task.results / KEPT
    if (found := _kept(kept)) and found.key == key:
        return found.systems
    shutil.rmtree(task.results, ignore_errors=True)  # what an earlier run left half done
    with _as_seen(task, recording, city) as (recording, city):
        replay(recording, city, task.results, causes=task.causes)
        model = load_city(city)
    product = load_outputs(task.results)
    causes = load_causes(task.causes or BUILT_IN)
    alarms = arrivals(product, causes.measuring | causes.signs.keys())
    # The grouping index is over all alarms, those that a baseline was not given included.
    simple = {
        name: replace(baseline(alarms, model), alarms=product.alarms) for name, baseline in BASELINES.items()
    }
    systems = {name: judge_day(one, labels, model) for name, one in {PRODUCT: product, **simple}.items()}
    scratch = kept.with_suffix(".part")
    scratch.write_text(_Kept(key=key, systems=systems).model_dump_json(indent=1) + "\n", encoding="utf-8")
    scratch.replace(kept)
    return systems


@contextmanager
def _as_seen(task: Task, recording: Path, city: Path) -> Iterator[tuple[Path, Path]]:
    """Recording and city model as everybody sees them: the day's own, or spoilt copies."""
    with TemporaryDirectory(prefix="crosscurrent-spoilt-") as scratch:
        if task.spoil.wrong_links:
            spoilt = Path(scratch) / CITY
            dice = f"{task.seed} {task.title}"
            spoilt.write_text(spoilt_city(city, task.spoil.wrong_links, dice), encoding="utf-8")
            if (words := city.with_name(VOCABULARY)).exists():
                shutil.copy(words, scratch)
            city = spoilt
        if task.spoil.bad_network:
            delivered = Path(scratch) / f"{task.name}.jsonl"
            with delivered.open("wb") as file:
                file.writelines(spoilt_recording(recording, task.seed))
            recording = delivered
        yield recording, city


def _kept(path: Path) -> _Kept | None:
    try:
        return _Kept.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # not there, or of another version: it is made again
        return None
