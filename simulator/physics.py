"""How a simulated city works: its networks, controls and couplings, as files beside its city model.

In:  a city's folder: ``city.yaml`` (what is published) and ``physics/physics.yaml`` (what only nature knows)
     with the networks that it names: EPANET, SWMM and OpenDSS files. An element bears the id of its asset.
Out: ``Physics`` and the city, or BadConfig with every fault and its line.

What acts on what across networks is said once, by the links of the city model; here stand the numbers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.city import City, Number
from schemas.cityfile import load_city
from schemas.errors import BadConfig, Fault
from schemas.wording import nearest, validate
from schemas.yamlfile import read

NETWORKS = ("water", "drainage", "power")
_BY_ASSET = (
    "pumps",
    "pits",
    "weak_mains",
    "thermal",
    "foul",
    "bins",
    "routes",
    "roads",
    "load_profile",
)  # fmt: skip - one row
_NAMES_ASSET = ("fills", "drains", "holds", "suction", "into", "breaker")

Positive = Annotated[Number, Field(gt=0)]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of day, in UTC."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pump(_Part):
    """A pump and what it is controlled by: the level it fills or drains, or the pressure it holds."""

    kw: Positive
    """What it takes from its feeder while it runs."""
    fills: str | None = None
    drains: str | None = None
    holds: str | None = None
    on_below: Number | None = None
    off_above: Number | None = None
    on_above: Number | None = None
    off_below: Number | None = None
    at_m: Number | None = None
    """The pressure that a variable-speed pump holds."""
    suction: str | None = None
    """The junction it draws from: below 3 m of pressure there it stops itself."""
    into: str | None = None
    """The works it empties into: that one's standstill stops it too."""

    @property
    def watches(self) -> str | None:
        """The asset whose level or pressure it is controlled by."""
        return self.fills or self.drains or self.holds


class Pit(_Part):
    """Switchgear in a cellar: water above ``above_m`` for two minutes opens the breaker for ``repair_h``."""

    breaker: str
    above_m: Positive
    repair_h: Positive = 5


class WeakMain(_Part):
    """An old main that breaks when the pressure rises by more than this within three minutes."""

    rise_m: Positive
    lps_per_sqrt_m: Positive = 4.0
    repair_h: Positive = 6


class Bin(_Part):
    """A litter bin."""

    days_to_full: Positive


class Route(_Part):
    """A waste route: on these days of the week (0 is Monday), from this time of day."""

    days: tuple[Annotated[int, Field(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5)
    at: Clock = "06:00"


class Road(_Part):
    """A road: speed in free flow, what it carries an hour, and its traffic in the busiest hour."""

    free_kmh: Positive = 50
    capacity_vph: Positive = 1600
    peak_vph: Positive = 800


class Foul(_Part):
    """Sewage that enters at a manhole: its mean in dry weather."""

    lps: Positive


class Thermal(_Part):
    """A transformer's protection: it opens after so many minutes above this loading."""

    above_pu: Positive = 1.1
    minutes: Positive = 40
    repair_h: Positive = 3


class Climate(_Part):
    """Weather of the quiet days: showers, and how far the river is up."""

    showers_a_week: Annotated[Number, Field(ge=0)] = 2
    shower_peak_mm_per_h: Positive = 6
    river_m: Number | None = None
    """Level of the river at the outfalls, above datum; None leaves it to the network."""


class Physics(_Part):
    """Everything that moves a simulated city, beside its networks."""

    water: str
    drainage: str
    power: str
    pumps: dict[str, Pump] = {}
    pits: dict[str, Pit] = {}
    weak_mains: dict[str, WeakMain] = {}
    thermal: dict[str, Thermal] = {}
    foul: dict[str, Foul] = {}
    bins: dict[str, Bin] = {}
    routes: dict[str, Route] = {}
    roads: dict[str, Road] = {}
    climate: Climate = Climate()
    load_profile: dict[str, Literal["residential", "commercial", "mixed"]] = {}
    """By feeder; ``mixed`` where none is given."""
    holidays: tuple[Annotated[str, Field(pattern=r"^[0-9]{2}-[0-9]{2}$")], ...] = ("01-01", "05-01", "12-25")
    """Month and day of the days that pass as Sundays."""


@dataclass(frozen=True, slots=True)
class Town:
    """A city with its physics: all that a simulation needs."""

    folder: Path
    city: City
    physics: Physics
    lost: float | None = None
    """The share of water that SWMM seemed to lose in steps as its file says: then it goes in half of them."""

    @property
    def name(self) -> str:
        """The city's name."""
        return self.city.city

    def network(self, which: Literal["water", "drainage", "power"]) -> Path:
        """The file of one of the three networks."""
        return self.folder / "physics" / str(getattr(self.physics, which))


def load_town(folder: Path) -> Town:
    """The city in a folder. Raises BadConfig with every fault of its files."""
    city = load_city(folder / "city.yaml")
    path = folder / "physics" / "physics.yaml"
    document = read(path)
    faults: list[Fault] = list(document.faults)
    physics = None
    if not faults:
        physics = validate(Physics, document.data, (), document, faults)
    if physics is not None:
        faults += [
            document.fault(place, f"the city has no asset {asset!r}{nearest(asset, city.asset_by_id)}")
            for place, asset in _named(physics)
            if asset not in city.asset_by_id
        ]
        faults += [
            document.fault((which,), f"there is no file {getattr(physics, which)!r} beside this one")
            for which in NETWORKS
            if not (path.parent / getattr(physics, which)).is_file()
        ]
    if physics is None or faults:
        raise BadConfig(tuple(faults))
    return Town(folder, city, physics)


def _named(physics: Physics) -> list[tuple[tuple[str | int, ...], str]]:
    """Every place in the file that names an asset."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    for section in _BY_ASSET:
        entries: dict[str, Any] = getattr(physics, section)
        for asset, entry in entries.items():
            found.append(((section, asset), asset))
            named = ((field, getattr(entry, field, None)) for field in _NAMES_ASSET)
            found += [((section, asset, field), other) for field, other in named if other]
    return found
