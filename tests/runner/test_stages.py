"""The stages without a Kafka: a worker that goes on from an older state says the same again, and no more."""

import json
from collections import defaultdict
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as murmur2_of_kafka_python

from collectors.intake import Intake
from runner.answering import answered
from runner.core import Core
from runner.kafka.correlating import Correlate, JoinDomains
from runner.kafka.merging import in_blocks
from runner.kafka.murmur import murmur2
from runner.kafka.records import Districts, Layout, Place, headers_of, partition_of
from runner.kafka.stages import Detect, Output, Part, Record, Stage
from schemas.city import City
from schemas.cityfile import load_city
from schemas.readings import Block
from schemas.topics import ALARMS, DEAD_LETTERS, DECISIONS, INCIDENTS, NOTIFICATIONS, Topic
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from streams.sites import Sorter
from tests.runner.storm import CITY, recorded
from tests.streams.test_borders_of_riverton import cut, of_districts

MODEL = load_city(CITY)
VOCABULARY = load_vocabulary(beside=CITY)
LAYOUT = Layout(MODEL, 12)
CAUSES = load_causes()
WHOLE = Districts(MODEL, CAUSES, 1)
DETECT = Detect(MODEL, VOCABULARY, LAYOUT, WHOLE)
CORRELATE = Correlate(MODEL, VOCABULARY, CAUSES, LAYOUT, WHOLE)


def part_of(stage: Stage, partition: int) -> Part:
    """The work on a partition that has some."""
    part = stage.part(partition)
    assert part is not None
    return part


HOUR = recorded("storm-day", 20_000)[18_000:]


def readings() -> dict[int, list[Record]]:
    """The worst hour of the storm on its partitions."""
    found: dict[int, list[Record]] = defaultdict(list)
    batch = Intake(MODEL).step(HOUR)
    for site, record in Sorter(MODEL, LAYOUT.site_of).step(batch.records):
        value = record.model_dump_json().encode()
        for partition in LAYOUT.sensors if site is None else (LAYOUT.partition_of[site],):
            key = LAYOUT.key(site) if site else MODEL.city
            found[partition].append(Record(len(found[partition]), 0, key, value, {}))
    return dict(found)


READINGS = readings()


def said(part: Part, stage: str, partition: int, records: list[Record]) -> list[tuple[Place, Output]]:
    """What a part says of records, each with its place."""
    return [
        (Place(stage, partition, record.offset, number), output)
        for record in records
        for number, output in enumerate(part.step(record))
    ]


def detected(chance: Random | None) -> list[tuple[Place, Output]]:
    """What detection says of the hour; with ``chance``, killed somewhere in each partition, going on from a
    state somewhat older than what was said, and the partitions interleaved anyhow.
    """
    found: list[list[tuple[Place, Output]]] = []
    for partition, records in READINGS.items():
        part = part_of(DETECT, partition)
        if chance is None:
            found.append(said(part, "detect", partition, records))
            continue
        saved, killed = sorted(chance.choices(range(len(records)), k=2))
        before = said(part, "detect", partition, records[:saved])
        state = json.loads(json.dumps(part.snapshot()))
        before += said(part, "detect", partition, records[saved:killed])
        part = part_of(DETECT, partition)
        part.restore(state)
        found.append([*before, *said(part, "detect", partition, records[saved:])])
    merged = []
    while left := [queue for queue in found if queue]:
        merged.append((chance.choice(left) if chance else left[0]).pop(0))
    return merged


def alarms(outputs: list[tuple[Place, Output]]) -> list[Record]:
    """Outputs of detection as they lie on the topic of alarms."""
    return [
        Record(
            offset,
            0,
            output.key,
            output.value,
            {name: str(value) for name, value in headers_of(MODEL.city, place, output.kind)},
        )
        for offset, (place, output) in enumerate(outputs)
    ]


def words(outputs: list[tuple[Place, Output]]) -> list[bytes]:
    """What was said, without where it came from."""
    return [output.value for _, output in outputs]


STRAIGHT = words(said(part_of(CORRELATE, 0), "correlate", 0, alarms(detected(None))))


@given(st.integers(0, 2**32 - 1).map(Random))
@settings(max_examples=10, deadline=None)
def test_kills_and_interleaving_change_no_word(chance: Random) -> None:
    """Detection killed in every partition, correlation too: all that is told, in order, once."""
    records = alarms(detected(chance))
    saved, killed = sorted(chance.choices(range(len(records)), k=2))
    first = part_of(CORRELATE, 0)
    before = said(first, "correlate", 0, records[:saved])
    state = json.loads(json.dumps(first.snapshot()))
    lost = said(first, "correlate", 0, records[saved:killed])
    second = part_of(CORRELATE, 0)
    second.restore(state)
    after = said(second, "correlate", 0, records[saved:])

    assert words(before + after) == STRAIGHT
    assert after[: len(lost)] == lost
    assert len(STRAIGHT) > 10


# -- a city with borders ---------------------------------------------------------------------------

DIVIDED = cut(of_districts)
PARTITIONS = 4


def whole_city(city: City) -> dict[Topic, list[bytes]]:
    """What one process says of the hour."""
    core = Core(city, VOCABULARY, CAUSES)
    found: dict[Topic, list[bytes]] = defaultdict(list)
    for record in Intake(city).step(HOUR).records:
        outputs = core.step(record)
        found[ALARMS] += [one.model_dump_json().encode() for one in outputs.alarms]
        found[INCIDENTS] += [one.model_dump_json().encode() for one in outputs.incidents]
        found[NOTIFICATIONS] += [one.model_dump_json().encode() for one in outputs.notifications]
    return found


def carried(stage: Stage, topics: dict[Topic, dict[int, list[Record]]], chance: Random) -> None:
    """A stage at work: each part with a kill somewhere, what it says put onto topics, anyhow interleaved."""
    queues = {}
    for partition in stage.partitions:
        records = topics[stage.source][partition]
        saved, killed = sorted(chance.choices(range(len(records) + 1), k=2))
        first = part_of(stage, partition)
        outputs = said(first, stage.name, partition, records[:saved])
        state = json.loads(json.dumps(first.snapshot()))
        outputs += said(first, stage.name, partition, records[saved:killed])
        second = part_of(stage, partition)
        second.restore(state)
        queues[partition] = outputs + said(second, stage.name, partition, records[saved:])
    while left := [queue for queue in queues.values() if queue]:
        place, output = chance.choice(left).pop(0)
        number = partition_of(output.key, PARTITIONS) if output.partition < 0 else output.partition
        there = topics[output.topic][number]
        headers = {name: str(value) for name, value in headers_of(MODEL.city, place, output.kind)}
        there.append(Record(len(there), 0, output.key, output.value, headers))


@given(st.integers(0, 2**32 - 1).map(Random))
@settings(max_examples=5, deadline=None)
def test_domains_on_partitions_of_their_own_say_what_one_process_says(chance: Random) -> None:
    """Alarms by domain, what domains say joined: every alarm, revision and word, over kills of every part."""
    districts = Districts(DIVIDED, CAUSES, PARTITIONS)
    topics: dict[Topic, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    topics[Detect.source].update(READINGS)
    join_at = partition_of(DIVIDED.city, PARTITIONS)
    carried(Detect(DIVIDED, VOCABULARY, LAYOUT, districts), topics, chance)
    carried(Correlate(DIVIDED, VOCABULARY, CAUSES, LAYOUT, districts), topics, chance)
    carried(JoinDomains(DIVIDED, CAUSES, districts, join_at), topics, chance)

    for topic, expected in WHOLE_DIVIDED.items():
        there = {
            record.value
            for records in topics[topic].values()
            for record in records
            if topic is not ALARMS or record.headers["ce_type"] == "crosscurrent.alarm-change"
        }
        assert there == set(expected), topic.name
        assert there, topic.name
    assert len(topics[ALARMS]) > 1
    assert any(r.headers["ce_type"].endswith("overheard") for p in topics[ALARMS].values() for r in p)


WHOLE_DIVIDED = whole_city(DIVIDED)


def test_frames_joined_to_blocks_say_the_same() -> None:
    """The ledger thinks in columns what workers think one by one."""
    batch = Intake(MODEL).step(HOUR)
    frames = [record for _, record in Sorter(MODEL, LAYOUT.site_of).step(batch.records)]
    blocks = list(in_blocks(frames))
    one_by_one, in_columns = Core(MODEL, VOCABULARY, told=True), Core(MODEL, VOCABULARY, told=True)
    expected = [one_by_one.step(record) for record in frames]
    found = [in_columns.step(record) for record in blocks]

    assert any(isinstance(record, Block) for record in blocks)
    assert len(blocks) < len(frames)
    for what in ("alarms", "incidents", "notifications", "decisions"):
        said = [str(one) for outputs in expected for one in getattr(outputs, what)]
        assert sorted(str(one) for outputs in found for one in getattr(outputs, what)) == sorted(said)
        assert said
    assert in_columns.counts == one_by_one.counts


@given(st.lists(st.binary(max_size=20)))
def test_keys_go_where_other_clients_put_them(keys: list[bytes]) -> None:
    """Our murmur2 of many keys at once, against that of kafka-python."""
    assert murmur2(keys).tolist() == [murmur2_of_kafka_python(key) % 2**32 for key in keys]


def test_a_domain_is_told_what_its_partition_hears() -> None:
    """Who hears an asset's alarms stands in one place: its home first, every other partition once."""
    districts = Districts(DIVIDED, CAUSES, PARTITIONS)
    for asset, names in districts.domains.seen_by.items():
        home, others = districts.hearing(asset)
        partitions = [partition_of(key, PARTITIONS) for key in (home, *others)]
        assert home == f"riverton/{districts.domains.home[asset]}"
        assert sorted(partitions) == sorted({partition_of(f"riverton/{name}", PARTITIONS) for name in names})


BROKEN: list[Any] = [
    b"",
    b"\xff",
    b"{}",
    b'{"kind":"frame","received":1,"sensors":["a/b"],"at":[1],"values":[],"qualities":[0]}',
    b'{"kind":"frame","schema":2}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("value", BROKEN, ids=lambda value: value[:20].decode(errors="replace"))
@pytest.mark.parametrize("stage", [DETECT, CORRELATE], ids=lambda stage: stage.name)
def test_a_record_that_means_nothing_is_a_dead_letter(stage: Stage, value: bytes) -> None:
    """Whoever wrote it, and whatever it is: kept with its reason, and the part goes on as before."""
    partition = next(iter(LAYOUT.sensors)) if stage is DETECT else 0
    part = part_of(stage, partition)
    before = part.snapshot()
    (output,) = part.step(
        Record(7, 0, MODEL.city, value, {"ce_source": "/riverton/detect/99", "ce_id": "1/1"})
    )

    assert output.topic == DEAD_LETTERS
    reason = json.loads(output.value)["reason"]
    assert reason
    assert "\n" not in reason
    assert part.snapshot() == before


def test_another_citys_records_are_not_ours() -> None:
    """Cities may share the topics: what has another key is passed over in silence."""
    part = part_of(DETECT, next(iter(LAYOUT.sensors)))

    assert list(part.step(Record(0, 0, "atlantis/x", b"not ours", {}))) == []


@pytest.mark.parametrize("stage", [DETECT, CORRELATE], ids=lambda stage: stage.name)
def test_a_state_of_another_version_is_refused(stage: Stage) -> None:
    """Better no start than a start from what means something else."""
    part = part_of(stage, next(iter(LAYOUT.sensors)) if stage is DETECT else 0)

    with pytest.raises(ValueError, match="it has version 'x', expected"):
        part.restore({**part.snapshot(), "version": "x"})


def test_an_answer_on_the_topic_of_the_desk_is_taken_and_told() -> None:
    """Of this city only; one that can't be read is a dead letter."""
    part = part_of(CORRELATE, next(iter(CORRELATE.partitions)))
    headers = {"ce_type": "crosscurrent.answer"}
    given = answered("i-1", "acknowledge", "ana").model_dump_json().encode()
    (decision,) = part.step(Record(0, 0, MODEL.city, given, headers))
    assert decision.topic is DECISIONS
    assert "acknowledge by ana" in decision.value.decode()
    assert list(part.step(Record(1, 0, "elsewhere", given, headers))) == []
    (letter,) = part.step(Record(2, 0, MODEL.city, b"{}", headers))
    assert letter.topic is DEAD_LETTERS
