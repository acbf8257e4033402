"""A real Grafana: boards and rules go into it, by files and by ``grafana sync``; its API is asked for them.

It is the one that ``make grafana`` built (Grafana 10.0, without its pages), or the one that ``GRAFANA_URL``
and ``GRAFANA_TOKEN_FILE`` (an admin's service account token) name. Without either this does not run:
to build it takes too long for every machine's tests.
"""

import base64
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from grafana import alerting, names, watch
from grafana.sync import Running
from grafana.wanted import Influx, wanted
from runner.cli import main
from runner.sending.hooks import GrafanaChannel
from schemas.alarms import Severity
from schemas.cityfile import load_city
from schemas.receivers import Grafana as GrafanaReceiver
from tests.grafana.room import Room, provision
from tests.grafana.test_queries import ALL
from tests.receivers import Hook, message
from tests.runner.kafkahelp import wait_until
from tests.runner.storm import CITY
from tests.servers import Grafana, free_ports, place_of

URL = os.environ.get("GRAFANA_URL", "")
TOKEN_FILE = os.environ.get("GRAFANA_TOKEN_FILE", "")
here = pytest.mark.skipif(
    not place_of("grafana").exists(), reason="no Grafana here: 'make grafana' builds one"
)
RUNBOOKS = "https://wiki.example/runbooks"
FIRES_SECONDS = 240
"""Rules are judged every minute, and a busy machine takes its time."""


def asked(grafana: Grafana, path: str, body: Any = None) -> Any:
    """What its API answers to its owner."""
    request = urllib.request.Request(
        f"{grafana.address}/api/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Basic {base64.b64encode(grafana.owner.encode()).decode()}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from error


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    """The desk's webhook and the dead-man's, in one."""
    with Hook() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def provisioned(room: Room, hook: Hook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grafana]:
    """A Grafana that found our files when it started."""
    folder = tmp_path_factory.mktemp("grafana")
    environment = provision(room, folder, RUNBOOKS, hook.address)
    with Grafana(folder, free_ports(1)[0], environment) as server:
        found = f"search?type=dash-db&tag={names.TAG}"  # it answers before it has read them
        wait_until(lambda: len(asked(server, found)) == len(names.BOARDS), "all boards", 120)
        yield server


@here
def test_files_alone_make_all_of_it(provisioned: Grafana, room: Room) -> None:
    """Boards in their folder, rules, contact points, policies, mute timings, a data source that answers."""
    city = room.city.city
    for name in names.BOARDS:
        held = asked(provisioned, f"dashboards/uid/{names.board(city, name)}")
        assert held["meta"]["folderUid"] == names.folder(city)
        assert held["meta"]["provisioned"]
    rules = {rule["uid"]: rule for rule in asked(provisioned, "v1/provisioning/alert-rules")}
    points = {point["name"] for point in asked(provisioned, "v1/provisioning/contact-points")}
    policies = asked(provisioned, "v1/provisioning/policies")
    timings = {timing["name"] for timing in asked(provisioned, "v1/provisioning/mute-timings")}

    assert set(rules) == {names.rule(city, rule.name) for rule in watch.rules(city)}
    assert {alerting.DESK, alerting.HEARTBEAT} <= points
    assert [route["receiver"] for route in policies["routes"]] == [
        alerting.HEARTBEAT,
        alerting.DESK,
        alerting.DESK,
    ]
    assert timings == {alerting.MAINTENANCE}
    assert asked(provisioned, f"datasources/uid/{names.DATASOURCE}/health")["status"] == "OK"


@here
def test_grafana_answers_every_question_as_the_tests_do(provisioned: Grafana, room: Room) -> None:
    """By its own data source no question fails, and nothing is empty that is not."""
    span = {"from": str(room.at("05:00")), "to": str(room.at("11:00"))}
    for question in ALL:
        query = question.query
        for name, value in room.variables.items():
            query = query.replace(f"${{{name}:regex}}", value).replace(f"${{{name}}}", value)
        target = {
            "refId": "A",
            "datasource": {"type": names.DATASOURCE_TYPE, "uid": names.DATASOURCE},
            "query": query,
            "intervalMs": 60_000,
            "maxDataPoints": 1_000,
        }
        result = asked(provisioned, "ds/query", {"queries": [target], **span})["results"]["A"]
        rows = sum(len(frame["data"]["values"][0]) for frame in result["frames"] if frame["data"]["values"])

        assert result["status"] == 200, f"{question}: {result}"
        assert bool(rows) == any(map(len, room.ask(question.query))), question


@here
def test_rules_fire_to_their_webhooks(provisioned: Grafana, hook: Hook, room: Room) -> None:
    """Nobody reports: 'stopped' fires to the desk, the dead-man's switch to its own place, no other."""
    told: dict[str, set[tuple[str, str]]] = {}
    deadline = time.monotonic() + FIRES_SECONDS
    while not {"/desk", "/heartbeat"} <= set(told) and time.monotonic() < deadline:
        time.sleep(1)
        for request in list(hook.requests):
            told.setdefault(request.path, set()).update(
                (alert["labels"]["alertname"], alert["status"]) for alert in request.json["alerts"]
            )
    titles = {rule.name: rule.title for rule in watch.rules(room.city.city)}
    alert = next(r for r in hook.requests if r.path == "/desk").json["alerts"][0]

    assert (titles["heartbeat"], "firing") in told["/heartbeat"]
    assert (titles["stopped"], "firing") in told["/desk"]
    assert {title for title, _ in told["/desk"]} == {titles["stopped"]}
    assert alert["annotations"]["runbook_url"] == f"{RUNBOOKS}/pipeline-stopped.md"
    assert names.board(room.city.city, "pipeline") in alert["dashboardURL"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address of a Grafana that has nothing of ours, and the file with an admin's token."""
    if URL and TOKEN_FILE:
        yield URL, TOKEN_FILE
    elif not place_of("grafana").exists():
        pytest.skip("no Grafana: GRAFANA_URL and GRAFANA_TOKEN_FILE name none, 'make grafana' built none")
    else:
        with Grafana(tmp_path, free_ports(1)[0]) as server:
            account = asked(server, "serviceaccounts", {"name": "sync", "role": "Admin"})
            token = asked(server, f"serviceaccounts/{account['id']}/tokens", {"name": "sync"})
            (tmp_path / "token").write_text(token["key"])
            yield server.address, str(tmp_path / "token")


def test_a_real_grafana_holds_all_of_it(
    place: tuple[str, str], room: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each board and rule is there under its uid after one run, and a second run finds nothing to change."""
    city = load_city(CITY)
    url, token_file = place
    (tmp_path / "influx").write_text(room.token)
    arguments = ["grafana", "sync", "--city", str(CITY), "--url", url, "--token-file", token_file]
    arguments += ["--runbooks", RUNBOOKS]
    influx = ["--influx", room.address, "--influx-org", room.org]
    influx += ["--influx-token-file", str(tmp_path / "influx")]
    assert main([*arguments, *influx, "--dry-run"]) == 1, "all is missing"
    assert main([*arguments, *influx]) == 0

    things = wanted(city, RUNBOOKS, Influx(room.address, room.org, room.token))
    with closing(Running(url, Path(token_file).read_text().strip(), city.city)) as running:
        held = running.there(things)

    assert {thing.uid for thing in held} >= {names.board(city.city, name) for name in names.BOARDS}
    assert {thing.uid for thing in held} >= {
        names.rule(city.city, rule.name) for rule in watch.rules(city.city)
    }
    capsys.readouterr()
    assert main([*arguments, "--dry-run"]) == 0, capsys.readouterr().out


def test_an_incident_is_one_annotation_from_its_beginning_to_its_end(
    place: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made, edited though its number was lost with a kill, and ended."""
    url, token_file = place
    token = Path(token_file).read_text().strip()
    monkeypatch.setenv("TOKEN", token)
    receiver = {"type": "grafana", "url": url, "token": {"env": "TOKEN"}, "allow_private": True}
    number = time.time_ns() % 10**9  # the Grafana may be one that has met others
    opened, worse = message(number), message(number, "updated", severity=Severity.CRITICAL)
    resolved = message(number, "resolved")
    with closing(GrafanaChannel(GrafanaReceiver.model_validate(receiver))) as channel:
        channel.send(opened, {})
        memo = channel.send(worse, {})
        channel.send(resolved, memo)
    request = urllib.request.Request(
        f"{url}/api/annotations?tags=thread:{opened.thread}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        (found,) = json.load(answer)

    assert (found["time"], found["timeEnd"]) == (opened.since, resolved.at)
    assert found["text"] == resolved.text
    assert "water" in found["tags"]
