"""``crosscurrent alerts``: why people were told of an incident, and what they answer to it.

In:  explain: the folder of a replay, the data folder of ``up`` (which may be running), or a Kafka.
     acknowledge, take-over, shelve, resolve: a data folder, or a Kafka with a city model.
Out: a line for each decision and message in the order of time; or the answer, kept.
Exit status: 0; 1 where nothing is known of the incident.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.explaining import Kept
    from schemas.answers import Answer
    from schemas.city import City

SUMMARY = "Say who was told of an incident and why; acknowledge, take over, shelve or resolve it."
ACTIONS = ("explain", "acknowledge", "take-over", "shelve", "resolve")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with which incident, and where it is kept."""
    parser.add_argument("action", metavar="ACTION", choices=ACTIONS, help=", ".join(ACTIONS))
    parser.add_argument("incident", metavar="INCIDENT", help="its id; explain: or how the id begins")
    parser.add_argument("--data", metavar="DIR", type=Path, help="data folder of up; explain: or of a replay")
    parser.add_argument("--city", metavar="FILE", type=Path, help="city model: explain tells its clocks then")
    parser.add_argument("--kafka", metavar="ADDRESS", help="there, in the place of a data folder")
    parser.add_argument("--by", metavar="NAME", help="who answers")
    parser.add_argument("--note", metavar="TEXT", default="", help="why; it is kept")
    parser.add_argument("--minutes", metavar="N", type=int, help="how long it is shelved (default 60)")


def run(args: argparse.Namespace) -> int:
    """Explain or answer; 0, or 1. Raises BadConfig, BadUsage, CannotRun, KafkaFailed, OSError."""
    from runner.moments import BadUsage

    if args.action == "explain":
        return _explain(args)
    if not args.by:
        raise BadUsage(f"{args.action}: --by NAME says who answers, and is missing")
    if (args.data is None) == (args.kafka is None):
        raise BadUsage(f"{args.action}: give one of --data and --kafka, where the incident is")
    answer = _answer(args)
    if args.kafka is not None:
        _to_kafka(args, answer)
    else:
        from runner.answering import keep

        keep(args.data, answer)
    sys.stdout.write(f"{answer.answer} of {answer.incident} by {answer.by}: kept\n")
    return 0


def _explain(args: argparse.Namespace) -> int:
    from zoneinfo import ZoneInfo

    from runner.explaining import explained, kept_in
    from runner.moments import BadUsage
    from schemas.cityfile import load_city

    if (args.data is None) == (args.kafka is None):
        raise BadUsage(
            "explain: give one of --data DIR, a data folder or the folder of a replay, and --kafka"
        )
    if args.kafka is not None and args.city is None:
        raise BadUsage("explain: --kafka needs --city FILE, which says whose incident it is")
    city = load_city(args.city) if args.city else None
    kept = kept_in(args.data) if args.data else _on_kafka(args.kafka, city)
    lines = explained(kept, args.incident, ZoneInfo(city.timezone if city else "UTC"))
    if not lines:
        where = args.data or args.kafka
        sys.stdout.write(f"{where}: nothing was decided about an incident {args.incident}\n")
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _on_kafka(address: str, city: "City | None") -> "Kept":
    from runner.extras import needs
    from runner.kafka.settings import kafka_settings

    with needs("kafka"):
        from runner.kafka.explaining import kept_on

    assert city is not None, "the caller refuses --kafka without a city"
    return kept_on(kafka_settings(address, os.environ), city.city, alarms=False)


def _answer(args: argparse.Namespace) -> "Answer":
    from pydantic import ValidationError

    from runner.answering import answered
    from runner.labels import complaints
    from runner.moments import BadUsage

    try:
        return answered(
            args.incident, args.action.replace("-", " "), args.by, note=args.note, minutes=args.minutes
        )
    except ValidationError as error:
        raise BadUsage(f"{args.action}: {complaints(error)}") from error


def _to_kafka(args: argparse.Namespace, answer: "Answer") -> None:
    from runner.extras import needs
    from runner.kafka.settings import kafka_settings
    from runner.moments import BadUsage
    from schemas.cityfile import load_city

    if args.city is None:
        raise BadUsage(f"{args.action}: --kafka needs --city FILE, which says whose incident it is")
    with needs("kafka"):
        from runner.kafka.answering import keep
        from runner.kafka.plan import desk_of

    settings = kafka_settings(args.kafka, os.environ)
    city = load_city(args.city)
    keep(city.city, desk_of(city, args.city, settings), settings, answer)
