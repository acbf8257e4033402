"""Every question of every board and rule, asked of a real InfluxDB after riverton's storm."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from grafana import files, look, rules, watch
from grafana.boards import incident
from runner.influx.lines import Lines
from schemas.alarms import Alarm, AlarmChange, AlarmMove, Severity, alarm_id, incident_id
from schemas.cityfile import load_city
from schemas.incidents import Member
from schemas.points import BUCKETS, MEASUREMENTS, NONE, Measurement
from schemas.times import DAY
from tests.grafana.room import LOST, REPLAY, SECONDS_MAX, Room, timed

CITY = load_city(Path(__file__).parents[2] / "cities" / "riverton" / "city.yaml")
YEAR_2000_MS = 946_684_800_000
EMPTY = {
    ("runs", "Messages"): "the second run of these tests sends what the first one sent",
    ("water", "Incidents"): "the storm does not reach the water supply before eleven",
    ("water", "Standing alarms here"): "so there is no alarm of it",
    ("waste", "Incidents"): "bins are emptied in storms too",
    ("waste", "Standing alarms here"): "so there is no alarm of them",
    ("load", "Which are stale"): "the storm's alarms are hours old, not a day",
    ("load", "Which chatter"): "detection keeps alarms from chattering: that is its promise",
}
"""Panels that rightly show nothing of the storm, and why."""


class Question(NamedTuple):
    """One query, and where it stands."""

    board: str
    title: str
    kind: str
    query: str

    def __str__(self) -> str:
        return f"{self.board}: {self.title}"


def questions() -> Iterator[Question]:
    """Of all boards and rules."""
    for name, board in files.boards(CITY).items():
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield Question(name, panel["title"], panel["type"], target["query"])
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield Question(name, f"variable {variable['name']}", "variable", variable["query"])
        for annotation in board["annotations"]["list"]:
            yield Question(
                name, f"annotation {annotation['name']}", "annotation", annotation["target"]["query"]
            )
    for rule in watch.rules(CITY.city):
        yield Question("rules", rule.title, "rule", rules.judged(rule))


ALL = list(questions())


@pytest.mark.parametrize("question", ALL, ids=str)
def test_every_question_is_answered(room: Room, question: Question) -> None:
    """Rows come, within a time, and in the shape that the panel draws."""
    answer, seconds = timed(room, question.query)
    rows = sum(map(len, answer))

    assert seconds < SECONDS_MAX
    if (question.board, question.title) in EMPTY:
        assert rows == 0, "it is listed as rightly empty, and is not"
        return
    assert rows > 0
    if question.kind in {"timeseries", "state-timeline", "rule"}:
        shapes = {tuple(sorted(table.columns)) for table in answer}
        assert shapes == {("_time", "_value")}, "one time, one value: else Grafana draws no line"
    if question.kind in {"table", "stat", "geomap", "bargauge", "nodeGraph", "annotation"}:
        assert len(answer) == 1, "a table or a number is one frame"


def test_what_was_never_written_is_no_error(room: Room) -> None:
    """A city without a prediction yet, or without any incident: panels are empty, not broken."""
    for question in ALL:
        for name in set(re.findall(r'r\._measurement == "(\w+)"', question.query)):
            room.ask(question.query.replace(f'r._measurement == "{name}"', 'r._measurement == "none"'))


def test_times_are_shown_as_times(room: Room) -> None:
    """Milliseconds since 1970 stand in no table as they are."""
    for question in ALL:
        if question.kind == "table" and (question.board, question.title) not in EMPTY:
            [table] = room.ask(question.query)
            for heading, values in table.columns.items():
                if table.kinds[heading] == "long" and any(int(value or 0) > YEAR_2000_MS for value in values):
                    assert look.HEADED[heading]["unit"] == look.MOMENT, (str(question), heading)


def test_a_state_timeline_says_in_words_that_there_is_nothing(room: Room) -> None:
    """One line, all calm; where there is an alarm, nothing of it."""
    queries = {question.board: question.query for question in ALL if question.title == "Alarms"}
    [calm] = room.ask(queries["water"])
    lines = {table.labels["line"] for table in room.ask(queries["storm"])}

    assert calm.labels == {"line": "no alarm in this time range"}
    assert calm.columns["_value"] == ["normal"]
    assert calm.labels["line"] not in lines
    assert "storm-4 depth_high" in lines


def test_an_incident_without_a_chain_is_a_picture_that_says_so(room: Room) -> None:
    """Grafana's node graph fails over an answer without columns; its texts would be empty."""
    queries = [question.query for question in ALL if question.title == "Causal chain"]
    queries += [question.query for question in ALL if question.title in {"What happened", "In words"}]
    [nodes], [edges], [happened], [words] = (
        room.ask(query.replace("${incident}", "none")) for query in queries
    )

    assert nodes.columns["subtitle"] == ["no cause is known", "-"]
    assert (edges.columns["source"], edges.columns["target"]) == (["?"], ["-"])
    assert happened.columns["_value"] == words.columns["_value"] == [incident.CHOOSE]
    assert "?" not in room.ask(queries[0])[0].columns["title"]


def test_the_empty_ones_are_there() -> None:
    """What is listed as rightly empty is still asked."""
    assert EMPTY.keys() <= {(question.board, question.title) for question in ALL}


def test_only_what_the_sink_writes_is_asked_for() -> None:
    """Buckets, measurements, fields and tags in all queries are those of the table."""
    by_name: dict[str, list[Measurement]] = {}
    for measurement in MEASUREMENTS:
        by_name.setdefault(measurement.name, []).append(measurement)
    buckets = {bucket.name for bucket in BUCKETS}
    for question in ALL:
        assert set(re.findall(r'from\(bucket: "([^"]+)"', question.query)) <= buckets
        for name, rest in re.findall(r'r\._measurement == "(\w+)"([^\n]*)', question.query):
            known = by_name[name]
            fields = {field.name for measurement in known for field in measurement.fields}
            tags = {tag for measurement in known for tag in measurement.tags}
            assert set(re.findall(r'r\._field == "(\w+)"', rest)) <= fields
            assert set(re.findall(r"r\.([a-z]\w*) (?:==|=~)", rest)) <= tags


def test_the_map_shows_the_storm(room: Room) -> None:
    """Of all that has sensors, what is in trouble is marked so, at its place; the rest is normal."""
    zones, assets = (
        question.query for question in ALL if (question.board, question.title) == ("city", "Map")
    )
    [places] = room.ask(assets)
    states = dict(zip(places.columns["place"], places.columns["state"], strict=True))
    latitude = dict(zip(places.columns["place"], places.columns["lat"], strict=True))
    position = CITY.asset_by_id["substation-b"].position

    assert states["substation-b"] == "critical"
    assert states["tank-1"] == "normal"
    assert position is not None
    assert float(latitude["substation-b"]) == position[0]
    [districts] = room.ask(zones)
    worst = dict(zip(districts.columns["place"], districts.columns["state"], strict=True))
    assert worst["riverside"] == "critical"
    assert worst["north"] in {"normal", "info", "warning"}


def test_boards_show_the_past_as_it_stood(room: Room) -> None:
    """At nine nothing was wrong; at eleven an incident is open; at night it is over."""
    counted = {question.title: question.query for question in ALL if question.board == "city"}

    def figure(title: str, stop: str) -> float:
        [table] = room.ask(counted[title], "00:00", stop)
        return float(table.columns["_value"][0])

    assert figure("Open incidents", "09:00") == 0
    assert figure("Open incidents", "11:00") == 1
    assert figure("Standing alarms", "09:00") == 0
    assert figure("Standing alarms", "11:00") > 10
    assert figure("Open incidents", "23:59") == 0


def test_the_incident_is_marked_at_its_time(room: Room) -> None:
    """The annotation begins when the first alarm was raised, and carries severity and utilities."""
    annotation = next(question for question in ALL if question.kind == "annotation")
    [table] = room.ask(annotation.query)
    row = {name: values[0] for name, values in table.columns.items()}

    assert row["time"].startswith(f"{room.day}T09:05")
    assert row["timeEnd"] > row["time"]
    assert set(row["tags"].split(",")) >= {"critical", "storm", "power"}
    assert row["text"]


def test_lists_are_told_as_they_were_written(room: Room) -> None:
    """Each step of the chain with its own cause, effect and way: Flux once moved a column up by a row."""
    query = next(question.query for question in ALL if question.title == "Steps")
    [table] = room.ask(query, "05:00", "23:59")
    told = zip(*(table.columns[name] for name in ("Cause", "Effect", "Through", "Rule")), strict=True)

    assert sorted(told) == sorted(
        (
            f"{step.cause} {step.cause_condition}",
            f"{step.effect} {step.effect_condition}",
            ",".join(step.through) or NONE,
            step.rule,
        )
        for step in room.revisions[-1].chain
    )


def test_limits_are_those_of_the_city_model(room: Room) -> None:
    """The dashed lines of a sensor lie at its limits, from one end of the picture to the other."""
    sensor = CITY.sensor_by_id["storm-4/depth"]
    query = next(question.query for question in ALL if 'level: "high' in question.query)
    drawn = {table.labels["limit"]: table.columns["_value"] for table in room.ask(query)}

    assert drawn["depth high"] == [str(sensor.limits.high)] * 2
    assert len(drawn) == len(sensor.limits.model_dump(exclude_none=True, exclude={"rate"}))


def test_short_pictures_show_readings_and_long_ones_means(room: Room) -> None:
    """Six hours have the readings as they came, a month the means of five minutes, 2025 what is left."""
    query = next(
        question.query for question in ALL if question.board == "storm" and question.title == "Depth"
    )
    [short] = [table for table in room.ask(query) if table.labels["asset"] == "storm-4"]
    month = room.filled(query, days_back=28)
    [long] = [table for table in room.ask(month) if table.labels["asset"] == "storm-4"]

    assert len(short) == pytest.approx(6 * 60 / 2, rel=0.05), "one reading in two minutes"
    assert len(long) == pytest.approx(11 * 60 / 5, rel=0.05), "of eleven hours since midnight, one in five"
    assert room.ask(room.filled(query).replace(str(room.day), "2025-06-04")) == []


def test_variables_follow_the_time_range(room: Room) -> None:
    """A city that never had an alarm still has its readings to show; assets are those that spoke."""
    run, asset = (
        next(q.query for q in ALL if q.board == "asset" and q.title == f"variable {name}")
        for name in ("run", "asset")
    )
    of_nobody = room.ask(run.replace(CITY.city, "nobody"))
    [spoke] = room.ask(asset)

    assert [table.columns["_value"] for table in of_nobody] == [["live"]]
    assert set(room.ask(run)[0].columns["_value"]) == {"live", REPLAY}
    assert set(spoke.columns["_value"]) == set(CITY.sensors_of)


def test_two_runs_are_one_picture(room: Room) -> None:
    """Each alarm has a line in both; what one of them has not is named."""
    queries = {question.title: question.query for question in ALL if question.board == "runs"}
    lines = {table.labels["line"] for table in room.ask(queries["Alarms of both"])}
    [only] = room.ask(queries["Alarms"])

    assert {"storm-4 depth_high · live", "storm-4 depth_high · replay", f"{LOST} depth_high · live"} <= lines
    assert f"{LOST} depth_high · replay" not in lines
    assert set(only.columns["Asset"]) == {LOST}
    assert set(only.columns["Run"]) == {"live"}


def test_another_run_is_another_picture(room: Room) -> None:
    """A replay that never was shows nothing, rather than what happened."""
    query = next(question.query for question in ALL if question.title == "Incidents")

    assert room.ask(query.replace("${run}", "replay-of-rules")) == []


def test_what_began_long_ago_and_still_stands_is_seen(room: Room) -> None:
    """Forty days before the picture: told on it while it stands, with its incident; not when it was over."""
    lines, long_ago = Lines(CITY, "long-ago"), room.at("05:00") - 40 * DAY

    def alarm(asset: str, later: int, cleared: int | None, change: AlarmMove) -> Alarm:
        (sensor, *_) = CITY.sensors_of[asset]
        raised = long_ago + later
        made = Alarm(
            id=alarm_id(CITY.city, asset, sensor.id, "low", raised),
            asset=asset,
            utility="water",
            condition="low",
            severity=Severity.CRITICAL,
            raised=raised,
            cleared=cleared,
            sensor=sensor.id,
        )
        told = AlarmChange(alarm=made.model_copy(update={"cleared": None}), change="raised", known_at=raised)
        room.write([*lines.of(told), *lines.of(AlarmChange(alarm=made, change=change, known_at=raised))])
        return made

    stands = alarm("tank-1", 0, None, "raised")
    alarm("booster-1", 0, room.at("08:00"), "cleared")
    alarm("junction-h00", 0, long_ago + DAY, "cleared")
    alarm("junction-h01", 0, room.at("08:00"), "retracted")
    long_open = room.revisions[0].model_copy(
        update={
            "id": incident_id(CITY.city, stands.id),
            "opened": stands.raised,
            "known_at": stands.raised,
            "members": [Member(asset=stands.asset, condition=stands.condition, since=stands.raised)],
        }
    )
    room.write(lines.of(long_open))

    def column(board: str, title: str, name: str, stop: str = "11:00") -> list[str]:
        query = next(one.query for one in ALL if (one.board, one.title) == (board, title))
        answer = room.ask(query.replace("${run}", "long-ago").replace("${incident}", long_open.id), stop=stop)
        return [value for table in answer for value in table.columns.get(name, [table.labels.get(name, "")])]

    assert column("city", "Standing alarms", "_value") == ["1"]
    assert column("city", "Standing alarms", "_value", "07:00") == ["2"]
    assert column("water", "Standing alarms here", "Asset") == ["tank-1"]
    assert set(column("water", "Alarms", "line")) == {"tank-1 low", "booster-1 low"}
    assert column("load", "Stale alarms", "_value") == ["1"]
    assert column("city", "Open incidents", "_value") == ["1"]
    assert column("city", "Incidents", "Incident") == [long_open.id]
    assert column("city", "annotation Incidents", "text") == [long_open.summary]
    assert column("incident", "What happened", "_value") == [long_open.summary]
    assert column("incident", "Alarms of all utilities", "line") == ["water · tank-1 low"]
    assert column("asset", "Part of", "Incident") == []
