"""Replay this hour: a player beside a running city, of what its log or its archive holds.

In:  an incident.
Out: the address of a console that plays the hours around it.
Promises: a process of its own, which only reads: the city that runs can't be touched from there. At most
AT_ONCE of them; all end with the city.
"""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from runner.database import CannotRun
from runner.pastlog import began
from runner.serving import any_port
from schemas.incidents import Incident
from schemas.times import DAY, HOUR, MINUTE, rfc3339

BEFORE = DAY
"""So far back the replay begins: what stood at the incident's beginning then stands."""
SHOWN_BEFORE, SHOWN_AFTER = 5 * MINUTE, HOUR
AT_ONCE = 3
READY_SECONDS = 30.0


class Hours:
    """Players of one city, which replay its data folder; the ``archive``, where there is one, for what
    the log holds no more. ``city_file`` and ``causes`` are those of the city that runs.
    """

    def __init__(
        self,
        folder: Path,
        city_file: Path,
        causes: Path | None = None,
        archive: str | None = None,
        program: Sequence[str] | None = None,
    ) -> None:
        self._folder, self._city_file, self._causes, self._archive = folder, city_file, causes, archive
        self._program = program or (sys.executable, sys.argv[0])
        self._open: dict[str, tuple[subprocess.Popen[bytes], str]] = {}
        self._lock = threading.Lock()

    def open(self, incident: Incident) -> str:
        """The address of the incident's page in a player that begins shortly before it. Raises CannotRun
        where none comes up.
        """
        with self._lock:
            process, address = self._open.get(incident.id, (None, ""))
            if process is None or process.poll() is not None:
                while len(self._open) >= AT_ONCE:
                    self._end(next(iter(self._open)))
                self._open[incident.id] = process, address = self._start(incident)
            _wait(process, address)
        return address

    def source_of(self, incident: Incident) -> str:
        """What holds an incident's beginning: the log, or else the archive."""
        begins = began(self._folder)
        kept = begins is not None and begins <= incident.opened - SHOWN_BEFORE
        return str(self._folder) if kept or self._archive is None else self._archive

    def stop(self) -> None:
        """End all."""
        with self._lock:
            for name in list(self._open):
                self._end(name)

    def _start(self, incident: Incident) -> tuple[subprocess.Popen[bytes], str]:
        port = any_port()
        after = max(incident.closed or 0, incident.opened + SHOWN_AFTER) + SHOWN_AFTER // 2
        words = [
            "replay",
            self.source_of(incident),
            "--city",
            str(self._city_file),
            "--console",
            "--no-browser",
        ]
        words += ["--console-port", str(port), "--at", rfc3339(incident.opened - SHOWN_BEFORE)]
        words += ["--from", rfc3339(incident.opened - BEFORE), "--to", rfc3339(after)]
        words += ["--out", str(self._folder / "replays" / f"incident-{incident.id[:8]}")]
        words += ["--causes", str(self._causes)] if self._causes else []
        process = subprocess.Popen([*self._program, *words], stdout=subprocess.DEVNULL)
        return process, f"http://127.0.0.1:{port}/"

    def _end(self, name: str) -> None:
        process, _ = self._open.pop(name)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    """Until somebody answers at the address."""
    deadline, place = time.monotonic() + READY_SECONDS, urlsplit(address)
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((place.hostname or "", place.port or 0), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    why = "in time" if process.poll() is None else f"but ended with status {process.returncode}"
    raise CannotRun(f"the player did not come up {why}; what it said stands on the terminal of this city")
