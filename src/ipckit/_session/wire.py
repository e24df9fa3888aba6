"""What a session asks of a protocol; `ipckit.protocols.msgpackrpc` is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from ipckit._contract import Contract, Operation
    from ipckit._dispatch import Dispatcher, Entry
    from ipckit.errors import Fault

__all__ = [
    "IDENTITIES",
    "Connection",
    "Out",
    "Served",
    "Wire",
    "WireClientOperation",
    "WireServerOperation",
    "by_name",
    "remembered",
]

T = TypeVar("T")
REMEMBERED: Final = 4096
IDENTITIES: Final = 0x7FFFFFFF
"""Which bits number a call; a wire that numbers its one-way calls too sets the 32nd for those."""

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
    """One operation as a server of this wire speaks it.

    No octets stand for no reply, where a call is one-way and its request does not say so.
    """

    def arguments(self, request: Any, nesting: int) -> Any: ...
    def result(self, identity: int, value: Any) -> Out: ...
    def failure(self, identity: int, error: Fault) -> Out: ...


def by_name(
    server: Callable[[Operation], WireServerOperation],
) -> Callable[[Dispatcher], Mapping[str, Served]]:
    """Return the `entries` of a wire that calls operations by their names."""
    return lambda dispatcher: {
        name: (server(entry.operation), entry) for name, entry in dispatcher.entries.items()
    }


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


Served: TypeAlias = "tuple[WireServerOperation, Entry]"
"""An operation as the wire has it, and how it runs."""


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
    notification: Callable[[str, Sequence[Any]], Out]
    result: Callable[[int, Any], Out]
    failure: Callable[[int, Fault], Out]
    entries: Callable[[Dispatcher], Mapping[Any, Served]]
    """What requests may name by their method."""
    otherwise: Callable[[Any], Out] | None = None
    """Answers a request that names none of these; by default subscriptions and a fault do."""
    contract: Contract | None = None
    """What says how a call by name is written, where names and values alone do not."""
