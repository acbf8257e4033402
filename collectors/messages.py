"""What a broker delivered, before anybody looked inside."""

from typing import NamedTuple


class Message(NamedTuple):
    """One MQTT message as it was received."""

    received: int
    """When the collector (or the recorder) took it, ms since the epoch."""
    topic: str
    payload: bytes
    trace: str = ""
    """The user property ``traceparent`` (W3C trace context), unchecked; empty where there is none."""
