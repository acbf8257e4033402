"""How often people are paged: ours, beside a page for each alarm and beside Alertmanager's way of grouping.

Riverton's recorded days of trouble (a storm, the same on a bad network, a feeder, a storm beside a missed
route; or the days in a folder given as CROSSCURRENT_DAYS) are replayed under the city's own alerts.yaml, in
which nobody acknowledges anything. From the very same alarms the two others are reckoned:

- per alarm: a page for each alarm that is a warning or worse when it is raised;
- grouped: Alertmanager's ``group_by: [zone]``, ``group_wait: 30s``, ``group_interval: 15m``: a page when a
  group begins and at each later flush that finds a new alarm in it, until all of it is resolved.

Each day is then lived, twice: moved to a day that is still to come, played over real MQTT into ``up`` in one
process, and into ``up --kafka`` (a real mosquitto, a real Kafka, Faust), which send to real webhooks; and
compared, message by message, with its own replay. ``live_missed`` (due by the replay, and did not come) and
``live_more`` (came twice, or was not due) should be 0, as should those of ``kafka``. Of what came by
Kafka the ends of each thread and the busiest ten minutes are counted at the webhooks. Quick: the storm alone
by Kafka.

True causes are those of the labels. A page is what wakes somebody anew: ``opened`` and ``escalated``; updates
join the thread that is there. ``pages_per_cause_and_desk`` counts first pages only.
"""

import json
import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from common import ROOT, flags, machine, report

from collectors.recording import read
from runner.labels import load_labels
from runner.replay import replay
from schemas.city import City
from schemas.cityfile import load_city
from schemas.notifications import Notification
from schemas.times import MINUTE, SECOND, parse_time
from tests.receivers import Hook
from tests.runner.kafkahelp import OnKafka
from tests.runner.liveday import Arrival, ahead, came, due, hooked, lived, lived_on_kafka
from tests.servers import Kafka, Mosquitto, free_ports

RIVERTON = ROOT / "cities" / "riverton"
DAYS = ("storm-day", "feeder-day", "demo-day", "storm-day-faults")
WINDOW = 10 * MINUTE
GROUP_WAIT = 30 * SECOND
GROUP_INTERVAL = 15 * MINUTE
FIRES = ("opened", "escalated")


class Load(NamedTuple):
    """What the people of one day had to take."""

    causes: int
    threads: int
    first_pages: int
    """Openings, over all desks."""
    desks: int
    """Pairs of thread and desk."""
    escalated: int
    updates: int
    resolved: int
    open: int
    """Fires whose incident was not over at the end of the recording."""
    busiest: int
    """Most messages of any kind to one desk in any ten minutes."""
    per_alarm: int
    per_alarm_busiest: int
    grouped: int
    grouped_busiest: int
    live: int
    """Messages that came when it was lived, over all receivers."""
    live_missed: int
    live_more: int


class OnKafkaToo(NamedTuple):
    """What came of a day at the webhooks when it was lived on Kafka."""

    kafka: int
    kafka_missed: int
    kafka_more: int
    kafka_threads: int
    kafka_fires_at_most: int
    """First pages, to one desk, of one thread."""
    kafka_ends_at_most: int
    kafka_busiest: int
    """Most messages of any kind to one desk in any ten minutes."""


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def busiest(times: Iterable[int]) -> int:
    """Most of these times in any ten minutes."""
    ordered, most, first = sorted(times), 0, 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= WINDOW:
            first += 1
        most = max(most, last - first + 1)
    return most


def grouped(alarms: list[dict[str, Any]], city: City) -> list[int]:
    """When Alertmanager would have paged, over all zones."""
    by_zone: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for alarm in alarms:
        asset = city.asset_by_id.get(alarm["asset"])
        cleared = parse_time(alarm["cleared"]) if alarm["cleared"] else sys.maxsize
        by_zone[asset.zone if asset else ""].append((parse_time(alarm["raised"]), cleared))
    return [at for spans in by_zone.values() for at in _flushes(sorted(spans))]


def _flushes(spans: list[tuple[int, int]]) -> list[int]:
    pages: list[int] = []
    waiting = list(spans)
    while waiting:
        flush = waiting[0][0] + GROUP_WAIT
        standing: list[tuple[int, int]] = []
        while True:
            new = [span for span in waiting if span[0] <= flush]
            waiting = waiting[len(new) :]
            standing = [span for span in standing + new if span[1] > flush]
            if new:
                pages.append(flush)
            if not standing:
                break
            flush += GROUP_INTERVAL
            if not waiting and all(span[1] == sys.maxsize for span in standing):
                break
    return pages


def judged(recording: Path, out: Path) -> Load:
    """Replay one day and count."""
    city_file = recording.parent / "city.yaml"
    city = load_city(city_file)
    replay(recording, city_file, out)
    labels = load_labels(recording.with_name(recording.name.split(".")[0] + ".labels.json"))
    alarms = [alarm for alarm in lines(out / "alarms.jsonl") if alarm["severity"] != "info"]
    notes = lines(out / "notifications.jsonl")
    fired = {(note["thread"], note["to"]) for note in notes if note["kind"] in FIRES}
    ended = Counter((note["thread"], note["to"]) for note in notes if note["kind"] == "resolved")
    assert set(ended.values()) <= {1}, "an all-clear came twice"
    assert set(ended) <= fired, "an all-clear for nothing"
    by_desk: dict[str, list[int]] = defaultdict(list)
    for note in notes:
        by_desk[note["to"]].append(parse_time(note["at"]))
    raised = [parse_time(alarm["raised"]) for alarm in alarms]
    flushes = grouped(alarms, city)
    kinds = Counter(note["kind"] for note in notes)
    wanted, arrived = _lived(recording, out)
    return Load(
        causes=len(labels.incidents),
        threads=len({thread for thread, _ in fired}),
        first_pages=kinds["opened"],
        desks=len({(note["thread"], note["to"]) for note in notes if note["kind"] == "opened"}),
        escalated=kinds["escalated"],
        updates=kinds["updated"],
        resolved=kinds["resolved"],
        open=len(fired) - len(ended),
        busiest=max(map(busiest, by_desk.values()), default=0),
        per_alarm=len(raised),
        per_alarm_busiest=busiest(raised),
        grouped=len(flushes),
        grouped_busiest=busiest(flushes),
        live=arrived.total(),
        live_missed=(wanted - arrived).total(),
        live_more=(arrived - wanted).total(),
    )


def _lived(recording: Path, out: Path) -> tuple[Counter[Arrival], Counter[Arrival]]:
    """What should come on a day like this one, and what does."""
    folder = out / "live"
    folder.mkdir()
    moved = ahead(list(read(recording, lambda *_: None)), folder / "day.jsonl")
    with Hook() as hook:
        city = hooked(recording.with_name("city.yaml"), folder, hook)
        replay(moved, city, folder / "replayed")
        notes = [Notification.model_validate(line) for line in lines(folder / "replayed/notifications.jsonl")]
        wanted = Counter(due(city, notes))
        lived(moved, city, folder / "data", lambda: len(hook.requests) >= wanted.total())
        return wanted, Counter(came(hook))


def on_kafka(recording: Path, folder: Path, kafka: Kafka, broker: Mosquitto) -> OnKafkaToo:
    """Live a day that was lived in one process, in whose ``folder`` it lies, on Kafka too."""
    with Hook() as hook:
        city = hooked(recording.with_name("city.yaml"), folder, hook)
        notes = [Notification.model_validate(line) for line in lines(folder / "replayed/notifications.jsonl")]
        wanted = Counter(due(city, notes))
        there = OnKafka(kafka, f"{recording.name.split('.')[0]}.", city)
        lived_on_kafka(folder / "day.jsonl", there, broker, lambda: len(hook.requests) >= wanted.total())
        arrived = Counter(came(hook))
        heard = {one.json["id"]: one.json for one in hook.requests}.values()
    kinds = Counter((note["kind"], note["thread"], note["to"]) for note in heard)
    by_desk: dict[str, list[int]] = defaultdict(list)
    for note in heard:
        by_desk[note["to"]].append(parse_time(note["at"]))

    def most(kind: str) -> int:
        return max((count for key, count in kinds.items() if key[0] == kind), default=0)

    return OnKafkaToo(
        kafka=arrived.total(),
        kafka_missed=(wanted - arrived).total(),
        kafka_more=(arrived - wanted).total(),
        kafka_threads=len({note["thread"] for note in heard if note["kind"] in FIRES}),
        kafka_fires_at_most=most("opened"),
        kafka_ends_at_most=most("resolved"),
        kafka_busiest=max(map(busiest, by_desk.values()), default=0),
    )


def recordings() -> list[Path]:
    """The days that are asked for."""
    if folder := os.environ.get("CROSSCURRENT_DAYS"):
        return sorted(path for path in Path(folder).rglob("*.jsonl*") if path.name.split(".")[0] != "alarms")
    return [RIVERTON / f"{day}.jsonl.gz" for day in DAYS]


def main() -> int:
    """Replay, count, print; 0."""
    asked = flags("how often people are paged, beside a page for each alarm and grouping by zone")
    before = machine()
    days = recordings()[: 2 if asked.quick else None]
    figures: dict[str, float] = {}
    loads = []
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        for recording in days:
            load = judged(recording, room / recording.name)
            loads.append(load)
            name = recording.name.split(".")[0]
            figures |= {f"{name} {field}": value for field, value in load._asdict().items()}
        with Mosquitto(room, free_ports(1)[0]) as broker, Kafka(room, *free_ports(2)) as kafka:
            for recording in days[: 1 if asked.quick else None]:
                there = on_kafka(recording, room / recording.name / "live", kafka, broker)
                name = recording.name.split(".")[0]
                figures |= {f"{name} {field}": value for field, value in there._asdict().items()}
    causes = sum(load.causes for load in loads)
    threads = sum(load.threads for load in loads)
    figures["threads_per_cause"] = threads / causes
    figures["first_pages_per_thread_and_desk"] = sum(x.first_pages for x in loads) / sum(
        x.desks for x in loads
    )
    figures["live_missed_or_more"] = sum(load.live_missed + load.live_more for load in loads)
    figures["busiest_ten_minutes_of_a_desk"] = max(load.busiest for load in loads)
    ours = sum(load.first_pages + load.escalated for load in loads)
    ratios = {
        "ours_vs_per_alarm": sum(load.per_alarm for load in loads) / ours,
        "ours_vs_grouping_by_zone": sum(load.grouped for load in loads) / ours,
        "threads_vs_per_alarm": sum(load.per_alarm for load in loads) / threads,
        "threads_vs_grouping_by_zone": sum(load.grouped for load in loads) / threads,
    }
    report("paging", before, figures, ratios, asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
