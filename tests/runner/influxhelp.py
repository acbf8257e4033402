"""What the tests on InfluxDB share: an organisation of a test's own with buckets and tokens; its points."""

import json
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from influxdb_client import InfluxDBClient

from runner.influx.settings import InfluxSettings
from runner.influx.setup import READER, WRITER, Setup
from runner.influx.writer import WRITTEN, Writer
from schemas.points import BUCKETS, FACTS, MEASUREMENTS, READING, STANDING, Bucket
from tests.servers import Influxd

FIELD = re.compile(r'([a-z_]+)=("(?:[^"\\\\]|\\\\.)*"|[^, ]+)[, ]')
FACTS_OF_THE_CITY = tuple(one for one in MEASUREMENTS if one.bucket in (FACTS, STANDING))
Point = tuple[str, int]
"""Tags as a text, and the time in ns."""


class OnInflux:
    """An InfluxDB with an organisation of a test's own, whose buckets keep all for ever."""

    def __init__(self, influxd: Influxd, folder: Path) -> None:
        self.influxd = influxd
        self.owner = influxd.folder / "owner"
        """The token of who may do all."""
        self.org = uuid.uuid4().hex[:8]
        self.token_file, self.read_token_file = folder / "write-token", folder / "read-token"
        settings = InfluxSettings(url=influxd.address, token_file=self.owner)
        Setup(settings).close()  # where the InfluxDB is new
        with settings.client() as client:
            client.organizations_api().create_organization(name=self.org)
        setup = Setup(self.settings(self.owner))
        setup.buckets({bucket.name: 0 for bucket in BUCKETS})
        setup.token(WRITER, "write", tuple(bucket.name for bucket in WRITTEN), self.token_file)
        setup.token(READER, "read", tuple(bucket.name for bucket in BUCKETS), self.read_token_file)
        setup.close()

    def settings(self, token_file: Path, **more: Any) -> InfluxSettings:
        """Settings with one of the tokens."""
        return InfluxSettings(url=self.influxd.address, org=self.org, token_file=token_file, **more)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a verb that writes here."""
        return {
            "CROSSCURRENT_INFLUX_URL": self.influxd.address,
            "CROSSCURRENT_INFLUX_ORG": self.org,
            "CROSSCURRENT_INFLUX_TOKEN_FILE": str(self.token_file),
        }

    def writer(self, **more: Any) -> Writer:
        """A writer with the token that may only write."""
        return Writer(self.settings(self.token_file, **more))

    def client(self) -> InfluxDBClient:
        """A client that may only read."""
        return self.settings(self.read_token_file, timeout_seconds=60).client()

    def ask(self, flux: str) -> list[Mapping[str, Any]]:
        """The rows of a query, as the reader of boards gets them."""
        with self.client() as client:
            return [record.values for table in client.query_api().query(flux) for record in table.records]

    def points(self, bucket: Bucket, measurement: str) -> dict[Point, dict[str, Any]]:
        """All points of a measurement, fields by tags and time. In InfluxQL: Flux's reader rounds times."""
        asked = urlencode(
            {"db": bucket.name, "epoch": "ns", "q": f'SELECT * FROM "{measurement}" GROUP BY *'}
        )
        request = Request(
            f"{self.influxd.address}/query?{asked}",
            headers={"Authorization": f"Token {self.read_token_file.read_text().strip()}"},
        )
        with urlopen(request, timeout=60) as answer:
            (result,) = json.load(answer)["results"]
        assert "error" not in result, result
        return {
            (json.dumps(series["tags"], sort_keys=True), values[0]): {
                name: value
                for name, value in zip(series["columns"][1:], values[1:], strict=True)
                if value is not None
            }
            for series in result.get("series", [])
            for values in series["values"]
        }

    def everything(self) -> dict[str, dict[Point, dict[str, Any]]]:
        """All points of the city, by measurement."""
        return {one.name: self.points(one.bucket, one.name) for one in (READING, *FACTS_OF_THE_CITY)}


Points = dict[str, dict[Point, dict[str, Any]]]
"""By measurement."""


def points_of(lines: Iterable[str]) -> Points:
    """What InfluxDB should hold when it has taken these lines, in order."""
    found: Points = defaultdict(lambda: defaultdict(dict))
    for line in lines:
        head = re.split(r"(?<!\\) ", line, maxsplit=1)[0]
        name, *tags = re.split(r"(?<!\\),", head)
        values = dict(tag.split("=", 1) for tag in tags)
        series = json.dumps(
            {key: re.sub(r"\\([,= ])", r"\1", value) for key, value in values.items()}, sort_keys=True
        )
        fields, stamp = line[len(head) + 1 :], int(line.rpartition(" ")[2])
        found[name][series, stamp] |= {key: _value(text) for key, text in FIELD.findall(fields)}
    return found


def _value(text: str) -> Any:
    if text[0] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    if text in {"true", "false"}:
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)
