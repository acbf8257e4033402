"""Labelled recordings to a proposal: the causes file with the numbers that they speak for.

In:  recordings, each with ``city.yaml`` beside it and its labels; a causes file.
Out: ``Proposal``: the file's text before and after, and the lessons behind the difference. Writes nothing.
Promises: the same files give the same proposal.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.intake import Intake
from collectors.recording import read
from runner.bench.day import CITY, LABELS, RECORDINGS
from runner.labels import BadInput, Labels, load_labels
from runner.replay import Faults, NothingToReplay, batches, why_nothing
from schemas.alarms import Alarm, AlarmChange
from schemas.city import City
from schemas.cityfile import load_city
from schemas.readings import Tick
from schemas.vocabulary import Vocabulary, load_vocabulary
from streams.amend import amend
from streams.causes import BUILT_IN, Causes, load_causes
from streams.detect import Detector
from streams.learn import Day, Lessons, Truth, learn, understand
from streams.network import Network

OnDay = Callable[[int, Path], None]
"""Told of each recording before it is read: how many were, and which comes."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A causes file as it is, as it might be, and why."""

    file: str
    before: str
    after: str
    lessons: Lessons

    @property
    def diff(self) -> str:
        """The unified diff; empty where nothing should change."""
        before, after = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        return "".join(difflib.unified_diff(before, after, self.file, self.file))


@dataclass(frozen=True, slots=True)
class _Town:
    """A city model that several days share."""

    city: City
    vocabulary: Vocabulary
    network: Network


def fit(
    recordings: Sequence[Path],
    labels: Sequence[Path] | None = None,
    causes: Path | None = None,
    on_day: OnDay | None = None,
) -> Proposal:
    """What the recordings teach about the rules in ``causes`` (ours by default).

    ``labels``: one file for each recording, in the same order; NAME.labels.json beside each by default.
    Raises BadInput, BadConfig, NothingToReplay, CannotAmend or OSError.
    """
    file = causes or BUILT_IN
    rules = load_causes(file)
    truths = [load_labels(path) for path in _labels(recordings, labels)]
    towns: dict[Path, _Town] = {}
    days = []
    for done, (recording, truth) in enumerate(zip(recordings, truths, strict=True)):
        if on_day:
            on_day(done, recording)
        model = recording.parent.resolve() / CITY
        if model not in towns:
            towns[model] = _town(recording, rules)
        days.append(_day(recording, truth, towns[model]))
    before = file.read_text(encoding="utf-8-sig")
    lessons = learn(days, rules)
    shown = f"{BUILT_IN.parent.name}/{BUILT_IN.name}" if causes is None else str(causes)
    return Proposal(shown, before, amend(before, rules, lessons), lessons)


def _labels(recordings: Sequence[Path], given: Sequence[Path] | None) -> list[Path]:
    """The labels of each recording. Raises BadInput where one has none."""
    found = list(map(_beside, recordings) if given is None else given)
    if len(found) != len(recordings):
        raise BadInput(
            f"--labels names {len(found)} files for {len(recordings)} recordings; expected one for each, in "
            "the same order; nothing was replayed"
        )
    for recording, path in zip(recordings, found, strict=True):
        if not path.is_file():
            raise BadInput(
                f"{path}: not there; expected the truth about {recording.name} (name it with --labels); "
                "nothing was replayed"
            )
    return found


def _beside(recording: Path) -> Path:
    name = recording.name
    stem = next((name.removesuffix(suffix) for suffix in RECORDINGS if name.endswith(suffix)), recording.stem)
    return recording.with_name(stem + LABELS)


def _town(recording: Path, rules: Causes) -> _Town:
    path = recording.with_name(CITY)
    if not path.is_file():
        raise BadInput(f"{path}: not there; expected the city model beside {recording.name}")
    city, vocabulary = load_city(path), load_vocabulary(beside=path)
    return _Town(city, vocabulary, Network(city, rules, vocabulary))


def _day(recording: Path, labels: Labels, town: _Town) -> Day:
    """One recording through detection and explanation. Raises NothingToReplay, BadInput."""
    truths = [_truth(recording, labels, index, town.city) for index in range(len(labels.incidents))]
    detector, intake = Detector(town.city, town.vocabulary), Intake(town.city)
    faults = Faults()
    alarms: dict[str, Alarm] = {}
    start: int | None = None

    def keep(found: AlarmChange | int) -> None:
        if isinstance(found, AlarmChange):
            if found.change == "retracted":
                alarms.pop(found.alarm.id, None)
            else:
                alarms[found.alarm.id] = found.alarm

    for batch in batches(read(recording, faults.add)):
        for record in intake.step(batch).records:
            for found in detector.step(record):
                keep(found)
            start = detector.stream_time if start is None else start
    if start is None or detector.stream_time is None:
        raise NothingToReplay(why_nothing(recording, intake, faults))
    for found in detector.step(Tick(at=detector.stream_time)):
        keep(found)
    return understand(town.network, alarms.values(), (start, detector.stream_time), truths)


def _truth(recording: Path, labels: Labels, index: int, city: City) -> Truth:
    truth = labels.incidents[index]
    if truth.cause.asset not in city.asset_by_id:
        raise BadInput(
            f"the labels of {recording}: the cause of {truth.id!r} is at {truth.cause.asset!r}; expected an "
            f"asset of {recording.with_name(CITY)}"
        )
    first, last = truth.span
    cause = truth.cause
    return Truth(cause.asset, cause.kind, cause.start, cause.end, first, last, truth.roots, truth.assets)
