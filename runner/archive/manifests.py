"""Manifests: what belongs to an archive. A file that no manifest names is none of it.

In:  the place of an archive.
Out: ``Manifest``s in the order received. A manifest is written last, in one piece: so a batch is in the
     archive whole or not at all, and a kill between files harms nothing.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from runner.archive.place import BadArchive, Place
from schemas.times import SECOND, Time

VERSION = 1
NOWHERE = "none"
"""The utility of what belongs to none."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class File(_Part):
    """One Parquet file."""

    path: str
    kind: str
    """readings, events, answers or ticks."""
    utility: str | None
    rows: int
    bytes: int
    sha256: str


class Manifest(_Part):
    """A batch of what was received on one day."""

    version: int = VERSION
    city: str
    model: str
    """Digest of the city model under which it was received; kept under ``models/``."""
    day: date
    """In UTC, by when it was received."""
    first: int
    """Number of its first record."""
    numbers: int
    """How many numbers its records take."""
    generation: int = 0
    """0 as it was written; higher by one each time it was compacted."""
    start: Time
    """When the first was received."""
    end: Time
    """When the last was received."""
    source: str
    told: bool = False
    """Whether stream time comes by ticks alone, as from Kafka; else readings move it."""
    upto: int
    """How far into the source the archive has got with this batch."""
    files: tuple[File, ...]
    replaces: tuple[str, ...] = ()
    """Manifests whose content this one has."""

    @property
    def name(self) -> str:
        """Its place in the archive."""
        return f"{folder_of(self.city)}/manifests/{self.day}/{self.first:016}-{self.generation}.json"

    @property
    def next(self) -> int:
        """The number after its last."""
        return self.first + self.numbers


class Listed:
    """What an archive holds of a city; ``faults`` names manifests that can't be read."""

    def __init__(self, place: Place, city: str) -> None:
        self.faults: list[str] = []
        read = list(self._read(place, city))
        replaced = {name for one in read for name in one.replaces}
        self.manifests = sorted(
            (one for one in read if one.name not in replaced), key=lambda one: (one.start, one.first)
        )
        self.leftovers = sorted(one.name for one in read if one.name in replaced)
        """Manifests that are replaced and still there: somebody was killed before they were removed."""
        self.next = max((one.next for one in read), default=0)

    def _read(self, place: Place, city: str) -> Iterator[Manifest]:
        for name in place.names(f"{folder_of(city)}/manifests"):
            try:
                yield Manifest.model_validate_json(place.get(name))
            except (ValidationError, OSError) as error:
                self.faults.append(
                    f"{name}: not a manifest that can be read; its batch is skipped ({_short(error)})"
                )


def cities(place: Place) -> list[str]:
    """The cities of an archive."""
    tops = {name.split("/")[0] for name in place.names("") if name.startswith("city=")}
    return sorted(top.removeprefix("city=") for top in tops)


def only_city(place: Place) -> str:
    """The one city of an archive. Raises BadArchive for none and for several."""
    found = cities(place)
    if len(found) != 1:
        there = f"it holds {', '.join(found)}; name one with --city" if found else "there is nothing in it"
        raise BadArchive(f"{place.address}: not the archive of one city: {there}")
    return found[0]


def folder_of(city: str) -> str:
    """Where a city's files are."""
    return f"city={city}"


def day_of(received: int) -> date:
    """The day, in UTC, of a time in ms."""
    return datetime.fromtimestamp(received / SECOND, UTC).date()


def sha256(content: bytes) -> str:
    """The digest that manifests name."""
    return hashlib.sha256(content).hexdigest()


def _short(error: Exception) -> str:
    return str(error).splitlines()[0]


def models_in(manifests: Sequence[Manifest]) -> list[str]:
    """Digests of the city models under which these were received, each once, in order."""
    return list(dict.fromkeys(one.model for one in manifests))
