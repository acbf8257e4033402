"""What goes wrong on the way from a sensor to the broker, while the city itself may be well.

In:  messages in the order received; a description of faults (a part of a scenario file); a seed.
Out: the messages as a bad network would have delivered them, and records of what was done, for the labels.

Three stages, as in life. At the source a sensor tells nonsense and a clock runs wrong. At the gateway a
restart forgets the numbering and tells old values again. On the way messages are lost, late, doubled or
overtaken, and an outage lets none through: it loses what it meets, or holds it back until its end.

Promises: pure; the input stays as it is; one seed gives one output, byte for byte. Every fault throws dice of
its own for every topic, the same number for each message of the input. So adding, removing or resizing one
fault leaves the choices of the others as they were, another asset's messages change nothing for this one, and
a larger share strikes the same messages and more.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.city import Identifier, Number
from schemas.errors import CrosscurrentError
from schemas.times import DAY, HOUR, MINUTE, SECOND, parse_time, rfc3339
from schemas.wording import nearest

_SPAN = re.compile(r"(-?\d{1,5}(?:\.\d{1,3})?)([smhd])")
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_CLOCK = re.compile(r"(?:(\d{1,3})d )?([01]\d|2[0-3]):([0-5]\d)")
_SHOWN = 5
"""Names that an error lists where none is near the wrong one."""


def span(text: str) -> int:
    """Milliseconds of ``90s``, ``20m``, ``2h`` or ``-1d``. Raises ValueError for anything else."""
    if not (found := _SPAN.fullmatch(text)):
        raise ValueError(f"{text!r} is no length of time; write it as 90s, 20m, 2h or 1d")
    return round(float(found[1]) * _UNITS[found[2]])


def moment(text: str, start: int) -> int:
    """Milliseconds since the epoch of an RFC 3339 text, or of ``17:00`` on the day (UTC) of ``start``.

    ``2d 17:00`` is two days later. Raises ValueError for anything else.
    """
    if found := _CLOCK.fullmatch(text):
        return start - start % DAY + int(found[1] or 0) * DAY + int(found[2]) * HOUR + int(found[3]) * MINUTE
    try:
        return parse_time(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no time; write it as 17:00, as 2d 17:00 (two days later) or as 2025-06-04T17:00:00Z"
        ) from error


def _offset(text: str) -> str:
    span(text)
    return text


def _positive(text: str) -> str:
    if span(text) <= 0:
        raise ValueError(f"{text!r} is no time at all; expected a length above zero")
    return text


def _moment(text: str) -> str:
    moment(text, 0)
    return text


Share = Annotated[Number, Field(ge=0, le=1)]
"""Of all messages, 0 to 1; each is struck or spared by itself."""
Span = Annotated[str, AfterValidator(_positive)]
Offset = Annotated[str, AfterValidator(_offset)]
Moment = Annotated[str, AfterValidator(_moment)]

Payload = dict[str, Any]
Gateways = Mapping[str, frozenset[str]]
"""By gateway: the assets behind it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One MQTT message: when it was received (ms since the epoch), its topic, its payload as in JSON."""

    received: int
    topic: str
    payload: Payload

    @property
    def asset(self) -> str:
        """Whose message it is, by ``city/v1/<city>/<utility>/<zone>/<asset>/...``."""
        return _asset(self.topic)


@lru_cache(maxsize=100_000)
def _asset(topic: str) -> str:
    return topic.split("/", 6)[5]


class BadStreamFaults(CrosscurrentError):
    """Stream faults that don't fit the city or the recording. The text tells all of them."""


# --- what can go wrong ----------------------------------------------------------------------------


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Anywhere(_Part):
    """A fault that strikes any message, by chance."""

    share: Share

    @property
    def most(self) -> int:
        """The longest that it holds a message up, or the copy of one, in ms."""
        return 1


class Late(_Anywhere):
    """Received later than the others, by anything up to ``up_to``; ``at`` stays true."""

    up_to: Span = "20m"

    @property
    def most(self) -> int:
        """``up_to`` in ms."""
        return span(self.up_to)


class Duplicated(Late):
    """Received twice, as MQTT's QoS 1 allows; the second time within ``up_to`` after the first."""

    up_to: Span = "1m"


class OutOfOrder(_Anywhere):
    """Overtaken by what was sent up to ``by`` later."""

    by: Span = "10s"

    @property
    def most(self) -> int:
        """``by`` in ms."""
        return span(self.by)


class Lost(_Anywhere):
    """Never received."""


class _Somewhere(_Part):
    """A fault in one place: at an asset, or at a gateway and so at every asset behind it."""

    asset: Identifier | None = None
    gateway: Identifier | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "_Somewhere":
        if (self.asset is None) == (self.gateway is None):
            raise ValueError("expected either an asset or a gateway")
        return self

    def assets(self, gateways: Gateways) -> frozenset[str]:
        """The assets that it strikes."""
        if self.asset is not None:
            return frozenset({self.asset})
        return gateways.get(self.gateway or "", frozenset())

    def window(self, start: int, end: int) -> tuple[int, int]:
        """From when until when (not included), in a recording from ``start`` to ``end``; all in ms."""
        raise NotImplementedError


class _Sometime(_Somewhere):
    """A fault in one place for a while: from the beginning, to the end, where these are not given."""

    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None

    def window(self, start: int, end: int) -> tuple[int, int]:
        """As the fault says, else as long as the recording."""
        since = start if self.since is None else moment(self.since, start)
        return since, end if self.until is None else moment(self.until, start)


class ClockSkew(_Sometime):
    """A clock that is ahead, or, with ``-2h``, behind: ``at`` is wrong, ``received`` is not."""

    by: Offset

    def told(self, payload: Payload) -> Payload:
        """The payload with the clock's time."""
        return {**payload, "at": rfc3339(parse_time(payload["at"]) + span(self.by))}


class BadQuality(_Sometime):
    """A sensor that knows that it is broken: a filler as value, flagged. All quantities if none is named."""

    quantity: str | None = None
    value: Number | None = -999.0
    """None keeps the value that was measured."""
    quality: Literal["uncertain", "bad"] = "bad"

    def told(self, payload: Payload) -> Payload:
        """The payload with the filler and the flag; one without such a value as it is."""
        values = payload.get("values", {})
        struck = [name for name in values if self.quantity in (None, name)]
        if not struck:
            return payload
        filled = {} if self.value is None else dict.fromkeys(struck, self.value)
        quality = {**payload.get("quality", {}), **dict.fromkeys(struck, self.quality)}
        return {**payload, "values": {**values, **filled}, "quality": quality}


class Gap(_Sometime):
    """Nothing is received for a while. With ``restart`` it was kept, and comes in one burst at the end."""

    restart: bool = False


class Flapping(Gap):
    """A line that is off, then on, each for ``every``; it begins with off."""

    every: Span


class GatewayRestart(_Somewhere):
    """A gateway goes down and comes back: ``seq`` starts again at 0, the last values are told once more.

    What it is sent while down is lost. The old values come with their old ``at``, all when it is back.
    Messages without ``seq`` get none.
    """

    at: Moment
    down: Span = "2m"

    def window(self, start: int, end: int) -> tuple[int, int]:
        """From ``at`` as long as it is down, which may be beyond ``end``."""
        del end
        since = moment(self.at, start)
        return since, since + span(self.down)


class StreamFaults(_Part):
    """All that is wrong with a stream; by itself nothing is."""

    late: Late | None = None
    duplicated: Duplicated | None = None
    out_of_order: OutOfOrder | None = None
    lost: Lost | None = None
    clock_skew: tuple[ClockSkew, ...] = ()
    gaps: tuple[Gap, ...] = ()
    bad_quality: tuple[BadQuality, ...] = ()
    flapping: tuple[Flapping, ...] = ()
    gateway_restart: tuple[GatewayRestart, ...] = ()

    def by_share(self) -> Iterator[tuple[str, _Anywhere]]:
        """The faults that strike anywhere, with their names."""
        for name in ("late", "duplicated", "out_of_order", "lost"):
            if fault := getattr(self, name):
                yield name, fault

    def by_place(self) -> Iterator[tuple[str, int, _Somewhere]]:
        """The faults that have a place, each with its field and its number there."""
        for name in ("clock_skew", "gaps", "bad_quality", "flapping", "gateway_restart"):
            for index, fault in enumerate(getattr(self, name)):
                yield name, index, fault


# --- whether they fit -----------------------------------------------------------------------------


def misfits(
    faults: StreamFaults, start: int, end: int, gateways: Gateways, quantities: Mapping[str, Collection[str]]
) -> list[tuple[tuple[str | int, ...], str]]:
    """What of the faults doesn't fit a city and a recording from ``start`` to ``end`` (ms): path and message.

    ``quantities`` are those measured, by asset; where an asset has none, any quantity is let pass. The paths
    begin below ``stream_faults``, so that a file's ``Document`` can tell their lines.
    """
    found: list[tuple[tuple[str | int, ...], str]] = []
    for name, index, fault in faults.by_place():
        wrong = [*_nowhere(fault, gateways, quantities), *_never(fault, start, end)]
        found += [((name, index, field), message) for field, message in wrong]
    return found


def _nowhere(
    fault: _Somewhere, gateways: Gateways, quantities: Mapping[str, Collection[str]]
) -> Iterator[tuple[str, str]]:
    """What is wrong with its place: field and message."""
    if fault.asset is not None and fault.asset not in quantities:
        yield "asset", _unknown("asset", fault.asset, quantities)
    elif fault.gateway is not None and fault.gateway not in gateways:
        yield "gateway", _unknown("gateway", fault.gateway, gateways)
    elif isinstance(fault, BadQuality) and fault.quantity is not None:
        known = {each for asset in fault.assets(gateways) for each in quantities.get(asset, ())}
        if known and fault.quantity not in known:
            place = fault.asset or fault.gateway
            yield "quantity", f"{place} measures no {fault.quantity!r}{_instead(fault.quantity, known)}"


def _never(fault: _Somewhere, start: int, end: int) -> Iterator[tuple[str, str]]:
    """What is wrong with its time: field and message."""
    since, until = fault.window(start, end)
    first = "at" if isinstance(fault, GatewayRestart) else "from"
    if since >= end:
        yield first, f"{rfc3339(since)} is after the end of the recording, {rfc3339(end)}"
    elif until <= since:
        yield "until", f"{rfc3339(until)} is not after its beginning, {rfc3339(since)}"
    elif until <= start:
        last = "at" if first == "at" else "until"
        yield last, f"over at {rfc3339(until)}, before the recording begins, {rfc3339(start)}"


def _unknown(what: str, name: str, names: Collection[str]) -> str:
    return f"there is no {what} {name!r}{_instead(name, names)}"


def _instead(name: str, names: Collection[str]) -> str:
    """The nearest valid name, else the first few of them."""
    ordered = sorted(names)  # a set's own order differs from run to run, and would decide between two as near
    more = ", ..." if len(ordered) > _SHOWN else ""
    return nearest(name, ordered) or f"; there are {', '.join(ordered[:_SHOWN]) or 'none'}{more}"


# --- doing it -------------------------------------------------------------------------------------


def apply(
    messages: Sequence[Sent], faults: StreamFaults, seed: int, asset_of_gateway: Gateways, start: int
) -> tuple[list[Sent], list[dict[str, Any]]]:
    """The messages as received over a bad network, in the order received; and the records for the labels.

    ``messages`` are in the order received; whether a fault that lasts a while strikes one is decided by its
    ``received``. ``start`` (ms) is when the recording begins: its day is the first one, for times such as
    ``17:00``. A record has the ``kind``, ``asset`` or ``gateway`` or ``share``, the fault's sizes as written,
    and ``from`` and ``until`` where it has a place. Payloads that no fault changes are the input's own.

    Lost, gaps, flapping and restarts alone remove messages; duplicated and restarts alone add any.
    Raises BadStreamFaults where a fault names a place that isn't there or a time outside the recording.
    """
    if not messages or faults == StreamFaults():
        return list(messages), []
    end = messages[-1].received + 1
    _refuse_misfits(faults, start, end, asset_of_gateway, messages)
    struck = [
        (fault, fault.assets(asset_of_gateway), fault.window(start, end)) for _, _, fault in faults.by_place()
    ]
    outages: dict[str, list[_Outage]] = defaultdict(list)
    for fault, assets, window in struck:
        if isinstance(fault, Gap | GatewayRestart):
            outage = _outage(fault, window)
            for asset in assets:
                outages[asset].append(outage)
    restarts = [(window, assets) for fault, assets, window in struck if isinstance(fault, GatewayRestart)]
    passed, repeated = _restart(_at_source(messages, struck), restarts)
    received = [
        Sent(arrived, sent.topic, sent.payload)
        for sent in repeated
        if (arrived := _through(outages[sent.asset], sent.received)) is not None
    ]
    received += _on_the_way(passed, _throw(messages, faults, seed), outages)
    received.sort(key=lambda sent: sent.received)
    return received, _records(faults, start, end)


_Struck = tuple[_Somewhere, frozenset[str], tuple[int, int]]
"""A fault, the assets that it strikes, from when until when."""


@dataclass(frozen=True, slots=True)
class _Outage:
    """A time in which nothing passes: all of it, or every other ``every`` ms of it."""

    since: int
    until: int
    every: int
    keeps: bool

    def ends(self, at: int) -> int | None:
        """When what is sent at ``at`` could pass, or None if it passes at once."""
        if not self.since <= at < self.until:
            return None
        turn = (at - self.since) // self.every
        return None if turn % 2 else min(self.since + (turn + 1) * self.every, self.until)


def _outage(fault: Gap | GatewayRestart, window: tuple[int, int]) -> _Outage:
    since, until = window
    every = span(fault.every) if isinstance(fault, Flapping) else until - since
    return _Outage(since, until, every, isinstance(fault, Gap) and fault.restart)


def _through(outages: Sequence[_Outage], at: int) -> int | None:
    """When what comes to the outages at ``at`` has passed them all; None if it is lost in one."""
    while True:
        met = [(outage, ends) for outage in outages if (ends := outage.ends(at)) is not None]
        if not met:
            return at
        if not all(outage.keeps for outage, _ in met):
            return None
        at = max(ends for _, ends in met)


def _refuse_misfits(
    faults: StreamFaults, start: int, end: int, gateways: Gateways, messages: Sequence[Sent]
) -> None:
    if not any(faults.by_place()):
        return
    quantities: dict[str, set[str]] = {asset: set() for assets in gateways.values() for asset in assets}
    for sent in messages:
        quantities.setdefault(sent.asset, set()).update(sent.payload.get("values", ()))
    if wrong := misfits(faults, start, end, gateways, quantities):
        lines = [f"stream_faults.{'.'.join(map(str, path))}: {message}" for path, message in wrong]
        raise BadStreamFaults(
            "\n".join([*lines, "no fault was applied; correct the scenario and run it again"])
        )


def _at_source(messages: Sequence[Sent], struck: Sequence[_Struck]) -> list[Sent]:
    """What sensors and clocks tell; message by message as in the input."""
    changes: dict[str, list[tuple[int, int, Callable[[Payload], Payload]]]] = defaultdict(list)
    for fault, assets, window in struck:
        if isinstance(fault, BadQuality | ClockSkew):
            for asset in assets:
                changes[asset].append((*window, fault.told))
    if not changes:
        return list(messages)
    told = []
    for sent in messages:
        payload = sent.payload
        for since, until, change in changes.get(sent.asset, ()):
            if since <= sent.received < until:
                payload = change(payload)
        told.append(Sent(sent.received, sent.topic, payload))
    return told


def _restart(
    messages: list[Sent], restarts: list[tuple[tuple[int, int], frozenset[str]]]
) -> tuple[list[Sent | None], list[Sent]]:
    """What gateways pass on, None where one was down; and the old values told when they are back."""
    if not restarts:
        return [*messages], []
    due = sorted(restarts, key=lambda restart: restart[0][1], reverse=True)
    downs: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for window, assets in restarts:
        for asset in assets:
            downs[asset].append(window)
    numbers: dict[str, int] = {}
    last: dict[str, Sent] = {}
    passed: list[Sent | None] = []
    repeated: list[Sent] = []
    for sent in messages:
        while due and due[-1][0][1] <= sent.received:
            (_, back), assets = due.pop()
            for asset in sorted(assets):
                numbers[asset] = 0
                if asset in last:
                    repeated.append(_numbered(Sent(back, last[asset].topic, last[asset].payload), numbers))
        asset = sent.asset
        if any(since <= sent.received < back for since, back in downs.get(asset, ())):
            passed.append(None)
            continue
        passed.append(_numbered(sent, numbers))
        if "values" in sent.payload:
            last[asset] = sent
    return passed, repeated


def _numbered(sent: Sent, numbers: dict[str, int]) -> Sent:
    """With the number that a gateway gives which has started again, if its messages have numbers."""
    asset = sent.asset
    if asset not in numbers or "seq" not in sent.payload:
        return sent
    numbers[asset] += 1
    return Sent(sent.received, sent.topic, {**sent.payload, "seq": numbers[asset] - 1})


@dataclass(frozen=True, slots=True)
class _Throws:
    """By message of the input, for how long (ms) each fault holds it up, or its copy; 0 spares it."""

    late: list[int]
    duplicated: list[int]
    out_of_order: list[int]
    lost: list[int]


def _throw(messages: Sequence[Sent], faults: StreamFaults, seed: int) -> _Throws:
    return _Throws(
        late=_delays(messages, faults.late, f"{seed}/late"),
        duplicated=_delays(messages, faults.duplicated, f"{seed}/duplicated"),
        out_of_order=_delays(messages, faults.out_of_order, f"{seed}/out_of_order"),
        lost=_delays(messages, faults.lost, f"{seed}/lost"),
    )


def _delays(messages: Sequence[Sent], fault: _Anywhere | None, dice: str) -> list[int]:
    """Two throws for each message, struck or not, so that no share moves a later throw."""
    if fault is None:
        return [0] * len(messages)
    share, most = fault.share, fault.most
    throws: dict[str, Callable[[], float]] = {}
    delays = []
    for sent in messages:
        throw = throws.get(sent.topic)
        if throw is None:
            dice_of_topic = Random(f"{dice}/{sent.topic}")  # noqa: S311 - dice that can be thrown again
            throw = throws[sent.topic] = dice_of_topic.random
        chance, part = throw(), 1 - throw()
        delays.append(math.ceil(most * part) if chance < share else 0)
    return delays


def _on_the_way(
    messages: Sequence[Sent | None], throws: _Throws, outages: Mapping[str, list[_Outage]]
) -> Iterator[Sent]:
    """What arrives, and when."""
    for index, sent in enumerate(messages):
        if sent is None or throws.lost[index]:
            continue
        ahead = outages.get(sent.asset, ()) if outages else ()
        arrived = _through(ahead, sent.received)
        if arrived is not None:
            arrived = _through(ahead, arrived + throws.late[index] + throws.out_of_order[index])
        if arrived is None:
            continue
        yield Sent(arrived, sent.topic, sent.payload)
        if again := throws.duplicated[index]:
            second = _through(ahead, arrived + again)
            if second is not None:
                yield Sent(second, sent.topic, sent.payload)


def _records(faults: StreamFaults, start: int, end: int) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = [
        {"kind": name, **fault.model_dump()} for name, fault in faults.by_share()
    ]
    for name, _, fault in faults.by_place():
        since, until = fault.window(start, end)
        sizes = fault.model_dump(exclude_none=True, exclude={"since", "until", "at", "down"})
        kind = "gap" if name == "gaps" else name
        records.append({"kind": kind, **sizes, "from": rfc3339(since), "until": rfc3339(until)})
    return records
