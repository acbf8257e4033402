"""What one version says of one day, as a replay wrote it, and what is said of the difference to another.

In:  a replay's folder.
Out: ``Told``; the words of a report: ``Difference``, ``DayDiff``, ``Report``.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from runner.outputs import Outputs, SeenNotification, load_notifications, load_outputs
from schemas.times import Time

What = Literal["page", "incident", "alarm"]
Move = Literal["new", "lost", "earlier", "later", "re-rooted", "re-grouped", "changed"]
WHATS: tuple[What, ...] = ("page", "incident", "alarm")
"""In the order in which a report tells them: first what wakes people."""
MOVES: tuple[Move, ...] = ("new", "lost", "earlier", "later", "re-rooted", "re-grouped", "changed")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Difference(_Part):
    """One thing that is not as it was."""

    what: What
    move: Move
    subject: str
    """Asset and condition (an incident: of its root); a page: its kind, whom it went to, and the root."""
    at: Time
    """When it happened, in event time: before the change for what is lost, else after it."""
    before: str | None = None
    after: str | None = None
    """Both in words; None where it is not there."""
    seconds: float | None = None
    """How much later (below 0: earlier)."""
    reasons: tuple[str, ...] = ()


class Span(_Part):
    """An incident on a time line."""

    root: str
    opened: Time
    closed: Time | None


class Side(_Part):
    """What one version says of a day, in figures."""

    alarms: int
    incidents: tuple[Span, ...]
    pages: int


class DayDiff(_Part):
    """One day under both versions."""

    day: str
    city: str
    timezone: str
    before: Side
    after: Side
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


class LeftOut(_Part):
    """A day that could not be compared."""

    day: str
    why: str


class Report(_Part):
    """All days under both versions."""

    a: str
    b: str
    changes: tuple[str, ...]
    """What differs between the versions, in words."""
    days: tuple[DayDiff, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def counts(self) -> Mapping[tuple[What, Move], int]:
        """Differences of all days by what they are of, and what happened."""
        return Counter((one.what, one.move) for day in self.days for one in day.differences)

    @property
    def differs(self) -> bool:
        """Whether anything is not as it was."""
        return any(day.differences for day in self.days)


@dataclass(frozen=True, slots=True)
class Told:
    """What one version says of a day."""

    outputs: Outputs
    pages: list[SeenNotification]

    @property
    def side(self) -> Side:
        """In figures."""
        return Side(
            alarms=len(self.outputs.alarms),
            incidents=tuple(
                Span(root=one.root.words, opened=one.opened, closed=one.closed)
                for one in self.outputs.incidents
            ),
            pages=len(self.pages),
        )


def load_told(folder: Path) -> Told:
    """Read a replay's folder. Raises BadInput where a file is missing or a line is broken."""
    return Told(load_outputs(folder), load_notifications(folder))
