"""The best forest of causes, against trying all of them."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.arborescence import CHANCE, Scores, best_causes

graphs = st.integers(1, 5).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            effect: st.dictionaries(
                st.sampled_from([c for c in range(n) if c != effect] or [CHANCE]), st.integers(-9, 9)
            ).map(lambda causes: {CHANCE: -5, **{c: float(s) for c, s in causes.items() if c != CHANCE}})
            for effect in range(n)
        }
    )
)


def total(scores: Scores, causes: dict[int, int]) -> float:
    """Sum of the chosen scores."""
    return sum(scores[effect][cause] for effect, cause in causes.items())


def is_forest(causes: dict[int, int]) -> bool:
    """Nobody is its own cause in the end."""
    for start in causes:
        node, steps = start, 0
        while node != CHANCE:
            node, steps = causes[node], steps + 1
            if steps > len(causes):
                return False
    return True


@given(graphs)
@settings(max_examples=300, deadline=None)
def test_the_forest_is_the_best_there_is(scores: Scores) -> None:
    """Every choice of causes, tried one by one, is no better."""
    found = best_causes(scores)
    assert is_forest(found)
    every = (dict(zip(scores, chosen, strict=True)) for chosen in product(*scores.values()))
    assert total(scores, found) == max(total(scores, causes) for causes in every if is_forest(causes))


def test_two_that_blame_each_other_have_one_root() -> None:
    """Of a pair, the one that more probably began by itself did."""
    scores = {0: {CHANCE: -6.0, 1: -0.1}, 1: {CHANCE: -3.0, 0: -0.1}}
    assert best_causes(scores) == {0: 1, 1: CHANCE}
