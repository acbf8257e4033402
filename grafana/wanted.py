"""What a running Grafana should hold of one city.

In:  a city model, where the runbooks are, and InfluxDB's place if Grafana is to be told.
Out: ``difference.Thing``s: the folder, the data source, boards, rules.
"""

from dataclasses import dataclass, field

from grafana import files, names, rules, watch
from grafana.difference import Thing
from schemas.city import City


@dataclass(frozen=True, slots=True)
class Influx:
    """InfluxDB, as Grafana reaches it."""

    url: str
    org: str
    token: str = field(repr=False)


def wanted(city: City, runbooks: str, influx: Influx | None) -> list[Thing]:
    """Everything that is ours, in the order in which it is made."""
    boards = files.boards(city)
    panels = files.panel_ids(boards)
    folder = Thing("folder", names.folder(city.city), files.title(city), {"title": files.title(city)})
    sources = [_source(influx)] if influx else []
    shown = [Thing("board", board["uid"], board["title"], board) for board in boards.values()]
    watched = [rules.for_api(rule, city.city, panels, runbooks) for rule in watch.rules(city.city)]
    return [folder, *sources, *shown, *(Thing("rule", rule["uid"], rule["title"], rule) for rule in watched)]


def _source(influx: Influx) -> Thing:
    body = files.data_source(influx.url, influx.org)
    return Thing(
        "data source",
        names.DATASOURCE,
        body["name"],
        body,
        secret={"secureJsonData": {"token": influx.token}},
    )
