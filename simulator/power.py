"""Electricity: OpenDSS, solved once a minute.

In:  a .dss file, and before each step the loads in kW, the open switches and the source's voltage.
Out: voltages in per unit and currents in A, by element id.

An element bears the id of its asset: a feeder and a substation are a Line (its first), a transformer a
Transformer, whatever takes power a Load. OpenDSS has one circuit for each process.
"""

from pathlib import Path

import numpy as np
import opendssdirect as dss
from numpy.typing import NDArray

from simulator.engines import Engine, EngineFailed


class Power(Engine):
    """A power network. Raises EngineFailed where OpenDSS refuses the file or finds no solution."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._open: set[str] = set()
        self.source = 1.0
        try:
            dss.Basic.ClearAll()
            dss.Basic.AllowChangeDir(False)
            dss.Text.Command(f'Redirect "{file.resolve()}"')
            dss.Text.Command("Set ControlMode=OFF")
            dss.Solution.Solve()
        except Exception as error:
            raise EngineFailed(f"OpenDSS refuses {file}: {error}; mend the network and run again") from error
        self.lines = {name: f"Line.{name}" for name in dss.Lines.AllNames()}
        self.transformers = {name: f"Transformer.{name}" for name in dss.Transformers.AllNames()}
        self.loads = {name: index for index, name in enumerate(dss.Loads.AllNames(), 1)}
        self.base_kw: dict[str, float] = {}
        for name, index in self.loads.items():
            dss.Loads.Idx(index)
            self.base_kw[name] = float(dss.Loads.kW())
        self._node_of: dict[str, int] = {}
        for index, node in enumerate(dss.Circuit.AllNodeNames()):
            self._node_of.setdefault(node.split(".")[0], index)
        self._bus_of = {name: self._bus(f"Load.{name}", 0) for name in self.loads}
        self._bus_of |= {name: self._bus(element, 1) for name, element in self.lines.items()}
        self._rating: dict[str, float] = {}
        for name, element in self.transformers.items():
            self._bus_of[name] = self._bus(element, 1)
            dss.Transformers.Name(name)
            self._rating[name] = float(dss.Transformers.kVA())
        self._source = dss.Vsources.AllNames()[0]

    @staticmethod
    def _bus(element: str, end: int) -> str:
        dss.Circuit.SetActiveElement(element)
        return str(dss.CktElement.BusNames()[end]).split(".")[0].lower()

    def set_load(self, load: str, kw: float) -> None:
        """What a load takes, in kW; its power factor stays."""
        dss.Loads.Idx(self.loads[load])
        dss.Loads.kW(kw)

    def set_source(self, pu: float) -> None:
        """The voltage of the grid above, in per unit."""
        self.source = pu
        dss.Vsources.Name(self._source)
        dss.Vsources.PU(pu)

    def set_closed(self, name: str, closed: bool) -> None:
        """Close or open the switch at the head of a line or transformer."""
        if closed == (name not in self._open):
            return
        dss.Circuit.SetActiveElement(self.lines.get(name) or self.transformers[name])
        if closed:
            dss.CktElement.Close(1, 0)
            self._open.discard(name)
        else:
            dss.CktElement.Open(1, 0)
            self._open.add(name)

    def step(self) -> None:
        """Solve the present minute."""
        try:
            dss.Solution.Solve()
        except Exception as error:
            raise EngineFailed(f"OpenDSS can't solve {self._file}: {error}") from error
        if not dss.Solution.Converged():
            raise EngineFailed(
                f"OpenDSS finds no solution for {self._file}: the loads are beyond the network"
            )
        self._voltages: NDArray[np.float64] = np.array(dss.Circuit.AllBusMagPu())

    def voltage(self, name: str) -> float:
        """Voltage in per unit where a load hangs, or behind a line or transformer."""
        return float(self._voltages[self._node_of[self._bus_of[name]]])

    def current(self, line: str) -> float:
        """Current at a line's head in A, the first phase."""
        dss.Circuit.SetActiveElement(self.lines[line])
        return float(dss.CktElement.CurrentsMagAng()[0])

    def loading(self, transformer: str) -> float:
        """Apparent power over rating of a transformer, as a share."""
        dss.Circuit.SetActiveElement(self.transformers[transformer])
        powers = dss.CktElement.Powers()
        half = len(powers) // 2
        active, reactive = sum(powers[0:half:2]), sum(powers[1:half:2])
        return float(np.hypot(active, reactive)) / self._rating[transformer]
