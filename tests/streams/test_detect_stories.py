"""Stories of the stream: silence, gateways, clocks, late and repeated readings."""

from schemas.readings import Reading, Tick
from tests.scenario import BEATS, Scenario, at, frame

PLANT = """
assets:
  - {id: pump-1, utility: water, kind: pump, zone: z}
  - {id: pump-2, utility: water, kind: pump, zone: z}
  - {id: pump-3, utility: water, kind: pump, zone: z}
  - {id: gw-1, utility: water, kind: gateway, zone: z}
links:
  - {from: gw-1, to: pump-1, relation: carries}
  - {from: gw-1, to: pump-2, relation: carries}
  - {from: gw-1, to: pump-3, relation: carries}
sensors:
  - {asset: pump-1, quantity: pressure, unit: m, every: 60, on_delay: 120, limits: {low: 10}}
  - {asset: pump-1, quantity: flow, unit: L/s, every: 60}
  - {asset: pump-2, quantity: pressure, unit: m, every: 60, on_delay: 120, limits: {low: 10}}
  - {asset: pump-3, quantity: pressure, unit: m, every: 300, on_delay: 120, limits: {low: 10}}
"""


def wave(minute: int) -> float:
    """A healthy value that never repeats."""
    return 20 + minute % 13 / 10


def slow(minute: int) -> float | None:
    """A healthy value every five minutes."""
    return wave(minute) if minute % 5 == 0 else None


HEALTHY = {"pump-1/pressure": wave, "pump-1/flow": wave, "pump-2/pressure": wave, "pump-3/pressure": slow}


def test_a_sensor_that_stops_while_its_asset_goes_on_is_missing() -> None:
    """One quantity of a device that still sends the others."""
    story = Scenario(PLANT)
    story.play("08:00", "08:30", HEALTHY)
    story.play("08:30", "08:40", {**HEALTHY, "pump-1/flow": None})
    assert story.alarms == ["08:30 pump-1 missing"]
    story.play("08:40", "08:45", HEALTHY)
    assert story.alarms == ["08:30-08:40 pump-1 missing"]


def test_a_silent_gateway_is_one_alarm_and_its_return_raises_none() -> None:
    """Four sensors fall silent together: that is the gateway. Each gets time to come back."""
    story = Scenario(PLANT)
    story.play("08:00", "08:30", HEALTHY)
    story.play("08:30", "10:00")
    assert story.alarms == ["08:30 gw-1 silent"]
    story.play("10:00", "10:30", HEALTHY)
    assert story.alarms == ["08:30-10:00 gw-1 silent"]


def test_one_asset_behind_a_living_gateway_is_missing_by_itself() -> None:
    """The others still speak, so the gateway lives."""
    story = Scenario(PLANT)
    story.play("08:00", "08:30", HEALTHY)
    story.play("08:30", "09:00", {**HEALTHY, "pump-2/pressure": None})
    assert story.alarms == ["08:30 pump-2 missing"]


def test_a_silence_that_late_readings_fill_never_was() -> None:
    """The readings were only late: the alarm is taken back."""
    story = Scenario(PLANT)
    story.play("08:00", "08:30", HEALTHY)
    story.play("08:30", "08:40", {**HEALTHY, "pump-2/pressure": None})
    assert story.alarms == ["08:30 pump-2 missing"]
    story.take(frame(*(Reading("pump-2/pressure", at(f"08:{m}"), wave(m)) for m in range(30, 40))))
    story.play("08:40", "08:45", HEALTHY)
    assert story.alarms == []


def test_a_fast_clock_is_flagged_and_moves_nothing() -> None:
    """A device a day ahead: one alarm, and stream time stays with the city."""
    story = Scenario(PLANT)
    for minute in range(40):
        story.play(
            f"08:{minute:02d}" if minute else "08:00",
            f"08:{minute + 1:02d}",
            {
                **dict.fromkeys(("pump-1/pressure", "pump-1/flow"), 20 + minute / 10),
            },
        )
        story.reading(f"2+08:{minute:02d}", "pump-2/pressure", 1.0)
    assert story.core.stream_time == at("08:39")
    assert "08:00 pump-2 clock_ahead" in story.alarms
    assert not [alarm for alarm in story.alarms if "pump-2" in alarm and "clock" not in alarm]


def test_the_first_clock_heard_may_be_a_wrong_one() -> None:
    """The very first message comes from the future; the city starts in the present all the same."""
    story = Scenario(PLANT)
    story.reading("3+00:00", "pump-2/pressure", 20)
    story.play("08:00", "08:10", {"pump-1/pressure": wave, "pump-1/flow": wave})
    assert story.core.stream_time == at("08:09")


def test_after_a_night_without_any_network_all_go_on_at_once() -> None:
    """Everybody is an hour ahead of what was heard last: that is no fast clock."""
    story = Scenario(PLANT)
    story.play("08:00", "08:30", HEALTHY)
    story.play("09:30", "09:40", HEALTHY)
    assert story.core.stream_time == at("09:39")
    assert not [alarm for alarm in story.alarms if "clock" in alarm]
    assert story.core.counts["future"] == 0


def test_a_late_reading_is_put_in_its_place() -> None:
    """Two low readings were late: the alarm they prove is told, dated from when it began."""
    story = Scenario(PLANT)
    low = dict.fromkeys((10, 11, 12, 13), 5.0)
    story.play("08:00", "08:30", {**HEALTHY, "pump-1/pressure": lambda m: None if m in low else wave(m)})
    assert [a for a in story.alarms if "missing" not in a] == []
    for minute in (12, 10, 13, 11):
        story.reading(f"08:{minute}", "pump-1/pressure", 5.0)
    assert "08:10-08:14 pump-1 pressure_low" in story.alarms


def test_a_late_reading_can_take_an_alarm_back() -> None:
    """Low, a gap, low again looked like one long low; the late one in between says otherwise."""
    story = Scenario(PLANT)
    story.play(
        "08:00",
        "08:20",
        {**HEALTHY, "pump-1/pressure": lambda m: {10: 5.0, 11: None, 12: 5.0}.get(m, wave(m))},
    )
    assert story.alarms == ["08:10-08:13 pump-1 pressure_low"]
    story.reading("08:11", "pump-1/pressure", 20.0)
    assert story.alarms == []


def test_readings_later_than_the_lateness_are_counted_and_change_nothing() -> None:
    """Half an hour is allowed; what comes later is stored, and detects nothing."""
    story = Scenario(PLANT)
    story.play("08:00", "09:00", HEALTHY)
    for minute in range(5):
        story.reading(f"08:0{minute}", "pump-1/pressure", 1.0)
    assert story.alarms == []
    assert story.core.counts["late"] == 5


def test_a_tick_shows_a_silence_that_nobody_is_left_to_show() -> None:
    """All sensors stop at once: only time itself can tell."""
    story = Scenario(PLANT)
    story.play("08:00", "08:30", HEALTHY)
    story.take(Tick(at=at("08:45")))
    assert "08:30 gw-1 silent" in story.alarms
    assert sum("beat" in alarm for alarm in story.alarms) == len(BEATS)


def test_readings_of_sensors_that_the_model_lacks_are_counted() -> None:
    """They can come from a log that another model wrote."""
    story = Scenario(PLANT)
    story.reading("08:00", "pump-9/pressure", 1.0)
    assert story.core.counts["unknown"] == 1
