"""One day under two versions: replayed where the cache does not have it, and compared.

In:  a ``Task``.
Out: a ``DayDiff``. In the cache each replay lies under a digest of all that it depends on: recording, city
     model, vocabulary, rules, code. So the same question costs nothing the second time.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from runner.bench.day import digest
from runner.bench.tasks import THINKING, code_digest
from runner.diff.changes import Changes, changes_of
from runner.diff.compare import compare
from runner.diff.pairing import Clock
from runner.diff.told import DayDiff, load_told
from runner.diff.versions import CITY, SUMMARY, Version, run_code
from runner.labels import BadInput
from runner.model import BESIDE, load_model
from runner.replay import RESULTS, replay
from schemas.alerting import Policy
from schemas.city import City
from schemas.cityfile import load_city
from schemas.errors import BadConfig
from schemas.times import SECOND
from streams.causes import Causes, load_causes

FORMAT = "1"
"""Of the cache: another number, and all is replayed anew."""
CACHE_BYTES = 1_000_000_000
"""Replays that were not asked for longest go beyond it."""
RECORDINGS = ("*.jsonl", "*.jsonl.gz", "*.jsonl.zst")


@dataclass(frozen=True, slots=True)
class Task:
    """One day under two versions."""

    recording: Path
    before: Version
    after: Version
    cache: Path

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.recording.resolve().parent.name}/{self.recording.name.split('.jsonl')[0]}"


def default_cache() -> Path:
    """The user's folder of caches, by the XDG rules."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "crosscurrent" / "diff"


def recordings_in(given: Sequence[Path]) -> list[Path]:
    """The recordings that are named, and those in folders that are named. Raises BadInput for none."""
    found: list[Path] = []
    for path in given:
        inside = (
            sorted(one for pattern in RECORDINGS for one in path.glob(pattern)) if path.is_dir() else [path]
        )
        if not inside or not inside[0].is_file():
            raise BadInput(
                f"{path}: no recording here; expected NAME.jsonl (.gz, .zst); nothing was compared"
            )
        found += inside
    return list(dict.fromkeys(found))


def work(task: Task) -> DayDiff:
    """Compare one day. Raises CrosscurrentError or OSError where a side gives nothing."""
    sides = [(version, city_of(version, task.recording)) for version in (task.before, task.after)]
    folders = [_replayed(version, task.recording, city, task.cache) for version, city in sides]
    return between(task.title, folders, sides)


def between(
    title: str, folders: Sequence[Path], sides: Sequence[tuple[Version, Path]] | None = None
) -> DayDiff:
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


def _timezone(sides: Sequence[tuple[Version, Path]]) -> str:
    """That of the first model which this Crosscurrent can read; UTC where it can read none."""
    for _, city in sides:
        try:
            return load_city(city).timezone
        except BadConfig:
            continue
    return "UTC"


def _content(folder: Path) -> list[bytes]:
    """The results; another Crosscurrent may write fewer files."""
    return [path.read_bytes() for name in RESULTS if (path := folder / name).is_file()]


def city_of(version: Version, recording: Path) -> Path:
    """The version's city model; the one beside the recording where the version has none.

    Raises BadInput where there is neither.
    """
    city = version.city or recording.with_name(CITY)
    if not city.is_file():
        raise BadInput(
            f"no city model: {version.name} has none, and beside the recording there is no {CITY}; left out"
        )
    return city


def changes_between(sides: Sequence[tuple[Version, Path]]) -> Changes:
    """What differs between two versions with their city models, as far as this Crosscurrent can read them.

    Raises BadConfig where a version for this Crosscurrent has faults.
    """
    (before, _), (after, _) = sides
    others = ["the code differs"] if before.code != after.code else []
    loaded: list[tuple[City, Causes, Policy]] = []
    for version, city in sides:
        try:
            model = load_model(city, version.alerts)
            loaded.append((model.city, load_causes(version.rules), model.policy))
        except (BadConfig, OSError):
            if version.code is None:
                raise
            # written for another Crosscurrent
            return Changes(others=(*others, f"{version.name} can't be read by this Crosscurrent"))
    return changes_of(loaded[0], loaded[1], others)


def _replayed(version: Version, recording: Path, city: Path, cache: Path) -> Path:
    """The folder of a replay, made where it is not there."""
    folder = cache / "replays" / _key(version, recording, city)
    if (folder / SUMMARY).is_file():
        os.utime(folder)  # it was asked for
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".part-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        if version.code is None:
            replay(recording, city, made, causes=version.causes, alerts=version.alerts)
        else:
            _replay_by(version, version.code, recording, city, made)
        if not folder.is_dir():  # another process may have been quicker
            made.rename(folder)
    return folder


def _replay_by(version: Version, code: Path, recording: Path, city: Path, out: Path) -> None:
    rules = ["--causes", str(version.causes.resolve())] if version.causes else []
    done = run_code(
        code, ["replay", str(recording.resolve()), "--city", str(city.resolve()), "--out", str(out), *rules]
    )
    if done.returncode:
        raise BadInput(f"{version.name}: its code ended with status {done.returncode}: {done.stderr.strip()}")


def _key(version: Version, recording: Path, city: Path) -> str:
    own = [path for path in (version.causes, version.alerts) if path]
    files = [recording, city, *(city.with_name(name) for name in BESIDE), *own]
    code = code_digest(THINKING) if version.code is None else digest(version.code / part for part in THINKING)
    parts = [FORMAT, code, *(f"{file.name} {digest([file])}" for file in files if file.is_file())]
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
