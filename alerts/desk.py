"""One thread of messages for each incident: told once, updated when it matters, resolved once.

In:  incident revisions, and stream time as it moves.
Out: notifications, each with its reason.
Promises: an incident is told after a settle time, so that people hear one root and not three guesses; each
thread that was opened gets exactly one ``resolved``, also when its incident goes into another or turns out
not to have been; ids follow from content, so sending twice is seen to be once.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from schemas.alarms import Severity, content_id
from schemas.incidents import IncidentRevision
from schemas.notifications import Notification
from schemas.times import MINUTE

SETTLE = 2 * MINUTE
"""How long an incident must be known before people are told."""
CALM = 10 * MINUTE
"""How long people have had one probable cause before they are told another, if it still is one then."""
TO = "on-call"
"""Everybody, until there are routes."""

Kind = Literal["opened", "updated", "resolved"]


@dataclass(slots=True)
class Thread:
    """What people were told of one incident; ``sent`` counts its messages."""

    first: str
    """The incident's id when the thread began; with ``known_at`` the thread's own name."""
    known_at: int
    sent: int = 0
    severity: str = Severity.INFO
    root: str = ""
    utilities: list[str] = field(default_factory=list)
    said_at: int = 0
    """When the newest message was sent."""


class Desk:
    """The threads that are not resolved yet."""

    def __init__(self) -> None:
        self._threads: dict[str, Thread] = {}
        """By the incident's present id."""
        self._newest: dict[str, IncidentRevision] = {}

    def take(self, revision: IncidentRevision) -> list[Notification]:
        """One revision: what must be said at once, an all-clear; the rest is said by ``look``."""
        if revision.change == "replaced":
            return self._hand_over(revision)
        if revision.change == "retracted":
            return self._resolve(revision, "late data shows that it never was")
        if revision.closed is not None:
            return self._resolve(revision, "all its alarms have cleared and stayed clear")
        self._newest[revision.id] = revision
        self._threads.setdefault(revision.id, Thread(revision.id, revision.known_at))
        return []

    def look(self, now: int) -> list[Notification]:
        """Stream time is ``now``: what people should hear."""
        said = []
        for id_, revision in self._newest.items():
            thread = self._threads[id_]
            if now >= thread.known_at + SETTLE and (reason := _reason(thread, revision, now)):
                said.append(self._say(thread, revision, "updated" if thread.sent else "opened", now, reason))
        return said

    def _hand_over(self, revision: IncidentRevision) -> list[Notification]:
        """The incident goes on under another id: its thread goes along, or ends where there is one."""
        heir = revision.replaced_by or ""
        self._newest.pop(revision.id, None)
        thread = self._threads.pop(revision.id, None)
        if thread is None:
            return []
        there = self._threads.get(heir)
        if there is None or (thread.sent and not there.sent):
            self._threads[heir] = thread
            return []
        if not thread.sent:
            return []
        reason = f"it is part of incident {heir}"
        return [self._say(thread, revision, "resolved", revision.known_at, reason)]

    def _resolve(self, revision: IncidentRevision, reason: str) -> list[Notification]:
        self._newest.pop(revision.id, None)
        thread = self._threads.pop(revision.id, None)
        if thread is None or not thread.sent:
            return []
        return [self._say(thread, revision, "resolved", revision.known_at, reason)]

    def _say(
        self, thread: Thread, revision: IncidentRevision, kind: Kind, at: int, reason: str
    ) -> Notification:
        thread.sent += 1
        thread.said_at = at
        thread.severity = revision.severity
        thread.root = _root(revision)
        thread.utilities = sorted({*thread.utilities, *revision.utilities})
        return Notification(
            id=content_id("notification", thread.first, thread.known_at, thread.sent, kind),
            incident=revision.id,
            kind=kind,
            at=at,
            to=TO,
            reason=reason,
            text=f"All clear: {revision.summary}" if kind == "resolved" else _text(revision),
        )

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON."""
        return {
            "threads": {id_: asdict(thread) for id_, thread in self._threads.items()},
            "newest": [revision.model_dump(mode="json") for revision in self._newest.values()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._threads = {id_: Thread(**thread) for id_, thread in state["threads"].items()}
        newest = [IncidentRevision.model_validate(revision) for revision in state["newest"]]
        self._newest = {revision.id: revision for revision in newest}


def _reason(thread: Thread, revision: IncidentRevision, now: int) -> str | None:
    """Why people should hear about this now, or None."""
    if not thread.sent:
        return "a new incident" if revision.severity is not Severity.INFO else None
    if revision.severity.rank > Severity(thread.severity).rank:
        return f"it is {revision.severity} now"
    if _root(revision) != thread.root and now >= thread.said_at + CALM:
        return "its probable cause is another"
    if new := sorted(set(revision.utilities) - set(thread.utilities)):
        return f"it reaches {', '.join(new)}"
    return None


def _root(revision: IncidentRevision) -> str:
    return f"{revision.root.asset} {revision.root.condition}"


def _text(revision: IncidentRevision) -> str:
    """What a phone shows: severity, what and why, what is next."""
    lines = [f"[{revision.severity}] {revision.summary}"]
    lines.append(f"Probable cause: {_root(revision)} ({revision.root.probability:.0%}).")
    lines += revision.explanation[-1:]
    if revision.expected:
        likely = revision.expected[0]
        lines.append(f"Expected next: {likely.asset} {likely.condition} ({likely.probability:.0%}).")
    return "\n".join(lines)
