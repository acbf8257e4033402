"""What came of predictions: pure, by example and for any alarms."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from schemas.alarms import Alarm, Severity
from schemas.incidents import Foretold
from schemas.times import MINUTE
from streams.consequences import SLACK, foretell, judged, stretches


def alarm(raised: int, cleared: int | None = None, condition: str = "level_low") -> Alarm:
    """The tank, in minutes."""
    return Alarm(
        id=f"{condition}-{raised}",
        asset="tank-1",
        utility="water",
        condition=condition,
        severity=Severity.WARNING,
        raised=raised * MINUTE,
        cleared=None if cleared is None else cleared * MINUTE,
        sensor="tank-1/level",
    )


def prediction(told: int, start: int, end: int) -> Foretold:
    """Low level in the tank, in minutes."""
    return Foretold(
        asset="tank-1",
        condition="level_low",
        start=start * MINUTE,
        end=end * MINUTE,
        probability=0.7,
        told=told * MINUTE,
    )


def outcome(
    one: Foretold, *alarms: Alarm, now: int, watched: bool = True, closed: bool = False
) -> tuple[str | None, int | None] | None:
    """What came of one prediction, and when (minutes); None where it was none."""
    found = judged([one], stretches(alarms), lambda _: watched, now * MINUTE, closed=closed)
    return (found[0].outcome, None if found[0].came is None else found[0].came // MINUTE) if found else None


def test_a_prediction_is_open_until_its_time_has_passed() -> None:
    """Sensors report late: five minutes of slack after the range."""
    one = prediction(0, 10, 60)
    assert outcome(one, now=65) == (None, None)
    assert outcome(one, now=66) == ("miss", None)
    assert outcome(one, now=66, watched=False) == ("unknown", None)
    assert outcome(one, now=20, closed=True) == ("miss", None)


def test_only_an_onset_inside_the_range_is_a_hit() -> None:
    """Neither too early nor too late, nor a sign that is short of an alarm; further is a hit as well."""
    one = prediction(0, 10, 60)
    assert outcome(one, alarm(30), now=31) == ("hit", 30)
    assert outcome(one, alarm(30, condition="level_low_low"), now=31) == ("hit", 30)
    assert outcome(one, alarm(30, condition="level_rise"), now=31) == (None, None)
    assert outcome(one, alarm(5, 8), now=31) == (None, None)
    assert outcome(one, alarm(5, 8), alarm(65), now=100) == ("hit", 65)
    assert outcome(one, alarm(66), now=100) == ("miss", None)


def test_what_stood_already_was_no_prediction() -> None:
    """The alarm was late; when the prediction was told, its condition had begun."""
    assert outcome(prediction(20, 20, 60), alarm(15), now=25) is None
    assert outcome(prediction(20, 20, 60), alarm(15, 18), now=25) == (None, None)


def test_late_data_takes_a_hit_back() -> None:
    """An alarm that never was made no prediction come true."""
    (hit,) = judged(
        [prediction(0, 10, 60)], stretches([alarm(30)]), lambda _: True, 31 * MINUTE, closed=False
    )
    assert outcome(hit, now=32) == (None, None)
    assert outcome(hit, now=31 + 12 * 60) == ("hit", 30)  # its alarm is forgotten, not retracted


def test_one_condition_is_foretold_once_at_a_time() -> None:
    """Two incidents that become one have said it twice; after its time has passed it can be said anew."""
    first, again, later = prediction(0, 10, 60), prediction(5, 10, 90), prediction(66, 70, 90)
    assert foretell([again], [first, later]) == [first, later]


minutes = st.integers(0, 300)
spans = st.lists(st.tuples(minutes, st.integers(1, 60)), max_size=6)


@given(minutes, minutes, st.integers(0, 120), spans, st.randoms(use_true_random=False), minutes, minutes)
def test_outcomes_follow_from_the_set_of_alarms(
    told: int, wait: int, length: int, spans: list[tuple[int, int]], random: Random, one: int, other: int
) -> None:
    """Neither order nor how often one looks plays a part; a hit lies in the range, after the telling."""
    made = prediction(told, told + wait, told + wait + length)
    alarms = [alarm(began, began + lasted) for began, lasted in spans]
    early, late = sorted((told + one, told + one + other))
    shuffled = sorted(alarms, key=lambda _: random.random())

    def look(known: list[Foretold], given: list[Alarm], now: int) -> list[Foretold]:
        return judged(known, stretches(given), lambda _: True, now * MINUTE, closed=False)

    twice = look(look([made], alarms, early), shuffled, late)
    assert twice == look([made], alarms, late)
    for found in twice:
        if found.came is not None:
            assert max(found.told + 1, found.start) <= found.came <= found.end + SLACK


def test_of_two_sides_that_foretell_at_once_the_surer_one_is_kept() -> None:
    """Whichever of them is asked first: sides of a border come in no order."""
    north, south = (
        Foretold(asset="road-ring", condition="speed_low", start=1, end=end, probability=probability, told=0)
        for probability, end in ((0.27, 300), (0.33, 200))
    )
    assert foretell([north], [south]) == foretell([south], [north]) == [south]
