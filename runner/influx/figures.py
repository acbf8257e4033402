"""Our own figures, as points: how every part is doing, beside what it says of the city.

In:  the pages of figures of other parts, and a function that tells our own.
Out: points of the measurement ``pipeline``, by the clock on the wall.
Promises: a part that does not answer has ``up`` 0. While InfluxDB is away figures wait, the newest hour or
so.
"""

import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress

from runner.influx.lines import MILLISECOND_NS, line
from runner.influx.settings import InfluxFailed, InfluxSettings
from runner.influx.writer import Away, Writer
from runner.metrics import Figure, figures_of
from schemas.points import LIVE, NONE, PIPELINE

EVERY_SECONDS = 10.0
ANSWER_SECONDS = 2.0
WAITING_MAX = 50_000
"""Points that wait while InfluxDB is away; beyond them the oldest go."""
OURS = "crosscurrent_"


def lines_of(city: str, part: str, figures: Iterable[Figure], at: int) -> Iterator[str]:
    """The points of a part's figures at a time (ms): one for each set of labels.

    Figures that the table does not have are left out; a label ``service`` names the part.
    """
    known = {field.name for field in PIPELINE.fields}
    found: dict[tuple[str, ...], dict[str, object]] = defaultdict(dict)
    for figure in figures:
        name = figure.name.removeprefix(OURS)
        if name in known:
            labels = {"run": LIVE, "city": city, "part": part} | dict(figure.labels)
            labels["part"] = labels.get("service", part)
            found[tuple(labels.get(tag, NONE) for tag in PIPELINE.tags)][name] = figure.value
    for values, fields in found.items():
        yield line(PIPELINE, dict(zip(PIPELINE.tags, values, strict=True)), fields, at * MILLISECOND_NS)


def written(city: str, part: str, settings: InfluxSettings, figures: Iterable[Figure]) -> None:
    """Write a part's figures of now, once. Raises InfluxFailed where InfluxDB does not take them."""
    with closing(Writer(settings)) as writer:
        try:
            refused = writer.write(
                PIPELINE.bucket.name, list(lines_of(city, part, figures, time.time_ns() // MILLISECOND_NS))
            )
        except Away as away:
            raise InfluxFailed(str(away)) from away
        for one in refused:
            raise InfluxFailed(f"InfluxDB {settings.url} refuses a figure: {one.reason}")


class Watcher:
    """Looks every ten seconds, in a thread of its own, between ``start`` and ``stop``.

    ``ours`` and ``pages`` (addresses of /metrics) by the name of their part.
    """

    def __init__(
        self,
        city: str,
        settings: InfluxSettings,
        ours: Mapping[str, Callable[[], Iterable[Figure]]],
        pages: Mapping[str, str],
    ) -> None:
        self._city, self._ours, self._pages = city, ours, pages
        self._writer = Writer(settings)
        self._waiting: deque[str] = deque(maxlen=WAITING_MAX)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="figures", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def stop(self, seconds: float = ANSWER_SECONDS) -> None:
        """Look once more, and end; wait no longer than this for an InfluxDB that does not answer."""
        self._over.set()
        self._thread.join(seconds)

    def _watch(self) -> None:
        with closing(self._writer):
            while not self._over.wait(EVERY_SECONDS):
                self._look()
            with suppress(Exception):  # nobody may have waited, and closed what we would look at
                self._look()

    def _look(self) -> None:
        now = time.time_ns() // MILLISECOND_NS
        for part, tell in self._ours.items():
            self._waiting += lines_of(self._city, part, tell(), now)
        for part, address in self._pages.items():
            self._waiting += lines_of(self._city, part, _asked(address), now)
        lines = list(self._waiting)
        try:
            self._writer.write(PIPELINE.bucket.name, lines)
        except Away:
            return
        self._waiting.clear()


def _asked(address: str) -> list[Figure]:
    """What a page tells, and whether it answered."""
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - given by the operator
            told = list(figures_of(answer.read().decode()))
    except (OSError, ValueError, urllib.error.URLError):
        told = []
    if any(figure.name == f"{OURS}up" for figure in told):  # a page of many parts says so of each
        return told
    return [*told, Figure(f"{OURS}up", "gauge", "Whether it answers.", float(bool(told)))]
