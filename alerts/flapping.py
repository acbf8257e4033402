"""Roots that come and go: told a few times, then only when they stay. Pure; holds when each was told."""

from typing import Any

from schemas.alerting import Flap
from schemas.times import MINUTE


class Flapping:
    """When incidents of each root were told, as long ago as the policy looks."""

    def __init__(self, flap: Flap | None) -> None:
        self._flap = flap
        self._told: dict[str, list[int]] = {}

    def note(self, root: str, now: int) -> None:
        """An incident of this root was told."""
        if self._flap is not None:
            since = now - self._flap.within
            self._told = {
                one: kept for one, at in self._told.items() if (kept := [t for t in at if t > since])
            }
            self._told.setdefault(root, []).append(now)

    def why(self, root: str, stands_since: int | None, now: int) -> str | None:
        """Why an incident of this root should wait; None where it should not. ``stands_since``: since when it
        is known that something of it stands; None where nothing does.
        """
        flap = self._flap
        if flap is None or (stands_since is not None and now >= stands_since + flap.hold):
            return None
        times = sum(at > now - flap.within for at in self._told.get(root, ()))
        if times < flap.times:
            return None
        return (
            f"{root} was told {times} times within {flap.within // MINUTE} minutes; "
            f"it is told again when it has stood for {flap.hold // MINUTE}"
        )

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON."""
        return {"told": self._told}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._told = {root: list(at) for root, at in state["told"].items()}
