"""Charts of readings: ECharts options with the limits drawn and the onsets marked.

In:  readings of one sensor, its limits, a span of time. Out: options, as plain data. Pure.
Colours are CSS variables (the SVG renderer hands them through), so that a chart follows the theme
without being drawn anew. Times are shifted to the city's zone, because a browser knows only its own.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from console import wording
from schemas.city import Sensor
from schemas.readings import Quality, Reading
from schemas.times import SECOND

POINTS = 240
"""Points drawn at most; beyond that the least and the greatest of each bucket."""

FONT = "Inter, Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif"
_INK = "var(--ink-3)"
_LEVEL_NAMES = {"low_low": "very low", "low": "low", "high": "high", "high_high": "very high"}


def city_clock(at: int, zone: ZoneInfo) -> int:
    """The ms that show the city's time of day on an axis that counts in UTC."""
    offset = datetime.fromtimestamp(at / SECOND, zone).utcoffset()
    return at + round(offset.total_seconds() * SECOND) if offset else at


def thin(readings: Sequence[Reading], points: int = POINTS) -> list[Reading]:
    """At most about ``points`` readings that keep every peak and dip."""
    if len(readings) <= points:
        return list(readings)
    size = -(-len(readings) // (points // 2))
    kept: list[Reading] = []
    for start in range(0, len(readings), size):
        bucket = readings[start : start + size]
        least = min(bucket, key=lambda reading: reading.value)
        greatest = max(bucket, key=lambda reading: reading.value)
        kept += sorted({least, greatest}, key=lambda reading: reading.at)
    return kept


def value_range(values: Sequence[float], limits: Sequence[float]) -> tuple[float, float]:
    """The values with some air, and those limits that are near enough to matter."""
    low, high = (min(values), max(values)) if values else (min(limits, default=0.0), max(limits, default=1.0))
    reach = (high - low) or abs(high) * 0.1 or 1.0
    near = [limit for limit in limits if low - reach <= limit <= high + reach]
    bottom, top = min([low, *near]), max([high, *near])
    air = (top - bottom) * 0.12 or reach
    return (0.0 if low >= 0 and bottom - air < 0 else bottom - air), top + air


def chart(
    readings: Sequence[Reading],
    sensor: Sensor,
    start: int,
    end: int,
    zone: ZoneInfo,
    onsets: Sequence[tuple[int, int | None]] = (),
) -> dict[str, Any]:
    """Options for one sensor from ``start`` to ``end``; ``onsets`` are the spans of its alarms."""
    trusted = [reading for reading in readings if reading.quality != Quality.BAD]
    limits = {name: value for name in _LEVEL_NAMES if (value := getattr(sensor.limits, name)) is not None}
    bottom, top = value_range([reading.value for reading in trusted], list(limits.values()))
    unit = wording.unit_words(sensor.unit)
    return {
        "useUTC": True,
        "animation": False,
        "grid": {"left": 46, "right": 14, "top": 12, "bottom": 22},
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": "var(--raised)",
            "borderColor": "var(--line-2)",
            "padding": [4, 8],
            "textStyle": {"color": "var(--ink)", "fontSize": 12, "fontFamily": FONT},
            "axisPointer": {
                "lineStyle": {"color": _INK, "type": "solid", "width": 1},
                "label": {"show": False},
            },
        },
        "xAxis": {
            "type": "time",
            "min": city_clock(start, zone),
            "max": city_clock(end, zone),
            "splitNumber": 4,
            "axisLine": {"lineStyle": {"color": "var(--line-2)"}},
            "axisTick": {"show": False},
            "axisLabel": {
                "color": _INK,
                "fontSize": 11,
                "fontFamily": FONT,
                "hideOverlap": True,
                "formatter": "{HH}:{mm}",
            },
        },
        "yAxis": {
            "type": "value",
            "min": bottom,
            "max": top,
            "splitNumber": 3,
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
            "axisLabel": {
                "color": _INK,
                "fontSize": 11,
                "fontFamily": FONT,
                "showMinLabel": False,
                "showMaxLabel": False,
                "hideOverlap": True,
            },
        },
        "series": [
            {
                "type": "line",
                "name": unit or "value",
                "step": "end" if sensor.quantity in ("run", "served") else False,
                "data": [[city_clock(r.at, zone), round(r.value, 4)] for r in thin(trusted)],
                "showSymbol": False,
                "silent": True,
                "emphasis": {"disabled": True},
                "lineStyle": {"width": 1.6, "color": "var(--trace)"},
                "itemStyle": {"color": "var(--trace)"},
                "markLine": _lines(limits, onsets, bottom, top, zone),
                "markArea": _areas(onsets, end, zone),
            }
        ],
    }


def _lines(
    limits: dict[str, float],
    onsets: Sequence[tuple[int, int | None]],
    bottom: float,
    top: float,
    zone: ZoneInfo,
) -> dict[str, Any]:
    levels = [
        {
            "yAxis": value,
            "lineStyle": {"color": "var(--limit)", "width": 1.4 if name in ("low_low", "high_high") else 1},
            "label": {
                "formatter": _LEVEL_NAMES[name],
                "position": "insideEndTop" if "high" in name else "insideEndBottom",
                "padding": [0, 0, 4, 0] if "high" in name else [4, 0, 0, 0],
            },
        }
        for name, value in limits.items()
        if bottom <= value <= top
    ]
    starts = [
        {
            "xAxis": city_clock(since, zone),
            "lineStyle": {"color": "var(--critical)", "type": "solid", "width": 1.4},
            "label": {"show": False},
        }
        for since, _ in onsets[:1]
    ]
    return {
        "silent": True,
        "symbol": "none",
        "animation": False,
        "lineStyle": {"type": [4, 3]},
        "label": {"color": _INK, "fontSize": 10, "fontFamily": FONT, "distance": 2},
        "data": levels + starts,
    }


def _areas(onsets: Sequence[tuple[int, int | None]], end: int, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "silent": True,
        "itemStyle": {"color": "var(--alarm-band)"},
        "data": [
            [{"xAxis": city_clock(since, zone)}, {"xAxis": city_clock(end if until is None else until, zone)}]
            for since, until in onsets
        ],
    }
