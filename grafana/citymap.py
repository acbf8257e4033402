"""The map: the links of the city, and zones and assets by the worst that stands there.

In:  links by where they begin and end; queries whose rows say ``place``, ``lat``, ``lon``, ``state`` and
     ``priority``.
Out: a builder of a panel.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from grafana_foundation_sdk.builders import common, geomap
from grafana_foundation_sdk.cog import builder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import geomap as maps

from grafana import look
from grafana.panels import common_to, properties

TROUBLE_GROWS = 2.2
"""How much larger a marker of the worst is than one where all is well: colour is not all that tells."""
Place = tuple[float, float]
"""Latitude, longitude in degrees."""
Line = tuple[Place, Place]
PIXELS = 560, 380
"""What a map of half a page has, less a rim for the markers."""
LARGE = 10
WORLD_PIXELS = 256
"""The whole world at zoom 0; each step doubles it."""
NEAREST = 16
METRE_DIGITS = 5
"""Of a degree: what a map shows."""


def citymap(
    title: str,
    says: str,
    layers: Mapping[str, tuple[str, int]],
    lines: Mapping[str, Sequence[Line]],
    known: Sequence[Place],
    links: Mapping[str, Sequence[Mapping[str, Any]]],
    **place: Any,
) -> geomap.Panel:
    """Markers where rows say ``lat`` and ``lon``, coloured by ``state``.

    ``layers``: by name, a query and the size of its markers in pixels. ``lines``: below them, by their kind
    in ``look.LINES``. ``known``: what must be on the map. ``links``: of a layer's markers. Without internet
    the background stays empty, and lines and markers are there all the same.
    """
    panel = common_to(geomap.Panel(), title, says, [query for query, _ in layers.values()], **place)
    view = geomap.MapViewConfig().id("coords").build()
    vars(view).update(_view(known))  # the SDK takes degrees for whole numbers
    for ref, name in zip("ABC", layers, strict=False):
        panel.override_by_query(ref, properties({"links": list(links.get(name, ()))}))
    return (
        panel.mappings(look.shown(look.STATES))
        .view(_Built(view))
        .basemap(common.MapLayerOptions().type("default").name("Background"))
        .controls(geomap.ControlsOptions().show_zoom(True).mouse_wheel_zoom(False).show_attribution(True))
        .tooltip(geomap.TooltipOptions().mode(maps.TooltipMode.DETAILS))
        .layers(
            [
                *([_drawn(lines)] if any(lines.values()) else []),
                *(
                    _markers(name, ref, size)
                    for (name, (_, size)), ref in zip(layers.items(), "ABC", strict=False)
                ),
            ]
        )
    )


def _view(known: Sequence[Place]) -> dict[str, float]:
    """Where the middle is, and how near one may go so that all is to be seen."""
    lats, lons = zip(*known, strict=True)
    lat, lon = (min(lats) + max(lats)) / 2, (min(lons) + max(lons)) / 2
    wide, high = max(lons) - min(lons), (max(lats) - min(lats)) / math.cos(math.radians(lat))
    near = min(
        math.log2(pixels * 360 / (WORLD_PIXELS * span)) if span else NEAREST
        for pixels, span in zip(PIXELS, (wide, high), strict=True)
    )
    return {"lat": lat, "lon": lon, "zoom": math.floor(min(near, NEAREST))}


class _Built(builder.Builder[Any]):
    """What is already built, where the SDK wants a builder."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def build(self) -> Any:
        """The value."""
        return self._value


def _drawn(lines: Mapping[str, Sequence[Line]]) -> common.MapLayerOptions:
    """Lines that travel in the board itself: of the layers that every Grafana from 9.3 on has, one draws a
    file of lines, and none draws them from rows.
    """
    styles = {
        kind: {"color": {"fixed": colour}, "opacity": 0, "lineWidth": 1}
        for kind, colour in look.LINES.items()
    }
    return (
        common.MapLayerOptions()
        .type("geojson")
        .name("Links")
        .config(
            {
                "src": "data:application/geo+json," + quote(_geojson(lines), safe="{}[]:,"),
                "style": styles[next(iter(styles))],
                "rules": [
                    {"check": {"property": "kind", "operation": "eq", "value": kind}, "style": style}
                    for kind, style in styles.items()
                ],
            }
        )
        .tooltip(False)
    )


def _geojson(lines: Mapping[str, Sequence[Line]]) -> str:
    features = [
        {
            "type": "Feature",
            "properties": {"kind": kind},
            "geometry": {
                "type": "MultiLineString",
                "coordinates": [[_point(start), _point(end)] for start, end in drawn],
            },
        }
        for kind, drawn in lines.items()
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))


def _point(place: Place) -> list[float]:
    """As GeoJSON has it: longitude first."""
    return [round(place[1], METRE_DIGITS), round(place[0], METRE_DIGITS)]


def _markers(name: str, ref: str, size: int) -> common.MapLayerOptions:
    style = {
        "color": {"field": "state", "fixed": look.STATES["unknown"]},
        "opacity": 0.85 if size < LARGE else 0.35,  # what lies below the large ones is to be seen
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
