"""Limits of a city's sensors, set as an engineer would: from a quiet fortnight, and from what rules say.

In:  a town whose city model may still be without limits; a seed.
Out: the sensors with limits, on-delays and deadbands; a ``city.yaml`` that holds them.

Where a standard or a physical fact sets the limit it stands in ``FIXED``; else the 0.5 and 99.5 percentile of
the fortnight's readings with a margin of 15 % of the range between them, so that an ordinary week does
overstep now and then.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from schemas.city import Asset, City, Limits, Link, Sensor
from schemas.times import parse_time
from simulator.physics import Town, load_town
from simulator.run import Run
from simulator.scenario import Scenario
from simulator.sensors import NOISE, Sensors

DAYS = 14
START = "2025-05-05T00:00:00Z"
"""A Monday in an ordinary season."""
MARGIN = 0.15
FIXED: dict[tuple[str, str], dict[str, float]] = {
    ("voltage", ""): {"low_low": 0.5, "low": 0.92, "high": 1.08},  # EN 50160: 10 %, told a little earlier
    ("loading", ""): {"high": 0.9, "high_high": 1.0},  # the rating itself
    ("current", ""): {"low_low": 2.0},
    ("pressure", ""): {"low_low": 10.0},  # m: the usual least service pressure
    ("rain", ""): {"high": 15.0, "high_high": 40.0},  # mm/h: the weather services' heavy rain warnings
    ("ponding", ""): {"high": 0.05, "high_high": 0.2},
    ("fill", ""): {"high": 0.95},
    ("served", ""): {"low": 0.5},
    ("flow", "overflow"): {"high": 2.0},
}
"""Limits by quantity and kind of asset; an empty kind is any."""
LEARNED: dict[tuple[str, str], tuple[str, ...]] = {
    ("loading", ""): ("low",),
    ("current", ""): ("low", "high"),
    ("pressure", ""): ("low", "high"),
    ("level", "tank"): ("low_low", "low", "high"),
    ("level", "wet_well"): ("high", "high_high"),
    ("depth", ""): ("high",),
    ("flow", "pump"): ("high",),
    ("flow", "treatment_works"): ("low", "high"),
    ("speed", ""): ("low",),
    ("volume", ""): ("high",),
}  # fmt: skip - a table
VERY_LOW, VERY_HIGH = 0.3, 1.75
"""Where the second limit of a level lies, as parts of the first; assumed."""
IDLE = 5.0
"""A pump that gave less than this all fortnight, in L/s, was idle: nothing to learn from."""
LEAST = {"depth": 0.2, "ponding": 0.05}
"""No learned high limit lies below these: a dry sewer would give one of nearly nothing."""


def commission(town: Town, seed: int, days: int = DAYS) -> tuple[Sensor, ...]:
    """The sensors of the city with the limits that a quiet fortnight gives. Raises EngineFailed."""
    scenario = Scenario(
        scenario="commissioning", city=town.name, start=parse_time(START), hours=24 * days, background=True
    )
    run = Run(town, scenario, seed)
    seen: dict[str, list[float]] = defaultdict(list)
    sensors: Sensors | None = None
    for minute, row in enumerate(run.rows()):
        sensors = sensors or Sensors(town.city, run.signals, scenario, seed)
        for sent in sensors.messages(minute, row):
            asset = sent.topic.split("/")[5]
            for quantity, value in sent.payload["values"].items():
                seen[f"{asset}/{quantity}"].append(value)
    kinds = {asset.id: asset.kind for asset in town.city.assets}
    return tuple(
        limited(sensor, kinds[sensor.asset], seen.get(sensor.id, [])) for sensor in town.city.sensors
    )


def commission_folder(folder: Path, seed: int, days: int = DAYS) -> tuple[Sensor, ...]:
    """Commission the city in a folder and write its ``city.yaml`` anew; the comment at its head stays."""
    town = load_town(folder)
    sensors = commission(town, seed, days)
    path = folder / "city.yaml"
    head = [
        line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")
    ]
    write_city(path, town.city, sensors, "\n".join(head))
    return sensors


def limited(sensor: Sensor, kind: str, values: Sequence[float]) -> Sensor:
    """One sensor with its limits, after the readings of a quiet time."""
    quantity = sensor.quantity
    limits = dict(FIXED.get((quantity, kind)) or FIXED.get((quantity, "")) or {})
    learned = LEARNED.get((quantity, kind)) or LEARNED.get((quantity, "")) or ()
    if values and learned:
        low, high = (float(value) for value in np.percentile(values, (0.5, 99.5)))
        margin = MARGIN * (high - low)
        if "low" in learned and low - margin > limits.get("low_low", 0.0):
            limits["low"] = _rounded(low - margin)
        if "low_low" in learned:
            limits["low_low"] = _rounded(max(VERY_LOW * (low - margin), 0.1))
        if "high" in learned and not (quantity == "flow" and high < IDLE):
            limits["high"] = _rounded(max(high + margin, LEAST.get(quantity, 0.0)))
        if "high_high" in learned:
            limits["high_high"] = _rounded(VERY_HIGH * (high + margin))
    sigma = NOISE.get(quantity, (0.0, 3))[0]
    return sensor.model_copy(
        update={
            "limits": Limits(**limits),
            "on_delay": 2 * sensor.every if sensor.every < 900 else 120,
            "deadband": round(3 * sigma, 4),
        }
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def write_city(path: Path, city: City, sensors: Iterable[Sensor], comment: str) -> None:
    """A city model as people like to read it: one asset, link or sensor a line."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [f"city: {city.city}", f"timezone: {city.timezone}", "assets:"]
    lines += [f"  - {_flow(_asset(asset))}" for asset in city.assets]
    lines += ["links:", *(f"  - {_flow(_link(link))}" for link in city.links)]
    lines += ["sensors:", *(f"  - {_flow(_sensor(sensor))}" for sensor in sensors)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _asset(asset: Asset) -> dict[str, object]:
    found: dict[str, object] = {
        "id": asset.id,
        "utility": asset.utility.value,
        "kind": asset.kind,
        "zone": asset.zone,
    }
    if asset.position:
        found["position"] = list(asset.position)
    if asset.name:
        found["name"] = asset.name
    if asset.properties:
        found["properties"] = dict(asset.properties)
    return found


def _link(link: Link) -> dict[str, object]:
    found: dict[str, object] = {"from": link.source, "to": link.target, "relation": link.relation.value}
    if link.properties:
        found["properties"] = dict(link.properties)
    return found


def _sensor(sensor: Sensor) -> dict[str, object]:
    found: dict[str, object] = {
        "asset": sensor.asset,
        "quantity": sensor.quantity,
        "unit": sensor.unit,
        "every": _short(sensor.every),
    }  # fmt: skip - one row
    if limits := sensor.limits.model_dump(exclude_none=True):
        found["limits"] = limits
    found["on_delay"] = _short(sensor.on_delay)
    found["deadband"] = _short(sensor.deadband)
    return found


def _short(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _flow(value: object) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(_short(value))
    text = str(value)
    plain = text.replace("-", "a").replace("_", "a").replace(".", "a").replace("/", "a").isalnum()
    return text if plain and not text.replace(".", "").isdigit() else json_text(text)


def json_text(text: str) -> str:
    """Text in quotes, as JSON and YAML both read it."""
    import json

    return json.dumps(text, ensure_ascii=False)
