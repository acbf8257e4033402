"""What tuning found: as a table, Markdown for a merge request, or JSON.

In:  a ``Report``. Out: text. Pure.
"""

from collections.abc import Iterator, Mapping
from io import StringIO
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from runner.tuning.practice import Setting


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Field(_Part):
    """One field of a sensor, as it is and as it is proposed. Delays in seconds."""

    name: str
    now: float | None
    proposed: float | None


class Trial(_Part):
    """A setting that was tried, and that none of the others beats."""

    setting: Mapping[str, float | None]
    missed: int
    nuisance: int
    delay_minutes: float


class Proposal(_Part):
    """Another setting for one sensor. Pairs are: as it is, as proposed."""

    sensor: str
    unit: str
    fields: tuple[Field, ...]
    alarms: tuple[int, int]
    """Of its limits, in the replays of all days."""
    false: tuple[int, int]
    """Of these, outside of every true incident that reaches its asset."""
    missed: tuple[int, int]
    """True incidents that reach its asset, and of which its limits say nothing."""
    newly_shown: tuple[str, ...]
    delay_minutes: tuple[float, float]
    """Sum over the true incidents that it shows, from when the asset first could show them."""
    tried: int
    front: tuple[Trial, ...]


class Withdrawn(_Part):
    """A proposal that did not stand up to the replay."""

    sensor: str
    why: str


class Costs(_Part):
    """What the city told over all days."""

    alarms: int
    incidents: int
    false_incidents: int
    true_incidents: int
    true_told: int
    pages: int


class Report(_Part):
    """All of it."""

    city: str
    days: int
    labelled: int
    """Days of which the truth is known."""
    looked_at: int
    proposals: tuple[Proposal, ...]
    withdrawn: tuple[Withdrawn, ...]
    before: Costs
    after: Costs
    missed: tuple[str, ...]
    """True incidents that were told, and with the proposals would not be."""
    later: tuple[str, ...]
    patch: str


def fields_of(now: Setting, best: Setting) -> tuple[Field, ...]:
    """The fields that differ."""
    return tuple(
        Field(name=name, now=old, proposed=new)
        for name, old, new in zip(Setting._fields, now, best, strict=True)
        if old != new
    )


class _Row(NamedTuple):
    sensor: str
    change: str
    alarms: str
    false: str
    missed: str
    delay: str


HEAD = _Row("sensor", "proposed", "alarms", "false", "missed", "delay (min)")


def _rows(report: Report) -> Iterator[_Row]:
    for one in report.proposals:
        change = ", ".join(
            f"{field.name} {_shown(field.now)} -> {_shown(field.proposed)}" for field in one.fields
        )
        pairs = (one.alarms, one.false, one.missed, one.delay_minutes)
        yield _Row(one.sensor, change, *(f"{was:g} -> {is_:g}" for was, is_ in pairs))


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def headline(report: Report) -> list[str]:
    """The whole in a few lines."""
    days = f"{report.days} days (the truth is known of {report.labelled})"
    lines = [f"{report.city}: {len(report.proposals)} proposals for {report.looked_at} sensors from {days}"]
    was, is_ = report.before, report.after
    if report.proposals:
        false = f"false {was.false_incidents} -> {is_.false_incidents}"
        lines += [
            f"alarms {was.alarms} -> {is_.alarms}, incidents {was.incidents} -> {is_.incidents} ({false})",
            f"messages {was.pages} -> {is_.pages}",
            f"true incidents told: {was.true_told} -> {is_.true_told} of {was.true_incidents}",
        ]
    lines += [f"told later: {one}" for one in report.later]
    lines += [f"missed: {one}" for one in report.missed]
    lines += [f"withdrawn: {one.sensor}: {one.why}" for one in report.withdrawn]
    if not report.labelled:
        lines.append("no day has labels: what was told of several assets at once counts as true")
    return lines


def table(report: Report) -> str:
    """For a terminal; the patch below."""
    text = StringIO()
    console = Console(file=text, highlight=False, markup=False, width=160)
    console.print("\n".join(headline(report)))
    if report.proposals:
        found = Table(*HEAD)
        for row in _rows(report):
            found.add_row(*row)
        console.print(found)
    return text.getvalue() + (f"\n{report.patch}" if report.patch else "")


def markdown(report: Report) -> str:
    """For a merge request; the patch below."""
    first, *rest = headline(report)
    lines = [f"### Limits: {first}", "", *(f"- {line}" for line in rest), ""]
    if report.proposals:
        lines += [f"| {' | '.join(HEAD)} |", "|" + " --- |" * len(HEAD)]
        lines += [f"| {' | '.join(row)} |" for row in _rows(report)]
        lines += ["", "```diff", report.patch.rstrip("\n"), "```"]
    return "\n".join(lines).rstrip() + "\n"
