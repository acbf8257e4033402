"""A report of differences for people and programs: a table, Markdown for a merge request, HTML, JSON.

In:  a ``Report``.
Out: text. Pure. What a merge request has no room for is counted, and told whole by the others.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rich.table import Table

from runner.diff.pairing import span
from runner.diff.told import MOVES, WHATS, DayDiff, Difference, Report, Span
from schemas.times import DAY, SECOND

MARKDOWN_ROWS = 150
"""Rows that Markdown shows; forges cut what is longer than some 65,000 characters."""
LONGEST = 140
"""Characters of a page that a row shows."""
LEAD = 30
"""Characters before the place where two texts part."""
PLURALS = {"page": "pages", "incident": "incidents", "alarm": "alarms"}


def headline(report: Report) -> list[str]:
    """What was compared, what differs between the two, and how much came of it."""
    alike = sum(not day.differences for day in report.days)
    days = f"{len(report.days)} day{'' if len(report.days) == 1 else 's'}"
    lines = [f"{report.a} -> {report.b}, {days}, {alike} without a difference"]
    lines += [f"changed: {words}" for words in report.changes]
    for what in WHATS:
        counts = [f"{count} {move}" for move in MOVES if (count := report.counts.get((what, move), 0))]
        before, after = (sum(_totals(day, what)[side] for day in report.days) for side in (0, 1))
        lines.append(f"{PLURALS[what]}: {before} -> {after}; {', '.join(counts) or 'no difference'}")
    lines += [f"left out: {one.day}: {one.why}" for one in report.left_out]
    return lines


def _totals(day: DayDiff, what: str) -> tuple[int, int]:
    sides = day.before, day.after
    if what == "page":
        return sides[0].pages, sides[1].pages
    if what == "incident":
        return len(sides[0].incidents), len(sides[1].incidents)
    return sides[0].alarms, sides[1].alarms


class Row(NamedTuple):
    """Differences that are told alike: of one thing, one move, one reason."""

    when: str
    """The first of them, on the city's own clocks."""
    what: str
    move: str
    which: str
    before: str
    after: str
    why: tuple[str, ...]


def rows(days: Sequence[DayDiff]) -> list[Row]:
    """What differs on these days, in the order in which it first comes up."""
    alike: dict[tuple[str, ...], list[tuple[DayDiff, Difference]]] = {}
    for day in days:
        for one in day.differences:
            alike.setdefault((one.what, one.move, one.subject, *one.reasons), []).append((day, one))
    return [_row(found) for found in alike.values()]


def _row(alike: Sequence[tuple[DayDiff, Difference]]) -> Row:
    day, one = alike[0]
    move, which = str(one.move), one.subject
    if len(alike) > 1:
        days = len({other.day for other, _ in alike})
        which += f" ({len(alike)} times{f' on {days} days' if days > 1 else ''}; the first is shown)"
    elif one.seconds is not None and move in {"earlier", "later"}:
        move = f"{span(one.seconds)} {move}"
    return Row(
        _when(one, day), one.what, move, which, *_contrast(one.before or "-", one.after or "-"), one.reasons
    )


def _contrast(before: str, after: str) -> tuple[str, str]:
    """Two long texts from a little before the place where they part."""
    alike = next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = before.rfind(" ", 0, max(alike - LEAD, 0)) + 1 if alike > 2 * LEAD else 0
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    end = start + LONGEST
    return ("... " if start else "") + text[start:end].strip() + (" ..." if len(text) > end else "")


def table(report: Report) -> Table:
    """Every difference; what is told alike in one row."""
    found = Table("when", "what", "", "which", "before", "after", "why")
    for row in rows(report.days):
        found.add_row(*row[:-1], "\n".join(row.why))
    return found


def notes(report: Report) -> list[str]:
    """What is to be said of single days besides."""
    return [f"{day.day}: {note}" for day in report.days for note in day.notes]


def markdown(report: Report) -> str:
    """For a merge request."""
    first, *rest = headline(report)
    lines = [f"### Alerts: {_md(first)}", "", *(f"- {_md(line)}" for line in rest), ""]
    told = rows(report.days)
    if told:
        lines += [
            "| when | what | | which | before | after | why |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
    lines += [f"| {' | '.join(map(_md, (*row[:-1], '; '.join(row.why))))} |" for row in told[:MARKDOWN_ROWS]]
    if (more := len(told) - MARKDOWN_ROWS) > 0:
        lines.append(f"\n{more} more rows: see the JSON or the HTML page.")
    lines += [f"- {_md(note)}" for note in notes(report)]
    return "\n".join(lines).rstrip() + "\n"


def _md(text: str) -> str:
    return escape(text, quote=False).replace("|", "\\|").replace("\n", " ")


def _when(one: Difference, day: DayDiff) -> str:
    at = datetime.fromtimestamp(one.at / SECOND, UTC).astimezone(ZoneInfo(day.timezone))
    return at.strftime("%Y-%m-%d %H:%M")


# -- HTML -----------------------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light dark; --line: #8886; --old: #b3541e; --new: #1e7bb3; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
.n { text-align: right; } .quiet { opacity: .65; }
.move { font-weight: 600; white-space: nowrap; } .when { white-space: nowrap; }
ul { margin: 0; padding-left: 1.1rem; } svg { width: 100%; height: auto; display: block; margin: .4rem 0; }
.before { fill: var(--old); } .after { fill: var(--new); } text { font-size: 10px; fill: currentColor; }
""".strip()
HOW_TO_READ = """
Each day was replayed twice, once under each version. <b>new</b>: only the second version tells it;
<b>lost</b>: only the first did; <b>earlier</b>, <b>later</b>: both tell it, at another time;
<b>re-rooted</b>: another cause is named; <b>re-grouped</b>: the incident holds other alarms;
<b>changed</b>: it ends at another time, has another severity or other words. Pages are what people were sent.
Times are the city's own.
""".strip()
WIDTH, ROW, LEFT = 1000, 14, 60


def html(report: Report) -> str:
    """A page that stands by itself."""
    first, *rest = headline(report)
    body = [f"<h1>Alerts before and after</h1><p><b>{escape(first)}</b></p><p class=quiet>{HOW_TO_READ}</p>"]
    body.append(_html_list([*rest, *notes(report)]))
    body.append(_html_counts(report))
    for day in report.days:
        if day.differences:
            body += [f"<h2>{escape(day.day)} ({escape(day.city)})</h2>", _strip(day), _html_table(day)]
    title = escape(f"{report.a} -> {report.b}")
    return (
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>Alerts: {title}</title>\n"
        f"<style>{STYLE}</style>\n" + "\n".join(body) + "\n</html>\n"
    )


def _html_list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _html_counts(report: Report) -> str:
    head = "".join(f"<th class=n>{move}</th>" for move in MOVES)
    rows = "".join(
        f"<tr><th>{PLURALS[what]}</th>"
        + "".join(f"<td class=n>{report.counts.get((what, move), 0) or '-'}</td>" for move in MOVES)
        + "</tr>"
        for what in WHATS
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def _html_table(day: DayDiff) -> str:
    told = "".join(
        f"<tr><td class=when>{row.when}</td><td>{row.what}</td><td class=move>{row.move}</td>"
        f"<td>{escape(row.which)}</td><td>{escape(row.before)}</td><td>{escape(row.after)}</td>"
        f"<td>{_html_list(row.why) if row.why else ''}</td></tr>"
        for row in rows([day])
    )
    return (
        "<table><tr><th>when</th><th>what</th><th></th><th>which</th><th>before</th><th>after</th><th>why</th></tr>"
        f"{told}</table>"
    )


def _strip(day: DayDiff) -> str:
    """Incidents on a time line, before above after; nothing where there is none."""
    spans = (*day.before.incidents, *day.after.incidents)
    if not spans:
        return ""
    start = min(one.opened for one in spans) // DAY * DAY
    last = max(one.closed or one.opened for one in spans)
    end = max(start + DAY, -(-last // DAY) * DAY)
    drawn: list[str] = []
    rows = 0
    for name, side in (("before", day.before), ("after", day.after)):
        drawn.append(f'<text x="0" y="{(rows + 0.8) * ROW:g}">{name}</text>')
        for one in side.incidents:
            drawn += _bar(one, name, rows, start, end)
            rows += 1
        rows += not side.incidents
    return f'<svg viewBox="0 0 {WIDTH} {rows * ROW + 2}" role="img">{"".join(drawn)}</svg>'


def _bar(one: Span, name: str, row: int, start: int, end: int) -> Iterator[str]:
    def place(at: int) -> float:
        return LEFT + (at - start) / (end - start) * (WIDTH - LEFT)

    left, right = place(one.opened), place(one.closed or end)
    yield (
        f'<rect class="{name}" x="{left:.1f}" y="{row * ROW + 2}" width="{max(right - left, 2):.1f}" '
        f'height="{ROW - 4}" rx="2"/>'
    )
    side = f'x="{left + 3:.1f}"' if left < WIDTH * 0.7 else f'x="{left - 3:.1f}" text-anchor="end"'
    yield f'<text {side} y="{(row + 0.78) * ROW:.1f}">{escape(one.root)}</text>'
