"""Received messages to the log: refuse nonsense, keep the rest, then let them be acknowledged.

In:  batches of messages, from the embedded broker or a collector of another broker; times without any.
Out: records and dead letters, appended to the log in one transaction a batch.
Promises: when ``receive`` returns, the batch is on the disk. Where the log is too far ahead of what is
processed it waits, and so do the senders: nothing is dropped.
"""

import threading
import time
from collections import Counter

from collectors.intake import Intake
from collectors.messages import Message
from runner.log import Log
from schemas.answers import Answer
from schemas.city import City
from schemas.readings import Tick

LAG_MAX = 100_000
"""Records of the log that may wait for the processor."""


class Reception:
    """The one door to the log. Any thread may call it; one at a time goes in.

    ``processed`` is the offset of the log before which all is processed.
    """

    def __init__(self, city: City, log: Log, processed: int) -> None:
        self._intake = Intake(city)
        self._log = log
        self._counted: Counter[str] = Counter()
        self._door = threading.Lock()
        self._moved = threading.Condition()
        self._end = log.end()
        self._processed = processed
        self._stopping = False
        self.last_received = time.monotonic()
        """When the last message came, on the monotonic clock."""

    @property
    def lag(self) -> int:
        """Records that are in the log and not processed; at most about LAG_MAX."""
        return max(0, self._end - self._processed)

    def receive(self, messages: list[Message]) -> None:
        """Keep a batch. Raises CannotRun where the disk refuses it; then none of it is kept."""
        self.last_received = time.monotonic()
        with self._moved:
            self._moved.wait_for(lambda: self.lag < LAG_MAX or self._stopping)
        with self._door:
            batch = self._intake.step(messages)
            counted = Counter(self._intake.counts)
            self._log.append(batch.records, batch.dead, counted - self._counted)
            self._counted = counted
            self._appended()

    def pass_time(self, at: int) -> None:
        """Tell the core that time has come to ``at`` (ms) and nothing was heard."""
        with self._door:
            self._log.append([Tick(at=at)])
            self._appended()

    def pass_answer(self, answer: Answer) -> None:
        """Tell the core what somebody has answered."""
        with self._door:
            self._log.append([answer])
            self._appended()

    def wait_for_records(self, offset: int, seconds: float) -> None:
        """Return when the log has a record at ``offset``, or the seconds are over, or it stops."""
        with self._moved:
            self._moved.wait_for(lambda: self._end > offset or self._stopping, seconds)

    def processed(self, offset: int) -> None:
        """Take note that all before ``offset`` is processed."""
        with self._moved:
            self._processed = offset
            self._moved.notify_all()

    def stop(self) -> None:
        """Let nobody wait any more."""
        with self._moved:
            self._stopping = True
            self._moved.notify_all()

    def _appended(self) -> None:
        with self._moved:
            self._end = self._log.end()
            self._moved.notify_all()
