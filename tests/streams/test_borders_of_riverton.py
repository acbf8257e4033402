"""Riverton cut at borders of its own: the same days, and the same incidents as without."""

import json
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from collectors.intake import Intake
from collectors.recording import read
from schemas.alarms import AlarmChange
from schemas.city import City, Link, Relation, Utility
from schemas.cityfile import load_city
from schemas.incidents import IncidentRevision
from schemas.readings import Tick
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from streams.correlation import Correlation
from streams.detect import Detector
from streams.domains import domains_of

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton"
TOWN = load_city(RIVERTON / "city.yaml")
CAUSES, VOCABULARY = load_causes(), load_vocabulary()
HIGH_ZONE = {
    ("junction-l32", "booster-1"),
    ("feeder-2", "booster-1"),
    ("junction-h01", "inlet-5"),
}


def of_power(link: Link) -> bool:
    """Where power ends and another utility begins."""
    ends = {TOWN.asset_by_id[asset].utility for asset in (link.source, link.target)}
    return Utility.POWER in ends and len(ends) > 1


def of_districts(link: Link) -> bool:
    """Where two districts meet."""
    return TOWN.asset_by_id[link.source].zone != TOWN.asset_by_id[link.target].zone


def of_the_high_zone(link: Link) -> bool:
    """Around the hill that one booster supplies."""
    return (link.source, link.target) in HIGH_ZONE


Border = Callable[[Link], bool]
BORDERS: dict[Border, int] = {of_power: 2, of_districts: 4, of_the_high_zone: 2}
"""With how many domains each makes."""


def cut(border: Border) -> City:
    """Riverton with a border."""
    links = (
        link.model_copy(update={"border": link.relation is not Relation.CARRIES and border(link)})
        for link in TOWN.links
    )
    return City(
        city=TOWN.city,
        timezone=TOWN.timezone,
        assets=TOWN.assets,
        links=tuple(links),
        sensors=TOWN.sensors,
    )


@cache
def day(name: str) -> list[AlarmChange | int]:
    """What detection says on a recorded day: alarms, and stream time as it moves."""
    detector, intake = Detector(TOWN, VOCABULARY), Intake(TOWN)
    messages = read(RIVERTON / f"{name}.jsonl.gz", lambda *_: None)
    found: list[AlarmChange | int] = []
    while batch := list(islice(messages, 1_000)):
        for record in intake.step(batch).records:
            found += detector.step(record)
    assert detector.stream_time is not None
    return [*found, *detector.step(Tick(at=detector.stream_time))]


def correlated(city: City, name: str, *, restarts: Random | None = None) -> list[IncidentRevision]:
    """The day's revisions; the correlation may be stopped and started again on the way."""
    correlation = Correlation(city, CAUSES, VOCABULARY)
    revisions = []
    for each in day(name):
        if isinstance(each, AlarmChange):
            correlation.take(each)
            if restarts and restarts.random() < 0.2:
                state = json.loads(json.dumps(correlation.snapshot()))
                correlation = Correlation(city, CAUSES, VOCABULARY)
                correlation.restore(state)
        else:
            revisions += correlation.look(each)
    return revisions


def standing(revisions: list[IncidentRevision]) -> list[tuple[str, set[str]]]:
    """The incidents that stand in the end: root, and the assets in alarm."""
    found: dict[str, tuple[str, set[str]]] = {}
    for revision in revisions:
        if revision.change in ("replaced", "retracted"):
            del found[revision.id]
        else:
            root = f"{revision.root.asset} {revision.root.condition}"
            found[revision.id] = root, {member.asset for member in revision.members}
    return sorted(found.values(), key=lambda one: one[0])


@pytest.mark.parametrize("border", BORDERS, ids=lambda border: border.__name__)
def test_borders_make_domains(border: Border) -> None:
    """Power and the rest; the districts, of which one lies in two parts; the hill and the rest."""
    assert len(domains_of(cut(border), CAUSES).by_name) == BORDERS[border]


@pytest.mark.parametrize("border", BORDERS, ids=lambda border: border.__name__)
@pytest.mark.parametrize("name", ["storm-day", "feeder-day"])
def test_a_day_with_a_border_has_the_incidents_of_the_day_without(name: str, border: Border) -> None:
    """One incident a cause, with the same root and the same alarms; told hardly more often."""
    whole, parted = correlated(TOWN, name), correlated(cut(border), name)
    assert standing(parted) == standing(whole)
    assert len(parted) <= len(whole) + 2


def test_a_day_with_a_border_may_be_stopped_anywhere() -> None:
    """Started again from its state, correlation says what it would have said, byte for byte."""
    city = cut(of_districts)
    assert correlated(city, "storm-day", restarts=Random(7)) == correlated(city, "storm-day")
