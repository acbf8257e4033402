"""The truth about a day, by counterfactual: what would not have happened without each cause.

In:  shown and true values of the day and of its twin without one cause, by minute, and the city's limits.
Out: the labels (DESIGN.md section 8). Nobody writes causes by hand.

An effect is an asset whose true signal leaves its twin's for ten minutes or more. Levels and pressures that a
pump's control moves up and down may be out of step with the twin for ever without meaning anything: they must
leave the band in which the twin moves within three hours, and a pump must stand or run half as long again as
its twin ever does around that time.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.city import City, Limits, Link, Relation
from schemas.times import MINUTE, rfc3339
from simulator.run import Mark
from simulator.scenario import Injection, Scenario
from simulator.sensors import NOISE

Rows = NDArray[np.float32]
Column = NDArray[np.float64]

LASTING = 10
"""Minutes that a departure must last."""
BAND = 180
"""Minutes around a moment in which the twin's moves are ordinary, where a control moves the signal."""
BEFORE = 30
"""Minutes before a departure at which an asset that was ill in the twin too is one that stayed ill."""
OBSERVABLE = 4.0
"""Standard deviations of a reading beyond which it shows something, twice running."""
TOLERANCE = {
    "voltage": 0.03,
    "current": 5.0,
    "loading": 0.03,
    "flow": 3.0,
    "pressure": 2.5,
    "level": 0.2,
    "depth": 0.08,
    "ponding": 0.03,
    "rain": 3.0,
    "fill": 0.1,
    "served": 0.5,
    "speed": 3.0,
    "volume": 70.0,
}  # fmt: skip - a table
"""How far a true signal must depart, in its unit: a tenth of its ordinary range or so; assumed."""
_CONTROLLED = frozenset({"pressure", "level"})


@dataclass(frozen=True, slots=True)
class Effect:
    """An asset that a cause reached: when, what departed first, and how (onset, worsened or prolonged)."""

    asset: str
    minute: int
    quantity: str
    how: str


def effects(
    city: City, signals: Sequence[tuple[str, str]], day: Rows, twin: Rows, since: int, cause: str
) -> list[Effect]:
    """Assets that depart from the twin from minute ``since`` on, the cause's left out, by first departure."""
    kinds = {asset.id: asset.kind for asset in city.assets}
    first: dict[str, Effect] = {}
    for index, (asset, quantity) in enumerate(signals):
        if asset == cause or (kinds[asset] in ("pump", "treatment_works", "valve") and quantity == "flow"):
            continue
        now, other = day[:, index].astype(np.float64), twin[:, index].astype(np.float64)
        if np.array_equal(now, other):
            continue
        away = _stands(now, other) if quantity == "run" else _away(now, other, quantity, TOLERANCE[quantity])
        minute = _lasting(away, since)
        if minute is not None and (asset not in first or minute < first[asset].minute):
            sensor = city.sensor_by_id.get(f"{asset}/{quantity}")
            limits = sensor.limits if sensor else None
            first[asset] = Effect(asset, minute, quantity, _how(now, other, minute, limits))
    return sorted(first.values(), key=lambda effect: (effect.minute, effect.asset))


def first_observable(
    city: City, signals: Sequence[tuple[str, str]], day: Rows, twin: Rows, since: int
) -> tuple[int, str] | None:
    """The first minute at which a published sensor departs, twice running, and which; None for never."""
    place = {signal: index for index, signal in enumerate(signals)}
    best: tuple[int, str] | None = None
    for sensor in city.sensors:
        index = place.get((sensor.asset, sensor.quantity))
        if index is None:
            continue
        now, other = day[:, index].astype(np.float64), twin[:, index].astype(np.float64)
        if np.array_equal(now, other):
            continue
        sigma = max(NOISE.get(sensor.quantity, (0.0, 3))[0], TOLERANCE.get(sensor.quantity, 1.0) / 20)
        every = max(round(sensor.every / 60), 1)
        if sensor.quantity == "run":
            away = _stands(now, other, outlasting=True)[::every]
        else:
            cycles = sensor.quantity == "flow"
            away = _away(now, other, sensor.quantity, OBSERVABLE * sigma, cycles=cycles)[::every]
        both = np.flatnonzero(away[:-1] & away[1:])
        both = both[both * every >= since]
        if both.size and (best is None or (int(both[0]) * every, sensor.id) < best):
            best = (int(both[0]) * every, sensor.id)
    return best


def _away(
    now: Column, other: Column, quantity: str, tolerance: float, *, cycles: bool = False
) -> NDArray[np.bool_]:
    if quantity in _CONTROLLED or cycles:
        low, high = _band(other)
        return (now < low - tolerance) | (now > high + tolerance)
    found: NDArray[np.bool_] = np.abs(now - other) > tolerance
    return found


def _band(values: Column) -> tuple[Column, Column]:
    """Least and most within BAND minutes before and after each minute."""
    padded = np.pad(values, BAND, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * BAND + 1)
    return windows.min(axis=1), windows.max(axis=1)


def _stands(now: Column, other: Column, *, outlasting: bool = False) -> NDArray[np.bool_]:
    """Where a pump keeps its state half as long again as its twin ever does within six hours.

    From where it differs from the twin; or, ``outlasting``, from where it has kept it so long.
    """
    away = np.zeros(len(now), dtype=bool)
    stretches = list(_stretches(other))
    for begin, end, state in _stretches(now):
        usual = max(
            (b - a for a, b, s in stretches if s == state and a < end + 360 and b > begin - 360), default=0
        )
        long = round(1.5 * usual) + LASTING
        if end - begin > long:
            differs = np.flatnonzero(other[begin:end] != state)
            first = long if outlasting else int(differs[0]) if differs.size else 0
            away[begin + first : end] = True
    return away


def _stretches(values: Column) -> Iterator[tuple[int, int, float]]:
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    for begin, end in pairwise(edges):
        if begin < end:
            yield begin, end, float(values[begin])


def _lasting(away: NDArray[np.bool_], since: int) -> int | None:
    """The first minute from which it is away for LASTING minutes."""
    padded = np.concatenate([away, np.zeros(1, dtype=bool)])
    changes = np.flatnonzero(np.diff(padded.astype(np.int8), prepend=0))
    for begin, end in zip(changes[::2], changes[1::2], strict=False):
        if end > since and end - max(begin, since) >= LASTING:
            return int(max(begin, since))
    return None


def _how(now: Column, other: Column, minute: int, limits: Limits | None) -> str:
    """Whether the asset was well without the cause at that moment; if not, whether it was ill before too."""
    if limits is None:
        return "onset"
    if _ill(other[minute], limits):
        return "worsened"
    before = max(minute - BEFORE, 0)
    return "prolonged" if _ill(other[before], limits) and _ill(now[minute], limits) else "onset"


def _ill(value: float, limits: Limits) -> bool:
    lows = [limit for limit in (limits.low_low, limits.low) if limit is not None]
    highs = [limit for limit in (limits.high, limits.high_high) if limit is not None]
    return bool((lows and value < max(lows)) or (highs and value > min(highs)))


def couplings(city: City, reached: AbstractSet[str]) -> list[Link]:
    """Links between utilities of which both ends were reached, in the order of the city model."""
    utility = {asset.id: asset.utility for asset in city.assets}
    return [
        link
        for link in city.links
        if link.source in reached and link.target in reached and utility[link.source] != utility[link.target]
    ]


@dataclass(frozen=True, slots=True)
class Passed:
    """A coupling that a cause passed, and the assets that it would not have reached otherwise."""

    link: Link
    carries: list[str]


@dataclass(slots=True)
class Judged:
    """One cause held against its twin."""

    injection: Injection
    effects: list[Effect]
    seen: tuple[int, str] | None
    """First minute at which a sensor showed it, and which."""
    marks: list[Mark]
    """What the physics broke by itself because of it."""
    through: list[Passed] = field(default_factory=list)
    """Couplings that it passed, where that was asked."""


def labels(city: City, scenario: Scenario, judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """The incidents of a labels file. What an earlier cause had reached, a later one has ``worsened``."""
    told = []
    for number, one in enumerate(judged, 1):
        others = [effect for other in judged if other is not one for effect in other.effects]
        reached = {
            effect.asset: effect.minute for effect in sorted(others, key=lambda effect: -effect.minute)
        }
        worsened = [
            effect
            for effect in one.effects
            if effect.how == "worsened" or reached.get(effect.asset, effect.minute) < effect.minute
        ]
        own = [effect for effect in one.effects if effect not in worsened]
        told.append(_label(city, scenario, one, f"{scenario.scenario}-{number}", own, worsened))
    return told


def _label(
    city: City, scenario: Scenario, one: Judged, name: str, own: list[Effect], worsened: list[Effect]
) -> dict[str, Any]:
    def at(minute: int) -> str:
        return rfc3339(scenario.start + minute * MINUTE)

    def rows(effects: list[Effect]) -> list[dict[str, str]]:
        return [
            {"asset": e.asset, "start": at(e.minute), "quantity": e.quantity, "how": e.how} for e in effects
        ]

    injection = one.injection
    accepted, why = _accepted(city, injection, one.marks)
    reached = (injection.asset, *(effect.asset for effect in own))
    start = injection.begins(scenario.start)
    cause: dict[str, Any] = {"asset": injection.asset, "kind": injection.kind, "start": rfc3339(start)}
    rain = {"hyetograph": injection.hyetograph} if injection.hyetograph else {}
    return {
        "id": name,
        "cause": {**cause, "end": rfc3339(start + injection.length), "size": injection.sizes, **rain},
        "first_observable": at(one.seen[0]) if one.seen else None,
        "first_sensor": one.seen[1] if one.seen else None,
        "utilities": sorted({city.asset_by_id[asset].utility.value for asset in reached}),
        **({"also_accepted": accepted, "also_accepted_why": why} if accepted else {}),
        "effects": rows(own),
        **({"worsened": rows(worsened)} if worsened else {}),
        **({"through": [_passed(passed) for passed in one.through]} if one.through else {}),
    }


def _passed(passed: Passed) -> dict[str, Any]:
    link = passed.link
    ends = {"source": link.source, "relation": link.relation.value, "target": link.target}
    return {**ends, "carries": passed.carries}


def _accepted(city: City, injection: Injection, marks: Sequence[Mark]) -> tuple[list[str], str]:
    """Other right answers for the root, and why."""
    kind = city.asset_by_id[injection.asset].kind
    if injection.kind == "storm":
        also = [
            asset.id for asset in city.assets if asset.kind == "catchment" and asset.id != injection.asset
        ]
        drowned = sorted({mark.asset for mark in marks if mark.what.startswith("flooded")})
        return [
            *also,
            *drowned,
        ], "it rains everywhere; a flooded substation starts the whole power part of the day"
    if kind == "junction" and injection.asset not in city.sensors_of:
        beside = {
            link.target
            for link in city.links_from.get(injection.asset, ())
            if link.relation is Relation.SUPPLIES
        }
        beside |= {
            link.source
            for link in city.links_to.get(injection.asset, ())
            if link.relation is Relation.SUPPLIES
        }
        return sorted(
            beside
        ), "it has no sensor, and no measured pressure tells it from the next along the main"
    if injection.asset not in city.sensors_of and kind in ("manhole", "storm_manhole", "sewer", "inlet"):
        return _to_sensor(
            city, injection
        ), "it has no sensor: the nearest that has one along the sewer, and those between"
    return [], ""


def _to_sensor(city: City, injection: Injection) -> list[str]:
    """Along the sewer to the first asset with a sensor: up from a blockage, down from a discharge."""
    up = "block" in injection.kind
    found, here, passed = [], injection.asset, {injection.asset}
    while here not in city.sensors_of:
        links = city.links_to.get(here, ()) if up else city.links_from.get(here, ())
        onward = [link.source if up else link.target for link in links if link.relation is Relation.DRAINS_TO]
        onward = [
            name for name in onward if name not in passed and city.asset_by_id[name].kind != "catchment"
        ]
        if not onward:
            break
        here = min(onward, key=lambda name: (city.asset_by_id[name].kind == "inlet", name))
        passed.add(here)
        found.append(here)
    return found
