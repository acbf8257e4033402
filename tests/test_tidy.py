"""House rules that a machine can hold. An exception is a line in a list here, with its reason."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("alerts", "collectors", "console", "grafana", "runner", "schemas", "simulator", "streams")

PURE_FOLDERS = ("schemas", "streams", "alerts", "collectors/decoders")
PURE_FILES = ("collectors/routing.py", "collectors/intake.py", "collectors/moments.py", "runner/core.py")
IMPURE = {
    "schemas/export.py": "writes the JSON Schema files; a tool, imported by nothing",
}
CLOCKS = {
    "now",
    "utcnow",
    "today",
    "time",
    "time_ns",
    "monotonic",
    "perf_counter",
    "getenv",
    "uuid1",
    "uuid4",
}
CLOCK_OWNERS = {"datetime", "date", "time", "os", "uuid"}

LARGE_MAX_BYTES = 3_000_000


def python_files(*folders: str) -> list[Path]:
    """The Python files below the folders, in order."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    """A file's path inside the checkout."""
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    """The file, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


PURE = [
    path
    for path in [*python_files(*PURE_FOLDERS), *(ROOT / name for name in PURE_FILES)]
    if named(path) not in IMPURE
]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", PURE, ids=named)
def test_pure_files_read_no_clock(path: Path) -> None:
    """Time comes with the events; so does everything else that differs from run to run."""
    asked = [
        f"line {call.lineno}: {ast.unparse(call.func)}()"
        for call in ast.walk(tree(path))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in CLOCKS
        and ast.unparse(call.func.value).split(".")[0] in CLOCK_OWNERS
    ]

    assert asked == []


def undocumented(path: Path) -> Iterator[str]:
    """Public names of a module without a docstring, the module itself included."""
    module = tree(path)
    if not ast.get_docstring(module):
        yield f"{named(path)}: the module"
    for node in module.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not node.name.startswith("_") and not ast.get_docstring(node):
            yield f"{named(path)}: {node.name}"


def test_every_module_and_public_name_says_what_it_is() -> None:
    """A reader needs no second file to learn what a name means."""
    assert [name for path in python_files(*PARTS) for name in undocumented(path)] == []


def test_every_test_states_its_claim() -> None:
    """The docstring of a test is the claim that it holds."""
    silent = [
        f"{named(path)}: {node.name}"
        for path in TESTS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]

    assert silent == []


def test_tests_mirror_the_folders() -> None:
    """Tests of a folder lie under its name; file names are unique, because tests are no packages."""
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in TESTS if path.parent != ROOT / "tests"}
    twice = [name for name, count in Counter(path.name for path in TESTS).items() if count > 1]

    assert (folders - set(PARTS), twice) == (set(), [])
    assert [named(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


EXEMPT = re.compile(r"# (noqa|type: ignore)")
EXEMPT_WITH_REASON = re.compile(r"# (noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*|type: ignore\[[\w, -]+\])\W+\w+")


def exempt_for_no_reason(path: Path) -> Iterator[str]:
    """Lines that switch a rule off without a reason behind them, or in a comment just above."""
    before = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        told = EXEMPT_WITH_REASON.search(line) or before.lstrip().startswith("#")
        if EXEMPT.search(line) and not told:
            yield f"{named(path)}:{number}: {line.strip()}"
        before = line


def test_every_exception_from_a_rule_has_its_reason() -> None:
    """``noqa`` and ``type: ignore`` name the rule and, beside it, why it does not hold here."""
    files = [*python_files(*PARTS, "tests", "scripts", "benchmarks"), ROOT / "crosscurrent.py"]

    assert [line for path in files if path != Path(__file__) for line in exempt_for_no_reason(path)] == []


def test_no_file_is_too_large_for_a_repository() -> None:
    """A clone stays quick; what is larger is made, not committed."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]

    assert [named(path) for path in files if path.exists() and path.stat().st_size > LARGE_MAX_BYTES] == []
