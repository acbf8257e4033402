"""State on a compacted topic: what a part of the work needs to go on, with the offset that it covers.

In:  states as JSON values, under the name of the part.
Out: the newest state that is whole.
Promises: a kill in the middle of writing leaves the state before it readable, compaction or not: states take
turns in two slots, and one counts only when all its pieces are there. Pieces are small enough for any broker.
"""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import zstandard
from confluent_kafka import Consumer, KafkaException, TopicPartition

from runner.kafka.reading import reader
from runner.kafka.records import Headers, failed, said
from runner.kafka.settings import KafkaFailed, KafkaSettings
from schemas.topics import STATE

VERSION = 1
PIECE_BYTES = 512 * 1024
SECONDS = 60.0
"""Longest time in which the state topic must have been read."""


class Kept(NamedTuple):
    """A state and the next offset after what it covers."""

    next: int
    state: Any


class Piece(NamedTuple):
    """One record of the state topic."""

    key: str
    value: bytes
    headers: Headers


def pieces(name: str, number: int, kept: Kept) -> Iterator[Piece]:
    """The records that hold a state. ``number`` counts the states of one writer: it chooses the slot."""
    # numpy's floats, among plain ones, are floats
    packed = zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(kept.state, enc_hook=float))
    count = max(1, -(-len(packed) // PIECE_BYTES))
    # With the checksum, pieces of two writers (one of them given up by the group) never make one state.
    label: Headers = [("state", f"{VERSION}/{kept.next}/{count}/{zlib.crc32(packed)}")]
    for index in range(count):
        part = packed[index * PIECE_BYTES : (index + 1) * PIECE_BYTES]
        yield Piece(f"{name}/{number % 2}/{index}", part, label)


def load(settings: KafkaSettings, wanted: Mapping[str, int]) -> dict[str, Kept]:
    """The newest whole state of each name that has one; with each name, its partition of the state topic.

    Raises KafkaFailed where Kafka does not answer, or where another version of ours wrote the newest.
    """
    if not wanted:
        return {}
    consumer = reader(settings)
    found: dict[tuple[str, str], dict[str, bytes]] = {}
    try:
        consumer.assign([TopicPartition(settings.name(STATE), number, 0) for number in set(wanted.values())])
        for key, label, value in _records(consumer, settings, len(set(wanted.values()))):
            name, _, index = key.rpartition("/")
            found.setdefault((name.rpartition("/")[0], label), {})[index] = value
    except KafkaException as error:
        raise failed(settings, error) from error
    finally:
        consumer.close()
    return {name: kept for name in wanted if (kept := _newest(name, found, settings)) is not None}


def _records(
    consumer: Consumer, settings: KafkaSettings, partitions: int
) -> Iterator[tuple[str, str, bytes]]:
    """Key, label and value of each record up to the ends of so many partitions."""
    open_ = partitions
    while open_:
        message = consumer.poll(SECONDS)
        if message is None:
            raise KafkaFailed(
                f"Kafka {settings.address} did not deliver {settings.name(STATE)} in {SECONDS} s"
            )
        if (error := message.error()) is not None:
            if error.name() == "_PARTITION_EOF":
                open_ -= 1
                continue
            raise failed(settings, error)
        key, label, value = message.key(), said(message).get("state"), message.value()
        if isinstance(key, bytes) and label is not None and isinstance(value, bytes):
            yield key.decode(), label, value


def _newest(
    name: str, found: dict[tuple[str, str], dict[str, bytes]], settings: KafkaSettings
) -> Kept | None:
    whole: list[tuple[int, int, str]] = []
    for (of, label), parts in found.items():
        if of == name:
            version, next_, count, _ = map(int, label.split("/"))
            if len(parts) == count:
                whole.append((next_, version, label))
    if not whole:
        return None
    next_, version, label = max(whole)
    if version != VERSION:
        raise KafkaFailed(
            f"Kafka {settings.address}: the state of {name!r} has version {version}, expected {VERSION}; "
            f"another Crosscurrent wrote it. Run that one, or begin anew under another prefix"
        )
    parts = found[name, label]
    packed = b"".join(parts[str(index)] for index in range(len(parts)))
    return Kept(next_, msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(packed)))
