"""Plays a recording to a broker: each message as it was, at the pace at which it was received.

In:  a recording, a broker, a rate (1 is real time, 60 is an hour a minute, infinity as fast as it goes).
Out: the messages, published with QoS 1 over one connection, in order.
Delivery: at least once, first copies in order. What the broker did not acknowledge is sent again when the
connection is back, before anything new. At most ``WINDOW`` messages are on the way; then the player waits.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from collectors.client import FINAL, new_client, refusal, unreachable
from collectors.recording import OnFault, messages_of
from collectors.settings import MqttSettings, mqtt_settings
from schemas.times import SECOND

WINDOW = 500
"""Messages handed to the connection and not acknowledged."""
PATIENCE_SECONDS = 60.0
"""How long the broker may stay away, or acknowledge nothing."""
LEAVE_SECONDS = 1.0
"""The same once somebody asked to stop."""


class Player:
    """Plays one recording once: ``run``; or ``start``, look now and then, and ``stop``.

    ``broker`` is an address (the rest of the settings comes from the environment) or settings. The numbers
    below may be read from any thread. Raises BadConfig where the address is none.
    """

    def __init__(
        self, recording: Path, broker: str | MqttSettings, rate: float, on_fault: OnFault | None = None
    ) -> None:
        self.published = 0
        """Messages handed over."""
        self.acknowledged = 0
        """Messages that the broker has confirmed."""
        self.share = 0.0
        """How much of the file has been read, 0 to 1."""
        self.began: int | None = None
        """When the first message was received, in the recording (ms)."""
        self.at: int | None = None
        """The same of the newest message published."""
        self.seconds = 0.0
        """Wall-clock time since the first message."""
        self.failure: Exception | None = None
        self._recording = recording
        self._settings = broker if isinstance(broker, MqttSettings) else mqtt_settings(broker, os.environ)
        self._rate = rate
        self._on_fault = on_fault or (lambda _line, _what: None)
        self._moved = threading.Condition()
        self._connected = False
        self._recovering = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run_quietly, name="player", daemon=True)

    @property
    def running(self) -> bool:
        """Whether it plays, after ``start``."""
        return self._thread.is_alive()

    @property
    def rate_reached(self) -> float:
        """How many times real time it really was, so far."""
        if self.at is None or self.began is None or not self.seconds:
            return 0.0
        return (self.at - self.began) / SECOND / self.seconds

    def run(self) -> None:
        """Play to the end, or until ``stop``; return when the broker has acknowledged all that was published.

        Raises BrokerFailed, and OSError where the recording can't be read.
        """
        client = self._connect()
        try:
            self._publish_all(client)
            self._await(lambda: self.acknowledged == self.published)
        finally:
            client.disconnect()
            client.loop_stop()

    def run_quietly(self) -> None:
        """``run``; what it raises is kept in ``failure``."""
        try:
            self.run()
        except Exception as error:  # noqa: BLE001 - stop raises it in the caller's thread
            self.failure = error

    def start(self) -> None:
        """Play in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Publish no more, wait for what is on the way, and end. Raises what ``run`` raises."""
        self._stopping.set()
        with self._moved:
            self._moved.notify_all()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _connect(self) -> Client:
        settings = self._settings
        # 3.1.1, which every broker speaks, and where the window is ours to choose.
        client = new_client(
            settings, f"{settings.client_id}-play-{os.getpid()}", MQTTProtocolVersion.MQTTv311, lasting=False
        )
        client.max_inflight_messages_set(0)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        try:
            client.connect(settings.host, settings.port, settings.keepalive_seconds)
        except OSError as error:
            raise unreachable(settings, str(error)) from error
        client.loop_start()
        return client

    def _publish_all(self, client: Client) -> None:
        started = time.monotonic()
        with self._recording.open("rb") as file:
            size = os.fstat(file.fileno()).st_size or 1
            for message in messages_of(file, self._on_fault):
                if self.began is None:
                    self.began, started = message.received, time.monotonic()
                due = started + (message.received - self.began) / SECOND / self._rate
                if self._stopping.wait(max(0.0, due - time.monotonic())):
                    return
                if not self._await(self._may_publish):
                    return
                self.published += 1
                # Without our lock: paho holds one of its own both here and around _on_publish.
                client.publish(message.topic, message.payload, qos=1)
                self.at = message.received
                self.share = file.tell() / size
                self.seconds = time.monotonic() - started

    def _may_publish(self) -> bool:
        """Whether there is room, and nothing older is still to be sent again."""
        on_the_way = self.published - self.acknowledged
        self._recovering = self._recovering and on_the_way > 0
        return self._connected and not self._recovering and on_the_way < WINDOW

    def _await(self, ready: Callable[[], bool]) -> bool:
        """Wait until ``ready``; False where we are to stop before.

        Raises BrokerFailed where nothing moves for too long, or the broker refuses us.
        """
        with self._moved:
            while not ready():
                if self.failure is not None:
                    raise self.failure
                stopping = self._stopping.is_set()
                if self._moved.wait(LEAVE_SECONDS if stopping else PATIENCE_SECONDS):
                    continue
                if stopping:
                    return False
                raise unreachable(self._settings, f"nothing acknowledged for {PATIENCE_SECONDS:.0f} s")
        return True

    def _on_connect(
        self, _client: Client, _user: Any, _flags: ConnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        with self._moved:
            self._connected = not code.is_failure
            if code.value in FINAL:
                self.failure = refusal(self._settings, code)
            self._moved.notify_all()

    def _on_disconnect(
        self, _client: Client, _user: Any, _flags: DisconnectFlags, _code: ReasonCode, _properties: object
    ) -> None:
        with self._moved:
            self._connected = False
            self._recovering = True
            self._moved.notify_all()

    def _on_publish(
        self, _client: Client, _user: Any, _mid: int, _code: ReasonCode, _properties: object
    ) -> None:
        with self._moved:
            self.acknowledged += 1
            self._moved.notify_all()
