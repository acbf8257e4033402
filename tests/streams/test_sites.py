"""A city judged site by site says what it says judged as a whole: every alarm, every revision, every word."""

from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from alerts.desk import Desk
from collectors.intake import Intake
from collectors.recording import read
from runner.core import Core
from schemas.alarms import Alarm, AlarmChange, Severity
from schemas.city import City
from schemas.cityfile import load_city
from schemas.readings import Event, Frame
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from streams.clock import ToldClock
from streams.correlation import Correlation
from streams.detect import Detector
from streams.merge import Merge
from streams.sites import Sorter, part_of, sites
from streams.watchers import watchers

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton"
CITY = load_city(RIVERTON / "city.yaml")
VOCABULARY = load_vocabulary(beside=RIVERTON / "city.yaml")
SITE_OF = sites(CITY)


def parts() -> dict[str, City]:
    """The city as it is known in each site."""
    names = sorted(set(SITE_OF.values()))
    return {
        name: part_of(CITY, (one for one in CITY.sensors if SITE_OF[one.asset] == name)) for name in names
    }


def received(name: str, first: int, count: int) -> list[Frame | Event]:
    """Some thousand messages of a recorded day."""
    messages = islice(read(RIVERTON / f"{name}.jsonl.gz", lambda *_: None), first, first + count)
    return Intake(CITY).step(messages).records


def test_what_is_judged_together_is_in_one_site() -> None:
    """Watchers are whole in one part, and none is lost or made twice."""
    whole = sorted((type(w).__name__, w.sensors) for w in watchers(CITY))
    in_parts = sorted((type(w).__name__, w.sensors) for part in parts().values() for w in watchers(part))

    assert in_parts == whole
    assert SITE_OF.keys() == CITY.asset_by_id.keys()


@pytest.mark.parametrize("day", ["storm-day", "storm-day-faults"])
def test_sites_say_together_what_the_whole_says(day: str) -> None:
    """Through the worst hours, on a good network and on a bad one with fast clocks."""
    records = received(day, 16_000, 6_000)
    core, said = Core(CITY, VOCABULARY), []
    for record in records:
        outputs = core.step(record)
        said += [*outputs.incidents, *outputs.notifications, *outputs.decisions]
    detectors = {name: Detector(part, VOCABULARY, clock=ToldClock(1)) for name, part in parts().items()}
    merge, sorter = Merge(range(len(detectors)), TypeAdapter(AlarmChange)), Sorter(CITY, SITE_OF)
    correlator, desk = Correlation(CITY, load_causes(), VOCABULARY), Desk(city=CITY)
    said_in_parts = []
    for site, sorted_record in sorter.step(records):
        for number, (name, detector) in enumerate(detectors.items()):
            if site in {None, name}:
                for found in detector.step(sorted_record):
                    merge.take(number, found)
    for changes, now in merge.rounds():
        for change in changes:
            correlator.take(change)
        for revision in correlator.look(now):
            said_in_parts += [revision, *desk.take(revision)]
        said_in_parts += desk.look(now)

    by_kind = [[x for x in said_in_parts if type(x) is kind] for kind in {type(x) for x in said}]
    assert said
    assert by_kind == [[x for x in said if type(x) is kind] for kind in {type(x) for x in said}]


def change(number: int) -> AlarmChange:
    """An alarm, told apart by its number."""
    alarm = Alarm(
        id=str(number), asset="a", utility="water", condition="low", severity=Severity.INFO, raised=number
    )
    return AlarmChange(alarm=alarm, change="raised", known_at=number)


queues = st.lists(st.lists(st.integers(0, 3), max_size=6), min_size=3, max_size=3)
"""For each of three parts: how many changes it tells before each move of stream time."""


@given(queues, st.randoms(use_true_random=False), st.integers(0, 20))
def test_the_order_between_parts_plays_no_part(counts: list[list[int]], chance: Random, cut: int) -> None:
    """However the parts come in, and wherever the merge is stopped and restored: the same rounds."""
    tell: list[list[AlarmChange | int]] = [[] for _ in counts]
    for part, moves in enumerate(counts):
        for now, number in enumerate(moves):
            tell[part] += [change(100 * part + 10 * now + i) for i in range(number)]
            tell[part].append(now)
    straight, shuffled = Merge(range(3), TypeAdapter(AlarmChange)), Merge(range(3), TypeAdapter(AlarmChange))
    for part, queue in enumerate(tell):
        for found in queue:
            straight.take(part, found)
    rounds: list[tuple[list[AlarmChange], int]] = []
    turns = [part for part, queue in enumerate(tell) for _ in queue]
    chance.shuffle(turns)
    for number, part in enumerate(turns):
        shuffled.take(part, tell[part].pop(0))
        rounds += shuffled.rounds()
        if number == cut:
            kept, shuffled = shuffled.snapshot(), Merge(range(3), TypeAdapter(AlarmChange))
            shuffled.restore(kept)

    assert rounds == list(straight.rounds())
