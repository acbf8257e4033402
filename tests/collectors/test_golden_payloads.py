"""Formats are tested by folders: tests/golden/<decoder>/<case> holds a message and what comes of it.

``topic.txt`` and ``payload.bin`` are the message; ``expected.jsonl`` has the readings and events that must
come out (absent: none), ``expected.err`` the reasons of the dead letters (absent: none).
"""

import json
from pathlib import Path

import pytest

from collectors.decoders import DECODERS
from collectors.intake import Batch, Intake
from collectors.messages import Message
from schemas.city import City
from schemas.readings import Frame
from schemas.times import parse_time, rfc3339

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(case for name in DECODERS for case in (GOLDEN / name).iterdir())


def lines_of(batch: Batch) -> list[str]:
    """What came out, one JSON object a line."""
    lines = []
    for record in batch.records:
        if isinstance(record, Frame):
            for sensor, at, value, quality in record.rows():
                row = {"sensor": sensor, "at": rfc3339(at), "value": value, "quality": quality}
                lines.append(json.dumps(row))
        else:
            event = {"asset": record.asset, "at": rfc3339(record.at), "event": record.event}
            lines.append(json.dumps(event | {"detail": record.detail}))
    return lines


def expected(file: Path) -> list[str]:
    """The lines of a file that may be absent."""
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_a_message_becomes_exactly_this(case: Path, town: City) -> None:
    """Every format, oddity and fault that we know of has a folder that says what comes of it."""
    topic = (case / "topic.txt").read_text().removesuffix("\n")
    message = Message(parse_time("2025-06-04T09:00:01Z"), topic, (case / "payload.bin").read_bytes())

    batch = Intake(town).step([message])

    assert [letter.reason for letter in batch.dead] == expected(case / "expected.err")
    assert lines_of(batch) == expected(case / "expected.jsonl")
