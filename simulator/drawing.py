"""Days drawn by chance: what breaks, where, when and how badly, for benchmarks and training.

In:  a town, a seed. Out: a ``Scenario`` that nobody has seen before, the same for the same seed.

Kinds are equally likely where the city has a place for them. One day in six is quiet, one in three has two
causes that have nothing to do with each other, a third have a fault of a sensor beside, a fifth come over a
bad network.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from schemas.times import milliseconds
from simulator.dice import dice
from simulator.physics import Town
from simulator.scenario import Injection, Scenario, Shower
from simulator.streamfaults import StreamFaults
from simulator.trouble import KINDS

QUIET, DOUBLE, SPOILT, BAD_NETWORK = 1 / 6, 1 / 3, 1 / 3, 1 / 5
SPREAD = (0.8, 1.3)
"""A size lies between these parts of its usual value, where nothing else is said."""
RANGES: dict[str, tuple[float, float]] = {
    "to_pu": (0.70, 0.88),
    "share": (0.95, 0.995),
    "factor": (1.7, 2.2),
    "peak_mm_per_h": (80.0, 140.0),
    "minutes": (50.0, 110.0),
    "lps_per_sqrt_m": (3.0, 8.0),
    "rise_m": (1.8, 2.8),
    "area_ha": (2.0, 5.0),
}  # fmt: skip - a table
APART_H = 6
"""Hours between two causes of one day."""


BAD_NETWORK_FAULTS: dict[str, Any] = {
    "late": {"share": 0.02, "up_to": "20m"},
    "duplicated": {"share": 0.01},
    "out_of_order": {"share": 0.05},
    "lost": {"share": 0.01},
}  # fmt: skip - one row a fault


def draw(town: Town, name: str, seed: int, *, quiet: bool | None = None) -> Scenario:
    """A day of the town; ``quiet`` decides what chance else would."""
    throw = dice(seed, "draw", town.name, name)
    day = datetime(2025, 5, 1, tzinfo=UTC) + timedelta(days=int(throw.integers(0, 150)))
    is_quiet = throw.random() < QUIET if quiet is None else quiet
    injections: list[Injection] = []
    if not is_quiet:
        injections.append(_injection(town, throw, int(throw.integers(1, 9)), injections))
        if throw.random() < DOUBLE:  # a missed route has its hour, and would not be apart
            injections.append(_injection(town, throw, int(throw.integers(9 + APART_H, 19)), injections))
    if throw.random() < SPOILT:
        injections.append(_sensor_fault(town, throw))
    slow = any(injection.kind == "route_missed" for injection in injections)
    showers = [_shower(injection) for injection in injections if KINDS[injection.kind].wants_rain]
    return Scenario(
        scenario=name,
        city=town.name,
        start=milliseconds(day),
        hours=36 if slow else 24,
        injections=tuple(injections),
        showers=tuple(showers),
        stream_faults=_network(throw),
    )  # fmt: skip - what a day is made of


def _injection(town: Town, throw: np.random.Generator, hour: int, others: list[Injection]) -> Injection:
    """A cause of a kind that the day doesn't have yet."""
    places: dict[str, list[str]] = {}
    for name, kind in KINDS.items():
        if kind.process and not (others and name in {"route_missed", *(other.kind for other in others)}):
            fitting = [
                asset.id for asset in town.city.assets if asset.kind in kind.on and _works(town, asset.id)
            ]
            if fitting:
                places[name] = fitting
    name = sorted(places)[int(throw.integers(len(places)))]
    asset = places[name][int(throw.integers(len(places[name])))]
    size = {
        size: round(float(throw.uniform(*(RANGES.get(size) or (SPREAD[0] * usual, SPREAD[1] * usual)))), 3)
        for size, usual in KINDS[name].sizes.items()
    }
    if name == "level_sensor_spoofed":
        size["level_m"] = _lie(town, asset)
    at = "05:00" if name == "route_missed" else f"{hour:02d}:{int(throw.integers(60)):02d}"
    return Injection(kind=name, asset=asset, at=at, size=size)


def _shower(injection: Injection) -> Shower:
    """The rain without which the injection would show nothing: two hours in, or in the evening for litter."""
    hour = 20 if injection.kind == "route_missed" else int(injection.at[:2]) + 2
    return Shower(at=f"{hour:02d}:00", peak_mm_per_h=KINDS[injection.kind].wants_rain, minutes=90)


def _works(town: Town, asset: str) -> bool:
    """Whether something in the physics can break here: a lying level needs a control that believes it."""
    kind = town.city.asset_by_id[asset].kind
    if kind in ("tank", "wet_well"):
        return any(pump.watches == asset for pump in town.physics.pumps.values())
    if kind == "pump":
        return asset in town.physics.pumps
    if kind == "outfall":
        return town.physics.climate.river_m is not None
    return True


def _lie(town: Town, asset: str) -> float:
    """A level at which the pump that believes it stands still."""
    pump = next(pump for pump in town.physics.pumps.values() if pump.watches == asset)
    return (
        round((pump.off_above or 4.0) + 0.1, 2)
        if pump.fills
        else round(max((pump.off_below or 0.5) - 0.1, 0.05), 2)
    )


def _sensor_fault(town: Town, throw: np.random.Generator) -> Injection:
    kinds = sorted(name for name, kind in KINDS.items() if kind.nature == "measuring")
    name = kinds[int(throw.integers(len(kinds)))]
    on = KINDS[name].on
    fitting = (
        [asset.id for asset in town.city.assets if asset.kind in on] if on else sorted(town.city.sensors_of)
    )
    asset = fitting[int(throw.integers(len(fitting)))]
    quantity = None if on else town.city.sensors_of[asset][0].quantity
    return Injection(kind=name, asset=asset, at=f"{int(throw.integers(0, 20)):02d}:30", quantity=quantity)


def _network(throw: np.random.Generator) -> StreamFaults:
    if throw.random() >= BAD_NETWORK:
        return StreamFaults()
    return StreamFaults.model_validate(BAD_NETWORK_FAULTS)
