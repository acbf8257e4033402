"""Alarms to incidents and notifications, cut into the parts that partitions carry. Pure.

In:  alarm changes and moves of stream time, from all parts of detection.
Out: incidents, and what people are to be told of them.
Promises: those of ``stages``, and the words of one process that thinks about the whole city, in whatever
order the parts come.

A city without borders is one part. Of a city with borders each partition of the alarms carries some domains:
what they say goes to ``city.domains.v1``, where the last stage, ``join``, makes one of what crosses a border.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from alerts.desk import Desk
from alerts.speaking import Said
from runner.kafka.records import Districts, Layout, kind_of, place_of
from runner.kafka.stages import Detect, Output, Record, dead_letter, refuse_others, versioned
from schemas.alarms import AlarmChange
from schemas.alerting import Policy
from schemas.answers import Answer
from schemas.city import City
from schemas.errors import BadPayload
from schemas.incidents import DomainWord, IncidentRevision
from schemas.notifications import Decision
from schemas.readings import Tick
from schemas.topics import ALARMS, DECISIONS, DOMAINS, INCIDENTS, NOTIFICATIONS, Topic
from schemas.vocabulary import Vocabulary
from streams.causes import Causes
from streams.correlation import Correlation, Domainwise
from streams.join import Join
from streams.merge import Merge

Heard = TypeVar("Heard", bound=BaseModel)


class Correlate:
    """Alarms to incidents, or, of a city with borders, to what each domain says."""

    name = "correlate"
    source = ALARMS

    def __init__(
        self,
        city: City,
        vocabulary: Vocabulary,
        causes: Causes,
        layout: Layout,
        districts: Districts,
        policy: Policy | None = None,
    ) -> None:
        self._city, self._vocabulary, self._causes = city, vocabulary, causes
        self._layout, self._districts, self._policy = layout, districts, policy
        self.partitions: Collection[int] = districts.names.keys()

    def part(self, partition: int) -> "CityPart | DomainsPart | None":
        """Correlation of the domains on one partition."""
        names = self._districts.names.get(partition)
        if names is None:
            return None
        inbox = Inbox(self._city.city, ALARMS, Detect.name, self._layout.sensors, TypeAdapter(AlarmChange))
        if self._districts.divided:
            domains = Domainwise(self._city, self._causes, self._vocabulary, self._districts.domains, names)
            return DomainsPart(inbox, domains, self._districts.at_home(names))
        correlation = Correlation(self._city, self._causes, self._vocabulary)
        return CityPart(inbox, correlation, Desk(self._policy, self._city))


class JoinDomains:
    """What domains say to incidents of the city, and to notifications. Only cities with borders need it."""

    name = "join"
    source = DOMAINS

    def __init__(
        self, city: City, causes: Causes, districts: Districts, partition: int, policy: Policy | None = None
    ) -> None:
        self._city, self._causes = city, causes
        self._districts, self._policy = districts, policy
        self.partitions: Collection[int] = (partition,)

    def part(self, partition: int) -> "JoinPart | None":
        """The joining of a city, on the partition of its key."""
        if partition not in self.partitions:
            return None
        heard: TypeAdapter[AlarmChange | DomainWord] = TypeAdapter(AlarmChange | DomainWord)
        inbox = Inbox(self._city.city, DOMAINS, Correlate.name, self._districts.names, heard)
        join = Join(self._city, self._causes, self._districts.domains)
        return JoinPart(inbox, join, Desk(self._policy, self._city))


class Inbox(Generic[Heard]):
    """What the parts of the stage before say, each thing once, in rounds of stream time.

    ``parts``: its partitions; ``heard``: what its records carry, beside ticks.
    """

    def __init__(
        self, city: str, topic: Topic, stage: str, parts: Iterable[int], heard: TypeAdapter[Heard]
    ) -> None:
        self.city, self._topic, self._stage = city, topic, stage
        self._model = heard
        self._merge = Merge(parts, heard)
        self._taken = dict.fromkeys(parts, (-1, -1))
        """Offset and number of the newest output of each part: those up to it are repetitions."""
        self.time: int | None = None
        """The newest move of stream time that was complete, since the start."""

    def take(self, record: Record) -> Output | None:
        """Take a record in; a dead letter where it means nothing here."""
        if record.key.partition("/")[0] != self.city:
            return None
        try:
            self._take(record)
        except (ValueError, BadPayload) as error:  # a ValidationError is one too
            return dead_letter(self._topic, record, error)
        return None

    def _take(self, record: Record) -> None:
        place = place_of(record.headers)
        if place.stage != self._stage or place.partition not in self._taken:
            raise BadPayload(f"partition {place.partition} of {place.stage} carries nothing of {self.city!r}")
        known = (place.offset, place.number)
        if known <= self._taken[place.partition]:
            return
        if kind_of(record.headers) == "tick":
            self._merge.take(place.partition, Tick.model_validate_json(record.value).at)
        else:
            self._merge.take(place.partition, self._model.validate_json(record.value))
        self._taken[place.partition] = known

    def rounds(self) -> Iterator[tuple[list[Heard], int]]:
        """What all parts said up to each move of stream time that is complete now."""
        for said, now in self._merge.rounds():
            self.time = now
            yield said, now

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {
            "taken": {str(part): place for part, place in self._taken.items()},
            "merge": self._merge.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises ValueError where the city model is another."""
        taken = {int(part): (place[0], place[1]) for part, place in state["taken"].items()}
        if taken.keys() != self._taken.keys():
            raise ValueError("it is of a city model with sites or domains on other partitions")
        self._taken = taken
        self._merge.restore(state["merge"])


def _answered(city: str, topic: Topic, desk: Desk, record: Record) -> Iterator[Output]:
    """What follows from an answer that somebody gave."""
    if record.key.partition("/")[0] != city:
        return
    try:
        answer = Answer.model_validate_json(record.value)
    except ValidationError as error:
        yield dead_letter(topic, record, error)
        return
    yield from _notes(desk.answer(answer))


class _Listening:
    """What the parts share: they take no readings, and their time is that of their inbox."""

    counts: Mapping[str, int] = {}
    _inbox: Inbox[Any]

    @property
    def stream_time(self) -> int | None:
        """How far the input has got, ms since the epoch."""
        return self._inbox.time


class CityPart(_Listening):
    """Correlation of a city that is one domain."""

    def __init__(self, inbox: Inbox[AlarmChange], correlation: Correlation, desk: Desk) -> None:
        self._inbox, self._correlation, self._desk = inbox, correlation, desk

    def step(self, record: Record) -> Iterator[Output]:
        """Revisions and notifications of the moves of stream time that are complete now."""
        if kind_of(record.headers) == "answer":
            yield from _answered(self._inbox.city, ALARMS, self._desk, record)
            return
        if (refused := self._inbox.take(record)) is not None:
            yield refused
            return
        for changes, now in self._inbox.rounds():
            for change in changes:
                self._correlation.take(change)
                self._desk.note(change)
            yield from _told(self._desk, self._correlation.look(now), now)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return versioned(inbox=self._inbox, correlate=self._correlation, desk=self._desk)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises ValueError where another version of us, or of the city, wrote it."""
        refuse_others(state)
        self._inbox.restore(state["inbox"])
        self._correlation.restore(state["correlate"])
        self._desk.restore(state["desk"])


class DomainsPart(_Listening):
    """Correlation of some domains, each for itself. ``home``: the assets that belong to them."""

    def __init__(self, inbox: Inbox[AlarmChange], domains: Domainwise, home: frozenset[str]) -> None:
        self._inbox, self._domains, self._home = inbox, domains, home

    def step(self, record: Record) -> Iterator[Output]:
        """What domains say at the moves of stream time that are complete now; and, for those who are to be
        told, the alarms that are at home here.
        """
        if (refused := self._inbox.take(record)) is not None:
            yield refused
            return
        for changes, now in self._inbox.rounds():
            for change in changes:
                self._domains.take(change)
                if change.alarm.asset in self._home:
                    yield self._said("alarm-change", change)
            for word in self._domains.look(now):
                yield self._said("domain-word", word)
            yield self._said("tick", Tick(at=now))

    def _said(self, kind: str, what: BaseModel) -> Output:
        return Output(DOMAINS, self._inbox.city, kind, what.model_dump_json().encode())

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return versioned(inbox=self._inbox, domains=self._domains)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises ValueError where another version of us, or of the city, wrote it."""
        refuse_others(state)
        self._inbox.restore(state["inbox"])
        self._domains.restore(state["domains"])


class JoinPart(_Listening):
    """The incidents of a city's domains made one, and told."""

    def __init__(self, inbox: "Inbox[AlarmChange | DomainWord]", join: Join, desk: Desk) -> None:
        self._inbox, self._join, self._desk = inbox, join, desk

    def step(self, record: Record) -> Iterator[Output]:
        """Revisions and notifications of the moves of stream time that are complete now."""
        if kind_of(record.headers) == "answer":
            yield from _answered(self._inbox.city, DOMAINS, self._desk, record)
            return
        if (refused := self._inbox.take(record)) is not None:
            yield refused
            return
        for said, now in self._inbox.rounds():
            for one in said:
                if isinstance(one, AlarmChange):
                    self._desk.note(one)
                else:
                    self._join.take(one.domain, one.revisions, frozenset(one.excused))
            yield from _told(self._desk, self._join.look(now), now)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return versioned(inbox=self._inbox, join=self._join, desk=self._desk)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises ValueError where another version of us, or of the city, wrote it."""
        refuse_others(state)
        self._inbox.restore(state["inbox"])
        self._join.restore(state["join"])
        self._desk.restore(state["desk"])


def _told(desk: Desk, revisions: Iterable[IncidentRevision], now: int) -> Iterator[Output]:
    """What stands anew at a move of stream time, and what people are told of it."""
    for revision in revisions:
        yield Output(INCIDENTS, revision.id, "incident-revision", revision.model_dump_json().encode())
        yield from _notes(desk.take(revision))
    yield from _notes(desk.look(now))


def _notes(said: Iterable[Said]) -> Iterator[Output]:
    for one in said:
        body = one.model_dump_json().encode()
        if isinstance(one, Decision):
            yield Output(DECISIONS, one.incident, "decision", body)
        else:
            yield Output(NOTIFICATIONS, one.thread, "notification", body)
