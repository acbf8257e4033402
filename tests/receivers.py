"""Receivers for the tests of sending: an HTTP server that fails as it is told, a mail server, messages."""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from schemas.alarms import Severity
from schemas.notifications import Notification
from schemas.times import MINUTE, SECOND

Way = Literal["well", "busy", "redirect", "late", "cut"]


class Request(NamedTuple):
    """One request, when it came (monotonic seconds), and whether it was answered as it should be."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    well: bool
    at: float

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Hook:
    """An HTTP receiver. ``failing`` is the share of requests that go wrong, each in one of four ways;
    ``late`` and ``slow`` are how many seconds a late answer, and any other, takes.
    """

    def __init__(self, failing: float = 0.0, late: float = 1.0, seed: int = 1, slow: float = 0.0) -> None:
        self.failing, self._late, self._slow = failing, late, slow
        self._random = random.Random(seed)
        self._door = threading.Lock()
        self.requests: list[Request] = []
        self.redirected = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                came = time.monotonic()
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                way = hook._way()
                if self.path == "/elsewhere":
                    hook.redirected += 1
                time.sleep(hook._late if way == "late" else hook._slow)
                with hook._door:
                    hook.requests.append(
                        Request(self.command, self.path, dict(self.headers), body, way == "well", came)
                    )
                if way == "cut":
                    self.close_connection = True
                    return
                self.send_response({"busy": 503, "redirect": 302}.get(way, 200))
                if way == "redirect":
                    self.send_header("Location", "/elsewhere")
                said = hook.answer(self.command, self.path, body)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_POST = do_GET = do_PATCH = handle_one  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients that gave up on a late answer are expected."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """What it says to a request."""
        return b"{}"

    def _way(self) -> Way:
        with self._door:
            if self._random.random() >= self.failing:
                return "well"
            return self._random.choice(["busy", "redirect", "late", "cut"])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Mailbox:
    """What a mail server has taken; the share ``failing`` of all messages it puts off."""

    def __init__(self, failing: float = 0.0) -> None:
        self.failing = failing
        self._random = random.Random(1)
        self.messages: list[Message[str, str]] = []

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a message, or put it off."""
        if self._random.random() < self.failing:
            return "451 try again later"
        content = envelope.content
        assert isinstance(content, bytes)
        self.messages.append(message_from_bytes(content))
        return "250 taken"


@contextmanager
def mail_server(port: int, failing: float = 0.0) -> Iterator[Mailbox]:
    """A real SMTP server on loopback."""
    mailbox = Mailbox(failing)
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def message(
    number: int,
    kind: Literal["opened", "updated", "escalated", "reminded", "resolved"] = "opened",
    to: str = "desk",
    age: float = 0.0,
    severity: Severity = Severity.WARNING,
) -> Notification:
    """A message of a thread; ``age``: minutes."""
    now = round(time.time() * SECOND)
    return Notification(
        id=f"{number}-{kind}-{to}",
        incident=f"i-{number}",
        kind=kind,
        at=now - round(age * MINUTE),
        to=to,
        reason="a test",
        text=f"Pump {number} lost supply.\nFirst: look at the voltage.",
        thread=f"t-{number}",
        title=f"[{severity}] pump-{number} dead (north)",
        severity=severity,
        asset=f"pump-{number}",
        condition="dead",
        utilities=["water"],
        zones=["north"],
        since=now - round((age + 5) * MINUTE),
        link=f"http://here/incident/i-{number}",
    )
