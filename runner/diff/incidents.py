"""Two tellings of the incidents of one day, and of the pages about them.

In:  ``Told`` before and after, the differences of alarms, what changed between the versions.
Out: differences of incidents and pages, with reasons. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from runner.diff.changes import Changes
from runner.diff.pairing import FOREVER, PAIR_WITHIN, Clock, by, difference, moved, paired, told_of
from runner.diff.told import Difference, Move, Told
from runner.matching import History
from runner.outputs import SeenIncident, SeenNotification

REASONS_MAX = 4

Condition = tuple[str, str]
"""Asset and condition."""


class Incidents:
    """The incidents of both sides, paired; what differs, and the pages about them."""

    def __init__(
        self, before: Told, after: Told, alarms: Sequence[Difference], changes: Changes, clock: Clock
    ) -> None:
        self._before, self._after = before, after
        self._histories = History(before.outputs.revisions), History(after.outputs.revisions)
        self._pairs = paired(before.outputs.incidents, after.outputs.incidents, _incident_distance)
        self._alarms = by(alarms, lambda one: one.subject)
        self._homes = _homes(before.outputs.incidents), _homes(after.outputs.incidents)
        self._changes, self._clock = changes, clock
        self._why: dict[str, list[str]] = defaultdict(list)
        """By id of the later side, or of the earlier where it is gone: what its pages' changes come of."""

    def differences(self) -> Iterator[Difference]:
        """What differs of incidents."""
        for one in self._pairs.lost:
            reasons = [*self._gone_or_come(one, self._homes[1], "now in"), *self._rules(one)]
            self._why[one.id].append("its incident is lost")
            yield self._told("lost", one, None, reasons)
        for one in self._pairs.new:
            reasons = [*self._gone_or_come(one, self._homes[0], "before in"), *self._rules(one)]
            self._why[one.id].append("its incident is new")
            yield self._told("new", None, one, reasons)
        for one, other in self._pairs.both:
            for found in self._between(one, other):
                self._why[other.id].append(f"its incident is {moved(found)}")
                yield found

    def _between(self, one: SeenIncident, other: SeenIncident) -> Iterator[Difference]:
        members = self._member_reasons(one, other)
        reasons = [*members, *self._rules(one, other)]
        since, now_since = self._since(0, one), self._since(1, other)
        if one.root.words != other.root.words:
            yield self._told("re-rooted", one, other, reasons)
        if _members(one) != _members(other):
            yield self._told("re-grouped", one, other, reasons)
        if since != now_since:
            yield self._told("earlier" if now_since < since else "later", one, other, reasons)
        elif (one.closed, one.severity) != (other.closed, other.severity):
            yield self._told("changed", one, other, reasons)

    def _since(self, side: int, one: SeenIncident) -> int:
        """Stream time at which it was first told; its onset where no revision says."""
        told = self._histories[side].told_since(one.id)
        return one.opened if told is None else told

    def _told(
        self, move: Move, one: SeenIncident | None, other: SeenIncident | None, reasons: Iterable[str]
    ) -> Difference:
        here = other or one
        assert here is not None, "one of the two sides is there"
        sides = [
            None if incident is None else (self._since(side, incident), self._words(move, side, incident))
            for side, incident in enumerate((one, other))
        ]
        return difference("incident", move, here.root.words, sides[0], sides[1], reasons)

    def _words(self, move: Move, side: int, one: SeenIncident) -> str:
        match move:
            case "re-rooted":
                sure = f" ({one.root.probability:.0%})" if one.root.probability is not None else ""
                return f"{one.root.words}{sure}"
            case "re-grouped":
                return f"{len(_members(one))} members"
            case "earlier" | "later":
                return f"told {self._clock(self._since(side, one))}"
            case _:
                until = self._clock(one.closed) if one.closed is not None else "the end"
                members = f"{len(_members(one))} members"
                return f"{self._clock(one.opened)} to {until}, {one.severity}, {members}"

    def _member_reasons(self, one: SeenIncident, other: SeenIncident) -> Iterator[str]:
        was, is_ = _members(one), _members(other)
        for condition in sorted(is_ - was):
            yield self._reason_of(condition, "joined", self._homes[0].get(condition), "before in")
        for condition in sorted(was - is_):
            yield self._reason_of(condition, "left", self._homes[1].get(condition), "now in")
        for condition in sorted(was & is_):
            for change in self._alarms.get(" ".join(condition), [])[:1]:
                yield told_of(change)

    def _gone_or_come(
        self, one: SeenIncident, homes: Mapping[Condition, SeenIncident], where: str
    ) -> Iterator[str]:
        for condition in sorted(_members(one))[:REASONS_MAX]:
            yield self._reason_of(condition, "", homes.get(condition), where)

    def _reason_of(self, condition: Condition, did: str, home: SeenIncident | None, where: str) -> str:
        """What became of a member: its alarm changed, or it is at home elsewhere."""
        words = " ".join(condition)
        said = f"{words} {did}".strip()
        if changed := self._alarms.get(words):
            return f"{said}: {told_of(changed[0])}" if did else told_of(changed[0])
        if home is not None:
            return f"{said}: {where} the incident {home.root.words}"
        return said if did else f"{said}: the same alarm, {where} no incident"

    def _rules(self, *incidents: SeenIncident) -> list[str]:
        """Changes of what ties the incident together: rules of its chain, links and properties, the rest."""
        used = [step.rule for one in incidents for step in one.chain]
        changes = self._changes
        rules = [changes.rules[rule] for rule in dict.fromkeys(used) if rule in changes.rules]
        assets = sorted(set[str]().union(*(one.assets for one in incidents)))
        links = [changes.assets[asset] for asset in assets if asset in changes.assets]
        return [*rules, *links, *changes.others][:REASONS_MAX]

    # -- pages --

    def pages(self) -> Iterator[Difference]:
        """What differs of pages; ask after ``differences``, whose words are the reasons."""
        before, after = _pages(self._before, self._histories[0]), _pages(self._after, self._histories[1])
        for one, other in self._pairs.both:
            yield from self._between_pages(before.pop(one.id, []), after.pop(other.id, []), other.root.words)
        roots = {one.id: one.root.words for one in (*self._pairs.lost, *self._pairs.new)}
        for name in sorted({*before, *after}):  # of incidents without a partner, and of those taken back
            root = roots.get(name, "an incident that was taken back")
            yield from self._between_pages(before.get(name, []), after.get(name, []), root)

    def _between_pages(
        self, before: Sequence[SeenNotification], after: Sequence[SeenNotification], root: str
    ) -> Iterator[Difference]:
        left, right = (by(side, lambda page: (page.kind, page.to)) for side in (before, after))
        for kind, to in sorted({*left, *right}):
            pairs = paired(
                left.get((kind, to), []), right.get((kind, to), []), lambda a, b: (abs(a.at - b.at),)
            )
            subject = f"{kind} to {to}: {root}" if to else f"{kind}: {root}"
            for one in pairs.lost:
                yield self._page("lost", subject, one, None)
            for one in pairs.new:
                yield self._page("new", subject, None, one)
            for one, other in pairs.both:
                if one.at != other.at:
                    yield self._page("earlier" if other.at < one.at else "later", subject, one, other)
                elif (one.text, one.reason) != (other.text, other.reason):
                    yield self._page("changed", subject, one, other)

    def _page(
        self, move: Move, subject: str, one: SeenNotification | None, other: SeenNotification | None
    ) -> Difference:
        def words(page: SeenNotification | None) -> tuple[int, str] | None:
            if page is None:
                return None
            return page.at, f"{self._clock(page.at)} {page.text or page.reason}".strip()

        here = other or one
        assert here is not None, "one of the two sides is there"
        history = self._histories[1 if other else 0]
        about = sorted(name for name in self._why if here.incident in history.lineage(name))
        reasons = [why for name in about for why in self._why[name]] or list(self._changes.others)
        reasons += self._changes.alerts
        reasons += [f"sent because: {here.reason}"] if here.reason else []
        return difference("page", move, subject, words(one), words(other), reasons)


def _incident_distance(one: SeenIncident, other: SeenIncident) -> tuple[int, bool, int, str, str] | None:
    shared = len(_members(one) & _members(other))
    same_root = one.root.words == other.root.words
    near = one.opened - PAIR_WITHIN <= (other.closed or FOREVER) and other.opened - PAIR_WITHIN <= (
        one.closed or FOREVER
    )
    if not near or not (shared or one.root.asset == other.root.asset):
        return None
    return -shared, not same_root, abs(one.opened - other.opened), one.id, other.id


def _members(one: SeenIncident) -> frozenset[Condition]:
    return frozenset((member.asset, member.condition) for member in one.members)


def _homes(incidents: Iterable[SeenIncident]) -> dict[Condition, SeenIncident]:
    """In which incident a condition is; the first, where there are several."""
    found: dict[Condition, SeenIncident] = {}
    for one in incidents:
        for condition in _members(one):
            found.setdefault(condition, one)
    return found


def _pages(told: Told, history: History) -> dict[str, list[SeenNotification]]:
    """Pages by the incident that they ended up in."""
    became = {part: one.id for one in told.outputs.incidents for part in history.lineage(one.id)}
    return by(told.pages, lambda page: became.get(page.incident, page.incident))
