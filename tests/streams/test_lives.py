"""Alarms of a limit counted over a whole past at once: the same as reading by reading."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from schemas.city import Limits, Sensor
from schemas.readings import Quality
from schemas.times import MINUTE, SECOND
from schemas.vocabulary import load_vocabulary
from streams.lives import Life, course_of
from streams.watch import Watch, prepare, step

VOCABULARY = load_vocabulary()
VALUES = some.sampled_from([0.0, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 9.0])


def one_by_one(
    at: list[int], values: list[float], limit: float, *, high: bool, on: int, off: int, deadband: float
) -> list[Life]:
    """The lives that ``streams.watch`` tells, each reading after the other."""
    limits = Limits(high=limit) if high else Limits(low=limit)
    sensor = Sensor(
        asset="tank-1",
        quantity="level",
        unit="m",
        every=60,
        limits=limits,
        on_delay=on,
        off_delay=off,
        deadband=deadband,
    )
    spec = prepare(sensor, "water", VOCABULARY)
    watch, told, lives = Watch(), {}, []
    for time, value in zip(at, values, strict=True):
        watch, marks = step(spec, watch, time, value, Quality.GOOD)
        for mark in marks:
            if mark.condition == "frozen":
                continue
            if mark.cleared is None:
                told[mark.onset] = time
            else:
                lives.append(Life(mark.onset, told.pop(mark.onset), mark.cleared))
    return lives + [Life(onset, time, None) for onset, time in told.items()]


@settings(max_examples=400)
@given(
    some.lists(some.tuples(some.integers(1, 240), VALUES), min_size=1, max_size=60),
    some.sampled_from([4.5, 5.0, 6.0]),
    some.booleans(),
    some.sampled_from([0, 60, 120, 300]),
    some.sampled_from([0, 60, 180]),
    some.sampled_from([0.0, 0.5, 1.5]),
)
def test_a_past_counted_at_once_has_the_lives_that_detection_tells(
    readings: list[tuple[int, float]], limit: float, high: bool, on: int, off: int, deadband: float
) -> None:
    """Whatever the readings and their gaps, the limit, the delays and the deadband."""
    at = [int(one) * SECOND for one in np.cumsum([gap for gap, _ in readings])]
    values = [value for _, value in readings]

    found = course_of(at, values).lives(
        limit, high=high, on_delay=on * SECOND, off_delay=off * SECOND, deadband=deadband
    )

    assert found == one_by_one(at, values, limit, high=high, on=on, off=off, deadband=deadband)


def test_a_level_that_flutters_about_its_limit_is_one_alarm_with_an_off_delay() -> None:
    """Ten dips of a minute are ten alarms; with five minutes of off-delay they are one."""
    at = [minute * MINUTE for minute in range(20)]
    course = course_of(at, [4.9 if minute % 2 else 5.1 for minute in range(20)])

    assert len(course.lives(5.0, high=False)) == 10
    assert course.lives(5.0, high=False, off_delay=5 * MINUTE) == [Life(MINUTE, MINUTE, None)]


def test_readings_may_come_in_any_order_and_twice() -> None:
    """The past is a set of readings; of two for one time the smaller value counts, as in detection."""
    course = course_of([120, 60, 120], [7.0, 1.0, 3.0])

    assert (course.at.tolist(), course.value.tolist()) == ([60, 120], [1.0, 3.0])
