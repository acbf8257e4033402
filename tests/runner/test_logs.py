"""What long-running verbs say where JSON is asked for."""

import io
import json
import sys
from pathlib import Path

import pytest

from runner.cli import main
from runner.logs import VARIABLE, JsonLines, as_asked
from runner.moments import BadUsage
from tests.runner.storm import CITY


def lines(text: str) -> list[dict[str, str]]:
    """The objects, without their times."""
    found = [json.loads(line) for line in text.splitlines()]
    return [{name: value for name, value in one.items() if name != "at"} for one in found]


def test_each_line_is_an_object_said_when_it_is_whole() -> None:
    """Half a line waits; empty ones are left out."""
    under = io.StringIO()
    said = JsonLines(under, "collect", "info")

    said.write("coll")
    assert under.getvalue() == ""
    said.write('ecting "riverton"\n\nand')

    assert lines(under.getvalue()) == [{"level": "info", "verb": "collect", "text": 'collecting "riverton"'}]
    assert json.loads(under.getvalue())["at"].endswith("Z")


def test_what_a_supervisor_passes_on_is_no_object_in_an_object() -> None:
    """It keeps its level and verb, and gets the name of its service."""
    inner, outer = io.StringIO(), io.StringIO()
    JsonLines(inner, "stream", "error").write("no answer\n")

    JsonLines(outer, "up", "info").write(f"detect-1: {inner.getvalue()}")

    assert lines(outer.getvalue()) == [
        {"level": "error", "verb": "stream", "text": "no answer", "service": "detect-1"}
    ]


def test_an_error_is_an_object_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With the same exit status; stdout and stderr are what they were."""
    monkeypatch.setenv(VARIABLE, "json")
    before = sys.stdout

    assert main(["collect", "--city", str(tmp_path / "none.yaml")]) == 2

    said = lines(capsys.readouterr().err)
    assert {(one["level"], one["verb"]) for one in said} == {("error", "collect")}
    assert "none.yaml" in said[-1]["text"]
    assert sys.stdout is before


def test_verbs_that_answer_and_end_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their output is for people, or has a form of its own."""
    monkeypatch.setenv(VARIABLE, "json")

    assert main(["check", str(CITY)]) == 0

    assert not capsys.readouterr().out.startswith("{")


def test_another_form_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With what there is."""
    monkeypatch.setenv(VARIABLE, "yaml")

    assert main(["check", str(CITY)]) == 2
    assert "CROSSCURRENT_LOGS is 'yaml'; expected 'text' or 'json'" in capsys.readouterr().err
    with pytest.raises(BadUsage, match="yaml"), as_asked("up"):
        pass
