"""Pairing what two versions told, one to one, nearest first; and the words for what differs. Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from runner.diff.told import Difference, Move, What
from schemas.times import MINUTE, SECOND

PAIR_WITHIN = 30 * MINUTE
"""Things that are this near in time may be the same thing, told at another time."""
FOREVER = 2**62

Clock = Callable[[int], str]
"""A time in ms as people read it."""
T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)


class Pairs(NamedTuple):
    """What belongs together, and what was left over on each side."""

    both: list[tuple[Any, Any]]
    lost: list[Any]
    new: list[Any]


def paired(before: Sequence[T], after: Sequence[T], distance: Callable[[T, T], Any]) -> Pairs:
    """Pair one to one, nearest first; ``distance`` is None for what can be no pair."""
    near = sorted(
        (far, i, j)
        for i, one in enumerate(before)
        for j, other in enumerate(after)
        if (far := distance(one, other)) is not None
    )
    left, right = dict(enumerate(before)), dict(enumerate(after))
    both = [(left.pop(i), right.pop(j)) for _, i, j in near if i in left and j in right]
    return Pairs(both, list(left.values()), list(right.values()))


def by(things: Iterable[T], key: Callable[[T], Key]) -> dict[Key, list[T]]:
    """Things by their keys, in the order in which they came."""
    grouped: dict[Key, list[T]] = defaultdict(list)
    for one in things:
        grouped[key(one)].append(one)
    return grouped


def difference(
    what: What,
    move: Move,
    subject: str,
    was: tuple[int, str] | None,
    is_: tuple[int, str] | None,
    reasons: Iterable[str],
) -> Difference:
    """One difference; the sides are times with words, None where a side is not there."""
    here = is_ or was
    assert here is not None, "one of the two sides is there"
    moved = (is_[0] - was[0]) / SECOND if was and is_ and was[0] != is_[0] else None
    return Difference(
        what=what,
        move=move,
        subject=subject,
        at=here[0],
        before=was and was[1],
        after=is_ and is_[1],
        seconds=moved,
        reasons=tuple(dict.fromkeys(reasons)),
    )


def told_of(change: Difference) -> str:
    """``pump-3 pressure_low is new (sensor pump-3/pressure: limits.low 2.0 -> 2.1)``."""
    because = f" ({change.reasons[0]})" if change.reasons else ""
    return f"{change.subject} is {moved(change)}{because}"


def moved(change: Difference) -> str:
    """``new``, ``later by 12 min``."""
    if change.seconds is None:
        return change.move
    return f"{change.move} by {span(change.seconds)}"


def span(seconds: float) -> str:
    """A length of time without its sign: 40 s, 12 min, 3.5 h."""
    seconds = abs(seconds)
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:.4g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
