"""The most probable forest of causes: who was brought by whom, and who began by itself.

In:  nodes, the log probability that each began by itself, and of each possible cause.
Out: the cause of each node (None: by itself), such that nobody is its own cause in the end and the sum is
the greatest there is.
Chu and Liu 1965, Edmonds 1967: a maximum spanning arborescence under a root that stands for chance.
Pure and deterministic: ties go to the node that is smaller.
"""

from collections.abc import Mapping
from math import inf

CHANCE = -1
"""The node above all roots."""

Scores = Mapping[int, Mapping[int, float]]
"""Effect: {cause: log probability}; each effect has CHANCE among its causes."""


def best_causes(scores: Scores) -> dict[int, int]:
    """The cause of each node in the best forest; CHANCE for its roots."""
    best = {effect: _best(causes) for effect, causes in scores.items()}
    cycle = _cycle(best)
    if not cycle:
        return best
    # Treat the cycle as one node; entering it at a node costs that node's cause within the cycle.
    merged = max(scores) + 1
    inside = set(cycle)
    folded: dict[int, dict[int, float]] = {}
    enters: dict[int, int] = {}
    leaves: dict[int, int] = {}
    into: dict[int, float] = {}
    for effect in cycle:
        for cause, score in scores[effect].items():
            gain = score - scores[effect][best[effect]]
            if cause not in inside and (cause not in into or gain > into[cause]):
                into[cause], enters[cause] = gain, effect
    folded[merged] = into
    for effect, causes in scores.items():
        if effect in inside:
            continue
        folded[effect] = {cause: s for cause, s in causes.items() if cause not in inside}
        within = {cause: s for cause, s in causes.items() if cause in inside}
        if within:
            leaves[effect] = _best(within)
            folded[effect][merged] = within[leaves[effect]]
    solved = best_causes(folded)
    entry = solved.pop(merged)
    answer = {effect: leaves[effect] if cause == merged else cause for effect, cause in solved.items()}
    answer |= {effect: best[effect] for effect in cycle}
    answer[enters[entry]] = entry
    return answer


def _best(causes: Mapping[int, float]) -> int:
    found, most = CHANCE, -inf
    for cause, score in causes.items():
        if score > most or (score == most and cause < found):
            found, most = cause, score
    return found


def _cycle(causes: Mapping[int, int]) -> list[int]:
    """Nodes of a cycle, or none."""
    done: set[int] = set()
    for start in causes:
        path: list[int] = []
        node = start
        while node in causes and node not in done:
            done.add(node)
            path.append(node)
            node = causes[node]
        if node in path:
            return path[path.index(node) :]
    return []
