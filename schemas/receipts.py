"""What a collector says of messages that their sources number themselves (``seq``): for the ledger alone.

A receipt stands in the same transaction as what came of its messages, so it tells the truth about them.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Receipt(BaseModel):
    """Messages that a collector took. A source is an asset and a kind of message: ``pump-3/telemetry``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["receipt"] = "receipt"
    received: int
    """When the collector took the newest of them, ms since the epoch."""
    numbers: dict[str, list[tuple[int, int]]] = {}
    """By source, in the order received: event time (ms) and ``seq`` of each message that has one; between
    them, as a negative number, how many came whose ``seq`` nobody read: broken, or beyond its rate."""
    dropped: int = Field(default=0, ge=0)
    """Messages that the MQTT broker dropped since the receipt before, by its count for all its clients."""
