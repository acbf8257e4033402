"""Rounds of reports: when what was due has come, told one by one or many at once."""

import json
from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.city import City
from schemas.readings import Block
from schemas.times import MINUTE, SECOND
from streams.rounds import FEW, Rounds

T0 = 29_166_660 * MINUTE
COUNT = 40


def city(every: int = 60, slow: int = 0) -> City:
    """Forty meters that report every minute, and some slow ones that do every five."""
    intervals = [every] * COUNT + [5 * every] * slow
    return City.model_validate(
        {
            "city": "meterton",
            "timezone": "UTC",
            "assets": [
                {"id": f"meter-{n}", "utility": "water", "kind": "junction", "zone": "a", "position": [0, 0]}
                for n in range(len(intervals))
            ],
            "links": [],
            "sensors": [
                {"asset": f"meter-{n}", "quantity": "pressure", "unit": "m", "every": interval}
                for n, interval in enumerate(intervals)
            ],
        }
    )


def minute(rounds: Rounds, at: int, who: list[int]) -> list[int]:
    """The reports of a minute, of which the first tenth moves stream time; those that made it whole."""
    whole = []
    for place, number in enumerate(who):
        if rounds.hear(number, at):
            whole.append(number)
        if place == COUNT // 10 - 1:
            rounds.begin(at)
    return whole


def test_a_round_is_whole_when_nine_tenths_have_come_and_when_all_have() -> None:
    """Four move time; of the 36 that were due three may be missing, then none."""
    rounds, all_ = Rounds(city()), list(range(COUNT))
    minute(rounds, T0, all_)
    assert minute(rounds, T0 + MINUTE, all_) == [COUNT - 1 - 36 // FEW, COUNT - 1]


def test_who_is_silent_is_waited_for_once() -> None:
    """After two reports that did not come nobody counts on them: the rest is all there is."""
    rounds, all_ = Rounds(city()), list(range(COUNT))
    minute(rounds, T0, all_)
    there = all_[:-6]
    assert minute(rounds, T0 + MINUTE, there) == []
    assert minute(rounds, T0 + 2 * MINUTE, there)[-1] == there[-1]


def test_slow_sensors_are_waited_for_when_they_are_due() -> None:
    """Those that reported three minutes ago, and do every five, are not."""
    rounds, quick = Rounds(city(slow=6)), list(range(COUNT))
    minute(rounds, T0, [*quick, *range(COUNT, COUNT + 6)])
    for later in range(1, 5):
        assert minute(rounds, T0 + later * MINUTE, quick)[-1] == COUNT - 1
    assert minute(rounds, T0 + 5 * MINUTE, quick) == []


def test_a_minute_waits_for_those_that_report_again_within_it() -> None:
    """Every twenty seconds: three reports a minute, the last at forty seconds."""
    rounds = Rounds(city(every=20))
    for at in range(0, 80, 20):
        rounds.hear(0, T0 + at * SECOND)
    assert rounds.awaited(T0 + MINUTE)[0]
    rounds.hear(0, T0 + 100 * SECOND)
    assert not rounds.awaited(T0 + 100 * SECOND)[0]


@given(
    st.lists(
        st.tuples(st.integers(0, COUNT - 1), st.integers(0, 20).map(lambda quarter: quarter * 15 * SECOND)),
        max_size=150,
    ),
    st.integers(0, 150),
)
def test_many_at_once_say_what_they_say_one_by_one(told: list[tuple[int, int]], cut: int) -> None:
    """Stream time follows the newest reading; the state goes through JSON somewhere."""
    one_by_one, at_once = Rounds(city()), Rounds(city())
    now, place = 0, 0
    for newest, stretch in groupby(told, key=lambda one: max(at for _, at in told[: told.index(one) + 1])):
        part = list(stretch)
        numbers, at = np.array([n for n, _ in part], np.int32), np.array([t for _, t in part], np.int64)
        block = Block([], numbers, T0 + at, np.zeros(len(part)), np.zeros(len(part), np.uint8))
        while block.size:
            first = at_once.first_whole(block, T0 + now + 5 * MINUTE)
            end = block.size if first is None else first + 1
            at_once.hear_all(block.rows(slice(end)), T0 + now + 5 * MINUTE)
            said = [one_by_one.hear(*one) for one in zip(block.sensors[:end], block.at[:end], strict=True)]
            assert [number for number, whole in enumerate(said) if whole] == (
                [] if first is None else [first]
            )
            block = block.rows(slice(end, None))
        now = newest
        one_by_one.begin(T0 + now)
        at_once.begin(T0 + now)
        assert json.dumps(one_by_one.snapshot()) == json.dumps(at_once.snapshot())
        place += len(part)
        if place > cut:
            state, at_once = json.loads(json.dumps(at_once.snapshot())), Rounds(city())
            at_once.restore(state)
