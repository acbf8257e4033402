"""A story, told to the core: what its sensors and assets send; what stands, against what was expected.

In:  a story, and the rules.
Out: failures: what was expected, what came, at which line of the story.
Promises: the very core of a replay thinks; nothing is left out or put in, save that time moves on at each
moment of the story, as it does in a city that is larger than the few assets of a story.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from runner.core import Core, Outputs
from runner.log import Logged
from runner.series import Item, values
from runner.stories import Answered, Awaited, ExpectedIncident, Place, Sent, Story, every_ms
from schemas.alarms import Alarm
from schemas.answers import Answer
from schemas.errors import Fault
from schemas.incidents import Incident, IncidentRevision
from schemas.readings import Event, Frame, Reading, Tick
from schemas.times import SECOND
from streams.causes import Causes


class _Beat(NamedTuple):
    """One thing at one time of the story; at the same time events come first, then readings."""

    at: int
    rank: int
    what: Sent | Answered | Reading | Awaited


Hear = Callable[[int, Outputs], None]
"""Told what was said at each moment of a story."""


def tell(story: Story, causes: Causes, hear: Hear | None = None) -> list[Fault]:
    """Tell the story; what failed, in the order of its times. None is none."""
    core, stand = Core(story.city, story.vocabulary, causes, story.policy), _Standing(story)
    failures: list[Fault] = []
    for at, beats in groupby(_beats(story), key=lambda beat: beat.at):

        def step(record: Logged, at: int = at) -> None:
            outputs = core.step(record)
            stand.take(outputs)
            if hear:
                hear(at, outputs)

        awaited: list[Awaited] = []
        readings: list[Reading] = []
        for _, _, what in beats:
            if isinstance(what, Sent):
                step(Event(received=at, asset=what.asset, at=at, event=what.event))
            elif isinstance(what, Answered):
                if (answer := stand.answer(what)) is None:
                    message = f"nobody can answer {what.what.root}: no incident has that root then"
                    failures.append(story.document.fault(("answers", what.number, "root"), message))
                else:
                    step(answer)
            elif isinstance(what, Reading):
                readings.append(what)
            else:
                awaited.append(what)
        if readings:
            step(_frame(at, readings))
        step(Tick(at=at))
        for expectation in awaited:
            failures += _Judge(story, expectation, stand).failures()
    return failures


def _beats(story: Story) -> Iterator[_Beat]:
    readings = (
        _readings(sensor.id, every_ms(sensor), story.series[sensor.id], story)
        for sensor in story.city.sensors
    )
    return heapq.merge(
        (_Beat(event.at, 0, event) for event in story.events),
        (_Beat(answered.at, 0, answered) for answered in story.answers),
        *readings,
        (_Beat(awaited.at, 2, awaited) for awaited in story.expect),
        key=lambda beat: beat[:2],
    )


def _readings(sensor: str, every: int, items: tuple[Item, ...], story: Story) -> Iterator[_Beat]:
    for at, value in zip(range(story.start, story.end + 1, every), values(items), strict=False):
        if value is not None:
            yield _Beat(at, 1, Reading(sensor, at, value))


def _frame(at: int, readings: list[Reading]) -> Frame:
    return Frame(
        received=at,
        sensors=[reading.sensor for reading in readings],
        at=[at] * len(readings),
        values=[reading.value for reading in readings],
        qualities=[reading.quality for reading in readings],
    )


class _Standing:
    """What came so far."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._alarms: dict[str, Alarm] = {}
        self.told: dict[str, IncidentRevision] = {}
        """The last word on every incident, save those that went into another."""
        self.notifications: list[str] = []
        self.pages: list[str] = []

    def take(self, outputs: Outputs) -> None:
        for change in outputs.alarms:
            if change.change == "retracted":
                self._alarms.pop(change.alarm.id, None)
            else:
                self._alarms[change.alarm.id] = change.alarm
        for revision in outputs.incidents:
            if revision.change == "replaced":
                self.told.pop(revision.id, None)
            else:
                self.told[revision.id] = revision
        for said in outputs.notifications:
            self.notifications.append(said.kind)
            self.pages.append(f"{clock(said.at, self._story)} {said.kind} {said.to}")

    def answer(self, answered: Answered) -> Answer | None:
        """The answer, to the incident that has its root now; None where there is none."""
        what = answered.what
        for incident in self.incidents:
            if names([incident.root]) == [what.root] and incident.closed is None:
                return Answer(
                    id=str(answered.number),
                    incident=incident.id,
                    answer=what.answer,
                    by=what.by,
                    at=answered.at,
                    minutes=what.minutes,
                )
        return None

    @property
    def alarms(self) -> list[str]:
        """Those that stand."""
        return sorted(names(alarm for alarm in self._alarms.values() if alarm.cleared is None))

    @property
    def incidents(self) -> list[IncidentRevision]:
        """Those that there are, closed ones too, oldest first."""
        there = (revision for revision in self.told.values() if revision.change != "retracted")
        return sorted(there, key=_age)


class _Condition(Protocol):
    """What alarms, members, roots and consequences have in common."""

    @property
    def asset(self) -> str: ...
    @property
    def condition(self) -> str: ...


def names(found: Iterable[_Condition]) -> list[str]:
    """``feeder-1 dead`` of each, once, in order."""
    return list(dict.fromkeys(f"{one.asset} {one.condition}" for one in found))


class _Judge:
    """One expectation, held against what came."""

    def __init__(self, story: Story, awaited: Awaited, stand: _Standing) -> None:
        self._place = ("expect", awaited.number)
        self._what = awaited.what
        self._when = awaited.what.at or f"the end ({clock(awaited.at, story)})"
        self._stand = stand
        self._document = story.document

    def failures(self) -> Iterator[Fault]:
        what, stand = self._what, self._stand
        if what.no_incident and stand.told:
            yield self._fault(("no_incident",), f"expected no incident; came: {_told(stand.told.values())}")
        if what.incidents is not None:
            yield from self._incidents(what.incidents)
        if what.alarms is not None:
            yield from self._exactly(("alarms",), "expected alarms", what.alarms, stand.alarms)
        if what.notifications is not None and list(what.notifications) != stand.notifications:
            wanted, came = _listed(what.notifications), _listed(stand.notifications)
            yield self._fault(("notifications",), f"expected notifications: {wanted}; came: {came}")

        if what.pages is not None and list(what.pages) != stand.pages:
            wanted, came = _listed(what.pages), _listed(stand.pages)
            yield self._fault(("pages",), f"expected pages: {wanted}; came: {came}")

    def _incidents(self, expected: tuple[ExpectedIncident, ...]) -> Iterator[Fault]:
        """Each expected one against the standing one of its root that fits best; then what is left over."""
        left = self._stand.incidents
        absent: list[tuple[Place, str]] = []
        for index, wanted in enumerate(expected):
            place = ("incidents", index)
            judged = [
                (list(self._differences(place, wanted, there)), there)
                for there in left
                if names([there.root]) == [wanted.root]
            ]
            if not judged:
                absent.append(((*place, "root"), wanted.root))
                continue
            differences, nearest = min(judged, key=lambda pair: len(pair[0]))
            left.remove(nearest)
            yield from differences
        others = _told(left)
        for path, root in absent:
            yield self._fault(path, f"expected an incident with the root {root}; came besides: {others}")
        if left and not absent:
            yield self._fault(("incidents",), f"expected no other incident; came besides: {others}")

    def _differences(self, place: Place, wanted: ExpectedIncident, there: Incident) -> Iterator[Fault]:
        subject = f"incident {wanted.root}: "
        members = sorted(names(there.members))
        if wanted.members is not None:
            yield from self._exactly(
                (*place, "members"), f"{subject}expected members", wanted.members, members
            )
        for field, what, asked, came in (
            ("among_members", "members", wanted.among_members, members),
            ("alternatives", "alternatives", wanted.alternatives, names(there.alternatives)),
            ("expected", "consequences", wanted.expected, names(there.expected)),
        ):
            for index, condition in enumerate(asked or ()):
                if condition not in came:
                    message = f"{subject}expected {condition} among the {what}; came: {_listed(came)}"
                    yield self._fault((*place, field, index), message)
        for text in wanted.summary or ():
            if text.lower() not in there.summary.lower():
                message = f"{subject}expected {text!r} in the summary; came: {there.summary}"
                yield self._fault((*place, "summary"), message)
        if wanted.closed is not None and wanted.closed != (there.closed is not None):
            is_, was = ("closed", "open") if wanted.closed else ("open", "closed")
            yield self._fault((*place, "closed"), f"{subject}expected it to be {is_}; it is {was}")

    def _exactly(self, path: Place, what: str, wanted: Sequence[str], came: Sequence[str]) -> Iterator[Fault]:
        absent = [name for name in wanted if name not in came]
        besides = [name for name in came if name not in wanted]
        told = [f"did not come: {_listed(absent)}"] if absent else []
        told += [f"came besides: {_listed(besides)}"] if besides else []
        if told:
            yield self._fault(path, f"{what}: {_listed(wanted)}; {'; '.join(told)}")

    def _fault(self, path: Place, message: str) -> Fault:
        return self._document.fault((*self._place, *path), f"at {self._when}: {message}")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"


def _told(incidents: Iterable[IncidentRevision]) -> str:
    return "; ".join(map(_incident, sorted(incidents, key=_age))) or "none"


def _age(told: IncidentRevision) -> tuple[int, str]:
    return told.opened, told.root.asset


def _incident(told: IncidentRevision) -> str:
    (root,) = names([told.root])
    gone = ", since taken back" if told.change == "retracted" else ""
    return f"{root} ({told.root.probability:.0%}{gone}) with {_listed(sorted(names(told.members)))}"


def clock(at: int, story: Story) -> str:
    """A time as stories write it."""
    zone = ZoneInfo(story.city.timezone)
    first, here = (
        datetime.fromtimestamp(moment / SECOND, UTC).astimezone(zone) for moment in (story.start, at)
    )
    days = (here.date() - first.date()).days
    return f"{days}d {here:%H:%M}" if days else f"{here:%H:%M}"
