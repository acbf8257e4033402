"""A scenario: what shall break on which days, in a small file.

In:  a scenario file, the city that it names.
Out: ``Scenario``, or BadConfig with every fault: the line, what was expected, the nearest valid name.
"""

import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.city import City, Identifier, Number, Relation
from schemas.errors import BadConfig, Fault
from schemas.times import DAY, HOUR, MINUTE, SECOND, Time
from schemas.wording import nearest, validate
from schemas.yamlfile import Document, read
from simulator.streamfaults import StreamFaults, misfits
from simulator.trouble import KINDS, Trouble, pour

_CLOCK = re.compile(r"(?:(\d{1,3})d )?([01]\d|2[0-3]):([0-5]\d)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(m|h|d)")
TRIANGLE = frozenset({"peak_mm_per_h", "minutes"})
"""Sizes of a storm that a hyetograph takes the place of."""
_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}


def span(text: str) -> int:
    """Milliseconds of ``45m``, ``5h`` or ``2d``. Raises ValueError for anything else."""
    if not (found := _SPAN.fullmatch(text)):
        raise ValueError(f"{text!r} is no length of time; write it as 45m, 5h or 2d")
    return round(float(found[1]) * _UNITS[found[2]])


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise ValueError(
            f"{text!r} is no time of a scenario; write it as 17:00, or 2d 17:00 for two days later"
        )
    return text


def _span(text: str) -> str:
    span(text)
    return text


def _moment(clock: str, start: int) -> int:
    found = _CLOCK.fullmatch(clock)
    assert found, "the validator let it through"
    return start - start % DAY + int(found[1] or 0) * DAY + int(found[2]) * HOUR + int(found[3]) * MINUTE


def _rising(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if any(later[0] <= earlier[0] for earlier, later in pairwise(points)):
        raise ValueError("its minutes must rise from point to point")
    return points


Clock = Annotated[str, AfterValidator(_clock)]
"""``17:00`` on the first day, ``1d 17:00`` on the next."""
Span = Annotated[str, AfterValidator(_span)]

Amount = Annotated[Number, Field(ge=0)]
Hyetograph = Annotated[tuple[tuple[Amount, Amount], ...], Field(min_length=2), AfterValidator(_rising)]
"""Rain as points (minutes since its beginning, mm/h) joined by straight lines; none before and after."""


def fall(hyetograph: Hyetograph, minutes: float) -> float:
    """Its rain in mm/h so many minutes after its beginning."""
    at, rain = np.array(hyetograph).T
    return float(np.interp(minutes, at, rain, left=0.0, right=0.0))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Injection(_Part):
    """Something that breaks: what, where, when, and how badly."""

    kind: str
    asset: Identifier
    at: Clock
    lasts: Span | None = None
    """As long as is usual for the kind, where not given."""
    size: dict[str, Number] = {}
    quantity: str | None = None
    """Of the sensor, for faults of a sensor: the first of the asset where not given."""
    hyetograph: Hyetograph | None = None
    """Of a storm, in place of the triangle."""

    @property
    def length(self) -> int:
        """Milliseconds that it lasts: at least as long as its hyetograph, where nothing else is said."""
        if self.lasts:
            return span(self.lasts)
        rains = self.hyetograph[-1][0] * MINUTE if self.hyetograph else 0
        return round(max(KINDS[self.kind].hours * HOUR, rains))

    @property
    def sizes(self) -> dict[str, float]:
        """Every size of the kind, as given or usual; without the triangle's where a hyetograph rains."""
        sizes = {**KINDS[self.kind].sizes, **self.size}
        return {name: size for name, size in sizes.items() if not self.hyetograph or name not in TRIANGLE}

    def begins(self, start: int) -> int:
        """When it begins in a scenario that begins at ``start``, in milliseconds."""
        return _moment(self.at, start)

    def apply(self, trouble: Trouble, minutes: float) -> None:
        """Break it, ``minutes`` after the beginning."""
        if self.hyetograph:
            pour(trouble, self.asset, fall(self.hyetograph, minutes), self.sizes["elsewhere"])
        else:
            KINDS[self.kind].apply(trouble, self.asset, minutes, self.sizes)


class Work(_Part):
    """Planned work, announced by events: a pump stands, a main is flushed, a road is closed."""

    asset: Identifier
    at: Clock
    lasts: Span = "1h"

    @property
    def length(self) -> int:
        """Milliseconds that it lasts."""
        return span(self.lasts)

    def begins(self, start: int) -> int:
        """When it begins in a scenario that begins at ``start``, in milliseconds."""
        return _moment(self.at, start)


class Shower(_Part):
    """Rain that is part of the day and nobody's cause: a triangle, its top after a third, or a hyetograph."""

    at: Clock
    peak_mm_per_h: Annotated[Number, Field(gt=0)] | None = None
    minutes: Annotated[Number, Field(gt=0)] = 60
    hyetograph: Hyetograph | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> "Shower":
        if (self.peak_mm_per_h is None) == (self.hyetograph is None):
            raise ValueError("a shower has either peak_mm_per_h (and minutes), or a hyetograph")
        return self

    @property
    def points(self) -> Hyetograph:
        """Its rain, whichever way it was told."""
        peak, third = self.peak_mm_per_h, self.minutes / 3
        return self.hyetograph or ((0.0, 0.0), (third, peak or 0.0), (self.minutes, 0.0))

    def begins(self, start: int) -> int:
        """When it begins in a scenario that begins at ``start``, in milliseconds."""
        return _moment(self.at, start)


class Scenario(_Part):
    """Some days of a city."""

    scenario: Identifier
    city: str
    """Name of a city that we ship, or a folder beside the scenario."""
    start: Time
    hours: Annotated[Number, Field(gt=0, le=24 * 366)] = 24
    injections: tuple[Injection, ...] = ()
    planned: tuple[Work, ...] = ()
    showers: tuple[Shower, ...] = ()
    background: bool = True
    """Ordinary life: showers, switching, small maintenance, spikes and lost messages."""
    stream_faults: StreamFaults = StreamFaults()

    @property
    def begins(self) -> datetime:
        """The first moment."""
        return datetime.fromtimestamp(self.start / SECOND, UTC)

    @property
    def minutes(self) -> int:
        """How many minutes it lasts."""
        return round(self.hours * 60)


def read_scenario(path: Path) -> tuple[Scenario, Document]:
    """A scenario file, not yet held against its city. Raises BadConfig with every fault."""
    document = read(path)
    faults: list[Fault] = list(document.faults)
    found = None if faults else validate(Scenario, document.data, (), document, faults)
    if found is None:
        raise BadConfig(tuple(faults))
    return found, document


def check(scenario: Scenario, city: City, document: Document) -> None:
    """Raise BadConfig where an injection has an unknown kind or size, or a place that the city lacks."""
    faults: list[Fault] = []
    for index, injection in enumerate(scenario.injections):
        place = ("injections", index)
        kind = KINDS.get(injection.kind)
        if kind is None:
            message = f"there is no kind of injection {injection.kind!r}{nearest(injection.kind, KINDS)}"
            faults.append(document.fault((*place, "kind"), message))
            continue
        faults += [
            document.fault(
                (*place, "size", name),
                f"{injection.kind} has no size {name!r}{nearest(name, kind.sizes)}; "
                f"it has {', '.join(kind.sizes) or 'none'}",
                at_key=True,
            )
            for name in injection.size
            if name not in kind.sizes
        ]  # fmt: skip - a list of faults reads as a list
        if injection.hyetograph and (misfit := _misfit(injection)):
            faults.append(document.fault((*place, "hyetograph"), misfit, at_key=True))
        faults += _place(injection, kind.on, city, document, place)
        if injection.begins(scenario.start) >= scenario.start + scenario.minutes * MINUTE:
            faults.append(document.fault((*place, "at"), f"{injection.at} is after the end of the scenario"))
    for index, work in enumerate(scenario.planned):
        if work.asset not in city.asset_by_id:
            message = f"the city has no asset {work.asset!r}{nearest(work.asset, city.asset_by_id)}"
            faults.append(document.fault(("planned", index, "asset"), message))
    gateways = {
        asset.id: frozenset(
            link.target for link in city.links_from.get(asset.id, ()) if link.relation is Relation.CARRIES
        )
        for asset in city.assets
        if asset.kind == "gateway"
    }  # fmt: skip - one table
    measured = {name: [sensor.quantity for sensor in sensors] for name, sensors in city.sensors_of.items()}
    end = scenario.start + scenario.minutes * MINUTE
    faults += [
        document.fault(("stream_faults", *path), message)
        for path, message in misfits(scenario.stream_faults, scenario.start, end, gateways, measured)
    ]
    if faults:
        raise BadConfig(tuple(faults))


def _misfit(injection: Injection) -> str | None:
    if injection.kind != "storm":
        return f"only a storm has a hyetograph; this is {injection.kind}"
    both = sorted(TRIANGLE & injection.size.keys())
    return f"a storm has either a hyetograph or {' and '.join(both)}" if both else None


def _place(
    injection: Injection, on: tuple[str, ...], city: City, document: Document, place: tuple[str | int, ...]
) -> list[Fault]:
    fitting = [asset.id for asset in city.assets if asset.kind in on] if on else list(city.sensors_of)
    asset = city.asset_by_id.get(injection.asset)
    if asset is None:
        message = f"the city has no asset {injection.asset!r}{nearest(injection.asset, fitting)}"
    elif injection.asset not in fitting:
        what = " or ".join(on) if on else "an asset with a sensor"
        message = f"{injection.kind} happens to a {what}; {injection.asset} is a {asset.kind}"
    elif injection.quantity and f"{injection.asset}/{injection.quantity}" not in city.sensor_by_id:
        message = f"{injection.asset} has no sensor of {injection.quantity!r}"
    else:
        return []
    return [document.fault((*place, "asset"), message)]
