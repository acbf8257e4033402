"""The embedded MQTT broker: amqtt, which acknowledges a city's message only when it is in the log.

In:  MQTT 3.1.1 connections on loopback, without a password.
Out: messages under ``city/v1/`` to a ``store`` function, in the order of their connection; all messages
     to whoever subscribes.
Promises: the PUBACK (PUBREC) of a message follows the commit of the log that holds it; QoS 0 messages are
stored too, without a promise. Bounded: what waits for the log, the size of a packet, what a slow subscriber
leaves lying.

amqtt by itself acknowledges before anybody has stored anything. It is steered here through its public
names (an external listener, a reader of ours, ``handle_publish``) and one inner one: ``StoringBroker``
puts our protocol handler in the place of its own. tests/runner/test_broker.py guards all of it.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from amqtt.adapters import ReaderAdapter, StreamReaderAdapter, StreamWriterAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.errors import AMQTTError
from amqtt.mqtt.constants import QOS_1, QOS_2
from amqtt.mqtt.packet import PUBLISH
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.session import OutgoingApplicationMessage, Session

from collectors.messages import Message
from runner.custody import Custody, Store
from runner.database import CannotRun

TOPICS = "city/v1/"
"""Where a city's messages begin; other topics pass through and are kept by nobody."""

MESSAGES_MAX = 4_000
BYTES_MAX = 32 << 20
PACKET_BYTES_MAX = 16 << 20
"""A packet longer than this closes its connection, as MQTT 3.1.1 has no other answer."""

SENDING_MAX = 10_000
"""Messages on the way to one subscriber; beyond it the subscriber's connection ends."""

CONFIG: dict[str, Any] = {
    "listeners": {"default": {"type": "external", "bind": "ours"}},
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}


class EmbeddedBroker:
    """A broker in a thread of its own. ``store`` is called from another thread, one batch at a time."""

    def __init__(self, store: Store, host: str, port: int, on_failure: Callable[[Exception], None]) -> None:
        self._store = store
        self._host = host
        self._port = port
        self._on_failure = on_failure
        self._started = threading.Event()
        self._refused: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event
        self._custody: Custody

    @property
    def address(self) -> str:
        """Where to connect; the port is the real one where 0 was asked for."""
        return f"mqtt://{self._host}:{self._port}"

    @property
    def bound(self) -> int:
        """How many messages may wait; then connections are read no more."""
        return MESSAGES_MAX

    @property
    def waiting(self) -> int:
        """Messages received and not stored yet; at most about ``bound``."""
        return self._custody.waiting

    def start(self) -> None:
        """Listen. Raises CannotRun where the port is taken."""
        self._thread.start()
        self._started.wait()
        if self._refused is not None:
            self._thread.join()
            raise self._refused

    def stop(self) -> None:
        """Read nothing more, store and acknowledge what was read, close."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - handed on to whoever runs us
            if self._started.is_set():
                self._on_failure(error)
            self._refused = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        # Its log tells of each connection at INFO and of every garbled one at WARNING.
        for chatty in ("amqtt", "transitions"):
            logging.getLogger(chatty).setLevel(logging.CRITICAL)
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._custody = Custody(self._store, messages_max=MESSAGES_MAX, bytes_max=BYTES_MAX)
        broker = StoringBroker(self._custody)
        await broker.start()
        try:
            server = await self._listen(broker)
            self._started.set()
            await self._store_until_stopped(server)
        finally:
            await broker.shutdown()

    async def _store_until_stopped(self, server: asyncio.Server) -> None:
        storing = asyncio.ensure_future(self._custody.run())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([storing, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        server.close()
        self._custody.close()
        await storing
        await asyncio.sleep(0)  # what was stored last is acknowledged before connections close

    async def _listen(self, broker: Broker) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Cancelled only when the loop ends; asyncio would tell that on stderr.
            with contextlib.suppress(asyncio.CancelledError):
                await broker.external_connected(
                    PacedReader(reader, self._custody), ImpatientWriter(writer), "default"
                )

        try:
            server = await asyncio.start_server(connected, self._host, self._port)
        except OSError as error:
            raise CannotRun(
                f"MQTT port {self._port} on {self._host} can't be used ({error.strerror}); "
                "stop what has it, give another one with --mqtt-port, or use that broker with --broker"
            ) from error
        self._port = server.sockets[0].getsockname()[1]
        return server


class StoringBroker(Broker):
    """amqtt's broker with our protocol handler in the place of its own."""

    def __init__(self, custody: Custody) -> None:
        super().__init__(CONFIG)
        self._custody = custody

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        # The handler made here is new and bare; ours takes its place before it is attached to anything.
        _, session = await super()._initialize_client_session(reader, writer, remote_address, remote_port)
        # amqtt does nothing when a keep-alive runs out, but pays a task a packet to notice it.
        session.keep_alive = 0
        return StoringHandler(self), session

    @property
    def custody(self) -> Custody:
        """Where its handlers bring a city's messages."""
        return self._custody

    @property
    def is_heard(self) -> bool:
        """Whether any client subscribes to anything."""
        return any(self.subscriptions.values())


class StoringHandler(BrokerProtocolHandler):
    """One connection. Its messages are started in the order received, and so stored in that order."""

    def __init__(self, broker: StoringBroker) -> None:
        super().__init__(broker.plugins_manager)
        self._broker = broker
        self._sending = 0

    async def handle_publish(self, publish_packet: PublishPacket) -> None:
        """Store first, then acknowledge; amqtt does the rest where anybody is to hear of the message."""
        topic, payload, qos = publish_packet.topic_name, publish_packet.data, publish_packet.qos or 0
        if topic is not None and payload is not None and topic.startswith(TOPICS):
            done = self._broker.custody.take(Message(time.time_ns() // 1_000_000, topic, bytes(payload)))
            if qos:
                await done
            if qos < QOS_2 and not self._broker.is_heard and not publish_packet.retain_flag:
                await self._acknowledge(publish_packet)
                return
        await super().handle_publish(publish_packet)

    async def _acknowledge(self, publish_packet: PublishPacket) -> None:
        """The short way, which trebles the rate: the log is the only one that wants the message."""
        if publish_packet.qos == QOS_1 and publish_packet.packet_id is not None and self.writer is not None:
            await PubackPacket.build(publish_packet.packet_id).to_stream(self.writer)

    async def mqtt_publish(
        self,
        topic: str,
        data: bytes | bytearray,
        qos: int | None,
        retain: bool,
        ack_timeout: int | None = None,
    ) -> OutgoingApplicationMessage:
        """Send to a subscriber; one that does not keep up is let go."""
        if self._sending >= SENDING_MAX and isinstance(self.writer, ImpatientWriter):
            self.writer.abort()
            raise AMQTTError(f"a subscriber left {SENDING_MAX} messages lying")
        self._sending += 1
        try:
            return await super().mqtt_publish(topic, data, qos, retain, ack_timeout)
        finally:
            self._sending -= 1


class ImpatientWriter(StreamWriterAdapter):
    """Bytes to one connection, whose end never waits for a peer that does not read."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__(writer)
        self._transport = writer.transport

    def abort(self) -> None:
        """End the connection now; what is on the way to the peer is lost."""
        self._transport.abort()

    async def close(self) -> None:
        """As of the base, unless bytes lie there unread."""
        if self._transport.get_write_buffer_size():
            self.abort()
        with contextlib.suppress(ConnectionResetError):
            await super().close()


class PacedReader(StreamReaderAdapter):
    """Bytes of one connection; between two packets it waits until the custody has room.

    It follows where packets begin and end, because a wait inside one could be cut by amqtt's keep-alive
    timeout, and the rest be taken for another packet. For the same reason a topic that is no topic ends
    the connection (as MQTT says it must): amqtt would lose its place in the stream.
    """

    def __init__(self, reader: asyncio.StreamReader, custody: Custody) -> None:
        super().__init__(reader)
        self._custody = custody
        self._between = True
        self._length_shift: int | None = None
        self._left = 0
        self._reads_to_topic = 0
        self._broken = False

    async def read(self, n: int = -1) -> bytes:
        """As of the base. What may not be read ends the connection like a reset by the peer."""
        if self._between:
            await asyncio.sleep(0)  # let the message before be taken, and counted
            await self._custody.room()
        data: bytes = b"" if self._broken else await super().read(n)
        self._broken = self._broken or not self._follow(data)
        if self._broken:
            raise ConnectionResetError
        return data

    def _follow(self, data: bytes) -> bool:
        """Whether the packet may go on after these bytes of it."""
        fine = True
        if self._between:  # the first byte: type and flags
            self._between, self._length_shift, self._left = False, 0, 0
            self._reads_to_topic = 2 if data[0] >> 4 == PUBLISH else 0
        elif self._length_shift is not None:  # the length, seven bits a byte
            self._left |= (data[0] & 0x7F) << self._length_shift
            self._length_shift = self._length_shift + 7 if data[0] & 0x80 else None
            fine = self._left <= PACKET_BYTES_MAX
        else:
            self._left -= len(data)
            self._reads_to_topic -= 1
            fine = self._reads_to_topic != 0 or _is_topic(data)
        self._between = self._length_shift is None and self._left <= 0
        return fine


def _is_topic(data: bytes) -> bool:
    """Whether MQTT allows to publish on it."""
    try:
        return not set("+#\0") & set(data.decode())
    except UnicodeDecodeError:
        return False
