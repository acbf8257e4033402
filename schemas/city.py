"""The city model: assets, the links between them, their sensors and limits.

``schemas.cityfile`` reads it from YAML and lists every fault; this module is what it becomes.
"""

from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Utility(StrEnum):
    """The control rooms of a city."""

    POWER = "power"
    WATER = "water"
    STORM = "storm"
    SEWAGE = "sewage"
    WASTE = "waste"
    ROADS = "roads"
    TRANSIT = "transit"
    CITIZENS = "citizens"


class Relation(StrEnum):
    """How one asset acts on another; the link points from the one that acts."""

    POWERS = "powers"
    SUPPLIES = "supplies"
    DRAINS_TO = "drains_to"
    LIFTS_TO = "lifts_to"
    PROTECTS = "protects"
    SERVES = "serves"
    BLOCKS = "blocks"
    CARRIES = "carries"
    NEAR = "near"


ACYCLIC = frozenset({Relation.CARRIES, Relation.SERVES})
"""Relations in which a cycle can only be a mistake. Meshed grids and looped mains are real."""

LEVELS = ("low_low", "low", "high", "high_high")


def known_zone(name: str) -> str:
    """The name itself. Raises ValueError where it is no IANA time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"time zone {name!r} is unknown; expected an IANA name such as Europe/Paris"
        ) from error
    return name


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A finite number; ``true`` and ``"5"`` are none."""

Seconds = Annotated[Number, Field(ge=0)]

Properties = Mapping[str, Number | str | bool]
"""Physical facts of an asset or a link, with the unit in the name: ``volume_m3``."""

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
"""Ids travel in MQTT topics and Influx tags: letters, digits, dot, dash, underscore."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Asset(_Part):
    """A thing that a utility owns and that can be in trouble."""

    id: Identifier
    utility: Utility
    kind: Identifier
    zone: Identifier
    position: (
        tuple[Annotated[Number, Field(ge=-90, le=90)], Annotated[Number, Field(ge=-180, le=180)]] | None
    ) = None
    """Latitude, longitude in degrees."""
    name: str | None = None
    properties: Properties = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.id


class Link(_Part):
    """``source`` acts on ``target`` by ``relation``."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source: Identifier = Field(alias="from")
    target: Identifier = Field(alias="to")
    relation: Relation
    name: str | None = None
    properties: Properties = Field(default_factory=dict)
    border: Annotated[bool, Field(strict=True)] = False
    """Whether two correlation domains meet here (``schemas.borders``)."""
    sure: Annotated[Number, Field(gt=0, le=1)] = 1.0
    """How sure it is that this link is there."""


class Limits(_Part):
    """Limits of one sensor, in its unit; ``rate`` is the largest change in a minute."""

    low_low: Number | None = None
    low: Number | None = None
    high: Number | None = None
    high_high: Number | None = None
    rate: Annotated[Number, Field(gt=0)] | None = None


class Sensor(_Part):
    """One measured quantity of one asset. Times are seconds; ``deadband`` is in the sensor's unit."""

    asset: Identifier
    quantity: Identifier
    unit: str
    every: Annotated[Number, Field(gt=0)]
    limits: Limits = Limits()
    on_delay: Seconds = 0
    off_delay: Seconds | None = None
    """How long the value must be back before the alarm clears; on_delay where not given."""
    deadband: Annotated[Number, Field(ge=0)] = 0

    @property
    def id(self) -> str:
        """``<asset>/<quantity>``."""
        return f"{self.asset}/{self.quantity}"


class City(_Part):
    """A whole city model, with the indexes that the parts ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    city: Identifier
    timezone: Annotated[str, AfterValidator(known_zone)]
    assets: tuple[Asset, ...]
    links: tuple[Link, ...] = ()
    sensors: tuple[Sensor, ...] = ()

    @cached_property
    def asset_by_id(self) -> dict[str, Asset]:
        """Assets by id."""
        return {asset.id: asset for asset in self.assets}

    @cached_property
    def sensor_by_id(self) -> dict[str, Sensor]:
        """Sensors by ``<asset>/<quantity>``."""
        return {sensor.id: sensor for sensor in self.sensors}

    @cached_property
    def sensors_of(self) -> dict[str, tuple[Sensor, ...]]:
        """Sensors by asset; assets without any are absent."""
        grouped: dict[str, tuple[Sensor, ...]] = {}
        for sensor in self.sensors:  # few each
            grouped[sensor.asset] = (*grouped.get(sensor.asset, ()), sensor)
        return grouped

    @cached_property
    def assets_of(self) -> dict[str, tuple[Asset, ...]]:
        """Assets by kind."""
        grouped: dict[str, list[Asset]] = defaultdict(list)
        for asset in self.assets:
            grouped[asset.kind].append(asset)
        return {kind: tuple(assets) for kind, assets in grouped.items()}

    @cached_property
    def links_by(self) -> dict[Relation, tuple[Link, ...]]:
        """Links by relation."""
        grouped: dict[Relation, list[Link]] = defaultdict(list)
        for link in self.links:
            grouped[link.relation].append(link)
        return {relation: tuple(links) for relation, links in grouped.items()}

    @cached_property
    def links_from(self) -> dict[str, tuple[Link, ...]]:
        """Links by the asset that acts."""
        return _grouped(self.links, "source")

    @cached_property
    def links_to(self) -> dict[str, tuple[Link, ...]]:
        """Links by the asset acted on."""
        return _grouped(self.links, "target")


def _grouped(links: tuple[Link, ...], end: str) -> dict[str, tuple[Link, ...]]:
    grouped: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        grouped[getattr(link, end)].append(link)
    return {asset: tuple(found) for asset, found in grouped.items()}
