"""Notifications: messages to people about an incident. Decisions: why they were sent, or were not."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.alarms import Severity
from schemas.times import Time


class Notification(BaseModel):
    """One line of ``notifications.jsonl``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    incident: str
    kind: Literal["opened", "updated", "escalated", "reminded", "resolved"]
    at: Time
    to: str
    """A receiver, a person, or ``on-call`` where no policy says more."""
    reason: str
    text: str
    thread: str = ""
    """What messages of one thread have in common, also when the incident gets another id."""
    title: str = ""
    """One line for a list or a mail's subject."""
    severity: Severity = Severity.WARNING
    asset: str = ""
    """Of the root, as in the next."""
    condition: str = ""
    utilities: list[str] = []
    zones: list[str] = []
    since: Time = 0
    """When the incident began."""
    link: str | None = None
    """Where to read on."""


DeliveryState = Literal["accepted", "dead", "expired", "skipped", "unsure", "begun", "failed"]
"""Accepted by the receiver; given up or refused; too old to wake anybody; the end of what nobody heard of;
perhaps received, and not sent again. Of receivers that get each message at most once also what settles
nothing: an attempt begins; it failed, and was not received.
"""
UNSETTLED: frozenset[DeliveryState] = frozenset({"begun", "failed"})


class Delivered(BaseModel):
    """What came of one message at one receiver."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """The notification's id and the receiver's name."""
    lane: str
    """What stays in order: thread, addressee, receiver."""
    incident: str
    kind: Literal["opened", "updated", "escalated", "reminded", "resolved"]
    receiver: str
    state: DeliveryState
    attempts: int
    reason: str
    at: Time
    """By the clock of whoever sent it."""
    memo: dict[str, str] = {}
    """What the channel has to remember of the thread."""


Stage = Literal[
    "settle",
    "route",
    "inhibit",
    "hold-off",
    "flap",
    "silence",
    "shelve",
    "mute",
    "dedup",
    "escalate",
    "answer",
    "resolve",
]
"""The steps at which it is decided whether people are told."""


class Decision(BaseModel):
    """One line of ``decisions.jsonl``: what a stage decided of an incident, told when it changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    incident: str
    at: Time
    stage: Stage
    verdict: Literal["told", "withheld", "nobody", "done"]
    to: str
    """Whom it concerns; empty where it concerns the whole incident."""
    reason: str
