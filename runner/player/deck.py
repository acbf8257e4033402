"""What the console shows of a replay, and what people press: play, pause, step, seek, speed, fork.

In:  what is replayed; what people press, from any thread.
Out: a system as the console knows it, of which all pages see the same moment.
Promises: isolated: it sends nothing, asks no broker, moves no offset; all that it writes lies in its folder.
"""

import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.core import Core
from runner.embedded import Status
from runner.moments import BadUsage
from runner.player.asof import AsOf
from runner.player.clock import Clock
from runner.player.forking import Fork, Replayed
from runner.player.past import Past
from runner.player.thinking import Tapped, Thinking
from runner.replay import Thought
from runner.sources import Asked, opened
from runner.whatif import WhatIf
from schemas.answers import Answer
from schemas.city import City
from streams.causes import Causes

FORKS_MAX = 8
"""Forks that are kept; then the oldest goes."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a replay is. Times are ms of stream time, 0 before there is any."""

    at: int
    first: int
    last: int
    """As far as it was thought through."""
    over: bool
    """Whether it was thought through to its end."""
    playing: bool
    rate: float
    reached: float | None
    """How many times real time it really was; None before that can be said."""
    fork: int
    """The number of the fork that is shown; 0: as it was."""


class Deck:
    """A replay that can be looked at. ``start`` and ``stop`` it once.

    ``at`` is the moment (ms) to begin at. Raises what ``opened`` raises.
    """

    signer = None
    """No link of a message leads into a replay."""
    hours = None
    """It is one."""

    def __init__(
        self, asked: Asked, causes: Causes, out: Path, *, rate: float, paused: bool = False, at: int = 0
    ) -> None:
        model, source, never = opened(asked, fine=True)
        self.city, self.out = model.city, out
        out.mkdir(parents=True, exist_ok=True)
        self._scratch = TemporaryDirectory(prefix=".player-", dir=out)
        self._past = Past(Path(self._scratch.name) / "past.sqlite")
        core = Core(*model[:2], causes, model.policy, never, told=source.told)
        self._leaving = threading.Event()
        thought = Thought(Tapped(source, core, self._past, self._leaving.is_set), core)
        self._thinking = Thinking(thought, self._past, out, self._past.tell)
        self._base = Replayed(asked.known_as, causes, self._past, out, partial(opened, asked, fine=True))
        self.store = AsOf(self._past)
        self.name = asked.known_as
        self._clock = Clock(float(at), rate, playing=not paused)
        self._lock = threading.RLock()
        self._wants: int | None = at or None
        """Where somebody wants to be, as long as it is not thought through so far."""
        self._forks: dict[int, Fork] = {}
        self._numbered = 0

    def start(self) -> None:
        """Think it through in the background; play."""
        self._clock.play(time.monotonic(), playing=self._clock.playing)
        self._thinking.start()

    def stop(self) -> None:
        """Leave it, and remove what only the player needed."""
        self._leaving.set()
        for fork in self._forks.values():
            fork.leave()
        for thread in (self._thinking, *self._forks.values()):
            if thread.ident is not None:
                thread.join()
        for past in (self._past, *(fork.past for fork in self._forks.values())):
            past.close()
        self._scratch.cleanup()

    # -- what people press --------------------------------------------------------------------------

    def position(self) -> Position:
        """Where it is now; what is shown from here on is of that moment."""
        with self._lock:
            over = self._past.over and self.store.past.over  # first: what comes later is no end
            base = self._past.span
            span = self.store.past.span
            first, last = base.began or 0, max(base.reached or 0, span.reached or 0)
            if self._wants is not None:
                self._clock.go_to(time.monotonic(), self._wants)
                if last >= self._wants or over:
                    self._wants = None
            elif over and self._clock.playing and self._clock.at >= last:
                self._clock.play(time.monotonic(), playing=False)
            self.store.now = self._clock.look(time.monotonic(), first, last)
            shown = next((number for number, fork in self._forks.items() if fork.past is self.store.past), 0)
            return Position(
                self.store.now,
                first,
                last,
                over,
                self._clock.playing,
                self._clock.rate,
                self._clock.reached,
                shown,
            )

    def play(self, *, playing: bool) -> None:
        """Go on (at the end: anew from the beginning), or stand still."""
        with self._lock:
            here = self.position()
            if playing and here.over and here.at >= here.last:
                self._clock.go_to(time.monotonic(), here.first)
            self._clock.play(time.monotonic(), playing=playing)

    def seek(self, at: int) -> None:
        """Go to a moment (ms); one that is not thought through yet, as soon as it is."""
        with self._lock:
            self._wants = at
            self.position()

    def step(self, *, back: bool = False) -> None:
        """Stand still where something became known next, or last before."""
        with self._lock:
            self.position()
            self._clock.play(time.monotonic(), playing=False)
            found = self.store.moment_before() if back else self.store.next_moment()
            if found is not None:
                self.seek(found)

    def faster(self, steps: int) -> None:
        """Another rate, so many steps up (or down)."""
        with self._lock:
            self.position()
            self._clock.change_rate(steps)

    # -- forks --------------------------------------------------------------------------------------

    @property
    def forks(self) -> dict[int, Fork]:
        """By number, oldest first."""
        with self._lock:
            return dict(self._forks)

    def fork(self, what: WhatIf) -> int:
        """Go on from the moment that is shown, in the fork that is shown, with something otherwise; the
        number of the new one. What it changes is known when its ``diff`` is there. Raises BadUsage where a
        name is not there, or where what is shown is not thought through.
        """
        with self._lock:
            here = self.position()
            if not what.words():
                raise BadUsage("nothing shall be otherwise; change a limit, say")
            if self.failure:
                raise BadUsage(f"there is nothing to fork: {self.failure}")
            shown = self._forks.get(here.fork)
            if not self._past.over or (shown and shown.is_alive()):
                raise BadUsage("the replay is still being thought through; try again in a moment")
            if shown and shown.failure:
                raise BadUsage(f"there is nothing to fork: {shown.failure}")
            base = shown.replayed(here.fork) if shown and here.at >= shown.at else self._base
            name = f"fork-{self._numbered + 1}"
            scratch = Path(self._scratch.name)
            fork = Fork(base, here.at, what, self.out / name, scratch / f"{name}.sqlite")
            fork.start()
            self._numbered += 1
            self._forks[self._numbered] = fork
            if len(self._forks) > FORKS_MAX:
                needed = {one.base.number for one in self._forks.values() if one.is_alive()}
                self._drop(min(self._forks.keys() - needed))
            return self._numbered

    @property
    def city_shown(self) -> City:
        """The city model of what is shown."""
        with self._lock:
            fork = self._forks.get(self.position().fork)
            return fork.model.city if fork else self.city

    def show(self, number: int) -> None:
        """Show a fork, or (0) what was as it was."""
        with self._lock:
            fork = self._forks.get(number)
            self.store.past = fork.past if fork else self._past

    def _drop(self, number: int) -> None:
        gone = self._forks.pop(number)
        gone.leave()
        gone.join()
        if self.store.past is gone.past:
            self.store.past = self._past
        gone.past.close()

    # -- as the console knows a system --------------------------------------------------------------

    @property
    def failure(self) -> Exception | None:
        """Why it could not be thought through."""
        return self._thinking.failure

    @property
    def faults(self) -> list[str]:
        """What of the input could not be used."""
        return self._thinking.faults

    def status(self) -> Status:
        """How it was at the moment that is shown."""
        here = self.position()
        counts = self.store.counts()
        return Status(
            broker=self.name,
            folder=self.out,
            stream_time=here.at or None,
            received=counts.get("messages", 0),
            refused=0,
            readings=counts.get("readings", 0),
            duplicates=counts.get("duplicates", 0),
            late=counts.get("late", 0),
            future=counts.get("future", 0),
            stored=counts.get("readings", 0) - counts.get("duplicates", 0),
            messages_per_second=0,
            readings_per_second=0,
            lag=0,
            buffers=(),
            failure=str(self.failure) if self.failure else None,
        )

    def answer(self, answer: Answer) -> None:
        """Nobody answers the past: the page offers no way."""
        raise BadUsage(f"a replay takes no answers ({answer.answer})")
