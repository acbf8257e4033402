"""The operators' room without its screens: InfluxDB with riverton's storm in it, and what Grafana would ask.

``Room.ask`` does what Grafana does with a query: fills in the variables, sends it, and makes frames of the
answer by the rules of Grafana's own InfluxDB data source (group key: labels; all else: fields).
"""

import csv
import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from collectors.intake import Intake
from collectors.messages import Message
from grafana import files
from runner.core import Core, Outputs
from runner.influx.lines import Fact, Lines, by_bucket, line
from runner.influx.settings import InfluxSettings
from runner.influx.setup import Setup
from runner.influx.writer import Writer
from schemas.city import City
from schemas.cityfile import load_city
from schemas.incidents import IncidentRevision
from schemas.points import BUCKETS, LIVE, PIPELINE, RAW
from schemas.readings import Frame, Tick
from schemas.times import DAY, MINUTE, parse_time, rfc3339
from schemas.vocabulary import load_vocabulary
from tests.runner.storm import CITY, recorded

STORM = "2025-06-04"
"""The day of the recording; it is played two days ago, where raw readings are still kept."""
REPLAY, LOST = "replay", "storm-6"
"""A second run of the same day, in which one asset has no alarm."""
SECONDS_MAX = 5.0
"""A query that takes longer is of no use on a screen, on however busy a machine."""


class Refused(Exception):
    """What InfluxDB said of a query that it can't answer."""


@dataclass(slots=True)
class Table:
    """One frame of Grafana's: labels, and columns by name."""

    labels: dict[str, str]
    columns: dict[str, list[str]]
    kinds: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return max(map(len, self.columns.values()), default=0)


class Room:
    """InfluxDB with one storm, asked with a token that may only read."""

    def __init__(self, address: str, folder: Path, city: City | None = None) -> None:
        """``city``: another one than riverton, for whoever furnishes the room otherwise."""
        self.city = city or load_city(CITY)
        self.address = address
        self.reader = folder / "reader"
        """The file with the token that may read, and nothing else."""
        self.settings = InfluxSettings(url=address, token_file=folder / "owner", timeout_seconds=300)
        self.day = datetime.now(UTC).date() - timedelta(days=2)
        self.incident = ""
        """The incident that holds most."""
        self.revisions: list[IncidentRevision] = []
        """All that was said of it, in order."""
        self.variables: dict[str, str] = {}

    @property
    def org(self) -> str:
        """The organisation that all is in."""
        return self.settings.org

    @property
    def token(self) -> str:
        """The one in ``reader``."""
        return self.reader.read_text().strip()

    def furnish(self) -> Self:
        """Set up, play the storm, write what came of it."""
        setup = Setup(self.settings)
        setup.buckets({bucket.name: bucket.days for bucket in BUCKETS})
        setup.token("reader", "read", tuple(bucket.name for bucket in BUCKETS), self.reader)
        writer = Writer(self.settings)
        raw, facts = self._storm()
        for bucket, lines in {RAW.name: [*raw, *self._pipeline()], **by_bucket(facts)}.items():
            refused = writer.write(bucket, lines)
            assert not refused, refused[:3]
        setup.downsample(self.at("00:00"), self.at("00:00") + DAY)
        writer.close()
        setup.close()
        self.variables = {
            "run": LIVE,
            "beside": REPLAY,
            "zone": ".*",
            "utility": ".*",
            "asset": "storm-4",
            "quantity": "depth",
            "incident": self.incident,
        }
        return self

    def write(self, facts: Iterable[str]) -> None:
        """More facts, say of another run."""
        writer = Writer(self.settings)
        for bucket, lines in by_bucket(facts).items():
            assert writer.write(bucket, lines) == []
        writer.close()

    def ask(self, query: str, start: str = "05:00", stop: str = "11:00") -> list[Table]:
        """What Grafana would show of a query, between two times of the storm's day. Raises Refused."""
        return frames(self.answer(self.filled(query, start, stop)))

    def filled(self, query: str, start: str = "05:00", stop: str = "11:00", days_back: int = 0) -> str:
        """The query with all variables in it; the time range may begin some days before."""
        for name, value in self.variables.items():
            query = query.replace(f"${{{name}:regex}}", value).replace(f"${{{name}}}", value)
        macros = {
            "v.timeRangeStart": rfc3339(self.at(start) - days_back * DAY),
            "v.timeRangeStop": rfc3339(self.at(stop)),
            "v.windowPeriod": "1m0s",
        }
        for macro, value in macros.items():
            query = query.replace(macro, value)
        return query

    def at(self, clock: str) -> int:
        """A time of the storm's day, ms since the epoch."""
        return parse_time(f"{self.day}T{clock}:00Z")

    def answer(self, query: str) -> str:
        """What InfluxDB says, as it says it. Raises Refused."""
        request = urllib.request.Request(
            f"{self.address}/api/v2/query?org={self.org}",
            data=json.dumps({"query": query, "dialect": {"annotations": ["group", "datatype"]}}).encode(),
            headers={
                "Authorization": f"Token {self.token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                said: bytes = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(f"{error.read().decode()}\n{query}") from error
        return said.decode()

    def _storm(self) -> tuple[list[str], list[str]]:
        core, intake = Core(self.city, load_vocabulary(beside=CITY)), Intake(self.city)
        lines, replayed = Lines(self.city), Lines(self.city, REPLAY)
        raw: list[str] = []
        facts: list[str] = []
        told: list[IncidentRevision] = []

        def take(outputs: Outputs) -> None:
            for run in (lines, replayed):
                alarms = [one for one in outputs.alarms if run is lines or one.alarm.asset != LOST]
                said: list[Fact] = [*alarms, *outputs.incidents, *outputs.notifications]
                for fact in said:
                    facts.extend(run.of(fact))
            told.extend(outputs.incidents)

        for record in intake.step(list(self._messages())).records:
            if isinstance(record, Frame):
                raw.extend(lines.frame(record))
            take(core.step(record))
        assert core.stream_time is not None
        take(core.step(Tick(at=core.stream_time)))
        self.incident = max(told, key=lambda one: len(one.members)).id
        self.revisions = [one for one in told if one.id == self.incident]
        return raw, facts

    def _messages(self) -> Iterator[Message]:
        day = self.day.isoformat()
        shift = parse_time(f"{day}T00:00:00Z") - parse_time(f"{STORM}T00:00:00Z")
        for message in recorded("storm-day"):
            payload = message.payload.replace(STORM.encode(), day.encode())
            yield Message(message.received + shift, message.topic, payload)

    def _pipeline(self) -> Iterator[str]:
        """Every figure of the table, as a worker and a sink would tell them each minute."""
        tags = {
            "run": LIVE, "city": self.city.city, "part": "worker", "stage": "detect", "kind": "alarm",
            "result": "refused", "partition": "0",
        }  # fmt: skip
        for minute in range(24 * 60):
            at = self.at("00:00") + minute * MINUTE
            values: Mapping[str, Any] = {entry.name: float(minute) for entry in PIPELINE.fields} | {
                "stream_time_seconds": at / 1000 - 7,
                "up": 1.0,
            }
            yield line(PIPELINE, tags, values, at * 1_000_000)


def provision(room: Room, folder: Path, runbooks: str, webhooks: str) -> dict[str, str]:
    """Lay our files into a folder as a Grafana wants them; the environment that they ask for.

    ``webhooks``: an address, which gets ``/desk`` and ``/heartbeat``.
    """
    for path, text in files.files(room.city, runbooks).items():
        target = folder / ("." if path.parts[0] == "boards" else "provisioning") / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return {
        "CROSSCURRENT_INFLUX_URL": room.address,
        "CROSSCURRENT_INFLUX_ORG": room.org,
        "CROSSCURRENT_INFLUX_TOKEN": room.token,
        "CROSSCURRENT_BOARDS": str(folder / "boards"),
        "CROSSCURRENT_ALERT_URL": f"{webhooks}/desk",
        "CROSSCURRENT_HEARTBEAT_URL": f"{webhooks}/heartbeat",
    }


def frames(answer: str) -> list[Table]:
    """Frames of an annotated CSV, as Grafana's InfluxDB data source makes them."""
    found: list[Table] = []
    for block in answer.replace("\r\n", "\n").split("\n\n"):
        rows = [row for row in csv.reader(io.StringIO(block)) if row]
        if len(rows) < 3:
            continue
        grouped = [flag == "true" for flag in rows[0]]
        kinds, names = rows[1], rows[2]
        key: list[str] | None = None
        for row in rows[3:]:
            mine = [value for value, group in zip(row, grouped, strict=True) if group]
            cells = list(zip(names, row, grouped, kinds, strict=True))[3:]
            if mine != key:
                key = mine
                labels = {name: value for name, value, group, _ in cells if group}
                columns: dict[str, list[str]] = {name: [] for name, _, group, _ in cells if not group}
                found.append(
                    Table(labels, columns, {name: kind for name, _, group, kind in cells if not group})
                )
            for name, value, group, _ in cells:
                if not group:
                    found[-1].columns[name].append(value)
    return found


def timed(room: Room, query: str) -> tuple[list[Table], float]:
    """The answer, and how many seconds it took."""
    began = time.monotonic()
    answer = room.ask(query)
    return answer, time.monotonic() - began
