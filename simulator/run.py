"""A simulated day: three engines, streets and controls, coupled each minute.

In:  a town, a scenario and a seed; causes left out and links cut for twins.
Out: minute by minute one row of true values, of every asset that has any, whether measured or not.

The engines meet once a minute, one minute late: a feeder that trips at 17:00 stops its pumps at 17:00, and
what the pumps no longer take shows at 17:01.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from schemas.city import Relation
from schemas.times import MINUTE, SECOND
from simulator.background import ordinary
from simulator.dice import dice
from simulator.drainage import Drainage
from simulator.engines import EngineFailed, WaterLost
from simulator.habits import MINUTES, day_of, showers
from simulator.physics import Pump, Town
from simulator.power import Power
from simulator.scenario import Injection, Scenario, Work, fall
from simulator.street import Litter, drive, wade
from simulator.trouble import KINDS, Trouble
from simulator.water import Water

WARM_UP = 180
"""Minutes that pass before the first: sewers fill, levels and speeds settle."""
GRID_PU = 1.02
"""Voltage of the grid above on an ordinary day."""
DEAD_PU, MOTOR_PU = 0.5, 0.8
"""Below these nothing works; motors drop out (contactors let go at 0.7 to 0.8, IEC 60947-4-1)."""
SUCTION_M = 3.0
"""Pressure at its suction below which a pump stops itself, and 5 m more to start again."""
UNDERPASS_ROAD_M = 2.2
"""Depth in an underpass's sump at which the road above it gets wet."""
LPS_OF_A_HECTARE = 2.78
"""1 mm/h of rain on a hectare."""
RUNS_OFF = 0.8
"""Share of the rain on paved ground that runs off (usual runoff coefficients of streets: 0.7 to 0.9)."""
SOAKING_MINUTES = 25
"""How long wrongly connected streets hold rain back; assumed."""
FULL_M_PER_S = 1.0
"""Speed of water in a full sewer, by which what a partial blockage passes is reckoned; usual 0.6 to 1.5."""
SPEED_GAIN, SLOWEST, FASTEST = 0.004, 0.5, 1.15
"""A variable-speed pump: change of speed a minute for each metre that is missing, and its range; assumed."""
CONTINUITY = 0.01
"""The share of water that SWMM may lose before the run is thrown away."""
CONTINUITY_MOST, SAME = 0.1, 0.1
"""Where half the routing step loses the same, but for so small a part of it, no water is lost, and up to the
first share is let pass (SWMM's manual questions runs from there on). SWMM reckons what a conduit holds from
the depth at its middle, which is inexact while the river stands in a steep one: 1 to 7 % of the water of a
day that ends then, next to nothing once the river is gone, and depths that agree within 2 cm whatever the
step, the tolerance and the surcharge method. A step that is too long shows: 6 % with 5 s, 0.01 % with 2 s."""

Row = NDArray[np.float64]
Cut = tuple[str, str, Relation]
"""A link that doesn't act: from, to, relation."""


@dataclass(slots=True)
class Mark:
    """Something discrete that the physics did by itself: a breaker that opened, a main that broke."""

    at: int
    asset: str
    what: str


@dataclass(slots=True)
class Twin:
    """What is different in a twin of the day: causes left out (by their place in the scenario), links cut."""

    without: frozenset[int] = frozenset()
    cut: frozenset[Cut] = frozenset()


@dataclass(slots=True)
class _Today:
    """Habits and weather of the present day, by minute."""

    water: dict[str, Row] = field(default_factory=dict)
    power: dict[str, Row] = field(default_factory=dict)
    traffic: dict[str, Row] = field(default_factory=dict)
    foul: Row = field(default_factory=lambda: np.ones(MINUTES))
    rain: Row = field(default_factory=lambda: np.zeros(MINUTES))
    litter: float = 1.0


class Run:
    """One run. Iterate ``rows()`` once; ``marks`` fills on the way. Raises EngineFailed, at the end
    WaterLost where SWMM lost too much."""

    def __init__(self, town: Town, scenario: Scenario, seed: int, twin: Twin | None = None) -> None:
        self._town, self._scenario, self._seed = town, scenario, seed
        self._twin = twin or Twin()
        self._physics, self._city = town.physics, town.city
        self._kinds = {asset.id: asset.kind for asset in self._city.assets}
        self._links: dict[tuple[str, Relation], list[str]] = defaultdict(list)
        self._back: dict[tuple[str, Relation], list[str]] = defaultdict(list)
        for link in self._city.links:
            if (link.source, link.target, link.relation) not in self._twin.cut:
                self._links[link.source, link.relation].append(link.target)
                self._back[link.target, link.relation].append(link.source)
        self._cut_off = {target for _, target, relation in self._twin.cut if relation is Relation.POWERS}
        """Assets whose supply can't fail in this twin."""
        self.marks: list[Mark] = []
        self.signals: list[tuple[str, str]] = []
        self.believed: dict[str, float] = {}
        """Levels that their sensors tell in the present minute, where that isn't the truth."""
        self._running = dict.fromkeys(self._physics.pumps, False)
        self._speed = dict.fromkeys(self._physics.pumps, 1.0)
        self._soaked: dict[str, float] = defaultdict(float)
        """By manhole: what soaks in, in L/s."""
        self._repair: dict[str, int] = {}
        """Minute at which a breaker closes again, or a main is mended."""
        self._wet: dict[str, int] = defaultdict(int)
        self._hot: dict[str, int] = defaultdict(int)
        self._before: dict[str, list[float]] = defaultdict(list)
        self._litter = Litter(self._physics.bins)
        self._served = dict.fromkeys(self._physics.routes, 1.0)
        self._fall: dict[str, float] = {}
        """Rain in the present minute, by gage."""
        self._dark: set[str] = set()
        self._detour: dict[str, float] = defaultdict(float)
        self._traffic = dict.fromkeys(self._physics.roads, (0.0, 0.0))
        """Speed and volume of each road."""
        self._leaking: set[str] = set()
        self._drawn: set[str] = set()
        self._poured: set[str] = set()
        self._choked: set[str] = set()
        """What was set in the engines in the last minute, to be taken back when it is over."""
        self._switches: list[str] = []
        self._works: list[str] = []
        self._valves: list[str] = []
        self._outfalls: list[str] = []
        self._sections: dict[str, float] = {}
        self.ordinary = ordinary(self._city, scenario, seed) if scenario.background else []
        """Maintenance and switching of everyday life."""
        self._events = self._due()

    # --- the days ---------------------------------------------------------------------------------

    def rows(self) -> Iterator[Row]:
        """True values by minute, in the order of ``signals``."""
        start = self._scenario.begins - timedelta(minutes=WARM_UP)
        total = WARM_UP + self._scenario.minutes
        with ExitStack() as engines:
            self.water = engines.enter_context(Water(self._town.network("water")))
            self.power = engines.enter_context(Power(self._town.network("power")))
            self.drainage = engines.enter_context(
                Drainage(
                    self._town.network("drainage"),
                    start,
                    total / MINUTES + 0.01,
                    halved=self._town.lost is not None,
                )
            )
            self._prepare()
            read = self._readers()
            today: datetime | None = None
            for number in range(total):
                now = start + timedelta(minutes=number)
                if today is None or now.date() != today.date():
                    today = now
                    self._day = self._habits(now.replace(hour=0, minute=0))
                self._minute = number - WARM_UP
                self._step(now)
                if number >= WARM_UP:
                    row = np.concatenate([reader() for reader in read])
                    yield row
            lost = abs(self.drainage.end())
            if lost > CONTINUITY and not self._lost_before(lost):
                raise WaterLost(
                    f"SWMM lost {lost:.1%} of the water of {self._town.network('drainage')}, more than "
                    f"{CONTINUITY:.0%}; shorten its ROUTING_STEP or lengthen its shortest conduit",
                    lost,
                )

    def _lost_before(self, lost: float) -> bool:
        """Whether the step has no part in a loss: with whole steps as much was lost. Of a twin, in which less
        happens, as much at the most.
        """
        before = self._town.lost
        if before is None or lost > min(before * (1 + SAME), CONTINUITY_MOST):
            return False
        return self._twin != Twin() or lost >= before * (1 - SAME)

    def _habits(self, day: datetime) -> _Today:
        seed, holidays = self._seed, self._physics.holidays
        today = _Today()
        for pattern in self.water.patterns:
            today.water[pattern] = day_of(_water_shape(pattern), f"water/{pattern}", day, seed, holidays)
        for load in self.power.loads:
            profile = self._physics.load_profile.get(load, "mixed")
            names = ("residential", "commercial") if profile == "mixed" else (profile,)
            curves = [
                day_of(f"electric-{name}", f"power/{load}", day, seed, holidays, 0.03) for name in names
            ]
            today.power[load] = np.mean(curves, axis=0)
        for road in self._physics.roads:
            today.traffic[road] = day_of("traffic", f"road/{road}", day, seed, holidays, 0.06)
        today.foul = day_of("residential", "foul", day, seed, holidays, 0.04)
        climate = self._physics.climate
        if self._scenario.background:
            today.rain = showers(seed, day, climate.showers_a_week, climate.shower_peak_mm_per_h)
        for shower in self._scenario.showers:
            begin = (shower.begins(self._scenario.start) - round(day.timestamp()) * SECOND) // MINUTE
            today.rain = today.rain + [fall(shower.points, minute - begin) for minute in range(MINUTES)]
        today.litter = float(dice(seed, "litter", f"{day:%Y-%m-%d}").uniform(0.85, 1.15))
        return today

    def _due(self) -> list[tuple[int, int, Injection | Work]]:
        """Injections and planned work with their first and last minute."""
        due: list[tuple[int, int, Injection | Work]] = []
        start = self._scenario.start
        for index, injection in enumerate(self._scenario.injections):
            if index not in self._twin.without:
                begin = (injection.begins(start) - start) // MINUTE
                due.append((begin, begin + injection.length // MINUTE, injection))
        for what in [*self._scenario.planned, *self.ordinary]:
            begin = (what.begins(start) - start) // MINUTE
            due.append((begin, begin + what.length // MINUTE, what))
        return due

    # --- one minute -------------------------------------------------------------------------------

    def _step(self, now: datetime) -> None:
        minute = now.hour * 60 + now.minute
        trouble = self._trouble()
        self._dark = trouble.dark
        self._rain = float(self._day.rain[minute])
        self._fall = {
            gage: self._rain + trouble.rain.get("*", 0.0) + trouble.rain.get(gage, 0.0)
            for gage in self.drainage.gages
        }
        self._lie(trouble)
        self._step_power(minute, trouble)
        wanted = {pump: self._wants(pump, self._physics.pumps[pump], trouble) for pump in self._running}
        for pump, wants in wanted.items():
            self._running[pump] = wants and pump not in trouble.failed and self._live(pump)
        self._step_water(minute, trouble)
        self._step_waste(now, trouble)
        self._step_drainage(minute, trouble)
        self._step_roads(minute, trouble)
        self._break(trouble)

    def _trouble(self) -> Trouble:
        trouble = Trouble()
        for begin, end, what in self._events:
            if not begin <= self._minute < end:
                continue
            if isinstance(what, Work):
                _work(trouble, what.asset, self._kinds[what.asset])
            else:
                what.apply(trouble, self._minute - begin)
        self._repair = {asset: until for asset, until in self._repair.items() if until > self._minute}
        for asset in self._repair:
            if main := self._physics.weak_mains.get(asset):
                trouble.leaks[asset] = trouble.leaks.get(asset, 0) + main.lps_per_sqrt_m
            else:
                trouble.opened.add(asset)
        return trouble

    def _step_power(self, minute: int, trouble: Trouble) -> None:
        power = self.power
        power.set_source(trouble.grid_pu or GRID_PU)
        for load, base in power.base_kw.items():
            if load in self._physics.pumps:
                kw = self._physics.pumps[load].kw * self._speed[load] ** 3 if self._running[load] else 0.1
            else:
                kw = base * self._day.power[load][minute] * self._loaded(load, trouble)
            power.set_load(load, kw)
        for switch in self._switches:
            power.set_closed(switch, switch not in trouble.opened)
        power.step()
        for asset, protection in self._physics.thermal.items():
            self._hot[asset] = self._hot[asset] + 1 if power.loading(asset) > protection.above_pu else 0
            if self._hot[asset] > protection.minutes:
                self._trip(asset, protection.repair_h, "overloaded, tripped")
                self._hot[asset] = 0

    def _loaded(self, load: str, trouble: Trouble) -> float:
        factor = trouble.load.get(load, 1.0)
        for above in self._back[load, Relation.POWERS]:
            factor *= trouble.load.get(above, 1.0)
        return factor

    def _live(self, asset: str) -> bool:
        """Whether its motors turn."""
        return self._volts(asset) > MOTOR_PU

    def _volts(self, asset: str) -> float:
        """Voltage where an asset takes its power; as usual where nothing says otherwise."""
        if asset in self._dark:
            return 0.0
        if asset in self._cut_off or asset not in self.power.loads:
            return 1.0
        return self.power.voltage(asset)

    def _wants(self, name: str, pump: Pump, trouble: Trouble) -> bool:
        """What the pump's control wants, believing its sensor."""
        runs = self._running[name]
        if pump.suction and self._minute > -WARM_UP:
            pressure = self.water.pressure(pump.suction)
            if pressure < (SUCTION_M if runs else SUCTION_M + 5):
                return False
        if pump.into and (pump.into in trouble.failed or not self._live(pump.into)):
            return False
        if pump.watches is None or pump.holds:
            return True
        level = self.believed.get(pump.watches, self._level(pump.watches))
        if pump.fills:
            low, high = pump.on_below or 0.0, pump.off_above or np.inf
            return level < low or (runs and level < high)
        high, low = pump.on_above or 0.0, pump.off_below or 0.0
        return level > high or (runs and level > low)

    def _level(self, asset: str) -> float:
        return self.water.level(asset) if asset in self.water.nodes else self.drainage.depth(asset)

    def _lie(self, trouble: Trouble) -> None:
        """Levels that their sensors don't tell: a frozen one stays as it was when it froze."""
        self.believed = {
            asset: self.believed.get(asset, self._level(asset)) if lie is None else lie
            for asset, lie in trouble.believed.items()
        }

    def _step_water(self, minute: int, trouble: Trouble) -> None:
        water = self.water
        for pattern, curve in self._day.water.items():
            water.set_pattern(pattern, float(curve[minute]))
        for name, pump in self._physics.pumps.items():
            if name in water.links:
                if pump.holds and self._minute > -WARM_UP:
                    short = (pump.at_m or 0.0) - water.pressure(pump.holds)
                    self._speed[name] = float(
                        np.clip(self._speed[name] + SPEED_GAIN * short, SLOWEST, FASTEST)
                    )
                water.set_speed(name, self._speed[name] if self._running[name] else 0.0)
        for works in self._works:
            water.set_open(works, works not in trouble.failed and self._live(works))
        for valve in self._valves:
            water.set_open(valve, valve not in trouble.shut)
        for node in self._leaking | trouble.leaks.keys():
            water.set_leak(node, trouble.leaks.get(node, 0.0))
        for node in self._drawn | trouble.draws.keys():
            water.set_draw(node, trouble.draws.get(node, 0.0))
        self._leaking, self._drawn = set(trouble.leaks), set(trouble.draws)
        water.step()

    def _step_waste(self, now: datetime, trouble: Trouble) -> None:
        for name in self._physics.bins:
            self._litter.step(name, self._day.litter, self._rain_on(self._links[name, Relation.BLOCKS]))
        for name, route in self._physics.routes.items():
            if f"{now:%H:%M}" == route.at and now.weekday() in route.days:
                self._served[name] = float(name not in trouble.missed)
                if self._served[name]:
                    for one in self._links[name, Relation.SERVES]:
                        self._litter.empty(one)

    def _step_drainage(self, minute: int, trouble: Trouble) -> None:
        drainage = self.drainage
        for gage, rain in self._fall.items():
            drainage.set_rain(gage, rain)
        inflow = self._inflow(minute, trouble)
        for node in self._poured | inflow.keys():
            drainage.set_inflow(node, inflow.get(node, 0.0))
        self._poured = set(inflow)
        for name in self._physics.pumps:
            if name in drainage.links:
                drainage.set_setting(name, float(self._running[name]))
        self._block(trouble)
        if self._physics.climate.river_m is not None:
            for outfall in self._outfalls:
                level = self._physics.climate.river_m + trouble.river.get(outfall, 0.0)
                drainage.set_stage(outfall, level)
        drainage.step()

    def _inflow(self, minute: int, trouble: Trouble) -> dict[str, float]:
        """What enters the drains beside rain, in L/s: sewage, what nobody ordered, what bursts lose."""
        inflow: dict[str, float] = defaultdict(float)
        factor = float(self._day.foul[minute])
        for manhole, foul in self._physics.foul.items():
            inflow[manhole] += foul.lps * factor
        for node, lps in trouble.inflow.items():
            inflow[node] += lps
        for node, hectares in trouble.soaked.items():
            runs = self._rain_on([node]) * hectares * LPS_OF_A_HECTARE * RUNS_OFF
            self._soaked[node] += (runs - self._soaked[node]) / SOAKING_MINUTES
            inflow[node] += self._soaked[node]
        for node in trouble.leaks:
            inlets = [inlet for inlet in self._links[node, Relation.NEAR] if inlet in self.drainage.nodes]
            for inlet in inlets:
                inflow[inlet] += self.water.leak(node) / len(inlets)
        return inflow

    def _rain_on(self, assets: list[str]) -> float:
        """Rain on the catchments that drain to these assets, in mm/h; of the wettest where none does."""
        above = {gage for asset in assets for gage in self._back[asset, Relation.DRAINS_TO]}
        found = [rain for gage, rain in self._fall.items() if gage in above]
        return max(found or self._fall.values(), default=self._rain)

    def _block(self, trouble: Trouble) -> None:
        shares = dict(trouble.blocked)
        for litter, share in self._litter.clogged.items():
            for inlet in self._links[litter, Relation.BLOCKS]:
                shares[inlet] = max(shares.get(inlet, 0.0), share)
        for asset in self._choked | shares.keys():
            share = shares.get(asset, 0.0)
            if f"{asset}.grate" in self.drainage.links:
                self.drainage.set_setting(f"{asset}.grate", 1 - share)
                continue
            for conduit in self._conduits(asset):
                passes = None if share == 0 else self._sections[conduit] * (1 - share) * 1000 * FULL_M_PER_S
                self.drainage.set_limit(conduit, passes)
        self._choked = set(shares)

    def _conduits(self, asset: str) -> list[str]:
        """The conduits that a blockage at an asset closes: the sewer itself, or what leaves a manhole."""
        if asset in self._sections:
            return [asset]
        if f"{asset}.pipe" in self._sections:
            return [f"{asset}.pipe"]
        return [below for below in self._links[asset, Relation.DRAINS_TO] if below in self._sections]

    def _step_roads(self, minute: int, trouble: Trouble) -> None:
        detour: dict[str, float] = defaultdict(float)
        for name, road in self._physics.roads.items():
            passable = 0.02 if name in trouble.closed else 1.0
            for above in self._back[name, Relation.NEAR]:
                passable = min(passable, wade(self._water_on(above)))
            dark = any(self._volts(signal) < DEAD_PU for signal in self._back[name, Relation.SERVES])
            wanted = road.peak_vph / 2 * self._day.traffic[name][minute] + self._detour[name]
            speed, volume, away = drive(road, wanted, passable, 0.5 if dark else 1.0)
            self._traffic[name] = (speed, volume)
            ways = [other for other in self._links[name, Relation.NEAR] if other in self._physics.roads]
            for other in ways:
                detour[other] += away / len(ways)
        for name in self._physics.roads:  # drivers learn of a jam within a quarter of an hour
            self._detour[name] += (detour[name] - self._detour[name]) / 8

    def _water_on(self, asset: str) -> float:
        """Water that stands in the road above an inlet or in an underpass, in m."""
        if asset not in self.drainage.nodes:
            return 0.0
        depth = self.drainage.depth(asset)
        return depth - UNDERPASS_ROAD_M if self._kinds[asset] == "underpass" else depth - 0.02

    def _break(self, trouble: Trouble) -> None:
        """What breaks by itself: switchgear that drowns, old mains under a surge."""
        for sump, pit in self._physics.pits.items():
            if pit.breaker not in self._links[sump, Relation.NEAR]:
                continue
            self._wet[sump] = self._wet[sump] + 1 if self.drainage.depth(sump) > pit.above_m else 0
            if self._wet[sump] >= 2 and pit.breaker not in self._repair:
                self._trip(pit.breaker, pit.repair_h, "flooded, tripped")
        for node, main in self._physics.weak_mains.items():
            seen = self._before[node]
            pressure = self.water.pressure(node)
            if len(seen) == 3:
                if pressure - min(seen) > main.rise_m and node not in trouble.leaks and self._minute > 0:
                    self._repair[node] = self._minute + round(main.repair_h * 60)
                    self.marks.append(Mark(self._minute, node, "burst by a surge of pressure"))
                seen.pop(0)
            seen.append(pressure)

    def _trip(self, asset: str, repair_h: float, what: str) -> None:
        self._repair[asset] = self._minute + round(repair_h * 60)
        self.marks.append(Mark(self._minute, asset, what))

    # --- what there is ----------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._hold_against_engines()
        self._sections = self.drainage.sections()
        of = self._of_kind
        power = self.power
        breakers = [*of("feeder"), *of("substation"), *of("transformer")]
        self._switches = [name for name in breakers if name in power.lines or name in power.transformers]
        self._works = [name for name in of("treatment_works") if name in self.water.links]
        self._valves = [name for name in of("valve") if name in self.water.links]
        self._outfalls = [name for name in of("outfall") if name in self.drainage.nodes]
        for name in self._physics.bins:  # as if the last service had been done on time
            throw = dice(self._seed, "bin", name)
            self._litter.fill[name] = float(throw.uniform(0.5, 0.8) / self._physics.bins[name].days_to_full)

    def _hold_against_engines(self) -> None:
        """Raise EngineFailed where something breaks, or is controlled, that the networks don't have."""
        known = {
            *self.water.nodes,
            *self.water.links,
            *self.drainage.nodes,
            *self.drainage.links,
            *self.drainage.gages,
            *self.power.lines,
            *self.power.transformers,
            *self.power.loads,
            *self._physics.bins,
            *self._physics.routes,
            *self._physics.roads,
            *self._of_kind("gateway"),
            *self._of_kind("grid_intake"),
        }  # fmt: skip - everything that an engine or a section of physics.yaml moves
        breaks = [what.asset for _, _, what in self._events if not _measures(what)]
        controlled = [
            name for pump in self._physics.pumps.values() for name in (pump.watches, pump.suction) if name
        ]
        physics = self._physics
        moved = [*physics.pumps, *physics.pits, *physics.weak_mains, *physics.thermal, *physics.foul]
        unknown = sorted({name for name in [*breaks, *controlled, *moved] if name not in known})
        if unknown:
            raise EngineFailed(
                f"no network of {self._town.folder / 'physics'} has an element for {', '.join(unknown)}; "
                "an element bears the id of its asset"
            )

    def _of_kind(self, kind: str) -> list[str]:
        return [asset.id for asset in self._city.assets if asset.kind == kind]

    def _readers(self) -> list[Callable[[], Row]]:
        """Functions that read a part of the row each; ``signals`` names the columns in their order."""
        readers: list[Callable[[], Row]] = []
        power, water, drainage = self.power, self.water, self.drainage

        def column(names: list[str], quantity: str, read: Callable[[list[str]], Row]) -> None:
            if names:
                self.signals.extend((name, quantity) for name in names)
                readers.append(lambda: read(names))

        def each(read: Callable[[str], float]) -> Callable[[list[str]], Row]:
            return lambda names: np.array([read(name) for name in names])

        of = self._of_kind
        fed = [*of("pump"), *of("treatment_works"), *of("signal")]
        column(of("grid_intake"), "voltage", each(lambda _: power.source))
        column([s for s in of("substation") if s in power.lines], "voltage", each(power.voltage))
        column([name for name in fed if name in power.loads], "voltage", each(self._volts))
        column([t for t in of("transformer") if t in power.transformers], "loading", each(power.loading))
        column([f for f in of("feeder") if f in power.lines], "current", each(power.current))
        wet = [name for name in [*of("pump"), *of("treatment_works"), *of("valve")] if name in water.links]
        column(wet, "flow", each(lambda name: abs(water.flow(name))))
        nodes = [name for name in of("junction") if name in water.nodes]
        where = np.array([water.nodes[name] - 1 for name in nodes], dtype=int)
        column(nodes, "pressure", lambda _: water.pressures[where])
        column([name for name in of("tank") if name in water.nodes], "level", each(water.level))
        foul = [*[p for p in of("pump") if p in drainage.links], *of("sewer"), *of("overflow")]
        column([name for name in foul if name in drainage.links], "flow", each(drainage.flow))
        column([w for w in of("treatment_works") if w in drainage.nodes], "flow", each(drainage.inflow))
        column(list(self._physics.pumps), "run", each(lambda name: float(self._running[name])))
        deep = [*of("storm_manhole"), *of("manhole"), *of("sump"), *of("underpass")]
        column([name for name in deep if name in drainage.nodes], "depth", each(drainage.depth))
        column([name for name in of("inlet") if name in drainage.nodes], "ponding", each(drainage.depth))
        column([name for name in of("wet_well") if name in drainage.nodes], "level", each(drainage.depth))
        column([name for name in of("catchment") if name in drainage.gages], "rain", each(drainage.rain))
        column(list(self._physics.bins), "fill", each(lambda name: self._litter.fill[name]))
        column(list(self._physics.routes), "served", each(lambda name: self._served[name]))
        column(list(self._physics.roads), "speed", each(lambda name: self._traffic[name][0]))
        column(list(self._physics.roads), "volume", each(lambda name: self._traffic[name][1]))
        return readers


def _measures(what: Injection | Work) -> bool:
    return isinstance(what, Injection) and KINDS[what.kind].nature == "measuring"


def _water_shape(pattern: str) -> str:
    return "commercial" if pattern.startswith("commercial") else "residential"


def _work(trouble: Trouble, asset: str, kind: str) -> None:
    """Planned work takes its asset out of service."""
    if kind in ("pump", "treatment_works"):
        trouble.failed.add(asset)
    elif kind in ("feeder", "transformer", "substation"):
        trouble.opened.add(asset)
    elif kind == "valve":
        trouble.shut.add(asset)
    elif kind == "road":
        trouble.closed.add(asset)
    elif kind == "junction":
        trouble.draws[asset] = trouble.draws.get(asset, 0.0) + 8.0  # flushing through a hydrant
