"""What to try for a sensor: limits beyond its quiet hours, delays and deadbands by good practice.

In:  the sensor as the city model has it, its quiet readings day by day.
Out: ``Grid``: values worth trying of each field, the present one first. Pure.

Starting points by kind of quantity: ANSI/ISA-18.2-2016 (IEC 62682) and EEMUA 191, the tables on deadbands
(per cent of the range) and delays (seconds). Other quantities have none; noise decides.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from schemas.city import Limits, Sensor
from schemas.citychecks import limit_faults
from streams.lives import Values

DEADBANDS = {"flow": 0.05, "level": 0.05, "depth": 0.05, "pressure": 0.02, "temperature": 0.01}
"""Share of the range in which it usually is."""
DELAYS = {"flow": 15.0, "level": 60.0, "depth": 60.0, "pressure": 15.0, "temperature": 60.0}
"""Seconds."""
NOISES = (3.0, 6.0)
"""Deadbands in standard deviations of the noise: 3 are hardly ever crossed, 6 from end to end never."""
BEYOND = 3.0
"""How far beyond the quiet extremes a limit stays, in standard deviations of the noise, or of the extremes of
single days."""
STEPS_ON = (1, 2, 3, 5)
STEPS_OFF = (2, 5, 10)
"""Delays in intervals between readings."""
SPIKE = 2
"""Intervals below which no on-delay is shortened: a single wrong reading must not become an alarm."""
PARTS = (0.25, 0.5, 0.75)
"""Of the way from the present limit to the tightest one."""
SIGMA = 1.4826
"""Times the median of absolute deviations it is a standard deviation, where noise is normal."""


class Setting(NamedTuple):
    """What is tuned of a sensor; None: not set. Limits and deadband in its unit, delays in seconds."""

    low: float | None
    high: float | None
    on_delay: float
    off_delay: float | None
    deadband: float

    @classmethod
    def of(cls, sensor: Sensor) -> "Setting":
        """As the city model has it."""
        limits = sensor.limits
        return cls(limits.low, limits.high, sensor.on_delay, sensor.off_delay, sensor.deadband)

    def into(self, sensor: Sensor) -> Sensor:
        """The sensor with this setting."""
        limits = sensor.limits.model_copy(update={"low": self.low, "high": self.high})
        return sensor.model_copy(
            update={
                "limits": limits,
                "on_delay": self.on_delay,
                "off_delay": self.off_delay,
                "deadband": self.deadband,
            }
        )


class Grid(NamedTuple):
    """Values to try."""

    lows: tuple[float | None, ...]
    highs: tuple[float | None, ...]
    on_delays: tuple[float, ...]
    off_delays: tuple[float | None, ...]
    deadbands: tuple[float, ...]


class Quiet(NamedTuple):
    """What the quiet hours of a sensor say, in its unit."""

    days: int
    """With enough of them to tell."""
    lowest: float
    """Of the days' lowest values."""
    highest: float
    spread: float
    """By how much the extremes differ from day to day."""
    sigma: float
    """Of the noise from reading to reading."""
    span: float
    """Between the 0.5 and the 99.5 percentile."""


READINGS_MIN = 20
"""Quiet readings without which a day says nothing."""


def quiet_of(days: Sequence[Values]) -> Quiet | None:
    """What the quiet readings of each day say; None where no day has enough."""
    days = [day for day in days if len(day) >= READINGS_MIN]
    if not days:
        return None
    # The second most extreme reading of a day: one that is alone is a spike.
    lows = np.array([np.partition(day, 1)[1] for day in days])
    highs = np.array([np.partition(day, -2)[-2] for day in days])
    steps = np.concatenate([np.diff(day) for day in days])
    every = np.concatenate(list(days))
    bottom, top = np.quantile(every, [0.005, 0.995])
    return Quiet(
        days=len(days),
        lowest=float(lows.min()),
        highest=float(highs.max()),
        spread=SIGMA * max(_deviation(lows), _deviation(highs)),
        sigma=SIGMA * _deviation(steps) / 2**0.5,
        span=float(top - bottom),
    )


def _deviation(values: Values) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def grid_of(sensor: Sensor, quiet: Quiet) -> Grid:
    """What is worth trying. A limit that is not there is not invented; each stays between its neighbours."""
    now = Setting.of(sensor)
    every = sensor.every
    least = min(now.on_delay, SPIKE * every)
    on_delays = [DELAYS.get(sensor.quantity, every), *(step * every for step in STEPS_ON)]
    deadbands = [DEADBANDS.get(sensor.quantity, 0.0) * quiet.span, *(times * quiet.sigma for times in NOISES)]
    return Grid(
        lows=_limits(sensor, "low", now.low, quiet.lowest, -1, quiet),
        highs=_limits(sensor, "high", now.high, quiet.highest, 1, quiet),
        on_delays=_distinct(now.on_delay, (value for value in on_delays if value >= least)),
        off_delays=(now.off_delay, *(v for s in STEPS_OFF if (v := s * every) != now.off_delay)),
        deadbands=_distinct(now.deadband, (_rounded(value, 2) for value in deadbands if value > 0)),
    )


def _limits(
    sensor: Sensor, name: str, now: float | None, extreme: float, side: int, quiet: Quiet
) -> tuple[float | None, ...]:
    if now is None:
        return (None,)
    tight = extreme + side * BEYOND * quiet.sigma
    loose = extreme + side * BEYOND * max(quiet.spread, quiet.sigma)
    tried = [tight, loose]
    if (now - tight) * side > 0:
        tried += [now + part * (tight - now) for part in PARTS]
    return _distinct(now, (value for one in tried if _fits(sensor, name, value := _rounded(one, 4))))


def _fits(sensor: Sensor, name: str, value: float) -> bool:
    """Whether the limits stay in their order."""
    limits = Limits.model_construct(**{**dict(sensor.limits), name: value})
    return not any(True for _ in limit_faults(sensor.model_copy(update={"limits": limits})))


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _distinct(first: float, others: Iterable[float]) -> tuple[float, ...]:
    return tuple(dict.fromkeys((first, *others)))
