"""A replay in the console: what was known then, by look-up; and forks from a moment."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from collectors.recording import Writer
from runner.cli import main
from runner.core import Core
from runner.model import load_model
from runner.moments import BadUsage
from runner.player.clock import RATES, Clock
from runner.player.deck import Deck
from runner.replay import RESULTS, Recorded, replay
from runner.sources import Asked, opened
from runner.whatif import WhatIf
from schemas.alarms import Alarm
from schemas.incidents import IncidentRevision
from schemas.times import MINUTE, SECOND, parse_time
from streams.causes import load_causes
from tests.runner.storm import CITY
from tests.runner.storm import recorded as messages_of


def at(clock: str) -> int:
    """A time of the storm day, in UTC."""
    return parse_time(f"2025-06-04T{clock}:00Z")


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The morning of the storm, to the fall of the substation and a little further."""
    path = tmp_path_factory.mktemp("storm") / "storm.jsonl"
    with Writer(path) as writer:
        for message in messages_of("storm-day"):
            if at("08:30") <= message.received < at("10:30"):
                writer.write(message)
    return path


def played(asked: Asked, out: Path) -> Deck:
    """A replay that was thought through, at rest at its first moment."""
    deck = Deck(asked, load_causes(), out, rate=60, paused=True)
    deck.start()
    wait(lambda: deck.position().over)
    return deck


def wait(true: Callable[[], bool], seconds: float = 120) -> None:
    """Until it comes true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def deck(storm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deck]:
    """That morning, to be looked at."""
    deck = played(Asked(str(storm), CITY), tmp_path_factory.mktemp("deck"))
    yield deck
    deck.stop()


# -- what was known then ------------------------------------------------------------------------------


def test_its_files_are_those_of_a_plain_replay(deck: Deck, storm: Path, tmp_path: Path) -> None:
    """To look at it changes nothing."""
    replay(storm, CITY, tmp_path)

    for name in (*RESULTS, "summary.json"):
        assert (deck.out / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_a_moment_shows_what_was_known_then_and_no_more(deck: Deck, storm: Path) -> None:
    """At each minute: the alarms, incidents, messages and readings that a city that ran up to there had."""
    model = load_model(CITY)
    core = Core(model.city, model.vocabulary, None, model.policy)
    alarms: dict[str, Alarm] = {}
    incidents: dict[str, IncidentRevision] = {}
    told: list[tuple[int, str]] = []
    pump = 0
    compared = 0
    now: int | None = None
    for record in Recorded(storm, model.city, fine=True).records():
        outputs = core.step(record)
        if now is not None and core.stream_time != now:
            # what this record brought was not known at ``now``
            deck.seek(now)
            assert deck.store.now == now
            assert {a.id: a for a in deck.store.alarms()} == alarms
            assert {a.id for a in deck.store.open_alarms()} == {
                a.id for a in alarms.values() if not a.cleared
            }
            assert {i.id: i for i in deck.store.incidents(1000)} == incidents
            assert [note.id for note in deck.store.notifications()] == [name for _, name in sorted(told)]
            assert len(deck.store.readings("lift-pump-1/power", 0, now + MINUTE)) == pump
            compared += 1
        now = core.stream_time
        for change in outputs.alarms:
            alarms[change.alarm.id] = change.alarm
            if change.change == "retracted":
                del alarms[change.alarm.id]
        for revision in outputs.incidents:
            incidents[revision.id] = revision
            if revision.replaced_by or revision.change in ("replaced", "retracted"):
                del incidents[revision.id]
        told += [(note.at, note.id) for note in outputs.notifications]
        pump += sum(sensor == "lift-pump-1/power" for sensor in getattr(record, "sensors", ()))
    assert compared > 100
    assert incidents


def test_an_incident_has_only_the_revisions_of_its_time(deck: Deck) -> None:
    """Before it was told it is unknown, and when it became known is known; then it grows, one by one."""
    deck.seek(at("10:29"))
    incident = deck.store.incidents()[0].id
    whole = deck.store.incident(incident)
    known = deck.store.first_told(incident)
    assert known == whole[0].known_at

    deck.seek(known - 1)
    assert deck.store.incident(incident) == []
    assert deck.store.incidents() == []
    deck.seek(known)
    assert [one.known_at for one in deck.store.incident(incident)] == [known]
    deck.seek(at("10:15"))
    some_of_it = deck.store.incident(incident)
    assert some_of_it == [one for one in whole if one.known_at <= at("10:15")]
    assert 1 < len(some_of_it) < len(whole)


def test_steps_go_from_one_thing_known_to_the_next_and_back(deck: Deck) -> None:
    """Each step stands still where something became known; back again on the same way."""
    deck.seek(at("09:00"))
    there = []
    for _ in range(4):
        deck.step()
        there.append(deck.position().at)
        happened = deck.store.happened()
        assert happened.alarms or happened.incidents or happened.messages
    assert there == sorted(set(there))
    deck.step(back=True)
    assert deck.position().at == there[-2]
    assert not deck.position().playing


def test_it_plays_and_waits_at_its_end(deck: Deck) -> None:
    """On it goes; at the end it stands still, and playing again begins anew."""
    deck.seek(at("10:28"))
    for _ in range(20):
        deck.faster(1)
    assert deck.position().rate == RATES[-1]
    deck.play(playing=True)
    wait(lambda: not deck.position().playing)
    assert deck.position().at == deck.position().last
    deck.play(playing=True)
    assert deck.position().at < at("08:40")
    deck.play(playing=False)


# -- the clock ----------------------------------------------------------------------------------------


def test_a_clock_tells_the_rate_that_it_really_reached() -> None:
    """Where what is shown lags behind, it says so; a pause and a seek are no part of it."""
    clock = Clock(0.0, 60.0)
    clock.play(100.0, playing=True)
    for tenth in range(20):
        clock.look(100 + tenth / 10, 0, 1_000_000)
    assert clock.reached == pytest.approx(60)
    last = int(clock.at) + 30 * SECOND  # no more is thought through
    for tenth in range(20, 40):
        clock.look(100 + tenth / 10, 0, last)
    told = clock.reached
    assert told is not None
    assert told < 20
    clock.go_to(104, 5_000)
    assert clock.reached is None
    assert clock.look(104, 0, last) == 5_000
    clock.play(200, playing=False)
    assert clock.look(300, 0, last) == 5_000


@given(some.lists(some.tuples(some.floats(0, 100), some.integers(-3, 3), some.booleans(), some.integers())))
def test_a_clock_never_leaves_what_is_there(pressed: list[tuple[float, int, bool, int]]) -> None:
    """Whatever is pressed, whenever."""
    clock, wall = Clock(0.0, 60.0), 0.0
    for seconds, steps, playing, where in pressed:
        wall += seconds
        clock.play(wall, playing=playing)
        clock.change_rate(steps)
        clock.go_to(wall, where)
        assert 1_000 <= clock.look(wall + seconds, 1_000, 90_000) <= 90_000
        assert clock.rate in RATES


# -- fork from here -----------------------------------------------------------------------------------


def forked(deck: Deck, when: int, what: WhatIf) -> Path:
    """The results of a fork."""
    deck.seek(when)
    number = deck.fork(what)
    fork = deck.forks[number]
    fork.join()
    if fork.failure:
        raise fork.failure
    return fork.out


def results(out: Path) -> dict[str, bytes]:
    """All that was said."""
    return {name: (out / name).read_bytes() for name in RESULTS}


def replayed_with(storm: Path, out: Path, what: WhatIf) -> dict[str, bytes]:
    """The same from the start."""
    deck = played(Asked(str(storm), CITY, what=what), out)
    deck.stop()
    return results(out)


@pytest.mark.parametrize(
    ("when", "what"),
    [
        ("08:45", WhatIf(settings=("sump-b/depth.high=2.5",))),
        ("09:35", WhatIf(settings=("sump-b/depth.high=2.5", "wetwell-1/level.high=none"))),
        ("08:50", WhatIf(settings=("underpass-1/depth.high=0.05",))),
        ("09:10", WhatIf(without=("substation-b dead",))),
    ],
)
def test_a_fork_equals_a_replay_with_the_change_where_it_meant_nothing_before(
    deck: Deck, storm: Path, tmp_path: Path, when: str, what: WhatIf
) -> None:
    """Until then the changed limit would have told nothing else: so from then on both say the very same."""
    with_change = replayed_with(storm, tmp_path, what)
    fork = results(forked(deck, at(when), what))

    assert fork == with_change
    assert fork != results(deck.out), "it changed something"


@pytest.mark.parametrize("when", ["08:31", "09:17", "09:58", "10:29"])
def test_a_fork_that_changes_nothing_says_the_same(deck: Deck, when: str) -> None:
    """A limit set to what it is: at any moment, also amid the storm, the same bytes, and no difference."""
    limit = deck.city.sensor_by_id["sump-b/depth"].limits.high
    out = forked(deck, at(when) + 17 * SECOND, WhatIf(settings=(f"sump-b/depth.high={limit}",)))

    assert results(out) == results(deck.out)
    diff = list(deck.forks.values())[-1].diff
    assert diff is not None
    assert diff.differences == ()


def test_a_fork_of_a_fork_has_both_changes(deck: Deck, storm: Path, tmp_path: Path) -> None:
    """As a replay with both of them from the start, and told beside the fork that it comes from."""
    one, other = "sump-b/depth.high=2.5", "wetwell-1/level.high=none"
    first = forked(deck, at("08:45"), WhatIf(settings=(one,)))
    number = list(deck.forks)[-1]
    deck.show(number)
    try:
        second = forked(deck, at("09:35"), WhatIf(settings=(other,)))
        assert deck.city_shown.sensor_by_id["sump-b/depth"].limits.high == 2.5
    finally:
        deck.show(0)

    assert results(second) == replayed_with(storm, tmp_path, WhatIf(settings=(one, other))) != results(first)
    fork = list(deck.forks.values())[-1]
    assert fork.base.number == number
    assert fork.diff is not None
    assert "sump-b" not in str([one.reasons for one in fork.diff.differences])


@pytest.mark.parametrize(
    "what",
    [
        WhatIf(dropped=("sump-b/depth",)),
        WhatIf(delays=("sewage=20m",)),
        WhatIf(without=("substation-b dead",)),
    ],
)
def test_a_fork_of_a_fork_goes_on_with_what_that_changed(deck: Deck, what: WhatIf) -> None:
    """A limit set to what it is, half an hour later: the same bytes as the fork that it comes from."""
    first = forked(deck, at("09:10"), what)
    deck.show(list(deck.forks)[-1])
    try:
        second = forked(deck, at("09:41") + 17 * SECOND, WhatIf(settings=("wetwell-1/level.every=60",)))
    finally:
        deck.show(0)

    assert results(second) == results(first) != results(deck.out)
    diff = list(deck.forks.values())[-1].diff
    assert diff is not None
    assert diff.differences == ()


def test_both_sides_are_known_alike_up_to_the_moment(deck: Deck) -> None:
    """The fork can be shown too: before the moment nothing differs, after it the fork says its own."""
    forked(deck, at("09:40"), WhatIf(settings=("sump-b/depth.high=2.5",)))
    number = list(deck.forks)[-1]
    for clock, same in (("09:39", True), ("09:40", True), ("10:20", False)):
        deck.seek(at(clock))
        deck.show(0)
        was = deck.store.alarms(), deck.store.incidents(), deck.store.latest()
        deck.show(number)
        assert deck.position().fork == number
        now = deck.store.alarms(), deck.store.incidents(), deck.store.latest()
        assert (was == now) is same, clock
        assert was[2] == now[2], "the same readings"
    deck.show(0)


def test_a_condition_that_stands_ends_by_the_new_limit(deck: Deck) -> None:
    """Amid the flood the limit is raised out of reach: the alarm goes on, and is cleared, not forgotten."""
    deck.seek(at("10:10"))
    assert ("sump-b", "depth_high") in {(a.asset, a.condition) for a in deck.store.open_alarms()}
    out = forked(deck, at("10:10"), WhatIf(settings=("sump-b/depth.high=9", "sump-b/depth.high_high=none")))

    ends = [a["cleared"] for a in _alarms(out) if (a["asset"], a["condition"]) == ("sump-b", "depth_high")]
    assert len(ends) == 1
    assert at("10:10") < parse_time(ends[0]) < at("10:13")


def test_an_alarm_of_a_sensor_that_is_taken_out_ends_with_it(deck: Deck) -> None:
    """Nobody could ever clear it; and the sensor is not called missing."""
    out = forked(deck, at("10:10"), WhatIf(dropped=("sump-b/depth",)))

    own = [alarm for alarm in _alarms(out) if alarm["sensor"] == "sump-b/depth"]
    assert own
    assert all(alarm["cleared"] is not None for alarm in own)
    assert "missing" not in {alarm["condition"] for alarm in own}


def test_messages_may_come_late_from_here_on(deck: Deck) -> None:
    """Sewage is told twenty minutes later: what comes of sewage is known later."""
    forked(deck, at("09:45"), WhatIf(delays=("sewage=20m",)))
    fork = list(deck.forks.values())[-1]

    first = {}
    for name, past in (("was", deck), ("fork", fork)):
        revisions = [json.loads(line) for line in (past.out / "revisions.jsonl").read_text().splitlines()]
        told = [
            parse_time(one["known_at"])
            for one in revisions
            if "wetwell-1" in {member["asset"] for member in one["members"]}
        ]
        first[name] = min(told)
    assert at("09:45") < first["was"] <= first["fork"] - 15 * MINUTE


def _alarms(out: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (out / "alarms.jsonl").read_text().splitlines()]


# -- what can't be ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (WhatIf(settings=("sump-b/dept.high=2",)), "there is no sensor 'sump-b/dept'; did you mean"),
        (WhatIf(settings=("sump-b/depth.hihg=2",)), "there is no field of a sensor 'hihg'; did you mean"),
        (WhatIf(settings=("sump-b/depth.high=much",)), "'much' is no number"),
        (WhatIf(without=("substatin-b dead",)), "there is no asset 'substatin-b'; did you mean"),
        (WhatIf(), "nothing shall be otherwise"),
    ],
)
def test_a_fork_of_what_is_not_there_is_refused_with_the_nearest_name(
    deck: Deck, what: WhatIf, said: str
) -> None:
    """And nothing is begun."""
    before = list(deck.forks)
    with pytest.raises(BadUsage, match=said):
        deck.fork(what)
    assert list(deck.forks) == before


def test_a_range_without_data_says_what_there_is(storm: Path, tmp_path: Path) -> None:
    """The page stays up and says it."""
    deck = played(Asked(str(storm), CITY, start=at("20:00")), tmp_path)
    try:
        assert "it holds 2025-06-04T08:30:00.300Z to 2025-06-04T10:29:" in str(deck.status().failure)
        assert deck.store.incidents() == []
        deck.step()
        deck.play(playing=True)
        assert deck.position().at == 0
        with pytest.raises(BadUsage, match="nothing was received"):
            deck.fork(WhatIf(dropped=("sump-b/depth",)))
    finally:
        deck.stop()


def test_an_archive_is_played_and_what_is_damaged_is_named(storm: Path, tmp_path: Path) -> None:
    """The rest is played; the page tells which file, and how much was skipped."""
    there = tmp_path / "archive"
    assert main(["archive", "add", str(there), str(storm), "--city", str(CITY)]) == 0
    (roads, *_) = sorted(there.rglob("readings/*/utility=roads/*.parquet"))
    roads.write_bytes(roads.read_bytes()[:-100])
    deck = played(Asked(str(there), start=at("09:00")), tmp_path / "run")
    try:
        deck.seek(at("10:00"))
        assert [incident.root.asset for incident in deck.store.incidents()] == ["catchment-1"]
        assert len(deck.faults) == 1
        assert roads.name in deck.faults[0]
        assert "readings are skipped" in deck.faults[0]
        roads_seen = [name for name in deck.store.latest() if name.startswith("road-")]
        assert roads_seen == []
        forked(deck, at("09:30"), WhatIf(settings=("sump-b/depth.high=2.5",)))
    finally:
        deck.stop()


def test_a_range_over_a_change_of_the_model_is_refused_before_a_page_opens(
    storm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says since when each model was in use; with a model that is named it plays."""
    edited = tmp_path / "edited" / "city.yaml"
    edited.parent.mkdir()
    edited.write_text(CITY.read_text().replace("low: 41.18", "low: 41.2"))
    later = tmp_path / "later.jsonl"
    later.write_text(storm.read_text().replace("2025-06-04", "2025-06-05"))
    there = tmp_path / "archive"
    assert main(["archive", "add", str(there), str(storm), "--city", str(CITY)]) == 0
    assert main(["archive", "add", str(there), str(later), "--city", str(edited)]) == 0
    capsys.readouterr()

    words = ["replay", str(there), "--console", "--no-browser", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "the city model changed within the range" in said
    assert "since 2025-06-05T08:30" in said
    assert not (tmp_path / "run").exists()
    deck = played(Asked(str(there), CITY, start=at("10:00")), tmp_path / "named")
    assert deck.failure is None
    deck.stop()


def test_it_is_left_in_the_middle_of_thinking(storm: Path, tmp_path: Path) -> None:
    """Quickly, and what only the player needed is gone."""
    deck = Deck(Asked(str(storm), CITY), load_causes(), tmp_path / "run", rate=60)
    deck.start()
    wait(lambda: deck.position().last > 0)
    deck.stop()
    assert [path.name for path in (tmp_path / "run").iterdir()] == []


def test_in_the_end_only_results_are_left(storm: Path, tmp_path: Path) -> None:
    """Those of the replay, and those of each fork in a folder of its own."""
    deck = played(Asked(str(storm), CITY, start=at("10:00")), tmp_path)
    forked(deck, at("10:10"), WhatIf(dropped=("sump-b/depth",)))
    deck.stop()
    files = {*RESULTS, "summary.json"}
    assert {path.name for path in tmp_path.iterdir()} == files | {"fork-1"}
    assert {path.name for path in (tmp_path / "fork-1").iterdir()} == files


def test_every_record_is_given_once(storm: Path) -> None:
    """What the player reads is what a replay reads."""
    fine = opened(Asked(str(storm), CITY), fine=True).source
    assert sum(1 for _ in fine.records()) > 1_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["storm.jsonl", "--console", "--json", "--loop"], "--json, --loop: means nothing with --console"),
        (["storm.jsonl", "--at", "2025-06-04T09:00:00Z"], "--at is where --console begins"),
        (["kafka://here", "--console", "--topics", "a/#"], "a Kafka has --zone and --utility"),
        (["storm.jsonl", "--console", "--at", "noon"], "'noon' is no time"),
    ],
)
def test_what_does_not_go_together_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is opened."""
    assert main(["replay", *words, "--city", str(CITY)]) == 2
    assert said in capsys.readouterr().err
