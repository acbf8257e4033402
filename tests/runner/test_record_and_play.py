"""Play and record as people use them: two commands and a real mosquitto between them."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

from collectors.recording import read
from tests.servers import Mosquitto

ROOT = Path(__file__).parents[2]
STORM = ROOT / "cities" / "riverton" / "storm-day.jsonl.gz"


def test_what_is_played_is_recorded(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A recording of a played recording holds the same messages, in the same order."""
    part = tmp_path / "part.jsonl"
    with gzip.open(STORM, "rb") as lines:
        part.write_bytes(b"".join(next(lines) for _ in range(3_000)))
    command = [sys.executable, str(ROOT / "crosscurrent.py")]
    again = tmp_path / "again.jsonl.zst"
    options = ["--broker", mosquitto.address, "--out", str(again), "--count", "3000"]
    with subprocess.Popen([*command, "record", *options], stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout is not None
        assert (
            recorder.stdout.readline()
            == f"recording {mosquitto.address} into {again}; Ctrl-C ends it\n".encode()
        )
        play = [*command, "play", str(part), "--broker", mosquitto.address, "--rate", "max", "--json"]
        played = subprocess.run(play, capture_output=True, check=True, timeout=60)
        assert recorder.wait(30) == 0
    assert json.loads(played.stdout)["acknowledged"] == 3_000
    assert [m[1:] for m in read(again, fail)] == [m[1:] for m in read(part, fail)]


def fail(line: int, what: str) -> None:
    """No recording here has faults."""
    raise AssertionError(f"line {line}: {what}")
