"""Intake: messages in; frames, events and dead letters out. Where a city's data is let in or refused.

In:  messages in the order received.
Out: batches: readings in columns and events, in that order, in the model's units; and what was refused, each
     with its reason.
Promises: no message raises an error, whatever its bytes. Every message is accepted (something of it came
out), or refused (a dead letter has it), or over its asset's rate (counted, and a sample is dead-lettered):
``messages == accepted + refused + flooded``. Memory is bounded. Pure: one input, one output.

The one state is a token bucket for each asset, on ``received`` time, so that a device gone wild takes
nothing from the others.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from collectors.decoders import DECODERS, Decoder, Happened, Measured
from collectors.decoders.fields import shown
from collectors.messages import Message
from collectors.rates import Device
from collectors.routing import route
from schemas.city import City
from schemas.errors import BadPayload
from schemas.readings import DeadLetter, Event, Frame
from schemas.units import converter

KEPT = 64 * 1024
"""Bytes of a payload that a dead letter keeps."""
REASONS = 20
"""Most dead letters of one message; the last one tells how many more there would be."""
REMEMBERED = 20_000
"""Topics, and units of sensors, that are remembered; when it is full all are forgotten and learned again."""


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """Bounds of what is let in."""

    messages_per_second: int = 200
    """Of one asset, sustained."""
    burst: int = 2_000
    """Messages of one asset that may come at once after it was quiet."""
    payload_bytes: int = 1024 * 1024
    """Largest payload that is looked at."""
    frame_readings: int = 1_000
    """Readings at which a frame is closed; a message is not split, so a frame may hold a few more."""


class Batch(NamedTuple):
    """What came of some messages. A source is an asset and a decoder: ``pump-3/telemetry``."""

    records: list[Frame | Event]
    """In the order received."""
    dead: list[DeadLetter]
    numbers: dict[str, list[tuple[int, int]]]
    """Event time and ``seq`` of the messages that have one, by source, in the order received; between them,
    with the time received, minus the number of messages whose ``seq`` nobody could read, or looked at."""


class _Source(NamedTuple):
    """What is known of one topic."""

    name: str
    asset: str
    decode: Decoder
    device: Device
    sensors: Mapping[str, str]
    """Sensor ids by quantity."""
    mislabelled: bool


class _Building:
    """A batch in the making: columns that fill, and the records before them."""

    def __init__(self, frame_readings: int) -> None:
        self.records: list[Frame | Event] = []
        self.dead: list[DeadLetter] = []
        self.numbers: dict[str, list[tuple[int, int]]] = {}
        self._frame_readings = frame_readings
        self._received = 0
        self._empty()

    def _empty(self) -> None:
        self._sensors: list[str] = []
        self._at: list[int] = []
        self._values: list[float] = []
        self._qualities: list[int] = []

    def readings(
        self, sensors: Mapping[str, str], said: Measured, values: Mapping[str, float], received: int
    ) -> None:
        """Add the values that ``said`` gives, by now in the model's units."""
        self._received = received
        at, qualities = said.at, said.qualities
        for quantity, value in values.items():
            self._sensors.append(sensors[quantity])
            self._at.append(at)
            self._values.append(float(value))  # a boolean is 1 or 0
            self._qualities.append(qualities.get(quantity, 0) if qualities else 0)
        if len(self._sensors) >= self._frame_readings:
            self.close_frame()

    def unread(self, source: str, received: int) -> None:
        """A message came whose number, if it has one, is not known."""
        numbers = self.numbers.setdefault(source, [])
        passed_over = numbers.pop()[1] if numbers and numbers[-1][1] < 0 else 0
        numbers.append((received, passed_over - 1))

    def event(self, event: Event) -> None:
        """Add an event, after the readings before it."""
        self.close_frame()
        self.records.append(event)

    def close_frame(self) -> None:
        """Turn the columns, if there is anything in them, into a frame."""
        if not self._sensors:
            return
        # Not validated again: each value was checked on the way in. Validation is for what others wrote.
        frame = Frame.model_construct(
            received=self._received,
            sensors=self._sensors,
            at=self._at,
            values=self._values,
            qualities=self._qualities,
        )
        self.records.append(frame)
        self._empty()


class Intake:
    """Lets the messages of one city in. Keeps state: one for each stream of messages, used by one thread."""

    def __init__(self, city: City, settings: IntakeSettings | None = None) -> None:
        self.counts: Counter[str] = Counter()
        """Since the start. Messages: ``messages``, ``accepted``, ``refused``, ``flooded``, ``mislabelled``,
        ``unknown_fields``, ``unknown_quality``, ``bad_seq``; what came out: ``readings``, ``events``,
        ``refused_parts`` (values and details refused by themselves, in messages accepted or not)."""
        self._city = city
        self._settings = settings or IntakeSettings()
        self._devices = {
            asset.id: Device(self._settings.messages_per_second, self._settings.burst)
            for asset in city.assets
        }
        self._sources: dict[str, _Source] = {}
        self._converters: dict[tuple[str, str], Callable[[float], float]] = {}

    def step(self, messages: Iterable[Message]) -> Batch:
        """What came of these messages. Never raises for what is in them."""
        batch = _Building(self._settings.frame_readings)
        counts, most = self.counts, self._settings.payload_bytes
        for message in messages:
            counts["messages"] += 1
            received, topic, payload, _ = message
            source = None
            try:
                source = self._sources.get(topic) or self._learn(topic)
                if source.mislabelled:
                    counts["mislabelled"] += 1
                if not source.device.admits(received):
                    counts["flooded"] += 1
                    batch.unread(source.name, received)
                    self._tell_flood(source, message, batch)
                    continue
                if len(payload) > most:
                    raise BadPayload(f"payload has {len(payload)} bytes; at most {most} are looked at")
                said = source.decode(payload)
                if said.seq is not None:
                    batch.numbers.setdefault(source.name, []).append((said.at, said.seq))
                if isinstance(said, Measured):
                    self._measured(source, said, message, batch)
                else:
                    self._happened(source, said, message, batch)
            except BadPayload as error:
                counts["refused"] += 1
                if source is not None:
                    batch.unread(source.name, received)
                batch.dead.append(_dead_letter(message, str(error)))
        batch.close_frame()
        return Batch(batch.records, batch.dead, batch.numbers)

    def _learn(self, topic: str) -> _Source:
        """What a topic means, kept for the next time. Raises BadPayload if it means nothing here."""
        asset, decoder, mislabelled = route(topic, self._city, DECODERS)
        sensors = {sensor.quantity: sensor.id for sensor in self._city.sensors_of.get(asset, ())}
        name, device = f"{asset}/{decoder}", self._devices[asset]
        source = _Source(name, asset, DECODERS[decoder], device, sensors, mislabelled)
        if len(self._sources) >= REMEMBERED:
            self._sources.clear()
        self._sources[topic] = source
        return source

    def _tell_flood(self, source: _Source, message: Message, batch: _Building) -> None:
        if source.device.is_sample(message.received):
            rate = self._settings.messages_per_second
            reason = (
                f"asset {source.asset!r} sends more than {rate} messages a second;"
                f" {source.device.held_back} refused since the start, this is a sample"
            )
            batch.dead.append(_dead_letter(message, reason))

    def _measured(self, source: _Source, said: Measured, message: Message, batch: _Building) -> None:
        values: Mapping[str, float] = said.values
        if said.units or said.refused or said.noted or not values.keys() <= source.sensors.keys():
            values = self._checked(source, said, message, batch)
        if values:
            batch.readings(source.sensors, said, values, message.received)
            self.counts["accepted"] += 1
            self.counts["readings"] += len(values)
        else:
            self.counts["refused"] += 1

    def _happened(self, source: _Source, said: Happened, message: Message, batch: _Building) -> None:
        self.counts.update(said.noted)
        self._refuse_parts(said.refused, message, batch)
        # Not validated again, as with frames.
        batch.event(
            Event.model_construct(
                received=message.received,
                asset=source.asset,
                at=said.at,
                event=said.event,
                detail=said.detail,
            )
        )
        self.counts["accepted"] += 1
        self.counts["events"] += 1

    def _checked(
        self, source: _Source, said: Measured, message: Message, batch: _Building
    ) -> dict[str, float]:
        """The values that can be used, in the model's units; the others become dead letters."""
        good: dict[str, float] = {}
        refused = list(said.refused)
        for quantity, value in said.values.items():
            try:
                good[quantity] = self._in_model_unit(source, quantity, value, said.units.get(quantity))
            except BadPayload as error:
                refused.append(str(error))
        self.counts.update(said.noted)
        self._refuse_parts(refused, message, batch)
        return good

    def _in_model_unit(self, source: _Source, quantity: str, value: float, unit: str | None) -> float:
        sensor = source.sensors.get(quantity)
        if sensor is None:
            known = ", ".join(source.sensors) or "none"
            raise BadPayload(f"asset {source.asset!r} has no quantity {shown(quantity)}; known: {known}")
        if unit is None:
            return value
        try:
            converted = self._converter(sensor, unit)(value)
        except (ValueError, OverflowError) as error:
            raise BadPayload(f"value of {shown(quantity)}: {error}") from None
        if not math.isfinite(converted):
            raise BadPayload(f"value of {shown(quantity)} is not finite in the city model's unit")
        return converted

    def _converter(self, sensor: str, unit: str) -> Callable[[float], float]:
        """From ``unit`` to the model's unit of a sensor. Raises ValueError if there is no way."""
        convert = self._converters.get((sensor, unit))
        if convert is None:
            model = self._city.sensor_by_id[sensor]
            convert = converter(unit, model.unit, model.quantity)
            if len(self._converters) >= REMEMBERED:
                self._converters.clear()
            self._converters[sensor, unit] = convert
        return convert

    def _refuse_parts(self, reasons: Sequence[str], message: Message, batch: _Building) -> None:
        self.counts["refused_parts"] += len(reasons)
        told = list(reasons[:REASONS])
        if len(reasons) > REASONS:
            told[-1] += f" (and {len(reasons) - REASONS} more parts of this message)"
        batch.dead += [_dead_letter(message, reason) for reason in told]


def _dead_letter(message: Message, reason: str) -> DeadLetter:
    payload = message.payload
    return DeadLetter(
        received=message.received,
        topic=message.topic,
        payload=payload[:KEPT],
        size=len(payload),
        reason=reason,
    )
