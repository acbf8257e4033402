"""Which MQTT broker, and how to reach it.

In:  an address (``mqtt://user@host:1883``, ``mqtts://host``) and environment variables that begin with
     ``CROSSCURRENT_MQTT_``: the names of the fields below, in capitals.
Out: one frozen model. A misspelt variable is an error, not a silence. Secrets come from the environment or a
     file, never from an address, which others can read in the process list; they are never shown.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from schemas.errors import BadConfig, Fault

PREFIX = "CROSSCURRENT_MQTT_"
SCHEMES = {"mqtt": 1883, "mqtts": 8883}
"""Schemes of addresses, and the port where none is named."""

Settings = TypeVar("Settings", bound=BaseModel)


class MqttSettings(BaseModel):
    """One broker and our part in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    tls: bool = False
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    """Its first line is the password, where ``password`` is not given."""
    ca_file: Path | None = None
    """Who may vouch for the broker; the system's authorities where not given."""
    cert_file: Path | None = None
    key_file: Path | None = None
    """Our own certificate and its key, for brokers that ask for them."""
    client_id: Annotated[str, Field(min_length=1, max_length=100)] = "crosscurrent"
    """Names our session in the broker: stable over restarts, and different for each collector of a broker."""
    topics: Annotated[tuple[str, ...], Field(min_length=1)] = ("city/v1/#",)
    keepalive_seconds: Annotated[int, Field(ge=5, le=3600)] = 60
    session_expiry_seconds: Annotated[int, Field(ge=1)] = 7 * 24 * 3600
    """How long the broker keeps messages for us while we are away (MQTT 5; 3.1.1 has no such bound)."""
    receive_maximum: Annotated[int, Field(ge=1, le=65535)] = 1000
    """Messages that the broker may send before we acknowledge the first (MQTT 5)."""
    outstanding: Annotated[int, Field(ge=1)] = 5_000
    """Messages held that are not stored yet; beyond it the connection is read no more."""
    reconnect_seconds_max: Annotated[int, Field(ge=1)] = 30
    """Longest pause between two attempts to connect."""

    @field_validator("topics", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Topics from the environment, separated by commas."""
        return tuple(value.split(",")) if isinstance(value, str) else value

    @property
    def address(self) -> str:
        """The broker's address, without secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def secret(self) -> str | None:
        """The password, if there is one. Raises OSError where its file can't be read."""
        if self.password is not None:
            return self.password.get_secret_value()
        return None if self.password_file is None else self.password_file.read_text().partition("\n")[0]


def mqtt_settings(address: str | None, environment: Mapping[str, str], **more: Any) -> MqttSettings:
    """Settings from an address, the environment and ``more``; what comes later here yields to the earlier.

    Raises BadConfig that lists every fault: unknown variables, values out of bounds, addresses that are none.
    """
    return load_settings(MqttSettings, "MQTT", _of_address, address, environment, **more)


def load_settings(
    model: type[Settings],
    what: str,
    of_address: Callable[[str], dict[str, Any]],
    address: str | None,
    environment: Mapping[str, str],
    **more: Any,
) -> Settings:
    """``model`` from an address, variables that begin with ``CROSSCURRENT_<WHAT>_``, and ``more``; what comes
    later here yields to the earlier. ``of_address`` turns an address into fields, or raises ValueError.

    Raises BadConfig that lists every fault.
    """
    prefix = f"CROSSCURRENT_{what.upper()}_"
    found = {
        name.removeprefix(prefix): value for name, value in environment.items() if name.startswith(prefix)
    }
    known = {name.upper(): name for name in model.model_fields}
    faults = [
        Fault(
            "environment", 1, 1, f"variable {prefix}{name} is unknown; known are {', '.join(sorted(known))}"
        )
        for name in sorted(found.keys() - known.keys())
    ]
    fields: dict[str, Any] = more | {known[name]: value for name, value in found.items() if name in known}
    if address is not None:
        try:
            fields |= of_address(address)
        except ValueError as error:
            faults.append(Fault("broker address", 1, 1, str(error)))
    settings: Settings | None = None
    try:
        settings = model(**fields)
    except ValidationError as error:
        faults += [
            Fault(f"{what} settings", 1, 1, f"{'.'.join(map(str, one['loc']))}: {one['msg']}")
            for one in error.errors(include_input=False)
        ]
    if settings is None or faults:
        raise BadConfig(faults)
    return settings


def _of_address(address: str) -> dict[str, Any]:
    parts = urlsplit(address)
    expected = "expected mqtt://[USER@]HOST[:PORT] or mqtts://..."
    if parts.scheme not in SCHEMES or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{_without_password(address)!r} is no broker; {expected}")
    if parts.password is not None:
        raise ValueError(
            f"{_without_password(address)!r} holds a password, which others could read; "
            f"put it into {PREFIX}PASSWORD or the file that {PREFIX}PASSWORD_FILE names"
        )
    try:
        port = parts.port or SCHEMES[parts.scheme]
    except ValueError:
        raise ValueError(f"{address!r} has no port between 1 and 65535; {expected}") from None
    fields: dict[str, Any] = {"host": parts.hostname, "port": port, "tls": parts.scheme == "mqtts"}
    return fields | ({"username": parts.username} if parts.username else {})


def _without_password(address: str) -> str:
    """The address without user and password, for errors."""
    return re.sub(r"//.*@", "//", address)
