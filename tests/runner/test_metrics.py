"""Figures of long-running parts, as Prometheus and supervisors ask for them."""

import socket
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from runner.database import CannotRun
from runner.metrics import Figure, Metrics, figures_of, text
from runner.moments import BadUsage

FIGURES = [
    Figure("a_total", "counter", "Things.", 3, {"kind": "x"}),
    Figure("b_seconds", "gauge", "Time.", 0.25),
    Figure("a_total", "counter", "Things.", 1e18, {"kind": "y"}),
]


def ask(address: str) -> tuple[int, str]:
    """Status and body of a page."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_figures_of_one_name_lie_together() -> None:
    """One HELP and TYPE a name, as the format demands."""
    assert text(FIGURES) == (
        "# HELP a_total Things.\n# TYPE a_total counter\n"
        'a_total{kind="x"} 3\na_total{kind="y"} 1e+18\n'
        "# HELP b_seconds Time.\n# TYPE b_seconds gauge\nb_seconds 0.25\n"
    )
    assert sorted(figures_of(text(FIGURES))) == sorted(FIGURES)


def test_pages_are_served_on_loopback_until_the_end() -> None:
    """Ready only when it is; what is not there is told."""
    ready = [False]
    metrics = Metrics("0", lambda: FIGURES, lambda: ready[0])
    metrics.start()
    base = metrics.address.removesuffix("/metrics")
    answers = [ask(base + page)[0] for page in ("/health", "/ready", "/else")]
    ready[0] = True
    answers.append(ask(base + "/ready")[0])
    page = ask(metrics.address)
    metrics.stop()

    assert answers == [200, 503, 404, 200]
    assert page[0] == 200
    assert page[1].startswith(text(FIGURES))
    taken = {figure.name: figure.value for figure in figures_of(page[1])}
    assert taken["process_resident_memory_bytes"] > 1_000_000
    assert taken["process_cpu_seconds_total"] > 0
    assert base.startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.URLError):
        ask(base + "/health")


def test_a_taken_port_and_a_place_that_is_none_are_told(free_port: Callable[[], int]) -> None:
    """One sentence each."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CannotRun, match="metrics can't be served at"):
            Metrics(str(taken.getsockname()[1]), list, lambda: True)
    with pytest.raises(BadUsage, match="expected \\[HOST:\\]PORT"):
        Metrics("here", list, lambda: True)
