"""What all three engines have in common: how they fail, and how they are closed."""

from types import TracebackType
from typing import Self

from schemas.errors import CrosscurrentError


class EngineFailed(CrosscurrentError):
    """An engine refused its network or could not solve it: the text says which engine, file and why."""


class WaterLost(EngineFailed):
    """SWMM lost too much of its water, or seemed to; ``share`` says how much (0.01 is one percent)."""

    def __init__(self, text: str, share: float) -> None:
        super().__init__(text)
        self.share = share


class Engine:
    """A network in an engine with state of its own; use it as a context, so that it is closed for sure."""

    def close(self) -> None:
        """Give back what the engine holds. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
