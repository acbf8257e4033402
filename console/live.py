"""One look at the store a second, shared by every open page; a replay is looked at more often.

In:  the running system, or a replay. Out: ``Snapshot``, the newest look, computed once however many pages are
open.
Promises: nothing is read while nobody looks; a look that takes long delays the next one and nothing else.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from console import views
from runner.answering import Signer
from runner.embedded import Status
from runner.hours import Hours
from runner.player.asof import AsOf
from runner.player.deck import Deck, Position
from runner.store import Store
from schemas.alarms import Alarm
from schemas.answers import Answer
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.readings import Reading
from schemas.times import DAY

LOOK_SECONDS = 1.0
PLAYED_LOOK_SECONDS = 0.2
INCIDENTS_MAX = 60
"""Incidents in the list; older ones are found under their address."""
_SPEED_LOOKS = 5


class System(Protocol):
    """What the console needs of the embedded runner, or of a replay."""

    @property
    def city(self) -> City:
        """The city model."""

    @property
    def store(self) -> Store | AsOf:
        """The store, to read from."""

    @property
    def signer(self) -> Signer | None:
        """Reads the links with which people answer from messages."""

    @property
    def hours(self) -> Hours | None:
        """Plays the hours around an incident."""

    def status(self) -> Status:
        """How it goes, now."""

    def answer(self, answer: Answer) -> None:
        """Take what somebody answered."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look: the status, what stands, and what a page shows of it."""

    status: Status
    now: int
    """Stream time; 0 before there is any."""
    speed: float
    """Stream seconds that pass in one second of the wall clock."""
    incidents: tuple[IncidentRevision, ...]
    alarms: tuple[Alarm, ...]
    """Raised within the last day of stream time, and older ones that stand."""
    latest: dict[str, Reading]
    states: dict[str, views.AssetState]
    cards: tuple[views.Card, ...]
    overlays: dict[str, views.Overlay]
    rates: tuple[float, ...]
    """Messages a second, one for each look, newest last."""
    position: Position | None
    """Where a replay is; None for what is live."""


class Live:
    """Takes the looks. ``watched`` tells whether anybody is there to see them."""

    def __init__(self, system: System, watched: Callable[[], bool]) -> None:
        self.system = system
        self.city = system.city
        self.store = system.store
        self.deck = system if isinstance(system, Deck) else None
        """What plays, where this is a replay."""
        self.beat = PLAYED_LOOK_SECONDS if self.deck else LOOK_SECONDS
        self._watched = watched
        self._times: deque[tuple[float, int]] = deque(maxlen=_SPEED_LOOKS)
        self._rates: deque[float] = deque(maxlen=60)
        self._looking = threading.Lock()
        self._shown: Position | None = None
        self.snapshot = self._look()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            if self._watched():
                await self.look_now()
            await asyncio.sleep(self.beat)

    async def look_now(self) -> None:
        """Look at once."""
        await asyncio.to_thread(self._renew)

    def freshen(self) -> None:
        """Look now where nobody has watched: a page must not open with old news."""
        if not self._watched():
            self._renew()

    def _renew(self) -> None:
        """One look at a time: an older one must not come after a newer one."""
        with self._looking:
            self.snapshot = self._look()

    def _look(self) -> Snapshot:
        position = self.deck.position() if self.deck else None
        if position and position == self._shown:
            return self.snapshot
        status = self.system.status()
        now = status.stream_time or 0
        self._rates.append(status.messages_per_second)
        incidents = tuple(self.store.incidents(INCIDENTS_MAX))
        recent = {alarm.id: alarm for alarm in [*self.store.open_alarms(), *self.store.alarms(now - DAY)]}
        alarms = tuple(sorted(recent.values(), key=lambda alarm: (alarm.raised, alarm.id)))
        snapshot = Snapshot(
            status=status,
            now=now,
            speed=self._speed(now),
            incidents=incidents,
            alarms=alarms,
            latest=self.store.latest(),
            states=views.asset_states(alarms),
            cards=tuple(views.card(incident, self.city, now) for incident in incidents),
            overlays={incident.id: views.overlay(incident) for incident in incidents},
            rates=tuple(self._rates),
            position=position,
        )
        self._shown = position
        return snapshot

    def _speed(self, now: int) -> float:
        self._times.append((time.monotonic(), now))
        (first, before), (last, after) = self._times[0], self._times[-1]
        return (after - before) / 1000 / (last - first) if before and last > first else 0.0
