"""What one step of correlation costs in a city of 100,000 assets while 500 alarms are active.

The city is Riverton many times over, each copy a district of its own. In some districts Riverton's storm
breaks loose, one after the other, a few minutes apart: alarms gather, and each new one is taken and looked
at. Measured is every step from 400 active alarms on. Beside us runs the same correlation without memory of
its parts, which thinks everything anew at each step (fewer steps: it is slow). ``ours_vs_everything_anew`` is
its 99th percentile over ours. The aim: 50 ms at most, whatever the size of the city; so the same is measured
in a city a tenth as large. And once more with borders: each district a domain of its own, its ring road
joined to the next district's.
"""

import gc
import resource
import time
from collections.abc import Iterator
from itertools import islice, pairwise
from statistics import quantiles

from common import ROOT, flags, machine, report

from collectors.intake import Intake
from collectors.recording import read
from runner.core import calm_collector
from schemas.alarms import AlarmChange
from schemas.city import City, Link, Relation
from schemas.cityfile import load_city
from schemas.times import MINUTE
from schemas.vocabulary import load_vocabulary
from streams.causes import load_causes
from streams.correlation import Correlation
from streams.detect import Detector
from streams.explain import Explainer

RIVERTON = ROOT / "cities" / "riverton"
LARGE, SMALL = 100_000, 10_000
"""Assets."""
ACTIVE = 500
BUSY = 400
"""Alarms from which on steps are measured."""
APART = 4 * MINUTE
"""Between the storms of two districts."""


def main() -> None:
    """Measure and print."""
    args = flags(__doc__.splitlines()[0])
    before = machine()
    town = load_city(RIVERTON / "city.yaml")
    storm = list(alarms(town))
    large = city_of(town, LARGE)
    ours = steps(large, storm, 150 if args.quick else 400)
    small = steps(city_of(town, SMALL), storm, 150 if args.quick else 400)
    parted = steps(with_borders(large), storm, 150 if args.quick else 400)
    parted_small = steps(with_borders(city_of(town, SMALL)), storm, 150 if args.quick else 400)
    anew = steps(large, storm, 20 if args.quick else 60, forgetful=True)
    figures = {
        "assets": float(len(large.assets)),
        "step_p50_ms": centile(ours, 50),
        "step_p99_ms": centile(ours, 99),
        "step_worst_ms": max(ours),
        "step_p99_ms_in_a_tenth_of_the_city": centile(small, 99),
        "step_p50_ms_with_borders": centile(parted, 50),
        "step_p99_ms_with_borders": centile(parted, 99),
        "step_p99_ms_with_a_tenth_of_the_borders": centile(parted_small, 99),
        "step_p99_ms_everything_anew": centile(anew, 99),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 / 1024),
    }
    ratios = {
        "ours_vs_everything_anew": centile(anew, 99) / centile(ours, 99),
        "large_vs_small_city": centile(small, 99) / centile(ours, 99),
        "many_vs_few_domains": centile(parted_small, 99) / centile(parted, 99),
    }
    report("growth", before, figures, ratios, args.json)


def alarms(town: City) -> Iterator[AlarmChange]:
    """What detection says on Riverton's storm day."""
    detector, intake = Detector(town, load_vocabulary()), Intake(town)
    messages = read(RIVERTON / "storm-day.jsonl.gz", lambda *_: None)
    while batch := list(islice(messages, 1_000)):
        for record in intake.step(batch).records:
            yield from (found for found in detector.step(record) if isinstance(found, AlarmChange))


def city_of(town: City, assets: int) -> City:
    """Riverton as often as it takes, each time under other names."""
    copies = range(-(-assets // len(town.assets)))
    return City(
        city="metropolis",
        timezone=town.timezone,
        assets=tuple(a.model_copy(update={"id": name(n, a.id)}) for n in copies for a in town.assets),
        links=tuple(
            k.model_copy(update={"source": name(n, k.source), "target": name(n, k.target)})
            for n in copies
            for k in town.links
        ),
        sensors=tuple(s.model_copy(update={"asset": name(n, s.asset)}) for n in copies for s in town.sensors),
    )


def with_borders(city: City) -> City:
    """The city with its districts side by side, a border between each two."""
    rings = [asset.id for asset in city.assets if asset.id.endswith("road-ring")]
    borders = (
        Link.model_validate({"from": one, "to": other, "relation": Relation.NEAR, "border": True})
        for one, other in pairwise(rings)
    )
    return City(
        city=city.city,
        timezone=city.timezone,
        assets=city.assets,
        links=(*city.links, *borders),
        sensors=city.sensors,
    )


def name(copy: int, asset: str) -> str:
    """The asset in one of the copies."""
    return f"d{copy:03d}-{asset}"


def storms(storm: list[AlarmChange]) -> Iterator[AlarmChange]:
    """The storm in one district after the other, in the order of time; nothing clears: they gather."""
    changes = [
        (change.known_at + copy * APART, copy, number, change)
        for copy in range(40)
        for number, change in enumerate(storm)
        if change.change == "raised" and change.alarm.condition not in {"rain", "rain_high", "rain_high_high"}
    ]
    for known_at, copy, number, change in sorted(changes, key=lambda one: one[:3]):
        alarm = change.alarm
        moved = alarm.model_copy(
            update={
                "id": f"{copy}-{number}",
                "asset": name(copy, alarm.asset),
                "raised": alarm.raised + copy * APART,
                "cleared": None,
                "places": tuple((name(copy, place), share) for place, share in alarm.places),
            }
        )
        yield change.model_copy(update={"alarm": moved, "known_at": known_at})


def steps(city: City, storm: list[AlarmChange], count: int, *, forgetful: bool = False) -> list[float]:
    """Milliseconds of each step from BUSY active alarms on, up to so many steps or ACTIVE alarms and more."""
    correlation = Correlation(city, load_causes(), load_vocabulary())
    gc.unfreeze()  # the city before this one goes
    gc.collect()
    calm_collector()
    took: list[float] = []
    for active, change in enumerate(storms(storm), 1):
        correlation.take(change)
        if active < BUSY - 10 and active % 10:
            continue  # on the way there only now and then
        if forgetful:
            (correlator,) = correlation._domains._correlators.values()  # noqa: SLF001 - the peer is us without memory
            correlator._explainer = Explainer(correlator._network)  # noqa: SLF001 - the same
        begun = time.perf_counter()
        correlation.look(change.known_at)
        if active >= BUSY:
            took.append(1_000 * (time.perf_counter() - begun))
        if len(took) == count or active == ACTIVE + count:
            break
    return took


def centile(values: list[float], percent: int) -> float:
    """The percentile, inclusive."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


if __name__ == "__main__":
    main()
