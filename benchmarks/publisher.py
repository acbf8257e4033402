"""Publishes at a steady rate with QoS 1, from a process of its own, for a small part of a core.

In:  a broker's port, a function that gives the messages, how many a second.
Out: when each message was handed over, and how many the broker has acknowledged.

paho takes some 100 us for each message: at the rates of these benchmarks the publisher would have a core to
itself, and what is measured would be its queue. So packets of MQTT 3.1.1 are made here, in lots of 10 ms.
"""

import select
import socket
import time
from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

from collectors.messages import Message

SLOT_SECONDS = 0.01
WINDOW = 5_000
"""Messages that the broker has not acknowledged; beyond it nothing is sent, and the rate is not reached."""
PATIENCE_SECONDS = 120.0
CONNECT = b"\x10\x15\x00\x04MQTT\x04\x02\x00\x00\x00\x09publisher"
CONNACK = b"\x20\x02\x00\x00"
ACK_BYTES = 4
_SPAWN = get_context("spawn")


class Published(NamedTuple):
    """What was sent."""

    times: "array[float]"
    """Seconds since 1970, in the order of the messages."""
    acknowledged: int


class Publisher:
    """Publishes between ``start`` and ``stop``, or until the messages end. Use each once.

    ``source``: gives the messages, in the process that publishes; ``rate``: messages a second.
    """

    def __init__(self, port: int, source: Callable[[], Iterable[Message]], rate: float) -> None:
        self._mine, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_publish, args=(port, source, rate, theirs), name="publisher")

    def start(self) -> None:
        """Begin; returns when it is connected."""
        self._process.start()
        self._mine.recv()

    def stop(self) -> Published:
        """Publish no more; what the broker has. Raises TimeoutError where it does not acknowledge all."""
        with suppress(BrokenPipeError):  # it has ended by itself
            self._mine.send(None)
        return self.wait()

    def wait(self) -> Published:
        """Wait until the messages end."""
        found = self._mine.recv()
        self._process.join()
        if isinstance(found, Exception):
            raise found
        published: Published = found
        return published


def _publish(port: int, source: Callable[[], Iterable[Message]], rate: float, out: Connection) -> None:
    try:
        out.send(_sent(port, source, rate, out))
    except Exception as error:  # noqa: BLE001 - raised again by whoever waits
        out.send(error)


def _sent(port: int, source: Callable[[], Iterable[Message]], rate: float, out: Connection) -> Published:
    messages, times, acknowledged = iter(source()), array("d"), 0
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(CONNECT)
        if link.recv(len(CONNACK), socket.MSG_WAITALL) != CONNACK:
            raise ConnectionError("the broker refuses the publisher")
        out.send(None)
        began = answered = time.monotonic()
        ending = False
        while not ending or len(times) > acknowledged:
            due = min(round((time.monotonic() - began) * rate), acknowledged + WINDOW) - len(times)
            lot = [] if ending else list(islice(messages, max(0, due)))
            now = time.time()
            link.sendall(b"".join(_packet(number, one) for number, one in enumerate(lot, len(times))))
            times.extend([now] * len(lot))
            ending = ending or out.poll() or len(lot) < due
            time.sleep(SLOT_SECONDS)
            if (found := _acknowledgements(link)) or acknowledged == len(times):
                answered = time.monotonic()
            acknowledged += found
            if time.monotonic() - answered > PATIENCE_SECONDS:
                raise TimeoutError("the broker does not acknowledge what was published")
    return Published(times, acknowledged)


def _acknowledgements(link: socket.socket) -> int:
    """How many have come. The broker sends nothing else, each in one piece of four bytes."""
    found = 0
    while select.select([link], [], [], 0)[0]:
        came = link.recv(65_536, socket.MSG_PEEK)
        if not came:
            raise ConnectionError("the broker has hung up")
        found += len(link.recv(len(came) // ACK_BYTES * ACK_BYTES))
    return found // ACK_BYTES


def _packet(number: int, message: Message) -> bytes:
    """PUBLISH with QoS 1."""
    topic = message.topic.encode()
    mid = number % 65_535 + 1
    body = len(topic).to_bytes(2) + topic + mid.to_bytes(2) + message.payload
    length, size = len(body), b""
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return b"\x32" + size + bytes([length]) + body
