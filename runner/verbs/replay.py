"""``crosscurrent replay``: a recording, or what Kafka holds, through all of the thinking, into a folder.

In:  a recording or a Kafka, and a city model.
Out: the five files of ``runner.replay``; on the terminal what they hold, or the summary as JSON.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from runner.moments import BadUsage, moment

SUMMARY = "Replay a recording into alarms, incidents and notifications; the same bytes at every run."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The recording, the city model, where the results go, and the rules."""
    parser.add_argument(
        "recording",
        metavar="RECORDING",
        help="*.jsonl, *.jsonl.gz or *.jsonl.zst; or the readings of a Kafka, kafka://[USER@]HOST[:PORT][,...]",
    )
    parser.add_argument("--city", metavar="FILE", type=Path, required=True, help="the city model")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the results go")
    parser.add_argument(
        "--causes", metavar="FILE", type=Path, help="rules in the place of ours (causes.yaml)"
    )
    parser.add_argument(
        "--from", dest="start", metavar="TIME", help="Kafka: only what was written since then"
    )
    parser.add_argument("--to", dest="end", metavar="TIME", help="Kafka: only what was written before")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> int:
    """Replay and print; 0. Raises BadConfig, NothingToReplay, KafkaFailed or OSError."""
    if args.recording.startswith(("kafka://", "kafkas://")):
        summary = _from_kafka(args)
    else:
        from runner.replay import replay

        if args.start or args.end:
            raise BadUsage("--from and --to choose records of a Kafka; a recording is replayed whole")
        meter = _Meter() if sys.stderr.isatty() else None
        summary = replay(Path(args.recording), args.city, args.out, meter, args.causes)
    for fault in summary.get("first_broken_lines") or summary.get("first_broken_records", ()):
        print(f"{args.recording}: {fault}", file=sys.stderr)
    sys.stdout.write(json.dumps(summary, indent=1) + "\n" if args.json else _said(summary, args.out))
    return 0


def _from_kafka(args: argparse.Namespace) -> dict[str, Any]:
    from alerts.policyfile import load_policy
    from runner.extras import needs
    from runner.kafka.settings import kafka_settings
    from runner.replay import put_down
    from schemas.cityfile import load_city
    from schemas.vocabulary import load_vocabulary
    from streams.causes import load_causes

    with needs("kafka"):
        from runner.kafka.replaying import KafkaSource

    settings = kafka_settings(args.recording, os.environ)
    causes = load_causes(args.causes) if args.causes else load_causes()
    start, end = moment(args.start), moment(args.end)
    city, vocabulary = load_city(args.city), load_vocabulary(beside=args.city)
    policy = load_policy(args.city, city)
    source = KafkaSource(city, vocabulary, causes, settings, start, end, policy=policy)
    return put_down(source, args.out)


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
        f"{summary['city']}: {_input(summary)} until {summary['until']}",
        (
            f"{summary['alarms']} alarms ({silos or 'none'}), {summary['incidents']} incidents, "
            f"{summary['notifications']} notifications in {out}"
        ),
        *(f"  root: {root}" for root in summary["roots"]),
    ]
    if refused := summary.get("intake", {}).get("refused", 0):
        lines.append(f"{refused} messages were refused; counts are in summary.json")
    if broken := summary.get("broken_lines"):
        lines.append(f"{broken} lines of the recording could not be read")
    if broken := summary.get("broken_records"):
        lines.append(f"{broken} records could not be read")
    return "\n".join(lines) + "\n"


def _input(summary: dict[str, Any]) -> str:
    if "records" in summary:
        return f"{summary['records']:,} records"
    return f"{summary['intake'].get('messages', 0):,} messages"
