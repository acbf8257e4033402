"""Writing the files of the engines, and what is the same in all of ours."""

from collections import defaultdict
from pathlib import Path


class Sections:
    """A file of sections, as EPANET and SWMM read them; rows come out in the order they were added."""

    def __init__(self) -> None:
        self._rows: dict[str, list[str]] = defaultdict(list)

    def add(self, section: str, *fields: object) -> None:
        """A row of one section."""
        texts = [f"{field:.6g}" if isinstance(field, float) else str(field) for field in fields]
        self._rows[section].append("  ".join(texts))

    def write(self, path: Path) -> None:
        """Write the file."""
        late = ("XSECTIONS", "CURVES", "COORDINATES")  # SWMM forgets sections of links that it reads later
        ordered = sorted(self._rows.items(), key=lambda part: late.index(part[0]) if part[0] in late else -1)
        parts = [f"[{section}]\n" + "\n".join(rows) + "\n" for section, rows in ordered]
        path.write_text("\n".join([*parts, "[END]\n"] if "TANKS" in self._rows else parts), encoding="utf-8")


def water(title: str) -> Sections:
    """A water network to fill: EPANET, litres a second, demand patterns of one factor set from outside."""
    file = Sections()
    file.add("TITLE", title)
    for name, value in (
        ("UNITS", "LPS"),
        ("HEADLOSS", "H-W"),
        ("TRIALS", 60),
        ("ACCURACY", 0.001),
        ("UNBALANCED", "CONTINUE 10"),
        ("EMITTER EXPONENT", 0.5),
    ):  # fmt: skip - pairs in rows
        file.add("OPTIONS", name, value)
    file.add("TIMES", "HYDRAULIC TIMESTEP", "0:01")
    for pattern in ("residential", "commercial"):
        file.add("PATTERNS", pattern, 1.0)
    return file


def drainage(title: str) -> Sections:
    """A drainage network to fill: SWMM, litres a second, dynamic wave with steps of 2 s."""
    file = Sections()
    file.add("TITLE", title)
    for name, value in (
        ("FLOW_UNITS", "LPS"),
        ("INFILTRATION", "HORTON"),
        ("FLOW_ROUTING", "DYNWAVE"),
        ("LINK_OFFSETS", "DEPTH"),
        ("ALLOW_PONDING", "NO"),
        ("WET_STEP", "00:01:00"),
        ("DRY_STEP", "00:05:00"),
        ("REPORT_STEP", "00:15:00"),
        ("ROUTING_STEP", "2"),
        ("VARIABLE_STEP", "0"),
        ("INERTIAL_DAMPING", "PARTIAL"),
        ("NORMAL_FLOW_LIMITED", "BOTH"),
        ("MIN_SURFAREA", "2"),
        ("MAX_TRIALS", "8"),
        ("HEAD_TOLERANCE", "0.0015"),
        ("THREADS", "1"),
    ):  # fmt: skip - pairs in rows
        file.add("OPTIONS", name, value)
    file.add("EVAPORATION", "CONSTANT", 0.0)
    file.add("TIMESERIES", "none", "0:00", 0.0)
    return file


class Drains:
    """The usual parts of a drainage network."""

    def __init__(self, title: str) -> None:
        self.file = drainage(title)

    def gage(self, name: str) -> None:
        """A rain gage, fed from outside."""
        self.file.add("RAINGAGES", name, "INTENSITY", "0:05", 1.0, "TIMESERIES", "none")

    def area(self, name: str, gage: str, outlet: str, hectares: float, paved: float = 70.0) -> None:
        """A subcatchment; widths and losses as the SWMM manual's typical values for built-up areas."""
        self.file.add("SUBCATCHMENTS", name, gage, outlet, hectares, paved, 150.0 * hectares**0.5, 1.5, 0)
        self.file.add("SUBAREAS", name, 0.013, 0.15, 1.5, 4.0, 25, "OUTLET")
        self.file.add("INFILTRATION", name, 60.0, 8.0, 4.0, 7, 0)

    def manhole(self, name: str, invert: float, depth: float = 3.0) -> None:
        """A manhole with a bolted cover: what can't stay below comes up through the grates."""
        self.file.add("JUNCTIONS", name, invert, depth, 0, 20, 0)

    def basin(self, name: str, invert: float, depth: float, area_m2: float, start: float = 0.0) -> None:
        """A street's low place, a sump or a wet well: upright walls."""
        self.file.add("STORAGE", name, invert, depth, start, "FUNCTIONAL", 0, 0, area_m2, 0, 0)

    def outfall(self, name: str, invert: float, stage: float | None = None) -> None:
        """Where water leaves: free, or against a level."""
        if stage is None:
            self.file.add("OUTFALLS", name, invert, "FREE", "NO")
        else:
            self.file.add("OUTFALLS", name, invert, "FIXED", stage, "NO")

    def conduit(
        self, name: str, start: str, end: str, length: float, diameter: float, up: float = 0, down: float = 0
    ) -> None:
        """A circular conduit; offsets above the inverts in m."""
        self.file.add("CONDUITS", name, start, end, length, 0.013, up, down, 0, 0)
        self.file.add("XSECTIONS", name, "CIRCULAR", diameter, 0, 0, 0, 1)

    def opening(
        self, name: str, start: str, end: str, diameter: float, offset: float = 0, place: str = "BOTTOM"
    ) -> None:
        """A grate or a hole that passes both ways."""
        self.file.add("ORIFICES", name, start, end, place, offset, 0.65, "NO", 0)
        self.file.add("XSECTIONS", name, "CIRCULAR", diameter, 0, 0, 0)

    def weir(self, name: str, start: str, end: str, crest: float, width: float) -> None:
        """A weir with its crest above the invert of its start."""
        self.file.add("WEIRS", name, start, end, "TRANSVERSE", crest, 1.84, "YES", 0, 0)
        self.file.add("XSECTIONS", name, "RECT_OPEN", 2.0, width, 0, 0)

    def pump(self, name: str, start: str, end: str, lps: float) -> None:
        """A pump of one flow, as long as it finds water; started and stopped from outside."""
        self.file.add("PUMPS", name, start, end, f"{name}.curve", "OFF", 0, 0)
        self.file.add("CURVES", f"{name}.curve", "PUMP4", 0.0, 0.0)
        for depth, share in ((0.15, 0.0), (0.25, 1.0), (20.0, 1.0)):
            self.file.add("CURVES", f"{name}.curve", "", depth, lps * share)

    def write(self, path: Path) -> None:
        """Write the file."""
        self.file.write(path)


_OVERHEAD = "r1=0.06 x1=0.38 r0=0.2 x0=1.2 c1=0 c0=0 units=km"
_CABLE = "r1=0.16 x1=0.11 r0=0.5 x0=0.4 c1=0 c0=0 units=km"
"""Ohms a kilometre of usual 110 kV lines and 20 kV cables of 185 mm2."""


class Grid:
    """The usual parts of a power network: 110 kV above, 20 kV feeders."""

    def __init__(self, title: str) -> None:
        self.rows = [
            f"! {title}",
            "Clear",
            "New Circuit.city basekv=110 pu=1.02 bus1=grid phases=3 MVAsc3=2000",
        ]

    def substation(self, name: str, transformer: str, kva: float) -> None:
        """A substation's breaker on the high side, and its transformer."""
        self.rows.append(f"New Line.{name} bus1=grid bus2={name} length=2 {_OVERHEAD}")
        self.rows.append(
            f"New Transformer.{transformer} phases=3 windings=2 buses=({name}, {transformer}) "
            f"conns=(delta, wye) kvs=(110, 20) kvas=({kva:g}, {kva:g}) xhl=10 taps=(1, 1.02)"
        )

    def feeder(self, name: str, above: str, km: float, kw: float) -> None:
        """A feeder's first line and its customers, as one load."""
        self.tie(name, above, name, km)
        self.load(name, name, kw)

    def load(self, name: str, bus: str, kw: float) -> None:
        """A load that turns into a resistance where the voltage is low."""
        self.rows.append(
            f"New Load.{name} bus1={bus} phases=3 kV=20 kW={kw:g} pf=0.96 model=1 vminpu=0.85 conn=delta"
        )

    def tie(self, name: str, one: str, other: str, km: float = 1.0) -> None:
        """A cable between two buses; between two feeders it closes a ring."""
        self.rows.append(f"New Line.{name} bus1={one} bus2={other} length={km:g} {_CABLE}")

    def write(self, path: Path) -> None:
        """Write the file."""
        end = ["Set VoltageBases=[110, 20]", "CalcVoltageBases", "Solve"]
        path.write_text("\n".join([*self.rows, *end]) + "\n", encoding="utf-8")
