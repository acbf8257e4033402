"""``crosscurrent alert``: notifications on Kafka to people. Any number of replicas share the work.

In:  a Kafka, a city model with its alerts.yaml.
Out: messages through the receivers; what came of each, on its topic; people's answers, where links lead here;
     a sign of life to an address outside.
"""

import argparse
import os
import threading
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.kafka.settings import KafkaSettings
    from runner.kafka.stages import Stage
    from runner.linkpage import LinkDoor
    from schemas.alerting import Heartbeat, Policy

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
    parser.add_argument(
        "--answers", metavar="PLACE", help="take answers by links in messages at [HOST:]PORT/answer/..."
    )


def run(args: argparse.Namespace) -> int:
    """Work until Ctrl-C (130) or SIGTERM (0). Raises BadConfig, BadUsage, KafkaFailed, ExtraMissing,
    NoSecret.
    """
    from alerts.policyfile import load_policy
    from runner.extras import needs
    from runner.interrupts import interrupts
    from runner.kafka.settings import kafka_settings
    from runner.loadwatch import LoadWatch
    from runner.metrics import Metrics
    from runner.serving import say
    from schemas.cityfile import load_city

    with needs("kafka"):
        from runner.kafka.alerting import AlertWorker
        from runner.kafka.plan import desk_of
        from runner.kafka.tailing import Tail

    settings = kafka_settings(args.kafka, os.environ)
    city = load_city(args.city)
    policy = load_policy(args.city, city)
    failures: list[Exception] = []
    with interrupts() as caught, ExitStack() as stack:
        worker = AlertWorker(settings, city.city, policy)
        stopping = threading.Event()

        def work() -> None:
            try:
                worker.run(stopping)
            except Exception as error:  # noqa: BLE001 - raised again by the main thread
                failures.append(error)
                caught.leave()

        if args.metrics:
            watch = LoadWatch()
            stack.enter_context(Tail(settings, city.city, watch))
            stack.enter_context(
                Metrics(args.metrics, lambda: chain(worker.figures(), watch.figures()), lambda: worker.begun)
            )
        if args.answers or policy.heartbeat:
            desk = desk_of(city, args.city, settings)
            if args.answers:
                door = stack.enter_context(_door(args.answers, policy, settings, city.city, desk))
                say(f"answers  {door.address}/answer/...")
            if policy.heartbeat:
                stack.enter_context(_beating(policy.heartbeat, settings, city.city, desk))
        thread = threading.Thread(target=work, name="alert")
        thread.start()
        try:
            say(f"sending for {city.city} on {settings.address}")
            stopping.wait()
        finally:
            stopping.set()
            thread.join()
    if failures:
        raise failures[0]
    return caught.status


def _door(place: str, policy: "Policy", settings: "KafkaSettings", city: str, desk: "Stage") -> "LinkDoor":
    """Takes answers to what the links in messages offer."""
    from runner.answering import signer_of
    from runner.kafka.answering import keep
    from runner.linkpage import LinkDoor, LinkPages
    from runner.moments import BadUsage

    signer = signer_of(policy)
    if signer is None:
        raise BadUsage("--answers: the alerts.yaml has no links to answer by (links: answers and secret)")
    pages = LinkPages(signer, "incident {}".format, lambda answer: keep(city, desk, settings, answer))
    return LinkDoor(place, pages)


@contextmanager
def _beating(heartbeat: "Heartbeat", settings: "KafkaSettings", city: str, desk: "Stage") -> "Iterator[None]":
    """A sign of life for as long as the desk gets on, and we are there."""
    from runner.kafka.pulse import Pulse
    from runner.sending.heart import Heart

    pulse, heart = Pulse(settings, city, desk), Heart(heartbeat)
    heart.start(pulse)
    try:
        yield
    finally:
        heart.stop()
        pulse.close()
