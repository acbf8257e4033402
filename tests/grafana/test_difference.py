"""What would change in a running Grafana: pure, so it can be tried on everything."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from grafana.difference import KINDS, Change, Thing, changes, differences

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from("pqr"), VALUES, max_size=3)
THINGS = st.builds(
    Thing,
    kind=st.sampled_from(KINDS),
    uid=st.sampled_from(["cc-1", "cc-2", "cc-3"]),
    title=st.just("a thing"),
    body=BODIES,
)


def unique(things: list[Thing]) -> list[Thing]:
    """One thing of each kind and uid, as in Grafana."""
    return list({(thing.kind, thing.uid): thing for thing in things}.values())


def applied(there: list[Thing], found: list[Change]) -> list[Thing]:
    """What is there after the changes."""
    held = {(thing.kind, thing.uid): thing for thing in there}
    for change in found:
        key = change.thing.kind, change.thing.uid
        if change.action == "delete":
            del held[key]
        elif change.action != "foreign":
            held[key] = change.thing
    return list(held.values())


def board(uid: str = "cc-1", ours: bool = True, **body: Any) -> Thing:
    """A board with some content."""
    return Thing("board", uid, "City", body, ours)


@given(wanted=st.lists(THINGS), there=st.lists(THINGS))
def test_once_is_enough(wanted: list[Thing], there: list[Thing]) -> None:
    """After the changes there is nothing left to change, whatever was wanted and whatever was there."""
    wanted, there = unique(wanted), unique(there)

    assert changes(wanted, applied(there, changes(wanted, there))) == []


@given(wanted=st.lists(THINGS), there=st.lists(THINGS))
def test_what_is_not_ours_is_left_alone(wanted: list[Thing], there: list[Thing]) -> None:
    """Neither deleted nor written over, even where it sits on a uid of ours."""
    theirs = [Thing(thing.kind, thing.uid, thing.title, thing.body, ours=False) for thing in unique(there)]

    touched = [change for change in changes(unique(wanted), theirs) if change.action in {"update", "delete"}]

    assert touched == []


@given(body=BODIES)
def test_a_thing_does_not_differ_from_itself(body: dict[str, Any]) -> None:
    """Nor from itself with what Grafana adds."""
    assert list(differences(body, {**body, "id": 7, "version": 12})) == []


def test_each_value_that_differs_is_told() -> None:
    """With its place, what is there, and what is wanted."""
    [change] = changes([board(panels=[{"title": "New"}])], [board(panels=[{"title": "Old"}])])

    assert str(change) == "update   board City (cc-1)\n         panels[0].title: 'Old' -> 'New'"


def test_lists_of_other_length_are_told_as_such() -> None:
    """Rather than panel by panel, each shifted by one."""
    assert list(differences({"panels": [1, 2]}, {"panels": [1]})) == ["panels: 1 entries -> 2 entries"]


def test_long_values_are_cut() -> None:
    """A query is a page long; a line says enough."""
    [line] = differences({"query": "x" * 500}, {"query": None})

    assert len(line) < 100


def test_what_leans_on_another_comes_after_it() -> None:
    """Folder, data source, boards, rules; and what goes, goes the other way round."""
    wanted = [Thing(kind, "cc-new", kind, {}) for kind in reversed(KINDS)]
    there = [Thing(kind, "cc-old", kind, {}) for kind in KINDS]

    order = [(change.action, change.thing.kind) for change in changes(wanted, there)]

    assert order == [*(("create", kind) for kind in KINDS), *(("delete", kind) for kind in reversed(KINDS))]


def test_a_secret_is_written_each_time_and_never_told() -> None:
    """Grafana does not say what it has."""
    source = Thing("data source", "cc", "InfluxDB", {"url": "u"}, secret={"token": "t0p"})

    [change] = changes([source], [Thing("data source", "cc", "InfluxDB", {"url": "u"})])

    assert change.action == "update"
    assert "t0p" not in f"{change} {change!r}"
