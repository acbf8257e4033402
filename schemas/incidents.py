"""Incidents: the alarms that one physical cause explains, over all utilities."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.alarms import Severity
from schemas.times import Time

IncidentMove = Literal[
    "opened",
    "more",
    "new root",
    "merged",
    "split",
    "retimed",
    "cleared",
    "closed",
    "reopened",
    "replaced",
    "retracted",
]
"""Why an incident is told anew."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Root(_Part):
    """A cause that would explain the incident, with its probability among the causes considered."""

    asset: str
    condition: str
    since: Time
    probability: float


class Member(_Part):
    """One alarm of the incident; ``until`` is None while it stands."""

    asset: str
    condition: str
    since: Time
    until: Time | None = None


class Step(_Part):
    """One link of the explanation: this condition brought that one, by this rule.

    ``lag_seconds`` is what was seen between the onsets; the two bounds are what the rule expects.
    ``through`` names assets without a sensor on the way, from cause to effect.
    """

    cause: str
    cause_condition: str
    effect: str
    effect_condition: str
    rule: str
    strength: float
    lag_seconds: float
    lag_seconds_min: float
    lag_seconds_max: float
    through: list[str] = []


class Expected(_Part):
    """A consequence that has not shown yet, and when it would. ``watched``: a sensor's limits would show it;
    else only people on the spot can tell.
    """

    asset: str
    condition: str
    start: Time
    end: Time
    probability: float
    watched: bool = True

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        serialize_by_alias=True,
        alias_generator=lambda name: {"start": "from", "end": "to"}.get(name, name),
    )


Outcome = Literal["hit", "miss", "unknown"]
"""What came of a prediction; unknown where no healthy sensor could have shown it."""


class Foretold(Expected):
    """A prediction as it was first told, and what came of it: ``outcome`` is None while that is open;
    ``came`` is when the condition began.
    """

    told: Time
    outcome: Outcome | None = None
    came: Time | None = None


class Incident(_Part):
    """One line of ``incidents.jsonl``: an incident as it stands.

    ``opened`` is the onset of its earliest member. ``closed`` is when the last member had cleared,
    set once all stayed clear for the hold time.
    """

    id: str
    opened: Time
    closed: Time | None
    severity: Severity
    utilities: list[str]
    root: Root
    alternatives: list[Root]
    members: list[Member]
    expected: list[Expected]
    summary: str
    explanation: list[str] = []
    """In plain words, a sentence each: what brought what and how that is known, who stayed quiet, and what
    would not be without the root.
    """
    chain: list[Step]


class IncidentRevision(Incident):
    """One line of ``revisions.jsonl``: an incident as it stood at ``known_at``, and why it changed.

    ``replaces`` names incidents that this one took over (merged, or a new earliest member gave it a
    new id). ``replaced_by`` is set on the last revision of an id that went into another; an id whose
    alarms were all retracted ends with change ``retracted``. ``foretold`` are the predictions of the
    revisions before that a sensor could judge: not what an incident is, but what was said of it.
    """

    revision: int
    known_at: Time
    change: IncidentMove
    replaces: list[str] = []
    replaced_by: str | None = None
    foretold: list[Foretold] = []


class DomainWord(_Part):
    """What one correlation domain says when it was asked: its revisions, to be joined with its neighbours'.

    ``excused``: alarms in others' sight that it explains by what is no incident, all that it excuses now.
    """

    domain: str
    revisions: list[IncidentRevision]
    excused: list[str] = []
