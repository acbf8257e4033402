"""Stream time: how far the input has got, decided by many clocks so that no single one can move it.

In:  the event times of readings, by asset.
Out: stream time, in ms since the epoch, or None until enough assets have spoken.
Promises: never goes back; assets whose clocks run ahead never move it, as long as they are fewer than
the quorum.
"""

import heapq
import math
from collections.abc import Iterable
from typing import Any

QUORUM_SHARE = 0.10
"""Share of the reporting assets whose clocks must have reached a time before it counts."""
QUORUM_MIN = 3


def quorum(assets: int) -> int:
    """How many assets must have reached a time: a tenth, at least three, at most a bare majority."""
    return min(max(QUORUM_MIN, math.ceil(assets * QUORUM_SHARE)), assets // 2 + 1)


class StreamClock:
    """The time that the ``quorum``-th newest of the assets' clocks has reached."""

    def __init__(self, assets: int) -> None:
        self._quorum = quorum(assets)
        self._ahead: dict[str, int] = {}
        self._earliest: list[tuple[int, str]] = []
        """A heap of what is ahead, and of what was."""
        self._sorted = True
        """Whether the heap holds all that is ahead."""
        self.time: int | None = None

    def hear(self, asset: str, at: int) -> bool:
        """Take note that the asset's clock shows ``at``; True when stream time moved."""
        if self.time is not None and at <= self.time:
            return False
        if at <= self._ahead.get(asset, -1):
            return False
        self._ahead[asset] = at
        if self._sorted:
            heapq.heappush(self._earliest, (at, asset))
        if len(self._ahead) < self._quorum:
            if len(self._earliest) > 2 * self._quorum:
                self._sort()
            return False
        self._move(self._reached())
        return True

    def first_move(self, assets: Iterable[str], at: Iterable[int]) -> int | None:
        """Which of these readings, heard in this order, would move stream time first; None: none."""
        missing, new = self._quorum - len(self._ahead), set[str]()
        for place, (asset, time) in enumerate(zip(assets, at, strict=False)):
            if asset not in self._ahead and (self.time is None or time > self.time):
                new.add(asset)
                if len(new) == missing:
                    return place
        return None

    def hear_all(self, assets: Iterable[str], at: Iterable[int]) -> None:
        """Hear readings of which none moves stream time."""
        ahead, time = self._ahead, -1 if self.time is None else self.time
        for asset, shown in zip(assets, at, strict=True):
            if shown > time and shown > ahead.get(asset, -1):
                ahead[asset] = shown
                self._sorted = False

    def _reached(self) -> int:
        """The quorum-th newest of what is ahead."""
        if not self._sorted:
            return sorted(self._ahead.values())[-self._quorum]
        while len(self._ahead) > self._quorum:
            self._leave()
        while self._is_past(*self._earliest[0]):
            heapq.heappop(self._earliest)
        return self._earliest[0][0]

    def pass_to(self, at: int) -> bool:
        """Move to ``at`` because time passed in silence; True when it moved."""
        if self.time is not None and at <= self.time:
            return False
        self._move(at)
        return True

    def _move(self, at: int) -> None:
        self.time = at
        if not self._sorted:
            self._ahead = {asset: shown for asset, shown in self._ahead.items() if shown > at}
            self._sort()
        while self._earliest and self._earliest[0][0] <= at:
            self._leave()

    def _leave(self) -> None:
        """The earliest of the heap is ahead no more, if it still was."""
        at, asset = heapq.heappop(self._earliest)
        if not self._is_past(at, asset):
            del self._ahead[asset]

    def _is_past(self, at: int, asset: str) -> bool:
        """Whether the asset's clock shows something else by now."""
        return self._ahead.get(asset) != at

    def _sort(self) -> None:
        """Let the heap hold what is ahead, and nothing that was."""
        self._sorted = True
        self._earliest = [(at, asset) for asset, at in self._ahead.items()]
        heapq.heapify(self._earliest)

    def snapshot(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON."""
        return {"time": self.time, "ahead": self._ahead}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self.time = state["time"]
        self._ahead = dict(state["ahead"])
        self._sort()


class ToldClock(StreamClock):
    """The clock of a part of a city: time is decided where the whole city is heard, and comes by ticks."""

    def hear(self, asset: str, at: int) -> bool:  # noqa: ARG002 - what an asset's clock shows decides nothing here
        """Never moves."""
        return False

    def first_move(self, assets: Iterable[str], at: Iterable[int]) -> None:
        """None does."""

    def hear_all(self, assets: Iterable[str], at: Iterable[int]) -> None:
        """Decides nothing."""
