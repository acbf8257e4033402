"""A large city on the boards: how long each question of the boards City and Asset takes.

Ten thousand sensors that report once a minute for 30 days, as InfluxDB keeps them: the last six hours raw,
all days as means of five minutes (of their five fields the one that boards read), and 30 days of alarms (300
a day, one in 50 of which never clears) and incidents (20 a day, in ten revisions, each with ten alarms, five
consequences expected and five foretold). The newest six hours are asked for, and on the asset's board a month
as well, by a client that reads each answer to its end. Questions are asked one after the other, as from one
screen. ``--quick``: one day in the place of 30, with an hour raw.

``second_vs_p95_city`` and ``second_vs_p95_asset``: how often the 95th percentile fits into one second. Where
the machine does other things too, read ``..._cpu_ms``: InfluxDB's processor time a question, of the dearest
question and of all in the mean.
"""

import math
import random
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import fmean, quantiles

from common import flags, machine, report
from servers import cpu_seconds
from tsm import Grid, fill

from grafana import files
from runner.influx.lines import Lines, by_bucket, head
from runner.influx.setup import Setup
from runner.influx.writer import Writer
from schemas.alarms import Alarm, AlarmChange, Severity
from schemas.city import City
from schemas.incidents import Expected, Foretold, IncidentRevision, Member, Root
from schemas.points import BUCKETS, FIVE_MINUTES, RAW, READING
from schemas.times import DAY, HOUR, MINUTE
from tests.grafana.room import Room
from tests.servers import Influxd, free_ports

SENSORS, ZONES, DAYS = 10_000, 50, 30
ALARMS, INCIDENTS, REVISIONS, MEMBERS, FORESEEN = 300, 20, 10, 10, 5
STALE = 50
"""One alarm in so many never clears."""
BATCH = 10_000
QUIET, QUIET_SECONDS = 0.05, 3.0
"""Share of a processor, over so long, below which InfluxDB is at rest."""
KINDS = 97
"""Values that sensors have at one time."""
FIVE = 5 * MINUTE
START, STOP = "17:30", "23:30"


def large() -> City:
    """A city of pumps with a flow and a power each."""
    pumps = range(SENSORS // 2)
    limits = {"low": 1.0, "high": 9.0}
    return City.model_validate(
        {
            "city": "metropolis",
            "timezone": "Europe/Paris",
            "assets": [
                {
                    "id": f"pump-{n}",
                    "utility": "water",
                    "kind": "pump",
                    "zone": f"zone-{n % ZONES:02}",
                    "position": (48.0 + n % 70 / 100, 2.0 + n % 71 / 100),
                }
                for n in pumps
            ],
            "sensors": [
                {"asset": f"pump-{n}", "quantity": quantity, "unit": unit, "every": 60.0, "limits": limits}
                for n in pumps
                for quantity, unit in (("flow", "L/s"), ("power", "kW"))
            ],
        }
    )


def series(city: City) -> list[tuple[str, int]]:
    """What the points of each sensor begin with, and which values it has."""
    where = {asset.id: {"utility": "water", "zone": asset.zone, "asset": asset.id} for asset in city.assets}
    of_city = {"run": "live", "city": city.city}
    return [
        (
            head(READING, of_city | where[sensor.asset] | {"quantity": sensor.quantity}) + " value=",
            number % KINDS,
        )
        for number, sensor in enumerate(city.sensors)
    ]


def value(kind: int, at: int) -> float:
    """What sensors of a kind say at a time: noise above a level."""
    return round(5 + kind / 50 + random.Random(at).random(), 3)


def facts(city: City, start: int, end: int) -> Iterator[str]:
    """Alarms and incidents, evenly over the days."""
    dice, lines = random.Random(8), Lines(city)
    for number, at in enumerate(range(start, end, DAY // ALARMS)):
        pump = f"pump-{dice.randrange(SENSORS // 2)}"
        alarm = Alarm(
            id=f"{at}",
            asset=pump,
            utility="water",
            condition="flow_high",
            severity=dice.choice(list(Severity)),
            raised=at,
            cleared=at + HOUR if number % STALE else None,
            sensor=f"{pump}/flow",
        )
        yield from lines.of(AlarmChange(alarm=alarm, change="raised", known_at=at + MINUTE))
    for at in range(start, end, DAY // INCIDENTS):
        pumps = [f"pump-{dice.randrange(SENSORS // 2)}" for _ in range(MEMBERS + FORESEEN)]
        for revision in range(1, REVISIONS + 1):
            yield from lines.of(_incident(at, revision, pumps[:MEMBERS], pumps[MEMBERS:]))


def _incident(at: int, revision: int, held: list[str], threatened: list[str]) -> IncidentRevision:
    members = [Member(asset=pump, condition="flow_high", since=at) for pump in held]
    foretold = [
        Foretold(
            asset=pump, condition="flow_low", start=at, end=at + 2 * HOUR, probability=0.5, told=at + MINUTE
        )
        for pump in threatened
    ]
    first = members[0]
    return IncidentRevision(
        id=f"incident-{at}",
        opened=at,
        closed=at + HOUR if revision == REVISIONS else None,
        severity=Severity.CRITICAL,
        utilities=["water"],
        root=Root(asset=first.asset, condition=first.condition, since=at, probability=0.9),
        alternatives=[],
        members=members,
        expected=[Expected(**one.model_dump(include=set(Expected.model_fields))) for one in foretold],
        foretold=foretold,
        summary=f"{first.asset} takes too much.",
        chain=[],
        revision=revision,
        known_at=at + revision * MINUTE,
        change="more",
    )


def filled(room: Room, server: Influxd, days: int, raw_hours: int) -> int:
    """Put all of it there; how many points."""
    setup = Setup(room.settings)
    setup.buckets({bucket.name: bucket.days for bucket in BUCKETS})
    setup.token("reader", "read", tuple(bucket.name for bucket in BUCKETS), room.reader)
    setup.close()
    with room.settings.client() as client:
        ids = {bucket.name: bucket.id for bucket in client.buckets_api().find_buckets_iter()}
    end = room.at(STOP)
    start = end - days * DAY
    grids = [
        Grid(FIVE_MINUTES.name, start, end, FIVE, 7),
        Grid(RAW.name, end - raw_hours * HOUR, end, MINUTE, 1),
    ]
    writer = Writer(room.settings)
    points = fill(server, writer, ids, grids, series(room.city), cache(value))
    for bucket, lines in by_bucket(facts(room.city, start, end)).items():
        for number in range(0, len(lines), BATCH):
            assert writer.write(bucket, lines[number : number + BATCH]) == []
        points += len(lines)
    writer.close()
    _settled(server)
    return points


def _settled(server: Influxd) -> None:
    """Wait until InfluxDB has tidied up what it got at once: nobody fills a month in minutes."""
    used = math.inf
    while used > QUIET:
        before = cpu_seconds(server.process)
        time.sleep(QUIET_SECONDS)
        used = (cpu_seconds(server.process) - before) / QUIET_SECONDS


def asked(
    room: Room, server: Influxd, board: str, rounds: int, days: int
) -> tuple[list[float], dict[str, float]]:
    """Seconds of each question of a board, so many times with another asset each; and what InfluxDB's
    processor took for each, in the mean, by the panel's title and the number of its query.
    """
    made = files.boards(room.city)[board]
    queries = {
        f"{panel['title']} {number}": target["query"]
        for panel in made["panels"]
        for number, target in enumerate(panel.get("targets", ()), 1)
    }
    taken, cpu = [], dict.fromkeys(queries, 0.0)
    for number in range(rounds):
        room.variables |= {"asset": f"pump-{number * 37 % (SENSORS // 2)}", "quantity": "flow"}
        month = board == "asset" and number % 2
        for name, query in queries.items():
            text = room.filled(query, START, STOP, days_back=min(days, DAYS) - 1 if month else 0)
            began, used = time.perf_counter(), cpu_seconds(server.process)
            room.answer(text)
            taken.append(time.perf_counter() - began)
            cpu[name] += (cpu_seconds(server.process) - used) / rounds
    return taken, cpu


def main() -> None:
    """Measure and tell."""
    args, before = flags("How long each question of the boards takes in a large city."), machine()
    days, raw_hours, rounds = (1, 1, 5) if args.quick else (DAYS, 6, 20)
    with tempfile.TemporaryDirectory() as name, Influxd(Path(name), free_ports(1)[0]) as server:
        room = Room(server.address, Path(name), large())
        room.variables = {"run": "live", "zone": ".*", "utility": ".*", "incident": "none"}
        began = time.perf_counter()
        points = filled(room, server, days, raw_hours)
        fill = time.perf_counter() - began
        times, cpus = {}, {}
        for board in ("city", "asset"):
            times[board], cpus[board] = asked(room, server, board, rounds, days)
    p95 = {board: quantiles(taken, n=20)[-1] for board, taken in times.items()}
    figures = {
        "sensors": SENSORS,
        "days": days,
        "points": points,
        "fill_seconds": round(fill),
        **{f"{board}_p95_seconds": round(value, 3) for board, value in p95.items()},
        **{f"{board}_worst_seconds": round(max(taken), 3) for board, taken in times.items()},
        **{f"{board}_mean_cpu_ms": round(fmean(cpu.values()) * 1e3, 1) for board, cpu in cpus.items()},
        **{f"{board}_dearest_cpu_ms": round(max(cpu.values()) * 1e3, 1) for board, cpu in cpus.items()},
    }
    ratios = {f"second_vs_p95_{board}": round(1 / value, 2) for board, value in p95.items()}
    report("boards", before, figures, ratios, args.json)


if __name__ == "__main__":
    main()
