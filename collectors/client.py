"""A paho client dressed by our settings: who we are, TLS, back-off. The collector and the player share it."""

import ssl
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from collectors.settings import MqttSettings
from schemas.errors import CrosscurrentError

FINAL = frozenset({133, 134, 135, 138, 140})
"""Refusals that trying again does not mend: client id, user or password, not allowed, banned, method."""
UNSUPPORTED_VERSION = 132
CHUNK_BYTES = 64 * 1024
TRACEPARENT = b"\x26\x00\x0btraceparent"
"""A user property (38) with the key of eleven letters; its value follows, with its length."""


class BrokerFailed(CrosscurrentError, OSError):
    """A broker that is out of reach, or that refuses us: exit status 3."""


class Received(NamedTuple):
    """A message as it came; ``mid`` acknowledges it, unless its QoS is 0."""

    topic: bytes
    payload: bytes
    mid: int
    qos: int
    trace: bytes = b""
    """Its user property ``traceparent``, if it has one."""


class ReceivingClient(Client):
    """paho's client, quicker at receiving: reads many messages at once, looks at one property of theirs only,
    acknowledges many with one packet. What is received goes to ``on_received``.

    paho itself reads each message with a wait and three reads, and makes an object for its properties, which
    costs most of all. Three of its inner names are leaned on: ``_sock_recv``, which brings bytes,
    ``_handle_publish``, which takes a message apart, and ``_packet_queue``, which sends bytes.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.on_received: Callable[[Received], None] = lambda _: None
        self._unread = b""
        self._unread_at = 0
        self._unread_of: object = None

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._unread_of is not self._sock:  # what the last connection brought is void
            self._unread, self._unread_at, self._unread_of = b"", 0, self._sock
        if self._unread_at == len(self._unread):
            self._unread, self._unread_at = super()._sock_recv(CHUNK_BYTES), 0
        start = self._unread_at
        self._unread_at = min(start + bufsize, len(self._unread))
        return self._unread[start : self._unread_at]

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Handle what was read, all of it: nothing would wake us for the rest."""
        while True:
            result = super().loop_read(max_packets)
            if result or self._sock is None or self._unread_at == len(self._unread):
                return result

    def _handle_publish(self) -> MQTTErrorCode:
        packet, qos = self._in_packet["packet"], self._in_packet["command"] >> 1 & 3
        end = 2 + int.from_bytes(packet[:2])
        topic, mid, trace = bytes(packet[2:end]), 0, b""
        if qos:
            mid = int.from_bytes(packet[end : end + 2])
            end += 2
        if self._protocol == MQTTProtocolVersion.MQTTv5:
            start, end = end, _after_properties(packet, end)
            if end - start > len(TRACEPARENT):
                trace = _trace(bytes(packet[start:end]))
        if qos == 2 or end > len(packet):  # we never ask for QoS 2
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self.on_received(Received(topic, bytes(packet[end:]), mid, qos, trace))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def acknowledge(self, mids: Iterable[int]) -> None:
        """PUBACK for each of these messages (QoS 1), in this order."""
        packets = b"".join(b"\x40\x02" + mid.to_bytes(2) for mid in mids)
        if packets:
            self._packet_queue(0x40, packets, 0, 1)


def _after_properties(packet: bytearray, at: int) -> int:
    """Where the properties end whose length (a variable byte integer) stands here."""
    length = shift = 0
    for byte in packet[at : at + 4]:
        at += 1
        length |= (byte & 127) << shift
        if byte < 128:
            return at + length
        shift += 7
    return len(packet) + 1


def _trace(properties: bytes) -> bytes:
    """The value of the user property ``traceparent``; empty where there is none."""
    start = properties.find(TRACEPARENT) + len(TRACEPARENT)
    if start < len(TRACEPARENT):
        return b""
    return properties[start + 2 : start + 2 + int.from_bytes(properties[start : start + 2])]


def new_client(
    settings: MqttSettings, client_id: str, protocol: MQTTProtocolVersion, *, lasting: bool
) -> ReceivingClient:
    """A client, not connected yet.

    ``lasting``: its session outlives the connection, and it acknowledges by hand.

    Raises BrokerFailed where a file that the settings name can't be used.
    """
    client = ReceivingClient(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if protocol == MQTTProtocolVersion.MQTTv5 else not lasting,
        protocol=protocol,
        manual_ack=lasting,
    )
    client.reconnect_delay_set(1, settings.reconnect_seconds_max)
    try:
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.secret())
        if settings.tls:
            context = ssl.create_default_context(cafile=settings.ca_file)
            if settings.cert_file is not None:
                context.load_cert_chain(settings.cert_file, settings.key_file)
            client.tls_set_context(context)
    except OSError as error:  # an SSLError is one too
        raise BrokerFailed(f"broker {settings.address}: a password or certificate file: {error}") from error
    return client


def unreachable(settings: MqttSettings, why: str) -> BrokerFailed:
    """The error for a broker that can't be talked to."""
    return BrokerFailed(
        f"broker {settings.address} is out of reach: {why}; is it running, is the address right?"
    )


def refusal(settings: MqttSettings, code: ReasonCode) -> BrokerFailed:
    """The error for a broker that does not accept us."""
    return BrokerFailed(
        f"broker {settings.address} refuses us: {code}; check user name, password and its access rules"
    )
