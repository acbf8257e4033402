"""The two families of errors: ours to stop for, and theirs to count.

CrosscurrentError
  BadConfig   a file or setting of ours is wrong: nothing starts, every fault is listed
  BadPayload  somebody's message is wrong: it goes to the dead letters, the stream goes on
"""

from collections.abc import Sequence
from dataclasses import dataclass


class CrosscurrentError(Exception):
    """Base of every error that we raise on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong in a configuration file: where (line and column count from 1), and what."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class BadConfig(CrosscurrentError):
    """Configuration that must not start. Carries every fault, in file order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))


class BadPayload(CrosscurrentError):
    """A message, or a part of one, that can't be used. The text is the dead letter's reason."""
