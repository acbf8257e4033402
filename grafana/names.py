"""Names that Grafana keeps ours by: stable, so that links, bookmarks and silences outlive every change.

In:  a city's name, a board's name. Out: uids of at most 40 characters, Grafana's bound.
"""

import hashlib

DATASOURCE = "crosscurrent-influxdb"
DATASOURCE_TYPE = "influxdb"
TAG = "crosscurrent"
"""On every board of ours: what is without it is not ours."""
BOARDS = (
    "city", "power", "water", "storm", "sewage", "waste", "roads", "asset", "incident", "pipeline", "load",
    "runs",
)  # fmt: skip
"""Every board, in the order of the menu."""

_CITY_MAX = 24


def short(city: str) -> str:
    """The city's name as uids carry it: a long one is cut, and told apart by a digest of the whole."""
    name = city.lower().replace(".", "-")
    if len(name) <= _CITY_MAX and name == city:
        return name
    return f"{name[: _CITY_MAX - 7]}-{hashlib.sha256(city.encode()).hexdigest()[:6]}"


def folder(city: str) -> str:
    """The uid of the folder that holds all of ours."""
    return f"cc-{short(city)}"


def board(city: str, name: str) -> str:
    """The uid of a board."""
    return f"cc-{short(city)}-{name}"


def rule(city: str, name: str) -> str:
    """The uid of an alert rule."""
    return f"cc-{short(city)}-{name}"
