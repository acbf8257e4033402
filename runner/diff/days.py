"""One day under two versions: replayed where the cache does not have it, and compared.

In:  a ``Task``.
Out: a ``DayDiff``. In the cache each replay lies under a digest of all that it depends on: recording, city
     model, vocabulary, rules, code. So the same question costs nothing the second time.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from runner.bench.day import digest
from runner.bench.tasks import THINKING, code_digest
from runner.core import Core
from runner.days import Day
from runner.diff.changes import Changes, changes_of
from runner.diff.compare import compare
from runner.diff.pairing import Clock
from runner.diff.told import DayDiff, load_told
from runner.diff.versions import SUMMARY, Version, run_code
from runner.labels import BadInput
from runner.model import BESIDE, Model, load_model
from runner.replay import RESULTS, Heard, Input, Thought, put_down
from runner.sources import opened
from schemas.alerting import Policy
from schemas.city import City
from schemas.errors import BadConfig
from schemas.readings import Block, Frame
from schemas.times import SECOND, rfc3339
from streams.causes import Causes, load_causes

FORMAT = "1"
"""Of the cache: another number, and all is replayed anew."""
CACHE_BYTES = 1_000_000_000
"""Replays that were not asked for longest go beyond it."""
SHARED_READINGS = 1_000_000
"""Of a day of at most so many readings, what the first side has read is kept for the second."""


@dataclass(frozen=True, slots=True)
class Task:
    """One day under two versions."""

    day: Day
    before: Version
    after: Version
    cache: Path

    @property
    def title(self) -> str:
        """What people call it."""
        return self.day.title


@dataclass(frozen=True)
class Setup:
    """A version with the city model that it has of a day. Model and rules are read once."""

    version: Version
    city: Path

    @cached_property
    def model(self) -> Model:
        """The city model with what lies beside it. Raises BadConfig."""
        return load_model(self.city, self.version.alerts)

    @cached_property
    def rules(self) -> Causes:
        """Its rules. Raises BadConfig."""
        return load_causes(self.version.rules)


def default_cache() -> Path:
    """The user's folder of caches, by the XDG rules."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "crosscurrent" / "diff"


def work(task: Task) -> DayDiff:
    """Compare one day. Raises CrosscurrentError or OSError where a side gives nothing."""
    sides = [setup(version, task.day, task.cache) for version in (task.before, task.after)]
    return between(task.title, replayed(task.day, sides, task.cache), sides)


def replayed(day: Day, sides: Sequence[Setup], cached: Path) -> list[Path]:
    """The folders of a day's replays, one for each side, made where they are not there. What both sides read
    alike is read once.
    """
    shared = _Shared()
    return [_replayed(side, day, cached, shared) for side in sides]


def between(title: str, folders: Sequence[Path], sides: Sequence[Setup] | None = None) -> DayDiff:
    """Compare what two replays wrote; ``sides`` are their versions and city models, where they are known."""
    before, after = map(load_told, folders)
    summary = json.loads((folders[0] / SUMMARY).read_text(encoding="utf-8"))
    timezone, changes = "UTC", Changes()
    if sides is not None:
        timezone = _timezone(sides)
        changes = changes_between(sides)
    differences = compare(before, after, changes, _clock(timezone))
    notes = []
    if not differences and _content(folders[0]) != _content(folders[1]):
        notes = ["what is told is the same, save for probabilities, consequences or words of incidents"]
    return DayDiff(
        day=title,
        city=summary["city"],
        timezone=timezone,
        before=before.side,
        after=after.side,
        differences=tuple(differences),
        notes=tuple(notes),
    )


def _timezone(sides: Sequence[Setup]) -> str:
    """That of the first model which this Crosscurrent can read; UTC where it can read none."""
    for side in sides:
        try:
            return side.model.city.timezone
        except BadConfig:
            continue
    return "UTC"


def _content(folder: Path) -> list[bytes]:
    """The results; another Crosscurrent may write fewer files."""
    return [path.read_bytes() for name in RESULTS if (path := folder / name).is_file()]


def setup(version: Version, day: Day, cached: Path) -> Setup:
    """The version with its city model; with the one that lies with the day where it has none.

    Raises BadInput where there is neither.
    """
    city = version.city or day.city(cached)
    if city is None:
        raise BadInput(
            f"no city model: {version.name} has none, and none lies beside the recording; left out"
        )
    return Setup(version, city)


def changes_between(sides: Sequence[Setup]) -> Changes:
    """What differs between two versions with their city models, as far as this Crosscurrent can read them.

    Raises BadConfig where a version for this Crosscurrent has faults.
    """
    others = ["the code differs"] if sides[0].version.code != sides[1].version.code else []
    loaded: list[tuple[City, Causes, Policy]] = []
    for side in sides:
        try:
            loaded.append((side.model.city, side.rules, side.model.policy))
        except (BadConfig, OSError):
            if side.version.code is None:
                raise
            # written for another Crosscurrent
            return Changes(others=(*others, f"{side.version.name} can't be read by this Crosscurrent"))
    return changes_of(loaded[0], loaded[1], others)


class _Shared:
    """What the first side of a day read, for the second one, if it would read the same."""

    def __init__(self) -> None:
        self._kept: _Keeping | None = None
        self._read_by: tuple[object, ...] = ()

    def input(self, day: Day, side: Setup) -> Input:
        """The day's records. Raises CrosscurrentError or OSError where it can't be read."""
        city = side.model.city
        read_by = (
            city.city,
            tuple(asset.id for asset in city.assets),
            tuple((sensor.id, sensor.unit) for sensor in city.sensors),
        )
        if self._kept is None or not self._kept.whole or read_by != self._read_by:
            self._kept, self._read_by = _Keeping(opened(day.asked(side.city), blocks=True).source), read_by
        return self._kept


class _Keeping:
    """An input that can be read again, as long as it is not too large for that."""

    def __init__(self, source: Input) -> None:
        self.name, self.told = source.name, source.told
        self._source = source
        self._records: list[Heard] = []
        self._readings = 0
        self.whole = False
        """Whether all of it was read, and is here."""

    @property
    def taken(self) -> int:
        """Messages, or records, so far."""
        return self._source.taken

    def records(self) -> Iterator[Heard]:
        """All of them."""
        if self.whole:
            yield from self._records
            return
        for record in self._source.records():
            if isinstance(record, Frame | Block):
                self._readings += record.size if isinstance(record, Block) else len(record)
            if self._readings <= SHARED_READINGS:
                self._records.append(record)
            yield record
        self.whole = self._readings <= SHARED_READINGS
        if not self.whole:
            self._records.clear()

    def counts(self) -> dict[str, Any]:
        """What the summary tells of the input."""
        return self._source.counts()

    def nothing(self) -> str:
        """What to say where nothing of the input could be used."""
        return self._source.nothing()


def _replayed(side: Setup, day: Day, cached: Path, shared: _Shared) -> Path:
    """The folder of a replay, made where it is not there."""
    folder = cached / "replays" / _key(side, day)
    if (folder / SUMMARY).is_file():
        os.utime(folder)  # it was asked for
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".part-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        if side.version.code is None:
            source = shared.input(day, side)
            city, vocabulary, policy = side.model
            core = Core(city, vocabulary, side.rules, policy, told=source.told)
            put_down(Thought(source, core), made)
        else:
            _replay_by(side, side.version.code, day, made)
        if not folder.is_dir():  # another process may have been quicker
            made.rename(folder)
    return folder


def _replay_by(side: Setup, code: Path, day: Day, out: Path) -> None:
    version = side.version
    rules = ["--causes", str(version.causes.resolve())] if version.causes else []
    bounds = [
        f"{flag}={rfc3339(at)}" for flag, at in (("--from", day.start), ("--to", day.end)) if at is not None
    ]
    name = day.name if day.kept else str(Path(day.name).resolve())
    done = run_code(
        code, ["replay", name, "--city", str(side.city.resolve()), "--out", str(out), *bounds, *rules]
    )
    if done.returncode:
        raise BadInput(f"{version.name}: its code ended with status {done.returncode}: {done.stderr.strip()}")


def _key(side: Setup, day: Day) -> str:
    version, city = side.version, side.city
    own = [path for path in (version.causes, version.alerts) if path]
    files = [city, *(city.with_name(name) for name in BESIDE), *own]
    code = code_digest(THINKING) if version.code is None else digest(version.code / part for part in THINKING)
    parts = [
        FORMAT,
        code,
        day.digest(),
        *(f"{file.name} {digest([file])}" for file in files if file.is_file()),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def trim(cache: Path, most: int = CACHE_BYTES) -> None:
    """Drop the replays that were not asked for longest, down to ``most`` bytes."""
    folders = sorted((cache / "replays").glob("[!.]*"), key=lambda folder: -folder.stat().st_mtime)
    size = 0
    for folder in folders:
        size += sum(file.stat().st_size for file in folder.iterdir())
        if size > most:
            shutil.rmtree(folder, ignore_errors=True)


def _clock(timezone: str) -> Clock:
    zone = ZoneInfo(timezone)
    return lambda at: datetime.fromtimestamp(at / SECOND, UTC).astimezone(zone).strftime("%m-%d %H:%M")
