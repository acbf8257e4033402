"""The map as an element: sends the drawing once, then only what changed."""

from nicegui import ui
from nicegui.events import GenericEventArguments

from console import wording
from console.drawing import drawing, links, scale
from console.fragments import tip
from console.layout import Layout
from console.live import Live, Snapshot
from console.views import AssetState, Overlay


class CityMap(ui.element, component="static/map.js"):
    """The map of the city. ``look`` shows a snapshot on it."""

    def __init__(self, live: Live, layout: Layout) -> None:
        super().__init__()
        self._live = live
        self._states: dict[str, AssetState] = {}
        self._overlays: dict[str, Overlay] = {}
        self.props["drawing"] = str(drawing(live.city, layout))
        self.props["links"] = links(live.city)
        self.props["scale"] = scale(layout)
        self.on("look", self._tell)

    def look(self, snapshot: Snapshot) -> None:
        """Send the states and incidents that differ from what this page has."""
        states = {
            asset: _sent(snapshot.states.get(asset))
            for asset in self._states.keys() | snapshot.states.keys()
            if self._states.get(asset) != snapshot.states.get(asset)
        }
        incidents = {
            incident: {"root": found.root, "members": found.members, "paths": found.paths}
            for incident, found in snapshot.overlays.items()
            if self._overlays.get(incident) != found
        }
        gone = [incident for incident in self._overlays if incident not in snapshot.overlays]
        self._states, self._overlays = dict(snapshot.states), dict(snapshot.overlays)
        if states or incidents or gone:
            self.run_method("apply", {"states": states, "incidents": incidents, "gone": gone})

    def _tell(self, event: GenericEventArguments) -> None:
        asset = event.args
        if asset in self._live.city.asset_by_id:
            snapshot = self._live.snapshot
            words = tip(asset, self._live.city, snapshot.states.get(asset), snapshot.latest, snapshot.now)
            self.run_method("showTip", asset, str(words))


def _sent(state: AssetState | None) -> tuple[str, str] | None:
    if state is None:
        return None
    return state.severity.value, ", ".join(map(wording.condition_words, state.conditions))
