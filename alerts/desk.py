"""One thread of messages for each incident: told once, updated when it matters, resolved once.

In:  incident revisions, planned work, people's answers, and stream time as it moves.
Out: notifications and decisions, each with its reason.
Promises: an incident is told after a settle time, so that people hear one root and not three guesses;
whoever was told of a thread gets exactly one ``resolved``, also when its incident goes into another or turns
out not to have been; what is held back is the beginning of a thread, never its end; ids follow from content,
so sending twice is seen to be once.
"""

from typing import Any
from zoneinfo import ZoneInfo

from alerts.dependence import Dependence, Known
from alerts.facts import Facts, facts_of
from alerts.flapping import Flapping
from alerts.routing import Router, Target
from alerts.silences import silenced
from alerts.speaking import Said, Speaker, decision, key_of
from alerts.threads import Answered, Over, Thread, Told, restored, root_of
from schemas.alarms import AlarmChange
from schemas.alerting import Policy
from schemas.answers import Answer
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.notifications import Notification, Stage
from schemas.times import MINUTE, rfc3339

NEVER = 2**62
ANSWERS_KEPT = 1_000
"""Ids of answers that are remembered, so that one that comes twice counts once."""


class Desk:
    """The threads that are not resolved yet. ``city``: what is known of assets; nothing where not given."""

    def __init__(self, policy: Policy | None = None, city: City | None = None) -> None:
        self._policy = policy or Policy()
        self._assets = city.asset_by_id if city else {}
        self._router = Router(self._policy, ZoneInfo(city.timezone if city else "UTC"))
        self._speaker = Speaker(self._policy, city)
        self._dependence = Dependence(self._policy, city)
        self._flapping = Flapping(self._policy.flap)
        self._threads: dict[str, Thread] = {}
        """By the incident's present id."""
        self._newest: dict[str, IncidentRevision] = {}
        self._answers: list[str] = []
        self._now = 0
        """Stream time at the newest look."""

    def note(self, change: AlarmChange) -> None:
        """An alarm, for what it says of planned work."""
        self._dependence.note(change)

    def take(self, revision: IncidentRevision) -> list[Said]:
        """One revision: what must be said at once, an all-clear; the rest is said by ``look``."""
        if revision.change == "replaced":
            return self._hand_over(revision)
        if revision.change == "retracted":
            return self._resolve(revision, "late data shows that it never was")
        if revision.closed is not None:
            return self._resolve(revision, "all its alarms have cleared and stayed clear")
        self._newest[revision.id] = revision
        thread = self._threads.setdefault(revision.id, Thread(revision.id, revision.known_at))
        if revision.id not in thread.names:
            thread.names.append(revision.id)
        thread.due = 0
        return []

    def look(self, now: int) -> list[Said]:
        """Stream time is ``now``: what people should hear."""
        self._now = now
        said: list[Said] = []
        for id_, revision in self._newest.items():
            thread = self._threads[id_]
            if now >= thread.due:
                said += self._consider(thread, revision, now)
        return said

    def answer(self, answer: Answer) -> list[Said]:
        """Somebody answered: it counts from the stream time of the newest look. An answer to an incident that
        is over changes nothing, and says so.
        """
        if answer.id in self._answers:
            return []
        self._answers = [*self._answers[1 - ANSWERS_KEPT :], answer.id]
        who = f"{answer.answer} by {answer.by} at {rfc3339(answer.at)}{_quoted(answer.note)}"
        now = self._now or answer.at
        found = next((id_ for id_, thread in self._threads.items() if answer.incident in thread.names), None)
        if found is None or found not in self._newest:
            return [decision(answer.incident, answer.id, now, "answer", "nobody", "", f"{who}; it is over")]
        thread, revision = self._threads[found], self._newest[found]
        said: list[Said] = [decision(found, answer.id, now, "answer", "done", "", who)]
        thread.due = 0
        if answer.answer == "shelve":
            thread.shelved = now + (answer.minutes or 60) * MINUTE
        elif answer.answer == "resolve":
            said += self._all_clear(thread, revision, now, f"resolved by {answer.by}{_quoted(answer.note)}")
            thread.over = Over(revision.severity, root_of(revision), list(revision.utilities))
            thread.answered, thread.shelved, thread.waiting = None, 0, False
        else:
            thread.answered = Answered(answer.by, answer.at, answer.answer)
        return said

    # -- one thread ------------------------------------------------------------------------------

    def _consider(self, thread: Thread, revision: IncidentRevision, now: int) -> list[Said]:
        """All that a look may say of one thread; sets when it is to be looked at again."""
        settled = thread.known_at + self._policy.settle
        if now < settled:
            thread.due = settled
            return []
        if not thread.is_worse(revision):
            thread.due = NEVER
            return []
        said: list[Said] = []
        if thread.over is not None:
            thread.over, thread.waiting, thread.rounds = None, True, thread.rounds + 1
        facts = facts_of(revision, self._assets)
        news = thread.news(revision, now, self._policy.calm) if thread.told else None
        if thread.waiting or news:
            said += self._tell(thread, revision, facts, news, now)
        said += self._escalate(thread, revision, facts, now)
        said += self._remind(thread, revision, facts, now)
        thread.due = self._next_look(thread, revision, now)
        return said

    def _tell(
        self, thread: Thread, revision: IncidentRevision, facts: Facts, news: str | None, now: int
    ) -> list[Said]:
        """Updates to those who know, openings to those who should."""
        said: list[Said] = []
        quiet = self._quiet(thread, facts, now)
        before = list(thread.told)
        thread.waiting = bool(news and quiet)
        if news and quiet:
            said += self._speaker.decide(thread, revision, now, quiet[0], "withheld", "", quiet[1])
        elif news:
            said += [self._speaker.say(thread, revision, "updated", now, to, news) for to in before]
        targets = self._router.targets(facts, now)
        if not targets and not thread.told:
            thread.waiting = True  # it may get worse, or another time of day may begin
            said += self._speaker.decide(thread, revision, now, "route", "nobody", "", "no route takes it")
        hold = self._held(thread, revision, now) if not thread.told else None
        opened = False
        for target in targets:
            if target.to in thread.told:
                if target.to not in before:
                    continue
                why = "they know already"
                said += self._speaker.decide(thread, revision, now, "dedup", "done", target.to, why)
                continue
            held = (
                quiet
                or hold
                or (("mute", f"{target.route} is muted by {target.muted}") if target.muted else None)
                or self._passed(thread, revision)
            )
            if held:
                thread.waiting, thread.held = True, held[0]
                said += self._speaker.decide(thread, revision, now, held[0], "withheld", target.to, held[1])
                continue
            said += self._speaker.decide(thread, revision, now, "route", "told", target.to, target.why)
            said.append(self._open(thread, revision, target, now, news or "a new incident"))
            opened = True
        if opened and not before:
            self._flapping.note(root_of(revision), now)
        if opened or (news and not quiet):
            thread.note(revision, now)
        return said

    def _open(
        self, thread: Thread, revision: IncidentRevision, target: Target, now: int, reason: str
    ) -> Notification:
        thread.told[target.to] = Told(key_of(thread), now, target.remind, target.escalate)
        if target.escalate:
            thread.began.setdefault(target.escalate, now)
        return self._speaker.say(thread, revision, "opened", now, target.to, reason)

    def _quiet(self, thread: Thread, facts: Facts, now: int) -> tuple[Stage, str] | None:
        """Whether people asked for quiet: nothing new is said then, also to those who know."""
        if now < thread.shelved:
            return "shelve", f"it is shelved until {rfc3339(thread.shelved)}"
        if why := silenced(self._policy.silences, facts, now):
            return "silence", why
        return None

    def _held(self, thread: Thread, revision: IncidentRevision, now: int) -> tuple[Stage, str] | None:
        """Why a thread should not begin now."""
        known = [
            Known(id_, other.root.asset, other.root.condition, other.root.since)
            for id_, other in self._newest.items()
            if self._threads[id_].told
        ]
        if hold := self._dependence.hold(revision, thread.known_at, known, now):
            return hold
        standing = [member.since for member in revision.members if member.until is None]
        since = max(thread.known_at, min(standing)) if standing else None
        if why := self._flapping.why(root_of(revision), since, now):
            return "flap", why
        return None

    def _passed(self, thread: Thread, revision: IncidentRevision) -> tuple[Stage, str] | None:
        """Whether what was held back has cleared meanwhile: it may be told when it stands again."""
        if not thread.held or any(member.until is None for member in revision.members):
            return None
        return thread.held, "it has cleared meanwhile"

    def _escalate(self, thread: Thread, revision: IncidentRevision, facts: Facts, now: int) -> list[Said]:
        if not thread.told or thread.answered or self._quiet(thread, facts, now):
            return []
        said: list[Said] = []
        for name, began in thread.began.items():
            steps = self._policy.escalations[name]
            while (done := thread.steps.get(name, 0)) < len(steps) and now >= began + steps[done].after:
                thread.steps[name] = done + 1
                after = f"nobody has acknowledged it for {(now - began) // MINUTE} minutes"
                for to in self._router.names(steps[done].to, now):
                    if to in thread.told:
                        said += self._speaker.decide(
                            thread, revision, now, "dedup", "done", to, f"{after}; they know already"
                        )
                        continue
                    why = f"step {done + 1} of {name}: {after}"
                    said += self._speaker.decide(thread, revision, now, "escalate", "told", to, why)
                    thread.told[to] = Told(key_of(thread), now)
                    said.append(self._speaker.say(thread, revision, "escalated", now, to, after))
        return said

    def _remind(self, thread: Thread, revision: IncidentRevision, facts: Facts, now: int) -> list[Said]:
        if thread.answered or self._quiet(thread, facts, now):
            return []
        return [
            self._speaker.say(
                thread, revision, "reminded", now, to, "it stands, and nobody has acknowledged it"
            )
            for to, told in thread.told.items()
            if told.remind is not None and now >= told.said_at + told.remind
        ]

    def _next_look(self, thread: Thread, revision: IncidentRevision, now: int) -> int:
        """When time alone could change what is to be said."""
        times = [NEVER]
        if thread.waiting or now < thread.shelved:
            times.append((now // MINUTE + 1) * MINUTE)
        if thread.told and root_of(revision) != thread.root:
            times.append(thread.said_at + self._policy.calm)
        if not thread.answered:
            for name, began in thread.began.items():
                steps, done = self._policy.escalations[name], thread.steps.get(name, 0)
                if done < len(steps):
                    times.append(began + steps[done].after)
            times += [told.said_at + told.remind for told in thread.told.values() if told.remind is not None]
        return max(min(times), now + 1)

    # -- ends ------------------------------------------------------------------------------------

    def _hand_over(self, revision: IncidentRevision) -> list[Said]:
        """The incident goes on under another id: its thread goes along, or ends where there is one.

        Of two threads that become one, those whom both reached hear that one ends; the others go on in it.
        """
        heir = revision.replaced_by or ""
        self._newest.pop(revision.id, None)
        thread = self._threads.pop(revision.id, None)
        if thread is None:
            return []
        there = self._threads.get(heir)
        if there is None or (thread.told and not there.told):
            self._threads[heir] = thread
            thread.names += [heir] if heir not in thread.names else []
            thread.due = 0
            return []
        there.names += [name for name in thread.names if name not in there.names]
        there.due = 0
        both = {to: told for to, told in thread.told.items() if to in there.told}
        only = {to: told for to, told in thread.told.items() if to not in there.told}
        if only:
            there.told |= only
            there.utilities = sorted({*there.utilities, *thread.utilities})
        thread.told = both
        return self._all_clear(thread, revision, revision.known_at, f"it is part of incident {heir}")

    def _resolve(self, revision: IncidentRevision, reason: str) -> list[Said]:
        self._newest.pop(revision.id, None)
        thread = self._threads.pop(revision.id, None)
        if thread is None:
            return []
        if not thread.told:
            if thread.sent or thread.over:
                return []
            return self._speaker.decide(thread, revision, revision.known_at, "resolve", "nobody", "", reason)
        self._dependence.recovered(revision.root.asset, revision.known_at)
        return self._all_clear(thread, revision, revision.known_at, reason)

    def _all_clear(self, thread: Thread, revision: IncidentRevision, at: int, reason: str) -> list[Said]:
        """To everybody who was told, once."""
        said: list[Said] = [
            self._speaker.say(thread, revision, "resolved", at, to, reason) for to in thread.told
        ]
        thread.told, thread.began, thread.steps = {}, {}, {}
        return said

    # -- state -----------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON."""
        return {
            "threads": {id_: thread.snapshot() for id_, thread in self._threads.items()},
            "newest": [revision.model_dump(mode="json") for revision in self._newest.values()],
            "dependence": self._dependence.snapshot(),
            "flapping": self._flapping.snapshot(),
            "answers": self._answers,
            "now": self._now,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot, be it of another alerts.yaml: escalations that are no more end there."""
        self._threads = {id_: restored(thread) for id_, thread in state["threads"].items()}
        for thread in self._threads.values():
            thread.began = {n: at for n, at in thread.began.items() if n in self._policy.escalations}
        newest = [IncidentRevision.model_validate(revision) for revision in state["newest"]]
        self._newest = {revision.id: revision for revision in newest}
        self._dependence.restore(state["dependence"])
        self._flapping.restore(state["flapping"])
        self._answers = list(state["answers"])
        self._now = state["now"]


def _quoted(note: str) -> str:
    return f": {note}" if note else ""
