"""Notifications: a message to people about an incident, with the reason why it was sent."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.times import Time


class Notification(BaseModel):
    """One line of ``notifications.jsonl``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    incident: str
    kind: Literal["opened", "updated", "escalated", "reminded", "resolved"]
    at: Time
    to: str
    reason: str
    text: str
