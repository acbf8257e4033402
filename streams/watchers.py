"""All watchers of groups of sensors that a city gives reason for.

In: a city model. Out: watchers, always in the same order.
"""

from schemas.city import City
from schemas.mending import likely
from streams.drains import drain_watchers
from streams.efficiency import efficiency_watchers
from streams.groups import Watcher
from streams.levels import level_watchers
from streams.loads import load_watchers
from streams.peers import peer_watchers
from streams.profiles import profile_watchers
from streams.rain import rain_watchers
from streams.sewers import sewer_watchers
from streams.zones import zone_watchers


def watchers(city: City) -> list[Watcher]:
    """What looks at several sensors of the city together."""
    city = likely(city)
    return [
        *rain_watchers(city),
        *drain_watchers(city),
        *sewer_watchers(city),
        *zone_watchers(city),
        *level_watchers(city),
        *peer_watchers(city),
        *load_watchers(city),
        *profile_watchers(city),
        *efficiency_watchers(city),
    ]
