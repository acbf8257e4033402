"""A board: rows of panels with what all boards share, as Grafana's JSON.

In:  a city, a name, rows of panels.
Out: the JSON of a dashboard.
Promises: uids and panel ids are stable (an id follows from the panel's title); links to the other boards keep
the time range and the variables; incidents are marked on every picture with a time axis.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog import builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from grafana import flux, look, names
from grafana.panels import FluxBuilder, Panel, source
from schemas.city import City

SCHEMA_VERSION = 37
"""Of Grafana 9.3: every later one brings such a board up to its own; an older one would not know a newer."""

Rows = Mapping[str, Sequence[Panel]]
"""Panels by the heading above them; the first heading may be empty."""
Variable = builder.Builder[models.VariableModel]


def board(
    city: City,
    name: str,
    title: str,
    says: str,
    rows: Rows,
    variables: Sequence[Variable] = (),
    *,
    since: str = "now-6h",
) -> dict[str, Any]:
    """The JSON of one board."""
    made = (
        dashboard.Dashboard(f"{title} · {city.city}")
        .uid(names.board(city.city, name))
        .description(says)
        .tags([names.TAG, city.city])
        .timezone(city.timezone)
        .readonly()
        .refresh("30s")
        .time(since, "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables([_run(city.city), *variables])
        .annotations([_incidents(city.city)])
        .links([_menu(city.city)])
    )
    for heading, panels in rows.items():
        if heading:
            made.with_row(dashboard.Row(heading))
        for panel in panels:
            made.with_panel(panel)
    built = made.build()
    built.schema_version = SCHEMA_VERSION
    return _with_ids(json.loads(json.dumps(built, cls=JSONEncoder)))


def choice(name: str, label: str, values: Sequence[str], *, all_of_them: bool = True) -> Variable:
    """A variable whose values the city model knows."""
    made = dashboard.CustomVariable(name).label(label).values(",".join(values)).include_all(all_of_them)
    picked = models.VariableOption(text="All", value="$__all") if all_of_them else _option(values[0])
    return made.current(picked).all_value(".*") if all_of_them else made.current(picked)


def lookup(name: str, label: str, query: str, *, default: str = "", all_of_them: bool = False) -> Variable:
    """A variable whose values a query tells; looked up again when the time range changes."""
    made = (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(source())
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .include_all(all_of_them)
    )
    if all_of_them:
        return made.all_value(".*").current(models.VariableOption(text="All", value="$__all"))
    return made.current(_option(default)) if default else made


def _option(value: str) -> models.VariableOption:
    return models.VariableOption(text=value, value=value)


def _run(city: str) -> Variable:
    return lookup("run", "Run", flux.runs(city), default=flux.LIVE)


def _incidents(city: str) -> builder.Builder[models.AnnotationQuery]:
    return (
        dashboard.AnnotationQuery()
        .name("Incidents")
        .datasource(source())
        .enable(True)
        .icon_color(look.ALARMED)
        .target(FluxBuilder(flux.annotations(city), "Anno"))
        .mappings(
            {
                column: dashboard.AnnotationEventFieldMapping()
                .source(models.AnnotationEventFieldSource.FIELD)
                .value(column)
                for column in flux.ANNOTATION
            }
        )
    )


def _menu(city: str) -> builder.Builder[models.DashboardLink]:
    return (
        dashboard.DashboardLink("Boards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([names.TAG, city])
        .as_dropdown(True)
        .keep_time(True)
        .include_vars(True)
    )


def _with_ids(board: dict[str, Any]) -> dict[str, Any]:
    """The SDK gives panels no ids. Links and alert rules name them by id: it must not move with the order."""
    taken: set[int] = set()
    for panel in board["panels"]:
        number = zlib.crc32(panel["title"].encode()) % 100_000 + 1
        if number in taken:
            raise ValueError(f"board {board['title']!r} has two panels that go by {panel['title']!r}")
        taken.add(number)
        panel["id"] = number
    return board
