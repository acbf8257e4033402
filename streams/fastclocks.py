"""Clocks that run ahead: readings beyond stream time wait until it is clear whether they, or all others, are
wrong.

In:  readings ahead of stream time; moves of it.
Out: those that were right after all; conditions ``clock_ahead`` of assets whose clocks are not.
Promises: a fast clock is flagged and detects nothing. Bounded: an asset has HELD_MAX readings waiting.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.times import MINUTE
from streams.track import Change, Track

AHEAD = 5 * MINUTE
"""How far a reading may be ahead of stream time."""
JUDGED_AFTER = 2 * MINUTE
"""A reading still ahead when stream time has moved this far since it came has a fast clock."""
HELD_MAX = 100
"""Readings of one asset that wait for the judgement on its clock; more are flagged at once."""
FLAGGED_MIN = 3
"""Flagged readings in a row before a clock is called ahead."""


@dataclass(slots=True)
class Held:
    """A reading ahead of stream time that waits: a fast clock, or is everyone else silent?"""

    track: Track
    at: int
    value: float
    quality: int
    came: int | None
    """Stream time when it came."""


class FastClocks:
    """Readings that wait, and assets whose clocks are ahead. ``counts`` tells what is flagged or doubled."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._held: dict[str, list[Held]] = {}
        self.ahead: dict[str, tuple[int, int]] = {}
        """Assets with flagged readings in a row: how many, and stream time at the first."""

    @property
    def waiting(self) -> list[str]:
        """Assets of which readings wait."""
        return list(self._held)

    def hold(self, held: Held) -> None:
        """Let a reading wait."""
        waiting = self._held.setdefault(held.track.spec.asset, [])
        if any(other.track is held.track and other.at == held.at for other in waiting):
            self._counts["duplicates"] += 1
            return
        if len(waiting) >= HELD_MAX:
            self._counts["future"] += 1
            del waiting[0]
        waiting.append(held)

    def judge(self, asset: str, now: int) -> Iterator[Held]:
        """What of an asset waits no longer: is not ahead any more, or is flagged (``at`` beyond AHEAD)."""
        waiting: list[Held] = []
        for held in self._held[asset]:
            if held.came is None:
                held.came = now
            if held.at <= now + AHEAD or now - held.came >= JUDGED_AFTER:
                yield held
            else:
                waiting.append(held)
        if waiting:
            self._held[asset] = waiting
        else:
            del self._held[asset]

    def flag(self, asset: str, came: int) -> Change | None:
        """A reading that came then was ahead; what that says of the asset's clock."""
        self._counts["future"] += 1
        flagged, since = self.ahead.get(asset, (0, came))
        self.ahead[asset] = (flagged + 1, since)
        if flagged + 1 != FLAGGED_MIN:
            return None
        return Change("clock_ahead", since, None, new=True, gone=False)

    def right(self, asset: str, at: int) -> Change | None:
        """The asset's clock is right again, or was wrong only once or twice."""
        flagged, since = self.ahead.pop(asset)
        if flagged < FLAGGED_MIN:
            return None
        return Change("clock_ahead", since, max(at, since), new=False, gone=False)

    def snapshot(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON."""
        held = {
            asset: [[h.track.spec.sensor, h.at, h.value, h.quality, h.came] for h in waiting]
            for asset, waiting in self._held.items()
        }
        return {"held": held, "ahead": self.ahead}

    def restore(self, state: Mapping[str, Any], track: Callable[[str], Track | None]) -> None:
        """Go on from a snapshot; ``track`` gives a sensor's, None for one that the model has lost."""
        self._held = {
            asset: [Held(found, *rest) for sensor, *rest in waiting if (found := track(sensor))]
            for asset, waiting in state["held"].items()
        }
        self.ahead = {asset: (count, since) for asset, (count, since) in state["ahead"].items()}
