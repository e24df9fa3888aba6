"""A contract's Sun RPC messages, and streams of them that arrive in pieces.

Octets come from words written by hand, never from the code under test.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from ipckit._contract import contract_of, oneway, raises
from ipckit.protocols import sunrpc
from ipckit.protocols.sunrpc import ClientOperation, Procedure, Reply, Request, ServerOperation
from ipckit.types import Int32

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ipckit._contract import Operation

LIMIT: Final = 1 << 20
NESTING: Final = 100
PROGRAM: Final = 555555555


@dataclass
class Overdrawn(Exception):
    balance: Int32


class Store(Protocol):
    def add(self, x: Int32, y: Int32) -> Int32: ...
    @raises(Overdrawn)
    def put(self, key: Int32, content: bytes) -> bytes: ...
    @oneway
    def log(self, line: str) -> None: ...
    def names(self, count: int = 3) -> list[str]: ...


OPERATIONS: Final = contract_of(Store).operations
NUMBERS: Final = sunrpc.procedure_numbers(contract_of(Store))


@functools.cache
def client(name: str, **options: Any) -> ClientOperation:
    procedure = Procedure(PROGRAM, 1, NUMBERS[name])
    return ClientOperation(_operation(name, **options), f"Store.{name}", procedure, **options)


@functools.cache
def server(name: str, **options: Any) -> ServerOperation:
    return ServerOperation(_operation(name, **options), f"Store.{name}", **options)


def _operation(name: str, *, faults: bool = False, **_: Any) -> Operation:
    """Return an operation, which declares no exceptions where they have no room."""
    operation = OPERATIONS[name]
    return operation if faults else dataclasses.replace(operation, raises=())


def octets(*words: int | bytes) -> bytes:
    """Return words of 32 bits, and octets as they are."""
    return b"".join(w if isinstance(w, bytes) else struct.pack(">I", w) for w in words)


def whole(out: Any) -> bytes:
    return out if isinstance(out, bytes) else b"".join(out)


def marked(data: bytes) -> bytes:
    """Return a record of one fragment."""
    return octets(0x80000000 | len(data), data)


CALL: Final = octets(7, 0, 2, PROGRAM, 1, 1, 0, 0, 0, 0, 40, 2)
REPLY: Final = octets(7, 1, 0, 0, 0, 0, 42)
SYS: Final = octets(5, 2, b"pc\0\0", 1000, 100, 2, 4, 24)


def arrivals(
    data: bytes, sizes: Iterable[int], direct: Iterator[bool], limit: int = LIMIT
) -> Iterator[Any]:
    """Yield the messages of a stream that arrives in reads of these sizes, and then whole.

    `direct` says of each read whether it takes what is `wanted` as one object, where it may.
    """
    protocol, position = sunrpc.Protocol(limit), 0
    for size in itertools.chain(sizes, itertools.repeat(len(data))):
        if position == len(data):
            return
        piece = data[position : position + size]
        messages: Sequence[Any]
        if protocol.wanted and next(direct):
            piece = piece[: protocol.wanted]
            messages = protocol.take(piece)
        else:
            room = protocol.home if protocol.empty else protocol.buffer()
            piece = piece[: len(room)]
            room[: len(piece)] = piece
            messages = protocol.received(len(piece))
        position += len(piece)
        yield from messages


def said(message: Request | Reply) -> tuple[int, Any]:
    """Return what a message of `STREAM` says."""
    if isinstance(message, Reply):
        if message.error is not None:
            return message.id, message.error
        name = "add" if message.id == 7 else "put"
        return message.id, client(name).result(message, NESTING)
    assert message.method is not None
    name = next(name for name, number in NUMBERS.items() if number == message.method[2])
    arguments = server(name).arguments(message, NESTING)
    return message.id, [getattr(arguments, field) for field in arguments.__struct_fields__]
