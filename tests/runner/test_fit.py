"""``crosscurrent fit`` on Riverton's recorded days, and ``--causes``: what other rules would have done."""

import shutil
import subprocess
from pathlib import Path

import pytest

from runner.cli import main
from runner.fitting import Proposal, fit
from streams.causes import BUILT_IN, load_causes

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton"
QUIET, FEEDER = RIVERTON / "quiet-day.jsonl.gz", RIVERTON / "feeder-day.jsonl.gz"


@pytest.fixture(scope="module")
def proposal() -> Proposal:
    """What the day of the feeder teaches about our rules."""
    return fit([FEEDER])


def test_the_proposal_says_what_it_rests_on(proposal: Proposal) -> None:
    """One true cause, of one day, with trials of the rules on its way."""
    tried = {lesson.name: lesson.strength for lesson in proposal.lessons.rules}

    assert (proposal.lessons.days, proposal.lessons.causes) == (1, 1)
    assert proposal.lessons.nameless == {}
    assert (lost := tried["supply is lost downstream"]) is not None
    assert lost.successes == pytest.approx(lost.trials)


def test_the_diff_is_one_that_patch_takes(proposal: Proposal, tmp_path: Path) -> None:
    """Reviewed, then applied: the file afterwards is the proposed one, and our rules can read it."""
    target = tmp_path / "streams" / "causes.yaml"
    target.parent.mkdir()
    shutil.copy(BUILT_IN, target)
    subprocess.run(["git", "apply", "-p0", "-"], cwd=tmp_path, input=proposal.diff, text=True, check=True)

    assert target.read_text(encoding="utf-8") == proposal.after
    changed = [
        new.name
        for old, new in zip(load_causes().rules, load_causes(target).rules, strict=True)
        if old != new
    ]
    assert changed
    assert changed == [rule.name for rule in proposal.lessons.rules if rule.moves]


def test_a_quiet_day_teaches_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No cause, no trial: with ``--out`` the file is a copy."""
    copy = tmp_path / "proposed.yaml"

    assert main(["fit", str(QUIET), "--out", str(copy)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "nothing changes in streams/causes.yaml: 0 causes, 1 days" in said.err
    assert copy.read_text(encoding="utf-8") == BUILT_IN.read_text(encoding="utf-8")


def test_a_replay_under_other_rules(tmp_path: Path) -> None:
    """Without rules nothing explains anything: the day of the feeder falls apart."""
    bare = tmp_path / "bare.yaml"
    text = BUILT_IN.read_text(encoding="utf-8")
    bare.write_text(text[: text.index("\nrules:")] + "\nrules: []\npriors: [{prior: 0.001}]\n")
    arguments = [str(FEEDER), "--city", str(RIVERTON / "city.yaml"), "--out", str(tmp_path / "out")]

    assert main(["replay", *arguments, "--causes", str(bare)]) == 0
    assert len((tmp_path / "out" / "incidents.jsonl").read_text().splitlines()) > 1


def refused(capsys: pytest.CaptureFixture[str], *arguments: Path | str) -> str:
    """What ``crosscurrent fit`` says when it can't begin."""
    assert main(["fit", *map(str, arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_no_file_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither ours nor anybody's, and that is told before the work."""
    theirs = tmp_path / "causes.yaml"
    theirs.write_text("mine")

    assert "is there already; expected a new file" in refused(capsys, QUIET, "--out", theirs)
    assert "is there already; expected a new file" in refused(capsys, QUIET, "--out", BUILT_IN)
    assert "its folder is not there" in refused(capsys, QUIET, "--out", tmp_path / "no" / "causes.yaml")
    assert theirs.read_text() == "mine"


def test_what_is_absent_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels, a label for each recording, the city model, the cause's asset."""
    alone = tmp_path / "day.jsonl.gz"
    shutil.copy(QUIET, alone)
    labels = RIVERTON / "quiet-day.labels.json"
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(
        '{"incidents": [{"id": "x", "cause": '
        '{"asset": "atlantis", "kind": "burst", "start": "2025-06-05T00:00:00Z"}}]}'
    )

    assert "day.labels.json: not there; expected the truth about day.jsonl.gz" in refused(capsys, alone)
    assert "city.yaml: not there" in refused(capsys, alone, "--labels", labels)
    assert "2 files for 1 recordings" in refused(capsys, alone, "--labels", labels, labels)
    assert "'atlantis'; expected an asset of" in refused(capsys, QUIET, "--labels", elsewhere)


def test_faulty_rules_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the line of each fault, by all who take rules."""
    broken = tmp_path / "causes.yaml"
    broken.write_text("words: {}\nmeasuring: []\nrules: [{name: x}]\npriors: []\n")

    assert "causes.yaml:3:" in refused(capsys, QUIET, "--causes", broken)
    for verb in (
        ["replay", str(QUIET), "--city", str(RIVERTON / "city.yaml"), "--out", str(tmp_path / "out")],
        ["up", "--city", str(RIVERTON / "city.yaml"), "--data", str(tmp_path / "data")],
        ["bench", str(RIVERTON)],
    ):
        assert main([*verb, "--causes", str(broken)]) == 2
        assert "causes.yaml:3:" in capsys.readouterr().err
