"""What travels keeps its form: times, ids, units, frames, and the exported JSON Schema."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.alarms import content_id
from schemas.export import stale
from schemas.incidents import Expected
from schemas.readings import RECORD, DeadLetter, Event, Frame, Tick
from schemas.times import parse_time, rfc3339
from schemas.units import ALIKE, converter, same
from schemas.vocabulary import load_vocabulary

moments = st.integers(parse_time("1970-01-01T00:00:00Z"), parse_time("2200-01-01T00:00:00Z"))


@given(moments)
def test_a_time_survives_its_text(moment: int) -> None:
    """Milliseconds to RFC 3339 and back."""
    assert parse_time(rfc3339(moment)) == moment


def test_a_time_without_an_offset_is_no_time() -> None:
    """Whose clock would it be?"""
    with pytest.raises(ValueError, match="has no offset from UTC; write it as 2025-06-04T09:00:00Z"):
        parse_time("2025-06-04T09:00:00")


@given(st.lists(st.text(max_size=5), max_size=3), st.lists(st.text(max_size=5), max_size=3))
def test_ids_follow_from_content(some: list[str], others: list[str]) -> None:
    """The same parts give the same id; parts never run into each other."""
    assert (content_id("alarm", *some) == content_id("alarm", *others)) == (some == others)


@given(
    st.lists(
        st.tuples(
            st.text(max_size=5), moments, st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 2)
        )
    )
)
def test_a_frame_survives_json(rows: list[tuple[str, int, float, int]]) -> None:
    """Columns out, columns in."""
    sensors, at, values, qualities = (
        (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    )
    frame = Frame(received=0, sensors=sensors, at=at, values=values, qualities=qualities)
    again = RECORD.validate_json(frame.model_dump_json())
    assert again == frame
    assert [tuple(reading) for reading in frame.rows()] == rows


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"at": []}, "columns of one frame differ in length"),
        ({"values": [float("nan")]}, "not finite"),
        ({"qualities": [3]}, "less than or equal to 2"),
        ({"colour": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_broken_frame_of_somebody_else_is_refused(broken: dict[str, object], why: str) -> None:
    """Another producer's mistakes stop at the door."""
    whole = {"received": 0, "sensors": ["a/b"], "at": [0], "values": [1.0], "qualities": [0]}
    with pytest.raises(ValidationError, match=why):
        Frame.model_validate({**whole, **broken})


def test_records_of_all_kinds_are_told_apart() -> None:
    """Frames, events and ticks share one log."""
    event = Event(received=0, asset="a", at=0, event="tripped")
    assert RECORD.validate_json(event.model_dump_json()) == event
    assert RECORD.validate_json(Tick(at=5_000).model_dump_json()) == Tick(at=5_000)


def test_expectations_are_written_with_from_and_to() -> None:
    """The contract's names, which Python keeps for itself."""
    expected = Expected(asset="a", condition="c", start=0, end=1000, probability=0.5)
    assert '"from":"1970-01-01T00:00:00Z","to":"1970-01-01T00:00:01Z"' in expected.model_dump_json()
    assert Expected.model_validate_json(expected.model_dump_json()) == expected


@pytest.mark.parametrize(
    ("value", "unit", "model", "quantity", "wanted"),
    [
        (3.6, "m3/h", "L/s", "flow", 1.0),
        (1.0, "bar", "m", "pressure", 10.197),
        (50.0, "degF", "degC", "temperature", 10.0),
        (95.0, "%", "1", "fill", 0.95),
        (1.0, "MW", "kW", "power", 1000.0),
        (1.0, "in", "mm", "level", 25.4),
        (36.0, "km/h", "m/s", "speed", 10.0),
    ],
)
def test_units_convert(value: float, unit: str, model: str, quantity: str, wanted: float) -> None:
    """With offsets, compound units, and water columns for pressures."""
    assert converter(unit, model, quantity)(value) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize(
    ("unit", "model", "quantity"),
    [
        ("m3/h", "L/s", "flow"),
        ("psi", "m", "pressure"),
        ("degF", "degC", "temperature"),
        ("%", "pu", "loading"),
    ],
)
@given(st.floats(-1e6, 1e6))
def test_there_and_back_is_the_same_value(unit: str, model: str, quantity: str, value: float) -> None:
    """A conversion loses nothing that a sensor could see."""
    there, back = converter(unit, model, quantity), converter(model, unit, quantity)
    assert back(there(value)) == pytest.approx(value, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("units", ALIKE, ids=min)
def test_what_is_known_to_convert_does(units: set[str]) -> None:
    """The table by which a city model is checked says what pint says."""
    assert all(callable(converter(one, other)) for one in units for other in units)


def test_a_length_is_no_pressure_elsewhere() -> None:
    """Only a pressure is measured in metres of water."""
    with pytest.raises(ValueError, match="unit 'bar' does not convert to 'm'"):
        converter("bar", "m", "level")


def test_an_unknown_unit_names_the_nearest() -> None:
    """A misspelling is told with what was probably meant."""
    with pytest.raises(ValueError, match="unknown unit 'kw'; did you mean 'kW'"):
        converter("kw", "kW", "power")


@given(st.text(max_size=40))
def test_no_text_is_a_unit_by_accident(text: str) -> None:
    """Whatever stands where a unit should: a converter or a ValueError, nothing else."""
    with contextlib.suppress(ValueError):
        assert callable(converter(text, "m", "level"))


def test_every_unit_of_our_vocabulary_is_one() -> None:
    """Our own words are looked at here, so that a start need not."""
    for quantity, word in load_vocabulary().quantities.items():
        assert converter(word.unit, word.unit, quantity) is same


def test_the_exported_schemas_match_the_models() -> None:
    """After a change of a model: python -m schemas.export."""
    assert stale() == []


def test_a_dead_letter_survives_json() -> None:
    """Its payload may be any bytes."""
    letter = DeadLetter(received=0, topic="a", payload=b"\xff\x00", size=2, reason="not JSON")
    assert DeadLetter.model_validate_json(letter.model_dump_json()) == letter
