"""The first page: the map, the day in lanes, the way of the data, and the incidents, newest first."""

import json
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui
from nicegui.events import GenericEventArguments

from console import fragments, views
from console.citymap import CityMap
from console.frame import every_second, html, page, put
from console.layout import Layout
from console.live import Live, Snapshot
from console.pages.asset import asset_view
from schemas.times import DAY, HOUR

LANE_HOURS = 8
"""How far back the lanes look."""


def show(live: Live, layout: Layout) -> None:
    """Build the page; from then on it follows the stream."""
    zone = ZoneInfo(live.city.timezone)
    with page(live, live.city.city.title(), "city"):
        with ui.element("section").classes("stage").props('aria-label="Map and data"'):
            with ui.element("div").classes("map-box"):
                city_map = CityMap(live, layout)
                html(fragments.legend(live.city))
            lanes = html(Markup(""), classes="lanes-box")
            flow = html(Markup(""), classes="flow-box")
        with ui.element("aside").classes("side").props('aria-label="Incidents"'):
            headline = html(Markup(""), classes="headline")
            incidents = IncidentList()
        panel = Panel(live)
    city_map.on("open", panel.open)

    def look(snapshot: Snapshot) -> None:
        city_map.look(snapshot)
        incidents.look(snapshot)
        recent = [
            found for found in snapshot.incidents if (found.closed or snapshot.now) >= snapshot.now - DAY
        ]
        put(headline, fragments.headline(views.headline(snapshot.alarms, recent)))
        put(flow, fragments.flow(snapshot))
        start = snapshot.now - LANE_HOURS * HOUR
        rows = views.lanes(live.city, snapshot.alarms, snapshot.now)
        put(lanes, fragments.lanes(rows, snapshot.incidents, start, snapshot.now, zone))

    look(live.snapshot)
    every_second(live, look)


class IncidentList:
    """The cards, newest first. A card stays the same element as long as its incident lives, so that
    focus and selection stay where they are while the words change."""

    def __init__(self) -> None:
        self._cards: dict[str, ui.html] = {}
        self._shown: dict[str, views.Card] = {}
        self._order: list[str] = []
        with (
            ui.element("div")
            .classes("incident-list")
            .props('aria-label="Incidents, newest first" role="list"') as self._list
        ):
            self._empty = html(
                Markup("<p>No incidents.</p><p>What goes wrong in the city appears here, explained.</p>"),
                classes="empty",
            )

    def look(self, snapshot: Snapshot) -> None:
        """Add, change, order and remove cards to match the snapshot."""
        wanted = {card.id: card for card in snapshot.cards}
        for gone in self._cards.keys() - wanted.keys():
            self._cards.pop(gone).delete()
            del self._shown[gone]
        for card in wanted.values():
            if self._shown.get(card.id) != card:
                self._change(self._cards.get(card.id) or self._new(card.id), card)
        self._arrange(list(wanted))
        self._empty.set_visibility(not wanted)

    def _new(self, incident: str) -> ui.html:
        with self._list:
            self._cards[incident] = html(Markup(""), tag="a", classes="incident").props(
                f'href="/incident/{incident}" data-id="{incident}" role="listitem"'
            )
        return self._cards[incident]

    def _change(self, element: ui.html, card: views.Card) -> None:
        put(element, fragments.card(card))
        element.classes(replace=f"incident s-{card.severity.value} {'' if card.open else 'closed'}")
        self._shown[card.id] = card

    def _arrange(self, order: list[str]) -> None:
        if order == self._order:
            return
        for index, incident in enumerate(order):
            if self._order[index : index + 1] != [incident]:
                self._cards[incident].move(self._list, target_index=index)
        self._order = order
        preferred = next((incident for incident in order if self._shown[incident].open), None)
        preferred = preferred or next(iter(order), None)
        ui.run_javascript(f"window.ccListed({json.dumps(preferred)})")


class Panel:
    """What opens beside the map when an asset is chosen."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._panel = ui.element("aside").classes("panel").props('aria-label="Asset" tabindex="-1"')

    def open(self, event: GenericEventArguments) -> None:
        """Show an asset of the city."""
        asset = event.args
        if asset not in self._live.city.asset_by_id:
            return
        self._panel.clear()
        with self._panel:
            close = html(Markup("×"), tag="button", classes="close").props(
                'type="button" aria-label="Close" data-close'
            )
            close.on("click", self.close)
            asset_view(self._live, asset)
        self._panel.classes(add="open")

    def close(self) -> None:
        """Put it away."""
        self._panel.classes(remove="open")
        self._panel.clear()
