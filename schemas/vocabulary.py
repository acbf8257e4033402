"""The words of city models: quantities with their units and conditions, and kinds of assets.

In: ``vocabulary.yaml`` of this folder, and a city's own one beside its ``city.yaml``. Out: ``Vocabulary``.
Promises: a city's entry replaces ours of the same name whole; all others stay as they are.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.city import LEVELS, Identifier, Utility
from schemas.errors import BadConfig, Fault
from schemas.units import converter
from schemas.wording import validate
from schemas.yamlfile import Document, read

BUILT_IN = Path(__file__).with_name("vocabulary.yaml")
FILE_NAME = BUILT_IN.name
"""What a city's own vocabulary is called; it stands beside its ``city.yaml``."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuantityWord(_Part):
    """What we know of a quantity: its usual unit, and the condition that each of its limits means."""

    unit: str
    conditions: Mapping[Literal["low_low", "low", "high", "high_high"], Identifier] = {}


class KindWord(_Part):
    """What we know of a kind of asset: the utility that usually owns it."""

    utility: Utility


class Vocabulary(_Part):
    """All words. A word that is not here is allowed in a city model; it only has no meaning of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    quantities: Mapping[Identifier, QuantityWord] = {}
    kinds: Mapping[Identifier, KindWord] = {}

    def unit(self, quantity: str) -> str | None:
        """The usual unit of a quantity, None for one that we don't know."""
        word = self.quantities.get(quantity)
        return word.unit if word else None

    def condition(self, quantity: str, level: str) -> str:
        """What passing a limit means: ``voltage`` under ``low_low`` is ``dead``."""
        word = self.quantities.get(quantity)
        named = {str(key): condition for key, condition in word.conditions.items()} if word else {}
        return named.get(level, f"{quantity}_{level}")

    def conditions(self, quantity: str) -> dict[str, str]:
        """The condition of every level of a quantity."""
        return {level: self.condition(quantity, level) for level in LEVELS}

    def knows_quantity(self, quantity: str) -> bool:
        """Whether the quantity is a word of ours."""
        return quantity in self.quantities

    def knows_kind(self, kind: str) -> bool:
        """Whether the kind of asset is a word of ours."""
        return kind in self.kinds

    @cached_property
    def units(self) -> frozenset[str]:
        """Every unit that is some quantity's usual one."""
        return frozenset(word.unit for word in self.quantities.values())

    def overlaid(self, city: "Vocabulary") -> "Vocabulary":
        """These words with a city's own laid over them."""
        return Vocabulary(
            quantities={**self.quantities, **city.quantities}, kinds={**self.kinds, **city.kinds}
        )


def load_vocabulary(beside: Path | None = None) -> Vocabulary:
    """Our words, with those of a ``vocabulary.yaml`` beside the file (or in the folder) ``beside``.

    Raises BadConfig with every fault of that file.
    """
    built_in = _parse(read(BUILT_IN), [])
    if beside is None:
        return built_in
    own = (beside if beside.is_dir() else beside.parent) / FILE_NAME
    if not own.exists():
        return built_in
    document = read(own)
    return built_in.overlaid(_parse(document, _unit_faults(document)))


def _parse(document: Document, faults: list[Fault]) -> Vocabulary:
    """The words of a document. Raises BadConfig with ``faults`` and those that its reading adds."""
    faults += document.faults
    found = None if document.faults else validate(Vocabulary, document.data, (), document, faults)
    if found is None or faults:
        raise BadConfig(faults)
    return found


def _unit_faults(document: Document) -> list[Fault]:
    """Units of a city's own words that no library knows, also where other words can't be read.

    Ours are checked by a test, to start quickly.
    """
    faults = []
    for quantity, unit in _units_of(document.data):
        try:
            converter(unit, unit, quantity)
        except ValueError as error:
            faults.append(document.fault(("quantities", quantity, "unit"), f"quantity {quantity!r}: {error}"))
    return faults


def _units_of(data: object) -> Iterator[tuple[str, str]]:
    words = data.get("quantities") if isinstance(data, dict) else None
    for quantity, word in words.items() if isinstance(words, dict) else ():
        if isinstance(word, dict) and isinstance(word.get("unit"), str):
            yield quantity, word["unit"]
