"""Intake: what is let in, what is refused, and that nothing falls between."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.intake import KEPT, Intake, IntakeSettings
from collectors.messages import Message
from schemas.city import City
from schemas.readings import RECORD, Event, Frame
from schemas.times import MINUTE, SECOND, parse_time

NOON = parse_time("2025-06-04T12:00:00Z")
PUMP = "city/v1/smallville/water/north/pump-3/telemetry"
TANK = "city/v1/smallville/water/north/tank-1/telemetry"
EVENT = "city/v1/smallville/water/north/pump-3/event"
FLOW = b'{"at":"2025-06-04T12:00:00Z","values":{"flow":40.5}}'
LEVEL = b'{"at":"2025-06-04T12:00:00Z","values":{"level":3.2}}'
TRIPPED = b'{"at":"2025-06-04T12:00:00Z","event":"tripped"}'


def test_readings_and_events_keep_their_order(town: City) -> None:
    """An event stands between the readings that came before it and those that came after."""
    messages = [(PUMP, FLOW), (TANK, LEVEL), (EVENT, TRIPPED), (PUMP, FLOW)]

    batch = Intake(town).step(Message(NOON + at, *message) for at, message in enumerate(messages))

    told = [record.sensors if isinstance(record, Frame) else record.event for record in batch.records]
    assert told == [["pump-3/flow", "tank-1/level"], "tripped", ["pump-3/flow"]]
    assert [record.received for record in batch.records] == [NOON + 1, NOON + 2, NOON + 3]


def test_frames_are_bounded(town: City) -> None:
    """A frame is closed when it is full; what comes next begins another."""
    intake = Intake(town, IntakeSettings(frame_readings=3))

    batch = intake.step(Message(NOON, PUMP, FLOW) for _ in range(7))

    assert [len(record) for record in batch.records if isinstance(record, Frame)] == [3, 3, 1]


def test_ten_megabytes_are_refused_unread(town: City) -> None:
    """A payload over the bound is a dead letter that keeps its beginning and tells its size."""
    payload = b'{"at":"2025-06-04T12:00:00Z","values":{"flow":' + b" " * 10_000_000 + b"1}}"

    batch = Intake(town).step([Message(NOON, PUMP, payload)])

    (letter,) = batch.dead
    assert letter.reason == "payload has 10000049 bytes; at most 1048576 are looked at"
    assert (letter.size, letter.payload) == (len(payload), payload[:KEPT])
    assert batch.records == []


def test_a_flood_from_one_device_leaves_the_others_alone(town: City) -> None:
    """What is above an asset's rate is refused and counted, and shown once a minute; others get through."""
    intake = Intake(town, IntakeSettings(messages_per_second=10, burst=50))
    flood = [Message(NOON + 10 * i, PUMP, FLOW) for i in range(12_000)]  # 100/s for two minutes
    others = [Message(NOON + SECOND * i, TANK, LEVEL) for i in range(120)]

    batch = intake.step(sorted(flood + others))

    heard = [sensor for record in batch.records if isinstance(record, Frame) for sensor in record.sensors]
    assert heard.count("tank-1/level") == 120
    assert heard.count("pump-3/flow") == 50 + 10 * 120 - 1
    assert intake.counts["flooded"] == 12_000 - heard.count("pump-3/flow")
    assert [letter.received - NOON for letter in batch.dead] == [550, MINUTE + 550]
    assert batch.dead[0].reason == (
        "asset 'pump-3' sends more than 10 messages a second; 1 refused since the start, this is a sample"
    )


def test_a_device_that_was_quiet_may_burst(town: City) -> None:
    """What a gateway held back while it was cut off comes at once, and is let in."""
    intake = Intake(town)

    intake.step(Message(NOON, PUMP, FLOW) for _ in range(2_000))

    assert intake.counts["readings"] == 2_000
    intake.step([Message(NOON + 1, PUMP, FLOW)])
    assert intake.counts["flooded"] == 1
    intake.step(Message(NOON + MINUTE, PUMP, FLOW) for _ in range(2_000))
    assert intake.counts["readings"] == 4_000


def test_a_wall_clock_set_back_costs_nobody_anything(town: City) -> None:
    """An hour backwards brings no tokens, and takes none."""
    intake = Intake(town, IntakeSettings(messages_per_second=10, burst=50))

    for hours_back in range(50):
        intake.step([Message(NOON - hours_back * 60 * MINUTE, PUMP, FLOW)])

    assert intake.counts["readings"] == 50


def test_oddities_that_do_no_harm_are_counted(town: City) -> None:
    """Strange fields, words and labels are let through, and somebody can see how many there are."""
    intake = Intake(town)
    strange = b'{"at":"2025-06-04T12:00:00Z","values":{"flow":1},"quality":{"flow":"meh"},"battery":3}'

    intake.step([Message(NOON, PUMP, strange), Message(NOON, PUMP.replace("north", "south"), FLOW)])

    assert intake.counts == {
        "messages": 2,
        "accepted": 2,
        "readings": 2,
        "unknown_fields": 1,
        "unknown_quality": 1,
        "mislabelled": 1,
        "refused_parts": 0,
    }


def test_the_numbers_of_a_source_are_told_beside_its_readings(town: City) -> None:
    """With the times of its messages; two that nobody could read, or was meant to, stand as minus two."""
    intake = Intake(town, IntakeSettings(messages_per_second=1, burst=3))
    numbered = b'{"at":"2025-06-04T12:00:0%dZ","values":{"flow":1},"seq":%d}'
    messages = [Message(NOON, PUMP, numbered % (second, 40 + second)) for second in range(2)]

    batch = intake.step([*messages, Message(NOON, PUMP, b"{"), Message(NOON, PUMP, numbered % (3, 43))])

    assert batch.numbers == {"pump-3/telemetry": [(NOON, 40), (NOON + SECOND, 41), (NOON, -2)]}
    assert intake.counts["flooded"] == 1


@pytest.mark.parametrize("seq", [b"-1", b'"7"', b"1.5", b"true", b"9223372036854775808"])
def test_a_number_that_can_not_be_counted_with_is_passed_over(town: City, seq: bytes) -> None:
    """The readings stand; it is counted, and the ledger hears nothing."""
    intake = Intake(town)

    batch = intake.step([Message(NOON, PUMP, FLOW[:-1] + b',"seq":' + seq + b"}")])

    assert batch.numbers == {}
    assert (intake.counts["readings"], intake.counts["bad_seq"]) == (1, 1)


def test_memory_for_topics_is_bounded(town: City) -> None:
    """A device that makes up zones, or units, can't fill the memory."""
    intake = Intake(town, IntakeSettings(burst=100_000))

    for i in range(20_100):
        intake.step([Message(NOON, PUMP.replace("north", f"zone-{i}"), FLOW)])

    assert intake.counts["readings"] == 20_100
    assert len(intake._sources) == 100


payloads = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["at", "values", "quality", "units", "event", "detail", "seq", "flow", "power"]
                )
                | st.text(max_size=5),
                inner,
                max_size=6,
            )
        ),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda at, values, units: json.dumps({"at": at, "values": values, "units": units}).encode(),
        st.sampled_from(
            ["2025-06-04T12:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", 7]
        ),
        st.dictionaries(st.sampled_from(["flow", "power", "odd"]), st.floats() | st.booleans() | st.none()),
        st.dictionaries(
            st.sampled_from(["flow", "power"]), st.sampled_from(["m3/h", "W", "x", "", "1e9**9e9"])
        ),
    ),
)
topics = st.sampled_from([PUMP, TANK, EVENT, "", "city/v1/#"]) | st.text(max_size=60)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.builds(Message, st.integers(0, 2**42), topics, payloads), max_size=20))
def test_no_bytes_raise_and_nothing_gets_lost(town: City, messages: list[Message]) -> None:
    """Whatever comes, each message is accepted, refused or flooded; what comes out is fit to travel."""
    intake = Intake(town, IntakeSettings(burst=5))

    batch = intake.step(messages)

    counts = intake.counts
    assert counts["messages"] == len(messages)
    assert counts["accepted"] + counts["refused"] + counts["flooded"] == len(messages)
    assert counts["readings"] == sum(len(record) for record in batch.records if isinstance(record, Frame))
    assert counts["events"] == sum(isinstance(record, Event) for record in batch.records)
    for record in batch.records:
        assert RECORD.validate_json(record.model_dump_json()) == record
    for letter in batch.dead:
        assert letter.reason


@given(
    st.lists(st.tuples(st.sampled_from([PUMP, TANK]), st.sampled_from([FLOW, LEVEL])), max_size=30), st.data()
)
def test_batches_do_not_matter(town: City, messages: list[tuple[str, bytes]], data: st.DataObject) -> None:
    """Cutting the stream anywhere changes frames, and nothing that is in them."""
    stream = [Message(NOON, topic, payload) for topic, payload in messages]
    cut = data.draw(st.integers(0, len(stream)))
    whole, parts = Intake(town), Intake(town)

    once = whole.step(stream)
    first, then = parts.step(stream[:cut]), parts.step(stream[cut:])

    rows = [
        [row for record in records if isinstance(record, Frame) for row in record.rows()]
        for records in (once.records, first.records + then.records)
    ]
    assert rows[0] == rows[1]
    assert once.dead == first.dead + then.dead
    assert whole.counts == parts.counts
