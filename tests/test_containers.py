"""The compose file says what it should about ports, versions and passwords.

No engine is at hand where tests run, so this reads the file; nothing here builds or starts an image.
"""

import argparse
import importlib
import re
from pathlib import Path
from typing import Any

import yaml

from runner import VERSION
from runner.cli import VERBS

ROOT = Path(__file__).parent.parent


def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file, by name."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return found


def test_every_port_is_open_on_loopback_only() -> None:
    """Nothing asks for a password, so nothing is open to the network."""
    ports = [port for service in services().values() for port in service["ports"]]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_image_has_a_version_and_a_health_check() -> None:
    """A start next year gets the same programs, and a dead one is noticed."""
    for name, service in services().items():
        assert re.fullmatch(r"[a-z-]+:\d+\.\d+\.\d+", service["image"]), name
        assert "test" in service["healthcheck"], name
    assert services()["crosscurrent"]["image"] == f"crosscurrent:{VERSION}"


def test_no_password_is_written_down() -> None:
    """Secrets come from outside or are not there."""
    names = [name for service in services().values() for name in service.get("environment", {})]

    assert [name for name in names if re.search("password|secret|token", name, re.IGNORECASE)] == []


def test_the_container_starts_a_verb_with_arguments_it_takes() -> None:
    """What the service runs is a command line that exists."""
    verb, *arguments = services()["crosscurrent"]["command"]
    assert verb in VERBS
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"runner.verbs.{verb}").add_arguments(parser)

    assert parser.parse_args(arguments).broker == "mqtt://mosquitto:1883"


def test_the_image_is_made_of_what_the_wheel_is_made_of() -> None:
    """Every folder that the wheel holds reaches the build."""
    packages = re.findall(
        r'^"_crosscurrent\.(\w+)', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    let_in = re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)

    assert set(let_in) == {*packages, "LICENSE"}
