"""What people were told of one incident, and what they answered. State only; ``alerts.desk`` acts on it."""

from dataclasses import asdict, dataclass, field
from typing import Any

from schemas.alarms import Severity
from schemas.incidents import IncidentRevision
from schemas.notifications import Stage


@dataclass(slots=True)
class Told:
    """Somebody who was told, and is owed an all-clear."""

    key: str
    """The name of the thread under which it was told."""
    said_at: int
    remind: int | None = None
    escalate: str | None = None


@dataclass(slots=True)
class Answered:
    """Somebody has it in hand."""

    by: str
    at: int
    answer: str


@dataclass(slots=True)
class Over:
    """Resolved by hand: as it was then. It is news again only when it is worse."""

    severity: str
    root: str
    utilities: list[str]


@dataclass(slots=True)
class Thread:
    """What people were told of one incident; ``sent`` counts its messages."""

    first: str
    """The incident's id when the thread began; with ``known_at`` the thread's own name."""
    known_at: int
    sent: int = 0
    rounds: int = 0
    """How often it was resolved by hand and came back."""
    severity: str = Severity.INFO
    root: str = ""
    utilities: list[str] = field(default_factory=list)
    said_at: int = 0
    """When something new was last said."""
    told: dict[str, Told] = field(default_factory=dict)
    """Who is owed an all-clear."""
    waiting: bool = True
    """Whether somebody is still to be told, now or when what holds it back is over."""
    began: dict[str, int] = field(default_factory=dict)
    """Escalations, and when each began."""
    steps: dict[str, int] = field(default_factory=dict)
    """Steps of each that are done."""
    answered: Answered | None = None
    shelved: int = 0
    """Until when (ms); 0 where it is not."""
    over: Over | None = None
    names: list[str] = field(default_factory=list)
    """Every id the incident has had."""
    noted: dict[str, str] = field(default_factory=dict)
    """The newest decision of each stage, so that each is told once."""
    held: Stage | None = None
    """The stage that held something new back last; None where none did."""
    due: int = 0
    """Before then there is nothing to do, unless the incident is revised."""

    def news(self, revision: IncidentRevision, now: int, calm: int) -> str | None:
        """What of a revision those who were told have to hear, or None."""
        if revision.severity.rank > Severity(self.severity).rank:
            return f"it is {revision.severity} now"
        if root_of(revision) != self.root and now >= self.said_at + calm:
            return "its probable cause is another"
        if new := sorted(set(revision.utilities) - set(self.utilities)):
            return f"it reaches {', '.join(new)}"
        return None

    def is_worse(self, revision: IncidentRevision) -> bool:
        """Whether an incident that was resolved by hand is news again."""
        over = self.over
        return over is None or (
            revision.severity.rank > Severity(over.severity).rank
            or root_of(revision) != over.root
            or not set(revision.utilities) <= set(over.utilities)
        )

    def note(self, revision: IncidentRevision, now: int) -> None:
        """People have been told how the incident stands."""
        self.said_at = now
        self.severity = revision.severity
        self.root = root_of(revision)
        self.utilities = sorted({*self.utilities, *revision.utilities})

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON."""
        return asdict(self)


def restored(state: dict[str, Any]) -> Thread:
    """A thread from its snapshot."""
    thread = Thread(**state)
    thread.told = {to: Told(**told) for to, told in state["told"].items()}
    thread.answered = Answered(**state["answered"]) if state["answered"] else None
    thread.over = Over(**state["over"]) if state["over"] else None
    return thread


def root_of(revision: IncidentRevision) -> str:
    """``feeder-7 dead``."""
    return f"{revision.root.asset} {revision.root.condition}"
