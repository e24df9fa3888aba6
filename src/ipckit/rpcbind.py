"""A small port mapper, for machines without rpcbind: portmap version 2, rpcbind versions 3 and 4.

It is a Sun RPC server like any other: three servants, one a version, over one list. It listens on
loopback and, if asked to, on a Unix socket, so only this machine lists and asks. Over the socket,
which C programs take to list themselves, the kernel tells who calls. Over TCP and UDP a call claims
it (AUTH_SYS) and nothing proves it: there the rule that only the owner takes an entry off the list
keeps programs from mistakes, not from malice. The list has `ENTRIES` places. The procedures that
call others for the caller (CALLIT, BCAST, INDIRECT) are not there, nor are statistics.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from ipckit._address import Address
from ipckit._api import serve as _serve
from ipckit._dispatch import caller as link
from ipckit._portmapper.asking import PROTOCOLS, place_of, universal
from ipckit._portmapper.contracts import (
    NETIDS,
    PORT,
    PROGRAM,
    Listed,
    Listed2,
    Mapping2,
    Place,
    Places,
    Portmap2,
    Rpcb,
    Rpcbind3,
    Rpcbind4,
)
from ipckit.errors import ConnectFailed
from ipckit.protocols.sunrpc import caller
from ipckit.transports._open import peer_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipckit._api import Server
    from ipckit.transports.limits import Limits

__all__ = ["ENTRIES", "serve"]

ENTRIES: Final = 1024
"""Entries that the list has at most."""
HOST: Final = "127.0.0.1"
TRIES: Final = 20
SUPERUSER: Final = "superuser"
UNKNOWN: Final = "unknown"


def serve(port: int = PORT, *, path: str | None = None, limits: Limits | None = None) -> Server:
    """Serve the port mapper over TCP and UDP at one port of this machine, 0 for a free one.

    `path` is that of a Unix socket beside it: /run/rpcbind.sock is where C programs look.

    Raises ConnectFailed where the port is taken, or is below 1024 and kept for root.
    """
    sockets = [] if path is None else [str(Address("sunrpc", "unix", path=path))]
    for _ in range(TRIES if port == 0 else 1):
        chosen = port or _free_port()
        directory = Directory(chosen)
        servants = [Portmap(directory), RpcbindThree(directory), RpcbindFour(directory)]
        try:
            return _serve(
                servants,
                f"sunrpc://{HOST}:{chosen}",
                f"sunrpc+udp://{HOST}:{chosen}",
                *sockets,
                contract=[Portmap2, Rpcbind3, Rpcbind4],
                limits=limits,
                any_user=True,
            )
        except ConnectFailed as error:
            trouble = error
    raise ConnectFailed(f"{trouble}; give another port, which clients name by ?rpcbind=PORT")


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


class Directory:
    """What is listed: one place for each version of a program on each transport."""

    def __init__(self, port: int) -> None:
        self._lock = threading.Lock()
        self._entries = {
            (PROGRAM, version, netid): Rpcb(
                PROGRAM, version, netid, universal(HOST, port), SUPERUSER
            )
            for version in (4, 3, 2)
            for netid in PROTOCOLS
        }
        # The port mapper's own entries have no owner: nobody takes them off.
        self._owners: dict[tuple[int, int, str], _Owner] = {}

    def entries(self) -> list[Rpcb]:
        """Return all that is listed."""
        with self._lock:
            return list(self._entries.values())

    def find(self, program: int, version: int, netid: str) -> Rpcb | None:
        """Return the entry of this very version."""
        with self._lock:
            return self._entries.get((program, version, netid))

    def nearest(self, program: int, version: int, netid: str) -> Rpcb | None:
        """Return the entry of a version or, as rpcbind does, of the highest other."""
        others = [e for e in self.entries() if (e.program, e.netid) == (program, netid)]
        exact = self.find(program, version, netid)
        return exact or max(others, key=lambda entry: entry.version, default=None)

    def add(self, entry: Rpcb) -> bool:
        """List an entry as its caller's; False where the place is taken, or there is no room."""
        if entry.program == PROGRAM or entry.netid not in NETIDS or not _is_address(entry):
            return False
        owner = _Owner.calling()
        key = entry.program, entry.version, entry.netid
        with self._lock:
            if key in self._entries:
                return self._entries[key].address == entry.address
            if len(self._entries) >= ENTRIES:
                return False
            self._entries[key] = replace(entry, owner=owner.name)
            self._owners[key] = owner
            return True

    def remove(self, program: int, version: int, netids: Iterable[str]) -> bool:
        """Take entries off the list; False where one of them is somebody else's."""
        keys = [(program, version, netid) for netid in netids]
        calling = _Owner.calling()
        with self._lock:
            mine = [key for key in keys if key in self._owners and calling.may(self._owners[key])]
            for key in mine:
                del self._entries[key], self._owners[key]
            return not any(key in self._entries for key in keys)


class _Owner(NamedTuple):
    """Who lists, as rpcbind writes it, and whether the kernel says so."""

    name: str
    is_proven: bool

    @classmethod
    def calling(cls) -> _Owner:
        """Return who calls the operation that is running."""
        stream = getattr(link.get(None), "stream", None)
        if stream is not None and stream.native.family == socket.AF_UNIX:
            return cls(_name(peer_credentials(stream.native)[1]), is_proven=True)
        who = caller.get()
        return cls(UNKNOWN if who is None else _name(who.uid), is_proven=False)

    def may(self, owner: _Owner) -> bool:
        """Say whether this one may take off the list what that one owns."""
        if owner.name == UNKNOWN or (self.is_proven and self.name == SUPERUSER):
            return True
        return self.name == owner.name and self.is_proven >= owner.is_proven


class Portmap(Portmap2):
    """Version 2."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def set(self, mapping: Mapping2) -> bool:
        """List a port of TCP or UDP."""
        netid = _NAMES.get(mapping.protocol, "")
        place = universal("0.0.0.0", mapping.port)  # noqa: S104  (portmap tells no host)
        return self._directory.add(Rpcb(mapping.program, mapping.version, netid, place))

    def unset(self, mapping: Mapping2) -> bool:
        """Take a program off the list, over both."""
        return self._directory.remove(mapping.program, mapping.version, PROTOCOLS)

    def getport(self, mapping: Mapping2) -> int:
        """Return the port, or 0."""
        netid = _NAMES.get(mapping.protocol, "")
        found = self._directory.nearest(mapping.program, mapping.version, netid)
        return 0 if found is None else place_of(found.address)[1]

    def dump(self) -> Listed2 | None:
        """Return what is listed of TCP and UDP over IPv4."""
        listed: Listed2 | None = None
        for entry in reversed(self._directory.entries()):
            if entry.netid in PROTOCOLS:
                _, port = place_of(entry.address)
                protocol = PROTOCOLS[entry.netid]
                listed = Listed2(Mapping2(entry.program, entry.version, protocol, port), listed)
        return listed


_NAMES: Final = {number: netid for netid, number in PROTOCOLS.items()}


class RpcbindThree(Rpcbind3):
    """Version 3."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def set(self, mapping: Rpcb) -> bool:
        """List an address."""
        return self._directory.add(mapping)

    def unset(self, mapping: Rpcb) -> bool:
        """Take a program off the list, on one transport or on all."""
        netids = [mapping.netid] if mapping.netid else NETIDS
        return self._directory.remove(mapping.program, mapping.version, netids)

    def getaddr(self, mapping: Rpcb) -> str:
        """Return the address on the transport that is named, or an empty text."""
        found = self._directory.nearest(mapping.program, mapping.version, mapping.netid)
        return "" if found is None else _reachable(found)

    def dump(self) -> Listed | None:
        """Return all that is listed."""
        listed: Listed | None = None
        for entry in reversed(self._directory.entries()):
            listed = Listed(entry, listed)
        return listed

    def gettime(self) -> int:
        """Return the seconds since 1970."""
        return int(time.time())


class RpcbindFour(RpcbindThree, Rpcbind4):
    """Version 4."""

    def getversaddr(self, mapping: Rpcb) -> str:
        """Return the address of this very version, or an empty text."""
        found = self._directory.find(mapping.program, mapping.version, mapping.netid)
        return "" if found is None else _reachable(found)

    def getaddrlist(self, mapping: Rpcb) -> Places | None:
        """Return the addresses of a program and version on all transports."""
        places: Places | None = None
        for netid, (semantics, family, protocol) in reversed(NETIDS.items()):
            found = self._directory.find(mapping.program, mapping.version, netid)
            if found is not None:
                place = Place(_reachable(found), netid, semantics, family, protocol)
                places = Places(place, places)
        return places


def _name(uid: int) -> str:
    return SUPERUSER if uid == 0 else str(uid)


def _is_address(entry: Rpcb) -> bool:
    if entry.netid == "local":
        return entry.address.startswith("/")
    host, port = place_of(entry.address)
    family = socket.AF_INET6 if entry.netid.endswith("6") else socket.AF_INET
    with contextlib.suppress(OSError, ValueError):  # ValueError: a NUL in it
        socket.inet_pton(family, host)
        return port > 0
    return False


def _reachable(entry: Rpcb) -> str:
    """Return an address that can be gone to: whoever asks is on this machine."""
    host, port = place_of(entry.address)
    here = {"0.0.0.0": HOST, "::": "::1"}.get(host)  # noqa: S104
    return entry.address if here is None else universal(here, port)
