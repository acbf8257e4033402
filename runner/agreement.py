"""How far two groupings of the same things agree, corrected for chance."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from math import comb


def adjusted_rand_index(one: Sequence[Hashable], other: Sequence[Hashable]) -> float | None:
    """Adjusted Rand index of two groupings: element i is in group ``one[i]`` and in ``other[i]``.

    1 for equal groupings, around 0 for groupings by chance, below 0 for worse. None where there are
    fewer than two things, so nothing to group. Raises ValueError on different lengths.

    Formula: L. Hubert and P. Arabie, "Comparing partitions", Journal of Classification 2 (1985),
    193-218, equation 5: (index - expected) / (maximum - expected), counted in pairs.
    """
    if len(one) != len(other):
        raise ValueError(f"groupings of {len(one)} and {len(other)} things can't be compared")
    if len(one) < 2:
        return None
    together = _pairs(zip(one, other, strict=True))
    in_one, in_other = _pairs(one), _pairs(other)
    by_chance = in_one * in_other / comb(len(one), 2)
    most = (in_one + in_other) / 2
    # Only where both are all in one group, or both all apart, is there no room: then they are equal.
    return 1.0 if most == by_chance else (together - by_chance) / (most - by_chance)


def _pairs(groups: Iterable[Hashable]) -> int:
    """Number of pairs that share a group."""
    return sum(comb(size, 2) for size in Counter(groups).values())
