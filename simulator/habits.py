"""What people do through a day and a week: the demand for water, power and roads.

Out: factors around 1 (a mean of the day), by minute. Daily shapes follow UTC, so that a recording reads alike
everywhere. The shapes are assumed after the usual textbook curves (two water peaks, an evening power peak,
two rush hours); only their form matters here, sizes stand with the assets.
"""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from simulator.dice import dice

MINUTES = 1440
Curve = NDArray[np.float64]

_SHAPES = {
    "residential": (
        ".45 .35 .30 .30 .35 .60 1.2 1.7 1.6 1.3 1.15 1.1 1.15 1.1 .95 .9 1.0 1.25 1.5 1.55 1.4 1.15 .85 .6"
    ),
    "commercial": (
        ".35 .3 .3 .3 .35 .5 .8 1.2 1.6 1.75 1.75 1.7 1.55 1.6 1.7 1.65 1.5 1.3 1.0 .8 .65 .55 .45 .4"
    ),
    "electric-residential": (
        ".72 .65 .62 .6 .6 .68 .85 1 1 .97 .97 1 1.05 1 .96 .96 1.02 1.2 1.4 1.45 1.35 1.2 1 .83"
    ),
    "electric-commercial": (
        ".6 .58 .57 .57 .6 .68 .85 1.1 1.35 1.45 1.48 1.45 1.4 1.42 1.42 1.38 1.3 1.15 1 .9 .8 .72 .66 .62"
    ),
    "traffic": (
        ".12 .08 .06 .06 .1 .3 .8 1.7 1.9 1.35 1.1 1.15 1.25 1.25 1.25 1.4 1.8 2 1.6 1.1 .75 .55 .4 .25"
    ),
}
"""Factors at the full hours of a day."""
WEEKEND = {
    "residential": 1.06,
    "commercial": 0.55,
    "electric-residential": 1.03,
    "electric-commercial": 0.62,
    "traffic": 0.62,
}  # fmt: skip - a table
"""Factors of a Saturday, Sunday or holiday, which also begins later."""
_LATER = 90
"""Minutes by which people get up later on a free day."""


def is_free(day: datetime, holidays: tuple[str, ...]) -> bool:
    """Whether this is a Saturday, a Sunday or a holiday."""
    return day.weekday() >= 5 or f"{day:%m-%d}" in holidays


def shape(kind: str, day: datetime, holidays: tuple[str, ...]) -> Curve:
    """The factors of one day by minute, without chance."""
    values = np.array([float(factor) for factor in _SHAPES[kind].split()])
    values = np.append(values, values[0])
    minutes = np.arange(MINUTES) / 60
    free = is_free(day, holidays)
    asked = (minutes - _LATER / 60) % 24 if free else minutes
    return np.asarray(np.interp(asked, np.arange(25), values), dtype=np.float64) * (
        WEEKEND[kind] if free else 1
    )


def day_of(
    kind: str, who: str, day: datetime, seed: int, holidays: tuple[str, ...], spread: float = 0.05
) -> Curve:
    """The factors of one day by minute for one user: the shape, a good or bad day, and noise that drifts.

    Noise is a mean-reverting walk with a memory of half an hour and a standard deviation of ``spread``.
    """
    throw = dice(seed, "habit", kind, who, f"{day:%Y-%m-%d}")
    keep = np.exp(-1 / 30)
    steps = throw.normal(0, spread * np.sqrt(1 - keep**2), MINUTES)
    walk = np.empty(MINUTES)
    level = throw.normal(0, spread)
    for minute, step in enumerate(steps):
        level = keep * level + step
        walk[minute] = level
    return np.maximum(shape(kind, day, holidays) * (1 + 0.03 * throw.normal()) * (1 + walk), 0.02)


def showers(seed: int, day: datetime, a_week: float, peak: float) -> Curve:
    """Rain of an ordinary day by minute, in mm/h: perhaps one light shower of 30 to 90 minutes."""
    throw = dice(seed, "shower", f"{day:%Y-%m-%d}")
    rain = np.zeros(MINUTES)
    if throw.random() < a_week / 7:
        length = int(throw.integers(30, 90))
        begin = int(throw.integers(0, MINUTES - length))
        top = peak * throw.uniform(0.3, 1.0)
        rain = triangle(begin, length, top)
    return rain


def triangle(begin: int, length: int, top: float) -> Curve:
    """A shower by minute of one day; ``begin`` may lie in another day. Its peak is after a third."""
    since = np.arange(MINUTES) - begin
    third = length / 3
    share = np.minimum(since / third, (length - since) / (length - third))
    return top * np.clip(share, 0, 1)
