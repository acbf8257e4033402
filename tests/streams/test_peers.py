"""Stories of sensors that should agree: drift, spikes, and load that only changes feeders."""

from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray

from schemas.city import City
from schemas.times import MINUTE
from streams.groups import Groups, Sign, Watcher
from streams.peers import _spikes, _suspects, peer_watchers

LATE = 30 * MINUTE
T0 = 1_750_000_020_000 - 1_750_000_020_000 % MINUTE
PUMPS = [f"pump-{number}" for number in range(1, 5)]
FEEDERS = [f"feeder-{number}" for number in range(1, 4)]
CITY = City.model_validate(
    {
        "city": "smallton",
        "timezone": "UTC",
        "assets": [
            {"id": "transformer", "utility": "power", "kind": "transformer", "zone": "a"},
            *({"id": name, "utility": "power", "kind": "feeder", "zone": "a"} for name in FEEDERS),
            *({"id": name, "utility": "water", "kind": "pump", "zone": "a"} for name in PUMPS),
            {"id": "corner", "utility": "water", "kind": "junction", "zone": "a"},
            {"id": "square", "utility": "water", "kind": "junction", "zone": "a"},
        ],
        "links": [
            *({"from": "transformer", "to": name, "relation": "powers"} for name in FEEDERS),
            *({"from": "feeder-1", "to": name, "relation": "powers"} for name in PUMPS),
        ],
        "sensors": [
            *(
                {"asset": name, "quantity": "current", "unit": "A", "every": 60, "deadband": 1.8}
                for name in FEEDERS
            ),
            *(
                {"asset": name, "quantity": "voltage", "unit": "pu", "every": 60, "deadband": 0.006}
                for name in PUMPS
            ),
            {"asset": "corner", "quantity": "pressure", "unit": "m", "every": 60, "deadband": 0.45},
            {"asset": "square", "quantity": "pressure", "unit": "m", "every": 60, "deadband": 0.45},
        ],
    }
)  # fmt: skip - a city in rows
Day = dict[str, NDArray[np.float64]]


def day(minutes: int = 480) -> Day:
    """A quiet day: all voltages swing with the load, currents and pressures have their noise."""
    throw = np.random.default_rng(3)
    load = np.sin(np.arange(minutes) / 120)
    told = {f"{name}/voltage": 1.0 + 0.02 * load + throw.normal(0, 0.002, minutes) for name in PUMPS}
    told |= {f"{name}/current": 60 + 5 * load + throw.normal(0, 0.6, minutes) for name in FEEDERS}
    told |= {f"{name}/pressure": 45 + throw.normal(0, 0.15, minutes) for name in ("corner", "square")}
    return told


def judged(told: Day, lost: Iterable[int] = (), *, shuffled: bool = False) -> list[Sign]:
    """The signs that stand in the end, or ended, of all watchers of peers."""
    return [
        sign for watcher in peer_watchers(CITY) for sign in _of(watcher, told, set(lost), shuffled=shuffled)
    ]


def _of(watcher: Watcher, told: Day, lost: set[int], *, shuffled: bool) -> list[Sign]:
    heard = [
        (T0 + minute * MINUTE, sensor, float(told[sensor][minute]))
        for minute in range(len(told["corner/pressure"]))
        for sensor in watcher.sensors
        if minute not in lost
    ]
    order = list(range(len(heard)))
    if shuffled:  # everything up to 20 minutes late
        late = np.random.default_rng(2).uniform(0, 20 * MINUTE, len(heard))
        order.sort(key=lambda index: heard[index][0] + late[index])
    group, now, standing = Groups([watcher], LATE), 0, dict[tuple[str, str, int], Sign]()
    for index in order:
        at, sensor, value = heard[index]
        group.hear(sensor, at, value)
        if at > now:
            now = at
            for change in group.pass_to(now):
                key = change.sign.asset, change.sign.condition, change.sign.onset
                if change.gone:
                    del standing[key]
                else:
                    standing[key] = change.sign
    return sorted(standing.values())


def drift(told: Day, sensor: str, per_h: float, since: int) -> None:
    """A sensor tells more and more, by this part an hour."""
    hours = np.clip(np.arange(len(told[sensor])) - since, 0, None) / 60
    told[sensor] = told[sensor] * (1 + per_h * hours)


def test_a_quiet_day_has_no_signs() -> None:
    """What swings together is well, with some minutes lost as well."""
    assert judged(day(), lost=range(100, 110)) == []


def test_a_voltage_that_leaves_its_peers_drifts() -> None:
    """By 2 % an hour it is told after an hour and a half, long before the limit of 1.08."""
    told = day()
    drift(told, "pump-2/voltage", 0.02, since=120)
    (sign,) = judged(told)
    assert (sign.asset, sign.condition, sign.cleared) == ("pump-2", "drifting", None)
    assert 200 <= (sign.onset - T0) // MINUTE <= 240


def test_voltages_that_rise_together_are_the_grids_doing() -> None:
    """Nobody drifts where all do."""
    told = day()
    for name in PUMPS:
        drift(told, f"{name}/voltage", 0.02, since=120)
    assert judged(told) == []


def test_a_voltage_that_leaps_does_not_drift() -> None:
    """A supply that sags at one place has other reasons than its sensor; nor does one that fails drift."""
    told = day()
    told["pump-2/voltage"][200:] *= 0.93
    told["pump-3/voltage"][200:] = 0.0
    assert judged(told) == []


def test_a_sensor_whose_readings_stand_out_again_and_again_spikes() -> None:
    """One in ten is half as large again; two in eight hours are nothing."""
    told = day()
    told["corner/pressure"][200::10] *= 1.5
    told["pump-1/voltage"][[100, 300]] = 0.0
    (sign,) = judged(told)
    assert (sign.asset, sign.condition, sign.cleared) == ("corner", "spiking", None)
    assert sign.onset == T0 + 200 * MINUTE


@given(some.integers(0, 10**6), some.sampled_from([0.0, 0.3, 3.0]), some.sampled_from([0.0, 5.0, -50.0]))
def test_no_column_with_a_spike_escapes_the_cheap_question(seed: int, least: float, level: float) -> None:
    """Values of either sign, gaps, whole columns without a reading, spikes of any size."""
    chance = np.random.default_rng(seed)
    rows = (level + chance.normal(0, 0.2, (60, 8)).cumsum(axis=0) / 4).round(2)
    rows[chance.random(rows.shape) < 0.05] *= chance.choice([0.5, 0.79, 0.81, 1.19, 1.21, 2.0])
    rows[chance.random(rows.shape) < 0.1] = np.nan
    rows[:, 3] = np.nan
    deadbands = np.full(8, least)
    spiking = {number for number in range(8) if len(_spikes(rows[:, number], least)[0])}
    assert spiking <= set(_suspects(rows, deadbands))


def test_what_two_sensors_see_at_once_is_no_spike() -> None:
    """A pump that starts for a minute every ten minutes is felt everywhere."""
    told = day()
    for name in ("corner", "square"):
        told[f"{name}/pressure"][200::10] *= 1.5
    assert judged(told) == []


def swapped() -> Day:
    """From 02:00 to 04:00 feeder-2 carries 10 A of feeder-3's."""
    told = day()
    told["feeder-2/current"][120:240] += 10
    told["feeder-3/current"][120:240] -= 10
    return told


def test_load_that_changes_feeders_is_everyday_life() -> None:
    """Both feeders are told, until the load goes back."""
    signs = judged(swapped())
    assert [(sign.asset, sign.condition, sign.onset) for sign in signs] == [
        ("feeder-2", "switching", T0 + 120 * MINUTE),
        ("feeder-3", "switching", T0 + 120 * MINUTE),
    ]
    assert all(sign.cleared and 240 <= (sign.cleared - T0) // MINUTE <= 245 for sign in signs)


def test_a_feeder_that_fails_is_no_swap() -> None:
    """Though its ring's other half takes over: what loses nearly all has tripped."""
    told = day()
    told["feeder-3/current"][120:] = 0.0
    told["feeder-2/current"][120:] += 55
    assert judged(told) == []


def test_the_order_in_which_readings_come_changes_nothing() -> None:
    """What stands in the end is the same with everything up to 20 minutes late."""
    told = swapped()
    drift(told, "pump-2/voltage", 0.02, since=120)
    told["corner/pressure"][200::10] *= 1.5
    known = judged(told)
    assert len(known) == 4
    assert judged(told, shuffled=True) == known
