"""Times on the command line."""

from schemas.errors import CrosscurrentError
from schemas.times import parse_time


class BadUsage(CrosscurrentError):
    """Arguments that mean nothing, or don't go together: exit status 2."""


def moment(text: str | None) -> int | None:
    """A time in ms since the epoch; None for none. Raises BadUsage where the text is no time."""
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise BadUsage(f"{text!r} is no time ({error}); write it as 2025-06-04T09:00:00Z") from error
