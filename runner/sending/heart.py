"""The dead man's switch: a sign of life to somebody outside, who raises the alarm when it stays away.

In:  how far stream time has got.
Out: a GET every so often, as long as that moves.
Promises: it says that readings come in, are thought about and are stored, and not only that a process exists;
whether the address answers changes nothing here.
"""

import threading
import time
from collections.abc import Callable

from runner.sending.channel import SendFailed, secret_of
from runner.sending.web import Web
from schemas.alerting import Heartbeat
from schemas.receivers import Secret
from schemas.times import SECOND


class Heart:
    """Beats in a thread of its own, between ``start`` and ``stop``. Raises NoSecret."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        url = heartbeat.url
        self._url = secret_of(url).get_secret_value() if isinstance(url, Secret) else url
        self._every, self._quiet = heartbeat.every / SECOND, heartbeat.quiet / SECOND
        self._web = Web(heartbeat.timeout, allow_private=heartbeat.allow_private)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.beats = 0
        """That were heard, since the start."""

    def start(self, stream_time: Callable[[], int | None]) -> None:
        """Beat from now on."""
        self._thread = threading.Thread(target=self._beat, args=(stream_time,), name="heart", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._web.close()

    def _beat(self, stream_time: Callable[[], int | None]) -> None:
        seen, moved = None, time.monotonic() - self._quiet
        while not self._stopping.wait(self._every):
            if (now := stream_time()) != seen:
                seen, moved = now, time.monotonic()
            if time.monotonic() - moved < self._quiet:
                try:
                    self._web.ask("GET", self._url)
                    self.beats += 1
                except SendFailed:
                    pass  # the silence is the message
