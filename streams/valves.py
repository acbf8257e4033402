"""Valves that shut off all that lies behind them: customers there have no pressure, those before them do.

In:  pressures; of pumps in a row with a valve whether they run, their flow and their voltage, by the minute.
Out: signs ``cut_off`` of the first junction with a sensor behind a valve; their places are the valves that
     cut off just what has no pressure.

Only what every way of the water passes can be cut off: a valve in a mesh leaves another way. docs/signs.md
has the numbers.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from schemas.city import City
from schemas.times import MINUTE
from streams.drains import medians
from streams.groups import Past, Sign
from streams.hydraulics import Mains, outlet, parts
from streams.rows import Row

STRIDE, LOOKS_BACK = 2, 40
"""Minutes."""
RECENT, ENOUGH = 6, 2
"""Minutes in which all readings must show it, and readings among them of each sensor at least."""
BEFORE = 30
"""Minutes whose median is what was usual, up to ten minutes ago."""
LOST_M, WELL_M = 3.0, 10.0
"""Below the first nobody gets water; from the second on there is pressure; assumed."""
KEPT = 0.7
"""So much of their pressure those before the valve keep; assumed."""
LIVE_PU, IDLE_LPS = 0.85, 1.0
"""From here on a pump can run (IEC 60947-4-1); below the second nothing flows (assumed)."""
REACH = 300
"""Nodes behind a valve that are looked at: a longer way is taken for one that leads to a source."""
BESIDE = 6
"""Pressures before a valve that are looked at."""


class Cut(NamedTuple):
    """What one or several valves in a row cut off."""

    valves: tuple[str, ...]
    behind: tuple[str, ...]
    """Junctions with a measured pressure that have no other way to a source."""
    before: tuple[str, ...]
    """Others of the same parts of the network."""
    pumps: tuple[str, ...]
    """Pumps without which all of them would have no pressure either."""


class CutWatch:
    """Watches what would be cut off together."""

    minutes, stride = LOOKS_BACK, STRIDE

    def __init__(self, city: City, cut: Cut) -> None:
        self._cut = cut
        wanted = [f"{name}/pressure" for name in (*cut.behind, *cut.before)]
        self._pumps: list[dict[str, int]] = []
        for pump in cut.pumps:
            columns = {}
            for quantity in ("run", "flow", "voltage"):
                if f"{pump}/{quantity}" in city.sensor_by_id:
                    columns[quantity] = len(wanted)
                    wanted.append(f"{pump}/{quantity}")
            self._pumps.append(columns)
        self.sensors = tuple(wanted)

    def begin(self) -> Any:
        """Since when it is cut off: not at all."""
        return None

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One look further."""
        rows = past.window(at, LOOKS_BACK)
        count = len(self._cut.behind)
        with np.errstate(invalid="ignore"):
            recent = rows[-RECENT:]
            lost = np.fmax.reduce(recent[:, :count], initial=-np.inf) < LOST_M
            back = np.fmin.reduce(recent[:, :count], initial=np.inf) >= LOST_M
        if state is not None:
            over = bool((back & (np.isfinite(recent[:, :count]).sum(axis=0) >= ENOUGH)).any())
            return None if over else state, (self._sign(state, at if over else None),)
        told = np.isfinite(recent).sum(axis=0) >= ENOUGH
        if len(rows) < LOOKS_BACK or not (lost & told[:count]).all() or not self._is_valve(rows, told):
            return None, ()
        gone = (rows[:, :count] >= LOST_M).any(axis=1)
        onset = at - (len(rows) - 2 - int(np.flatnonzero(gone)[-1])) * MINUTE
        return onset, (self._sign(onset, None),)

    def _is_valve(self, rows: Row, told: Any) -> bool:
        """Whether there was pressure until then, those before still have it, and no pump is to blame."""
        count, pressures = len(self._cut.behind), len(self._cut.behind) + len(self._cut.before)
        usual = medians(rows[: BEFORE - RECENT, :pressures])
        with np.errstate(invalid="ignore"):
            if not (usual[:count] >= WELL_M).all():
                return False
            least = np.maximum(WELL_M, KEPT * usual[count:])
            now = np.fmin.reduce(rows[-RECENT:, count:pressures], initial=np.inf)
            if not (now >= least)[told[count:pressures]].all():
                return False
        return all(_runs_dry(rows, columns) for columns in self._pumps)

    def _sign(self, since: int, cleared: int | None) -> Sign:
        places = tuple((valve, 1.0) for valve in self._cut.valves)
        return Sign(self._cut.behind[0], "cut_off", since, cleared, places)


def _runs_dry(rows: Row, columns: Mapping[str, int]) -> bool:
    """Whether a pump has power, and ran without giving anything: it is not the pump that failed."""
    lately = rows[-RECENT:]
    if "run" not in columns or "flow" not in columns:
        return False
    with np.errstate(invalid="ignore"):
        if "voltage" in columns and (rows[:, columns["voltage"]] < LIVE_PU).any():
            return False
        flow = lately[:, columns["flow"]]
        return bool(
            ((lately[:, columns["run"]] > 0) & (flow < IDLE_LPS)).any() and np.nanmax(flow) < IDLE_LPS
        )


def cut_watchers(city: City) -> list[CutWatch]:
    """A watcher for each set of junctions that valves alone can cut off, if a pressure tells of it."""
    return [CutWatch(city, cut) for cut in cuts(city)]


def cuts(city: City) -> list[Cut]:
    """What valves can cut off, the first of each row of valves first."""
    network = _Pipes(parts(city))
    by_set: dict[tuple[str, ...], list[tuple[str, set[str]]]] = defaultdict(list)
    for valve in sorted(asset.id for asset in city.assets if asset.kind == "valve"):
        dry = network.behind(valve)
        behind = tuple(sorted(name for name in dry if f"{name}/pressure" in city.sensor_by_id))
        if behind:
            by_set[behind].append((valve, dry))
    found = []
    for behind, valves in by_set.items():
        inside = set(behind).union(*(dry for _, dry in valves))
        near = network.near([*(valve for valve, _ in valves), *behind])
        before = [n for n in near if n not in inside and f"{n}/pressure" in city.sensor_by_id]
        dried = set.intersection(*({n[:-1] for n in dry if n.endswith(">")} for _, dry in valves))
        pumps = [pump for pump in dried if set(behind) <= network.behind(outlet(pump))]
        found.append(
            Cut(tuple(valve for valve, _ in valves), behind, tuple(before[:BESIDE]), tuple(sorted(pumps)))
        )
    return found


class _Pipes:
    """The whole water network: mains both ways, pumps one way."""

    def __init__(self, mains: Iterable[Mains]) -> None:
        self._beside: dict[str, list[str]] = defaultdict(list)
        self._sources: set[str] = set()
        for part in mains:
            for one, other in part.ends:
                self._beside[part.nodes[one]].append(part.nodes[other])
                self._beside[part.nodes[other]].append(part.nodes[one])
            self._sources |= {*part.works, *part.tanks, *map(outlet, part.into)}

    def behind(self, node: str) -> set[str]:
        """The nodes that have no way to a source but through this one, over pumps that then stand dry."""
        dry: set[str] = set()
        left, lost = list(self._beside.get(node, ())), {node}
        while left:
            start = left.pop()
            if start in dry or start in lost or (reached := self._without_source(start, lost | dry)) is None:
                continue
            dry |= reached
            pumps = [node[:-1] for node in reached if node.endswith(">")]
            lost |= set(map(outlet, pumps))
            left += [node for pump in pumps for node in self._beside.get(outlet(pump), ())]
        return dry

    def _without_source(self, start: str, closed: set[str]) -> set[str] | None:
        """What can be reached from a node; None where that holds a source, or is very much."""
        found, left = {start}, [start]
        while left:
            here = left.pop()
            if here in self._sources or len(found) > REACH:
                return None
            for node in self._beside[here]:
                if node not in found and node not in closed:
                    found.add(node)
                    left.append(node)
        return found

    def near(self, starts: Iterable[str]) -> list[str]:
        """Nodes of the same parts, the nearest first."""
        found = list(dict.fromkeys(starts))
        seen = set(found)
        for here in found:
            for node in self._beside[here]:
                if node not in seen and len(found) < REACH:
                    seen.add(node)
                    found.append(node)
        return found
