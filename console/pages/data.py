"""The data itself: how much came, what was refused and why, how full the buffers are."""

from collections import Counter
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui

from console import fragments, wording
from console.frame import every_second, html, page, put
from console.live import Live, Snapshot
from runner.embedded import Buffer
from schemas.notifications import Decision
from schemas.readings import DeadLetter
from schemas.times import DAY

LETTERS = 50


def show(live: Live) -> None:
    """Build the page; from then on it follows the stream."""
    zone = ZoneInfo(live.city.timezone)
    with page(live, "Data", "data"), ui.element("section").classes("sheet"):
        html(Markup("<h1>The way of the data</h1>"))
        flow = html(Markup(""), classes="flow-box")
        with ui.element("div").classes("columns even"):
            with ui.element("div"):
                html(Markup("<h2>Counts</h2>"))
                counts = html(Markup(""))
            with ui.element("div"):
                html(Markup("<h2>Buffers and their bounds</h2>"))
                buffers = html(Markup(""))
                html(Markup("<h2>Where</h2>"))
                html(_places(live.snapshot))
        html(Markup("<h2>Decisions on who is told, last 24 hours</h2>"))
        decisions = html(Markup(""))
        html(Markup("<h2>{}</h2>").format("Faults" if live.deck else "Dead letters, newest first"))
        letters = html(Markup(""), classes="wide-table")

    def look(snapshot: Snapshot) -> None:
        put(flow, fragments.flow(snapshot))
        put(counts, _table(sorted(live.store.counts().items())))
        put(buffers, _buffers(snapshot.status.buffers))
        put(decisions, _decisions(live.store.decisions(since=snapshot.now - DAY)))
        faults = _faults(live.deck.faults) if live.deck else None
        put(letters, faults or _letters(live.store.dead_letters(LETTERS), zone))

    look(live.snapshot)
    every_second(live, look)


def _places(snapshot: Snapshot) -> Markup:
    names = ("Replayed", "Results") if snapshot.position else ("Source", "Data folder")
    return Markup("<table><tr><th>{}</th><td>{}</td></tr><tr><th>{}</th><td>{}</td></tr></table>").format(
        names[0], snapshot.status.broker, names[1], snapshot.status.folder
    )


def _faults(faults: Sequence[str]) -> Markup:
    if not faults:
        return Markup('<p class="empty">None: all that is replayed could be used.</p>')
    return Markup('<ul class="words">{}</ul>').format(
        fragments.join(Markup("<li>{}</li>").format(fault) for fault in faults)
    )


def _decisions(made: Iterable[Decision]) -> Markup:
    """How often each step said what; the reasons stand on the pages of the incidents."""
    counted = Counter(f"{one.stage}: {one.verdict}" for one in made)
    return _table(sorted(counted.items())) if counted else Markup('<p class="empty">None.</p>')


def _table(rows: Sequence[tuple[str, int]]) -> Markup:
    return Markup("<table>{}</table>").format(
        fragments.join(
            Markup('<tr><th>{}</th><td class="num">{}</td></tr>').format(
                name.replace("_", " "), wording.count(value)
            )
            for name, value in rows
        )
    )


def _buffers(buffers: Sequence[Buffer]) -> Markup:
    if not buffers:
        return Markup('<p class="empty">None here.</p>')
    return Markup('<ul class="buffers">{}</ul>').format(
        fragments.join(
            Markup(
                '<li><span>{}</span><span class="bar"><i style="width:{:.1f}%"></i></span>'
                '<span class="num">{} of {}</span><small>when full: {}</small></li>'
            ).format(
                buffer.name,
                min(100.0, buffer.waiting / buffer.bound * 100),
                wording.count(buffer.waiting),
                wording.count(buffer.bound),
                buffer.at_bound,
            )
            for buffer in buffers
        )
    )


def _letters(letters: Sequence[DeadLetter], zone: ZoneInfo) -> Markup:
    if not letters:
        return Markup('<p class="empty">None: every message could be used.</p>')
    return Markup(
        "<table><thead><tr><th>Received</th><th>Reason</th><th>Topic</th><th>Bytes</th></tr></thead>{}</table>"
    ).format(
        fragments.join(
            Markup(
                '<tr><td class="num">{}</td><td>{}</td><td class="topic">{}</td><td class="num">{}</td></tr>'
            ).format(
                wording.clock(letter.received, zone, seconds=True),
                letter.reason,
                letter.topic,
                wording.count(letter.size),
            )
            for letter in letters
        )
    )
