"""Blocking datagrams by address: UDP with multicast and broadcast, and Unix datagrams.

with transports.bind("udp://127.0.0.1:0") as datagrams:
    data, sender = datagrams.receive(timeout=5)
    datagrams.send(data, to=sender)

UDP loses, repeats and reorders; whoever needs to know must be answered. Unix datagrams do none of
that: they wait while the receiver's queue is full.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import select
import socket
import struct
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from ipckit._address import Address
from ipckit._deadline import DEFAULT_TIMEOUT
from ipckit.errors import (
    AccessDenied,
    AddressError,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    IpcError,
    LimitExceeded,
)
from ipckit.transports import _open
from ipckit.transports._connected import Deadline, refuse_extras
from ipckit.transports._stream import wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

__all__ = ["Datagram", "DatagramSocket", "Datagrams", "bind", "connect_datagrams"]

LARGEST_DATAGRAM: Final = 65536
"""Octets that a received datagram may have unless told otherwise; UDP carries 65507 at most."""
DATAGRAMS: Final = ("udp", "unix")
IPV4_MEMBERSHIP: Final = struct.Struct("4s4xi")
IPV6_MEMBERSHIP: Final = struct.Struct("16si")
PAUSE: Final = 0.002
"""Seconds between attempts where the kernel cannot say when the receiver will have room."""
SocketName = tuple[str | int, ...]


class Datagram(NamedTuple):
    """What was received, and the address that an answer goes to; None if there is none."""

    data: bytes
    sender: str | None


class Routing(NamedTuple):
    """How datagrams to many are sent and received."""

    interface: str | None = None
    hops: int = 1
    loopback: bool = True
    broadcast: bool = False


def bind(
    address: str,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    interface: str | None = None,
    hops: int = 1,
    loopback: bool = True,
    broadcast: bool = False,
) -> Datagrams:
    """Bind a socket at a `udp` or `unix` address, to receive there and to send from there.

    A multicast group as the host, as in `udp://239.1.2.3:5000`, is joined on `interface` (a name
    such as "lo"; the kernel's choice if None), and the port is shared with other members. What is
    sent to a group leaves by `interface` and crosses `hops` - 1 routers; 0 keeps it on this
    machine. `loopback` says whether members on this machine get it. `broadcast` permits sending to
    broadcast addresses. A Unix socket is made with mode 0600.
    Raises ConnectFailed where the address is taken or not ours, and AddressError.
    """
    routing = Routing(interface, hops, loopback, broadcast)
    return Datagrams(open_bound(address, routing), timeout)


def connect_datagrams(
    address: str,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    interface: str | None = None,
    hops: int = 1,
    loopback: bool = True,
    broadcast: bool = False,
) -> Datagrams:
    """Make a socket that sends to one peer and receives from it alone; options as `bind`."""
    routing = Routing(interface, hops, loopback, broadcast)
    return Datagrams(open_connected(address, routing), timeout)


class DatagramSocket:
    """A bound or connected socket that moves one datagram or raises BlockingIOError."""

    def __init__(self, sock: socket.socket, address: Address, connected: bool) -> None:
        sock.setblocking(False)
        self.native = sock
        self.address = str(address)
        self.closed = False
        self._mechanism = address.mechanism
        self._connected = connected
        self.blind = self._mechanism == "unix" and not connected
        """Whether the kernel cannot say when the receiver will have room."""
        self._path = address.path if address.wire == "unix" and not connected else ""
        self._identity = _open.file_identity(self._path) if self._path else None

    def destination(self, to: str | None) -> SocketName | str | None:
        """Return the socket address of `to`; None is the connected peer."""
        if self._connected:
            if to is None:
                return None
            raise AddressError(f"{self.address}: this socket is connected; leave `to` out")
        if to is None:
            raise AddressError(f"{self.address}: there is no peer yet; say `to` which address")
        address = datagram_address(to)
        if address.mechanism != self._mechanism:
            raise AddressError(f"{address}: {self.address} reaches {self._mechanism} addresses")
        if address.mechanism == "unix":
            return _open.unix_path(address)
        for family, name in _open.resolve(address, socket.SOCK_DGRAM):
            if family == self.native.family:
                return name
        raise AddressError(f"{address}: {self.address} is of the other version of IP")

    def send_now(self, data: Buffer, to: SocketName | str | None) -> None:
        """Send one datagram."""
        self.check_open()
        if to is None:
            self.native.send(data)
        else:
            self.native.sendto(data, to)

    def receive_now(self, limit: int) -> Datagram:
        """Take one datagram; one over the limit is dropped, and is LimitExceeded."""
        self.check_open()
        buffer = bytearray(limit)
        # With MSG_TRUNC the kernel tells the length that the datagram had.
        size, _, _, sender = self.native.recvmsg_into([buffer], 0, socket.MSG_TRUNC)
        if size > len(buffer):
            raise LimitExceeded(
                f"{self.address}: a datagram of {size} octets is dropped; the limit is {limit}"
            )
        return Datagram(bytes(memoryview(buffer)[:size]), self._text(sender))

    def check_open(self) -> None:
        """Raise ConnectionLost if this side has closed the socket."""
        if self.closed:
            raise ConnectionLost(f"{self.address}: the socket was closed on this side")

    def trouble(self, error: OSError, seconds: float | None) -> IpcError:
        """Return what a failure of the socket means to the caller."""
        if isinstance(error, IpcError):
            return error
        if self.closed:
            return ConnectionLost(f"{self.address}: the socket was closed on this side")
        said = error.strerror or str(error)
        if isinstance(error, BlockingIOError | TimeoutError):
            return CallTimeout(f"{self.address}: no datagram moved within {seconds:g} s")
        if error.errno == errno.EMSGSIZE:
            return LimitExceeded(f"{self.address}: {said}; nothing was sent")
        if isinstance(error, PermissionError):
            remedy = "; a broadcast needs broadcast=True" if self._mechanism == "udp" else ""
            return AccessDenied(f"{self.address}: {said}{remedy}")
        if isinstance(error, ConnectionRefusedError | FileNotFoundError):
            return ConnectFailed(f"{self.address}: nobody receives there: {said}")
        return ConnectionLost(f"{self.address}: {said}")

    def close(self) -> None:
        """Close the socket and remove its file; once more does nothing."""
        if self.closed:
            return
        self.closed = True
        with contextlib.suppress(OSError):
            # Wakes who waits to receive, though UDP says that it is not connected.
            self.native.shutdown(socket.SHUT_RDWR)
        self.native.close()
        with contextlib.suppress(OSError):
            if self._path and _open.file_identity(self._path) == self._identity:
                os.unlink(self._path)

    def _text(self, name: Any) -> str | None:
        if not name:
            return None
        unix = self._mechanism == "unix"
        return str(Address("unix", path=os.fsdecode(name)) if unix else _said(name))


class Datagrams:
    """A socket for datagrams, for blocking use; `with` closes it.

    Threads may share it. Methods raise CallTimeout, ConnectFailed (nobody receives there: the
    kernel may tell only with a later call), LimitExceeded, AccessDenied and ConnectionLost.
    """

    def __init__(self, sock: DatagramSocket, timeout: float | None) -> None:
        self.timeout = timeout
        """Seconds an operation may take that is not told otherwise; None is no bound."""
        self._socket = sock

    @property
    def address(self) -> str:
        """The address bound, with the port really taken; of a connected socket the peer's."""
        return self._socket.address

    @property
    def native(self) -> socket.socket:
        """The socket."""
        return self._socket.native

    def send(self, data: Buffer, to: str | None = None, *, timeout: float | None = None) -> None:
        """Send one datagram whole, to an address, or to the peer of a connected socket."""
        deadline = Deadline(self.timeout if timeout is None else timeout)
        name = self._socket.destination(to)
        try:
            while True:
                left = deadline.left()
                try:
                    return self._socket.send_now(data, name)
                except BlockingIOError:
                    if self._socket.blind:
                        time.sleep(PAUSE)
                    else:
                        self._wait(select.POLLOUT, left)
        except OSError as error:
            raise self._socket.trouble(error, deadline.seconds) from None

    def receive(self, limit: int = LARGEST_DATAGRAM, *, timeout: float | None = None) -> Datagram:
        """Return the next datagram; a larger one than `limit` is dropped, and is LimitExceeded."""
        deadline = Deadline(self.timeout if timeout is None else timeout)
        try:
            while True:
                left = deadline.left()
                try:
                    return self._socket.receive_now(limit)
                except BlockingIOError:
                    self._wait(select.POLLIN, left)
        except OSError as error:
            raise self._socket.trouble(error, deadline.seconds) from None

    def _wait(self, event: int, left: float | None) -> None:
        # A socket closed meanwhile is found out by the next attempt.
        with contextlib.suppress(ValueError):
            wait(self.native.fileno(), event, left)

    def fileno(self) -> int:
        """Return the descriptor, which is readable when a datagram waits."""
        return self.native.fileno()

    def close(self) -> None:
        """Close the socket, remove a Unix socket's file, wake who waits."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def datagram_address(text: str) -> Address:
    """Read the address of datagrams; raises AddressError for what has none."""
    address = Address.parse(text)
    refuse_extras(address, DATAGRAMS)
    if address.tls:
        raise AddressError(f"{address}: TLS runs over tcp; datagrams have none here")
    return address


def open_bound(text: str, routing: Routing) -> DatagramSocket:
    """Return a socket bound at an address, and a member of it if it is a multicast group."""
    address = datagram_address(text)
    if address.mechanism == "unix":
        return _bind_unix(address)
    family, name = _open.resolve(address, socket.SOCK_DGRAM, passive=True)[0]
    group = ipaddress.ip_address(str(name[0]).partition("%")[0])
    with _opening(address, family) as sock:
        index = _route(address, sock, routing)
        if not group.is_multicast:
            sock.bind(name)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(_scoped(name, index))
            _join(sock, group.packed, index)
        return DatagramSocket(sock, _said(sock.getsockname()), connected=False)


def open_connected(text: str, routing: Routing) -> DatagramSocket:
    """Return a socket connected to an address."""
    address = datagram_address(text)
    if address.mechanism == "unix":
        with _opening(address, socket.AF_UNIX) as sock:
            # Without a name of its own it could not be answered; the kernel chooses one.
            sock.bind("")
            sock.connect(_open.unix_path(address))
            return DatagramSocket(sock, address, connected=True)
    family, name = _open.resolve(address, socket.SOCK_DGRAM)[0]
    with _opening(address, family) as sock:
        sock.connect(_scoped(name, _route(address, sock, routing)))
        return DatagramSocket(sock, address, connected=True)


def _bind_unix(address: Address) -> DatagramSocket:
    path = Path(_open.unix_path(address))
    with _opening(address, socket.AF_UNIX) as sock, _open.starting_alone(path):
        _open.refuse_live(address, path, socket.SOCK_DGRAM)
        path.unlink(missing_ok=True)
        # The file takes its mode from the socket, so it never has another. A temporary name, as
        # streams have at first, would stay the sender that answers go to.
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(os.fspath(path))
        return DatagramSocket(sock, address, connected=False)


@contextlib.contextmanager
def _opening(address: Address, family: int) -> Iterator[socket.socket]:
    """Yield a new socket, closed again if the block fails, with an error of our tree."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        yield sock
    except IpcError:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise ConnectFailed(f"{address}: {error.strerror or error}") from None
    except BaseException:
        sock.close()
        raise


def _route(address: Address, sock: socket.socket, routing: Routing) -> int:
    """Tell the socket where what goes to many leaves; return the interface's index, 0 for any."""
    index = 0
    if routing.interface is not None:
        try:
            index = socket.if_nametoindex(routing.interface)
        except OSError:
            known = ", ".join(name for _, name in socket.if_nameindex())
            raise AddressError(
                f"{address}: there is no interface {routing.interface!r}; there are {known}"
            ) from None
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, routing.broadcast)
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, routing.hops)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, routing.loopback)
        interface = IPV4_MEMBERSHIP.pack(bytes(4), index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, routing.hops)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, routing.loopback)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    return index


def _scoped(name: SocketName, index: int) -> SocketName:
    """Return an IPv6 name that says its interface, which link-local ones must."""
    return (*name[:3], name[3] or index) if len(name) == 4 else name


def _join(sock: socket.socket, group: bytes, index: int) -> None:
    if sock.family == socket.AF_INET:
        membership = IPV4_MEMBERSHIP.pack(group, index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    else:
        membership = IPV6_MEMBERSHIP.pack(group, index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)


def _said(name: SocketName) -> Address:
    """Return the address that a UDP socket's name stands for."""
    address = _open.bound(Address("udp"), name)
    scope = int(name[3]) if len(name) == 4 else 0
    return replace(address, host=f"{name[0]}%{socket.if_indextoname(scope)}") if scope else address
