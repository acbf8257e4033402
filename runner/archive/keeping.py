"""An archive, kept in order: compaction, retention, verification.

In:  the place of an archive.
Out: fewer and larger files; less of what is old; the names of what is damaged.
Promises: a kill at any moment loses nothing and doubles nothing: what replaces is written before what it
replaces is removed, and a reader believes manifests alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import NamedTuple

import pyarrow as pa

from runner.archive.manifests import File, Listed, Manifest, folder_of, sha256
from runner.archive.place import Place
from runner.archive.reading import checked
from runner.archive.tables import packed_table, unpacked

COMPACTED_ROWS = 20_000_000
"""At most so many numbers in one compacted batch: its files are held in memory, packed, when it is read."""


class Held(NamedTuple):
    """What an archive has of a day and a utility."""

    day: date
    utility: str
    files: int
    readings: int
    others: int
    bytes: int


def held(manifests: Iterable[Manifest]) -> list[Held]:
    """By day and utility."""
    found: dict[tuple[date, str], list[File]] = {}
    for one in manifests:
        for file in one.files:
            found.setdefault((one.day, file.utility or ""), []).append(file)
    return [
        Held(
            day,
            utility,
            len(files),
            sum(file.rows for file in files if file.kind == "readings"),
            sum(file.rows for file in files if file.kind != "readings"),
            sum(file.bytes for file in files),
        )
        for (day, utility), files in sorted(found.items())
    ]


def verify(place: Place, city: str) -> Iterator[str]:
    """What is wrong: manifests and files that are gone or are not what was written."""
    listed = Listed(place, city)
    yield from listed.faults
    for manifest in listed.manifests:
        for file in manifest.files:
            try:
                rows = sum(table.num_rows for table in unpacked(checked(place, file)))
            except (OSError, pa.ArrowException) as error:
                yield f"{file.path}: {error}; it holds {file.rows} {file.kind} of {manifest.day}"
                continue
            if rows != file.rows:
                yield f"{file.path}: it holds {rows} rows, {file.rows} expected"


def compact(
    place: Place, city: str, on_fault: Callable[[str], None], before: date | None = None
) -> Iterator[Manifest]:
    """Make one batch of each day's batches, day by day; yields what was made.

    Only days before ``before``, where it is given. A day with a damaged file is told and left as it is.
    """
    listed = Listed(place, city)
    for fault in listed.faults:
        on_fault(fault)
    _sweep(place, city, listed)
    for day, of_day in groupby(listed.manifests, key=lambda one: one.day):
        if before is None or day < before:
            for batches in _together(list(of_day)):
                try:
                    made = _merged(place, batches)
                except (OSError, pa.ArrowException) as error:
                    on_fault(f"{day}: left as it is: {error}")
                    continue
                yield made
                _remove(place, batches)


def _together(batches: Sequence[Manifest]) -> Iterator[list[Manifest]]:
    """Batches that may become one: next to each other, of one model and source, not too many rows."""
    for _, alike in groupby(batches, key=lambda one: (one.model, one.source)):
        group: list[Manifest] = []
        for one in alike:
            full = sum(other.numbers for other in group) + one.numbers > COMPACTED_ROWS
            if group and (full or one.first < group[-1].next):  # numbers must rise: they are the order
                yield from [group] if len(group) > 1 else []
                group = []
            group.append(one)
        yield from [group] if len(group) > 1 else []


def _merged(place: Place, batches: Sequence[Manifest]) -> Manifest:
    first, last = batches[0], batches[-1]
    generation = 1 + max(one.generation for one in batches)
    kinds = sorted({(file.kind, file.utility or "") for one in batches for file in one.files})
    files = []
    for kind, utility in kinds:
        tables = []
        for one in batches:
            for file in one.files:
                if (file.kind, file.utility or "") == (kind, utility):
                    try:
                        tables += list(unpacked(checked(place, file)))
                    except (OSError, pa.ArrowException) as error:
                        raise OSError(f"{file.path}: {error}") from error
        table = pa.concat_tables(tables).unify_dictionaries()
        content = packed_table(table)
        path = (
            f"{folder_of(first.city)}/{kind}/day={first.day}/utility={utility}/"
            f"{first.first:016}-{generation}.parquet"
        )
        place.put(path, content)
        files.append(
            File(
                path=path,
                kind=kind,
                utility=utility,
                rows=table.num_rows,
                bytes=len(content),
                sha256=sha256(content),
            )
        )
    made = first.model_copy(
        update={
            "numbers": last.next - first.first,
            "generation": generation,
            "start": min(one.start for one in batches),
            "end": max(one.end for one in batches),
            "upto": max(one.upto for one in batches),
            "files": tuple(files),
            "replaces": tuple(one.name for one in batches),
        }
    )
    place.put(made.name, made.model_dump_json(indent=1).encode())
    return made


def trim(place: Place, city: str, oldest: date) -> list[date]:
    """Remove all days before ``oldest``; the days that went."""
    gone = [one for one in Listed(place, city).manifests if one.day < oldest]
    _remove(place, gone)
    return sorted({one.day for one in gone})


def _remove(place: Place, manifests: Iterable[Manifest]) -> None:
    """Manifests first: what no manifest names is nobody's."""
    for one in manifests:
        place.remove(one.name)
        for file in one.files:
            place.remove(file.path)


def _sweep(place: Place, city: str, listed: Listed) -> None:
    """Remove what a kill left: replaced manifests, and files that no manifest names."""
    if listed.faults:  # what they name is not known
        return
    named = {file.path for one in listed.manifests for file in one.files}
    for name in listed.leftovers:
        place.remove(name)
    for name in place.names(folder_of(city)):
        if name.endswith(".parquet") and name not in named:
            place.remove(name)
