"""``crosscurrent stream``: the thinking, carried by Kafka.

In:  a Kafka, a city model.
Out: alarms, incidents and notifications on their topics. Any number of workers share the partitions.
"""

import argparse
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.kafka.faustworker import FaustWorker
    from runner.kafka.settings import KafkaSettings
    from runner.kafka.worker import Worker
    from schemas.city import City

SUMMARY = "Think on Kafka: readings to alarms, alarms to incidents and notifications."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which stage, where, and under which rules."""
    parser.add_argument(
        "stage",
        metavar="STAGE",
        choices=("detect", "correlate", "all"),
        help="detect (readings to alarms), correlate (alarms to incidents), or all",
    )
    parser.add_argument("--city", metavar="FILE", type=Path, required=True, help="city model (city.yaml)")
    parser.add_argument("--kafka", metavar="ADDRESS", help="kafka://[USER@]HOST[:PORT][,...] or kafkas://...")
    parser.add_argument(
        "--causes", metavar="FILE", type=Path, help="rules in the place of ours (causes.yaml)"
    )
    parser.add_argument(
        "--shell",
        metavar="SHELL",
        choices=("faust", "kafka"),
        default="faust",
        help="what carries the work: faust (default), or kafka, the plain client",
    )
    parser.add_argument(
        "--metrics", metavar="PLACE", help="serve /metrics, /health and /ready at [HOST:]PORT"
    )


def run(args: argparse.Namespace) -> int:
    """Work until Ctrl-C (130) or SIGTERM (0). Raises BadConfig, KafkaFailed, ExtraMissing."""
    from runner.interrupts import interrupts
    from runner.kafka.settings import kafka_settings
    from runner.metrics import Metrics
    from runner.serving import say
    from schemas.cityfile import load_city

    settings = kafka_settings(args.kafka, os.environ)
    city = load_city(args.city)
    failures: list[Exception] = []
    with interrupts() as caught:
        stopping = threading.Event()
        workers = _workers(args, settings, city)
        threads = [
            threading.Thread(target=_guarded, args=(worker.run, stopping, failures, caught.leave))
            for worker in workers
        ]
        carriers = [worker.carrier for worker in workers]
        metrics = args.metrics and Metrics(
            args.metrics,
            lambda: (figure for carrier in carriers for figure in carrier.figures()),
            lambda: all(carrier.begun for carrier in carriers),
        )
        if metrics:
            metrics.start()
        for thread in threads:
            thread.start()
        try:
            say(f"{args.stage} of {city.city} on {settings.address}")
            stopping.wait()
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
            if metrics:
                metrics.stop()
    if failures:
        raise failures[0]
    return caught.status


def _guarded(
    work: Callable[[threading.Event], None],
    stopping: threading.Event,
    failures: list[Exception],
    leave: Callable[[], None],
) -> None:
    """Work, and make the process end where that ends, however it does."""
    try:
        work(stopping)
    except Exception as error:  # noqa: BLE001 - raised again by the main thread
        failures.append(error)
    finally:
        if not stopping.is_set():
            leave()


def _workers(
    args: argparse.Namespace, settings: "KafkaSettings", city: "City"
) -> "list[Worker | FaustWorker]":
    """The workers that were asked for."""
    from alerts.policyfile import load_policy
    from runner.extras import needs
    from schemas.memory import building
    from schemas.vocabulary import load_vocabulary
    from streams.causes import load_causes

    with needs("kafka"):
        from runner.kafka.plan import Plan

        shell = _shell(args.shell)

    causes = load_causes(args.causes) if args.causes else load_causes()
    with building():
        plan = Plan(city, load_vocabulary(beside=args.city), causes, settings, load_policy(args.city, city))
        stages = plan.detect() if args.stage in {"detect", "all"} else []
        stages += plan.correlate() if args.stage in {"correlate", "all"} else []
        return [shell(settings, city.city, stage) for stage in stages]


def _shell(name: str) -> "type[Worker | FaustWorker]":
    """The class that carries the work; the other one's library is not imported."""
    if name == "faust":
        from runner.kafka.faustworker import FaustWorker

        return FaustWorker
    from runner.kafka.worker import Worker

    return Worker
