"""Who is on call when, as it stands in a file: windows of the week, shifts that go round, overrides.

In:  the parts of ``alerts.yaml`` that speak of time. Out: models; ``alerts.calendar`` answers questions.
All clocks are local: of the rota's own time zone, or the city's.
"""

import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.city import Identifier, known_zone
from schemas.wording import Names, listed, some

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_DAY = 24 * 60
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")


def _minute(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    minute = int(match[1]) * 60 + int(match[2]) if match else MINUTES_OF_DAY + 1
    if minute > MINUTES_OF_DAY:
        raise ValueError(f"{value!r} is no time of day; write it as 08:00, up to 24:00")
    return minute


def _day(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is no date; write it as 2025-06-04") from None
    return value


def _days(value: object) -> object:
    """``mon-fri``, ``sat``, or a list of either, as a list of days."""
    found: list[object] = []
    for one in value if isinstance(value, list) else [value]:
        first, dash, last = one.partition("-") if isinstance(one, str) else (one, "", "")
        if dash and first in DAYS and last in DAYS:
            start, length = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7
            found += [DAYS[(start + step) % 7] for step in range(length + 1)]
        else:
            found.append(one)
    return found


def _local(value: object) -> object:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is not None:
            raise ValueError(f"{value!r} is no local time; write it as 2025-06-04T18:00")
        return moment
    return value


Minute = Annotated[int, BeforeValidator(_minute)]
"""A time of day in minutes after midnight, written as ``08:00``."""
Day = Annotated[date, BeforeValidator(_day)]
Local = Annotated[datetime, BeforeValidator(_local)]
"""A local time without a zone."""
Days = Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], BeforeValidator(_days)]
Month = Annotated[int, Field(ge=1, le=12)]


class Part(BaseModel):
    """What all parts of the file share: nothing unknown, nothing changed, ``from`` and ``to`` for times."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        alias_generator=lambda name: {"start": "from", "end": "to", "go_on": "continue"}.get(name, name),
    )


class Window(Part):
    """A part of the week. It belongs to the day on which it begins; with ``to`` not after ``from`` it goes
    into the next one.
    """

    days: Days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    start: Minute = 0
    end: Minute = MINUTES_OF_DAY
    months: tuple[Month, ...] = ()
    """All where none is given."""
    holidays: Literal["any", "only", "never"] = "any"
    """Whether it is there on holidays: as on other days, only then, or not then."""


class Shift(Window):
    """People who take turns within a window: each in the list, then the first again."""

    people: Annotated[tuple[Identifier, ...], BeforeValidator(listed), AfterValidator(some)]
    turn_days: Annotated[int, Field(ge=1, le=366)] = 7
    """Days in one person's turn."""
    since: Day = date(2024, 1, 1)
    """The day on which the first in the list began; a Monday where not given."""
    handover: Minute = 0
    """When turns change."""


class Override(Part):
    """Somebody stands in."""

    person: Identifier
    start: Local
    end: Local
    reason: str = ""

    @model_validator(mode="after")
    def _lasts(self) -> "Override":
        if self.end <= self.start:
            raise ValueError("an override must end after it begins")
        return self


class Rota(Part):
    """Who is on call: an override, else the first shift whose window covers the moment."""

    timezone: Annotated[str, AfterValidator(known_zone)] | None = None
    """The city's where not given."""
    shifts: Annotated[tuple[Shift, ...], AfterValidator(some)]
    overrides: tuple[Override, ...] = ()


class Person(Part):
    """Somebody who can be told."""

    by: Names
    """Receivers through which."""
