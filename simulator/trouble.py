"""What is broken, and everything that can be: the kinds of injections and what each does to the physics.

In:  an injection (kind, asset, size) and how long it has lasted. Out: entries in ``Trouble``, which the run
     of the day hands to the engines before each minute's step.

An injection says only what breaks; what follows from it, the physics and the couplings work out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class Trouble:
    """All that is out of order in one minute; made anew each minute."""

    opened: set[str] = field(default_factory=set)
    """Feeders, transformers and substations whose breaker is open."""
    grid_pu: float | None = None
    """Voltage of the grid above, where it isn't as usual."""
    dark: set[str] = field(default_factory=set)
    """Assets whose own supply is out, while their feeder is well."""
    load: dict[str, float] = field(default_factory=dict)
    """By feeder or transformer: its load, as a factor."""
    failed: set[str] = field(default_factory=set)
    """Pumps and works that stand still, whatever their control wants."""
    shut: set[str] = field(default_factory=set)
    """Valves that pass nothing."""
    leaks: dict[str, float] = field(default_factory=dict)
    """By junction: L/s for each square root of a metre of pressure."""
    draws: dict[str, float] = field(default_factory=dict)
    """By junction: L/s taken from a hydrant."""
    believed: dict[str, float | None] = field(default_factory=dict)
    """By tank or wet well: the level that its sensor tells and its control believes; None is the last one."""
    blocked: dict[str, float] = field(default_factory=dict)
    """By sewer, manhole or inlet: the share of its section that is blocked."""
    inflow: dict[str, float] = field(default_factory=dict)
    """By manhole: L/s that nobody ordered."""
    soaked: dict[str, float] = field(default_factory=dict)
    """By manhole: hectares of street that drain into the foul sewer (wrong connections, cracked pipes)."""
    rain: dict[str, float] = field(default_factory=dict)
    """mm/h beside the ordinary showers: ``*`` everywhere, and by catchment (its rain gage) beside that."""
    river: dict[str, float] = field(default_factory=dict)
    """By outfall: metres by which the river stands higher."""
    missed: set[str] = field(default_factory=set)
    """Waste routes that nobody drives."""
    closed: set[str] = field(default_factory=set)
    """Roads that are closed."""


Sizes = Mapping[str, float]
Apply = Callable[[Trouble, str, float, Sizes], None]
"""Trouble to change, asset, minutes since the start, sizes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of injection: on which kinds of assets, of what sizes, and what it does."""

    on: tuple[str, ...]
    apply: Apply
    sizes: Mapping[str, float] = field(default_factory=dict)
    """Names with units, and what counts where a scenario gives none."""
    hours: float = 4.0
    """How long it lasts where a scenario doesn't say."""
    wants_rain: float = 0.0
    """Rain in mm/h without which it shows nothing; a scenario gives it as a shower."""
    nature: Literal["process", "measuring", "everyday"] = "process"
    """Whether the city is hurt, only the measuring is wrong, or it is everyday life and nobody's incident."""

    @property
    def process(self) -> bool:
        """Whether it hurts the city."""
        return self.nature == "process"


def _open(trouble: Trouble, asset: str, _minutes: float, _sizes: Sizes) -> None:
    trouble.opened.add(asset)


def _sag(trouble: Trouble, _asset: str, _minutes: float, sizes: Sizes) -> None:
    trouble.grid_pu = min(trouble.grid_pu or 2.0, sizes["to_pu"])


def _overload(trouble: Trouble, asset: str, minutes: float, sizes: Sizes) -> None:
    trouble.load[asset] = 1 + (sizes["factor"] - 1) * min(minutes / 30, 1)


def _transfer(trouble: Trouble, asset: str, _minutes: float, sizes: Sizes) -> None:
    trouble.load[asset] = trouble.load.get(asset, 1) * sizes["factor"]


def _fail(trouble: Trouble, asset: str, _minutes: float, _sizes: Sizes) -> None:
    trouble.failed.add(asset)


def _dark(trouble: Trouble, asset: str, _minutes: float, _sizes: Sizes) -> None:
    trouble.failed.add(asset)
    trouble.dark.add(asset)


def _shut(trouble: Trouble, asset: str, _minutes: float, _sizes: Sizes) -> None:
    trouble.shut.add(asset)


def _burst(trouble: Trouble, asset: str, _minutes: float, sizes: Sizes) -> None:
    trouble.leaks[asset] = trouble.leaks.get(asset, 0) + sizes["lps_per_sqrt_m"]


def _leak(trouble: Trouble, asset: str, minutes: float, sizes: Sizes) -> None:
    grown = min(minutes / (60 * sizes["grows_h"]), 1)
    trouble.leaks[asset] = trouble.leaks.get(asset, 0) + sizes["lps_per_sqrt_m"] * grown


def _theft(trouble: Trouble, asset: str, _minutes: float, sizes: Sizes) -> None:
    trouble.draws[asset] = trouble.draws.get(asset, 0) + sizes["flow_lps"]


def _frozen_level(trouble: Trouble, asset: str, _minutes: float, _sizes: Sizes) -> None:
    trouble.believed[asset] = None


def _spoofed_level(trouble: Trouble, asset: str, _minutes: float, sizes: Sizes) -> None:
    trouble.believed[asset] = sizes["level_m"]


def _storm(trouble: Trouble, asset: str, minutes: float, sizes: Sizes) -> None:
    """A Chicago-like storm as a triangle: up in a third of its length, down in the rest."""
    length = sizes["minutes"]
    if 0 <= minutes < length:
        third = length / 3
        share = minutes / third if minutes < third else (length - minutes) / (length - third)
        pour(trouble, asset, sizes["peak_mm_per_h"] * share, sizes["elsewhere"])


def pour(trouble: Trouble, catchment: str, mm_per_h: float, elsewhere: float) -> None:
    """Rain on one catchment, and this share of it on the others."""
    trouble.rain[catchment] = trouble.rain.get(catchment, 0) + mm_per_h * (1 - elsewhere)
    trouble.rain["*"] = trouble.rain.get("*", 0) + mm_per_h * elsewhere


def _blocked(trouble: Trouble, asset: str, minutes: float, sizes: Sizes) -> None:
    grown = min(minutes / max(60 * sizes["grows_h"], 1), 1)
    trouble.blocked[asset] = max(trouble.blocked.get(asset, 0), sizes["share"] * grown)


def _discharge(trouble: Trouble, asset: str, _minutes: float, sizes: Sizes) -> None:
    trouble.inflow[asset] = trouble.inflow.get(asset, 0) + sizes["flow_lps"]


def _soaked(trouble: Trouble, asset: str, _minutes: float, sizes: Sizes) -> None:
    trouble.soaked[asset] = sizes["area_ha"]


def _river(trouble: Trouble, asset: str, minutes: float, sizes: Sizes) -> None:
    trouble.river[asset] = sizes["rise_m"] * min(minutes / (60 * sizes["grows_h"]), 1)


def _missed(trouble: Trouble, asset: str, _minutes: float, _sizes: Sizes) -> None:
    trouble.missed.add(asset)


def _closed(trouble: Trouble, asset: str, _minutes: float, _sizes: Sizes) -> None:
    trouble.closed.add(asset)


def _nothing(_trouble: Trouble, _asset: str, _minutes: float, _sizes: Sizes) -> None:
    """The city is well; the sensors are not (simulator.sensors)."""


_SEWERS = ("sewer", "manhole", "storm_manhole", "inlet")

KINDS: Mapping[str, Kind] = {
    "feeder_trip": Kind(("feeder",), _open, hours=5),
    "substation_trip": Kind(("substation", "transformer"), _open, hours=3),
    "voltage_sag": Kind(("grid_intake",), _sag, {"to_pu": 0.86}, hours=1),
    "transformer_overload": Kind(("transformer",), _overload, {"factor": 1.9}, hours=3),
    "pump_trip": Kind(("pump",), _fail, hours=4),
    "plant_power_loss": Kind(("treatment_works",), _dark, hours=3),
    "valve_stuck": Kind(("valve",), _shut, hours=6),
    "burst": Kind(("junction",), _burst, {"lps_per_sqrt_m": 5.0}, hours=6),
    "leak": Kind(("junction",), _leak, {"lps_per_sqrt_m": 2.5, "grows_h": 3.0}, hours=12),
    "hydrant_theft": Kind(("junction",), _theft, {"flow_lps": 18.0}, hours=2),
    "level_sensor_frozen": Kind(("tank", "wet_well"), _frozen_level, hours=6),
    "level_sensor_spoofed": Kind(("tank", "wet_well"), _spoofed_level, {"level_m": 4.6}, hours=6),
    "storm": Kind(
        ("catchment",), _storm, {"peak_mm_per_h": 110.0, "minutes": 75.0, "elsewhere": 0.6}, hours=6
    ),
    "blocked_drain": Kind(_SEWERS, _blocked, {"share": 0.98, "grows_h": 0.2}, hours=6, wants_rain=10.0),
    "dry_weather_blockage": Kind(("sewer", "manhole"), _blocked, {"share": 0.98, "grows_h": 2.0}, hours=8),
    "illicit_discharge": Kind(("manhole", "storm_manhole"), _discharge, {"flow_lps": 60.0}, hours=2),
    "inflow_and_infiltration": Kind(("manhole",), _soaked, {"area_ha": 3.0}, hours=8, wants_rain=9.0),
    "river_backwater": Kind(("outfall",), _river, {"rise_m": 2.2, "grows_h": 3.0}, hours=10),
    "route_missed": Kind(("route",), _missed, hours=30, wants_rain=8.0),
    "road_closed": Kind(("road",), _closed, hours=4),
    "switching": Kind(("feeder",), _transfer, {"factor": 1.3}, hours=2, nature="everyday"),
    "sensor_frozen": Kind((), _nothing, hours=8, nature="measuring"),
    "sensor_drift": Kind((), _nothing, {"per_h": 0.02}, hours=12, nature="measuring"),
    "sensor_spikes": Kind((), _nothing, {"share": 0.1, "size": 0.5}, hours=6, nature="measuring"),
    "gateway_offline": Kind(("gateway",), _nothing, hours=2, nature="measuring"),
    "clock_skew": Kind((), _nothing, {"by_s": 3600.0}, hours=6, nature="measuring"),
}
"""All kinds of injections. An empty ``on`` is any asset that has a sensor."""
