"""``crosscurrent replay``: a recording through detection, correlation and alerting, into a folder.

In:  a recording and a city model.
Out: the five files of ``runner.replay``; on the terminal what they hold, or the summary as JSON.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

SUMMARY = "Replay a recording into alarms, incidents and notifications; the same bytes at every run."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The recording, the city model, where the results go, and the rules."""
    parser.add_argument(
        "recording", metavar="RECORDING", type=Path, help="*.jsonl, *.jsonl.gz or *.jsonl.zst"
    )
    parser.add_argument("--city", metavar="FILE", type=Path, required=True, help="the city model")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the results go")
    parser.add_argument(
        "--causes", metavar="FILE", type=Path, help="rules in the place of ours (causes.yaml)"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> int:
    """Replay and print; 0. Raises BadConfig, NothingToReplay (CrosscurrentErrors) or OSError."""
    from runner.replay import replay

    meter = _Meter() if sys.stderr.isatty() else None
    summary = replay(args.recording, args.city, args.out, meter, args.causes)
    for fault in summary["first_broken_lines"]:
        print(f"{args.recording}: {fault}", file=sys.stderr)
    sys.stdout.write(json.dumps(summary, indent=1) + "\n" if args.json else _said(summary, args.out))
    return 0


class _Meter:
    """One line on a terminal that is written over a few times a second."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()

    def __call__(self, messages: int, stream_time: int | None) -> None:
        from schemas.times import rfc3339

        now = time.monotonic()
        if now - self._shown < 0.25:
            return
        self._shown = now
        until = rfc3339(stream_time) if stream_time is not None else "..."
        rate = messages / (now - self._began)
        print(f"\r{until}  {messages:,} messages, {rate:,.0f}/s", end="\033[K\r", file=sys.stderr, flush=True)


def _said(summary: dict[str, Any], out: Path) -> str:
    silos = ", ".join(f"{utility} {count}" for utility, count in summary["alarms_by_utility"].items())
    lines = [
        f"{summary['city']}: {summary['intake'].get('messages', 0):,} messages until {summary['until']}",
        (
            f"{summary['alarms']} alarms ({silos or 'none'}), {summary['incidents']} incidents, "
            f"{summary['notifications']} notifications in {out}"
        ),
        *(f"  root: {root}" for root in summary["roots"]),
    ]
    if refused := summary["intake"].get("refused", 0):
        lines.append(f"{refused} messages were refused; counts are in summary.json")
    if summary["broken_lines"]:
        lines.append(f"{summary['broken_lines']} lines of the recording could not be read")
    return "\n".join(lines) + "\n"
