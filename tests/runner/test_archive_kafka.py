"""What a Kafka holds, archived and replayed otherwise: the bytes of the recording that was collected."""

import signal
from pathlib import Path

import pytest

from runner.archive.manifests import Listed
from runner.archive.place import Place
from runner.cli import main
from runner.replay import RESULTS
from schemas.times import rfc3339
from tests.runner.kafkahelp import OnKafka, publish, wait_until
from tests.runner.storm import CITY, recorded
from tests.runner.test_stream import embedded
from tests.servers import Kafka, Mosquitto, free_ports


def told(out: Path, *words: object) -> dict[str, list[str]]:
    """What a replay says, in lines."""
    assert main(["replay", *map(str, words), "--out", str(out)]) == 0
    return lines(out)


def lines(out: Path) -> dict[str, list[str]]:
    """What lies in a folder of results."""
    return {name: sorted((out / name).read_text().splitlines()) for name in RESULTS}


def test_a_kafka_its_archive_and_the_recording_say_the_same_otherwise_too(
    kafka: Kafka,
    prefix: str,
    mosquitto: Mosquitto,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As it was, in the player, and what if: the same words all ways. Adding again adds nothing; a range that
    overlaps with what is there is refused.
    """
    messages = recorded("storm-day", 23_000)[17_000:]
    expected = embedded(messages, tmp_path)
    on_kafka = OnKafka(kafka, prefix)
    with on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "3") as collector:
        publish(mosquitto, messages)
        assert collector.wait(60) == 0
    monkeypatch.setenv("CROSSCURRENT_KAFKA_PREFIX", prefix)
    archive, address = str(tmp_path / "archive"), kafka.address

    add = ["archive", "add", archive, address, "--city", str(CITY)]
    assert main(add) == 0
    assert "records, " in capsys.readouterr().out
    assert main(add) == 0
    assert ": 0 records more than there were" in capsys.readouterr().out
    assert told(tmp_path / "a", address, "--city", CITY) == expected
    assert told(tmp_path / "b", archive) == expected

    what_if = ["--set", "booster-1/flow.high=60", "--without", "substation-b dead", "--drop", "tank-1/level"]
    otherwise = told(tmp_path / "c", tmp_path / "storm.jsonl", "--city", CITY, *what_if)
    assert otherwise != expected
    assert told(tmp_path / "d", address, "--city", CITY, *what_if) == otherwise
    assert told(tmp_path / "e", archive, *what_if) == otherwise

    player, watch = tmp_path / "f", ["--console", "--no-browser", "--start-paused", "--console-port"]
    words = ["replay", address, *watch, str(free_ports(1)[0]), "--out", str(player)]
    with on_kafka.verb(*words, kafka=False) as process:
        wait_until((player / "summary.json").exists, "the player has thought it through")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert lines(player) == expected
    assert address in (player / "summary.json").read_text()
    assert {one.name for one in player.iterdir()} == {*RESULTS, "summary.json"}

    (batch,) = Listed(Place(archive), "riverton").manifests
    capsys.readouterr()
    assert main([*add, "--from", rfc3339((batch.start + batch.end) // 2)]) == 2
    assert "holds something up to" in capsys.readouterr().err
