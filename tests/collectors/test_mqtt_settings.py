"""Settings of the MQTT client: what is wrong stops the start, and secrets stay secret."""

from pathlib import Path

import pytest

from collectors.settings import mqtt_settings
from schemas.errors import BadConfig


def faults(address: str | None, **environment: str) -> str:
    """What is said about these settings."""
    with pytest.raises(BadConfig) as caught:
        mqtt_settings(address, {f"CROSSCURRENT_MQTT_{name}": value for name, value in environment.items()})
    return str(caught.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("mqtt://broker", ("broker", 1883, False, None)),
        ("mqtt://ada@10.0.0.1:2883", ("10.0.0.1", 2883, False, "ada")),
        ("mqtts://broker.example", ("broker.example", 8883, True, None)),
        ("mqtt://[::1]:1884", ("::1", 1884, False, None)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int, bool, str | None]) -> None:
    """An address names the host, and may name port, user and TLS."""
    found = mqtt_settings(address, {})

    assert (found.host, found.port, found.tls, found.username) == expected


@pytest.mark.parametrize("address", ["broker:1883", "http://broker", "mqtt://", "mqtt://broker/topic", ""])
def test_what_is_no_address_is_told(address: str) -> None:
    """Anything else says what was expected."""
    assert faults(address) == (
        f"broker address:1:1: {address!r} is no broker; expected mqtt://[USER@]HOST[:PORT] or mqtts://..."
    )


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    """Others can read command lines; the error does not print the secret either."""
    assert faults("mqtt://ada:hunter2@broker") == (
        "broker address:1:1: 'mqtt://broker' holds a password, which others could read; "
        "put it into CROSSCURRENT_MQTT_PASSWORD or the file that CROSSCURRENT_MQTT_PASSWORD_FILE names"
    )


def test_every_fault_at_once() -> None:
    """A misspelt variable and a value out of bounds are both told."""
    said = faults(None, PASSWROD="x", PORT="70000")

    assert "environment:1:1: variable CROSSCURRENT_MQTT_PASSWROD is unknown; known are CA_FILE, " in said
    assert "MQTT settings:1:1: port: Input should be less than or equal to 65535" in said


def test_the_address_wins_over_the_environment() -> None:
    """What somebody types now counts more than what was set up before; both count more than a default."""
    environment = {"CROSSCURRENT_MQTT_HOST": "other", "CROSSCURRENT_MQTT_TOPICS": "a/#,b/#", "HOME": "/"}

    found = mqtt_settings("mqtt://typed", environment, client_id="ours", topics=("c/#",))

    assert (found.host, found.topics, found.client_id) == ("typed", ("a/#", "b/#"), "ours")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """Neither printing the settings nor an error shows a password; a file's first line is one, too."""
    (tmp_path / "secret").write_text("hunter2\n")
    given = mqtt_settings(None, {"CROSSCURRENT_MQTT_PASSWORD": "hunter2"})
    filed = mqtt_settings(None, {"CROSSCURRENT_MQTT_PASSWORD_FILE": str(tmp_path / "secret")})

    assert given.secret() == filed.secret() == "hunter2"
    assert "hunter2" not in f"{given!r}{filed!r}"
