"""The command line: the right verb, one clear word where something is wrong, the right status."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner import VERSION
from runner.cli import STATUSES, VERBS, main

ROOT = Path(__file__).parent.parent.parent
LAUNCHER = ROOT / "crosscurrent.py"


def test_help_lists_every_verb_and_every_status(capsys: pytest.CaptureFixture[str]) -> None:
    """One look tells what can be done and what an exit status means."""
    assert main(["--help"]) == 0

    lines = capsys.readouterr().out.splitlines()
    first_words = [line.split()[0] for line in lines if line.startswith("  ")]
    assert first_words == [*VERBS, *map(str, STATUSES)]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version of the whole product."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"crosscurrent {VERSION}\n"


def test_a_misspelt_verb_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the finger is answered with what was meant."""
    assert main(["repaly"]) == 2
    assert capsys.readouterr().err == (
        "crosscurrent: there is no verb 'repaly'; did you mean replay or play? "
        "('crosscurrent --help' tells more)\n"
    )


def test_a_foreign_verb_gets_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is near, all verbs are named."""
    assert main(["xyzzy"]) == 2
    assert capsys.readouterr().err == (
        f"crosscurrent: there is no verb 'xyzzy'; choose one of {', '.join(VERBS)} "
        "('crosscurrent --help' tells more)\n"
    )


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever types nothing learns what there is; a script learns that it was wrong."""
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("usage: crosscurrent VERB")


def test_wrong_arguments_are_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage of a verb is told by that verb's own usage."""
    assert main(["replay"]) == 2
    assert "the following arguments are required" in capsys.readouterr().err


def test_a_missing_file_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Input that is not there is the caller's to mend."""
    missing = tmp_path / "nowhere.yaml"

    assert main(["replay", str(missing), "--city", str(missing), "--out", str(tmp_path / "out")]) == 2
    assert str(missing) in capsys.readouterr().err


def test_a_machine_in_the_way_is_status_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A data folder that can't be made is neither a no nor wrong usage."""
    (tmp_path / "file").write_text("in the way")
    city = ROOT / "cities" / "riverton" / "city.yaml"

    assert main(["up", "--city", str(city), "--data", str(tmp_path / "file"), "--no-console"]) == 3
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_leaves_early_is_no_error(unbuffered: str) -> None:
    """``crosscurrent ... | head`` ends without a traceback."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} {LAUNCHER} --help | true; echo ${{PIPESTATUS[0]}}"],
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""
    assert done.stdout.strip() in {"0", "141"}  # 0 where the text was in the pipe before the reader left


def test_checking_a_model_loads_no_console(tmp_path: Path) -> None:
    """A verb pays only for itself: no web server, no broker is imported to check a file."""
    program = (
        "import sys; from runner.cli import main; "
        f"status = main(['check', {str(ROOT / 'cities' / 'riverton' / 'city.yaml')!r}]); "
        "print(sorted({'nicegui', 'amqtt', 'console'} & set(sys.modules)), status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[] 0"


def test_the_launcher_runs_from_anywhere(tmp_path: Path) -> None:
    """A checkout needs no installation, and the folder one stands in does not matter."""
    done = subprocess.run(
        [sys.executable, str(LAUNCHER), "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == f"crosscurrent {VERSION}\n"
