"""Suites of days for the benchmark: which cities, how many days, made on the spot from a seed.

In:  a suite's name and a seed. Out: ``Day``s, and each of them made: a recording, its city and its truth.

``train`` has seeds of its own, whatever is asked for, so that nobody tunes on days that judge. ``quick`` and
``full`` draw every day from the seed given.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import CrosscurrentError
from schemas.wording import nearest
from simulator.cities import SHIPPED
from simulator.drawing import draw
from simulator.generating import generate_folder
from simulator.making import make as make_day
from simulator.physics import Town, load_town

TRAIN_SEED = 20_250_505
"""The seed of the days that anybody may look at and tune on."""


class UnknownSuite(CrosscurrentError):
    """There is no suite of that name."""


@dataclass(frozen=True, slots=True)
class Source:
    """A city of a suite: one that we ship, or one of so many zones generated from the suite's seed."""

    name: str
    days: int
    quiet: int
    """How many of the days are quiet for sure."""
    zones: int | None = None


SUITES: dict[str, tuple[Source, ...]] = {
    "quick": (Source("riverton", 9, 1), Source("quickton", 4, 1, zones=2)),
    "full": (
        Source("riverton", 28, 4),
        Source("smallton", 16, 2, zones=2),
        Source("middleton", 24, 3, zones=5),
        Source("lakeland", 6, 1),
    ),
    "train": (
        Source("riverton", 28, 4),
        Source("trainton", 24, 3, zones=3),
        Source("traincity", 16, 2, zones=6),
        Source("lakeland", 8, 1),
    ),
}  # fmt: skip - a table
"""Every suite."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a suite; ``name`` is unique in it, ``city`` the folder it is made into."""

    name: str
    city: str
    seed: int
    quiet: bool
    zones: int | None


def days(suite: str, seed: int) -> tuple[Day, ...]:
    """The days of a suite. Raises UnknownSuite."""
    if suite not in SUITES:
        raise UnknownSuite(
            f"there is no suite {suite!r}{nearest(suite, SUITES)}; there are {', '.join(SUITES)}"
        )
    seed = TRAIN_SEED if suite == "train" else seed
    found = []
    for source in SUITES[suite]:
        for number in range(source.days):
            name = f"{source.name.lower()}-{seed}-{number + 1:02d}"
            found.append(Day(name, source.name, seed, number < source.quiet, source.zones))
    return tuple(found)


def make(day: Day, out: Path) -> None:
    """Make a day: out/CITY/city.yaml, NAME.jsonl.gz, NAME.labels.json. Raises EngineFailed.

    Safe in several processes at once; a generated city is made and commissioned by the first that needs it.
    """
    town = _town(day, out)
    scenario = draw(town, day.name, day.seed, quiet=day.quiet or None)
    make_day(town, scenario, day.seed, out / day.city)


def _town(day: Day, out: Path) -> Town:
    if day.zones is None:
        if not (SHIPPED / day.city / "physics").is_dir():
            raise UnknownSuite(
                f"{day.city} comes with a clone of the repository, not with the package; run it there; "
                "this day is left out"
            )
        return load_town(SHIPPED / day.city)
    folder = out / ".cities" / day.city
    with _alone(out / ".cities" / f"{day.city}.lock"):
        if not folder.is_dir():
            generate_folder(folder, day.zones, day.seed, day.city)
    return load_town(folder)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
