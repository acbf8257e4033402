"""``crosscurrent play``: publish a recording to an MQTT broker, and say how fast it really went.

In:  a recording and a broker's address.
Out: the messages on the broker; on the terminal, or as JSON, what was published and the rate reached.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collectors.play import Player

SUMMARY = "Publish a recording to an MQTT broker, at a chosen rate."
LOOK_SECONDS = 0.25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The recording, the broker, and how fast."""
    parser.add_argument(
        "recording", metavar="RECORDING", type=Path, help="*.jsonl, *.jsonl.gz or *.jsonl.zst"
    )
    parser.add_argument(
        "--broker",
        metavar="ADDRESS",
        default="mqtt://127.0.0.1:1883",
        help="mqtt://[USER@]HOST[:PORT] or mqtts://... (default: mqtt://127.0.0.1:1883)",
    )
    parser.add_argument(
        "--rate", type=rate, default=1.0, help="seconds of the recording in one second, or max (default: 1)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def rate(text: str) -> float:
    """A rate above 0; ``max`` is as fast as it goes. Raises argparse.ArgumentTypeError."""
    if text == "max":
        return math.inf
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate; expected a number above 0, or max")
    return value


def run(args: argparse.Namespace) -> int:
    """Play; 0 when all was acknowledged, 1 when not. Raises BadConfig, BrokerFailed or OSError."""
    from collectors.play import Player

    def tell(line: int, what: str) -> None:
        print(f"{args.recording}: line {line}: {what}", file=sys.stderr)

    player = Player(args.recording, args.broker, args.rate, tell)
    player.start()
    try:
        _watch(player)
    finally:
        player.stop()
    sys.stdout.write(_report(player, as_json=args.json))
    return 0 if player.published == player.acknowledged > 0 else 1


def _watch(player: "Player") -> None:
    """Wait for the end; on a terminal, show how it goes."""
    import time

    while player.running:
        time.sleep(LOOK_SECONDS)
        if sys.stderr.isatty():
            speed = f"{player.rate_reached:,.1f} times real time"
            print(
                f"\r{player.share:4.0%}  {player.published:,} messages, {speed}",
                end="\033[K\r",
                file=sys.stderr,
                flush=True,
            )


def _report(player: "Player", *, as_json: bool) -> str:
    per_second = player.acknowledged / player.seconds if player.seconds else 0.0
    if as_json:
        figures = {
            "published": player.published,
            "acknowledged": player.acknowledged,
            "seconds": round(player.seconds, 3),
            "rate_reached": round(player.rate_reached, 3),
            "messages_per_second": round(per_second, 1),
        }
        return json.dumps(figures, indent=1) + "\n"
    return (
        f"{player.acknowledged:,} of {player.published:,} messages acknowledged in {player.seconds:.1f} s: "
        f"{player.rate_reached:,.1f} times real time, {per_second:,.0f} messages/s\n"
    )
