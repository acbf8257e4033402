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
    from runner.kafka.collecting import KafkaLog

SUMMARY = "Bring what an MQTT broker delivers onto Kafka, acknowledged when Kafka has it."
IDLE_SECONDS = 1.0


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
            mqtt, log.store, caught.leave, batch=kafka.batch_messages, linger_seconds=linger
        )
        collector.start()
        try:
            say(f"collecting {city.city} from {mqtt.address} onto {kafka.address}")
            _tell_silence(log, args.until_idle)
            if log.stream_time is not None:
                log.pass_time(log.stream_time)  # the end of the input: what waits for time is looked at
        finally:
            log.stop()
            collector.stop()
    if collector.failure is not None:
        raise collector.failure
    counted = ", ".join(f"{name} {count:,}" for name, count in sorted(log.counts.items()))
    say(f"collected {counted or 'nothing'}")
    return caught.status


def _tell_silence(log: "KafkaLog", until_idle: float | None) -> None:
    """Where a live city is silent, let its sites know that time passes; return when idle for so long."""
    from runner.silence import time_in_silence

    while until_idle is None or time.monotonic() - log.last_received < until_idle:
        time.sleep(IDLE_SECONDS)
        if (now := time_in_silence(log.last_received, log.stream_time)) is not None:
            log.pass_time(now)
