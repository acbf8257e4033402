"""One message for one receiver, what came of it, and what a receiver has heard of a thread before."""

from dataclasses import dataclass, field
from typing import NamedTuple

from runner.sending.channel import Memo, key_of
from schemas.notifications import Delivered, DeliveryState, Notification

HEARD = ("accepted", "unsure")
"""A receiver that has, or may have, heard of a fire is owed its end."""


class Delivery(NamedTuple):
    """One message for one receiver."""

    notification: Notification
    receiver: str

    @property
    def id(self) -> str:
        """Its own."""
        return f"{self.notification.id}/{self.receiver}"

    @property
    def lane(self) -> str:
        """What must stay in order."""
        return f"{key_of(self.notification)}/{self.receiver}"


class Outcome(NamedTuple):
    """What came of a delivery."""

    delivery: Delivery
    state: DeliveryState
    attempts: int
    reason: str
    at: int
    """Wall clock, ms."""
    memo: Memo

    def record(self) -> Delivered:
        """What is kept of it."""
        delivery = self.delivery
        return Delivered(
            id=delivery.id,
            lane=delivery.lane,
            incident=delivery.notification.incident,
            kind=delivery.notification.kind,
            receiver=delivery.receiver,
            state=self.state,
            attempts=self.attempts,
            reason=self.reason,
            at=self.at,
            memo=dict(self.memo),
        )


@dataclass(slots=True)
class Past:
    """What is known of a lane from before: whether a fire was accepted, and what the channel remembers."""

    fired: bool = False
    memo: Memo = field(default_factory=dict)

    def note(self, delivered: Delivered) -> None:
        """One more thing that came of a message of this lane."""
        self.fired |= delivered.state in HEARD and delivered.kind != "resolved"
        self.memo = delivered.memo
