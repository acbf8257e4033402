"""Which incident is about which true one, and since when that was known.

In:  incidents and revisions of a replay, true incidents.
Out: matches, and moments of stream time.
Pure. docs/scoring.md has the rules in words.
"""

from collections import defaultdict
from collections.abc import Iterable

from runner.labels import FOREVER, TrueIncident
from runner.outputs import SeenIncident, SeenRevision


def cause_of(seen: SeenIncident, truths: Iterable[TrueIncident]) -> TrueIncident | None:
    """The one true incident that ``seen`` is about: by root among those near in time, else by assets shared.

    Where several fit, the one that shares most assets, then the first in the labels. None for a false
    incident.
    """
    near = [truth for truth in truths if overlap(seen, truth)]
    by_root = [truth for truth in near if seen.root.asset in truth.roots]
    by_assets = [truth for truth in near if seen.assets & truth.assets]
    return max(by_root or by_assets, key=lambda truth: len(seen.assets & truth.assets), default=None)


def overlap(seen: SeenIncident, truth: TrueIncident) -> bool:
    """Whether an incident stood while things that belong to the truth may begin."""
    first, last = truth.span
    return seen.opened <= last and first <= (FOREVER if seen.closed is None else seen.closed)


class History:
    """How the incidents came about: each id's standing revisions, and the ids that went into it."""

    def __init__(self, revisions: Iterable[SeenRevision]) -> None:
        self._own: dict[str, list[SeenRevision]] = defaultdict(list)
        self._before: dict[str, set[str]] = defaultdict(set)
        for revision in sorted(revisions, key=lambda revision: (revision.known_at, revision.revision)):
            self._before[revision.id] |= set(revision.replaces)
            if revision.replaced_by:
                self._before[revision.replaced_by].add(revision.id)
            if revision.stands:
                self._own[revision.id].append(revision)

    def told_since(self, name: str) -> int | None:
        """When it was first told of, under this id or any that went into it."""
        told = (one.known_at for part in self.lineage(name) for one in self._own[part])
        return min(told, default=None)

    def known_since(self, name: str, truth: TrueIncident) -> int | None:
        """The first revision that matches the truth, of this id or of any that went into it."""
        lineage = [revision for part in self.lineage(name) for revision in self._own[part]]
        return min((revision.known_at for revision in lineage if cause_of(revision, [truth])), default=None)

    def right_since(self, name: str, truth: TrueIncident, passed: frozenset[str] = frozenset()) -> int | None:
        """When the root became right for good: the first revision after the last wrong one.

        Where ids merged, along the best of them: one that was right all the time was not made wrong by
        another that went into it.
        """
        since = None
        for revision in reversed(self._own[name]):
            if revision.root.asset not in truth.roots:
                return since
            since = revision.known_at
        passed |= {name}
        before = (self.right_since(other, truth, passed) for other in self._before[name] - passed)
        return min((at for at in (since, *before) if at is not None), default=None)

    def lineage(self, name: str) -> set[str]:
        """The id and every id that went into it, at any remove; an id may come back, so rings are cut."""
        found, left = set[str](), {name}
        while left:
            found |= left
            left = {before for part in left for before in self._before[part]} - found
        return found
