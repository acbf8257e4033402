"""``crosscurrent replay``: what was recorded, archived or written to Kafka, thought about anew.

In:  a recording, an archive or a Kafka, and a city model.
Out: the five files of ``runner.replay``; on the terminal what they hold, or the summary as JSON.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.moments import BadUsage, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.influx.runs import Run
    from runner.model import Model
    from runner.replay import Input, Source
    from schemas.readings import Frame

SUMMARY = "Replay a recording into alarms, incidents and notifications; the same bytes at every run."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to replay, the city model, where the results go, and the rules."""
    parser.add_argument(
        "recording",
        metavar="RECORDING",
        help="*.jsonl, *.jsonl.gz or *.jsonl.zst; an archive (a folder or an address); or the readings of a "
        "Kafka, kafka://[USER@]HOST[:PORT][,...]",
    )
    parser.add_argument(
        "--city", metavar="FILE", type=Path, help="the city model (an archive: default is the one it keeps)"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the results go")
    parser.add_argument(
        "--causes", metavar="FILE", type=Path, help="rules in the place of ours (causes.yaml)"
    )
    parser.add_argument("--from", dest="start", metavar="TIME", help="only what was received since then")
    parser.add_argument("--to", dest="end", metavar="TIME", help="only what was received before")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument(
        "--influx", metavar="URL", help="write it to this InfluxDB too: http://HOST[:PORT] or https://..."
    )
    parser.add_argument("--token-file", metavar="FILE", type=Path, help="InfluxDB: a token that may write")
    parser.add_argument(
        "--run", metavar="NAME", default="replay", help="InfluxDB: the run's name (default replay)"
    )


def run(args: argparse.Namespace) -> int:
    """Replay and print; 0. Raises CrosscurrentError or OSError where something can't be used."""
    from runner.replay import put_down

    points = _points(args)
    summary = put_down(_source(args), args.out, points.take if points else None)
    if points:
        points.readings(_frames(args))
        points.finish()
    for faults in ("first_broken_lines", "first_broken_records", "first_damaged_files"):
        for fault in summary.get(faults, ()):
            print(f"{args.recording}: {fault}", file=sys.stderr)
    sys.stdout.write(json.dumps(summary, indent=1) + "\n" if args.json else _said(summary, args.out))
    return 0


def _points(args: argparse.Namespace) -> "Run | None":
    """The way to an InfluxDB, if it was asked for."""
    if args.influx is None:
        return None
    from runner.extras import needs
    from runner.model import load_model

    with needs("influx"):
        from runner.influx.runs import Run
        from runner.influx.settings import influx_settings

    city = load_model(_city(args)).city if _is_kafka(args) else _input_of(args)[0].city
    settings = influx_settings(args.influx, args.token_file, os.environ)
    return Run(city, settings, args.run, lambda text: print(text, file=sys.stderr))


def _frames(args: argparse.Namespace) -> "Iterator[Frame]":
    """The readings that were replayed, once more."""
    from schemas.readings import Frame

    if not _is_kafka(args):
        _, source = _input_of(args)
        return (record for record in source.records() if isinstance(record, Frame))
    from runner.kafka.replaying import frames_on
    from runner.kafka.settings import kafka_settings
    from runner.model import load_model

    settings = kafka_settings(args.recording, os.environ)
    return frames_on(settings, load_model(_city(args)).city.city, moment(args.start), moment(args.end))


def _source(args: argparse.Namespace) -> "Source":
    if _is_kafka(args):
        return _kafka(args, moment(args.start), moment(args.end))
    from runner.core import Core
    from runner.replay import Thought
    from streams.causes import load_causes

    model, source = _input_of(args)
    core = Core(*model[:2], load_causes(args.causes) if args.causes else None, model.policy)
    return Thought(source, core, _Meter() if sys.stderr.isatty() else None)


def _input_of(args: argparse.Namespace) -> "tuple[Model, Input]":
    start, end = moment(args.start), moment(args.end)
    return _archived(args, start, end) if _is_archive(args) else _recorded(args, start, end)


def _is_kafka(args: argparse.Namespace) -> bool:
    return str(args.recording).startswith(("kafka://", "kafkas://"))


def _is_archive(args: argparse.Namespace) -> bool:
    return "://" in args.recording or Path(args.recording).is_dir()


def _archived(args: argparse.Namespace, start: int | None, end: int | None) -> "tuple[Model, Input]":
    from runner.extras import needs

    with needs("archive"):
        from runner.archive.reading import Range
        from runner.archive.replaying import Archived
    source = Archived(args.recording, Range(start, end), args.city)
    return source.model, source


def _recorded(args: argparse.Namespace, start: int | None, end: int | None) -> "tuple[Model, Input]":
    from runner.model import load_model
    from runner.replay import Recorded

    model = load_model(_city(args))
    return model, Recorded(Path(args.recording), model.city, start, end)


def _kafka(args: argparse.Namespace, start: int | None, end: int | None) -> "Source":
    from runner.extras import needs
    from runner.kafka.settings import kafka_settings
    from runner.model import load_model
    from streams.causes import BUILT_IN, load_causes

    with needs("kafka"):
        from runner.kafka.replaying import KafkaSource
    settings = kafka_settings(args.recording, os.environ)
    city, vocabulary, policy = load_model(_city(args))
    causes = load_causes(args.causes or BUILT_IN)
    return KafkaSource(city, vocabulary, causes, settings, start, end, policy=policy)


def _city(args: argparse.Namespace) -> Path:
    if args.city is None:
        raise BadUsage("name the city model with --city; only an archive keeps its own")
    path: Path = args.city
    return path


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
    if damaged := summary.get("damaged_files"):
        lines.append(f"{damaged} files of the archive could not be read; what they hold is left out")
    if broken := summary.get("broken_records"):
        lines.append(f"{broken} records could not be read")
    return "\n".join(lines) + "\n"


def _input(summary: dict[str, Any]) -> str:
    if "records" in summary:
        return f"{summary['records']:,} records"
    return f"{summary['intake'].get('messages', 0):,} messages"
