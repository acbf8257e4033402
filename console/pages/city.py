"""The first page: the map, the day in lanes, the way of the data, and the incidents, newest first."""

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
from schemas.times import DAY


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
        put(headline, fragments.headline(views.headline(snapshot.alarms, snapshot.incidents)))
        put(flow, fragments.flow(snapshot))
        start = snapshot.now - DAY
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
        for id in self._cards.keys() - wanted.keys():
            self._cards.pop(id).delete()
            del self._shown[id]
        for id, card in wanted.items():
            if id not in self._cards:
                with self._list:
                    self._cards[id] = html(Markup(""), tag="a", classes="incident").props(
                        f'href="/incident/{id}" data-id="{id}" role="listitem"'
                    )
            if self._shown.get(id) != card:
                self._change(self._cards[id], card)
                self._shown[id] = card
        self._arrange(list(wanted))
        self._empty.set_visibility(not wanted)

    def _change(self, element: ui.html, card: views.Card) -> None:
        put(element, fragments.card(card))
        for severity in ("critical", "warning", "info"):
            element.classes(add=f"s-{severity}") if card.severity == severity else element.classes(
                remove=f"s-{severity}"
            )
        element.classes(remove="closed") if card.open else element.classes(add="closed")

    def _arrange(self, order: list[str]) -> None:
        if order == self._order:
            return
        for index, id in enumerate(order):
            if self._order[index : index + 1] != [id]:
                self._cards[id].move(self._list, target_index=index)
        self._order = order
        first = next((id for id in order if self._shown[id].open), order[0] if order else None)
        ui.run_javascript(f"window.ccListed({first!r})" if first else "window.ccListed(null)")


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
