"""What verbs with a page share: words on the terminal, free ports, the web page."""

import importlib
import ipaddress
import socket
import sys
from typing import TYPE_CHECKING

from runner.database import CannotRun

if TYPE_CHECKING:
    from runner.embedded import Embedded
    from runner.kafka.mirror import Mirror
    from runner.player.deck import Deck

PORTS_TRIED = 20


def say(text: str) -> None:
    """A line for people, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def free_port(host: str, wanted: int, option: str) -> int:
    """The wanted port, or the next free one after it, which is told. Raises CannotRun where none is.

    ``option`` is the argument that asks for another one.
    """
    for port in range(wanted, wanted + PORTS_TRIED):
        if _is_free(host, port):
            if port != wanted:
                say(f"port {wanted} is taken, so {port} it is ({option} asks for another)")
            return port
    raise CannotRun(
        f"no port from {wanted} to {wanted + PORTS_TRIED - 1} is free on {host}; "
        f"ask for another one with {option}"
    )


def any_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(console: str, system: "Embedded | Deck | Mirror", host: str, port: int, *, show: bool) -> None:
    """Serve the web page until interrupted; ``console`` is the dotted name of its module."""
    module = importlib.import_module(console)
    say(f"console  http://{host}:{port}")
    module.serve(system, host, port, show)


def warn_if_open(host: str) -> None:
    """Tell people where their page is open to others."""
    if not is_loopback(host):
        say(f"warning  {host} is open to the network, and nobody is asked for a password")


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
