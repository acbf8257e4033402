"""The drawing on the time bar: incidents as bars, alarms as ticks, messages to people as dots, on one axis.

In:  what a replay tells to its end. Out: ``Markup``. Pure.
Severity shows by colour, by the sign at a bar's beginning, and by the height of bars and ticks.
"""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from markupsafe import Markup

from console import markup, wording
from console.fragments import join, share, time_ticks
from runner.player.asof import Marks
from schemas.alarms import Severity
from schemas.incidents import IncidentRevision

ROWS = 3
"""Incidents side by side; more lie over one another."""
BINS = 480
"""Places for ticks: alarms nearer to each other than this share one."""
Bar = tuple[int, int, IncidentRevision]
"""An incident from when it was known until it was over."""


def strip(marks: Marks, start: int, end: int, zone: ZoneInfo) -> Markup:
    """The whole drawing, from ``start`` to ``end``."""
    rows = stacked([(known, found.closed or end, found) for known, found in marks.incidents])
    return Markup(
        '<div class="tb-incidents" style="--rows:{}">{}</div>'
        '<svg class="tb-alarms" viewBox="0 0 {bins} 10" preserveAspectRatio="none">{}</svg>'
        '<div class="tb-told">{}</div><div class="axis">{}</div>'
    ).format(
        max(len(rows), 1),
        join(_bar(bar, number, start, end) for number, row in enumerate(rows) for bar in row),
        join(_tick(place, worst) for place, worst in ticks(marks.alarms, start, end)),
        join(Markup('<i style="left:{:.2f}%"></i>').format(share(at, start, end)) for at in marks.messages),
        join(
            Markup('<span class="num" style="left:{:.2f}%">{}</span>').format(
                share(at, start, end), wording.clock(at, zone)
            )
            for at in time_ticks(start, end, zone, most=9)
            if 2 < share(at, start, end) < 98
        ),
        bins=BINS,
    )


def stacked(bars: Iterable[Bar]) -> list[list[Bar]]:
    """Bars in rows, each in the first where it has room; where none has, in the last."""
    rows: list[list[Bar]] = []
    for bar in bars:
        free = next((row for row in rows if row[-1][1] <= bar[0]), None)
        if free is None and len(rows) < ROWS:
            rows.append(free := [])
        (rows[-1] if free is None else free).append(bar)
    return rows


def ticks(alarms: Iterable[tuple[int, Severity]], start: int, end: int) -> Sequence[tuple[int, Severity]]:
    """Places with alarms, each with the worst severity there; the worst are drawn last."""
    worst: dict[int, Severity] = {}
    for at, severity in alarms:
        place = min(int(share(at, start, end) / 100 * BINS), BINS - 1)
        if place not in worst or worst[place].rank < severity.rank:
            worst[place] = severity
    return sorted(worst.items(), key=lambda tick: tick[1].rank)


def _bar(bar: Bar, row: int, start: int, end: int) -> Markup:
    known, over, incident = bar
    left = share(known, start, end)
    return Markup(
        '<i class="tb-bar s-{severity}" data-at="{known}" title="{title}" '
        'style="--row:{row};left:{left:.2f}%;width:{width:.2f}%">{sign}</i>'
    ).format(
        severity=incident.severity.value,
        known=known,
        title=incident.summary,
        row=row,
        left=left,
        width=max(share(over, start, end) - left, 0.15),
        sign=markup.sign(incident.severity),
    )


def _tick(place: int, severity: Severity) -> Markup:
    height = (3.5, 6.5, 10)[severity.rank]
    return Markup('<rect class="s-{}" x="{}" y="{}" width="1" height="{}"/>').format(
        severity.value, place, 10 - height, height
    )
