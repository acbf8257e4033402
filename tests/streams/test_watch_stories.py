"""Stories of single sensors: limits and their delays, rates, frozen values, bad quality."""

from collections.abc import Callable

import pytest

from schemas.readings import Quality
from tests.scenario import Scenario

TANK = """
assets: [{id: tank-1, utility: water, kind: tank, zone: z}]
sensors:
  - {asset: tank-1, quantity: level, unit: m, every: 60, on_delay: 120, off_delay: 180, deadband: 0.2,
     limits: {low_low: 1, low: 2, high: 5, high_high: 6}}
"""


def noisy(value: float) -> Callable[[int], float]:
    """A value that never repeats from one minute to the next."""
    return lambda minute: value + (minute % 5) / 1000


def test_a_condition_is_told_after_its_on_delay_from_its_onset() -> None:
    """Two minutes below the limit make an alarm, dated from the first reading below it."""
    story = Scenario(TANK)
    story.play("08:00", "08:05", {"tank-1/level": 3})
    story.play("08:05", "08:07", {"tank-1/level": 1.9})
    assert story.alarms == []
    story.play("08:07", "08:08", {"tank-1/level": 1.9})
    assert story.alarms == ["08:05 tank-1 level_low"]


def test_a_single_spike_is_no_alarm() -> None:
    """One wild value among good ones says nothing."""
    story = Scenario(TANK)
    story.play("08:00", "08:30", {"tank-1/level": lambda minute: 9 if minute == 10 else 3 + minute / 100})
    assert story.alarms == []


def test_an_alarm_clears_beyond_the_deadband_after_its_off_delay() -> None:
    """Back above the limit is not enough; back for long enough clears it from when it was back."""
    story = Scenario(TANK)
    story.play("08:00", "08:10", {"tank-1/level": noisy(1.9)})
    story.play("08:10", "08:20", {"tank-1/level": noisy(2.1)})
    assert story.alarms == ["08:00 tank-1 level_low"]
    story.play("08:20", "08:23", {"tank-1/level": noisy(2.3)})
    assert story.alarms == ["08:00 tank-1 level_low"]
    story.play("08:23", "08:24", {"tank-1/level": noisy(2.3)})
    assert story.alarms == ["08:00-08:20 tank-1 level_low"]


def test_the_worst_level_speaks_alone_when_both_are_crossed_at_once() -> None:
    """A value far out is one alarm, not two; when it eases, the milder one goes on."""
    story = Scenario(TANK)
    story.play("08:00", "08:10", {"tank-1/level": noisy(0.5)})
    assert story.alarms == ["08:00 tank-1 level_low_low"]
    story.play("08:10", "08:20", {"tank-1/level": noisy(1.7)})
    assert story.alarms == ["08:00 tank-1 level_low", "08:00-08:10 tank-1 level_low_low"]


def test_levels_crossed_one_after_the_other_both_stand() -> None:
    """A falling tank first is low, then very low."""
    story = Scenario(TANK)
    story.play("08:00", "08:10", {"tank-1/level": noisy(1.5)})
    story.play("08:10", "08:15", {"tank-1/level": noisy(0.5)})
    assert story.alarms == ["08:00 tank-1 level_low", "08:10 tank-1 level_low_low"]


def test_the_high_side_has_its_own_alarms() -> None:
    """Overfull is told as high, then as very high."""
    story = Scenario(TANK)
    story.play("08:00", "08:05", {"tank-1/level": noisy(5.5)})
    story.play("08:05", "08:10", {"tank-1/level": noisy(6.5)})
    assert story.alarms == ["08:00 tank-1 level_high", "08:05 tank-1 level_high_high"]


def test_a_value_that_never_changes_is_frozen_when_it_used_to() -> None:
    """Two hours of small changes, then the very same value: the sensor hangs."""
    story = Scenario(TANK)
    story.play("08:00", "10:00", {"tank-1/level": noisy(3)})
    story.play("10:00", "10:30", {"tank-1/level": 3.1})
    assert story.alarms == ["10:00 tank-1 frozen"]
    story.play("10:30", "10:32", {"tank-1/level": noisy(3)})
    assert story.alarms == ["10:00-10:30 tank-1 frozen"]


def test_a_sensor_that_often_repeats_itself_is_not_called_frozen() -> None:
    """A coarse sensor shows one value for long: that is its nature."""
    story = Scenario(TANK)
    story.play("08:00", "14:00", {"tank-1/level": lambda minute: 3 + minute // 12 % 3})
    story.play("14:00", "14:40", {"tank-1/level": 3})
    assert story.alarms == []


def test_bad_quality_is_an_alarm_of_its_own_and_its_values_are_not_looked_at() -> None:
    """-999 marked bad is no empty tank."""
    story = Scenario(TANK)
    story.play("08:00", "08:05", {"tank-1/level": noisy(3)})
    for minute in range(5, 15):
        story.play(f"08:{minute:02d}", f"08:{minute + 1:02d}")
        story.reading(f"08:{minute:02d}", "tank-1/level", -999, Quality.BAD)
    assert story.alarms == ["08:05 tank-1 bad_quality"]
    story.play("08:15", "08:20", {"tank-1/level": noisy(3)})
    assert story.alarms == ["08:05-08:15 tank-1 bad_quality"]


def test_a_change_faster_than_the_rate_limit_is_told_at_once() -> None:
    """A metre in a minute, where half a metre is the limit."""
    story = Scenario(TANK.replace("limits: {", "limits: {rate: 0.5, "))
    story.play("08:00", "08:05", {"tank-1/level": noisy(3)})
    story.play("08:05", "08:06", {"tank-1/level": 4.2})
    assert story.alarms == ["08:04 tank-1 rate"]


@pytest.mark.parametrize("hole", [1, 2, 3])
def test_a_few_lost_reports_are_no_silence(hole: int) -> None:
    """Networks lose a message now and then."""
    story = Scenario(TANK)
    story.play("08:00", "09:00", {"tank-1/level": lambda m: None if 10 <= m < 10 + hole else 3 + m / 100})
    assert story.alarms == []
