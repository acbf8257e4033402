"""The forest of causes and its roots, against trying everything on small random networks."""

import math
from collections.abc import Iterator
from itertools import chain, combinations, product
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import forest
from streams.arborescence import CHANCE
from streams.forest import Case, Forest, Hidden, best, roots

logs = st.floats(-7, -0.1)


@st.composite
def cases(draw: st.DrawFn, effects: int = 4, hidden: int = 3) -> Case:
    """A few effects, some of which may have brought others, and hidden nodes that may have brought any."""
    count = draw(st.integers(1, effects))
    causes = [
        draw(st.dictionaries(st.sampled_from([c for c in range(count) if c != i]), logs)) if count > 1 else {}
        for i in range(count)
    ]
    brings = st.dictionaries(st.integers(0, count - 1), logs, min_size=1)
    return Case(
        chance=[draw(st.floats(-9, -2)) for _ in range(count)],
        causes=causes,
        hidden=[Hidden(draw(st.floats(-9, -2)), draw(brings)) for _ in range(draw(st.integers(0, hidden)))],
    )


def every_forest(case: Case) -> Iterator[tuple[float, dict[int, int]]]:
    """Each way to charge every effect such that nobody is its own cause, with its log probability."""
    count = len(case.chance)
    options = [
        [
            (CHANCE, case.chance[i]),
            *case.causes[i].items(),
            *((count + h, node.brings[i]) for h, node in enumerate(case.hidden) if i in node.brings),
        ]
        for i in range(count)
    ]
    for choice in product(*options):
        charged = {i: cause for i, (cause, _) in enumerate(choice)}
        if ends(charged, count):
            used = {cause - count for cause in charged.values() if cause >= count}
            yield sum(score for _, score in choice) + sum(case.hidden[h].cost for h in used), charged


def ends(charged: dict[int, int], count: int) -> bool:
    """Whether each effect's causes end somewhere."""
    for start in charged:
        node, steps = start, 0
        while 0 <= node < count:
            node, steps = charged[node], steps + 1
            if steps > count:
                return False
    return True


def total(logs: list[float]) -> float:
    """Log of the sum of what these are the logs of."""
    most = max(logs, default=-math.inf)
    return most if most == -math.inf else most + math.log(sum(math.exp(log - most) for log in logs))


@given(cases())
@settings(max_examples=200)
def test_no_forest_is_more_probable_than_the_best(case: Case) -> None:
    """The search over hidden nodes is complete on small networks, and says so."""
    found = best(case)
    assert found.score == pytest.approx(max(score for score, _ in every_forest(case)))
    assert found.missed == 0
    weigh = {tuple(sorted(charged.items())): score for score, charged in every_forest(case)}
    assert weigh[tuple(sorted(found.charged.items()))] == pytest.approx(found.score)


@given(cases(effects=4, hidden=5))
@settings(max_examples=150)
def test_a_search_that_stops_early_says_what_it_can_have_missed(case: Case) -> None:
    """With two looks only: what the best forest has more is within the stated bound."""
    with patch.object(forest, "LOOKS", 2):
        found = best(case)
    assert max(score for score, _ in every_forest(case)) <= found.score + found.missed + 1e-9


@given(cases(effects=4, hidden=2))
@settings(max_examples=150)
def test_roots_weigh_all_forests(case: Case) -> None:
    """Of each effect: all forests without hidden nodes in which it began by itself. Of each hidden node: all
    forests in which it holds, alone of its kind, whether anything is charged to it or not.
    """
    count = len(case.chance)
    bare = case._replace(hidden=())
    expected = [
        total([score for score, charged in every_forest(bare) if charged[i] == CHANCE]) for i in range(count)
    ]
    for node in case.hidden:
        holding = case._replace(hidden=[node._replace(cost=0.0)])
        expected.append(node.cost + total([score for score, _ in every_forest(holding)]))
    effects, hidden = roots(case, range(count))

    whole = total(expected)
    assert [*effects, *hidden] == pytest.approx([math.exp(one - whole) for one in expected])


def test_two_pumps_that_stop_together_have_one_hidden_cause() -> None:
    """Each by itself one in a hundred; a feeder that brings both one in fifty: the feeder, and how sure."""
    feeder = Hidden(math.log(0.02), {0: math.log(0.95), 1: math.log(0.95)})
    case = Case([math.log(0.01)] * 2, [{}, {}], [feeder])

    assert best(case) == Forest({0: 2, 1: 2}, (0,), best(case).score, 0.0)
    assert best(case).score == pytest.approx(math.log(0.02 * 0.95**2))
    effects, hidden = roots(case, [0, 1])
    assert hidden[0] == pytest.approx(0.02 * 0.96**2 / (0.02 * 0.96**2 + 2 * 0.01**2))
    assert effects[0] == effects[1]


def test_a_silent_witness_makes_the_hidden_cause_dear() -> None:
    """A third pump of the feeder runs on, and would have stopped in 95 of 100 cases: two faults at once."""
    quiet = Hidden(math.log(0.02) + math.log(0.05), {0: math.log(0.95), 1: math.log(0.95)})
    found = best(Case([math.log(0.04)] * 2, [{}, {}], [quiet]))
    assert found.charged == {0: CHANCE, 1: CHANCE}
    assert found.holds == ()


def test_every_subset_is_weighed_where_greed_goes_wrong() -> None:
    """One hidden node that brings all looks best at first; two cheap ones together are better."""
    wide = Hidden(-4.0, dict.fromkeys(range(4), -1.6))
    narrow = [Hidden(-3.0, {0: -0.1, 1: -0.1}), Hidden(-3.0, {2: -0.1, 3: -0.1})]
    case = Case([-6.0] * 4, [{}] * 4, [wide, *narrow])
    subsets = chain.from_iterable(combinations(range(3), size) for size in range(4))
    assert (1, 2) in list(subsets)
    assert best(case).holds == (1, 2)
