"""Groups of sensors on one table of minutes: what is looked at, when, and what late readings change."""

import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.times import HOUR, MINUTE
from streams.groups import Groups, Past, Sign, Table

LATE = 30 * MINUTE
T0 = 29_166_660 * MINUTE
"""A minute at which every stride looks."""

Heard = tuple[str, int, float]
"""Sensor, time from T0 on, value."""


class HighWatch:
    """Tells its first sensor's asset high from the first minute above 5 until ten minutes are without one."""

    minutes = 10

    def __init__(self, sensors: tuple[str, ...], stride: int) -> None:
        self.sensors, self.stride = sensors, stride

    def begin(self) -> Any:
        """Since when it is high; -1 where it isn't."""
        return -1

    def step(self, state: Any, past: Past, at: int) -> tuple[Any, tuple[Sign, ...]]:
        """Look at the last ten minutes."""
        rows = past.window(at, self.minutes)
        high = [number for number, row in enumerate(rows.tolist()) if any(value > 5 for value in row)]
        if not high:
            return -1, () if state < 0 else (Sign(self.sensors[0][0], "high", state, at),)
        since = state if state >= 0 else at - (len(rows) - 1 - high[0]) * MINUTE
        return since, (Sign(self.sensors[0][0], "high", since),)


def groups() -> Groups:
    """One watcher looks every minute at one sensor, another every five at two."""
    watchers = [HighWatch(("a/flow",), 1), HighWatch(("b/flow", "a/flow"), 5)]
    return Groups(watchers, LATE, {"a/flow": 0, "b/flow": 1})


def told(them: Groups, heard: list[Heard], until: int, now: int = 0) -> list[tuple[int, Sign, bool]]:
    """What was told of readings in this order, and when; time goes with the newest, from ``now`` on."""
    said = []
    for sensor, at, value in heard:
        them.hear(sensor, T0 + at, value)
        if at > now:
            now = at
            said += [(now, sign, gone) for sign, _, gone in them.pass_to(T0 + now)]
    return said + [(until, sign, gone) for sign, _, gone in them.pass_to(T0 + until)]


def standing(said: list[tuple[int, Sign, bool]]) -> set[Sign]:
    """The signs as they stand after all that was told."""
    kept: dict[tuple[str, int], Sign] = {}
    for _, sign, gone in said:
        kept.pop((sign.asset, sign.onset), None)
        if not gone:
            kept[sign.asset, sign.onset] = sign
    return set(kept.values())


def steady(minutes: int, value: float = 1.0) -> list[Heard]:
    """Sensor ``b`` says the same every minute."""
    return [("b/flow", minute * MINUTE, value) for minute in range(minutes)]


def test_a_watcher_looks_at_the_minutes_of_its_stride() -> None:
    """What begins in minute 11 is told of minute 15, as soon as that is over."""
    heard = steady(11) + [("b/flow", minute * MINUTE, 9.0) for minute in range(11, 30)]
    (first, *_) = told(groups(), heard, 30 * MINUTE)
    assert first == (16 * MINUTE, Sign("b", "high", T0 + 11 * MINUTE), False)


def test_of_two_readings_of_a_minute_the_newer_counts() -> None:
    """In whatever order they come; of two for one time, the smaller."""
    pair: list[Heard] = [("b/flow", 600_000, 9.0), ("b/flow", 620_000, 1.0)]
    twice: list[Heard] = [("b/flow", 600_000, 9.0), ("b/flow", 600_000, 1.0)]
    for both in (pair, pair[::-1], twice, twice[::-1]):
        assert told(groups(), steady(10) + both + steady(30)[11:], 30 * MINUTE) == []


def test_a_late_reading_takes_back_what_it_disproves() -> None:
    """A newer reading of the same minute says that it was not so."""
    heard = [*steady(10), ("b/flow", 10 * MINUTE, 9.0), *steady(20)[11:]]
    them = groups()
    assert standing(told(them, heard, 20 * MINUTE))
    them.hear("b/flow", T0 + 10 * MINUTE + 30_000, 1.0)
    ((sign, new, gone),) = them.pass_to(T0 + 21 * MINUTE)
    assert (sign.onset, new, gone) == (T0 + 10 * MINUTE, False, True)


def test_after_a_long_silence_it_begins_anew() -> None:
    """What stood then is no guide any more."""
    them = groups()
    assert standing(told(them, steady(20, 9.0), 20 * MINUTE))
    assert [gone for _, _, gone in them.pass_to(T0 + 5 * HOUR)] == [True]
    them.hear("b/flow", T0 + 5 * HOUR, 1.0)
    assert list(them.pass_to(T0 + 5 * HOUR + 30 * MINUTE)) == []


def test_what_comes_late_after_a_long_silence_is_judged_by_the_time_before() -> None:
    """One pass brings both: the reading of minute 8, and that it is minute 70."""
    before = [("a/flow", 6 * MINUTE, 1.0), ("a/flow", 23 * MINUTE, 1.0)]
    late = ("a/flow", 8 * MINUTE, 9.0)
    at_once, between = groups(), groups()
    together = [*told(at_once, before, 23 * MINUTE)]
    at_once.hear(*_placed(late))
    together += told(at_once, [], 70 * MINUTE)
    apart = told(between, [before[0], late, before[1]], 70 * MINUTE)
    assert standing(together) == standing(apart)
    assert len(standing(together)) == 2


def _placed(one: Heard) -> tuple[str, int, float]:
    sensor, at, value = one
    return sensor, T0 + at, value


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a/flow", "b/flow"]),
            st.integers(0, 40 * 4).map(lambda quarter: quarter * MINUTE // 4),
            st.sampled_from([1.0, 9.0]),
        ),
        max_size=60,
    ),
    st.randoms(use_true_random=False),
    st.integers(0, 60),
)
@settings(deadline=None)
def test_neither_order_nor_a_restart_changes_what_stands(heard: list[Heard], random: Any, cut: int) -> None:
    """Readings up to 25 minutes late; the state goes through JSON somewhere."""
    in_order = sorted(heard, key=lambda one: one[1])
    late = sorted(in_order, key=lambda one: one[1] + random.choice([0, 0, random.randrange(25)]) * MINUTE)
    first, second = groups(), groups()
    stopped = max([0, *(at for _, at, _ in late[:cut])])
    said = told(first, late[:cut], stopped)
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert json.dumps(second.snapshot()) == json.dumps(first.snapshot())
    said += told(second, late[cut:], 70 * MINUTE, stopped)
    assert standing(said) == standing(told(groups(), in_order, 70 * MINUTE))


def test_a_minute_of_which_nothing_more_comes_is_judged_at_once() -> None:
    """By the group that waits for nobody; the other waits until the minute is over."""
    them = groups()
    for minute in range(11):
        them.hear("a/flow", T0 + minute * MINUTE, 9.0 if minute == 10 else 1.0)
    now = T0 + 10 * MINUTE
    assert [told.sign.onset for told in them.pass_to(now, np.array([False, True]))] == [now]
    assert [told.sign.asset for told in them.pass_to(now + MINUTE)] == ["b"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a/flow", "b/flow"]),
            st.integers(0, 40 * 4).map(lambda quarter: quarter * MINUTE // 4),
            st.sampled_from([1.0, 9.0]),
            st.none() | st.tuples(st.booleans(), st.booleans()),
        ),
        max_size=60,
    ),
    st.randoms(use_true_random=False),
    st.integers(0, 60),
)
@settings(deadline=None)
def test_what_is_judged_at_once_stands_as_if_it_had_waited(
    heard: list[tuple[str, int, float, tuple[bool, bool] | None]], random: Any, cut: int
) -> None:
    """Whoever is thought to be awaited after a reading, in whatever order they come, over a restart."""
    late = sorted(heard, key=lambda one: one[1] + random.choice([0, 0, random.randrange(25)]) * MINUTE)
    them, said, now = groups(), [], 0
    for number, (sensor, at, value, awaited) in enumerate(late):
        if number == cut:
            state = json.loads(json.dumps(them.snapshot()))
            them = groups()
            them.restore(state)
        them.hear(sensor, T0 + at, value)
        now = max(at, now)
        wait_for = None if awaited is None else np.array(awaited)
        said += [(now, sign, gone) for sign, _, gone in them.pass_to(T0 + now, wait_for)]
    until = now + 2 * MINUTE
    in_order = [one[:3] for one in sorted(heard, key=lambda one: one[1])]
    assert standing(said + told(them, [], until)) == standing(told(groups(), in_order, until))


def test_a_group_with_other_sensors_begins_afresh() -> None:
    """With what was not judged yet; the others go on."""
    first = Groups([HighWatch(("a/flow",), 1), HighWatch(("b/flow",), 1)], LATE)
    for minute in range(20):
        first.hear("a/flow", T0 + minute * MINUTE, 9.0)
        first.hear("b/flow", T0 + minute * MINUTE, 9.0)
    assert len(list(first.pass_to(T0 + 20 * MINUTE))) == 2
    second = Groups([HighWatch(("a/flow", "c/flow"), 1), HighWatch(("b/flow",), 1)], LATE)
    second.restore(json.loads(json.dumps(first.snapshot())))
    for sensor in ("a/flow", "b/flow", "c/flow"):
        second.hear(sensor, T0 + 20 * MINUTE, 9.0)
    ((sign, new, _),) = second.pass_to(T0 + 23 * MINUTE)
    assert (sign.onset, new) == (T0 + 20 * MINUTE, True)


def test_a_group_more_leaves_the_others_what_they_know() -> None:
    """The sign that stood goes on after a restart with a watcher that wasn't there before."""
    first = Groups([HighWatch(("a/flow",), 1)], LATE)
    for minute in range(20):
        first.hear("a/flow", T0 + minute * MINUTE, 9.0)
    ((sign, _, _),) = first.pass_to(T0 + 20 * MINUTE)
    second = Groups([HighWatch(("b/flow",), 1), HighWatch(("a/flow",), 1)], LATE)
    second.restore(json.loads(json.dumps(first.snapshot())))
    second.hear("a/flow", T0 + 20 * MINUTE, 9.0)
    second.hear("a/flow", T0 + 40 * MINUTE, 1.0)
    ((ended, new, gone),) = second.pass_to(T0 + 42 * MINUTE)
    assert (ended.onset, new, gone) == (sign.onset, False, False)
    assert ended.cleared is not None


def test_the_table_is_bounded() -> None:
    """By what is looked at, not by how long it goes on, nor by a leap of time."""
    table = Table(["a/flow"], most=100)
    for minute in [*range(1_000), 5_000, 5_001, 90_000]:
        table.put("a/flow", T0 + minute * MINUTE, 1.0)
        table.keep = T0 // MINUTE + minute - 40
        assert table.count <= 140
    assert table.put("b/flow", T0, 1.0) == -1
