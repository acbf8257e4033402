"""Ctrl-C, SIGTERM and our own failures, made one: an interrupt of whatever the main thread does.

In:  signals.
Out: KeyboardInterrupt in the main thread, and afterwards the exit status that fits.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CTRL_C = 130


class Interrupts:
    """Which signal came; ``status`` is 130 after Ctrl-C, 0 after SIGTERM (asked to end, and ended)."""

    status = 0

    def interrupt(self, number: int, _frame: FrameType | None) -> None:
        """Note the signal and leave what is being done."""
        self.status = CTRL_C if number == signal.SIGINT else 0
        raise KeyboardInterrupt

    @staticmethod
    def leave(*_: object) -> None:
        """From any thread: make the main thread leave what it does, as SIGTERM would."""
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Let SIGINT and SIGTERM end the block without a traceback. Main thread only."""
    caught = Interrupts()
    before = {number: signal.signal(number, caught.interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held() -> Iterator[list[int]]:
    """Let SIGINT and SIGTERM wait until the block is done; what came so far is in the list.

    For what must not be left half done, and where an exception could be raised in a finalizer, from which
    Python lets none out. A handler and no mask of the thread: a mask would be inherited by the processes
    that the block starts. Main thread only.
    """
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)
