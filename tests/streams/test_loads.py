"""Stories of a transformer's load: what is an overload in the making, and what only looks like one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.city import City
from schemas.times import MINUTE
from streams.groups import Groups, Sign
from streams.loads import load_watchers

T0 = 1_750_000_020_000 - 1_750_000_020_000 % MINUTE
FEEDERS = ["feeder-1", "feeder-2", "feeder-3"]
CITY = City.model_validate(
    {
        "city": "smallton",
        "timezone": "UTC",
        "assets": [
            {"id": "intake", "utility": "power", "kind": "grid_intake", "zone": "a"},
            {"id": "east", "utility": "power", "kind": "transformer", "zone": "a"},
            {"id": "west", "utility": "power", "kind": "transformer", "zone": "b"},
            *({"id": name, "utility": "power", "kind": "feeder", "zone": "a"} for name in FEEDERS),
        ],
        "links": [
            {"from": "intake", "to": "east", "relation": "powers"},
            {"from": "intake", "to": "west", "relation": "powers"},
            *({"from": "east", "to": name, "relation": "powers"} for name in FEEDERS),
        ],
        "sensors": [
            {"asset": "intake", "quantity": "voltage", "unit": "pu", "every": 60},
            {"asset": "east", "quantity": "loading", "unit": "1", "every": 60, "limits": {"high": 0.9}},
            {"asset": "west", "quantity": "loading", "unit": "1", "every": 60, "limits": {"high": 0.9}},
            *({"asset": name, "quantity": "current", "unit": "A", "every": 60} for name in FEEDERS),
        ],
    }
)  # fmt: skip - a city in rows
Day = dict[str, NDArray[np.float64]]
MINUTES = 480


def night() -> Day:
    """Load falls slowly by a fifth, with its noise."""
    throw = np.random.default_rng(5)
    fall = np.linspace(1.0, 0.8, MINUTES)
    told = {f"{name}/loading": 0.4 * fall * throw.normal(1, 0.01, MINUTES) for name in ("east", "west")}
    told |= {f"{name}/current": 40 * fall * throw.normal(1, 0.02, MINUTES) for name in FEEDERS}
    return told | {"intake/voltage": throw.normal(1, 0.002, MINUTES)}


def grown(told: Day, factor: float, since: int, until: int = MINUTES, *, names: list[str]) -> None:
    """Loads that grow to so many times within half an hour, and go back at once."""
    ramp = np.interp(np.arange(MINUTES), [since, since + 30], [1.0, factor])
    ramp[until:] = 1.0
    for name in names:
        told[name] = told[name] * ramp


EAST = ["east/loading", *(f"{name}/current" for name in FEEDERS)]


def judged(told: Day) -> list[Sign]:
    """All signs that were told in the night, as they stood in the end."""
    found: dict[tuple[str, str, int], Sign] = {}
    for watcher in load_watchers(CITY):
        group = Groups([watcher], 30 * MINUTE)
        for minute in range(MINUTES):
            at = T0 + minute * MINUTE
            for sensor in watcher.sensors:
                group.hear(sensor, at, float(told[sensor][minute]))
            for change in group.pass_to(at):
                found[change.sign.asset, change.sign.condition, change.sign.onset] = change.sign
    return sorted(found.values())


def test_load_that_doubles_at_night_is_told_within_a_quarter_of_an_hour() -> None:
    """It stays far below the limit of 0.9, and ends when it goes back."""
    told = night()
    grown(told, 2.0, since=200, until=380, names=EAST)
    (sign,) = judged(told)
    assert (sign.asset, sign.condition) == ("east", "loading_rise")
    assert 200 <= (sign.onset - T0) // MINUTE <= 215
    assert sign.cleared is not None
    assert 380 <= (sign.cleared - T0) // MINUTE <= 392


@pytest.mark.parametrize(
    ("why", "names", "factor"),
    [
        ("the city wakes: other transformers share it", [*EAST, "west/loading"], 1.6),
        ("one feeder took over another's load", ["east/loading", "feeder-1/current"], 1.6),
        ("a morning", EAST, 1.18),
    ],
)
def test_load_that_has_its_reasons_is_no_sign(why: str, names: list[str], factor: float) -> None:
    """Growth that others share, that one feeder brings alone, or that every morning brings."""
    told = night()
    grown(told, factor, since=200, names=names)
    assert judged(told) == [], why


def test_load_that_comes_back_after_a_sag_is_no_sign() -> None:
    """Motors let go at low voltage and return with it."""
    told = night()
    told["intake/voltage"][200:260] = 0.7
    for name in EAST:
        told[name][200:260] *= 0.5
    assert judged(told) == []
