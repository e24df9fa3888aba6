"""The port mapper's contracts: portmap version 2 and rpcbind versions 3 and 4, RFC 1833.

A transport is named by its netid (tcp, udp, tcp6, udp6, local), a place by its universal address:
127.0.0.1.3.255 is port 3 * 256 + 255 there. The bounds are ours; RFC 1833 has none. Left out are
the procedures that call others for the caller (CALLIT, BCAST, INDIRECT), and statistics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from msgspec import Meta

from ipckit._contract import hint
from ipckit.types import UInt32

__all__ = [
    "NETIDS",
    "PORT",
    "PROGRAM",
    "Listed",
    "Listed2",
    "Mapping2",
    "Place",
    "Places",
    "Portmap2",
    "Rpcb",
    "Rpcbind3",
    "Rpcbind4",
]

PROGRAM: Final = 100000
PORT: Final = 111

Netid = Annotated[str, Meta(max_length=32)]
UniversalAddress = Annotated[str, Meta(max_length=256)]
Owner = Annotated[str, Meta(max_length=256)]


@dataclass(frozen=True)
class Mapping2:
    """What version 2 lists: a port of TCP (6) or UDP (17) over IPv4."""

    program: UInt32
    version: UInt32
    protocol: UInt32
    port: UInt32


@dataclass
class Listed2:
    """One of version 2's list, and the rest of it."""

    map: Mapping2
    next: Listed2 | None


@dataclass(frozen=True)
class Rpcb:
    """What versions 3 and 4 list: the place of one version of one program on one transport."""

    program: UInt32
    version: UInt32
    netid: Netid
    address: UniversalAddress = ""
    owner: Owner = ""


@dataclass
class Listed:
    """One of the list of versions 3 and 4, and the rest of it."""

    map: Rpcb
    next: Listed | None


@dataclass
class Place:
    """Where a program is, with what netconfig(5) says of the transport."""

    address: UniversalAddress
    netid: Netid
    semantics: UInt32
    family: Netid
    protocol: Netid


@dataclass
class Places:
    """One of a list of places, and the rest of it."""

    place: Place
    next: Places | None


NETIDS: Final = {
    "tcp": (3, "inet", "tcp"),
    "tcp6": (3, "inet6", "tcp"),
    "udp": (1, "inet", "udp"),
    "udp6": (1, "inet6", "udp"),
    "local": (3, "loopback", ""),
}
"""What netconfig(5) says of each netid: semantics (1 datagrams, 3 a stream), family, protocol."""


@hint("sunrpc", program=PROGRAM, version=2)
class Portmap2(Protocol):
    """The portmap of old: TCP and UDP over IPv4."""

    @hint("sunrpc", procedure=1)
    def set(self, mapping: Mapping2) -> bool:
        """List a program; False where it is listed at another port."""
        ...

    @hint("sunrpc", procedure=2)
    def unset(self, mapping: Mapping2) -> bool:
        """List it no more, whatever protocol and port are given."""
        ...

    @hint("sunrpc", procedure=3)
    def getport(self, mapping: Mapping2) -> UInt32:
        """Return the port, or 0."""
        ...

    @hint("sunrpc", procedure=4)
    def dump(self) -> Listed2 | None:
        """Return all that is listed."""
        ...


@hint("sunrpc", program=PROGRAM, version=3)
class Rpcbind3(Protocol):
    """The port mapper for any transport."""

    @hint("sunrpc", procedure=1)
    def set(self, mapping: Rpcb) -> bool:
        """List a program; False where it is listed at another address."""
        ...

    @hint("sunrpc", procedure=2)
    def unset(self, mapping: Rpcb) -> bool:
        """List it no more on a transport, or without a netid on any; the owner may."""
        ...

    @hint("sunrpc", procedure=3)
    def getaddr(self, mapping: Rpcb) -> UniversalAddress:
        """Return the address, or ""; rpcbind looks at the transport of the question alone."""
        ...

    @hint("sunrpc", procedure=4)
    def dump(self) -> Listed | None:
        """Return all that is listed."""
        ...

    @hint("sunrpc", procedure=6)
    def gettime(self) -> UInt32:
        """Return the seconds since 1970."""
        ...


@hint("sunrpc", program=PROGRAM, version=4)
class Rpcbind4(Rpcbind3, Protocol):
    """The same, which tells versions apart and all transports at once."""

    @hint("sunrpc", procedure=9)
    def getversaddr(self, mapping: Rpcb) -> UniversalAddress:
        """Return the address of this very version, or ""."""
        ...

    @hint("sunrpc", procedure=11)
    def getaddrlist(self, mapping: Rpcb) -> Places | None:
        """Return the addresses of a program and version on all transports."""
        ...
