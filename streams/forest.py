"""Which forest of causes is the most probable, and how sure its roots are.

In:  a ``Case``: effects (nodes that were seen to hold) and hidden nodes (that may hold), each with the log
     probability that it began by itself and of each other node having brought it.
Out: ``best``: the forest of greatest probability, with a bound on what a better one could gain.
     ``roots``: the probability of each node to be where all of it began, summed over all forests.

The model is the noisy-OR network (Pearl 1988, section 4.3.2) in its charged form: each effect is charged to
one cause or to chance, nobody is its own cause in the end, a hidden node that nothing is charged to is absent
and costs nothing. For rare causes the sum over charges is the noisy-OR's own likelihood to first order.
Given which hidden nodes hold, the best forest is exact (Edmonds 1967, ``streams.arborescence``) and the sum
over all forests is a determinant (Tutte's matrix-tree theorem, 1948). Only the choice of hidden nodes is a
search: branch and bound, exact until ``LOOKS`` forests were weighed, and then with a stated bound.
Pure and deterministic.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.arborescence import CHANCE
from streams.knots import Charged, Knots

LOOKS = 60
"""Forests that are weighed before the search for hidden nodes stops short of certainty; where effects are
many, fewer, so that the time grows no faster than they do.
"""
MANY = 20
"""Effects up to which all LOOKS are taken."""
KEPT = 64
"""Cases whose roots are remembered."""

Row = NDArray[np.float64]


class Hidden(NamedTuple):
    """A node that may hold unseen: what it costs (log prior, and what stayed quiet), and what it brings."""

    cost: float
    brings: Mapping[int, float]
    """Effect: log probability."""


class Case(NamedTuple):
    """``chance[i]``: log probability that effect ``i`` began by itself; ``causes[i]``: of each other effect
    to have brought it.
    """

    chance: Sequence[float]
    causes: Sequence[Mapping[int, float]]
    hidden: Sequence[Hidden] = ()


class Forest(NamedTuple):
    """``charged[i]``: the effect that brought ``i``; CHANCE; or ``len(chance) + h`` for hidden node ``h``."""

    charged: dict[int, int]
    holds: tuple[int, ...]
    """Hidden nodes that hold."""
    score: float
    """Log probability."""
    missed: float
    """No forest's log probability is greater than ``score + missed``; 0 where the search was complete."""


def best(case: Case) -> Forest:
    """The most probable forest."""
    search = _Search(case)
    search.run()
    return search.found


class _Search:
    """Branch and bound over which hidden nodes hold.

    The bound: without the rule that nobody is its own cause in the end, the gain of more hidden nodes is at
    most the sum of what each gains alone (a facility location function is submodular; Nemhauser et al. 1978).
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.knots = Knots(case.causes)
        self.by_chance: list[Charged] = [(chance, CHANCE) for chance in case.chance]
        self.costs = np.array([node.cost for node in case.hidden])
        self.brings = np.full((len(case.hidden), len(case.chance)), -np.inf)
        for h, node in enumerate(case.hidden):
            self.brings[h, list(node.brings)] = list(node.brings.values())
        self.looks = 0
        self.most_looks = min(LOOKS, max(2, LOOKS * MANY // max(len(case.chance), 1)))
        self.cut = -math.inf
        """The greatest bound of a branch that was not looked into."""
        self.found = self._weigh(())

    def run(self) -> None:
        if not self.case.hidden:
            return
        self._greedy()
        free = [
            max([chance, *causes.values()])
            for chance, causes in zip(self.case.chance, self.case.causes, strict=True)
        ]
        self._branch((), np.array(free), list(range(len(self.case.hidden))))
        over = self.cut - self.found.score
        if over > 0:
            self.found = self.found._replace(missed=over)

    def _greedy(self) -> None:
        """A good start: the hidden node that gains most, as long as one does."""
        while True:
            now = self.found
            paid = [self._score_of(i, cause) for i, cause in now.charged.items()]
            gains = self._gains(np.array(paid))
            gains[list(now.holds)] = 0.0
            most = int(gains.argmax())
            if gains[most] <= 1e-12:
                return
            self._take((*now.holds, most))
            for one in now.holds:  # the new one may do the work of an old one
                self._take(tuple(h for h in dict.fromkeys((*self.found.holds, most)) if h != one))
            if self.found.holds == now.holds:
                return

    def _branch(self, holds: tuple[int, ...], paid: Row, rest: list[int]) -> None:
        """Weigh every way to add nodes of ``rest`` to ``holds`` that may be better than what was found."""
        gains = self._gains(paid)[rest]
        relaxed = float(paid.sum()) + sum(self.case.hidden[h].cost for h in holds)
        bound = relaxed + float(gains[gains > 0].sum())
        if bound <= self.found.score + 1e-9 or not rest:
            return
        if self.looks >= self.most_looks:
            self.cut = max(self.cut, bound)
            return
        most = rest[int(gains.argmax())]
        others = [h for h in rest if h != most]
        self._take((*holds, most))
        self._branch((*holds, most), np.maximum(paid, self.brings[most]), others)
        self._branch(holds, paid, others)

    def _take(self, holds: tuple[int, ...]) -> None:
        forest = self._weigh(holds)
        if forest.score > self.found.score + 1e-12:
            self.found = forest

    def _gains(self, paid: Row) -> Row:
        """What each hidden node would gain beside what is paid for the effects: shape (hidden,)."""
        gains: Row = self.costs + np.maximum(self.brings - paid, 0.0).sum(axis=1)
        return gains

    def _weigh(self, holds: Iterable[int]) -> Forest:
        self.looks += 1
        hidden, count = self.case.hidden, len(self.by_chance)
        entries = list(self.by_chance)
        for h in sorted(holds):
            for i, score in hidden[h].brings.items():
                if score > entries[i][0]:
                    entries[i] = score, count + h
        charged = self.knots.best(entries)
        used = tuple(sorted({cause - count for _, cause in charged if cause >= count}))
        score = sum(score for score, _ in charged) + sum(hidden[h].cost for h in used)
        return Forest({i: cause for i, (_, cause) in enumerate(charged)}, used, score, 0.0)

    def _score_of(self, effect: int, cause: int) -> float:
        count = len(self.case.chance)
        if cause == CHANCE:
            return self.case.chance[effect]
        if cause >= count:
            return self.case.hidden[cause - count].brings[effect]
        return self.case.causes[effect][cause]


def roots(case: Case, effects: Sequence[int]) -> tuple[list[float], list[float]]:
    """How probable it is that each of some effects, or each hidden node, is where all of it began.

    The weight of all forests in which it began by itself, beside those of the others. Shapes: (effects,),
    (hidden,); together they sum to 1. Kept: in a storm over a large city most trees stay as they are from
    look to look, and each asks for as many determinants as it has candidates.
    """
    causes = tuple(tuple(its.items()) for its in case.causes)
    hidden = tuple((node.cost, tuple(node.brings.items())) for node in case.hidden)
    return _roots(tuple(case.chance), causes, hidden, tuple(effects))


_Pairs = tuple[tuple[int, float], ...]


@lru_cache(maxsize=KEPT)
def _roots(
    chance: tuple[float, ...],
    causes: tuple[_Pairs, ...],
    hidden: tuple[tuple[float, _Pairs], ...],
    effects: tuple[int, ...],
) -> tuple[list[float], list[float]]:
    case = Case(
        chance, [dict(its) for its in causes], [Hidden(cost, dict(brings)) for cost, brings in hidden]
    )
    tops = _tops(case)
    base = _laplacian(case, tops)
    logs = [_log_forests(_begun_at(base, i)) + case.chance[i] - tops[i] for i in effects]
    logs += [_log_forests(_brought_by(base, node.brings, tops)) + node.cost for node in case.hidden]
    most = max(logs)
    weights = [math.exp(log - most) for log in logs]
    total = sum(weights)
    shares = [weight / total for weight in weights]
    return shares[: len(effects)], shares[len(effects) :]


def _tops(case: Case) -> list[float]:
    """Each effect's best log probability: rows are divided by it, so that none underflows."""
    tops = []
    for i, chance in enumerate(case.chance):
        brought = [hidden.brings[i] for hidden in case.hidden if i in hidden.brings]
        tops.append(max([chance, *case.causes[i].values(), *brought]))
    return tops


def _laplacian(case: Case, tops: Sequence[float]) -> Row:
    """Its determinant is the summed weight of all forests of effects and chance."""
    count = len(case.chance)
    laplacian = np.zeros((count, count))
    for i in range(count):
        laplacian[i, i] = math.exp(case.chance[i] - tops[i])
        for cause, score in case.causes[i].items():
            weight = math.exp(score - tops[i])
            laplacian[i, i] += weight
            laplacian[i, cause] -= weight
    return laplacian


def _begun_at(base: Row, effect: int) -> Row:
    """Only forests in which this effect began by itself; its own weight is left out."""
    laplacian = base.copy()
    laplacian[effect] = 0.0
    laplacian[effect, effect] = 1.0
    return laplacian


def _brought_by(base: Row, brings: Mapping[int, float], tops: Sequence[float]) -> Row:
    """Forests in which a hidden node holds beside chance."""
    laplacian = base.copy()
    for effect, score in brings.items():
        laplacian[effect, effect] += math.exp(score - tops[effect])
    return laplacian


def _log_forests(laplacian: Row) -> float:
    sign, log = np.linalg.slogdet(laplacian)  # each row has a way out: only rounding can make it singular
    return float(log) if sign > 0 else -math.inf
