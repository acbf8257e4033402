"""What an InfluxDB holds of a city, by id: for the ledger.

In:  a token that may read.
Out: readings, alarms, revisions and notifications that truly happened.
"""

from collections.abc import Iterator, Mapping

from influxdb_client import Dialect
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from runner.influx.settings import InfluxFailed, InfluxSettings
from schemas.points import ALARM, INCIDENT, LIVE, NOTIFICATION, READING, Measurement
from schemas.times import parse_time

TIMEOUT_SECONDS = 600


class Held:
    """The points of a city. Each method asks anew; raises InfluxFailed."""

    def __init__(self, settings: InfluxSettings, city: str) -> None:
        self._settings = settings.model_copy(update={"timeout_seconds": TIMEOUT_SECONDS})
        self._city = city

    def readings(self) -> Iterator[tuple[str, int]]:
        """Sensor and event time (ms) of each."""
        for row in self._rows(READING, ("value",), ("_time", "asset", "quantity")):
            yield f"{row['asset']}/{row['quantity']}", parse_time(row["_time"])

    def alarms(self) -> Iterator[tuple[str, str, int, int]]:
        """Id, state, when it cleared (ms; 0 while it stands), and when that was known."""
        fields = ("id", "state", "cleared", "known_at")
        for row in self._rows(ALARM, fields, fields):
            yield row["id"], row["state"], int(row["cleared"]), int(row["known_at"])

    def revisions(self) -> Iterator[tuple[str, int, int]]:
        """Incident, number, and when it was known (ms)."""
        fields = ("incident", "revision", "known_at")
        for row in self._rows(INCIDENT, fields, fields):
            yield row["incident"], int(row["revision"]), int(row["known_at"])

    def notifications(self) -> Iterator[tuple[str, int]]:
        """Id, and when it was sent (ms)."""
        for row in self._rows(NOTIFICATION, ("id", "at"), ("id", "at")):
            yield row["id"], int(row["at"])

    def _rows(
        self, measurement: Measurement, fields: tuple[str, ...], columns: tuple[str, ...]
    ) -> Iterator[Mapping[str, str]]:
        """Points of a measurement, one row each, as they come."""
        wanted = " or ".join(f'r._field == "{field}"' for field in fields)
        kept = ", ".join(f'"{column}"' for column in columns)
        flux = (
            f'from(bucket: "{measurement.bucket.name}")\n'
            "  |> range(start: 1970-01-01T00:00:00Z, stop: 2262-04-11T00:00:00Z)\n"
            f'  |> filter(fn: (r) => r._measurement == "{measurement.name}" and r.run == "{LIVE}")\n'
            f'  |> filter(fn: (r) => r.city == "{self._city}" and ({wanted}))\n'
            '  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n'
            f"  |> keep(columns: [{kept}]) |> group()"
        )
        try:
            with self._settings.client() as client:
                rows = iter(client.query_api().query_csv(flux, dialect=Dialect(annotations=[])))
                header = next(rows, None)
                for row in rows:
                    if header and row and row != header:
                        yield dict(zip(header, row, strict=True))
        except ApiException as error:
            raise InfluxFailed(f"InfluxDB {self._settings.url}: {error.message or error.reason}") from error
        except HTTPError as error:
            raise InfluxFailed(f"InfluxDB {self._settings.url} does not answer: {error}") from error
