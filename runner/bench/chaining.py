"""Alarms near each other, chained into incidents as they become known.

In:  alarms, what is near, and which member of an incident is its root.
Out: ``Outputs``: the incidents, and a revision each time that one of them changed.
Pure. An alarm joins every incident that holds an alarm near it, and so merges them: DBSCAN with one point to
a cluster (M. Ester and others, KDD 1996), which is the rule of OpenNMS ALEC. In the end the incidents do not
depend on the order of the alarms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from runner.bench.arrivals import Arrival
from runner.outputs import Outputs, SeenAlarm, SeenIncident, SeenMember, SeenRevision, SeenRoot

Near = Callable[[Arrival, Arrival], bool]
Rooter = Callable[[Sequence[Arrival]], Arrival]
"""Which of an incident's alarms it calls the root; they come in the order of onset, then of asset."""


@dataclass(slots=True, eq=False)
class _Group:
    """Alarms that were chained so far; ``told`` counts its revisions."""

    id: str
    alarms: list[Arrival] = field(default_factory=list)
    told: int = 0


def chain(alarms: Sequence[Arrival], near: Near, root: Rooter) -> Outputs:
    """Chain the alarms as they become known; those known at one moment make one revision."""
    groups: list[_Group] = []
    revisions: list[SeenRevision] = []
    for now, batch in groupby(sorted(alarms, key=lambda a: (a.known, *_onset(a))), lambda alarm: alarm.known):
        touched: dict[_Group, list[_Group]] = {}  # with the groups that went into each
        for alarm in batch:
            hit = [group for group in groups if any(near(alarm, other) for other in group.alarms)]
            home = hit[0] if hit else _Group(f"{alarm.asset}/{alarm.condition}/{alarm.raised}")
            if not hit:
                groups.append(home)
            gone = [other for group in hit[1:] for other in (group, *touched.pop(group, []))]
            touched.setdefault(home, []).extend(gone)
            home.alarms = sorted(
                [alarm, *home.alarms, *(a for group in hit[1:] for a in group.alarms)], key=_onset
            )
            groups = [group for group in groups if group not in hit[1:]]
        for home, merged in touched.items():
            known = [group for group in merged if group.told]
            revisions += (_revision(group, now, root, into=home) for group in known)
            revisions.append(_revision(home, now, root, took=known))
    return Outputs(
        alarms=[
            SeenAlarm(asset=a.asset, condition=a.condition, raised=a.raised, cleared=a.cleared)
            for a in alarms
        ],
        incidents=[SeenIncident(id=group.id, **_stands(group.alarms, root, None)) for group in groups],
        revisions=revisions,
    )


def _onset(alarm: Arrival) -> tuple[int, str, str]:
    return alarm.raised, alarm.asset, alarm.condition


def _revision(
    group: _Group, now: int, root: Rooter, took: Sequence[_Group] = (), into: _Group | None = None
) -> SeenRevision:
    """How a group stands now: it took others over, went ``into`` another, or neither."""
    group.told += 1
    change = "replaced" if into else "merged" if took else "more" if group.told > 1 else "opened"
    return SeenRevision(
        id=group.id,
        revision=group.told,
        known_at=now,
        change=change,
        replaces=tuple(other.id for other in took),
        replaced_by=into.id if into else None,
        **_stands(group.alarms, root, now),
    )


def _stands(alarms: Sequence[Arrival], root: Rooter, now: int | None) -> dict[str, Any]:
    """The fields of an incident as far as they were known ``now``, or in the end."""
    until = [
        a.cleared if a.cleared is not None and (now is None or a.cleared <= now) else None for a in alarms
    ]
    return {
        "opened": alarms[0].raised,
        "closed": None if None in until else max(end for end in until if end is not None),
        "root": SeenRoot(asset=root(alarms).asset),
        "members": tuple(
            SeenMember(asset=a.asset, condition=a.condition, since=a.raised, until=end)
            for a, end in zip(alarms, until, strict=True)
        ),
    }
