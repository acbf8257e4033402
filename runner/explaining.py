"""Why people were told of an incident, or were not, put together from what was kept.

In:  the folder of a replay, or a data folder; an incident by any id that it has had.
Out: lines in the order of time.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from runner.database import open_reader
from runner.moments import BadUsage
from schemas.alarms import Alarm
from schemas.notifications import UNSETTLED, Decision, Delivered, Notification
from schemas.times import local_text

OUTBOX = "deliveries.sqlite"
Model = TypeVar("Model", bound=BaseModel)


class Kept(NamedTuple):
    """What was said and decided, of all incidents; and all alarms."""

    notifications: list[Notification]
    decisions: list[Decision]
    alarms: list[Alarm]
    deliveries: Sequence[Delivered] = ()
    """What came of each message at each receiver; of those that settle something."""


def kept_in(folder: Path) -> Kept:
    """What a folder holds. Raises BadUsage where it is neither of a replay nor of ``up``."""
    store = folder / "results.sqlite"
    if store.exists():
        with closing(open_reader(store)) as reader:
            notes, decisions, alarms = (
                [body for (body,) in reader.execute(f"SELECT body FROM {table} ORDER BY {order}, id")]  # noqa: S608 - our own words
                for table, order in (("notifications", "at"), ("decisions", "at"), ("alarms", "raised"))
            )
    elif (folder / "decisions.jsonl").exists():
        notes, decisions, alarms = (
            (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
            for name in ("notifications", "decisions", "alarms")
        )
    else:
        raise BadUsage(
            f"{folder} holds neither results.sqlite nor decisions.jsonl; name the folder of a replay or of up"
        )
    return Kept(
        [Notification.model_validate_json(body) for body in notes],
        [Decision.model_validate_json(body) for body in decisions],
        [Alarm.model_validate_json(body) for body in alarms],
        _deliveries(folder / OUTBOX),
    )


def _deliveries(outbox: Path) -> list[Delivered]:
    if not outbox.exists():
        return []
    with closing(open_reader(outbox)) as reader:
        rows = reader.execute("SELECT body FROM deliveries ORDER BY at, rowid").fetchall()
    found = [Delivered.model_validate_json(body) for (body,) in rows]
    return [one for one in found if one.state not in UNSETTLED]


def explained(kept: Kept, incident: str, zone: ZoneInfo) -> list[str]:
    """A line for each decision and message about an incident, told by (the beginning of) an id of its."""
    ids = _names(kept, incident)
    lines = [(at, order, line) for at, order, line in _lines(kept, zone) if order[0] in ids]
    return [line for _, _, line in sorted(lines, key=lambda one: (one[0], one[1][1:]))]


def _names(kept: Kept, incident: str) -> set[str]:
    """Every id that the incident has had: messages of one thread are about one incident."""
    said = {*(note.incident for note in kept.notifications), *(one.incident for one in kept.decisions)}
    ids = {one for one in said if one.startswith(incident)}
    threads = {note.thread for note in kept.notifications if note.incident in ids}
    return ids | {note.incident for note in kept.notifications if note.thread in threads}


def _lines(kept: Kept, zone: ZoneInfo) -> Iterator[tuple[int, tuple[str, int, int], str]]:
    for number, decision in enumerate(kept.decisions):
        to = f" {decision.to}" if decision.to else ""
        said = f"{decision.stage}: {decision.verdict}{to}: {decision.reason}"
        yield decision.at, (decision.incident, 0, number), f"{local_text(decision.at, zone)}  {said}"
    for number, note in enumerate(kept.notifications):
        said = f"sent: {note.kind} to {note.to}: {note.reason}"
        yield note.at, (note.incident, 1, number), f"{local_text(note.at, zone)}  {said}"
    sent = {note.id: (number, note) for number, note in enumerate(kept.notifications)}
    for one in kept.deliveries:
        if (of := sent.get(one.id.removesuffix(f"/{one.receiver}"))) is not None:
            number, note = of
            tries = f" at attempt {one.attempts}" if one.attempts > 1 else ""
            why = "" if one.reason == one.state else f": {one.reason}"
            said = f"{one.receiver}: {one.kind} {one.state}{tries}{why}"
            yield note.at, (note.incident, 2, number), f"{local_text(note.at, zone)}  {said}"
