"""The truth about a recording: which physical causes there were, and what each of them brought.

In:  a labels file (DESIGN: "Files that outsiders make"); outsiders add fields of their own, which are
     allowed and kept out of the score.
Out: ``Labels``, or ``BadInput`` that says which file, which place in it, and what was expected.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import CrosscurrentError
from schemas.times import HOUR, MINUTE, Time

EARLY = 5 * MINUTE
"""How long before its cause an alarm or incident may begin and still belong to it: clocks differ."""
MARGIN = 60 * MINUTE
"""How long after the end of its cause it may begin: tanks refill and streets drain slowly."""
FOREVER = 1 << 62
"""Later than every time in any file."""


class BadInput(CrosscurrentError):
    """Something we were asked to score can't be: the text says where, what, and what was expected."""


def complaints(error: ValidationError) -> str:
    """What pydantic found wrong, on one line: place and reason, several parted by semicolons."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['msg']}" for fault in error.errors()
    )


class _Open(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Cause(_Open):
    """What truly went wrong, where and when; ``end`` is None where it outlasts the recording."""

    asset: str
    kind: str
    start: Time
    end: Time | None = None

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "Cause":
        if self.end is not None and self.end < self.start:
            raise ValueError(f"the cause at {self.asset!r} ends before it starts")
        return self


class Effect(_Open):
    """An asset that truly departed from its ordinary course because of the cause, and since when."""

    asset: str
    start: Time


class TrueIncident(_Open):
    """One cause with everything it brought."""

    id: str
    cause: Cause
    effects: tuple[Effect, ...] = ()
    also_accepted: tuple[str, ...] = ()
    """Assets that are a right answer for the root as well."""
    first_observable: Time | None = None
    """When any sensor first showed anything of it."""
    first_sensor: str | None = None
    """The sensor that did."""

    @property
    def roots(self) -> frozenset[str]:
        """Assets that are a right answer for the root."""
        return frozenset({self.cause.asset, *self.also_accepted})

    @property
    def assets(self) -> frozenset[str]:
        """The asset of the cause and those of its effects."""
        return frozenset({self.cause.asset, *(effect.asset for effect in self.effects)})

    @property
    def first_seen(self) -> int:
        """When it could first be known: ``first_observable``, else the earliest effect, else the start."""
        if self.first_observable is not None:
            return self.first_observable
        return min((effect.start for effect in self.effects), default=self.cause.start)

    @property
    def span(self) -> tuple[int, int]:
        """When alarms and incidents that belong to it may begin: EARLY before to MARGIN after."""
        if self.cause.end is None:
            return self.cause.start - EARLY, FOREVER
        last = max([self.cause.end, *(effect.start for effect in self.effects)])
        return self.cause.start - EARLY, last + MARGIN


class Labels(_Open):
    """The truth about one recording; ``incidents`` is empty for a quiet day."""

    incidents: tuple[TrueIncident, ...]
    start: Time | None = None
    hours: Annotated[float, Field(gt=0)] | None = None
    """Length of the recording."""

    @model_validator(mode="after")
    def _ids_differ(self) -> "Labels":
        twice = [name for name, times in Counter(truth.id for truth in self.incidents).items() if times > 1]
        if twice:
            raise ValueError(f"incidents share an id: {', '.join(sorted(twice))}")
        return self

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last moment of the recording, where the labels tell."""
        if self.start is None or self.hours is None:
            return None
        return self.start, self.start + round(self.hours * HOUR)


def load_labels(path: Path) -> Labels:
    """Read a labels file. Raises BadInput, or OSError where it can't be opened."""
    try:
        return Labels.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadInput(f"{path}: these are no labels: {complaints(error)}") from error
