"""``crosscurrent dlq``: what was refused, why, and once more.

In:  a Kafka; for sending again an MQTT broker.
Out: a line for each letter, or one letter whole; letters that are sent again go to the topics they came from.
Exit status: 0 done; 1 a letter is not there, or can't be sent again.
"""

import argparse
import base64
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.kafka.letters import Letter

SUMMARY = "List, show, or send again the messages that Kafka's collectors refused."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with which letters."""
    parser.add_argument(
        "action", metavar="ACTION", choices=("list", "show", "redrive"), help="list, show or redrive"
    )
    parser.add_argument("letters", metavar="LETTER", nargs="*", help="ids, as 'dlq list' shows them")
    parser.add_argument("--kafka", metavar="ADDRESS", help="kafka://[USER@]HOST[:PORT][,...] or kafkas://...")
    parser.add_argument(
        "--broker", metavar="ADDRESS", help="redrive: mqtt://[USER@]HOST[:PORT] or mqtts://..."
    )
    parser.add_argument("--all", action="store_true", help="redrive: all letters (between --from and --to)")
    parser.add_argument("--from", dest="start", metavar="TIME", help="only what was written since then")
    parser.add_argument("--to", dest="end", metavar="TIME", help="only what was written before")


def run(args: argparse.Namespace) -> int:
    """Do it; 0, or 1. Raises BadConfig, BadUsage, BrokerFailed, KafkaFailed, ExtraMissing."""
    from runner.extras import needs
    from runner.kafka.settings import kafka_settings
    from runner.moments import BadUsage, moment

    with needs("kafka"):
        from runner.kafka.letters import chosen, letters

    if args.action == "list" and args.letters:
        raise BadUsage("'dlq list' lists all letters; 'dlq show LETTER...' shows some")
    if args.action == "show" and not args.letters:
        raise BadUsage("'dlq show' needs ids, as 'dlq list' shows them")
    if args.action == "redrive" and bool(args.letters) == args.all:
        raise BadUsage("'dlq redrive' needs either ids or --all")
    settings = kafka_settings(args.kafka, os.environ)
    found = letters(settings, moment(args.start), moment(args.end))
    if args.action == "list":
        for letter in found:
            sys.stdout.write(_line(letter))
        return 0
    there, missing = (list(found), []) if args.all else chosen(found, args.letters)
    for one in missing:
        print(f"there is no letter {one}", file=sys.stderr)
    if args.action == "show":
        sys.stdout.write("\n".join(map(_whole, there)))
        return 1 if missing else 0
    return max(1 if missing else 0, _redrive(there, args.broker))


def _redrive(there: "list[Letter]", address: str | None) -> int:
    from collectors.settings import mqtt_settings
    from runner.kafka.letters import send_again

    kept = [letter for letter in there if letter.why_not_again is not None]
    for letter in kept:
        print(f"{letter.id} was not sent again: {letter.why_not_again}", file=sys.stderr)
    sent = send_again(there, mqtt_settings(address, os.environ, client_id="crosscurrent-redrive"))
    sys.stdout.write(f"{sent} sent again\n")
    return 1 if kept else 0


def _line(found: "Letter") -> str:
    from schemas.times import rfc3339

    letter = found.letter
    return f"{found.id}  {rfc3339(letter.received)}  {letter.topic!a}  {letter.reason}\n"


def _whole(found: "Letter") -> str:
    from schemas.times import rfc3339

    letter = found.letter
    try:
        payload = letter.payload.decode()
    except UnicodeDecodeError:
        payload = f"base64 {base64.b64encode(letter.payload).decode()}"
    return (
        f"letter    {found.id}\nreceived  {rfc3339(letter.received)}\ntopic     {letter.topic!a}\n"
        f"reason    {letter.reason}\nsize      {letter.size} bytes\npayload   {payload}\n"
    )
