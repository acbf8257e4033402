"""What a reader makes of one file: assets and links that still bear the names of the file.

In:  what the readers find. Out: assets with ids that a city model accepts, each once in the city.

Ids: the model's own name, because people know it. The kind stands in front where the name is only a number,
where two assets share it (in EPANET a junction and a pump may both be called 9), and where the asset is not
the thing that bears the name (a feeder is named after its first line).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.city import Relation, Utility
from schemas.errors import CrosscurrentError

Point = tuple[float, float]
"""x and y as in the file: units of its drawing, or degrees of longitude and latitude."""

Value = float | str | bool

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 80
"""Characters of a name that an id keeps: the rest of the 100 allowed is for the kind and a number."""


class CantImport(CrosscurrentError):
    """A file that is no model, or not of the kind that was said. The text has file, line, and what next."""


@dataclass(eq=False, slots=True)
class DraftAsset:
    """An asset on its way into the draft. Two of them are never equal: links hold the asset itself."""

    name: str
    """What the file calls it; where ``derived``, the thing that it was made of."""
    kind: str
    utility: Utility
    at: Point | None = None
    reach: list[Point] = field(default_factory=list)
    """Where else it can be met: every bus of a feeder. Couplings look for the nearest of them."""
    zone: str | None = None
    properties: dict[str, Value] = field(default_factory=dict)
    derived: bool = False
    coupled: bool = True
    """Whether guesses may link it."""
    id: str = ""
    position: tuple[float, float] | None = None
    """Latitude, longitude."""
    reach_positions: list[tuple[float, float]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class DraftLink:
    """A link on its way into the draft; ``comment`` stands behind it."""

    source: DraftAsset
    target: DraftAsset
    relation: Relation
    properties: dict[str, Value] = field(default_factory=dict)
    comment: str = ""


@dataclass(slots=True)
class Part:
    """What one file gave."""

    file: str
    format: str
    """``EPANET``, ``SWMM``, ``OpenDSS`` or ``pandapower``: what people call it."""
    assets: list[DraftAsset] = field(default_factory=list)
    links: list[DraftLink] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """How many of what, and why."""
    notes: list[str] = field(default_factory=list)
    """What was assumed, and what was merged."""
    metres_per_unit: float | None = None
    """Of the drawing, where the file tells."""
    consumers: dict[str, DraftAsset] = field(default_factory=dict)
    """Power: who feeds the load of this name."""
    _linked: set[tuple[DraftAsset, Relation, DraftAsset]] = field(default_factory=set)

    def add(self, asset: DraftAsset) -> DraftAsset:
        """The asset, now part of the draft."""
        self.assets.append(asset)
        return asset

    def link(
        self,
        source: DraftAsset,
        relation: Relation,
        target: DraftAsset,
        properties: dict[str, Value] | None = None,
    ) -> bool:
        """Link two assets; False where they are already linked so (a city model has each link once)."""
        triple = (source, relation, target)
        if source is target or triple in self._linked:
            return False
        self._linked.add(triple)
        self.links.append(DraftLink(source, target, relation, properties or {}))
        return True

    def leave_out(self, count: int, what: str, why: str) -> None:
        """Say that so many (if any) of the file's things are not in the draft."""
        if count:
            self.left_out.append(f"{what}: {count} ({why})")


def counted(count: int, what: str) -> str:
    """``1 pump``, ``2 pumps``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def tidy(value: float) -> float:
    """A number of six digits for people to read: what conversions from feet leave behind is no knowledge."""
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def name_assets(assets: Iterable[DraftAsset]) -> None:
    """Give every asset its id; the same files in the same order give the same ids."""
    listed = list(assets)
    for asset in listed:
        plain = cleaned(asset.name)
        alone = plain if re.search(r"[A-Za-z]", plain) and not asset.derived else ""
        asset.id = alone or with_kind(asset.kind, plain)
    taken = Counter(asset.id for asset in listed)
    for asset in listed:
        if taken[asset.id] > 1:
            asset.id = with_kind(asset.kind, cleaned(asset.name))
    used = Counter(asset.id for asset in listed)
    seen: set[str] = set()
    for asset in listed:
        base, number = asset.id, 1
        while asset.id in seen or (number > 1 and asset.id in used):
            number += 1
            asset.id = f"{base}-{number}"
        seen.add(asset.id)


def cleaned(name: str) -> str:
    """The name in the letters that an id may have: without accents, a dash for everything else."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _NOT_IN_IDS.sub("-", plain).strip("-._")[:_LONGEST]


def with_kind(kind: str, plain: str) -> str:
    """``pump-9``; a name that begins with its kind is left as it is."""
    if plain.casefold().startswith(kind):
        return plain
    return f"{kind}-{plain}" if plain else kind
