"""The client's session over datagrams: each call is sent again until it is answered.

The server tells a request that it has seen by its octets, its id and where it comes from, so the
same datagram may be sent any number of times. What arrives with another id is late, and dropped.

Who is not there is known only if that host says so (ICMP, port unreachable). If it refuses the only
datagram of a call, the call has not run: ConnectFailed. If it refuses a later one, the server may
have taken the first and gone; a server that comes back knows nothing of it, so the call is not
sent on: ConnectionLost, executed "maybe". The next call starts afresh.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from ipckit import _deadline
from ipckit._session.client import ClientSession
from ipckit._session.datagram import LARGEST, ROOM, DatagramStream, datagram
from ipckit._session.ending import again, expired, poison_after_fork
from ipckit._session.wire import IDENTITIES
from ipckit.errors import ConnectFailed, ConnectionLost, IpcError, LimitExceeded, ProtocolError
from ipckit.transports._open import resolve
from ipckit.transports._stream import EXPIRED

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._address import Address
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._session.wire import Out, Wire, WireClientOperation
    from ipckit.transports.limits import Limits

__all__ = ["DatagramLink", "DatagramSession"]

log: Final = logging.getLogger("ipckit.session")

FIRST: Final = 0.05
"""Seconds until a request is sent again; twice as long each time after."""
SLOWEST: Final = 1.0
RENEWALS: Final = 3
"""How often a subscription is renewed within its lease, since a datagram may be lost."""
_clock = time.monotonic
_in_block = _deadline.deadline.get


class DatagramSession(ClientSession):
    """A channel over datagrams, with a socket for each thread that calls."""

    def __init__(
        self,
        wire: Wire,
        address: Address,
        options: Options,
        dispatcher: Dispatcher | None = None,
        *,
        one: bool = False,
    ) -> None:
        self._renewal = options.limits.lease / RENEWALS
        super().__init__(wire, address, options, dispatcher, one=one)

    def _open(self, dispatcher: Dispatcher | None = None) -> DatagramLink:
        if self._closed:
            raise ConnectionLost(f"{self._address}: the connection was closed on this side")
        stream = dial(self._address)
        options = self._options
        link = DatagramLink(stream, self._wire, options.limits, str(self._address), options.timeout)
        self._links.add(link)
        return link


class DatagramLink:
    """One connected datagram socket; threads that share it take turns."""

    def __init__(
        self,
        stream: DatagramStream,
        wire: Wire,
        limits: Limits,
        name: str,
        timeout: float | None,
    ) -> None:
        self.stream = stream
        self.wire = wire
        self.name = name
        self.limits = limits
        self.lock = threading.RLock()
        self.dead: IpcError | None = None
        self.dispatcher: Dispatcher | None = None
        self.signals: Callable[[str, Any], None] | None = None
        self._timeout = timeout
        self._armed: float | None = None
        self._limit = min(LARGEST[stream.native.family], limits.message)
        self._send: Callable[[bytes], object] = stream.send
        self._receive: Callable[..., bytes] = stream.native.recv
        # Two clients in a row on one port must not look like one that repeats itself.
        self._identity = int.from_bytes(os.urandom(4))
        # Whether something was sent that has been neither answered nor refused; and whether that
        # was so when the call under way began, since its refusal may be on its way still.
        self._unheard = self._doubt = False
        poison_after_fork(self)

    def call(self, operation: WireClientOperation, args: Any) -> Any:
        """Call the peer and return the typed result; raises what DESIGN's error tree names."""
        with self.lock:
            if self.dead is not None:
                raise again(self.dead, "no")
            seconds = self._timeout
            if _in_block() is not None:
                seconds = _deadline.remaining(seconds)
            patience = FIRST if seconds is None or seconds > FIRST else seconds
            if patience != self._armed:
                self._arm(patience)
            start = _clock()
            self._identity = identity = self._identity + 1 & IDENTITIES
            request = operation.request(identity, args)
            if type(request) is not bytes or len(request) > self._limit:
                request = datagram(request, self._limit, self.name)
            self._doubt, self._unheard = self._unheard, True
            try:
                self._send(request)
            except OSError as error:
                self._send_after(error, request)
            data = None
            try:
                data = self._receive(ROOM)
                # The shortcut: nearly always the first datagram is the answer.
                reply = operation.decode(data)
            except (OSError, ValueError, RecursionError) as error:
                return self._await(identity, operation, request, start, seconds, data, error)
            result = reply.result
            answered = reply.id == identity and reply.error is None and len(data) <= self._limit
            if answered and (result is not None or operation.nullable):
                self._unheard = False
                return result
            return self._await(identity, operation, request, start, seconds, data, None)

    def notify(self, out: Out) -> None:
        """Send a message that has no answer, once."""
        data = datagram(out, self._limit, self.name)
        try:
            self._send(data)
        except OSError as error:
            self._send_after(error, data)
        self._unheard = True

    def pump(self) -> bool:
        """Read and handle what is there, unless somebody is calling; say whether it was read."""
        if not self.lock.acquire(blocking=False):
            return False
        try:
            while self.dead is None:
                try:
                    self._taken(self._receive(ROOM, socket.MSG_DONTWAIT), None)
                except EXPIRED:
                    return True
                except LimitExceeded as error:
                    log.warning("%s: %s", self.name, error)
                except OSError as error:
                    # The server is away; the next renewal finds it when it is back.
                    log.debug("%s: %s", self.name, error)
        finally:
            self.lock.release()
        return False

    def close(self) -> None:
        """Close the socket; calls from now on raise ConnectionLost."""
        if self.dead is None:
            self.dead = ConnectionLost(f"{self.name}: the connection was closed on this side")
            self.stream.close()

    def __del__(self) -> None:
        # The link of a thread that has ended; nobody can call through it any more.
        if hasattr(self, "stream"):
            self.stream.close()

    # A call whose first datagram was not answered by the next one

    def _await(
        self,
        identity: int,
        operation: WireClientOperation,
        request: bytes,
        start: float,
        seconds: float | None,
        data: bytes | None,
        error: Exception | None,
    ) -> Any:
        """Send again, ever more slowly, until the answer is there or the time is over.

        `data` is the datagram that has come, and `error` what came instead.
        """
        until = math.inf if seconds is None else start + seconds
        delay, due, sent = FIRST, start + FIRST, 1
        while True:
            if data is not None:
                reply = self._taken(data, identity)
                if reply is not None:
                    self._unheard = False
                    return operation.result(reply, self.limits.nesting)
            elif isinstance(error, OSError) and not isinstance(error, EXPIRED):
                raise self._refused(error, sent)
            now = _clock()
            if now >= until:
                raise expired(self.name, seconds)
            data = error = None
            try:
                if now >= due:
                    sent += 1
                    delay = min(2 * delay, SLOWEST)
                    due = now + delay
                    self._send(request)
                self._arm(min(due, until) - now)
                data = self._receive(ROOM)
            except OSError as failed:
                error = failed

    def _taken(self, data: bytes, identity: int | None) -> Any:
        """Return the reply with that identity, if it is one; handle or drop what else arrives."""
        if not data and self.dead is not None:
            raise again(self.dead, "maybe")
        try:
            message = self.wire.decode(data, self._limit)
        except ProtocolError as error:
            log.debug("%s: %s", self.name, error)
            return None
        method = getattr(message, "method", None)
        if method is None and message.id == identity:
            return message
        if method is None or message.id is not None:
            log.debug("%s: a late reply, or a call, %d, is dropped", self.name, message.id)
        elif self.signals is None:
            log.debug("%s: nobody listens to %r", self.name, method)
        else:
            try:
                self.signals(method, message)
            except IpcError as error:
                log.warning("%s: the notification %r failed: %s", self.name, method, error)
        return None

    # Sending

    def _send_after(self, error: OSError, data: bytes) -> None:
        """Send what could not be sent: the error may be how an earlier datagram ended."""
        if isinstance(error, ConnectionRefusedError):
            self._doubt = False
            try:
                self._send(data)
                return
            except OSError as another:
                error = another
        if self.dead is not None:
            raise again(self.dead, "maybe")
        if isinstance(error, EXPIRED):
            log.debug("%s: the kernel has no room for a datagram now", self.name)
        elif error.errno == errno.EMSGSIZE:
            raise LimitExceeded(
                f"{self.name}: a message of {len(data)} octets is over what goes there at once"
            )
        else:
            raise ConnectFailed(f"{self.name}: {error.strerror}")

    def _refused(self, error: OSError, sent: int) -> IpcError:
        if self.dead is not None:
            return again(self.dead)
        if isinstance(error, ConnectionRefusedError):
            self._unheard = self._doubt
            if sent == 1 and not self._doubt:
                return ConnectFailed(f"{self.name}: nobody listens there")
        return ConnectionLost(f"{self.name}: {error.strerror}", executed="maybe")

    def _arm(self, seconds: float) -> None:
        try:
            self.stream.set_timeout(seconds, seconds)
        except OSError:
            # Closed meanwhile, which the next read tells.
            return
        self._armed = seconds


def dial(address: Address) -> DatagramStream:
    """Return a socket connected to the first of the address's meanings where somebody listens.

    Raises ConnectFailed or AddressError.
    """
    found = resolve(address, socket.SOCK_DGRAM)
    trouble: OSError | None = None
    for family, name in found:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.connect(name)
            if len(found) > 1:
                # On this machine the kernel knows at once; an empty datagram is no message.
                sock.send(b"")
                if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise OSError(code, os.strerror(code))
            return DatagramStream(sock)
        except OSError as error:
            sock.close()
            trouble = error
        except BaseException:
            sock.close()
            raise
    assert trouble is not None
    raise ConnectFailed(f"{address}: {trouble.strerror}") from None
