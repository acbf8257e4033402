"""The topic table on a real Kafka: made once, compared, never changed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from runner.cli import main
from runner.kafka.settings import kafka_settings
from schemas.errors import BadConfig
from schemas.export import FOLDER, asyncapi
from schemas.topics import READINGS, TOPICS
from tests.servers import Kafka

LAUNCHER = Path(__file__).parents[2] / "crosscurrent.py"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_topics(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has topics of its own on the shared Kafka."""
    monkeypatch.setenv("CROSSCURRENT_KAFKA_PREFIX", prefix)


def test_topics_are_made_once_and_then_as_the_table_says(kafka: Kafka, prefix: str, capsys: Capture) -> None:
    """Before: each is named as missing, with what to do. After: nothing differs, nothing is made again."""
    assert main(["topics", "check", "--kafka", kafka.address]) == 1
    missing = capsys.readouterr().out
    assert main(["topics", "create", "--kafka", kafka.address]) == 0
    made = capsys.readouterr().out
    assert main(["topics", "create", "--kafka", kafka.address]) == 0
    again = capsys.readouterr().out

    assert missing.splitlines() == [
        f"{prefix}{topic.name}: is missing; 'crosscurrent topics create' makes it" for topic in TOPICS
    ]
    assert [line for line in made.splitlines() if line.endswith(": made")] == [
        f"{prefix}{topic.name}: made" for topic in TOPICS
    ]
    assert again == "all topics are as the table says\n"


def test_what_differs_is_told_and_left_alone(kafka: Kafka, prefix: str, capsys: Capture) -> None:
    """A topic with other partitions and another retention keeps both; the status says no."""
    name = prefix + READINGS.name
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(name, 2, config={"retention.ms": "1000"})])[name].result(10)

    statuses = [main(["topics", action, "--kafka", kafka.address]) for action in ("create", "check")]
    told = capsys.readouterr().out.splitlines()

    assert statuses == [1, 1]
    assert told[-2:] == [
        f"{name}: has 2 partitions, the table says {READINGS.partitions}",
        f"{name}: retention.ms is 1000, the table says {READINGS.retention_ms}",
    ]


def test_nobody_there_is_one_sentence_and_status_3(free_port: Callable[[], int]) -> None:
    """No traceback, no wait without end."""
    address = f"kafka://127.0.0.1:{free_port()}"
    command = [sys.executable, str(LAUNCHER), "topics", "check", "--kafka", address]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert done.stderr == (
        f"crosscurrent topics: Kafka {address}: no broker answers; "
        "is it running, is the address right, may we?\n"
    )


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("mqtt://host", "is no Kafka; expected kafka://"),
        ("kafka://", "is no Kafka; expected kafka://"),
        ("kafka://ann:secret@host", "holds a password, which others could read"),
    ],
)
def test_a_wrong_address_is_told_without_its_secret(address: str, told: str) -> None:
    """What is wrong and what was expected; a password is not repeated."""
    with pytest.raises(BadConfig) as caught:
        kafka_settings(address, {})

    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


def test_every_misspelt_variable_is_told() -> None:
    """A silent default would be found out in production."""
    with pytest.raises(BadConfig) as caught:
        kafka_settings(None, {"CROSSCURRENT_KAFKA_PREFX": "a", "CROSSCURRENT_KAFKA_LINGER_MS": "-1"})

    assert "CROSSCURRENT_KAFKA_PREFX is unknown" in str(caught.value)
    assert "linger_ms" in str(caught.value)


def test_places_without_a_port_get_the_usual_one() -> None:
    """Several brokers, IPv6 among them."""
    settings = kafka_settings("kafkas://ann@a,[::1]:9,b:7", {})

    assert settings.address == "kafkas://a:9092,[::1]:9,b:7"
    assert settings.username == "ann"


def test_the_asyncapi_document_names_schemas_that_are_there() -> None:
    """Each message's schema is a file beside the document, and each channel says how its topic is made."""
    document = asyncapi()

    messages = document["components"]["messages"]
    assert [m for m in messages.values() if not (FOLDER / m["payload"]["schema"]["$ref"]).is_file()] == []
    for channel in document["channels"].values():
        assert {ref["$ref"].rpartition("/")[2] for ref in channel["messages"].values()} <= messages.keys()
        assert channel["bindings"]["kafka"]["partitions"] > 0


WITHOUT = """
import sys
sys.modules["confluent_kafka"] = sys.modules["kafka"] = sys.modules["faust"] = None
from runner.cli import main
sys.exit(main(sys.argv[1:]))
"""
CITY = str(LAUNCHER.parent / "cities" / "riverton" / "city.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["topics", "check"],
        ["collect", "--city", CITY],
        ["stream", "all", "--city", CITY],
        ["up", "--city", CITY, "--kafka", "kafka://127.0.0.1"],
        ["dlq", "list"],
        ["ledger", "verify", "--city", CITY],
        ["replay", "kafka://127.0.0.1", "--city", CITY, "--out", "out"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_plain_install_says_what_is_missing(arguments: list[str], tmp_path: Path) -> None:
    """The Kafka clients are an extra: without it each verb names the command that brings them."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(LAUNCHER.parent)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "install it with: pip install 'crosscurrent[kafka]'" in done.stderr
