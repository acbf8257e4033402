"""A town small enough to keep in mind."""

import pytest

from schemas.city import Asset, City, Sensor, Utility


@pytest.fixture(scope="session")
def town() -> City:
    """One pump with three sensors, one tank, and a valve that has none."""
    return City(
        city="smallville",
        timezone="UTC",
        assets=(
            Asset(id="pump-3", utility=Utility.WATER, kind="pump", zone="north"),
            Asset(id="tank-1", utility=Utility.WATER, kind="tank", zone="north"),
            Asset(id="valve-9", utility=Utility.WATER, kind="valve", zone="south"),
        ),
        sensors=(
            Sensor(asset="pump-3", quantity="flow", unit="L/s", every=60),
            Sensor(asset="pump-3", quantity="power", unit="kW", every=60),
            Sensor(asset="pump-3", quantity="run", unit="1", every=60),
            Sensor(asset="tank-1", quantity="level", unit="m", every=60),
        ),
    )
