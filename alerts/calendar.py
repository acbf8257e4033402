"""Local clocks: is a moment within a window of the week, and who is on call then?

In:  windows and rotas of a policy, a moment in ms since the epoch.
Out: yes or no; a name.
Promises: a moment is compared with moments, never local clocks with each other: in the hour that a change of
clocks repeats nobody's turn begins twice, and in the one that it leaves out no turn is lost.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from schemas.rotas import DAYS, MINUTES_OF_DAY, Rota, Shift, Window
from schemas.times import SECOND, milliseconds

ONE_DAY = timedelta(days=1)
COMBINATIONS = ((False, False), (True, False), (False, True))
"""Whether a day is a holiday, and whether the one before was."""


def instant(day: date, minute: int, zone: ZoneInfo) -> int:
    """The moment of a local time. One that the clocks leave out is as long after the change as it would be
    after midnight; of two, the first.
    """
    day += minute // MINUTES_OF_DAY * ONE_DAY
    minute %= MINUTES_OF_DAY
    return milliseconds(datetime.combine(day, time(minute // 60, minute % 60), zone))


def local_day(at: int, zone: ZoneInfo) -> date:
    """The date on the wall."""
    return datetime.fromtimestamp(at / SECOND, UTC).astimezone(zone).date()


def covers(window: Window, at: int, zone: ZoneInfo, holidays: Collection[date]) -> bool:
    """Whether a moment is within a window: of its day, or of the day before where it goes over midnight."""
    today = local_day(at, zone)
    for day in (today, today - ONE_DAY):
        if _is_there(window, day.weekday(), day.month, day in holidays):
            end = window.end + (MINUTES_OF_DAY if window.end <= window.start else 0)
            if instant(day, window.start, zone) <= at < instant(day, end, zone):
                return True
    return False


def on_call(rota: Rota, at: int, zone: ZoneInfo, holidays: Collection[date]) -> str | None:
    """Who is on call; None in a gap. ``zone`` is the rota's own, or the city's."""
    for override in rota.overrides:
        start, end = (milliseconds(local.replace(tzinfo=zone)) for local in (override.start, override.end))
        if start <= at < end:
            return override.person
    for shift in rota.shifts:
        if covers(shift, at, zone, holidays):
            return _turn(shift, at, zone)
    return None


def _turn(shift: Shift, at: int, zone: ZoneInfo) -> str:
    day = local_day(at, zone)
    if at < instant(day, shift.handover, zone):
        day -= ONE_DAY
    turns = (day - shift.since).days // shift.turn_days
    return shift.people[turns % len(shift.people)]


def gaps(shifts: Sequence[Shift]) -> list[str]:
    """Parts of the week in which nobody is on call: ``sat 00:00-24:00``, ``on holidays`` where only then."""
    months = sorted({month for shift in shifts for month in shift.months}) or [1]
    if any(shift.months for shift in shifts):
        months = list(range(1, 13))
    found: dict[str, None] = {}
    for month in months:
        for today, yesterday in COMBINATIONS:
            if (today or yesterday) and all(shift.holidays == "any" for shift in shifts):
                continue
            where = " on holidays" if today else " after holidays" if yesterday else ""
            for weekday in range(7):
                for gap in _uncovered(shifts, weekday, month, today, yesterday):
                    if not where or gap not in found:
                        found[gap + where if where else gap] = None
    return list(found)


def _uncovered(
    shifts: Iterable[Shift], weekday: int, month: int, today: bool, yesterday: bool
) -> Iterator[str]:
    free = [True] * MINUTES_OF_DAY
    for shift in shifts:
        over = shift.end <= shift.start
        if _is_there(shift, weekday, month, today):
            _take(free, shift.start, MINUTES_OF_DAY if over else shift.end)
        if over and _is_there(shift, (weekday - 1) % 7, month, yesterday):
            _take(free, 0, shift.end)
    for is_free, minutes in groupby(range(MINUTES_OF_DAY), key=free.__getitem__):
        if is_free:
            span = list(minutes)
            yield f"{DAYS[weekday]} {clock(span[0])}-{clock(span[-1] + 1)}"


def _take(free: list[bool], start: int, end: int) -> None:
    free[start:end] = [False] * (end - start)


def _is_there(window: Window, weekday: int, month: int, is_holiday: bool) -> bool:
    if window.holidays != "any" and (window.holidays == "only") != is_holiday:
        return False
    return DAYS[weekday] in window.days and (not window.months or month in window.months)


def clock(minute: int) -> str:
    """``08:00`` of minutes after midnight."""
    return f"{minute // 60:02d}:{minute % 60:02d}"
