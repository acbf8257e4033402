"""View models: what the pages show, computed from what the store holds.

In:  the city model, alarms, incidents, counts. Out: frozen records of what a page needs, nothing of how
it looks. Pure: times come with the data.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from console import wording
from schemas.alarms import Alarm, Severity
from schemas.city import City, Utility
from schemas.incidents import Expected, Foretold, Incident, IncidentRevision, Member, Outcome, Root, Step
from schemas.times import HOUR, MINUTE


@dataclass(frozen=True, slots=True)
class AssetState:
    """An asset that has alarms standing: the worst severity, and the conditions, oldest first."""

    severity: Severity
    conditions: tuple[str, ...]


def asset_states(alarms: Iterable[Alarm]) -> dict[str, AssetState]:
    """The state of each asset with an alarm that stands; the others are quiet."""
    standing: dict[str, list[Alarm]] = defaultdict(list)
    for alarm in alarms:
        if alarm.cleared is None:
            standing[alarm.asset].append(alarm)
    return {
        asset: AssetState(
            max((alarm.severity for alarm in found), key=lambda severity: severity.rank),
            tuple(dict.fromkeys(alarm.condition for alarm in sorted(found, key=lambda alarm: alarm.raised))),
        )
        for asset, found in standing.items()
    }


@dataclass(frozen=True, slots=True)
class Card:
    """An incident in the list."""

    id: str
    severity: Severity
    summary: str
    utilities: tuple[str, ...]
    root: tuple[str, str, str]
    """Asset, condition, probability; in words."""
    coming: tuple[str, str, str] | None
    """The likeliest of what is expected and does not stand yet, in the same words."""
    alarms: int
    standing: int
    since: str
    lasted: str
    open: bool


def card(incident: Incident, city: City, now: int) -> Card:
    """An incident in the list, seen from stream time ``now``."""
    zone = ZoneInfo(city.timezone)
    return Card(
        id=incident.id,
        severity=incident.severity,
        summary=incident.summary,
        utilities=utilities_in_order(incident.utilities),
        root=_said(incident.root, city),
        coming=_coming(incident, city, now),
        alarms=len(incident.members),
        standing=sum(member.until is None for member in incident.members),
        since=wording.moment(incident.opened, zone, beside=now),
        lasted=wording.duration((incident.closed or now) - incident.opened),
        open=incident.closed is None,
    )


def _said(about: Root | Expected, city: City) -> tuple[str, str, str]:
    condition = wording.condition_words(about.condition)
    return title(city, about.asset), condition, wording.percent(about.probability)


def coming(incident: Incident, now: int) -> list[Expected]:
    """What is expected and does not stand yet, the likeliest first."""
    standing = {(member.asset, member.condition) for member in incident.members if member.until is None}
    ahead = [
        expected
        for expected in incident.expected
        if expected.end > now and (expected.asset, expected.condition) not in standing
    ]
    return sorted(ahead, key=lambda expected: -expected.probability)


def _coming(incident: Incident, city: City, now: int) -> tuple[str, str, str] | None:
    ahead = coming(incident, now)
    return _said(ahead[0], city) if ahead and incident.closed is None else None


def utilities_in_order(utilities: Iterable[str]) -> tuple[str, ...]:
    """Utilities in the order of the field, so that chips stand still when more join."""
    order = [utility.value for utility in Utility]
    return tuple(sorted(set(utilities), key=lambda name: order.index(name) if name in order else len(order)))


def title(city: City, asset: str) -> str:
    """What people call an asset; its id where the model does not know it."""
    known = city.asset_by_id.get(asset)
    return known.title if known else asset


@dataclass(frozen=True, slots=True)
class Overlay:
    """An incident on the map: its root, its members, and the paths from cause to effect."""

    root: str
    members: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]


def overlay(incident: Incident) -> Overlay:
    """An incident on the map; each pair of assets is joined once, by the first step that joins it."""
    paths: dict[tuple[str, str], tuple[str, ...]] = {}
    for step in incident.chain:
        if step.cause != step.effect:
            paths.setdefault((step.cause, step.effect), (step.cause, *step.through, step.effect))
    members = tuple(dict.fromkeys(member.asset for member in incident.members))
    return Overlay(incident.root.asset, members, tuple(paths.values()))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the causal timeline: a condition of one asset, each time that it stood.

    ``step`` is the link that explains it; None at the root and where the chain names none. ``latent``
    marks a root that no sensor showed: it has a time, but no alarm of its own.
    """

    asset: str
    utility: str
    condition: str
    spans: tuple[tuple[int, int | None], ...]
    step: Step | None
    root: bool
    latent: bool

    @property
    def since(self) -> int:
        """The first onset."""
        return self.spans[0][0]


def timeline(incident: Incident, city: City) -> list[Row]:
    """The root, then the members by onset, each with the step that explains it."""
    steps: dict[tuple[str, str], Step] = {}
    for step in incident.chain:
        steps.setdefault((step.effect, step.effect_condition), step)
    spans: dict[tuple[str, str], list[tuple[int, int | None]]] = defaultdict(list)
    for member in sorted(incident.members, key=lambda member: member.since):
        spans[member.asset, member.condition].append((member.since, member.until))
    root = (incident.root.asset, incident.root.condition)
    latent = root not in spans
    if latent:
        spans[root].append((incident.root.since, incident.root.since))
    rows = [
        Row(
            asset=asset,
            utility=utility_of(city, asset),
            condition=condition,
            spans=tuple(found),
            step=None if (asset, condition) == root else steps.get((asset, condition)),
            root=(asset, condition) == root,
            latent=latent and (asset, condition) == root,
        )
        for (asset, condition), found in spans.items()
    ]
    return sorted(rows, key=lambda row: (not row.root, row.since, row.asset, row.condition))


def utility_of(city: City, asset: str) -> str:
    """The utility that owns an asset; nothing where the model does not know it."""
    known = city.asset_by_id.get(asset)
    return known.utility.value if known else ""


def span(incident: Incident, now: int) -> tuple[int, int]:
    """First and last moment worth drawing (ms): a little before, and the nearer part of what is expected."""
    first = min([incident.opened, incident.root.since, *(member.since for member in incident.members)])
    last = incident.closed or max(now, first)
    length = last - first
    margin = max(length // 12, 10 * MINUTE)
    ahead = [expected.end for expected in incident.expected] if incident.closed is None else []
    nearer = min(max(ahead, default=last), last + max(length // 2, HOUR))
    return first - margin, max(last + margin // 2, nearer)


def member_sensors(incident: Incident, alarms: Iterable[Alarm], city: City) -> list[str]:
    """The sensors that tell the story: of the root, then of the members by onset; each once."""
    sensor_of = {(alarm.asset, alarm.condition): alarm.sensor for alarm in alarms if alarm.sensor}
    wanted = [
        sensor_of.get((row.asset, row.condition)) or _first_sensor(city, row.asset, row.condition)
        for row in timeline(incident, city)
    ]
    return [sensor for sensor in dict.fromkeys(wanted) if sensor in city.sensor_by_id]


def _first_sensor(city: City, asset: str, condition: str) -> str | None:
    sensors = city.sensors_of.get(asset, ())
    named = [sensor.id for sensor in sensors if condition.startswith(sensor.quantity)]
    return next(iter(named or [sensor.id for sensor in sensors]), None)


def onsets(incident: Incident, sensor: str) -> list[Member]:
    """The members that lie on a sensor's asset: what its chart marks."""
    asset = sensor.partition("/")[0]
    return [member for member in incident.members if member.asset == asset]


@dataclass(frozen=True, slots=True)
class Headline:
    """The one line that the console exists for: so many alarms, so few incidents."""

    alarms: int
    departments: int
    incidents: int
    open_incidents: int


def headline(alarms: Sequence[Alarm], incidents: Sequence[Incident]) -> Headline:
    """Alarms of the day, the departments that saw them, and the incidents that explain them."""
    return Headline(
        alarms=len(alarms),
        departments=len({alarm.utility for alarm in alarms}),
        incidents=len(incidents),
        open_incidents=sum(incident.closed is None for incident in incidents),
    )


@dataclass(frozen=True, slots=True)
class Lane:
    """One utility's alarms over the day: spans (from, to, severity rank), ms."""

    utility: str
    alarms: int
    spans: tuple[tuple[int, int, int], ...]


def lanes(city: City, alarms: Sequence[Alarm], now: int) -> list[Lane]:
    """A lane for each utility of the city, in the field's order, also where nothing happened."""
    grouped: dict[str, list[Alarm]] = defaultdict(list)
    for alarm in alarms:
        grouped[alarm.utility].append(alarm)
    return [
        Lane(
            utility,
            len(grouped[utility]),
            tuple(
                (alarm.raised, alarm.cleared or now, alarm.severity.rank)
                for alarm in sorted(grouped[utility], key=lambda alarm: (alarm.severity.rank, alarm.raised))
            ),
        )
        for utility in utilities_in_order({asset.utility.value for asset in city.assets} | set(grouped))
    ]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was foretold, in words, and what came of it."""

    told: str
    title: str
    condition: str
    sure: str
    outcome: Outcome
    what_came: str


def predictions(incident: IncidentRevision, city: City) -> list[Prediction]:
    """The predictions of which it is clear what came of them: newest first, surest first."""
    zone = ZoneInfo(city.timezone)
    return [
        Prediction(
            told=wording.clock(one.told, zone),
            title=title(city, one.asset),
            condition=wording.condition_words(one.condition),
            sure=wording.percent(one.probability),
            outcome=one.outcome,
            what_came=_what_came(one, zone),
        )
        for one in sorted(incident.foretold, key=lambda one: (-one.told, -one.probability))
        if one.outcome is not None
    ]


def _what_came(one: Foretold, zone: ZoneInfo) -> str:
    if one.came is not None:
        ahead = wording.duration(one.came - one.told)
        return f"came at {wording.moment(one.came, zone, beside=one.told)}, {ahead} after it was told"
    until = wording.moment(one.end, zone, beside=one.told)
    return f"{'no sensor could tell' if one.outcome == 'unknown' else 'did not come'}; expected until {until}"


def tally(entries: Iterable[Prediction]) -> str:
    """How many came, did not, or can't be known: ``3 came, 1 did not``."""
    count = Counter(entry.outcome for entry in entries)
    said: tuple[tuple[Outcome, str], ...] = (("hit", "came"), ("miss", "did not"), ("unknown", "unknown"))
    return ", ".join(f"{count[outcome]} {words}" for outcome, words in said if count[outcome])


@dataclass(frozen=True, slots=True)
class Revision:
    """One entry of an incident's history."""

    at: str
    change: str
    detail: str


def history(revisions: Sequence[IncidentRevision], city: City) -> list[Revision]:
    """What changed, when and why, newest first."""
    zone = ZoneInfo(city.timezone)
    entries = []
    for before, after in zip([None, *revisions], revisions, strict=False):
        entries.append(
            Revision(
                wording.clock(after.known_at, zone),
                wording.change_words(after.change),
                "; ".join(_differences(before, after, city)),
            )
        )
    return entries[::-1]


def _differences(before: IncidentRevision | None, after: IncidentRevision, city: City) -> list[str]:
    root = f"root {title(city, after.root.asset)} {wording.condition_words(after.root.condition)}"
    probability = wording.percent(after.root.probability)
    if before is None or before.id != after.id:
        return [f"{root}, {probability}", wording.plural(len(after.members), "alarm")]
    told = []
    if (before.root.asset, before.root.condition) != (after.root.asset, after.root.condition):
        told.append(f"{root}, {probability}")
    if joined := len({_key(m) for m in after.members} - {_key(m) for m in before.members}):
        told.append(f"+{joined} to {wording.plural(len(after.members), 'alarm')}")
    if cleared := _standing(before) - _standing(after):
        told.append(f"{wording.count(cleared)} cleared" if cleared > 0 else f"{-cleared} more standing")
    if before.severity != after.severity:
        told.append(f"now {after.severity.value}")
    return told


def _key(member: Member) -> tuple[str, str, int]:
    return member.asset, member.condition, member.since


def _standing(incident: Incident) -> int:
    return sum(member.until is None for member in incident.members)


def links_of(city: City, asset: str) -> list[tuple[str, str, str]]:
    """What an asset acts on and what acts on it: (direction, relation, other asset), in model order."""
    return [("to", link.relation.value, link.target) for link in city.links_from.get(asset, ())] + [
        ("from", link.relation.value, link.source) for link in city.links_to.get(asset, ())
    ]


def alarm_tally(alarms: Iterable[Alarm]) -> Counter[str]:
    """Alarms by severity."""
    return Counter(alarm.severity.value for alarm in alarms)


def limits_of(limits: Mapping[str, float | None]) -> dict[str, float]:
    """The limits that are set, apart from the rate."""
    return {name: value for name, value in limits.items() if value is not None and name != "rate"}
