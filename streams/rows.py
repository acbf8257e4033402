"""Rows of minutes: medians of them, asked for so often that numpy's own functions take too long.

In:  values by minute, or rows of values by minute and sensor.
Out: the same numbers to the last digit as numpy's, in a tenth of the time for the few values of a window.
"""

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]


def median(values: Row | Indices) -> float:
    """The median of values of which none is NaN."""
    ordered, half = values.copy(), len(values) // 2
    ordered.sort()
    return float(ordered[half] + ordered[-half - 1]) / 2


def percentile(values: Row, part: float) -> float:
    """The value below which so large a part of the values lies, none of which is NaN; between two of them on
    a straight line.
    """
    ordered = np.sort(values)
    place = (len(values) - 1) * part
    below = int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(values) - 1)])
    along = place - below
    return low + (high - low) * along if along < 0.5 else high - (high - low) * (1 - along)


def medians(rows: Row) -> Row:
    """The median of each column's values that are not NaN; NaN where there is none."""
    ordered, count = np.sort(rows, axis=0), (~np.isnan(rows)).sum(axis=0)  # NaN comes last
    column = np.arange(rows.shape[1])
    found: Row = (ordered[(count - 1) // 2, column] + ordered[count // 2, column]) / 2
    return found
