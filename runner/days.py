"""Days to replay, each by itself: recordings, and archives day by day.

In:  what people name: recordings, folders of them, archives; a range of times of receipt.
Out: ``Day``s: what to ask a replay for, a digest of what was received, the city model that lies with it.
Raises BadInput where nothing is there, BadArchive, OSError where it can't be read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.bench.day import CITY, LABELS, RECORDINGS, digest
from runner.extras import needs
from runner.labels import BadInput
from runner.sources import Asked
from schemas.times import DAY, SECOND


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the day is one of an archive: what the archive says of it."""

    on: str
    """The day, in UTC: ``2025-06-04``."""
    city: str
    digest: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """A recording, or one day of what an archive received. Times are of receipt, in ms."""

    name: str
    """The path of a recording, or the address of an archive."""
    start: int | None = None
    end: int | None = None
    kept: Kept | None = None

    @property
    def title(self) -> str:
        """What people call it."""
        if self.kept:
            return f"{self.name.rstrip('/').rpartition('/')[2]}/{self.kept.on}"
        path = Path(self.name)
        return f"{path.resolve().parent.name}/{path.name.split('.jsonl')[0]}"

    @property
    def labels(self) -> Path | None:
        """Where the truth about it lies, if it does: beside a recording, NAME.labels.json."""
        path = Path(self.name)
        beside = path.with_name(path.name.split(".jsonl")[0] + LABELS)
        return beside if not self.kept and beside.is_file() else None

    def asked(self, city: Path | None) -> Asked:
        """What to ask a replay for."""
        return Asked(self.name, city, self.start, self.end)

    def digest(self) -> str:
        """Of what was received in it."""
        received = self.kept.digest if self.kept else digest([Path(self.name)])
        return f"{received} {self.start} {self.end}"

    def city(self, cache: Path) -> Path | None:
        """The city model that lies with it; an archive's is laid into a folder of the cache. None where there
        is none.

        Raises BadInput where the model changed within the day.
        """
        if not self.kept:
            beside = Path(self.name).with_name(CITY)
            return beside if beside.is_file() else None
        if len(self.kept.models) > 1:
            raise BadInput(
                f"{self.title}: the city model changed on this day; name one model for the whole of it; "
                "it is left out"
            )
        folder = cache / "models" / self.kept.models[0]
        if not folder.is_dir():
            from runner.archive.days import lay_out
            from runner.archive.place import Place

            folder.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".part-", dir=folder.parent) as scratch:
                made = Path(scratch) / folder.name
                lay_out(Place(self.name), self.kept.city, self.kept.models[0], made)
                if not folder.is_dir():  # another process may have been quicker
                    made.rename(folder)
        return folder / CITY


def days_in(given: Sequence[str], start: int | None = None, end: int | None = None) -> list[Day]:
    """The days that are named, and those of folders and archives that are named, between two times."""
    found: list[Day] = []
    for name in given:
        found += _archived(name, start, end) if is_archive(name) else _recorded(name, start, end)
    return list(dict.fromkeys(found))


def is_archive(name: str) -> bool:
    """Whether it is an address other than a path, or a folder that holds an archive."""
    return "://" in name or any(Path(name).glob("city=*/manifests"))


def _recorded(name: str, start: int | None, end: int | None) -> Iterator[Day]:
    path = Path(name)
    inside = (
        sorted(one for one in path.iterdir() if one.name.endswith(RECORDINGS)) if path.is_dir() else [path]
    )
    if not inside or not inside[0].is_file():
        raise BadInput(
            f"{name}: no recording here; expected NAME.jsonl (.gz, .zst), or an archive; nothing was replayed"
        )
    return (Day(str(one), start, end) for one in inside)


def _archived(name: str, start: int | None, end: int | None) -> Iterator[Day]:
    with needs("archive"):
        from runner.archive.days import held_days
        from runner.archive.manifests import only_city
        from runner.archive.place import Place
        from runner.archive.reading import Range
    place, wanted = Place(name), Range(start, end)
    city = only_city(place)
    days = held_days(place, city, wanted)
    if not days:
        there = held_days(place, city, Range())
        holds = f"it holds {there[0].day} to {there[-1].day}" if there else "nothing is in it"
        raise BadInput(f"{name}: nothing was received {wanted.words()}; {holds}; nothing was replayed")
    for held in days:
        begins = round(datetime(held.day.year, held.day.month, held.day.day, tzinfo=UTC).timestamp()) * SECOND
        yield Day(
            name,
            begins if start is None else max(begins, start),
            begins + DAY if end is None else min(begins + DAY, end),
            Kept(str(held.day), city, held.digest, held.models),
        )
