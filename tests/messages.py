"""A contract's MessagePack-RPC messages, and streams of them that arrive in pieces.

Bytes come from the `msgpack` library, never from the code under test.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgpack
import msgspec

from ipckit._contract import contract_of, raises
from ipckit.protocols import msgpackrpc
from ipckit.protocols.messagepack import DIRECT
from ipckit.protocols.msgpackrpc import BUFFER, ClientOperation, ServerOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

LIMIT: Final = 1 << 20
NESTING: Final = 100

pack: Final[Callable[[Any], bytes]] = msgpack.packb


@dataclass
class Overdrawn(Exception):
    balance: int


@dataclass
class Record:
    name: str
    value: float
    raw: bytes


class Store(Protocol):
    @raises(Overdrawn)
    def add(self, x: int, y: int) -> int: ...
    def log(self, line: str) -> None: ...
    def put(self, key: int, content: bytes) -> bytes: ...
    def join(self, parts: list[bytes], last: bytes = b"rest") -> list[bytes]: ...
    def write(self, records: dict[str, list[Record]]) -> list[Record]: ...
    def anything(self, value: Any) -> Any: ...


_OPERATIONS: Final = contract_of(Store).operations
CLIENT: Final = {name: ClientOperation(op, f"Store.{name}") for name, op in _OPERATIONS.items()}
SERVER: Final = {name: ServerOperation(op) for name, op in _OPERATIONS.items()}


def octets_of(size: int) -> bytes:
    """Return that many octets, of which each shows when it is out of place."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


STREAM: Final[list[list[Any]]] = [
    [0, 1, "add", [2, 3]],
    [2, "log", ["one way"]],
    [0, 2, "put", [1, octets_of(DIRECT)]],
    [0, 3, "join", [[b"y" * 300, b"z"], octets_of(DIRECT + 1)]],
    [0, 70_000, "write", [{"k": [{"name": "ü", "value": 0.5, "raw": b"r" * 40}] * 100}]],
    [1, 9, None, octets_of(DIRECT)],
    [1, 9, None, {"nested": [[b"u" * 99]]}],
    [1, 10, ["Full", "no room", {"left": 0}], None],
]
"""A message of every kind that there is a way for."""


def said(message: Sequence[Any]) -> tuple[Any, ...]:
    """Return what `plain` returns for a message."""
    match message:
        case [0, identity, method, params]:
            return identity, method, params
        case [1, identity, error, value]:
            return identity, value if error is None else error
    return None, message[1], message[2]


def plain(message: Any) -> tuple[Any, ...]:
    """Return what a message says, its raw part read by the operation it belongs to."""
    if hasattr(message, "method"):
        arguments = SERVER[message.method].arguments(message, NESTING)
        return message.id, message.method, msgspec.to_builtins(arguments, builtin_types=(bytes,))
    if message.error is not None:
        return message.id, message.error
    return message.id, CLIENT["anything"].result(message, NESTING)


def arrivals(data: bytes, sizes: Iterable[int], direct: Iterator[bool]) -> Iterator[Any]:
    """Yield the messages of a stream that arrives in reads of these sizes, and then whole.

    `direct` says of each read whether it takes what is `wanted` as one object, where it may.
    """
    protocol, position = msgpackrpc.Protocol(LIMIT), 0
    for size in itertools.chain(sizes, itertools.repeat(len(data))):
        if position == len(data):
            return
        piece = data[position : position + size]
        if protocol.wanted and next(direct):
            piece = piece[: protocol.wanted]
            messages = protocol.take(piece)
        else:
            room = protocol.buffer()
            piece = piece[: len(room)]
            room[: len(piece)] = piece
            messages = protocol.received(len(piece))
        position += len(piece)
        yield from messages


def feed(data: bytes, sizes: Iterable[int], direct: Iterator[bool]) -> list[tuple[Any, ...]]:
    """Return what the messages of a stream say, each read before the next octets arrive."""
    return [plain(message) for message in arrivals(data, sizes, direct)]


def receive(data: bytes, size: int = BUFFER) -> list[tuple[Any, ...]]:
    """Return what the messages of a stream say that arrives in reads of one size."""
    return feed(data, itertools.repeat(size), itertools.repeat(False))
