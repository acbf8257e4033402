"""Stories of a pump's energy, made from hydraulics: power is weight of water times head over efficiency."""

import json
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.city import City
from schemas.times import HOUR, MINUTE
from streams.efficiency import EfficiencyWatch, efficiency_watchers
from streams.groups import Past, Sign, Table, as_tuples

T0 = 1_750_000_000_000 - 1_750_000_000_000 % HOUR
Row = NDArray[np.float64]
WELL = 60 * 24 * 5
"""Minutes for which the pump is well."""


class Rows(Past):
    """Rows of minutes from T0 on, without a table."""

    def __init__(self, rows: Row) -> None:
        super().__init__(Table((), most=0), ())
        self._kept = rows

    def window(self, until: int, minutes: int) -> Row:
        """So many rows up to and with that minute."""
        end = (until - T0) // MINUTE + 1
        return self._kept[max(end - minutes, 0) : end]


class Told(NamedTuple):
    """What a pump's sensors told, by minute."""

    power: Row
    flow: Row
    voltage: Row

    def rows(self) -> Row:
        """As a watcher sees them."""
        return np.stack(self, axis=1)


def pumped(minutes: int, *, cycle: tuple[int, int] = (1, 0), worn: float = 0.0, choked: float = 0.0) -> Told:
    """A pump that runs and stands for so many minutes in turn. When it is no longer well, its efficiency is
    lost by one part, its flow by another while the head stays.
    """
    throw, minute = np.random.default_rng(2), np.arange(minutes)
    ill = minute >= WELL
    head = 45 + 1.5 * np.sin(2 * np.pi * minute / 1440)  # the tank above fills and empties
    flow = 60 * (1 - 0.01 * (head - 45)) * np.where(ill, 1 - choked, 1.0)
    power = 9.81 * flow * head / (0.72 * np.where(ill, 1 - worn, 1.0)) / 1000
    power = power / np.where(ill, 1 - choked, 1.0)  # what turns in the pump turns on
    runs = minute % sum(cycle) < cycle[0]
    noise = throw.normal(1, 0.01, (3, minutes))
    return Told(
        np.where(runs, power, 0.0) * noise[0],
        np.where(runs, flow, 0.0) * noise[1],
        np.ones(minutes) * noise[2],
    )


def judged(told: Told) -> list[Sign]:
    """Signs as they stood last; the state travels as JSON."""
    watch, past = EfficiencyWatch("pump", voltage=True), Rows(told.rows())
    state: Any = watch.begin()
    found: dict[int, Sign] = {}
    for at in range(T0 + HOUR, T0 + len(told.flow) * MINUTE, HOUR):
        state, signs = watch.step(state, past, at)
        state = as_tuples(json.loads(json.dumps(state)))
        found |= {sign.onset: sign for sign in signs}
    return list(found.values())


@pytest.mark.parametrize("cycle", [(1, 0), (20, 10)], ids=["always", "in strokes"])
@pytest.mark.parametrize(("worn", "choked"), [(0.2, 0.0), (0.0, 0.2)], ids=["worn", "clogged"])
def test_pump_that_takes_a_quarter_more_is_told(cycle: tuple[int, int], worn: float, choked: float) -> None:
    """Within two hours, whether it wears or its impeller clogs."""
    (sign,) = judged(pumped(WELL + 300, cycle=cycle, worn=worn, choked=choked))
    assert (sign.asset, sign.condition, sign.cleared) == ("pump", "inefficient", None)
    assert 0 <= sign.onset - T0 - WELL * MINUTE <= HOUR


def test_pump_that_is_cleaned_is_well_again() -> None:
    """The sign ends with the first good hour."""
    ill, well = pumped(WELL + 300, worn=0.2), pumped(WELL + 600)
    mended = Told(*(np.concatenate([one, other[len(one) :]]) for one, other in zip(ill, well, strict=True)))
    (sign,) = judged(mended)
    assert sign.cleared is not None
    assert abs(sign.cleared - T0 - (WELL + 360) * MINUTE) <= HOUR


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("well", pumped(2 * WELL)),
        ("in strokes", pumped(2 * WELL, cycle=(15, 9))),
        ("strokes too short to tell", pumped(WELL + 600, cycle=(5, 9), worn=0.3)),
        ("a tenth more", pumped(WELL + 600, worn=0.1)),
        ("it stands", pumped(2 * WELL, cycle=(1, 2 * WELL))),
    ],
)
def test_what_is_no_waste_is_no_sign(why: str, told: Told) -> None:
    """Strokes, a head that changes, a little wear, and what can't be told."""
    assert judged(told) == [], why


def test_low_voltage_explains_more_power() -> None:
    """The motor takes more for the same work, until the voltage is back."""
    told = pumped(WELL + 300, worn=0.2)
    told.voltage[WELL - 5 :] *= 0.85
    assert judged(told) == []


def test_new_pump_has_nothing_usual() -> None:
    """Two days of running must be learnt first."""
    ill = Told(*(one[WELL - 600 :] for one in pumped(WELL + 1500, worn=0.25)))
    assert judged(ill) == []


def test_pumps_without_a_meter_have_no_watcher() -> None:
    """Power alone, or flow alone, is no energy per volume."""
    pumps = {"both": ("power", "flow"), "fed": ("power", "flow", "voltage"), "dark": ("flow",)}
    city = City.model_validate(
        {
            "city": "smallton",
            "timezone": "UTC",
            "assets": [{"id": name, "utility": "water", "kind": "pump", "zone": "a"} for name in pumps],
            "links": [],
            "sensors": [
                {
                    "asset": name,
                    "quantity": one,
                    "unit": {"power": "kW", "flow": "L/s"}.get(one, "pu"),
                    "every": 60,
                }
                for name, measured in pumps.items()
                for one in measured
            ],
        }
    )
    assert [watch.sensors for watch in efficiency_watchers(city)] == [
        ("both/power", "both/flow"),
        ("fed/power", "fed/flow", "fed/voltage"),
    ]
