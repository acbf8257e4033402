"""Operator load, live: figures of the last day, by desk and utility, on one machine and on Kafka."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer

from runner.cli import main
from runner.kafka.records import headers
from runner.loadwatch import LoadWatch
from runner.metrics import Figure, figures_of
from schemas.alarms import Alarm, AlarmChange, Severity
from schemas.notifications import Decision
from schemas.readings import Tick
from schemas.times import DAY, MINUTE, SECOND
from schemas.topics import ALARMS, DECISIONS
from tests.receivers import Hook, message
from tests.runner.kafkahelp import OnKafka, wait_until
from tests.runner.test_alert import city, delivered, publish, replica
from tests.servers import Kafka

NOW = message(1).at


def alarm(number: int, ago: int, lasted: int | None = None, asset: str = "pump-3") -> AlarmChange:
    """An alarm raised so long ago."""
    raised = NOW - ago
    found = Alarm(
        id=f"a-{number}",
        asset=asset,
        utility="water",
        condition="stopped",
        severity=Severity.WARNING,
        raised=raised,
        cleared=None if lasted is None else raised + lasted,
        sensor=None,
    )
    return AlarmChange(alarm=found, change="raised" if lasted is None else "cleared", known_at=raised)


def decision(stage: str, verdict: str, number: int) -> Decision:
    """One of now."""
    return Decision.model_validate(
        {
            "id": f"d-{number}",
            "incident": "i-1",
            "at": NOW,
            "stage": stage,
            "verdict": verdict,
            "to": "",
            "reason": "a test",
        }
    )


def by_name(figures: list[Figure]) -> dict[str, float]:
    """``pages_last_day desk``: value."""
    return {
        " ".join([one.name.removeprefix("crosscurrent_"), *one.labels.values()]): one.value for one in figures
    }


def test_a_day_is_told_by_desk_and_by_utility() -> None:
    """Rates, floods, chatter, stale alarms, bad actors, priorities, and decisions by stage and verdict."""
    watch = LoadWatch()
    for number in range(12):  # a flood, and chatter: twelve in a quarter of a minute
        watch.take(alarm(number, 5 * MINUTE - number * SECOND, lasted=SECOND))
    watch.take(alarm(20, 2 * DAY, asset="pump-9"))
    watch.take(alarm(21, 2 * DAY, lasted=MINUTE, asset="pump-8"))
    for number in range(2):
        watch.take(message(number, age=3))
        watch.take(message(number, age=3))  # what comes twice counts once
    watch.take(message(3, age=60 * 25))
    for number in range(3):
        watch.take(decision("silence", "withheld", number))
    watch.take(NOW)
    found = by_name(list(watch.figures()))
    assert found["pages_last_day desk"] == found["pages_ten_minutes desk"] == 2
    assert found["alarms_last_day water"] == found["bad_actor_alarms pump-3 stopped"] == 12
    assert found["alarms_ten_minutes_max water"] == 12
    assert found["alarm_flood_ratio water"] > 0
    assert (found["alarms_chattering"], found["alarms_stale"], found["alarms_fleeting"]) == (1, 1, 12)
    assert found["alarm_priority_ratio warning"] == 1
    assert found["decisions_last_day silence withheld"] == 3


def test_what_is_older_than_a_day_is_let_go() -> None:
    """But for alarms that stand."""
    watch = LoadWatch()
    watch.take(NOW)
    for number in range(1_500):
        watch.take(alarm(number, 2 * DAY, lasted=MINUTE))
        watch.take(message(number, age=60 * 48))
    watch.take(alarm(9_999, 3 * DAY))
    assert len(watch._alarms) < 1_000
    assert len(watch._notes) < 1_000
    assert by_name(list(watch.figures()))["alarms_stale"] == 1


def test_a_replica_on_kafka_tells_the_whole_of_its_city(
    kafka: Kafka,
    prefix: str,
    tmp_path: Path,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the topics, a day back, whoever sent the pages and however often it was started again; so do
    ``alerts explain`` and ``report``.
    """
    on_kafka, place = OnKafka(kafka, prefix), f"127.0.0.1:{free_port()}"
    producer = Producer(on_kafka.settings.librdkafka({}))
    for kind, topic, one in (
        ("alarm-change", ALARMS, alarm(1, MINUTE)),
        ("tick", ALARMS, Tick(at=NOW)),
        ("decision", DECISIONS, decision("route", "told", 1)),
    ):
        source = headers(kind, "/testville/correlate/0", f"{kind}/0")
        producer.produce(on_kafka.settings.name(topic), one.model_dump_json().encode(), "k", headers=source)
    assert producer.flush(30) == 0
    with Hook() as hook:
        path = city(tmp_path, hook)
        publish(on_kafka, [message(1), message(2)])
        for _ in range(2):
            with replica(on_kafka, path, "--metrics", place):

                def told() -> dict[str, float]:
                    try:
                        return by_name(list(figures_of(httpx.get(f"http://{place}/metrics").text)))
                    except httpx.TransportError:
                        return {}

                wait_until(lambda: len(delivered(on_kafka)) == 2, "what came of them")
                wait_until(lambda: told().get("pages_last_day desk") == 2, "pages")
                wait_until(lambda: told().get("alarms_last_day water") == 1, "alarms")
                wait_until(lambda: told().get("decisions_last_day route told") == 1, "decisions")
    assert len(hook.requests) == 2

    monkeypatch.setenv("CROSSCURRENT_KAFKA_PREFIX", prefix)
    there = ["--kafka", kafka.address, "--city", str(path)]
    assert main(["alerts", "explain", "i-1", *there]) == 0
    decided, sent, came = (line.split("  ", 1)[1] for line in capsys.readouterr().out.splitlines())
    assert (sent, came) == ("sent: opened to desk: a test", "desk: opened accepted")
    assert decided == "route: told: a test"
    assert main(["report", *there]) == 0
    assert "1 alarms, 2 messages to people, 2 of them pages" in capsys.readouterr().out
