"""``crosscurrent report``: what alarms and messages asked of people, by ISA-18.2 and EEMUA 191.

In:  the data folder of ``up``, the folder of a replay, or a Kafka; a city model.
Out: Markdown, or HTML with charts.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.explaining import Kept

SUMMARY = "Report the load of operators: rates, floods, chatter, stale alarms, bad actors, priorities."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which data, which days, in which form."""
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--data", metavar="DIR", type=Path, help="data folder of up, or folder of a replay")
    place.add_argument("--kafka", metavar="ADDRESS", help="a Kafka, in the place of a folder")
    parser.add_argument("--city", metavar="FILE", type=Path, required=True, help="city model (city.yaml)")
    parser.add_argument(
        "--days", metavar="N", type=int, default=7, help="so many days up to the newest alarm or message"
    )
    parser.add_argument(
        "--format", choices=("markdown", "html"), default="markdown", help="of the report (default: markdown)"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write it here (default: stdout)")


def run(args: argparse.Namespace) -> int:
    """Report; 0. Raises BadConfig, BadUsage, OSError."""
    from zoneinfo import ZoneInfo

    from runner.explaining import kept_in
    from runner.load import load_of
    from runner.loadreport import html, markdown
    from runner.moments import BadUsage
    from schemas.cityfile import load_city
    from schemas.times import DAY, HOUR

    if args.days < 1:
        raise BadUsage(f"--days {args.days}: expected at least 1")
    city = load_city(args.city)
    kept = kept_in(args.data) if args.data else _on_kafka(args.kafka, city.city, args.days)
    times = [*(alarm.raised for alarm in kept.alarms), *(note.at for note in kept.notifications)]
    if not times:
        raise BadUsage(f"{args.data or args.kafka}: no alarm and no message to report")
    end = (max(times) // HOUR + 1) * HOUR
    start = max(end - args.days * DAY, min(times) // HOUR * HOUR)
    write = html if args.format == "html" else markdown
    text = write(load_of(kept.alarms, kept.notifications, start, end), city.city, ZoneInfo(city.timezone))
    if args.out:
        args.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


def _on_kafka(address: str, city: str, days: int) -> "Kept":
    import time

    from runner.extras import needs
    from runner.kafka.settings import kafka_settings
    from schemas.times import DAY, SECOND

    with needs("kafka"):
        from runner.kafka.explaining import kept_on

    since = round(time.time() * SECOND) - (days + 1) * DAY  # what stands for more than a day is stale
    return kept_on(kafka_settings(address, os.environ), city, alarms=True, since=since)
