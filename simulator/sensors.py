"""What sensors make of the truth: noise, spikes, lost messages, faults of their own; and what they publish.

In:  rows of shown values by minute (true, but where a level sensor lies), the city's sensors, a seed.
Out: MQTT messages in the order received: one for each asset and report, as a collector would take them in.

Noise is the same in a twin of the day; spikes (1 value in 20,000) and lost messages (4 in 1,000) are part of
everyday life.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.city import City, Relation
from schemas.times import MINUTE, SECOND, rfc3339
from simulator.dice import dice
from simulator.scenario import Injection, Scenario, Work
from simulator.streamfaults import Sent

Row = NDArray[np.float64]

NOISE = {
    "voltage": (0.002, 3),
    "current": (0.6, 2),
    "loading": (0.004, 3),
    "flow": (0.5, 1),
    "pressure": (0.15, 2),
    "level": (0.015, 3),
    "depth": (0.008, 3),
    "ponding": (0.004, 3),
    "rain": (0.0, 1),
    "fill": (0.015, 3),
    "speed": (1.5, 0),
    "volume": (15.0, 0),
    "run": (0.0, 0),
    "served": (0.0, 0),
}  # fmt: skip - a table
"""Standard deviation of one reading in the quantity's unit, and digits that are sent. Usual for instruments;
assumed, but the product must not depend on them."""
_LOST, _SPIKE = 0.004, 1 / 20_000
_DISTORTED = frozenset({"sensor_frozen", "sensor_drift", "sensor_spikes", "level_sensor_frozen"})
_FAULTS = _DISTORTED | {"gateway_offline", "clock_skew"}
_UNSIGNED = frozenset(
    {
        "voltage",
        "current",
        "loading",
        "flow",
        "pressure",
        "level",
        "depth",
        "ponding",
        "fill",
        "speed",
        "volume",
    }
)


@dataclass(frozen=True, slots=True)
class _Report:
    """One asset's sensors: columns of the row, and what each is called."""

    asset: str
    topic: str
    every: int
    """Minutes."""
    columns: tuple[int, ...]
    """Places in the list of sensors."""
    names: tuple[str, ...]


class Sensors:
    """All sensors of a city through a scenario."""

    def __init__(self, city: City, signals: Sequence[tuple[str, str]], scenario: Scenario, seed: int) -> None:
        self._city, self._scenario, self._seed = city, scenario, seed
        place = {signal: index for index, signal in enumerate(signals)}
        self._sensors = [sensor for sensor in city.sensors if (sensor.asset, sensor.quantity) in place]
        self._columns = np.array(
            [place[sensor.asset, sensor.quantity] for sensor in self._sensors], dtype=int
        )
        self._sigma = np.array([NOISE.get(sensor.quantity, (0.0, 3))[0] for sensor in self._sensors])
        self._digits = [NOISE.get(sensor.quantity, (0.0, 3))[1] for sensor in self._sensors]
        self._floor = np.array([0.0 if sensor.quantity in _UNSIGNED else -np.inf for sensor in self._sensors])
        self._reports = self._grouped()
        self._faults = [one for one in scenario.injections if one.kind in _FAULTS]
        self._stuck: dict[tuple[int, str], float] = {}
        """What frozen sensors repeat, by place and beginning."""
        self._day = -1

    def _grouped(self) -> list[_Report]:
        grouped: dict[tuple[str, int], list[int]] = defaultdict(list)
        for index, sensor in enumerate(self._sensors):
            grouped[sensor.asset, max(round(sensor.every / 60), 1)].append(index)
        return [
            _Report(
                asset,
                topic_of(self._city, asset, "telemetry"),
                every,
                tuple(places),
                tuple(self._sensors[index].quantity for index in places),
            )
            for (asset, every), places in grouped.items()
        ]  # fmt: skip - one report, one row

    def messages(self, minute: int, shown: Row) -> list[Sent]:
        """What arrives of one minute, in the order received."""
        if minute // 1440 != self._day:
            self._throw(minute // 1440)
        of_day = minute % 1440
        values = shown[self._columns] + self._noise[of_day] * self._sigma
        spiked = self._spikes.get(of_day, ())
        for index in spiked:
            values[index] = values[index] * 3 + 1 if self._up[of_day] > 0.5 else 0.0
        skewed, cut_off = self._spoil(minute, values)
        values = np.maximum(values, self._floor)
        at = self._scenario.start + minute * MINUTE
        sent = []
        for number, report in enumerate(self._reports):
            if minute % report.every or report.asset in cut_off or self._lost[of_day, number] < _LOST:
                continue
            told = {
                name: round(float(values[index]), self._digits[index]) + 0.0
                for name, index in zip(report.names, report.columns, strict=True)
            }
            stamp = at + skewed.get(report.asset, 0)
            received = at + int(self._delay[of_day, number])
            sent.append(Sent(received, report.topic, {"at": rfc3339(stamp), "values": told}))
        sent.sort(key=lambda message: (message.received, message.topic))
        return sent

    def _throw(self, day: int) -> None:
        self._day = day
        throw = dice(self._seed, "sensors", day)
        self._noise = throw.normal(0, 1, (1440, len(self._sensors)))
        self._lost = throw.random((1440, len(self._reports)))
        self._delay = 100 * np.round(2 + throw.gamma(2.0, 3.0, (1440, len(self._reports)))).clip(2, 300)
        self._up = throw.random(1440)
        self._spikes: dict[int, list[int]] = defaultdict(list)
        if not self._scenario.background:
            self._lost += 1
            return
        count = throw.poisson(1440 * len(self._sensors) * _SPIKE)
        for minute, index in zip(
            throw.integers(0, 1440, count), throw.integers(0, max(len(self._sensors), 1), count), strict=True
        ):
            if self._sigma[index] > 0:  # what is counted or switched doesn't spike
                self._spikes[int(minute)].append(int(index))

    def _spoil(self, minute: int, values: Row) -> tuple[dict[str, int], set[str]]:
        """Faults of sensors, put into the values; and skewed clocks and assets that can't be heard."""
        skewed: dict[str, int] = {}
        cut_off: set[str] = set()
        for fault in self._faults:
            since = minute - (fault.begins(self._scenario.start) - self._scenario.start) // MINUTE
            if not 0 <= since < fault.length // MINUTE:
                continue
            if fault.kind == "gateway_offline":
                cut_off |= carried(self._city, fault.asset)
            elif fault.kind == "clock_skew":
                skewed[fault.asset] = round(fault.sizes["by_s"] * SECOND)
            elif fault.kind in _DISTORTED:
                self._distort(fault, since, values)
        return skewed, cut_off

    def _distort(self, fault: Injection, since: int, values: Row) -> None:
        index = next(
            number
            for number, sensor in enumerate(self._sensors)
            if sensor.asset == fault.asset and fault.quantity in (None, sensor.quantity)
        )  # fmt: skip - one question, one row
        if fault.kind in ("sensor_frozen", "level_sensor_frozen"):
            values[index] = self._stuck.setdefault((index, fault.at), float(values[index]))
        elif fault.kind == "sensor_drift":
            values[index] *= 1 + fault.sizes["per_h"] * since / 60
        elif dice(self._seed, "spikes", fault.asset, since).random() < fault.sizes["share"]:
            values[index] *= 1 + fault.sizes["size"]


def topic_of(city: City, asset: str, what: str) -> str:
    """The MQTT topic of an asset (DESIGN.md section 8)."""
    found = city.asset_by_id[asset]
    return f"city/v1/{city.city}/{found.utility}/{found.zone}/{asset}/{what}"


def carried(city: City, gateway: str) -> set[str]:
    """The assets whose messages pass through a gateway."""
    return {link.target for link in city.links_from.get(gateway, ()) if link.relation is Relation.CARRIES}


def announcements(city: City, scenario: Scenario, works: Sequence[Injection | Work]) -> Iterator[Sent]:
    """The events that tell of planned work, as it begins and ends."""
    for work in works:
        if not isinstance(work, Work):
            continue
        begin = work.begins(scenario.start)
        for at, event in ((begin, "planned_work_started"), (begin + work.length, "planned_work_ended")):
            if scenario.start <= at < scenario.start + scenario.minutes * MINUTE:
                topic = topic_of(city, work.asset, "event")
                yield Sent(at + 100, topic, {"at": rfc3339(at), "event": event, "detail": {}})
