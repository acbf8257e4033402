"""Stories of weeks: what a zone draws and a wet well takes in on most days, and what comes slowly on top."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.city import City
from schemas.times import DAY, HOUR, MINUTE, parse_time
from streams.groups import Groups, Past, Sign, Table, as_tuples
from streams.profiles import DRY_FOR, LASTS, Learnt, ProfileWatch, profile_watchers

MONDAY = parse_time("2025-06-02T00:00:00+02:00")
DAY_MINUTES = DAY // MINUTE
Row = NDArray[np.float64]


def _asset(name: str, utility: str, kind: str, **properties: float) -> dict[str, Any]:
    return {"id": name, "utility": utility, "kind": kind, "zone": "a", "properties": properties}


def _sensor(name: str, quantity: str, unit: str, **limits: float) -> dict[str, Any]:
    return {"asset": name, "quantity": quantity, "unit": unit, "every": 60, "limits": limits}


CITY = City.model_validate(
    {
        "city": "smallton",
        "timezone": "Europe/Paris",
        "assets": [
            _asset("works", "water", "treatment_works"),
            *(_asset(name, "water", "junction") for name in ("low", "high")),
            _asset("booster", "water", "pump", rated_lps=60),
            *(_asset(name, "water", "pressure_zone") for name in ("zone-low", "zone-high")),
            _asset("catchment", "storm", "catchment"),
            _asset("manhole", "sewage", "manhole"),
            _asset("well", "sewage", "wet_well", area_m2=20),
            _asset("lift", "sewage", "pump", rated_lps=60),
        ],
        "links": [
            {"from": "works", "to": "low", "relation": "supplies"},
            {"from": "low", "to": "booster", "relation": "supplies"},
            {"from": "booster", "to": "high", "relation": "supplies"},
            {"from": "zone-low", "to": "low", "relation": "serves"},
            {"from": "zone-high", "to": "high", "relation": "serves"},
            {"from": "manhole", "to": "well", "relation": "drains_to"},
            {"from": "well", "to": "lift", "relation": "drains_to"},
        ],
        "sensors": [
            _sensor("works", "flow", "L/s"),
            _sensor("booster", "flow", "L/s"),
            _sensor("booster", "voltage", "pu"),
            _sensor("well", "level", "m", high=3.0),
            _sensor("lift", "flow", "L/s"),
            _sensor("catchment", "rain", "mm/h"),
        ],
    }
)  # fmt: skip - a city in rows
WORKING = "8 6 5 5 6 10 20 30 28 22 20 19 20 19 17 16 18 22 26 27 24 20 15 11"
FREE = "11 8 6 5 5 7 10 16 24 30 28 25 24 23 20 18 19 23 27 28 25 21 17 14"


class Weeks(Past):
    """Rows of minutes from Monday on, without a table."""

    def __init__(self, rows: Row) -> None:
        super().__init__(Table((), most=0), ())
        self._kept = rows

    def window(self, until: int, minutes: int) -> Row:
        """So many rows up to and with that minute."""
        end = (until - MONDAY) // MINUTE + 1
        return self._kept[max(end - minutes, 0) : end]


class Town:
    """Weeks of a small town: demand of two zones and the inflow of a wet well, with their noise."""

    def __init__(self, days: int, holidays: Sequence[int] = ()) -> None:
        self.throw, self.days = np.random.default_rng(3), days
        self.low, self.high, self.inflow = (self._demand(holidays, share) for share in (1.6, 1.0, 0.8))
        self.rain = np.zeros(days * DAY_MINUTES)
        self.volts = np.ones(days * DAY_MINUTES)

    def _demand(self, holidays: Sequence[int], share: float) -> Row:
        """Every day is a little better or worse, every hour and every minute too."""
        hours = [
            float(lps) * day * self.throw.normal(1, 0.03)
            for number, day in enumerate(self.throw.normal(1, 0.03, self.days))
            for lps in (FREE if number % 7 >= 5 or number in holidays else WORKING).split()
        ]
        minutes = np.interp(np.arange(self.days * DAY_MINUTES) / 60, np.arange(len(hours)), hours)
        found: Row = share * minutes * self.throw.normal(1, 0.02, len(minutes))
        return found

    def rows(self, watch: ProfileWatch) -> Row:
        """What the sensors tell: the lift pump runs when the well is full, until it is empty."""
        count = self.days * DAY_MINUTES
        level, lift, now, runs = np.empty(count), np.zeros(count), 1.0, False
        for minute, inflow in enumerate(self.inflow):
            runs = now > 2.0 or (runs and now > 1.0)
            lift[minute] = 60.0 if runs else 0.0
            now += (inflow - lift[minute]) * 60 / 20_000
            level[minute] = now
        told = {
            "works/flow": self.low + self.high,
            "booster/flow": self.high,
            "booster/voltage": self.volts * self.throw.normal(1, 0.002, count),
            "well/level": level + self.throw.normal(0, 0.01, count),
            "lift/flow": lift * self.throw.normal(1, 0.01, count),
            "catchment/rain": self.rain,
        }
        return np.stack([told[name] for name in watch.sensors], axis=1)


def judged(town: Town, *, through_json: bool = False) -> dict[tuple[str, str], list[tuple[float, Sign]]]:
    """By asset and condition: signs as they stood last, and the day on which each was told."""
    found: dict[Sign, tuple[float, Sign]] = {}
    for watch in profile_watchers(CITY):
        past, state = Weeks(town.rows(watch)), watch.begin()
        for at in range(MONDAY + HOUR, MONDAY + town.days * DAY, HOUR):
            state, signs = watch.step(state, past, at)
            if through_json:
                state = as_tuples(json.loads(json.dumps(state)))
            for sign in signs:
                key = sign._replace(cleared=None)
                found[key] = found.get(key, ((at - MONDAY) / DAY,))[0], sign
    told: dict[tuple[str, str], list[tuple[float, Sign]]] = {}
    for day, sign in found.values():
        told.setdefault((sign.asset, sign.condition), []).append((day, sign))
    return told


def onset_day(sign: Sign) -> float:
    """When a sign began, in days."""
    return (sign.onset - MONDAY) / DAY


def grown(town: Town, lps: float, day: float, over: float, until: float = 99.0) -> Row:
    """So many L/s that come over so many days, and end."""
    days = np.arange(town.days * DAY_MINUTES) / DAY_MINUTES
    return np.where(days < until, np.interp(days, [day, day + over], [0.0, lps]), 0.0)


def test_weeks_with_a_holiday_tell_nothing() -> None:
    """A Thursday on which people get up late and stay at home is like a Sunday; no calendar tells of it."""
    assert judged(Town(28, holidays=[17])) == {}


def test_leak_that_grows_for_days_is_told() -> None:
    """Three litres a second in a zone of eighteen: no hour shows it, a day does, to the end of the repair."""
    town = Town(14)
    town.high += grown(town, 3.0, day=7, over=2, until=11)
    ((day, sign),) = judged(town)["zone-high", "standing_draw"]
    assert 7.3 < day < 9.5
    assert 7 < onset_day(sign) < day
    assert sign.cleared is not None
    assert 11 < (sign.cleared - MONDAY) / DAY < 12


def test_leak_is_that_of_its_zone() -> None:
    """What passes through the low zone on its way up is no draw of the low zone."""
    town = Town(10)
    town.high += grown(town, 4.0, day=7, over=1)
    assert set(judged(town)) == {("zone-high", "standing_draw")}


def test_discharge_that_stands_is_told() -> None:
    """Two and a half litres a second that run into the sewer day and night."""
    town = Town(10)
    town.inflow += grown(town, 2.5, day=8.1, over=0.05)
    ((day, sign),) = judged(town)["well", "standing_inflow"]
    assert day < 9.1
    assert abs(onset_day(sign) - 8.1) < 0.2


def _hot(town: Town) -> None:
    """Everybody waters the garden for three days."""
    for zone in (town.low, town.high):
        zone[8 * DAY_MINUTES : 11 * DAY_MINUTES] *= 1.3


def _burst(town: Town) -> None:
    """Six hours of a burst main, which others tell of."""
    town.high[int(8.3 * DAY_MINUTES) : int(8.55 * DAY_MINUTES)] += 40


def _rained(town: Town) -> None:
    """Rain that runs in for half a day."""
    since = 8 * DAY_MINUTES
    town.rain[since : since + 60] = 10.0
    town.inflow[since : since + DRY_FOR // MINUTE] += 15


def _sagged(town: Town) -> None:
    """A day of low voltage, in which meters and pumps can't be trusted."""
    since = 8 * DAY_MINUTES
    town.volts[since : since + DAY_MINUTES] = 0.8
    town.high[since : since + DAY_MINUTES] += 5


def _new(town: Town) -> None:
    """A draw that comes before anything is known."""
    town.high += grown(town, 5.0, day=1, over=2)


@pytest.mark.parametrize("what", [_hot, _burst, _rained, _sagged, _new])
def test_what_has_its_reasons_is_no_sign(what: Callable[[Town], None]) -> None:
    """What others share, what passes, what can't be trusted, what was never otherwise."""
    town = Town(12)
    what(town)
    assert judged(town) == {}, what.__doc__


def test_what_stays_is_usual_in_the_end() -> None:
    """A laundry moved in: one sign of a week, and none after."""
    town = Town(18)
    town.high += grown(town, 5.0, day=8, over=0.1)
    ((day, sign),) = judged(town)["zone-high", "standing_draw"]
    assert sign.cleared is not None
    assert sign.cleared - MONDAY == round(day * DAY) + LASTS


def test_state_travels_as_json() -> None:
    """After each hour."""
    town = Town(10)
    town.high += grown(town, 4.0, day=7, over=1)
    assert judged(town, through_json=True) == judged(town)


def test_what_was_learnt_outlasts_silence() -> None:
    """Three days without a word from anybody don't take away what was known before."""
    watch = next(iter(profile_watchers(CITY)))
    rows, group = Town(4).rows(watch), Groups([watch], 30 * MINUTE)
    for minute in [*range(300), *range(3 * DAY_MINUTES + 300, 3 * DAY_MINUTES + 600)]:
        at = MONDAY + minute * MINUTE
        assert list(group.pass_to(at)) == []
        for name, value in zip(watch.sensors, rows[minute], strict=True):
            group.hear(name, at, float(value))
    (*_, (_, state, _)) = group.snapshot()["groups"][0]["states"]
    assert {slot.seen for slot in state.known[0].slots} == {0, 1}
    assert [slot.seen for slot in state.known[0].slots[1:9]] == [1, 1, 1, 0, 0, 1, 1, 1]


def test_forgets_by_and_by() -> None:
    """Mean and variance are those of all values at first, and of the last ones in the end."""
    values = np.random.default_rng(1).normal(10, 2, 1000)
    learnt = Learnt(0, 0.0, 0.0)
    for value in values[:10]:
        learnt = learnt.after(float(value), 10)
    assert learnt.mean == pytest.approx(values[:10].mean(), abs=0.01)
    assert learnt.variance == pytest.approx(values[:10].var(), abs=0.01)
    for value in values[10:]:
        learnt = learnt.after(float(value) + 5, 10)
    assert learnt.mean == pytest.approx(15, abs=2)
    assert learnt.variance**0.5 == pytest.approx(2, abs=1)


def test_city_without_meters_has_no_watcher() -> None:
    """Nor one whose wet wells have no size, or that has no rain gauge."""
    told = CITY.model_dump(mode="json", by_alias=True)
    told["sensors"] = [one for one in told["sensors"] if one["quantity"] == "voltage"]
    bare = City.model_validate(told)
    assert list(profile_watchers(bare)) == []
