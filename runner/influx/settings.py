"""Which InfluxDB, and how to reach it.

In:  an address (``http://host:8086`` or ``https://...``) and environment variables that begin with
     ``CROSSCURRENT_INFLUX_``: the names of the fields below, in capitals.
Out: one frozen model, and a client. The token comes from the environment or a file, never from an address; it
     is never shown.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from collectors.settings import load_settings
from schemas.errors import CrosscurrentError

if TYPE_CHECKING:
    from influxdb_client import InfluxDBClient


class InfluxFailed(CrosscurrentError, OSError):
    """An InfluxDB that is out of reach, refuses us, or lacks what we need: exit status 3."""


class InfluxSettings(BaseModel):
    """One InfluxDB and our part in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = "http://127.0.0.1:8086"
    org: Annotated[str, Field(min_length=1)] = "crosscurrent"
    token: SecretStr | None = None
    token_file: Path | None = None
    """Its first line is the token, where ``token`` is not given."""
    ca_file: Path | None = None
    """Who may vouch for the server; the system's authorities where not given."""
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long a write may take before it is tried again."""
    batch_points: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """Most points in one write."""

    def client(self) -> "InfluxDBClient":
        """A client; the caller closes it. Raises InfluxFailed where the token can't be read."""
        from influxdb_client import InfluxDBClient

        return InfluxDBClient(
            self.url,
            self.secret(),
            timeout=round(self.timeout_seconds * 1000),
            org=self.org,
            ssl_ca_cert=str(self.ca_file) if self.ca_file else None,
        )

    def secret(self) -> str:
        """The token. Raises InfluxFailed where there is none, or its file can't be read."""
        if self.token is not None:
            return self.token.get_secret_value()
        if self.token_file is None:
            raise InfluxFailed(
                f"InfluxDB {self.url}: there is no token; name its file with --token-file, or put it into "
                "CROSSCURRENT_INFLUX_TOKEN. 'crosscurrent influx setup' makes one"
            )
        try:
            return self.token_file.read_text(encoding="utf-8").partition("\n")[0].strip()
        except OSError as error:
            raise InfluxFailed(f"InfluxDB {self.url}: the token's file: {error}") from error


def influx_settings(
    address: str | None, token_file: Path | None, environment: Mapping[str, str], **more: Any
) -> InfluxSettings:
    """Settings from an address, a token's file, the environment and ``more``; what comes later here yields to
    the earlier. Raises BadConfig that lists every fault.
    """
    settings = load_settings(InfluxSettings, "Influx", _of_address, address, environment, **more)
    return settings.model_copy(update={"token": None, "token_file": token_file}) if token_file else settings


def _of_address(address: str) -> dict[str, Any]:
    parts = urlsplit(address)
    shown = f"{parts.scheme}://{parts.hostname}"
    if parts.username or parts.password:
        raise ValueError(
            f"{shown!r} holds a user or password, which others could read; the token belongs into the file "
            "that --token-file names"
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{shown!r} is no InfluxDB; expected http://HOST[:PORT] or https://...")
    return {"url": address.rstrip("/")}
