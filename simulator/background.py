"""Everyday life: small maintenance that is announced, and switching that is not.

Out: planned works and load transfers of every day of a scenario, drawn from the seed and the scenario's name,
so that a twin has the same. They make a plain limit checker raise alarms that are nobody's incident.
"""

from schemas.city import City
from schemas.times import DAY, MINUTE
from simulator.dice import dice
from simulator.scenario import Injection, Scenario, Work

WORKS_A_DAY = 0.5
SWITCHINGS_A_DAY = 0.4
_WORKED_ON = {"pump": (20, 45), "junction": (20, 60), "road": (45, 120)}
"""Kinds of assets that are worked on in passing, and for how many minutes."""


def ordinary(city: City, scenario: Scenario, seed: int) -> list[Injection | Work]:
    """The works and switchings of the days of a scenario."""
    throw = dice(seed, "ordinary", scenario.scenario)
    found: list[Injection | Work] = []
    workable = [asset.id for asset in city.assets if asset.kind in _WORKED_ON]
    feeders = [asset.id for asset in city.assets if asset.kind == "feeder"]
    kinds = {asset.id: asset.kind for asset in city.assets}
    for day in range(-(-scenario.minutes * MINUTE // DAY)):
        if workable and throw.random() < WORKS_A_DAY:
            asset = workable[int(throw.integers(len(workable)))]
            least, most = _WORKED_ON[kinds[asset]]
            at = f"{day}d {throw.integers(8, 15):02d}:{throw.integers(60):02d}"
            found.append(Work(asset=asset, at=at, lasts=f"{throw.integers(least, most)}m"))
        if len(feeders) > 1 and throw.random() < SWITCHINGS_A_DAY:
            more, less = (feeders[int(index)] for index in throw.choice(len(feeders), 2, replace=False))
            at = f"{day}d {throw.integers(24):02d}:{throw.integers(60):02d}"
            share = round(float(throw.uniform(0.05, 0.25)), 3)
            lasts = f"{throw.integers(60, 240)}m"
            for feeder, factor in ((more, 1 + share), (less, 1 - share)):
                found.append(
                    Injection(kind="switching", asset=feeder, at=at, lasts=lasts, size={"factor": factor})
                )
    return found
