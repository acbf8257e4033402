"""An incident: what happened and why, the chain on one time axis, its readings, what comes next."""

import asyncio
from functools import partial
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui
from starlette.responses import RedirectResponse, Response

from console import fragments, markup, views, wording
from console.frame import every_second, html, page, put
from console.live import Live, Snapshot
from console.pages.asset import SensorChart
from runner.answering import KINDS, SHELVED_MINUTES, Kind, answered
from runner.database import CannotRun
from runner.hours import SHOWN_BEFORE
from runner.player.deck import Deck
from schemas.alarms import Alarm
from schemas.city import City
from schemas.errors import CrosscurrentError
from schemas.incidents import IncidentRevision
from schemas.notifications import Decision, Notification
from schemas.times import HOUR

CHARTS_MAX = 12


def show(live: Live, incident: str) -> Response | None:
    """The page of one incident; an id that was replaced leads to the new one."""
    revisions = live.store.incident(incident)
    if not revisions and live.deck and (known := live.deck.store.first_told(incident)) is not None:
        with page(live, "Not known yet", "incident"), ui.element("section").classes("sheet"):
            _not_known_yet(live, live.deck, incident, known)
        return None
    if not revisions:
        with page(live, "Unknown incident", "incident"), ui.element("section").classes("sheet"):
            html(
                Markup("<h1>Unknown incident</h1><p>There is no incident <b>{}</b> in the store.</p>").format(
                    incident
                )
            )
        return None
    if revisions[-1].id != incident:
        return RedirectResponse(f"/incident/{revisions[-1].id}")
    with page(live, revisions[-1].summary[:60], "incident"):
        _build(live, revisions)
    return None


def _not_known_yet(live: Live, deck: Deck, incident: str, known: int) -> None:
    """A replay is at a moment at which nobody knew of it; when it comes, the page opens."""
    html(
        Markup(
            '<h1>Not known yet</h1><p>This incident became known at <b class="num">{}</b>. '
            "Play on, or go there.</p>"
        ).format(wording.moment(known, ZoneInfo(live.city.timezone), beside=live.snapshot.now))
    )

    def there() -> None:
        deck.seek(known)

    ui.button("Go there", on_click=there, color=None).props("dense no-caps outline")

    def look(_: Snapshot) -> None:
        if live.store.incident(incident):
            ui.navigate.to(f"/incident/{incident}")

    every_second(live, look)


def _build(live: Live, revisions: list[IncidentRevision]) -> None:
    zone = ZoneInfo(live.city.timezone)
    incident = revisions[-1].id
    with ui.element("article").classes("sheet"):
        head = html(Markup(""), tag="header", classes="incident-head")
        if live.deck or live.system.hours:
            again = ui.button("Replay this hour", on_click=partial(_replay, live, incident), color=None)
            again.props("dense no-caps outline").classes("replay-it")
        with ui.element("div").classes("columns"):
            with ui.element("div").classes("main-column"):
                html(Markup("<h2>What led to what <span>lag seen / lag expected by the rule</span></h2>"))
                chain = html(Markup(""))
                words = html(Markup(""))
                html(Markup("<h2>Readings</h2>"))
                plots = Plots(ui.element("div").classes("plot-grid"))
            with ui.element("div").classes("side-column"):
                html(Markup("<h2>Causes considered</h2>"))
                causes = html(Markup(""))
                foretold = html(Markup(""))
                html(Markup("<h2>Told to people</h2>"))
                told = html(Markup(""))
                answers = None if live.deck else Answers(live, incident)
                html(Markup("<h2>How the view of it changed</h2>"))
                changes = html(Markup(""))

    def look(snapshot: Snapshot) -> None:
        found = live.store.incident(incident)
        if not found or found[-1].id != incident:
            ui.navigate.to(f"/incident/{found[-1].id if found else incident}")
            return
        newest = found[-1]
        put(head, _head(newest, live.city, snapshot.now, zone))
        put(chain, fragments.timeline(newest, live.city, snapshot.now, zone))
        put(words, fragments.words(newest.explanation))
        put(causes, fragments.causes([newest.root, *newest.alternatives], live.city, zone))
        put(foretold, fragments.foretold(views.predictions(newest, live.city)))
        put(changes, fragments.history(views.history(found, live.city)))
        names = _names(live, incident)
        put(
            told,
            _told(
                [sent for name in names for sent in live.store.notifications(name)],
                [made for name in names for made in live.store.decisions(name)],
                zone,
            ),
        )
        if answers:
            answers.show(open_=newest.closed is None)
        alarms = live.store.alarms(newest.opened - HOUR)
        plots.extend(live, newest, alarms)
        plots.draw(newest, snapshot.now)

    look(live.snapshot)
    every_second(live, look)


async def _replay(live: Live, incident: str) -> None:
    """Go back to shortly before it began: here, or in a player of its own beside a running city."""
    newest = live.store.incident(incident)[-1]
    if live.deck:
        live.deck.seek(newest.opened - SHOWN_BEFORE)
        live.deck.play(playing=True)
        await live.look_now()
        ui.navigate.to("/")
    elif live.system.hours:
        ui.notify("Getting ready to replay ...")
        try:
            address = await asyncio.to_thread(live.system.hours.open, newest)
        except CannotRun as error:
            ui.notify(str(error), multi_line=True)
            return
        ui.navigate.to(address)


def _head(incident: IncidentRevision, city: City, now: int, zone: ZoneInfo) -> Markup:
    card = views.card(incident, city, now)
    return Markup(
        '<p class="over">{}<span class="state {state}">{state}</span>'
        '<span class="num">{}<span class="sep">·</span>{}</span><span class="chips">{}</span></p><h1>{}</h1>'
    ).format(
        markup.severity(incident.severity),
        f"{wording.day(incident.opened, zone)}, {wording.clock(incident.opened, zone)}"
        + (f" to {wording.clock(incident.closed, zone)}" if incident.closed else ""),
        card.lasted,
        markup.chips(card.utilities),
        incident.summary,
        state="open" if card.open else "closed",
    )


def _names(live: Live, incident: str) -> list[str]:
    """Its id, those that it had before, and those of incidents that became part of it."""
    names = [incident]
    for name in names:
        older = {old for revision in live.store.incident(name) for old in revision.replaces}
        names += sorted(older.difference(names))
    return names


def _told(notifications: list[Notification], decisions: list[Decision], zone: ZoneInfo) -> Markup:
    """Messages, and decisions of which people know nothing otherwise; folded away, why each was told."""
    if not notifications and not decisions:
        return Markup('<p class="empty">Nobody was told.</p>')
    lines = [(sent.at, f"{sent.kind} to {sent.to}", sent.reason) for sent in notifications]
    rest: list[tuple[int, str, str]] = []
    for made in decisions:
        folded = made.verdict == "told" or made.stage == "dedup"
        said = f"{made.stage}: {made.verdict} {made.to}".rstrip()
        (rest if folded else lines).append((made.at, said, made.reason))
    more = Markup('<details class="why"><summary>Why these people: {}</summary>{}</details>').format(
        wording.plural(len(rest), "decision"), _newest_first(rest, zone)
    )
    return _newest_first(lines, zone) + (more if rest else "")


def _newest_first(lines: list[tuple[int, str, str]], zone: ZoneInfo) -> Markup:
    """Moments, what was said or decided then, and why."""
    return Markup('<ol class="history">{}</ol>').format(
        fragments.join(
            Markup('<li><span class="num when">{}</span><div><b>{}</b><small>{}</small></div></li>').format(
                wording.clock(at, zone), what, why
            )
            for at, what, why in sorted(lines, key=lambda line: line[0], reverse=True)
        )
    )


class Answers:
    """Who answers, why, and four ways to do so; as long as the incident is open."""

    def __init__(self, live: Live, incident: str) -> None:
        self._live, self._incident = live, incident
        with ui.element("div") as self._offer:
            html(Markup("<h2>Answer</h2>"))
            form = ui.element("div").classes("answers")
        with form:
            self._by = ui.input("Your name").props('dense outlined maxlength=100 autocomplete="name"')
            self._note = ui.input("Note").props("dense outlined maxlength=500")
            for kind in KINDS:
                label = f"Shelve {SHELVED_MINUTES} min" if kind == "shelve" else kind.capitalize()
                ui.button(label, on_click=partial(self._give, kind)).props("dense no-caps outline")

    def show(self, *, open_: bool) -> None:
        """Offer it, or not."""
        if self._offer.visible != open_:
            self._offer.set_visibility(open_)

    async def _give(self, kind: Kind) -> None:
        by = (self._by.value or "").strip()
        if not by:
            ui.notify("Say who you are: it is kept with the answer.")
            return
        answer = answered(self._incident, kind, by, note=(self._note.value or "").strip())
        try:
            await asyncio.to_thread(self._live.system.answer, answer)
        except CrosscurrentError as error:
            ui.notify(f"Not taken: {error}", multi_line=True)
            return
        ui.notify(f"Kept: {kind} by {by}.")


class Plots:
    """The charts of the members' sensors, in the order of their onsets; grows with the incident."""

    def __init__(self, parent: ui.element) -> None:
        self._parent = parent
        self._charts: dict[str, SensorChart] = {}

    def extend(self, live: Live, incident: IncidentRevision, alarms: list[Alarm]) -> None:
        """Add charts for sensors that joined."""
        for sensor in views.member_sensors(incident, alarms, live.city)[:CHARTS_MAX]:
            if sensor not in self._charts and len(self._charts) < CHARTS_MAX:
                with self._parent:
                    self._charts[sensor] = SensorChart(live, live.city.sensor_by_id[sensor], titled=True)

    def draw(self, incident: IncidentRevision, now: int) -> None:
        """Draw what is new, all on the incident's own span of time."""
        start, end = views.span(incident, now)
        for sensor, chart in self._charts.items():
            spans = [(member.since, member.until) for member in views.onsets(incident, sensor)]
            chart.draw(start, end, spans)
