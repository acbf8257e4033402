"""The join of domains' incidents: whatever the domains say, and in whatever order it comes."""

import json
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alarms import Severity
from schemas.incidents import Expected, Incident, IncidentRevision, Member, Root
from schemas.times import HOUR, MINUTE
from streams.causes import load_causes
from streams.correlate import KEPT_AFTER
from streams.domains import domains_of
from streams.join import Join
from streams.tell import Teller
from tests.scenario import at, city_of

CAUSES = load_causes()
PLACES = ("a-1", "a-2", "b-1", "b-2", "c-1", "c-2")
CITY = city_of(
    "\n".join(
        [
            "assets:",
            *(f"  - {{id: {place}, utility: power, kind: feeder, zone: z}}" for place in PLACES),
            "links:",
            *(
                f"  - {{from: {one}, to: {other}, relation: powers, border: {border}}}"
                for one, other, border in (
                    ("a-1", "a-2", "false"),
                    ("a-2", "b-1", "true"),
                    ("b-1", "b-2", "false"),
                    ("b-2", "c-1", "true"),
                    ("c-1", "c-2", "false"),
                )
            ),
            "sensors:",
            *(f"  - {{asset: {place}, quantity: current, unit: A, every: 60}}" for place in PLACES),
        ]
    )
)
"""Three domains in a row, of two assets each; each sees one asset over each of its borders."""
DOMAINS = domains_of(CITY, CAUSES)
START = at("08:00")

Said = list[list[IncidentRevision]]
"""What a domain says, look after look."""


def incident(members: list[tuple[str, int]], root: str, probability: float, *, closed: bool) -> Incident:
    """An incident of alarms (asset, minute), which began somewhere."""
    told = sorted(members, key=lambda member: (member[1], member[0]))
    since = START + told[0][1] * MINUTE
    until = START + HOUR if closed else None
    return Incident(
        id=f"{told[0][0]} {told[0][1]}",
        opened=since,
        closed=until,
        severity=Severity.WARNING,
        utilities=["power"],
        root=Root(asset=root, condition="dead", since=since, probability=probability),
        alternatives=[],
        members=[
            Member(asset=asset, condition="dead", since=START + minute * MINUTE, until=until)
            for asset, minute in told
        ],
        expected=[]
        if closed
        else [
            Expected(asset="c-2", condition="dead", start=since, end=since + HOUR, probability=probability)
        ],
        summary="",
        chain=[],
    )


@st.composite
def said(draw: st.DrawFn, domain: str) -> Said:
    """A domain's looks: each time, some alarms that it sees, in incidents of its own making."""
    seen = sorted(DOMAINS.by_name[domain].seen)
    alarms = [(asset, minute) for asset in seen for minute in (0, 5)]
    teller = Teller()
    looks: Said = []
    for look in range(draw(st.integers(1, 4))):
        groups: dict[int, list[tuple[str, int]]] = {}
        for alarm in draw(st.lists(st.sampled_from(alarms), unique=True)):
            groups.setdefault(draw(st.integers(0, 2)), []).append(alarm)
        standing = {}
        for members in groups.values():
            root = draw(st.sampled_from(seen))
            probability = draw(st.sampled_from([0.4, 0.7, 1.0]))
            one = incident(members, root, probability, closed=draw(st.booleans()))
            standing[one.id] = one, frozenset(map(str, members))
        looks.append(teller.tell(standing, START + look * MINUTE, list(teller.live)))
    return looks


cities = st.fixed_dictionaries({name: said(name) for name in ("a-1", "b-1", "c-1")})


class Listener:
    """A join, and what stands by what it said."""

    def __init__(self) -> None:
        self.join = Join(CITY, CAUSES, DOMAINS)
        self.revisions: list[IncidentRevision] = []
        self.standing: dict[str, IncidentRevision] = {}

    def look(self, now: int = START + HOUR) -> None:
        """Hear the join out."""
        for revision in self.join.look(now):
            self.revisions.append(revision)
            if revision.change in ("replaced", "retracted"):
                del self.standing[revision.id]
            else:
                self.standing[revision.id] = revision

    def restart(self) -> None:
        """Its state through JSON."""
        state = json.loads(json.dumps(self.join.snapshot()))
        self.join = Join(CITY, CAUSES, DOMAINS)
        self.join.restore(state)
        assert json.loads(json.dumps(self.join.snapshot())) == state

    @property
    def incidents(self) -> list[str]:
        """What stands, without how it came to stand."""
        history = {"revision", "known_at", "change", "replaces", "replaced_by"}
        return sorted(found.model_dump_json(exclude=history) for found in self.standing.values())


def heard(city: dict[str, Said], order: Random, *, restarts: Random | None = None) -> Listener:
    """Each domain's looks in their order, the domains interleaved; looked at, and restarted, now and then."""
    listener = Listener()
    turns = [name for name, looks in city.items() for _ in looks]
    order.shuffle(turns)
    looks = {name: iter(found) for name, found in city.items()}
    for name in turns:
        listener.join.take(name, next(looks[name]), frozenset())
        if restarts and restarts.random() < 0.5:
            listener.restart()
        if order.random() < 0.5:
            listener.look()
    listener.look()
    return listener


def standing_in(city: dict[str, Said]) -> list[tuple[str, IncidentRevision]]:
    """What each domain holds in the end."""
    held: dict[tuple[str, str], IncidentRevision] = {}
    for name, looks in city.items():
        for revision in (r for look in looks for r in look):
            if revision.change in ("replaced", "retracted"):
                held.pop((name, revision.id))
            else:
                held[name, revision.id] = revision
    return [(name, revision) for (name, _), revision in held.items()]


def alarms_of(found: Incident) -> set[tuple[str, int]]:
    """Its alarms, by asset and onset."""
    return {(member.asset, member.since) for member in found.members}


@given(cities, st.randoms(use_true_random=False), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_the_order_of_the_domains_plays_no_part(city: dict[str, Said], one: Random, other: Random) -> None:
    """However their words interleave, and however often it is asked: the same incidents in the end."""
    assert heard(city, one).incidents == heard(city, other).incidents


@given(cities, st.integers(0, 1000), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_join_goes_on_after_a_restart(city: dict[str, Said], seed: int, restarts: Random) -> None:
    """Stopped anywhere, it says what it would have said."""
    stopped = heard(city, Random(seed), restarts=restarts)
    assert stopped.revisions == heard(city, Random(seed)).revisions


@given(cities, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_what_shares_an_alarm_is_one_incident(city: dict[str, Said], order: Random) -> None:
    """Against merging by hand: every alarm stands in one incident, with all that hangs together with it."""
    groups = [alarms_of(revision) for _, revision in standing_in(city)]
    while joint := next(((a, b) for a, b in combinations(groups, 2) if a & b), None):
        groups = [group for group in groups if group not in joint] + [joint[0] | joint[1]]
    found = [alarms_of(one) for one in heard(city, order).standing.values()]
    assert sorted(map(sorted, found)) == sorted(map(sorted, groups))


@given(cities, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_root_is_that_of_a_side(city: dict[str, Said], order: Random) -> None:
    """Nothing is made up: the root is one that a domain named, and a side alone keeps its words."""
    held = [revision for _, revision in standing_in(city)]
    for one in heard(city, order).standing.values():
        sides = [side for side in held if alarms_of(side) <= alarms_of(one)]
        assert one.root in [side.root for side in sides]
        assert (one.closed is None) == any(side.closed is None for side in sides)


def say(*incidents: Incident) -> list[IncidentRevision]:
    """A domain's first words."""
    return Teller().tell({one.id: (one, frozenset([one.id])) for one in incidents}, START, [])


def test_the_side_that_knows_what_brought_a_border_alarm_names_the_root() -> None:
    """B sees a-2 begin; A, where a-2 belongs, knows that a-1 brought it; C defers to B, and so to A."""
    listener = Listener()
    listener.join.take("c-1", say(incident([("c-1", 0), ("b-2", 0)], "b-2", 0.9, closed=False)), frozenset())
    listener.join.take("b-1", say(incident([("b-2", 0), ("a-2", 0)], "a-2", 0.9, closed=False)), frozenset())
    listener.join.take("a-1", say(incident([("a-2", 0), ("a-1", 0)], "a-1", 0.6, closed=False)), frozenset())
    listener.look()
    (one,) = listener.standing.values()
    assert (one.root.asset, one.root.probability) == ("a-1", 0.6)


def test_where_each_side_names_the_others_the_better_held_stays() -> None:
    """A blames b-1, B blames a-2: each is asked how probable it holds the other's."""
    for doubt, root in ((0.3, "a-2"), (0.1, "b-1")):
        listener = Listener()
        of_a = incident([("a-2", 0), ("b-1", 0)], "b-1", 0.7, closed=False)
        of_b = incident([("a-2", 0), ("b-1", 0)], "a-2", 0.8, closed=False)
        held = Root(asset="a-2", condition="dead", since=START, probability=doubt)
        also = Root(asset="b-1", condition="dead", since=START, probability=0.2)
        listener.join.take("a-1", say(of_a.model_copy(update={"alternatives": [held]})), frozenset())
        listener.join.take("b-1", say(of_b.model_copy(update={"alternatives": [also]})), frozenset())
        listener.look()
        assert [one.root.asset for one in listener.standing.values()] == [root]


@pytest.mark.parametrize(("began", "sure", "root"), [(0, 0.9, "a-1"), (0, 0.3, "b-2"), (35, 0.9, "b-2")])
def test_a_guess_gives_way_to_who_knows_the_longer_story(began: int, sure: float, root: str) -> None:
    """B blames b-2, where no alarm stands. A knows B's earliest alarm too: as brought by an older trouble of
    which it is sure, or less so; or only as part of the same.
    """
    listener = Listener()
    of_a = incident([("a-1", began), ("a-2", 40)], "a-1", sure, closed=False)
    of_b = incident([("a-2", 40), ("b-1", 40), ("b-1", 45)], "b-2", 0.5, closed=False)
    listener.join.take("a-1", say(of_a), frozenset())
    listener.join.take("b-1", say(of_b), frozenset())
    listener.look()
    assert [one.root.asset for one in listener.standing.values()] == [root]


def test_what_a_domain_excuses_is_no_incident_beyond_its_border() -> None:
    """A explains a-2 by planned work; the incident that B sees begin there ends, and returns without it."""
    listener = Listener()
    listener.join.take("b-1", say(incident([("a-2", 0), ("b-1", 0)], "a-2", 0.9, closed=False)), frozenset())
    listener.look()
    listener.join.take("a-1", [], frozenset({f"a-2 dead {START}"}))
    listener.look()
    assert listener.standing == {}
    listener.join.take("a-1", [], frozenset())
    listener.look()
    assert [r.change for r in listener.revisions] == ["opened", "retracted", "opened"]


def test_a_closed_incident_is_let_go_when_it_can_gain_nothing_more() -> None:
    """Not while a side of it is open: an incident is kept whole."""
    listener = Listener()
    closed = incident([("a-2", 0), ("a-1", 0)], "a-1", 0.9, closed=True)
    listener.join.take("a-1", say(closed), frozenset())
    listener.join.take("b-1", say(incident([("a-2", 0)], "a-2", 0.9, closed=False)), frozenset())
    listener.look()
    late = START + HOUR + KEPT_AFTER
    listener.look(late)
    assert len(listener.join.snapshot()["sides"]) == 2
    listener.join.take("b-1", say(incident([("a-2", 0)], "a-2", 0.9, closed=True)), frozenset())
    listener.look(late - 1)
    assert [r.change for r in listener.revisions] == ["opened", "closed"]
    listener.look(late)
    empty = Join(CITY, CAUSES, DOMAINS).snapshot()
    assert listener.join.snapshot() == empty
