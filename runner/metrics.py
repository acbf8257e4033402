"""How a long-running part is doing, for Prometheus and for supervisors: /metrics, /health, /ready.

In:  a function that tells the figures, and one that tells whether the part is at work.
Out: Prometheus' text format in base units; 200 or 503.
Promises: listens on loopback unless told otherwise; whoever asks costs the work nothing but the figures.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, NamedTuple

from runner.database import CannotRun
from runner.moments import BadUsage

LOOPBACK = "127.0.0.1"
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Figure(NamedTuple):
    """One measured value."""

    name: str
    kind: Literal["counter", "gauge"]
    says: str
    value: float
    labels: Mapping[str, str] = {}


def stream_time(now: int, labels: Mapping[str, str] | None = None) -> Iterator[Figure]:
    """How far the input has got (``now``, ms since the epoch), and how far that is behind the clock."""
    says = "How far the input has got, since 1970."
    yield Figure("crosscurrent_stream_time_seconds", "gauge", says, now / 1000, labels or {})
    says = "How far stream time is behind the clock on the wall."
    yield Figure("crosscurrent_watermark_lag_seconds", "gauge", says, time.time() - now / 1000, labels or {})


class Metrics:
    """A small web server in a thread of its own, between ``start`` and ``stop``.

    ``place`` is ``[HOST:]PORT``. Raises BadUsage where it is none, CannotRun where the port is taken.
    """

    def __init__(
        self, place: str, figures: Callable[[], Iterable[Figure]], ready: Callable[[], bool]
    ) -> None:
        host, _, port = place.rpartition(":")
        if not port.isdecimal():
            raise BadUsage(f"{place!r} is no place for metrics; expected [HOST:]PORT")

        class Handler(BaseHTTPRequestHandler):
            """Answers for one connection."""

            def do_GET(self) -> None:
                """One of the three pages."""
                if self.path == "/metrics":
                    self._answer(200, text([*figures(), *of_process()]))
                elif self.path == "/health":
                    self._answer(200, "alive\n")
                elif self.path == "/ready":
                    self._answer(200, "ready\n") if ready() else self._answer(503, "not at work yet\n")
                else:
                    self._answer(404, "there are /metrics, /health and /ready\n")

            def _answer(self, status: int, body: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Nobody wants a line for each question."""

        try:
            self._server = ThreadingHTTPServer((host or LOOPBACK, int(port)), Handler)
        except OSError as error:
            raise CannotRun(f"metrics can't be served at {place}: {error}; name another place") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/metrics"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def of_process() -> Iterator[Figure]:
    """What this process takes, under the names that Prometheus' own clients use; memory on Linux only."""
    yield Figure("process_cpu_seconds_total", "counter", "User and system time.", time.process_time())
    told = Path("/proc/self/statm")
    if told.exists():
        resident = int(told.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        yield Figure("process_resident_memory_bytes", "gauge", "Memory that is at hand.", resident)


def text(figures: Iterable[Figure]) -> str:
    """Prometheus' text format; figures of one name lie together."""
    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    lines = []
    for name, found in by_name.items():
        lines += [f"# HELP {name} {found[0].says}", f"# TYPE {name} {found[0].kind}"]
        lines += [f"{name}{_labels(figure.labels)} {figure.value:.17g}" for figure in found]
    return "\n".join(lines) + "\n"


def figures_of(page: str) -> Iterator[Figure]:
    """The figures of a page that ``text`` wrote."""
    says: dict[str, str] = {}
    kinds: dict[str, Literal["counter", "gauge"]] = {}
    for line in page.splitlines():
        if line.startswith("# HELP "):
            _, _, name, what = line.split(" ", 3)
            says[name] = what
        elif line.startswith("# TYPE "):
            *_, name, kind = line.split(" ")
            kinds[name] = "counter" if kind == "counter" else "gauge"
        else:
            labelled, _, value = line.rpartition(" ")
            name = labelled.partition("{")[0]
            labels = dict(LABEL.findall(labelled))
            yield Figure(name, kinds[name], says[name], float(value), labels)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
