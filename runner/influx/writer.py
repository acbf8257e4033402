"""Points to InfluxDB: confirmed, or refused one by one with the reason.

In:  lines for a bucket.
Out: the lines that InfluxDB will never take, each with its reason.
Promises: when ``write`` returns, InfluxDB has confirmed every other line. Where it raised ``Away`` it may
have some of them; writing all again changes nothing, as points are written over themselves.

An answer 422 ("partial write") is no confirmation of the rest: InfluxDB answers as soon as one of its shards
refuses, while others still write. So the lines are written again in halves, until the bad ones stand alone.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from influxdb_client import DeletePredicateRequest, DeleteService, WriteService
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from runner.influx.settings import InfluxFailed, InfluxSettings
from schemas.points import FACTS, RAW, STANDING

NEVER = frozenset({400, 413, 422})
"""Answers that say that lines are bad, or too many at once; all others may change with time."""
CONFIG = frozenset({401, 403, 404})
WRITTEN = (RAW, FACTS, STANDING)
"""The buckets that we write to; the other is filled by InfluxDB's own tasks."""
DROPPED = re.compile(r"dropped=(\d+)")
OBJECT = re.compile(r"^<[^>]*>: ")
"""How the library's errors begin."""
REASON_MAX = 500
FOR_EVER = "2262-04-11T00:00:00Z"
"""The end of InfluxDB's time."""


class Refused(NamedTuple):
    """A line that InfluxDB will never take, and what it said."""

    line: str
    reason: str


class Away(Exception):
    """InfluxDB does not take anything now. ``seconds``: when it asked us to come again, if it did."""

    def __init__(self, why: str, seconds: float = 0.0) -> None:
        super().__init__(why)
        self.seconds = seconds


class Writer:
    """Writes to one InfluxDB; ``close`` it. Raises InfluxFailed where the token can't be read."""

    def __init__(self, settings: InfluxSettings) -> None:
        self._settings = settings
        self._client = settings.client()
        self._service = WriteService(self._client.api_client)
        self.counts: Counter[str] = Counter()
        """Points ``written``, ``refused`` and ``expired`` (older than their bucket keeps); ``writes``."""

    def check(self) -> None:
        """Ask whether we may write. Raises InfluxFailed where not, and Away where nobody answers."""
        for bucket in WRITTEN:
            try:
                self._post(bucket.name, "")
            except ApiException as error:
                if error.status in CONFIG:
                    raise InfluxFailed(
                        f"InfluxDB {self._settings.url} does not let us write to {bucket.name!r} of "
                        f"{self._settings.org!r}: {_said(error)}; 'crosscurrent influx setup' makes buckets "
                        "and a token"
                    ) from error
                raise _away(error) from error

    def write(self, bucket: str, lines: Sequence[str]) -> list[Refused]:
        """Write once; the lines that were refused for good. Raises Away."""
        size = self._settings.batch_points
        return [
            refused
            for start in range(0, len(lines), size)
            for refused in self._write(bucket, lines[start : start + size])
        ]

    def forget(self, city: str, run: str) -> None:
        """Remove all points of a run. Raises Away."""
        request = DeletePredicateRequest(
            start="1970-01-01T00:00:00Z", stop=FOR_EVER, predicate=f'run="{run}" AND city="{city}"'
        )
        for bucket in WRITTEN:
            try:
                DeleteService(self._client.api_client).post_delete(
                    request, bucket=bucket.name, org=self._settings.org
                )
            except ApiException as error:
                raise _away(error) from error
            except HTTPError as error:
                raise self._silent(error) from error

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def _write(self, bucket: str, lines: Sequence[str]) -> list[Refused]:
        try:
            self._post(bucket, "\n".join(lines))
        except ApiException as error:
            if error.status not in NEVER:
                raise _away(error) from error
            return self._without_bad(bucket, lines, _said(error))
        self.counts["written"] += len(lines)
        self.counts["writes"] += 1
        return []

    def _without_bad(self, bucket: str, lines: Sequence[str], reason: str) -> list[Refused]:
        """What to do with lines of which ``reason`` refuses some."""
        found = DROPPED.search(reason)
        dropped = int(found[1]) if found else 0
        if "outside retention policy" in reason:  # said only after all shards have the rest
            self.counts["expired"] += dropped
            self.counts["written"] += len(lines) - dropped
            return []
        if len(lines) > 1 and dropped < len(lines):
            half = len(lines) // 2
            return self._write(bucket, lines[:half]) + self._write(bucket, lines[half:])
        if "pending deletion" in reason:  # of what is too old: InfluxDB is just letting go of it
            self.counts["expired"] += len(lines)
            return []
        self.counts["refused"] += len(lines)
        return [Refused(line, reason) for line in lines]

    def _post(self, bucket: str, body: str) -> None:
        try:
            self._service.post_write(
                self._settings.org, bucket, body.encode(errors="replace"), precision="ns"
            )
        except HTTPError as error:
            raise self._silent(error) from error

    def _silent(self, error: HTTPError) -> Away:
        """What to say where nobody answers."""
        why = OBJECT.sub("", str(error))
        return Away(f"InfluxDB {self._settings.url} does not answer: {why}")


def _away(error: ApiException) -> Away:
    after = (error.headers or {}).get("Retry-After", "")
    return Away(f"InfluxDB answers {error.status}: {_said(error)}", float(after) if after.isdecimal() else 0)


def _said(error: ApiException) -> str:
    return (error.message or error.reason or str(error.status))[:REASON_MAX]
