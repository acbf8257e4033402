"""The collector: messages from an MQTT broker into a ``store`` function, acknowledged after they are stored.

Delivery: at least once, in the order in which the broker sends. A message is acknowledged (PUBACK) only
after ``store`` returned for it, oldest first. If we die before that, or the connection does, it is sent
again, because the session outlives both: QoS 1, a stable client id, no clean start. Messages published
with QoS 0 are stored as well, without a promise.

At the bound: at most ``outstanding`` messages wait for ``store``, and one batch more is in it. Then the
connection is read no more until there is room, TCP makes the broker wait, and the broker keeps the rest in
our session (mosquitto drops what goes beyond its ``max_queued_messages``: set that to 0). If this lasts
longer than the keep-alive, the broker ends the connection, we connect anew, and it sends again what was not
acknowledged. MQTT's own receive maximum is asked for too, but brokers have been seen to go beyond it.

MQTT 5 first; a broker that turns it away is spoken to in 3.1.1.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from collectors.client import (
    FINAL,
    UNSUPPORTED_VERSION,
    BrokerFailed,
    Received,
    ReceivingClient,
    new_client,
    refusal,
    unreachable,
)
from collectors.messages import Message
from collectors.settings import MqttSettings

Store = Callable[[list[Message]], None]
"""Keeps a batch; the messages are acknowledged when it returns, and none of them if it raises."""

BATCH = 1_000
LINGER_SECONDS = 0.02
DROPPED = "$SYS/broker/publish/messages/dropped"
"""Where mosquitto tells how many messages it has dropped, as a queue was full; other brokers stay silent."""
LOOK_SECONDS = 0.1
"""How often a waiting thread looks whether it should stop."""
ANSWER_SECONDS = 15.0
"""How long a broker may take to answer the first connection."""


class _Delivery(NamedTuple):
    """A message, and what acknowledges it: the id is good only on the connection by which it came."""

    message: Message
    mid: int
    qos: int
    epoch: int


@dataclass(slots=True)
class CollectorCounts:
    """Since the start."""

    received: int = 0
    """Deliveries taken from the broker; one that is sent again counts again."""
    stored: int = 0
    """Deliveries for which ``store`` returned."""
    connections: int = 0


class Collector:
    """Runs from ``start`` to ``stop`` on two threads: paho's reads the network, ours stores.

    ``on_failure`` is called once, from one of them, when it can't go on: ``store`` raised, or the broker
    refuses us for good. Nothing is acknowledged after that; ``failure`` holds the error. ``batch``: most
    messages in one call of ``store``; ``linger_seconds``: how long the first of them waits for others.
    ``on_dropped`` is told how many messages the broker has dropped in all, where it says so.
    """

    def __init__(
        self,
        settings: MqttSettings,
        store: Store,
        on_failure: Callable[[Exception], None] | None = None,
        *,
        batch: int = BATCH,
        linger_seconds: float = LINGER_SECONDS,
        on_dropped: Callable[[int], None] | None = None,
    ) -> None:
        self.counts = CollectorCounts()
        self.failure: Exception | None = None
        self._settings = settings
        self._store = store
        self._on_failure = on_failure
        self._on_dropped = on_dropped
        self._batch, self._linger_seconds = batch, linger_seconds
        self._deliveries: queue.Queue[_Delivery] = queue.Queue(settings.outstanding)
        self._storing: int | None = None
        self._epoch = 0
        self._asked: int | None = None
        """The id of our newest subscription."""
        self._acknowledging = threading.Lock()
        self._answered = threading.Event()
        self._accepted = threading.Event()
        self._stopping = threading.Event()
        self._client: ReceivingClient
        self._thread = threading.Thread(target=self._store_all, name="collector", daemon=True)

    @property
    def address(self) -> str:
        """The broker's address."""
        return self._settings.address

    @property
    def bound(self) -> int:
        """How many messages may wait; then the connection is read no more."""
        return self._settings.outstanding

    @property
    def waiting(self) -> int:
        """Messages that wait for ``store``; at most ``bound``."""
        return self._deliveries.qsize()

    @property
    def oldest(self) -> int | None:
        """When the oldest message came that is not acknowledged yet (ms); None where there is none."""
        if (storing := self._storing) is not None:
            return storing
        with self._deliveries.mutex:
            return self._deliveries.queue[0].message.received if self._deliveries.queue else None

    def start(self) -> None:
        """Connect and collect. Raises BrokerFailed where the broker is out of reach or refuses us."""
        # A broker sends what it kept for us before it answers our subscription: it must be stored at once,
        # or the answer would wait behind a full queue for ever.
        self._thread.start()
        try:
            self._agree()
        except BaseException:
            self._stopping.set()
            self._thread.join()
            raise

    def _agree(self) -> None:
        """Find a version of MQTT in which the broker accepts us."""
        for protocol in (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311):
            self._connect(protocol)
            if self._accepted.is_set():
                return
            self._client.disconnect()
            self._client.loop_stop()
            if self.failure is not None:
                raise self.failure
        raise unreachable(self._settings, "it answers, but accepts neither MQTT 5 nor 3.1.1")

    def stop(self, *, leave: bool = False) -> None:
        """Take nothing more, store and acknowledge what was taken, disconnect.

        The broker keeps our session, and in it what comes while we are away, unless we ``leave`` it.
        """
        self._stopping.set()
        self._thread.join()
        if leave:
            self._client.unsubscribe(list(self._settings.topics))
        self._client.disconnect()
        self._client.loop_stop()

    def _connect(self, protocol: MQTTProtocolVersion) -> None:
        """Try one version of MQTT; from the first acceptance on paho keeps the connection up."""
        settings = self._settings
        client = new_client(settings, settings.client_id, protocol, lasting=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_received = self._on_received
        self._client = client
        self._answered.clear()
        try:
            if protocol == MQTTProtocolVersion.MQTTv5:
                properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
                properties.SessionExpiryInterval = settings.session_expiry_seconds
                properties.ReceiveMaximum = settings.receive_maximum
                client.connect(
                    settings.host,
                    settings.port,
                    settings.keepalive_seconds,
                    clean_start=False,
                    properties=properties,
                )
            else:
                client.connect(settings.host, settings.port, settings.keepalive_seconds)
        except OSError as error:
            raise unreachable(settings, str(error)) from error
        client.loop_start()
        if not self._answered.wait(ANSWER_SECONDS):
            self._fail(unreachable(settings, f"no answer within {ANSWER_SECONDS:.0f} s"))

    def _on_connect(
        self, _client: Client, _user: Any, _flags: ConnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        if not code.is_failure:
            self.counts.connections += 1
            _, self._asked = self._client.subscribe([(topic, 1) for topic in self._settings.topics])
            if self._on_dropped is not None:
                self._client.subscribe(DROPPED)
            return  # answered when the subscription is: what is published from then on is ours
        if code.value in FINAL or (not self._accepted.is_set() and code.value != UNSUPPORTED_VERSION):
            self._fail(refusal(self._settings, code))
        self._answered.set()

    def _on_disconnect(
        self, _client: Client, _user: Any, _flags: DisconnectFlags, _code: ReasonCode, _properties: object
    ) -> None:
        with self._acknowledging:  # what came by this connection can't be acknowledged any more
            self._epoch += 1
        self._answered.set()

    def _on_subscribe(
        self, _client: Client, _user: Any, mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        if mid != self._asked:
            return  # what it drops: a broker that keeps that to itself is no failure
        for topic, code in zip(self._settings.topics, codes, strict=False):
            if code.is_failure:
                self._fail(
                    BrokerFailed(f"broker {self.address} refuses the subscription to {topic!r}: {code}")
                )
                return
        self._accepted.set()
        self._answered.set()

    def _on_received(self, received: Received) -> None:
        topic = received.topic.decode(errors="backslashreplace")  # kept readable, for the dead letter
        if topic == DROPPED and self._on_dropped is not None:
            if received.payload.isdigit():
                self._on_dropped(int(received.payload))
            return
        trace = received.trace.decode(errors="replace")
        message = Message(time.time_ns() // 1_000_000, topic, received.payload, trace)
        delivery = _Delivery(message, received.mid, received.qos, self._epoch)
        while not self._stopping.is_set():
            try:
                self._deliveries.put(delivery, timeout=LOOK_SECONDS)
            except queue.Full:
                continue
            self.counts.received += 1
            return

    def _store_all(self) -> None:
        try:
            for batch in self._batches():
                self._storing = batch[0].message.received
                self._store([delivery.message for delivery in batch])
                self.counts.stored += len(batch)
                self._acknowledge(batch)
                self._storing = None
        except Exception as error:  # noqa: BLE001 - handed on to whoever runs us
            self._fail(error)

    def _batches(self) -> Iterator[list[_Delivery]]:
        """What was received, in order, until nothing is left and we are stopping."""
        while self.failure is None:
            try:
                batch = [self._deliveries.get(timeout=LOOK_SECONDS)]
            except queue.Empty:
                if self._stopping.is_set():
                    return
                continue
            deadline = time.monotonic() + self._linger_seconds
            while len(batch) < self._batch:
                try:
                    batch.append(self._deliveries.get(timeout=max(0.0, deadline - time.monotonic())))
                except queue.Empty:
                    break
            yield batch

    def _acknowledge(self, batch: list[_Delivery]) -> None:
        with self._acknowledging:
            self._client.acknowledge(
                delivery.mid for delivery in batch if delivery.epoch == self._epoch and delivery.qos
            )

    def _fail(self, error: Exception) -> None:
        if self.failure is not None:
            return
        self.failure = error
        self._stopping.set()
        self._answered.set()
        self._client.disconnect()
        if self._on_failure is not None and self._accepted.is_set():
            self._on_failure(error)
