"""What a city model must hold beyond the form of its fields.

In:  assets, links and sensors as far as they could be read, the vocabulary, and the document they stand in.
Out: faults (check) and notes (notes).
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Generic, TypeGuard, TypeVar

from schemas import borders
from schemas.city import ACYCLIC, LEVELS, Asset, Link, Relation, Sensor
from schemas.errors import Fault
from schemas.units import alike, converter
from schemas.vocabulary import Vocabulary
from schemas.wording import nearest
from schemas.yamlfile import Document

Part = TypeVar("Part")
Path = tuple[str | int, ...]

COMPARISONS_MAX = 200_000
"""Names compared in search of near ones, in all: a large file full of mistakes is told quickly."""


@dataclass(slots=True)
class Items(Generic[Part]):
    """One list of the city model: as it stands in the file, and what of it could be read, by index."""

    raw: Sequence[object]
    read: dict[int, Part] = field(default_factory=dict)


@dataclass(slots=True)
class Parts:
    """The three lists of a city model."""

    assets: Items[Asset]
    links: Items[Link]
    sensors: Items[Sensor]


def check(parts: Parts, vocabulary: Vocabulary, document: Document) -> Iterator[Fault]:
    """Every fault of the parts together."""
    names = {index: item["id"] for index, item in enumerate(parts.assets.raw) if _has_id(item)}
    yield from _twice(document, "assets", ("id",), names, "asset id {!r}")
    known = _Names(names.values())
    yield from _unknown_assets(parts, known, document)
    yield from _links(parts.links.read, document)
    yield from _cycles(parts.links.read, document)
    sensors = parts.sensors.read
    ids = {index: sensor.id for index, sensor in sensors.items()}
    yield from _twice(document, "sensors", (), ids, "sensor {!r}")
    problem = _units(vocabulary)
    for index, sensor in sensors.items():
        wrong = problem(sensor.unit, sensor.quantity)
        for where, message in (*([(("unit",), wrong)] if wrong else []), *limit_faults(sensor)):
            yield document.fault(("sensors", index, *where), f"sensor {ids[index]!r}: {message}")


def notes(parts: Parts, vocabulary: Vocabulary, document: Document) -> Iterator[Fault]:
    """Borders that separate nothing, and words that no vocabulary knows, each once where it stands first."""
    yield from _idle_borders(parts, document)
    kinds: dict[str, Path] = {}
    for index, asset in parts.assets.read.items():
        kinds.setdefault(asset.kind, ("assets", index, "kind"))
    quantities: dict[str, Path] = {}
    for index, sensor in parts.sensors.read.items():
        quantities.setdefault(sensor.quantity, ("sensors", index, "quantity"))
    for words, known, what in (
        (kinds, vocabulary.kinds, "kind"),
        (quantities, vocabulary.quantities, "quantity"),
    ):
        for word, path in words.items():
            if word not in known:
                text = f"the {what} {word!r} is in no vocabulary; only general rules will know it"
                yield document.fault(path, text + nearest(word, known))


class _Names:
    """The ids that there are, and the nearest of them to one that is not."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(names)
        self._searches = COMPARISONS_MAX // (len(self._names) + 1)
        self._hints: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def hint(self, name: str) -> str:
        if name not in self._hints:
            self._hints[name] = nearest(name, self._names) if len(self._hints) < self._searches else ""
        return self._hints[name]


def _has_id(item: object) -> TypeGuard[dict[str, str]]:
    return isinstance(item, dict) and isinstance(item.get("id"), str)


def _twice(
    document: Document, name: str, where: Path, ids: Mapping[int, Hashable], words: str
) -> Iterator[Fault]:
    """Faults at the second and later of equal ids."""
    first: dict[Hashable, int] = {}
    for index, found in ids.items():
        if first.setdefault(found, index) != index:
            line = document.line((name, first[found]))
            text = f"{words.format(found)} is taken by line {line}; each must be there once"
            yield document.fault((name, index, *where), text)


def _unknown_assets(parts: Parts, known: _Names, document: Document) -> Iterator[Fault]:
    """Links and sensors at assets that are not there; also where they have other faults."""
    for name, raw, fields in (
        ("links", parts.links.raw, ("from", "to")),
        ("sensors", parts.sensors.raw, ("asset",)),
    ):
        for index, item in enumerate(raw):
            for field_name in fields:
                asset = item.get(field_name) if isinstance(item, dict) else None
                if isinstance(asset, str) and asset not in known:
                    text = f"{subject_of(name, index, item)}no asset {asset!r}{known.hint(asset)}"
                    yield document.fault((name, index, field_name), text)


def _links(links: dict[int, Link], document: Document) -> Iterator[Fault]:
    for index, link in links.items():
        if link.source == link.target:
            subject = f"link {link.source!r} to {link.target!r}: "
            yield document.fault(("links", index, "to"), f"{subject}an asset can't be linked to itself")
    triples = {index: (link.source, link.relation.value, link.target) for index, link in links.items()}
    yield from _twice(document, "links", (), triples, "link {0[0]!r} {0[1]} {0[2]!r}")


def _cycles(links: dict[int, Link], document: Document) -> Iterator[Fault]:
    for relation in sorted(ACYCLIC):
        nexts: dict[str, dict[str, int]] = {}
        for index, link in links.items():
            if link.relation is relation and link.source != link.target:
                nexts.setdefault(link.source, {}).setdefault(link.target, index)
        for index, way in _closing(nexts):
            yield document.fault(("links", index), _round(relation, way))


def _idle_borders(parts: Parts, document: Document) -> Iterator[Fault]:
    """Links marked as borders whose ends hang together all the same."""
    links = parts.links.read
    if not any(link.border for link in links.values()):
        return
    left = borders.Parts((asset.id for asset in parts.assets.read.values()), links.values())
    for index, link in links.items():
        if not link.border:
            continue
        if not borders.joins(link):
            why = f"{link.relation} joins no domains"
        elif way := left.way(link.source, link.target):
            why = f"its ends hang together by {_shown(way)}"
        else:
            continue
        text = f"link {link.source!r} to {link.target!r}: this border separates nothing: {why}"
        yield document.fault(("links", index, "border"), text)


def _round(relation: Relation, way: list[str]) -> str:
    return f"{relation} can't go in a circle, and this link closes one: {_shown(way)}"


def _shown(way: list[str]) -> str:
    return " -> ".join(way if len(way) <= 8 else [*way[:4], "...", *way[-3:]])


def _closing(nexts: dict[str, dict[str, int]]) -> Iterator[tuple[int, list[str]]]:
    """Each link that leads back to where a walk came from, with the circle that it closes."""
    done: set[str] = set()
    for start in nexts:
        way: dict[str, Iterator[tuple[str, int]]] = {}
        here: str | None = None if start in done else start
        while here is not None:
            steps = way.setdefault(here, iter(nexts.get(here, {}).items()))
            target, index = next(steps, (None, 0))
            if target is None:
                done.add(here)
                del way[here]
                here = next(reversed(way), None)
            elif target in way:
                names = list(way)
                yield index, [*names[names.index(target) :], target]
            elif target not in done:
                here = target


def _units(vocabulary: Vocabulary) -> Callable[[str, str], str]:
    """A function that tells what is wrong with a unit for a quantity; '' where nothing is."""

    @cache
    def problem(unit: str, quantity: str) -> str:
        usual = vocabulary.unit(quantity)
        if unit == usual or (usual is None and unit in vocabulary.units):
            return ""
        if usual is not None and alike(unit, usual):
            return ""
        try:
            converter(unit, unit if usual is None else usual, quantity)
        except ValueError as error:
            return str(error) + (f", the usual unit of {quantity}" if "convert" in str(error) else "")
        return ""

    return problem


def limit_faults(sensor: Sensor) -> Iterator[tuple[Path, str]]:
    """Limits in the wrong order, and a deadband that leaves no room between them."""
    limits = sensor.limits
    levels = zip(LEVELS, (limits.low_low, limits.low, limits.high, limits.high_high), strict=True)
    given = [(level, value) for level, value in levels if value is not None]
    if len(given) <= 1:  # most sensors
        return
    in_order = True
    for (below, low), (above, high) in pairwise(given):
        if low >= high:
            in_order = False
            text = f"limits in the wrong order: {below} {low:g} must be under {above} {high:g}"
            yield ("limits", above), text
    lows = [value for level, value in given if level.startswith("low")]
    highs = [value for level, value in given if level.startswith("high")]
    if in_order and lows and highs and sensor.deadband >= highs[0] - lows[-1]:
        gap = f"{lows[-1]:g} to {highs[0]:g}"
        yield ("deadband",), f"deadband {sensor.deadband:g} leaves no room between the limits {gap}"


def subject_of(name: str, index: int, value: object) -> str:
    """What people would call this part: ``asset 'pump-3': ``, or its number where it names nothing."""
    fields = value if isinstance(value, dict) else {}
    match name, fields:
        case "assets", {"id": str(asset)}:
            return f"asset {asset!r}: "
        case "links", {"from": str(source), "to": str(target)}:
            return f"link {source!r} to {target!r}: "
        case "sensors", {"asset": str(asset), "quantity": str(quantity)}:
            return f"sensor {f'{asset}/{quantity}'!r}: "
    return f"{name.removesuffix('s')} number {index + 1}: "
