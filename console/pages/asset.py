"""An asset: its readings with their limits, its alarms, what it acts on and what acts on it."""

from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui

from console import charts, fragments, markup, views, wording
from console.frame import every_second, html, page, put
from console.live import Live, Snapshot
from schemas.city import Asset, Sensor
from schemas.times import HOUR

HOURS = 12
"""How far back an asset's charts look."""


def show(live: Live, asset: str) -> None:
    """The page of one asset."""
    with page(live, views.title(live.city, asset), "asset"), ui.element("section").classes("sheet narrow"):
        if asset in live.city.asset_by_id:
            asset_view(live, asset)
        else:
            html(Markup("<h1>Unknown asset</h1><p>The city model has no asset <b>{}</b>.</p>").format(asset))


def asset_view(live: Live, asset: str) -> None:
    """Head, charts, alarms and links of an asset; follows the stream."""
    known = live.city.asset_by_id[asset]
    zone = ZoneInfo(live.city.timezone)
    html(_head(known))
    plots = [SensorChart(live, sensor) for sensor in live.city.sensors_of.get(asset, ())]
    if not plots:
        html(Markup('<p class="empty">No sensor: what happens here shows at its neighbours.</p>'))
    html(Markup("<h2>Alarms, last 24 hours</h2>"))
    alarms = html(Markup(""))
    html(Markup("<h2>Links</h2>{}").format(fragments.link_list(views.links_of(live.city, asset), live.city)))

    def look(snapshot: Snapshot) -> None:
        own = [alarm for alarm in snapshot.alarms if alarm.asset == asset]
        put(alarms, fragments.alarm_list(own, snapshot.now, zone))
        for plot in plots:
            spans = [(alarm.raised, alarm.cleared) for alarm in own if alarm.sensor == plot.sensor.id]
            plot.draw(snapshot.now - HOURS * HOUR, snapshot.now, spans)

    look(live.snapshot)
    every_second(live, look)


def _head(asset: Asset) -> Markup:
    facts = [f"{name.replace('_', ' ')} {value}" for name, value in asset.properties.items()]
    return Markup(
        '<p class="over">{}{}<span class="sep">·</span>{}</p><h1>{}</h1><p class="facts">{}</p>'
    ).format(
        markup.symbol(asset.utility.value),
        wording.kind_words(asset.kind),
        asset.zone,
        asset.title,
        " · ".join(facts),
    )


class SensorChart:
    """A chart of one sensor with its newest value; drawn anew only if there is something new."""

    def __init__(self, live: Live, sensor: Sensor, titled: bool = False) -> None:
        self.sensor = sensor
        self._live = live
        self._titled = titled
        self._drawn: object = None
        with ui.element("figure").classes("plot"):
            self._caption = html(Markup(""), tag="figcaption")
            self._chart = ui.echart({}, renderer="svg").props(
                f'role="img" aria-label="Readings of {sensor.id}"'
            )

    def draw(self, start: int, end: int, spans: list[tuple[int, int | None]]) -> None:
        """Show ``start`` to ``end`` (ms), with the spans of alarms."""
        readings = self._live.store.readings(self.sensor.id, start, end + 1)
        newest = readings[-1] if readings else None
        if self._drawn == (key := (newest, tuple(spans), start if readings else 0)):
            return
        self._drawn = key
        zone = ZoneInfo(self._live.city.timezone)
        self._chart.options.clear()
        self._chart.options.update(charts.chart(readings, self.sensor, start, end, zone, spans))
        self._chart.update()
        put(self._caption, self._words(newest.value if newest else None))

    def _words(self, value: float | None) -> Markup:
        name = Markup("{}<span>{}</span>").format(
            Markup("{}{} ").format(
                markup.symbol(views.utility_of(self._live.city, self.sensor.asset)),
                markup.asset_link(self.sensor.asset, views.title(self._live.city, self.sensor.asset)),
            )
            if self._titled
            else "",
            self.sensor.quantity,
        )
        return Markup('<span class="plot-name">{}</span><b class="num">{}</b>').format(
            name, "no readings" if value is None else wording.quantity(value, self.sensor.unit)
        )
