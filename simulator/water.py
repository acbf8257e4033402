"""Drinking water: EPANET, stepped a minute at a time, with demand that depends on pressure.

In:  an .inp file in LPS units, and before each step the pumps' speeds, valves, draws and leaks.
Out: pressures, tank levels and flows by element id, in m and L/s.

EPANET's own controls and patterns stay out of it: whoever steps decides, as a plant's controller would, so
that a sensor that lies deceives the control too. An element bears the id of its asset.
"""

import ctypes
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from epanet import toolkit
from numpy.typing import NDArray

from simulator.engines import Engine, EngineFailed

STEP_S = 60
MINIMUM_M, REQUIRED_M = 0.0, 15.0
"""Pressure below which a customer gets nothing, and above which everything asked for (Wagner et al. 1988)."""


class _Window:
    """An array of the engine's, seen through numpy: reading it value by value would take most of a step."""

    def __init__(self, size: int) -> None:
        self.array = toolkit.doubleArray(size)
        self._seen = np.ctypeslib.as_array((ctypes.c_double * size).from_address(int(self.array.cast())))

    def copy(self) -> NDArray[np.float64]:
        """What the engine wrote last."""
        return self._seen.copy()


class Water(Engine):
    """A water network. Raises EngineFailed where EPANET refuses the file or can't solve a step."""

    def __init__(self, inp: Path) -> None:
        self._file = inp
        self._project = toolkit.createproject()
        self._open = True
        self._report = tempfile.NamedTemporaryFile(suffix=".rpt")  # noqa: SIM115 - lives as long as the engine
        try:
            toolkit.open(self._project, str(inp), self._report.name, "")
            toolkit.setdemandmodel(self._project, toolkit.PDA, MINIMUM_M, REQUIRED_M, 0.5)
            for parameter, value in (
                (toolkit.HYDSTEP, STEP_S),
                (toolkit.DURATION, 10_000 * 86_400),
                (toolkit.REPORTSTEP, STEP_S),
                (toolkit.PATTERNSTEP, STEP_S),
            ):  # fmt: skip - pairs in rows
                toolkit.settimeparam(self._project, parameter, value)
            toolkit.setstatusreport(self._project, toolkit.NO_REPORT)
            self.nodes = self._ids(toolkit.NODECOUNT, toolkit.getnodeid)
            self.links = self._ids(toolkit.LINKCOUNT, toolkit.getlinkid)
            self.patterns = self._ids(toolkit.PATCOUNT, toolkit.getpatternid)
            self._base = {node: self._node(node, toolkit.BASEDEMAND) for node in self.junctions()}
            self._follows = {node: round(self._node(node, toolkit.PATTERN)) for node in self._base}
            self._factors = dict.fromkeys(self.patterns.values(), 1.0)
            toolkit.openH(self._project)
            toolkit.initH(self._project, toolkit.NOSAVE)
            self._node_out, self._link_out = _Window(len(self.nodes)), _Window(len(self.links))
        except Exception as error:
            self.close()
            raise EngineFailed(f"EPANET refuses {inp}: {error}; mend the network and run again") from error

    def junctions(self) -> list[str]:
        """Ids of the nodes that customers hang on."""
        return [n for n, i in self.nodes.items() if toolkit.getnodetype(self._project, i) == toolkit.JUNCTION]

    def set_pattern(self, pattern: str, factor: float) -> None:
        """What the demands that follow this pattern are multiplied with."""
        index = self.patterns[pattern]
        self._factors[index] = factor
        toolkit.setpatternvalue(self._project, index, 1, factor)

    def set_open(self, link: str, is_open: bool) -> None:
        """Open or close a pipe, valve or pump."""
        toolkit.setlinkvalue(self._project, self.links[link], toolkit.STATUS, float(is_open))

    def set_speed(self, pump: str, speed: float) -> None:
        """Run a pump at ``speed`` of its rated speed; 0 stops it."""
        toolkit.setlinkvalue(self._project, self.links[pump], toolkit.STATUS, float(speed > 0))
        if speed > 0:
            toolkit.setlinkvalue(self._project, self.links[pump], toolkit.SETTING, speed)

    def set_leak(self, node: str, lps_per_sqrt_m: float) -> None:
        """Water lost through a hole: this times the square root of the pressure [orifice equation]."""
        toolkit.setnodevalue(self._project, self.nodes[node], toolkit.EMITTER, lps_per_sqrt_m)

    def set_draw(self, node: str, lps: float) -> None:
        """Water drawn from the main (a hydrant), beside what the customers take; set the patterns first."""
        whole = lps / self._factors.get(self._follows[node], 1.0)  # EPANET multiplies it with the pattern
        toolkit.setnodevalue(self._project, self.nodes[node], toolkit.BASEDEMAND, self._base[node] + whole)

    def step(self) -> None:
        """Solve the present minute, and let the tanks fill or drain to the next."""
        try:
            with (
                warnings.catch_warnings()
            ):  # EPANET warns of closed pumps and dry zones: they are the story here
                warnings.simplefilter("ignore")
                toolkit.runH(self._project)
            self._read()
            toolkit.nextH(self._project)
        except Exception as error:
            raise EngineFailed(f"EPANET can't solve {self._file}: {error}") from error

    def _read(self) -> None:
        toolkit.getnodevalues(self._project, toolkit.PRESSURE, self._node_out.array)
        self.pressures = self._node_out.copy()
        toolkit.getnodevalues(self._project, toolkit.EMITTERFLOW, self._node_out.array)
        self.leaks = self._node_out.copy()
        toolkit.getlinkvalues(self._project, toolkit.FLOW, self._link_out.array)
        self.flows = self._link_out.copy()

    def pressure(self, node: str) -> float:
        """Pressure in m; of a tank its level."""
        return float(self.pressures[self.nodes[node] - 1])

    def level(self, tank: str) -> float:
        """Water in a tank, above its floor, in m, as it stands at the beginning of the next minute."""
        return self._node(tank, toolkit.PRESSURE)

    def flow(self, link: str) -> float:
        """Flow in L/s, as drawn."""
        return float(self.flows[self.links[link] - 1])

    def leak(self, node: str) -> float:
        """Water lost at a node in L/s."""
        return float(self.leaks[self.nodes[node] - 1])

    def close(self) -> None:
        """Close the project; EPANET keeps nothing."""
        if self._open:
            self._open = False
            for step in (toolkit.closeH, toolkit.close, toolkit.deleteproject):
                with suppress(Exception):  # it may never have opened, and nothing is left to save
                    step(self._project)
            self._report.close()

    def _node(self, node: str, parameter: int) -> float:
        return float(toolkit.getnodevalue(self._project, self.nodes[node], parameter))

    def _ids(self, count: int, name: Callable[[Any, int], str]) -> Mapping[str, int]:
        total = toolkit.getcount(self._project, count)
        return {name(self._project, index): index for index in range(1, total + 1)}
