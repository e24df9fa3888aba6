"""What a session asks of a protocol; `ipckit.protocols.msgpackrpc` is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from ipckit._contract import Operation
    from ipckit.errors import Fault

__all__ = ["Connection", "Out", "Wire", "WireClientOperation", "WireServerOperation", "remembered"]

T = TypeVar("T")
REMEMBERED: Final = 4096

Out = bytes | list[Any]
"""One message's octets, or its parts to be sent in one go."""


class Connection(Protocol):
    """One connection's state: see `msgpackrpc.Protocol` for the rules of its buffer."""

    home: memoryview
    """Where reads land while nothing is held."""
    empty: bool
    """Whether every octet received has become part of a message."""

    plain: bool
    """Whether nothing is held and the next read is likely to bring one whole message."""
    wanted: int
    """Octets that end a message, of which none has arrived; a stream may read them as one."""

    def buffer(self) -> memoryview: ...
    def received(self, count: int) -> Sequence[Any]: ...
    def take(self, content: bytes) -> Sequence[Any]: ...


class WireClientOperation(Protocol):
    """One operation as a client of this wire speaks it."""

    name: str
    nullable: bool
    decode: Any
    """Reads a reply that came whole and alone: an object with id, error and typed result."""

    def request(self, identity: int, args: Any) -> Out: ...
    def notification(self, args: Any) -> Out: ...
    def result(self, reply: Any, nesting: int) -> Any: ...


class WireServerOperation(Protocol):
    """One operation as a server of this wire speaks it."""

    def arguments(self, request: Any, nesting: int) -> Any: ...


def remembered(make: Callable[..., T]) -> Callable[..., T]:
    """Return `make` with a memory: operations are spoken alike on every connection of a wire.

    They are known by identity, since contracts are read once and operations hold what has no hash.
    """
    made: dict[tuple[object, ...], tuple[Operation, T]] = {}

    def remember(operation: Operation, *more: object) -> T:
        key = (id(operation), *more)
        found = made.get(key)
        if found is None:
            if len(made) >= REMEMBERED:
                made.clear()
            # Holding the operation keeps its identity from being given to another.
            found = made[key] = operation, make(operation, *more)
        return found[1]

    return remember


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A protocol as sessions see it: the functions of one module of `ipckit.protocols`.

    Messages are told apart by what they have: a reply has no `method`, a notification's `id` is
    None.
    """

    connection: Callable[[int], Connection]
    """Returns the state of a new connection whose messages have that many octets at most."""
    client: Callable[[Operation, str], WireClientOperation]
    server: Callable[[Operation], WireServerOperation]
    decode: Callable[[Any, int], Any]
    """Reads one whole message, as from a datagram, of that many octets at most."""
    request: Callable[[int, str, Sequence[Any]], Out]
    notification: Callable[[str, Sequence[Any]], Out]
    result: Callable[[int, Any], Out]
    failure: Callable[[int, Fault], Out]
