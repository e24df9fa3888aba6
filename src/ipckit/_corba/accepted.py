"""The connections that the ORB has accepted: counted, bounded, and ended one by one.

The ORB gives each connection a thread of its own, and tells that thread so when it begins and ends
(an interceptor; what the ORB calls for events of connections may wait for itself for ever). It does
not say which socket it is: the one that is there and no other thread's.
"""

from __future__ import annotations

import os
import resource
import stat
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

import omniORB

from ipckit._corba.sockets import borrowed, shut

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Accepted", "caller"]

MANY: Final = 65536
"""Descriptors that are looked at where they cannot be listed."""


class _Socket(NamedTuple):
    descriptor: int
    inode: int
    peer: str


def caller() -> tuple[str, str]:
    """Return over which endpoint and which connection the running operation was called, if any."""
    info = omniORB.currentCallInfo() or {}
    return info.get("my_address", ""), info.get("peer_address", "")


class Accepted:
    """The connections of one ORB, whose Unix socket has that path."""

    def __init__(self, path: str) -> None:
        self.port: int | None = None
        """Where the ORB listens, once it does."""
        self.rooms: list[dict[int, str]] = []
        """Of each server, the threads whose connections it has let in."""
        self._path = path
        self._held: dict[int, _Socket] = {}
        self._left: set[int] = set()
        """Of threads that have ended, whose sockets may still be open."""
        self._bounds: dict[object, int] = {}

    def bound(self, owner: object, connections: int) -> None:
        """Accept so many connections for a server; those of several servers add up."""
        self._bounds[owner] = connections

    def unbound(self, owner: object) -> None:
        """Forget a server."""
        self._bounds.pop(owner, None)

    def serving(self) -> Iterator[None]:
        """Take notice of a connection while its thread, which this is called in, serves it."""
        ident = threading.get_ident()
        found = self._new()
        if found is not None:
            self._held[ident] = found
            bounds = list(self._bounds.values())
            if bounds and len(self._held) > sum(bounds):
                shut(found.descriptor)
        yield
        left = self._held.pop(ident, None)
        if left is not None:
            self._left.add(left.inode)
        for room in list(self.rooms):
            room.pop(ident, None)

    def confirm(self, ident: int, peer: str) -> None:
        """Say whose connection a thread serves: of two that came at once it may be the other."""
        held = self._held.get(ident)
        if held is None or (held.peer and held.peer != peer):
            found = next((one for one in self._sockets() if one.peer == peer), held)
            if found is not None:
                self._held[ident] = found

    def end(self, ident: int) -> None:
        """End the connection that a thread serves."""
        held = self._held.get(ident)
        if held is not None and _inode(held.descriptor) == held.inode:
            shut(held.descriptor)

    def _new(self) -> _Socket | None:
        """Return the oldest socket that no thread has, of those that one had before the last."""
        there = list(self._sockets())
        self._left &= {one.inode for one in there}
        held = {one.inode for one in list(self._held.values())}
        free = [one for one in there if one.inode not in held]
        # A connection on which nothing came for a while is left, and served by a thread again.
        return next((one for one in free if one.inode not in self._left), None) or next(
            iter(free), None
        )

    def _sockets(self) -> Iterator[_Socket]:
        """Yield the sockets that the ORB has accepted, the oldest first."""
        for descriptor in _descriptors():
            inode = _inode(descriptor)
            peer = self._peer(descriptor) if inode else None
            if peer is not None:
                yield _Socket(descriptor, inode, peer)

    def _peer(self, descriptor: int) -> str | None:
        """Return how the ORB calls the peer of a socket that it has accepted; "" has no name."""
        try:
            with borrowed(descriptor) as sock:
                own, peer = sock.getsockname(), sock.getpeername()
        except OSError:
            return None  # it listens, or has been closed meanwhile
        if own == self._path:
            return ""
        if not isinstance(own, tuple) or own[1] != self.port:
            return None
        host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
        return f"giop:tcp:{host}:{peer[1]}"


def _descriptors() -> list[int]:
    try:
        return sorted(map(int, os.listdir("/proc/self/fd")))
    except OSError:
        # To look needs a descriptor, and there is none.
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return list(range(min(most, MANY)))


def _inode(descriptor: int) -> int:
    """Return the inode of a socket; 0 of what is none, or is closed."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return 0
    return found.st_ino if stat.S_ISSOCK(found.st_mode) else 0
