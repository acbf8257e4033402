"""``crosscurrent topics``: the topic table on a Kafka, made or compared.

In:  a Kafka's address.
Out: a line for each topic made, and one for each difference from the table. What is there is never changed.
Exit status: 0 all is as the table says; 1 something differs.
"""

import argparse
import os
import sys

SUMMARY = "Make the topics on Kafka, or compare what is there with the table."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and where."""
    parser.add_argument(
        "action", metavar="ACTION", choices=("create", "check"), help="create what is missing, or only check"
    )
    parser.add_argument("--kafka", metavar="ADDRESS", help="kafka://[USER@]HOST[:PORT][,...] or kafkas://...")


def run(args: argparse.Namespace) -> int:
    """Do it; 0, or 1 where something differs. Raises BadConfig, KafkaFailed, ExtraMissing."""
    from runner.extras import needs
    from runner.kafka.settings import kafka_settings

    with needs("kafka"):
        from runner.kafka.topics import TopicTable

    table = TopicTable(kafka_settings(args.kafka, os.environ))
    try:
        made = table.create() if args.action == "create" else []
        differences = table.differences()
    finally:
        table.close()
    lines = [*(f"{name}: made" for name in made), *differences]
    if not differences:
        lines.append("all topics are as the table says")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if differences else 0
