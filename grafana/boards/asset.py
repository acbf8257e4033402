"""One asset: its readings with their limits, its alarms, the incidents that it is part of."""

from collections.abc import Iterator
from typing import Any

from grafana import flux, look, panels, shared
from grafana.frame import board, choice, lookup
from schemas.city import LEVELS, City, Sensor
from schemas.points import FORETOLD, MEMBER

LIMITS_MAX = 2_000
"""Most limits that travel in a query; a larger city's boards draw none, and say so."""


def build(city: City) -> dict[str, Any]:
    """The board."""
    name = city.city
    chosen = {"asset": "${asset}"}
    among = {"utility": "/^${utility:regex}$/", "zone": "/^${zone:regex}$/"}
    return board(
        city,
        "asset",
        "Asset",
        "One asset: readings with limits, alarms, and the incidents that it is part of.",
        {
            "": [
                panels.states(
                    "Alarms",
                    "The alarms of this asset over time, by severity.",
                    flux.timeline(flux.touching(name, chosen), "r.condition"),
                    width=24,
                    height=5,
                    empty="this asset had no alarm in this time range",
                )
            ],
            "Readings": [_readings(city)],
            "Incidents": [
                panels.rows(
                    "Part of",
                    "Incidents that hold alarms of this asset, as they stood at the end of the time range.",
                    flux.parts(
                        MEMBER, name, "asset", "condition", "since", "until", asset="${asset}",
                        of_incident=("summary",),
                    ),
                    {
                        "condition": "Condition", "since": "Since", "until": "Until",
                        "summary": "What happened", "incident": "Incident",
                    },
                    {
                        "Condition": {"custom.width": 140},
                        "What happened": {"links": shared.to_incident(name)},
                        "Incident": {"custom.hidden": True},
                    },
                    width=24,
                    height=6,
                    empty="no incident holds this asset",
                ),
                panels.rows(
                    "Foretold",
                    "What incidents foretold of this asset, and what came of it.",
                    flux.parts(
                        FORETOLD, name, "asset", "condition", "told", "start", "end", "probability",
                        "outcome", "came", asset="${asset}",
                    ),
                    {
                        "condition": "Condition", "told": "Told", "start": "From", "end": "To",
                        "probability": "Probability", "outcome": "Outcome", "came": "Came",
                    },
                    width=24,
                    height=6,
                    empty="nothing was foretold of this asset",
                ),
            ],
        },
        [
            choice("utility", "Utility", sorted({str(asset.utility) for asset in city.assets})),
            choice("zone", "Zone", sorted({asset.zone for asset in city.assets})),
            lookup("asset", "Asset", flux.tag_values("asset", name, among), default=_first(city)),
            lookup(
                "quantity", "Quantity", flux.tag_values("quantity", name, chosen), all_of_them=True
            ),
        ],
    )  # fmt: skip


def _readings(city: City) -> panels.Panel:
    where = {"asset": "${asset}", "quantity": "${quantity}"}
    limits = list(_limits(city))
    drawn = len(limits) <= LIMITS_MAX
    panel = panels.series(
        "$quantity of $asset",
        "The readings, with the limits of the city model dashed."
        if drawn
        else "The readings. This city's model has too many limits to draw.",
        flux.readings(city.city, where, "quantity"),
        *([_drawn(limits)] if drawn and limits else []),
        unit="none",
        width=24,
        height=8,
        empty="no reading in this time range",
    )
    panel.display_name("${__field.labels.quantity}").repeat("quantity").repeat_direction("h").max_per_row(2)
    panel.override_by_query("B", panels.dashed("${__field.labels.limit}"))
    units: dict[str, set[str]] = {}
    for sensor in city.sensors:
        units.setdefault(sensor.quantity, set()).add(sensor.unit)
    for quantity, found in sorted(units.items()):
        if len(found) == 1:
            panel.override_by_regexp(f"/^{quantity}( |$)/", panels.properties({"unit": look.unit(*found)}))
    return panel


def _drawn(limits: list[dict[str, str | float]]) -> str:
    """Each limit of the chosen sensor as a line from one end of the picture to the other."""
    return flux.script(
        f"limits = {flux.table_of(limits)}\n"
        '  |> filter(fn: (r) => r.asset == "${asset}" and r.quantity == "${quantity}")',
        "line = (at) => limits |> map(fn: (r) => "
        '({_time: at, _value: r.value, limit: r.quantity + " " + r.level}))',
        "union(tables: [line(at: v.timeRangeStart), line(at: v.timeRangeStop)])\n"
        '  |> group(columns: ["limit"]) |> sort(columns: ["_time"])',
        imports=["array"],
    )


def _limits(city: City) -> Iterator[dict[str, str | float]]:
    for sensor in city.sensors:
        for level in LEVELS:
            value = getattr(sensor.limits, level)
            if value is not None:
                yield {
                    "asset": sensor.asset,
                    "quantity": sensor.quantity,
                    "level": level.replace("_", " "),
                    "value": float(value),
                }


def _first(city: City) -> str:
    sensors: tuple[Sensor, ...] = city.sensors
    return sensors[0].asset if sensors else ""
