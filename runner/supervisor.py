"""Several of our verbs on one host: started, started again when they end, ended in order.

In:  services, in the order in which data goes through them.
Out: processes at work; what they say, with their names in front; their figures on one page.
Promises: a service that ended is started again, after a pause that doubles while it does not last; one that
can't use its configuration ends all. They are ended from the source on, each with time to save its work, and
none outlives us for long, however we end (Linux).
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.metrics import Figure, figures_of
from runner.serving import any_port, say
from runner.webserver import LOOPBACK
from schemas.errors import CrosscurrentError

LOOK_SECONDS = 0.1
PAUSE_SECONDS = 1.0
"""Between a service's end and its next start; twice as long each time that it did not last."""
PAUSE_SECONDS_MAX = 30.0
LASTING_SECONDS = 60.0
"""A service that worked for so long begins with a short pause again."""
PATIENCE_SECONDS = 30.0
"""How long a service may take to end; then it is killed, and its next start goes on from its last state."""
ANSWER_SECONDS = 2.0
USAGE = 2
"""Exit status of a verb whose arguments or configuration can't be used."""


class Service(NamedTuple):
    """A verb to be kept at work. It takes ``--metrics``."""

    name: str
    arguments: tuple[str, ...]
    variables: Mapping[str, str] = {}
    """Environment variables of its own."""


class ServiceRefused(CrosscurrentError):
    """A service can't use what it was told: starting it again would not help."""


class Supervisor:
    """Runs ``stages``, each some services side by side, between ``start`` and ``stop``.

    Use it from one thread; ``figures`` and ``ready`` may be asked from any.
    """

    def __init__(self, stages: Sequence[Sequence[Service]]) -> None:
        self._stages = [[_Child(service) for service in stage] for stage in stages]

    @property
    def _children(self) -> list["_Child"]:
        return [child for stage in self._stages for child in stage]

    def start(self) -> None:
        """Start all."""
        for child in self._children:
            child.start()

    def watch(self) -> None:
        """Start again what ends, for ever. Raises ServiceRefused where that would not help."""
        while True:
            time.sleep(LOOK_SECONDS)
            for child in self._children:
                child.look_after()

    def stop(self) -> None:
        """End all, stage after stage."""
        for stage in self._stages:
            for child in stage:
                child.ask_to_end()
            for child in stage:
                child.wait()

    def ready(self) -> bool:
        """Whether each says that it is at work."""
        return all(child.ask("ready") is not None for child in self._children)

    def figures(self) -> Iterator[Figure]:
        """How often each was started, and what it tells of itself, with its name as ``service``."""
        for child in self._children:
            service = {"service": child.name}
            yield Figure("crosscurrent_starts_total", "counter", "Starts.", child.starts, service)
            told = child.ask("metrics")
            up = float(told is not None)
            yield Figure("crosscurrent_up", "gauge", "Whether it answers.", up, service)
            for figure in figures_of(told or ""):
                yield figure._replace(labels={**service, **figure.labels})


class _Child:
    """A service and its process."""

    def __init__(self, service: Service) -> None:
        self.name = service.name
        self.starts = 0
        self._service = service
        self._process: subprocess.Popen[str] | None = None
        self._teller: threading.Thread | None = None
        self._port = 0
        self._started = 0.0
        self._start_at = 0.0
        self._pause = PAUSE_SECONDS

    def start(self) -> None:
        """Start it, and tell on what it says."""
        self._port = any_port()  # whoever is quicker to take it costs us one more start
        command = [sys.executable, sys.argv[0], *self._service.arguments]
        process = self._process = subprocess.Popen(
            [*_tied_to_us(), *command, "--metrics", f"{LOOPBACK}:{self._port}"],
            env=os.environ | self._service.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for us, so that we can end them in order
        )
        self._started = time.monotonic()
        self.starts += 1
        say(f"{self.name}: started as process {process.pid}")
        self._teller = threading.Thread(target=self._tell_on, args=(process,), daemon=True)
        self._teller.start()

    def look_after(self) -> None:
        """Note its end, and start it again when its pause is over. Raises ServiceRefused."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._start_at:
                self.start()
            return
        status = self._process.poll()
        if status is None:
            return
        if status == USAGE:
            raise ServiceRefused(f"{self.name} can't use what it was told (above); all end")
        if now - self._started >= LASTING_SECONDS:
            self._pause = PAUSE_SECONDS
        say(f"{self.name}: ended ({_in_words(status)}); started again in {self._pause:.0f} s")
        self._process = None
        self._start_at = now + self._pause
        self._pause = min(2 * self._pause, PAUSE_SECONDS_MAX)

    def ask_to_end(self) -> None:
        """SIGTERM."""
        if self._process is not None:
            self._process.terminate()

    def wait(self) -> None:
        """Wait for its end; kill it where that takes too long."""
        if self._process is None:
            return
        try:
            status = self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if self._teller is not None:
            self._teller.join(ANSWER_SECONDS)  # its last words
        say(f"{self.name}: ended ({_in_words(status)})")

    def ask(self, page: str) -> str | None:
        """One of its pages; None where it does not answer, or not with yes."""
        try:
            with urllib.request.urlopen(
                f"http://{LOOPBACK}:{self._port}/{page}", timeout=ANSWER_SECONDS
            ) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:  # an HTTPError is one too
            return None

    def _tell_on(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                say(f"{self.name}: {line.rstrip()}")


def _tied_to_us() -> list[str]:
    """What makes Linux end a process when its parent is gone; nothing elsewhere."""
    found = shutil.which("setpriv")
    return [found, "--pdeathsig", "TERM"] if found else []


def _in_words(status: int) -> str:
    return f"status {status}" if status >= 0 else signal.Signals(-status).name
