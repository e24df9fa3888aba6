"""What the octets of Pyro's messages stand for, as `ipckit explain` shows them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import msgpack

from ipckit._pyro.messages import HEAD, SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Line", "messages"]

Line = tuple[bytes, str]
"""Octets, and what they stand for."""

ONEWAY: Final = 4
_KINDS: Final = {
    1: "CONNECT",
    2: "CONNECTOK",
    3: "CONNECTFAIL",
    4: "INVOKE",
    5: "RESULT",
    6: "PING",
}
_FLAGS: Final = {
    1: "an exception",
    2: "compressed",
    ONEWAY: "one-way",
    8: "a batch",
    16: "an item stream",
    32: "kept as it was written",
    64: "with a correlation id",
}


def messages(octets: bytes) -> list[Line]:
    """Return lines for one message after another, and for what is left of a broken one."""
    lines: list[Line] = []
    while len(octets) >= HEAD and octets.startswith(b"PYRO"):
        data, annotations = struct.unpack_from("!II", octets, 12)
        whole = HEAD + annotations + data
        lines += _message(octets[:whole], annotations)
        octets = octets[whole:]
    return [*lines, (octets, "no Pyro message")] if octets else lines


def _message(octets: bytes, annotations: int) -> Iterator[Line]:
    version, kind, serializer, flags, sequence, data = struct.unpack_from("!HBBHHI", octets, 4)
    written = _named(SERIALIZERS, serializer)
    said = ", ".join(_set(flags)) or "no flags"
    yield octets[:4], "PYRO"
    yield octets[4:8], f"protocol {version}, {_named(_KINDS, kind)}, the data in {written}"
    yield octets[8:12], f"{said}; number {sequence}, which the reply has too"
    yield octets[12:16], f"{data} octets of data"
    yield octets[16:20], f"{annotations} octets of annotations before it"
    yield octets[20:36], "a correlation id" if any(octets[20:36]) else "no correlation id"
    yield octets[36:40], "reserved, and a magic number"
    body = HEAD + annotations
    if annotations:
        yield octets[HEAD:body], "annotations"
    comment, end, _ = octets[body:].partition(b"\n")
    if written == "serpent" and comment.startswith(b"#"):
        yield comment + end, "a comment"
        body += len(comment + end)
    if octets[body:]:
        yield octets[body:], _text(octets[body:], serializer)


def _named(names: Mapping[int, str], value: int) -> str:
    return names.get(value, f"unknown: {value}")


def _set(flags: int) -> Iterator[str]:
    for bit, name in _FLAGS.items():
        if flags & bit:
            yield name


def _text(data: bytes, serializer: int) -> str:
    """Return data as it is written, or what msgpack holds."""
    if serializer != 4:
        return data.decode(errors="replace")
    try:
        value: Any = msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, msgpack.UnpackException):
        return "no msgpack"
    return repr(value)
