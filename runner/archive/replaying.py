"""A range of an archive as the input of a replay.

In:  the address of an archive, a range, a city model or none: then the one that the archive keeps.
Out: records in the order received; damaged files in the summary.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runner.archive.days import lay_out
from runner.archive.manifests import Listed, Manifest, models_in, only_city
from runner.archive.place import BadArchive, Place
from runner.archive.reading import Range, records_of
from runner.model import Model, load_model
from runner.replay import BLOCKS_FROM, Cutting, Heard
from schemas.times import rfc3339

FAULTS_MAX = 100


class Archived:
    """What an archive holds of a range.

    ``city_file`` is a model in the place of the archive's own; ``called``: how people know it.
    Raises BadArchive where the archive is none, or where the model changed within the range; BadConfig for a
    model with faults; OSError.
    """

    def __init__(
        self,
        address: str,
        wanted: Range,
        city_file: Path | None = None,
        cutting: Cutting = "frames",
        called: str = "",
    ) -> None:
        self.name = called or address
        self._place, self._wanted = Place(address), wanted
        given = load_model(city_file) if city_file else None
        city = given.city.city if given else only_city(self._place)
        self._listed = Listed(self._place, city)
        self._chosen = [one for one in self._listed.manifests if wanted.meets(one)]
        self.model = given or self._kept_model(city)
        self.told = self._time_is_told()
        small = len(self.model.city.sensors) < BLOCKS_FROM
        self._cutting: Cutting = "frames" if small and cutting == "blocks" else cutting
        self._faults = list(self._listed.faults)
        self._count = len(self._faults)
        self.taken = 0

    def records(self) -> Iterator[Heard]:
        """All of them, once. Raises OSError where the place can't be reached."""
        for record in records_of(self._place, self._chosen, self._wanted, self._fault, self._cutting):
            self.taken += 1
            yield record

    def counts(self) -> dict[str, Any]:
        """What was read, and files that could not be."""
        return {
            "records": self.taken,
            "batches": len(self._chosen),
            "damaged_files": self._count,
            "first_damaged_files": self._faults,
        }

    def nothing(self) -> str:
        """What to say where nothing of it could be used."""
        there = self._listed.manifests
        if self._faults:
            what = self._faults[0]
        elif not there:
            what = f"nothing is in it of {self.model.city.city}"
        else:
            start, end = min(one.start for one in there), max(one.end for one in there)
            what = f"nothing was received {self._wanted.words()}; it holds {rfc3339(start)} to {rfc3339(end)}"
        return f"{self.name}: nothing to replay: {what}"

    def _fault(self, what: str) -> None:
        self._count += 1
        if len(self._faults) < FAULTS_MAX:
            self._faults.append(what)

    def _time_is_told(self) -> bool:
        kinds = {one.told for one in self._chosen}
        if len(kinds) > 1:
            raise BadArchive(
                f"{self.name}: a part of the range came from Kafka, another did not; replay the parts by "
                "themselves with --from and --to"
            )
        return kinds == {True}

    def _kept_model(self, city: str) -> Model:
        there = self._chosen or self._listed.manifests
        if not there:
            raise BadArchive(f"{self.name}: nothing can be read of {city}: {'; '.join(self._listed.faults)}")
        digests = models_in(there)
        if len(digests) > 1:
            raise BadArchive(
                f"{self.name}: the city model changed within the range: {_changes(there)}; replay the parts "
                "by themselves with --from and --to, or name one model for all with --city"
            )
        with TemporaryDirectory(prefix="crosscurrent-model-") as scratch:
            return load_model(lay_out(self._place, city, digests[0], Path(scratch)))


def _changes(manifests: list[Manifest]) -> str:
    """Since when each model was in use."""
    since: dict[str, int] = {}
    for one in manifests:
        since.setdefault(one.model, one.start)
    return ", ".join(f"{digest[:12]} since {rfc3339(at)}" for digest, at in since.items())
