"""An InfluxDB made ready: buckets, downsampling, tokens with least rights.

In:  an InfluxDB, and a token that may do all (of one that is new, it is made).
Out: the buckets of ``schemas.points``, two tasks, one token that may only write, and one that may only read.
Promises: what is there is kept; a bucket's retention is made longer, never shorter; a second run changes
nothing.
"""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from influxdb_client import (
    Authorization,
    Bucket,
    BucketRetentionRules,
    InfluxDBClient,
    OnboardingRequest,
    Permission,
    PermissionResource,
    SetupService,
    TaskCreateRequest,
)
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from runner.influx.settings import InfluxFailed, InfluxSettings
from schemas import points
from schemas.points import BUCKETS, FIVE_MINUTES, RAW, READING
from schemas.times import DAY, SECOND, rfc3339

USER = "crosscurrent"
WRITER, READER = "crosscurrent writer", "crosscurrent reader"
SOON = ("crosscurrent 5 min", "every: 5m, offset: 30s", "-20m")
LATE = ("crosscurrent 5 min, late", "every: 1d, offset: 3h", "-2d")
"""Tasks: name, when, and since when. The second catches what came too late for the first."""


def downsampling(start: str, stop: str, option: str = "") -> str:
    """Flux that fills windows of five minutes between two times (Flux expressions), whole windows only.

    ``option``: a statement that makes it a task.
    """
    means = (("mean", "value"), ("min", "low"), ("max", "high"), ("count", "count"))
    head = (
        f'import "date"\n{option}'
        f"start = date.truncate(t: {start}, unit: 5m)\n"
        f"stop = date.truncate(t: {stop}, unit: 5m)\n"
        f'readings = from(bucket: "{RAW.name}") |> range(start: start, stop: stop)\n'
        f'  |> filter(fn: (r) => r._measurement == "{READING.name}")\n'
        'values = readings |> filter(fn: (r) => r._field == "value")\n'
        'qualities = readings |> filter(fn: (r) => r._field == "quality")\n'
    )
    each = [("values", function, name) for function, name in means] + [("qualities", "max", "quality")]
    return head + "".join(
        f"{source} |> aggregateWindow(every: 5m, fn: {function}, createEmpty: false)\n"
        f'  |> set(key: "_field", value: "{name}")\n'
        f'  |> to(bucket: "{FIVE_MINUTES.name}")\n'
        f'  |> filter(fn: (r) => false) |> yield(name: "{name}")\n'  # nobody reads them here
        for source, function, name in each
    )


class Setup:
    """The way to one InfluxDB, with a token that may do all; ``close`` it.

    Where the InfluxDB is new, it is set up first; the token goes into ``token_file``. Raises InfluxFailed.
    """

    def __init__(self, settings: InfluxSettings) -> None:
        self._settings = settings
        self.said: list[str] = []
        """What was done, a line each."""
        with _told(self._settings.url):
            self._onboard()
            self._client = settings.client()
            self._org = self._find_org()

    def close(self) -> None:
        """Leave."""
        self._client.close()

    def buckets(self, days: Mapping[str, int]) -> None:
        """Make the buckets, or let them keep what they have for longer. ``days`` by name, 0 for ever."""
        with _told(self._settings.url):
            for bucket in BUCKETS:
                self._bucket(self._find(bucket.name), bucket, days[bucket.name])

    def _bucket(self, there: Bucket | None, ours: points.Bucket, days: int) -> None:
        api, name = self._client.buckets_api(), ours.name
        wanted = days * DAY // SECOND
        shard_days = min(ours.shard_days, days) if days else ours.shard_days
        rules = [
            BucketRetentionRules(
                type="expire",
                every_seconds=wanted,
                shard_group_duration_seconds=shard_days * DAY // SECOND or None,
            )
        ]
        if there is None:
            api.create_bucket(
                bucket_name=name, org=self._settings.org, description=ours.says, retention_rules=rules
            )
            self.said.append(f"bucket {name}: made, keeps {_days(wanted)}")
            return
        kept = there.retention_rules[0].every_seconds if there.retention_rules else 0
        if kept == wanted:
            return
        if kept == 0 or 0 < wanted < kept:
            self.said.append(
                f"bucket {name}: keeps {_days(kept)}, asked for {_days(wanted)}; left as it is, for "
                "that would throw data away"
            )
            return
        there.retention_rules = rules
        api.update_bucket(there)
        self.said.append(f"bucket {name}: keeps {_days(wanted)}, {_days(kept)} before")

    def tasks(self) -> None:
        """Make the two tasks that downsample, or bring them up to date."""
        with _told(self._settings.url):
            api = self._client.tasks_api()
            for name, when, since in (SOON, LATE):
                flux = downsampling(since, "now()", f'option task = {{name: "{name}", {when}}}\n')
                there = api.find_tasks(name=name, org_id=self._org)
                if not there:
                    api.create_task(task_create_request=TaskCreateRequest(org_id=self._org, flux=flux))
                    self.said.append(f"task {name}: made")
                elif there[0].flux != flux:
                    there[0].flux = flux
                    api.update_task(there[0])
                    self.said.append(f"task {name}: brought up to date")

    def token(self, description: str, action: str, names: tuple[str, ...], file: Path) -> None:
        """A token that may ``read`` or ``write`` these buckets and nothing else, in a file of mode 600."""
        with _told(self._settings.url):
            ids = {found.id for name in names if (found := self._find(name)) is not None}
            permissions = [
                Permission(
                    action=action, resource=PermissionResource(type="buckets", id=one, org_id=self._org)
                )
                for one in sorted(ids)
            ]
            tokens = self._client.authorizations_api()
            found = [
                one
                for one in tokens.find_authorizations(org_id=self._org)
                if one.description == description
                and {(p.action, p.resource.id) for p in one.permissions} == {(action, i) for i in ids}
            ]
            token = (
                found[0]
                if found
                else tokens.create_authorization(
                    authorization=Authorization(
                        org_id=self._org, permissions=permissions, description=description
                    )
                )
            ).token
        if not file.exists() or file.read_text(encoding="utf-8").strip() != token:
            write_secret(file, token)
            self.said.append(f"token that may only {action}: in {file}")

    def downsample(self, start: int, end: int) -> None:
        """Fill the windows of five minutes between two times (ms) now, a day at a time."""
        with _told(self._settings.url):
            for begins in range(start, end, DAY):
                ends = min(begins + DAY, end)
                self._client.query_api().query_raw(downsampling(rfc3339(begins), rfc3339(ends))).read()

    def _onboard(self) -> None:
        """Set a new InfluxDB up."""
        with InfluxDBClient(self._settings.url, "", timeout=10_000) as client:
            service = SetupService(client.api_client)
            if not service.get_setup().allowed:
                return
            file = self._settings.token_file
            if file is None or file.exists():
                raise InfluxFailed(
                    f"InfluxDB {self._settings.url} is new; name a file that is not there with "
                    "--admin-token-file, and it is set up with the token of its owner in there"
                )
            token = secrets.token_urlsafe(48)
            write_secret(file, token)  # first: a token that nobody knows locks everybody out
            service.post_setup(
                OnboardingRequest(
                    username=USER,
                    password=secrets.token_urlsafe(24),
                    org=self._settings.org,
                    bucket=RAW.name,
                    retention_period_seconds=RAW.days * DAY // SECOND,
                    token=token,
                )
            )
        self.said.append(
            f"InfluxDB {self._settings.url}: set up, with the organisation {self._settings.org!r}; the token "
            f"of its owner is in {file}"
        )

    def _find(self, bucket: str) -> Bucket | None:
        """A bucket of ours; others may have one of the same name in their organisation."""
        found = self._client.buckets_api().find_buckets_iter(org_id=self._org)
        return next((one for one in found if one.name == bucket), None)

    def _find_org(self) -> str:
        found = self._client.organizations_api().find_organizations(org=self._settings.org)
        if not found:
            raise InfluxFailed(
                f"InfluxDB {self._settings.url} has no organisation {self._settings.org!r}; name another one "
                "with CROSSCURRENT_INFLUX_ORG"
            )
        return str(found[0].id)


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn what the client library raises into InfluxFailed."""
    try:
        yield
    except ApiException as error:
        raise InfluxFailed(f"InfluxDB {url}: {error.message or error.reason}") from error
    except HTTPError as error:
        raise InfluxFailed(f"InfluxDB {url} does not answer: {error}") from error


def write_secret(file: Path, text: str) -> None:
    """A new file that only its owner may read, there whole or not at all; in the place of an old one."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as to:
        to.write(f"{text}\n")
    new.replace(file)


def _days(seconds: int) -> str:
    return f"{seconds * SECOND // DAY} days" if seconds else "for ever"
