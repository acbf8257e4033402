"""A real InfluxDB: made ready, written to, refused by, and asked."""

import json
import stat
import time
from itertools import accumulate
from pathlib import Path

import pytest

from collectors import recording
from runner.cli import main
from runner.influx.lines import Lines
from runner.influx.pause import SECONDS_MAX, Pause
from runner.influx.settings import InfluxFailed, InfluxSettings
from runner.influx.setup import LATE, SOON, Setup
from runner.influx.writer import Away, Writer
from schemas.points import BUCKETS, FACTS, FIVE_MINUTES, RAW, READING
from schemas.readings import Quality, Reading
from schemas.times import DAY, MINUTE
from tests.runner.influxhelp import OnInflux
from tests.runner.kafkahelp import wait_until
from tests.runner.storm import CITY as RIVERTON
from tests.runner.storm import recorded
from tests.scenario import at, city_of, frame
from tests.servers import Influxd

CITY = city_of(
    """
assets:
  - {id: pump-1, utility: water, kind: pump, zone: north}
sensors:
  - {asset: pump-1, quantity: power, unit: kW, every: 60}
"""
)
SERIES = "reading,asset=pump-1,city=testville,quantity=power,run=live,utility=water,zone=north"


@pytest.fixture
def influx(influxd: Influxd, tmp_path: Path) -> OnInflux:
    """An organisation of a test's own."""
    return OnInflux(influxd, tmp_path)


def test_who_is_away_for_a_day_is_asked_every_half_minute_and_not_given_up() -> None:
    """Soon at first, then seldom; as late as InfluxDB asks for. When it is back, all begins anew."""
    pause = Pause()
    waits = [pause.next(Away("down")) for _ in range(3_000)]

    assert waits[:8] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert set(waits[6:]) == {SECONDS_MAX}
    assert sum(waits) > 24 * 3600
    assert sum(1 for tried in accumulate(waits) if tried <= 3600) < 130, "tries in the first hour"
    assert pause.next(Away("busy", seconds=90)) == 90
    assert pause.count == 3_001
    pause.over()
    assert (pause.on, pause.seconds) == (False, 0)
    assert pause.next(Away("down")) == 0.5


def test_setup_makes_what_is_missing_and_no_more(influx: OnInflux, tmp_path: Path) -> None:
    """Buckets, tasks, tokens that others can't read; a second run changes nothing; nothing is thrown away."""
    arguments = ["influx", "setup", "--influx", influx.influxd.address]
    setup = Setup(influx.settings(influx.owner))
    setup.buckets({bucket.name: bucket.days for bucket in BUCKETS})
    setup.tasks()
    first, setup.said = setup.said, []
    setup.tasks()
    again = setup.said
    setup.close()

    assert [line.split(":")[0] for line in first] == [*(f"bucket {b.name}" for b in BUCKETS)] + [
        f"task {name}" for name, *_ in (SOON, LATE)
    ]
    assert all("left as it is" in line for line in first[:3])
    assert again == []
    assert stat.S_IMODE(influx.token_file.stat().st_mode) == 0o600
    assert influx.token_file.read_text() != influx.read_token_file.read_text()
    assert main([*arguments, "--admin-token-file", str(tmp_path / "missing")]) == 3


def test_tokens_may_do_one_thing_each(influx: OnInflux) -> None:
    """Who writes can't read, and who reads can't write."""
    reader = InfluxSettings(url=influx.influxd.address, org=influx.org, token_file=influx.read_token_file)
    writer = influx.writer()
    writer.check()
    writer.close()
    refused = Writer(reader)
    with pytest.raises(InfluxFailed, match="does not let us write"):
        refused.check()
    refused.close()
    with (
        influx.settings(influx.token_file).client() as client,
        pytest.raises(Exception, match="could not find"),
    ):
        client.query_api().query(f'from(bucket: "{RAW.name}") |> range(start: 0) |> limit(n: 1)')


def test_bad_points_are_refused_one_by_one_and_the_good_ones_are_there(influx: OnInflux) -> None:
    """A field of another kind, a line that is none, in the middle of good points of several days."""
    good = [f"{SERIES} value={n},quality=0i {(at('08:00') + n * DAY) * 1_000_000}" for n in range(200)]
    text = f'{SERIES} value="high" {(at("09:00") + 5 * DAY) * 1_000_000}'
    broken = f"{SERIES} value= 1"
    writer = influx.writer()
    assert writer.write(RAW.name, good[:100]) == []
    refused = writer.write(RAW.name, [*good[50:120], text, *good[120:150], broken, *good[150:]])
    writer.close()

    assert [one.line for one in refused] == [text, broken]
    assert "field type conflict" in refused[0].reason
    assert "missing field value" in refused[1].reason
    assert len(influx.points(RAW, READING.name)) == 200
    assert writer.counts["refused"] == 2


def test_of_two_writes_of_one_point_the_later_stands(influx: OnInflux) -> None:
    """In one batch as in two."""
    writer = influx.writer()
    writer.write(RAW.name, [f"{SERIES} value={n} 1000" for n in range(50)])
    writer.close()

    assert list(influx.points(RAW, READING.name).values()) == [{"value": 49}]


def test_points_older_than_the_bucket_keeps_are_counted(influx: OnInflux) -> None:
    """They are nobody's fault: InfluxDB drops them, and takes the rest."""
    now = time.time_ns()
    with influx.settings(influx.owner).client() as client:
        (bucket,) = client.buckets_api().find_buckets(name=FACTS.name, org=influx.org).buckets
        bucket.retention_rules[0].every_seconds = 30 * DAY // 1000
        client.buckets_api().update_bucket(bucket)
    writer = influx.writer()
    assert (
        writer.write(FACTS.name, [f"notification,to=us value=1 {now}", "notification,to=us value=1 1"]) == []
    )
    writer.close()

    assert (writer.counts["expired"], writer.counts["written"]) == (1, 1)
    assert [stamp for _, stamp in influx.points(FACTS, "notification")] == [now]


def test_an_influxdb_that_is_gone_is_away(tmp_path: Path) -> None:
    """Nobody listens: come again later."""
    (tmp_path / "token").write_text("x")
    writer = Writer(InfluxSettings(url="http://127.0.0.1:9", token_file=tmp_path / "token"))
    with pytest.raises(Away, match="does not answer"):
        writer.write(RAW.name, ["x v=1 1"])
    writer.close()


def test_five_minutes_hold_mean_bounds_worst_quality_and_count(influx: OnInflux) -> None:
    """Downsampled whole windows only, by hand for what is long past; a second time changes nothing."""
    lines = Lines(CITY)
    readings = [Reading("pump-1/power", at("08:00") + n * MINUTE, float(n), Quality.GOOD) for n in range(10)]
    readings[3] = readings[3]._replace(quality=Quality.BAD)
    writer = influx.writer()
    writer.write(RAW.name, lines.frame(frame(*readings)))
    writer.close()
    setup = Setup(influx.settings(influx.owner, timeout_seconds=60))
    for _ in range(2):
        setup.downsample(at("08:00"), at("08:07"))
    setup.close()

    (((_, stamp), fields),) = influx.points(FIVE_MINUTES, READING.name).items()
    assert stamp == at("08:05") * 1_000_000
    assert fields == {"value": 2, "low": 0, "high": 4, "quality": 2, "count": 5}


def test_the_tasks_downsample_what_comes_in(influx: OnInflux) -> None:
    """Run by InfluxDB itself, now instead of in five minutes."""
    setup = Setup(influx.settings(influx.owner))
    setup.tasks()
    setup.close()
    ago = (time.time_ns() // 1_000_000 // MINUTE - 15) * MINUTE
    writer = influx.writer()
    writer.write(
        RAW.name,
        Lines(CITY).frame(frame(*(Reading("pump-1/power", ago + n * MINUTE, 1.0) for n in range(10)))),
    )
    writer.close()
    with influx.settings(influx.owner).client() as client:
        tasks = {task.name: task for task in client.tasks_api().find_tasks() if task.org == influx.org}
        client.tasks_api().run_manually(tasks[SOON[0]].id)
    wait_until(lambda: influx.points(FIVE_MINUTES, READING.name) != {}, "the task has run")


def test_a_replay_lies_beside_what_truly_happened(influx: OnInflux, tmp_path: Path) -> None:
    """Under a name of its own; again under that name, it takes the place of the first."""
    with recording.Writer(tmp_path / "storm.jsonl") as to:
        for message in recorded("storm-day", 22_000)[16_000:]:
            to.write(message)
    writer = influx.writer()
    writer.write(RAW.name, Lines(CITY).frame(frame(Reading("pump-1/power", at("08:00"), 1.0))))
    writer.write(RAW.name, Lines(CITY, "what-if").frame(frame(Reading("pump-1/power", at("08:00"), 1.0))))
    writer.write(FACTS.name, ["alarm,run=what-if,city=riverton gone=1i 1"])
    writer.close()
    arguments = [
        "replay",
        str(tmp_path / "storm.jsonl"),
        "--city",
        str(RIVERTON),
        "--out",
        str(tmp_path / "out"),
    ]
    arguments += ["--influx", influx.influxd.address, "--token-file", str(influx.token_file), "--run"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROSSCURRENT_INFLUX_ORG", influx.org)
        assert main([*arguments, "live"]) == 2
        assert main([*arguments, "what-if"]) == 0
        first = influx.everything()
        assert main([*arguments, "what-if"]) == 0
    revisions = (tmp_path / "out" / "revisions.jsonl").read_text().splitlines()
    alarms = (tmp_path / "out" / "alarms.jsonl").read_text().splitlines()

    assert influx.everything() == first
    assert len(first["incident"]) == len(revisions) > 0
    assert sum(one["state"] != "retracted" for one in first["alarm"].values()) == len(alarms)
    runs = [json.loads(series) for series, _ in first["reading"]]
    assert sorted({(one["city"], one["run"]) for one in runs}) == [
        ("riverton", "what-if"),
        ("testville", "live"),
        ("testville", "what-if"),
    ]
