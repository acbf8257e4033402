"""A version: a folder or a git revision, with what of the city model, the rules and the code it holds.

In:  what people name: a folder, or a git revision (``main``, ``HEAD~1``, ``main:cities/riverton``).
Out: ``Version``: what it brings; what it does not bring is taken from elsewhere, the same on both sides.
Revisions are laid out once, under the id of their tree, in the folder of the cache.
"""

import io
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from alerts.policyfile import FILE_NAME as ALERTS
from runner.model import load_model
from runner.moments import BadUsage
from schemas.errors import BadConfig, CrosscurrentError, Fault
from streams.causes import BUILT_IN, load_causes

OWN = Path(__file__).resolve().parents[2]
"""The folder that holds our packages."""
CITY, CAUSES, LAUNCHER, SUMMARY = "city.yaml", "causes.yaml", "crosscurrent.py", "summary.json"


class BadVersion(CrosscurrentError):
    """There is no such version, or it can't be used."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a folder brings. None: not in it."""

    name: str
    city: Path | None
    causes: Path | None
    alerts: Path | None
    code: Path | None
    """A Crosscurrent other than this one, which shall do the thinking."""

    @property
    def rules(self) -> Path:
        """The rules that its replays use."""
        own = BUILT_IN if self.code is None else self.code / BUILT_IN.relative_to(OWN)
        return self.causes or own


def open_version(name: str, repository: Path, cache: Path) -> Version:
    """The version that people call ``name``, checked.

    Raises BadVersion where there is none or its code does not start, BadConfig with every fault of its city
    model and rules.
    """
    folder = Path(name)
    if folder.is_file():
        raise BadVersion(f"{name} is a file; name the folder in which it lies; nothing was compared")
    if not folder.is_dir():
        folder = _revision(name, repository, cache)
    city, causes, alerts, launcher = (
        path if (path := folder / file).is_file() else None for file in (CITY, CAUSES, ALERTS, LAUNCHER)
    )
    if not (city or causes or alerts or launcher):
        raise BadVersion(
            f"{name} holds no version: expected {CITY} (a city model), {CAUSES} (rules), {ALERTS} (who is "
            f"told) or {LAUNCHER} (a Crosscurrent to think with) in it; nothing was compared"
        )
    code = folder.resolve() if launcher and folder.resolve() != OWN else None
    version = Version(name, city, causes, alerts, code)
    if code is not None:
        _starts(version, code)
    else:  # what is for another Crosscurrent may be written for it alone
        try:
            if city:
                load_model(city)
            load_causes(version.rules)
        except BadConfig as error:
            raise BadConfig([_as_called(fault, folder, name) for fault in error.faults]) from error
    return version


def _as_called(fault: Fault, folder: Path, name: str) -> Fault:
    """Where it lies as people say it: a revision is laid out in a folder that they don't know."""
    if Path(name).is_dir() or not Path(fault.file).is_relative_to(folder):
        return fault
    inside = Path(fault.file).relative_to(folder).as_posix()
    return replace(fault, file=f"{name}/{inside}" if ":" in name else f"{name}:{inside}")


def is_results(name: str) -> bool:
    """Whether it is a folder that a replay wrote."""
    return (Path(name) / SUMMARY).is_file()


def _starts(version: Version, code: Path) -> None:
    done = run_code(code, ["--version"])
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BadVersion(f"{version.name}: its code does not start ({last}); nothing was compared")


def run_code(code: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run another Crosscurrent, with the Python and the libraries of this one."""
    command = [sys.executable, str(code / LAUNCHER), *arguments]
    return subprocess.run(command, cwd=code, capture_output=True, text=True, check=False)


def _revision(name: str, repository: Path, cache: Path) -> Path:
    """The folder in which a revision is laid out."""
    tree = _tree(name, repository)
    folder = cache / "revisions" / tree
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    packed = _git(repository, "archive", "--format=tar", tree)
    with TemporaryDirectory(prefix=".part-", dir=folder.parent) as scratch:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
            tar.extractall(Path(scratch) / tree, filter="data")
        if not folder.is_dir():
            (Path(scratch) / tree).rename(folder)
    return folder


def _tree(name: str, repository: Path) -> str:
    """The id of the tree of a revision, or of a folder in one."""
    if name.startswith("-"):
        raise BadUsage(f"{name!r} is no version; expected a folder or a git revision")
    said = f"{name}: there is no such folder, and no such git revision in {repository}"
    try:
        found = _git(repository, "rev-parse", "--verify", "--quiet", name)
        identity = found.stdout.decode().strip()
        if not identity:
            raise BadVersion(f"{said}; nothing was compared")
        kind = _git(repository, "cat-file", "-t", identity).stdout.decode().strip()
        if kind == "blob":
            raise BadVersion(f"{name} is a file; name the folder in which it lies; nothing was compared")
        wanted = identity if kind == "tree" else f"{identity}^{{tree}}"
        return _git(repository, "rev-parse", wanted).stdout.decode().strip()
    except FileNotFoundError as error:
        raise BadVersion(f"{said}: {error}; nothing was compared") from error


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, check=False)
