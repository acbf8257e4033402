"""City models with faults: every fault at once, with its place and what was expected."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.cityfile import lint_city, load_city
from schemas.errors import BadConfig

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "tests" / "golden" / "city").iterdir())


def check(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """``crosscurrent check city.yaml`` in a folder."""
    return subprocess.run(
        [sys.executable, str(ROOT / "crosscurrent.py"), "check", "city.yaml", *more],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_check_says_all_that_is_wrong(case: Path) -> None:
    """A new kind of mistake is a new folder: city.yaml, and the whole output in expected.txt."""
    done = check(case)
    assert done.stdout + done.stderr == (case / "expected.txt").read_text()
    assert done.returncode == (0 if done.stdout.endswith("no faults\n") else 1)


def test_riverton_has_no_faults() -> None:
    """The demo city is what its README says."""
    city = load_city(ROOT / "cities" / "riverton" / "city.yaml")
    assert (len(city.assets), len(city.links), len(city.sensors)) == (119, 255, 67)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Status 2: there is nothing to check."""
    done = check(tmp_path)
    assert done.returncode == 2
    assert "city.yaml:1:1: can't be read: No such file or directory" in done.stdout


def test_faults_are_told_to_machines_too() -> None:
    """--json has file, line, column and message of each."""
    done = check(ROOT / "tests" / "golden" / "city" / "unknown-field", "--json")
    (report,) = json.loads(done.stdout)
    assert [(fault["line"], fault["column"]) for fault in report["faults"]] == [(5, 59), (9, 94)]


def test_a_model_with_faults_is_not_loaded() -> None:
    """Nothing starts on it; the error has every fault, a line each."""
    with pytest.raises(BadConfig) as caught:
        load_city(ROOT / "tests" / "golden" / "city" / "wrong-numbers" / "city.yaml")
    assert len(caught.value.faults) == 4


def test_json_is_yaml(tmp_path: Path) -> None:
    """A model that a program wrote."""
    (tmp_path / "city.json").write_text(
        '{"city": "x", "timezone": "UTC",'
        ' "assets": [{"id": "a-1", "utility": "water", "kind": "tank", "zone": "z"}]}'
    )
    assert load_city(tmp_path / "city.json").assets[0].id == "a-1"


def test_an_unknown_kind_is_allowed_and_noted(tmp_path: Path) -> None:
    """A new kind looks like a misspelt one: it is told, and nothing stops."""
    (tmp_path / "city.yaml").write_text(
        "city: x\ntimezone: UTC\nassets:\n  - {id: a-1, utility: water, kind: pumpp, zone: z}\n"
    )
    found = lint_city(tmp_path / "city.yaml")
    assert (len(found.faults), len(found.notes)) == (0, 1)


def test_a_citys_own_vocabulary_counts(tmp_path: Path) -> None:
    """A quantity of its own, with its unit and what its limits mean."""
    (tmp_path / "city.yaml").write_text(
        "city: x\ntimezone: UTC\nassets:\n  - {id: a-1, utility: water, kind: tank, zone: z}\n"
        "sensors:\n  - {asset: a-1, quantity: salt, unit: kW, every: 60}\n"
    )
    (tmp_path / "vocabulary.yaml").write_text("quantities:\n  salt: {unit: mg/L}\n")
    (fault,) = lint_city(tmp_path / "city.yaml").faults
    assert "unit 'kW' does not convert to 'mg/L', the usual unit of salt" in fault.message


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"city: x\ntimezone: \xff\n", "2:11: not UTF-8 text; save the file as UTF-8"),
        (b"city: x\nti\x00mezone: UTC\n", "2:3: not readable as YAML: the character 0 is not allowed"),
        (b"city: !!python/name:os.system x\n", "1:7: the tag 'tag:yaml.org,2002:python/name:os.system'"),
    ],
)
def test_what_is_no_text_of_words_is_told_with_its_place(tmp_path: Path, content: bytes, place: str) -> None:
    """Bytes that an editor would not show, and tags that would run code elsewhere."""
    (tmp_path / "city.yaml").write_bytes(content)
    assert check(tmp_path).stdout.startswith(f"city.yaml:{place}")


def test_a_folder_is_no_city_model(tmp_path: Path) -> None:
    """Status 2, and no traceback."""
    (tmp_path / "city.yaml").mkdir()
    done = check(tmp_path)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("city.yaml:1:1: can't be read: Is a directory\n")


GOOD = (ROOT / "tests" / "golden" / "city" / "all-well" / "city.yaml").read_text()
JUNK = ["{", "]", ":", "\n", "- ", "&a ", "*a ", "!!int ", '"', "null", ".nan", "1e999", '"a\\nb"', "\u2028"]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 8), st.sampled_from(JUNK)), min_size=1))
def test_no_slip_of_the_keyboard_brings_it_down(tmp_path: Path, slips: list[tuple[int, int, str]]) -> None:
    """Either it is a city or there are faults, each on one line."""
    text = GOOD
    for at, cut, junk in slips:
        text = text[:at] + junk + text[at + cut :]
    (tmp_path / "city.yaml").write_text(text)
    found = lint_city(tmp_path / "city.yaml")
    assert (found.city is None) == bool(found.faults)
    assert all(str(fault).isprintable() for fault in found.faults)


def test_a_file_of_brackets_is_refused_quickly(tmp_path: Path) -> None:
    """Depth is bounded; so is what aliases can blow up to."""
    (tmp_path / "city.yaml").write_text("[" * 200_000)
    started = time.monotonic()
    (fault,) = lint_city(tmp_path / "city.yaml").faults
    assert "nested deeper than 50 levels" in fault.message
    assert time.monotonic() - started < 5


def test_a_large_city_loads(tmp_path: Path) -> None:
    """Twenty thousand assets, as many links and sensors."""
    numbers = range(20_000)
    (tmp_path / "city.yaml").write_text(
        "city: x\ntimezone: UTC\nassets:\n"
        + "".join(f"  - {{id: a-{n}, utility: water, kind: junction, zone: z}}\n" for n in numbers)
        + "links:\n"
        + "".join(f"  - {{from: a-{n}, to: a-{(n + 1) % 20_000}, relation: supplies}}\n" for n in numbers)
        + "sensors:\n"
        + "".join(f"  - {{asset: a-{n}, quantity: pressure, unit: m, every: 60}}\n" for n in numbers)
    )
    assert len(load_city(tmp_path / "city.yaml").sensors) == 20_000
