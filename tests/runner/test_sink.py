"""From real Kafka to real InfluxDB: each fact a point, once, whatever is killed meanwhile.

The short form kills each part once or twice. CROSSCURRENT_CHAOS_ROUNDS=10 (``make chaos``) kills the sink and
InfluxDB ten times each, over four storms.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from confluent_kafka import Producer
from influxdb_client.client.write_api import SYNCHRONOUS

from collectors.intake import Intake
from runner.core import Core, Outputs
from runner.influx.lines import Fact, Lines
from runner.kafka.host import services
from runner.kafka.records import Headers, Place, headers, headers_of
from runner.kafka.settings import kafka_settings
from runner.metrics import figures_of
from runner.supervisor import Service
from schemas.alarms import AlarmChange
from schemas.city import City
from schemas.cityfile import load_city
from schemas.incidents import IncidentRevision
from schemas.points import FACTS, RAW, READING
from schemas.readings import DeadLetter, Event, Frame, Tick
from schemas.times import DAY
from schemas.topics import ALARMS, DEAD_LETTERS, INCIDENTS, NOTIFICATIONS, READINGS, Topic
from schemas.vocabulary import load_vocabulary
from tests.runner.influxhelp import FACTS_OF_THE_CITY, OnInflux, Points, points_of
from tests.runner.kafkahelp import ROOT, OnKafka, publish, wait_until
from tests.runner.storm import CITY, recorded, storm_days
from tests.servers import Influxd, Kafka, Mosquitto, free_ports

ROUNDS = int(os.environ.get("CROSSCURRENT_CHAOS_ROUNDS", "1"))
SEED = 20250604
DAYS_LATER = 30 * DAY
CUT_SECONDS = 12
"""Longer than a write may take."""
GROWS_MAX_BYTES = 64 << 20
"""What the library may fetch ahead of a sink that reads nothing: 16 MB of each partition, at most."""
Step = tuple[Frame | Event | Tick, Outputs]


class Topics:
    """A city's topics, written as collectors and workers write them."""

    def __init__(self, on_kafka: OnKafka, city: City) -> None:
        self._on_kafka, self._city = on_kafka, city
        self._producer = Producer(on_kafka.settings.librdkafka({"partitioner": "murmur2_random"}))
        self._steps = 0

    def write(self, steps: list[Step]) -> None:
        """Records, and what was said of them, as one part of the detection and one of the correlation."""
        name = self._city.city
        for record, outputs in steps:
            self._steps += 1
            said = headers(record.kind, f"/{name}/collect", str(self._steps))
            self._put(READINGS, f"{name}/site", record.model_dump_json(), said)
            for number, change in enumerate(outputs.alarms):
                self.alarm(change, self._steps, number)
            for number, revision in enumerate(outputs.incidents):
                self.incident(revision, self._steps, number)
            for number, note in enumerate(outputs.notifications, 1000):
                place = headers_of(name, Place("correlate", 0, self._steps, number), "notification")
                self._put(NOTIFICATIONS, note.incident, note.model_dump_json(), place)
        assert self._producer.flush(60) == 0

    def alarm(self, change: AlarmChange, offset: int, number: int) -> None:
        """An alarm change, as it follows from a record of the readings."""
        place = headers_of(self._city.city, Place("detect", 0, offset, number), "alarm-change")
        self._put(ALARMS, self._city.city, change.model_dump_json(), place)

    def incident(self, revision: IncidentRevision, offset: int, number: int) -> None:
        """A revision, as it follows from a record of the alarms."""
        place = headers_of(self._city.city, Place("correlate", 0, offset, number), "incident-revision")
        self._put(INCIDENTS, revision.id, revision.model_dump_json(), place)

    def broken(self, topic: Topic, key: str, text: str) -> None:
        """A record that means nothing."""
        self._put(topic, key, text, headers("frame", f"/{self._city.city}/x", "1"))
        assert self._producer.flush(60) == 0

    def _put(self, topic: Topic, key: str, text: str, said: Headers) -> None:
        while True:
            try:
                self._producer.produce(self._on_kafka.settings.name(topic), text, key, headers=said)
                return
            except BufferError:
                self._producer.poll(1)


@pytest.fixture(scope="module")
def riverton() -> City:
    """The city of the storm."""
    return load_city(CITY)


@pytest.fixture(scope="module")
def storm(riverton: City) -> list[Step]:
    """The evening of the storm, and what is said of it; in the long form four storms."""
    messages = recorded("storm-day", 33_000)[25_000:] if ROUNDS == 1 else storm_days(4)
    core = Core(riverton, load_vocabulary(beside=CITY))
    steps: list[Step] = []
    intake = Intake(riverton)
    for start in range(0, len(messages), 200):
        steps += [
            (record, core.step(record)) for record in intake.step(messages[start : start + 200]).records
        ]
    last = Tick(at=core.stream_time or 0)
    return [*steps, (last, core.step(last))]


@pytest.fixture(scope="module")
def due(riverton: City, storm: list[Step]) -> Points:
    """The points that InfluxDB should hold in the end."""
    lines = Lines(riverton)

    def said() -> Iterator[str]:
        for record, outputs in storm:
            if isinstance(record, Frame):
                yield from lines.frame(record)
            facts: list[Fact] = [*outputs.alarms, *outputs.incidents, *outputs.notifications]
            for fact in facts:
                yield from lines.of(fact)

    found = points_of(said())
    assert found.keys() == {"reading", *(one.name for one in FACTS_OF_THE_CITY)}
    return found


class SinkVerb:
    """``crosscurrent sink influx`` as a process, started again by who killed it."""

    def __init__(self, on_kafka: OnKafka, influx: OnInflux, *more: str) -> None:
        self._command = [
            *(sys.executable, str(ROOT / "crosscurrent.py"), "sink", "influx", "--city", str(CITY)),
            *("--kafka", on_kafka.kafka.address, *more),
        ]
        self._variables = {
            "CROSSCURRENT_KAFKA_PREFIX": on_kafka.settings.prefix,
            "CROSSCURRENT_KAFKA_MEMBER": "s",
            **influx.variables,
        }
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self._command, env=os.environ | self._variables, stdout=subprocess.PIPE, text=True
        )

    def kill(self) -> None:
        """Kill -9, and start again."""
        self.process.kill()
        self.process.communicate()
        self.process = self._start()

    def stop(self) -> str:
        """End in order; what it said."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=60)
        return said


@contextmanager
def sinking(on_kafka: OnKafka, influx: OnInflux, *more: str) -> Iterator[SinkVerb]:
    """A sink at work; killed in the end."""
    verb = SinkVerb(on_kafka, influx, *more)
    try:
        yield verb
    finally:
        verb.process.kill()
        verb.process.communicate()


@pytest.fixture
def influx(influxd: Influxd, tmp_path: Path) -> OnInflux:
    """An organisation of a test's own."""
    return OnInflux(influxd, tmp_path)


def differences(influx: OnInflux, due: Points) -> list[str]:
    """How what is there differs from what is due, a few of each kind."""
    there = influx.everything()
    found = []
    for name in ("reading", *(one.name for one in FACTS_OF_THE_CITY)):
        missing, more = due[name].keys() - there[name].keys(), there[name].keys() - due[name].keys()
        other = [key for key in due[name].keys() & there[name].keys() if due[name][key] != there[name][key]]
        found += [f"{name} missing {key}" for key in sorted(missing)[:3]]
        found += [f"{name} unexplained {key}" for key in sorted(more)[:3]]
        found += [f"{name} other {key}: {due[name][key]} {there[name][key]}" for key in other[:3]]
    return found


def test_the_storm_is_there_and_a_second_time_changes_nothing(
    kafka: Kafka, prefix: str, influx: OnInflux, riverton: City, storm: list[Step], due: Points
) -> None:
    """Every field of every point. What comes again, or late from a cut-off worker, changes none."""
    on_kafka = OnKafka(kafka, prefix)
    topics = Topics(on_kafka, riverton)
    topics.write(storm)
    with sinking(on_kafka, influx, "--until-idle", "2") as sink:
        assert sink.process.wait(120) == 0
    assert differences(influx, due) == []

    first = next(change for _, outputs in storm for change in outputs.alarms if change.alarm.cleared is None)
    opened = next(revision for _, outputs in storm for revision in outputs.incidents)
    topics.alarm(first, 0, 0)  # as a worker might that does not know yet that another has its work
    topics.incident(opened, 0, 0)
    Topics(on_kafka, riverton).write(storm[:50])
    with sinking(on_kafka, influx, "--until-idle", "2") as sink:
        assert sink.process.wait(120) == 0
    assert differences(influx, due) == []


def test_what_nobody_can_write_goes_to_the_dead_letters_with_the_reason(
    kafka: Kafka, prefix: str, influx: OnInflux, riverton: City
) -> None:
    """A field that somebody made a text; a record that is none; the rest is written."""
    on_kafka = OnKafka(kafka, prefix)
    sensors = [one.id for one in riverton.sensors[:3]]
    frame = Frame(
        received=0, sensors=sensors, at=[1_000, 2_000, DAYS_LATER], values=[1, 2, 3], qualities=[0] * 3
    )
    mine = Lines(riverton).frame(frame)
    series = mine[1].partition(" ")[0]  # a field is of whatever kind its first point said, in each shard
    with influx.settings(influx.owner).client() as client:
        client.write_api(SYNCHRONOUS).write(RAW.name, influx.org, f'{series} value="x" 2000000000')
    topics = Topics(on_kafka, riverton)
    topics.write([(frame, Outputs())])
    topics.broken(INCIDENTS, "x", "nonsense")
    with sinking(on_kafka, influx, "--until-idle", "2") as sink:
        assert sink.process.wait(120) == 0
    letters = [DeadLetter.model_validate(seen.json) for seen in on_kafka.records(DEAD_LETTERS)]

    assert sorted(letter.topic for letter in letters) == [INCIDENTS.name, READINGS.name, READINGS.name]
    assert {letter.payload.decode() for letter in letters} == {*mine[:2], "nonsense"}
    assert all("field type conflict" in one.reason for one in letters if one.topic == READINGS.name)
    assert DAYS_LATER * 1_000_000 in {stamp for _, stamp in influx.points(RAW, READING.name)}


def test_kills_of_sink_and_influxdb_change_nothing(
    kafka: Kafka, prefix: str, tmp_path: Path, riverton: City, storm: list[Step], due: Points
) -> None:
    """Killed under load, again and again, and frozen: in the end each point is there, and no other."""
    chance = random.Random(SEED)
    on_kafka = OnKafka(kafka, prefix)
    topics = Topics(on_kafka, riverton)
    (tmp_path / "influxd").mkdir()
    with Influxd(tmp_path / "influxd", free_ports(1)[0]) as influxd:
        influx = OnInflux(influxd, tmp_path)
        with sinking(on_kafka, influx) as sink:

            def influxd_itself() -> None:
                influxd.kill()
                time.sleep(chance.uniform(0, 1))
                influxd.start()

            kills: list[Callable[[], None]] = [sink.kill, influxd_itself] * ROUNDS
            if ROUNDS > 1:  # what InfluxDB was given, and we gave up, it may write later
                kills += [lambda: influxd.freeze(CUT_SECONDS)] * (ROUNDS // 3)
            chance.shuffle(kills)
            size = len(storm) // len(kills) + 1
            for start in range(0, len(storm), size):
                topics.write(storm[start : start + size])
                time.sleep(chance.uniform(1, 3))
                kills.pop()()
            wait_until(lambda: not differences(influx, due), "all points", 120 * ROUNDS)
            sink.stop()
        assert differences(influx, due) == []


def test_hours_without_influxdb_cost_nothing_but_delay(
    kafka: Kafka, prefix: str, tmp_path: Path, riverton: City, storm: list[Step], due: Points
) -> None:
    """An evening comes while it is down: nothing is committed, memory does not grow, all is there after.

    The long form lets four storms come, and waits longer.
    """
    on_kafka = OnKafka(kafka, prefix)
    topics = Topics(on_kafka, riverton)
    (tmp_path / "influxd").mkdir()
    with Influxd(tmp_path / "influxd", free_ports(1)[0]) as influxd:
        influx, place = OnInflux(influxd, tmp_path), f"127.0.0.1:{free_ports(1)[0]}"

        def figure(name: str) -> float:
            with urlopen(f"http://{place}/metrics", timeout=30) as page:
                told = figures_of(page.read().decode())
            return sum(one.value for one in told if one.name == name)

        with sinking(on_kafka, influx, "--metrics", place) as sink:
            topics.write(storm[:20])
            wait_until(lambda: on_kafka.committed("sink-influx-riverton") > 0, "the sink is at work")
            wait_until(lambda: figure("crosscurrent_sink_lag_records") == 0, "it has all that came")
            influxd.stop()
            topics.write(storm[20:50])
            wait_until(lambda: figure("crosscurrent_sink_away_seconds") > 0, "it knows that InfluxDB is down")
            committed, memory = (
                on_kafka.committed("sink-influx-riverton"),
                figure("process_resident_memory_bytes"),
            )
            topics.write(storm[50:])
            time.sleep(10 * ROUNDS)

            assert sink.process.poll() is None
            assert on_kafka.committed("sink-influx-riverton") == committed
            assert figure("process_resident_memory_bytes") - memory < GROWS_MAX_BYTES
            influxd.start()
            wait_until(lambda: not differences(influx, due), "all points", 120 * ROUNDS)
            assert figure("crosscurrent_sink_away_seconds") == 0
            sink.stop()


def test_one_host_keeps_a_sink_at_work_where_it_is_given_an_influxdb() -> None:
    """Behind the workers, so that it ends last; without one there is none."""

    def started(influx: str | None, token_file: Path | None, metrics: str | None) -> list[list[Service]]:
        return services(
            CITY,
            kafka_settings("kafka://k", {}),
            broker=None,
            kafka="kafka://k",
            causes=None,
            detectors=1,
            shell="kafka",
            alerts=False,
            answers=None,
            console=None,
            influx=influx,
            token_file=token_file,
            metrics=metrics,
        )

    without = started(influx=None, token_file=None, metrics=None)
    with_one = started(influx="http://i:8086", token_file=Path("t"), metrics="9100")

    assert with_one[:-1] == without
    ((sink,),) = with_one[-1:]
    assert sink.arguments[:2] == ("sink", "influx")
    assert sink.arguments[-6:-2] == ("--influx", "http://i:8086", "--token-file", "t")
    assert sink.arguments[-2:] == ("--watch", "host=http://127.0.0.1:9100/metrics")


def test_the_ledger_knows_what_influxdb_lacks(
    kafka: Kafka, mosquitto: Mosquitto, prefix: str, influx: OnInflux
) -> None:
    """From MQTT to points by our verbs nothing is missing; what somebody takes away is named."""
    on_kafka = OnKafka(kafka, prefix)
    with on_kafka.verb("stream", "all", "--shell", "kafka"), sinking(on_kafka, influx):
        with on_kafka.verb("collect", "--broker", mosquitto.address, "--until-idle", "3") as collector:
            publish(mosquitto, recorded("storm-day", 24_000)[20_000:])
            assert collector.wait(60) == 0
        wait_until(lambda: verified(on_kafka, influx) == (0, []), "all is there")
    day = ("2025-06-04T00:00:00Z", "2025-06-05T00:00:00Z")
    with influx.settings(influx.owner).client() as client:
        client.delete_api().delete(*day, '_measurement="notification"', FACTS.name, influx.org)
    gone = sorted(seen.json["id"] for seen in on_kafka.records(NOTIFICATIONS))

    assert gone
    assert verified(on_kafka, influx) == (1, [f"missing  notification point  {id_}" for id_ in gone])


def verified(on_kafka: OnKafka, influx: OnInflux) -> tuple[int, list[str]]:
    """Status of the ledger, and what it lists."""
    token = ("--token-file", str(influx.read_token_file))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROSSCURRENT_INFLUX_ORG", influx.org)
        with on_kafka.verb(
            "ledger", "verify", "--influx", influx.influxd.address, *token, wait=False
        ) as process:
            said, _ = process.communicate(timeout=120)
    assert "reading points: " in said
    return process.returncode, sorted(line for line in said.splitlines() if "  " in line)
