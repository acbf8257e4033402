"""The determinism certificate: one input, one output, whatever happens on the way.

In:  a recording (or the data folder of a running city that was stopped), a city model, rules, a seed.
Out: ``Certificate``: for each trial what was done, a digest of what was told, and whether it is the same.
Promises: nothing is sent or kept; all happens in a scratch folder. What is compared stands in
``runner.trials``; docs/certify.md says it in words.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict

from runner.model import load_model
from runner.replay import RESULTS, Recorded
from runner.trials import TRIALS, Lines, Subject, live, replayed, whole
from streams.causes import BUILT_IN, load_causes


class Trial(BaseModel):
    """One way to bring the same input."""

    model_config = ConfigDict(frozen=True)

    name: str
    what: str
    digest: str
    holds: bool
    differs: tuple[str, ...] = ()
    """First lines that are on one side alone."""


class Certificate(BaseModel):
    """The verdict on one recording."""

    model_config = ConfigDict(frozen=True)

    recording: str
    recording_sha256: str
    city: str
    seed: int
    told: Mapping[str, int]
    """Lines by file."""
    digest: str
    trials: tuple[Trial, ...]

    @property
    def holds(self) -> bool:
        """Whether every trial told the same."""
        return all(trial.holds for trial in self.trials)


def certify(
    recording: Path,
    city: Path,
    causes: Path | None = None,
    seed: int = 1,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Certificate:
    """Try everything on one recording.

    Raises BadConfig for a model or rules with faults, NothingToReplay where nothing of the recording can be
    used, OSError.
    """
    with TemporaryDirectory(prefix="crosscurrent-certify-") as scratch:
        subject = Subject(
            recording, city, causes, load_model(city), load_causes(causes or BUILT_IN), seed, Path(scratch)
        )
        straight = replayed(subject, Recorded(recording, subject.model.city), "straight")
        trials = []
        for name, what, run, view in TRIALS:
            trial = _trial(name, what, view(straight), view(run(subject)))
            on_trial(trial)
            trials.append(trial)
        return Certificate(
            recording=recording.name,
            recording_sha256=hashlib.sha256(recording.read_bytes()).hexdigest(),
            city=subject.model.city.city,
            seed=seed,
            told={name: len(straight[name]) for name in RESULTS},
            digest=_digest(straight),
            trials=tuple(trials),
        )


def _trial(name: str, what: str, wanted: Lines, found: Lines) -> Trial:
    differs = [
        f"{file}: {side}: {line[:200]}"
        for file in wanted
        for side, ours, others in (("lost", wanted, found), ("new", found, wanted))
        for line in sorted(set(ours[file]) - set(others[file]))[:3]
    ]
    return Trial(
        name=name, what=what, digest=_digest(found), holds=dict(found) == dict(wanted), differs=tuple(differs)
    )


def _digest(lines: Lines) -> str:
    return hashlib.sha256(json.dumps({name: lines[name] for name in sorted(lines)}).encode()).hexdigest()


def certify_live(folder: Path, city: Path, causes: Path | None = None) -> Trial:
    """Whether a replay of the log of a data folder tells what was told live.

    Raises CannotRun where the folder is in use, BadInput where its log does not go back to the beginning.
    """
    with TemporaryDirectory(prefix="crosscurrent-certify-") as scratch:
        told, again = live(folder, load_model(city), load_causes(causes or BUILT_IN), Path(scratch))
        return _trial("live", f"what {folder} holds, and a replay of its log", whole(told), whole(again))
