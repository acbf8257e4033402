"""Effects that may be each other's causes, and their best forest, for ever other causes from outside.

In:  of each effect the log probability of each other effect having brought it; then, as often as is asked, of
     each effect the best that is not an effect: chance, or a hidden node.
Out: what each effect is charged to in the best forest.
Pure and deterministic: ties go to the cause that is smaller.

Only effects of one knot (a strongly connected component) can end up as their own causes. The others are
charged to the best there is; a knot is untangled (``streams.arborescence``) once for each way into it.
"""

from collections.abc import Iterable, Mapping, Sequence

from streams.arborescence import CHANCE, best_causes

Charged = tuple[float, int]
"""Log probability, and the cause."""


class Knots:
    """The effects of one case."""

    def __init__(self, causes: Sequence[Mapping[int, float]]) -> None:
        behind = all_behind(dict(enumerate(causes)))
        self._within: dict[int, dict[int, float]] = {}
        """By effect in a knot: its causes in the same."""
        self._beyond: list[tuple[int, Charged]] = []
        """Effects with their best cause that is in no knot with them."""
        knots: dict[int, list[int]] = {}
        for effect, brought in enumerate(causes):
            within = {cause: score for cause, score in brought.items() if behind[cause] >> effect & 1}
            beyond = [(score, cause) for cause, score in brought.items() if cause not in within]
            if beyond:
                self._beyond.append((effect, min(beyond, key=_worse)))
            if within:
                self._within[effect] = within
                tied = sum(1 << one for one in behind if behind[effect] >> one & behind[one] >> effect & 1)
                knots.setdefault(tied, []).append(effect)
        self._knots = [tuple(knot) for knot in knots.values()]
        self._untangled: dict[tuple[int, tuple[Charged, ...]], list[Charged]] = {}

    def best(self, entries: Sequence[Charged]) -> list[Charged]:
        """The best forest, where each effect may also be charged as ``entries`` says."""
        charged = list(entries)
        for effect, cause in self._beyond:
            charged[effect] = min(charged[effect], cause, key=_worse)
        for knot in self._knots:
            ways_in = tuple(charged[effect] for effect in knot)
            key = knot[0], ways_in
            if key not in self._untangled:
                self._untangled[key] = self._untangle(knot, ways_in)
            for effect, cause in zip(knot, self._untangled[key], strict=True):
                charged[effect] = cause
        return charged

    def _untangle(self, knot: Sequence[int], ways_in: Iterable[Charged]) -> list[Charged]:
        entry = dict(zip(knot, ways_in, strict=True))
        found = best_causes({effect: {CHANCE: entry[effect][0], **self._within[effect]} for effect in knot})
        return [
            entry[effect] if found[effect] == CHANCE else (self._within[effect][found[effect]], found[effect])
            for effect in knot
        ]


def _worse(one: Charged) -> tuple[float, int]:
    return -one[0], one[1]


def all_behind(causes: Mapping[int, Iterable[int]]) -> dict[int, int]:
    """By node: those that can be its cause, or a cause's cause; sets of nodes are bits. Only nodes in
    ``causes`` have causes of their own.
    """
    behind = dict.fromkeys(causes, 0)
    grows = True
    while grows:
        grows = False
        for node, direct in causes.items():
            found = behind[node]
            for cause in direct:
                found |= 1 << cause | behind.get(cause, 0)
            grows = grows or found != behind[node]
            behind[node] = found
    return behind
