"""The embedded broker keeps its promise: an acknowledged message is on the disk, in order, within bounds.

All of it over real MQTT; these tests also guard the inner name of amqtt that the broker leans on.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from collectors.messages import Message
from runner import broker as broker_module
from runner.broker import EmbeddedBroker
from runner.database import CannotRun

TOPIC = "city/v1/riverton/water/north/pump-1/telemetry"


class Disk:
    """A store that keeps batches in memory, and that a test can block, or fill up."""

    def __init__(self) -> None:
        self.batches: list[list[Message]] = []
        self.entered = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self.full: CannotRun | None = None

    def store(self, batch: list[Message]) -> None:
        """Keep a batch, once the disk is free."""
        self.entered.set()
        assert self.free.wait(20)
        if self.full is not None:
            raise self.full
        self.batches.append(batch)

    @property
    def payloads(self) -> list[bytes]:
        """All that was stored, in order."""
        return [message.payload for batch in self.batches for message in batch]


@contextmanager
def running(disk: Disk, failures: list[Exception]) -> Iterator[EmbeddedBroker]:
    """A broker on a free port."""
    broker = EmbeddedBroker(disk.store, "127.0.0.1", 0, failures.append)
    broker.start()
    try:
        yield broker
    finally:
        disk.free.set()
        broker.stop()


@pytest.fixture
def disk() -> Disk:
    """A free disk."""
    return Disk()


@pytest.fixture
def broker(disk: Disk) -> Iterator[EmbeddedBroker]:
    """A broker that stores on ``disk`` and must not fail."""
    failures: list[Exception] = []
    with running(disk, failures) as started:
        yield started
    assert failures == []


class Device:
    """A real MQTT client that counts its acknowledgements."""

    def __init__(self, broker: EmbeddedBroker, name: str = "", in_flight: int = 20) -> None:
        self.acknowledged = 0
        self.heard: list[tuple[str, bytes]] = []
        self.connections = 0
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv311)
        self._client.max_inflight_messages_set(in_flight)
        self._client.on_publish = self._on_publish
        self._client.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, bytes(message.payload))
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_connect = self._on_connect
        self._client.connect("127.0.0.1", int(broker.address.rsplit(":", 1)[1]))
        self._client.loop_start()

    def _on_publish(self, *_: object) -> None:
        self.acknowledged += 1

    def _on_connect(self, *_: object) -> None:
        self.connections += 1

    def publish(self, payload: bytes, topic: str = TOPIC, qos: int = 1) -> None:
        """Send without waiting."""
        self._client.publish(topic, payload, qos=qos)

    def subscribe(self, topics: str) -> None:
        """Subscribe and wait for the broker's word."""
        self._client.subscribe(topics, qos=1)
        assert self._subscribed.wait(5)

    def leave(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def until(reached: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something to become true; fail where it does not in time."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.005)


def numbered(count: int) -> list[bytes]:
    """Payloads that tell their place."""
    return [str(i).encode() for i in range(count)]


@pytest.mark.parametrize("qos", [1, 2])
def test_no_acknowledgement_before_the_commit(broker: EmbeddedBroker, disk: Disk, qos: int) -> None:
    """While the disk is busy the sender waits; when the batch is on it, the acknowledgement goes out."""
    disk.free.clear()
    device = Device(broker)
    device.publish(b"precious", qos=qos)
    assert disk.entered.wait(5)
    other = Device(broker)
    other.publish(b"kept by nobody", topic="elsewhere")
    until(lambda: other.acknowledged == 1)  # the broker is alive, and has had time to answer
    assert (device.acknowledged, disk.payloads, broker.waiting) == (0, [], 1)
    disk.free.set()
    until(lambda: device.acknowledged == 1)
    assert disk.payloads == [b"precious"]
    assert [message.topic for message in disk.batches[0]] == [TOPIC]
    device.leave()
    other.leave()


def test_the_order_of_a_connection_is_kept_and_commits_are_shared(broker: EmbeddedBroker, disk: Disk) -> None:
    """Five hundred messages, a hundred in flight: stored as sent, in far fewer commits."""
    device = Device(broker, in_flight=100)
    for payload in numbered(500):
        device.publish(payload)
    until(lambda: device.acknowledged == 500)
    assert disk.payloads == numbered(500)
    assert len(disk.batches) < 250
    device.leave()


def test_messages_without_a_promise_are_stored_too(broker: EmbeddedBroker, disk: Disk) -> None:
    """QoS 0 gets no acknowledgement, and is not thrown away for that."""
    device = Device(broker)
    for payload in numbered(50):
        device.publish(payload, qos=0)
    until(lambda: disk.payloads == numbered(50))
    device.leave()


def test_it_is_a_broker_for_others_as_well(broker: EmbeddedBroker, disk: Disk) -> None:
    """Subscribers hear a city's messages and any other; only a city's are stored."""
    listener, device = Device(broker), Device(broker)
    listener.subscribe("#")
    device.publish(b"1")
    device.publish(b"2", topic="weather/today")
    until(lambda: len(listener.heard) == 2)
    assert sorted(listener.heard) == [(TOPIC, b"1"), ("weather/today", b"2")]
    assert disk.payloads == [b"1"]
    listener.leave()
    device.leave()


def test_a_full_disk_acknowledges_nothing_and_says_so(disk: Disk) -> None:
    """The failure reaches whoever runs the broker; the sender keeps its message."""
    disk.full = CannotRun("disk full")
    failures: list[Exception] = []
    with running(disk, failures) as broker:
        device = Device(broker)
        device.publish(b"precious")
        until(lambda: failures != [])
        assert failures == [disk.full]
        assert device.acknowledged == 0
        device.leave()


def test_a_flood_waits_at_its_sender(
    broker: EmbeddedBroker, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the disk busy, what is taken stops at the bound; then all of it is stored, in order."""
    bound = 50
    monkeypatch.setattr(broker._custody, "_messages_max", bound)
    disk.free.clear()
    device = Device(broker, in_flight=1000)
    for payload in numbered(1000):
        device.publish(payload)
    until(lambda: broker.waiting >= bound)
    other = Device(broker)  # a new connection is not read from either: its CONNECT waits
    time.sleep(0.2)
    assert broker.waiting <= bound + 1
    assert other.connections == 0
    disk.free.set()
    until(lambda: device.acknowledged == 1000)
    assert disk.payloads == numbered(1000)
    device.leave()
    other.leave()


def test_large_messages_fill_the_bound_too(broker: EmbeddedBroker, disk: Disk) -> None:
    """The bound counts bytes: 10 MB messages are taken, but not many at a time."""
    disk.free.clear()
    device = Device(broker, in_flight=1000)
    for _ in range(8):
        device.publish(bytes(10_000_000))
    until(lambda: broker.waiting >= 4)
    assert broker.waiting <= 5
    disk.free.set()
    until(lambda: device.acknowledged == 8, seconds=20)
    device.leave()


def test_a_packet_beyond_the_bound_ends_its_connection_only(
    broker: EmbeddedBroker, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can make the broker hold a packet of any length."""
    monkeypatch.setattr(broker_module, "PACKET_BYTES_MAX", 1000)
    device, greedy = Device(broker), Device(broker)
    greedy.publish(bytes(2000), qos=0)
    until(lambda: greedy.connections == 2)  # closed, and connected again
    device.publish(b"fine")
    until(lambda: device.acknowledged == 1)
    assert disk.payloads == [b"fine"]
    device.leave()
    greedy.leave()


@pytest.mark.parametrize(
    "packet",
    [
        b"\x32\x0f\x00\x0acity/v1/\xff\xfe\x00\x01!",
        b"\x32\x0e\x00\x09city/v1/#\x00\x01!",
        b"\xf0\x00",
    ],
    ids=["a topic that is no UTF-8", "a topic with a wildcard", "no packet of MQTT"],
)
def test_rubbish_ends_its_connection_and_harms_nobody_else(
    broker: EmbeddedBroker, disk: Disk, packet: bytes
) -> None:
    """What MQTT forbids closes the connection that sent it, unacknowledged; the others go on."""
    address = ("127.0.0.1", int(broker.address.rsplit(":", 1)[1]))
    with socket.create_connection(address, timeout=5) as stranger:
        stranger.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01x")
        assert stranger.recv(4) == b"\x20\x02\x00\x00"
        stranger.sendall(packet)
        assert stranger.recv(4) == b""
    device = Device(broker)
    device.publish(b"fine")
    until(lambda: device.acknowledged == 1)
    assert disk.payloads == [b"fine"]
    device.leave()


@contextmanager
def deaf_subscriber(broker: EmbeddedBroker) -> Iterator[socket.socket]:
    """A client that subscribes to everything and then never reads again."""
    with socket.create_connection(("127.0.0.1", int(broker.address.rsplit(":", 1)[1])), timeout=5) as deaf:
        deaf.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01x")
        assert deaf.recv(4) == b"\x20\x02\x00\x00"
        deaf.sendall(b"\x82\x06\x00\x01\x00\x01#\x00")
        assert deaf.recv(5) == b"\x90\x03\x00\x01\x00"
        yield deaf


def test_a_subscriber_that_does_not_read_is_let_go(
    broker: EmbeddedBroker, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on the way to it is bounded; senders and the log go on."""
    monkeypatch.setattr(broker_module, "SENDING_MAX", 20)
    with deaf_subscriber(broker) as deaf:
        device = Device(broker)
        for _ in range(150):
            device.publish(bytes(100_000))
        until(lambda: device.acknowledged == 150, seconds=20)
        assert len(disk.payloads) == 150
        until(lambda: _is_cut_off(deaf))
        device.leave()


def test_stopping_does_not_wait_for_a_subscriber_that_does_not_read(disk: Disk) -> None:
    """Bytes that nobody takes are no reason to stay."""
    with running(disk, []) as broker, deaf_subscriber(broker):
        device = Device(broker)
        for _ in range(100):
            device.publish(bytes(100_000))
        until(lambda: device.acknowledged == 100, seconds=20)
        device.leave()
        asked = time.monotonic()
        broker.stop()
        assert time.monotonic() - asked < 2


def _is_cut_off(peer: socket.socket) -> bool:
    try:
        return peer.recv(1 << 20) == b""
    except ConnectionResetError:
        return True


def test_a_taken_port_is_told(broker: EmbeddedBroker, disk: Disk) -> None:
    """The text names the port and the ways out."""
    port = int(broker.address.rsplit(":", 1)[1])
    second = EmbeddedBroker(disk.store, "127.0.0.1", port, print)
    with pytest.raises(CannotRun, match=f"MQTT port {port} on 127.0.0.1 can't be used .*--mqtt-port"):
        second.start()


def test_stopping_stores_and_acknowledges_what_was_read(disk: Disk) -> None:
    """A stop loses nothing that was taken, and is quick with clients still connected."""
    with running(disk, []) as broker:
        device = Device(broker)
        disk.free.clear()
        device.publish(b"last")
        assert disk.entered.wait(5)
        stopping = threading.Thread(target=broker.stop)
        stopping.start()
        disk.free.set()
        stopping.join(timeout=2)
        assert not stopping.is_alive()
        until(lambda: device.acknowledged == 1)
        assert disk.payloads == [b"last"]
        device.leave()
