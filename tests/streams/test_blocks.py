"""Readings in columns: the same words, the same state, as reading by reading."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from runner.core import Core
from schemas.city import City
from schemas.readings import Block, Event, Frame, Reading, Tick
from schemas.times import MINUTE, SECOND, parse_time
from schemas.vocabulary import load_vocabulary
from streams import blocks
from streams.detect import Detector

START = parse_time("2025-06-02T00:00:00Z")
VOCABULARY = load_vocabulary()
QUANTITIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("pressure", {"limits": {"low": 30, "high": 70}, "deadband": 1}),
    ("level", {"limits": {"low_low": 1, "low": 2, "high": 4}, "on_delay": 120, "deadband": 0.1}),
    ("flow", {"limits": {"rate": 5.0}}),
    ("current", {"limits": {"low_low": 2}, "on_delay": 60, "off_delay": 180}),
    ("voltage", {"limits": {}}),
)
USUAL = {"pressure": 50.0, "level": 3.0, "flow": 20.0, "current": 40.0, "voltage": 1.0}


def city(assets: int) -> City:
    """Assets with two sensors each, two of them behind a gateway."""
    made = [{"id": f"a-{n}", "utility": "water", "kind": "meter", "zone": "z"} for n in range(assets)]
    gateway = {"id": "gw", "utility": "water", "kind": "gateway", "zone": "z"}
    sensors = []
    for n in range(assets):
        for quantity, rest in (QUANTITIES[n % 5], QUANTITIES[(n + 2) % 5]):
            unit = {"pressure": "m", "level": "m", "flow": "L/s", "current": "A", "voltage": "pu"}[quantity]
            every = 60 if n % 3 else 30
            sensors.append({"asset": f"a-{n}", "quantity": quantity, "unit": unit, "every": every, **rest})
    links = [{"from": "gw", "to": f"a-{n}", "relation": "carries"} for n in (0, 1)]
    return City.model_validate(
        {
            "city": "c",
            "timezone": "UTC",
            "assets": [*made, gateway],
            "links": links,
            "sensors": sensors,
        }
    )


def readings(town: City, seed: int, minutes: int) -> list[Reading]:
    """What the sensors tell, in the order received, with all that goes wrong in a network."""
    dice = random.Random(seed)
    sent: list[tuple[float, Reading]] = []
    stuck = {s.id for s in town.sensors if dice.random() < 0.15}
    gone = {s.id: dice.randrange(minutes) for s in town.sensors if dice.random() < 0.2}
    ahead = {a.id for a in town.assets if dice.random() < 0.08}
    value = {s.id: USUAL[s.quantity] for s in town.sensors}
    for step in range(minutes * 2):
        at = START + step * 30 * SECOND
        for sensor in town.sensors:
            minute = step // 2
            if (
                step % (sensor.every / 30)
                or gone.get(sensor.id, minute + 9) <= minute < gone.get(sensor.id, 0) + 12
            ):
                continue
            if not (sensor.id in stuck and minute > minutes // 3):
                value[sensor.id] = round(USUAL[sensor.quantity] * dice.uniform(0.98, 1.02), 2)
            shown = value[sensor.id]
            if dice.random() < 0.02:
                shown *= dice.choice([0.0, 0.5, 1.5])
            quality = dice.choices([0, 1, 2], [0.97, 0.02, 0.01])[0]
            wrong = 3_600 * SECOND if sensor.asset in ahead and minute > minutes // 2 else 0
            late = dice.choice([0, 0, 0, 0, 0, 0, 0, 0, 1, 2_500]) if dice.random() < 0.1 else 0
            sent.append((at + late * SECOND, Reading(sensor.id, at + wrong, shown, quality)))
            if dice.random() < 0.02:
                sent.append((at + 5 * SECOND, sent[-1][1]))
    sent.append((START, Reading("stranger/flow", START, 1.0, 0)))
    return [reading for _, reading in sorted(sent, key=lambda one: one[0])]


def block(part: list[Reading], names: list[str]) -> Block:
    """Readings in columns; names that are new are added."""
    number = {name: place for place, name in enumerate(names)}
    for reading in part:
        if reading.sensor not in number:
            number[reading.sensor] = len(names)
            names.append(reading.sensor)
    return Block(
        names,
        np.array([number[one.sensor] for one in part], np.int32),
        np.array([one.at for one in part], np.int64),
        np.array([one.value for one in part], np.float64),
        np.array([one.quality for one in part], np.uint8),
    )


def pieces(all_of_them: list[Reading], size: int) -> Iterator[list[Reading]]:
    """In lists of a size."""
    for start in range(0, len(all_of_them), size):
        yield all_of_them[start : start + size]


def frame(part: list[Reading]) -> Frame:
    """Readings one by one."""
    columns = [list(column) for column in zip(*part, strict=True)]
    return Frame(received=START, sensors=columns[0], at=columns[1], values=columns[2], qualities=columns[3])


@settings(max_examples=20, deadline=None)
@given(
    some.integers(0, 10**6), some.integers(4, 14), some.integers(20, 90), some.sampled_from([1, 7, 90, 5000])
)
def test_columns_say_what_reading_by_reading_says(seed: int, assets: int, minutes: int, size: int) -> None:
    """Faults, gaps, late and repeated readings, clocks that run ahead, frozen sensors, strangers; however the
    blocks are cut: the same changes in the same order, the same counts, the same state.
    """
    town = city(assets)
    heard = readings(town, seed, minutes)
    one_by_one, in_columns = Detector(town, VOCABULARY), Detector(town, VOCABULARY)
    names: list[str] = []
    said: list[Any] = []
    told: list[Any] = []
    for part in pieces(heard, 50):
        said += one_by_one.step(frame(part))
    for part in pieces(heard, size):
        told += in_columns.step(block(part, names))
    end = Tick(at=heard[-1].at + 40 * MINUTE)
    said += one_by_one.step(end)
    told += in_columns.step(end)

    assert told == said
    assert in_columns.counts == one_by_one.counts
    assert last_watches(in_columns) == last_watches(one_by_one)


def last_watches(detector: Detector) -> dict[str, Any]:
    """What is known of each sensor in the end."""
    detector.snapshot()  # wakes all
    return {
        name: (track.last_at, track.watch) for name, track in detector._tracks.items() if track.last_at >= 0
    }


def test_most_of_a_quiet_city_is_taken_in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof is of use: of quiet readings hardly any is looked at by itself."""
    town = city(10)
    looked_at: list[int] = []
    place = Detector._place

    def counted(self: Detector, *rest: Any) -> Any:
        looked_at.append(1)
        return place(self, *rest)

    monkeypatch.setattr(Detector, "_place", counted)
    detector = Detector(town, VOCABULARY)
    dice = random.Random(1)
    heard = [
        Reading(s.id, START + minute * MINUTE, USUAL[s.quantity] + dice.random() / 10, 0)
        for minute in range(200)
        for s in town.sensors
    ]
    list(detector.step(block(heard, [])))

    assert detector.counts["readings"] == len(heard)
    assert len(looked_at) < len(heard) * 0.35  # the first stretch, before there is a stream time
    assert blocks.STRETCH_MIN == 1_000


def test_blocks_frames_events_and_ticks_may_alternate_and_the_state_travels() -> None:
    """A detector that was stored and started again in between goes on with frames where blocks were."""
    town = city(8)
    heard = readings(town, 7, 100)
    said: list[Any] = []
    told: list[Any] = []
    plain, mixed = Detector(town, VOCABULARY), Detector(town, VOCABULARY)
    event = Event(received=START, asset="a-1", at=START + 20 * MINUTE, event="tripped")
    for number, part in enumerate(pieces(heard, 60)):
        said += plain.step(frame(part))
        told += mixed.step(block(part, []) if number % 3 else frame(part))
        if number == 5:
            said += plain.step(event)
            told += mixed.step(event)
        if number % 7 == 6:
            fresh = Detector(town, VOCABULARY)
            fresh.restore(mixed.snapshot())
            mixed = fresh

    assert told == said


def test_incidents_and_messages_are_the_same_too() -> None:
    """Through the whole of the thinking."""
    town = city(9)
    heard = readings(town, 3, 90)
    one_by_one, in_columns = Core(town, VOCABULARY), Core(town, VOCABULARY)
    said = [one_by_one.step(frame(part)) for part in pieces(heard, 40)]
    told = [in_columns.step(block(part, [])) for part in pieces(heard, 40)]

    assert told == said
