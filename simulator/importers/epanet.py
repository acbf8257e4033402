"""EPANET's .inp: junctions, tanks and reservoirs, and the pipes, pumps and valves between them.

In:  the path of an .inp file, in whatever units. Out: a Part, in m, mm and L/s.

A pipe is a link ``supplies``, in the direction in which the water runs in a first steady run, because a
drawing's direction means nothing; where nothing runs, or EPANET finds no solution, as drawn. Pumps and valves
can be in trouble by themselves, so they are assets, linked from and to the nodes beside them.
"""

import importlib
import math
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from schemas.city import Relation, Utility
from simulator.importers.draft import CantImport, DraftAsset, Part, Value, counted
from simulator.importers.measures import LPS_IN, METRES_IN_PRESSURE, Measures
from simulator.importers.places import middle
from simulator.importers.sections import metres_per_unit, read_sections, read_text

STILL_LPS = 1e-3
"""A flow below this has no direction: it is what the solver leaves over."""


def read(path: Path) -> Part:
    """A water network. Raises CantImport where EPANET refuses the file or is not installed."""
    try:
        toolkit: Any = importlib.import_module("epanet.toolkit")
    except ImportError as error:
        raise CantImport(
            f"{path}: EPANET is not installed; pip install 'crosscurrent[simulate]' brings it "
            "(for Python 3.11 and 3.12), then import again"
        ) from error
    part = Part(str(path), "EPANET")
    part.metres_per_unit = metres_per_unit(read_sections(path), "BACKDROP")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.txt"
        project = toolkit.createproject()
        try:
            toolkit.open(project, str(path), str(report), "")
            _Network(toolkit, project, part).read()
        except CantImport:
            _close(toolkit, project)
            raise
        except Exception as error:
            _close(toolkit, project)
            raise CantImport(_refusal(path, str(error), report)) from error
        _close(toolkit, project)
    return part


class _Network:
    """The toolkit's calls, which all want the project and an index."""

    def __init__(self, toolkit: Any, project: Any, part: Part) -> None:
        self._toolkit = toolkit
        self._project = project
        self._part = part
        self._nodes: dict[int, DraftAsset] = {}
        self._left: Counter[str] = Counter()
        # The toolkit could convert by itself, but forgets the settings of valves (owa-epanet 2.3.5).
        unit = self._get("flowunits")
        self._unit = Measures.of(next(name for name in LPS_IN if getattr(toolkit, name, None) == unit))
        unit = self._get("option", toolkit.PRESS_UNITS)
        self._pressure_m = next(
            (metres for name, metres in METRES_IN_PRESSURE.items() if getattr(toolkit, name, None) == unit),
            1.0,
        )

    def read(self) -> None:
        for index in range(1, self._get("count", self._toolkit.NODECOUNT) + 1):
            self._nodes[index] = self._part.add(self._node(index))
        links = range(1, self._get("count", self._toolkit.LINKCOUNT) + 1)
        if not self._nodes or not links:
            raise CantImport(f"{self._part.file}: the network is empty: no nodes, or nothing that links them")
        flows = self._flows(links)
        switched = self._switched()
        for index in links:
            start, end = (self._nodes[node] for node in self._get("linknodes", index))
            backward = flows.get(index, 0.0) < -STILL_LPS
            kind = self._get("linktype", index)
            if kind == self._toolkit.PUMP:
                self._pump(index, start, end)
            elif kind in (self._toolkit.PIPE, self._toolkit.CVPIPE):
                self._pipe(index, *((end, start) if backward else (start, end)), controlled=index in switched)
            else:
                self._valve(index, kind, *((end, start) if backward else (start, end)))
        self._tell(links, flows)

    def _tell(self, links: range, flows: dict[int, float]) -> None:
        if flows:
            still = sum(abs(flow) <= STILL_LPS for flow in flows.values())
            self._part.notes.append(
                f"pipes point the way the water runs at the start of EPANET's run; {counted(still, 'link')} "
                "without flow as drawn"
            )
        reservoirs = sum(asset.kind == "treatment_works" for asset in self._part.assets)
        if reservoirs:
            self._part.notes.append(
                f"{counted(reservoirs, 'reservoir')} taken as treatment_works: "
                "change what is a river, a well or an import"
            )
        kit = self._toolkit
        bends = sum(self._get("vertexcount", index) > 0 for index in links)
        for count, what, why in (
            (self._left["closed"], "closed pipes", "they carry nothing, and no control opens them"),
            (self._left["parallel"], "pipes", "parallel to one that is a link already"),
            (self._left["emitter"], "emitters", "a city model holds no leakage"),
            (self._get("count", kit.CURVECOUNT), "curves", "only a pump's rated flow is taken from them"),
            (self._get("count", kit.PATCOUNT), "patterns", "a city model holds no demand over time"),
            (self._get("count", kit.CONTROLCOUNT), "simple controls", "a city model holds no control logic"),
            (self._get("count", kit.RULECOUNT), "rules", "a city model holds no control logic"),
            (bends, "bent pipes' bends", "links are drawn straight"),
        ):
            self._part.leave_out(count, what, why)

    def _node(self, index: int) -> DraftAsset:
        kit = self._toolkit
        kind = self._get("nodetype", index)
        asset = DraftAsset(self._get("nodeid", index), "junction", Utility.WATER, at=self._at(index))
        elevation = self._get("nodevalue", index, kit.ELEVATION) * self._unit.metres
        if kind == kit.RESERVOIR:
            asset.kind = "treatment_works"
            asset.properties["head_m"] = elevation
        elif kind == kit.TANK:
            asset.kind = "tank"
            asset.properties |= self._tank(index, elevation)
        else:
            asset.properties["elevation_m"] = elevation
            if demand := self._demand(index):
                asset.properties["demand_lps"] = demand
            self._left["emitter"] += self._get("nodevalue", index, kit.EMITTER) != 0
        return asset

    def _tank(self, index: int, elevation: float) -> dict[str, Value]:
        kit = self._toolkit
        metres = self._unit.metres
        diameter = self._get("nodevalue", index, kit.TANKDIAM) * metres
        least, most = (
            self._get("nodevalue", index, limit) * metres for limit in (kit.MINLEVEL, kit.MAXLEVEL)
        )
        return {
            "elevation_m": elevation,
            "area_m2": math.pi * diameter**2 / 4,
            "volume_m3": self._get("nodevalue", index, kit.MAXVOLUME) * metres**3,
            "level_min_m": least,
            "level_max_m": most,
        }

    def _demand(self, index: int) -> float:
        """What customers draw, before any pattern, in L/s."""
        total = 0.0
        for number in range(1, self._get("numdemands", index) + 1):
            total += self._get("basedemand", index, number)
        return total * self._unit.lps

    def _pipe(self, index: int, start: DraftAsset, end: DraftAsset, *, controlled: bool) -> None:
        kit = self._toolkit
        properties: dict[str, Value] = {
            "diameter_mm": self._get("linkvalue", index, kit.DIAMETER) * self._unit.millimetres,
            "length_m": self._get("linkvalue", index, kit.LENGTH) * self._unit.metres,
        }
        if self._get("linkvalue", index, kit.INITSTATUS) == kit.CLOSED:
            if not controlled:
                self._left["closed"] += 1
                return
            properties["normally_closed"] = True
        if not self._part.link(start, Relation.SUPPLIES, end, properties):
            self._left["parallel"] += 1

    def _pump(self, index: int, start: DraftAsset, end: DraftAsset) -> None:
        pump = self._between(index, "pump", start, end)
        with suppress(Exception):  # a pump of constant power has no curve
            curve = self._get("headcurveindex", index)
            points = self._get("curvelen", curve)
            if points in (
                1,
                3,
            ):  # EPANET's own forms: the design point alone, or between shut-off and largest flow
                pump.properties["rated_lps"] = (
                    self._get("curvevalue", curve, (points + 1) // 2)[0] * self._unit.lps
                )
        if self._get("pumptype", index) == self._toolkit.CONST_HP:
            power = self._get("linkvalue", index, self._toolkit.PUMP_POWER)
            pump.properties["rated_kw"] = power * self._unit.kilowatts

    def _valve(self, index: int, kind: int, start: DraftAsset, end: DraftAsset) -> None:
        kit = self._toolkit
        names = {getattr(kit, name): name for name in ("PRV", "PSV", "PBV", "FCV", "TCV", "GPV", "PCV")}
        valve = self._between(index, "valve", start, end)
        valve.properties["type"] = names.get(kind, "valve")
        valve.properties["diameter_mm"] = self._get("linkvalue", index, kit.DIAMETER) * self._unit.millimetres
        setting = self._get("linkvalue", index, kit.INITSETTING)
        if not math.isfinite(setting):
            return
        if kind in (kit.PRV, kit.PSV, kit.PBV):
            valve.properties["setting_m"] = setting * self._pressure_m
        elif kind == kit.FCV:
            valve.properties["setting_lps"] = setting * self._unit.lps

    def _between(self, index: int, kind: str, start: DraftAsset, end: DraftAsset) -> DraftAsset:
        name = self._get("linkid", index)
        asset = self._part.add(DraftAsset(name, kind, Utility.WATER, at=middle([start.at, end.at])))
        self._part.link(start, Relation.SUPPLIES, asset)
        self._part.link(asset, Relation.SUPPLIES, end)
        return asset

    def _at(self, index: int) -> tuple[float, float] | None:
        with suppress(Exception):  # Error 254: this node has no coordinates
            x, y = self._get("coord", index)
            return float(x), float(y)
        return None

    def _flows(self, links: range) -> dict[int, float]:
        """Flows in L/s at the start of a run, as drawn; none where EPANET finds no solution."""
        try:
            self._toolkit.openH(self._project)
            self._toolkit.initH(self._project, self._toolkit.NOSAVE)
            self._toolkit.runH(self._project)
            return {
                index: self._get("linkvalue", index, self._toolkit.FLOW) * self._unit.lps for index in links
            }
        except Exception as error:  # noqa: BLE001 - the toolkit raises nothing finer, and the drawing serves too
            self._part.notes.append(f"pipes point as drawn: EPANET finds no solution ({error})")
            return {}
        finally:
            with suppress(Exception):  # it may not have opened
                self._toolkit.closeH(self._project)

    def _switched(self) -> set[int]:
        """Links that a control or a rule opens or closes."""
        kit = self._toolkit
        found = {
            self._get("control", index)[1] for index in range(1, self._get("count", kit.CONTROLCOUNT) + 1)
        }
        for index in range(1, self._get("count", kit.RULECOUNT) + 1):
            _, thens, elses, _ = self._get("rule", index)
            found |= {self._get("thenaction", index, action)[0] for action in range(1, thens + 1)}
            found |= {self._get("elseaction", index, action)[0] for action in range(1, elses + 1)}
        return found

    def _get(self, what: str, *arguments: object) -> Any:
        getter: Callable[..., Any] = getattr(self._toolkit, f"get{what}")
        return getter(self._project, *arguments)


def _close(toolkit: Any, project: Any) -> None:
    """Write the report and give back the memory; once only, a second time brings the process down."""
    with suppress(Exception):  # Error 102: it never opened
        toolkit.close(project)
    toolkit.deleteproject(project)


def _refusal(path: Path, error: str, report: Path) -> str:
    """EPANET's own words with the line that they are about, which it shows but does not number."""
    told = report.read_text(encoding="utf-8", errors="replace").splitlines() if report.exists() else []
    lines = [line.strip() for line in read_text(path).splitlines()]
    where = str(path)
    for said, next_line in zip(told, [*told[1:], ""], strict=True):
        text = said.strip()
        if text.startswith("Error ") and not text.startswith("Error 200"):
            error = text.rstrip(":")
            if next_line.strip() in lines:
                where = f"{path}:{lines.index(next_line.strip()) + 1}"
            break
    return f"{where}: EPANET refuses the network: {error}; mend it until EPANET opens it, and import again"
