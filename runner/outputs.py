"""What a replay left in its folder, as far as a score or a diff needs it.

In:  the folder's ``alarms.jsonl``, ``incidents.jsonl`` and ``revisions.jsonl`` (DESIGN: "Files that
     outsiders make"), and ``notifications.jsonl``. Only the fields of that contract which the score uses are
     asked for, so the outputs of other correlators can be scored as well; the others may be absent.
Out: ``Outputs``, or ``BadInput`` that names every broken line (up to a bound) by file and number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runner.labels import BadInput, complaints
from schemas.times import Time

FAULTS_TOLD_MAX = 10
"""Broken lines that one error lists; a file of another kind would be wrong on every line."""


class _Open(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class SeenAlarm(_Open):
    """One line of ``alarms.jsonl``."""

    asset: str
    condition: str
    raised: Time
    cleared: Time | None = None
    severity: str = ""
    sensor: str | None = None


class SeenRoot(_Open):
    """A cause that the correlator named."""

    asset: str
    condition: str = ""
    probability: float | None = None

    @property
    def words(self) -> str:
        """Asset and condition."""
        return f"{self.asset} {self.condition}".strip()


class SeenMember(_Open):
    """One alarm of an incident."""

    asset: str
    condition: str
    since: Time
    until: Time | None = None


class SeenExpected(_Open):
    """A consequence foreseen: when (from, to), how sure, and whether a sensor would show it."""

    asset: str
    condition: str
    start: Time = Field(alias="from")
    end: Time = Field(alias="to")
    probability: float = Field(ge=0, le=1)
    watched: bool = True


class SeenStep(_Open):
    """One link of an explanation: the rule that it goes by."""

    rule: str


class SeenIncident(_Open):
    """One line of ``incidents.jsonl``."""

    id: str
    opened: Time
    closed: Time | None = None
    severity: str = ""
    root: SeenRoot
    alternatives: tuple[SeenRoot, ...] = ()
    members: tuple[SeenMember, ...]
    expected: tuple[SeenExpected, ...] = ()
    chain: tuple[SeenStep, ...] = ()

    @property
    def assets(self) -> frozenset[str]:
        """What the incident is about: its root, and the assets whose alarms it holds."""
        return frozenset([self.root.asset, *(member.asset for member in self.members)])


class SeenRevision(SeenIncident):
    """One line of ``revisions.jsonl``; ``known_at`` is stream time."""

    revision: int
    known_at: Time
    change: str
    replaces: tuple[str, ...] = ()
    replaced_by: str | None = None

    @property
    def stands(self) -> bool:
        """Whether it says what is believed, rather than that its id is given up."""
        return self.replaced_by is None and self.change not in {"replaced", "retracted"}


class SeenNotification(_Open):
    """One line of ``notifications.jsonl``."""

    incident: str
    kind: str
    at: Time
    to: str = ""
    reason: str = ""
    text: str = ""


Line = TypeVar("Line", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the score looks at."""

    alarms: list[SeenAlarm]
    incidents: list[SeenIncident]
    revisions: list[SeenRevision]


def load_outputs(folder: Path) -> Outputs:
    """Read a replay's folder. Raises BadInput where a file is missing or a line is broken."""
    return Outputs(
        alarms=_lines(folder / "alarms.jsonl", SeenAlarm),
        incidents=_lines(folder / "incidents.jsonl", SeenIncident),
        revisions=_lines(folder / "revisions.jsonl", SeenRevision),
    )


def load_notifications(folder: Path) -> list[SeenNotification]:
    """What people were sent in a replay. Raises BadInput as ``load_outputs`` does."""
    return _lines(folder / "notifications.jsonl", SeenNotification)


def _lines(path: Path, model: type[Line]) -> list[Line]:
    """Every line of a file as ``model``; empty lines are passed over."""
    if not path.is_file():
        raise BadInput(
            f"{path}: no such file; expected the folder that 'crosscurrent replay --out' wrote, "
            "nothing was scored"
        )
    read: list[Line] = []
    told = list(islice(_faults(path, model, read), FAULTS_TOLD_MAX))
    if told:
        raise BadInput("\n".join(["lines that can't be read; nothing was scored:", *told]))
    return read


def _faults(path: Path, model: type[Line], into: list[Line]) -> Iterator[str]:
    """The broken lines of a file, as words; the good ones go ``into`` the list."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                if line.strip():
                    into.append(model.model_validate_json(line))
            except ValidationError as error:
                yield f"{path}:{number}: {complaints(error)}"
