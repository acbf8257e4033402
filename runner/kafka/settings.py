"""Which Kafka, and how to reach it.

In:  an address (``kafka://host:9092,host2:9092``, ``kafkas://`` for TLS) and environment variables that begin
     with ``CROSSCURRENT_KAFKA_``: the names of the fields below, in capitals.
Out: one frozen model, and the settings of each client library that follow from it. Secrets come from the
     environment or a file, never from an address; they are never shown.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from collectors.settings import load_settings
from schemas.errors import CrosscurrentError
from schemas.topics import Topic

SCHEMES = ("kafka", "kafkas")
PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
PORT = ":9092"
EXPECTED = "expected kafka://[USER@]HOST[:PORT][,HOST[:PORT]...] or kafkas://..."


class KafkaFailed(CrosscurrentError, OSError):
    """A Kafka that is out of reach, refuses us, or lacks what we need: exit status 3."""


class KafkaSettings(BaseModel):
    """One Kafka and our part in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap: Annotated[str, Field(min_length=1)] = f"127.0.0.1{PORT}"
    """``host:port`` of one or more brokers, separated by commas."""
    tls: bool = False
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    """Its first line is the password, where ``password`` is not given."""
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    """How user and password are shown (SASL)."""
    ca_file: Path | None = None
    """Who may vouch for the brokers; the system's authorities where not given."""
    cert_file: Path | None = None
    key_file: Path | None = None
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$")] = ""
    """What the names of topics, groups and transactions begin with: two systems on one Kafka stay apart."""
    linger_ms: Annotated[int, Field(ge=0, le=10_000)] = 20
    """How long a collector lets the first message wait for others."""
    batch_messages: Annotated[int, Field(ge=1, le=100_000)] = 5_000
    """Most messages that a collector writes in one transaction."""
    frame_readings: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Readings at which a frame is closed."""
    snapshot_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How often a worker writes its state down; it re-reads at most so much after a kill."""
    session_seconds: Annotated[int, Field(ge=1, le=300)] = 10
    """A worker that is silent for so long is given up by its group. Brokers allow no less than 6."""
    member: str | None = None
    """A worker's name in its group, its own and stable over restarts: they then wait for no session."""
    stuck_seconds: Annotated[float, Field(gt=0)] = 60.0
    """A worker that makes no progress for so long, though there is work, ends itself."""

    @property
    def address(self) -> str:
        """The address, without secrets."""
        return f"{'kafkas' if self.tls else 'kafka'}://{self.bootstrap}"

    def name(self, topic: Topic) -> str:
        """The topic's name on this Kafka."""
        return self.prefix + topic.name

    def librdkafka(self, more: Mapping[str, str | int | bool]) -> dict[str, Any]:
        """Settings for confluent-kafka. Raises KafkaFailed where the password's file can't be read."""
        found: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self._protocol,
            "client.id": "crosscurrent",
            "log_level": 2,  # what matters comes as an error, once; the rest would fill stderr
            **more,
        }
        if self.username is not None:
            found |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self._secret(),
            }
        files = {
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.cert_file,
            "ssl.key.location": self.key_file,
        }
        return found | {name: str(path) for name, path in files.items() if path is not None}

    def kafka_python(self) -> dict[str, Any]:
        """Settings for kafka-python. Raises KafkaFailed where the password's file can't be read."""
        found: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self._protocol,
            "client_id": "crosscurrent",
            "bootstrap_timeout_ms": 10_000,
        }
        if self.username is not None:
            found |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self._secret(),
            }
        files = {"ssl_cafile": self.ca_file, "ssl_certfile": self.cert_file, "ssl_keyfile": self.key_file}
        return found | {name: str(path) for name, path in files.items() if path is not None}

    @property
    def _protocol(self) -> str:
        return f"{'SASL_' if self.username else ''}{'SSL' if self.tls else 'PLAINTEXT'}"

    def _secret(self) -> str:
        if self.password is not None:
            return self.password.get_secret_value()
        if self.password_file is None:
            raise KafkaFailed(
                f"Kafka {self.address}: user {self.username!r} has no password; put it into "
                "CROSSCURRENT_KAFKA_PASSWORD or the file that CROSSCURRENT_KAFKA_PASSWORD_FILE names"
            )
        try:
            return self.password_file.read_text(encoding="utf-8").partition("\n")[0]
        except OSError as error:
            raise KafkaFailed(f"Kafka {self.address}: the password's file: {error}") from error


def kafka_settings(address: str | None, environment: Mapping[str, str], **more: Any) -> KafkaSettings:
    """Settings from an address, the environment and ``more``; what comes later here yields to the earlier.

    Raises BadConfig that lists every fault.
    """
    return load_settings(KafkaSettings, "Kafka", _of_address, address, environment, **more)


def _of_address(address: str) -> dict[str, Any]:
    scheme, _, rest = address.partition("://")
    user, at, places = rest.rstrip("/").rpartition("@")
    shown = f"{scheme}://{places}"
    if ":" in user:
        raise ValueError(
            f"{shown!r} holds a password, which others could read; put it into CROSSCURRENT_KAFKA_PASSWORD "
            "or the file that CROSSCURRENT_KAFKA_PASSWORD_FILE names"
        )
    found = [PLACE.fullmatch(place) for place in places.split(",")]
    if scheme not in SCHEMES or not all(found):
        raise ValueError(f"{shown!r} is no Kafka; {EXPECTED}")
    bootstrap = ",".join(place[1] + (place[2] or PORT) for place in found if place)
    return {"bootstrap": bootstrap, "tls": scheme == "kafkas"} | ({"username": user} if at else {})
