"""What a topic says: whose message it is, and which decoder reads it.

In:  ``city/v1/<city>/<utility>/<zone>/<asset>/telemetry`` (or ``event``), and the city model.
Out: the asset and the decoder's name, or the reason why nobody here can use the message.
Pure. The asset's id decides; a utility or zone other than the city model's is let through and marked, as
devices are moved and renamed more often than their configuration.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from schemas.city import City
from schemas.errors import BadPayload

SHAPE = "city/v1/<city>/<utility>/<zone>/<asset>/<decoder>"
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Any part of a topic: no wildcards, control characters, spaces, or bytes that are no UTF-8."""

QUOTED = 200


class Route(NamedTuple):
    """Where one topic leads."""

    asset: str
    decoder: str
    mislabelled: bool
    """Whether the topic's utility or zone is not the asset's in the city model."""


def route(topic: str, city: City, decoders: Collection[str]) -> Route:
    """Where a topic leads. Raises BadPayload, with the reason, if nowhere."""
    parts = topic.split("/", 7)
    if len(parts) != 7 or parts[:2] != ["city", "v1"]:
        raise BadPayload(f"topic {topic[:QUOTED]!a} does not have the shape {SHAPE}")
    for part in parts:
        if not PART.fullmatch(part):
            raise BadPayload(
                f"topic part {part[:QUOTED]!a} is malformed; expected letters, digits, dots, dashes"
            )
    _, _, name, utility, zone, asset_id, decoder = parts
    if name != city.city:
        raise BadPayload(f"topic is of city {name!r}; this is {city.city!r}")
    asset = city.asset_by_id.get(asset_id)
    if asset is None:
        raise BadPayload(f"asset {asset_id!r} is not in the city model")
    if decoder not in decoders:
        raise BadPayload(f"there is no decoder {decoder!r}; known are {', '.join(sorted(decoders))}")
    return Route(asset_id, decoder, (utility, zone) != (asset.utility, asset.zone))
