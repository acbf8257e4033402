"""One utility: its alarms, its incidents, its readings by quantity."""

from collections import defaultdict
from typing import Any

from grafana import flux, look, panels, shared
from grafana.frame import board, choice
from schemas.city import City, Sensor, Utility

LINES_MAX = 60
"""More sensors of one quantity than this are looked at zone by zone."""


def build(city: City, utility: Utility) -> dict[str, Any]:
    """The board of one utility."""
    name = city.city
    mine = {asset.id: asset for asset in city.assets if asset.utility == utility}
    zones = sorted({asset.zone for asset in mine.values()})
    quantities: dict[str, list[Sensor]] = defaultdict(list)
    for sensor in city.sensors:
        if sensor.asset in mine:
            quantities[sensor.quantity].append(sensor)
    crowded = any(len(sensors) > LINES_MAX for sensors in quantities.values())
    where = {"utility": str(utility), "zone": "/^${zone:regex}$/"}
    return board(
        city,
        utility,
        utility.capitalize(),
        f"The {utility} utility: alarms, incidents that touch it, readings by quantity.",
        {
            "": [
                shared.open_incidents(name, utility=utility, width=4, height=5),
                shared.standing_alarms(name, utility=utility, width=4, height=5),
                shared.incidents(name, utility=utility, width=16, height=5),
                shared.alarm_table(
                    name,
                    flux.standing(name, where),
                    "Standing alarms here",
                    "What is wrong at the end of the time range in the chosen zones, the newest first.",
                    without="utility",
                    width=12,
                    height=8,
                    empty="no alarm stands here",
                ),
                panels.states(
                    "Alarms",
                    "Each alarm of this utility over time, by its severity.",
                    flux.timeline(flux.touching(name, where)),
                    width=12,
                    height=8,
                    empty="no alarm in this time range",
                ),
            ],
            "Readings": [
                _readings(name, where, quantity, sensors) for quantity, sensors in sorted(quantities.items())
            ],
        },
        [choice("zone", "Zone", zones or ["-"], all_of_them=not crowded)],
    )


def _readings(city: str, where: dict[str, str], quantity: str, sensors: list[Sensor]) -> panels.Panel:
    units = {sensor.unit for sensor in sensors}
    panel = panels.series(
        quantity.replace("_", " ").capitalize(),
        "A line an asset. Limits are drawn on each asset's own board.",
        flux.readings(city, {**where, "quantity": quantity}, "asset"),
        unit=look.unit(units.pop()) if len(units) == 1 else "none",
        width=12,
        height=8,
        empty="no reading in this time range",
    ).display_name("${__field.labels.asset}")
    return panels.linked(panel, shared.to_asset(city, "${__field.labels.asset}"))
