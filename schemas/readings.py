"""What collectors write: readings in frames, events, and ticks.

A frame holds many readings in columns, because a record costs the same on Kafka (and in SQLite)
whether it carries one reading or a thousand. The three kinds share one log, in the order received.
"""

import math
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from schemas.times import Time


class Quality(IntEnum):
    """How far a sensor trusts its own value."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


class Reading(NamedTuple):
    """One measured value of one sensor at one event time, in the unit of the city model."""

    sensor: str
    """``<asset>/<quantity>``."""
    at: int
    """Event time, ms since the epoch."""
    value: float
    quality: int = Quality.GOOD


class Frame(BaseModel):
    """Many readings in columns of one length; row i of every column is one reading.

    ``received`` is when the collector took the newest of them (ms since the epoch): for latency,
    never for decisions. Raises pydantic.ValidationError on columns of different length, values that
    are not finite, and unknown qualities.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["frame"] = "frame"
    received: int
    sensors: list[str]
    at: list[int]
    values: list[float]
    qualities: list[Annotated[int, Field(ge=0, le=2)]]

    @model_validator(mode="after")
    def _columns_agree(self) -> "Frame":
        lengths = {len(self.sensors), len(self.at), len(self.values), len(self.qualities)}
        if len(lengths) != 1:
            raise ValueError(f"columns of one frame differ in length: {sorted(lengths)}")
        if not all(map(math.isfinite, self.values)):
            raise ValueError("a frame holds a value that is not finite")
        return self

    def __len__(self) -> int:
        return len(self.sensors)

    def rows(self) -> Iterator[Reading]:
        """The readings, in the order received."""
        return map(Reading, self.sensors, self.at, self.values, self.qualities)


class Block(NamedTuple):
    """Many readings as arrays of one length, as an archive has them; row i of every column is one reading.

    Never travels, and is not validated: whoever makes one has checked its readings before.
    """

    names: Sequence[str]
    """Ids of sensors."""
    sensors: NDArray[np.int32]
    """Of each reading, the place of its sensor in ``names``."""
    at: NDArray[np.int64]
    """Event times, ms since the epoch."""
    values: NDArray[np.float64]
    qualities: NDArray[np.uint8]

    @property
    def size(self) -> int:
        """How many readings."""
        return len(self.at)

    def rows(self, part: slice | NDArray[np.bool_]) -> "Block":
        """Some of them, in their order."""
        return Block(self.names, self.sensors[part], self.at[part], self.values[part], self.qualities[part])

    def frame(self) -> Frame:
        """The same as a frame, which does not say when it was received."""
        return Frame.model_construct(
            received=0,
            sensors=[self.names[number] for number in self.sensors.tolist()],
            at=self.at.tolist(),
            values=self.values.tolist(),
            qualities=self.qualities.tolist(),
        )


class Event(BaseModel):
    """Something discrete that an asset, or a person near it, tells: a breaker opened, work began."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["event"] = "event"
    received: int
    asset: str
    at: Time
    event: str
    detail: dict[str, Any] = {}


class Tick(BaseModel):
    """Time that passed while nothing was heard: moves stream time to ``at``. Where it stands there already,
    what was due by then has come.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["tick"] = "tick"
    at: Time


Record = Annotated[Frame | Event | Tick, Field(discriminator="kind")]
"""One entry of the log ``city.readings.v1``."""

RECORD: TypeAdapter[Frame | Event | Tick] = TypeAdapter(Record)


class DeadLetter(BaseModel):
    """A message, or a part of one, that was refused: kept whole (up to a bound) with the reason."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64"
    )  # a payload may be any bytes

    received: Time
    topic: str
    payload: bytes
    """At most the first 64 KiB."""
    size: int
    """Bytes of the whole payload."""
    reason: str
