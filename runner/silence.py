"""A live city that falls silent must be seen: time passes though nobody says so."""

import time

from schemas.times import MINUTE, SECOND

SILENCE_SECONDS = 60.0
LIVE = 10 * MINUTE
"""Stream time and wall clock agree so far in a live city; a day that is played does not."""


def time_in_silence(last_received: float, stream_time: int | None) -> int | None:
    """What the wall clock shows (ms), where a live city has been silent so long that it must be told.

    ``last_received`` is on the monotonic clock.
    """
    now = time.time_ns() // 1_000_000
    silent = time.monotonic() - last_received > SILENCE_SECONDS
    if silent and stream_time is not None and SILENCE_SECONDS * SECOND < now - stream_time < LIVE:
        return now
    return None
