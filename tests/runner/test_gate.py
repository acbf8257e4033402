"""When a receiver may be tried: by its rate, and not for a while after failures in a row."""

from hypothesis import given
from hypothesis import strategies as st

from runner.sending.gate import BREAK_AFTER, LONGEST_WAIT_SECONDS, Gate


def test_no_minute_has_more_messages_than_the_rate_allows() -> None:
    """The next begins a minute after the first of those; what took nobody's time does not count."""
    gate = Gate(per_minute=2, first_wait=1.0, break_seconds=20.0, seed=1)
    gate.enter(100.0)
    gate.enter(130.0)
    assert gate.opens_at(131.0) == 160.0
    assert gate.opens_at(160.0) == 160.0
    gate.enter(160.0)
    gate.give_back()
    assert gate.opens_at(161.0) == 161.0


def test_a_receiver_that_fails_in_a_row_is_left_alone_then_tried_once() -> None:
    """For a half to one and a half of the break; one answer opens it for all."""
    gate = Gate(per_minute=1_000, first_wait=1.0, break_seconds=20.0, seed=1)
    for _ in range(BREAK_AFTER - 1):
        gate.note(100.0, failed=True)
    assert not gate.is_closed(100.0)
    gate.note(100.0, failed=True)
    opens = gate.opens_at(100.0)
    assert 110.0 <= opens <= 130.0
    gate.enter(opens)
    assert gate.is_closed(opens + 19.0)
    gate.note(opens + 1.0, failed=False)
    assert gate.opens_at(opens + 1.0) == opens + 1.0


@given(st.integers(1, 10_000), st.integers())
def test_a_wait_grows_and_has_an_end(attempts: int, seed: int) -> None:
    """Twice as long each time, half of it by chance, never longer than the longest."""
    gate = Gate(per_minute=1, first_wait=1.0, break_seconds=20.0, seed=seed)
    longest = min(2.0**attempts, LONGEST_WAIT_SECONDS) if attempts < 20 else LONGEST_WAIT_SECONDS
    assert longest / 2 <= gate.wait(attempts) <= longest
