"""The table of measurements holds together."""

import pytest

from schemas.points import BUCKETS, MEASUREMENTS, Measurement


@pytest.mark.parametrize("measurement", MEASUREMENTS, ids=lambda one: f"{one.bucket.name}-{one.name}")
def test_a_measurement_has_each_name_once(measurement: Measurement) -> None:
    """A tag and a field of one name could not be told apart in a query; every one is explained."""
    names = [*measurement.tags, *(field.name for field in measurement.fields)]

    assert len(set(names)) == len(names)
    assert all(field.says for field in measurement.fields)
    assert {"run", "city"} <= set(measurement.tags)


def test_a_bucket_has_each_measurement_once_and_each_field_one_kind() -> None:
    """InfluxDB refuses a field whose kind is another than before."""
    places = [(one.bucket.name, one.name) for one in MEASUREMENTS]

    assert len(set(places)) == len(places)
    assert {one.bucket for one in MEASUREMENTS} == set(BUCKETS)


def test_no_id_is_a_tag() -> None:
    """Each id would be a series of its own, for ever."""
    ids = {"id", "incident", "revision", "notification", "at", "time"}

    assert [one.name for one in MEASUREMENTS if ids & set(one.tags)] == []
