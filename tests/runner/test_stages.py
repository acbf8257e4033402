"""The stages without a Kafka: a worker that goes on from an older state says the same again, and no more."""

import json
from collections import defaultdict
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.intake import Intake
from runner.kafka.records import Layout, Place, headers_of
from runner.kafka.stages import Correlate, Detect, Output, Part, Record
from schemas.cityfile import load_city
from schemas.topics import DEAD_LETTERS
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from streams.sites import Sorter
from tests.runner.storm import CITY, recorded

MODEL = load_city(CITY)
VOCABULARY = load_vocabulary(beside=CITY)
LAYOUT = Layout(MODEL, 12)
DETECT = Detect(MODEL, VOCABULARY, LAYOUT)
CORRELATE = Correlate(MODEL, VOCABULARY, load_causes(), LAYOUT, 0)


def part_of(stage: Detect | Correlate, partition: int) -> Part:
    """The work on a partition that has some."""
    part = stage.part(partition)
    assert part is not None
    return part


def readings() -> dict[int, list[Record]]:
    """The worst hour of the storm on its partitions."""
    found: dict[int, list[Record]] = defaultdict(list)
    batch = Intake(MODEL).step(recorded("storm-day", 20_000)[18_000:])
    for site, record in Sorter(MODEL, LAYOUT.site_of).step(batch.records):
        value = record.model_dump_json().encode()
        for partition in LAYOUT.assets if site is None else (LAYOUT.partition_of[site],):
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


@given(st.randoms(use_true_random=False))
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
def test_a_record_that_means_nothing_is_a_dead_letter(stage: Detect | Correlate, value: bytes) -> None:
    """Whoever wrote it, and whatever it is: kept with its reason, and the part goes on as before."""
    partition = next(iter(LAYOUT.assets)) if stage is DETECT else 0
    part = part_of(stage, partition)
    before = part.snapshot()
    (output,) = part.step(
        Record(7, 0, MODEL.city, value, {"ce_source": "/riverton/detect/99", "ce_id": "1/1"})
    )

    assert output.topic == DEAD_LETTERS
    assert json.loads(output.value)["reason"]
    assert part.snapshot() == before


def test_another_citys_records_are_not_ours() -> None:
    """Cities may share the topics: what has another key is passed over in silence."""
    part = part_of(DETECT, next(iter(LAYOUT.assets)))

    assert list(part.step(Record(0, 0, "atlantis/x", b"not ours", {}))) == []


@pytest.mark.parametrize("stage", [DETECT, CORRELATE], ids=lambda stage: stage.name)
def test_a_state_of_another_version_is_refused(stage: Detect | Correlate) -> None:
    """Better no start than a start from what means something else."""
    part = part_of(stage, next(iter(LAYOUT.assets)) if stage is DETECT else 0)

    with pytest.raises(ValueError, match="it has version 'x', expected"):
        part.restore({**part.snapshot(), "version": "x"})
