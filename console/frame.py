"""What surrounds every page: the head, the top bar, the help."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui

from console import wording
from console.live import Live, Snapshot
from console.timebar import TimeBar

HEAD = (
    '<link rel="stylesheet" href="/console/console.css"><script src="/console/console.js"></script>'
    '<meta name="referrer" content="same-origin">'
)
LOGO = Markup(
    '<svg class="logo" viewBox="0 0 24 24" aria-hidden="true"><path d="M2 8c4 0 4 4 8 4s4-4 12-4"/>'
    '<path d="M2 16c4 0 4-4 8-4s4 4 12 4"/></svg>'
)
HELP = Markup(
    '<dialog class="help" aria-labelledby="help-title"><h2 id="help-title">Keys</h2><dl>{}'
    "<div><dt><kbd>/</kbd></dt><dd>to the incidents</dd></div>"
    "<div><dt><kbd>↑</kbd> <kbd>↓</kbd></dt><dd>from one incident to the next</dd></div>"
    "<div><dt><kbd>Enter</kbd></dt><dd>open the incident or asset</dd></div>"
    "<div><dt><kbd>Esc</kbd></dt><dd>back, close</dd></div>"
    "<div><dt><kbd>z</kbd></dt><dd>the incident close up, or the whole city</dd></div>"
    "<div><dt><kbd>t</kbd></dt><dd>theme: as the system, dark, light</dd></div>"
    "<div><dt><kbd>?</kbd></dt><dd>this help</dd></div></dl>"
    '<form method="dialog"><button>Close</button></form></dialog>'
)
PLAYER_HELP = Markup(
    "<div><dt><kbd>Space</kbd></dt><dd>play, pause</dd></div>"
    "<div><dt><kbd>→</kbd> <kbd>←</kbd></dt><dd>what came next, what came before</dd></div>"
    "<div><dt><kbd>+</kbd> <kbd>-</kbd></dt><dd>faster, slower</dd></div>"
    "<div><dt><kbd>g</kbd></dt><dd>go to a time</dd></div>"
    "<div><dt><kbd>f</kbd></dt><dd>fork from here</dd></div>"
)


def html(content: Markup, tag: str = "div", classes: str = "") -> ui.html:
    """Put markup on the page. It is ours and escaped already, so nothing is taken out of it."""
    return ui.html(str(content), sanitize=False, tag=tag).classes(classes)


def help_of(*, played: bool) -> Markup:
    """The keys."""
    return HELP.format(PLAYER_HELP if played else "")


@contextmanager
def page(live: Live, title: str, here: str) -> Iterator[None]:
    """The frame of a page; what is made inside goes into its main part."""
    live.freshen()
    ui.add_head_html(HEAD)
    ui.page_title(f"{title} · Crosscurrent")
    with ui.element("header").classes("top"):
        html(
            Markup(
                '<a class="brand" href="/">{}<span>Crosscurrent</span></a><span class="city-name">{}</span>'
            ).format(LOGO, live.city.city.replace("-", " ").title()),
            classes="top-left",
        )
        clock = html(_clock(live), classes="top-clock")
        html(_navigation(here, played=live.deck is not None), tag="nav", classes="top-right").props(
            'aria-label="Pages"'
        )
    with ui.element("main").classes(f"at-{here}"):
        yield
    if live.deck:
        ui.query("body").classes("replayed")
        bar = TimeBar(live, live.deck)
        bar.look(live.snapshot)
        every_second(live, bar.look)
    html(help_of(played=live.deck is not None))
    every_second(live, lambda _: put(clock, _clock(live)))


def put(element: ui.html, content: Markup) -> None:
    """Change an element only if it changes: nothing is sent for what stays."""
    if element.content != content:
        element.set_content(str(content))


def every_second(live: Live, show: Callable[[Snapshot], None]) -> None:
    """Call ``show`` with each new snapshot, on this page only."""
    seen: list[Snapshot] = [live.snapshot]

    def look() -> None:
        if live.snapshot is not seen[0]:
            seen[0] = live.snapshot
            show(live.snapshot)

    ui.timer(live.beat, look)


def _clock(live: Live) -> Markup:
    snapshot = live.snapshot
    if not snapshot.now and snapshot.status.failure:
        return Markup('<span class="pulse failed">{}</span>').format(snapshot.status.failure)
    if not snapshot.now and snapshot.position:
        return Markup('<span class="pulse waiting">Reading {}</span>').format(snapshot.status.broker)
    if not snapshot.now:
        return Markup('<span class="pulse waiting">Waiting for the first readings at {}</span>').format(
            snapshot.status.broker
        )
    zone = ZoneInfo(live.city.timezone)
    return Markup(
        '<time class="num"><b>{}</b><span>{}<br>{}</span></time><span class="pulse {}">{}</span>'
    ).format(
        wording.clock(snapshot.now, zone),
        wording.day(snapshot.now, zone),
        live.city.timezone.replace("_", " "),
        *_state(snapshot),
    )


def _state(snapshot: Snapshot) -> tuple[str, str]:
    if snapshot.status.failure:
        return "failed", f"Stopped: {snapshot.status.failure}"
    if snapshot.position:
        return (
            "replayed",
            "Replay" if not snapshot.position.fork else f"Replay, fork {snapshot.position.fork}",
        )
    if snapshot.status.messages_per_second == 0:
        return "waiting", "Quiet"
    if snapshot.speed > 3:
        return "live", f"Playing {wording.count(snapshot.speed)}×"
    return "live", "Live"


def _navigation(here: str, *, played: bool) -> Markup:
    pages = [("City", "/"), ("Data", "/data")] + ([("Fork", "/fork")] if played else [])
    links = Markup("").join(
        Markup('<a href="{}"{}>{}</a>').format(
            path, Markup(' aria-current="page"') if here == name.lower() else "", name
        )
        for name, path in pages
    )
    return Markup(
        '{}<button type="button" data-theme-toggle aria-label="Theme">'
        '<i class="theme-icon" aria-hidden="true"></i></button>'
        '<button type="button" data-help aria-label="Keys and help">?</button>'
    ).format(links)
