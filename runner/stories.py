"""A story file: a small city, what its sensors say, and the incidents that shall come of it.

In:  the path of a story.
Out: ``Story``, ready to be told (``runner.storytelling``), or BadConfig with every fault: the line, what was
     expected, the nearest valid name. Faults of form are listed first, alone: names and times can be held
     against a city only when it can be read.
All clocks are the city's own. docs/stories.md tells how to write one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    model_validator,
)

from alerts.policyfile import load_policy, policy_in
from runner.series import Item, length, parse, still
from schemas.alerting import Policy
from schemas.city import Asset, City, Identifier, Link, Sensor, known_zone
from schemas.citychecks import Items, Parts, check
from schemas.cityfile import load_city
from schemas.errors import BadConfig, Fault
from schemas.times import DAY, SECOND, milliseconds
from schemas.vocabulary import Vocabulary, load_vocabulary
from schemas.wording import listed, nearest, some, validate
from schemas.yamlfile import Document, read
from streams.events import BEGINS, ENDS

SHIPPED = Path(__file__).parents[1] / "streams" / "stories"
"""The stories that come with us: what the product promises."""
CITIES = Path(__file__).parents[1] / "cities"
START = "2025-06-02 08:00"
"""A Monday, when a story does not say."""
LONGEST = 31 * DAY
EVENTS = (*BEGINS, *ENDS)
KINDS = ("opened", "updated", "escalated", "reminded", "resolved")

_CLOCK = re.compile(r"(?:(\d{1,2})d )?([01]\d|2[0-3]):([0-5]\d)")
_PAGE = re.compile(rf"{_CLOCK.pattern} ({'|'.join(KINDS)}) \S+")
_START = "%Y-%m-%d %H:%M"

Place = tuple[str | int, ...]


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise ValueError(f"{text!r} is no time of a story; write it as 17:00, or 1d 17:00 for the next day")
    return text


def _start(text: str) -> str:
    try:
        datetime.strptime(text, _START)  # noqa: DTZ007 - the zone is the city's, known later
    except ValueError:
        raise ValueError(f"{text!r} is no beginning of a story; write it as {START}") from None
    return text


def _series(given: object) -> tuple[Item, ...]:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise ValueError("no series; write it as 1x10 0x30")  # noqa: TRY004 - pydantic wants a ValueError
    return parse(str(given))


def _condition(text: str) -> str:
    words = text.split()
    if len(words) != 2:
        raise ValueError(f"{text!r} is no condition of an asset; write it as feeder-1 dead")
    return " ".join(words)


def _page(text: str) -> str:
    if not _PAGE.fullmatch(text):
        raise ValueError(f"{text!r} is no page; write it as 08:12 opened ana, with one of {', '.join(KINDS)}")
    return text


Clock = Annotated[str, AfterValidator(_clock)]
"""``17:00`` on the first day, ``1d 17:00`` on the next."""
Series = Annotated[tuple[Item, ...], PlainValidator(_series)]
Condition = Annotated[str, AfterValidator(_condition)]
"""``feeder-1 dead``: an asset and its condition, as in a replay's summary."""
Page = Annotated[str, AfterValidator(_page)]
Conditions = Annotated[tuple[Condition, ...], AfterValidator(some)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExpectedIncident(_Part):
    """One incident as it shall stand; what is not given may be as it likes."""

    root: Condition
    members: Conditions | None = None
    """Exactly these."""
    among_members: Conditions | None = None
    """These, and maybe more; so in the two below."""
    alternatives: Conditions | None = None
    expected: Conditions | None = None
    summary: Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(some)] | None = None
    """Texts that stand in it, whatever their case."""
    closed: bool | None = None


LISTS = ("members", "among_members", "alternatives", "expected")


class Expectation(_Part):
    """What shall stand at a time, or at the end."""

    at: Clock | None = None
    incidents: Annotated[tuple[ExpectedIncident, ...], AfterValidator(some)] | None = None
    """All there are by then, closed ones too."""
    no_incident: Literal[True] | None = None
    """None was ever told, not even one that was taken back."""
    alarms: tuple[Condition, ...] | None = None
    """Exactly those that stand."""
    notifications: tuple[Literal["opened", "updated", "escalated", "reminded", "resolved"], ...] | None = None
    """Exactly what people were sent so far, in order."""
    pages: tuple[Page, ...] | None = None
    """The same, each with its minute and whom it went to: ``08:12 opened ana``."""

    @model_validator(mode="after")
    def _says_something(self) -> "Expectation":
        if (
            self.incidents is None
            and not self.no_incident
            and self.alarms is None
            and self.notifications is None
            and self.pages is None
        ):
            raise ValueError(
                "nothing is expected here; give incidents, no_incident, alarms, notifications or pages"
            )
        if self.incidents is not None and self.no_incident:
            raise ValueError("incidents and no_incident can't both hold; leave one out")
        return self


class Happening(_Part):
    """An event that an asset sends."""

    at: Clock
    asset: Identifier
    event: str


class Answering(_Part):
    """Somebody answers the incident that has this root."""

    at: Clock
    root: Condition
    answer: Literal["acknowledge", "take over", "shelve", "resolve"]
    by: Annotated[str, Field(min_length=1)]
    minutes: Annotated[int, Field(gt=0)] | None = None


class StoryFile(_Part):
    """The file, before its names and times are held against the city."""

    story: Annotated[str, Field(min_length=1)]
    start: Annotated[str, AfterValidator(_start)] = START
    city: str | None = None
    """A shipped city, or a path beside the story: else the assets stand here."""
    timezone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    assets: tuple[Asset, ...] = ()
    links: tuple[Link, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    series: Mapping[str, Series] = {}
    events: tuple[Happening, ...] = ()
    alerts: Any = None
    """Who is told, as in an alerts.yaml; where not given, that of the city."""
    answers: tuple[Answering, ...] = ()
    expect: Annotated[tuple[Expectation, ...], AfterValidator(some)]


class Sent(NamedTuple):
    """An event at its time."""

    at: int
    asset: str
    event: str


class Answered(NamedTuple):
    """An answer at its time, with its number in the file (from 0)."""

    at: int
    number: int
    what: Answering


class Awaited(NamedTuple):
    """An expectation at its time, with its number in the file (from 0)."""

    at: int
    number: int
    what: Expectation


@dataclass(frozen=True, slots=True)
class Story:
    """A story that can be told. Times are ms since the epoch."""

    title: str
    city: City
    vocabulary: Vocabulary
    start: int
    end: int
    series: Mapping[str, tuple[Item, ...]]
    """By sensor, also for those that the file leaves alone."""
    events: tuple[Sent, ...]
    answers: tuple[Answered, ...]
    policy: Policy
    expect: tuple[Awaited, ...]
    document: Document


def load_story(path: Path) -> Story:
    """The story in a file. Raises BadConfig with every fault."""
    document = read(path)
    faults = list(document.faults)
    file = None if faults else validate(StoryFile, document.data, (), document, faults)
    if file is None:
        raise BadConfig(faults)
    faults += _which_city(file, document)
    if faults:
        raise BadConfig(faults)
    vocabulary, city, policy = _city(file, path, document, faults)
    faults += _strangers(file, city, document)
    if file.alerts is not None and not faults:
        own, wrong = policy_in(file.alerts, ("alerts",), city, document)
        policy = own or policy
        faults += wrong
    story = _timed(file, city, vocabulary, policy, document, faults)
    if faults:
        raise BadConfig(faults)
    return story


def usual(sensor: Sensor) -> float:
    """What a sensor says where no story tells otherwise: well between the limits that are nearest.

    Midway between them; half the limit where there is only an upper one, twice the limit where there is
    only a lower one (or one beyond it, where it is not above zero); 1 where there is none.
    """
    limits = sensor.limits
    low = limits.low if limits.low is not None else limits.low_low
    high = limits.high if limits.high is not None else limits.high_high
    if low is not None and high is not None:
        return (low + high) / 2
    if high is not None:
        return high / 2 if high > 0 else high - 1
    if low is not None:
        return low * 2 if low > 0 else low + 1
    return 1.0


def _which_city(file: StoryFile, document: Document) -> Iterator[Fault]:
    own = file.model_fields_set & {"timezone", "assets", "links", "sensors"}
    if file.city is None and not file.assets:
        yield document.fault((), "a story needs a city: give assets and sensors, or city: NAME or its path")
    elif file.city is not None and own:
        names = ", ".join(sorted(own))
        yield document.fault(("city",), f"the city is given twice: as a name, and by {names}; leave one out")


def _city(
    file: StoryFile, path: Path, document: Document, faults: list[Fault]
) -> tuple[Vocabulary, City, Policy]:
    """The city, its words, who is told in it; ``faults`` gains those of a city that stands in the story.

    Raises BadConfig with the faults of a city, or of words, that stand in a file of their own.
    """
    if file.city is not None:
        there = _city_file(file.city, path, document)
        city = load_city(there)
        return load_vocabulary(beside=there), city, load_policy(there, city)
    vocabulary = load_vocabulary(beside=path)
    raw = {"links": [], "sensors": [], **document.data}
    parts = Parts(
        Items(raw["assets"], dict(enumerate(file.assets))),
        Items(raw["links"], dict(enumerate(file.links))),
        Items(raw["sensors"], dict(enumerate(file.sensors))),
    )
    faults += check(parts, vocabulary, document)
    city = City(
        city="story", timezone=file.timezone, assets=file.assets, links=file.links, sensors=file.sensors
    )
    return vocabulary, city, Policy()


def _city_file(name: str, path: Path, document: Document) -> Path:
    beside = path.parent / name
    for there in (beside, beside / "city.yaml", CITIES / name / "city.yaml"):
        if there.is_file():
            return there
    shipped = sorted(found.parent.name for found in CITIES.glob("*/city.yaml"))
    message = (
        f"there is no city {name!r}{nearest(name, shipped)}; expected a city model or its folder, as seen "
        f"from this file, or one of {', '.join(shipped)}"
    )
    raise BadConfig([document.fault(("city",), message)])


def _strangers(file: StoryFile, city: City, document: Document) -> Iterator[Fault]:
    """Sensors, assets and events that are not there."""
    for sensor in file.series:
        if sensor not in city.sensor_by_id:
            message = f"no sensor {sensor!r}{nearest(sensor, city.sensor_by_id)}"
            yield document.fault(("series", sensor), message, at_key=True)
    for index, happening in enumerate(file.events):
        if happening.event not in EVENTS:
            message = f"no part of Crosscurrent acts on the event {happening.event!r}"
            hint = nearest(happening.event, EVENTS) or f"; expected one of {', '.join(EVENTS)}"
            yield document.fault(("events", index, "event"), message + hint)
    for path, asset in _assets(file):
        if asset not in city.asset_by_id:
            yield document.fault(path, f"no asset {asset!r}{nearest(asset, city.asset_by_id)}")


def _assets(file: StoryFile) -> Iterator[tuple[Place, str]]:
    """Every asset that the story speaks of, with its place."""
    for index, happening in enumerate(file.events):
        yield ("events", index, "asset"), happening.asset
    for index, answering in enumerate(file.answers):
        yield ("answers", index, "root"), answering.root.split()[0]
    for index, expectation in enumerate(file.expect):
        lists: list[tuple[Place, Sequence[str] | None]] = [(("expect", index, "alarms"), expectation.alarms)]
        for number, incident in enumerate(expectation.incidents or ()):
            place: Place = ("expect", index, "incidents", number)
            yield (*place, "root"), incident.root.split()[0]
            lists += [((*place, name), getattr(incident, name)) for name in LISTS]
        for path, conditions in lists:
            for number, condition in enumerate(conditions or ()):
                yield (*path, number), condition.split()[0]


def _timed(
    file: StoryFile,
    city: City,
    vocabulary: Vocabulary,
    policy: Policy,
    document: Document,
    faults: list[Fault],
) -> Story:
    """The story with its clocks as times; ``faults`` gains those that are out of reach."""
    first = datetime.strptime(file.start, _START).replace(tzinfo=ZoneInfo(city.timezone))
    start = milliseconds(first)

    def reach(path: Place, at: int, what: str) -> int:
        if at < start:
            message = (
                f"{what} is before the story begins ({file.start[-5:]}); on the next day it is 1d {what}"
            )
            faults.append(document.fault(path, message))
        elif at > start + LONGEST:
            faults.append(document.fault(path, f"{what}: a story lasts at most {LONGEST // DAY} days"))
        return at

    def moment(path: Place, clock: str) -> int:
        found = _CLOCK.fullmatch(clock)
        assert found, "the validator let it through"
        day = first.date() + timedelta(days=int(found[1] or 0))
        at = datetime.combine(day, time(int(found[2]), int(found[3])), first.tzinfo)
        return reach((*path, "at"), milliseconds(at), clock)

    events = tuple(
        Sent(moment(("events", index), event.at), event.asset, event.event)
        for index, event in enumerate(file.events)
    )
    answers = tuple(
        Answered(moment(("answers", index), answering.at), index, answering)
        for index, answering in enumerate(file.answers)
    )
    lasts = [
        reach(
            ("series", name), start + (length(items) - 1) * every_ms(city.sensor_by_id[name]), "this series"
        )
        for name, items in file.series.items()
        if name in city.sensor_by_id
    ]
    given = {
        index: moment(("expect", index), expectation.at)
        for index, expectation in enumerate(file.expect)
        if expectation.at is not None
    }
    happen = (*(event.at for event in events), *(answered.at for answered in answers))
    end = max([start, *lasts, *given.values(), *happen])
    expect = [Awaited(given.get(number, end), number, what) for number, what in enumerate(file.expect)]
    return Story(
        title=file.story,
        city=city,
        vocabulary=vocabulary,
        start=start,
        end=end,
        series={s.id: file.series.get(s.id) or still(usual(s)) for s in city.sensors},
        events=tuple(sorted(events, key=lambda event: event.at)),
        answers=tuple(sorted(answers, key=lambda answered: answered.at)),
        policy=policy,
        expect=tuple(sorted(expect, key=lambda awaited: awaited.at)),
        document=document,
    )


def every_ms(sensor: Sensor) -> int:
    """Milliseconds between two reports of a sensor."""
    return round(sensor.every * SECOND)
