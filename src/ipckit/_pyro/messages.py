"""The messages of Pyro's protocol 502, without I/O.

    4s  "PYRO"      H  version 502     B  kind          B  serializer
    H   flags       H  sequence        I  octets of data
    I   octets of annotations          16s  correlation  H  0    H  0x4dc5
    annotations, each:  4s  name    I  length    its octets
    data, as the serializer wrote it; with the flag COMPRESSED packed by zlib

Pyro's own `ReceivingMessage` takes lengths, packed data and serializers at the peer's word, up to
one limit for the whole process; here each is judged from the head.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from Pyro5 import protocol

from ipckit.errors import LimitExceeded, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

__all__ = ["HEAD", "SERIALIZERS", "Head", "Message", "message"]

_HEAD: Final = struct.Struct("!4sHBBHHII16sHH")
HEAD: Final = _HEAD.size
_MAGIC: Final = 0x4DC5
_NOBODY: Final = bytes(16)
SERIALIZERS: Final = {1: "serpent", 2: "marshal", 3: "json", 4: "msgpack"}
"""Pyro's numbers; a message in marshal or json is refused."""
CARRIED: Final = frozenset({1, 4})
_BLOB: Final = protocol.FLAGS_KEEPSERIALIZED


class Head(NamedTuple):
    """What a message says of itself, judged."""

    kind: int
    serializer: int
    flags: int
    sequence: int
    annotations: int
    """Octets."""
    size: int
    """Octets after the head, annotations and data."""

    @classmethod
    def read(cls, octets: memoryview, limit: int, kinds: Container[int]) -> Head:
        """Judge the first HEAD octets; raises ProtocolError or LimitExceeded."""
        (
            name,
            version,
            kind,
            serializer,
            flags,
            sequence,
            data,
            annotations,
            _,
            _,
            magic,
        ) = _HEAD.unpack_from(octets)
        if name != b"PYRO" or magic != _MAGIC:
            raise ProtocolError("that is no Pyro message")
        if version != protocol.PROTOCOL_VERSION:
            raise ProtocolError(
                f"the peer speaks Pyro's protocol {version}, not {protocol.PROTOCOL_VERSION}"
            )
        if kind not in kinds:
            raise ProtocolError(f"a Pyro message of kind {kind} has no place here")
        if HEAD + data + annotations > limit:
            raise LimitExceeded(
                f"a message of {HEAD + data + annotations} octets is over {limit}",
                executed="maybe",
            )
        if serializer not in CARRIED and kind != protocol.MSG_PING:
            said = SERIALIZERS.get(serializer, f"serializer {serializer}")
            raise ProtocolError(f"the peer writes {said}; serpent and msgpack are read here")
        if flags & _BLOB:
            raise ProtocolError("a SerializedBlob is not read: its head is written in marshal")
        return cls(kind, serializer, flags, sequence, annotations, data + annotations)


class Message(NamedTuple):
    """One whole message."""

    kind: int
    serializer: int
    flags: int
    sequence: int
    annotations: Mapping[str, bytes]
    data: bytes

    @classmethod
    def read(cls, head: Head, content: bytes, limit: int) -> Message:
        """Read what follows a head; raises ProtocolError or LimitExceeded."""
        kind, serializer, flags, sequence, size, _ = head
        annotations: Mapping[str, bytes] = {}
        if size:
            annotations, content = _annotations(content[:size]), content[size:]
        if flags & protocol.FLAGS_COMPRESSED:
            content = _expanded(content, limit)
        return cls(kind, serializer, flags, sequence, annotations, content)


def message(
    kind: int,
    serializer: int,
    flags: int,
    sequence: int,
    data: bytes,
    annotations: bytes = b"",
) -> bytes:
    """Return one message; `annotations` are written already."""
    return b"%b%b%b" % (
        _HEAD.pack(
            b"PYRO",
            protocol.PROTOCOL_VERSION,
            kind,
            serializer,
            flags,
            sequence,
            len(data),
            len(annotations),
            _NOBODY,
            0,
            _MAGIC,
        ),
        annotations,
        data,
    )


def annotation(name: str, octets: bytes) -> bytes:
    """Return one annotation; its name has four letters."""
    return struct.pack("!4sI", name.encode("ascii"), len(octets)) + octets


def _annotations(octets: bytes) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    place = 0
    while place < len(octets):
        if place + 8 > len(octets):
            raise ProtocolError("an annotation is cut short")
        name, length = struct.unpack_from("!4sI", octets, place)
        place += 8
        if place + length > len(octets):
            raise ProtocolError("an annotation is longer than all of them")
        found[name.decode("latin-1")] = octets[place : place + length]
        place += length
    return found


def _expanded(octets: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(octets, limit + 1)
    except zlib.error:
        raise ProtocolError("what is said to be packed by zlib is not") from None
    if len(content) > limit:
        raise LimitExceeded(f"a message is over {limit} octets once unpacked", executed="maybe")
    if not unpacker.eof:
        raise ProtocolError("what is packed by zlib is cut short")
    return content
