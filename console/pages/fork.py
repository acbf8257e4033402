"""Fork from here: what shall be otherwise from this moment on, and what came of it, beside what was.

The differences are those of ``crosscurrent diff``, with its words.
"""

from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from console import fragments, wording
from console.frame import every_second, html, page, put
from console.live import Live, Snapshot
from runner.diff.render import Row, headline, rows
from runner.diff.told import DayDiff, Report, Side, Span
from runner.moments import BadUsage
from runner.player.deck import Deck
from runner.player.forking import Fork
from runner.whatif import FIELDS, WhatIf
from schemas.city import City, Limits, Utility

KINDS = {
    "limit": "another limit or delay",
    "without": "without an alarm or event",
    "drop": "without a sensor",
    "late": "late messages",
}
FIELD_WORDS = {
    "low_low": "very low limit",
    "low": "low limit",
    "high": "high limit",
    "high_high": "very high limit",
    "rate": "limit of change a minute",
    "every": "seconds between readings",
    "on_delay": "seconds before it is told",
    "off_delay": "seconds before it is cleared",
    "deadband": "deadband",
}
ROWS_MAX = 200
REASONS_MAX = 3


def show(live: Live, sensor: str) -> None:
    """The page; ``sensor`` is filled in already."""
    deck = live.deck
    with page(live, "Fork", "fork"), ui.element("section").classes("sheet"):
        if deck is None:
            html(Markup("<h1>Nothing to fork</h1><p>Only a replay can go on otherwise.</p>"))
            return
        head = html(Markup(""))
        form = Form(live, deck, sensor)
        found = ui.element("div")
        forks = Forks(live, deck, found)

    def look(snapshot: Snapshot) -> None:
        put(head, _head(snapshot, ZoneInfo(live.city.timezone)))
        forks.look(snapshot)

    form.done = lambda: look(live.snapshot)
    look(live.snapshot)
    every_second(live, look)
    ui.timer(0.5, lambda: forks.look(live.snapshot))


def _head(snapshot: Snapshot, zone: ZoneInfo) -> Markup:
    return Markup(
        "<h1>Fork from here</h1><p>What happened up to <b class=num>{}</b> stays as it was. From then on "
        "something is otherwise; below stands what that would have changed.</p>"
    ).format(wording.moment(snapshot.now, zone))


class Form:
    """What shall be otherwise."""

    def __init__(self, live: Live, deck: Deck, sensor: str) -> None:
        self._deck = deck
        self.done: Callable[[], None] = lambda: None
        sensors = list(live.city.sensor_by_id)
        with (
            ui.element("form")
            .classes("fork-form")
            .props('onsubmit="return false" aria-label="What is otherwise"')
        ):
            self._kind = ui.select(KINDS, value="limit", label="From now on", on_change=self._choose)
            self._sensor = ui.input("Sensor", value=sensor, autocomplete=sensors, on_change=self._tell)
            self._field = ui.select(
                {name: FIELD_WORDS[name] for name in FIELDS}, value="high", label="What", on_change=self._tell
            )
            self._value = ui.input("New value").props('inputmode="decimal" hint="a number, or none"')
            self._asset = ui.input("Asset", autocomplete=[asset.id for asset in live.city.assets])
            self._what = ui.input("Condition or event").props('hint="dead, stopped, tripped, ..."')
            self._utility = ui.select(
                [one.value for one in Utility if any(a.utility is one for a in live.city.assets)],
                label="Utility",
            )
            self._minutes = ui.input("Minutes late", value="20").props('inputmode="numeric"')
            ui.button("Go on from here", on_click=self._go, color=None).props(
                'dense no-caps unelevated type="submit"'
            )
        self._parts = {
            "limit": (self._sensor, self._field, self._value),
            "without": (self._asset, self._what),
            "drop": (self._sensor,),
            "late": (self._utility, self._minutes),
        }
        for part in {part for parts in self._parts.values() for part in parts} | {self._kind}:
            part.props("dense outlined")
        self._choose(None)
        self._tell(None)

    def _choose(self, _: ValueChangeEventArguments[Any] | None) -> None:
        wanted = self._parts[str(self._kind.value)]
        for parts in self._parts.values():
            for part in parts:
                part.set_visibility(part in wanted)

    def _tell(self, _: ValueChangeEventArguments[Any] | None) -> None:
        """What it is now, as a hint."""
        self._value.props(
            f'hint="{now_words(self._deck.city_shown, self._sensor.value or "", str(self._field.value))}"'
        )

    def _go(self) -> None:
        try:
            self._deck.fork(self._asked())
        except BadUsage as error:
            ui.notify(str(error).replace("; nothing was replayed", ""), multi_line=True)
            return
        self.done()

    def _asked(self) -> WhatIf:
        match self._kind.value:
            case "limit":
                value = (self._value.value or "").strip()
                return WhatIf(settings=(f"{self._sensor.value}.{self._field.value}={value}",))
            case "without":
                return WhatIf(without=(f"{self._asset.value or ''} {self._what.value or ''}",))
            case "drop":
                return WhatIf(dropped=(self._sensor.value or "",))
            case _:
                return WhatIf(delays=(f"{self._utility.value or ''}={self._minutes.value}m",))


def now_words(city: City, sensor: str, field: str) -> str:
    """What a field of a sensor is in the city model."""
    known = city.sensor_by_id.get(sensor)
    if known is None:
        return "a number, or none"
    of_limits = field in Limits.model_fields
    value = getattr(known.limits if of_limits else known, field)
    unit = wording.unit_words(known.unit) if of_limits or field == "deadband" else ""
    return f"now {'none' if value is None else f'{value:g} {unit}'.strip()}"


class Forks:
    """The forks so far, the newest first; each is drawn anew only when something came of it."""

    def __init__(self, live: Live, deck: Deck, parent: ui.element) -> None:
        self._live, self._deck, self._parent = live, deck, parent
        self._drawn: object = None

    def look(self, snapshot: Snapshot) -> None:
        """Bring the page up to date."""
        forks, shown = self._deck.forks, snapshot.position.fork if snapshot.position else 0
        state = [(number, fork.diff is None, fork.failure) for number, fork in forks.items()], shown
        if state == self._drawn:
            return
        self._drawn = state
        self._parent.clear()
        with self._parent:
            for number, fork in reversed(forks.items()):
                self._one(number, fork, shown=number == shown)

    def _one(self, number: int, fork: Fork, *, shown: bool) -> None:
        zone = ZoneInfo(self._live.city.timezone)
        with ui.element("section").classes("fork").props(f'aria-label="Fork {number}"'):
            html(
                Markup('<h2>Fork {} <span>{}from <b class="num">{}</b> on: {}</span></h2>').format(
                    number,
                    f"of {_base(fork).lower()} " if fork.base.number else "",
                    wording.moment(fork.at, zone),
                    ", ".join(map(said, fork.what.words())),
                )
            )
            if fork.failure:
                html(Markup('<p class="failed">{}</p>').format(fork.failure))
            elif fork.diff is None:
                html(Markup("<p role=status>Going on from there ...</p>"))
            else:
                with ui.element("p").classes("fork-buttons"):
                    label = "Show as it was" if shown else "Show this fork on map and time bar"
                    ui.button(label, on_click=lambda: self._show(0 if shown else number), color=None).props(
                        "dense no-caps outline"
                    )
                html(result(fork.diff, fork, zone))

    async def _show(self, number: int) -> None:
        self._deck.show(number)
        await self._live.look_now()


def said(word: str) -> str:
    """A what-if in words: as on the command line, but for the last of them."""
    kind, _, rest = word.partition(" ")
    return rest.replace("=", " late by ", 1) if kind == "delay" else word.replace("=", " = ", 1)


def result(diff: DayDiff, fork: Fork, zone: ZoneInfo) -> Markup:
    """Both sides: counts, incidents on one axis, each difference with its reasons."""
    report = Report(a=_base(fork).lower(), b="fork", changes=(), days=(diff,), left_out=())
    counts = headline(report)[1:]
    if not diff.differences:
        return Markup("<p>Nothing changes: the same alarms, incidents and messages.</p>")
    told = rows([diff])
    return Markup('<ul class="fork-counts">{}</ul>{}{}{}').format(
        fragments.join(Markup("<li>{}</li>").format(line) for line in counts),
        sides(diff.before, diff.after, fork.at, zone, _base(fork)),
        _table(told[:ROWS_MAX], _base(fork)),
        Markup("<p>{} more rows stand in {}.</p>").format(len(told) - ROWS_MAX, fork.out)
        if len(told) > ROWS_MAX
        else "",
    )


def _base(fork: Fork) -> str:
    """What it was forked from."""
    return f"Fork {fork.base.number}" if fork.base.number else "As it was"


def sides(before: Side, after: Side, at: int, zone: ZoneInfo, base: str) -> Markup:
    """The incidents of both sides on one axis, with the moment at which they part."""
    spans = [*before.incidents, *after.incidents]
    if not spans:
        return Markup("")
    start = min(at, *(span.opened for span in spans))
    end = max(at, *(span.closed or span.opened for span in spans)) + 1
    return Markup('<div class="fork-sides">{}{}<div></div><div class="axis">{}</div></div>').format(
        _side(base, before.incidents, start, end, at),
        _side("Fork", after.incidents, start, end, at),
        fragments.join(
            Markup('<span class="num" style="left:{:.2f}%">{}</span>').format(
                fragments.share(tick, start, end), wording.clock(tick, zone)
            )
            for tick in fragments.time_ticks(start, end, zone, most=7)
        ),
    )


def _side(name: str, spans: Sequence[Span], start: int, end: int, at: int) -> Markup:
    bars = fragments.join(
        Markup('<li style="--left:{:.2f}%;--width:{:.2f}%"><i></i><span>{}</span></li>').format(
            fragments.share(span.opened, start, end),
            fragments.share(span.closed or end, start, end) - fragments.share(span.opened, start, end),
            _root_words(span),
        )
        for span in spans
    )
    return Markup('<b>{}</b><ol aria-label="Incidents: {}" style="--fork:{:.2f}%">{}</ol>').format(
        name, name, fragments.share(at, start, end), bars
    )


def _root_words(span: Span) -> str:
    asset, _, condition = span.root.partition(" ")
    return f"{asset} {wording.condition_words(condition)}"


def why(reasons: Sequence[str]) -> str:
    """The first few reasons, and how many more there are."""
    more = len(reasons) - REASONS_MAX
    return "; ".join(reasons[:REASONS_MAX]) + (f"; and {more} more" if more > 0 else "")


def _table(told: Sequence[Row], base: str) -> Markup:
    return Markup(
        '<div class="wide-table" tabindex="0" role="region" aria-label="Differences"><table><thead><tr>'
        "<th>When</th><th>What</th><th></th><th>Which</th><th>{}</th><th>Fork</th><th>Why</th></tr>"
        "</thead>{}</table></div>"
    ).format(
        base,
        fragments.join(
            Markup(
                '<tr><td class="num when">{}</td><td>{}</td><td class="when"><b>{}</b></td><td>{}</td>'
                "<td>{}</td><td>{}</td><td>{}</td></tr>"
            ).format(row.when[5:], row.what, row.move, row.which, row.before, row.after, why(row.why))
            for row in told
        ),
    )
