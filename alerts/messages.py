"""Texts that people read on a phone: what, where, since when, what next, what to do first, where to look.

In:  an incident, the reason why people are told, a policy.
Out: a title and a text that fits one screen.
Promises: the same words for the same incident; a template of the city's own that fails where it is used is
replaced by ours, and a text that is too long loses its least useful lines first.
"""

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import yaml
from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from alerts.facts import Facts
from schemas.alarms import condition_words
from schemas.alerting import Policy, Runbook
from schemas.city import City
from schemas.incidents import IncidentRevision
from schemas.times import HOUR, MINUTE, local_text

BUILT_IN = Path(__file__).with_name("messages.yaml")
SCREEN = 700
"""Characters that a phone shows without scrolling: 18 lines of about 40."""
TITLE_MAX = 100
SUMMARY_MAX = 240
EXPLANATION_MAX = 160
EXPENDABLE = ("explanation", "dashboard", "zones", "next")
"""What a text that is too long does without, first things first."""


class Message(NamedTuple):
    """What is said."""

    title: str
    text: str


class Messages:
    """The templates of a policy over ours."""

    def __init__(self, policy: Policy, city: City | None) -> None:
        self._policy = policy
        self._assets = city.asset_by_id if city else {}
        self._zone = ZoneInfo(city.timezone if city else "UTC")
        self._own = {name: template(text) for name, text in policy.templates.items()}

    def of(
        self, kind: str, incident: IncidentRevision, facts: Facts, *, reason: str, known: str, at: int
    ) -> Message:
        """The message of a kind; ``known`` is the incident's name that people were told first."""
        words = self._words(kind, incident, facts, reason, known, at)
        text = self._render(kind, words)
        for name in EXPENDABLE:
            if len(text) > SCREEN:
                words[name] = ""
                text = self._render(kind, words)
        return Message(_cut(self._render("title", words), TITLE_MAX), _cut(text, SCREEN))

    def _words(
        self, kind: str, incident: IncidentRevision, facts: Facts, reason: str, known: str, at: int
    ) -> dict[str, str]:
        root, links = incident.root, self._policy.links
        runbook = self._runbook(facts)
        customers = self._customers(incident)
        return {
            "incident": known,
            "kind": kind,
            "severity": incident.severity,
            "summary": _cut(incident.summary, SUMMARY_MAX),
            "asset": root.asset,
            "condition": condition_words(root.condition),
            "cause": f"{root.asset} {condition_words(root.condition)}",
            "probability": f"{root.probability:.0%}",
            "since": self._clock(root.since),
            "zones": ", ".join(sorted(facts.zones)),
            "utilities": ", ".join(incident.utilities),
            "customers": f"{customers:,}" if customers else "",
            "explanation": _cut(incident.explanation[-1], EXPLANATION_MAX) if incident.explanation else "",
            "next": self._next(incident, at),
            "step": runbook.step if runbook else "",
            "runbook": (runbook.link or "") if runbook else "",
            "reason": reason,
            "console": _link(links.console, known, root.asset),
            "dashboard": _link(links.dashboard, known, root.asset),
            "lasted": _lasted(incident),
        }

    def link(self, incident: str, asset: str) -> str | None:
        """Where to read on."""
        return _link(self._policy.links.console, incident, asset) or None

    def _render(self, name: str, words: dict[str, str]) -> str:
        own = self._own.get(name)
        if own is not None:
            with suppress(Exception):  # whatever a city's own text does, people must hear
                return render(own, words)
        return render(ours()[name], words)

    def _runbook(self, facts: Facts) -> Runbook | None:
        for runbook in self._policy.runbooks:
            kind_fits = not runbook.kind or facts.kind in runbook.kind
            if kind_fits and (not runbook.condition or facts.condition in runbook.condition):
                return runbook
        return None

    def _customers(self, incident: IncidentRevision) -> int:
        """Customers of the root and the members, where the city model counts them."""
        assets = {incident.root.asset, *(member.asset for member in incident.members)}
        counts = (self._assets[one].properties.get("customers") for one in assets if one in self._assets)
        return sum(int(count) for count in counts if isinstance(count, int | float))

    def _next(self, incident: IncidentRevision, at: int) -> str:
        coming = [one for one in incident.expected if one.end >= at]
        if not coming:
            return ""
        first = coming[0]
        when = f"from {self._clock(first.start)}" if first.start > at else f"by {self._clock(first.end)}"
        return f"{first.asset} {condition_words(first.condition)} {when} ({first.probability:.0%})"

    def _clock(self, at: int) -> str:
        return local_text(at, self._zone)


def template(text: str) -> Template:
    """A template. Raises jinja2.TemplateError where it is none."""
    return _environment().from_string(text)


def render(found: Template, words: dict[str, str]) -> str:
    """The text, without the lines that turned out empty."""
    lines = (line.strip() for line in found.render(words).splitlines())
    return "\n".join(line for line in lines if line)


@cache
def ours() -> dict[str, Template]:
    """The texts that come with us."""
    return {name: template(text) for name, text in yaml.safe_load(BUILT_IN.read_text("utf-8")).items()}


def fault(text: str) -> str | None:
    """What is wrong with a template; None where nothing is."""
    names = ("incident kind severity summary asset condition cause probability since zones utilities "
             "customers explanation next step runbook reason console dashboard lasted")  # fmt: skip
    try:
        render(template(text), dict.fromkeys(names.split(), "x"))
    except TemplateError as error:
        return str(error.message)
    except Exception as error:  # noqa: BLE001 - a template can raise whatever Python can
        return str(error)
    return None


@cache
def _environment() -> SandboxedEnvironment:
    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def _link(pattern: str | None, incident: str, asset: str) -> str:
    return (pattern or "").replace("{incident}", incident).replace("{asset}", asset)


def _lasted(incident: IncidentRevision) -> str:
    if incident.closed is None:
        return ""
    hours, rest = divmod(max(0, incident.closed - incident.opened), HOUR)
    minutes = f"{rest // MINUTE} min"
    return f"{hours} h {minutes}" if hours else minutes


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."
