"""The diff of alerts: two versions, the same hours; what differs, why, and what can't be compared."""

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runner.cli import main
from runner.diff.changes import Changes
from runner.diff.compare import compare
from runner.diff.told import Difference, Told, load_told
from runner.outputs import (
    Outputs,
    SeenAlarm,
    SeenIncident,
    SeenMember,
    SeenNotification,
    SeenRevision,
    SeenRoot,
)
from runner.replay import replay
from schemas.times import HOUR, MINUTE, parse_time

ROOT = Path(__file__).parents[2]
RIVERTON = ROOT / "cities" / "riverton"
NO_CHANGES = Changes()
SECOND_SIDE = {"new": "lost", "lost": "new", "earlier": "later", "later": "earlier"}
"""What a move is called when the sides are exchanged; all others keep their name."""


def clock(at: int) -> str:
    """Minutes since midnight, in UTC."""
    return str(at // MINUTE)


def alarm(asset: str, raised: int, cleared: int | None = None, condition: str = "low") -> SeenAlarm:
    """An alarm of the asset's pressure, in minutes."""
    return SeenAlarm(
        asset=asset,
        condition=condition,
        raised=raised * MINUTE,
        cleared=None if cleared is None else cleared * MINUTE,
        severity="warning",
        sensor=f"{asset}/pressure",
    )


def incident(
    name: str, root: str, members: Sequence[SeenAlarm], told: int, pages: Sequence[str] = ()
) -> tuple[SeenRevision, list[SeenNotification]]:
    """An incident of these alarms, first told in that minute, with its pages."""
    opened = min(one.raised for one in members)
    revision = SeenRevision(
        id=name,
        opened=opened,
        root=SeenRoot(asset=root, condition="dead", probability=0.9),
        members=tuple(
            SeenMember(asset=one.asset, condition=one.condition, since=one.raised) for one in members
        ),
        revision=1,
        known_at=told * MINUTE,
        change="opened",
    )
    sent = [SeenNotification(incident=name, kind=kind, at=told * MINUTE, to="on-call") for kind in pages]
    return revision, sent


def telling(alarms: Sequence[SeenAlarm], *incidents: tuple[SeenRevision, list[SeenNotification]]) -> Told:
    """What one version says."""
    revisions = [revision for revision, _ in incidents]
    return Told(
        Outputs(alarms=list(alarms), incidents=[*map(as_it_stands, revisions)], revisions=revisions),
        [page for _, pages in incidents for page in pages],
    )


def as_it_stands(revision: SeenRevision) -> SeenIncident:
    """The incident in a revision."""
    return SeenIncident.model_validate(revision.model_dump(by_alias=True))


def moves(differences: Sequence[Difference]) -> list[str]:
    """``alarm new pump-1 low`` of each."""
    return [f"{one.what} {one.move} {one.subject}" for one in differences]


FEEDER = [alarm("pump-1", 10, 60), alarm("pump-2", 11, 61)]


def test_an_alarm_that_comes_later_is_one_that_moved_not_two() -> None:
    """The same sensor and condition, twenty minutes later."""
    (one,) = compare(
        telling([alarm("pump-1", 10, 60)]), telling([alarm("pump-1", 30, 60)]), NO_CHANGES, clock
    )

    assert (one.move, one.seconds, one.before, one.after) == (
        "later",
        1200,
        "10 to 60, warning",
        "30 to 60, warning",
    )


def test_an_alarm_far_from_any_other_is_new_and_the_old_one_lost() -> None:
    """Five hours apart is another trouble."""
    found = compare(
        telling([alarm("pump-1", 10, 20)]), telling([alarm("pump-1", 310, 320)]), NO_CHANGES, clock
    )

    assert moves(found) == ["alarm lost pump-1 low", "alarm new pump-1 low"]


def test_the_reason_of_an_alarm_is_what_changed_of_its_sensor() -> None:
    """A limit, in the words of the model."""
    changes = Changes(sensors={"pump-1/pressure": "sensor pump-1/pressure: limits.low 2.0 -> 2.1"})
    (one,) = compare(telling([]), telling([alarm("pump-1", 10)]), changes, clock)

    assert one.reasons == ("sensor pump-1/pressure: limits.low 2.0 -> 2.1",)


def test_another_root_is_told_with_how_sure_both_were() -> None:
    """The same members, another cause; and the page that follows."""
    before = telling(FEEDER, incident("a", "feeder-1", FEEDER, 12, ["opened"]))
    after = telling(FEEDER, incident("b", "feeder-2", FEEDER, 12, ["opened"]))
    (one,) = compare(before, after, NO_CHANGES, clock)

    assert (one.what, one.move, one.before, one.after) == (
        "incident",
        "re-rooted",
        "feeder-1 dead (90%)",
        "feeder-2 dead (90%)",
    )


def test_an_incident_that_lost_a_member_says_where_the_member_is_now() -> None:
    """One incident became two: one is re-grouped, the other new; the page is new for that reason."""
    one, two = FEEDER
    before = telling(FEEDER, incident("a", "feeder-1", FEEDER, 12, ["opened"]))
    after = telling(
        FEEDER,
        incident("a", "feeder-1", [one], 12, ["opened"]),
        incident("b", "feeder-2", [two], 13, ["opened"]),
    )
    found = compare(before, after, NO_CHANGES, clock)

    assert moves(found) == [
        "incident re-grouped feeder-1 dead",
        "page new opened to on-call: feeder-2 dead",
        "incident new feeder-2 dead",
    ]
    assert found[0].reasons == ("pump-2 low left: now in the incident feeder-2 dead",)
    assert found[1].reasons == ("its incident is new",)
    assert found[2].reasons == ("pump-2 low: before in the incident feeder-1 dead",)


def test_an_incident_told_later_says_which_of_its_alarms_is_later() -> None:
    """An on-delay that was doubled, say: the page is later too."""
    late = [alarm("pump-1", 15, 60), alarm("pump-2", 16, 61)]
    before = telling(FEEDER, incident("a", "feeder-1", FEEDER, 12, ["opened"]))
    after = telling(late, incident("b", "feeder-1", late, 17, ["opened"]))
    told = {one.what: one for one in compare(before, after, NO_CHANGES, clock)}

    assert (told["incident"].move, told["incident"].seconds) == ("later", 300)
    assert "pump-1 low is later by 5 min" in told["incident"].reasons
    assert (told["page"].move, told["page"].reasons) == ("later", ("its incident is later by 5 min",))


def test_pages_of_an_incident_that_was_taken_back_are_told() -> None:
    """No incident stands in the end, yet somebody was woken."""
    after = telling([])
    after.pages.append(SeenNotification(incident="x", kind="opened", at=HOUR, to="on-call"))

    assert moves(compare(telling([]), after, NO_CHANGES, clock)) == [
        "page new opened to on-call: an incident that was taken back"
    ]


@some.composite
def tellings(draw: some.DrawFn) -> Told:
    """Alarms of three assets within some hours, in incidents as it comes; no two of one name."""
    spans = some.tuples(some.sampled_from(["p", "q", "r"]), some.integers(0, 300), some.integers(1, 90))
    drawn = draw(some.lists(spans, max_size=8, unique_by=lambda span: span[:2]))
    alarms = [alarm(asset, at, at + lasts) for asset, at, lasts in drawn]
    groups: dict[int, list[SeenAlarm]] = {}
    for one in alarms:
        groups.setdefault(draw(some.integers(0, 3)), []).append(one)
    incidents = [
        incident(f"i{number}", draw(some.sampled_from(["f", "g"])), members, 400 + number, ["opened"])
        for number, members in groups.items()
        if number
    ]
    return telling(alarms, *incidents)


@given(tellings())
def test_nothing_differs_from_itself(told: Told) -> None:
    """Whatever is told."""
    assert compare(told, told, NO_CHANGES, clock) == []


@given(tellings(), tellings())
def test_each_alarm_that_is_only_on_one_side_is_told_once(before: Told, after: Told) -> None:
    """New less lost is what one side has more; exchanged sides give the mirrored answer for alarms."""
    there = [one.move for one in compare(before, after, NO_CHANGES, clock) if one.what == "alarm"]
    back = [one.move for one in compare(after, before, NO_CHANGES, clock) if one.what == "alarm"]

    assert there.count("new") - there.count("lost") == len(after.outputs.alarms) - len(before.outputs.alarms)
    assert sorted(SECOND_SIDE.get(move, move) for move in there) == sorted(back)


# -- the verb, on recorded hours of Riverton ---------------------------------------------------------


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the hours in which feeder-2 trips, and the city model that they were recorded under."""
    folder = tmp_path_factory.mktemp("riverton")
    lines = gzip.decompress((RIVERTON / "feeder-day.jsonl.gz").read_bytes()).splitlines(keepends=True)
    first, last = (parse_time(f"2025-06-03T{at}:00Z") for at in ("16:30", "18:30"))
    chosen = [line for line in lines if first <= parse_time(json.loads(line)["received"]) < last]
    (folder / "evening.jsonl").write_bytes(b"".join(chosen))
    shutil.copy(RIVERTON / "city.yaml", folder)
    return folder


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Replays of these tests, made once."""
    return tmp_path_factory.getbasetemp() / "diff-cache"


def version(folder: Path, old: str = "", new: str = "") -> Path:
    """A folder with Riverton's model, one text in it changed."""
    folder.mkdir()
    text = (RIVERTON / "city.yaml").read_text()
    assert old in text
    (folder / "city.yaml").write_text(text.replace(old, new, 1) if old else text)
    return folder


NARROW = ("low: 41.18, high: 48.45", "low: 46.18, high: 48.45")
"""The low limit of junction-h12's pressure, so near to its usual values that it alarms."""


def diff(*words: object, cache: Path) -> int:
    """``crosscurrent diff``; its status."""
    return main(["diff", *map(str, words), "--cache", str(cache), "--workers", "1"])


def test_a_changed_limit_shows_what_it_would_have_changed(
    tmp_path: Path, hours: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alarms that are new, for the reason that the limit is another; the second time without any replay."""
    a, b = version(tmp_path / "a"), version(tmp_path / "b", *NARROW)

    assert diff(a, b, hours, "--format", "json", cache=cache) == 1
    report = json.loads(capsys.readouterr().out)
    change = "sensor junction-h12/pressure: limits.low 41.18 -> 46.18"
    assert report["changes"] == [change]
    ours = [one for one in report["days"][0]["differences"] if one["subject"] == "junction-h12 pressure_low"]
    assert ours
    assert all(change in one["reasons"] for one in ours if one["what"] == "alarm")
    kept = {folder: folder.stat().st_ino for folder in (cache / "replays").iterdir()}
    for form, words in (("table", change), ("markdown", "| when | what |"), ("html", "<svg ")):
        assert diff(a, b, hours, "--format", form, cache=cache) == 1
        assert words in capsys.readouterr().out
    assert {folder: folder.stat().st_ino for folder in (cache / "replays").iterdir()} == kept


def test_two_names_of_one_version_do_not_differ(tmp_path: Path, hours: Path, cache: Path) -> None:
    """Status 0."""
    assert diff(version(tmp_path / "a"), version(tmp_path / "b"), hours / "evening.jsonl", cache=cache) == 0


def test_git_revisions_are_versions(
    tmp_path: Path, hours: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder of a city in a repository, before and after a commit; a name that is none is refused."""
    repo = tmp_path / "repo"
    version_folder = repo / "town"
    repo.mkdir()

    def git(*words: str) -> None:
        identity = ["-c", "user.name=Engineer", "-c", "user.email=engineer@example.org"]
        subprocess.run(["git", "-C", str(repo), *identity, *words], check=True, capture_output=True)

    git("init", "--initial-branch", "main")
    for text in (("", ""), NARROW):
        shutil.rmtree(version_folder, ignore_errors=True)
        version(version_folder, *text)
        git("add", ".")
        git("commit", "-m", "limits")
    assert diff("main~1:town", "main:town", hours, "--repo", repo, cache=cache) == 1
    assert "limits.low 41.18 -> 46.18" in capsys.readouterr().out
    refusals = {
        "main:city": "no such git revision",
        "main:town/city.yaml": "is a file",
        "main": "holds no version",
    }
    for wrong, said in refusals.items():
        assert diff(wrong, "main:town", hours, "--repo", repo, cache=cache) == 2
        assert said in capsys.readouterr().err

    shutil.rmtree(version_folder)
    version(version_folder, "kind: tank", "kind: 7")
    git("commit", "-a", "-m", "a slip")
    assert diff("main~1:town", "main:town", hours, "--repo", repo, cache=cache) == 2
    assert "main:town/city.yaml:" in capsys.readouterr().err  # a fault lies where people can look


def test_another_code_thinks_with_its_own_rules(tmp_path: Path, hours: Path, cache: Path) -> None:
    """A Crosscurrent whose rules know no power: the feeder is not named any more; the model is the day's."""
    code = tmp_path / "code"
    code.mkdir()
    for name in ("schemas", "collectors", "streams", "alerts", "runner"):
        shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "crosscurrent.py", code)
    rules = code / "streams" / "causes.yaml"
    rules.write_text(rules.read_text().replace("via: powers", "via: near"))
    out = tmp_path / "report.json"

    assert diff(RIVERTON, code, hours, "--format", "json", "--out", out, cache=cache) == 1
    report = json.loads(out.read_text())
    assert "the code differs" in report["changes"]
    rooted = [one for one in report["days"][0]["differences"] if one["what"] == "incident"]
    assert any("feeder-2 dead" in (one["before"] or "") + one["subject"] for one in rooted)


def test_who_is_told_is_a_version_too(
    tmp_path: Path, hours: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the pages differ, and say which part of alerts.yaml they come of."""
    for name, settle in (("a", "2m"), ("b", "20m")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "alerts.yaml").write_text(
            f"settle: {settle}\nreceivers: {{on-call: {{type: console}}}}\n"
        )
    diff(tmp_path / "a", tmp_path / "b", hours, "--format", "json", cache=cache)
    found = json.loads(capsys.readouterr().out)["days"][0]["differences"]
    assert {one["what"] for one in found} == {"page"}
    assert "later" in {one["move"] for one in found}
    assert all("alerts.yaml: settle" in one["reasons"] for one in found)


def test_what_replays_wrote_can_be_compared(hours: Path, tmp_path: Path) -> None:
    """Two folders of results bring their own day; one alone is refused."""
    for name in ("x", "y"):
        replay(hours / "evening.jsonl", hours / "city.yaml", tmp_path / name)
    assert load_told(tmp_path / "y").outputs.alarms
    (tmp_path / "y" / "alarms.jsonl").write_text("")

    assert diff(tmp_path / "x", tmp_path / "x", cache=tmp_path) == 0
    assert diff(tmp_path / "x", tmp_path / "y", cache=tmp_path) == 1
    assert diff(tmp_path / "x", RIVERTON, hours, cache=tmp_path) == 2


def test_a_version_that_does_not_load_is_told_before_any_replay(
    tmp_path: Path, hours: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of the model with its line; a code that does not start."""
    bad = version(tmp_path / "bad", "kind: pump", "kinds: pump")
    assert diff(RIVERTON, bad, hours, cache=cache) == 2
    assert "bad/city.yaml:" in capsys.readouterr().err
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "crosscurrent.py").write_text("raise SystemExit('no such thing')\n")
    assert diff(RIVERTON, broken, hours, cache=cache) == 2
    assert "its code does not start (no such thing)" in capsys.readouterr().err


def test_days_that_give_nothing_are_named_and_the_others_compared(
    tmp_path: Path, hours: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty recording, one of another city; status 2, and the good day is told all the same."""
    shutil.copytree(hours, tmp_path / "days")
    (tmp_path / "days" / "empty.jsonl").write_text("")
    (tmp_path / "days" / "other.jsonl").write_text(
        '{"received":"2025-06-04T00:00:00Z","topic":"other/things","payload":{}}\n'
    )

    assert diff(RIVERTON, version(tmp_path / "b", *NARROW), tmp_path / "days", cache=cache) == 2
    said = capsys.readouterr()
    assert "left out: days/empty" in said.out
    assert "left out: days/other" in said.out
    assert "limits.low 41.18 -> 46.18" in said.out


def test_days_without_a_model_of_their_own_need_one_in_the_versions(
    tmp_path: Path, hours: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the versions are rules alone, each day is replayed under the model beside it."""
    rules = tmp_path / "rules"
    rules.mkdir()
    shutil.copy(ROOT / "streams" / "causes.yaml", rules)
    shutil.copy(hours / "evening.jsonl", tmp_path)

    assert diff(rules, rules, hours, cache=cache) == 0
    assert diff(rules, rules, tmp_path / "evening.jsonl", cache=cache) == 2
    assert "no city model" in capsys.readouterr().out


def test_it_runs_from_the_shell(hours: Path, cache: Path) -> None:
    """As CI would: a process of its own, days in parallel processes."""
    done = subprocess.run(
        [sys.executable, "crosscurrent.py", "diff", RIVERTON, RIVERTON, hours, "--cache", cache],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[1:]) == (
        0,
        [f"{what}: {count} -> {count}; no difference" for what, count in figures(done.stdout)],
    )


def figures(said: str) -> list[tuple[str, str]]:
    """Kind and count before, of each line that counts."""
    return [(line.split(":")[0], line.split(": ")[1].split(" ->")[0]) for line in said.splitlines()[1:]]
