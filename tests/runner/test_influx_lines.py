"""Facts to points: each fact has a point of its own, and the same one every time."""

import json
import re
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.intake import Intake
from runner.core import Core, Outputs
from runner.influx.lines import Lines, by_bucket, line
from schemas.alarms import Alarm, AlarmChange, AlarmMove, Severity, alarm_id, incident_id
from schemas.city import City
from schemas.cityfile import load_city
from schemas.incidents import Expected, IncidentRevision, Member, Root
from schemas.notifications import Notification
from schemas.points import ALARM, FACTS, NONE, PARTS, PARTS_MAX, STANDING
from schemas.readings import Frame, Reading, Tick
from schemas.times import DAY
from schemas.vocabulary import load_vocabulary
from tests.runner.storm import CITY, recorded
from tests.scenario import at, city_of, frame

CITY_OF_TWO = city_of(
    """
assets:
  - {id: pump-1, utility: water, kind: pump, zone: north, position: [48.8, 2.3]}
  - {id: pump-2, utility: water, kind: pump, zone: south}
sensors:
  - {asset: pump-1, quantity: power, unit: kW, every: 60}
  - {asset: pump-1, quantity: flow, unit: L/s, every: 60}
  - {asset: pump-2, quantity: power, unit: kW, every: 60}
"""
)
SENSORS = ["pump-1/power", "pump-1/flow", "pump-2/power"]


def key(point: str) -> tuple[str, str]:
    """What InfluxDB knows a point by: measurement and tags, and the time."""
    head = re.split(r"(?<!\\) ", point, maxsplit=1)[0]
    return head, point.rpartition(" ")[2]


def alarm_of(sensor: str, condition: str, raised: int, cleared: int | None = None) -> Alarm:
    """An alarm with the id that detection gives it."""
    asset = sensor.partition("/")[0]
    id_ = alarm_id("testville", asset, sensor, condition, raised)
    return Alarm(
        id=id_,
        asset=asset,
        utility="water",
        condition=condition,
        severity=Severity.WARNING,
        raised=raised,
        cleared=cleared,
        sensor=sensor,
    )


def revision_of(first: Alarm, number: int = 1, parts: int = 1) -> IncidentRevision:
    """A revision of the incident that begins with this alarm."""
    members = [Member(asset=first.asset, condition=first.condition, since=first.raised)] * parts
    return IncidentRevision(
        id=incident_id("testville", first.id),
        opened=first.raised,
        closed=None,
        severity=Severity.WARNING,
        utilities=["water"],
        root=Root(asset=first.asset, condition=first.condition, since=first.raised, probability=0.9),
        alternatives=[],
        members=members,
        expected=[
            Expected(asset="pump-2", condition="low", start=first.raised, end=first.raised, probability=0.5)
        ]
        * parts,
        summary="It stopped.",
        chain=[],
        revision=number,
        known_at=first.raised,
        change="opened",
    )


def test_a_reading_is_a_point_of_its_sensor() -> None:
    """Unit and zone are the model's; the time is the event's."""
    lines = Lines(CITY_OF_TWO)
    said = lines.frame(frame(Reading("pump-1/power", at("08:00"), 12.5), Reading("gone/power", 0, 1.0)))

    series = "reading,asset=pump-1,city=testville,quantity=power,run=live,utility=water,zone=north"
    assert said == [f"{series} value=12.5,quality=0i 1748764800000000000"]
    assert lines.counts == {"unknown": 1}


def test_an_alarm_that_changes_is_written_over_itself() -> None:
    """One point, whose state moves on; when it was announced stays."""
    raised = alarm_of("pump-1/power", "stopped", at("08:00"))
    cleared = alarm_of("pump-1/power", "stopped", at("08:00"), at("08:10"))
    lines = Lines(CITY_OF_TWO)
    moves: list[tuple[Alarm, AlarmMove, str]] = [
        (raised, "raised", "08:02"),
        (cleared, "cleared", "08:12"),
        (cleared, "retracted", "08:20"),
    ]
    first, second, third = (
        lines.alarm(AlarmChange(alarm=alarm, change=change, known_at=at(known)))
        for alarm, change, known in moves
    )

    assert key(first) == key(second) == key(third)
    assert 'state="standing"' in first
    assert f"announced={at('08:02')}i" in first
    assert 'state="cleared"' in second
    assert f"cleared={at('08:10')}i,seconds=600.0" in second
    assert "announced" not in second
    assert 'state="retracted"' in third
    assert "latitude=48.8,longitude=2.3" in first


def test_from_when_to_when_is_told_in_one_point_that_follows_the_newest_word() -> None:
    """Of an alarm: until it cleared, or never; of an incident: until it closed, or its id was given up."""
    lines, long_ago = Lines(CITY_OF_TWO), at("08:00")
    first = alarm_of("pump-1/power", "stopped", long_ago)
    cleared = alarm_of("pump-1/power", "stopped", long_ago, at("08:10"))
    revision = revision_of(first)
    closed = revision.model_copy(update={"closed": at("08:10"), "revision": 2})
    replaced = revision.model_copy(update={"change": "replaced", "known_at": at("08:05"), "revision": 2})
    moves: list[tuple[Alarm, AlarmMove]] = [(first, "raised"), (cleared, "cleared"), (cleared, "retracted")]
    alarms = [
        lines.alarm_standing(AlarmChange(alarm=alarm, change=change, known_at=long_ago))
        for alarm, change in moves
    ]
    incidents = [lines.incident_standing(one) for one in (revision, closed, replaced)]

    def until(points: list[str]) -> list[int]:
        return [int(point.partition("until=")[2].partition("i")[0]) for point in points]

    assert len(set(map(key, alarms))) == len(set(map(key, incidents))) == 1
    assert until(alarms) == [0, at("08:10"), long_ago]
    assert until(incidents) == [0, at("08:10"), at("08:05")]
    assert by_bucket([*alarms, *lines.revision(revision)]).keys() == {STANDING.name, FACTS.name}


ALARMS = st.builds(
    alarm_of,
    st.sampled_from(SENSORS),
    st.sampled_from(["stopped", "low", "missing"]),
    st.sampled_from([0, 1, 60_000]),
)


@given(st.lists(st.tuples(ALARMS, st.integers(1, 999)), max_size=30))
def test_no_two_facts_collide(facts: list[tuple[Alarm, int]]) -> None:
    """Alarms of one moment, sensors of one condition, revisions and parts: each has a point of its own."""
    lines = Lines(CITY_OF_TWO)
    points: dict[tuple[str, str], set[object]] = {}
    for alarm, number in facts:
        change = AlarmChange(alarm=alarm, change="raised", known_at=alarm.raised)
        points.setdefault(key(lines.alarm(change)), set()).add(alarm.id)
        revision = revision_of(alarm, number, parts=3)
        for index, point in enumerate(lines.revision(revision)):
            points.setdefault(key(point), set()).add((revision.id, number, index))

    assert [found for found in points.values() if len(found) > 1] == []
    assert len(points) == len({a.id for a, _ in facts}) + 7 * len({(a.id, n) for a, n in facts})


@given(st.sets(st.uuids(), min_size=2, max_size=50))
def test_notifications_of_one_moment_lie_apart(ids: set[object]) -> None:
    """Same kind, same people, same time: the id tells them apart, within the second."""
    lines = Lines(CITY_OF_TWO)
    points = {
        key(
            lines.notification(
                Notification(
                    id=str(id_), incident="i", kind="opened", at=at("08:00"), to="on-call", reason="", text=""
                )
            )
        )
        for id_ in ids
    }

    assert len(points) == len(ids)
    assert {int(time) // 10**9 for _, time in points} == {at("08:00") // 1000}


@given(
    st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs", "Cc"]))
)
def test_no_text_breaks_a_line_apart(text: str, to: str) -> None:
    """Quotes, commas, spaces and line ends stay inside their value."""
    note = Notification(id="1", incident="i", kind="opened", at=0, to=to, reason=text, text=text)
    said = Lines(CITY_OF_TWO).notification(note)
    quoted = re.findall(r'"(?:[^"\\]|\\.)*"', said[len(key(said)[0]) + 1 :], re.DOTALL)

    assert len(quoted) == 9
    assert [json.loads(one, strict=False) for one in (quoted[2], quoted[4])] == [text or NONE] * 2
    assert re.fullmatch(r"[^\\ ,]+(\\[,= ]|[^\\ ])*", key(said)[0])


def test_parts_beyond_the_bound_are_left_out() -> None:
    """A revision has a microsecond, and its parts a nanosecond each."""
    revision = revision_of(alarm_of("pump-1/power", "stopped", 0), parts=PARTS_MAX + 5)
    members = [point for point in Lines(CITY_OF_TWO).revision(revision) if point.startswith("member,")]

    assert len(members) == PARTS_MAX
    assert len(set(map(key, members))) == PARTS_MAX


def test_a_field_that_the_table_has_not_is_an_error() -> None:
    """The table is what boards ask by."""
    with pytest.raises(KeyError):
        line(ALARM, dict.fromkeys(ALARM.tags, "x"), {"colour": "red"}, 0)


@cache
def storm() -> tuple[City, list[Frame], list[Outputs]]:
    """The city of riverton, what was let in of its storm, and all that was said of it."""
    city = load_city(CITY)
    core = Core(city, load_vocabulary(beside=CITY))
    records = Intake(city).step(recorded("storm-day")).records
    outputs = [core.step(record) for record in records]
    outputs.append(core.step(Tick(at=core.stream_time or 0)))
    return city, [record for record in records if isinstance(record, Frame)], outputs


def test_the_storm_has_a_point_for_each_fact_and_fills_the_table() -> None:
    """Every alarm, revision, part and message; the first alarm of each incident is found."""
    city, frames, outputs = storm()
    lines = Lines(city)
    readings = {key(point) for one in frames for point in lines.frame(one)}
    alarms = {key(lines.alarm(change)): change.alarm.id for one in outputs for change in one.alarms}
    revisions = [revision for one in outputs for revision in one.incidents]
    told = [point for revision in revisions for point in lines.revision(revision)]
    notes = {key(lines.notification(note)) for one in outputs for note in one.notifications}

    assert len(readings) == len({row[:2] for one in frames for row in one.rows()})
    assert len(set(alarms.values())) == len(alarms)
    assert len(alarms) == len({change.alarm.id for one in outputs for change in one.alarms})
    assert len({key(point) for point in told}) == len(told)
    assert len(notes) == sum(len(one.notifications) for one in outputs)
    assert not any("first_sensor=--" in point for point in told)
    said = [*told, *(lines.alarm(change) for one in outputs for change in one.alarms)]
    for measurement in (*PARTS, ALARM):
        found = {
            name
            for point in said
            if point.startswith(f"{measurement.name},")
            for name in re.findall(r"[ ,]([a-z_]+)=", point)
        }
        assert {field.name for field in measurement.fields} <= found, measurement.name


def test_the_series_are_bounded_by_the_model() -> None:
    """A second storm, a day later, makes no series that the first had not."""
    city, frames, outputs = storm()
    lines = Lines(city)
    assert len({key(point)[0] for one in frames for point in lines.frame(one)}) <= len(city.sensors)
    seen = [
        {
            key(lines.alarm(AlarmChange(alarm=alarm, change="raised", known_at=alarm.raised)))[0]
            for one in outputs
            for alarm in (
                change.alarm.model_copy(update={"raised": change.alarm.raised + later})
                for change in one.alarms
            )
        }
        for later in (0, DAY)
    ]

    assert seen[0] == seen[1]
