"""Silences of the policy: nothing new is told of what one of them takes, for a while. Pure."""

from collections.abc import Iterable

from alerts.facts import Facts, takes
from schemas.alerting import Silence
from schemas.times import rfc3339


def silenced(silences: Iterable[Silence], facts: Facts, now: int) -> str | None:
    """Who asked for quiet about an incident, until when and why; None where nobody did."""
    for silence in silences:
        if silence.start <= now < silence.end and takes(silence.match, facts):
            return f"silenced until {rfc3339(silence.end)} by {silence.by}: {silence.reason}"
    return None
