"""``city.yaml`` to the city model, or every fault of it at once.

In:  the path of a city model; a ``vocabulary.yaml`` beside it counts.
Out: ``City``, or faults with line and column: what is wrong, what was expected, the nearest valid name.

Promises: a part with a fault hides no fault of another part. Kinds and quantities that no vocabulary knows
are allowed, and told as notes, because a misspelt kind looks the same as a new one.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from schemas.city import Asset, City, Identifier, Link, Sensor, known_zone
from schemas.citychecks import Items, Parts, check, notes, subject_of
from schemas.errors import BadConfig, Fault
from schemas.memory import building
from schemas.mending import advice
from schemas.vocabulary import Vocabulary, load_vocabulary
from schemas.wording import validate
from schemas.yamlfile import Document, read

Part = TypeVar("Part", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Lint:
    """What was found in a city model. ``city`` is None where there are faults."""

    city: City | None
    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]
    """Worth a look; nothing stops for them."""


class Header(BaseModel):
    """The fields of a city model with its lists still unread."""

    model_config = ConfigDict(extra="forbid")

    city: Identifier
    timezone: Annotated[str, AfterValidator(known_zone)]
    assets: list[Any]
    links: list[Any] = []
    sensors: list[Any] = []


def load_city(path: Path) -> City:
    """The city model in a file. Raises BadConfig with every fault of it (or of the vocabulary beside it)."""
    with building():
        found = lint_city(path)
    if found.city is None:
        raise BadConfig(found.faults)
    return found.city


def lint_city(path: Path, *, advise: bool = False) -> Lint:
    """Everything wrong with a city model. Raises BadConfig only where the file itself can't be read.

    ``advise``: note also links that it may lack, and links that stand out.
    """
    document = read(path)
    faults = list(document.faults)
    vocabulary = _vocabulary(path, faults)
    if not isinstance(document.data, dict):
        if not document.faults:
            what = "the file is empty" if document.data is None else "the file holds no mapping"
            faults.append(document.fault((), f"{what}; expected a city model that begins with 'city: NAME'"))
        return Lint(None, tuple(sorted(faults)), ())
    header = validate(Header, document.data, (), document, faults)
    parts = Parts(
        assets=_items(Asset, "assets", document, faults),
        links=_items(Link, "links", document, faults),
        sensors=_items(Sensor, "sensors", document, faults),
    )
    faults += check(parts, vocabulary, document)
    city = None if header is None or faults else _city(header, parts)
    noted = list(notes(parts, vocabulary, document))
    if advise and city is not None:
        noted += [document.fault((items, place), why) for items, place, why in advice(city)]
    return Lint(city=city, faults=tuple(sorted(faults)), notes=tuple(sorted(noted)))


def _city(header: Header, parts: Parts) -> City:
    return City(
        city=header.city,
        timezone=header.timezone,
        assets=tuple(parts.assets.read.values()),
        links=tuple(parts.links.read.values()),
        sensors=tuple(parts.sensors.read.values()),
    )


def _vocabulary(path: Path, faults: list[Fault]) -> Vocabulary:
    """The city's words; ours alone where its own file has faults, which are told too."""
    try:
        return load_vocabulary(beside=path)
    except BadConfig as error:
        faults += error.faults
        return load_vocabulary()


def _items(model: type[Part], name: str, document: Document, faults: list[Fault]) -> Items[Part]:
    raw = document.data.get(name)
    found: Items[Part] = Items(raw if isinstance(raw, list) else [])
    with suppress(ValidationError):  # in one go, which is far quicker, as long as nothing is wrong
        parts = TypeAdapter(list[model]).validate_python(found.raw, by_alias=True, by_name=False)  # type: ignore[valid-type] # a type made at run time
        return Items(found.raw, dict(enumerate(parts)))
    for index, value in enumerate(found.raw):
        part = validate(model, value, (name, index), document, faults, subject_of(name, index, value))
        if part is not None:
            found.read[index] = part
    return found
