"""``crosscurrent ledger``: from MQTT to the last word to people, is anything missing or counted twice?

In:  the topics of a Kafka, a city model; if wanted, the recording of what was published.
Out: a line for each thing missing or unexplained, by id, then a line of figures for each kind.
Exit status: 0 all is there; 1 something is missing or unexplained.
"""

import argparse
import os
import sys
from pathlib import Path

from runner.moments import BadUsage

SUMMARY = "Verify that all that follows from the readings on Kafka is there, by id."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to verify, and where."""
    parser.add_argument("action", metavar="ACTION", choices=("verify",), help="verify")
    parser.add_argument("--city", metavar="FILE", type=Path, required=True, help="city model (city.yaml)")
    parser.add_argument("--kafka", metavar="ADDRESS", help="kafka://[USER@]HOST[:PORT][,...] or kafkas://...")
    parser.add_argument(
        "--recording", metavar="FILE", type=Path, help="what was published: its readings must be on Kafka"
    )
    parser.add_argument(
        "--causes", metavar="FILE", type=Path, help="rules in the place of ours (causes.yaml)"
    )
    parser.add_argument("--from", dest="start", metavar="TIME", help="only what has its time since then")
    parser.add_argument("--to", dest="end", metavar="TIME", help="only what has its time before")
    parser.add_argument(
        "--influx", metavar="URL", help="also what this InfluxDB holds: http://HOST[:PORT] or https://..."
    )
    parser.add_argument("--token-file", metavar="FILE", type=Path, help="InfluxDB: a token that may read")
    parser.add_argument(
        "--write-token-file",
        metavar="FILE",
        type=Path,
        help="InfluxDB: a token that may write; the figures go there, for the board of the pipeline",
    )
    parser.add_argument("--twice", action="store_true", help="also list what is there twice (harmless)")


def run(args: argparse.Namespace) -> int:
    """Verify; 0, or 1. Raises BadConfig, BadUsage, KafkaFailed, InfluxFailed, ExtraMissing or OSError."""
    if args.write_token_file and not args.influx:
        raise BadUsage("--write-token-file is for an InfluxDB: name it with --influx")
    from alerts.policyfile import load_policy
    from runner.extras import needs
    from runner.kafka.settings import kafka_settings
    from runner.moments import moment
    from schemas.cityfile import load_city
    from schemas.vocabulary import load_vocabulary
    from streams.causes import load_causes

    with needs("kafka"):
        from runner.kafka.ledger import Ledger, faults, figures

    city = load_city(args.city)
    ledger = Ledger(
        city,
        load_vocabulary(beside=args.city),
        load_causes(args.causes) if args.causes else load_causes(),
        kafka_settings(args.kafka, os.environ),
        moment(args.start),
        moment(args.end),
        load_policy(args.city, city),
    )
    arrivals = ledger.arrivals()
    accounts = [*([ledger.readings(args.recording)] if args.recording else []), *ledger.conclusions()]
    if args.influx:
        with needs("influx"):
            from runner.influx.held import Held
            from runner.influx.settings import influx_settings
        settings = influx_settings(args.influx, args.token_file, os.environ)
        accounts += ledger.points(Held(settings, city.city))
    found = [*arrivals.faults(), *faults(accounts)]
    if args.write_token_file:
        with needs("influx"):
            from runner.influx.figures import written
            from runner.influx.settings import influx_settings
        settings = influx_settings(args.influx, args.write_token_file, os.environ)
        written(city.city, "ledger", settings, [*figures(accounts), *arrivals.figures()])
    lines = list(found)
    if args.twice:
        lines += [f"twice  {account.kind}  {one}" for account in accounts for one in account.twice]
    lines += arrivals.said()
    lines += [
        (
            f"{account.kind}s: {len(account.due):,} due, {len(account.there):,} there, "
            f"{len(account.missing):,} missing, {len(account.unexplained):,} unexplained, "
            f"{len(account.twice):,} twice"
        )
        for account in accounts
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found else 0
