"""What the parts of a city's detection, or its domains, say, brought into one order by stream time.

In:  alarm changes (or what domains say), and stream time each time it moved, from each part in its own order;
     between the parts in any order at all.
Out: rounds: what all parts said up to a move of stream time, and that time.
Promises: the rounds are the same however the parts are interleaved. A part that says nothing holds the others
up, as what it will say may belong before theirs; beyond ``PENDING_MAX`` it is waited for no longer. Pure.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter

Said = TypeVar("Said", bound=BaseModel)

PENDING_MAX = 200_000
"""Things said and times that may wait for a slower part: a day of two parts whose time moves each second."""


class Merge(Generic[Said]):
    """The parts' queues. ``said``: how what they say is read back."""

    def __init__(self, parts: Iterable[int], said: TypeAdapter[Said]) -> None:
        self._said = said
        self._queues: dict[int, deque[Said | int]] = {part: deque() for part in sorted(parts)}
        self._times = dict.fromkeys(self._queues, 0)
        """Moves of stream time that wait in each queue."""
        self._without = len(self._queues)
        """Parts that have no move waiting."""
        self.pending = 0

    def take(self, part: int, found: Said | int) -> None:
        """What a part says next. Raises KeyError for a part that is none of ours."""
        self._queues[part].append(found)
        self.pending += 1
        if isinstance(found, int):
            self._times[part] += 1
            self._without -= self._times[part] == 1

    def rounds(self) -> Iterator[tuple[list[Said], int]]:
        """The rounds that are complete, and those that nobody waits for any longer."""
        while not self._without or (self.pending > PENDING_MAX and any(self._times.values())):
            firsts = {
                part: next(f for f in queue if isinstance(f, int))
                for part, queue in self._queues.items()
                if self._times[part]
            }
            now = min(firsts.values())
            said: list[Said] = []
            for part, first in firsts.items():
                if first == now:
                    said += self._up_to_time(part)
            yield said, now

    def _up_to_time(self, part: int) -> Iterator[Said]:
        queue = self._queues[part]
        while not isinstance(found := queue.popleft(), int):
            self.pending -= 1
            yield found
        self.pending -= 1
        self._times[part] -= 1
        self._without += not self._times[part]

    def snapshot(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON."""
        return {
            str(part): [f if isinstance(f, int) else f.model_dump(mode="json") for f in queue]
            for part, queue in self._queues.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot of the same parts."""
        for part, queue in state.items():
            for found in queue:
                self.take(int(part), found if isinstance(found, int) else self._said.validate_python(found))
