"""All watchers of groups of sensors that a city gives reason for.

In: a city model. Out: watchers, always in the same order.
"""

from schemas.city import City
from schemas.mending import likely
from streams.backlogs import backlog_watchers
from streams.districts import districts
from streams.drains import drain_watchers
from streams.efficiency import efficiency_watchers
from streams.groups import Watcher
from streams.levels import level_watchers
from streams.loads import load_watchers
from streams.peers import peer_watchers
from streams.profiles import profile_watchers
from streams.rain import rain_watchers
from streams.sewers import sewer_watchers
from streams.trips import trip_watchers
from streams.valves import cut_watchers
from streams.zones import zone_watchers


def watchers(city: City) -> list[Watcher]:
    """What looks at several sensors together: gauges one by one, the rest district by district."""
    found: list[Watcher] = [*rain_watchers(city)]
    for district in districts(likely(city)):
        found += (
            *drain_watchers(district),
            *sewer_watchers(district),
            *backlog_watchers(district),
            *zone_watchers(district),
            *cut_watchers(district),
            *level_watchers(district),
            *trip_watchers(district),
            *peer_watchers(district),
            *load_watchers(district),
            *profile_watchers(district),
            *efficiency_watchers(district),
        )
    return found
