"""``crosscurrent collect``: what an MQTT broker delivers, onto Kafka.

In:  a broker, a Kafka, a city model.
Out: frames, events and dead letters on Kafka. A message is acknowledged when Kafka has what came of it.
"""

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.mqtt import Collector
    from runner.kafka.collecting import KafkaLog
    from runner.livetime import LiveTime
    from runner.metrics import Figure

SUMMARY = "Bring what an MQTT broker delivers onto Kafka, acknowledged when Kafka has it."
LOOK_SECONDS = 0.25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where from, where to, and who we are."""
    parser.add_argument("--city", metavar="FILE", type=Path, required=True, help="city model (city.yaml)")
    parser.add_argument("--broker", metavar="ADDRESS", help="mqtt://[USER@]HOST[:PORT] or mqtts://...")
    parser.add_argument("--kafka", metavar="ADDRESS", help="kafka://[USER@]HOST[:PORT][,...] or kafkas://...")
    parser.add_argument(
        "--name", default="1", help="this collector's own among those of its city, stable over restarts"
    )
    parser.add_argument(
        "--share", metavar="GROUP", help="share the messages with all collectors of this group"
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
    """Collect until Ctrl-C (130) or SIGTERM (0). Raises BadConfig, BrokerFailed, KafkaFailed."""
    from collectors.mqtt import Collector
    from collectors.settings import MqttSettings, mqtt_settings
    from runner.extras import needs
    from runner.interrupts import interrupts
    from runner.kafka.settings import kafka_settings
    from runner.livetime import LiveTime
    from runner.metrics import Metrics
    from runner.serving import say
    from schemas.cityfile import load_city

    with needs("kafka"):
        from runner.kafka.collecting import KafkaLog

    city = load_city(args.city)
    kafka = kafka_settings(args.kafka, os.environ)
    mqtt = mqtt_settings(args.broker, os.environ, client_id=f"crosscurrent-{city.city}-{args.name}")
    if args.share:
        shared = tuple(f"$share/{args.share}/{topic}" for topic in mqtt.topics)
        mqtt = MqttSettings(**{**dict(mqtt), "topics": shared})
    with interrupts() as caught:
        log = KafkaLog(city, kafka, args.name)
        linger = kafka.linger_ms / 1000
        collector = Collector(
            mqtt,
            log.store,
            caught.leave,
            batch=kafka.batch_messages,
            linger_seconds=linger,
            on_dropped=log.note_dropped,
        )
        metrics = args.metrics and Metrics(
            args.metrics, lambda: _figures(log, collector), lambda: collector.counts.connections > 0
        )
        if metrics:
            metrics.start()
        collector.start()
        try:
            say(f"collecting {city.city} from {mqtt.address} onto {kafka.address}")
            _tell_time(log, LiveTime(city), args.until_idle)
            if log.stream_time is not None:
                log.pass_time(log.stream_time)  # the end of the input: what waits for time is looked at
        finally:
            log.stop()
            collector.stop()
            if metrics:
                metrics.stop()
    if collector.failure is not None:
        raise collector.failure
    counted = ", ".join(f"{name} {count:,}" for name, count in sorted(log.counts.items()))
    say(f"collected {counted or 'nothing'}")
    return caught.status


def _figures(log: "KafkaLog", collector: "Collector") -> "Iterator[Figure]":
    """How it goes."""
    from runner.metrics import Figure, stream_time

    counts = log.counts
    for result in ("accepted", "refused", "flooded"):
        says = "Messages, by what became of them."
        yield Figure(
            "crosscurrent_messages_total", "counter", says, counts.get(result, 0), {"result": result}
        )
    yield Figure("crosscurrent_readings_total", "counter", "Readings let in.", counts.get("readings", 0))
    for result in ("committed", "given_up"):
        says = "Transactions; those given up were tried again."
        count = log.transactions[result]
        yield Figure("crosscurrent_transactions_total", "counter", says, count, {"result": result})
    says = "Connections to the MQTT broker since the start."
    yield Figure("crosscurrent_connections_total", "counter", says, collector.counts.connections)
    yield Figure("crosscurrent_outstanding_messages", "gauge", "Messages that wait.", collector.waiting)
    yield Figure("crosscurrent_outstanding_bound", "gauge", "Most that may wait.", collector.bound)
    oldest = collector.oldest
    says = "For how long the oldest message has not been acknowledged."
    age = 0.0 if oldest is None else max(0.0, time.time() - oldest / 1000)
    yield Figure("crosscurrent_oldest_unacknowledged_seconds", "gauge", says, age)
    if log.dropped is not None:
        says = "Messages that the MQTT broker dropped since it began, for whomever they were."
        yield Figure("crosscurrent_broker_dropped_messages_total", "counter", says, log.dropped)
    if (now := log.stream_time) is not None:
        yield from stream_time(now)


def _tell_time(log: "KafkaLog", live: "LiveTime", until_idle: float | None) -> None:
    """In a live city, let its sites know that time passes; return when idle for so long."""
    while until_idle is None or time.monotonic() - log.last_received < until_idle:
        time.sleep(LOOK_SECONDS)
        if (now := live.tick(log.last_received, log.stream_time)) is not None:
            log.pass_time(now)
