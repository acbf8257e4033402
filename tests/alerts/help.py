"""What the tests of alerts share: revisions with what the desk looks at, a small city, policies in YAML."""

from pathlib import Path
from tempfile import TemporaryDirectory

from alerts.desk import Desk
from alerts.policyfile import lint_policy
from alerts.speaking import Said
from schemas.alarms import Severity
from schemas.alerting import Policy
from schemas.answers import Answer
from schemas.city import City
from schemas.incidents import IncidentMove, IncidentRevision, Member, Root
from schemas.notifications import Decision, Notification
from schemas.times import MINUTE
from tests.scenario import at, city_of, clock

CITY = city_of(
    """
    assets:
      - {id: feeder-7, utility: power, kind: feeder, zone: north}
      - {id: pump-3, utility: water, kind: pump, zone: north, properties: {customers: 1200}}
      - {id: tank-2, utility: water, kind: tank, zone: south}
      - {id: pump-9, utility: sewage, kind: pump, zone: south}
    links:
      - {from: feeder-7, to: pump-3, relation: powers}
      - {from: pump-3, to: tank-2, relation: supplies}
    """
)


def revision(
    id_: str = "i-1",
    known: str = "08:00",
    change: IncidentMove = "opened",
    severity: Severity = Severity.WARNING,
    root: str = "feeder-7",
    utilities: tuple[str, ...] = ("power",),
    closed: str | None = None,
    replaced_by: str | None = None,
    condition: str = "dead",
    until: str | None = None,
) -> IncidentRevision:
    """A revision; its root began when it was known, or at 08:00 where that was before, and stands, or stood
    ``until`` then.
    """
    since = min(at("08:00"), at(known)) if id_ == "i-1" else at(known)
    return IncidentRevision(
        id=id_,
        opened=since,
        closed=at(closed) if closed else None,
        severity=severity,
        utilities=list(utilities),
        root=Root(asset=root, condition=condition, since=since, probability=0.9),
        alternatives=[],
        members=[Member(asset=root, condition=condition, since=since, until=at(until) if until else None)],
        expected=[],
        summary=f"{root} lost supply at {clock(since)}.",
        chain=[],
        revision=1,
        known_at=at(known),
        change=change,
        replaced_by=replaced_by,
    )


def policy_of(text: str, city: City = CITY) -> Policy:
    """A policy without faults."""
    policy, faults = linted(text, city)
    assert policy is not None, faults
    return policy


def linted(text: str, city: City = CITY) -> tuple[Policy | None, list[str]]:
    """A policy and its faults, as ``line: message``."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "alerts.yaml"
        path.write_text(text, encoding="utf-8")
        policy, faults = lint_policy(path, city)
    return policy, [f"{fault.line}: {fault.message}" for fault in faults]


def answer(kind: str, time: str, incident: str = "i-1", minutes: int | None = None) -> Answer:
    """Somebody answers."""
    return Answer.model_validate(
        {
            "id": f"{kind} {time} {incident}",
            "incident": incident,
            "answer": kind,
            "by": "ana",
            "at": at(time),
            "minutes": minutes,
        }
    )


class Night:
    """A desk under a policy, and what it says over a stretch of time. It steps by minutes: two to settle."""

    def __init__(self, text: str, city: City = CITY) -> None:
        policy = policy_of(text, city)
        if "settle" not in policy.model_fields_set:
            policy = policy.model_copy(update={"settle": 2 * MINUTE})
        self.desk = Desk(policy, city)
        self.said: list[Said] = []
        self.now = 0

    def at(self, time: str, *what: IncidentRevision | Answer) -> None:
        """Time moves minute by minute, then these are taken."""
        end = at(time)
        while self.now and self.now + 60_000 <= end:
            self.now += 60_000
            self.said += self.desk.look(self.now)
        self.now = end
        self.said += self.desk.look(end)
        for one in what:
            self.said += self.desk.answer(one) if isinstance(one, Answer) else self.desk.take(one)
        self.said += self.desk.look(end)

    @property
    def notes(self) -> list[Notification]:
        """The messages."""
        return [one for one in self.said if isinstance(one, Notification)]

    @property
    def told(self) -> list[str]:
        """``08:02 i-1 opened to ana``, in order."""
        return [f"{clock(n.at)} {n.incident} {n.kind} to {n.to}" for n in self.notes]

    @property
    def decided(self) -> list[str]:
        """``08:02 i-2 inhibit withheld: reason``, in order."""
        return [
            f"{clock(d.at)} {d.incident} {d.stage} {d.verdict}: {d.reason}"
            for d in self.said
            if isinstance(d, Decision)
        ]
