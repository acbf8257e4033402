"""Recordings: MQTT messages in a file, one a line, in the order received.

In:  ``*.jsonl``, plain or compressed with gzip or zstd (told by content, not by name).
Out: messages whose payload has the very bytes that MQTT would deliver; the decoders parse them once.

A line is ``{"received": "<RFC 3339>", "topic": "...", "payload": <JSON>}``, with ``payload_base64`` in place
of ``payload`` where the bytes are no JSON text. Reading streams: memory does not grow with the file. What
can't be read is told to ``on_fault`` by line number, and the rest is read.
"""

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

import msgspec
import zstandard

from collectors.messages import Message
from collectors.moments import moment
from schemas.times import rfc3339

OnFault = Callable[[int, str], None]
"""Told of each fault: line number (from 1) and what is wrong."""

BLOCK = 8 * 1024
"""Bytes read at a time: small, so that the place in the file tells how far a reader has got."""
LONGEST_LINE = 32 * 1024 * 1024
"""Bytes; a longer line is a fault and is skipped, so that no file can fill the memory."""

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class _Line(msgspec.Struct, gc=False):
    received: str
    topic: str
    payload: msgspec.Raw = msgspec.Raw()
    payload_base64: bytes | None = None


_decode = msgspec.json.Decoder(_Line).decode


class CutOff(EOFError):
    """Compressed data that ends, or is damaged, before its end mark."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _gzip_member() -> _Decompressor:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)


def _zstd_frame() -> _Decompressor:
    return zstandard.ZstdDecompressor().decompressobj()


def _inflated(file: IO[bytes], new: Callable[[], _Decompressor]) -> Iterator[bytes]:
    """The content of a compressed file of one or more members, all that can be had of it.

    Raises CutOff where it breaks off: after, not instead of, the readable part.
    """
    member = new()
    try:
        while block := file.read(BLOCK):
            while block:
                if member.eof:
                    member = new()
                yield member.decompress(block)
                block = member.unused_data
    except (zlib.error, zstandard.ZstdError) as error:
        raise CutOff(f"the compressed data is damaged ({error})") from error
    if not member.eof:
        raise CutOff("the compressed data breaks off before its end")


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    magic = file.read(len(ZSTD_MAGIC))
    file.seek(0)
    if magic.startswith(GZIP_MAGIC):
        return _inflated(file, _gzip_member)
    if magic == ZSTD_MAGIC:
        return _inflated(file, _zstd_frame)
    return iter(lambda: file.read(BLOCK), b"")


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines without their ends. One over the bound comes out as its beginning, longer than the bound."""
    parts: list[bytes] = []
    size = 0
    for block in blocks:
        head, *more = block.split(b"\n")
        if size <= LONGEST_LINE:
            parts.append(head)
            size += len(head)
        if more:
            yield b"".join(parts)
            yield from more[:-1]
            parts, size = [more[-1]], len(more[-1])
    if size:
        yield b"".join(parts)


def _message(line: bytes) -> Message:
    if len(line) > LONGEST_LINE:
        raise ValueError(f"longer than {LONGEST_LINE} bytes")
    found = _decode(line)
    payload = bytes(found.payload)
    if found.payload_base64 is not None:
        if payload:
            raise ValueError("has both 'payload' and 'payload_base64'; expected one of them")
        payload = found.payload_base64
    elif not payload:
        raise ValueError("has neither 'payload' nor 'payload_base64'")
    return Message(moment(found.received), found.topic, payload)


def read(path: Path, on_fault: OnFault) -> Iterator[Message]:
    """The messages of a recording, in order, one at a time.

    Faults are told as by ``messages_of``. Raises OSError if the file can't be opened or read.
    """
    with path.open("rb") as file:
        yield from messages_of(file, on_fault)


def messages_of(file: IO[bytes], on_fault: OnFault) -> Iterator[Message]:
    """The messages of a recording that is open at its beginning.

    Calls ``on_fault`` once for each line that can't be used (it is skipped), once where compressed data
    breaks off (everything before was read), and once if the file holds no message at all. Empty lines are
    no fault. Raises OSError if the file can't be read.
    """
    number = 0
    told = False

    def fault(line: int, what: str) -> None:
        nonlocal told
        told = True
        on_fault(line, what)

    nothing = True
    try:
        for number, line in enumerate(_lines(_blocks(file)), start=1):
            try:
                message = _message(line)
            except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
                if line.strip():
                    fault(number, f"not a recorded message: {error}; skipped")
                continue
            nothing = False
            yield message
    except CutOff as error:
        fault(number + 1, f"{error}; the {number} lines before it were read")
    if nothing and not told:
        fault(1, "the recording is empty: expected one MQTT message a line")


def _is_json_text(payload: bytes) -> bool:
    """Whether a payload can stand in a line as it is, and would come back as the same bytes."""
    try:
        payload.decode()
        msgspec.json.decode(payload)
    except (ValueError, RecursionError):
        return False
    return payload.strip() == payload and b"\n" not in payload and b"\r" not in payload


def line_of(message: Message) -> bytes:
    """The line, with its end, that stands for a message in a recording."""
    head = b'{"received":"%s","topic":%s,' % (
        rfc3339(message.received).encode(),
        msgspec.json.encode(message.topic),
    )
    if _is_json_text(message.payload):
        return head + b'"payload":%s}\n' % message.payload
    return head + b'"payload_base64":%s}\n' % msgspec.json.encode(message.payload)


class Writer:
    """Writes a recording; the end of the name (``.gz``, ``.zst``, else plain) says how.

    After ``flush`` returned, everything written so far is on disk and readable, whatever happens to the
    process: a kill costs at most the lines since. Raises FileExistsError rather than overwrite a recording,
    and OSError when the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._packed: IO[bytes] | gzip.GzipFile | zstandard.ZstdCompressionWriter
        match path.suffix:
            case ".gz":
                self._packed = gzip.GzipFile(fileobj=self._file, mode="wb", mtime=0)
            case ".zst":
                self._packed = zstandard.ZstdCompressor().stream_writer(self._file, closefd=False)
            case _:
                self._packed = self._file

    def write(self, message: Message) -> None:
        """Add one message."""
        self._packed.write(line_of(message))

    def flush(self) -> None:
        """Bring everything written so far to the disk."""
        self._packed.flush()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Finish the file. It is whole and on disk when this returns."""
        if self._packed is not self._file:
            self._packed.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
