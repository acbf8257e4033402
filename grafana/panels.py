"""The kinds of panels that boards are made of, each with its look.

In:  a title, a sentence that says what it shows, Flux queries, a place.
Out: builders of panels, for ``frame.board``.
Promises: every panel says what it shows and, in words of its own, what it means when there is nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    geomap,
    logs,
    nodegraph,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models

from grafana import flux, look
from grafana.names import DATASOURCE, DATASOURCE_TYPE

Panel = builder.Builder[models.Panel]
LEAST = -1e9
"""Below every number: what has none is coloured as what lies below the first step."""
Overrides = Mapping[str, Mapping[str, Any]]
"""By the name of a field: what differs there, by Grafana's property ids."""

_P = TypeVar(
    "_P",
    timeseries.Panel,
    statetimeline.Panel,
    table.Panel,
    stat.Panel,
    bargauge.Panel,
    geomap.Panel,
    nodegraph.Panel,
    logs.Panel,
)


class Flux(variants.Dataquery):
    """One Flux query of a panel; the SDK has no type for InfluxDB's."""

    def __init__(self, query: str, ref: str) -> None:
        self.query = query
        self.ref_id = ref

    def to_json(self) -> dict[str, object]:
        """As Grafana's InfluxDB data source wants it."""
        return {
            "refId": self.ref_id,
            "datasource": source().to_json(),
            "query": self.query,
        }


class FluxBuilder(builder.Builder[Flux]):
    """What the SDK's panels take."""

    def __init__(self, query: str, ref: str = "A") -> None:
        self._query = Flux(flux.script(query), ref)

    def build(self) -> Flux:
        """The query."""
        return self._query


def source() -> shapes.DataSourceRef:
    """Where all queries go."""
    return shapes.DataSourceRef(type_val=DATASOURCE_TYPE, uid=DATASOURCE)


def series(title: str, says: str, *queries: str, unit: str, **place: Any) -> timeseries.Panel:
    """Lines over time."""
    return (
        common_to(timeseries.Panel(), title, says, queries, **place)
        .unit(unit)
        .line_width(1)
        .fill_opacity(0)
        .show_points(shapes.VisibilityMode.AUTO)
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI))
    )


def bars(title: str, says: str, *queries: str, unit: str = "none", **place: Any) -> timeseries.Panel:
    """Counts over time, as stacked bars."""
    return (
        series(title, says, *queries, unit=unit, **place)
        .draw_style(shapes.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    )


def limited(panel: timeseries.Panel, limit: float) -> timeseries.Panel:
    """The panel with a limit drawn as a dashed line, which is there also while all is below it."""
    return (
        panel.thresholds(_steps([(None, look.CALM), (limit, look.ALARMED)]))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED))
        .axis_soft_max(limit * 1.2)
    )


def states(
    title: str,
    says: str,
    query: str,
    *,
    label: str = "line",
    empty: str = "nothing in this time range",
    nothing: str = "normal",
    **place: Any,
) -> statetimeline.Panel:
    """What was in which state, and when; a row for each value of the label.

    ``nothing``: the state of the line that says ``empty``.
    """
    asked = flux.or_words(query, label, empty, nothing)
    return (
        common_to(statetimeline.Panel(), title, says, [asked], empty=empty, **place)
        .display_name(f"${{__field.labels.{label}}}")
        .mappings(look.shown(look.STATES))
        .merge_values(True)
        .show_value(shapes.VisibilityMode.AUTO)
        .row_height(0.8)
        .fill_opacity(85)
        .span_nulls(False)
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )


def rows(
    title: str,
    says: str,
    query: str,
    columns: Mapping[str, str],
    fields: Overrides | None = None,
    **place: Any,
) -> table.Panel:
    """A table. ``columns``: by the name in the answer, the heading, in order; no other column is shown.

    Headings in ``look.HEADED`` are coloured, and still words. ``fields``: by heading, what differs there.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    headings = ", ".join(f'{name}: "{heading}"' for name, heading in columns.items())
    asked = f"{query}\n  |> keep(columns: [{names}])\n  |> rename(columns: {{{headings}}})"
    panel = common_to(table.Panel(), title, says, [asked], **place).show_header(True)
    panel.with_transformation(
        models.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {},
                "renameByName": {},
                "indexByName": {heading: place for place, heading in enumerate(columns.values())},
            },
        )
    )
    for heading in columns.values():
        differs = {**look.HEADED.get(heading, {}), **(fields or {}).get(heading, {})}
        if differs:
            panel.override_by_name(heading, properties(differs))
    return panel


def prose(title: str, says: str, query: str, column: str, *, empty: str, **place: Any) -> logs.Panel:
    """A text as long as it is: cells of tables cut it, up to Grafana 11. ``query`` gives a row with it."""
    asked = flux.text(query, column, empty)
    return (
        common_to(logs.Panel(), title, says, [asked], empty=empty, **place)
        .show_time(False)
        .wrap_log_message(True)
        .enable_log_details(False)
    )


def figure(
    title: str,
    says: str,
    query: str,
    *,
    unit: str = "none",
    steps: Sequence[tuple[float | None, str]] = ((None, look.CALM),),
    empty: str = "none",
    **place: Any,
) -> stat.Panel:
    """One number, coloured by the step that it reached; ``empty`` is what stands there, grey, without any."""
    return (
        common_to(stat.Panel(), title, says, [query], **place)
        .unit(unit)
        .no_value(empty)
        .thresholds(_steps([(None, look.STATES["unknown"]), (LEAST, steps[0][1]), *steps[1:]]))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .color_mode(shapes.BigValueColorMode.VALUE)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .text_mode(shapes.BigValueTextMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(""))
    )


def ranking(title: str, says: str, query: str, *, unit: str = "none", **place: Any) -> bargauge.Panel:
    """Few things by size, the largest first: a row a thing, with its name."""
    return (
        common_to(bargauge.Panel(), title, says, [query], **place)
        .unit(unit)
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().values(True).calcs([]).fields(""))
        .min(0)
        .thresholds(_steps([(None, look.STATES["info"])]))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
    )


def linked(panel: _P, links: Sequence[Mapping[str, Any]]) -> _P:
    """The panel with links at its values."""
    return panel.override_by_field_type("number", properties({"links": list(links)}))


def graph(title: str, says: str, nodes: str, edges: str, **place: Any) -> nodegraph.Panel:
    """Things and what leads from one to the other, by the column names of Grafana's node graph."""
    return common_to(nodegraph.Panel(), title, says, [nodes, edges], refs=("nodes", "edges"), **place)


def dashed(name: str) -> list[models.DynamicConfigValue]:
    """How a limit is drawn."""
    return properties(
        {
            "displayName": name,
            "color": {"mode": "fixed", "fixedColor": look.LIMIT},
            "custom.lineStyle": {"fill": "dash", "dash": [8, 6]},
            "custom.lineWidth": 1,
            "custom.showPoints": "never",
        }
    )


def properties(values: Mapping[str, Any]) -> list[models.DynamicConfigValue]:
    """What differs at a field, as overrides have it."""
    return [models.DynamicConfigValue(id_val=name, value=value) for name, value in values.items()]


def common_to(
    panel: _P, title: str, says: str, queries: Sequence[str], *, width: int = 12, height: int = 8,
    empty: str = "nothing in this time range",
    refs: Sequence[str] = "ABCDEF",
) -> _P:  # fmt: skip
    """What every panel has: title, description, place, queries by their letter, words for nothing."""
    panel.title(title).description(says).datasource(source()).span(width).height(height).no_value(empty)
    for query, ref in zip(queries, refs, strict=False):
        panel.with_target(FluxBuilder(query, ref))
    return panel


def _steps(steps: Sequence[tuple[float | None, str]]) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in steps])
    )
