"""``crosscurrent console``: the web page of a city on Kafka: incidents, who was told and why, answers.

In:  a Kafka, a city model with its alerts.yaml; what people press.
Out: pages; answers, where the desk reads.
"""

import argparse
import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

SUMMARY = "Show a city on Kafka as a web page: incidents, who was told and why; take people's answers."
PORT = 8080


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which city, where, and where the page is."""
    parser.add_argument("--city", metavar="FILE", type=Path, required=True, help="city model (city.yaml)")
    parser.add_argument("--kafka", metavar="ADDRESS", help="kafka://[USER@]HOST[:PORT][,...] or kafkas://...")
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="a folder for what was read, to go on from (default: one that is thrown away)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; there is no password (default loopback)"
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"port of the page (default {PORT})")
    parser.add_argument(
        "--metrics", metavar="PLACE", help="serve /metrics, /health and /ready at [HOST:]PORT"
    )


def run(args: argparse.Namespace) -> int:
    """Show it until Ctrl-C (130) or SIGTERM (0). Raises BadConfig, CannotRun, KafkaFailed, ExtraMissing,
    NoSecret.
    """
    from alerts.policyfile import load_policy
    from runner.extras import needs
    from runner.interrupts import interrupts
    from runner.kafka.settings import kafka_settings
    from runner.metrics import Metrics
    from runner.serving import free_port, say, serve, warn_if_open
    from schemas.cityfile import load_city

    with needs("kafka"):
        from runner.kafka.mirror import Mirror

    settings = kafka_settings(args.kafka, os.environ)
    city = load_city(args.city)
    policy = load_policy(args.city, city)
    with interrupts() as caught, ExitStack() as stack:
        folder = args.data or Path(stack.enter_context(TemporaryDirectory(prefix="crosscurrent-console-")))
        mirror = Mirror(settings, city, args.city, policy, folder, caught.leave)
        mirror.start()
        stack.callback(mirror.stop)
        if args.metrics:
            stack.enter_context(Metrics(args.metrics, mirror.figures, lambda: mirror.up_to_date))
        say(f"city     {city.city} on {settings.address}")
        warn_if_open(args.host)
        serve(args.console, mirror, args.host, free_port(args.host, args.port, "--port"), show=False)
    if mirror.failure is not None:
        raise mirror.failure
    return caught.status
