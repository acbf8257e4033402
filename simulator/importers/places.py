"""Where things are: from the coordinates of drawings to latitude and longitude.

In:  the parts, and perhaps where one point of the drawings lies and how many metres their unit is.
Out: positions on the assets, or a note why there are none.

What was decided: coordinates that look like longitude and latitude are taken as such. Everything else is a
drawing, and a drawing alone says nothing about where on Earth it lies, so its assets get no positions until
somebody says ``--origin``. All drawings of one import share one grid, because the files of a utility usually
come from one map. Around the origin the Earth is taken as flat: right to a few metres over a city, and not a
survey.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulator.importers.draft import Part, Point

METRES_PER_DEGREE = math.pi * 6_371_008.8 / 180
"""Of latitude, on a sphere of the Earth's mean radius (IUGG: 6371008.8 m)."""

CITY_MAX_DEGREES = 2.0
"""Wider than this is no city: a drawing from 0 to 100 is not in degrees."""

NOWHERE_DEGREES = 5.0
"""Around 0, 0 there is only sea: small numbers there are a drawing."""

_DECIMALS = 6
"""Of a position: 0.1 m."""


def look_like_degrees(points: Sequence[Point]) -> bool:
    """Whether these are longitudes and latitudes of a city."""
    if not points:
        return False
    west, south, east, north = corners(points)
    on_earth = west >= -180 and east <= 180 and south >= -90 and north <= 90
    nowhere = math.hypot((west + east) / 2, (south + north) / 2) < NOWHERE_DEGREES
    return on_earth and not nowhere and max(east - west, north - south) <= CITY_MAX_DEGREES


def corners(points: Iterable[Point]) -> tuple[float, float, float, float]:
    """West, south, east, north."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True, slots=True)
class Origin:
    """One place of which both is known: where it lies on Earth, and where in the drawings."""

    latitude: float
    longitude: float
    point: Point | None = None
    """In the drawings' units; None is the lower left of all drawings together."""


def place(parts: Sequence[Part], origin: Origin | None, scale: float | None) -> None:
    """Give positions to the assets that have coordinates; note in each part how, or why not.

    ``scale`` is the metres of a drawing's unit (by default what the file says, else 1).
    """
    drawings = []
    for part in parts:
        points = _points(part)
        if look_like_degrees(points):
            _set(part, None)
            part.notes.append("coordinates taken as longitude and latitude")
        elif points:
            drawings.append(part)
        else:
            part.notes.append("no positions: the file has no coordinates")
    if not drawings:
        return
    if origin is None:
        for part in drawings:
            part.notes.append(f"no positions: {_extent(_points(part))}; --origin says where it lies")
        return
    sized = [(part, scale or part.metres_per_unit or 1.0) for part in drawings]
    west = min(corners(_points(part))[0] * metres for part, metres in sized)
    south = min(corners(_points(part))[1] * metres for part, metres in sized)
    for part, metres in sized:
        known = (west, south)
        what = "the lower left of all drawings" if len(sized) > 1 else "the drawing's lower left"
        if origin.point is not None:
            known = (origin.point[0] * metres, origin.point[1] * metres)
            what = f"the drawing's {origin.point[0]:g}, {origin.point[1]:g}"
        _set(part, _Drawing(origin, known, metres))
        earth = f"{origin.latitude:g}, {origin.longitude:g}"
        part.notes.append(f"positions by --origin: {what} at {earth}; {metres:g} m a unit")


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two positions (latitude, longitude) of one city."""
    north = (b[0] - a[0]) * METRES_PER_DEGREE
    east = (b[1] - a[1]) * METRES_PER_DEGREE * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.hypot(north, east)


def middle(points: Sequence[Point | None]) -> Point | None:
    """The mean of the points that there are."""
    there = [point for point in points if point is not None]
    if not there:
        return None
    return sum(x for x, _ in there) / len(there), sum(y for _, y in there) / len(there)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """How a drawing lies on Earth."""

    origin: Origin
    known: Point
    """The origin in the drawing, in metres."""
    metres: float


def _points(part: Part) -> list[Point]:
    return [point for asset in part.assets for point in (asset.at, *asset.reach) if point is not None]


def _set(part: Part, drawing: _Drawing | None) -> None:
    for asset in part.assets:
        asset.position = None if asset.at is None else _position(asset.at, drawing)
        asset.reach_positions = [_position(point, drawing) for point in asset.reach]


def _position(point: Point, drawing: _Drawing | None) -> tuple[float, float]:
    x, y = point
    if drawing is None:
        return round(y, _DECIMALS), round(x, _DECIMALS)
    origin = drawing.origin
    east, north = x * drawing.metres - drawing.known[0], y * drawing.metres - drawing.known[1]
    per_degree = METRES_PER_DEGREE * math.cos(math.radians(origin.latitude))
    return (
        round(origin.latitude + north / METRES_PER_DEGREE, _DECIMALS),
        round(origin.longitude + east / per_degree, _DECIMALS),
    )


def _extent(points: Sequence[Point]) -> str:
    west, south, east, north = corners(points)
    return f"the coordinates (x {west:g} to {east:g}, y {south:g} to {north:g}) are those of a drawing"
