"""``crosscurrent grafana sync``, against a server that speaks Grafana's calls (and is not Grafana)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from grafana.names import BOARDS
from runner.cli import main
from tests.grafana.speaker import TOKEN, Speaker
from tests.runner.storm import CITY


@pytest.fixture
def speaker() -> Iterator[Speaker]:
    """An empty one."""
    with Speaker() as server:
        yield server


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder with both tokens."""
    (tmp_path / "grafana").write_text(f"{TOKEN}\n")
    (tmp_path / "influx").write_text("of-influx\n")
    return tmp_path


def sync(speaker: Speaker, secrets: Path, *more: str, source: bool = True) -> int:
    """The command."""
    place = ["--influx", "http://influx:8086", "--influx-org", "city", "--influx-token-file"]
    return main(
        [
            "grafana", "sync", "--city", str(CITY), "--url", speaker.url, "--runbooks", "https://wiki/runbooks",
            "--token-file", str(secrets / "grafana"), *([*place, str(secrets / "influx")] if source else []),
            *more,
        ]
    )  # fmt: skip


def test_an_empty_grafana_gets_everything(
    speaker: Speaker, secrets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folder, data source, boards, rules, in this order; a second run finds nothing to do."""
    assert sync(speaker, secrets) == 0
    said = capsys.readouterr().out

    assert set(speaker.folders) == {"cc-riverton"}
    assert set(speaker.boards) == {f"cc-riverton-{name}" for name in BOARDS}
    assert speaker.rules["cc-riverton-stopped"]["annotations"]["runbook_url"].startswith("https://wiki/")
    assert said.startswith(f"Grafana 9.3.16 at {speaker.url}\ncreate   folder")
    assert "of-influx" not in said
    assert TOKEN not in said
    speaker.written.clear()
    assert sync(speaker, secrets, source=False) == 0
    assert speaker.written == []
    assert "0 changes made" in capsys.readouterr().out


def test_a_dry_run_changes_nothing(
    speaker: Speaker, secrets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It tells what it would do, with status 1."""
    assert sync(speaker, secrets, "--dry-run") == 1
    assert speaker.written == []
    assert "create   board City · riverton (cc-riverton-city)" in capsys.readouterr().out


def test_what_somebody_clicked_is_put_right(
    speaker: Speaker, secrets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The change is named before it is undone."""
    sync(speaker, secrets)
    speaker.boards["cc-riverton-city"]["dashboard"]["refresh"] = "1d"
    speaker.rules["cc-riverton-lag"]["for"] = "3d"
    capsys.readouterr()

    assert sync(speaker, secrets, source=False) == 0

    said = capsys.readouterr().out
    assert "refresh: '1d' -> '30s'" in said
    assert "for: '3d' -> '5m'" in said
    assert speaker.boards["cc-riverton-city"]["dashboard"]["refresh"] == "30s"


def test_only_ours_is_touched(speaker: Speaker, secrets: Path) -> None:
    """Other teams' boards and rules stay; ours that are wanted no more go."""
    sync(speaker, secrets)
    city = speaker.boards["cc-riverton-city"]
    strange = {"dashboard": {"title": "Lunch", "tags": []}, "meta": {"folderUid": "kitchen"}}
    speaker.boards |= {"lunch": strange, "cc-riverton-old": {**city, "dashboard": {**city["dashboard"]}}}
    speaker.rules["theirs"] = {"uid": "theirs", "title": "Coffee", "folderUID": "kitchen"}
    speaker.rules["cc-riverton-old"] = {"uid": "cc-riverton-old", "title": "Old", "folderUID": "cc-riverton"}

    assert sync(speaker, secrets, source=False) == 0

    assert {"lunch"} <= set(speaker.boards)
    assert {"theirs"} <= set(speaker.rules)
    assert "cc-riverton-old" not in {*speaker.boards, *speaker.rules}


def test_a_uid_of_ours_in_other_hands_is_left_alone(
    speaker: Speaker, secrets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named, the rest is done, and the status says that not all is as it is wanted."""
    theirs = {"dashboard": {"title": "Their city", "tags": []}, "meta": {"folderUid": "theirs"}}
    speaker.boards["cc-riverton-city"] = theirs

    assert sync(speaker, secrets) == 1

    assert speaker.boards["cc-riverton-city"] == theirs
    assert "foreign  board City" in capsys.readouterr().out
    assert "cc-riverton-load" in speaker.boards


def test_an_old_grafana_does_not_list_its_rules(secrets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What that means is said; all else works."""
    with Speaker(lists_rules=False) as old:
        assert sync(old, secrets) == 0

    assert "does not list its rules" in capsys.readouterr().out


def test_without_a_data_source_nothing_is_made(
    speaker: Speaker, secrets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Boards without one would be empty pages."""
    assert sync(speaker, secrets, source=False) == 2
    assert speaker.written == []
    assert "--influx-org" in capsys.readouterr().err


def test_what_grafana_refuses_is_told(
    speaker: Speaker, secrets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In its words, with what was being done; running again goes on."""
    speaker.refuse = "/dashboards/db"

    assert sync(speaker, secrets) == 3

    said = capsys.readouterr().err
    assert "database is locked" in said
    assert "create of the board City" in said
    assert TOKEN not in said
    speaker.refuse = ""
    assert sync(speaker, secrets) == 0


def test_a_wrong_token_and_a_wrong_address_are_told(
    speaker: Speaker, secrets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither shows a traceback, nor the token."""
    (secrets / "grafana").write_text("wrong")
    assert sync(speaker, secrets) == 3
    assert "Unauthorized" in capsys.readouterr().err

    arguments = [
        "--url",
        "http://127.0.0.1:9",
        "--token-file",
        str(secrets / "grafana"),
        "--runbooks",
        "https://w",
    ]
    assert main(["grafana", "sync", "--city", str(CITY), *arguments]) == 3
    assert "does not answer" in capsys.readouterr().err


def test_build_writes_a_city_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Into the folder that was named, and never over the demo city's."""
    assert main(["grafana", "build", "--city", str(CITY)]) == 2
    assert main(["grafana", "build", "--city", str(CITY), "--out", str(tmp_path), "--check"]) == 1
    assert main(["grafana", "build", "--city", str(CITY), "--out", str(tmp_path)]) == 0
    assert main(["grafana", "build", "--city", str(CITY), "--out", str(tmp_path), "--check"]) == 0
    (tmp_path / "boards" / "old.json").write_text("{}")
    capsys.readouterr()
    assert main(["grafana", "build", "--city", str(CITY), "--out", str(tmp_path), "--check"]) == 1
    assert "old.json" in capsys.readouterr().out
