"""Sensors that should agree: which one leaves the others, which one spikes, which feeders only swap load.

In:  voltages under one transformer; currents of all feeders; readings of any kind.
Out: signs. ``drifting``: a voltage leaves its peers slowly, while those stay together. ``spiking``: single
     readings far off their neighbours in time, again and again. ``switching``: one feeder takes over what
     another gives up in the same minute: everyday life.

What these assets' sensors say beside is a fault of measuring, or nobody's. docs/signs.md has the numbers.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from schemas.city import City, Relation, Sensor
from schemas.times import HOUR, MINUTE
from streams.groups import Past, Sign, Watcher
from streams.rows import Indices, Row, median, medians

LOOK = 10
"""Minutes between two looks at peers and spikes."""
LIVE_PU = 0.8
"""Below this a supply fails, and a sensor has better reasons than drift to be alone."""
PEERS = 3
"""Sensors of which two can say that the third is wrong."""
LEARNING = 60
"""Minutes from which the usual differences between peers are learnt."""
APART, APART_WIDE = 0.03, 0.06
"""Part by which a voltage must leave its peers: under one transformer, and among all of a city. Ordinary load
moves them by 0.02 and 0.05 against each other (measured in the cities that come with the product)."""
BACK = 0.5
"""Part of that below which it is back."""
SLOW = 0.012
"""Most that a drift moves between two looks."""
FADING = 1 / 1000
"""Part of a difference that becomes usual with each look: a week or so."""

SPIKES_TOGETHER = 100
"""Sensors that are searched for spikes in one go, site by site, where a site has no more: for speed alone."""
SPIKES_BACK = 180
"""Minutes in which spikes are counted."""
SPIKES, SPIKES_SHARE = 3, 0.03
"""Spikes, and their share of the readings, that everyday noise never makes."""
SPIKE_SIGMAS, SPIKE_PART, SPIKE_DEADBANDS = 8.0, 0.2, 3.0
"""How far off its neighbours a spike is: in deviations of the others, as part of the value, in deadbands."""
STEADY = frozenset({"voltage", "current", "loading", "pressure", "level", "depth", "speed", "volume"})
"""Quantities that don't leap to and fro within minutes."""

BEFORE, AFTER = 6, 4
"""Readings on both sides of a step."""
STEP_LEAST, STEP_PART = 2.0, 0.03
"""Least step of a feeder in A and as part of its current."""
SHARP = 0.6
"""Part of a step that its first minute makes."""
STEP_MOST = 0.45
"""A feeder that loses more than this part is no longer everyday life."""
SWAPS = 2
"""Feeders at most on either side of a swap: two where they form a ring."""
SWAPPED_MAX = 5 * HOUR
"""After this long a swap that was never undone is how things are."""


# --- voltages -----------------------------------------------------------------------------------------


class Voltage(NamedTuple):
    """What is known of one voltage beside the others."""

    usual: float = 0.0
    """Its usual part of the peers' median; 0 where none is learnt."""
    apart: float = 0.0
    """By which part it was off at the last look."""
    leapt: bool = False
    """Whether it came there in a leap: not a drift."""
    since: int = -1
    """Since when it drifts; -1 where it doesn't."""


class VoltageWatch:
    """Watches voltages that go up and down together."""

    minutes, stride = LEARNING, LOOK

    def __init__(self, sensors: list[str], wide: frozenset[str]) -> None:
        self.sensors = tuple(sensors)
        self._least = np.array([APART_WIDE if sensor in wide else APART for sensor in sensors])

    def begin(self) -> Any:
        """How often it looked, the last median, and what is known of each voltage."""
        return 0, 0.0, (Voltage(),) * len(self.sensors)

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One look further."""
        looks, middle, known = state
        known = tuple(Voltage(*one) for one in known)
        rows = past.window(at, LEARNING if looks < LEARNING // LOOK else LOOK)
        now = medians(rows)
        now[(~np.isnan(rows)).sum(axis=0) < LOOK // 3] = np.nan  # a few readings tell too little
        with np.errstate(invalid="ignore"):
            trusted = (now > LIVE_PU) & np.array([one.since < 0 for one in known])
        if np.count_nonzero(trusted) < PEERS - 1 or len(rows) < LOOK:
            return (looks, middle, known), tuple(self._standing(known))
        present = median(now[trusted])
        if looks < LEARNING // LOOK:
            usual = [float(v) if ok else 0.0 for v, ok in zip(now / present, trusted, strict=True)]
            return (looks + 1, present, tuple(Voltage(one) for one in usual)), ()
        calm = abs(present / middle - 1) < APART / 2
        seen, signs = self._compared(known, now, present, at, calm=calm)
        return (looks, present, seen), signs

    def _compared(
        self, known: tuple[Voltage, ...], now: Row, middle: float, at: int, *, calm: bool
    ) -> tuple[tuple[Voltage, ...], tuple[Sign, ...]]:
        """Every voltage held against the others; where several leave, nobody can tell which is right."""
        off = [
            float(v) / middle / one.usual - 1 if v > LIVE_PU and one.usual else np.nan
            for v, one in zip(now, known, strict=True)
        ]
        away = [abs(part) > least for part, least in zip(off, self._least, strict=True)]
        alone = sum(away) <= max(1, len(away) // 4)
        after, ended = [], []
        for sensor, one, part, far, least in zip(self.sensors, known, off, away, self._least, strict=True):
            if np.isnan(part) or not (calm and alone):
                after.append(one)
                continue
            leapt = (one.leapt or abs(part - one.apart) > SLOW) and abs(part) > BACK * least
            since = one.since
            if since < 0 and far and not leapt:
                since = at
            elif since >= 0 and abs(part) < BACK * least:
                ended.append(Sign(_asset(sensor), "drifting", since, at))
                since = -1
            usual = one.usual * (1 + part * FADING) if since < 0 else one.usual
            after.append(Voltage(usual, part, leapt and since < 0, since))
        return tuple(after), (*ended, *self._standing(tuple(after)))

    def _standing(self, known: tuple[Voltage, ...]) -> Iterator[Sign]:
        for sensor, one in zip(self.sensors, known, strict=True):
            if one.since >= 0:
                yield Sign(_asset(sensor), "drifting", one.since)


def _asset(sensor: str) -> str:
    return sensor.rsplit("/", 1)[0]


# --- spikes -------------------------------------------------------------------------------------------


class SpikeWatch:
    """Watches the sensors of some sites, each by itself, for single readings that stand out."""

    minutes, stride = SPIKES_BACK, LOOK

    def __init__(self, sites: list[list[Sensor]]) -> None:
        sensors = [(sensor, site) for site, its in enumerate(sites) for sensor in its]
        self.sensors = tuple(sensor.id for sensor, _ in sensors)
        self._least = np.array([SPIKE_DEADBANDS * sensor.deadband for sensor, _ in sensors])
        self._site = tuple(site for _, site in sensors)

    def begin(self) -> Any:
        """The sensors that spike, by number, and since when."""
        return ()

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One look further."""
        rows = past.window(at, SPIKES_BACK)
        suspects = _suspects(rows, self._least)
        found = {number: _spikes(rows[:, number], self._least[number]) for number in suspects}
        together = {self._site[number]: np.zeros(len(rows), dtype=int) for number in found}
        for number, (spikes, _) in found.items():
            together[self._site[number]][spikes] += 1
        before, after, ended = dict(state), {}, []
        for number in sorted(found.keys() | before.keys()):
            spikes, readings = found.get(number, _NONE)
            if len(spikes):
                spikes = spikes[together[self._site[number]][spikes] == 1]  # what its site sees has happened
            least = max(SPIKES, SPIKES_SHARE * readings)
            if len(spikes) >= (least / 2 if number in before else least):
                begin = at - MINUTE * (len(rows) - 1 - int(spikes[0]))
                after[number] = before.get(number, begin)
            elif number in before:
                ended.append(self._sign(number, before[number], at))
        return tuple(after.items()), (*ended, *(self._sign(number, since) for number, since in after.items()))

    def _sign(self, number: int, since: int, cleared: int | None = None) -> Sign:
        return Sign(_asset(self.sensors[number]), "spiking", since, cleared)


_NONE = np.zeros(0, dtype=np.intp), 0


def _beside(values: Row) -> tuple[Row, Row, Row]:
    """Of each reading but the first and the last two: how far it is off the middle of the two before and the
    two after, that middle, and how far the two inner ones of the four are apart.
    """
    one, two, three, four = values[:-4], values[1:-3], values[3:-1], values[4:]
    low = np.maximum(np.minimum(one, two), np.minimum(three, four))
    high = np.minimum(np.maximum(one, two), np.maximum(three, four))
    middle = (low + high) / 2
    return np.abs(values[2:-2] - middle), middle, np.abs(high - low)


def _suspects(rows: Row, least: Row) -> list[int]:
    """The columns that may hold a spike: the cheap question first, for all columns one after the other."""
    wide = _wide_enough(rows, least)
    columns = rows[:, wide].T
    known = ~np.isnan(columns)
    count = known.sum(axis=1)
    off, middle, apart = _beside(columns[known])
    far = (off > SPIKE_PART * np.abs(middle)) & (apart < off / 2)
    far &= off > np.repeat(least[wide], count)[2:-2]
    found = set(count.cumsum().searchsorted(far.nonzero()[0] + 2, side="right").tolist())
    return sorted(wide[list(found)].tolist())


def _wide_enough(rows: Row, least: Row) -> Indices:
    """The columns whose values lie further apart than a spike must be off: it lies between others' middle and
    itself. Most don't, and are not looked at closer.
    """
    low, high = np.fmin.reduce(rows), np.fmax.reduce(rows)
    smallest = np.maximum(np.maximum(low, -high), 0)
    return np.flatnonzero(high - low > np.maximum(least, SPIKE_PART * smallest))


def _spikes(column: Row, least: float) -> tuple[Indices, int]:
    """The rows of readings that are far off the two before and the two after; and how many readings."""
    rows = np.flatnonzero(~np.isnan(column))
    values = column[rows]
    if len(values) < 10:
        return rows[:0], len(values)
    off, middle, apart = _beside(values)
    scale = median(off) / 0.6745
    far = off > np.maximum(max(SPIKE_SIGMAS * scale, least), SPIKE_PART * np.abs(middle))
    far &= apart < off / 2  # where its neighbours differ, something changes
    return rows[2:-2][far & (scale > 0)], len(values)


# --- feeders that swap load ---------------------------------------------------------------------------


class Swap(NamedTuple):
    """Load that feeders took over from others."""

    onset: int
    more: tuple[int, ...]
    less: tuple[int, ...]


class SwapWatch:
    """Watches the currents of all feeders for load that goes from one to another."""

    minutes, stride = BEFORE + AFTER + 2, 1

    def __init__(self, sensors: list[str]) -> None:
        self.sensors = tuple(sensors)

    def begin(self) -> Any:
        """The swaps that stand."""
        return ()

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """One minute further: is the one some minutes ago that of a step?"""
        swaps = tuple(Swap(*one) for one in state)
        found = None
        minute = at - (AFTER - 1) * MINUTE
        if _leaps(past.window(minute, 2)):
            rows = past.window(at, BEFORE + AFTER + 1)
            found = _swap(rows[1:], minute) if len(rows) > BEFORE + AFTER else None
        ended: list[Swap] = []
        if found and (
            undone := next((one for one in swaps if one.more == found.less and one.less == found.more), None)
        ):
            ended.append(undone)
            found = None
        ended += [one for one in swaps if at - one.onset > SWAPPED_MAX and one not in ended]
        swaps = tuple(one for one in swaps if one not in ended) + ((found,) if found else ())
        signs = [sign for one in ended for sign in self._signs(one, at)]
        return swaps, (*signs, *(sign for one in swaps for sign in self._signs(one)))

    def _signs(self, swap: Swap, cleared: int | None = None) -> Iterator[Sign]:
        for number in (*swap.more, *swap.less):
            yield Sign(_asset(self.sensors[number]), "switching", swap.onset, cleared)


def _leaps(rows: Row) -> bool:
    """Whether one feeder may have gone up and one down: the cheap question first."""
    if len(rows) < 2:
        return False
    step = rows[1] - rows[0]
    return bool(np.fmax.reduce(step) > STEP_LEAST and np.fmin.reduce(step) < -STEP_LEAST)


def _swap(rows: Row, minute: int) -> Swap | None:
    """The swap in the minute of row ``BEFORE``, if one is there: some feeders up, some down."""
    heard = np.isfinite(rows[:BEFORE]).any(axis=0) & np.isfinite(rows[BEFORE:]).any(axis=0)
    rows = np.where(heard, rows, 0.0)  # a feeder that is not heard takes no part
    was, is_ = rows[:BEFORE], rows[BEFORE:]
    old, new = medians(was), medians(is_)
    moved = new - old
    noise = np.maximum(medians(np.abs(was - old)), medians(np.abs(is_ - new))) / 0.6745
    sharp = np.abs(moved) > np.maximum(np.maximum(STEP_LEAST, STEP_PART * old), 3 * noise)
    sharp &= (rows[BEFORE] - rows[BEFORE - 1]) * np.sign(moved) > SHARP * np.abs(moved)
    if np.any(np.abs(moved[sharp]) > STEP_MOST * np.maximum(old, new)[sharp]):
        return None
    more, less = np.flatnonzero(sharp & (moved > 0)), np.flatnonzero(sharp & (moved < 0))
    if not (1 <= len(more) <= SWAPS and 1 <= len(less) <= SWAPS):
        return None
    return Swap(minute, tuple(more.tolist()), tuple(less.tolist()))


# --- who belongs together -----------------------------------------------------------------------------


def peer_watchers(city: City) -> Iterator[Watcher]:
    """Watchers of voltages by transformer, of all feeders, and of spikes by utility and zone."""
    yield from _voltages(city)
    feeders = [s.id for s in city.sensors if s.quantity == "current" and _kind(city, s) == "feeder"]
    if len(feeders) > 1:
        yield SwapWatch(feeders)
    sites: dict[tuple[str, str], list[Sensor]] = defaultdict(list)
    for sensor in city.sensors:
        if sensor.quantity in STEADY:
            asset = city.asset_by_id[sensor.asset]
            sites[str(asset.utility), asset.zone].append(sensor)
    together: list[list[Sensor]] = []
    for sensors in sites.values():
        if together and len(sensors) + sum(map(len, together)) > SPIKES_TOGETHER:
            yield SpikeWatch(together)
            together = []
        together.append(sensors)
    if together:
        yield SpikeWatch(together)


def _kind(city: City, sensor: Sensor) -> str:
    return city.asset_by_id[sensor.asset].kind


def _voltages(city: City) -> Iterator[VoltageWatch]:
    """By transformer; those above all transformers; groups too small to judge go with the largest."""
    above: dict[str, str] = {}
    for asset in city.assets:
        if asset.kind == "transformer":
            for fed in _fed(city, asset.id):
                above.setdefault(fed, asset.id)
    groups: dict[str, list[str]] = defaultdict(list)
    for sensor in city.sensors:
        if sensor.quantity == "voltage":
            groups[above.get(sensor.asset, "")].append(sensor.id)
    large = [group for group in groups.values() if len(group) >= PEERS]
    small = [sensor for group in groups.values() if len(group) < PEERS for sensor in group]
    if not large and len(small) >= PEERS:
        large = [[]]
    if large:
        largest = max(large, key=len)
        largest += small
    yield from (VoltageWatch(group, frozenset(small)) for group in large)


def _fed(city: City, transformer: str) -> list[str]:
    """All that hangs on a transformer, itself included."""
    found, queue = {transformer: True}, deque([transformer])
    while queue:
        for link in city.links_from.get(queue.popleft(), ()):
            if link.relation is Relation.POWERS and link.target not in found:
                found[link.target] = True
                queue.append(link.target)
    return list(found)
