"""Input that no peer should send: nonsense, other protocols, and right messages bent."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NONSENSE", "bent", "samples"]

NONSENSE: Final = (
    b"\x00",
    b"\xff" * 64,
    b"\n" * 2000,
    b"\x00" * 70_000,
    bytes(range(256)),
    b"GET / HTTP/1.1\r\n\r\n",
    (
        b"POST /RPC2 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\n"
        b"Content-Length: 99999999999999999999\r\n\r\n<"
    ),
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
    b"A" * 200_000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # the start of a TLS handshake
    b"\xdd\xff\xff\xff\xff",  # MessagePack: an array of 2**32 - 1 values
    b"\xc6\xff\xff\xff\xff" + b"x" * 100,  # MessagePack: 4 GiB of octets
    b"\x94\x00\x01\xdb\xff\xff\xff\xff",  # MessagePack-RPC: a method's name of 4 GiB
    b"\x91" * 100_000,  # MessagePack: arrays in arrays
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><methodCall>&b;</methodCall>',
)


def samples(message: bytes, count: int) -> Iterator[bytes]:
    """Yield `count` samples, half of them nonsense and half of them made of a right message."""
    nonsense = NONSENSE[: count // 2]
    yield from nonsense
    yield from bent(message, count - len(nonsense))


def bent(message: bytes, count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield the message cut short, with octets changed, left out, put in, and sent twice."""
    chance = random.Random(seed)  # noqa: S311  (to be repeated, not to be secret)
    for number in range(count):
        place = chance.randrange(len(message))
        octet = bytes([chance.randrange(256)])
        match number % 5:
            case 0:
                yield message[:place]
            case 1:
                yield message[:place] + octet + message[place + 1 :]
            case 2:
                yield message[:place] + message[place + 1 :]
            case 3:
                yield message[:place] + octet * 3 + message[place:]
            case _:
                yield message + message[:place]
