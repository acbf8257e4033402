"""A few processes at a time, each of which does one thing and ends.

In:  tasks, and what to do with one.
Out: ``Done``, in the order in which they end.
Promises: the simulator's engines keep state of their own, so no process does two tasks; one that dies takes
its own task along and no other; leaving the loop early ends all of them.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, NamedTuple, TypeVar

from runner.interrupts import held
from schemas.errors import CrosscurrentError

T = TypeVar("T")
R = TypeVar("R")

BEAT_SECONDS = 1.0
"""How often the caller hears that we are alive."""


class Done(NamedTuple, Generic[T, R]):
    """A task that ended: its result, or why there is none."""

    task: T
    result: R | None
    why: str = ""


def run(
    tasks: Sequence[T], work: Callable[[T], R], workers: int, beat: Callable[[], None] = lambda: None
) -> Iterator[Done[T, R]]:
    """Do ``work`` for each task, ``workers`` at once; ``beat`` is called about once a second meanwhile.

    ``work`` and the tasks must be importable by name, they travel to fresh processes. Ctrl-C and SIGTERM
    end it within a beat.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__])  # so that each process starts with it loaded
    waiting = list(reversed(tasks))
    running: dict[Connection, tuple[T, BaseProcess]] = {}
    # A start that is left halfway makes the fork server die with a traceback.
    with held() as signals:
        try:
            while (waiting or running) and not signals:
                while waiting and len(running) < workers:
                    ours, theirs = context.Pipe(duplex=False)
                    process: BaseProcess = context.Process(
                        target=_child, args=(work, waiting[-1], theirs), daemon=True
                    )
                    process.start()
                    theirs.close()
                    running[ours] = waiting.pop(), process
                for pipe in wait(list(running), BEAT_SECONDS):
                    assert isinstance(pipe, Connection)
                    task, process = running.pop(pipe)
                    yield Done(task, *_answer(pipe, process))
                beat()
        finally:
            for _, process in running.values():
                process.terminate()
            for pipe, (_, process) in running.items():
                process.join()
                pipe.close()


def _child(work: Callable[[T], R], task: T, pipe: Connection) -> None:
    """In the new process: the result, or what was foreseen to go wrong, in words."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends us
    answer: tuple[R | None, str]
    try:
        answer = work(task), ""
    except (CrosscurrentError, OSError) as error:
        answer = None, str(error)
    with suppress(BrokenPipeError):  # the parent is gone, and nobody asks any more
        pipe.send(answer)


def _answer(pipe: Connection, process: BaseProcess) -> tuple[R | None, str]:
    try:
        answer: tuple[R | None, str] = pipe.recv()
    except EOFError:
        process.join()
        answer = None, f"its process ended with status {process.exitcode} and no result"
    pipe.close()
    process.join()
    return answer
