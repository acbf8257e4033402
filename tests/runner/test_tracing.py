"""Which trace a batch of messages belongs to."""

import pytest

from runner.kafka.tracing import of_batch

THEIRS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_batch_of_one_trace_goes_on_with_it() -> None:
    """One message, or many of one trace."""
    assert of_batch({THEIRS}) == THEIRS


@pytest.mark.parametrize(
    "traces",
    [
        [],
        [""],
        [THEIRS, ""],
        [THEIRS, THEIRS.replace("b7", "b8")],
        [THEIRS.upper()],
        [THEIRS.replace("00-", "ff-")],
        ["00-" + "0" * 32 + THEIRS[35:]],
        [THEIRS[:36] + "0" * 16 + "-01"],
        [THEIRS + "-" + "x" * 100],
        ["\n"],
    ],
)
def test_a_batch_of_many_or_none_has_one_of_its_own(traces: list[str]) -> None:
    """And so has one whose trace is none; it says that no span of ours can be found."""
    found = of_batch(set(traces))

    assert found not in traces
    assert of_batch({found}) == found
    assert found.endswith("-00")
