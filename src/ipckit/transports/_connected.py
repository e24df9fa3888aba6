"""What the blocking and the asyncio form of a stream share: who is there, and what errors mean."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from ipckit import _deadline
from ipckit._address import Address
from ipckit._options import Options
from ipckit.errors import (
    AccessDenied,
    AddressError,
    CallTimeout,
    ConnectionLost,
    IpcError,
    LimitExceeded,
    NotSupported,
    ProtocolError,
)
from ipckit.transports import _open
from ipckit.transports._incoming import Incoming
from ipckit.transports._stream import EXPIRED, SocketStream, Stream
from ipckit.transports._tls_stream import TlsStream
from ipckit.transports.tls import server_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit.transports.tls import Tls

__all__ = ["Arrivals", "ConnectedStream", "Deadline", "PeerCredentials"]

log: Final = logging.getLogger("ipckit.transports")

LARGEST: Final = 64 * 1024 * 1024
"""Octets that receive_exactly() takes at once unless told otherwise."""
LONGEST_LINE: Final = 64 * 1024
"""Octets that a line may have, its end included, unless told otherwise."""
BREATH: Final = 0.05
"""Seconds to wait for a descriptor to come free before accepting again."""

TLS_ENDS: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
STREAMS: Final = ("memory", "pipe", "tcp", "unix")
Found = TypeVar("Found")


class PeerCredentials(NamedTuple):
    """The process at the other end of a Unix socket, as the kernel recorded it."""

    pid: int
    uid: int
    gid: int


class Deadline:
    """The time one operation may take, however many waits it is made of."""

    def __init__(self, seconds: float | None) -> None:
        seconds = _deadline.remaining(seconds)
        self.seconds = None if seconds is None or seconds > _deadline.FOREVER else max(seconds, 0.0)
        self._start = time.monotonic()
        self._begun = False

    def begin(self) -> None:
        """Say that some of the time is spent already."""
        self._begun = True

    def left(self) -> float | None:
        """Return the seconds left, at first all of them; raises BlockingIOError at the end."""
        if self.seconds is None:
            return None
        if not self._begun:
            self._begun = True
            return self.seconds
        left = self._start + self.seconds - time.monotonic()
        if left <= 0:
            raise BlockingIOError(errno.EAGAIN, "the time is over")
        return left


class ConnectedStream:
    """One connected byte stream; `native` is its socket, or the program's Popen."""

    def __init__(self, stream: Stream, address: str, timeout: float | None) -> None:
        self.address = address
        """The address that was connected to or listened at."""
        self.timeout = timeout
        """Seconds each operation may take that is not told otherwise; None is no bound."""
        self._stream = stream
        self._incoming = Incoming()
        self._closed = False
        self._peer = address
        if isinstance(stream, SocketStream) and stream.native.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):
                self._peer = str(_open.bound(Address("tcp"), stream.native.getpeername()))

    @property
    def native(self) -> Any:
        """The socket, the SSLSocket or the program's Popen."""
        return self._stream.native

    @property
    def peer(self) -> str:
        """The peer's own address over tcp; elsewhere the address of the connection."""
        return self._peer

    @property
    def credentials(self) -> PeerCredentials:
        """The peer's process, user and group on unix and memory; elsewhere NotSupported."""
        native = self._stream.native
        if not isinstance(native, socket.socket) or native.family != socket.AF_UNIX:
            raise NotSupported(f"{self.address}: only a Unix socket knows its peer's user")
        try:
            return PeerCredentials(*_open.peer_credentials(native))
        except OSError as error:
            raise self._trouble(error, None) from None

    def finish_sending(self) -> None:
        """Let the peer read the end of the stream; receiving goes on. NotSupported under TLS."""
        self._check_open()
        try:
            self._stream.finish_sending()
        except OSError as error:
            raise self._trouble(error, None) from None

    def fileno(self) -> int:
        """Return the descriptor that becomes readable; what was read ahead it does not show."""
        return self._stream.fileno()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.address}{' (closed)' if self._closed else ''}>"

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            self._stream.close()

    def _deadline(self, timeout: float | None) -> Deadline:
        return Deadline(self.timeout if timeout is None else timeout)

    def _check_open(self) -> None:
        if self._closed:
            raise self._closed_here()

    def _closed_here(self) -> ConnectionLost:
        return ConnectionLost(f"{self.address}: the stream was closed on this side")

    def _asked(self, ask: Callable[[Incoming], Found | None]) -> Found | None:
        """Ask for what has arrived; the error of a refusal names the address."""
        try:
            return ask(self._incoming)
        except (LimitExceeded, ConnectionLost) as error:
            raise type(error)(f"{self.address}: {error}") from None

    def _torn(self, whole: memoryview, rest: memoryview) -> bool:
        """Say whether part of what was to be sent may have left; TLS does not tell."""
        return len(rest) > 0 and (len(rest) < len(whole) or isinstance(self._stream, TlsStream))

    def _arrived(self, count: int) -> None:
        if not count:
            self._check_open()
            if isinstance(self._stream, TlsStream) and self._stream.cut:
                raise ConnectionLost(
                    f"{self.address}: the connection was cut: TLS ended without close_notify, "
                    "so what was received may not be all"
                )
        self._incoming.arrived(count)

    def _trouble(self, error: OSError, seconds: float | None) -> IpcError:
        """Return what a failure of the descriptor means to the caller."""
        if isinstance(error, IpcError):
            return error
        if self._closed:
            return self._closed_here()
        if isinstance(error, EXPIRED):
            return CallTimeout(f"{self.address}: not done within {seconds:g} s", executed="maybe")
        if isinstance(error, ssl.SSLError) and not isinstance(error, TLS_ENDS):
            return _tls_trouble(self.address, error)
        return ConnectionLost(
            f"{self.address}: {error.strerror or type(error).__name__}", executed="maybe"
        )

    def _with_epitaph(self, error: IpcError) -> IpcError:
        """Return a loss with what is known about the end of the program; finding out takes time."""
        if not isinstance(error, ConnectionLost) or self._closed:
            return error
        said = self._stream.epitaph()
        return ConnectionLost(f"{error}; {said}", executed=error.executed) if said else error


def _tls_trouble(address: str, error: ssl.SSLError) -> IpcError:
    reason = error.reason or str(error)
    if "CERT" in reason or "UNKNOWN_CA" in reason:
        return AccessDenied(f"{address}: a certificate is refused: {reason}")
    return ProtocolError(f"{address}: TLS failed: {reason}", executed="maybe")


class Arrivals:
    """What the blocking and the asyncio form of a listener share."""

    def __init__(
        self,
        address: str,
        timeout: float | None,
        tls: ssl.SSLContext | Tls | None,
        any_user: bool,
    ) -> None:
        parsed = stream_address(address)
        self._context = server_context(tls) if parsed.tls else None
        self._timeout = timeout
        self._listener = _open.listen(parsed, Options(tls=self._context, any_user=any_user))
        self._listener.native.setblocking(False)
        self._closed = False

    @property
    def address(self) -> str:
        """The address that peers connect to, with the port really taken."""
        return str(self._listener.address)

    @property
    def native(self) -> Any:
        """The listening socket."""
        return self._listener.native

    def stop(self) -> None:
        """Stop listening at once; `close` also tells who waits."""
        self._closed = True
        self._listener.close()

    def _admit(self) -> Stream | None:
        """Return the next peer, None if it was refused.

        Raises BlockingIOError if nobody waits, another OSError if there is no descriptor for it.
        """
        accepted = self._listener.accept()
        if accepted is None:
            self._closed = True
            raise self._closed_here()
        if isinstance(accepted, Stream):
            return accepted
        try:
            return self._wrapped(accepted)
        except OSError as error:
            accepted.close()
            log.warning("%s: a peer is refused: %s", self.address, error)
            return None

    def _wrapped(self, accepted: socket.socket) -> Stream:
        if self._context is None:
            return self._listener.wrap(accepted)
        # The handshake is the first thing the stream does: a peer that delays it delays itself,
        # and nobody else who waits to be accepted.
        return TlsStream(
            self._context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        )

    def _closed_here(self) -> ConnectionLost:
        return ConnectionLost(f"{self.address}: the listener is closed")

    def _cannot_accept(self, error: OSError) -> None:
        log.warning("%s: cannot accept: %s", self.address, error.strerror)

    def _nobody(self, deadline: Deadline) -> CallTimeout:
        return CallTimeout(f"{self.address}: nobody came within {deadline.seconds:g} s")


def stream_address(text: str) -> Address:
    """Read the address of a stream; raises AddressError for what carries no bare bytes."""
    address = Address.parse(text)
    if address.mechanism == "udp":
        raise AddressError(f"{address}: udp has datagrams; use bind() or connect_datagrams()")
    refuse_extras(address, STREAMS)
    if address.tls and address.wire != "tcp":
        raise AddressError(f"{address}: TLS runs over tcp alone, as in tcp+tls://host:port")
    return address


def refuse_extras(address: Address, allowed: tuple[str, ...]) -> None:
    """Refuse mechanisms, credentials and options, which mean nothing to bare bytes."""
    if address.mechanism not in allowed or address.transport is not None:
        raise AddressError(
            f"{address}: here {address.scheme} means nothing; there are {', '.join(allowed)}"
        )
    if address.user is not None or address.query:
        raise AddressError(f"{address}: bare bytes have no user, password or ?options")
