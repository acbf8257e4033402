"""``crosscurrent replay``: what was recorded, archived or written to Kafka, thought about anew.

In:  a recording, an archive, a data folder or a Kafka, and a city model; what shall be otherwise; a pace.
Out: the files of ``runner.replay``; on the terminal what they hold, or the summary as JSON.
"""

import argparse
import hashlib
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from runner.moments import BadUsage, moment
from runner.verbs.play import rate

if TYPE_CHECKING:
    from runner.core import Outputs
    from runner.influx.runs import Run
    from runner.playing import Pace
    from runner.replay import Thought
    from runner.sources import Asked

SUMMARY = "Replay a recording into alarms, incidents and notifications; the same bytes at every run."
WHAT_IF = ("settings", "without", "dropped", "delays", "zones", "utilities")
PLAYING = ("topics", "rate", "start_paused", "loop", "until_incident")
NOT_ASKED = (
    *("out", "json", "console", "rate", "start_paused", "loop", "influx", "token_file", "run"),
    *("watched", "at", "console_port", "no_browser"),
)
"""Arguments that make no other results."""
ALONE = ("json", "loop", "until_incident", "influx")
"""Arguments that mean nothing in the console."""
WATCHED_RATE, WATCHED_RATE_MAX = 60.0, 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to replay, the city model, where the results go, and the rules."""
    parser.add_argument(
        "recording",
        metavar="RECORDING",
        help="*.jsonl, *.jsonl.gz or *.jsonl.zst; an archive (a folder or an address); the data folder of up;"
        " or the readings of a Kafka, kafka://[USER@]HOST[:PORT][,...]",
    )
    parser.add_argument(
        "--city", metavar="FILE", type=Path, help="the city model (an archive: default is the one it keeps)"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="where the results go (default: replays/RUN, which is told)"
    )
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
    _add_what_if(parser.add_argument_group("what if"))
    _add_playing(parser.add_argument_group("playing"))
    _add_watched(parser.add_argument_group("in the browser (not of a Kafka)"))


def _add_what_if(group: "argparse._ArgumentGroup") -> None:
    changes = (
        (
            "--set",
            "settings",
            "SENSOR.FIELD=VALUE",
            "another limit, delay or deadband: pump-3/pressure.low=2.1",
        ),
        ("--without", "without", "'ASSET WHAT'", "as if a condition or an event never was: 'feeder-7 dead'"),
        ("--drop", "dropped", "SENSOR", "as if a sensor had never been there"),
        ("--delay", "delays", "UTILITY=TIME", "as if its messages had come so much later: water=20m"),
        ("--zone", "zones", "ZONE", "only the assets of a zone"),
        ("--utility", "utilities", "UTILITY", "only the assets of a utility"),
    )
    for option, dest, metavar, meaning in changes:
        group.add_argument(option, dest=dest, metavar=metavar, action="append", default=[], help=meaning)


def _add_playing(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--topics", metavar="FILTER", action="append", default=[], help="recordings: MQTT topics"
    )
    group.add_argument(
        "--rate", type=rate, help="times real time, or max: with keys on a terminal (default: max, no keys)"
    )
    group.add_argument("--start-paused", action="store_true", help="wait for the space bar (a terminal)")
    group.add_argument("--loop", action="store_true", help="again and again, until q or Ctrl-C")
    group.add_argument(
        "--until-incident", metavar="ID", help="end when this incident is told (its first letters)"
    )


def _add_watched(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--console", dest="watched", action="store_true", help="play it in the console, until Ctrl-C"
    )
    group.add_argument("--at", metavar="TIME", help="the moment to begin at (default: the first)")
    group.add_argument("--console-port", type=int, default=8080, help="the page's port (default 8080)")
    group.add_argument("--no-browser", action="store_true", help="don't open a browser")


def run(args: argparse.Namespace) -> int:
    """Replay and print; 0. Raises CrosscurrentError or OSError where something can't be used."""
    from runner.replay import put_down
    from runner.sources import Asked, frames, on_kafka
    from runner.whatif import WhatIf
    from streams.causes import BUILT_IN, load_causes

    asked = Asked(
        args.recording,
        args.city,
        moment(args.start),
        moment(args.end),
        tuple(args.topics),
        WhatIf(**{name: tuple(getattr(args, name)) for name in WHAT_IF}),
    )
    _refuse(args)
    out = args.out or Path("replays") / _run_id(args)
    if args.watched:
        return _watch(args, asked, out)
    points = _points(args, asked)
    tell = points.take if points else None
    if asked.is_kafka and not any(getattr(args, name) for name in (*WHAT_IF, *PLAYING)):
        summary = put_down(on_kafka(asked, load_causes(args.causes or BUILT_IN)), out, tell)
    else:
        summary = _play(args, asked, out, tell)
    if points:
        points.readings(frames(asked))
        points.finish()
    for faults in ("first_broken_lines", "first_broken_records", "first_damaged_files"):
        for fault in summary.get(faults, ()):
            print(f"{args.recording}: {fault}", file=sys.stderr)
    for name, hits in summary.get("taken_out", {}).items():
        if not hits:
            print(f"--without {name!r} took nothing out: it never came", file=sys.stderr)
    sys.stdout.write(json.dumps(summary, indent=1) + "\n" if args.json else _said(summary, out))
    return 0


def _refuse(args: argparse.Namespace) -> None:
    if args.influx and (args.loop or args.rate or args.start_paused):
        raise BadUsage("--influx takes one replay right through; leave out --loop, --rate, --start-paused")
    given = [f"--{name.replace('_', '-')}" for name in ALONE if getattr(args, name)]
    if args.watched and given:
        raise BadUsage(f"{', '.join(given)}: means nothing with --console")
    if args.at and not args.watched:
        raise BadUsage("--at is where --console begins; --from leaves out what was received before")


def _watch(args: argparse.Namespace, asked: "Asked", out: Path) -> int:
    """Play it in the console until Ctrl-C (130) or SIGTERM (0)."""
    from runner.interrupts import interrupts
    from runner.player.deck import Deck
    from runner.serving import free_port, say, serve
    from runner.verbs.demo import HOST, has_display
    from streams.causes import BUILT_IN, load_causes

    rate_wanted = WATCHED_RATE if args.rate is None else args.rate
    with interrupts() as caught, ExitStack() as kept:
        if asked.is_kafka:
            out.mkdir(parents=True, exist_ok=True)
            asked = _brought(asked, kept.enter_context(TemporaryDirectory(prefix=".kafka-", dir=out)))
        deck = Deck(
            asked,
            load_causes(args.causes or BUILT_IN),
            out,
            rate=min(rate_wanted, WATCHED_RATE_MAX),
            paused=args.start_paused,
            at=moment(args.at) or 0,
        )
        try:
            deck.start()
            say(f"replay   {asked.name}; results in {out}")
            port = free_port(HOST, args.console_port, "--console-port")
            serve(args.console, deck, HOST, port, show=not args.no_browser and has_display())
        finally:
            deck.stop()
    if deck.failure is not None:
        raise deck.failure
    return caught.status


def _brought(asked: "Asked", folder: str) -> "Asked":
    """What a Kafka holds now as an archive in a folder: a player reads it as often as it likes."""
    from runner.extras import needs

    with needs("archive"):
        from runner.archive.bringing import bring
        from runner.archive.place import Place
    from runner.whatif import WhatIf

    source, _, batches = bring(Place(folder), replace(asked, what=WhatIf()))
    _tell(f"{source.name}: {sum(batch.numbers for batch in batches):,} records brought")
    for fault in source.counts()["first_broken_records"]:
        _tell(f"{source.name}: {fault}")
    return replace(asked, name=folder, start=None, end=None, called=source.name)


def _points(args: argparse.Namespace, asked: "Asked") -> "Run | None":
    """The way to an InfluxDB, if it was asked for."""
    if args.influx is None:
        return None
    from runner.extras import needs
    from runner.model import load_model
    from runner.sources import opened

    with needs("influx"):
        from runner.influx.runs import Run
        from runner.influx.settings import influx_settings

    city = load_model(asked.city_file).city if asked.is_kafka else opened(asked).model.city
    settings = influx_settings(args.influx, args.token_file, os.environ)
    return Run(city, settings, args.run, lambda text: print(text, file=sys.stderr))


def _play(
    args: argparse.Namespace, asked: "Asked", out: Path, tell: "Callable[[Outputs], None] | None"
) -> dict[str, Any]:
    """Replay, as often as is asked for; the summary of the last time."""
    from runner.playing import Keys, Pace, Rewind
    from runner.replay import NothingToReplay, put_down

    with Keys() as keys:
        if args.start_paused and not keys.there:
            raise BadUsage("--start-paused waits for the space bar: it needs a terminal")
        paced = args.rate is not None or args.start_paused
        pace = Pace(keys, args.rate or math.inf, paused=args.start_paused, tell=_tell) if paced else None
        summary: dict[str, Any] = {}
        while True:
            source, began = _thought(args, asked, pace), time.monotonic()
            try:
                summary = put_down(source, out, tell)
            except Rewind as wanted:
                assert pace is not None, "only keys rewind"
                pace.go_to(wanted.at)
                continue
            except NothingToReplay:
                if summary and pace and pace.ended:  # at the beginning of another round
                    return summary
                raise
            span = (source.stream_time or 0) - (source.began or 0)
            reached = pace.rate_reached if pace else span / 1000 / (time.monotonic() - began)
            _tell(f"{span / 3_600_000:.1f} h replayed, at {_times(reached)} times real time")
            if args.until_incident and not source.met:
                raise BadUsage(
                    f"--until-incident {args.until_incident}: no such incident was told; all "
                    f"{source.incidents} are in {out}"
                )
            if not args.loop or (pace and pace.ended):
                return summary


def _times(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def _tell(text: str) -> None:
    print(f"{text}\033[K" if sys.stderr.isatty() else text, file=sys.stderr, flush=True)


def _thought(args: argparse.Namespace, asked: "Asked", pace: "Pace | None") -> "Thought":
    from runner.core import Core
    from runner.playing import Paced
    from runner.replay import Thought
    from runner.sources import opened
    from streams.causes import load_causes

    blocks = args.until_incident is None  # else it is to end with the frame that brings the incident
    model, source, never = opened(asked, fine=pace is not None, blocks=blocks)
    core = Core(
        *model[:2], load_causes(args.causes) if args.causes else None, model.policy, never, told=source.told
    )
    meter = _Meter() if sys.stderr.isatty() else None
    return Thought(Paced(source, pace) if pace else source, core, meter, args.until_incident)


def _run_id(args: argparse.Namespace) -> str:
    """A name for what is asked: the same question has the same one."""
    asked = {name: str(value) for name, value in sorted(vars(args).items()) if name not in NOT_ASKED}
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", Path(args.recording).name.split(".jsonl")[0]) or "replay"
    return f"{name}-{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:8]}"


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
