"""Asks a port mapper, in portmap version 2 or rpcbind versions 3 and 4, where a program is.

An adapter gives its own `connect`, since a port mapper is a Sun RPC server like any other. What is
here takes and returns addresses; a port of None is what has to be asked for.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ipckit._address import Address
from ipckit._contract import contract_of
from ipckit._options import Options
from ipckit._portmapper.contracts import (
    PORT,
    PROGRAM,
    Listed,
    Listed2,
    Mapping2,
    Portmap2,
    Rpcb,
    Rpcbind3,
    Rpcbind4,
)
from ipckit._proxy import make_proxy
from ipckit._session.cancelling import cancelling
from ipckit.errors import AddressError, CallTimeout, ConnectFailed, IpcError, UnknownOperation
from ipckit.transports._open import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipckit._proxy import Channel

__all__ = [
    "Connect",
    "Mapper",
    "entries",
    "located",
    "mapper_port",
    "place_of",
    "refuse_deserted",
    "told",
    "universal",
]

Connect = Callable[[Address, Options, None], "Channel"]

PROTOCOLS: Final = {"tcp": 6, "udp": 17}
"""The netids that portmap has, as it calls them."""
LAST_PORT: Final = 65535
NAMED: Final = 8
"""Programs that an error names at most."""


class Mapper:
    """The port mapper at one address, asked over a connection of its own each time.

    Every question raises ConnectFailed where no port mapper answers, or CallTimeout.
    """

    def __init__(self, connect: Connect, address: Address, timeout: float | None) -> None:
        self._connect = connect
        self._timeout = timeout
        self.address = address

    def port(self, wanted: Rpcb) -> int:
        """Return the port of a program on a transport, or 0."""
        protocol = PROTOCOLS.get(wanted.netid)
        if protocol is not None:
            mapping = Mapping2(wanted.program, wanted.version, protocol, 0)
            with contextlib.suppress(_NotSpoken):
                with self._asked(Portmap2) as portmap:
                    port: int = portmap.getport(mapping)
                if port > LAST_PORT:
                    raise ConnectFailed(f"{self.address}: the port mapper tells {port} as a port")
                return port
        try:
            with self._asked(Rpcbind3) as rpcbind:
                text: str = rpcbind.getaddr(wanted)
        except _NotSpoken:
            # Portmap alone: no transport but the two that it has been asked about.
            return 0
        return place_of(text)[1] if text else 0

    def entries(self) -> list[Rpcb]:
        """Return all that is listed; what portmap does not tell is left empty."""
        try:
            with self._asked(Rpcbind3) as rpcbind:
                return list(_listed(rpcbind.dump()))
        except _NotSpoken:
            pass
        with self._asked(Portmap2) as portmap:
            return list(_listed2(portmap.dump()))

    def set(self, entry: Rpcb) -> bool:
        """List a program; False where it is refused."""
        return self._changed("set", entry)

    def unset(self, entry: Rpcb) -> bool:
        """List it no more; False where it is refused."""
        return self._changed("unset", entry)

    def _changed(self, name: str, entry: Rpcb) -> bool:
        try:
            with self._asked(Rpcbind4) as rpcbind:
                return bool(getattr(rpcbind, name)(entry))
        except _NotSpoken:
            pass
        if entry.netid not in PROTOCOLS:
            return False
        _, port = place_of(entry.address)
        mapping = Mapping2(entry.program, entry.version, PROTOCOLS[entry.netid], port)
        with self._asked(Portmap2) as portmap:
            return bool(getattr(portmap, name)(mapping))

    @contextlib.contextmanager
    def _asked(self, version: type) -> Iterator[Any]:
        """Yield a proxy of the mapper; raises _NotSpoken where it lacks that version."""
        contract = contract_of(version)
        options = Options(contract=contract, timeout=self._timeout)
        try:
            channel = self._connect(self.address, options, None)
            try:
                with cancelling(channel.close):
                    yield make_proxy(contract, channel)
            finally:
                channel.close()
        except CallTimeout:
            raise CallTimeout(f"{self.address}: no port mapper answered in time") from None
        except UnknownOperation as error:
            if error.details is not None:
                raise _NotSpoken from None
            raise self._none(error) from None
        except IpcError as error:
            raise self._none(error) from None

    def _none(self, error: IpcError) -> ConnectFailed:
        return ConnectFailed(f"no port mapper answers: {error}; {_REMEDY}")


class _NotSpoken(Exception):
    """The port mapper has other versions than the one asked for."""


_REMEDY: Final = "start rpcbind or `ipckit rpcbind` there, or say by ?rpcbind=PORT where else it is"


def _listed(node: Listed | None) -> Iterator[Rpcb]:
    while node is not None:
        yield node.map
        node = node.next


def _listed2(node: Listed2 | None) -> Iterator[Rpcb]:
    netids = {number: name for name, number in PROTOCOLS.items()}
    while node is not None:
        one = node.map
        netid = netids.get(one.protocol, str(one.protocol))
        yield Rpcb(one.program, one.version, netid, universal("0.0.0.0", one.port))  # noqa: S104
        node = node.next


# Universal addresses


def universal(host: str, port: int) -> str:
    """Return the universal address of a host and port."""
    return f"{host}.{port >> 8}.{port & 0xFF}"


def place_of(text: str) -> tuple[str, int]:
    """Return the host and port of a universal address; port 0 where it has none."""
    parts = text.rsplit(".", 2)
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() for part in parts[1:]):
        return text, 0
    high, low = map(int, parts[1:])
    return (parts[0], high << 8 | low) if high < 256 and low < 256 else (text, 0)


# What an address without a port stands for


def mapper_port(address: Address) -> int:
    """Return the port of the port mapper that an address names; raises AddressError."""
    text = address.query.get("rpcbind", str(PORT))
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise AddressError(f"{address}: ?rpcbind= is a port from 1 to 65535, not {text!r}")
    return int(text)


def mappers(
    connect: Connect, address: Address, timeout: float | None
) -> Iterator[tuple[Mapper, str]]:
    """Yield the port mappers that know of an address, with the netid there; IPv4 goes first.

    rpcbind tells an address only to who asks over the transport that is meant.
    """
    transport = address.transport or "tcp"
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    port = mapper_port(address)
    found = resolve(replace(address, port=port, path=""), kind)
    hosts = {family: str(name[0]) for family, name in reversed(found)}
    for family in sorted(hosts):
        there = Address(address.mechanism, transport, host=hosts[family], port=port)
        yield Mapper(connect, there, timeout), transport + _SUFFIX.get(family, "")


_SUFFIX: Final = {socket.AF_INET6: "6"}


def entries(connect: Connect, address: Address, timeout: float | None) -> list[Rpcb]:
    """Return all that the port mapper of a host lists; raises ConnectFailed or CallTimeout."""
    trouble: ConnectFailed | None = None
    for mapper, _ in mappers(connect, address, timeout):
        try:
            return mapper.entries()
        except ConnectFailed as error:
            trouble = trouble or error
    assert trouble is not None
    raise trouble


def located(
    connect: Connect, address: Address, program: int, version: int, timeout: float | None
) -> Address:
    """Return an address with the host and port at which the host's port mapper lists a program.

    Raises ConnectFailed where there is no port mapper, or the program is not listed; CallTimeout.
    """
    trouble: ConnectFailed | None = None
    asked: list[Mapper] = []
    for mapper, netid in mappers(connect, address, timeout):
        try:
            port = mapper.port(Rpcb(program, version, netid))
        except ConnectFailed as error:
            trouble = trouble or error
            continue
        if port:
            return replace(address, host=mapper.address.host, port=port)
        asked.append(mapper)
    if not asked:
        assert trouble is not None
        raise trouble
    raise ConnectFailed(_unlisted(address, program, version, asked[0]))


def _unlisted(address: Address, program: int, version: int, mapper: Mapper) -> str:
    listed: Sequence[Rpcb] = ()
    with contextlib.suppress(IpcError):
        listed = mapper.entries()
    others = [f"version {e.version} over {e.netid}" for e in listed if e.program == program]
    numbers = sorted({e.program for e in listed} - {PROGRAM})
    if others:
        there = f"it has {', '.join(others[:NAMED])}"
    elif numbers:
        more = ", ..." if len(numbers) > NAMED else ""
        there = f"it lists the programs {', '.join(map(str, numbers[:NAMED]))}{more}"
    else:
        there = "it lists no program but itself"
    transport = address.transport or "tcp"
    return (
        f"{address}: program {program} version {version} over {transport} is not registered with "
        f"the port mapper, {there}; start its server with register=True "
        "(`ipckit serve --register`), or give the server's port"
    )


@contextlib.contextmanager
def told(program: int, version: int) -> Iterator[None]:
    """Say of a connection that fails that the port mapper told where to go."""
    try:
        yield
    except ConnectFailed as error:
        raise ConnectFailed(
            f"{error}; the port mapper lists program {program} version {version} there, but nobody "
            "listens: its server has left without a word. Start it again, or take it off the list "
            f"by `rpcinfo -d {program} {version}`"
        ) from None


def refuse_deserted(channel: Channel, address: Address) -> None:
    """Close the channel and raise ConnectFailed where it is known that nobody takes datagrams."""
    if code := _refused(channel.native):
        channel.close()
        raise ConnectFailed(f"{address}: {os.strerror(code)}")


def _refused(sock: socket.socket) -> int:
    """Return why a datagram is not taken, which this machine knows at once; else 0."""
    try:
        sock.send(b"")
    except OSError as error:
        return error.errno or 0
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
