"""``crosscurrent check`` of rules: a file with ``rules:`` is linted as what it is."""

import json
from pathlib import Path

import pytest

from runner.cli import main
from streams.causes import BUILT_IN

ROOT = Path(__file__).parents[2]
FAULTY = """\
words: {}
measuring: []
rules:
  - {name: a trip, cause: tripped, via: self, effect: dead, lag: [2m, 0s], strength: 0.98, source: assumed}
  - {name: leak, cause: burst, via: beside, effect: flow_high, lag: [0s, 5m], strength: 0.5, source: assumed}
priors: []
"""


def test_our_rules_have_no_faults(capsys: pytest.CaptureFixture[str]) -> None:
    """The rules that come with us, counted."""
    assert main(["check", str(BUILT_IN)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{BUILT_IN}: ")
    assert line.endswith("priors, no faults")


def test_faults_of_rules_are_told_with_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1; every fault, as of a city model."""
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(FAULTY)

    assert main(["check", "mine.yaml"]) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "mine.yaml:4:5: rule 'a trip': lag must rise: least, usual, most"
    assert second.startswith(
        "mine.yaml:5:5: rule 'leak': via 'beside' is unknown; expected self, everywhere, places, or one of"
    )
    assert last == "mine.yaml: 2 faults"


def test_rules_and_a_city_can_be_checked_in_one_go(capsys: pytest.CaptureFixture[str]) -> None:
    """--json: each file with what it holds."""
    city = ROOT / "cities" / "riverton" / "city.yaml"

    assert main(["check", "--json", str(city), str(BUILT_IN)]) == 0
    of_city, of_rules = json.loads(capsys.readouterr().out)
    assert set(of_city) == {"file", "city", "assets", "links", "sensors", "faults", "notes"}
    assert set(of_rules) == {"file", "rules", "priors", "faults", "notes"}


def test_a_city_that_speaks_of_rules_stays_a_city(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The word alone does not make a city model a file of rules."""
    path = tmp_path / "city.yaml"
    path.write_text("# rules: see the handbook\ncity: x\ntimezone: UTC\nassets: []\n")

    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == "x: 0 assets, 0 links, 0 sensors, no faults\n"


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ("forecast: 1.2", "4:99: Input should be less than 1"),
        ("storage: [0.7, 0.3, 1.6]", "4:5: rule 'a tank drains': storage must rise: least, usual, most"),
    ],
)
def test_numbers_for_foretelling_are_linted_too(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    numbers: str,
    told: str,
) -> None:
    """A probability is one, and shares of a storage rise."""
    monkeypatch.chdir(tmp_path)
    rule = "{name: a tank drains, cause: dead, via: supplies, effect: level_low, lag: [0s, 4h], NUMBERS, "
    Path("mine.yaml").write_text(
        "words: {}\nmeasuring: []\nrules:\n  - "
        + rule.replace("NUMBERS", numbers)
        + "strength: 0.6, source: assumed}\npriors: []\n"
    )
    assert main(["check", "mine.yaml"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == f"mine.yaml:{told}"


def test_who_is_told_is_checked_against_the_city_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Riverton's own has no fault; a zone that is not there is one."""
    riverton = ROOT / "cities" / "riverton"
    assert main(["check", str(riverton / "alerts.yaml")]) == 0
    assert capsys.readouterr().out.endswith("5 routes, 4 receivers, 1 rota, no faults\n")

    (tmp_path / "city.yaml").write_text((riverton / "city.yaml").read_text())
    (tmp_path / "alerts.yaml").write_text(
        "receivers: {d: {type: console}}\nroute: {to: d, routes: [{match: {zone: nroth}}]}\n"
    )
    assert main(["check", str(tmp_path / "alerts.yaml")]) == 1
    assert "2:40: the city has no zone 'nroth', so this never matches; did you mean 'north'?" in (
        capsys.readouterr().out
    )
