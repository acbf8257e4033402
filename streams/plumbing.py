"""Which pumps act on which level, and what stands before and behind them: read from the city model.

In: a city model. Out: pumps with the sensors that tell of them, and the valves at a tank.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.city import City, Relation, Utility

BASINS = frozenset({"tank", "wet_well", "underpass", "sump"})
"""Kinds of assets that a pump fills or empties by their level."""
HOPS = 3
"""Mains before a pump along which a pressure tells of its suction."""
ZONE_MAX = 4
"""Pressures that tell of a tank's zone."""
MOVES = 0.2
"""Part of its rated flow from which a pump without a sensor for it runs."""


class Pump(NamedTuple):
    """A pump in a group: its id, and the columns of the sensors that tell of it."""

    asset: str
    run: int | None
    flow: int | None
    volts: tuple[int, ...]
    """Its own voltage, and that of the works into which it empties."""
    suction: tuple[int, ...]
    """Pressures before it."""
    lps: float
    """Its rated flow; 0 where nobody knows."""
    levels: int
    """On how many levels it acts."""
    direct: bool
    """Whether its main leads into the tank and nowhere else."""

    def runs(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """By minute: 1 where it runs, 0 where it stands, NaN where nobody knows."""
        if self.run is not None:
            return rows[:, self.run]
        if self.flow is None:
            return np.full(len(rows), np.nan)
        flow = rows[:, self.flow]
        return np.where(np.isnan(flow), np.nan, flow > MOVES * max(self.lps, 5.0))


def pumps_of(city: City, basin: str) -> tuple[list[str], list[str]]:
    """The pumps that fill it, and those that empty it."""
    if city.asset_by_id[basin].kind not in BASINS:
        return [], []
    utility = city.asset_by_id[basin].utility
    into = city.links_to.get(basin, ())
    filling = [link.source for link in into if link.relation is Relation.SUPPLIES]
    emptying = [link.source for link in into if link.relation is Relation.PROTECTS]
    emptying += [
        link.target for link in city.links_from.get(basin, ()) if link.relation is Relation.DRAINS_TO
    ]
    return _pumps(city, filling, utility), _pumps(city, emptying, utility)


def _pumps(city: City, names: list[str], utility: Utility) -> list[str]:
    """Those that are pumps of the utility: where a booster empties a wet well, the model is wrong."""
    assets = [city.asset_by_id[name] for name in dict.fromkeys(names)]
    return [asset.id for asset in assets if asset.kind == "pump" and asset.utility == utility]


def pump_of(city: City, name: str, sensors: list[str]) -> Pump:
    """A pump with its columns; what tells of it is added to ``sensors``."""

    def column(sensor: str) -> int | None:
        if sensor not in city.sensor_by_id:
            return None
        if sensor not in sensors:
            sensors.append(sensor)
        return sensors.index(sensor)

    links = city.links_from.get(name, ())
    works = [link.target for link in links if link.relation is Relation.LIFTS_TO]
    volts = [column(f"{asset}/voltage") for asset in (name, *works)]
    suction = [column(f"{asset}/pressure") for asset in _before(city, name)]
    lps = city.asset_by_id[name].properties.get("rated_lps")
    onward = [link for link in links if link.relation is Relation.SUPPLIES]
    basins = {link.target for link in onward if city.asset_by_id[link.target].kind in BASINS}
    basins |= {link.target for link in links if link.relation is Relation.PROTECTS}
    above = [link.source for link in city.links_to.get(name, ()) if link.relation is Relation.DRAINS_TO]
    basins |= {asset for asset in above if city.asset_by_id[asset].kind in BASINS}
    return Pump(
        name,
        column(f"{name}/run"),
        column(f"{name}/flow"),
        tuple(one for one in volts if one is not None),
        tuple(one for one in suction if one is not None),
        float(lps) if isinstance(lps, (int, float)) else 0.0,
        len(basins),
        all(link.target in basins for link in onward if link.properties),
    )  # fmt: skip - as the fields stand


def _before(city: City, pump: str) -> list[str]:
    """Assets along the mains before a pump, the nearest first, as far as their pressure says something."""
    found: list[str] = []
    queue = deque([(pump, 0)])
    passed = {pump}
    while queue:
        here, hops = queue.popleft()
        if hops == HOPS:
            continue
        for link in city.links_to.get(here, ()):
            above = link.source
            if link.relation is Relation.SUPPLIES and above not in passed:
                passed.add(above)
                if city.asset_by_id[above].kind in ("junction", "valve"):
                    found.append(above)
                    queue.append((above, hops + 1))
    return found


def around(city: City, tank: str) -> list[str]:
    """The nearest places with a measured pressure along the mains of a tank's zone, past the first valves.

    Other pumps, tanks and valves end the zone.
    """
    found: list[str] = []
    first = {
        link.target
        for start in (tank, *valves_at(city, tank))
        for link in city.links_from.get(start, ())
        if link.relation is Relation.SUPPLIES and city.asset_by_id[link.target].kind == "junction"
    }
    queue, passed = deque(sorted(first)), {tank, *first}
    while queue and len(found) < ZONE_MAX:
        here = queue.popleft()
        if f"{here}/pressure" in city.sensor_by_id:
            found.append(here)
        beside = [link.target for link in city.links_from.get(here, ()) if link.relation is Relation.SUPPLIES]
        beside += [link.source for link in city.links_to.get(here, ()) if link.relation is Relation.SUPPLIES]
        for there in beside:
            if there not in passed and city.asset_by_id[there].kind == "junction":
                passed.add(there)
                queue.append(there)
    return found


def valves_at(city: City, tank: str) -> list[str]:
    """The valves through which all water to and from a tank's zone passes."""
    ways = [link.target for link in city.links_from.get(tank, ()) if link.relation is Relation.SUPPLIES]
    if len(ways) != 1:
        return []
    found: list[str] = []
    here = ways[0]
    while city.asset_by_id[here].kind == "valve" and here not in found:
        found.append(here)
        onward = [link.target for link in city.links_from.get(here, ()) if link.relation is Relation.SUPPLIES]
        if len(onward) != 1:
            break
        here = onward[0]
    return found
