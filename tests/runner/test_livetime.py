"""Time that passes though nobody says so: between reports, in silence, and never in a day that is played."""

import pytest

from runner.livetime import STEP, LiveTime
from schemas.times import MINUTE, SECOND
from tests.scenario import city_of

CITY = city_of(
    """
    assets:
      - {id: pump-1, utility: water, kind: pump, zone: north}
    sensors:
      - {asset: pump-1, quantity: voltage, unit: pu, every: 60}
    """
)
NOON = 1_750_000_000_000
GOES_ON = MINUTE - STEP


class Clock:
    """A wall clock and a steady one that go together."""

    def __init__(self) -> None:
        self.seconds = NOON / SECOND

    def __call__(self) -> float:
        """Seconds."""
        return self.seconds


def ticks(live: LiveTime, clock: Clock, seconds: float, stream_time: int) -> list[int]:
    """What is told within so many seconds, asked four times a second, as stream time takes it up."""
    told, received = [], clock.seconds
    for _ in range(round(seconds * 4)):
        clock.seconds += 0.25
        if (now := live.tick(received, stream_time)) is not None:
            told.append(now)
            stream_time = max(stream_time, now)
    return told


def test_time_goes_on_after_a_report_and_stands_shortly_before_the_next() -> None:
    """By half seconds: whatever is known in this minute settles in it."""
    clock = Clock()
    told = ticks(LiveTime(CITY, clock, clock), clock, 60.5, NOON)
    assert told == list(range(NOON + 500, NOON + GOES_ON + 1, 500))


def test_a_report_begins_it_anew() -> None:
    """From where it moved stream time to."""
    clock = Clock()
    live = LiveTime(CITY, clock, clock)
    assert ticks(live, clock, 1.25, NOON) == [NOON + 500, NOON + 1000]
    assert ticks(live, clock, 1.25, NOON + 7_000) == [NOON + 7_500, NOON + 8_000]


@pytest.mark.parametrize("every", [10, 60])
def test_a_report_that_comes_late_still_moves_time(every: int) -> None:
    """Two seconds late: time stood before it and goes on from it; else all would wait for the one after."""
    city = CITY.model_copy(update={"sensors": [CITY.sensors[0].model_copy(update={"every": every})]})
    clock, later = Clock(), NOON + every * SECOND
    live = LiveTime(city, clock, clock)
    assert ticks(live, clock, every + 2, NOON)[-1] == later - STEP
    assert ticks(live, clock, 1.25, later) == [later + 500, later + 1000]


def test_a_stream_time_that_lags_behind_what_was_told_does_not_push_it_on() -> None:
    """Whoever thinks may be a tick behind: that is no report."""
    clock = Clock()
    live, told = LiveTime(CITY, clock, clock), [NOON]
    received = clock.seconds
    for _ in range(300):
        clock.seconds += 0.25
        if (now := live.tick(received, told[-2] if len(told) > 1 else NOON)) is not None:
            told.append(now)
    assert told[-1] == NOON + GOES_ON


def test_a_sensor_that_reports_often_bounds_it() -> None:
    """Else a pause of the network would look like sensors that are missing."""
    often = CITY.model_copy(update={"sensors": [CITY.sensors[0].model_copy(update={"every": 1.0})]})
    clock = Clock()
    assert ticks(LiveTime(often, clock, clock), clock, 40, NOON) == [NOON + 500]


def test_in_silence_it_is_the_wall_clock_that_counts() -> None:
    """When stream time is more than a minute behind it, and no message has come for a minute."""
    clock = Clock()
    told = ticks(LiveTime(CITY, clock, clock), clock, 120, NOON)
    assert told[-2:] == [NOON + GOES_ON, NOON + GOES_ON + MINUTE + 250]


def test_a_day_that_is_played_is_left_alone() -> None:
    """Also one that is hardly older than an hour, and one of the future."""
    for away in (-60 * MINUTE, 60 * MINUTE):
        clock = Clock()
        assert ticks(LiveTime(CITY, clock, clock), clock, 90, NOON + away) == []
