"""``crosscurrent up``: a city, watched in one process until it is told to stop."""

import argparse
import ipaddress
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.embedded import Embedded

SUMMARY = "Watch a city in one process: MQTT in, incidents and a web page out."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--city", type=Path, required=True, help="city model (city.yaml)")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="data folder (default: crosscurrent/CITY in the user's data folder, ~/.local/share)",
    )
    parser.add_argument(
        "--causes", type=Path, metavar="FILE", help="rules in the place of ours (causes.yaml)"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--broker", metavar="mqtt://HOST:PORT", help="listen at this broker, in the place of an own one"
    )
    source.add_argument("--mqtt-port", type=int, default=1883, help="port of the own broker (default 1883)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; there is no password (default loopback)"
    )
    parser.add_argument("--console-port", type=int, default=8080, help="port of the web page (default 8080)")
    parser.add_argument("--no-console", action="store_true", help="no web page")


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C (130) or SIGTERM (0). Raises BadConfig, CannotRun."""
    from runner.embedded import Embedded
    from runner.interrupts import interrupts
    from runner.serving import free_port, serve
    from schemas.cityfile import load_city
    from schemas.vocabulary import load_vocabulary
    from streams.causes import load_causes

    causes = load_causes(args.causes) if args.causes else None
    city = load_city(args.city)
    with interrupts() as caught:
        embedded = Embedded(
            city,
            load_vocabulary(beside=args.city),
            args.data or default_folder(city.city),
            broker=args.broker,
            mqtt_host=args.host,
            mqtt_port=args.mqtt_port,
            causes=causes,
            on_failure=caught.leave,
        )
        embedded.start()
        try:
            _tell(embedded, args.host)
            if args.no_console:
                signal.pause()
            else:
                port = free_port(args.host, args.console_port, "--console-port")
                serve(args.console, embedded, args.host, port, show=False)
        finally:
            embedded.stop()
    if embedded.failure is not None:
        raise embedded.failure
    return caught.status


def default_folder(city: str) -> Path:
    """Where a city's data lies when nobody says where: the user's data folder, by the XDG rules."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "crosscurrent" / city


def _tell(embedded: "Embedded", host: str) -> None:
    from runner.serving import say

    status = embedded.status()
    say(f"city     {embedded.city.city}: {len(embedded.city.sensors)} sensors")
    say(f"broker   {status.broker}")
    say(f"data     {status.folder}")
    if not _is_loopback(host):
        say(f"warning  {host} is open to the network, and nobody is asked for a password")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
