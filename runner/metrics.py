"""How a long-running part is doing, for Prometheus and for supervisors: /metrics, /health, /ready.

In:  a function that tells the figures, and one that tells whether the part is at work.
Out: Prometheus' text format in base units; 200 or 503.
Promises: listens on loopback unless told otherwise; whoever asks costs the work nothing but the figures.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from runner.webserver import Page, WebServer

KIND = "text/plain; version=0.0.4; charset=utf-8"
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


class Metrics(WebServer):
    """Serves them between ``start`` and ``stop``.

    ``place`` is ``[HOST:]PORT``. Raises BadUsage where it is none, CannotRun where the port is taken.
    """

    def __init__(
        self, place: str, figures: Callable[[], Iterable[Figure]], ready: Callable[[], bool]
    ) -> None:
        def answer(_method: str, path: str) -> Page:
            match path:
                case "/metrics":
                    return Page(200, text([*figures(), *of_process()]), KIND)
                case "/health":
                    return Page(200, "alive\n")
                case "/ready":
                    return Page(200, "ready\n") if ready() else Page(503, "not at work yet\n")
            return Page(404, "there are /metrics, /health and /ready\n")

        super().__init__(place, "metrics", answer)

    @property
    def address(self) -> str:
        """Where the figures are."""
        return f"{super().address}/metrics"


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
