"""The workers on a real Kafka say what the embedded replay says, byte for byte, whatever happens to them."""

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from collectors.messages import Message
from collectors.recording import Writer
from runner.cli import main
from runner.kafka.records import kind_of
from runner.replay import RESULTS, replay
from runner.store import open_scratch, standing, write_standing
from schemas.alarms import AlarmChange
from schemas.incidents import Incident, IncidentRevision
from schemas.topics import ALARMS, DECISIONS, INCIDENTS, NOTIFICATIONS, READINGS, RECEIPTS
from tests.runner.kafkahelp import OnKafka, end, publish, wait_until
from tests.runner.storm import CITY, recorded
from tests.runner.test_metrics import ask
from tests.servers import Kafka, Mosquitto

Results = dict[str, list[str]]


@pytest.fixture
def on_kafka(kafka: Kafka, prefix: str) -> OnKafka:
    """Topics of a test's own."""
    return OnKafka(kafka, prefix)


def embedded(messages: list[Message], folder: Path, city: Path = CITY) -> Results:
    """What the embedded replay says of these messages, in lines."""
    with Writer(folder / "storm.jsonl") as writer:
        for message in messages:
            writer.write(message)
    replay(folder / "storm.jsonl", city, folder / "replay")
    return {name: sorted((folder / "replay" / name).read_text().splitlines()) for name in RESULTS}


def on_topics(on_kafka: OnKafka) -> Results:
    """What stands on the topics: each thing once, as a sink that takes upserts keeps it."""
    alarms = [
        AlarmChange.model_validate_json(seen.text)
        for seen in on_kafka.records(ALARMS)
        if kind_of(seen.headers) == "alarm-change"
    ]
    said = on_kafka.records(INCIDENTS)
    revisions = [IncidentRevision.model_validate_json(seen.text) for seen in said]
    store = open_scratch(Path(":memory:"))
    write_standing(store, alarms, revisions)
    incidents = [IncidentRevision.model_validate_json(text) for text in standing(store, "incidents")]
    final_alarms = list(standing(store, "alarms"))
    store.close()
    return {
        "alarms.jsonl": sorted(final_alarms),
        "incidents.jsonl": sorted(
            Incident(**{name: getattr(i, name) for name in Incident.model_fields}).model_dump_json()
            for i in incidents
        ),
        "revisions.jsonl": sorted({seen.text for seen in said}),
        "notifications.jsonl": sorted({seen.text for seen in on_kafka.records(NOTIFICATIONS)}),
        "decisions.jsonl": sorted({seen.text for seen in on_kafka.records(DECISIONS)}),
    }


def settled(on_kafka: OnKafka, expected: Results, look_after: Callable[[], object] = bool) -> None:
    """Wait until the topics say what is expected; else show how they differ. Meanwhile ``look_after``."""
    seen: list[Results] = []

    def said_all() -> bool:
        look_after()
        seen.append(on_topics(on_kafka))
        return seen[-1] == expected

    try:
        wait_until(said_all, "all said", 180)  # longer than the patience of a watchdog
    except AssertionError:
        assert seen[-1] == expected


@pytest.mark.parametrize("shell", ["faust", "kafka"])
def test_workers_say_what_the_embedded_replay_says(
    on_kafka: OnKafka,
    mosquitto: Mosquitto,
    tmp_path: Path,
    shell: str,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through the worst hours of the storm: alarms, incidents, every revision, every word to people.

    Nothing is left behind on the disk.
    """
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    messages = recorded("storm-day", 24_000)[16_000:]
    expected = embedded(messages, tmp_path)
    port = free_port()
    with (
        on_kafka.verb("stream", "all", "--shell", shell, "--metrics", str(port)) as workers,
        on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "5") as collector,
    ):
        publish(mosquitto, messages)
        assert collector.wait(60) == 0
        settled(on_kafka, expected)
        traces = {seen.headers["traceparent"] for seen in on_kafka.records(READINGS)}
        for topic in (ALARMS, INCIDENTS, NOTIFICATIONS):
            assert {seen.headers["traceparent"] for seen in on_kafka.records(topic)} <= traces
        answered(on_kafka, json.loads(expected["incidents.jsonl"][0])["id"], monkeypatch)
        ready, _ = ask(f"http://127.0.0.1:{port}/ready")
        _, figures = ask(f"http://127.0.0.1:{port}/metrics")
        end(workers)

    group = {"faust": "faust-detect-riverton", "kafka": "detect-riverton"}[shell]
    assert on_kafka.committed(group) >= len(on_kafka.records(READINGS))  # offsets: a transaction's end counts
    assert on_kafka.records(RECEIPTS) == []  # for those alone that number their messages
    assert not list((tmp_path / "scratch").iterdir())
    assert not list(Path.cwd().glob(f"{on_kafka.settings.prefix}*"))
    assert len(expected["incidents.jsonl"]) > 0
    assert ready == 200
    assert 'crosscurrent_outputs_total{stage="correlate",kind="incident-revision"}' in figures
    for result in ("readings", "late"):
        assert f'crosscurrent_stage_readings_total{{stage="detect",result="{result}"}}' in figures
    for stage in ("detect", "correlate"):
        assert f'crosscurrent_watermark_lag_seconds{{stage="{stage}"}}' in figures
    assert 'crosscurrent_lag_offsets{stage="detect",partition="' in figures
    assert verified(on_kafka, tmp_path / "storm.jsonl") == (0, "")
    assert replayed(on_kafka, tmp_path / "from-kafka") == expected


def test_domains_on_workers_of_their_own_say_what_one_process_says(
    kafka: Kafka, prefix: str, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """Riverton cut where districts meet: two workers correlate, one of them joins; one is killed."""
    city = tmp_path / "city.yaml"
    model = yaml.safe_load(CITY.read_text())
    zone = {asset["id"]: asset["zone"] for asset in model["assets"]}
    for link in model["links"]:
        link["border"] = link["relation"] != "carries" and zone[link["from"]] != zone[link["to"]]
    city.write_text(json.dumps(model))
    shutil.copy(CITY.with_name("alerts.yaml"), tmp_path)
    on_kafka = OnKafka(kafka, prefix, city)
    messages = recorded("storm-day", 24_000)[16_000:]
    expected = embedded(messages, tmp_path, city)
    correlate = ("stream", "correlate", "--shell", "kafka")
    with (
        on_kafka.verb("stream", "detect", "--shell", "kafka") as detect,
        on_kafka.verb(*correlate, member="one") as one,
        on_kafka.verb(*correlate, member="other") as other,
        on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "20") as collector,
    ):
        publish(mosquitto, messages[:4_000])
        one.kill()
        with on_kafka.verb(*correlate, member="one") as again:
            publish(mosquitto, messages[4_000:])
            assert collector.wait(90) == 0
            settled(on_kafka, expected)
            for process in (detect, other, again):
                end(process)

    assert len({seen.partition for seen in on_kafka.records(ALARMS)}) > 1
    assert len(expected["incidents.jsonl"]) > 0
    assert verified(on_kafka, tmp_path / "storm.jsonl") == (0, "")
    assert replayed(on_kafka, tmp_path / "from-kafka") == expected


def answered(on_kafka: OnKafka, incident: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody takes an incident over, and the desk has heard it."""
    monkeypatch.setenv("CROSSCURRENT_KAFKA_PREFIX", on_kafka.settings.prefix)
    here = ["--kafka", on_kafka.kafka.address, "--city", str(CITY)]
    decided = len(on_kafka.records(DECISIONS))
    assert main(["alerts", "take-over", incident, "--by", "ana", *here]) == 0
    wait_until(lambda: len(on_kafka.records(DECISIONS)) > decided, "the desk has heard")


def verified(on_kafka: OnKafka, recording: Path) -> tuple[int, str]:
    """Status of the ledger, and what it lists as missing or unexplained."""
    with on_kafka.verb("ledger", "verify", "--recording", str(recording), wait=False) as process:
        said, _ = process.communicate(timeout=120)
    kinds = re.findall(r"^(.+): [\d,]+ due", said, re.MULTILINE)
    assert kinds == ["readings", "alarm changes", "incident revisions", "notifications", "decisions"]
    return process.returncode, "".join(line for line in said.splitlines() if "  " in line)


def replayed(on_kafka: OnKafka, out: Path) -> Results:
    """What a replay from Kafka says."""
    with on_kafka.verb(
        "replay", on_kafka.kafka.address, "--out", str(out), wait=False, kafka=False
    ) as process:
        assert process.wait(120) == 0
    return {name: sorted((out / name).read_text().splitlines()) for name in RESULTS}


def test_the_ledger_names_what_is_missing(on_kafka: OnKafka, mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Published and not collected, concluded by nobody: each by its id, with status 1."""
    messages = recorded("storm-day", 24_000)[16_000:]
    embedded(messages, tmp_path)
    with on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "3") as collector:
        publish(mosquitto, messages[:-1])
        assert collector.wait(60) == 0
    status, listed = verified(on_kafka, tmp_path / "storm.jsonl")

    at = json.loads(messages[-1].payload)["at"]
    asset = messages[-1].topic.split("/")[-2]
    assert status == 1
    assert f"missing  reading  {asset}/" in listed
    assert at in listed
    assert "missing  alarm change  " in listed
    assert "missing  incident revision  " in listed


@pytest.mark.parametrize("shell", ["faust", "kafka"])
def test_workers_that_come_and_go_change_nothing(
    on_kafka: OnKafka, mosquitto: Mosquitto, tmp_path: Path, shell: str
) -> None:
    """A second worker joins the first, the first leaves in order, the second is killed, a third follows."""
    messages = recorded("storm-day", 24_000)[16_000:]
    expected = embedded(messages, tmp_path)
    worker = ("stream", "all", "--shell", shell)
    with on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "20") as collector:
        with on_kafka.verb(*worker) as first:
            publish(mosquitto, messages[:2_000])
            with on_kafka.verb(*worker) as second:
                publish(mosquitto, messages[2_000:4_000])
                time.sleep(5)  # the partitions change hands
                publish(mosquitto, messages[4_000:6_000])
                end(first)
                publish(mosquitto, messages[6_000:])
                second.kill()
        with on_kafka.verb(*worker) as third:
            assert collector.wait(90) == 0
            settled(on_kafka, expected)
            end(third)
