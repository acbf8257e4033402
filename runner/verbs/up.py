"""``crosscurrent up``: a city, watched in one process until it is told to stop."""

import argparse
import importlib
import ipaddress
import os
import signal
import socket
import sys
from pathlib import Path

from runner.database import CannotRun
from runner.embedded import Embedded
from runner.interrupts import interrupts
from schemas.cityfile import load_city
from schemas.vocabulary import load_vocabulary

SUMMARY = "Watch a city in one process: MQTT in, incidents and a web page out."
PORTS_TRIED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--city", type=Path, required=True, help="city model (city.yaml)")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="data folder; where not given, crosscurrent/CITY in the user's data folder",
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
    city = load_city(args.city)
    folder = args.data or default_folder(city.city)
    with interrupts() as caught:
        embedded = Embedded(
            city,
            load_vocabulary(beside=args.city),
            folder,
            broker=args.broker,
            mqtt_host=args.host,
            mqtt_port=args.mqtt_port,
            on_failure=caught.leave,
        )
        embedded.start()
        try:
            _tell(embedded, args.host)
            if args.no_console:
                signal.pause()
            else:
                serve(args.console, embedded, args.host, free_port(args.host, args.console_port), show=False)
        finally:
            embedded.stop()
    if embedded.failure is not None:
        raise embedded.failure
    return caught.status


def default_folder(city: str) -> Path:
    """Where a city's data lies when nobody says where: the user's data folder, by the XDG rules."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "crosscurrent" / city


def free_port(host: str, wanted: int) -> int:
    """The wanted port, or the next free one after it, which it tells. Raises CannotRun where none is."""
    for port in range(wanted, wanted + PORTS_TRIED):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        if port != wanted:
            say(f"port {wanted} is taken; the console takes {port}")
        return port
    raise CannotRun(
        f"no free port on {host} from {wanted} to {wanted + PORTS_TRIED - 1} for the console; "
        "give another one with --console-port, or --no-console"
    )


def serve(console: str, embedded: Embedded, host: str, port: int, *, show: bool) -> None:
    """Serve the web page until interrupted; ``console`` is the dotted name of its module."""
    say(f"console  http://{host}:{port}")
    importlib.import_module(console).serve(embedded, host, port, show)


def say(text: str) -> None:
    """A line for people, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _tell(embedded: Embedded, host: str) -> None:
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
