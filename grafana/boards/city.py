"""The city at a glance: where the trouble is, which incidents are open, what comes next."""

from statistics import fmean
from typing import Any

from grafana import flux, look, panels, shared
from grafana.citymap import Line, Place, citymap
from grafana.frame import board
from schemas.city import City

PLACES_MAX = 1_000
"""Most assets that are drawn while nothing is wrong with them; a larger city shows those in trouble."""


LINES_MAX = 2_000
"""Most links that travel in the board; of a larger city those between utilities, if they are not too many."""


def build(city: City) -> dict[str, Any]:
    """The board."""
    name = city.city
    return board(
        city,
        "city",
        "City",
        "The city at a glance: where the trouble is, which incidents are open, what comes next.",
        {
            "": [
                shared.open_incidents(name, width=5),
                shared.standing_alarms(name, width=5),
                shared.alarms_now(name, width=5),
                panels.figure(
                    "Expected within two hours",
                    "Consequences that open incidents foretell and that have not shown yet.",
                    flux.counted(shared.soon(name)),
                    steps=[(None, look.CALM), (1, look.STATES["warning"])],
                    width=5,
                    height=4,
                ),
                shared.newest(name, width=4),
            ],
            "What happens": [shared.incidents(name, width=24, height=6)],
            "Where, and what comes next": [
                *_map(city),
                panels.rows(
                    "Expected next",
                    "What open incidents foretell, the soonest first. Nothing here: nothing is foretold.",
                    flux.flow(shared.soon(name), 'sort(columns: ["start"])'),
                    {
                        "asset": "Asset",
                        "condition": "Condition",
                        "start": "From",
                        "end": "To",
                        "probability": "Probability",
                    },
                    {
                        "Asset": {**shared.asset_links(name)["Asset"], "custom.width": 140},
                        "Condition": {"custom.width": 110},
                    },
                    height=14,
                    empty="nothing is foretold",
                ),
            ],
            "Alarms": [
                shared.load(name, width=24, height=7),
                panels.states(
                    "Utilities",
                    "The alarms of each utility over time.",
                    flux.timeline(flux.touching(name), 'r.utility + " · " + r.asset + " " + r.condition'),
                    width=24,
                    height=16,
                    empty="no alarm in this time range",
                ),
            ],
        },
    )


def _map(city: City) -> list[panels.Panel]:
    """The map; none where the city model says of nothing where it lies."""
    placed = {asset.id: asset.position for asset in city.assets if asset.position}
    if not placed:
        return []
    sensed = {name: place for name, place in placed.items() if name in city.sensors_of}
    zones: dict[str, list[Place]] = {}
    for name, place in placed.items():
        zones.setdefault(city.asset_by_id[name].zone, []).append(place)
    return [
        citymap(
            "Map",
            "Zones (large) and assets with sensors (small), by the worst alarm that stands there. Lines are "
            "links of the city model: grey inside a utility, violet from one to another.",
            {
                "Zones": (
                    flux.places(city.city, "zone", {z: _centre(all_) for z, all_ in zones.items()}),
                    14,
                ),
                "Assets": (flux.places(city.city, "asset", sensed if len(sensed) <= PLACES_MAX else {}), 5),
            },
            _lines(city),
            list(placed.values()),
            {"Assets": shared.to_asset(city.city, "${__data.fields.place}")},
            width=12,
            height=14,
        )
    ]


def _lines(city: City) -> dict[str, list[Line]]:
    """The links between assets whose places are known."""
    found: dict[str, list[Line]] = {look.WITHIN: [], look.BETWEEN: []}
    for link in city.links:
        source, target = city.asset_by_id[link.source], city.asset_by_id[link.target]
        if source.position and target.position:
            kind = look.WITHIN if source.utility == target.utility else look.BETWEEN
            found[kind].append((source.position, target.position))
    if sum(map(len, found.values())) > LINES_MAX:
        found[look.WITHIN] = []
    return found if len(found[look.BETWEEN]) <= LINES_MAX else {}


def _centre(places: list[Place]) -> Place:
    return fmean(place[0] for place in places), fmean(place[1] for place in places)
