"""``crosscurrent record``: write what an MQTT broker delivers into a recording.

In:  a broker's address.
Out: a recording. A message is acknowledged only when its line is on the disk, so whatever the broker holds
     for us while nobody records is in the next recording.
"""

import argparse
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.messages import Message

SUMMARY = "Write what an MQTT broker delivers into a recording."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The broker, the file, and when to end."""
    parser.add_argument("--broker", metavar="ADDRESS", help="mqtt://[USER@]HOST[:PORT] or mqtts://...")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        required=True,
        help="*.jsonl, *.jsonl.gz or *.jsonl.zst; a new file",
    )
    parser.add_argument(
        "--topic", action="append", help="what to record (default: city/v1/#); may be repeated"
    )
    parser.add_argument("--seconds", type=float, help="end after this time; else at Ctrl-C")
    parser.add_argument("--count", type=int, help="end after so many messages")


def run(args: argparse.Namespace) -> int:
    """Record until the end; 0. Raises BadConfig, BrokerFailed or OSError."""
    from collectors.mqtt import Collector
    from collectors.recording import Writer
    from collectors.settings import mqtt_settings

    more = {"topics": tuple(args.topic)} if args.topic else {}
    settings = mqtt_settings(args.broker, os.environ, client_id="crosscurrent-record", **more)
    ended = threading.Event()
    with Writer(args.out) as writer:
        recorder = _Recorder(writer.write, writer.flush, args.count, ended)
        collector = Collector(settings, recorder.store, lambda _: ended.set())
        collector.start()
        print(f"recording {settings.address} into {args.out}; Ctrl-C ends it", flush=True)
        began = time.monotonic()
        try:
            ended.wait(args.seconds)
        except KeyboardInterrupt:
            pass  # the usual way to end a recording
        finally:
            collector.stop(leave=True)
    if collector.failure is not None:
        raise collector.failure
    seconds = time.monotonic() - began
    sys.stdout.write(f"{recorder.count:,} messages in {seconds:.1f} s, written to {args.out}\n")
    return 0


class _Recorder:
    """Counts what is written, and says when it is enough."""

    def __init__(
        self,
        write: "Callable[[Message], None]",
        flush: "Callable[[], None]",
        most: int | None,
        ended: threading.Event,
    ) -> None:
        self.count = 0
        self._write, self._flush, self._most, self._ended = write, flush, most, ended

    def store(self, messages: "list[Message]") -> None:
        """Bring these to the disk."""
        room = len(messages) if self._most is None else self._most - self.count
        for message in messages[: max(0, room)]:
            self._write(message)
            self.count += 1
        self._flush()
        if self._most is not None and self.count >= self._most:
            self._ended.set()
