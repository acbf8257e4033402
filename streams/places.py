"""Where in a part of the water network too much is drawn: by pressures, by drains that rise in dry weather.

In:  the means of a stretch of time before and one after, what the part took then, what is drawn too much.
Out: the log likelihood of each junction; of one look, or of several, junctions with their likelihood beside
     the likeliest: where a crew should begin to look.

A draw at each junction is tried: which heads would fall, by how much? The formulas and numbers stand in
docs/signs.md.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from schemas.city import City, Relation
from streams.balances import litres
from streams.groups import Places
from streams.hydraulics import Mains, Row, inlet, outlet
from streams.rows import median, medians

PRESSURE_M, LEVEL_M, DRAIN_M = 0.15, 0.02, 0.008
"""Noise of one reading; assumed."""
MODEL_M, MODEL_SHARE = 0.15, 0.07
"""How far a computed change of head is off: so much, and this share of itself; assumed."""
FLOWS_SHARE = 0.2
"""How far the model is off, as a share, in what heads lose by the flows alone, wherever the draw is: one
factor for all sensors, as mains are rougher or customers more than it says; assumed."""
SIZES = (0.75, 1.0, 1.3)
"""The draw is tried at these shares of what the balance says."""
WHOLE_MAX = 150
"""Parts with more nodes are solved once, and changed along tangents."""
RISE_M = 0.015
"""A drain that rises by more than this in dry weather carries what doesn't come from the sky."""
SUDDEN, STEP_MINUTES = 0.75, 10
"""Where so much of a drain's rise came within twice so many minutes, what brought it came at once. A leak
that grows evenly for an hour brings 0.6 in that time: depth goes with flow to the power 0.375 (Manning).
Assumed."""
STRANGE, MISSED, TAKEN_AWAY = 0.03, 0.2, 0.6
"""Chance that a drain rises for another reason; that one stays low which the water reaches; the same of a
small draw, which a lorry may take away. Assumed."""
LORRY_LPS = 25.0
"""The most that a hydrant gives; assumed."""
MOST, LEAST = 30, 0.02
"""How many places are told, and the least likelihood of one."""
SEEN = 0.2
"""What is left of the likelihood of a junction that was seen from one beside it; assumed."""
LOG_LEAST = -12.0
"""A place less likely than this beside the likeliest is hardly it, whatever other looks say."""


class Sights(NamedTuple):
    """What can be seen of a part, as columns of the watcher's rows."""

    mains: Mains
    flows: tuple[tuple[int, int, int], ...]
    """Meters of works and pumps: node, column, and 1 for inwards or -1."""
    heads: tuple[tuple[int, int, float], ...]
    """Pressures of junctions and levels of tanks: node, column, noise."""
    stores: tuple[tuple[int, int, float], ...]
    """Tanks: node, column of the level, and L/s that a metre a minute is."""
    drains: tuple[tuple[int, ...], ...]
    """By junction: columns of the drain sensors that its water would pass, in their order."""
    rain: tuple[int, ...]
    measured: tuple[bool, ...]
    """By junction: whether it has a sensor."""
    near: tuple[tuple[int, ...], ...]
    """By junction: the junctions next to it, by their places."""
    names: tuple[tuple[str, frozenset[str]], ...]
    """What the part may be called, with the junctions that each name stands for."""

    def called(self, told: Places) -> str:
        """The name for the likeliest place, or else the first."""
        best = told[0][0] if told else ""
        return next((name for name, junctions in self.names if best in junctions), self.names[0][0])


class Stretch(NamedTuple):
    """Row of some minutes, and what the part took in them, in L/s."""

    rows: Row
    taken: float


def sights(city: City, mains: Mains, column: dict[str, int]) -> Sights:
    """What can be seen of a part of the city's network."""
    node = {name: index for index, name in enumerate(mains.nodes)}
    place = {junction: index for index, junction in enumerate(mains.junctions)}
    near = mains.neighbours()
    flows = [
        *((node[works], f"{works}/flow", 1) for works in mains.works),
        *((node[outlet(pump)], f"{pump}/flow", 1) for pump in mains.into),
        *((node[inlet(pump)], f"{pump}/flow", -1) for pump in mains.out_of),
    ]
    heads = [
        *((node[junction], f"{junction}/pressure", PRESSURE_M) for junction in mains.junctions),
        *((node[tank], f"{tank}/level", LEVEL_M) for tank in mains.tanks),
    ]
    rain = [sensor.id for sensor in city.sensors if sensor.quantity == "rain"]
    return Sights(
        mains,
        tuple((one, column[sensor], way) for one, sensor, way in flows),
        tuple((one, column[sensor], noise) for one, sensor, noise in heads if sensor in column),
        tuple((node[tank], column[f"{tank}/level"], litres(city, tank) / 60) for tank in mains.tanks),
        tuple(
            tuple(column[sensor] for sensor in drain_sensors(city, junction)) for junction in mains.junctions
        ),
        tuple(column[sensor] for sensor in rain),
        tuple(junction in city.sensors_of for junction in mains.junctions),
        tuple(tuple(place[other] for other in near[junction]) for junction in mains.junctions),
        names(city, mains),
    )


def sights_sensors(city: City, mains: Mains) -> Iterator[str]:
    """Sensors that are looked at beside those of the balance."""
    for junction in mains.junctions:
        yield from drain_sensors(city, junction)
    yield from (sensor.id for sensor in city.sensors if sensor.quantity == "rain")


def names(city: City, mains: Mains) -> tuple[tuple[str, frozenset[str]], ...]:
    """Pressure zones that serve the part, the largest first; else its tank, or a junction with a sensor."""
    inside = frozenset(mains.junctions)
    served = {
        asset.id: inside
        & {link.target for link in city.links_from.get(asset.id, ()) if link.relation is Relation.SERVES}
        for asset in city.assets_of.get("pressure_zone", ())
    }
    if found := sorted((-len(junctions), name) for name, junctions in served.items() if junctions):
        return tuple((name, served[name]) for _, name in found)
    measured = [junction for junction in mains.junctions if f"{junction}/pressure" in city.sensor_by_id]
    return (((*mains.tanks, *measured, *mains.junctions)[0], inside),)


def drain_sensors(city: City, junction: str) -> Iterator[str]:
    """Sensors that water from a broken main passes, from the inlets near it down the drains."""
    links = city.links_from
    here = [link.target for link in links.get(junction, ()) if link.relation is Relation.NEAR]
    seen = set(here)
    while here:
        asset = here.pop(0)
        for sensor in city.sensors_of.get(asset, ()):
            if sensor.quantity == "depth":
                yield sensor.id
        for link in links.get(asset, ()):
            if link.relation is Relation.DRAINS_TO and link.target not in seen:
                seen.add(link.target)
                here.append(link.target)


def likelihoods(seen: Sights, before: Stretch, after: Stretch, drawn: float, weather: Row) -> Row:
    """By junction: the log likelihood that so much is drawn there, beside the likeliest (0).

    ``weather`` are the rows of the last hours.
    """
    likely = by_heads(seen, before, after, drawn) + by_drains(seen, before.rows, after.rows, drawn, weather)
    found: Row = np.maximum(likely - likely.max(), LOG_LEAST)
    return found


def places(seen: Sights, likely: Row) -> Places:
    """The junctions where a crew should begin to look, in this order.

    Who is at a junction sees those beside it that have no sensor too. So each counts with its own likelihood
    and theirs, but for what those before it in the list have seen: of that a part is left.
    """
    share = np.exp(likely - likely.max())
    left, told, least = share.copy(), dict[int, float](), SEEN * _around(seen, share)
    while len(told) < min(MOST, len(share)):
        begun = np.maximum(_around(seen, left), least)
        index = min(
            (one for one in range(len(begun)) if one not in told),
            key=lambda one: (-round(float(begun[one]), 3), -share[one], one),
        )
        if begun[index] < LEAST:
            break
        told[index] = float(begun[index])
        for other in (index, *seen.near[index]):
            if other == index or not seen.measured[other]:
                left[other] = 0.0
    order = sorted(told, key=lambda one: -told[one])
    most = told[order[0]]
    found = [(seen.mains.junctions[index], round(told[index] / most, 3)) for index in order]
    return tuple((junction, chance) for junction, chance in found if chance >= LEAST)


def _around(seen: Sights, share: Row) -> Row:
    """By junction: its share, and those of the ones beside it that have no sensor."""
    hidden = np.where(seen.measured, 0.0, share)
    found: Row = share + [sum(hidden[other] for other in near) for near in seen.near]
    return found


def by_heads(seen: Sights, before: Stretch, after: Stretch, drawn: float) -> Row:
    """By junction: the log likelihood of how heads changed; all alike where too little is known."""
    changes = [
        (node, *_change(before.rows[:, column], after.rows[:, column], noise))
        for node, column, noise in seen.heads
    ]
    known = [(node, change, noise) for node, change, noise in changes if np.isfinite(change)]
    meters = [column for _, column, _ in seen.flows]
    if len(known) < 2 or not all(_is_known(stretch.rows[:, meters]) for stretch in (before, after)):
        return np.zeros(len(seen.mains.junctions))
    nodes = [node for node, _, _ in known]
    change, noise = (np.array(column) for column in zip(*((c, n) for _, c, n in known), strict=True))
    then = seen.mains.heads(_inflows(seen, before, 0.0)[None])[0, nodes]
    tried = [_fit(computed[:, nodes] - then, change, noise) for computed in _heads(seen, after, drawn)]
    found: Row = np.logaddexp.reduce(tried)
    return found


def _is_known(rows: Row) -> bool:
    """Whether every column has a value."""
    return bool(np.isfinite(rows).any(axis=0).all())


def _change(before: Row, after: Row, noise: float) -> tuple[float, float]:
    """How much a sensor's middle value changed, and the noise of that."""
    before, after = before[np.isfinite(before)], after[np.isfinite(after)]
    if not len(before) or not len(after):
        return np.nan, noise
    return median(after) - median(before), 1.25 * noise * (1 / len(before) + 1 / len(after)) ** 0.5


def _fit(computed: Row, seen: Row, noise: Row) -> Row:
    """Log likelihoods of what was seen, for each row computed. A change common to all sensors is free, and
    so, within ``FLOWS_SHARE``, is a multiple of what all rows have in common.
    """
    middle = np.median(computed, axis=1, keepdims=True)
    spread = np.sqrt(noise**2 + MODEL_M**2 + (MODEL_SHARE * (computed - middle)) ** 2)
    weight = 1 / spread**2
    weight_all = weight.sum(axis=1)

    def without_mean(rows: Row) -> Row:
        found: Row = rows - ((rows * weight).sum(axis=1) / weight_all)[:, None]
        return found

    rest, flows = (
        without_mean(seen - computed),
        without_mean(np.broadcast_to(computed.mean(axis=0), computed.shape)),
    )
    sure = (flows**2 * weight).sum(axis=1) + 1 / FLOWS_SHARE**2
    factor = (flows * rest * weight).sum(axis=1) / sure
    found: Row = (
        -np.log(spread).sum(axis=1)
        - (rest**2 * weight).sum(axis=1) / 2
        + factor**2 * sure / 2
        - np.log(sure * FLOWS_SHARE**2) / 2
    )
    return found


def _inflows(seen: Sights, stretch: Stretch, drawn: float) -> Row:
    """What flows in at each node but for the draw, which nobody gives yet: meters, tanks, customers."""
    found = np.zeros(len(seen.mains.nodes))
    for node, column, way in seen.flows:
        found[node] += way * np.nanmean(stretch.rows[:, column])
    junctions = _junctions(seen)
    taken = stretch.taken
    if len(seen.stores) != 1:  # one tank gives what meters leave open; of more, each is read by its slope
        for node, column, per_slope in seen.stores:
            found[node] -= per_slope * _slope(stretch.rows[:, column])
        taken = found.sum()
    found[junctions] -= (taken - drawn) / len(junctions)
    if len(seen.stores) == 1:
        found[seen.stores[0][0]] += drawn - found.sum()
    return found


def _slope(values: Row) -> float:
    """Change a minute."""
    known = np.flatnonzero(np.isfinite(values))
    return float(np.polyfit(known, values[known], 1)[0]) if len(known) > 2 else 0.0


def _heads(seen: Sights, stretch: Stretch, drawn: float) -> Iterator[Row]:
    """For each size of the draw: heads with it at each junction in turn, a row a junction."""
    junctions = _junctions(seen)
    if (
        len(seen.mains.nodes) > WHOLE_MAX
    ):  # one solution with the draw everywhere, and the tangents from there
        about = seen.mains.heads(_inflows(seen, stretch, 0.0)[None])[0]
        by_draw = seen.mains.responses(about)[:, junctions].T
        for size in SIZES:
            yield about - size * drawn * (by_draw - by_draw.mean(axis=0))
        return
    for size in SIZES:
        tried = np.repeat(_inflows(seen, stretch, size * drawn)[None], len(junctions), axis=0)
        tried[np.arange(len(junctions)), junctions] -= size * drawn
        yield seen.mains.heads(tried)


def _junctions(seen: Sights) -> list[int]:
    node = {name: index for index, name in enumerate(seen.mains.nodes)}
    return [node[junction] for junction in seen.mains.junctions]


def by_drains(seen: Sights, before: Row, after: Row, drawn: float, weather: Row) -> Row:
    """By junction: the log likelihood of which drains rose; nothing is said while or after it rained."""
    found = np.zeros(len(seen.drains))
    risen = rising(seen, before, after, weather)
    for index, passed in enumerate(seen.drains):
        known = [column for column in passed if column in risen]
        if any(risen[column] for column in risen.keys() - set(passed)):
            found[index] += np.log(STRANGE)
        if known and not risen[known[0]]:
            found[index] += np.log(MISSED if drawn > LORRY_LPS else TAKEN_AWAY)
    return found


def has_grown(seen: Sights, rows: Row, before: Row, after: Row, weather: Row) -> bool:
    """Whether a drain has risen over ``rows`` little by little, as the water of a growing leak lets it."""
    return any(
        not _is_sudden(rows[:, column], _middle(after[:, column]) - _middle(before[:, column]))
        for column, risen in rising(seen, before, after, weather).items()
        if risen
    )


def _is_sudden(values: Row, rise: float) -> bool:
    parts = values[len(values) % STEP_MINUTES :].reshape(-1, STEP_MINUTES)
    levels = medians(parts.T)
    with np.errstate(invalid="ignore"):
        steps = levels[2:] - levels[:-2]
    return bool(np.nanmax(steps, initial=0.0) > SUDDEN * rise)


def _middle(values: Row) -> float:
    return median(values[np.isfinite(values)])


def rising(seen: Sights, before: Row, after: Row, weather: Row) -> dict[int, bool]:
    """By drain sensor (column): whether it rose. None of them where it rained, or nobody measures rain."""
    if not seen.rain or np.nanmax(np.append(weather[:, list(seen.rain)], 0.0)) > 0:
        return {}
    found = {}
    for column in sorted({column for passed in seen.drains for column in passed}):
        change, noise = _change(before[:, column], after[:, column], DRAIN_M)
        if np.isfinite(change):
            found[column] = change > max(RISE_M, 4 * noise)
    return found
