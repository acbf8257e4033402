"""``alerts.yaml``: who is told of what, when, by which way. What the file may hold.

In:  the file's content. Out: ``Policy``. ``alerts.policyfile`` reads it and lists what makes no sense.
Durations are ms, and written as ``5m``.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas.alarms import Severity
from schemas.city import Identifier, Relation, Seconds, Utility
from schemas.receivers import AnyReceiver, Secret
from schemas.rotas import Day, Part, Person, Rota, Window
from schemas.times import HOUR, MINUTE, SECOND, Duration, Time
from schemas.wording import Names, listed, some

ON_CALL = "on-call"
"""Everybody, where there is no alerts.yaml."""
Some = Annotated[Names, AfterValidator(some)]


class Match(Part):
    """What an incident must have: every field that is given, and of each one of its values.

    ``asset``, ``kind`` and ``condition`` are those of the root; ``utility`` and ``zone`` are of any member.
    Asset and condition may have wildcards (``feeder-*``).
    """

    utility: Annotated[tuple[Utility, ...], BeforeValidator(listed)] = ()
    zone: Names = ()
    kind: Names = ()
    asset: Names = ()
    condition: Names = ()
    severity: Severity = Severity.WARNING
    """This or worse; information wakes nobody unless asked for."""


class Route(Part):
    """A branch of the tree. An incident goes down the first branch that takes it, and also on to the next
    where that says ``continue``; it ends at the deepest that takes it.
    """

    match: Match = Match()
    during: Names = ()
    """Names of ``times`` in one of which it must be."""
    mute: Names = ()
    """Names of ``times`` in which this route tells nothing new (those below it do); what still stands
    afterwards is told then.
    """
    to: Names = ()
    """Receivers, people, rotas. The next higher branch's where not given; so in the two below."""
    escalate: str | None = None
    remind: Annotated[Duration, Field(ge=MINUTE)] | None = None
    go_on: bool = False
    routes: tuple["Route", ...] = ()


class Step(Part):
    """Who is told when nobody has acknowledged ``after`` the first message."""

    after: Annotated[Duration, Field(gt=0)]
    to: Some


class Silence(Part):
    """Nothing new is told of what matches."""

    match: Match
    start: Time
    end: Time
    by: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _lasts(self) -> "Silence":
        if self.end <= self.start:
            raise ValueError("a silence must end after it begins")
        return self


class Flap(Part):
    """A root that comes back so often is told only once it has stood for a while."""

    times: Annotated[int, Field(ge=2)] = 3
    within: Duration = HOUR
    hold: Duration = 30 * MINUTE


class Inhibit(Part):
    """What depends on an asset whose incident people know of waits for a while before it is told."""

    through: Annotated[tuple[Relation, ...], AfterValidator(some)] = (
        Relation.POWERS,
        Relation.SUPPLIES,
        Relation.PROTECTS,
        Relation.CARRIES,
    )
    hops: Annotated[int, Field(ge=1, le=10)] = 3
    hold: Duration = 30 * MINUTE
    """At most so long: what still stands by then is told, for it may have a cause of its own."""
    hold_off: Duration = 10 * MINUTE
    """How long what depends on an asset waits after that came back."""
    planned_work: bool = True
    """Also on and behind assets under planned work, as long as that lasts."""


class Runbook(Part):
    """What to do first."""

    kind: Names = ()
    condition: Names = ()
    step: Annotated[str, Field(min_length=1, max_length=200)]
    link: str | None = None


class Links(Part):
    """Addresses for messages; ``{incident}`` and ``{asset}`` are put in."""

    console: str | None = None
    dashboard: str | None = None
    answers: str | None = None
    """Where the console takes answers from messages, ``{token}`` put in: ``https://.../answer/{token}``."""
    secret: Secret | None = None
    """Signs those links."""

    @model_validator(mode="after")
    def _go_together(self) -> "Links":
        if (self.answers is None) != (self.secret is None):
            raise ValueError("answers and secret go together: links that people answer by are signed")
        if self.answers is not None and "{token}" not in self.answers:
            raise ValueError("answers has no {token}; write it as https://HOST/answer/{token}")
        return self


class Heartbeat(Part):
    """The dead man's switch: an address outside that raises the alarm when it hears nothing of us."""

    url: str | Secret
    every: Annotated[Duration, Field(ge=SECOND)] = MINUTE
    quiet: Annotated[Duration, Field(ge=SECOND)] = 10 * MINUTE
    """No beat where stream time stands for so long: no readings come, or nobody thinks about them."""
    timeout: Annotated[Seconds, Field(gt=0, le=60)] = 10.0
    allow_private: bool = False


class Policy(Part):
    """The whole of ``alerts.yaml``; as it is by default, where a city has none."""

    settle: Duration = 2 * SECOND
    """How long an incident must be known before people are told, in stream time, which in a live city goes
    on between reports: all that was measured at one time has come by then, and makes one incident.
    """
    calm: Duration = 10 * MINUTE
    """How long people have had one probable cause before they are told another, if it still is one then."""
    flap: Flap | None = None
    inhibit: Inhibit | None = None
    holidays: tuple[Day, ...] = ()
    times: Mapping[Identifier, Annotated[tuple[Window, ...], AfterValidator(some)]] = {}
    people: Mapping[Identifier, Person] = {}
    rotas: Mapping[Identifier, Rota] = {}
    receivers: Mapping[Identifier, AnyReceiver] = {}
    escalations: Mapping[Identifier, Annotated[tuple[Step, ...], AfterValidator(some)]] = {}
    route: Route = Route(to=(ON_CALL,))
    silences: tuple[Silence, ...] = ()
    runbooks: tuple[Runbook, ...] = ()
    links: Links = Links()
    heartbeat: Heartbeat | None = None
    templates: Mapping[Identifier, str] = {}
    """Texts in the place of ours, by name (``alerts/messages.yaml``)."""
