"""What stands to what is told: revisions, each with its reason.

In:  incidents as they stand now, each with its alarms.
Out: a revision for each that is new, other, or gone, numbered, with the ids that it replaces and what came of
     the predictions of those before.
Promises: what did not change in a way that matters is not told again.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from schemas.alarms import Alarm
from schemas.incidents import Foretold, Incident, IncidentMove, IncidentRevision
from streams import consequences
from streams.network import Node


class Live(NamedTuple):
    """An incident as last told, the ids of its alarms, and its predictions as they are judged by now."""

    revision: IncidentRevision
    alarms: frozenset[str]
    foretold: list[Foretold]


Standing = Mapping[str, tuple[Incident, frozenset[str]]]
"""Incidents by id, with the ids of their alarms."""


class Teller:
    """The incidents that were told, and stand."""

    def __init__(self) -> None:
        self.live: dict[str, Live] = {}

    def judge(
        self, alarms: Iterable[Alarm], watched: Callable[[Node], bool], now: int, standing: Standing
    ) -> None:
        """What has come of the predictions by now; an incident that has closed waits for none."""
        stretches = consequences.stretches(alarms)
        for id_, live in self.live.items():
            closed = id_ in standing and standing[id_][0].closed is not None
            foretold = consequences.judged(live.foretold, stretches, watched, now, closed=closed)
            self.live[id_] = live._replace(foretold=foretold)

    def tell(
        self,
        standing: Standing,
        now: int,
        of: Iterable[str],
        judged: Mapping[str, list[Foretold]] | None = None,
    ) -> list[IncidentRevision]:
        """Tell what is different from what was told; ids that are gone first.

        ``of``: the ids that were looked at again, beside those that stand; others stay as they are.
        ``judged``: predictions of what stands, where others make and judge them. Then whatever differs is
        told: what was told last is what stands, in whatever order it came.
        """
        looked_at = list(of)
        told_before = [self.live[id_].alarms for id_ in looked_at if id_ in self.live]
        gone = {id_: self.live[id_] for id_ in looked_at if id_ in self.live and id_ not in standing}
        heirs = {id_: _heir(live.alarms, standing) for id_, live in gone.items()}
        revisions = []
        for id_, live in sorted(gone.items()):
            heir = heirs[id_]
            last = live.revision
            revisions.append(
                last.model_copy(
                    update={
                        "revision": last.revision + 1,
                        "known_at": now,
                        "change": "retracted" if heir is None else "replaced",
                        "replaces": [],
                        "replaced_by": heir,
                        "expected": [],
                        "foretold": live.foretold,
                    }
                )
            )
            del self.live[id_]
        for id_, (incident, alarms) in standing.items():
            replaces = sorted(old for old, heir in heirs.items() if heir == id_)
            known = self.live.get(id_)
            change: IncidentMove | None
            if known is None:
                change = _entrance(alarms, replaces, told_before)
            else:
                change = _change(known, incident, alarms, replaces)
                if change is None and judged is not None and _differs(known, incident, judged[id_]):
                    change = "retimed"
            if change is None:
                continue
            number = known.revision.revision + 1 if known else 1
            if judged is None:
                made_before = known.foretold if known else []
                foretold = consequences.foretell(made_before, *(gone[old].foretold for old in replaces))
            else:
                foretold = judged[id_]
            revision = IncidentRevision(
                **dict(incident),
                revision=number,
                known_at=now,
                change=change,
                replaces=replaces,
                foretold=foretold,
            )
            made = consequences.predictions(revision) if judged is None else []
            self.live[id_] = Live(revision, alarms, consequences.foretell(foretold, made))
            revisions.append(revision)
        return revisions


def _differs(known: Live, incident: Incident, foretold: list[Foretold]) -> bool:
    return plain(known.revision) != incident or known.revision.foretold != foretold


def plain(incident: Incident) -> Incident:
    """The incident in a revision: what stands, not how it came to stand."""
    return Incident.model_construct(**{name: getattr(incident, name) for name in Incident.model_fields})


def _entrance(alarms: frozenset[str], replaces: list[str], before: list[frozenset[str]]) -> IncidentMove:
    """Why an incident of this id was not there before."""
    if replaces:
        return "merged" if len(replaces) > 1 else "retimed"
    return "split" if any(alarms & told for told in before) else "opened"


def _change(
    known: Live, incident: Incident, alarms: frozenset[str], replaces: list[str]
) -> IncidentMove | None:
    """Why this incident is told anew; None where nothing that matters changed."""
    last = known.revision
    same_root = (incident.root.asset, incident.root.condition) == (last.root.asset, last.root.condition)
    checks: tuple[tuple[IncidentMove, bool], ...] = (
        ("merged", bool(replaces)),
        ("new root", not same_root),
        ("closed", incident.closed is not None and last.closed is None),
        ("reopened", incident.closed is None and last.closed is not None),
        ("more", not alarms <= known.alarms),
        ("split", not known.alarms <= alarms),
        ("cleared", incident.members != last.members or incident.closed != last.closed),
        ("retimed", incident.root.since != last.root.since or incident.chain != last.chain),
    )
    return next((change for change, is_so in checks if is_so), None)


def _heir(alarms: frozenset[str], standing: Standing) -> str | None:
    """The incident that has most of these alarms now."""
    shares = {id_: len(alarms & now) for id_, (_, now) in standing.items() if alarms & now}
    return min(shares, key=lambda id_: (-shares[id_], id_)) if shares else None
