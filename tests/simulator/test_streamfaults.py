"""Stories of a bad network: what is late, lost, doubled, wrong or silent, and that nothing else is."""

import copy
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from schemas.errors import Fault
from schemas.times import HOUR, MINUTE, SECOND, parse_time, rfc3339
from schemas.wording import validate
from schemas.yamlfile import Document, read
from simulator.streamfaults import BadStreamFaults, Sent, StreamFaults, apply, misfits, moment, span

START = parse_time("2025-06-04T00:00:00Z")
GATEWAYS = {"gw-water": frozenset({"pump-1", "tank-1"}), "gw-power": frozenset({"feeder-1"})}
UTILITY = {"pump-1": "water", "tank-1": "water", "feeder-1": "power"}
QUANTITY = {"pump-1": "flow", "tank-1": "level", "feeder-1": "current"}

Stream = list[Sent]


def stream(minutes: int, *, seq: bool = False) -> Stream:
    """Each asset tells one value a minute, received 400 ms after it was measured."""
    return [
        Sent(
            START + minute * MINUTE + 400,
            f"city/v1/riverton/{UTILITY[asset]}/north/{asset}/telemetry",
            {"at": rfc3339(START + minute * MINUTE), "values": {QUANTITY[asset]: float(minute)}}
            | ({"seq": 500 + minute} if seq else {}),
        )
        for minute in range(minutes)
        for asset in UTILITY
    ]


def through(messages: Sequence[Sent], faults: dict[str, Any], seed: int = 7) -> Stream:
    """The messages as received with these faults."""
    return apply(messages, StreamFaults.model_validate(faults), seed, GATEWAYS, START)[0]


def records(messages: Sequence[Sent], faults: dict[str, Any]) -> list[dict[str, Any]]:
    """What the labels say of these faults."""
    return apply(messages, StreamFaults.model_validate(faults), 7, GATEWAYS, START)[1]


def of(asset: str, messages: Stream) -> Stream:
    """An asset's messages."""
    return [sent for sent in messages if sent.asset == asset]


def clock(at: int) -> str:
    """``HH:MM:SS``, to read a story by."""
    return rfc3339(at)[11:19]


def heard(asset: str, messages: Stream) -> list[tuple[str, str]]:
    """When an asset was heard, and what time it gave."""
    return [(clock(sent.received), sent.payload["at"][11:19]) for sent in of(asset, messages)]


def contents(messages: Stream) -> Counter[str]:
    """Topics and payloads, whenever received, with how often each came."""
    return Counter(json.dumps([sent.topic, sent.payload]) for sent in messages)


def written(messages: Stream) -> bytes:
    """The bytes that a recording of these would have."""
    return "\n".join(json.dumps([sent.received, sent.topic, sent.payload]) for sent in messages).encode()


# --- stories --------------------------------------------------------------------------------------


def test_without_faults_nothing_changes() -> None:
    """A good network delivers what was sent, and the labels have nothing to say."""
    assert apply(stream(5), StreamFaults(), 7, GATEWAYS, START) == (stream(5), [])
    assert apply([], StreamFaults.model_validate({"lost": {"share": 1}}), 7, GATEWAYS, START) == ([], [])


def test_the_late_are_received_later_and_keep_their_time() -> None:
    """Lateness is the network's: ``at`` stays true, none is later than ``up_to``, about the share is late."""
    sent = stream(2000)
    received = through(sent, {"late": {"share": 0.02, "up_to": "20m"}})
    assert contents(received) == contents(sent)
    assert received == sorted(received, key=lambda message: message.received)
    delays = [message.received - parse_time(message.payload["at"]) - 400 for message in received]
    assert min(delays) >= 0
    assert 19 * MINUTE < max(delays) <= 20 * MINUTE
    assert 85 < sum(delay > 0 for delay in delays) < 155  # 120 of 6000; four standard deviations are 43


def test_a_doubled_message_comes_again_as_it_was() -> None:
    """With every message doubled there are two of each, the second within a minute of the first."""
    received = through(stream(10), {"duplicated": {"share": 1}})
    assert set(contents(received).values()) == {2}
    times: dict[str, list[int]] = {}
    for message in received:
        times.setdefault(json.dumps([message.topic, message.payload]), []).append(message.received)
    assert all(0 < second - first <= MINUTE for first, second in times.values())


def test_out_of_order_is_a_matter_of_seconds() -> None:
    """Some are overtaken by the next of their own asset, since ``by`` is longer than a minute."""
    received = through(stream(300), {"out_of_order": {"share": 0.05, "by": "90s"}})
    told = [message.payload["at"] for message in of("pump-1", received)]
    assert told != sorted(told)
    assert max(m.received - parse_time(m.payload["at"]) for m in received) <= 90 * SECOND + 400


def test_what_is_lost_never_comes() -> None:
    """A lost message has no copy either; all that comes is on time."""
    sent = stream(1000)
    received = through(sent, {"lost": {"share": 0.1}})
    assert 240 < len(sent) - len(received) < 360  # 300 of 3000; 3.6 standard deviations are 60
    assert set(written(received).splitlines()) < set(written(sent).splitlines())
    assert through(sent, {"lost": {"share": 1}, "duplicated": {"share": 1}}) == []


def test_a_clock_two_hours_ahead_tells_a_wrong_time_at_the_right_moment() -> None:
    """From 00:02 to 00:04 the pump's clock is ahead; nobody else's is, and nothing is received later."""
    skew = {"asset": "pump-1", "by": "2h", "from": "00:02", "until": "00:04"}
    received = through(stream(5), {"clock_skew": [skew]})
    assert heard("pump-1", received) == [
        ("00:00:00", "00:00:00"),
        ("00:01:00", "00:01:00"),
        ("00:02:00", "02:02:00"),
        ("00:03:00", "02:03:00"),
        ("00:04:00", "00:04:00"),
    ]
    assert of("tank-1", received) == of("tank-1", stream(5))


def test_a_gateways_clock_is_that_of_all_behind_it() -> None:
    """A clock behind by a day, all the time: two assets tell yesterday; events too."""
    event = Sent(
        START + 30_000,
        "city/v1/riverton/water/north/pump-1/event",
        {"at": "2025-06-04T00:00:30Z", "event": "tripped"},
    )  # fmt: skip - a message reads as one
    received = through([*stream(1), event], {"clock_skew": [{"gateway": "gw-water", "by": "-1d"}]})
    assert [(message.asset, message.payload["at"][:10]) for message in received] == [
        ("pump-1", "2025-06-03"),
        ("tank-1", "2025-06-03"),
        ("feeder-1", "2025-06-04"),
        ("pump-1", "2025-06-03"),
    ]


def test_a_gap_loses_what_is_sent_in_it() -> None:
    """From 00:01 to 00:03 nothing comes from behind the gateway; the rest of the city goes on."""
    received = through(stream(4), {"gaps": [{"gateway": "gw-water", "from": "00:01", "until": "00:03"}]})
    for asset in ("pump-1", "tank-1"):
        assert [at for at, _ in heard(asset, received)] == ["00:00:00", "00:03:00"]
    assert len(of("feeder-1", received)) == 4


def test_after_a_gap_with_restart_all_that_was_kept_comes_at_once() -> None:
    """A gateway with a memory: one burst at the end, in the order in which it was measured."""
    gap = {"asset": "pump-1", "from": "00:01", "until": "2025-06-04T00:03:00Z", "restart": True}
    assert heard("pump-1", through(stream(4), {"gaps": [gap]})) == [
        ("00:00:00", "00:00:00"),
        ("00:03:00", "00:01:00"),
        ("00:03:00", "00:02:00"),
        ("00:03:00", "00:03:00"),
    ]


def test_the_late_come_through_no_gap() -> None:
    """In a gap nothing is received, also not what was sent before it and held up, nor a copy."""
    faults = {
        "late": {"share": 1, "up_to": "1h"},
        "duplicated": {"share": 1, "up_to": "1h"},
        "gaps": [
            {"gateway": "gw-water", "from": "01:00", "until": "02:00"},
            {"gateway": "gw-power", "from": "01:00", "until": "02:00", "restart": True},
        ],
    }  # fmt: skip - the two gaps below each other
    received = through(stream(180), faults)
    assert not [message for message in received if START + HOUR <= message.received < START + 2 * HOUR]
    assert len(of("feeder-1", received)) == 360
    assert len(of("pump-1", received)) < 300


def test_bad_quality_is_a_filler_and_a_flag() -> None:
    """-999 with quality bad, for one quantity of one asset, for a while."""
    bad = {"asset": "pump-1", "quantity": "flow", "from": "00:01", "until": "00:02"}
    first, second, third = of("pump-1", through(stream(3), {"bad_quality": [bad]}))
    assert "quality" not in first.payload
    assert second.payload == {
        "at": "2025-06-04T00:01:00Z",
        "values": {"flow": -999.0},
        "quality": {"flow": "bad"},
    }
    assert "quality" not in third.payload


def test_bad_quality_may_leave_the_value_and_the_other_quantities() -> None:
    """``value: null`` only flags; a quantity that the message doesn't have is not invented."""
    payload = {
        "at": "2025-06-04T00:00:00Z",
        "values": {"flow": 1.5, "power": 9.0},
        "quality": {"power": "bad"},
    }
    messages = [
        Sent(START, "city/v1/riverton/water/north/pump-1/telemetry", payload),
        Sent(
            START + 1, "city/v1/riverton/water/north/pump-1/telemetry", {**payload, "values": {"power": 9.0}}
        ),
    ]
    bad = {"asset": "pump-1", "quantity": "flow", "value": None, "quality": "uncertain"}
    flagged, other = through(messages, {"bad_quality": [bad]})
    assert flagged.payload["values"] == {"flow": 1.5, "power": 9.0}
    assert flagged.payload["quality"] == {"power": "bad", "flow": "uncertain"}
    assert other.payload["quality"] == {"power": "bad"}


def test_an_event_has_no_quality() -> None:
    """What has no values, bad quality leaves as it is, the input's own payload too."""
    event = {"at": "2025-06-04T00:00:00Z", "event": "tripped"}
    message = Sent(START, "city/v1/riverton/water/north/pump-1/event", event)
    assert through([message], {"bad_quality": [{"asset": "pump-1"}]}) == [message]
    assert event == {"at": "2025-06-04T00:00:00Z", "event": "tripped"}


def test_a_flapping_line_is_off_then_on() -> None:
    """Two minutes off, two on, and so forth until 00:07; off is first, and the last is cut short."""
    flapping = {"gateway": "gw-power", "every": "2m", "from": "00:01", "until": "00:07"}
    received = through(stream(9), {"flapping": [flapping]})
    assert [at for at, _ in heard("feeder-1", received)] == [
        "00:00:00",
        "00:03:00",
        "00:04:00",
        "00:07:00",
        "00:08:00",
    ]  # fmt: skip - one line of times
    kept = through(stream(9), {"flapping": [{**flapping, "restart": True}]})
    assert [at for at, _ in heard("feeder-1", kept)] == [
        "00:00:00",
        "00:03:00",
        "00:03:00",
        "00:03:00",
        "00:04:00",
        "00:07:00",
        "00:07:00",
        "00:07:00",
        "00:08:00",
    ]  # fmt: skip - one line of times


def test_a_restarted_gateway_numbers_anew_and_tells_old_values() -> None:
    """Down from 00:02 for 90 s: then the last value once more with its old time and seq 0; on from seq 1."""
    restart = {"gateway": "gw-water", "at": "00:02", "down": "90s"}
    received = through(stream(6, seq=True), {"gateway_restart": [restart]})
    told = [
        (
            clock(sent.received),
            sent.payload["at"][11:16],
            sent.payload["seq"],
            sent.payload["values"]["level"],
        )
        for sent in of("tank-1", received)
    ]
    assert told == [
        ("00:00:00", "00:00", 500, 0.0),
        ("00:01:00", "00:01", 501, 1.0),
        ("00:03:30", "00:01", 0, 1.0),
        ("00:04:00", "00:04", 1, 4.0),
        ("00:05:00", "00:05", 2, 5.0),
    ]
    assert of("feeder-1", received) == of("feeder-1", stream(6, seq=True))
    assert "seq" not in of("tank-1", through(stream(6), {"gateway_restart": [restart]}))[-1].payload


def test_the_labels_tell_each_fault() -> None:
    """What was done: the kind, where, how much as written, from when until when in full."""
    faults = {
        "late": {"share": 0.02, "up_to": "20m"},
        "lost": {"share": 0.5},
        "clock_skew": [{"asset": "pump-1", "by": "2h"}],
        "gaps": [{"gateway": "gw-water", "from": "00:01", "until": "00:03"}],
        "bad_quality": [{"asset": "tank-1", "from": "00:01"}],
        "gateway_restart": [{"gateway": "gw-power", "at": "00:02", "down": "90s"}],
    }
    assert records(stream(10), faults) == [
        {"kind": "late", "share": 0.02, "up_to": "20m"},
        {"kind": "lost", "share": 0.5},
        {
            "kind": "clock_skew",
            "asset": "pump-1",
            "by": "2h",
            "from": "2025-06-04T00:00:00Z",
            "until": "2025-06-04T00:09:00.401Z",
        },
        {
            "kind": "gap",
            "gateway": "gw-water",
            "restart": False,
            "from": "2025-06-04T00:01:00Z",
            "until": "2025-06-04T00:03:00Z",
        },
        {
            "kind": "bad_quality",
            "asset": "tank-1",
            "value": -999.0,
            "quality": "bad",
            "from": "2025-06-04T00:01:00Z",
            "until": "2025-06-04T00:09:00.401Z",
        },
        {
            "kind": "gateway_restart",
            "gateway": "gw-power",
            "from": "2025-06-04T00:02:00Z",
            "until": "2025-06-04T00:03:30Z",
        },
    ]  # fmt: skip - a record a line


# --- bad input ------------------------------------------------------------------------------------


def test_an_unknown_place_is_one_error_with_the_nearest_name() -> None:
    """All that doesn't fit is told at once, each with its field; nothing is applied."""
    faults = {
        "clock_skew": [{"asset": "pmup-1", "by": "2h"}],
        "gaps": [{"gateway": "gw-watr", "from": "00:01", "until": "00:03"}, {"gateway": "zzz"}],
        "bad_quality": [{"asset": "pump-1", "quantity": "flwo"}],
        "flapping": [{"gateway": "gw-power", "every": "5s", "from": "00:04", "until": "00:02"}],
        "gateway_restart": [{"gateway": "gw-power", "at": "3d 00:02"}],
    }
    with pytest.raises(BadStreamFaults) as error:
        through(stream(9), faults)
    assert str(error.value).splitlines() == [
        "stream_faults.clock_skew.0.asset: there is no asset 'pmup-1'; did you mean 'pump-1'?",
        "stream_faults.gaps.0.gateway: there is no gateway 'gw-watr'; did you mean 'gw-water'?",
        "stream_faults.gaps.1.gateway: there is no gateway 'zzz'; there are gw-power, gw-water",
        "stream_faults.bad_quality.0.quantity: pump-1 measures no 'flwo'; did you mean 'flow'?",
        (
            "stream_faults.flapping.0.until: 2025-06-04T00:02:00Z is not after its beginning, "
            "2025-06-04T00:04:00Z"
        ),
        (
            "stream_faults.gateway_restart.0.at: 2025-06-07T00:02:00Z is after the end of the recording, "
            "2025-06-04T00:08:00.401Z"
        ),
        "no fault was applied; correct the scenario and run it again",
    ]


def test_a_fault_that_is_over_before_the_beginning_is_a_mistake() -> None:
    """A date of last year would do nothing, silently."""
    gap = {"asset": "pump-1", "from": "2024-06-04T00:00:00Z", "until": "2024-06-04T01:00:00Z"}
    with pytest.raises(BadStreamFaults, match="over at 2024-06-04T01:00:00Z, before the recording begins"):
        through(stream(2), {"gaps": [gap]})


def test_the_lines_of_a_scenario_file_can_be_told(tmp_path: Path) -> None:
    """What pydantic finds wrong and what doesn't fit both have their place in the file that was written."""
    file = tmp_path / "scenario.yaml"
    file.write_text("late: {share: 0.02, up_to: 20 minutes}\ngaps:\n  - {gatway: gw-water}\n")
    faults: list[Fault] = []
    document = read(file)
    assert validate(StreamFaults, document.data, (), document, faults) is None
    assert [(fault.line, fault.message) for fault in faults] == [
        (1, "late.up_to: '20 minutes' is no length of time; write it as 90s, 20m, 2h or 1d"),
        (3, "unknown field 'gatway'; did you mean 'gateway'?"),
    ]
    document = Document("scenario.yaml", "gaps:\n  - {asset: pump-1}\n  - {asset: pump-2}\n")
    read_faults = validate(StreamFaults, document.data, (), document, faults)
    assert read_faults is not None
    ((path, message),) = misfits(read_faults, START, START + HOUR, GATEWAYS, {"pump-1": {"flow"}})
    assert str(document.fault(path, message)) == (
        "scenario.yaml:3:13: there is no asset 'pump-2'; did you mean 'pump-1'?"
    )


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"lost": {"share": 1.5}}, "less than or equal to 1"),
        ({"late": {"share": 0.1, "up_to": "0m"}}, "'0m' is no time at all; expected a length above zero"),
        ({"gaps": [{"from": "00:01"}]}, "expected either an asset or a gateway"),
        ({"gaps": [{"asset": "a", "gateway": "b"}]}, "expected either an asset or a gateway"),
        ({"gaps": [{"asset": "a", "from": "25:00"}]}, "'25:00' is no time; write it as 17:00, as 2d 17:00"),
        ({"gaps": [{"asset": "a", "from": "2025-06-04T00:00:00"}]}, "is no time; write it as 17:00"),
        ({"storms": {}}, "Extra inputs are not permitted"),
    ],
)
def test_a_bad_description_says_what_was_expected(faults: dict[str, Any], said: str) -> None:
    """Shares, lengths, times and places are checked as the file is read."""
    with pytest.raises(ValidationError) as error:
        StreamFaults.model_validate(faults)
    assert said in str(error.value)


def test_times_as_engineers_write_them() -> None:
    """Lengths, times of day counted from the first day, and whole dates."""
    assert [span(text) for text in ("90s", "1.5m", "-2h", "1d")] == [90_000, 90_000, -7_200_000, 86_400_000]
    afternoon = START + 15 * HOUR
    assert moment("00:30", afternoon) == START + 30 * MINUTE
    assert moment("2d 17:05", afternoon) == START + 65 * HOUR + 5 * MINUTE
    assert moment("2025-06-04T02:00:00+02:00", afternoon) == START


def test_a_description_cannot_be_changed() -> None:
    """Frozen: what was applied is what the file said."""
    faults: BaseModel = StreamFaults.model_validate({"lost": {"share": 0.1}})
    with pytest.raises(ValidationError, match="frozen"):
        faults.__setattr__("lost", None)


# --- what always holds ----------------------------------------------------------------------------

minutes = st.integers(0, 40)
shares = st.sampled_from([0.0, 0.05, 0.3, 1.0])
spans = st.sampled_from(["1s", "90s", "20m"])


def clocks(since: int, length: int) -> dict[str, str]:
    """A fault's ``from`` and ``until``, from two numbers of minutes."""
    return {"from": f"00:{since:02d}", "until": f"01:{length:02d}"}


places = st.sampled_from([{"asset": "pump-1"}, {"gateway": "gw-water"}, {"gateway": "gw-power"}])
windows = st.builds(clocks, minutes, minutes)


def somewhere(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to two faults with a place and a time."""
    one = st.builds(
        lambda place, when, sizes: place | when | sizes, places, windows, st.fixed_dictionaries(fields)
    )
    return st.lists(one, max_size=2)


PARTS: dict[str, st.SearchStrategy[Any]] = {
    "late": st.fixed_dictionaries({"share": shares, "up_to": spans}),
    "duplicated": st.fixed_dictionaries({"share": shares, "up_to": spans}),
    "out_of_order": st.fixed_dictionaries({"share": shares, "by": spans}),
    "lost": st.fixed_dictionaries({"share": shares}),
    "clock_skew": somewhere(by=st.sampled_from(["2h", "-1d", "0s"])),
    "gaps": somewhere(restart=st.booleans()),
    "bad_quality": somewhere(value=st.sampled_from([None, -999.0])),
    "flapping": somewhere(every=spans, restart=st.booleans()),
    "gateway_restart": st.lists(
        st.builds(
            lambda at, down: {"gateway": "gw-water", "at": f"00:{at:02d}", "down": down}, minutes, spans
        ),
        max_size=2,
    ),
}
descriptions = st.fixed_dictionaries({}, optional=PARTS)
seeds = st.integers(0, 2**32)
DAY = stream(90, seq=True)
LOSING = {"lost", "gaps", "flapping", "gateway_restart"}
ADDING = {"duplicated", "gateway_restart"}
CHANGING = {"clock_skew", "bad_quality", "gateway_restart"}


def without(names: set[str], faults: dict[str, Any]) -> dict[str, Any]:
    """The faults but these."""
    return {name: fault for name, fault in faults.items() if name not in names}


@given(descriptions, seeds)
@settings(max_examples=60, deadline=None)
def test_the_output_is_in_order_repeatable_and_the_input_untouched(faults: dict[str, Any], seed: int) -> None:
    """Same seed, same bytes; and what was given is as it was."""
    messages = copy.deepcopy(DAY)
    first = through(messages, faults, seed)
    assert messages == DAY
    assert written(first) == written(through(messages, faults, seed))
    assert all(one.received <= other.received for one, other in pairwise(first))


@given(descriptions, seeds)
@settings(max_examples=60, deadline=None)
def test_only_what_loses_removes(faults: dict[str, Any], seed: int) -> None:
    """Without loss, gaps, flapping and restarts every message arrives, whatever else is wrong with it."""
    kept = without(LOSING | CHANGING, faults)
    assert contents(DAY) <= contents(through(DAY, kept, seed))
    assert len(through(DAY, without(LOSING, faults), seed)) >= len(DAY)


@given(descriptions, seeds)
@settings(max_examples=60, deadline=None)
def test_only_what_doubles_adds(faults: dict[str, Any], seed: int) -> None:
    """Without doubling and restarts nothing comes that was not sent, and nothing before it was sent."""
    received = through(DAY, without(ADDING | CHANGING, faults), seed)
    assert contents(received) <= contents(DAY)
    assert all(message.received >= parse_time(message.payload["at"]) + 400 for message in received)
    assert len(through(DAY, without(ADDING, faults), seed)) <= len(DAY)


@given(descriptions, seeds)
@settings(max_examples=60, deadline=None)
def test_gaps_that_keep_lose_nothing(faults: dict[str, Any], seed: int) -> None:
    """With ``restart`` everything comes in the end."""
    kept = without({"lost", "gateway_restart"}, faults)
    for name in ("gaps", "flapping"):
        kept[name] = [{**fault, "restart": True} for fault in kept.get(name, [])]
    assert len(through(DAY, kept, seed)) >= len(DAY)


@given(descriptions, seeds)
@settings(max_examples=60, deadline=None)
def test_in_a_gap_there_is_silence(faults: dict[str, Any], seed: int) -> None:
    """Whatever else goes on, nothing is received from an asset while it is in a gap."""
    received = through(DAY, faults, seed)
    for gap in faults.get("gaps", []):
        assets = GATEWAYS.get(gap.get("gateway", ""), frozenset({gap.get("asset", "")}))
        since, until = moment(gap["from"], START), moment(gap["until"], START)
        assert not [m for m in received if m.asset in assets and since <= m.received < until]


@given(descriptions, seeds, shares)
@settings(max_examples=60, deadline=None)
def test_a_fault_leaves_the_dice_of_the_others_alone(faults: dict[str, Any], seed: int, share: float) -> None:
    """The lost are lost and the late are late by as much, whatever else happens or doesn't."""
    faults = without(LOSING | CHANGING, faults)
    alone = {"lost": {"share": share}}
    lost = contents(DAY) - contents(through(DAY, alone, seed))
    assert contents(DAY) - contents(through(DAY, faults | alone, seed)) == lost

    late = {"late": {"share": share, "up_to": "20m"}}
    quiet = {"lost": {"share": 0.3}}
    on_time = {(m.received, m.topic, m.payload["at"]) for m in through(DAY, late, seed)}
    assert {(m.received, m.topic, m.payload["at"]) for m in through(DAY, late | quiet, seed)} <= on_time


def test_faults_do_not_choose_the_same_messages() -> None:
    """Were one fault's dice another's, all that is late would be lost as well, and nobody would be late."""
    faults = {"late": {"share": 0.3}, "lost": {"share": 0.3}, "duplicated": {"share": 0.3}}
    received = through(DAY, faults)
    late = contents([m for m in received if m.received - parse_time(m.payload["at"]) > 2 * MINUTE])
    assert len(late) > 20
    assert set(late.values()) == {1, 2}


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_a_larger_share_strikes_the_same_and_more(seed: int) -> None:
    """What is lost at 5 % is lost at 30 %, too: two scenarios that differ in a share can be compared."""
    little, much = (contents(through(DAY, {"lost": {"share": share}}, seed)) for share in (0.05, 0.3))
    assert much <= little


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_what_another_asset_sends_changes_nothing(seed: int) -> None:
    """An event more or a neighbour less, as a twin of the day may have: the others fare as before."""
    faults = {"lost": {"share": 0.3}, "late": {"share": 0.3}, "duplicated": {"share": 0.3}}
    alone = [sent for sent in DAY if sent.asset != "feeder-1"]
    together = [sent for sent in through(DAY, faults, seed) if sent.asset != "feeder-1"]
    assert through(alone, faults, seed) == together


@given(seeds, st.sampled_from([0.02, 0.1, 0.5]))
@settings(max_examples=30, deadline=None)
def test_about_the_share_is_late(seed: int, share: float) -> None:
    """Of 6000 messages within six standard deviations of the share: one run in 500 million is further off."""
    messages = stream(2000)
    received = through(messages, {"late": {"share": share, "up_to": "1h"}}, seed)
    late = sum(message.received > parse_time(message.payload["at"]) + 400 for message in received)
    assert abs(late - share * len(messages)) < 6 * (len(messages) * share * (1 - share)) ** 0.5


def test_another_process_throws_the_same() -> None:
    """Not even Python's hash seed, new in every process, moves a byte."""
    program = (
        "import json, sys; sys.path[:0] = ['.', 'tests/simulator']\n"
        "from test_streamfaults import *\n"
        "f = {'late': {'share': .3}, 'duplicated': {'share': .3}, 'lost': {'share': .1},"
        " 'gateway_restart': [{'gateway': 'gw-water', 'at': '00:20'}],"
        " 'clock_skew': [{'gateway': 'gw-water', 'by': '2h'}]}\n"
        "sys.stdout.buffer.write(written(through(DAY, f)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for hash_seed in ("1", "4")
    }
    assert len(said) == 1
    assert len(said.pop()) > 10_000
