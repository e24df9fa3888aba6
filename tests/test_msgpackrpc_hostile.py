"""What a MessagePack-RPC peer may not send: too long, too deep, no message, or anything at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import tracemalloc
from typing import TYPE_CHECKING, Any, Final

import pytest
from messages import (
    CLIENT,
    LIMIT,
    NESTING,
    SERVER,
    STREAM,
    Overdrawn,
    arrivals,
    pack,
    plain,
    receive,
)
from msgspec import DecodeError

from ipckit.errors import BadArguments, Fault, LimitExceeded, ProtocolError
from ipckit.protocols.msgpackrpc import BUFFER, ClientOperation, decode
from ipckit.testing.garbage import NONSENSE, bent

if TYPE_CHECKING:
    from collections.abc import Iterator

FUZZ: Final = int(os.environ.get("IPCKIT_FUZZ", "10000"))
"""Inputs of the fuzz test; a million before the protocol is called done."""

# --- Limits -----------------------------------------------------------------------------------

_MOST = b"\xff\xff\xff\xff"
DECLARED: Final = {
    "bin32": b"\xc6" + _MOST,
    "ext32": b"\xc9" + _MOST,
    "str32": b"\xdb" + _MOST,
    "array32": b"\xdd" + _MOST,
    "map32": b"\xdf" + _MOST,
}
PLACES: Final = {
    "message": b"",
    "id": b"\x94\x00",
    "method": b"\x94\x00\x01",
    "params": b"\x94\x00\x01\xa1f",
    "argument": b"\x94\x00\x01\xa1f\x91",
    "error": b"\x94\x01\x05",
    "result": b"\x94\x01\x05\xc0",
    "notified": b"\x93\x02\xa1f\x91",
}


@pytest.fixture
def frugal() -> Iterator[None]:
    """Hold what is allocated during a test under the limit of one message."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("size", [1, BUFFER])
def test_a_declared_length_over_the_limit_is_refused_at_once_and_takes_no_memory(
    declared: bytes, place: bytes, size: int
) -> None:
    with pytest.raises((LimitExceeded, ProtocolError)):
        receive(place + declared, size)


@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)
@pytest.mark.parametrize("place", ["argument", "error", "result"])
def test_the_refusal_of_a_declared_length_names_the_limit(declared: bytes, place: str) -> None:
    with pytest.raises(LimitExceeded, match=f"over the limit of {LIMIT}"):
        receive(PLACES[place] + declared)


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_datagram_that_declares_more_than_it_has_takes_no_memory(
    declared: bytes, place: bytes
) -> None:
    with pytest.raises(ProtocolError):
        decode(place + declared, LIMIT)


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)
@pytest.mark.parametrize("operation", CLIENT.values(), ids=CLIENT)
def test_the_shortcut_for_a_reply_takes_no_memory_for_what_is_only_declared(
    operation: ClientOperation, declared: bytes
) -> None:
    with pytest.raises(DecodeError):
        operation.decode(PLACES["result"] + declared)


@pytest.mark.parametrize("size", [997, BUFFER])
@pytest.mark.parametrize("content", [b"x" * LIMIT, [1] * LIMIT, ["y" * 9] * (LIMIT // 9)])
def test_a_message_over_the_limit_is_refused_as_it_arrives(content: Any, size: int) -> None:
    with pytest.raises(LimitExceeded, match=f"over the limit of {LIMIT}"):
        receive(pack([0, 1, "anything", [content]]), size)


def test_a_message_at_the_limit_is_carried_and_one_octet_more_is_not() -> None:
    overhead = len(pack([0, 1, "put", [1, bytes(2**16)]])) - 2**16
    most = bytes(LIMIT - overhead)
    assert receive(pack([0, 1, "put", [1, most]])) == [(1, "put", [1, most])]
    with pytest.raises(LimitExceeded):
        receive(pack([0, 1, "put", [1, most + b"x"]]))


def test_a_datagram_over_the_limit_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="12 octets or more is over the limit of 10"):
        decode(pack([0, 1, "add", [2, 300]]), 10)


def nested(depth: int) -> bytes:
    """Return the MessagePack of 1 inside as many arrays."""
    return b"\x91" * depth + b"\x01"


@pytest.mark.parametrize(
    "header", [b"\x91", b"\x81\x01", b"\xdc\x00\x01", b"\xdf\x00\x00\x00\x01\x01"]
)
def test_nesting_over_the_limit_is_refused_whatever_the_containers(header: bytes) -> None:
    call = b"\x94\x00\x01\xa8anything\x91"
    plain(decode(call + header * (NESTING - 1) + b"\x01", LIMIT))
    with pytest.raises(BadArguments, match=f"nested deeper than {NESTING}"):
        plain(decode(call + header * (NESTING + 1) + b"\x01", LIMIT))


def test_a_reply_nested_over_the_limit_is_refused() -> None:
    reply = decode(PLACES["result"] + nested(NESTING + 1), LIMIT)
    with pytest.raises(LimitExceeded, match=rf"Store\.anything: .* deeper than {NESTING}"):
        plain(reply)


@pytest.mark.parametrize("place", [b"", b"\x94\x00\x01\xa8anything", b"\x94\x01\x05\xc0"])
@pytest.mark.parametrize("size", [1, BUFFER])
def test_nesting_that_no_stack_holds_is_refused(place: bytes, size: int) -> None:
    with pytest.raises((ProtocolError, LimitExceeded)):
        receive(place + nested(100_000), size)


# --- What is no message -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        b"\x94\x00\x01\xa1f\x91\xc1",
        b"\x00",
        b"\xc0",
        b"\x90",
        b"\x80",
        b"\xa5hello",
        b"\x93\x00\x01\xa1f",
        b"\x95\x00\x01\xa1f\x90\xc0",
        b"\x94\x02\xa1f\x90\xc0",
        b"\x94\x03\x01\xa1f\x90",
        b"\x94\xff\x01\xa1f\x90",
        b"\x94\xa10\x01\xa1f\x90",
        b"\x94\x00\xff\xa1f\x90",
        b"\x94\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa1f\x90",
        b"\x94\x00\xa11\xa1f\x90",
        b"\x94\x00\x01\x01\x90",
        b"\x94\x00\x01\xc4\x01f\x90",
        b"\x94\x00\x01\xa1\xff\x90",
        b"\x94\x01\xff\xc0\xc0",
        b"\x94\x01\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xc0\xc0",
        b"\x94\x01\x01\x81\x80\x01\xc0",
    ],
)
def test_what_is_no_message_is_refused_whole_or_byte_by_byte(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        receive(data)
    with pytest.raises(ProtocolError):
        receive(data, 1)
    with pytest.raises(ProtocolError):
        decode(data, LIMIT)


def test_garbage_after_messages_is_refused() -> None:
    with pytest.raises(ProtocolError):
        receive(pack([0, 1, "add", [2, 3]]) * 3 + b"\xc1")


def test_a_datagram_with_something_after_its_message_is_refused() -> None:
    with pytest.raises(ProtocolError):
        decode(pack([0, 1, "add", [2, 3]]) + b"\x00", LIMIT)


def test_every_cut_message_is_waited_for_in_a_stream_and_refused_in_a_datagram() -> None:
    whole = pack(STREAM[4])
    for stop in range(1, len(whole), 7):
        assert receive(whole[:stop]) == []
        with pytest.raises(ProtocolError):
            decode(whole[:stop], LIMIT)


# --- Fuzz -------------------------------------------------------------------------------------


_SMALL: Final = [message for message in map(pack, STREAM) if len(message) < 500]
_NESTED: Final = pack([0, 1, "write", [{"k": [{"name": "ü", "value": 0.5, "raw": b"r"}] * 2}]])
_VALID: Final = [*_SMALL, _NESTED, b"".join(_SMALL), pack(STREAM[2]), pack(STREAM[5])]


def mutations(count: int) -> Iterator[tuple[bytes, int]]:
    """Yield streams with octets changed, lost and put in, and the size of the reads of each."""
    chance = random.Random(1)  # noqa: S311  (to be repeated, not to be secret)
    for seed, valid in zip(range(count), itertools.cycle(_VALID), strict=False):
        data = bytearray(list(bent(valid, 5, seed))[seed % 5] or b"\xc1")
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.choice((0, 0x90, 0xC1, 0xC6, 0xDD, 0xFF, 7))
        for _ in range(chance.randrange(2)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        yield bytes(data), chance.choice((1, 5, 1000)) if len(data) < 500 else BUFFER


def swallow(data: bytes, size: int) -> int:
    """Receive a stream and a datagram, allow what the protocol may say; return the messages."""
    understood = 0
    with contextlib.suppress(ProtocolError, LimitExceeded):
        for message in arrivals(data, itertools.repeat(size), itertools.cycle((True, False))):
            understand(message)
            understood += 1
    with contextlib.suppress(ProtocolError, LimitExceeded):
        understand(decode(data, LIMIT))
    return understood


def understand(message: Any) -> None:
    """Read a message's raw part as every operation would."""
    for client, server in zip(CLIENT.values(), SERVER.values(), strict=True):
        with contextlib.suppress(Fault, Overdrawn, ProtocolError, LimitExceeded):
            if hasattr(message, "method"):
                server.arguments(message, NESTING)
            else:
                client.result(message, NESTING)


@pytest.mark.timeout(60 + FUZZ // 500)
def test_whatever_arrives_is_a_message_or_a_protocol_error() -> None:
    understood = sum(swallow(data, size) for data, size in mutations(FUZZ))
    assert FUZZ / 4 < understood < FUZZ * 4


@pytest.mark.parametrize("data", NONSENSE)
def test_other_peoples_protocols_are_refused_or_waited_for(data: bytes) -> None:
    swallow(data, 1000)
