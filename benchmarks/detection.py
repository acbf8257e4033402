"""What detection costs for each reading as a city grows: Riverton many times over, 1,000 to 100,000 sensors.

Each city is one detector, in one process and one piece; all of its towns live through the same hours of the
storm day, minute by minute. Counted is the processor's time of detection alone, once every watcher that looks
back less than an hour has begun. ``large_vs_small_city`` is the cost for each reading in the smallest city
over that in the largest: 1 means that it doesn't depend on the size. ``ours_vs_one_piece`` is what cutting a
city into districts is worth at 3,000 sensors: the cost of the same city whose watchers see all of it, over
ours.
"""

import gc
import resource
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from common import ROOT, flags, machine, report
from growth import city_of, name

from collectors.intake import Intake
from collectors.recording import read
from runner.core import calm_collector
from schemas.city import City
from schemas.cityfile import load_city
from schemas.memory import building
from schemas.readings import Frame
from schemas.times import MINUTE
from schemas.vocabulary import load_vocabulary
from streams import districts
from streams.detect import Detector

RIVERTON = ROOT / "cities" / "riverton"
SENSORS = (1_000, 10_000, 100_000)
SENSORS_QUICK = (1_000, 10_000)
IN_ONE_PIECE = 3_000
FROM_HOUR = 12
WARM, COUNTED = 60, 30
"""Minutes of readings before the count, and in it."""


def main() -> None:
    """Measure and print."""
    args = flags(__doc__.splitlines()[0])
    before = machine()
    town = load_city(RIVERTON / "city.yaml")
    minutes = list(by_minute(town))
    figures: dict[str, float] = {}
    for sensors in SENSORS_QUICK if args.quick else SENSORS:
        figures[f"cpu_us_a_reading_{sensors}"] = cost(town, minutes, sensors)
        figures[f"peak_mb_{sensors}"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 / 1024)
    smallest, *_, largest = (value for key, value in figures.items() if key.startswith("cpu"))
    cut = cost(town, minutes, IN_ONE_PIECE)
    districts.ASSETS = 10**9
    whole = cost(town, minutes, IN_ONE_PIECE)
    ratios = {"large_vs_small_city": smallest / largest, "ours_vs_one_piece": whole / cut}
    report("detection", before, figures, ratios, args.json)


def by_minute(town: City) -> Iterator[list[Frame]]:
    """What the town tells from FROM_HOUR on, minute by minute."""
    intake, found = Intake(town), defaultdict[int, list[Frame]](list)
    messages = read(RIVERTON / "storm-day.jsonl.gz", lambda *_: None)
    first = None
    for message in messages:
        first = first or message.received // MINUTE
        minute = message.received // MINUTE - first - FROM_HOUR * 60
        if 0 <= minute < WARM + COUNTED:
            found[minute] += (r for r in intake.step([message]).records if isinstance(r, Frame))
    for _, frames in sorted(found.items()):
        yield frames


def cost(town: City, minutes: list[list[Frame]], sensors: int) -> float:
    """Microseconds of processor for each reading in a city of so many sensors."""
    gc.unfreeze()  # the city before this one goes
    gc.collect()
    with building():
        copies = -(-sensors // len(town.sensors))
        city = city_of(town, copies * len(town.assets))
        detector = Detector(city, load_vocabulary())
    calm_collector()
    names = {sensor: [name(n, sensor) for n in range(copies)] for sensor in town.sensor_by_id}
    spent, readings = 0.0, 0
    for minute, frames in enumerate(minutes):
        everywhere = [moved(frame, names, n) for n in range(copies) for frame in together(frames)]
        begun = time.process_time()
        for frame in everywhere:
            for _ in detector.step(frame):
                pass
        if minute >= WARM:
            spent += time.process_time() - begun
            readings += sum(map(len, everywhere))
    return 1e6 * spent / readings


def together(frames: list[Frame]) -> list[Frame]:
    """The frames of a minute as one."""
    rows = [row for frame in frames for row in frame.rows()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    return [frame_of(frames[-1].received, columns)] if rows else []


def moved(frame: Frame, names: dict[str, list[str]], copy: int) -> Frame:
    """What one of the towns tells."""
    sensors = [names[sensor][copy] for sensor in frame.sensors]
    return frame_of(frame.received, [sensors, frame.at, frame.values, frame.qualities])


def frame_of(received: int, columns: Sequence[list[Any]]) -> Frame:
    """A frame of columns that come from frames."""
    sensors, at, values, qualities = columns
    return Frame.model_construct(
        received=received, sensors=sensors, at=at, values=values, qualities=qualities
    )


if __name__ == "__main__":
    main()
