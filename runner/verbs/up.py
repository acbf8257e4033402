"""``crosscurrent up``: a city, watched until it is told to stop: in one process, or on Kafka."""

import argparse
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.archive.following import Follower
    from runner.embedded import Embedded
    from runner.influx.settings import InfluxSettings
    from runner.metrics import Metrics

SUMMARY = "Watch a city: in one process, with a web page; or all that one host needs on Kafka."
ONE_PROCESS = ("mqtt_port", "archive", "archive_days")
ON_KAFKA = ("detectors", "shell", "answers")
LOOPBACK = "127.0.0.1"
MQTT_PORT, CONSOLE_PORT = 1883, 8080


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments; those of one way have no default that the other would carry along."""
    parser.add_argument("--city", type=Path, required=True, help="city model (city.yaml)")
    parser.add_argument(
        "--causes", type=Path, metavar="FILE", help="rules in the place of ours (causes.yaml)"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--broker", metavar="mqtt://HOST:PORT", help="listen at this broker, in the place of an own one"
    )
    source.add_argument("--mqtt-port", type=int, help=f"port of the own broker (default {MQTT_PORT})")
    parser.add_argument(
        "--influx", metavar="URL", help="write all to this InfluxDB too: http://HOST[:PORT] or https://..."
    )
    parser.add_argument("--token-file", metavar="FILE", type=Path, help="InfluxDB: a token that may write")
    parser.add_argument(
        "--metrics", metavar="PLACE", help="serve /metrics, /health and /ready of all at [HOST:]PORT"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="data folder (default: crosscurrent/CITY in the user's data folder, ~/.local/share; on Kafka, "
        "where only the page has one: one that is thrown away)",
    )
    parser.add_argument("--host", help="address to listen on; there is no password (default loopback)")
    parser.add_argument("--console-port", type=int, help=f"port of the web page (default {CONSOLE_PORT})")
    parser.add_argument("--no-console", action="store_true", help="no web page")
    one = parser.add_argument_group("in one process")
    one.add_argument(
        "--archive", metavar="ARCHIVE", help="keep what is received here: a folder, or an address"
    )
    one.add_argument(
        "--archive-days", type=int, metavar="N", help="days that stay in the archive (default: all)"
    )
    many = parser.add_argument_group("on Kafka")
    many.add_argument(
        "--kafka",
        metavar="ADDRESS",
        help="run collector and workers on this Kafka: kafka://[USER@]HOST[:PORT][,...] or kafkas://...",
    )
    many.add_argument(
        "--detectors", type=int, metavar="N", help="how many workers detect side by side (default 1)"
    )
    many.add_argument("--shell", choices=("faust", "kafka"), help="what carries the workers (default faust)")

    many.add_argument(
        "--answers", metavar="PLACE", help="take answers by links in messages at [HOST:]PORT/answer/..."
    )


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C (130) or SIGTERM (0). Raises BadConfig, BadUsage, CannotRun, KafkaFailed."""
    _refuse(args, ON_KAFKA if args.kafka is None else ONE_PROCESS)
    return _in_one_process(args) if args.kafka is None else _on_kafka(args)


def _refuse(args: argparse.Namespace, names: tuple[str, ...]) -> None:
    from runner.moments import BadUsage

    given = ", ".join(f"--{name.replace('_', '-')}" for name in names if getattr(args, name) is not None)
    if given:
        raise BadUsage(f"{given}: means nothing {'without' if args.kafka is None else 'with'} --kafka")
    if args.archive_days is not None and (args.archive is None or args.archive_days < 1):
        raise BadUsage("--archive-days: expected at least 1, and an --archive")
    if args.detectors is not None and args.detectors < 1:
        raise BadUsage(f"--detectors {args.detectors}: expected at least 1")


def _on_kafka(args: argparse.Namespace) -> int:
    from alerts.policyfile import load_policy
    from runner.extras import needs
    from runner.interrupts import interrupts
    from runner.kafka.settings import kafka_settings
    from runner.metrics import Metrics
    from runner.serving import say
    from runner.supervisor import Supervisor
    from schemas.cityfile import load_city
    from streams.causes import load_causes

    with needs("kafka"):
        from runner.kafka.host import services
        from runner.kafka.topics import TopicTable

    city = load_city(args.city)  # what is wrong with it is told once, not by each service
    policy = load_policy(args.city, city)
    if args.causes:
        load_causes(args.causes)
    settings = kafka_settings(args.kafka, os.environ)
    with interrupts() as caught:
        table = TopicTable(settings)
        for name in table.create():
            say(f"topic {name}: made")
        table.close()
        supervisor = Supervisor(
            services(
                args.city,
                settings,
                broker=args.broker,
                kafka=args.kafka,
                causes=args.causes,
                detectors=args.detectors or 1,
                shell=args.shell or "faust",
                answers=args.answers,
                console=None if args.no_console else _page(args),
                alerts=any(receiver.type != "console" for receiver in policy.receivers.values()),
                influx=args.influx,
                token_file=args.token_file,
                metrics=args.metrics,
            )
        )
        metrics = args.metrics and Metrics(args.metrics, supervisor.figures, supervisor.ready)
        say(f"watching {city.city} on {settings.address}; Ctrl-C ends all, in order")
        try:
            if metrics:
                metrics.start()
            supervisor.start()
            supervisor.watch()
        finally:
            supervisor.stop()
            if metrics:
                metrics.stop()
    return caught.status


def _page(args: argparse.Namespace) -> dict[str, str]:
    """What the console is told, by its arguments."""
    asked = {"--data": args.data, "--host": args.host, "--port": args.console_port}
    return {name: str(value) for name, value in asked.items() if value is not None}


def _in_one_process(args: argparse.Namespace) -> int:
    from alerts.policyfile import load_policy
    from runner.embedded import Embedded
    from runner.hours import Hours
    from runner.interrupts import interrupts
    from runner.serving import free_port, is_loopback, say, serve
    from schemas.cityfile import load_city
    from schemas.vocabulary import load_vocabulary
    from streams.causes import load_causes

    causes = load_causes(args.causes) if args.causes else None
    city = load_city(args.city)
    host = args.host or LOOPBACK
    policy = load_policy(args.city, city)
    with interrupts() as caught, ExitStack() as stack:
        embedded = Embedded(
            city,
            load_vocabulary(beside=args.city),
            args.data or default_folder(city.city),
            broker=args.broker,
            mqtt_host=host,
            mqtt_port=MQTT_PORT if args.mqtt_port is None else args.mqtt_port,
            causes=causes,
            policy=policy,
            influx=_influx(args),
            send=True,
            on_failure=caught.leave,
        )
        follower = _follower(args, embedded)
        if is_loopback(host):  # a player answers there alone
            embedded.hours = Hours(embedded.store.folder, args.city, args.causes, args.archive)
        metrics = _metrics(args, embedded)
        embedded.start()
        try:
            _tell(embedded, host)
            if metrics:
                say(f"metrics  {stack.enter_context(metrics).address}")
            if follower:
                say(f"archive  {args.archive}")
                follower.start()
            if args.no_console:
                signal.pause()
            else:
                wanted = CONSOLE_PORT if args.console_port is None else args.console_port
                port = free_port(host, wanted, "--console-port")
                serve(args.console, embedded, host, port, show=False)
        finally:
            stack.close()
            if follower:
                follower.stop()
            embedded.stop()
    if embedded.failure is not None:
        raise embedded.failure
    return caught.status


def _metrics(args: argparse.Namespace, embedded: "Embedded") -> "Metrics | None":
    """Where figures are to be had, if anywhere."""
    from runner.metrics import Metrics

    if args.metrics is None:
        return None
    try:
        return Metrics(args.metrics, embedded.figures, lambda: embedded.failure is None)
    except BaseException:
        embedded.store.close()
        raise


def _influx(args: argparse.Namespace) -> "InfluxSettings | None":
    """Which InfluxDB, if any."""
    if args.influx is None:
        return None
    from runner.extras import needs

    with needs("influx"):
        from runner.influx.settings import influx_settings
    return influx_settings(args.influx, args.token_file, os.environ)


def _follower(args: argparse.Namespace, embedded: "Embedded") -> "Follower | None":
    """Who brings the log into an archive; None where none is wanted."""
    from runner.extras import needs
    from runner.serving import say

    if args.archive is None:
        return None
    with needs("archive"):
        from runner.archive.following import Follower
        from runner.archive.place import Place
        from runner.archive.writing import KeptModel
    try:
        model = KeptModel.of(embedded.city, args.city)
        return Follower(
            embedded.store.log, embedded.store.folder, Place(args.archive), model, say, args.archive_days
        )
    except BaseException:
        embedded.store.close()
        raise


def default_folder(city: str) -> Path:
    """Where a city's data lies when nobody says where: the user's data folder, by the XDG rules."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "crosscurrent" / city


def _tell(embedded: "Embedded", host: str) -> None:
    from runner.serving import say, warn_if_open

    status = embedded.status()
    say(f"city     {embedded.city.city}: {len(embedded.city.sensors)} sensors")
    say(f"broker   {status.broker}")
    say(f"data     {status.folder}")
    warn_if_open(host)
