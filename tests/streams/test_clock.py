"""Stream time is what a quorum of clocks has reached, however they tick."""

import json

from hypothesis import given
from hypothesis import strategies as st

from streams.clock import StreamClock, quorum

ASSETS = 12
ticks = st.lists(st.tuples(st.integers(0, ASSETS - 1), st.integers(0, 30)), max_size=80)


@given(ticks, st.integers(0, 80))
def test_time_is_what_a_quorum_has_reached(heard: list[tuple[int, int]], stop: int) -> None:
    """By the definition: the newest clock of each asset, and of these the third newest; restarts included."""
    clock, newest, time = StreamClock(ASSETS), dict[int, int](), None
    for number, (asset, at) in enumerate(heard):
        moved = clock.hear(str(asset), at)
        newest[asset] = max(at, newest.get(asset, at))
        reached = sorted(newest.values(), reverse=True)[quorum(ASSETS) - 1 : quorum(ASSETS)]
        assert moved == bool(reached and (time is None or reached[0] > time))
        if moved:
            time = reached[0]
        assert clock.time == time
        if number == stop:
            state, clock = json.loads(json.dumps(clock.snapshot())), StreamClock(ASSETS)
            clock.restore(state)


@given(ticks, st.lists(st.integers(1, 9), max_size=20), st.integers(0, 9))
def test_many_at_once_are_heard_as_one_by_one(
    heard: list[tuple[int, int]], sizes: list[int], again: int
) -> None:
    """In lists of any size, mixed with single readings, over a restart with a smaller quorum."""
    one_by_one, at_once = StreamClock(ASSETS), StreamClock(ASSETS)
    left, moments = [(str(asset), at) for asset, at in heard], list[int | None]()
    for turn, size in enumerate([*sizes, len(left)]):
        part, left = left[:size], left[size:]
        for asset, at in part:
            if one_by_one.hear(asset, at):
                moments.append(one_by_one.time)
        while part:
            place = at_once.first_move(*zip(*part, strict=True)) if turn % 3 else 0
            at_once.hear_all(*zip(*part[:place], strict=True)) if part[:place] else None
            if place is None:
                break
            if at_once.hear(*part[place]):
                assert at_once.time == moments.pop(0)
            part = part[place + 1 :]
        assert not moments
        assert at_once.snapshot()["ahead"].items() == one_by_one.snapshot()["ahead"].items()
        if turn == again:
            state, one_by_one, at_once = one_by_one.snapshot(), StreamClock(6), StreamClock(6)
            one_by_one.restore(state)
            at_once.restore(state)


def test_what_one_clock_says_again_and_again_is_not_gathered() -> None:
    """A fast clock alone, for long: it never moves time, and is remembered once."""
    clock = StreamClock(1_000)
    assert not any(clock.hear("fast", at) for at in range(10_000))
    assert clock.snapshot() == {"time": None, "ahead": {"fast": 9_999}}
    assert len(clock._earliest) <= 2 * quorum(1_000)
