"""``crosscurrent alert`` on a real Kafka: two replicas, killed, frozen and started again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from runner.cli import main
from runner.kafka.plan import Plan
from runner.kafka.pulse import Pulse
from runner.kafka.records import headers, kind_of
from schemas.cityfile import load_city
from schemas.notifications import UNSETTLED, Delivered, Notification
from schemas.topics import ALARMS, DELIVERIES, NOTIFICATIONS
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from tests.receivers import Hook, message
from tests.runner.kafkahelp import ROOT, OnKafka, wait_until
from tests.runner.storm import CITY as RIVERTON
from tests.servers import Kafka

KINDS: tuple[Literal["opened", "updated", "resolved"], ...] = ("opened", "updated", "resolved")
CITY = "city: testville\ntimezone: UTC\nassets:\n  - {id: pump-1, utility: water, kind: pump, zone: north}\n"
ROUNDS = int(os.environ.get("CROSSCURRENT_CHAOS_ROUNDS", "1"))
SESSION = "6"
"""Seconds after which a silent replica is given up: the least that brokers allow."""


def city(folder: Path, hook: Hook, delivery: str = "at-least-once") -> Path:
    """A city whose only receiver is a webhook."""
    (folder / "alerts.yaml").write_text(
        f"receivers: {{desk: {{type: webhook, url: '{hook.address}', allow_private: true, timeout: 0.5, "
        f"per_minute: 100000, delivery: {delivery}}}}}\nroute: {{to: desk}}\n"
    )
    path = folder / "city.yaml"
    path.write_text(CITY)
    return path


def publish(on_kafka: OnKafka, notes: list[Notification]) -> None:
    """As a correlating worker writes them."""
    producer = Producer(on_kafka.settings.librdkafka({"partitioner": "murmur2_random"}))
    for number, note in enumerate(notes):
        producer.produce(
            on_kafka.settings.name(NOTIFICATIONS),
            note.model_dump_json().encode(),
            note.thread,
            headers=headers("notification", "/testville/correlate/0", f"{number}/0"),
        )
    assert producer.flush(30) == 0


@contextmanager
def replica(on_kafka: OnKafka, path: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """One process of the verb; killed in the end."""
    variables = {
        "CROSSCURRENT_KAFKA_PREFIX": on_kafka.settings.prefix,
        "CROSSCURRENT_KAFKA_SESSION_SECONDS": SESSION,
    }
    command = [sys.executable, str(ROOT / "crosscurrent.py"), "alert", "--city", str(path)]
    with subprocess.Popen(
        [*command, "--kafka", on_kafka.kafka.address, *more],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def delivered(on_kafka: OnKafka) -> list[Delivered]:
    """What the replicas said of their messages."""
    return [Delivered.model_validate_json(seen.text) for seen in on_kafka.records(DELIVERIES)]


def troubled(on_kafka: OnKafka, path: Path, hook: Hook, notes: list[Notification]) -> int:
    """Two replicas send these while one and the other is killed, and one frozen for longer than its session;
    how many were killed.
    """
    chance = random.Random(ROUNDS)
    with ExitStack() as stack:
        replicas = [stack.enter_context(replica(on_kafka, path)) for _ in range(2)]
        publish(on_kafka, notes)
        wait_until(lambda: len(hook.requests) > 20, "messages on their way")
        victims = (0, 1) * ROUNDS
        for victim in victims:
            time.sleep(chance.uniform(0.5, 2))
            replicas[victim].kill()
            replicas[victim] = stack.enter_context(replica(on_kafka, path))
        replicas[0].send_signal(signal.SIGSTOP)
        time.sleep(float(SESSION) + 3)
        replicas[0].send_signal(signal.SIGCONT)
        wait_until(lambda: {*came_of(on_kafka)} == {f"{note.id}/desk" for note in notes}, "all settled", 180)
    return len(victims)


def came_of(on_kafka: OnKafka) -> dict[str, str]:
    """How each message ended, by its delivery's id."""
    return {one.id: one.state for one in delivered(on_kafka) if one.state not in UNSETTLED}


def test_two_replicas_miss_nothing_and_page_nobody_twice(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    """Kills, one frozen, a receiver that fails 20 %: each message is taken, in the order of its thread.

    What was on its way when its replica was killed comes once more, under its own key: no more than it had on
    its way. A receiver that knows keys shows each page once.
    """
    on_kafka = OnKafka(kafka, prefix)
    notes = [message(number, kind) for kind in KINDS for number in range(50 * ROUNDS)]
    with Hook(failing=0.2, late=0.8, slow=0.15) as hook:
        kills = troubled(on_kafka, city(tmp_path, hook), hook, notes)
        requests = sorted(hook.requests, key=lambda request: request.at)

    assert set(came_of(on_kafka).values()) == {"accepted"}
    taken = Counter(request.headers["Idempotency-Key"] for request in requests if request.well)
    assert taken.keys() == {note.id for note in notes}
    assert sum(taken.values()) - len(taken) <= 4 * (kills + 1)
    order: dict[str, dict[str, None]] = defaultdict(dict)
    for request in requests:
        order[request.json["thread"]].setdefault(request.json["kind"])  # a key that is known is passed over
    assert {tuple(kinds) for kinds in order.values()} == {KINDS}


def test_whoever_wants_each_page_at_most_once_gets_none_twice(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    """The same trouble, for a receiver that knows no keys: nothing comes twice; of what may not have come, we
    say so.
    """
    on_kafka = OnKafka(kafka, prefix)
    notes = [message(number) for number in range(100 * ROUNDS)]
    with Hook(slow=0.15) as hook:
        kills = troubled(on_kafka, city(tmp_path, hook, "at-most-once"), hook, notes)
        taken = Counter(request.headers["Idempotency-Key"] for request in hook.requests)

    assert set(taken.values()) == {1}
    unsure = {id_.removesuffix("/desk") for id_, state in came_of(on_kafka).items() if state == "unsure"}
    assert {note.id for note in notes} - taken.keys() <= unsure
    assert len(unsure) <= 4 * (kills + 1)
    assert set(came_of(on_kafka).values()) <= {"accepted", "unsure"}


def test_a_replica_that_starts_later_sends_nothing_again(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    """Ended in order, or killed once all was settled: the next one knows what was accepted."""
    on_kafka = OnKafka(kafka, prefix)
    with Hook() as hook:
        path = city(tmp_path, hook)
        publish(on_kafka, [message(number) for number in range(20)])
        with replica(on_kafka, path):
            wait_until(lambda: len(delivered(on_kafka)) == 20, "the first are settled")
        publish(on_kafka, [message(number) for number in range(20)])  # a worker that was killed says it again
        publish(on_kafka, [message(number, "resolved") for number in range(20)])
        with replica(on_kafka, path) as second:
            wait_until(lambda: len(delivered(on_kafka)) == 40, "all are settled")
            second.send_signal(signal.SIGTERM)
            assert second.wait(20) == 0
    kinds = Counter(request.json["kind"] for request in hook.requests)
    assert kinds == {"opened": 20, "resolved": 20}


def test_an_answer_lands_where_the_desk_reads(
    kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the partition of the city's alarms, under the city's key."""
    on_kafka = OnKafka(kafka, prefix)
    monkeypatch.setenv("CROSSCURRENT_KAFKA_PREFIX", prefix)
    here = ["--kafka", kafka.address, "--city", str(RIVERTON)]
    assert main(["alerts", "take-over", "i-1", "--by", "ana", *here]) == 0
    (seen,) = on_kafka.records(ALARMS)
    assert (seen.key, kind_of(seen.headers), seen.json["answer"]) == ("riverton", "answer", "take over")


def test_links_in_messages_lead_to_a_replica_that_keeps_the_answer(
    kafka: Kafka, prefix: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """From the message's own text; opening the link changes nothing, pressing its button once or twice is one
    answer, where the desk reads.
    """
    on_kafka, place = OnKafka(kafka, prefix), f"http://127.0.0.1:{free_port()}"
    with Hook() as hook:
        path = city(tmp_path, hook)
        (tmp_path / "secret").write_text("s3cret")
        with (tmp_path / "alerts.yaml").open("a") as file:
            file.write(
                f"links: {{answers: '{place}/answer/{{token}}', secret: {{file: {tmp_path}/secret}}}}\n"
            )
        publish(on_kafka, [message(1)])
        with replica(on_kafka, path, "--answers", place.removeprefix("http://")):
            wait_until(lambda: len(delivered(on_kafka)) == 1, "the message is sent")
            (line,) = [
                line
                for line in hook.requests[0].json["text"].splitlines()
                if line.startswith("Acknowledge: ")
            ]
            link = line.removeprefix("Acknowledge: ")
            asked = httpx.get(link)
            assert (asked.status_code, "Acknowledge?" in asked.text) == (200, True)
            assert on_kafka.records(ALARMS) == []
            pressed = [httpx.post(link) for _ in range(2)]
            assert ["Thank you" in page.text for page in pressed] == [True, True]
            assert httpx.post(f"{link[:-4]}0000").status_code == 403
            assert httpx.get(f"{place}/elsewhere").status_code == 404

    first, second = (seen.json for seen in on_kafka.records(ALARMS))
    assert (first["incident"], first["answer"], first["by"]) == ("i-1", "acknowledge", "desk")
    assert first["id"] == second["id"]


def test_a_replica_beats_for_as_long_as_the_desk_gets_on(kafka: Kafka, prefix: str) -> None:
    """What its group has taken is the measure, whichever shell carries it; it stands with the group."""
    on_kafka = OnKafka(kafka, prefix)
    model = load_city(RIVERTON)
    desk = Plan(model, load_vocabulary(), load_causes(), on_kafka.settings).correlate()[-1]
    (partition,) = desk.partitions
    pulse = Pulse(on_kafka.settings, model.city, desk)
    seen = [pulse()]
    for offset, shell in ((3, "crosscurrent"), (5, "crosscurrent"), (1, "crosscurrent-faust")):
        group = {"group.id": f"{prefix}{shell}-{desk.name}-{model.city}"}
        consumer = Consumer(on_kafka.settings.librdkafka(group))
        place = TopicPartition(on_kafka.settings.name(desk.source), partition, offset)
        consumer.commit(offsets=[place], asynchronous=False)
        consumer.close()
        seen.append(pulse())
    assert [*seen, pulse()] == [0, 3, 5, 6, 6]
    pulse.close()


def test_answers_without_links_are_refused(
    kafka: Kafka,
    prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was asked for can't be: said at once."""
    monkeypatch.setenv("CROSSCURRENT_KAFKA_PREFIX", prefix)
    OnKafka(kafka, prefix)
    with Hook() as hook:
        path = city(tmp_path, hook)
    given = ["alert", "--city", str(path), "--kafka", kafka.address, "--answers", "0"]
    assert main(given) == 2
    assert "the alerts.yaml has no links to answer by" in capsys.readouterr().err
