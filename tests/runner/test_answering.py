"""People answer: by links that are signed, on the command line, with and without a runner at work."""

import base64
import json
from pathlib import Path

import pytest

from runner.answering import BadLink, Signer, answered
from runner.cli import main
from runner.log import Log
from runner.processor import Processor
from runner.store import Retention, Store
from schemas.answers import Answer
from schemas.readings import Tick
from schemas.times import DAY, SECOND
from schemas.vocabulary import load_vocabulary
from tests.alerts.help import CITY
from tests.receivers import message

PATTERN = "http://here/answer/{token}"


def token_of(link: str) -> str:
    """What stands after the last slash."""
    return link.rpartition("/")[2]


def test_a_link_says_who_answers_what_and_counts_once() -> None:
    """Read again, it is the same answer with the same id."""
    signer, note = Signer(PATTERN, "secret"), message(1, to="ana")
    token = token_of(signer.link(note, "acknowledge"))
    first, second = signer.read(token), signer.read(token)
    assert (first.incident, first.answer, first.by) == ("i-1", "acknowledge", "ana")
    assert first.id == second.id
    assert first.id != signer.read(token_of(signer.link(note, "shelve"))).id


def test_a_link_that_was_changed_is_none() -> None:
    """Another name, another signature, another secret, nothing at all."""
    signer = Signer(PATTERN, "secret")
    body, _, signature = token_of(signer.link(message(1), "acknowledge")).partition(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**said, "by": "eve"}).encode()).decode().rstrip("=")
    other = Signer(PATTERN, "guess")
    for token in (
        f"{forged}.{signature}",
        f"{body}.{'0' * 32}",
        body,
        "",
        "é.é",
        f"{body}.{other._sign(body)}",
    ):
        with pytest.raises(BadLink, match="not one of ours"):
            signer.read(token)


def test_a_link_ends_after_a_day() -> None:
    """By the clock of whoever reads it."""
    note = message(1)
    token = token_of(Signer(PATTERN, "secret").link(note, "acknowledge"))
    with pytest.raises(BadLink, match="older than a day"):
        Signer(PATTERN, "secret", clock=lambda: (note.at + DAY) / SECOND + 1).read(token)


def test_a_message_offers_its_answers() -> None:
    """A line for each, under the text."""
    lines = Signer(PATTERN, "secret").with_links(message(1)).splitlines()
    assert lines[:2] == ["Pump 1 lost supply.", "First: look at the voltage."]
    assert [line.partition(": http://here/answer/")[0] for line in lines[2:]] == ["Acknowledge", "Shelve"]


def test_the_command_line_answers_into_a_data_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kept in the log, taken up by whoever works there, told with who, when and why."""
    Log(tmp_path).close()
    given = ["alerts", "acknowledge", "i-9", "--data", str(tmp_path), "--by", "ana", "--note", "on my way"]
    assert main(given) == 0
    assert capsys.readouterr().out == "acknowledge of i-9 by ana: kept\n"

    store = Store(tmp_path)
    store.log.append([Tick(at=SECOND)])
    processor = Processor(CITY, load_vocabulary(), store, Retention())
    while processor.step():
        pass
    (decision,) = store.decisions("i-9")
    assert decision.stage == "answer"
    assert decision.reason.startswith("acknowledge by ana at 20")
    assert decision.reason.endswith(": on my way; it is over")
    store.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["acknowledge", "i-1", "--data", "."], "--by NAME says who answers"),
        (["acknowledge", "i-1", "--by", "ana"], "give one of --data and --kafka"),
        (["acknowledge", "i-1", "--by", "ana", "--data", "."], "no data folder of `up`"),
        (
            ["shelve", "i-1", "--by", "ana", "--data", ".", "--minutes", "-3"],
            "minutes: Input should be greater",
        ),
        (["resolve", "i-1", "--by", "ana", "--kafka", "kafka://here"], "--kafka needs --city"),
        (["explain", "i-1"], "give one of --data DIR, a data folder or the folder of a replay, and --kafka"),
    ],
)
def test_what_can_not_be_answered_says_why(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 2, one line."""
    monkeypatch.chdir(tmp_path)
    assert main(["alerts", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_log_keeps_answers_between_readings(tmp_path: Path) -> None:
    """In the order in which they came."""
    log = Log(tmp_path)
    given = answered("i-1", "shelve", "ana")
    log.append([Tick(at=0), given])
    (_, first), (_, second) = log.read(1, 10)
    assert (type(first), second) == (Tick, given)
    assert isinstance(second, Answer)
    assert second.minutes == 60
    log.close()
