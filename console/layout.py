"""Where things lie on the map: from degrees to a plane, with things at one place moved apart.

In:  assets with positions. Out: points in map units (1000 wide, y down), and an outline per district.
Promises: the same city gives the same layout; markers keep ``APART`` units of distance wherever they
have room, and stay near where they are.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.city import Asset, City

WIDTH = 1000.0
APART = 25.0
"""Least distance between two markers, map units."""
_MARGIN = 56.0
_TALL_MAX = 0.9
"""Taller cities are drawn smaller, so that a map is never a column."""
_ROUNDS = 80
_GOLDEN_ANGLE = 2.399963

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Points by asset, outlines by zone, and the size of the plane (map units; metres for the scale)."""

    points: Mapping[str, Point]
    outlines: Mapping[str, tuple[Point, ...]]
    height: float
    units_per_metre: float


def lay_out(city: City) -> Layout:
    """Lay out the assets that have a position; the others are left to the lists."""
    placed = [asset for asset in city.assets if asset.position is not None]
    if not placed:
        return Layout({}, {}, WIDTH, 1.0)
    plane, height, scale = _project(placed)
    points = _move_apart(plane)
    return Layout(points, _outlines(placed, points), height, scale)


def _project(assets: Iterable[Asset]) -> tuple[dict[str, Point], float, float]:
    degrees = {asset.id: asset.position for asset in assets if asset.position is not None}
    lats = [lat for lat, _ in degrees.values()]
    lons = [lon for _, lon in degrees.values()]
    east = 111_320 * math.cos(math.radians((min(lats) + max(lats)) / 2))
    metres = {
        key: ((lon - min(lons)) * east, (max(lats) - lat) * 110_574) for key, (lat, lon) in degrees.items()
    }
    wide = max(x for x, _ in metres.values()) or 1.0
    tall = max(y for _, y in metres.values())
    scale = min((WIDTH - 2 * _MARGIN) / wide, WIDTH * _TALL_MAX / max(tall, 1.0))
    left = (WIDTH - wide * scale) / 2
    points = {key: (left + x * scale, _MARGIN + y * scale) for key, (x, y) in metres.items()}
    return points, tall * scale + 2 * _MARGIN, scale


def _move_apart(points: Mapping[str, Point]) -> dict[str, Point]:
    """Push near pairs apart, a little in each round; equal places part along fixed directions."""
    keys = list(points)
    xs = [points[key][0] + 0.01 * math.cos(i * _GOLDEN_ANGLE) for i, key in enumerate(keys)]
    ys = [points[key][1] + 0.01 * math.sin(i * _GOLDEN_ANGLE) for i, key in enumerate(keys)]
    for _ in range(_ROUNDS):
        moved = False
        for i, j in _near_pairs(xs, ys):
            dx, dy = xs[j] - xs[i], ys[j] - ys[i]
            distance = math.hypot(dx, dy) or 1e-9
            if distance < APART - 0.1:
                push = (APART - distance) / 2 / distance
                xs[i], ys[i], xs[j], ys[j] = (
                    xs[i] - dx * push,
                    ys[i] - dy * push,
                    xs[j] + dx * push,
                    ys[j] + dy * push,
                )
                moved = True
        if not moved:
            break
    return {key: (round(x, 1), round(y, 1)) for key, x, y in zip(keys, xs, ys, strict=True)}


def _near_pairs(xs: list[float], ys: list[float]) -> list[tuple[int, int]]:
    """Index pairs in the same or in adjoining cells of APART units."""
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        cells[int(x // APART), int(y // APART)].append(i)
    return [
        (i, j)
        for (column, row), here in cells.items()
        for right in (-1, 0, 1)
        for down in (-1, 0, 1)
        for j in cells.get((column + right, row + down), ())
        for i in here
        if i < j
    ]


def _outlines(assets: Iterable[Asset], points: Mapping[str, Point]) -> dict[str, tuple[Point, ...]]:
    zones: dict[str, list[Point]] = defaultdict(list)
    for asset in assets:
        zones[asset.zone].append(points[asset.id])
    return {zone: hull(members) for zone, members in zones.items() if len(set(members)) >= 3}


def hull(points: Iterable[Point]) -> tuple[Point, ...]:
    """The convex hull, by Andrew's monotone chain."""
    ordered = sorted(set(points))
    return tuple(_half_hull(ordered) + _half_hull(ordered[::-1]))


def _half_hull(points: list[Point]) -> list[Point]:
    chain: list[Point] = []
    for x, y in points:
        while len(chain) >= 2:
            (ax, ay), (bx, by) = chain[-2:]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            chain.pop()
        chain.append((x, y))
    return chain[:-1]
