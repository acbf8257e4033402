"""What a desk says of a thread: messages and decisions, each under an id that follows from content. Pure."""

from typing import Literal

from alerts.facts import facts_of
from alerts.messages import Messages
from alerts.threads import Thread
from schemas.alarms import content_id
from schemas.alerting import Policy
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.notifications import Decision, Notification, Stage

Kind = Literal["opened", "updated", "escalated", "reminded", "resolved"]
Verdict = Literal["told", "withheld", "nobody", "done"]
Said = Notification | Decision


class Speaker:
    """Finds the words, and counts them in the thread."""

    def __init__(self, policy: Policy, city: City | None) -> None:
        self._messages = Messages(policy, city)
        self._assets = city.asset_by_id if city else {}

    def say(
        self, thread: Thread, revision: IncidentRevision, kind: Kind, at: int, to: str, reason: str
    ) -> Notification:
        """A message to somebody whom the thread has among those who were told."""
        facts = facts_of(revision, self._assets)
        thread.sent += 1
        told = thread.told[to]
        told.said_at = at
        message = self._messages.of(kind, revision, facts, reason=reason, known=revision.id, at=at)
        return Notification(
            id=content_id("notification", thread.first, thread.known_at, thread.sent, kind),
            incident=revision.id,
            kind=kind,
            at=at,
            to=to,
            reason=reason,
            text=message.text,
            thread=told.key,
            title=message.title,
            severity=revision.severity,
            asset=facts.asset,
            condition=facts.condition,
            utilities=revision.utilities,
            zones=sorted(facts.zones),
            since=revision.opened,
            link=self._messages.link(revision.id, facts.asset),
        )

    @staticmethod
    def decide(
        thread: Thread,
        revision: IncidentRevision,
        at: int,
        stage: Stage,
        verdict: Verdict,
        to: str,
        reason: str,
    ) -> list[Said]:
        """The decision, where it is another than the newest of its stage."""
        name = f"{to} {stage}"
        if thread.noted.get(name) == reason:
            return []
        thread.noted[name] = reason
        return [decision(revision.id, key_of(thread), at, stage, verdict, to, reason)]


def key_of(thread: Thread) -> str:
    """The name of the thread that messages share."""
    return content_id("thread", thread.first, thread.known_at, thread.rounds)


def decision(
    incident: str, key: str, at: int, stage: Stage, verdict: Verdict, to: str, reason: str
) -> Decision:
    """One decision; ``key`` tells it from the same about another thread."""
    return Decision(
        id=content_id("decision", key, at, stage, to, reason),
        incident=incident,
        at=at,
        stage=stage,
        verdict=verdict,
        to=to,
        reason=reason,
    )
