"""Advice on limits: a chattering sensor, a limit that never fires, days that tell too little."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runner.cli import main
from runner.tuning.history import History, lay_down
from runner.tuning.patch import CannotPatch, patched, with_settings
from runner.tuning.practice import Setting, grid_of, quiet_of
from runner.tuning.search import PRICE, Cost, Day, cost_of, search
from runner.tuning.troubles import Trouble
from schemas.city import City, Limits, Sensor
from schemas.cityfile import load_city
from schemas.readings import Frame, Quality
from schemas.times import HOUR, MINUTE, parse_time, rfc3339
from streams.lives import course_of

GOLDEN = Path(__file__).parents[1] / "golden" / "tune.md"
START = parse_time("2025-06-02T00:00:00Z")
TRIP, BACK = 4 * 60, 5 * 60
"""Minutes of each day between which the feeder is dead."""
CITY = """\
# Limits of the spring of 2025.
city: smallville
timezone: UTC
assets:
  - {id: feeder-1, utility: power, kind: feeder, zone: z}
  - {id: pump-1, utility: water, kind: pump, zone: z}
  - {id: tank-1, utility: water, kind: tank, zone: z}
  - {id: junction-1, utility: water, kind: junction, zone: z}
links:
  - {from: feeder-1, to: pump-1, relation: powers}
  - {from: pump-1, to: junction-1, relation: supplies}
sensors:
  - {asset: feeder-1, quantity: current, unit: A, every: 60, limits: {low_low: 2}, on_delay: 60}
  - {asset: pump-1, quantity: voltage, unit: pu, every: 60, limits: {low_low: 0.5}, on_delay: 60}
  - asset: tank-1
    quantity: level
    unit: m
    every: 60
    limits: {high: 5.0}  # the overflow is at 5.2
  - {asset: junction-1, quantity: pressure, unit: m, every: 60, limits: {low: 20}, on_delay: 120}
"""


def values(day: int) -> dict[str, Callable[[int], float]]:
    """What each sensor reads in a minute of a day: a tank that flutters at its limit in the morning, a feeder
    that trips, a pressure that falls while the pump stands, and not as far as its limit.
    """
    chance = np.random.default_rng(day)
    noise = chance.normal(0, 1, (4, 8 * 60)).round(2)

    def dead(minute: int) -> bool:
        return TRIP <= minute < BACK

    return {
        "feeder-1/current": lambda m: 0.0 if dead(m) else 80 + noise[0][m],
        "pump-1/voltage": lambda m: 0.0 if dead(m) else round(1 + noise[1][m] / 200, 4),
        "tank-1/level": lambda m: (
            (5.02 if m % 2 else 4.98) if 60 <= m < 120 else round(4.5 + noise[2][m] / 100, 3)
        ),
        "junction-1/pressure": lambda m: (35 if TRIP + 2 <= m < BACK else 50) + round(noise[3][m] / 5, 2),
    }


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three mornings of Smallville, with the truth about them."""
    folder = tmp_path_factory.mktemp("days")
    (folder / "city.yaml").write_text(CITY)
    for day in range(3):
        begin, read = START + day * 24 * HOUR, values(day)
        lines = []
        for minute in range(8 * 60):
            at = rfc3339(begin + minute * MINUTE)
            for sensor, value in read.items():
                asset, quantity = sensor.split("/")
                utility = "power" if asset == "feeder-1" else "water"
                topic = f"city/v1/smallville/{utility}/z/{asset}/telemetry"
                payload = {"at": at, "values": {quantity: value(minute)}}
                lines.append(json.dumps({"received": at, "topic": topic, "payload": payload}))
        (folder / f"day-{day + 1}.jsonl").write_text("\n".join(lines) + "\n")
        trip, back = rfc3339(begin + TRIP * MINUTE), rfc3339(begin + BACK * MINUTE)
        effects = [{"asset": name, "start": trip} for name in ("pump-1", "junction-1")]
        cause = {"asset": "feeder-1", "kind": "feeder_trip", "start": trip, "end": back}
        labels = {"incidents": [{"id": "trip", "cause": cause, "effects": effects}]}
        (folder / f"day-{day + 1}.labels.json").write_text(json.dumps(labels))
    return folder


def told(month: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the verb prints."""
    assert main(["tune", *arguments, str(month), "--cache", str(month / "cache"), "--workers", "1"]) == 0
    return capsys.readouterr().out


def test_tuning_a_city_proposes_and_counts_by_replay(
    month: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fluttering tank is told once a morning at most, the pressure shows the trip, and nothing true is
    lost; the patch applies, keeps comments and layout, and the file itself was not touched.
    """
    patch = tmp_path / "limits.patch"
    said = told(month, capsys, "all", "--format", "markdown", "--patch", str(patch))

    assert said == GOLDEN.read_text(encoding="utf-8")
    assert (month / "city.yaml").read_text() == CITY
    (tmp_path / "city.yaml").write_text(CITY)
    subprocess.run(["patch", "--quiet", "city.yaml", patch.name], cwd=tmp_path, check=True)
    changed = load_city(tmp_path / "city.yaml")
    assert "# the overflow is at 5.2" in (tmp_path / "city.yaml").read_text()
    assert (changed.sensor_by_id["junction-1/pressure"].limits.low or 0) > 35
    assert json.loads(told(month, capsys, "tank-1/level", "--format", "json"))["missed"] == []


def test_an_archive_of_the_same_days_gives_the_same_advice_and_the_same_diff(
    month: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recordings, and an archive of them with the truth beside: one history."""
    archive, cache = str(tmp_path / "archive"), ["--cache", str(month / "cache"), "--workers", "1"]
    recordings = sorted(map(str, month.glob("*.jsonl")))
    assert main(["archive", "add", archive, *recordings]) == 0
    labels = [f"--labels={path}" for path in sorted(month.glob("*.labels.json"))]
    capsys.readouterr()

    assert main(["tune", "all", archive, *labels, *cache, "--format", "json"]) == 0
    of_archive = json.loads(capsys.readouterr().out)
    assert of_archive["patch"] == json.loads(told(month, capsys, "all", "--format", "json"))["patch"]

    (tmp_path / "city.yaml").write_text(CITY.replace("high: 5.0", "high: 5.1"))
    answers = []
    for history in (archive, str(month)):
        assert main(["diff", str(month), str(tmp_path), history, *cache, "--format", "json"]) == 1
        answers.append([day["differences"] for day in json.loads(capsys.readouterr().out)["days"]])
    assert answers[0] == answers[1]
    assert [len(day) for day in answers[0]] == [30, 30, 30]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tank-1/levle"], "no sensor 'tank-1/levle'; it has tank-1/level"),
        (["tank-l/level"], "did you mean 'tank-1/level'?"),
        (["all", "--days", "2"], "too few days: 2; expected at least 3"),
        (["all", "--days", "0"], "expected at least 1"),
        (["all", "--from", "2031-01-01T00:00:00Z"], "nothing was received in the range"),
        (["all", "--labels", "truth.json"], "--labels is for archives"),
    ],
)
def test_what_cannot_be_tuned_is_said_and_nothing_is_proposed(
    month: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Status 2, with the nearest names and what was expected."""
    assert main(["tune", *arguments, str(month), "--cache", str(month / "cache"), "--workers", "1"]) == 2
    assert words in capsys.readouterr().err


def level(**fields: object) -> Sensor:
    """A level with a limit at 5 m, read each minute."""
    given = {"asset": "t", "quantity": "level", "unit": "m", "every": 60, "limits": Limits(high=5.0)}
    return Sensor.model_validate({**given, **fields})


def a_day(name: str, read: list[float], *troubles: Trouble) -> Day:
    """A reading each minute."""
    return Day(name, course_of([minute * MINUTE for minute in range(len(read))], read), troubles)


def flutter(around: float, minutes: int) -> list[float]:
    """Above and below, minute by minute."""
    return [around + (0.02 if minute % 2 else -0.02) for minute in range(minutes)]


def test_a_delay_is_not_proposed_where_it_would_miss_what_is_true() -> None:
    """A trouble that lasts three minutes limits the delay that hides the flutter."""
    trouble = Trouble("flood", 100 * MINUTE, 130 * MINUTE, 110 * MINUTE)
    read = [*flutter(5.0, 60), *[4.5, 4.51] * 25, *[5.4] * 3, *[4.5, 4.51] * 30]
    found = search(level(), [a_day(f"{n}", read, trouble) for n in range(3)])

    assert found.now.cost.false == 90
    assert found.best.cost.nuisance == 0
    assert found.best.cost.missed == ()


def test_an_alarm_less_is_worth_five_minutes_of_delay_and_no_more() -> None:
    """The choice on the front: fewest missed, then the lowest sum of nuisance and delay."""
    trouble = Trouble("flood", 100 * MINUTE, 200 * MINUTE, 110 * MINUTE)
    read = [*flutter(5.0, 4), *[4.5, 4.51] * 53, *[5.4] * 60, *[4.5, 4.51] * 30]
    found = search(level(), [a_day("a", read, trouble)])

    def price(cost: Cost) -> tuple[int, int]:
        return len(cost.missed), cost.nuisance * PRICE + cost.delay

    assert price(found.best.cost) == min(price(one.cost) for one in found.front)
    points = [one.cost.point for one in found.front]
    assert not any(a != b and all(x <= y for x, y in zip(a, b, strict=True)) for a in points for b in points)


def test_quicker_by_two_minutes_is_no_reason_to_change_anything() -> None:
    """A true trouble that is told after the on-delay: the delay guards against single wrong readings, and a
    limit is not tightened for speed alone.
    """
    trouble = Trouble("flood", 100 * MINUTE, 200 * MINUTE, 110 * MINUTE)
    read = [*[4.5, 4.51] * 55, *[4.8] * 5, *[5.4] * 60, *[4.5, 4.51] * 30]
    found = search(level(on_delay=120), [a_day(f"{n}", read, trouble) for n in range(5)])
    quiet = quiet_of([a_day("a", read).quiet])

    assert quiet is not None
    assert min(grid_of(level(on_delay=120), quiet).on_delays) == 120
    assert found.best == found.now
    assert min(one.cost.delay for one in found.front) <= found.now.cost.delay


def test_a_sensor_without_nuisance_keeps_its_limits() -> None:
    """Nothing is changed for its own sake."""
    found = search(level(), [a_day("a", [4.5, 4.51] * 50)])

    assert (found.best, found.tried) == (found.now, 1)


def test_readings_in_trouble_say_nothing_of_what_is_usual() -> None:
    """Quiet hours are those outside of trouble, and a single spike is no extreme."""
    trouble = Trouble("flood", 50 * MINUTE, 60 * MINUTE, 50 * MINUTE)
    day = a_day("a", [*[4.4, 4.6] * 25, *[9.0] * 11, *[4.4, 4.6] * 5, 7.0], trouble)
    quiet = quiet_of([day.quiet])

    assert quiet is not None
    assert (quiet.lowest, quiet.highest) == (4.4, 4.6)


def test_limits_that_are_tried_stay_in_their_order() -> None:
    """A low limit never passes low_low or high, and none is invented."""
    sensor = level(limits=Limits(low_low=4.3, low=4.35, high_high=5.0))
    quiet = quiet_of([a_day("a", [4.4, 4.6] * 50).quiet])
    assert quiet is not None
    grid = grid_of(sensor, quiet)

    assert grid.highs == (None,)
    assert all(low is not None and 4.3 < low < 5.0 for low in grid.lows)


def test_a_limit_s_cost_counts_every_level() -> None:
    """high and high_high are two alarms; the second in a trouble is a repeat."""
    trouble = Trouble("flood", 0, HOUR, 5 * MINUTE)
    sensor = level(limits=Limits(high=5.0, high_high=6.0))
    cost = cost_of(sensor, [a_day("a", [4.0] * 10 + [7.0] * 10 + [4.0] * 10, trouble)])

    assert (cost.alarms, cost.false, cost.repeats, cost.delay) == (2, 0, 1, 5 * MINUTE)


def test_history_is_by_sensor_in_event_time_without_what_detection_sets_aside(tmp_path: Path) -> None:
    """Bad readings, those of a clock that runs ahead and strangers are left out; a day may be silent."""
    at = START + HOUR
    frame = Frame(
        received=at,
        sensors=["a/x", "b/y", "a/x", "a/x", "a/x", "z/z"],
        at=[at, at, at - MINUTE, at + HOUR, at - 2 * MINUTE, at],
        values=[1, 2, 3, 4, 5, 6],
        qualities=[0, 0, 1, 0, Quality.BAD, 0],
    )
    sensors = ["a/x", "b/y", "c/z"]
    assert list(lay_down([frame], sensors, tmp_path / "1")) == [frame]
    assert list(lay_down([], sensors, tmp_path / "2")) == []
    history = History([tmp_path / "1", tmp_path / "2"], sensors)

    assert [one.value.tolist() for one in history.courses("a/x")] == [[3, 1], []]
    assert [one.value.tolist() for one in history.courses("c/z")] == [[], []]


SETTING = Setting(low=None, high=5.5, on_delay=60, off_delay=300, deadband=0.25)


FLOW = """\
  - {asset: tank-1, quantity: level, unit: m, every: 60, limits: {high: 5}, on_delay: 0} # why
"""
FLOW_CHANGED = """\
  - {asset: tank-1, quantity: level, unit: m, every: 60, limits: {high: 5.5}, on_delay: 60, off_delay: 300, deadband: 0.25} # why
"""  # noqa: E501 - as the file has it
BLOCK = """\
  - asset: tank-1
    quantity: level
    unit: m
    limits:
      high: 5.0 # m
    every: 60 # s
"""
BLOCK_CHANGED = """\
  - asset: tank-1
    quantity: level
    unit: m
    limits:
      high: 5.5 # m
    every: 60 # s
    on_delay: 60
    off_delay: 300
    deadband: 0.25
"""


@pytest.mark.parametrize(("written", "changed"), [(FLOW, FLOW_CHANGED), (BLOCK, BLOCK_CHANGED)])
def test_a_patch_changes_numbers_and_nothing_else(written: str, changed: str) -> None:
    """In flow and in block style, with comments; what was not written is added behind."""
    assets = "assets:\n  - {id: tank-1, utility: water, kind: tank, zone: z}\n"
    head = f"city: c\ntimezone: UTC\n{assets}sensors:\n"

    assert patched(head + written, model(head + written), {"tank-1/level": SETTING}) == head + changed


def model(text: str) -> City:
    """The city model in a text."""
    import yaml

    return City.model_validate(yaml.safe_load(text))


def test_a_city_model_with_anchors_is_not_patched() -> None:
    """One number would change two sensors."""
    text = CITY.replace("limits: {low: 20}", "limits: &l {low: 20}") + (
        "  - {asset: pump-1, quantity: pressure, unit: m, every: 60, limits: *l}\n"
    )
    with pytest.raises(CannotPatch, match="without anchors"):
        patched(text, model(text), {"junction-1/pressure": SETTING._replace(low=30.0, high=None)})


def test_the_same_settings_change_nothing() -> None:
    """No edit, no rounding of numbers as they were written."""
    city = model(CITY)
    settings = {sensor.id: Setting.of(sensor) for sensor in city.sensors}

    assert patched(CITY, city, settings) == CITY
    assert with_settings(city, settings) == city
