"""Medians of windows are numpy's, to the last digit."""

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.rows import median, medians, percentile

values = st.floats(-1e9, 1e9, allow_nan=False)


@given(st.lists(values, min_size=1, max_size=40))
def test_a_median_is_numpys(some: list[float]) -> None:
    """For odd and even counts."""
    assert median(np.array(some)) == np.median(some)


@given(st.lists(values, min_size=1, max_size=40), st.sampled_from([0.1, 0.9, 0.5]))
def test_a_percentile_is_numpys(some: list[float], part: float) -> None:
    """Between two values it lies on a straight line."""
    assert percentile(np.array(some), part) == np.percentile(some, 100 * part)


@given(
    st.integers(1, 5).flatmap(
        lambda width: st.lists(
            st.lists(values | st.just(np.nan), min_size=width, max_size=width), min_size=1, max_size=20
        )
    )
)
def test_gaps_play_no_part_in_a_columns_median(rows: list[list[float]]) -> None:
    """A column of gaps alone has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of such columns
        expected = np.nanmedian(np.array(rows), axis=0)
    np.testing.assert_array_equal(medians(np.array(rows)), expected)
