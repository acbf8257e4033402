"""The tracks of a city's sensors, each made when its sensor speaks first: large cities start at once.

In:  a city model; the states of tracks.
Out: the track of a sensor by its id. Raises KeyError for sensors that the model doesn't have.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.city import City
from schemas.vocabulary import Vocabulary
from streams.track import Track
from streams.watch import prepare


class Tracks(dict[str, Track]):
    """Tracks by sensor. What a snapshot told of a sensor waits until that speaks."""

    def __init__(self, city: City, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._city, self._vocabulary = city, vocabulary
        self._number = {sensor: number for number, sensor in enumerate(city.sensor_by_id)}
        self._waiting: dict[str, list[Any]] = {}

    def __missing__(self, sensor: str) -> Track:
        """The track of a sensor that speaks for the first time."""
        found = self._city.sensor_by_id[sensor]
        track = self[sensor] = Track(
            prepare(found, str(self._city.asset_by_id[found.asset].utility), self._vocabulary),
            self._number[sensor],
        )
        if state := self._waiting.pop(sensor, None):
            track.restore(state)
        return track

    def heard(self) -> Iterator[tuple[str, Track]]:
        """The sensors that have spoken, with their tracks, in the order of the model."""
        spoken = [one for one in self._city.sensor_by_id if one in self or one in self._waiting]
        return ((sensor, self[sensor]) for sensor in spoken)

    def snapshot(self) -> dict[str, list[Any]]:
        """What ``restore`` needs, as JSON: of the sensors that have spoken, in the order of the model."""
        return {
            sensor: state
            for sensor in self._city.sensor_by_id
            if (state := self[sensor].snapshot() if sensor in self else self._waiting.get(sensor))
        }

    def restore(self, states: Mapping[str, list[Any]]) -> None:
        """Go on from a snapshot; sensors that the model has lost are let go."""
        self.clear()
        self._waiting = {sensor: states[sensor] for sensor in self._city.sensor_by_id if sensor in states}
