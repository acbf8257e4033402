"""The registry of decoders, and the two things that a payload may turn out to say."""

from collections.abc import Callable
from typing import Any

import msgspec


class Measured(msgspec.Struct, frozen=True, gc=False):
    """Values of one asset at one time, as the device gave them; finite, not yet in the model's units."""

    at: int
    """Event time, ms since the epoch."""
    values: dict[str, float]
    """By quantity."""
    qualities: dict[str, int] = {}
    """``schemas.readings.Quality`` of those quantities that are not GOOD."""
    units: dict[str, str] = {}
    """Unit of those quantities where the device names one; the others are in the model's unit."""
    refused: tuple[str, ...] = ()
    """Why parts of the payload can't be used, one sentence each; the rest stands."""
    noted: tuple[str, ...] = ()
    """Names of counters of oddities that did no harm."""
    seq: int | None = None
    """Which of its source's messages this is, where the source counts them."""


class Happened(msgspec.Struct, frozen=True, gc=False):
    """Something discrete that an asset tells."""

    at: int
    """Event time, ms since the epoch."""
    event: str
    detail: dict[str, Any] = {}
    refused: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    seq: int | None = None


Decoder = Callable[[bytes], Measured | Happened]
"""Turns one payload into what it says. Raises BadPayload where nothing in it can be used."""

DECODERS: dict[str, Decoder] = {}
"""Decoders by name; the name is the last part of the topics whose payloads they read."""


def decoder(name: str) -> Callable[[Decoder], Decoder]:
    """Register a function as the decoder ``name``. Raises ValueError if there is one already."""

    def register(function: Decoder) -> Decoder:
        if other := DECODERS.get(name):
            raise ValueError(
                f"decoder {name!r} is defined twice: {other.__module__} and {function.__module__}"
            )
        DECODERS[name] = function
        return function

    return register
