"""What we deploy says what it should about ports, versions, rights and passwords.

No engine is at hand where tests run, so nothing here builds or starts an image: docker-compose.yml is read by
the compose specification's own library, the Kubernetes manifests by kustomize and Kubernetes' own types
(scripts/deploy/). tests/test_native.py runs what the containers run.
"""

import argparse
import importlib
import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner import VERSION
from runner.cli import VERBS
from tests.servers import built

ROOT = Path(__file__).parent.parent
MANIFESTS = ROOT / "deploy" / "kubernetes"
WRITES_INTO_ITSELF = {"kafka"}
Services = dict[str, dict[str, Any]]


def read(what: str, where: Path) -> "subprocess.CompletedProcess[str]":
    """Let the reader look at a file or folder."""
    return subprocess.run([built("deploy"), what, where], check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def services() -> Services:
    """The services as compose understands them, by name."""
    told = read("compose", ROOT / "docker-compose.yml")
    assert told.returncode == 0, told.stderr
    found: Services = json.loads(told.stdout)["services"]
    return found


@pytest.fixture(scope="module")
def ours(services: Services) -> Services:
    """Those that run our own image."""
    return {name: one for name, one in services.items() if one["image"].startswith("crosscurrent:")}


def understood(command: list[str]) -> argparse.Namespace:
    """The arguments of one of our verbs, which must take them."""
    verb, *arguments = command
    assert verb in VERBS
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"runner.verbs.{verb}").add_arguments(parser)
    return parser.parse_args(arguments)


def test_every_port_is_open_on_loopback_only(services: Services) -> None:
    """Whoever wants the network to reach them says so."""
    ports = [port for one in services.values() for port in one.get("ports") or ()]

    assert ports
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_every_image_has_a_version_and_a_health_check(services: Services, ours: Services) -> None:
    """A start next year gets the same programs, and a dead one is noticed; what ends by itself needs none."""
    for name, one in services.items():
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+", one["image"]), name
        assert one["restart"] == "no" or "test" in one["healthcheck"], name
    assert {one["image"] for one in ours.values()} == {f"crosscurrent:{VERSION}"}
    assert (
        re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
        == ["python:3.12.11-slim-bookworm"] * 2
    )


def test_nobody_is_root_or_may_become_it(services: Services, ours: Services) -> None:
    """No rights of the kernel, no way to more, no writing but into volumes."""
    for name, one in services.items():
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one.get("read_only") or name in WRITES_INTO_ITSELF, name
        assert name in ours or int(one["user"].split(":")[0]) > 0, name
    assert "\nUSER 10001:10001\n" in (ROOT / "Dockerfile").read_text("utf-8")


def test_no_password_is_written_down(services: Services) -> None:
    """Secrets come in files, each only to those that use it."""
    told = [name for one in services.values() for name in one.get("environment") or ()]
    secret = [name for name in told if re.search("password|secret|token", name, re.IGNORECASE)]
    readers = {
        source["source"]: sorted(
            name for name, one in services.items() if source in (one.get("secrets") or ())
        )
        for one in services.values()
        for source in one.get("secrets") or ()
    }

    assert [name for name in secret if not name.endswith("_FILE")] == []
    assert readers == {
        "mqtt_sensors": ["mosquitto"],
        "mqtt_crosscurrent": ["collect", "mosquitto"],
        "grafana_admin": ["grafana"],
    }


def test_passwords_are_made_once_and_are_for_their_owner(tmp_path: Path) -> None:
    """The first start makes them, each another; the next keeps them; git never sees them."""
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "secrets.sh", tmp_path / "scripts")
    subprocess.run([script], check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run([script], check=True)

    assert made.keys() == yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["secrets"].keys()
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made
    assert len(set(made.values())) == len(made)
    assert min(map(len, made.values())) > 32
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert "/secrets/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_containers_start_verbs_with_arguments_that_they_take(ours: Services) -> None:
    """What a service runs is a command line that exists."""
    for one in ours.values():
        understood(one["command"])


def test_a_compose_file_with_a_fault_is_refused(tmp_path: Path) -> None:
    """The reader can say no: an unknown field, a service that is not there."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    for right, wrong in (("cap_drop:", "cap_dorp:"), ("kafka: {condition", "kfaka: {condition")):
        assert right in text
        (tmp_path / "docker-compose.yml").write_text(text.replace(right, wrong, 1))
        assert read("compose", tmp_path / "docker-compose.yml").returncode == 1


def test_kubernetes_understands_the_manifests() -> None:
    """Each field is one that its kind has; what runs is there."""
    told = read("kubernetes", MANIFESTS)

    assert told.returncode == 0, told.stderr
    assert {"Job topics", "StatefulSet collect", "StatefulSet detect", "StatefulSet correlate"} <= {
        *told.stdout.splitlines()
    }


def test_a_manifest_with_a_misspelt_field_is_refused(tmp_path: Path) -> None:
    """The reader can say no."""
    folder = shutil.copytree(MANIFESTS, tmp_path / "manifests")
    manifest = folder / "detect.yaml"
    manifest.write_text(manifest.read_text("utf-8").replace("replicas:", "replica:"))

    told = read("kubernetes", folder)

    assert told.returncode == 1
    assert 'unknown field "spec.replica"' in told.stderr


def pods() -> list[dict[str, Any]]:
    """What the pods of all manifests are to be."""
    return [
        one["spec"]["template"]["spec"]
        for path in MANIFESTS.glob("*.yaml")
        for one in yaml.safe_load_all(path.read_text("utf-8"))
        if "template" in one.get("spec", ())
    ]


def test_pods_run_verbs_with_few_rights() -> None:
    """The same command lines as elsewhere; nobody is root, and nothing is written but into volumes."""
    assert len(pods()) == 7
    for pod in pods():
        (container,) = pod["containers"]
        understood(container["args"])
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        assert "memory" in container["resources"]["limits"]
    tag = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text("utf-8"))["images"][0]["newTag"]
    assert tag == VERSION


def test_the_image_is_made_of_what_the_wheel_is_made_of() -> None:
    """Every folder that the wheel holds reaches the build."""
    packages = re.findall(
        r'^"_crosscurrent\.(\w+)', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    let_in = re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)

    assert set(let_in) == {*packages, "LICENSE"}
