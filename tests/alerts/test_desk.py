"""Stories of what people hear: once when it begins, when it matters more, and once when it is over."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.desk import Desk
from alerts.speaking import Said
from schemas.alarms import Severity
from schemas.alerting import Policy
from schemas.incidents import IncidentMove, IncidentRevision
from schemas.notifications import Notification
from schemas.times import MINUTE
from tests.alerts.help import revision
from tests.scenario import at, clock


def told(desk: Desk, *story: IncidentRevision | str) -> list[str]:
    """What is said when these revisions are taken and these times looked at, in order."""
    said: list[Said] = []
    for step in story:
        said += desk.look(at(step)) if isinstance(step, str) else desk.take(step)
    return [f"{clock(n.at)} {n.incident} {n.kind}: {n.reason}" for n in messages(said)]


def messages(said: Iterable[Said]) -> list[Notification]:
    """The notifications among what a desk says."""
    return [one for one in said if isinstance(one, Notification)]


def test_people_hear_of_an_incident_once_after_it_has_settled() -> None:
    """Two minutes here to find the root, then one message, and no more while nothing matters."""
    desk = Desk(Policy(settle=2 * MINUTE))
    assert told(desk, revision(), "08:01", "08:02", "08:03", revision(change="more"), "08:04") == [
        "08:02 i-1 opened: a new incident"
    ]


def test_an_incident_that_is_over_before_it_settled_is_no_message() -> None:
    """Nobody is woken for what is gone, nor told that it is."""
    desk = Desk(Policy(settle=2 * MINUTE))
    assert told(desk, revision(), "08:01", revision(change="closed", closed="08:01"), "08:05") == []


def test_two_seconds_settle_an_incident_where_nobody_says_otherwise() -> None:
    """At the first look after them; what joins it meanwhile is in the message."""
    desk, known = Desk(), at("08:00")
    desk.take(revision())
    assert messages(desk.look(known + 1_500)) == []
    desk.take(revision(change="more", severity=Severity.CRITICAL))
    (page,) = messages(desk.look(known + 2_000))
    assert (page.kind, page.severity, page.at) == ("opened", "critical", known + 2_000)


def test_what_a_minute_later_is_one_incident_is_one_page_also_where_time_moves_by_the_minute() -> None:
    """A recorded day that is played: the two seconds end with the next report, which joins them first."""
    desk = Desk()
    joined = revision("i-2", change="replaced", replaced_by="i-1")
    assert told(
        desk, revision("i-1"), revision("i-2"), "08:00", joined, revision(change="merged"), "08:01", "08:02"
    ) == ["08:01 i-1 opened: a new incident"]


def test_information_wakes_nobody() -> None:
    """Alarms of the lowest priority are for the morning."""
    assert told(Desk(), revision(severity=Severity.INFO), "08:10") == []


def test_worse_or_wider_or_another_cause_is_told() -> None:
    """Higher severity, a new utility: each at once; a new root only if it still stands after ten minutes."""
    assert told(
        Desk(),
        revision(),
        "08:02",
        revision(severity=Severity.CRITICAL),
        "08:03",
        revision(severity=Severity.CRITICAL, utilities=("power", "water")),
        "08:04",
        revision(severity=Severity.CRITICAL, root="substation-a"),
        "08:05",
        "08:13",
        "08:14",
        "08:15",
    ) == [
        "08:02 i-1 opened: a new incident",
        "08:03 i-1 updated: it is critical now",
        "08:04 i-1 updated: it reaches water",
        "08:14 i-1 updated: its probable cause is another",
    ]


def test_the_all_clear_comes_once() -> None:
    """A closed incident says so; its reopening is a new thread."""
    desk = Desk()
    closed = revision(change="closed", closed="08:30", known="09:00")
    assert told(desk, revision(), "08:02", closed, closed, "09:05") == [
        "08:02 i-1 opened: a new incident",
        "09:00 i-1 resolved: all its alarms have cleared and stayed clear",
    ]


def test_a_new_id_for_the_same_trouble_is_no_new_message() -> None:
    """The thread follows the incident to its new id; the all-clear goes out under it."""
    assert told(
        Desk(),
        revision(),
        "08:02",
        revision(change="replaced", replaced_by="i-0"),
        revision("i-0", change="retimed"),
        "08:03",
        revision("i-0", change="closed", closed="08:30", known="09:00"),
    ) == [
        "08:02 i-1 opened: a new incident",
        "09:00 i-0 resolved: all its alarms have cleared and stayed clear",
    ]


def test_of_two_incidents_that_become_one_the_second_is_resolved_into_the_first() -> None:
    """Both were told; one thread goes on, the other ends and says where it went."""
    assert told(
        Desk(),
        revision("i-1"),
        revision("i-2", root="pump-1"),
        "08:02",
        revision("i-2", change="replaced", replaced_by="i-1", known="08:05"),
        revision("i-1", change="merged"),
        "08:06",
    ) == [
        "08:02 i-1 opened: a new incident",
        "08:02 i-2 opened: a new incident",
        "08:05 i-2 resolved: it is part of incident i-1",
    ]


def test_the_text_fits_a_phone_and_says_what_and_why() -> None:
    """Severity first, then the sentence, then the cause, how sure, and since when."""
    desk = Desk()
    desk.take(revision())
    (notification,) = messages(desk.look(at("08:02")))
    assert notification.text == (
        "[warning] feeder-7 lost supply at 08:00.\nProbable cause: feeder-7 dead (90%), since Sun 08:00."
    )


moves = st.lists(
    st.tuples(
        st.sampled_from(["i-1", "i-2", "i-3"]),
        st.sampled_from(["opened", "more", "closed", "retracted", "replaced", "look", "restart"]),
        st.sampled_from([Severity.WARNING, Severity.CRITICAL]),
    ),
    max_size=40,
)


@given(moves)
@settings(max_examples=200, deadline=None)
def test_every_message_that_opened_a_thread_gets_exactly_one_all_clear(
    story: list[tuple[str, IncidentMove | Literal["look", "restart"], Severity]],
) -> None:
    """Openings and resolutions balance; ids never repeat; restarts don't matter."""
    desk = Desk()
    now = at("08:00")
    said: list[Said] = []
    for id_, change, severity in story:
        now += MINUTE
        if change == "look":
            said += desk.look(now)
        elif change == "restart":
            state = json.loads(json.dumps(desk.snapshot()))
            desk = Desk()
            desk.restore(state)
        elif change == "replaced":
            other = {"i-1": "i-2", "i-2": "i-3", "i-3": "i-1"}[id_]
            said += desk.take(revision(id_, clock(now), change, severity, replaced_by=other))
            said += desk.take(revision(other, clock(now), "merged", severity))
        else:
            closed = clock(now) if change == "closed" else None
            said += desk.take(revision(id_, clock(now), change, severity, closed=closed))
    for id_ in ("i-1", "i-2", "i-3"):
        said += desk.take(revision(id_, clock(now), "closed", closed=clock(now)))
    notes = messages(said)
    kinds = Counter(n.kind for n in notes)
    assert kinds["opened"] == kinds["resolved"]
    assert len({n.id for n in notes}) == len(notes)
