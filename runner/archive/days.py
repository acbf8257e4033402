"""An archive day by day: what it holds of each, and the city models that it keeps.

In:  the place of an archive, a city, times between which something was received.
Out: days with a digest of what is in them; city models laid out in folders.
Raises BadArchive where the archive is none, OSError where it can't be reached.
"""

import hashlib
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import NamedTuple

from runner.archive.manifests import Listed, Manifest, folder_of, models_in
from runner.archive.place import Place
from runner.archive.reading import Range


class Held(NamedTuple):
    """What an archive has of one day (UTC)."""

    day: date
    digest: str
    """Of its files, as the manifests name them."""
    models: tuple[str, ...]
    """Digests of the city models in use."""


def held_days(place: Place, city: str, wanted: Range) -> list[Held]:
    """The days in the range of which there is anything, oldest first."""
    of_day: dict[date, list[Manifest]] = defaultdict(list)
    for one in Listed(place, city).manifests:
        if wanted.meets(one):
            of_day[one.day].append(one)
    return [Held(day, _digest(there), tuple(models_in(there))) for day, there in sorted(of_day.items())]


def _digest(manifests: list[Manifest]) -> str:
    files = sorted(file.sha256 for one in manifests for file in one.files)
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def lay_out(place: Place, city: str, model: str, folder: Path) -> Path:
    """Write a kept city model, with what lies beside it, into a folder; its ``city.yaml``."""
    kept = f"{folder_of(city)}/models/{model}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in place.names(kept):
        (folder / Path(name).name).write_bytes(place.get(name))
    return folder / "city.yaml"
