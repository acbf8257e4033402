"""What each part of a water network takes: what its meters let in, less what its tanks keep.

In:  rows of minutes. Out: demand in L/s by block of five minutes, and whether it can be trusted.

A block's demand reaches from the middle of the block before to its own middle. The formulas and numbers
stand in docs/signs.md.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.city import City
from streams.hydraulics import Mains, measure

Row = NDArray[np.float64]
Span = tuple[int, int]
"""Blocks: the first, and the first one after."""

BLOCK = 5
"""Minutes of a block."""
LOOK_BACK = 2 * BLOCK + 2
"""Rows that a block is judged by: it, the one before, and a minute at either end to tell spikes."""
QUICK = (2, 3, 5, 8)
"""Blocks after which a sudden draw may be told: the first without tanks, later ones as tanks make noise."""
QUIET_LPS = 1.2
"""Noise of demand, in L/s, that needs no longer look; assumed."""
UNEVEN = 0.05
"""How far a zone's demand strays from the others' within half an hour, as a share; assumed."""
CLEAR = 0.1
"""Growth with more noise than this share is no measure by itself; assumed."""
SETTLES = 6
"""Blocks after a disturbance in which demand is no measure for later; assumed."""
LEVEL_M = 0.02
"""Noise of one reading of a tank's level; assumed."""
DEAD_PU = 0.85
"""Below this voltage pumps may stand: contactors let go at 0.7 to 0.8 (IEC 60947-4-1)."""
IDLE_LPS = 1.0
"""Less is no flow; assumed."""
LIES_LPS = 10.0
"""A demand further below nothing, and below its noise, tells of a level that lies; assumed."""
DRY_M = 10.0
"""Where most pressures of a part are below this, its customers don't get what they ask for; assumed. Half the
sensor's own limit ``low`` where that is less."""
EMPTY_M = 0.3
"""Where the sensor has no limit ``low_low``, a tank is empty below this; assumed."""

Ends = tuple[float | None, float | None]
"""Metered inflow in L/s since the block before, and what tanks hold, in L/s times minutes."""
Block = tuple[tuple[float | None, int, bool], ...]
"""By zone: demand in L/s, how calm it was, whether no sign stood."""
CALM, DRY, WITHOUT_POWER = 2, 1, 0
"""Nothing disturbed a zone; it ran dry, which is nothing to its neighbours; its pumps may stand."""


class Zone(NamedTuple):
    """A part of the network whose balance is known, with the columns of its sensors."""

    meters: tuple[tuple[int, int], ...]
    """Flows: column, and 1 for inwards or -1."""
    tanks: tuple[tuple[int, float, float], ...]
    """Levels: column, L/s that a metre a minute is, and the level below which it is empty."""
    voltages: tuple[int, ...]
    needed: tuple[int, ...]
    """Meters of pumps without which all water comes past a meter: where neither works nor a tank help."""
    pressures: tuple[tuple[int, float], ...]
    """Column, and the pressure below which customers don't get what they ask for."""
    beside: tuple[int, ...]
    """The zones on the other side of its pumps."""
    noise: float
    """Of demand over one block, in L/s; over more, so many times less."""
    quick: tuple[int, ...]
    """After so many blocks a sudden draw may be told."""


class Growth(NamedTuple):
    """How much the demand of other zones grew."""

    usual: float
    """The middle one, by how sure each is."""
    most: float
    """The largest that noise doesn't make."""
    unsure: float
    """Of the usual one: its noise, and how far the zones are apart."""


KINDS = ("known", "fair", "base", "metered")
"""Of blocks, for their means."""


class Record:
    """Demand by block and zone, NaN where something disturbed it."""

    def __init__(self, blocks: tuple[Block, ...], zones: tuple[Zone, ...]) -> None:
        table = np.array(blocks, dtype=np.float64)
        demand, calm, fair = table[:, :, 0], table[:, :, 1], table[:, :, 2] > 0
        around = calm == CALM
        for zone, its in enumerate(zones):
            for other in its.beside:
                around[:, zone] &= calm[:, other] > WITHOUT_POWER
        self._noise = [its.noise for its in zones]
        self.demand = np.where(around, demand, np.nan)
        self.now = len(blocks)
        known = np.isfinite(self.demand)
        settled = known.copy()
        for ago in range(1, SETTLES + 1):
            settled[ago:] &= around[:-ago]
        metered = np.isfinite(demand) & (calm > WITHOUT_POWER)
        kinds = np.stack([known, known & fair, settled & fair, metered], axis=1)
        columns = np.concatenate([np.where(kinds, demand[:, None], 0.0), kinds], axis=1)
        sums = np.zeros((self.now + 1, columns[0].size))
        np.cumsum(columns.reshape(self.now, -1), axis=0, out=sums[1:])
        self._sums: list[list[float]] = sums.tolist()
        """By block: sums over those before it, of demand by kind and zone, then of blocks of each kind. Plain
        numbers, as they are asked for one by one.
        """
        self._first = {kind: number * len(zones) for number, kind in enumerate(KINDS)}
        self._grown: dict[tuple[Span, Span], list[tuple[int, float, float, float]]] = {}

    def mean(self, zone: int, span: Span, kind: str = "known") -> float:
        """Mean demand over blocks; NaN where one in three is not of this kind, or there are none.

        ``fair``: no sign stood. ``base``: nor did anything disturb the zone for a while before. ``metered``:
        it may run dry.
        """
        since, until = span
        if not 0 <= since < until:
            return math.nan
        column, count = self._first[kind] + zone, self._first[kind] + zone + len(KINDS) * len(self._noise)
        before, after = self._sums[since], self._sums[until]
        known = after[count] - before[count]
        if known * 3 <= (until - since) * 2:
            return math.nan
        return (after[column] - before[column]) / known

    def noise(self, zone: int, span: Span) -> float:
        """Of the mean demand over some blocks, in L/s: only the levels at both ends of the span count."""
        return self._noise[zone] / (span[1] - span[0])

    def grown(self, zone: int, then: Span, now: Span) -> "Growth | None":
        """How much the other zones' demand grew; None where none of them is known."""
        found = [growth for other, *growth in self._growths(then, now) if other != zone]
        usual = middle([(growth, weight) for growth, _, weight in found])
        if usual is None:
            return None
        total = sum(weight for *_, weight in found)
        noise = math.hypot(*(noise * weight / total for _, noise, weight in found))
        apart = (
            sum(weight * (growth - usual) ** 2 for growth, noise, weight in found if noise < CLEAR) / total
        )
        unsure = math.hypot(noise, apart**0.5)
        return Growth(
            usual, max([growth for growth, noise, _ in found if noise < CLEAR], default=usual), unsure
        )

    def _growths(self, then: Span, now: Span) -> list[tuple[int, float, float, float]]:
        """Of each zone that is known: how much its demand grew, the noise of that, and its weight. Kept, as
        every zone is compared with the others over the same spans.
        """
        kept = self._grown.get((then, now))
        if kept is not None:
            return kept
        found = self._grown[then, now] = []
        for zone in range(self.demand.shape[1]):
            before, after = self.mean(zone, then, "base"), self.mean(zone, now, "fair")
            if before > IDLE_LPS and after > 0:
                growth = after / before
                noise = math.hypot(self.noise(zone, now), growth * self.noise(zone, then)) / before
                found.append((zone, growth, noise, 1 / (noise**2 + UNEVEN**2)))
        return found

    def slope(self, zone: int, span: Span) -> float:
        """Change a block over some blocks."""
        values = self.demand[slice(*span), zone]
        known = np.isfinite(values).nonzero()[0]
        if len(known) < 3:
            return 0.0
        away = known - known.sum() / len(known)
        return float(away @ values[known] / (away @ away))


def middle(weighed: list[tuple[float, float]]) -> float | None:
    """The value at which half the weight is reached; pairs are value and weight."""
    half, reached = sum(weight for _, weight in weighed) / 2, 0.0
    for value, weight in sorted(weighed):
        reached += weight
        if reached >= half:
            return value
    return None


# --- one block --------------------------------------------------------------------------------------------


def smooth(rows: Row) -> Row:
    """Without spikes of one minute: each value no further out than both its neighbours.

    The first and last row are gone after. NaN for what stands still, to the last digit, all the time.
    """
    values, before, after = rows[1:-1], rows[:-2], rows[2:]
    low, high = np.fmin(before, after), np.fmax(before, after)
    found = np.where(np.isnan(values), np.nan, np.fmin(np.fmax(values, low), high))
    least, most = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    stands = (least == most) & (most > 0) & (np.isfinite(values).sum(axis=0) > BLOCK)
    return np.where(stands, np.nan, found)


_EVEN = np.repeat([0.0, 1.0], BLOCK)
_TRIANGLE = np.array([*range(BLOCK), *range(BLOCK, 0, -1)], dtype=np.float64)
"""By minute, of what flows from the middle of one block to the next: what the mean levels of both tell of."""


def _mean(values: Row, weights: Row) -> Row:
    """Weighed means by column; NaN where less than half is known."""
    known = np.isfinite(values) * weights[:, None]
    total = known.sum(axis=0)
    found = np.where(known > 0, values, 0.0) * known
    return np.where(total * 2 >= weights.sum(), found.sum(axis=0) / np.maximum(total, 1e-9), np.nan)


class Means(NamedTuple):
    """Of the sensors in one block, by column."""

    last: Row
    """Over its minutes."""
    between: Row
    """From the middle of the block before to its own middle."""


def means(rows: Row) -> Means:
    """Of ``LOOK_BACK`` rows: the last but one ends the block."""
    values = smooth(rows)
    return Means(_mean(values, _EVEN), _mean(values, _TRIANGLE))


def ends(zone: Zone, of: Means) -> Ends:
    """What is kept of a block until the next."""
    flows = of.between if zone.tanks else of.last
    inflow = sum(way * flows[column] for column, way in zone.meters)
    held = sum(of.last[column] * per_metre for column, per_metre, _ in zone.tanks)
    return number(float(inflow)), number(float(held))


def demand(zone: Zone, before: Ends, after: Ends) -> float | None:
    """What the zone took, in L/s; None where that is unknown, or can't be."""
    inflow, held, held_before = after[0], after[1], before[1]
    if inflow is None or held is None or held_before is None:
        return None
    taken = inflow - (held - held_before) / BLOCK
    return taken if taken > -max(4 * zone.noise, LIES_LPS) else None


def calm(zone: Zone, of: Means, rows: Row) -> int:
    """Whether a balance can be trusted: pumps may run, tanks hold water, pressures are there."""
    if any(of.last[column] < DEAD_PU for column in zone.voltages):
        return WITHOUT_POWER
    if any(of.last[column] < IDLE_LPS for column in zone.needed):
        return WITHOUT_POWER
    if any(of.last[column] < empty for column, _, empty in zone.tanks):
        return DRY
    lately = rows[-BLOCK - 1 : -1]
    dry = [bool((lately[:, column] < least).any()) for column, least in zone.pressures]
    return CALM if 2 * sum(dry) <= len(dry) else DRY


def number(value: float) -> float | None:
    """As it goes into a state: JSON has no NaN."""
    return None if math.isnan(value) else round(value, 3)


# --- what a city gives reason for -------------------------------------------------------------------------


def is_metered(city: City, part: Mains) -> bool:
    """Whether all that flows in and out is measured, and what the tanks keep."""
    wanted = [f"{asset}/flow" for asset in (*part.works, *part.into, *part.out_of)]
    wanted += [f"{tank}/level" for tank in part.tanks]
    sizes = all(litres(city, tank) > 0 for tank in part.tanks)
    return bool(part.works or part.into) and sizes and all(one in city.sensor_by_id for one in wanted)


def litres(city: City, tank: str) -> float:
    """Litres that a metre of a tank's level is; 0 where the city model doesn't say."""
    return 1000 * measure(city.asset_by_id[tank].properties, "area_m2")


def balance_sensors(city: City, part: Mains) -> Iterator[str]:
    """The sensors that a part's balance is made of."""
    for asset in (*part.works, *part.into, *part.out_of):
        yield f"{asset}/flow"
        if f"{asset}/voltage" in city.sensor_by_id:
            yield f"{asset}/voltage"
    for tank in part.tanks:
        yield f"{tank}/level"
    for junction in part.junctions:
        if f"{junction}/pressure" in city.sensor_by_id:
            yield f"{junction}/pressure"


def zone_of(city: City, part: Mains, beside: tuple[int, ...], column: dict[str, int]) -> Zone:
    """A part with the columns of its sensors."""
    noise = (
        sum((LEVEL_M * litres(city, tank) / 60) ** 2 for tank in part.tanks) ** 0.5
        * (2 / BLOCK) ** 0.5
        / BLOCK
    )
    return Zone(
        (
            *((column[f"{asset}/flow"], 1) for asset in (*part.works, *part.into)),
            *((column[f"{pump}/flow"], -1) for pump in part.out_of),
        ),
        tuple((column[f"{tank}/level"], litres(city, tank) / 60, _empty(city, tank)) for tank in part.tanks),
        tuple(column[f"{one}/voltage"] for one in (*part.works, *part.into) if f"{one}/voltage" in column),
        tuple(column[f"{pump}/flow"] for pump in (() if part.works or part.tanks else part.into)),
        tuple(
            (column[sensor], min(DRY_M, (city.sensor_by_id[sensor].limits.low or 2 * DRY_M) / 2))
            for sensor in (f"{junction}/pressure" for junction in part.junctions)
            if sensor in column
        ),
        beside,
        noise,
        _quick(noise),
    )


def _quick(noise: float) -> tuple[int, ...]:
    """Without noise at once; else ever longer, until the noise is small."""
    if noise == 0:
        return QUICK[:1]
    enough = next(
        (n for n, blocks in enumerate(QUICK) if n > 0 and noise / blocks < QUIET_LPS), len(QUICK) - 1
    )
    return QUICK[1 : enough + 1]


def _empty(city: City, tank: str) -> float:
    limit = city.sensor_by_id[f"{tank}/level"].limits.low_low
    return EMPTY_M if limit is None else limit
