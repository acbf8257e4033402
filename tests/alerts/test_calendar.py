"""Local clocks: days of 23 and 25 hours, leap days, turns that go round."""

from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from alerts.calendar import covers, gaps, on_call
from schemas.rotas import Rota, Shift, Window
from schemas.times import HOUR, MINUTE, parse_time

PARIS = ZoneInfo("Europe/Paris")
DAILY = {"people": ["ana", "bo"], "turn_days": 1, "since": "2025-01-01"}


def rota(*shifts: dict[str, object], **more: object) -> Rota:
    """A rota as a file would say it."""
    return Rota.model_validate({"shifts": list(shifts), **more})


def spans(found: Rota, start: str, end: str, zone: ZoneInfo = PARIS) -> list[str]:
    """Who is on call between two moments, minute by minute: ``ana 1380`` for each turn."""
    told: list[tuple[str, int]] = []
    for at in range(parse_time(start), parse_time(end), MINUTE):
        who = on_call(found, at, zone, ()) or "nobody"
        if told and told[-1][0] == who:
            told[-1] = (who, told[-1][1] + 1)
        else:
            told.append((who, 1))
    return [f"{who} {minutes}" for who, minutes in told]


def test_the_day_on_which_clocks_go_forward_has_23_hours_of_one_turn() -> None:
    """30 March 2025, Paris: a turn from midnight to midnight lasts an hour less, and nobody's is left out."""
    assert spans(rota(DAILY), "2025-03-28T23:00:00Z", "2025-03-31T22:00:00Z") == [
        "bo 1440",  # 29 March: day 87 since 1 January
        "ana 1380",
        "bo 1440",
    ]


def test_the_day_on_which_clocks_go_back_has_25_hours_of_one_turn() -> None:
    """26 October 2025, Paris."""
    assert spans(rota(DAILY), "2025-10-24T22:00:00Z", "2025-10-27T23:00:00Z") == [
        "bo 1440",
        "ana 1500",
        "bo 1440",
    ]


def test_a_handover_in_the_hour_that_is_left_out_happens_once() -> None:
    """02:30 does not exist that night: it is as long after midnight as ever, at 03:30 on the wall."""
    night = rota({**DAILY, "handover": "02:30"})
    assert spans(night, "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z") == ["bo 150", "ana 1230"]


def test_a_handover_in_the_hour_that_comes_twice_happens_once() -> None:
    """02:30 comes twice: the first counts, and the turn does not go back at the second 02:00."""
    night = rota({**DAILY, "handover": "02:30"})
    assert spans(night, "2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z") == ["bo 150", "ana 1350"]


def test_a_leap_day_is_a_day_like_any_other() -> None:
    """28 and 29 February and 1 March 2028: three turns of a day each."""
    assert spans(rota(DAILY), "2028-02-27T23:00:00Z", "2028-03-01T23:00:00Z") == [
        "bo 1440",  # day 1153 since 1 January 2025
        "ana 1440",
        "bo 1440",
    ]


def test_day_and_night_shifts_leave_nothing_out_when_clocks_change() -> None:
    """Two windows that meet do so on both nights of the year."""
    two = rota(
        {"people": "day", "from": "08:00", "to": "20:00"}, {"people": "night", "from": "20:00", "to": "08:00"}
    )
    assert spans(two, "2025-03-29T19:00:00Z", "2025-03-30T18:00:00Z") == ["night 660", "day 720"]
    assert spans(two, "2025-10-25T18:00:00Z", "2025-10-26T19:00:00Z") == ["night 780", "day 720"]
    assert gaps(two.shifts) == []


def test_an_override_comes_first_and_ends() -> None:
    """Somebody stands in for an evening."""
    stood_in = rota(
        {"people": "ana"}, overrides=[{"person": "cy", "from": "2025-06-04T18:00", "to": "2025-06-04T20:00"}]
    )
    assert spans(stood_in, "2025-06-04T15:00:00Z", "2025-06-04T19:00:00Z") == ["ana 60", "cy 120", "ana 60"]


def test_holidays_have_shifts_of_their_own() -> None:
    """On a holiday the weekday shift is off, and the one for holidays on."""
    shifts = rota(
        {"people": "cy", "holidays": "only"},
        {"people": "ana", "days": "mon-fri", "holidays": "never"},
        {"people": "bo", "days": ["sat", "sun"], "holidays": "never"},
    )
    christmas = parse_time("2025-12-25T10:00:00Z")
    assert on_call(shifts, christmas, PARIS, [date(2025, 12, 25)]) == "cy"
    assert on_call(shifts, christmas, PARIS, []) == "ana"
    assert gaps(shifts.shifts) == []


def test_gaps_are_named() -> None:
    """Weekdays only; and an overnight window belongs to the day on which it begins."""
    office = [Shift.model_validate({"people": "ana", "days": "mon-fri", "from": "08:00", "to": "18:00"})]
    night = Shift.model_validate({"people": "bo", "days": "mon-thu", "from": "18:00", "to": "08:00"})
    assert gaps([*office, night]) == [
        "mon 00:00-08:00",
        "fri 18:00-24:00",
        "sat 00:00-24:00",
        "sun 00:00-24:00",
    ]


def test_gaps_on_holidays_and_in_months_are_named() -> None:
    """Nobody on holidays; nobody in winter."""
    assert gaps([Shift.model_validate({"people": "ana", "holidays": "never"})])[:1] == [
        "mon 00:00-24:00 on holidays"
    ]
    assert "mon 00:00-24:00" in gaps([Shift.model_validate({"people": "ana", "months": [4, 5, 6]})])


def test_a_window_over_midnight_belongs_to_its_first_day() -> None:
    """Friday's night reaches into Saturday morning; Saturday has none."""
    friday = Window.model_validate({"days": "fri", "from": "22:00", "to": "06:00"})
    assert covers(friday, parse_time("2025-06-07T01:00:00Z"), ZoneInfo("UTC"), ())
    assert not covers(friday, parse_time("2025-06-07T23:00:00Z"), ZoneInfo("UTC"), ())


zones = st.sampled_from(["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])


@given(zones, st.integers(0, 23), st.integers(1, 10), st.integers(0, 8 * 365 * 24))
def test_a_rota_that_never_ends_always_has_somebody_and_turns_in_order(
    name: str, hour: int, length: int, start: int
) -> None:
    """Whatever the clocks do: nobody is skipped, and each handover goes to the next."""
    people = ["ana", "bo", "cy"]
    zone = ZoneInfo(name)
    endless = rota({"people": people, "turn_days": length, "handover": f"{hour:02d}:30"})
    first = parse_time("2024-01-01T00:00:00Z") + start * HOUR
    seen = [on_call(endless, first + n * HOUR, zone, ()) for n in range(40 * 24)]
    turns = [who for n, who in enumerate(seen) if n == 0 or who != seen[n - 1]]
    assert None not in turns
    places = [people.index(who or "") for who in turns]
    assert all((a + 1) % 3 == b for a, b in pairwise(places))
