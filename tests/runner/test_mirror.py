"""The console's folder on Kafka: what the topics say, each thing once, over stops, kills and repetitions."""

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer

from runner.database import CannotRun
from runner.kafka.gathering import SHOWN, Gathering
from runner.kafka.mirror import Mirror
from runner.kafka.reading import read
from runner.kafka.records import headers
from runner.kafka.settings import kafka_settings
from runner.kafka.stages import Record
from schemas.alerting import Policy
from schemas.answers import Answer
from schemas.cityfile import load_city
from schemas.readings import DeadLetter, Frame, Reading, Tick
from schemas.topics import ALARMS, DEAD_LETTERS, DECISIONS, INCIDENTS, NOTIFICATIONS, READINGS, Topic
from tests.receivers import message
from tests.runner.kafkahelp import OnKafka, wait_until
from tests.runner.test_alert import CITY
from tests.runner.test_loadwatch import NOW, alarm, decision
from tests.servers import Kafka

KEY = "testville/site"


def record(offset: int, kind: str, text: str, source: str = "/testville/detect/0", place: str = "") -> Record:
    """One of a topic; ``place``: its number among those of its writer."""
    said = {"ce_type": f"crosscurrent.{kind}", "ce_source": source, "ce_id": place or f"{offset}/0"}
    return Record(offset, NOW, KEY, text.encode(), said)


def frame(value: float, at: int = NOW) -> Frame:
    """One reading."""
    return Frame(received=NOW, sensors=["pump-1/power"], at=[at], values=[value], qualities=[0])


def test_what_is_repeated_by_a_worker_that_was_cut_off_is_passed_over() -> None:
    """An alarm that was cleared does not stand again because its raising is told twice, also after a stop."""
    raised, cleared = alarm(1, 1000), alarm(1, 1000, lasted=500)
    gathering = Gathering("testville")
    for offset, (change, place) in enumerate([(raised, "7/0"), (cleared, "9/0"), (raised, "7/0")]):
        gathering.take(ALARMS, 3, record(offset, "alarm-change", change.model_dump_json(), place=place))
    assert gathering.batch.alarms == [raised, cleared]

    later = Gathering("testville", json.loads(json.dumps(gathering.snapshot())))
    later.take(ALARMS, 3, record(3, "alarm-change", raised.model_dump_json(), place="7/0"))
    assert later.batch.alarms == []
    assert later.next == {(ALARMS.name, 3): 4}


def test_each_kind_lands_in_its_place_and_another_citys_is_passed_over() -> None:
    """Readings by their key, all else by who wrote it; a dead letter of a collector is the city's too."""
    gathering = Gathering("testville")
    answer = Answer(id="a", incident="i-1", answer="acknowledge", by="ana", at=NOW, minutes=None, note="")
    letter = DeadLetter(received=NOW, topic="t", payload=b"x", size=1, reason="nonsense")
    gathering.take(READINGS, 0, record(0, "frame", frame(1.0).model_dump_json()))
    gathering.take(READINGS, 0, record(1, "tick", Tick(at=NOW).model_dump_json()))
    gathering.take(READINGS, 0, record(2, "frame", "{}"))
    gathering.take(ALARMS, 0, record(0, "answer", answer.model_dump_json(), place="some-uuid"))
    gathering.take(ALARMS, 0, record(1, "tick", Tick(at=NOW).model_dump_json()))
    for offset, source in enumerate(["/testville/correlate/0", "/elsewhere/correlate/0"]):
        told = record(offset, "notification", message(1).model_dump_json(), source)
        gathering.take(NOTIFICATIONS, 0, told)
        gathering.take(
            DECISIONS, 0, record(offset, "decision", decision("route", "told", 1).model_dump_json(), source)
        )
    for offset, source in enumerate(["/collect/testville/1", "/collect/elsewhere/1"]):
        gathering.take(
            DEAD_LETTERS, 0, record(offset, "dead-letter", letter.model_dump_json(), source, "life/1")
        )

    batch = gathering.batch
    assert batch.readings == [Reading("pump-1/power", NOW, 1.0)]
    assert (len(batch.notifications), len(batch.decisions), batch.letters) == (1, 1, [letter])
    assert gathering.stream_time == NOW
    assert gathering.counts == {
        "records": 1,
        "readings": 1,
        "answers": 1,
        "refused": 1,
        "broken_records": 1,
    }


class Told:
    """A city's topics, written by hand."""

    def __init__(self, on_kafka: OnKafka) -> None:
        self._on_kafka, self._number = on_kafka, 0
        self._producer = Producer(on_kafka.settings.librdkafka({}))

    def __call__(self, topic: Topic, kind: str, text: str) -> None:
        """One more record."""
        self._number += 1
        said = headers(kind, "/testville/correlate/0", f"{self._number}/0")
        self._producer.produce(self._on_kafka.settings.name(topic), text.encode(), KEY, headers=said)
        assert self._producer.flush(30) == 0


def test_a_folder_goes_on_where_it_was_and_belongs_to_one_kafka(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    """What was there before it, what came while it was away, each counted once; answers go to the desk."""
    on_kafka = OnKafka(kafka, prefix)
    tell = Told(on_kafka)
    path = tmp_path / "city.yaml"
    path.write_text(CITY)
    failures: list[Exception] = []

    def mirror() -> Mirror:
        settings = kafka_settings(kafka.address, {}, prefix=on_kafka.settings.prefix)
        return Mirror(settings, load_city(path), path, Policy(), tmp_path / "data", failures.append)

    tell(READINGS, "frame", frame(1.0).model_dump_json())
    tell(READINGS, "tick", Tick(at=NOW).model_dump_json())
    tell(ALARMS, "alarm-change", alarm(1, 1000).model_dump_json())
    tell(DECISIONS, "decision", decision("route", "told", 1).model_dump_json())
    first = mirror()
    first.start()
    wait_until(lambda: first.up_to_date and len(first.store.decisions("i-1")) == 1, "what was there")
    answer = Answer(id="a", incident="i-1", answer="acknowledge", by="ana", at=NOW, minutes=None, note="")
    first.answer(answer)
    wait_until(lambda: first.store.counts().get("answers") == 1, "the answer")
    first.stop()
    tell(NOTIFICATIONS, "notification", message(1).model_dump_json())
    tell(READINGS, "frame", frame(2.0, NOW + 1).model_dump_json())
    second = mirror()
    second.start()
    wait_until(lambda: len(second.store.notifications()) == 1, "what came meanwhile")
    wait_until(lambda: second.store.counts()["readings"] == 2, "readings")
    status = second.status()
    counts, standing = second.store.counts(), second.store.open_alarms()
    second.stop()

    assert (status.stream_time, status.stored, status.duplicates, status.failure) == (NOW, 2, 0, None)
    assert (counts["records"], counts["answers"]) == (2, 1)
    assert [one.id for one in standing] == ["a-1"]
    assert failures == []
    (seen,) = (seen for seen in on_kafka.records(ALARMS) if seen.headers["ce_type"].endswith("answer"))
    assert (seen.key, seen.json["by"]) == ("testville", "ana")
    with pytest.raises(CannotRun, match="follows another Kafka"):
        Mirror(
            OnKafka(kafka, f"other-{prefix}").settings,
            load_city(path),
            path,
            Policy(),
            tmp_path / "data",
            failures.append,
        )


def test_a_topic_whose_oldest_records_are_gone_is_read_from_what_is_left(kafka: Kafka, prefix: str) -> None:
    """Not passed over to its end: what Kafka let go of is no reason to see nothing."""
    from kafka import KafkaAdminClient, TopicPartition

    on_kafka = OnKafka(kafka, prefix)
    tell = Told(on_kafka)
    for number in range(3):
        tell(INCIDENTS, "incident-revision", str(number))
    (partition,) = {seen.partition for seen in on_kafka.records(INCIDENTS)}
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.delete_records({TopicPartition(on_kafka.settings.name(INCIDENTS), partition): 2})
    admin.close()

    assert [one.value for one in read(on_kafka.settings, INCIDENTS, partition)] == [b"2"]
    assert INCIDENTS in SHOWN
