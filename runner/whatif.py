"""What if: a replay in which a limit was another, a sensor was not there, a utility's messages came late, an
event never was.

In:  what people write (``pump-3/pressure.low=2.1``), a model; records in the order received.
Out: the model and the records as they would have been; what is told of it in the summary.
Promises: a name that is not there is an error with the nearest that is. Pure. In memory is what
is on its way late.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from runner.model import Model
from runner.moments import BadUsage
from runner.replay import Heard, Input
from schemas.alarms import AlarmChange
from schemas.city import City, Limits, Sensor, Utility
from schemas.citychecks import limit_faults
from schemas.readings import Block, Event, Frame
from schemas.times import duration
from schemas.wording import nearest
from streams.sites import part_of

SENSOR_FIELDS = ("every", "on_delay", "off_delay", "deadband")
FIELDS = (*Limits.model_fields, *SENSOR_FIELDS)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What shall be other than it was. Empty: nothing."""

    settings: tuple[str, ...] = ()
    """``SENSOR.FIELD=VALUE``."""
    without: tuple[str, ...] = ()
    """``ASSET CONDITION``, or ``ASSET EVENT``: never was."""
    dropped: tuple[str, ...] = ()
    """Sensors that were never there."""
    delays: tuple[str, ...] = ()
    """``UTILITY=TIME``: its messages came so much later."""
    zones: tuple[str, ...] = ()
    utilities: tuple[str, ...] = ()
    """Only what belongs to one of these; all, where none is named."""

    def words(self) -> list[str]:
        """Each, as people wrote it."""
        return [
            *(f"set {one}" for one in self.settings),
            *(f"without {one}" for one in self.without),
            *(f"drop {one}" for one in self.dropped),
            *(f"delay {one}" for one in self.delays),
            *(f"zone {one}" for one in self.zones),
            *(f"utility {one}" for one in self.utilities),
        ]

    def model(self, model: Model) -> Model:
        """The model with other limits, and without the sensors that are not heard. Raises BadUsage."""
        city = model.city
        for setting in self.settings:
            city = _set(city, setting)
        heard = self._heard(city)
        for sensor in self.dropped:
            _known(sensor, city.sensor_by_id, "sensor")
        left = tuple(sensor for sensor in heard.sensors if sensor.id not in self.dropped)
        if not left:
            raise BadUsage(f"{', '.join(self.words())}: no sensor is left to replay")
        return model._replace(city=City.model_construct(**{**dict(heard), "sensors": left}))

    def _heard(self, city: City) -> City:
        for zone in self.zones:
            _known(zone, {asset.zone for asset in city.assets}, "zone")
        for utility in self.utilities:
            _known(utility, list(Utility), "utility")
        heard = {
            asset.id
            for asset in city.assets
            if (not self.zones or asset.zone in self.zones)
            and (not self.utilities or asset.utility in self.utilities)
        }
        return part_of(city, (sensor for sensor in city.sensors if sensor.asset in heard))


@dataclass(slots=True)
class Removal:
    """Conditions and events that never were; ``hits`` counts what was taken out."""

    names: frozenset[tuple[str, str]]
    hits: Counter[str] = field(default_factory=Counter)

    def takes(self, asset: str, what: str) -> bool:
        """Whether this never was."""
        found = (asset, what) in self.names
        self.hits[f"{asset} {what}"] += found
        return found

    def takes_change(self, change: AlarmChange) -> bool:
        """Whether an alarm never was."""
        return self.takes(change.alarm.asset, change.alarm.condition)


def removal(what: WhatIf, city: City) -> Removal:
    """What ``without`` takes out. Raises BadUsage for an asset that is not there."""
    names = set[tuple[str, str]]()
    for text in what.without:
        asset, _, name = text.strip().partition(" ")
        if not name.strip():
            raise BadUsage(
                f"--without {text!r}: expected an asset and a condition or event, as in 'feeder-7 dead'"
            )
        _known(asset, city.asset_by_id, "asset")
        names.add((asset, name.strip()))
    return Removal(frozenset(names))


class Changed:
    """An input as it would have been under ``city``, the model as ``WhatIf.model`` has made it."""

    def __init__(self, source: Input, what: WhatIf, city: City, never: Removal) -> None:
        self.name, self.told = source.name, source.told
        self._input, self._what, self._never = source, what, never
        self._sensors = {sensor.id for sensor in city.sensors}
        self._assets = {sensor.asset for sensor in city.sensors} if what.zones or what.utilities else None
        late = _delays(what.delays)
        self._late = {asset.id: late.get(asset.utility, 0) for asset in city.assets}
        self._moves = any(late.values())

    @property
    def taken(self) -> int:
        """Messages, or records, so far."""
        return self._input.taken

    def records(self) -> Iterator[Heard]:
        """All of them, once."""
        kept = (left for record in self._input.records() if (left := self._kept(record)) is not None)
        return delayed(kept, self._late.__getitem__) if self._moves else kept

    def counts(self) -> dict[str, Any]:
        """What the summary tells of the input, and of what was changed."""
        never = {name: self._never.hits[name] for name in self._what.without} if self._what.without else {}
        return {**self._input.counts(), "what_if": self._what.words(), "taken_out": never}

    def nothing(self) -> str:
        """What to say where nothing of the input could be used."""
        return f"{self._input.nothing()} (replayed with: {', '.join(self._what.words())})"

    def _kept(self, record: Heard) -> Heard | None:
        assert not isinstance(record, Block), "what is changed comes in frames"
        match record:
            case Frame():
                return _rows(record, self._sensors.__contains__)
            case Event():
                if self._assets is not None and record.asset not in self._assets:
                    return None
                return None if self._never.takes(record.asset, record.event) else record
            case _:
                return record


def delayed(records: Iterator[Heard], late: Callable[[str], int]) -> Iterator[Heard]:
    """Records as they come where those of some assets are ``late`` (ms); each frame must be of one moment."""
    held: list[tuple[int, int, Heard]] = []
    number = 0
    for record in records:
        if isinstance(record, Frame | Event):
            while held and held[0][0] <= record.received:
                yield heapq.heappop(held)[2]
        for delay, part in _by_delay(record, late):
            if not delay:
                yield part
                continue
            number += 1
            came = part.received + delay
            heapq.heappush(held, (came, number, part.model_copy(update={"received": came})))
    while held:
        yield heapq.heappop(held)[2]


def _by_delay(record: Heard, late: Callable[[str], int]) -> Iterator[tuple[int, Any]]:
    if isinstance(record, Event):
        yield late(record.asset), record
    elif isinstance(record, Frame):
        delays = {sensor: late(sensor.rpartition("/")[0]) for sensor in record.sensors}
        for delay in sorted(set(delays.values())):
            alike = {sensor for sensor, other in delays.items() if other == delay}
            if (part := _rows(record, alike.__contains__)) is not None:
                yield delay, part
    else:
        yield 0, record


def _rows(frame: Frame, wanted: Callable[[str], bool]) -> Frame | None:
    """The rows of some sensors; None where there are none. Not validated again."""
    chosen = [number for number, sensor in enumerate(frame.sensors) if wanted(sensor)]
    if len(chosen) == len(frame.sensors):
        return frame
    if not chosen:
        return None
    return Frame.model_construct(
        received=frame.received,
        sensors=[frame.sensors[number] for number in chosen],
        at=[frame.at[number] for number in chosen],
        values=[frame.values[number] for number in chosen],
        qualities=[frame.qualities[number] for number in chosen],
    )


def _delays(given: Sequence[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for text in given:
        utility, _, time = text.partition("=")
        _known(utility, list(Utility), "utility")
        try:
            found[utility] = int(str(duration(time)))
        except ValueError as error:
            raise BadUsage(f"--delay {text}: {error}") from error
    return found


def _set(city: City, setting: str) -> City:
    """The model with one field of one sensor set."""
    where, _, text = setting.partition("=")
    name, _, field_name = where.rpartition(".")
    _known(name, city.sensor_by_id, "sensor")
    _known(field_name, FIELDS, "field of a sensor")
    try:
        value = None if text == "none" else float(text)
    except ValueError:
        raise BadUsage(f"--set {setting}: {text!r} is no number; expected one, or none") from None
    old = city.sensor_by_id[name].model_dump()
    (old if field_name in SENSOR_FIELDS else old["limits"])[field_name] = value
    try:
        new = Sensor.model_validate(old)
    except ValidationError as error:
        raise BadUsage(f"--set {setting}: {error.errors()[0]['msg']}") from error
    for _, fault in limit_faults(new):
        raise BadUsage(f"--set {setting}: {fault}")
    sensors = tuple(new if sensor.id == name else sensor for sensor in city.sensors)
    return City.model_construct(**{**dict(city), "sensors": sensors})


def _known(name: str, names: Any, what: str) -> None:
    """Raise BadUsage for a name that is none of ``names``."""
    if name not in names:
        few = f"; expected one of {', '.join(map(str, names))}" if len(names) <= 12 else ""
        raise BadUsage(
            f"there is no {what} {name!r}{nearest(name, map(str, names)) or few}; nothing was replayed"
        )
