"""Transformers whose load leaves its course: an overload is told while it is still within the limit.

In:  a transformer's loading, the currents of its feeders, voltages of what feeds it, loading of others.
Out: signs. ``loading_rise``: within half an hour the load has grown as no hour of the day lets it grow,
     on most feeders at once, and other transformers don't share it.

Load that comes back after an outage or a sag grows as fast: for some time after one nothing is told. Load
that is switched over, or a single feeder that returns, leaves the other feeders as they were.
docs/signs.md has the numbers.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.city import City, Relation
from schemas.times import HOUR
from streams.drains import medians, onset_of
from streams.groups import Past, Sign
from streams.rows import median

STRIDE = 2
"""Minutes from one look to the next."""
RECENT, AGO = 6, 30
"""Minutes of readings that are compared, and how many lie between the two lots."""
TOLD = 3
"""Readings of each lot at least."""
RISE = 0.25
"""Part by which load must have grown beyond what others share. The steepest hour of a working day brought
0.19 in 40 minutes (measured over 75 days of the cities that come with the benchmark)."""
LEAST = 0.03
"""Loading below which a transformer stands by."""
ALIVE_A = 2.0
"""A feeder with less current is open."""
LIVE_PU = 0.9
"""Supply below this is a sag or an outage."""
CALM_AFTER = 2 * HOUR
"""So long after one load may still be coming back."""
BACK = 0.5
"""A rise is over when less than this part of it is left."""
LASTS = 6 * HOUR
"""By then the hour of the day explains more than any comparison with before."""
PEERS_MAX = 5

Row = NDArray[np.float64]


class Rise(NamedTuple):
    """Load that has left its course."""

    onset: int
    base: float


class LoadWatch:
    """Watches the load of one transformer."""

    minutes, stride = 2 * RECENT + AGO, STRIDE

    def __init__(
        self, asset: str, loading: str, feeders: list[str], supplies: list[str], peers: list[str]
    ) -> None:
        self._asset = asset
        self.sensors = (loading, *feeders, *supplies, *peers)
        first, second = 1 + len(feeders), 1 + len(feeders) + len(supplies)
        self._feeders, self._supplies = slice(1, first), slice(first, second)
        self._peers = slice(second, len(self.sensors))

    def begin(self) -> Any:
        """When supply last failed (-1 is never), and the rise that stands."""
        return -1, None

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One look further."""
        failed, told = state
        rise = told and Rise(*told)
        rows = past.window(at, self.minutes)
        with np.errstate(invalid="ignore"):
            if (rows[-STRIDE:, self._supplies] < LIVE_PU).any():
                failed = at
        if rise:
            recent = rows[-RECENT:, 0]
            over = np.fmax.reduce(recent) < rise.base * (1 + BACK * RISE)
            if over or at - rise.onset > LASTS:
                return (failed, None), self._signs(rise, at)
        elif len(rows) == self.minutes and (failed < 0 or at - failed > CALM_AFTER):
            rise = self._risen(rows, past, at)
        return (failed, rise), self._signs(rise)

    def _risen(self, rows: Row, past: Past, at: int) -> Rise | None:
        recent, before = rows[-RECENT:], rows[:RECENT]
        if min(np.isfinite(recent[:, 0]).sum(), np.isfinite(before[:, 0]).sum()) < TOLD:
            return None
        base, now = float(np.fmax.reduce(before[:, 0])), float(np.fmin.reduce(recent[:, 0]))
        if base < LEAST or now < base * (1 + RISE):
            return None
        is_, was = medians(recent), medians(before)
        with np.errstate(invalid="ignore", divide="ignore"):
            grown = is_ / was
            alive = (is_ > ALIVE_A) & (was > ALIVE_A)
        shared = max(_middle(grown[self._peers], 1.0), 1.0)
        feeders = _middle(grown[self._feeders][alive[self._feeders]], np.inf)
        if now < base * (shared + RISE) or feeders < shared + RISE / 2:
            return None
        return Rise(onset_of(past, at, 0, base * (shared + RISE / 4), self.minutes), base * shared)

    def _signs(self, rise: Rise | None, cleared: int | None = None) -> tuple[Sign, ...]:
        return (Sign(self._asset, "loading_rise", rise.onset, cleared),) if rise else ()


def _middle(values: Row, otherwise: float) -> float:
    known = values[np.isfinite(values)]
    return median(known) if known.size else otherwise


def load_watchers(city: City) -> Iterator[LoadWatch]:
    """A watcher for each transformer whose loading is measured."""
    loadings = {
        sensor.asset: sensor.id
        for sensor in city.sensors
        if sensor.quantity == "loading" and city.asset_by_id[sensor.asset].kind == "transformer"
    }
    for asset, loading in loadings.items():
        fed = [link.target for link in city.links_from.get(asset, ()) if link.relation is Relation.POWERS]
        feeders = [name for one in fed if (name := f"{one}/current") in city.sensor_by_id]
        feeding = (asset, *_feeding(city, asset))
        supplies = [name for one in feeding if (name := f"{one}/voltage") in city.sensor_by_id]
        peers = [other for other in loadings.values() if other != loading]
        yield LoadWatch(asset, loading, feeders, supplies, peers[:PEERS_MAX])


def _feeding(city: City, asset: str) -> list[str]:
    """What feeds an asset, nearest first."""
    found: dict[str, None] = {}
    here = [asset]
    while here:
        onward = [
            link.source
            for name in here
            for link in city.links_to.get(name, ())
            if link.relation is Relation.POWERS and link.source not in found
        ]
        here = list(dict.fromkeys(onward))
        found.update(dict.fromkeys(here))
    return list(found)
