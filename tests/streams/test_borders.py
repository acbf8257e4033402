"""Stories at borders: what crosses one is one incident, with the root that the whole city would give it."""

from collections.abc import Callable

from schemas.alarms import Alarm, AlarmChange, Severity, content_id
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from streams.correlate import Correlator
from streams.correlation import Correlation
from streams.domains import domains_of, view
from tests.scenario import Scenario, at, city_of
from tests.streams.test_correlate_stories import falls, voltage

CAUSES, VOCABULARY = load_causes(), load_vocabulary()

TOWNS = """
assets:
  - {id: station, utility: power, kind: substation, zone: north}
  - {id: feeder-1, utility: power, kind: feeder, zone: north}
  - {id: signal-1, utility: roads, kind: signal, zone: north}
  - {id: feeder-2, utility: power, kind: feeder, zone: north}
  - {id: signal-2, utility: roads, kind: signal, zone: north}
  - {id: pump-1, utility: water, kind: pump, zone: south}
  - {id: tank-1, utility: water, kind: tank, zone: south}
  - {id: feeder-9, utility: power, kind: feeder, zone: south}
  - {id: pump-9, utility: sewage, kind: pump, zone: south}
  - {id: well-9, utility: sewage, kind: wet_well, zone: south}
links:
  - {from: station, to: feeder-1, relation: powers}
  - {from: station, to: feeder-2, relation: powers}
  - {from: feeder-1, to: signal-1, relation: powers}
  - {from: feeder-2, to: signal-2, relation: powers}
  - {from: feeder-1, to: pump-1, relation: powers, border: true}
  - {from: pump-1, to: tank-1, relation: supplies}
  - {from: feeder-9, to: pump-9, relation: powers}
  - {from: pump-9, to: well-9, relation: protects}
sensors:
  - {asset: station, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: feeder-1, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: signal-1, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: feeder-2, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: signal-2, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: pump-1, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: tank-1, quantity: level, unit: m, every: 60, on_delay: 60, limits: {low: 2, low_low: 1}}
  - {asset: feeder-9, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: pump-9, quantity: voltage, unit: pu, every: 60, on_delay: 60, limits: {low_low: 0.5}}
  - {asset: well-9, quantity: level, unit: m, every: 60, on_delay: 60, limits: {high: 3}}
"""
"""South is fed by a feeder of north; its sewage is a part of its own."""
UNCUT = TOWNS.replace(", border: true", "")


def towns(*dead: str, tank: int | None = None, since: int = 10) -> dict[str, Callable[[int], float | None]]:
    """The towns' sensors; assets dead from a minute on, the tank low from another."""
    names = ("station", "feeder-1", "signal-1", "feeder-2", "signal-2", "pump-1", "feeder-9", "pump-9")
    series: dict[str, Callable[[int], float | None]] = {
        f"{name}/voltage": voltage(since if name in dead else None) for name in names
    }
    series["tank-1/level"] = falls(3, 1.5, tank)
    series["well-9/level"] = falls(1, 3.5, None)
    return series


NORTH_DEAD = ("station", "feeder-1", "signal-1", "feeder-2", "signal-2", "pump-1")


def told(text: str, *dead: str, tank: int | None = None) -> Scenario:
    """An hour of the towns with these assets dead."""
    story = Scenario(text)
    story.play("08:00", "09:00", towns(*dead, tank=tank))
    return story


def test_an_incident_that_crosses_a_border_is_one() -> None:
    """South alone sees the feeder at its border begin; north knows that the station did."""
    story, whole = told(TOWNS, *NORTH_DEAD, tank=35), told(UNCUT, *NORTH_DEAD, tank=35)
    assert story.roots == whole.roots == ["08:10 station dead"]
    (incident,), (other,) = story.incidents, whole.incidents
    assert (incident.opened, incident.severity) == (other.opened, other.severity)
    assert sorted(incident.members, key=str) == sorted(other.members, key=str)
    assert incident.summary == other.summary
    assert incident.chain == other.chain
    assert incident.explanation[-3:] == [
        "It crosses a border between correlation domains: both sides tell of feeder-1 and pump-1.",
        "From one side alone it looked like no supply at feeder-1; the other side explains that too.",
        "Without no supply at station, these 6 assets would be well.",
    ]


def test_people_hear_of_it_as_often_as_without_the_border() -> None:
    """One thread; revisions as few as of one domain."""
    story, whole = told(TOWNS, *NORTH_DEAD, tank=35), told(UNCUT, *NORTH_DEAD, tank=35)
    assert story.told == whole.told
    assert len(story.revisions) <= len(whole.revisions)


def test_a_pump_behind_a_border_that_fails_alone_is_its_own_fault() -> None:
    """The feeder beyond shows that it is well."""
    assert told(TOWNS, "pump-1").roots == ["08:10 pump-1 dead"]


def test_two_causes_on_two_sides_stay_two() -> None:
    """They share no alarm."""
    assert (
        told(TOWNS, "feeder-2", "signal-2", "pump-9").roots
        == told(UNCUT, "feeder-2", "signal-2", "pump-9").roots
    )


def test_planned_work_beyond_the_border_pages_no_one() -> None:
    """South would open an incident for what the work at north's station brings; north knows better."""
    stories = [Scenario(TOWNS), Scenario(TOWNS)]
    for story in stories:
        story.play("08:00", "08:05", towns())
    stories[0].event("08:05", "station", "planned_work_started")
    for story in stories:
        story.play("08:05", "08:40", towns(*NORTH_DEAD, since=3))
    assert [len(story.incidents) for story in stories] == [0, 1]
    assert stories[0].told == []


def test_one_storm_over_two_towns_is_one_incident() -> None:
    """No link joins their rain gauges; a storm covers both."""
    sky = """
assets:
  - {id: gauge-1, utility: storm, kind: catchment, zone: north}
  - {id: gauge-2, utility: storm, kind: catchment, zone: south}"""
    rain = """
  - {asset: gauge-1, quantity: rain, unit: mm/h, every: 60, limits: {high: 10}}
  - {asset: gauge-2, quantity: rain, unit: mm/h, every: 60, limits: {high: 10}}
"""
    roots = []
    for text in (TOWNS, UNCUT):
        story = Scenario(text.replace("\nassets:", sky, 1) + rain)
        series = {"gauge-1/rain": falls(0, 60, 10), "gauge-2/rain": falls(0, 60, 15)}
        story.play("08:00", "08:40", {**towns(), **series})
        roots.append(story.roots)
    assert roots == [["08:10 gauge-1 rain_high"]] * 2


CITY = city_of(TOWNS)


def alarm(asset: str, condition: str, raised: str) -> Alarm:
    """A standing alarm."""
    return Alarm(
        id=content_id("alarm", asset, condition, raised),
        asset=asset,
        utility=str(CITY.asset_by_id[asset].utility),
        condition=condition,
        severity=Severity.CRITICAL,
        raised=at(raised),
    )


def test_sides_part_when_what_they_shared_never_was() -> None:
    """Late data takes the alarms at the border back: two incidents, and the new one says why."""
    correlation = Correlation(CITY, CAUSES, VOCABULARY)
    shared = [alarm("feeder-1", "dead", "08:10"), alarm("pump-1", "dead", "08:10")]
    for each in [alarm("station", "dead", "08:09"), *shared, alarm("tank-1", "level_low", "08:40")]:
        correlation.take(AlarmChange(alarm=each, change="raised", known_at=at("08:41")))
    (one,) = correlation.look(at("08:41"))
    for each in shared:
        correlation.take(AlarmChange(alarm=each, change="retracted", known_at=at("08:42")))
    parted = correlation.look(at("08:42"))
    assert [(r.change, [m.asset for m in r.members]) for r in parted] == [
        ("split", ["station"]),
        ("split", ["tank-1"]),
    ]
    assert parted[0].id == one.id


def test_a_domain_alone_would_name_what_stands_at_its_border() -> None:
    """What the join is for: south's own correlator knows no better."""
    domains = domains_of(CITY, CAUSES)
    south = Correlator(view(CITY, domains.by_name["pump-1"]), CAUSES, VOCABULARY)
    for each in ("feeder-1", "pump-1"):
        raised = alarm(each, "dead", "08:10")
        south.take(AlarmChange(alarm=raised, change="raised", known_at=at("08:12")))
    assert [r.root.asset for r in south.look(at("08:12"))] == ["feeder-1"]
