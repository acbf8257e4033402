"""Recordings: every message comes back as it was, and damage costs only what is damaged."""

import gzip
import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from collectors.messages import Message
from collectors.recording import Writer, line_of, read
from schemas.times import parse_time

NOON = parse_time("2025-06-04T12:00:00Z")
ENDINGS = ["jsonl", "jsonl.gz", "jsonl.zst"]
GOOD = b'{"received":"2025-06-04T12:00:00Z","topic":"a/b","payload":{"at": 1.50}}\n'
MESSAGE = Message(NOON, "a/b", b'{"at": 1.50}')


def both(path: Path) -> tuple[list[Message], list[str]]:
    """The messages and the faults of a recording."""
    faults: list[str] = []
    messages = list(read(path, lambda line, what: faults.append(f"{line}: {what}")))
    return messages, faults


@pytest.mark.parametrize("ending", ENDINGS)
@given(
    st.lists(
        st.builds(
            Message,
            st.integers(0, 4 * 10**12),
            st.text(max_size=50),
            st.binary() | st.just(b"[1, 2]"),
            trace=st.just(""),  # a recording keeps none
        )
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, ending: str, messages: list[Message]
) -> None:
    """Plain, gzip and zstd: the same messages, the same bytes, in the same order."""
    path = tmp_path_factory.mktemp("round") / f"day.{ending}"

    with Writer(path) as writer:
        for message in messages:
            writer.write(message)

    empty = [] if messages else ["1: the recording is empty: expected one MQTT message a line"]
    assert both(path) == (messages, empty)


def test_payloads_are_the_very_bytes() -> None:
    """JSON stands in the line as it was sent, digits and spaces included; other bytes as base64."""
    assert line_of(MESSAGE) == GOOD
    assert line_of(Message(NOON, "a", b"\xff\x00")) == (
        b'{"received":"2025-06-04T12:00:00Z","topic":"a","payload_base64":"/wA="}\n'
    )


def test_a_broken_line_is_told_and_skipped(tmp_path: Path) -> None:
    """A line in the middle that is no message is one fault, with its number; the rest is read."""
    path = tmp_path / "day.jsonl"
    path.write_bytes(GOOD + b'{"received":"2025-06-04T12:0\n' + b"\n" + b'{"topic":"a"}\n' + GOOD.rstrip())

    messages, faults = both(path)

    assert messages == [MESSAGE, MESSAGE]
    assert faults == [
        "2: not a recorded message: Input data was truncated; skipped",
        "4: not a recorded message: Object missing required field `received`; skipped",
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            b'{"received":"noon","topic":"a","payload":1}',
            "time 'noon' is not RFC 3339; write it as 2025-06-04T09:00:00Z",
        ),
        (b'{"received":"2025-06-04T12:00:00Z","topic":"a"}', "has neither 'payload' nor 'payload_base64'"),
        (
            b'{"received":"2025-06-04T12:00:00Z","topic":"a","payload":1,"payload_base64":"/wA="}',
            "has both 'payload' and 'payload_base64'; expected one of them",
        ),
        (b"\xff\xfe", "JSON is malformed: invalid character (byte 0)"),
    ],
)
def test_faults_say_what_is_wrong(tmp_path: Path, line: bytes, what: str) -> None:
    """Each fault names the line and what was expected."""
    path = tmp_path / "day.jsonl"
    path.write_bytes(line + b"\n")

    assert both(path) == ([], [f"1: not a recorded message: {what}; skipped"])


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path, pack: object) -> None:
    """Half of a compressed file gives its readable lines, then one fault that names the line."""
    lines = [line_of(Message(NOON + i, f"a/{i}", os.urandom(300))) for i in range(1000)]
    packed = gzip.compress(b"".join(lines)) if pack is gzip.compress else zstandard.compress(b"".join(lines))
    path = tmp_path / "day.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])

    messages, faults = both(path)

    assert [message.topic for message in messages] == [f"a/{i}" for i in range(len(messages))]
    assert 200 < len(messages) < 600
    assert faults == [
        (
            f"{len(messages) + 1}: the compressed data breaks off before its end; "
            f"the {len(messages)} lines before it were read"
        )
    ]


def test_damage_in_the_middle_is_told(tmp_path: Path) -> None:
    """Bytes overwritten inside gzip end the reading with a fault, not with an exception."""
    packed = bytearray(gzip.compress(GOOD * 5))
    packed[12:40] = b"\xff" * 28
    path = tmp_path / "day.jsonl.gz"
    path.write_bytes(packed)

    messages, faults = both(path)

    assert messages == []
    assert len(faults) == 1
    assert faults[0].startswith("1: the compressed data is damaged (")


def test_members_that_follow_each_other_are_all_read(tmp_path: Path) -> None:
    """Recordings put together with cat are one recording."""
    path = tmp_path / "two.jsonl.gz"
    path.write_bytes(gzip.compress(GOOD) + gzip.compress(GOOD))

    assert both(path) == ([MESSAGE, MESSAGE], [])


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", gzip.compress(b"")], ids=["no bytes", "blank", "empty gzip"]
)
def test_an_empty_recording_is_a_fault(tmp_path: Path, content: bytes) -> None:
    """Nothing in it is never what somebody wanted."""
    path = tmp_path / "day.jsonl"
    path.write_bytes(content)

    assert both(path) == ([], ["1: the recording is empty: expected one MQTT message a line"])


def test_a_line_without_end_fills_no_memory(tmp_path: Path) -> None:
    """A line over the bound is skipped, and the next one is read."""
    path = tmp_path / "day.jsonl"
    path.write_bytes(b"x" * (40 * 1024 * 1024) + b"\n" + GOOD)

    assert both(path) == ([MESSAGE], ["1: not a recorded message: longer than 33554432 bytes; skipped"])


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    """A recording of 30 MB, packed 300 to 1, is read in a third of that at the worst."""
    path = tmp_path / "day.jsonl.gz"
    path.write_bytes(gzip.compress(GOOD * 400_000, 1))
    faults: list[str] = []

    tracemalloc.start()
    count = sum(1 for _ in read(path, lambda line, what: faults.append(what)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (count, faults) == (400_000, [])
    assert peak < 10_000_000


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    """What was recorded once is not lost to a second start."""
    (tmp_path / "day.jsonl").write_bytes(GOOD)

    with pytest.raises(FileExistsError):
        Writer(tmp_path / "day.jsonl")


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_flushed_survives_a_kill(tmp_path: Path, ending: str) -> None:
    """After kill -9 everything before the last flush is read."""
    path = tmp_path / f"day.{ending}"
    script = (
        "import os, signal, sys; from pathlib import Path; from collectors.messages import Message;"
        "from collectors.recording import Writer; writer = Writer(Path(sys.argv[1]));"
        "[writer.write(Message(i, 'a', b'1')) for i in range(100)]; writer.flush();"
        "[writer.write(Message(i, 'a', b'2')) for i in range(3)]; os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=Path(__file__).parents[2], check=False
    )

    messages, _ = both(path)

    assert ended.returncode == -signal.SIGKILL
    assert [message.received for message in messages[:100]] == list(range(100))
