"""A city in sites: sensors that are judged together, and all that a site must hear to be judged alone.

In:  a city model; records in the order received.
Out: the site of each asset; and the records sorted to the sites, with stream time as ticks for all of them.
Promises: a site sees its own readings and the moves of stream time in exactly the order in which one detector
of the whole city would: so the parts say what the whole would have said. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schemas.city import City, Relation, Sensor
from schemas.readings import Event, Frame, Tick
from streams.clock import StreamClock
from streams.fastclocks import AHEAD
from streams.groups import Watcher
from streams.rounds import Rounds
from streams.watchers import watchers


def sites(city: City, watching: Iterable[Watcher] | None = None) -> dict[str, str]:
    """The site of each asset: the name of its first asset, or the city's for assets that nothing measures.

    ``watching``: the city's watchers, where they are known already.
    Sensors of one asset, of one watcher, or behind one gateway belong together, and so do those that share
    any of these with a third.
    """
    above: dict[str, str] = {}

    def first(asset: str) -> str:
        while (next_ := above.get(asset, asset)) != asset:
            above[asset] = above.get(next_, next_)
            asset = next_
        return asset

    def join(assets: Iterable[str]) -> None:
        roots = sorted({first(asset) for asset in assets})
        above.update(dict.fromkeys(roots, roots[0]) if roots else {})

    for watcher in watchers(city) if watching is None else watching:
        join(city.sensor_by_id[sensor].asset for sensor in watcher.sensors)
    carrying: dict[str, list[str]] = defaultdict(list)
    for link in city.links:
        if link.relation is Relation.CARRIES and link.target in city.sensors_of:
            carrying[link.source].append(link.target)
    for gateway, carried in carrying.items():
        join([gateway, *carried])
    measured = city.sensors_of.keys() | carrying.keys()
    return {asset.id: first(asset.id) if asset.id in measured else city.city for asset in city.assets}


def part_of(city: City, heard: Iterable[Sensor]) -> City:
    """The city as it is known where only these sensors are heard, in the model's order."""
    part = City.model_construct(**{**dict(city), "sensors": tuple(heard)})
    # its assets and links are the city's, so it may look them up in the same tables: they take long to make
    for table in ("asset_by_id", "links_from", "links_to"):
        part.__dict__[table] = getattr(city, table)
    return part


class _Columns:
    """A frame in the making."""

    __slots__ = ("at", "qualities", "sensors", "values")

    def __init__(self) -> None:
        self.sensors: list[str] = []
        self.at: list[int] = []
        self.values: list[float] = []
        self.qualities: list[int] = []

    def frame(self, received: int) -> Frame:
        """The frame. Not validated again: its rows come from a frame."""
        return Frame.model_construct(
            received=received,
            sensors=self.sensors,
            at=self.at,
            values=self.values,
            qualities=self.qualities,
        )


class Sorter:
    """Sorts one stream of records to its sites. ``clock`` has heard what came before."""

    def __init__(self, city: City, site_of: Mapping[str, str]) -> None:
        self.clock, self._rounds = StreamClock(len(city.sensors_of)), Rounds(city)
        self._site_of = site_of
        self._asset = {sensor.id: sensor.asset for sensor in city.sensors}

    def step(self, records: Iterable[Frame | Event]) -> Iterator[tuple[str | None, Frame | Event | Tick]]:
        """Records with the site that each is for; None: for all, namely that stream time has moved."""
        open_: dict[str, _Columns] = defaultdict(_Columns)
        received = 0
        for record in records:
            if isinstance(record, Event):
                site = self._site_of[record.asset]
                if columns := open_.pop(site, None):
                    yield site, columns.frame(received)
                yield site, record
                if self._hears(record):
                    yield from self._moved(open_, received)
                continue
            received = record.received
            hear, asset_of, site_of = self.clock.hear, self._asset, self._site_of
            whole, number_of = self._rounds.hear, self._rounds.number
            for sensor, at, value, quality in zip(
                record.sensors, record.at, record.values, record.qualities, strict=True
            ):
                asset = asset_of[sensor]
                columns = open_[site_of[asset]]
                columns.sensors.append(sensor)
                columns.at.append(at)
                columns.values.append(value)
                columns.qualities.append(quality)
                now = self.clock.time
                moved = hear(asset, at)
                is_whole = now is not None and at <= now + AHEAD and whole(number_of[sensor], at)
                if moved:
                    yield from self._moved(open_, received)
                elif is_whole:
                    yield from self._tell_time(open_, received)
        yield from self._close(open_, received)

    def pass_to(self, at: int) -> Tick:
        """Time passed in silence: what every site must know."""
        if self.clock.pass_to(at):
            self._rounds.begin(at)
        return Tick(at=at)

    def snapshot(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON."""
        return {**self.clock.snapshot(), "rounds": self._rounds.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; one of before there were rounds is one of the clock alone."""
        self.clock.restore(state)
        if "rounds" in state:
            self._rounds.restore(state["rounds"])

    def _hears(self, event: Event) -> bool:
        """Whether an event moves stream time, by the rule of the detector."""
        now = self.clock.time
        return (now is None or event.at <= now + AHEAD) and self.clock.hear(event.asset, event.at)

    def _moved(
        self, open_: dict[str, _Columns], received: int
    ) -> Iterator[tuple[str | None, Frame | Event | Tick]]:
        assert self.clock.time is not None
        self._rounds.begin(self.clock.time)
        return self._tell_time(open_, received)

    def _tell_time(
        self, open_: dict[str, _Columns], received: int
    ) -> Iterator[tuple[str | None, Frame | Event | Tick]]:
        """What came before stream time moved, then the time; the same time once more says that a round is
        whole.
        """
        assert self.clock.time is not None
        yield from self._close(open_, received)
        yield None, Tick(at=self.clock.time)

    @staticmethod
    def _close(open_: dict[str, _Columns], received: int) -> Iterator[tuple[str, Frame]]:
        for site, columns in open_.items():
            yield site, columns.frame(received)
        open_.clear()
