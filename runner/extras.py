"""Parts that a plain install leaves out, and how to get them."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import CrosscurrentError


class ExtraMissing(CrosscurrentError):
    """Something was asked for that a plain install doesn't bring."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import inside what the extra brings. Raises ExtraMissing with the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in {"simulator", "runner", "schemas"}:
            raise
        raise ExtraMissing(
            f"this needs {error.name}, which a plain install leaves out; install it with: "
            f"pip install 'crosscurrent[{extra}]'"
        ) from error
