"""How ``scripts/boards.py`` draws each kind of panel: plain SVG and HTML.

In:  a panel's JSON, the frames that its queries brought, a box. Out: markup.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, NamedTuple
from urllib.parse import unquote

from grafana import look
from tests.grafana.room import Table

LEFT, RIGHT, BELOW = 44, 12, 36
LINES = ("#2471c8", "#c77905", "#04a96d", "#b8578f", "#1f97b0", "#9a6b3f", "#8a63d2", "#85888d")
TEXT_MAX = 900
Answers = list[list[Table]]
"""Frames by query."""


class Box(NamedTuple):
    """Where a panel draws: pixels, the colour of rules, seconds since 1970 at both ends."""

    width: int
    height: int
    rule: str
    start: float
    stop: float

    def x(self, at: float, left: int = LEFT) -> float:
        """Where a time lies."""
        return left + (self.width - left - RIGHT) * (at - self.start) / (self.stop - self.start)


def series(panel: dict[str, Any], answers: Answers, box: Box) -> str:
    """Lines or bars; those of a second query are limits, dashed."""
    defaults = panel["fieldConfig"]["defaults"]
    lines = [(table, bool(letter)) for letter, tables in enumerate(answers) for table in tables]
    numbers = [float(value) for table, _ in lines for value in table.columns["_value"] if value]
    marked = "thresholdsStyle" in defaults["custom"]
    limit = float(defaults["thresholds"]["steps"][-1]["value"]) if marked else 0.0
    low, high = min(0.0, *numbers, 0.0), max(limit, *numbers, 1e-9)

    def y(value: float) -> float:
        return 6 + (box.height - BELOW) * (1 - (value - low) / (high - low))

    parts = list(_axes(box, (low, (low + high) / 2, high), y, defaults["unit"]))
    for number, (table, dashed) in enumerate(lines):
        colour = look.LIMIT if dashed else LINES[number % len(LINES)]
        told = zip(table.columns["_time"], table.columns["_value"], strict=True)
        points = [(box.x(_seconds(at)), y(float(value))) for at, value in told if value]
        if defaults["custom"].get("drawStyle") == "bars":
            parts += [_rect(px - 9, py, 8, y(0) - py, colour) for px, py in points]
        else:
            parts.append(_path(points, colour, dashed))
        if dashed:
            parts.append(_text(50, points[0][1] - 3, table.labels["limit"]))
    if marked:
        parts.append(_path([(LEFT, y(limit)), (box.width - RIGHT, y(limit))], look.ALARMED, dashed=True))
    names = [next(iter(table.labels.values()), "alarms") for table, dashed in lines if not dashed]
    return _svg(box, parts) + _legend(names, LINES)


def states(panel: dict[str, Any], answers: Answers, box: Box) -> str:
    """A row a line, coloured by state."""
    del panel
    [tables] = answers
    names = [next(iter(table.labels.values())) for table in tables]
    step = min(22.0, (box.height - 20) / len(tables))
    left = 12 + 6 * max(map(len, names))
    parts = []
    for number, (name, table) in enumerate(zip(names, tables, strict=True)):
        top = number * step
        times = [*map(_seconds, table.columns["_time"]), box.stop]
        parts.append(_text(6, top + step * 0.7, name))
        for begins, ends, state in zip(times, times[1:], table.columns["_value"], strict=False):
            x, until = box.x(begins, left), box.x(min(ends, box.stop), left)
            parts.append(_rect(x, top + 1, max(1.0, until - x), step - 2, look.STATES[state]))
    return _svg(box, parts) + _legend(list(look.STATES), list(look.STATES.values()))


def table(panel: dict[str, Any], answers: Answers, box: Box) -> str:
    """Rows, as many as fit."""
    [[found]] = answers
    headings = list(panel["transformations"][0]["options"]["indexByName"])
    rows = "".join(
        f"<tr>{''.join(_cell(heading, found, number) for heading in headings)}</tr>"
        for number in range(min(len(found), box.height // 24))
    )
    return f"<table><tr>{''.join(f'<th>{escape(heading)}</th>' for heading in headings)}</tr>{rows}</table>"


def figure(panel: dict[str, Any], answers: Answers, box: Box) -> str:
    """One number in the colour of the step that it reached."""
    del box
    [[found]] = answers
    defaults = panel["fieldConfig"]["defaults"]
    value = float(found.columns["_value"][-1])
    steps = defaults["thresholds"]["steps"]
    colour = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    share, seconds = defaults["unit"] == "percentunit", defaults["unit"] == "s"
    text = f"{value:.0%}" if share else f"{value:.3g}{' s' if seconds else ''}"
    return f"<div style='font-size:38px;text-align:center;color:{colour};margin-top:6px'>{text}</div>"


def ranking(panel: dict[str, Any], answers: Answers, box: Box) -> str:
    """A bar a thing."""
    del panel, box
    [[found]] = answers
    names, counts = _named(found)
    most = max(map(float, counts))
    return "".join(
        f"<div style='display:flex;margin:3px 10px'><span style='width:45%'>{escape(name)}</span>"
        f"<span style='background:{look.STATES['info']};width:{45 * float(count) / most:.0f}%'></span>"
        f"&nbsp;{count}</div>"
        for name, count in zip(names, counts, strict=True)
    )


def citymap(panel: dict[str, Any], answers: Answers, box: Box) -> str:
    """Links, and markers at their places, as large as their layer says."""
    links, *layers = panel["options"]["layers"]
    tables = [found for tables in answers for found in tables]
    lats = [float(value) for found in tables for value in found.columns["lat"]]
    lons = [float(value) for found in tables for value in found.columns["lon"]]

    def spot(lon: float, lat: float) -> tuple[float, float]:
        return (
            40 + (box.width - 80) * (lon - min(lons)) / (max(lons) - min(lons)),
            30 + (box.height - 70) * (max(lats) - lat) / (max(lats) - min(lats)),
        )

    parts = [
        _path([spot(*place) for place in line], look.LINES[feature["properties"]["kind"]])
        for feature in json.loads(unquote(links["config"]["src"].partition(",")[2]))["features"]
        for line in feature["geometry"]["coordinates"]
    ]
    for layer, found in zip(layers, tables, strict=True):
        sizes = layer["config"]["style"]["size"]
        columns = (found.columns[name] for name in ("place", "lat", "lon", "state", "priority"))
        for name, lat, lon, state, priority in zip(*columns, strict=True):
            size = sizes["min"] + (sizes["max"] - sizes["min"]) * int(priority) / 3
            x, y = spot(float(lon), float(lat))
            zone = layer["name"] == "Zones"
            parts.append(_circle(x, y, size, look.STATES[state], 0.4 if zone else 0.9))
            if zone:
                parts.append(_text(x, y + size + 12, name, middle=True))
    return _svg(box, parts) + _legend(list(look.STATES), list(look.STATES.values()))


def prose(panel: dict[str, Any], answers: Answers, box: Box) -> str:
    """A text, line by line."""
    del panel, box
    [[found]] = answers
    return f"<div style='white-space:pre-wrap;margin:4px 10px'>{escape(found.columns['_value'][0])}</div>"


def graph(panel: dict[str, Any], answers: Answers, box: Box) -> str:
    """Causes left, effects right, a column a step."""
    del panel
    [[nodes], [edges]] = answers
    links = list(zip(edges.columns["source"], edges.columns["target"], strict=True))
    depth = dict.fromkeys(nodes.columns["id"], 0)
    for _ in range(8):
        for source, target in links:
            depth[target] = max(depth[target], depth[source] + 1)
    columns: dict[int, list[str]] = {}
    for node, level in depth.items():
        columns.setdefault(level, []).append(node)
    last = max(columns) or 1
    spot = {
        node: (70 + (box.width - 140) * level / last, 10 + (box.height - 34) * (number + 0.5) / len(group))
        for level, group in columns.items()
        for number, node in enumerate(group)
    }
    parts = [_path([spot[source], spot[target]], look.STATES["unknown"]) for source, target in links]
    for node, (x, y) in spot.items():
        parts += [_circle(x, y, 6, look.STATES["info"], 1), _text(x, y - 8, node, middle=True)]
    return _svg(box, parts)


DRAW: dict[str, Callable[[dict[str, Any], Answers, Box], str]] = {
    "timeseries": series,
    "state-timeline": states,
    "table": table,
    "stat": figure,
    "bargauge": ranking,
    "geomap": citymap,
    "nodeGraph": graph,
    "logs": prose,
}
"""By Grafana's name of the kind."""


def _cell(heading: str, found: Table, number: int) -> str:
    value = found.columns[heading][number]
    like = look.HEADED.get(heading, {})
    if heading in {"Severity", "State"}:
        return f"<td style='background:{look.STATES[value]};color:#fff'>{value}</td>"
    if found.kinds[heading].startswith("dateTime"):
        value = value[11:16]
    elif like.get("unit") == look.MOMENT:
        value = "–" if value == "0" else f"{datetime.fromtimestamp(int(value) / 1000, UTC):%H:%M}"
    elif like.get("unit") == "percentunit":
        value = f"{float(value):.0%}"
    elif heading == "Incident":
        value = value[:8]
    return f"<td>{escape(value[:TEXT_MAX])}</td>"


def _named(found: Table) -> tuple[list[str], list[str]]:
    names = next(values for name, values in found.columns.items() if found.kinds[name] == "string")
    counts = next(values for name, values in found.columns.items() if found.kinds[name] != "string")
    return names, counts


def _axes(box: Box, values: Sequence[float], y: Callable[[float], float], unit: str) -> Iterator[str]:
    word = unit.removeprefix("suffix:") if ":" in unit else ""
    for value in values:
        yield _path([(LEFT, y(value)), (box.width - RIGHT, y(value))], box.rule)
        yield _text(4, y(value) + (10 if value == values[-1] else -2), f"{value:.3g} {word}")
    for at in range(int(box.start), int(box.stop) + 1, 3600):
        yield _text(box.x(at), box.height - 18, f"{datetime.fromtimestamp(at, UTC):%H:%M}", middle=True)


def _svg(box: Box, parts: Sequence[str]) -> str:
    return f"<svg width='{box.width}' height='{box.height - 14}'>{''.join(parts)}</svg>"


def _text(x: float, y: float, words: str, middle: bool = False) -> str:
    anchor = "text-anchor='middle'" if middle else ""
    return f"<text x='{x:.0f}' y='{y:.0f}' {anchor}>{escape(words)}</text>"


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' fill='{colour}'/>"


def _circle(x: float, y: float, size: float, colour: str, opacity: float) -> str:
    return f"<circle cx='{x:.0f}' cy='{y:.0f}' r='{size:.0f}' fill='{colour}' opacity='{opacity}'/>"


def _path(points: Sequence[tuple[float, float]], colour: str, dashed: bool = False) -> str:
    at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = "stroke-dasharray='8 6'" if dashed else ""
    return f"<polyline points='{at}' fill='none' stroke='{colour}' stroke-width='1.3' {dash}/>"


def _legend(names: Sequence[str], colours: Sequence[str]) -> str:
    shown = "".join(
        f"<span style='margin-right:12px'><b style='color:{colours[number % len(colours)]}'>■</b> "
        f"{escape(name)}</span>"
        for number, name in enumerate(names[:14])
    )
    return (
        f"<div style='position:absolute;bottom:3px;left:10px;font-size:11px;white-space:nowrap'>{shown}</div>"
    )


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
