"""The player: a recording to an MQTT broker, in its order and at a chosen rate.

Delivery: QoS 1 over one connection, so that the broker takes every message in the order of the recording.
What was not acknowledged when a connection was lost is sent again, in order, when it is back. At most
``WINDOW`` messages are on the way; beyond that the player waits.
"""

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from collectors.client import BrokerFailed, new_client, refusal, unreachable
from collectors.recording import read
from collectors.settings import MqttSettings
from schemas.times import SECOND

WINDOW = 200
"""Messages on the way at the most."""
ANSWER_SECONDS = 15.0
"""How long the broker may take to accept the connection."""
PATIENCE_SECONDS = 60.0
"""How long the player waits for an acknowledgement before it gives up."""


class Player:
    """Plays from ``start`` until the recording ends, or ``stop``.

    ``rate`` is how many seconds of the recording pass in one (math.inf: as fast as the broker takes them).
    """

    def __init__(
        self,
        recording: Path,
        settings: MqttSettings,
        rate: float,
        on_fault: Callable[[int, str], None] | None = None,
    ) -> None:
        self.published = 0
        self.acknowledged = 0
        self.played_seconds = 0.0
        """Of the recording, so far."""
        self.total = sum(1 for _ in read(recording, on_fault or _unheard))
        """Messages in the recording. It is read through once at the start; faults are told then."""
        self._recording = recording
        self._settings = settings
        self._rate = rate
        self._failure: BrokerFailed | None = None
        self._began = self._ended = 0.0
        self._moved = threading.Condition()
        self._accepted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._play, name="player", daemon=True)
        client_id = f"{settings.client_id}-player"
        self._client: Client = new_client(settings, client_id, MQTTProtocolVersion.MQTTv311, manual_ack=False)
        self._client.max_inflight_messages_set(WINDOW)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish

    def start(self) -> None:
        """Connect and play on. Raises BrokerFailed where the broker is out of reach or refuses us."""
        settings = self._settings
        try:
            self._client.connect(settings.host, settings.port, settings.keepalive_seconds)
        except OSError as error:
            raise unreachable(settings, str(error)) from error
        self._client.loop_start()
        accepted = self._accepted.wait(ANSWER_SECONDS)
        if self._failure is not None or not accepted:
            self._client.loop_stop()
            raise self._failure or unreachable(settings, "it does not answer")
        self._began = self._ended = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Publish nothing more and disconnect; what is on the way is not waited for."""
        self._stopping.set()
        with self._moved:
            self._moved.notify_all()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def running(self) -> bool:
        """Whether there is something to publish, or to be acknowledged, still."""
        return self._thread.is_alive()

    @property
    def share(self) -> float:
        """How much of the recording was published, from 0 to 1."""
        return self.published / self.total if self.total else 1.0

    @property
    def complete(self) -> bool:
        """Whether every message of the recording was published and acknowledged."""
        return self.total == self.published == self.acknowledged

    @property
    def seconds(self) -> float:
        """How long it has played, by the wall clock."""
        return (time.monotonic() if self.running else self._ended) - self._began

    @property
    def rate_reached(self) -> float:
        """Seconds of the recording that passed in one."""
        return self.played_seconds / self.seconds if self.seconds else 0.0

    def _play(self) -> None:
        first: int | None = None
        for message in read(self._recording, _unheard):
            if first is None:
                first = message.received
            since = max(0, message.received - first) / SECOND
            if not self._wait_until(self._began + since / self._rate) or not self._wait_for_room():
                break
            self._client.publish(message.topic, message.payload, qos=1)
            self.published += 1
            self.played_seconds = max(self.played_seconds, since)
        self._wait_for(lambda: self.acknowledged == self.published)
        self._ended = time.monotonic()

    def _wait_until(self, due: float) -> bool:
        """Sleep till then; False when it is time to stop."""
        wait = due - time.monotonic() if math.isfinite(self._rate) else 0.0
        return not (self._stopping.wait(wait) if wait > 0 else self._stopping.is_set())

    def _wait_for_room(self) -> bool:
        return self._wait_for(lambda: self.published - self.acknowledged < WINDOW)

    def _wait_for(self, fulfilled: Callable[[], bool]) -> bool:
        """Wait; False on ``stop``, or where no acknowledgement has come for too long."""
        with self._moved:
            while not fulfilled():
                before = self.acknowledged
                self._moved.wait_for(lambda: fulfilled() or self._stopping.is_set(), PATIENCE_SECONDS)
                if self._stopping.is_set() or self.acknowledged == before:
                    return fulfilled()
        return True

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _: Properties | None
    ) -> None:
        if code.is_failure and not self._accepted.is_set():
            self._failure = refusal(self._settings, code)
        self._accepted.set()

    def _on_publish(
        self, _client: Client, _data: object, _mid: int, _code: ReasonCode, _: Properties | None
    ) -> None:
        with self._moved:
            self.acknowledged += 1
            self._moved.notify_all()


def _unheard(_line: int, _what: str) -> None:
    """Faults were told when the recording was counted."""
