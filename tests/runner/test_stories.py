"""Story files: what ours promise, what comes of one that fails, every fault with its place."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli import main
from runner.series import WAVE, Item, length, parse, values
from runner.stories import SHIPPED, load_story, usual
from runner.storytelling import tell
from schemas.city import Limits, Sensor
from schemas.errors import BadConfig
from streams.causes import load_causes

ROOT = Path(__file__).parents[2]
OURS = sorted(SHIPPED.glob("*.yaml"))
CITY = """\
assets:
  - {id: feeder-1, utility: power, kind: feeder, zone: north}
  - {id: pump-1, utility: water, kind: pump, zone: north}
  - {id: pump-2, utility: water, kind: pump, zone: north}
links:
  - {from: feeder-1, to: pump-1, relation: powers}
  - {from: feeder-1, to: pump-2, relation: powers}
sensors:
  - {asset: pump-1, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: pump-2, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
"""
OUTAGE = f"""\
story: The feeder dies
{CITY}series:
  pump-1/voltage: 1x10 0x20
  pump-2/voltage: 1x10 0x20
"""
"""Both pumps dead from 08:10 to the end at 08:29; ``expect`` begins on line 15."""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes ``story.yaml`` in a folder of its own, where the test then is."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        path = Path("story.yaml")
        path.write_text(text)
        return path

    return write


def failures(story: Path) -> list[str]:
    """What fails in a story under our rules; probabilities as P, for they are the rules' and not ours."""
    return [without_figures(str(failure)) for failure in tell(load_story(story), load_causes())]


def without_figures(text: str) -> str:
    """The text with P for each probability."""
    return re.sub(r"\d+%", "P", text)


def faults(story: Path) -> list[str]:
    """What is wrong with a story file."""
    with pytest.raises(BadConfig) as caught:
        load_story(story)
    return [str(fault) for fault in caught.value.faults]


# --- the stories that come with us --------------------------------------------------------------------


@pytest.mark.parametrize("story", OURS, ids=lambda path: path.stem)
def test_our_stories_hold(story: Path) -> None:
    """What the product promises, one file a promise."""
    assert failures(story) == []


OF_DETECTION = {"healthy-neighbours", "quiet-city", "silent-gateway"}
"""Stories of what detection does, or rules must not do."""


@pytest.mark.parametrize("story", OURS, ids=lambda path: path.stem)
def test_our_stories_hang_on_the_rules(story: Path) -> None:
    """A story of cause and effect that held without any rule would promise nothing."""
    bare = load_causes().model_copy(update={"rules": (), "priors": ()})

    assert bool(tell(load_story(story), bare)) == (story.stem not in OF_DETECTION)


def test_without_arguments_ours_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever changes the rules tries them on the promises first; status 0: all hold."""
    assert main(["test"]) == 0
    *told, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == ["ok"] * len(OURS)
    assert last == f"{len(OURS)} told, all hold"


# --- what comes of a story ----------------------------------------------------------------------------


def test_a_story_that_fails_says_what_came_and_where(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1; the line of the expectation, what was expected, what came in its place."""
    write(OUTAGE + "expect:\n  - incidents:\n      - {root: pump-1 dead}\n")

    assert main(["test", "story.yaml"]) == 1
    said = without_figures(capsys.readouterr().out).splitlines()
    assert [*said[:2], said[-1]] == [
        "FAILED  story.yaml: The feeder dies",
        (
            "  story.yaml:17:16: at the end (08:29): expected an incident with the root pump-1 dead; "
            "came besides: feeder-1 dead (P) with pump-1 dead, pump-2 dead"
        ),
        "1 told, 1 failed",
    ]


UNMET = {
    "no_incident: true": (
        "15:35: at 08:20: expected no incident; came: feeder-1 dead (P) with pump-1 dead, pump-2 dead"
    ),
    "alarms: []": "15:30: at 08:20: expected alarms: none; came besides: pump-1 dead, pump-2 dead",
    "alarms: [pump-1 dead, feeder-1 dead]": (
        "15:30: at 08:20: expected alarms: pump-1 dead, feeder-1 dead; "
        "did not come: feeder-1 dead; came besides: pump-2 dead"
    ),
    "notifications: [opened, resolved]": (
        "15:37: at 08:20: expected notifications: opened, resolved; came: opened"
    ),
    "notifications: []": "15:37: at 08:20: expected notifications: none; came: opened",
    "incidents: [{root: feeder-1 dead, members: [pump-1 dead]}]": (
        "15:65: at 08:20: incident feeder-1 dead: expected members: pump-1 dead; came besides: pump-2 dead"
    ),
    "incidents: [{root: feeder-1 dead, among_members: [feeder-1 dead]}]": (
        "15:72: at 08:20: incident feeder-1 dead: expected feeder-1 dead among the members; "
        "came: pump-1 dead, pump-2 dead"
    ),
    "incidents: [{root: feeder-1 dead, alternatives: [pump-2 fault]}]": (
        "15:71: at 08:20: incident feeder-1 dead: expected pump-2 fault among the alternatives; came: "
    ),
    "incidents: [{root: feeder-1 dead, expected: [pump-1 flow_low]}]": (
        "15:67: at 08:20: incident feeder-1 dead: expected pump-1 flow_low among the consequences; came: none"
    ),
    "incidents: [{root: feeder-1 dead, summary: lost its way}]": (
        "15:65: at 08:20: incident feeder-1 dead: expected 'lost its way' in the summary; came: Feeder-1 "
    ),
    "incidents: [{root: feeder-1 dead, closed: true}]": (
        "15:64: at 08:20: incident feeder-1 dead: expected it to be closed; it is open"
    ),
}


@pytest.mark.parametrize("unmet", UNMET)
def test_what_does_not_come_is_told(write: Write, unmet: str) -> None:
    """Each thing that can be expected, and was not met: what came, at line and column of the expectation."""
    story = write(f"{OUTAGE}expect: [{{at: 08:20, {unmet}}}]\n")

    (failure,) = failures(story)
    assert failure.startswith(f"story.yaml:{UNMET[unmet]}")


def test_what_comes_besides_is_told(write: Write) -> None:
    """Expected incidents are all there are: one more is a failure."""
    story = write(
        OUTAGE.replace(
            "series:",
            "  - {asset: feeder-1, quantity: speed, unit: km/h, every: 60, limits: {low: 9}}\nseries:",
        )
        + "  feeder-1/speed: 20x20 1\n"
        + "expect:\n  - incidents:\n      - {root: feeder-1 dead}\n"
    )

    (failure,) = failures(story)
    assert failure == (
        "story.yaml:19:7: at the end (08:29): expected no other incident; "
        "came besides: feeder-1 speed_low (P) with feeder-1 speed_low"
    )


def test_an_incident_that_was_taken_back_was_one(write: Write) -> None:
    """no_incident: that planned work explains the outage in the end comes too late."""
    story = write(
        OUTAGE
        + "events: [{at: 08:12, asset: pump-1, event: planned_work_started}]\n"
        + "expect: [{no_incident: true}]\n"
    ).with_name("story.yaml")
    story.write_text(story.read_text().replace("  pump-2/voltage: 1x10 0x20\n", ""))

    (failure,) = failures(story)
    assert failure.endswith("(P, since taken back) with pump-1 dead")


def test_equal_roots_are_told_apart_by_what_else_is_expected(write: Write) -> None:
    """One pump fails twice in a day: each expected incident meets the one that fits it better."""
    story = write(
        f"story: Twice\n{CITY}series:\n  pump-1/voltage: 1x10 0x10 1x120 0x10 1x10\n"
        "expect:\n  - incidents:\n"
        "      - {root: pump-1 dead, closed: false, summary: at 10:20}\n"
        "      - {root: pump-1 dead, closed: true, summary: at 08:10}\n"
    )

    assert failures(story) == []


def test_expectations_hold_at_their_time_whatever_their_order(write: Write) -> None:
    """The engineer may write the end first."""
    story = write(
        f"{OUTAGE}expect:\n  - incidents: [{{root: feeder-1 dead}}]\n  - {{at: 08:05, no_incident: true}}\n"
    )

    assert failures(story) == []


def test_clocks_are_the_citys_own(write: Write) -> None:
    """Summer time in Paris: the story, its failures and the incident's summary all say the same hour."""
    story = write(
        f"{OUTAGE}timezone: Europe/Paris\nstart: 2025-06-04 23:50\n"
        "expect:\n  - {at: 1d 00:05, incidents: [{root: feeder-1 dead, summary: at 00:00}]}\n"
        "  - {at: 1d 00:06, no_incident: true}\n"
    )

    (failure,) = failures(story)
    assert failure == (
        "story.yaml:19:33: at 1d 00:06: expected no incident; "
        "came: feeder-1 dead (P) with pump-1 dead, pump-2 dead"
    )


def test_a_story_may_be_of_a_city_of_its_own_file(write: Write) -> None:
    """By name where we ship it; else by its path, or its folder, as seen from the story."""
    write("").with_name("city.yaml").write_text(f"city: x\ntimezone: UTC\n{CITY}")
    rest = OUTAGE.replace(CITY, "") + "expect:\n  - incidents: [{root: feeder-1 dead}]\n"

    for city in (".", "city.yaml"):
        assert failures(write(f"city: {city}\n{rest}")) == []
    quiet = write("story: Nothing\ncity: riverton\nexpect: [{at: 08:30, no_incident: true}]\n")
    assert failures(quiet) == []


def test_own_rules_take_the_place_of_ours(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """--causes: what would this change of a rule break?"""
    write(OUTAGE + "expect:\n  - incidents: [{root: feeder-1 dead}]\n")
    mine = Path("mine.yaml")
    mine.write_text("words: {}\nmeasuring: [missing]\nrules: []\npriors: []\n")

    assert main(["test", "story.yaml", "--causes", "mine.yaml"]) == 1
    assert "came besides: pump-1 dead (P) with pump-1 dead; pump-2 dead (P)" in without_figures(
        capsys.readouterr().out
    )


# --- what is wrong with a file ------------------------------------------------------------------------

END = "expect: [{no_incident: true}]\n"
FAULTY = {
    "nothing at all": ("", ["1:1: expected a mapping, got nothing"]),
    "no city": (
        f"story: x\n{END}",
        ["1:1: a story needs a city: give assets and sensors, or city: NAME or its path"],
    ),
    "two cities": (
        f"story: x\ncity: riverton\nassets: []\n{END}",
        ["2:7: the city is given twice: as a name, and by assets; leave one out"],
    ),
    "a city that is not there": (
        f"story: x\ncity: rivertown\n{END}",
        ["2:7: there is no city 'rivertown'; did you mean 'riverton'?"],
    ),
    "unknown and missing fields": (
        f"{OUTAGE}expct: []\n",
        ["1:1: the field 'expect' is missing", "15:1: unknown field 'expct'; did you mean 'expect'?"],
    ),
    "nothing to expect": (
        f"{OUTAGE}expect:\n  - at: 08:20\n  - no_incident: true\n    incidents: [{{root: pump-1 dead}}]\n",
        [
            "16:5: expect.0: nothing is expected here; give incidents, no_incident, alarms, notifications",
            "17:5: expect.1: incidents and no_incident can't both hold; leave one out",
        ],
    ),
    "series that say nothing": (
        f"story: x\n{CITY}series:\n  pump-1/voltage: 1x10 0y20\n  pump-2/voltage: true\n{END}",
        [
            "13:19: series.pump-1/voltage: '0y20' is no part of a series; expected such as 3, ",
            "14:19: series.pump-2/voltage: no series; write it as 1x10 0x30",
        ],
    ),
    "clocks and conditions": (
        OUTAGE
        + "start: this morning\n"
        + "expect: [{at: 25:00, alarms: [dead]}, {at: 08:30, incidents: [{root: pump 1 dead}]}]\n",
        [
            "15:8: start: 'this morning' is no beginning of a story; write it as 2025-06-02 08:00",
            "16:15: expect.0.at: '25:00' is no time of a story; write it as 17:00, or 1d 17:00 ",
            "16:31: expect.0.alarms.0: 'dead' is no condition of an asset; write it as feeder-1 dead",
            "16:70: expect.1.incidents.0.root: 'pump 1 dead' is no condition of an asset; ",
        ],
    ),
    "names that are not there": (
        OUTAGE
        + "  pump-3/voltage: 1\n"
        + "events: [{at: 08:10, asset: feedr-1, event: triped}, {at: 08:10, asset: pump-1, event: xyzzy}]\n"
        + "expect: [{alarms: [pump-1 dead, pmp-1 dead], incidents: [{root: feeder-2 dead}]}]\n",
        [
            "15:3: no sensor 'pump-3/voltage'; did you mean 'pump-2/voltage'?",
            "16:29: no asset 'feedr-1'; did you mean 'feeder-1'?",
            "16:45: no part of Crosscurrent acts on the event 'triped'; did you mean 'tripped'?",
            "16:88: no part of Crosscurrent acts on the event 'xyzzy'; expected one of tripped, opened, ",
            "17:33: no asset 'pmp-1'; did you mean 'pump-1'?",
            "17:65: no asset 'feeder-2'; did you mean 'feeder-1'?",
        ],
    ),
    "a city with faults, and what else is wrong": (
        f"{OUTAGE}  pump-3/voltage: 1\n{END}".replace("to: pump-2", "to: pump-4"),
        [
            "8:26: link 'feeder-1' to 'pump-4': no asset 'pump-4'; did you mean 'pump-2'?",
            "15:3: no sensor 'pump-3/voltage'; did you mean 'pump-2/voltage'?",
        ],
    ),
    "times out of reach": (
        OUTAGE
        + "start: 2025-06-02 22:00\n"
        + "events: [{at: 21:59, asset: pump-1, event: tripped}]\n"
        + "expect: [{at: 40d 08:00, no_incident: true}]\n",
        [
            "16:15: 21:59 is before the story begins (22:00); on the next day it is 1d 21:59",
            "17:15: 40d 08:00: a story lasts at most 31 days",
        ],
    ),
    "a series without end": (
        f"{OUTAGE}{END}".replace("0x20", "0x50000"),
        [
            "13:19: this series: a story lasts at most 31 days",
            "14:19: this series: a story lasts at most 31 days",
        ],
    ),
    "no YAML": ("story: [\n", ["2:1: not readable as YAML: "]),
}


@pytest.mark.parametrize("case", FAULTY)
def test_every_fault_of_a_story_has_its_place(write: Write, case: str) -> None:
    """All at once, each with line and column, what was expected, and the nearest name."""
    text, wrong = FAULTY[case]
    found = faults(write(text))

    assert len(found) == len(wrong), found
    for fault, expected in zip(found, wrong, strict=True):
        assert fault.startswith(f"story.yaml:{expected}")


def test_faults_of_all_files_are_told_and_no_story(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2; also the faults of the rules, and of a story that is not there."""
    write(f"{OUTAGE}{END}")
    Path("more").mkdir()
    Path("more/b.yaml").write_text(f"{OUTAGE}expct: 1\n{END}")
    Path("mine.yaml").write_text("words: {}\nmeasuring: []\nrules: []\n")

    assert main(["test", "story.yaml", "more", "gone.yaml", "--causes", "mine.yaml"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "crosscurrent test: nothing was started, the configuration has faults:",
        "gone.yaml:1:1: can't be read: No such file or directory",
        "mine.yaml:1:1: Field required",
        "more/b.yaml:15:1: unknown field 'expct'; did you mean 'expect'?",
    ]


def test_a_folder_without_stories_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing told must not look like all well."""
    assert main(["test", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"crosscurrent test: {tmp_path}: no story here; expected files *.yaml\n"
    )


# --- the notation of series ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first_ten"),
    [
        ("3", [3] * 10),
        ("1x3 0", [1, 1, 1] + [0] * 7),
        ("1x2 _x3 2", [1, 1, None, None, None, 2, 2, 2, 2, 2]),
        ("4 _", [4] + [None] * 9),
        ("3-0.1x4 9", [3, 2.9, 2.8, 2.7, 9, 9, 9, 9, 9, 9]),
        ("-2+0.5x3", [-2, -1.5, -1, -1, -1, -1, -1, -1, -1, -1]),
        ("5~1", [5, 6, 4.5, 5.5, 4, 5.75, 4.25, 5, 6, 4.5]),
        ("1e3 .5", [1000] + [0.5] * 9),
    ],
)
def test_a_series_reads_as_it_looks(text: str, first_ten: list[float | None]) -> None:
    """What engineers know from promtool, with exact decimals; after the last item it stays as it is."""
    assert list(islice(values(parse(text)), 10)) == first_ten


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "a series is empty; leave it out, and the sensor keeps its usual value"),
        ("1x0", "'1x0' stands for no report at all; leave it out"),
        ("_+1x5", "'_+1x5': what does not come can't change; write _x5"),
        ("3-0.1", "'3-0.1' does not say for how many reports; write 3-0.1x20"),
        ("1e999", "'1e999' is beyond all numbers that can be sent"),
        ("nan", "'nan' is no part of a series; expected such as 3, 3x10, 3-0.1x20, 3~0.1x20, _x5"),
    ],
)
def test_what_is_no_series_is_told(text: str, what: str) -> None:
    """Each mistake in its own words."""
    with pytest.raises(ValueError, match="^" + re.escape(what) + "$"):
        parse(text)


NUMBERS = st.decimals(-(10**6), 10**6, places=3)
STEPS = st.decimals(0, 10**3, places=3)
REPORTS = st.integers(1, 500)


def written(item: Item) -> str:
    """The item as an engineer may write it."""
    value = "_" if item.value is None else str(item.value)
    how = "~" if item.wavers else "-" if item.by < 0 else "+"
    change = f"{how}{abs(item.by)}" if item.by or item.wavers else ""
    return f"{value}{change}x{item.reports}"


ITEMS = st.lists(
    st.one_of(
        st.builds(Item, st.none(), REPORTS, st.just(Decimal(0)), st.just(False)),
        st.builds(Item, NUMBERS, REPORTS, st.decimals(-1000, 1000, places=3), st.just(False)),
        st.builds(Item, NUMBERS, REPORTS, STEPS, st.just(True)),
    ),
    min_size=1,
    max_size=8,
).map(tuple)


@given(ITEMS)
def test_what_is_written_is_read(items: tuple[Item, ...]) -> None:
    """Any series, written down and read again, is the same, and as long as its items say."""
    text = " ".join(map(written, items))

    assert parse(text) == items
    assert length(parse(text)) == sum(int(part.rpartition("x")[2]) for part in text.split())


@given(ITEMS, st.integers(0, 300))
def test_after_the_last_item_a_sensor_stays_as_it_is(items: tuple[Item, ...], later: int) -> None:
    """It keeps its last value, wavers on within its bounds, or stays silent."""
    all_ = list(islice(values(items), length(items) + later + 1))
    last = items[-1]

    if last.value is None or not last.wavers:
        assert set(all_[length(items) - 1 :]) == {all_[length(items) - 1]}
    else:
        bounds = float(last.value - last.by), float(last.value + last.by)
        assert all(value is not None and bounds[0] <= value <= bounds[1] for value in all_[-later - 1 :])


@given(st.text(alphabet="0123456789.x_+-~e ", max_size=30))
def test_any_text_is_a_series_or_a_told_mistake(text: str) -> None:
    """Nothing but ValueError, whatever is typed; and no value is ever infinite."""
    try:
        items = parse(text)
    except ValueError:
        return
    assert all(value is None or abs(value) < float("inf") for value in islice(values(items), 50))


def test_a_wave_has_its_middle_as_mean_and_no_two_equal_neighbours() -> None:
    """A wavering sensor is alive, and not biased."""
    assert sum(WAVE) == Decimal(0)
    assert all(a != b for a, b in zip(WAVE, (*WAVE[1:], WAVE[0]), strict=True))


LIMIT = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.none() | LIMIT, st.none() | LIMIT)
def test_a_usual_value_is_within_the_limits(low: float | None, high: float | None) -> None:
    """A sensor that a story leaves alone raises no alarm."""
    if low is not None and high is not None:
        low, high = sorted((low, high))
    sensor = Sensor(asset="a", quantity="level", unit="m", every=60, limits=Limits(low=low, high=high))

    assert low is None or low <= usual(sensor)
    assert high is None or usual(sensor) <= high


def test_an_example_of_the_docs_is_told_as_they_say(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever copies the story of docs/stories.md gets the output that stands below it."""
    page = (ROOT / "docs" / "stories.md").read_text(encoding="utf-8")
    (story,) = re.findall(r"```yaml\n(story:.*?)```", page, re.DOTALL)
    said = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    path = write(story).rename("pumps.yaml")

    assert (main(["test", str(path)]), capsys.readouterr().out) == (0, said[0])
    path.write_text(story.replace("root: feeder-1 dead", "root: pump-1 dead"))
    assert main(["test", str(path)]) == 1
    assert without_figures(capsys.readouterr().out) == without_figures(said[1])


def test_pages_that_did_not_come_are_told_beside_those_that_did(write: Write) -> None:
    """With minute, kind and whom; and an answer that nobody could give."""
    story = write(
        f"{OUTAGE}alerts: {{receivers: {{desk: {{type: console}}}}, route: {{to: desk}}}}\n"
        "answers: [{at: 08:05, root: feeder-1 dead, answer: acknowledge, by: ana}]\n"
        "expect: [{pages: [08:20 opened ana]}]\n"
    )
    assert failures(story) == [
        "story.yaml:16:29: nobody can answer feeder-1 dead: no incident has that root then",
        ("story.yaml:17:18: at the end (08:29): expected pages: 08:20 opened ana; came: 08:12 opened desk"),
    ]


def test_faults_of_who_is_told_are_faults_of_the_story(write: Write) -> None:
    """At their place in the story's own file."""
    story = write(
        f"{OUTAGE}alerts: {{receivers: {{desk: {{type: console}}}}, route: {{to: dsk}}}}\n"
        "expect: [{pages: []}]\n"
    )
    with pytest.raises(BadConfig) as caught:
        load_story(story)
    assert str(caught.value).splitlines() == [
        "story.yaml:15:22: nothing uses 'desk' of receivers",
        "story.yaml:15:58: no receiver, person or rota 'dsk'; did you mean 'desk'?",
    ]


# -- what failed, and how it came --------------------------------------------------------------------

WRONG = f"""{OUTAGE}expect:
  - at: 08:15
    incidents: [{{root: pump-1 dead, members: [pump-1 dead, pump-2 dead]}}]
    notifications: [opened]
  - no_incident: true
"""


def test_what_failed_is_shown_beside_what_was_seen(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """All that was expected and all that came, on one time line."""
    assert main(["test", str(write(WRONG))]) == 1
    said = capsys.readouterr().out.splitlines()
    lines = said[said.index(next(line for line in said if line.split() == ["time", "expected", "seen"])) :]
    assert lines[1].split() == ["08:11", "alarm", "pump-1", "dead", "raised", "(since", "08:10)"]
    assert "incident feeder-1 dead opened: pump-2 dead, pump-1 dead" in lines[3]
    assert lines[4].split() == ["08:12", "page", "opened", "to", "on-call"]
    assert lines[5].startswith("  08:15     incident pump-1 dead: pump-1 dead, pump-2")
    assert lines[-3].split() == ["08:29", "no", "incident", "so", "far"]


def test_ci_gets_a_junit_report(write: Write, tmp_path: Path) -> None:
    """A case a story; what failed with its place, and the time line."""
    write(WRONG)
    good = tmp_path / "good.yaml"
    good.write_text(f"{OUTAGE}expect:\n  - incidents: [{{root: feeder-1 dead}}]\n")
    assert main(["test", str(tmp_path), "--junit", str(tmp_path / "report.xml")]) == 1
    suite = ET.parse(tmp_path / "report.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    cases = {str(case.get("classname")): case for case in suite.iter("testcase")}
    assert cases[str(good)].find("failure") is None
    failure = cases[str(tmp_path / "story.yaml")].find("failure")
    assert failure is not None
    assert "story.yaml:17" in str(failure.get("message"))
    assert "page opened to on-call" in str(failure.text)


def test_stories_are_told_again_when_they_change(write: Write) -> None:
    """A story that fails, one with a fault, one that holds; then Ctrl-C."""
    story = write(WRONG).absolute()
    good = f"{OUTAGE}expect:\n  - incidents: [{{root: feeder-1 dead}}]\n"
    with subprocess.Popen(
        [sys.executable, ROOT / "crosscurrent.py", "test", "--watch", story],
        stdout=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        for awaited, following in (("1 told, 1 failed", "story: x"), ("expect", good), ("all hold", "")):
            for line in watching.stdout:
                if awaited in line:
                    break
            time.sleep(1)  # until it watches
            story.write_text(following)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 130
