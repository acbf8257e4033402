"""One receiver's line: messages of each thread in order, tried until they are taken or given up.

In:  deliveries, in the order in which they were decided; what is known of a thread from before.
Out: an outcome for each, told before the next one of its thread is tried.
Promises: of one thread and addressee never more than one message is on its way, the next only when the one
before is settled; a message that was accepted is never sent again; a receiver that does not answer delays
nobody else, and is left alone for a while; what can't be delivered ends as a dead letter with its reason.
"""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.sending.channel import Channel, Memo, NeverMind, SendFailed, TryAgain
from runner.sending.deliveries import Delivery, Outcome, Past
from runner.sending.gate import Gate
from schemas.notifications import DeliveryState, Notification
from schemas.receivers import Receiver
from schemas.times import HOUR, MINUTE, SECOND

WORKERS = 4
"""Messages of one receiver that are on their way at a time, each of another thread."""
FIRST_WAIT_SECONDS = 1.0
BREAK_SECONDS = 20.0
ASK_SECONDS = 0.05
"""How soon whoever may not send asks again."""
STALE = HOUR
"""A fire that is older than this when it is first looked at wakes nobody any more."""


@dataclass(slots=True)
class _Lane:
    past: Past
    waiting: deque[Delivery] = field(default_factory=deque)
    attempts: int = 0
    first_tried: float = 0.0
    busy: bool = False
    begun: set[str] = field(default_factory=set)
    """Deliveries that somebody before us began and did not settle."""


class Line:
    """``settled`` is told each outcome, by the thread that sent (and of a receiver that gets each message at
    most once also what settles nothing, ``UNSETTLED``); what it raises ends the line, and is kept in
    ``failure``. ``clock`` tells the wall clock in seconds; while ``may`` says no, nothing is taken up.
    """

    def __init__(
        self,
        channel: Channel,
        receiver: Receiver,
        settled: Callable[[Outcome], None],
        *,
        clock: Callable[[], float] = time.time,
        seed: int | None = None,
        first_wait: float = FIRST_WAIT_SECONDS,
        break_seconds: float = BREAK_SECONDS,
        workers: int = WORKERS,
        may: Callable[[], bool] = lambda: True,
    ) -> None:
        self._channel, self._receiver, self._settled = channel, receiver, settled
        self._once = receiver.delivery == "at-most-once"
        self._clock = clock
        self._gate = Gate(receiver.per_minute, first_wait, break_seconds, seed)
        self._lanes: dict[str, _Lane] = {}
        self._due: list[tuple[float, int, str]] = []
        self._number = 0
        self._stopping = False
        self._may = may
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name="sender", daemon=True) for _ in range(workers)
        ]
        self.failure: BaseException | None = None
        self.attempts = 0
        """Since the start."""

    def start(self) -> None:
        """Send from now on."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take nothing more up; what is on its way is settled first."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._channel.close()

    def put(self, delivery: Delivery, past: Past, *, begun: bool = False) -> None:
        """One more message; ``past`` counts where its lane is not known yet. ``begun``: an attempt that
        nobody knows the end of was made before us.
        """
        with self._changed:
            lane = self._lanes.get(delivery.lane)
            if lane is None:
                lane = self._lanes[delivery.lane] = _Lane(past)
            lane.waiting.append(delivery)
            lane.begun |= {delivery.id} if begun else set()
            if len(lane.waiting) == 1 and not lane.busy:
                self._wake(delivery.lane, time.monotonic())

    def drop(self, lanes: Callable[[str], bool]) -> None:
        """Forget lanes: somebody else has them now. Returns when none of their messages is on its way."""
        with self._changed:
            for name in [name for name in self._lanes if lanes(name)]:
                self._lanes[name].waiting.clear()
            self._changed.wait_for(
                lambda: (
                    self.failure is not None
                    or not any(lane.busy for name, lane in self._lanes.items() if lanes(name))
                )
            )
            for name in [name for name in self._lanes if lanes(name)]:
                del self._lanes[name]

    @property
    def waiting(self) -> int:
        """Messages that are not settled."""
        with self._changed:
            return sum(len(lane.waiting) for lane in self._lanes.values())

    @property
    def broken(self) -> bool:
        """Whether the receiver is left alone at the moment."""
        return self._gate.is_closed(time.monotonic())

    # -- the threads -----------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (name := self._next()) is not None:
                self._serve(name)
        except BaseException as error:  # noqa: BLE001 - whoever runs us asks for it
            with self._changed:
                self.failure = self.failure or error
                self._stopping = True
                self._changed.notify_all()

    def _next(self) -> str | None:
        """The lane whose turn it is; waits for one. None at the end."""
        with self._changed:
            while not self._stopping:
                if not self._may():
                    self._changed.wait(ASK_SECONDS)
                    continue
                now = time.monotonic()
                at = max(self._due[0][0] if self._due else now + 3600, self._gate.opens_at(now))
                if self._due and at <= now:
                    _, _, name = heapq.heappop(self._due)
                    lane = self._lanes.get(name)
                    if lane is not None and lane.waiting and not lane.busy:
                        lane.busy = True
                        self._gate.enter(now)
                        return name
                    continue
                self._changed.wait(at - now)
            return None

    def _serve(self, name: str) -> None:
        """Try the first message of a lane once."""
        lane = self._lanes[name]
        delivery = lane.waiting[0]
        outcome, wait = self._try(lane, delivery)
        if outcome is not None:
            self._settled(outcome)
        with self._changed:
            lane.busy = False
            if outcome is not None:
                lane.past.note(outcome.record())
                lane.attempts = 0
                if lane.waiting:  # empty where it was dropped meanwhile
                    lane.waiting.popleft()
            if lane.waiting:
                self._wake(name, time.monotonic() + wait)
            elif outcome is not None and delivery.notification.kind == "resolved":
                self._lanes.pop(name, None)
            self._changed.notify_all()

    def _try(self, lane: _Lane, delivery: Delivery) -> tuple[Outcome | None, float]:
        """What came of one attempt, or how long to wait before the next."""
        if why := self._too_late(lane, delivery):
            with self._changed:
                self._gate.give_back()
            return self._outcome(lane, delivery, *why), 0.0
        if self._once:
            self._settled(self._outcome(lane, delivery, "begun", "an attempt begins"))
            if not self._may():  # frozen meanwhile: somebody else may have it now
                return None, ASK_SECONDS
        lane.attempts += 1
        self.attempts += 1
        if lane.attempts == 1:
            lane.first_tried = self._clock()
        try:
            memo = self._send(delivery.notification, lane.past.memo)
        except TryAgain as error:
            self._note(failed=True)
            if self._once and error.sent:
                reason = f"{error}; it may have arrived, and is not sent again"
                return self._outcome(lane, delivery, "unsure", reason), 0.0
            if self._clock() - lane.first_tried >= self._receiver.give_up / SECOND:
                reason = f"{error}; given up after {lane.attempts} attempts"
                return self._outcome(lane, delivery, "dead", reason), 0.0
            if self._once:
                self._settled(self._outcome(lane, delivery, "failed", str(error)))
            return None, error.after if error.after is not None else self._gate.wait(lane.attempts)
        except SendFailed as error:
            self._note(failed=not isinstance(error, NeverMind))
            return self._outcome(lane, delivery, "dead", str(error)), 0.0
        self._note(failed=False)
        return self._outcome(lane, delivery, "accepted", "accepted", memo), 0.0

    def _send(self, notification: Notification, memo: Memo) -> Memo:
        try:
            return self._channel.send(notification, memo)
        except SendFailed:
            raise
        except Exception as error:  # one receiver, or a library, that misbehaves stops nobody else
            raise TryAgain(f"the channel failed ({type(error).__name__})", sent=True) from error

    def _too_late(self, lane: _Lane, delivery: Delivery) -> tuple[DeliveryState, str] | None:
        note = delivery.notification
        if self._once and delivery.id in lane.begun:
            return "unsure", "begun before a kill, and perhaps received; it is not sent again"
        if note.kind == "resolved":
            return None if lane.past.fired else ("skipped", "nobody there had heard of it")
        age = self._clock() * SECOND - note.at
        if not lane.past.fired and not lane.attempts and age > STALE:
            return "expired", f"it was {age / MINUTE:.0f} minutes old before it could be sent"
        return None

    def _outcome(
        self, lane: _Lane, delivery: Delivery, state: DeliveryState, reason: str, memo: Memo | None = None
    ) -> Outcome:
        at = round(self._clock() * SECOND)
        return Outcome(delivery, state, lane.attempts, reason, at, lane.past.memo if memo is None else memo)

    def _note(self, *, failed: bool) -> None:
        with self._changed:
            self._gate.note(time.monotonic(), failed=failed)

    def _wake(self, name: str, at: float) -> None:
        self._number += 1
        heapq.heappush(self._due, (at, self._number, name))
        self._changed.notify_all()
