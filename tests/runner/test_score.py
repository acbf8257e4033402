"""Small days whose truth is known by heart, and what the score must say of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.agreement import adjusted_rand_index
from runner.cli import main
from runner.foresight import Prediction, calibration_error
from runner.labels import BadInput, load_labels
from runner.outputs import load_outputs
from runner.score import Score, score
from schemas.city import Asset, City, Sensor


def at(clock: str) -> str:
    """A time of the one day on which everything here happens."""
    return f"2025-06-04T{clock}:00Z"


def write_lines(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


class Day:
    """A day's truth and a replay's outputs, told in a few words and written as the files of the contract."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.labels = folder, folder / "labels.json"
        self.truths: list[dict[str, Any]] = []
        self.alarms: list[dict[str, Any]] = []
        self.incidents: list[dict[str, Any]] = []
        self.revisions: list[dict[str, Any]] = []

    def truth(self, cause: str, span: str, effects: str = "", **more: object) -> None:
        """A cause from-to ("14:00-16:00") with effects ("pump-3@14:02 tank-2@14:30")."""
        start, end = map(at, span.split("-"))
        shown = [effect.split("@") for effect in effects.split()]
        self.truths.append(
            {
                "id": f"true-{len(self.truths) + 1}",
                "cause": {"asset": cause, "kind": "trip", "start": start, "end": end},
                "effects": [{"asset": asset, "start": at(start)} for asset, start in shown],
                **more,
            }
        )

    def alarm(self, asset: str, raised: str, condition: str = "stopped") -> dict[str, Any]:
        """An alarm that nobody has put into an incident; as a member of one."""
        self.alarms.append({"asset": asset, "condition": condition, "raised": at(raised), "cleared": None})
        return {"asset": asset, "condition": condition, "since": at(raised), "until": None}

    def incident(
        self, name: str, root: str, members: str, also: str = "", known: str | None = None, **more: object
    ) -> dict[str, Any]:
        """An incident with its alarms ("pump-3@14:02 ..."), other roots, and one revision at ``known``."""
        parts = [self.alarm(*member.split("@")) for member in members.split()]
        incident = {
            "id": name,
            "opened": parts[0]["since"],
            "closed": None,
            "root": {"asset": root},
            "alternatives": [{"asset": asset} for asset in also.split()],
            "members": parts,
            "expected": [],
        }
        self.incidents.append(incident)
        if known:
            self.revision(incident, known, **more)
        return incident

    def revision(self, incident: dict[str, Any], known: str, **more: object) -> None:
        """One more revision of an incident, known at that time."""
        number = 1 + sum(revision["id"] == incident["id"] for revision in self.revisions)
        common = {"revision": number, "known_at": at(known), "change": "more"}
        self.revisions.append({**incident, **common, **more})

    def write(self) -> None:
        """The files, as replay and a labeller leave them."""
        self.labels.write_text(
            json.dumps({"start": at("00:00"), "hours": 24, "incidents": self.truths, "marks": []})
        )
        for name in ("alarms", "incidents", "revisions"):
            write_lines(self.folder / f"{name}.jsonl", getattr(self, name))

    def score(self) -> Score:
        """What the product says of this day."""
        self.write()
        return score(load_outputs(self.folder), load_labels(self.labels))


@pytest.fixture
def day(tmp_path: Path) -> Day:
    """An empty day."""
    return Day(tmp_path)


def test_perfect_day(day: Day) -> None:
    """One cause, one incident with all its alarms and the right root: every figure is at its best."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02 tank-2@14:30", first_observable=at("14:01"))
    day.incident("one", "feeder-7", "feeder-7@14:00 pump-3@14:02 tank-2@14:30", known="14:03")
    found = day.score()
    assert (found.root_top1, found.root_top3, found.main_top1) == (1, 1, 1)
    assert (found.incident_recall, found.incident_precision, found.alarm_grouping_ari) == (1, 1, 1)
    assert (found.alarms_per_incident, found.incidents_per_true_cause) == (3, 1)
    assert found.false_incidents_per_day == 0
    assert (found.incident_delay_seconds_median, found.root_delay_seconds_median) == (120, 120)


def test_one_incident_per_alarm_cannot_win_main_top1(day: Day) -> None:
    """Splitting everything finds the root somewhere, but not in the main incident, though it came first."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02 pump-4@14:02")
    for asset in ("feeder-7", "pump-3", "pump-4"):
        day.incident(asset, asset, f"{asset}@14:0{0 if asset == 'feeder-7' else 2}")
    found = day.score()
    assert (found.root_top1, found.main_top1) == (1, 0)
    assert found.incidents_per_true_cause == 3
    assert found.alarm_grouping_ari == 0


def test_two_causes_merged_into_one_incident(day: Day) -> None:
    """One incident over two causes has found one of them: the other is missed, its alarms badly grouped."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02")
    day.truth("main-2", "14:10-16:00", "junction-5@14:12")
    day.incident("merged", "feeder-7", "feeder-7@14:00 pump-3@14:02 main-2@14:11 junction-5@14:12")
    found = day.score()
    assert (found.root_top1, found.main_top1) == (0.5, 0.5)
    assert (found.incident_recall, found.incident_precision) == (0.5, 1)
    assert found.alarm_grouping_ari == 0


def test_no_incidents_at_all(day: Day) -> None:
    """A blind correlator misses everything; what can't be measured is None, not 0."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02")
    found = day.score()
    assert (found.root_top1, found.main_top1, found.incident_recall) == (0, 0, 0)
    assert found.incident_precision is None
    assert found.alarms_per_incident is None
    assert found.incident_delay_seconds_median is None
    assert found.alarm_grouping_ari is None


def test_quiet_day_with_one_false_incident(day: Day) -> None:
    """Without a truth there is no root to find, and each incident is a false one."""
    day.incident("ghost", "pump-3", "pump-3@14:02 pump-4@14:03", known="14:05")
    found = day.score()
    assert (found.root_top1, found.main_top1, found.incident_recall) == (None, None, None)
    assert (found.incident_precision, found.false_incidents_per_day) == (0, 1)
    assert found.false_incidents == ("ghost",)


def test_nothing_happened_and_nothing_was_said(day: Day) -> None:
    """An empty day with empty outputs has a score, of Nones."""
    found = day.score()
    assert (found.incidents, found.false_incidents_per_day) == (0, 0)
    assert found.foresight.calibration_error is None


def test_also_accepted_root_is_right(day: Day) -> None:
    """A root that the labels accept beside the cause counts like it."""
    day.truth("catchment-1", "09:00-15:00", "substation-b@10:06", also_accepted=["substation-b"])
    day.incident("storm", "substation-b", "substation-b@10:07")
    assert day.score().main_top1 == 1


def test_root_among_alternatives_counts_for_top3_only(day: Day) -> None:
    """The root and the first two alternatives are three answers; the fourth is none."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02")
    day.truth("feeder-8", "14:00-16:00", "pump-4@14:02")
    day.incident("third", "pump-3", "pump-3@14:02", also="tank-1 feeder-7")
    day.incident("fourth", "pump-4", "pump-4@14:02", also="tank-1 tank-2 feeder-8")
    found = day.score()
    assert (found.root_top1, found.root_top3) == (0, 0.5)


def test_an_incident_of_another_hour_is_false(day: Day) -> None:
    """The right root at the wrong time finds nothing."""
    day.truth("feeder-7", "14:00-16:00")
    early = day.incident("early", "feeder-7", "feeder-7@02:00")
    early["closed"] = at("03:00")
    found = day.score()
    assert (found.incident_recall, found.false_incidents) == (0, ("early",))


def test_right_root_counts_from_when_it_stays_right(day: Day) -> None:
    """A root that was right, then wrong, then right is known from the second time on, under any id."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02", first_observable=at("14:02"))
    final = day.incident("new", "feeder-7", "feeder-7@14:00 pump-3@14:02")
    old = {**final, "id": "old"}
    day.revision(old, "14:04")
    day.revision({**old, "root": {"asset": "pump-3"}}, "14:10")
    day.revision({**old, "root": {"asset": "pump-3"}}, "14:12", change="replaced", replaced_by="new")
    day.revision(final, "14:12", replaces=["old"])
    found = day.score()
    assert found.incident_delay_seconds_median == 2 * 60
    assert found.root_delay_seconds_median == 10 * 60


def test_a_wrong_incident_that_merges_in_does_not_undo_the_right_one(day: Day) -> None:
    """People who read the right incident had the right root all the time."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02", first_observable=at("14:00"))
    final = day.incident("right", "feeder-7", "feeder-7@14:00 pump-3@14:02", known="14:03")
    stray = {**final, "id": "stray", "root": {"asset": "pump-3"}}
    day.revision(stray, "14:05")
    day.revision(stray, "14:07", change="replaced", replaced_by="right")
    day.revision(final, "14:07", change="merged", replaces=["stray"])
    found = day.score()
    assert found.root_delay_seconds_median == 3 * 60


def test_a_right_root_that_was_given_up_was_never_known(day: Day) -> None:
    """A replay that ends with the wrong root has no delay to the right one."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02", first_observable=at("14:00"))
    final = day.incident("one", "pump-3", "feeder-7@14:00 pump-3@14:02")
    day.revision({**final, "root": {"asset": "feeder-7"}}, "14:03")
    day.revision(final, "14:05")
    found = day.score()
    assert (found.incident_delay_seconds_median, found.root_delay_seconds_median) == (180, None)


CITY = City(
    city="smallville",
    timezone="UTC",
    assets=tuple(
        Asset.model_validate({"id": name, "utility": utility, "kind": kind, "zone": "a", "position": [0, 0]})
        for name, utility, kind in (
            ("feeder-7", "power", "feeder"),
            ("pump-3", "water", "pump"),
            ("tank-2", "water", "tank"),
        )
    ),
    sensors=tuple(
        Sensor.model_validate({"asset": asset, "quantity": quantity, "unit": unit, "every": every})
        for asset, quantity, unit, every in (
            ("pump-3", "power", "kW", 60),
            ("pump-3", "flow", "L/s", 120),
            ("tank-2", "level", "m", 300),
        )
    ),
)
"""A feeder without a sensor, a pump with two, a tank that reports rarely."""


@pytest.mark.parametrize(
    ("first_sensor", "steps"), [({"first_sensor": "tank-2/level"}, 2), ({}, 10), ({"first_sensor": "?"}, 10)]
)
def test_delays_in_steps_of_the_sensor_that_could_show_it(
    day: Day, first_sensor: dict[str, str], steps: float
) -> None:
    """Ten minutes are two reports of a tank, ten of the pump that stopped first."""
    day.truth(
        "feeder-7", "14:00-16:00", "tank-2@14:30 pump-3@14:02", first_observable=at("14:00"), **first_sensor
    )
    day.incident("one", "feeder-7", "pump-3@14:02", known="14:10")
    day.write()
    found = score(load_outputs(day.folder), load_labels(day.labels), CITY)
    assert found.causes[0].incident_delay_steps == steps
    assert (found.incident_delay_steps_median, found.root_delay_steps_median) == (steps, steps)
    assert day.score().incident_delay_steps_median is None


def test_a_cause_that_nothing_measures_has_no_steps(day: Day) -> None:
    """Its delay in seconds stands all the same."""
    day.truth("feeder-7", "14:00-16:00")
    day.incident("one", "feeder-7", "feeder-7@14:00", known="14:10")
    day.write()
    found = score(load_outputs(day.folder), load_labels(day.labels), CITY)
    assert (found.incident_delay_seconds_median, found.incident_delay_steps_median) == (600, None)


def test_an_id_that_comes_back_is_no_endless_ring(day: Day) -> None:
    """Ids that replaced each other in turn are one history."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02", first_observable=at("14:00"))
    final = day.incident("one", "feeder-7", "feeder-7@14:00 pump-3@14:02", known="14:03")
    day.revision({**final, "id": "two"}, "14:04", replaces=["one"])
    day.revision(final, "14:05", replaces=["two"])
    assert day.score().root_delay_seconds_median == 3 * 60


def expected(asset: str, start: str, end: str, probability: float, *, watched: bool = True) -> dict[str, Any]:
    """A consequence foreseen: the asset stops between two times."""
    return {
        "asset": asset,
        "condition": "stopped",
        "from": at(start),
        "to": at(end),
        "probability": probability,
        "watched": watched,
    }


def test_predictions_hit_miss_and_too_late(day: Day) -> None:
    """A prediction counts once, from when it was first made, and only ahead of its alarm."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02 tank-2@14:30")
    one = day.incident("one", "feeder-7", "feeder-7@14:00 pump-3@14:02 tank-2@14:33")
    foreseen = [
        expected("tank-2", "14:20", "14:30", 0.8),  # comes at 14:33, inside the slack
        expected("tank-9", "14:20", "14:30", 0.2),  # never comes
        expected("pump-3", "14:00", "14:10", 0.9),  # stands already
        expected("tank-8", "23:50", "23:59", 0.9),  # can't be judged before the recording ends
    ]
    day.revision(one, "14:03", expected=foreseen)
    day.revision(one, "14:13", expected=foreseen)
    seen = day.score().foresight
    assert (seen.predictions, seen.hits, seen.hit_rate) == (2, 1, 0.5)
    assert seen.lead_seconds_median == 30 * 60
    assert seen.calibration_error == pytest.approx(0.2)


def test_where_no_sensor_is_the_truth_judges_a_prediction(day: Day) -> None:
    """No alarm can come there. What had begun when it was told was not foretold."""
    day.truth("feeder-7", "14:00-16:00", "street-1@14:30 street-2@14:01")
    one = day.incident("one", "feeder-7", "feeder-7@14:00")
    foreseen = [
        expected("street-1", "14:40", "15:00", 0.8, watched=False),  # departs before a limit would tell
        expected("street-2", "14:05", "15:00", 0.8, watched=False),  # had begun
        expected("street-3", "14:05", "15:00", 0.2, watched=False),  # never
    ]
    day.revision(one, "14:05", expected=foreseen)
    seen = day.score().foresight
    assert (seen.predictions, seen.hits, seen.lead_seconds_median) == (2, 1, 25 * 60)
    assert seen.calibration_error == pytest.approx(0.2)


def test_calibration_error_by_hand() -> None:
    """Two of four predicted at 0.75 come true: off by 0.25; one of one at 1.0: exact. Weighted: 0.2."""
    made = [Prediction(0.75, lead) for lead in (1, 1, None, None)] + [Prediction(1.0, 1)]
    assert calibration_error(made) == pytest.approx(0.2)


def test_labels_without_hours_take_the_days_from_the_data(day: Day) -> None:
    """Where labels tell no length, false incidents are spread over what the outputs span."""
    day.incident("ghost", "pump-3", "pump-3@06:00", known="06:00")
    day.alarm("pump-4", "18:00")
    day.write()
    day.labels.write_text('{"incidents": []}')
    assert score(load_outputs(day.folder), load_labels(day.labels)).false_incidents_per_day == 2


@pytest.mark.parametrize(
    ("one", "other", "index"),
    [
        ("aabb", "xxyy", 1.0),
        ("aabb", "xyxy", -0.5),
        ("aaabbb", "xxyyzz", 8 / 33),
        ("aaaa", "wxyz", 0.0),
        ("aa", "xx", 1.0),
        ("ab", "xy", 1.0),
        ("a", "x", None),
        ("", "", None),
    ],
)
def test_adjusted_rand_index_by_hand(one: str, other: str, index: float | None) -> None:
    """Worked on paper from Hubert and Arabie's formula."""
    found = adjusted_rand_index(one, other)
    assert found == (index if index is None else pytest.approx(index))


groupings = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30)


@settings(deadline=None)  # a busy machine is no fault of the formula
@given(groupings, st.permutations(range(5)), st.randoms(use_true_random=False))
def test_adjusted_rand_index_cares_for_groups_only(
    pairs: list[tuple[int, int]], names: list[int], shuffle: Random
) -> None:
    """Other names, another order or the other way round change nothing; equal groupings agree wholly."""
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    index = adjusted_rand_index(one, other)
    assert index is not None
    assert index <= 1
    assert adjusted_rand_index([names[a] for a in one], other) == pytest.approx(index)
    assert adjusted_rand_index(other, one) == pytest.approx(index)
    shuffle.shuffle(pairs)
    assert adjusted_rand_index([a for a, _ in pairs], [b for _, b in pairs]) == pytest.approx(index)
    assert adjusted_rand_index(one, [names[a] for a in one]) == pytest.approx(1)


def test_groupings_of_different_things_are_refused() -> None:
    """An index of two lists that don't match would be a lie."""
    with pytest.raises(ValueError, match="groupings of 2 and 3 things can't be compared"):
        adjusted_rand_index("ab", "abc")


def test_the_verb_prints_a_table_and_json(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    """People get a table, machines the same figures as JSON."""
    day.truth("feeder-7", "14:00-16:00", "pump-3@14:02")
    day.incident("one", "feeder-7", "feeder-7@14:00 pump-3@14:02", known="14:03")
    day.incident("ghost", "bin-1", "bin-1@14:00")
    day.write()
    assert main(["score", str(day.folder), str(day.labels)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "root of the main incident right 100%" in shown
    assert "calibration error n.a." in shown
    assert "true-1: cause feeder-7, main root feeder-7 (right), 1 incident" in shown
    assert "false incident ghost" in shown
    assert main(["score", str(day.folder), str(day.labels), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == list(Score.model_fields)
    assert (told["main_top1"], told["incident_precision"]) == (1, 0.5)


def refusal(day: Day, capsys: pytest.CaptureFixture[str]) -> str:
    """What the verb says as it refuses with status 2."""
    assert main(["score", str(day.folder), str(day.labels)]) == 2
    return capsys.readouterr().err.replace(str(day.folder), "DIR").strip()


def test_missing_file_is_named(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is no replay's output is refused by the first file it lacks."""
    day.write()
    (day.folder / "revisions.jsonl").unlink()
    assert refusal(day, capsys) == (
        "crosscurrent score: DIR/revisions.jsonl: no such file; expected the folder that "
        "'crosscurrent replay --out' wrote, nothing was scored"
    )


def test_broken_lines_are_named_by_number(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    """Each broken line is told with file, number and reason; empty lines are none."""
    day.alarm("pump-3", "14:02")
    day.write()
    with (day.folder / "alarms.jsonl").open("a") as alarms:
        alarms.write('\n{"asset": "pump-3"\n{"asset": "pump-3", "condition": "stopped", "raised": "noon"}\n')
    said = refusal(day, capsys).splitlines()
    assert said[0] == "crosscurrent score: lines that can't be read; nothing was scored:"
    assert said[1].startswith("DIR/alarms.jsonl:3: the whole: Invalid JSON: EOF while parsing")
    assert said[2].startswith("DIR/alarms.jsonl:4: raised: ")
    assert len(said) == 3


ENDS_FIRST = (
    '{"incidents": [{"id": "a", "cause": {"asset": "f", "kind": "trip", '
    '"start": "2025-06-04T02:00:00Z", "end": "2025-06-04T01:00:00Z"}}]}'
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "the whole: Invalid JSON: EOF while parsing an object at line 1 column 1"),
        ("{}", "incidents: Field required"),
        ('{"incidents": [{"id": "a"}]}', "incidents.0.cause: Field required"),
        (
            ENDS_FIRST,
            "incidents.0.cause: Value error, the cause at 'f' ends before it starts",
        ),
    ],
)
def test_labels_that_are_none(day: Day, text: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels are refused with the place in them and the reason."""
    day.write()
    day.labels.write_text(text)
    assert refusal(day, capsys) == f"crosscurrent score: DIR/labels.json: these are no labels: {reason}"


def test_labels_must_not_repeat_an_id(day: Day, tmp_path: Path) -> None:
    """Two causes under one id could not be told apart in the answer."""
    day.truth("feeder-7", "14:00-16:00")
    day.truth("feeder-8", "14:00-16:00")
    for truth in day.truths:
        truth["id"] = "same"
    day.write()
    with pytest.raises(BadInput, match="the whole: Value error, incidents share an id: same"):
        load_labels(day.labels)


def test_labels_of_another_day(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels of another recording would score as if everything was missed: refused instead."""
    day.incident("one", "feeder-7", "feeder-7@14:00")
    day.write()
    day.labels.write_text('{"start": "2025-07-01T00:00:00Z", "hours": 24, "incidents": []}')
    assert refusal(day, capsys) == (
        "crosscurrent score: the labels are of 2025-07-01T00:00:00Z to 2025-07-02T00:00:00Z, the outputs of "
        "2025-06-04T14:00:00Z to 2025-06-04T14:00:00Z: expected the labels of the recording that was "
        "replayed, nothing was scored"
    )
