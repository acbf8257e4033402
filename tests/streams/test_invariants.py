"""What must hold for any readings: order, repetition, frames, restarts and hash seeds change nothing."""

import itertools
import json
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core import Core
from schemas.alarms import Alarm
from schemas.city import City
from schemas.readings import Frame, Reading, Tick
from schemas.times import MINUTE
from schemas.vocabulary import load_vocabulary
from streams.track import Change, Track, compare
from streams.watch import prepare
from tests.scenario import BEATS, Scenario, at, city_of, frame

DISTRICT = """
assets:
  - {id: feeder-1, utility: power, kind: feeder, zone: z}
  - {id: pump-1, utility: water, kind: pump, zone: z}
  - {id: tank-1, utility: water, kind: tank, zone: z}
links:
  - {from: feeder-1, to: pump-1, relation: powers}
  - {from: pump-1, to: tank-1, relation: supplies}
sensors:
  - {asset: feeder-1, quantity: current, unit: A, every: 60, on_delay: 60, limits: {low_low: 1, low: 5}}
  - {asset: pump-1, quantity: voltage, unit: pu, every: 60, on_delay: 60, deadband: 0.1,
     limits: {low_low: 0.5, low: 0.9}}
  - {asset: tank-1, quantity: level, unit: m, every: 60, on_delay: 120, off_delay: 60,
     limits: {low: 2, high: 4, rate: 3}}
"""
CITY = city_of(DISTRICT)
VOCABULARY = load_vocabulary()
SENSORS = ["feeder-1/current", "pump-1/voltage", "tank-1/level"]

Value = tuple[int, float, int]
"""Minute, value, quality."""

levels = st.sampled_from([0.0, 0.2, 0.7, 1.0, 3.0, 3.5, 5.0, 8.0])
readings = st.lists(
    st.tuples(
        st.integers(0, 25),
        levels,
        st.sampled_from([0, 0, 0, 0, 1, 2]),
    ),
    max_size=40,
)


def standing(track: Track, arrivals: list[Value]) -> dict[tuple[str, int], int | None]:
    """What the track says after readings arrived in this order."""
    said: dict[tuple[str, int], int | None] = {}
    for minute, value, quality in arrivals:
        moment = minute * MINUTE
        if moment > track.last_at:
            for mark in track.append(moment, value, quality):
                said[mark.condition, mark.onset] = mark.cleared
        else:
            for change in track.insert(moment, value, quality) or []:
                if change.gone:
                    said.pop((change.condition, change.onset), None)
                else:
                    said[change.condition, change.onset] = change.cleared
    return said


@given(readings, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_what_a_sensor_says_follows_from_the_set_of_its_readings(
    arrivals: list[Value], random: Random
) -> None:
    """Late, early, twice: within the lateness the order of arrival plays no part."""
    spec = prepare(CITY.sensor_by_id["tank-1/level"], "water", VOCABULARY)
    shuffled = arrivals + arrivals[: len(arrivals) // 2]
    random.shuffle(shuffled)
    assert standing(Track(spec), shuffled) == standing(Track(spec), sorted(arrivals))


@given(readings, st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_a_track_goes_on_after_a_restart(arrivals: list[Value], cut: int) -> None:
    """State through JSON, anywhere: the same watch after it."""
    spec = prepare(CITY.sensor_by_id["tank-1/level"], "water", VOCABULARY)
    whole, first = Track(spec), Track(spec)
    standing(whole, arrivals)
    standing(first, arrivals[:cut])
    second = Track(spec)
    second.restore(json.loads(json.dumps(first.snapshot())))
    standing(second, arrivals[cut:])
    assert (second.watch, second.snapshot()) == (whole.watch, whole.snapshot())


@given(st.lists(st.tuples(st.integers(0, 40), levels), min_size=100, max_size=200))
@settings(max_examples=50, deadline=None)
def test_what_a_track_lets_go_changes_nothing(steps: list[tuple[int, float]]) -> None:
    """Readings up to an hour late: who forgets all that is older says what one says who keeps everything."""
    spec = prepare(CITY.sensor_by_id["tank-1/level"], "water", VOCABULARY)
    keeping, forgetful = Track(spec), Track(spec)
    late = [(5 * MINUTE * (step // 2) - MINUTE * ago, value) for step, (ago, value) in enumerate(steps)]
    for newest, (moment, value) in enumerate(late):
        said = [take(track, moment, value) for track in (keeping, forgetful)]
        assert said[0] == said[1]
        forgetful.forget(5 * MINUTE * (newest // 2) - 60 * MINUTE)
    assert forgetful.watch == keeping.watch
    assert len(forgetful.ats) < len(keeping.ats)


def take(track: Track, at: int, value: float) -> list[Change] | None:
    """What a good reading changes."""
    if at > track.last_at:
        return compare((), track.append(at, value, 0))
    return track.insert(at, value, 0)


def day(values: list[Value], *, punctual: bool = False) -> list[Reading]:
    """A stretch of the district with these values spread over its sensors, and the beats.

    Values come when they come, or, ``punctual``, not before their time.
    """
    story = Scenario(DISTRICT)
    story.play("08:00", "08:40")
    stream = [Reading(s, t, v, q) for r in story.records if isinstance(r, Frame) for s, t, v, q in r.rows()]
    for index, (minute, value, quality) in enumerate(values):
        reading = Reading(SENSORS[index % 3], at("08:00") + minute * MINUTE, value, quality)
        place = 40 + index * 4
        if punctual:
            place = max(place, 1 + max(i for i, r in enumerate(stream) if r.at <= reading.at))
        stream.insert(min(len(stream), place), reading)
    return stream


def outputs(core: Core, frames: list[Frame]) -> list[str]:
    """All that the core says, as text."""
    said = []
    for each in frames:
        out = core.step(each)
        said += [x.model_dump_json() for x in (*out.alarms, *out.incidents, *out.notifications)]
    return sorted(said)


def cut(stream: list[Reading], places: list[int]) -> list[Frame]:
    """The stream in frames, cut at these places."""
    edges = sorted({0, *(p % len(stream) for p in places), len(stream)})
    return [frame(*stream[a:b]) for a, b in itertools.pairwise(edges)]


@given(readings, st.lists(st.integers(0, 10_000), max_size=8), st.lists(st.integers(0, 10_000), max_size=8))
@settings(max_examples=40, deadline=None)
def test_frames_may_be_cut_anywhere(values: list[Value], some: list[int], others: list[int]) -> None:
    """Linger and batch size are the carrier's affair."""
    stream = day(values)
    assert outputs(Core(CITY, VOCABULARY), cut(stream, some)) == outputs(
        Core(CITY, VOCABULARY), cut(stream, others)
    )


@given(readings, st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_core_goes_on_after_a_restart(values: list[Value], place: int) -> None:
    """Stopped anywhere, its state through JSON: it says what it would have said."""
    stream = day(values)
    place = 1 + place % (len(stream) - 1)
    before, after = frame(*stream[:place]), frame(*stream[place:])
    first, second = Core(CITY, VOCABULARY), Core(CITY, VOCABULARY)
    said = outputs(first, [before])
    state = json.loads(json.dumps(first.snapshot()))
    second.restore(state)
    assert json.loads(json.dumps(second.snapshot())) == state
    said += outputs(second, [after])
    assert sorted(said) == outputs(Core(CITY, VOCABULARY), [before, after])


@given(readings)
@settings(max_examples=40, deadline=None)
def test_readings_that_come_again_say_nothing_new(values: list[Value]) -> None:
    """At-least-once delivery repeats; the second time changes nothing."""
    core = Core(CITY, VOCABULARY)
    stream = day(values, punctual=True)
    outputs(core, [frame(*stream)])
    before = core.stream_time
    assert outputs(core, [frame(*stream)]) == []
    assert core.stream_time == before


CALM = {"feeder-1/current": 20.0, "pump-1/voltage": 1.0, "tank-1/level": 3.0}
CALM |= {f"{beat}/frequency": 50.0 for beat in BEATS}
OTHER = city_of(
    DISTRICT.replace("low: 2, high: 4", "low: 2.5, high: 3.2").replace("low_low: 0.5, low: 0.9", "")
)
"""The same city with other limits, and with some taken away."""
LESS = city_of("".join(line for line in DISTRICT.splitlines(True) if "quantity: current" not in line))
"""The same city without a sensor."""


@given(readings, st.integers(0, 10_000), st.sampled_from([CITY, OTHER, LESS]))
@settings(max_examples=30, deadline=None)
def test_a_core_of_another_version_of_the_model_takes_over(
    values: list[Value], place: int, city: City
) -> None:
    """Anywhere: nothing stands for ever, nothing ends that never began; the same version says the same."""
    stream = day(values, punctual=True)
    place = 1 + place % (len(stream) - 1)
    last = max(reading.at for reading in stream)
    known = [reading for reading in stream[place:] if reading.sensor in city.sensor_by_id]
    calm = [
        Reading(sensor, last + minute * MINUTE, value + minute % 7 / 100)
        for minute in range(1, 60)
        for sensor, value in CALM.items()
        if sensor in city.sensor_by_id
    ]
    first, second = Core(CITY, VOCABULARY), Core(city, VOCABULARY)
    before = first.step(frame(*stream[:place])).alarms
    after = [*second.take_over(first).alarms, *second.step(frame(*known, *calm)).alarms]

    told: dict[str, Alarm] = {}
    for change in (*before, *after):
        assert (change.change == "raised") is (change.alarm.id not in told), change
        told[change.alarm.id] = change.alarm
        if change.change == "retracted":
            del told[change.alarm.id]
    assert [alarm for alarm in told.values() if alarm.cleared is None] == []
    if city is CITY:
        assert after == first.step(frame(*known, *calm)).alarms


def test_a_sensor_that_the_model_has_lost_is_waited_for_no_more() -> None:
    """A restart with the edited model: what is gone is neither missing nor a reason to fail."""
    story = Scenario(DISTRICT)
    story.play("08:00", "08:30", {"feeder-1/current": lambda minute: 20 + minute % 7})
    core = Core(LESS, VOCABULARY)
    core.restore(json.loads(json.dumps(story.core.snapshot())))
    said = [core.step(Tick(at=at("08:30") + minute * MINUTE)).alarms for minute in range(60)]
    assert [change for changes in said for change in changes if change.alarm.asset == "feeder-1"] == []
