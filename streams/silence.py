"""Who has gone silent: a sensor, an asset, or the gateway that carries several of them.

In:  when each sensor was last heard (event time), and stream time as it moves.
Out: silences that began and ended, each told once, of the widest thing that is silent as a whole.
Promises: a dead gateway is one silence, not one for each sensor behind it; when it comes back, what it
carries is given the usual time to speak before it is called silent itself.
"""

from array import array
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.city import City, Relation
from schemas.times import SECOND

MISSED = 4.5
"""Intervals without a reading after which a sensor is missing: four reports were due and did not come."""
AHEAD = 30 * SECOND
"""Whose look is due within this time is looked at too: so looks are rare, however many sensors there are."""
NEVER = 1 << 62
"""Later than every time."""


class Subject(NamedTuple):
    """What is silent: an asset, or one sensor of it."""

    asset: str
    sensor: str | None


class Silence(NamedTuple):
    """A silence that began at ``onset`` (``ended`` None), or one that ended, or never was (``gone``)."""

    subject: Subject
    onset: int
    ended: int | None = None
    gone: bool = False


class SilenceWatch:
    """The sensors that should be heard, and those that are not."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._names = list(city.sensor_by_id)
        self._number = {name: number for number, name in enumerate(self._names)}
        self._every = np.rint([sensor.every * SECOND for sensor in city.sensors]).astype(np.int64)
        self._patience = (self._every * MISSED).astype(np.int64)
        self._carried: dict[str, tuple[str, ...]] = {}
        carrying = (city.links_to[asset] for asset in city.sensors_of if asset in city.links_to)
        for gateway in dict.fromkeys(
            k.source for links in carrying for k in links if k.relation is Relation.CARRIES
        ):
            carried = tuple(
                k.target
                for k in city.links_from[gateway]
                if k.relation is Relation.CARRIES and k.target in city.sensors_of
            )
            if len(carried) > 1:
                self._carried[gateway] = carried
        self._carriers: dict[str, list[str]] = defaultdict(list)
        for gateway, assets in self._carried.items():
            for asset in assets:
                self._carriers[asset].append(gateway)
        self.begun = False
        """Whether anybody is waited for."""
        self.heard = array("q", [-1]) * len(self._names)
        """By number in the city model: when each sensor was last heard, or from when on it is waited for. A
        plain array: writing into it one by one is quick."""
        self.heard_at = np.frombuffer(self.heard, np.int64)
        """The same, for many at once."""
        self._due = np.full(len(self._names), NEVER, np.int64)
        """When it is looked at whether each sensor is missing: its deadline, or an earlier one."""
        self._look_at = NEVER
        """The earliest of these."""
        self._missing: dict[str, int] = {}
        """Onset of the silence of each missing sensor."""
        self._told: dict[Subject, int] = {}
        self._back: dict[str, int] = {}
        """Missing sensors that were heard again: event time of the first reading."""

    @property
    def missing(self) -> list[int]:
        """The numbers of the sensors that are missing now."""
        return [self._number[sensor] for sensor in self._missing]

    @property
    def silent(self) -> dict[Subject, int]:
        """What is silent now, and since when."""
        return self._told

    def begin(self, now: int) -> None:
        """Wait for every sensor from now on."""
        self.begun = True
        self.heard_at[self.heard_at < 0] = now
        self._due[:] = self.heard_at + self._patience
        self._look_at = int(self._due.min(initial=NEVER))

    def hear(self, sensor: str, at: int) -> None:
        """The sensor spoke with event time ``at``."""
        number = self._number[sensor]
        if at > self.heard[number]:
            self.heard[number] = at
            if sensor in self._missing:
                self._back.setdefault(sensor, at)

    def hear_all(self, numbers: NDArray[np.int32], at: NDArray[np.int64]) -> None:
        """Sensors that are not missing spoke, each later than before, maybe several times."""
        if self._told:
            at = np.maximum(at, self.heard_at[numbers])
        self.heard_at[numbers] = at  # of several for one sensor the last stands

    def pass_to(self, now: int) -> list[Silence]:
        """Stream time has moved to ``now``: what fell silent, and what is heard again."""
        changed = bool(self._back)
        if now < self._look_at and not changed:
            return []
        found: list[Silence] = []
        due = np.flatnonzero(self._due <= now + AHEAD)
        deadline = self.heard_at[due] + self._patience[due]
        self._due[due] = np.where(deadline > now, deadline, NEVER)
        self._look_at = int(self._due.min(initial=NEVER))
        for number in due[deadline <= now].tolist():
            sensor = self._names[number]
            self._missing[sensor] = self.heard[number] + int(self._every[number])
            changed = True
        if changed:
            found = self._retell(now)
        return found

    def _retell(self, now: int) -> list[Silence]:
        found: list[Silence] = []
        back, self._back = self._back, {}
        for subject, onset in list(self._told.items()):
            if awake := back.keys() & self._behind(subject):
                found.append(self._end(subject, onset, min(back[sensor] for sensor in awake)))
                self._wait_again(self._behind(subject), now)
        self._wait_again(set(back), now)
        silent = self._subjects()
        absorbed = [subject for subject in self._told if subject not in silent]
        found += [Silence(subject, self._told.pop(subject), gone=True) for subject in absorbed]
        found += [Silence(subject, onset) for subject, onset in silent.items() if subject not in self._told]
        self._told.update(silent)
        return found

    def _end(self, subject: Subject, onset: int, heard: int) -> Silence:
        """A silence ends with the first reading after it; one that a late reading fills never was."""
        del self._told[subject]
        return Silence(subject, onset, heard) if heard > onset else Silence(subject, onset, gone=True)

    def _wait_again(self, sensors: set[str], now: int) -> None:
        for sensor in sorted(sensors):
            if self._missing.pop(sensor, None) is not None:
                number = self._number[sensor]
                self.heard[number] = max(self.heard[number], now)
                due = self.heard[number] + int(self._patience[number])
                self._due[number] = due
                self._look_at = min(due, self._look_at)

    def _is_known(self, subject: Subject) -> bool:
        """Whether the model has what could be silent."""
        if subject.sensor is not None:
            return subject.sensor in self._number
        return subject.asset in self._city.sensors_of or subject.asset in self._carried

    def _behind(self, subject: Subject) -> set[str]:
        """The sensors whose silence the subject's silence is."""
        if subject.sensor is not None:
            return {subject.sensor}
        assets = self._carried.get(subject.asset, (subject.asset,))
        return {sensor for asset in assets for sensor in self._sensors(asset)}

    def _subjects(self) -> dict[Subject, int]:
        """The widest things that are silent as a whole, with the onset of their silence."""
        assets = {self._city.sensor_by_id[sensor].asset for sensor in self._missing}
        subjects: dict[Subject, int] = {}
        covered: set[str] = set()
        for gateway in sorted({g for asset in assets for g in self._carriers.get(asset, ())}):
            if (onset := self._silent_gateway(gateway)) is not None:
                subjects[Subject(gateway, None)] = onset
                covered.update(self._carried[gateway])
        for asset in sorted(assets - covered):
            sensors = self._sensors(asset)
            onsets = {s: self._missing[s] for s in sensors if s in self._missing}
            if len(onsets) == len(sensors) or self._nothing_since(asset, min(onsets.values())):
                subjects[Subject(asset, None)] = min(onsets.values())
            else:
                subjects.update({Subject(asset, s): onset for s, onset in onsets.items()})
        return subjects

    def _silent_gateway(self, gateway: str) -> int | None:
        """Onset of the gateway's silence: two assets or more are missing, and nothing was heard since."""
        carried = self._carried[gateway]
        onsets = {a: self._missing[s] for a in carried for s in self._sensors(a) if s in self._missing}
        if len(onsets) < 2:
            return None
        onset = min(onsets.values())
        return onset if all(self._nothing_since(asset, onset) for asset in carried) else None

    def _nothing_since(self, asset: str, onset: int) -> bool:
        return all(self.heard[self._number[sensor]] <= onset for sensor in self._sensors(asset))

    def _sensors(self, asset: str) -> list[str]:
        return [sensor.id for sensor in self._city.sensors_of[asset]]

    def snapshot(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON."""
        return {
            "heard": {name: at for name, at in zip(self._names, self.heard, strict=True) if at >= 0},
            "due": sorted(
                (at, name) for name, at in zip(self._names, self._due.tolist(), strict=True) if at < NEVER
            ),
            "missing": self._missing,
            "told": [[*subject, onset] for subject, onset in self._told.items()],
            "back": self._back,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; sensors that the model has lost since are let go."""
        self.heard_at[:] = [state["heard"].get(name, -1) for name in self._names]
        self.begun = bool(state["heard"])
        due = {sensor: at for at, sensor in state["due"]}
        self._due[:] = [due.get(name, NEVER) for name in self._names]
        self._look_at = int(self._due.min(initial=NEVER))
        self._missing = {sensor: at for sensor, at in state["missing"].items() if sensor in self._number}
        told = {Subject(asset, sensor): onset for asset, sensor, onset in state["told"]}
        self._told = {subject: onset for subject, onset in told.items() if self._is_known(subject)}
        self._back = {sensor: at for sensor, at in state["back"].items() if sensor in self._number}
