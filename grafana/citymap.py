"""The map: zones and assets by the worst that stands there.

In:  queries whose rows say ``place``, ``lat``, ``lon``, ``state`` and ``priority``.
Out: a builder of a panel.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import common, geomap
from grafana_foundation_sdk.cog import builder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import geomap as maps

from grafana import look
from grafana.panels import common_to, properties

TROUBLE_GROWS = 2.2
"""How much larger a marker of the worst is than one where all is well: colour is not all that tells."""


def citymap(
    title: str,
    says: str,
    layers: Mapping[str, tuple[str, int]],
    centre: tuple[float, float],
    links: Mapping[str, Sequence[Mapping[str, Any]]],
    **place: Any,
) -> geomap.Panel:
    """Markers where rows say ``lat`` and ``lon``, coloured by ``state``.

    ``layers``: by name, a query and the size of its markers in pixels. ``centre``: latitude, longitude in
    degrees. ``links``: of a layer's markers. Without internet the background stays empty, and the markers are
    there all the same.
    """
    panel = common_to(geomap.Panel(), title, says, [query for query, _ in layers.values()], **place)
    view = geomap.MapViewConfig().id("coords").zoom(13).build()
    vars(view).update(lat=centre[0], lon=centre[1])  # the SDK takes degrees for whole numbers
    for ref, name in zip("ABC", layers, strict=False):
        panel.override_by_query(ref, properties({"links": list(links.get(name, ()))}))
    return (
        panel.mappings(look.shown(look.STATES))
        .view(_Built(view))
        .basemap(common.MapLayerOptions().type("default").name("Background"))
        .controls(geomap.ControlsOptions().show_zoom(True).mouse_wheel_zoom(False).show_attribution(True))
        .tooltip(geomap.TooltipOptions().mode(maps.TooltipMode.DETAILS))
        .layers(
            [_markers(name, ref, size) for (name, (_, size)), ref in zip(layers.items(), "ABC", strict=False)]
        )
    )


class _Built(builder.Builder[Any]):
    """What is already built, where the SDK wants a builder."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def build(self) -> Any:
        """The value."""
        return self._value


def _markers(name: str, ref: str, size: int) -> common.MapLayerOptions:
    style = {
        "color": {"field": "state", "fixed": look.STATES["unknown"]},
        "opacity": 0.85,
        "rotation": {"fixed": 0, "max": 360, "min": -360, "mode": "mod"},
        "size": {"field": "priority", "fixed": size, "min": size, "max": round(size * TROUBLE_GROWS)},
        "symbol": {"fixed": "img/icons/marker/circle.svg", "mode": "fixed"},
    }
    return (
        common.MapLayerOptions()
        .type("markers")
        .name(name)
        .config({"showLegend": False, "style": style})
        .location(
            common.FrameGeometrySource()
            .mode(shapes.FrameGeometrySourceMode.COORDS)
            .latitude("lat")
            .longitude("lon")
        )
        .filter_data({"id": "byRefId", "options": ref})
        .tooltip(True)
    )
