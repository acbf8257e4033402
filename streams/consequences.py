"""Incidents forward in time: what may still come, and what came of what was foretold.

In:  an incident's explanation, the network of causes, stream time; later the alarms that came.
Out: ``expected``: conditions that have not shown yet, each with a range of time and a probability.
     ``judged``: the predictions made before, each marked hit, miss or unknown once that is clear.
Pure. A prediction is made once: by the first revision that expects a condition; later ones may sharpen what
people see, and are not judged again until it has come or its time has passed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from schemas.alarms import Alarm
from schemas.incidents import Expected, Foretold, IncidentRevision, Outcome
from schemas.times import HOUR, MINUTE
from streams.causes import base
from streams.explain import Explanation
from streams.network import Cone, Network, Node, Way

EXPECTED_MAX = 100
"""A storm reaches a hundred assets and more; the likeliest are told."""
EXPECTED_MIN = 0.2
"""Consequences less probable than this are not told."""
FORETOLD_MAX = 256
"""Predictions of one incident that are kept; the oldest go first."""
SLACK = 5 * MINUTE
"""How long after the end of its range a consequence may still begin: sensors report every few minutes."""
SURE = 12 * HOUR
"""So long after its onset an alarm can't be retracted any more, and may be forgotten."""

Stretch = tuple[int, int | None]
"""From when to when a condition stood; None while it does."""


def expected(network: Network, explanation: Explanation, now: int) -> list[Expected]:
    """What may still come: noisy-OR over the ways from all that stands, and from a root that no sensor shows,
    by its probability. A way whose window has partly passed without the effect is less likely by that part.
    """
    latest = max(now, *(t for e in explanation.episodes for t in (e.onset, e.until or 0)))
    missed: dict[Node, float] = {}
    windows: dict[Node, tuple[int, int]] = {}
    for node, way, since, sure in ahead(network.expected_of, explanation, latest):
        passed = way.strength * _share_passed(way, latest - since)
        start, end = max(since + way.lag_min, latest), since + way.lag_max
        missed[node] = missed.get(node, 1.0) * (1 - sure * (way.strength - passed) / (1 - passed))
        first, last = windows.get(node, (start, end))
        windows[node] = min(first, start), max(last, end)
    ranked = sorted(missed, key=lambda node: (missed[node], node))
    return [
        Expected(
            asset=node.asset,
            condition=node.condition,
            start=windows[node][0],
            end=windows[node][1],
            probability=round(1 - missed[node], 3),
            watched=network.limited(node),
        )
        for node in ranked[:EXPECTED_MAX]
        if 1 - missed[node] >= EXPECTED_MIN
    ]


def ahead(
    reached: Callable[[Node], Cone], explanation: Explanation, now: int
) -> Iterator[tuple[Node, Way, int, float]]:
    """What may come of what had begun by ``now`` and stood then: the node, the way to it, since when that
    runs, and how sure its beginning is.

    Of assets that are not in trouble yet: a dead pump's low flow is no news. What has been, and is over, does
    not come again. A way through a node in trouble is counted from that node.
    """
    known = [episode for episode in explanation.episodes if episode.onset <= now]
    standing = [episode for episode in known if episode.until is None or episode.until > now]
    sources = [(episode.node, episode.onset, 1.0) for episode in standing]
    root = explanation.root
    if root.hidden and standing:
        sources.append((root.node, root.since, explanation.probability))
    been = {episode.node for episode in known}
    shown = {node.asset for node, _, _ in sources}
    for source, since, sure in sources:
        for (node, _), way in reached(source).items():
            fresh = node not in been and node.asset not in shown and been.isdisjoint(way.nodes[1:-1])
            if fresh and since + way.lag_max > now:
                yield node, way, since, sure


def _share_passed(way: Way, waited: int) -> float:
    """How much of its effects would have come by now: none before the least lag, half at the usual one."""
    if waited <= way.lag_min:
        return 0.0
    if waited < way.lag_usual:
        return 0.5 * (waited - way.lag_min) / (way.lag_usual - way.lag_min)
    return 0.5 + 0.5 * min((waited - way.lag_usual) / max(way.lag_max - way.lag_usual, 1), 1.0)


# --- what came of it ------------------------------------------------------------------------------------


def stretches(alarms: Iterable[Alarm]) -> dict[Node, list[Stretch]]:
    """When each condition stood. A sign that is short of an alarm is not what was foretold."""
    found: dict[Node, list[Stretch]] = defaultdict(list)
    for alarm in sorted(alarms, key=lambda alarm: alarm.raised):
        found[Node(alarm.asset, base(alarm.condition))].append((alarm.raised, alarm.cleared))
    return found


def stood(stretches: Iterable[Stretch], at: int) -> bool:
    """Whether a condition stood already: then there was nothing to foretell."""
    return any(began <= at and (ended is None or at < ended) for began, ended in stretches)


def came(told: int, start: int, end: int, stretches: Iterable[Stretch]) -> int | None:
    """When a condition began that was foretold at ``told`` for the time from ``start`` to ``end``; else None.

    ``stretches`` are in order of time.
    """
    return next(
        (began for began, _ in stretches if told < began and start <= began <= end + SLACK),
        None,
    )


def foretell(*known: Iterable[Foretold]) -> list[Foretold]:
    """Predictions put together: one of a condition that is foretold already is not made again.

    Of two that were told at once, by two sides of a border, the surer one is kept, whichever comes first.
    """
    kept: list[Foretold] = []
    last: dict[tuple[str, str], Foretold] = {}
    for one in sorted(chain(*known), key=_rank):
        before = last.get((one.asset, one.condition))
        if before is None or one.told > (before.end + SLACK if before.came is None else before.came):
            last[one.asset, one.condition] = one
            kept.append(one)
    return kept[-FORETOLD_MAX:]


def _rank(one: Foretold) -> tuple[int, str, str, float, int, int]:
    return one.told, one.asset, one.condition, -one.probability, one.start, one.end


def predictions(revision: IncidentRevision) -> list[Foretold]:
    """What a revision expects, as predictions made by it; those that a sensor can judge."""
    return [Foretold(**dict(one), told=revision.known_at) for one in revision.expected if one.watched]


def judged(
    known: Iterable[Foretold],
    standing: Mapping[Node, Sequence[Stretch]],
    watched: Callable[[Node], bool],
    now: int,
    *,
    closed: bool,
) -> list[Foretold]:
    """The predictions with what has come of them by ``now``. Those of a ``closed`` incident wait no longer.

    A miss needs a healthy sensor that would have shown it; without one nobody knows. What turns out to have
    stood already was no prediction.
    """
    found = []
    for one in known:
        node = Node(one.asset, one.condition)
        if one.came is not None and now - one.came >= SURE:
            found.append(one)
        elif not stood(standing.get(node, ()), one.told):
            moment = came(one.told, one.start, one.end, standing.get(node, ()))
            over = closed or now > one.end + SLACK
            found.append(_marked(one, moment, over=over, seen=watched(node)))
    return found


def _marked(one: Foretold, moment: int | None, *, over: bool, seen: bool) -> Foretold:
    outcome: Outcome | None = None
    if moment is not None:
        outcome = "hit"
    elif one.outcome in ("miss", "unknown"):
        outcome = one.outcome
    elif over:
        outcome = "miss" if seen else "unknown"
    if (outcome, moment) == (one.outcome, one.came):
        return one
    return one.model_copy(update={"outcome": outcome, "came": moment})
