"""The short notation for a sensor's reports, as promtool has it: ``1x10 3-0.1x20 _x3 2~0.02x9 0``.

In:  items with blanks between them, each a report or several:
     ``a`` one of a; ``axN`` N of a; ``a+bxN``, ``a-bxN`` N that begin at a and go up or down by b each time;
     ``a~bxN`` N that waver about a, by b at the most; ``_`` and ``_xN`` none come.
Out: the values in order, None where no report comes. After the last item the sensor stays as it is: it
     keeps its last value, wavers on, or stays silent.
Pure. Counting is in decimals, so that ``3-0.1x11`` ends at exactly 2. Unlike in promtool ``xN`` is always
the number of reports.
"""

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import NamedTuple

_NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_ITEM = re.compile(
    rf"(?P<value>_|-?{_NUMBER})(?:(?P<how>[-+~])(?P<by>{_NUMBER}))?(?:x(?P<reports>\d{{1,6}}))?"
)

WAVE = tuple(map(Decimal, ("0", "1", "-0.5", "0.5", "-1", "0.75", "-0.75")))
"""How a wavering value goes about its middle: no two neighbours equal, the mean is the middle."""


class Item(NamedTuple):
    """Some reports in a row."""

    value: Decimal | None
    """The first, or the middle of wavering ones; None where no report comes."""
    reports: int = 1
    by: Decimal = Decimal(0)
    wavers: bool = False

    def at(self, report: int) -> float | None:
        """The value of report number ``report``, from 0."""
        if self.value is None:
            return None
        return float(self.value + self.by * (WAVE[report % len(WAVE)] if self.wavers else report))

    def after(self, report: int) -> float | None:
        """The value of report number ``report`` where no other item follows."""
        return self.at(report if self.wavers else min(report, self.reports - 1))


def parse(text: str) -> tuple[Item, ...]:
    """The items of a series. Raises ValueError with what is wrong, and what was expected."""
    items = tuple(map(_item, text.split()))
    if not items:
        raise ValueError("a series is empty; leave it out, and the sensor keeps its usual value")
    return items


def still(value: float) -> tuple[Item, ...]:
    """A series that is ``value`` all the time."""
    return (Item(Decimal(repr(value))),)


def values(items: tuple[Item, ...]) -> Iterator[float | None]:
    """The values without end."""
    for item in items[:-1]:
        yield from map(item.at, range(item.reports))
    yield from map(items[-1].after, count())


def length(items: tuple[Item, ...]) -> int:
    """How many reports the items say."""
    return sum(item.reports for item in items)


def _item(text: str) -> Item:
    found = _ITEM.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is no part of a series; expected such as 3, 3x10, 3-0.1x20, 3~0.1x20, _x5"
        )
    reports = 1 if found["reports"] is None else int(found["reports"])
    if not reports:
        raise ValueError(f"{text!r} stands for no report at all; leave it out")
    if found["value"] == "_":
        if found["how"]:
            raise ValueError(f"{text!r}: what does not come can't change; write _x{reports}")
        return Item(None, reports)
    value, by, how = Decimal(found["value"]), Decimal(found["by"] or 0), found["how"]
    if how in ("+", "-") and found["reports"] is None:
        raise ValueError(f"{text!r} does not say for how many reports; write {text}x20")
    item = Item(value, reports, -by if how == "-" else by, how == "~")
    if not math.isfinite(float(abs(value) + abs(by) * reports)):
        raise ValueError(f"{text!r} is beyond all numbers that can be sent")
    return item
