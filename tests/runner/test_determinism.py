"""One input, one output: hours of recorded trouble, with all signs and watchers, told again and again.

Hash seeds, batches, restarts and kills change no byte. Shuffled arrival changes neither alarms nor incidents;
what an incident still expects is counted from when it was told, and so is left out there. Whether a sensor
was missing is a matter of when messages came: held up for longer than four reports, it was.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from collectors.intake import Intake
from collectors.recording import read
from runner.processor import Processor
from runner.store import Retention, Store
from schemas.cityfile import load_city
from schemas.incidents import Incident
from schemas.readings import Tick
from schemas.times import HOUR, MINUTE, parse_time
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from tests.runner.test_replay import RIVERTON, replay

RESULTS = ("alarms.jsonl", "incidents.jsonl")
STRETCHES = {
    "feeder-day": parse_time("2025-06-03T21:00:00Z"),
    "storm-day-faults": parse_time("2025-06-04T09:00:00Z"),
    "storm-day": parse_time("2025-06-04T09:00:00Z"),
}
"""Three hours each: a burst that signs find, a storm on a bad network, the same on a good one."""
CITY, VOCABULARY, CAUSES = load_city(RIVERTON / "city.yaml"), load_vocabulary(), load_causes()


def stretch(day: str) -> list[str]:
    """The recorded lines of three hours."""
    lines = gzip.decompress((RIVERTON / f"{day}.jsonl.gz").read_bytes()).decode().splitlines()
    return [line for line in lines if 0 <= received(line) - STRETCHES[day] < 3 * HOUR]


def received(line: str) -> int:
    """When a line's message came."""
    return parse_time(json.loads(line)["received"])


def recorded(lines: Iterable[str], folder: Path) -> Path:
    """A recording of these lines."""
    path = folder / "storm.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def replayed(lines: Iterable[str], folder: Path, hash_seed: str = "0") -> Path:
    """The results of a replay of these lines."""
    done = replay(recorded(lines, folder), folder / "out", hash_seed=hash_seed)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def digests(out: Path) -> list[str]:
    """Of the alarms and of the incidents."""
    return [hashlib.sha256((out / name).read_bytes()).hexdigest() for name in RESULTS]


def lines_of(out: Path, name: str) -> list[dict[str, object]]:
    """One kind of results."""
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The results of a stretch as it was recorded."""
    return cache(lambda day: replayed(stretch(day), tmp_path_factory.mktemp(day)))


Straight = Callable[[str], Path]


@pytest.mark.parametrize(
    ("day", "conditions"),
    [
        ("feeder-day", {"depth_rise", "discharge_pattern", "pressure_low"}),
        ("storm-day-faults", {"clock_ahead", "bad_quality", "dead", "rain"}),
    ],
)
def test_there_is_something_to_tell(day: str, conditions: set[str], straight: Straight) -> None:
    """Signs among the alarms, and trouble of the measuring; an incident."""
    assert conditions <= {alarm["condition"] for alarm in lines_of(straight(day), "alarms.jsonl")}
    assert len(lines_of(straight(day), "incidents.jsonl")) == 1


@pytest.mark.parametrize("hash_seed", ["1", "31415"])
def test_hash_seeds_change_no_byte(hash_seed: str, straight: Straight, tmp_path: Path) -> None:
    """Python's sets and dicts of text come in another order each time; all else was told with seed 0."""
    out = replayed(stretch("feeder-day"), tmp_path, hash_seed)
    assert digests(out) == digests(straight("feeder-day"))


@pytest.mark.parametrize("day", ["feeder-day", "storm-day-faults"])
def test_the_order_of_arrival_changes_nothing(day: str, straight: Straight, tmp_path: Path) -> None:
    """Each message is held up for up to two minutes: the same alarms and incidents."""
    shuffled = held_up(stretch(day), 2 * MINUTE)
    assert shuffled != stretch(day)
    assert told(replayed(shuffled, tmp_path)) == told(straight(day))


def test_what_comes_very_late_changes_neither_roots_nor_alarms(straight: Straight, tmp_path: Path) -> None:
    """Up to a quarter of an hour: sensors are called missing that were not, and are no evidence meanwhile."""
    shuffled = held_up(stretch("storm-day"), 15 * MINUTE)
    found = []
    for out in (replayed(shuffled, tmp_path), straight("storm-day")):
        alarms, incidents = told(out, but=("missing", "silent"))
        roots = [Incident.model_validate({**i, "expected": []}).root for i in incidents]
        found.append(
            (
                alarms,
                [(root.asset, root.condition, root.since) for root in roots],
                [(i["id"], i["members"]) for i in incidents],
            )
        )
    assert found[0] == found[1]


def held_up(lines: list[str], delay: int) -> list[str]:
    """The lines in the order in which they come when each is held up by chance."""
    chance = Random(delay)
    return sorted(lines, key=lambda line: received(line) + chance.uniform(0, delay))


def told(out: Path, but: tuple[str, ...] = ()) -> tuple[list[str], list[dict[str, object]]]:
    """The alarms, but for some conditions, and the incidents, but for what they expect."""
    alarms = [alarm for alarm in lines_of(out, "alarms.jsonl") if alarm["condition"] not in but]
    incidents = [{**incident, "expected": None} for incident in lines_of(out, "incidents.jsonl")]
    return sorted(map(str, alarms)), incidents


@pytest.mark.parametrize("day", ["feeder-day", "storm-day-faults"])
def test_rates_restarts_and_kills_change_no_byte(day: str, straight: Straight, tmp_path: Path) -> None:
    """Messages in batches of any size into the embedded runner's log, which is stopped now and then, and
    killed now and then before it kept its state: its store holds what the replay says.
    """
    chance = Random(day)
    intake = Intake(CITY)
    messages = read(recorded(stretch(day), tmp_path), lambda *_: None)
    store = Store(tmp_path / "data")
    processor = Processor(CITY, VOCABULARY, store, Retention(), CAUSES)
    ends = 0
    while batch := list(islice(messages, chance.randint(1, 300))):
        store.log.append(intake.step(batch).records)
        while processor.step():
            pass
        if chance.random() < 0.2:
            if chance.random() < 0.5:
                processor.save()
            store.close()
            store = Store(tmp_path / "data")
            processor = Processor(CITY, VOCABULARY, store, Retention(), CAUSES)
            ends += 1
    assert ends > 3
    assert processor.stream_time is not None
    store.log.append([Tick(at=processor.stream_time)])
    while processor.step():
        pass
    alarms = sorted(alarm.model_dump_json() for alarm in store.alarms())
    revisions = sorted(revision.model_dump_json() for revision in store.revisions())
    store.close()
    assert alarms == sorted((straight(day) / "alarms.jsonl").read_text().splitlines())
    assert revisions == sorted((straight(day) / "revisions.jsonl").read_text().splitlines())
