"""What we ship: one launcher and one private folder, whole, and harmless to its neighbours.

See docs/decisions/0001-private-attic.md for why.
"""

import gzip
import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from runner.cli import VERBS

ROOT = Path(__file__).parent.parent
PARTS = ("alerts", "cities", "collectors", "console", "grafana", "runner", "schemas", "simulator", "streams")
NOT_SHIPPED = {"README.md", "lakeland", "__pycache__"}
"""Parts of paths that stay in the checkout: what people read there, and a city whose networks are others'."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy of the checkout so that nothing of an earlier build leaks in."""
    room = tmp_path_factory.mktemp("wheel")
    source = room / "source"
    source.mkdir()
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("crosscurrent.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(room), str(source))
    return next(room.glob("*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel is installed, next to a foreign package of one of our names."""
    site = tmp_path_factory.mktemp("site")
    pip("install", "--target", str(site), str(wheel))
    (site / "streams").mkdir()
    (site / "streams" / "__init__.py").write_text("raise ImportError('this is somebody else')\n")
    return site


def pip(*arguments: str) -> None:
    """Run pip offline; what it says is shown where it fails."""
    command = [sys.executable, "-m", "pip", arguments[0], "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run([*command, *arguments[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def crosscurrent(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command from another folder."""
    return subprocess.run(
        [sys.executable, str(site / "bin" / "crosscurrent"), *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_shows_two_names_and_no_more(wheel: Path) -> None:
    """Nothing of ours can overwrite, or be overwritten by, another package's files."""
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"crosscurrent.py", "_crosscurrent"}


def test_the_wheel_is_whole(wheel: Path) -> None:
    """Every module and every data file of the checkout's folders is in it, and nothing else."""
    prefix = "_crosscurrent/"
    shipped = {n.removeprefix(prefix) for n in zipfile.ZipFile(wheel).namelist() if n.startswith(prefix)}
    ours = {
        path.relative_to(ROOT).as_posix()
        for part in PARTS
        for path in (ROOT / part).rglob("*")
        if path.is_file() and not NOT_SHIPPED & {*path.parts}
    }

    assert shipped == ours


def test_no_installed_package_has_one_of_our_names() -> None:
    """In a checkout our folders are importable by their names: no dependency may bring the same ones."""
    taken = {
        name: distributions
        for name, distributions in importlib.metadata.packages_distributions().items()
        if name in PARTS and set(distributions) != {"crosscurrent"}
    }

    assert taken == {}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_starts_where_it_is_installed(site: Path, tmp_path: Path, verb: str) -> None:
    """From an empty folder, and beside a foreign package named like one of ours."""
    done = crosscurrent(site, tmp_path, verb, "--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: crosscurrent {verb}")


def test_an_installed_replay_thinks_with_our_packages(site: Path, tmp_path: Path) -> None:
    """The rules, the vocabulary and the demo city travel along; the foreign package stays out."""
    riverton = site / "_crosscurrent" / "cities" / "riverton"
    with gzip.open(riverton / "quiet-day.jsonl.gz", "rt", encoding="utf-8") as lines:
        (tmp_path / "minutes.jsonl").write_text("".join(next(lines) for _ in range(200)))

    done = crosscurrent(
        site, tmp_path, "replay", "minutes.jsonl", "--city", str(riverton / "city.yaml"), "--out", "out"
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "summary.json").is_file()
