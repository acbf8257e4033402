"""The whole of the thinking for one city: records in; alarms, incidents and notifications out.

The same object is carried by a replay, by the embedded runner and by tests; it knows no clock and no file.
Promises: the same records give the same outputs, however they were cut into frames and however often it
was stopped, stored with ``snapshot`` and started again with ``restore``.
"""

import gc
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from alerts.desk import Desk
from schemas.alarms import AlarmChange
from schemas.alerting import Policy
from schemas.answers import Answer
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.notifications import Decision, Notification
from schemas.readings import Block, Event, Frame, Tick
from schemas.vocabulary import Vocabulary
from streams.causes import Causes, load_causes
from streams.clock import ToldClock
from streams.correlation import Correlation
from streams.detect import Detector

STATE_VERSION = 8
CYCLES_AFTER = 20_000
"""New objects after which Python looks for cycles. We make none; its own 700 cost 5 % of a replay."""


def calm_collector() -> None:
    """Keep Python from looking for cycles in the city model, which stays, and from looking often: in large
    cities that paused us for a tenth of a second.
    """
    gc.collect(1)
    gc.freeze()
    gc.set_threshold(CYCLES_AFTER, *gc.get_threshold()[1:])


@dataclass(slots=True)
class Outputs:
    """What one record brought, in order."""

    alarms: list[AlarmChange] = field(default_factory=list)
    incidents: list[IncidentRevision] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def hear(self, said: Iterable[Notification | Decision]) -> None:
        """Take what the desk says, each to its own."""
        for one in said:
            if isinstance(one, Decision):
                self.decisions.append(one)
            else:
                self.notifications.append(one)


class Core:
    """Detection, correlation and alerting of one city.

    ``policy`` is its alerts.yaml, where it has one; ``never`` tells alarms that shall be as if they never
    were; ``told``: stream time comes by ticks alone, as on Kafka.
    """

    def __init__(
        self,
        city: City,
        vocabulary: Vocabulary,
        causes: Causes | None = None,
        policy: Policy | None = None,
        never: Callable[[AlarmChange], bool] | None = None,
        *,
        told: bool = False,
    ) -> None:
        self.city = city
        self._never = never
        self._detector = Detector(city, vocabulary, clock=ToldClock(1) if told else None)
        self._correlation = Correlation(city, causes or load_causes(), vocabulary)
        self._desk = Desk(policy, city)
        calm_collector()

    @property
    def stream_time(self) -> int | None:
        """How far the input has got, in ms since the epoch; None before enough assets have spoken."""
        return self._detector.stream_time

    @property
    def counts(self) -> Counter[str]:
        """Readings taken, and those that were duplicates, late, of the future, or unknown."""
        return self._detector.counts

    def step(self, record: Frame | Block | Event | Tick | Answer) -> Outputs:
        """Take one record. Incidents are looked at each time stream time moves, not at each alarm."""
        outputs = Outputs()
        if isinstance(record, Answer):
            outputs.hear(self._desk.answer(record))
            return outputs
        for found in self._detector.step(record):
            if isinstance(found, AlarmChange):
                self._hear(found, outputs)
                continue
            for revision in self._correlation.look(found):
                outputs.incidents.append(revision)
                outputs.hear(self._desk.take(revision))
            outputs.hear(self._desk.look(found))
        return outputs

    def take_over(self, other: "Core") -> Outputs:
        """Go on from where ``other`` has got under another version of the model: what it judged stays judged,
        what comes is judged by ours. Alarms that only it could end, end now.
        """
        self.restore(json.loads(json.dumps(other.snapshot())))
        outputs = Outputs()
        for change in self._detector.take_over(other._detector):  # noqa: SLF001 - one of us
            self._hear(change, outputs)
        return outputs

    def _hear(self, change: AlarmChange, outputs: Outputs) -> None:
        if self._never and self._never(change):
            return
        outputs.alarms.append(change)
        self._correlation.take(change)
        self._desk.note(change)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON values."""
        return {
            "version": STATE_VERSION,
            "detect": self._detector.snapshot(),
            "correlate": self._correlation.snapshot(),
            "desk": self._desk.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises ValueError where another version of us wrote it."""
        if state.get("version") != STATE_VERSION:
            raise ValueError(f"snapshot has version {state.get('version')!r}, expected {STATE_VERSION}")
        self._detector.restore(state["detect"])
        self._correlation.restore(state["correlate"])
        self._desk.restore(state["desk"])
