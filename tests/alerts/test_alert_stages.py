"""Stories of a night under an alerts.yaml: who is told, who is left to sleep, and why."""

import json
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.desk import Desk
from alerts.speaking import Said
from schemas.alarms import Alarm, AlarmChange, Severity
from schemas.notifications import Decision, Notification
from schemas.times import MINUTE
from tests.alerts.help import CITY, Night, answer, policy_of, revision
from tests.scenario import at, clock

DESKS = """
receivers:
  power-desk: {type: console}
  water-desk: {type: console}
  all: {type: console}
route:
  to: all
  routes:
    - {match: {utility: power}, to: power-desk, continue: true}
    - {match: {utility: water}, to: water-desk}
"""


def test_each_utility_has_its_desk_and_the_rest_goes_to_the_root() -> None:
    """``continue`` goes on to the next branch; what no branch takes the root route takes."""
    night = Night(DESKS)
    night.at("08:00", revision("i-1", utilities=("power", "water")))
    night.at("08:01", revision("i-2", "08:01", root="pump-9", utilities=("sewage",)))
    night.at("08:05")

    assert night.told == [
        "08:02 i-1 opened to power-desk",
        "08:02 i-1 opened to water-desk",
        "08:03 i-2 opened to all",
    ]
    assert "08:02 i-1 route told: route.2 takes utility water, severity warning or worse" in night.decided


def test_a_desk_that_is_reached_later_is_told_then_and_everybody_hears_the_end() -> None:
    """One page each, an update to those who knew, one all-clear each."""
    night = Night(DESKS)
    night.at("08:00", revision())
    night.at("08:10", revision(utilities=("power", "water"), change="more", known="08:10"))
    night.at("09:00", revision(change="closed", closed="08:30", known="09:00"))

    assert night.told == [
        "08:02 i-1 opened to power-desk",
        "08:10 i-1 updated to power-desk",
        "08:10 i-1 opened to water-desk",
        "09:00 i-1 resolved to power-desk",
        "09:00 i-1 resolved to water-desk",
    ]
    assert {note.thread for note in night.notes} == {night.notes[0].thread}


def test_what_begins_as_information_is_told_once_it_is_more() -> None:
    """Nobody is woken at first; the revision that makes it a warning does."""
    night = Night(DESKS)
    night.at("08:00", revision(severity=Severity.INFO))
    night.at("08:10", revision(severity=Severity.WARNING, change="more", known="08:10"))
    night.at("09:00", revision(change="closed", closed="08:50", known="09:00"))

    assert night.told == ["08:10 i-1 opened to power-desk", "09:00 i-1 resolved to power-desk"]
    assert night.decided[0] == "08:02 i-1 route nobody: no route takes it"


ON_CALL = """
receivers: {phone: {type: console}}
people: {ana: {by: phone}, bo: {by: phone}, chief: {by: phone}}
rotas:
  first:
    timezone: UTC
    shifts: [{people: [ana, bo], turn_days: 1, since: 2025-06-01, handover: "09:00"}]
escalations:
  standard:
    - {after: 15m, to: first}
    - {after: 30m, to: chief}
route: {to: first, escalate: standard, remind: 20m}
"""


def test_nobody_answers_so_it_is_escalated_and_reminded() -> None:
    """Whoever is on call is told once; the step that names them again is left out; then the chief."""
    night = Night(ON_CALL)
    night.at("09:00", revision(known="09:00"))
    night.at("09:45", revision(change="closed", closed="09:44", known="09:45"))

    assert night.told == [
        "09:02 i-1 opened to ana",
        "09:22 i-1 reminded to ana",
        "09:32 i-1 escalated to chief",
        "09:42 i-1 reminded to ana",
        "09:45 i-1 resolved to ana",
        "09:45 i-1 resolved to chief",
    ]


def test_escalation_follows_the_rota_over_a_handover() -> None:
    """Told before nine, and not answered: whoever is on call after nine hears of it, as an escalation."""
    night = Night(ON_CALL)
    night.at("08:48", revision(known="08:48"))
    night.at("09:06")

    assert night.told == ["08:50 i-1 opened to bo", "09:05 i-1 escalated to ana"]


def test_an_escalation_that_is_no_more_ends_with_the_old_alerts_yaml() -> None:
    """Somebody edits the file while an incident stands: who was told hears the end, and nothing breaks."""
    night = Night(ON_CALL)
    night.at("09:00", revision(known="09:00"))
    night.at("09:20")
    state = night.desk.snapshot()
    night.desk = Desk(policy_of(EDITED), CITY)
    night.desk.restore(state)
    night.at("09:45", revision(change="closed", closed="09:44", known="09:45"))

    assert night.told[0] == "09:02 i-1 opened to ana"
    assert night.told[-1] == "09:45 i-1 resolved to ana"
    assert not [told for told in night.told if "escalated" in told]


EDITED = ON_CALL.replace("  standard:", "  other:").replace(
    "escalate: standard, remind: 20m", "escalate: other"
)


def test_an_acknowledgement_ends_escalation_and_reminders_and_is_kept() -> None:
    """Who and when stands in the decisions; an answer that comes twice counts once; the all-clear comes."""
    night = Night(ON_CALL)
    night.at("09:00", revision(known="09:00"))
    night.at("09:10", answer("acknowledge", "09:10"), answer("acknowledge", "09:10"))
    night.at("11:00", revision(change="closed", closed="10:30", known="11:00"))

    assert night.told == ["09:02 i-1 opened to ana", "11:00 i-1 resolved to ana"]
    assert "09:10 i-1 answer done: acknowledge by ana at 2025-06-01T09:10:00Z" in night.decided


def test_what_is_shelved_is_quiet_until_its_time_is_over() -> None:
    """It gets worse meanwhile: that is told when the shelf's time is over."""
    night = Night(ON_CALL)
    night.at("09:00", revision(known="09:00"))
    night.at("09:05", answer("shelve", "09:05", minutes=60))
    night.at("09:30", revision(severity=Severity.CRITICAL, change="more", known="09:30"))
    night.at("10:06", answer("acknowledge", "10:06"))

    assert night.told[:2] == ["09:02 i-1 opened to ana", "10:05 i-1 updated to ana"]
    assert "09:30 i-1 shelve withheld: it is shelved until 2025-06-01T10:05:00Z" in night.decided


def test_what_was_resolved_by_hand_is_news_again_only_when_it_is_worse() -> None:
    """Everybody hears that somebody ended it; the same trouble says no more; a worse one is a new thread."""
    night = Night(DESKS)
    night.at("08:00", revision())
    night.at("08:10", answer("resolve", "08:10"))
    night.at("08:20", revision(change="more", known="08:20"))
    night.at("08:30", revision(severity=Severity.CRITICAL, change="more", known="08:30"))
    night.at("09:00", revision(change="closed", closed="08:50", known="09:00"))

    assert night.told == [
        "08:02 i-1 opened to power-desk",
        "08:10 i-1 resolved to power-desk",
        "08:30 i-1 opened to power-desk",
        "09:00 i-1 resolved to power-desk",
    ]
    assert len({note.thread for note in night.notes}) == 2


def test_an_answer_to_what_is_over_changes_nothing_and_says_so() -> None:
    """People answer late."""
    night = Night(DESKS)
    night.at("08:00", answer("acknowledge", "08:00", incident="i-9"))
    assert night.decided == [
        "08:00 i-9 answer nobody: acknowledge by ana at 2025-06-01T08:00:00Z; it is over"
    ]


def test_a_muted_route_tells_in_the_morning_what_still_stands() -> None:
    """At night nobody is woken for a warning; critical ones go another way."""
    night = Night(
        """
        receivers: {desk: {type: console}, phone: {type: console}}
        times: {night: [{from: "22:00", to: "06:00"}]}
        route:
          to: desk
          mute: night
          routes: [{match: {severity: critical}, to: phone}]
        """
    )
    night.at("23:00", revision(known="23:00"), revision("i-2", "23:00", root="pump-9"))
    night.at("23:30", revision("i-2", "23:30", "closed", root="pump-9", closed="23:10"))
    night.at("23:40", revision("i-3", "23:40", root="tank-2", severity=Severity.CRITICAL))
    night.at("2+06:05", revision(change="closed", closed="06:01", known="2+06:05"))

    assert night.told == [
        "23:42 i-3 opened to phone",
        "2+06:00 i-1 opened to desk",
        "2+06:05 i-1 resolved to desk",
    ]
    assert "23:02 i-1 mute withheld: route is muted by night" in night.decided


def test_a_silence_holds_back_what_it_matches_and_nothing_else() -> None:
    """With whoever asked for it, why, and until when; what still stands at its end is told."""
    night = Night(
        DESKS
        + """
silences:
  - match: {asset: "pump-*", zone: north}
    from: 2025-06-01T07:00:00Z
    to: 2025-06-01T09:00:00Z
    by: bo
    reason: the pump is being replaced
"""
    )
    night.at("08:00", revision("i-1", root="pump-3", utilities=("water",)), revision("i-2", root="tank-2"))
    night.at("09:05")

    assert night.told == ["08:02 i-2 opened to power-desk", "09:00 i-1 opened to water-desk"]
    assert (
        "08:02 i-1 silence withheld: silenced until 2025-06-01T09:00:00Z by bo: the pump is being replaced"
        in night.decided
    )


INHIBIT = DESKS + "inhibit: {hold: 30m, hold_off: 10m}\n"


def test_what_depends_on_a_known_trouble_waits_but_not_for_ever() -> None:
    """The pump behind the dead feeder is held back with its reason; after half an hour it is told."""
    night = Night(INHIBIT)
    night.at("08:00", revision())
    night.at("08:05", revision("i-2", "08:05", root="pump-3", utilities=("water",)))
    night.at("08:40")

    assert night.told == ["08:02 i-1 opened to power-desk", "08:35 i-2 opened to water-desk"]
    assert (
        "08:07 i-2 inhibit withheld: people know of feeder-7 dead (incident i-1), and pump-3 depends on it"
        in night.decided
    )


def test_what_came_before_its_neighbour_is_not_held_back() -> None:
    """The pump stopped first: the feeder can't be why."""
    night = Night(INHIBIT)
    night.at("08:00", revision("i-2", "08:00", root="pump-3", utilities=("water",)))
    night.at("08:01", revision("i-3", "08:20", root="feeder-7"))
    night.at("08:05")
    assert "08:02 i-2 opened to water-desk" in night.told


def test_children_do_not_page_when_their_parent_comes_back() -> None:
    """A pump that starts anew after the feeder is back trips for a moment: nobody is told."""
    night = Night(INHIBIT)
    night.at("08:00", revision())
    night.at("08:30", revision(change="closed", closed="08:29", known="08:30"))
    night.at("08:31", revision("i-2", "08:31", root="pump-3", utilities=("water",)))
    night.at("08:39", revision("i-2", "08:39", "closed", root="pump-3", utilities=("water",), closed="08:38"))
    night.at("08:45")

    assert [line for line in night.told if "i-2" in line] == []
    assert (
        "08:33 i-2 hold-off withheld: feeder-7, on which pump-3 depends, came back just now" in night.decided
    )


def test_behind_planned_work_nobody_is_told_until_it_ends() -> None:
    """Work on the feeder: what hangs on it is nobody's page while that lasts."""
    night = Night(INHIBIT)
    work = Alarm(
        id="w",
        asset="feeder-7",
        utility="power",
        condition="planned_work",
        severity=Severity.INFO,
        raised=at("08:00"),
    )
    night.desk.note(AlarmChange(alarm=work, change="raised", known_at=at("08:00")))
    night.at("08:10", revision("i-2", "08:10", root="tank-2", utilities=("water",)))
    night.at("09:30")
    done = work.model_copy(update={"cleared": at("09:30")})
    night.desk.note(AlarmChange(alarm=done, change="cleared", known_at=at("09:30")))
    night.at("09:35")

    assert night.told == ["09:31 i-2 opened to water-desk"]
    assert (
        "08:12 i-2 inhibit withheld: planned work on feeder-7 since 2025-06-01T08:00:00Z, "
        "and tank-2 depends on it" in night.decided
    )


def test_what_flaps_is_told_three_times_and_then_only_when_it_stays() -> None:
    """The fourth within the hour waits; it stands for half an hour, and is told."""
    night = Night(DESKS + "flap: {times: 3, within: 1h, hold: 30m}\n")
    for number in range(4):
        start, end = f"08:{number * 10:02d}", f"08:{number * 10 + 5:02d}"
        night.at(start, revision(f"f-{number}", start))
        if number < 3:
            night.at(end, revision(f"f-{number}", end, "closed", closed=end))
    night.at("09:05")

    assert Counter(note.kind for note in night.notes) == {"opened": 4, "resolved": 3}
    assert night.told[-1] == "09:00 f-3 opened to power-desk"
    assert any(
        "f-3 flap withheld: feeder-7 dead was told 3 times within 60 minutes" in d for d in night.decided
    )


def test_what_flaps_and_has_cleared_again_is_told_to_nobody() -> None:
    """Its incident stays open for a while after that: half an hour of it is no half hour of trouble."""
    night = Night(DESKS + "flap: {times: 2, within: 4h, hold: 30m}\n")
    for number, (start, end) in enumerate([("08:00", "08:05"), ("08:10", "08:15")]):
        night.at(start, revision(f"f-{number}", start))
        night.at(end, revision(f"f-{number}", end, "closed", closed=end))
    night.at("08:20", revision("f-2", "08:20"))
    night.at("08:25", revision("f-2", "08:25", "cleared", until="08:24"))
    night.at("08:55", revision("f-2", "08:55", "closed", closed="08:24", until="08:24"))
    night.at("09:00", revision("f-3", "09:00"))
    night.at("09:40")

    assert [line for line in night.told if "opened" in line] == [
        "08:02 f-0 opened to power-desk",
        "08:12 f-1 opened to power-desk",
        "09:30 f-3 opened to power-desk",
    ]


def test_what_was_muted_and_has_cleared_when_the_mute_ends_wakes_nobody() -> None:
    """What still stands then is told; also what stands again later."""
    night = Night(
        "receivers: {desk: {type: console}}\ntimes: {early: [{from: '06:00', to: '08:30'}]}\n"
        "route: {to: desk, mute: early}\n"
    )
    night.at("08:00", revision("i-1", "08:00"), revision("i-2", "08:00", root="pump-3"))
    night.at("08:20", revision("i-2", "08:20", "cleared", root="pump-3", until="08:19"))
    night.at("08:40")
    assert night.told == ["08:30 i-1 opened to desk"]
    assert "08:30 i-2 mute withheld: it has cleared meanwhile" in night.decided
    night.at("08:45", revision("i-2", "08:45", "more", root="pump-3"))
    assert night.told[1:] == ["08:45 i-2 opened to desk"]


def test_of_two_threads_that_become_one_each_desk_hears_one_end() -> None:
    """The water desk was told of the other one: its thread goes on in the first, and it is not told twice."""
    night = Night(DESKS)
    night.at("08:00", revision("i-1"), revision("i-2", "08:00", root="pump-3", utilities=("water",)))
    night.at("08:05", revision("i-2", "08:05", "replaced", root="pump-3", replaced_by="i-1"))
    night.at("08:05", revision("i-1", "08:05", "merged", utilities=("power", "water")))
    night.at("09:00", revision("i-1", "09:00", "closed", closed="08:50", utilities=("power", "water")))

    assert night.told == [
        "08:02 i-1 opened to power-desk",
        "08:02 i-2 opened to water-desk",
        "09:00 i-1 resolved to power-desk",
        "09:00 i-1 resolved to water-desk",
    ]
    opened, ended = (
        {(note.to, note.thread) for note in night.notes if note.kind == kind}
        for kind in ("opened", "resolved")
    )
    assert opened == ended


EVERYTHING = policy_of(
    ON_CALL.replace("route: {to: first, escalate: standard, remind: 20m}", "")
    + """
  late: [{after: 5m, to: chief}]
times: {odd: [{from: "08:10", to: "08:20"}]}
flap: {times: 2, within: 30m, hold: 10m}
inhibit: {hold: 10m, hold_off: 5m}
silences:
  - {match: {asset: tank-2}, from: "2025-06-01T08:05:00Z", to: "2025-06-01T08:25:00Z", by: bo, reason: paint}
route:
  to: first
  escalate: standard
  remind: 7m
  routes:
    - {match: {severity: critical}, to: [chief, first], escalate: late, continue: true}
    - {match: {utility: water}, to: phone, mute: odd}
"""
)
ASSETS = {"i-1": "feeder-7", "i-2": "pump-3", "i-3": "tank-2", "i-4": "pump-9"}
steps = st.tuples(
    st.sampled_from(sorted(ASSETS)),
    st.sampled_from(
        [
            "opened",
            "more",
            "closed",
            "retracted",
            "replaced",
            "look",
            "restart",
            "acknowledge",
            "shelve",
            "resolve",
        ]
    ),
    st.sampled_from(list(Severity)),
    st.sampled_from([("power",), ("water",), ("power", "water")]),
)


def acted(desk: Desk, step: tuple[str, Any, Severity, tuple[str, ...]], now: int) -> list[Said]:
    """What a desk says of one step of a story."""
    id_, what, severity, utilities = step
    time, root = clock(now), ASSETS[id_]
    if what == "look":
        return []
    if what in {"acknowledge", "shelve", "resolve"}:
        return desk.look(now) + desk.answer(answer(what, time, id_, 3 if what == "shelve" else None))
    if what == "replaced":
        other = {"i-1": "i-2", "i-2": "i-3", "i-3": "i-4", "i-4": "i-1"}[id_]
        going = revision(id_, time, what, severity, root, utilities, replaced_by=other)
        return desk.take(going) + desk.take(
            revision(other, time, "merged", severity, ASSETS[other], utilities)
        )
    closed = time if what == "closed" else None
    return desk.take(revision(id_, time, what, severity, root, utilities, closed=closed))


def untold(desk: Desk) -> list[str]:
    """Incidents that stand, are worth a page, were not resolved by hand, and that nobody was told of."""
    return [
        id_
        for id_, revision in desk._newest.items()
        if revision.severity is not Severity.INFO
        and not desk._threads[id_].over
        and not desk._threads[id_].told
    ]


def lived(story: list[tuple[str, Any, Severity, tuple[str, ...]]], restarts: bool) -> list[Said]:
    """A story to its end, at which all incidents close; with the restarts in it, or without."""
    desk, now, said = Desk(EVERYTHING, CITY), at("08:00"), list[Said]()
    for step in story:
        now += MINUTE
        if step[1] != "restart":
            said += acted(desk, step, now)
        elif restarts:
            state = json.loads(json.dumps(desk.snapshot()))
            desk = Desk(EVERYTHING, CITY)
            desk.restore(state)
        said += desk.look(now)
    for _ in range(90):  # no silence, no mute and no hold lasts so long
        now += MINUTE
        said += desk.look(now)
    assert untold(desk) == []
    for id_, root in ASSETS.items():
        said += desk.take(revision(id_, clock(now), "closed", root=root, closed=clock(now)))
    return said


@given(st.lists(steps, max_size=60))
@settings(max_examples=150)
def test_every_fire_has_exactly_one_all_clear_whatever_the_order(
    story: list[tuple[str, Any, Severity, tuple[str, ...]]],
) -> None:
    """Of each thread whoever was told first hears a beginning, and one end, last; restarts change nothing."""
    said = lived(story, restarts=True)
    assert said == lived(story, restarts=False)

    notes = [one for one in said if isinstance(one, Notification)]
    assert len({note.id for note in notes}) == len(notes)
    threads: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        threads.setdefault((note.thread, note.to), []).append(note.kind)
    for kinds in threads.values():
        assert kinds[0] in {"opened", "escalated"}
        assert kinds[-1] == "resolved"
        assert kinds.count("resolved") == 1
        assert kinds.count("opened") + kinds.count("escalated") == 1
    decisions = [one for one in said if isinstance(one, Decision)]
    assert all(decision.reason for decision in decisions)
