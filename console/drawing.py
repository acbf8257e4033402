"""The map as SVG: districts, links by relation, one symbol for each asset.

In:  the city model and its layout. Out: markup that is sent once for each page; static/map.js moves the
states over it. Pure.
"""

from collections import defaultdict

from markupsafe import Markup

from console import markup, wording
from console.layout import Layout, Point
from schemas.city import City, Relation

SHOWN = (Relation.SUPPLIES, Relation.DRAINS_TO, Relation.LIFTS_TO, Relation.POWERS)
"""Relations that are lines in the ground; the others show when their asset is pointed at."""

_SCALE_METRES = 500


def drawing(city: City, layout: Layout) -> Markup:
    """The whole map."""
    return Markup(
        '<svg viewBox="0 0 1000 {:.0f}" preserveAspectRatio="xMidYMid meet" role="group" '
        'aria-label="Map of {}: {} assets">'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="6.4" refY="4" markerWidth="12" markerHeight="12" '
        'markerUnits="userSpaceOnUse" orient="auto"><path d="M.6.8 7 4 .6 7.2Z"/></marker></defs>'
        '{}<g class="links" aria-hidden="true">{}</g><g class="near" aria-hidden="true"></g>'
        '<g class="chain" aria-hidden="true"></g><g class="assets">{}</g>'
        '<g class="names" aria-hidden="true"></g></svg>'
    ).format(
        layout.height,
        city.city,
        len(city.assets),
        _districts(layout),
        _links(city, layout),
        _assets(city, layout),
    )


def links(city: City) -> list[tuple[str, str, str]]:
    """Every link as (from, to, relation): what the page shows around the asset that is pointed at."""
    return [(link.source, link.target, link.relation.value) for link in city.links]


def scale(layout: Layout) -> tuple[str, float]:
    """The scale bar: its label and its length in map units."""
    return f"{_SCALE_METRES}{wording.NARROW}m", _SCALE_METRES * layout.units_per_metre


def _districts(layout: Layout) -> Markup:
    shapes = Markup("").join(
        Markup('<path class="district" d="{}"/>').format(_path(outline, closed=True))
        for outline in layout.outlines.values()
    )
    names = Markup("").join(
        Markup('<text class="district-name" x="{:.0f}" y="{:.0f}">{}</text>').format(*_top(outline), zone)
        for zone, outline in layout.outlines.items()
    )
    return Markup('<g class="districts" aria-hidden="true">{}{}</g>').format(shapes, names)


def _top(outline: tuple[Point, ...]) -> Point:
    xs = [x for x, _ in outline]
    return (min(xs) + max(xs)) / 2, min(y for _, y in outline) - 34


def _links(city: City, layout: Layout) -> Markup:
    """One path for each relation and utility: few elements, however many links."""
    strokes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for link in city.links:
        ends = layout.points.get(link.source), layout.points.get(link.target)
        source = city.asset_by_id.get(link.source)
        if link.relation in SHOWN and source and ends[0] and ends[1]:
            strokes[link.relation.value, source.utility.value].append(_path((ends[0], ends[1])))
    return Markup("").join(
        Markup('<path class="link r-{} u-{}" d="{}"/>').format(relation, utility, "".join(paths))
        for (relation, utility), paths in strokes.items()
    )


def _path(points: tuple[Point, ...], closed: bool = False) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("Z" if closed else "")


def _assets(city: City, layout: Layout) -> Markup:
    return Markup("").join(
        Markup(
            '<g class="asset u-{} k-{}" data-id="{}" data-title="{}" data-x="{}" data-y="{}" '
            'style="--x:{}px;--y:{}px" tabindex="-1" role="button" aria-label="{}">'
            '<circle class="touch" r="11"/><circle class="ring outer" r="12.5"/>'
            '<circle class="ring" r="9.4"/>'
            "{}</g>"
        ).format(
            asset.utility.value,
            asset.kind,
            asset.id,
            asset.title,
            *layout.points[asset.id],
            *layout.points[asset.id],
            f"{asset.title}, {wording.kind_words(asset.kind)}",
            markup.shape(asset.utility.value),
        )
        for asset in city.assets
        if asset.id in layout.points
    )
