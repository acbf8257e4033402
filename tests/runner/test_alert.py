"""``crosscurrent alert`` on a real Kafka: two replicas, killed, frozen and started again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import pytest
from confluent_kafka import Producer

from runner.cli import main
from runner.kafka.records import headers, kind_of
from schemas.notifications import Delivered, Notification
from schemas.topics import ALARMS, DELIVERIES, NOTIFICATIONS
from tests.receivers import Hook, message
from tests.runner.kafkahelp import ROOT, OnKafka, wait_until
from tests.runner.storm import CITY as RIVERTON
from tests.servers import Kafka

KINDS: tuple[Literal["opened", "updated", "resolved"], ...] = ("opened", "updated", "resolved")
CITY = "city: testville\ntimezone: UTC\nassets:\n  - {id: pump-1, utility: water, kind: pump, zone: north}\n"
ROUNDS = int(os.environ.get("CROSSCURRENT_CHAOS_ROUNDS", "1"))
SESSION = "6"
"""Seconds after which a silent replica is given up: the least that brokers allow."""


def city(folder: Path, hook: Hook) -> Path:
    """A city whose only receiver is a webhook."""
    (folder / "alerts.yaml").write_text(
        f"receivers: {{desk: {{type: webhook, url: '{hook.address}', allow_private: true, timeout: 0.5, "
        "per_minute: 100000}}\nroute: {to: desk}\n"
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
def replica(on_kafka: OnKafka, path: Path) -> Iterator[subprocess.Popen[str]]:
    """One process of the verb; killed in the end."""
    variables = {
        "CROSSCURRENT_KAFKA_PREFIX": on_kafka.settings.prefix,
        "CROSSCURRENT_KAFKA_SESSION_SECONDS": SESSION,
    }
    command = [sys.executable, str(ROOT / "crosscurrent.py"), "alert", "--city", str(path)]
    with subprocess.Popen(
        [*command, "--kafka", on_kafka.kafka.address],
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


def arrived(hook: Hook) -> int:
    """How many different messages were taken."""
    return len({request.headers["Idempotency-Key"] for request in list(hook.requests) if request.well})


def test_two_replicas_miss_nothing_and_page_nobody_twice(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    """Kill -9 of one and the other, one frozen for longer than its session, a receiver that fails 20 %.

    Each message is taken, in the order of its thread. What a replica had sent when it was killed, and had not
    written down, comes once more under its own key: no more than it had under way.
    """
    on_kafka, chance = OnKafka(kafka, prefix), random.Random(1)
    notes = [message(number, kind) for kind in KINDS for number in range(50 * ROUNDS)]
    with Hook(failing=0.2, late=0.8, slow=0.15) as hook, ExitStack() as stack:
        path = city(tmp_path, hook)
        replicas = [stack.enter_context(replica(on_kafka, path)) for _ in range(2)]
        publish(on_kafka, notes)
        wait_until(lambda: len(hook.requests) > 20, "messages on their way")
        kills = 0
        for victim in (0, 1) * ROUNDS:
            time.sleep(chance.uniform(0.5, 2))
            replicas[victim].kill()
            replicas[victim] = stack.enter_context(replica(on_kafka, path))
            kills += 1
        replicas[0].send_signal(signal.SIGSTOP)
        time.sleep(float(SESSION) + 3)
        replicas[0].send_signal(signal.SIGCONT)
        wait_until(lambda: arrived(hook) >= len(notes), "all is there", 120)
        wait_until(lambda: len({one.id for one in delivered(on_kafka)}) == len(notes), "all is settled")
        requests = sorted(hook.requests, key=lambda request: request.at)

    assert {one.state for one in delivered(on_kafka)} == {"accepted"}
    taken = Counter(request.headers["Idempotency-Key"] for request in requests if request.well)
    assert len(taken) == len(notes)
    repeated = [key for key, count in taken.items() if count > 1]
    assert len(repeated) <= 4 * (kills + 1)
    order: dict[str, list[str]] = defaultdict(list)
    for request in requests:
        if request.well and request.headers["Idempotency-Key"] not in repeated:
            order[request.json["thread"]].append(request.json["kind"])
    assert all(kinds == [kind for kind in KINDS if kind in kinds] for kinds in order.values())


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
