"""A small web server in a thread of its own: for supervisors, and for links in messages.

In:  a function that answers a method and a path. Out: its answers.
Promises: listens on loopback unless told otherwise; nothing of a request but its method and path is used.
"""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

from runner.database import CannotRun
from runner.moments import BadUsage

LOOPBACK = "127.0.0.1"
BODY_MAX = 64 * 1024
TIMEOUT_SECONDS = 30.0
"""Whoever says nothing for so long is cut off."""


class Page(NamedTuple):
    """An answer."""

    status: int
    body: str
    kind: str = "text/plain; charset=utf-8"


class WebServer:
    """``place`` is ``[HOST:]PORT``. Raises BadUsage where it is none, CannotRun where the port is taken."""

    def __init__(self, place: str, name: str, answer: Callable[[str, str], Page]) -> None:
        """``name``: what is served, for errors."""
        host, _, port = place.rpartition(":")
        if not port.isdecimal():
            raise BadUsage(f"{place!r} is no place for {name}; expected [HOST:]PORT")

        class Handler(BaseHTTPRequestHandler):
            """Answers for one connection."""

            timeout = TIMEOUT_SECONDS

            def do_GET(self) -> None:
                """A page."""
                self._send(answer("GET", self.path))

            def do_POST(self) -> None:
                """A form without fields: what it holds is thrown away."""
                length = self.headers.get("Content-Length", "0")
                self.rfile.read(min(int(length), BODY_MAX) if length.isdecimal() else 0)
                self._send(answer("POST", self.path))

            def _send(self, page: Page) -> None:
                body = page.body.encode()
                self.send_response(page.status)
                self.send_header("Content-Type", page.kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Nobody wants a line for each question."""

        try:
            self._server = ThreadingHTTPServer((host or LOOPBACK, int(port)), Handler)
        except OSError as error:
            raise CannotRun(f"{name} can't be served at {place}: {error}; name another place") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name=name, daemon=True)

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
