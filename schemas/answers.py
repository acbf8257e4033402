"""Answers: what people do about an incident, and by whom it was done."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.times import Time


class Answer(BaseModel):
    """Somebody acknowledged an incident, took it over, shelved it for a while, or resolved it by hand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["answer"] = "answer"
    id: str
    """Its own: one that comes twice counts once."""
    incident: str
    """Any id that the incident has had."""
    answer: Literal["acknowledge", "take over", "shelve", "resolve"]
    by: Annotated[str, Field(min_length=1, max_length=100)]
    at: Time
    """When it was given, by the clock of whoever took it."""
    minutes: Annotated[int, Field(gt=0)] | None = None
    """How long it is shelved, counted in stream time."""
    note: Annotated[str, Field(max_length=500)] = ""
