"""What the baselines of the benchmark make of a few alarms, in a town small enough to know by heart."""

from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.bench.arrivals import Arrival, arrivals
from runner.bench.baselines import BASELINES, per_alarm
from runner.outputs import Outputs, SeenAlarm, SeenIncident, SeenMember, SeenRevision, SeenRoot
from schemas.city import City
from schemas.times import MINUTE

TOWN = """
city: town
timezone: UTC
assets:
  - {id: substation, utility: power, kind: substation, zone: east}
  - {id: feeder, utility: power, kind: feeder, zone: east}
  - {id: pump, utility: water, kind: pump, zone: east}
  - {id: tank, utility: water, kind: tank, zone: west}
  - {id: signal, utility: roads, kind: signal, zone: west}
  - {id: gateway, utility: power, kind: gateway, zone: west}
  - {id: bin, utility: waste, kind: bin, zone: far}
links:
  - {from: substation, to: feeder, relation: powers}
  - {from: feeder, to: pump, relation: powers}
  - {from: feeder, to: signal, relation: powers}
  - {from: pump, to: tank, relation: supplies}
  - {from: gateway, to: bin, relation: carries}
  - {from: gateway, to: tank, relation: carries}
"""
ASSETS = ("substation", "feeder", "pump", "tank", "signal", "bin")


@pytest.fixture(scope="module")
def town() -> City:
    """Substation, feeder, a pump with its tank and a signal; a bin that shares only a gateway with them."""
    return City.model_validate(yaml.safe_load(TOWN))


def alarms(text: str) -> list[Arrival]:
    """Alarms from "pump@5 tank@30+2": asset, minute of the onset, minutes until it was known."""
    found = []
    for one in text.split():
        asset, _, when = one.partition("@")
        minute, _, late = when.partition("+")
        onset = int(minute) * MINUTE
        found.append(Arrival(onset + int(late or 0) * MINUTE, onset, asset, "trouble"))
    return found


def told(outputs: Outputs) -> list[str]:
    """Each incident as "root: members"."""
    return sorted(
        f"{incident.root.asset}: {' '.join(member.asset for member in incident.members)}"
        for incident in outputs.incidents
    )


def changes(outputs: Outputs) -> list[str]:
    """Each revision as "minute change root"."""
    return [f"{r.known_at // MINUTE} {r.change} {r.root.asset}" for r in outputs.revisions]


@pytest.mark.parametrize(
    ("baseline", "story", "expected"),
    [
        # One trip, seen in three control rooms: nobody's incident crosses.
        ("silo", "feeder@0 pump@1 tank@16 signal@1", ["feeder: feeder", "pump: pump tank", "signal: signal"]),
        ("silo", "pump@0 tank@16", ["pump: pump", "tank: tank"]),
        ("silo", "pump@0 tank@15 pump@30", ["pump: pump tank pump"]),
        ("window-zone", "feeder@0 pump@1 tank@10 signal@1", ["feeder: feeder pump", "signal: signal tank"]),
        ("window-zone", "feeder@0 pump@16", ["feeder: feeder", "pump: pump"]),
        # Neighbours chain for two hours, assets two links apart for one.
        ("graph-distance", "feeder@0 pump@119 tank@120", ["feeder: feeder pump tank"]),
        ("graph-distance", "feeder@0 pump@120", ["feeder: feeder", "pump: pump"]),
        ("graph-distance", "feeder@0 tank@59", ["feeder: feeder tank"]),
        ("graph-distance", "feeder@0 tank@60", ["feeder: feeder", "tank: tank"]),
        ("graph-distance", "pump@0 pump@179", ["pump: pump pump"]),
        ("graph-distance", "substation@0 tank@0", ["substation: substation", "tank: tank"]),
        # A gateway carries messages, not trouble.
        ("graph-distance", "tank@0 bin@0", ["bin: bin", "tank: tank"]),
        # The feeder alarms last, and still stands above the others.
        ("graph-distance", "signal@0 pump@0 feeder@2", ["pump: pump signal feeder"]),
        ("most-upstream", "signal@0 pump@0 feeder@2", ["feeder: pump signal feeder"]),
        # The wide one reaches from the substation to the tank, and over a morning.
        ("most-upstream-wide", "tank@0 substation@449", ["substation: tank substation"]),
        ("most-upstream-wide", "tank@0 substation@450", ["substation: substation", "tank: tank"]),
        # Neither is above the other: the first.
        ("most-upstream", "signal@1 pump@0", ["pump: pump signal"]),
        ("per-alarm", "pump@0 pump@600 tank@1", ["pump: pump pump", "tank: tank"]),
    ],
)
def test_what_each_baseline_makes_of_a_story(
    town: City, baseline: str, story: str, expected: list[str]
) -> None:
    """Which alarms chain, up to the edge of the window, and which of them is called the root."""
    assert told(BASELINES[baseline](alarms(story), town)) == expected


def test_a_late_alarm_merges_what_it_lies_between(town: City) -> None:
    """Two incidents become one when the alarm between them is known; the older id stays, both say so."""
    found = BASELINES["silo"](alarms("pump@0 tank@30 pump@15+60"), town)

    assert changes(found) == ["0 opened pump", "30 opened tank", "75 replaced tank", "75 merged pump"]
    assert told(found) == ["pump: pump pump tank"]
    gone, merged = found.revisions[-2:]
    assert (gone.replaced_by, merged.replaces) == (merged.id, (gone.id,))


def test_alarms_known_at_one_moment_make_one_revision(town: City) -> None:
    """A baseline is not made to name a wrong root for the sake of an order that nobody saw."""
    found = BASELINES["most-upstream"](alarms("pump@0+3 signal@1+2 feeder@2+1"), town)

    assert changes(found) == ["3 opened feeder"]


def test_the_root_changes_when_an_earlier_onset_is_known_later(town: City) -> None:
    """A baseline says only what it can know: the slow sensor's alarm takes the root over when it comes."""
    found = BASELINES["graph-distance"](alarms("pump@1+1 feeder@0+10"), town)

    assert changes(found) == ["2 opened pump", "10 more feeder"]
    assert found.incidents[0].opened == 0


def test_an_incident_is_closed_when_all_its_alarms_are(town: City) -> None:
    """One standing alarm keeps it open; before the moment of clearing nobody knew of it."""
    pump = Arrival(0, 0, "pump", "stopped", cleared=40 * MINUTE)
    tank = Arrival(5 * MINUTE, 5 * MINUTE, "tank", "low", cleared=90 * MINUTE)
    standing = tank._replace(cleared=None)

    assert BASELINES["silo"]([pump, tank], town).incidents[0].closed == 90 * MINUTE
    assert BASELINES["silo"]([pump, standing], town).incidents[0].closed is None
    assert [r.closed for r in BASELINES["silo"]([pump, tank], town).revisions] == [None, None]


@given(
    st.lists(
        st.tuples(st.sampled_from(ASSETS), st.integers(0, 300), st.integers(0, 60)), unique_by=lambda a: a[:2]
    ),
    st.sampled_from(sorted(BASELINES)),
)
def test_incidents_do_not_depend_on_the_order_of_alarms(
    town: City, drawn: list[tuple[str, int, int]], name: str
) -> None:
    """Whenever alarms become known, the same incidents stand in the end, and each alarm is in one."""
    told_late = [Arrival((at + late) * MINUTE, at * MINUTE, a, "trouble") for a, at, late in drawn]
    told_at_once = [alarm._replace(known=alarm.raised) for alarm in told_late]
    late, at_once = BASELINES[name](told_late, town), BASELINES[name](told_at_once, town)

    assert told(late) == told(at_once)
    members = Counter((m.asset, m.since) for incident in late.incidents for m in incident.members)
    assert members == Counter((alarm.asset, alarm.raised) for alarm in told_late)


@given(st.lists(st.tuples(st.sampled_from(ASSETS), st.integers(0, 300)), unique=True))
def test_the_last_word_of_the_revisions_is_what_stands(town: City, drawn: list[tuple[str, int]]) -> None:
    """The ids whose last revision stands are the incidents, with the same root."""
    found = BASELINES["most-upstream"]([Arrival(at, at, a, "trouble") for a, at in drawn], town)
    last = {revision.id: revision for revision in found.revisions}

    assert {r.id: r.root for r in last.values() if r.stands} == {i.id: i.root for i in found.incidents}


def test_a_baseline_learns_of_an_alarm_when_the_product_tells_it(town: City) -> None:
    """Not at the onset, which nobody knew then; measuring and announced work are kept from it."""
    pump = SeenMember(asset="pump", condition="stopped", since=0)
    incident = {"opened": 0, "root": SeenRoot(asset="pump"), "members": (pump,)}
    product = Outputs(
        alarms=[
            SeenAlarm(asset="pump", condition="stopped", raised=0, cleared=9),
            SeenAlarm(asset="tank", condition="low", raised=5),
            SeenAlarm(asset="tank", condition="frozen", raised=1),
            SeenAlarm(asset="feeder", condition="planned_work", raised=1),
        ],
        incidents=[SeenIncident.model_validate({"id": "one", **incident})],
        revisions=[
            SeenRevision.model_validate(
                {"id": "one", "revision": n, "known_at": at, "change": "x"} | incident
            )
            for n, at in ((1, 7), (2, 8))
        ],
    )

    found = arrivals(product, measuring={"frozen"})

    assert found == [Arrival(5, 5, "tank", "low"), Arrival(7, 0, "pump", "stopped", 9)]
    assert changes(per_alarm(found, town)) == ["0 opened tank", "0 opened pump"]
