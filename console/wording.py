"""How the console says things: conditions, durations, times, numbers with units.

In:  values of the contracts (ms since the epoch, condition names, units). Out: short text for people.
Pure: no clock, no locale, no markup; whoever puts the text on a page escapes it.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from schemas import alarms
from schemas.times import DAY, HOUR, MINUTE, SECOND

NARROW = "\u202f"
"""Narrow no-break space: between number and unit."""

condition_words = alarms.condition_words
_UNITS = {"1": "", "degC": "°C", "uS/cm": "µS/cm", "m3/s": "m³/s"}
_CHANGES = {
    "opened": "Opened",
    "more": "More alarms joined",
    "new root": "Another cause explains it better",
    "merged": "Merged with another incident",
    "split": "Split: two causes, not one",
    "retimed": "Late data moved its start",
    "cleared": "Alarms cleared",
    "closed": "Closed",
    "reopened": "Reopened: it came back",
    "replaced": "Went into another incident",
    "retracted": "Retracted: late data showed it never was",
}


def kind_words(kind: str) -> str:
    """``wet_well`` as people say it: wet well."""
    return kind.replace("_", " ")


def change_words(change: str) -> str:
    """Why an incident was revised, in one phrase."""
    return _CHANGES.get(change, change)


def duration(milliseconds: int) -> str:
    """A span in its two largest units: ``45 s``, ``12 min``, ``3 h 05``, ``2 d 4 h``."""
    span = max(0, milliseconds)
    if span < MINUTE:
        return f"{span // SECOND}{NARROW}s"
    if span < HOUR:
        return f"{span // MINUTE}{NARROW}min"
    if span < DAY:
        return f"{span // HOUR}{NARROW}h{NARROW}{span % HOUR // MINUTE:02d}"
    return f"{span // DAY}{NARROW}d{NARROW}{span % DAY // HOUR}{NARROW}h"


def lag(seconds: float) -> str:
    """A lag of a rule or of what was seen: ``40 s``, ``12 min``, ``1 h 05``; minus where it came first."""
    sign = "−" if seconds < 0 else ""
    return sign + duration(round(abs(seconds) * SECOND))


def lag_range(seconds_min: float, seconds_max: float) -> str:
    """What a rule expects: ``≤ 1 h 30``, or both ends where it starts later: ``10 min to 2 h 00``."""
    if seconds_min <= 0:
        return f"≤{NARROW}{lag(seconds_max)}"
    return f"{lag(seconds_min)} to {lag(seconds_max)}"


def clock(at: int, zone: ZoneInfo, seconds: bool = False) -> str:
    """Time of day in the city: ``14:02`` or ``14:02:30``."""
    return datetime.fromtimestamp(at / SECOND, zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def day(at: int, zone: ZoneInfo) -> str:
    """The date in the city: ``Wed 4 Jun 2025``."""
    moment = datetime.fromtimestamp(at / SECOND, zone)
    return f"{moment:%a} {moment.day} {moment:%b %Y}"


def moment(at: int, zone: ZoneInfo, beside: int | None = None) -> str:
    """Time of day, with the day in front where it is not the day of ``beside``."""
    if beside is not None and day(at, zone) == day(beside, zone):
        return clock(at, zone)
    there = datetime.fromtimestamp(at / SECOND, zone)
    return f"{there.day} {there:%b} {clock(at, zone)}"


def unit_words(unit: str) -> str:
    """A unit as it is printed; nothing for pure numbers."""
    return _UNITS.get(unit, unit)


def number(value: float) -> str:
    """Three significant digits and no more: ``0.42``, ``12.3``, ``1 240``."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}".replace(",", NARROW)
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.005 or value == 0 else f"{value:.1g}"


def quantity(value: float, unit: str) -> str:
    """A value with its unit: ``0.42 m``."""
    words = unit_words(unit)
    return f"{number(value)}{NARROW}{words}" if words else number(value)


def percent(probability: float) -> str:
    """A probability without false precision: ``97 %``, ``> 99 %``, ``< 1 %``."""
    if 0.995 <= probability < 1:
        return f">{NARROW}99{NARROW}%"
    if 0 < probability < 0.01:
        return f"<{NARROW}1{NARROW}%"
    return f"{round(probability * 100)}{NARROW}%"


def count(value: float) -> str:
    """A whole number with thousands set apart."""
    return f"{round(value):,}".replace(",", NARROW)


def plural(amount: int, one: str, many: str | None = None) -> str:
    """``1 alarm``, ``12 alarms``."""
    return f"{count(amount)} {one if amount == 1 else many or one + 's'}"
