"""Forests of effects that blame each other, against the search that takes all effects at once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.arborescence import CHANCE, best_causes
from streams.knots import Charged, Knots, all_behind

logs = st.floats(-9, -0.1)


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[dict[int, float]], list[list[Charged]]]:
    """Effects with their causes among themselves, and several sets of ways in from outside."""
    count = draw(st.integers(1, 7))
    causes = [
        draw(st.dictionaries(st.sampled_from([c for c in range(count) if c != i]), logs)) if count > 1 else {}
        for i in range(count)
    ]
    way_in = st.tuples(logs, st.sampled_from([CHANCE, count, count + 1]))
    return causes, draw(st.lists(st.lists(way_in, min_size=count, max_size=count), min_size=1, max_size=4))


@given(networks())
@settings(max_examples=100)
def test_knot_by_knot_gives_the_best_forest(
    network: tuple[list[dict[int, float]], list[list[Charged]]],
) -> None:
    """Whatever was asked before: the same total as Edmonds' search over all effects."""
    causes, questions = network
    knots = Knots(causes)
    for entries in questions:
        charged = knots.best(entries)
        whole = {i: {CHANCE: entries[i][0], **brought} for i, brought in enumerate(causes)}
        for i, (score, cause) in enumerate(charged):
            assert score == (causes[i][cause] if cause in causes[i] else entries[i][0])
            assert cause in causes[i] or cause == entries[i][1]
        inside = {i: [cause] if cause in causes[i] else [] for i, (_, cause) in enumerate(charged)}
        assert not any(behind >> i & 1 for i, behind in all_behind(inside).items())
        best = sum(whole[i][cause] for i, cause in best_causes(whole).items())
        assert abs(sum(score for score, _ in charged) - best) < 1e-9


def test_who_is_behind_whom() -> None:
    """Causes of causes too, in a circle even oneself; a cause that has no entry is behind as well."""
    behind = all_behind({0: [1], 1: [2], 2: [1, 5], 3: []})
    assert {node: [i for i in range(6) if far >> i & 1] for node, far in behind.items()} == {
        0: [1, 2, 5],
        1: [1, 2, 5],
        2: [1, 2, 5],
        3: [],
    }
