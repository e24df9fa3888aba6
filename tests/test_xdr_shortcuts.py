"""What the codec of XDR does by one call: texts with numbers around them, and small messages."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import pytest

from ipckit.errors import IpcError
from ipckit.protocols.xdr import codec_of
from ipckit.protocols.xdr_annotations import shape_of
from ipckit.protocols.xdr_reader import unpacker
from ipckit.protocols.xdr_source import KEPT
from ipckit.protocols.xdr_writer import packer
from ipckit.types import Int32


@dataclass
class Tagged:
    number: Int32
    first: str
    value: float
    second: str
    third: bytes
    last: bool


@dataclass
class Pair:
    x: Int32
    y: bool


CODEC = codec_of(Tagged)
HEAD = b"head"


def string(octets: bytes) -> bytes:
    return struct.pack(">I", len(octets)) + octets + bytes(-len(octets) % 4)


def mark(size: int) -> bytes:
    return b"mark%02d" % size


@pytest.mark.parametrize("length", [0, 1, 3, 4, KEPT - 1, KEPT, KEPT + 1, 5000])
def test_texts_of_any_length_stand_between_their_neighbours(length: int) -> None:
    octets = b"x" * length
    value = Tagged(-1, octets.decode(), 0.5, "é", octets, last=True)
    written = b"".join(
        (
            struct.pack(">i", -1),
            string(octets),
            struct.pack(">d", 0.5),
            string("é".encode()),
            string(octets),
            struct.pack(">I", 1),
        )
    )
    assert CODEC.encode(value) == written
    assert CODEC.decode(written) == value


@pytest.mark.parametrize("length", [1, KEPT + 1])
def test_the_place_of_padding_that_is_not_zero_is_told(length: int) -> None:
    written = CODEC.encode(Tagged(1, "x" * length, 0.5, "", b"", last=True))
    end = 8 + length + -length % 4
    with pytest.raises(IpcError, match=f"the padding before octet {end} is not zero"):
        CODEC.decode(written[: end - 1] + b"\1" + written[end:])


@pytest.mark.parametrize("length", [1, KEPT + 1])
def test_a_value_that_is_cut_anywhere_is_refused(length: int) -> None:
    written = CODEC.encode(Tagged(1, "x" * length, 0.5, "y", b"z", last=True))
    for end in range(len(written)):
        with pytest.raises(IpcError):
            CODEC.decode(written[:end])


def test_a_length_that_nothing_holds_costs_nothing() -> None:
    with pytest.raises(IpcError, match="cut short"):
        CODEC.decode(struct.pack(">iI", 1, 2**32 - 1) + bytes(64))


def test_a_small_message_is_packed_as_its_parts_are() -> None:
    pack = packer(shape_of(Pair, ""), HEAD, mark)
    assert pack is not None
    body = struct.pack(">I", 7) + HEAD + codec_of(Pair).encode(Pair(3, y=True))
    assert pack(7, Pair(3, y=True)) == mark(len(body)) + body


@pytest.mark.parametrize("value", [Pair("3", y=True), Pair(2**31, y=True), (3, True)])  # type: ignore[arg-type]
def test_what_does_not_fit_is_packed_by_no_shortcut(value: Any) -> None:
    pack = packer(shape_of(Pair, ""), HEAD, mark)
    assert pack is not None
    with pytest.raises((TypeError, struct.error)):
        pack(7, value)


def test_a_small_message_is_unpacked_only_in_its_own_form() -> None:
    pack = packer(shape_of(Pair, ""), HEAD, mark)
    unpack = unpacker(shape_of(Pair, ""), HEAD, mark, lambda number, _, value: (number, value))
    assert pack is not None
    assert unpack is not None
    message = pack(7, Pair(3, y=True))
    assert unpack(memoryview(message)) == (7, Pair(3, y=True))
    others = [message[:-1], message + b"\0", b"k" + message[1:], message.replace(HEAD, b"foot")]
    for other in [*others, message[:-1] + b"\2"]:
        with pytest.raises((ValueError, struct.error, IpcError)):
            unpack(memoryview(other))


@pytest.mark.parametrize("kind", [str, list[Int32], Pair | None, tuple[Int32, str], list[Pair]])
def test_what_varies_in_size_has_no_shortcut(kind: Any) -> None:
    assert packer(shape_of(kind, ""), HEAD, mark) is None
    assert unpacker(shape_of(kind, ""), HEAD, mark, lambda *_: None) is None
