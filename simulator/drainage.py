"""Storm water and sewage: SWMM, stepped a minute at a time.

In:  an .inp file in LPS units (DYNWAVE, routing step 2 s: 5 s gave 6 % continuity error and floods that were
     not there), and before each step rain, foul inflow, pump settings, river level and what is blocked.
Out: depths and flows by element id, in m and L/s.

SWMM has one project for each process; a second ``Drainage`` while one is open is refused by the engine. Pump
start and stop depths in the file must be 0, else they override what is set here.
"""

import tempfile
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from swmm.toolkit import solver
from swmm.toolkit.shared_enum import LinkProperty, LinkResult, NodeResult, ObjectType, RainResult

from simulator.engines import Engine, EngineFailed

STEP_S = 60
_UNLIMITED = 0.0
"""SWMM's flow limit for none."""
_TRICKLE_LPS = 0.02
"""What seeps through a full blockage; SWMM reads 0 as no limit."""


class Drainage(Engine):
    """A drainage network. Raises EngineFailed where SWMM refuses the file or breaks off."""

    def __init__(self, inp: Path, start: datetime, days: float, *, halved: bool = False) -> None:
        """``halved``: the routing step is half of what the file says."""
        self._file = inp
        self._folder = tempfile.TemporaryDirectory(prefix="crosscurrent-swmm-")
        self._open = False
        dated = Path(self._folder.name, "network.inp")
        dated.write_text(_dated(inp.read_text(encoding="utf-8"), start, days, halved), encoding="utf-8")
        try:
            solver.swmm_open(str(dated), str(dated.with_suffix(".rpt")), str(dated.with_suffix(".out")))
            self._open = True
            solver.swmm_start(0)
        except Exception as error:
            report = dated.with_suffix(".rpt")
            said = (
                [line.strip() for line in report.read_text().splitlines() if "ERROR" in line]
                if report.exists()
                else []
            )
            self.close()
            raise EngineFailed(
                f"SWMM refuses {inp}: {'; '.join(said) or error}; mend the network and run again"
            ) from error
        self.nodes = self._ids(ObjectType.NODE)
        self.links = self._ids(ObjectType.LINK)
        self.gages = self._ids(ObjectType.GAGE)

    def set_rain(self, gage: str, mm_per_h: float) -> None:
        """Rain that falls on the gage's subcatchments."""
        solver.raingage_set_precipitation(self.gages[gage], mm_per_h)

    def set_inflow(self, node: str, lps: float) -> None:
        """Water that enters at a node from outside: sewage, a discharge, a burst main."""
        solver.node_set_total_inflow(self.nodes[node], lps)

    def set_setting(self, link: str, setting: float) -> None:
        """How far a pump runs, or an orifice or weir is open: 0 to 1."""
        solver.link_set_target_setting(self.links[link], setting)

    def set_limit(self, link: str, lps: float | None) -> None:
        """The most that a conduit passes; None for what its section gives."""
        limit = _UNLIMITED if lps is None else max(lps, _TRICKLE_LPS)
        solver.link_set_parameter(self.links[link], LinkProperty.FLOW_LIMIT, limit)

    def set_stage(self, outfall: str, level_m: float) -> None:
        """The water level behind an outfall, in m above datum."""
        solver.outfall_set_stage(self.nodes[outfall], level_m)

    def step(self) -> None:
        """Go on by a minute."""
        try:
            solver.swmm_stride(STEP_S)
        except Exception as error:
            raise EngineFailed(f"SWMM breaks off in {self._file}: {error}") from error

    def depth(self, node: str) -> float:
        """Water above the node's invert, in m."""
        return float(solver.node_get_result(self.nodes[node], NodeResult.DEPTH))

    def inflow(self, node: str) -> float:
        """What flows into a node, in L/s."""
        return float(solver.node_get_result(self.nodes[node], NodeResult.TOTAL_INFLOW))

    def flow(self, link: str) -> float:
        """Flow of a link in L/s; against the drawing is negative."""
        return float(solver.link_get_result(self.links[link], LinkResult.FLOW))

    def rain(self, gage: str) -> float:
        """Rain at a gage, in mm/h."""
        return float(solver.raingage_get_precipitation(self.gages[gage], RainResult.RAINFALL))

    def sections(self) -> dict[str, float]:
        """Conduits with the area of their section in m2."""
        return _sections(self._file.read_text(encoding="utf-8"))

    def end(self) -> float:
        """End the run; its flow routing continuity error as a share (0.01 is one percent)."""
        solver.swmm_end()
        _, flow, _ = solver.swmm_get_mass_balance()
        return float(flow) / 100

    def close(self) -> None:
        """Close the project and remove its files."""
        if self._open:
            self._open = False
            for step in (solver.swmm_end, solver.swmm_close):
                with suppress(Exception):  # it may have ended already, and nothing is left to save
                    step()
        self._folder.cleanup()

    def _ids(self, kind: ObjectType) -> dict[str, int]:
        return {solver.project_get_id(kind, index): index for index in range(solver.project_get_count(kind))}


def _dated(text: str, start: datetime, days: float, halved: bool) -> str:
    """The network with the dates and the routing step of this run: SWMM takes them from its file alone."""
    end = start + timedelta(days=days)
    dates = {
        "START_DATE": f"{start:%m/%d/%Y}",
        "START_TIME": f"{start:%H:%M:%S}",
        "REPORT_START_DATE": f"{start:%m/%d/%Y}",
        "REPORT_START_TIME": f"{start:%H:%M:%S}",
        "END_DATE": f"{end:%m/%d/%Y}",
        "END_TIME": f"{end:%H:%M:%S}",
    }  # fmt: skip - pairs in rows
    lines = []
    for line in text.splitlines():
        words = line.split()
        if words and words[0] in dates:
            continue
        if words and words[0] == "ROUTING_STEP" and halved:
            line = f"ROUTING_STEP {_seconds(words[1]) / 2:g}"  # noqa: PLW2901 - the line as it is to be
        lines.append(line)
        if line.strip() == "[OPTIONS]":
            lines += [f"{key} {value}" for key, value in dates.items()]
    return "\n".join(lines) + "\n"


def _seconds(step: str) -> float:
    """A time step as SWMM writes it: seconds, or hours:minutes:seconds."""
    seconds = 0.0
    for part in step.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def _sections(text: str) -> dict[str, float]:
    """Areas of the circular conduits of a network, from its text: the engine doesn't tell them."""
    sections: dict[str, float] = {}
    inside = False
    for line in text.splitlines():
        words = line.split()
        if line.startswith("["):
            inside = line.strip() == "[XSECTIONS]"
        elif inside and len(words) > 2 and words[1] == "CIRCULAR":
            sections[words[0]] = 3.1416 * float(words[2]) ** 2 / 4
    return sections
