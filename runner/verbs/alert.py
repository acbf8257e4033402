"""``crosscurrent alert``: notifications on Kafka to people. Any number of replicas share the work.

In:  a Kafka, a city model with its alerts.yaml.
Out: messages through the receivers; what came of each, on its topic.
"""

import argparse
import os
import threading
from pathlib import Path

SUMMARY = "Send what Kafka holds for people; replicas share the work, and page nobody twice."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, and for which city."""
    parser.add_argument(
        "--city",
        metavar="FILE",
        type=Path,
        required=True,
        help="city model; the alerts.yaml beside it counts",
    )
    parser.add_argument("--kafka", metavar="ADDRESS", help="kafka://[USER@]HOST[:PORT][,...] or kafkas://...")
    parser.add_argument(
        "--metrics", metavar="PLACE", help="serve /metrics, /health and /ready at [HOST:]PORT"
    )


def run(args: argparse.Namespace) -> int:
    """Work until Ctrl-C (130) or SIGTERM (0). Raises BadConfig, KafkaFailed, ExtraMissing, NoSecret."""
    from alerts.policyfile import load_policy
    from runner.extras import needs
    from runner.interrupts import interrupts
    from runner.kafka.settings import kafka_settings
    from runner.metrics import Metrics
    from runner.serving import say
    from schemas.cityfile import load_city

    with needs("kafka"):
        from runner.kafka.alerting import AlertWorker

    settings = kafka_settings(args.kafka, os.environ)
    city = load_city(args.city)
    failures: list[Exception] = []
    with interrupts() as caught:
        worker = AlertWorker(settings, city.city, load_policy(args.city, city))
        metrics = args.metrics and Metrics(args.metrics, worker.figures, lambda: worker.begun)
        stopping = threading.Event()

        def work() -> None:
            try:
                worker.run(stopping)
            except Exception as error:  # noqa: BLE001 - raised again by the main thread
                failures.append(error)
                caught.leave()

        thread = threading.Thread(target=work, name="alert")
        if metrics:
            metrics.start()
        thread.start()
        try:
            say(f"sending for {city.city} on {settings.address}")
            stopping.wait()
        finally:
            stopping.set()
            thread.join()
            if metrics:
                metrics.stop()
    if failures:
        raise failures[0]
    return caught.status
