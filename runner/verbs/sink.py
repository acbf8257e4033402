"""``crosscurrent sink``: what Kafka's topics hold, to where operators look at it.

In:  a Kafka, a city model, an InfluxDB with a token that may write.
Out: a point for each fact. Offsets are committed when InfluxDB has confirmed what lies before them.
"""

import argparse
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from runner.moments import BadUsage

SUMMARY = "Write what Kafka's topics hold to InfluxDB, each fact once."
LOOK_SECONDS = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where from, where to."""
    parser.add_argument("where", metavar="WHERE", choices=("influx",), help="influx")
    parser.add_argument("--city", metavar="FILE", type=Path, required=True, help="city model (city.yaml)")
    parser.add_argument("--kafka", metavar="ADDRESS", help="kafka://[USER@]HOST[:PORT][,...] or kafkas://...")
    parser.add_argument("--influx", metavar="URL", help="http://HOST[:PORT] or https://...")
    parser.add_argument("--token-file", metavar="FILE", type=Path, help="a token that may write")
    parser.add_argument(
        "--watch",
        metavar="PART=URL",
        action="append",
        default=[],
        help="write the figures of another part too, from its page; may be repeated",
    )
    parser.add_argument(
        "--metrics", metavar="PLACE", help="serve /metrics, /health and /ready at [HOST:]PORT"
    )
    parser.add_argument(
        "--until-idle",
        metavar="SECONDS",
        type=float,
        help="end when nothing came for so long, as after a recording was played",
    )


def run(args: argparse.Namespace) -> int:
    """Write until Ctrl-C (130) or SIGTERM (0). Raises BadConfig, BadUsage, InfluxFailed, KafkaFailed."""
    from runner.extras import needs
    from runner.interrupts import interrupts
    from runner.kafka.settings import kafka_settings
    from runner.metrics import Metrics
    from runner.serving import say
    from schemas.cityfile import load_city

    with needs("influx"):
        from runner.influx.figures import Watcher
        from runner.influx.settings import influx_settings
        from runner.influx.writer import Away, Writer
    with needs("kafka"):
        from runner.influx.sink import Sink

    pages = _pages(args.watch)
    city = load_city(args.city)
    kafka = kafka_settings(args.kafka, os.environ)
    influx = influx_settings(args.influx, args.token_file, os.environ)
    with interrupts() as caught, closing(Writer(influx)) as writer:
        with suppress(Away):  # it may come later; one that refuses us is told at once
            writer.check()
        sink = Sink(kafka, city, writer, influx.batch_points, say)
        parts: list[Watcher | Metrics] = [Watcher(city.city, influx, {"sink": sink.figures}, pages)]
        if args.metrics:
            parts.append(Metrics(args.metrics, sink.figures, lambda: sink.begun))
        working = Working(sink.run, caught.leave)
        for part in (working, *parts):
            part.start()
        try:
            say(f"writing {city.city} from {kafka.address} to {influx.url}")
            while args.until_idle is None or not sink.idle_for(args.until_idle):
                time.sleep(LOOK_SECONDS)
        finally:
            for part in (working, *parts):
                part.stop()
        if working.failure is not None:
            raise working.failure
        say(f"{writer.counts['written']:,} points written, {writer.counts['refused']:,} refused")
    return caught.status


class Working:
    """Work in a thread of its own; where it fails, the process is told to end."""

    def __init__(self, work: Callable[[threading.Event], None], leave: Callable[[], None]) -> None:
        self._work, self._leave = work, leave
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name="sink")
        self.failure: Exception | None = None
        """Why it ended by itself."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let it end in order."""
        self._stopping.set()
        self._thread.join()

    def _guarded(self) -> None:
        try:
            self._work(self._stopping)
        except Exception as error:  # noqa: BLE001 - raised again by the main thread
            self.failure = error
            self._leave()


def _pages(wanted: list[str]) -> dict[str, str]:
    """Addresses of pages by the name of their part."""
    pages = dict(one.partition("=")[::2] for one in wanted)
    if not all(pages.values()):
        raise BadUsage("--watch expects PART=URL, as in --watch detect=http://127.0.0.1:9101/metrics")
    return pages
