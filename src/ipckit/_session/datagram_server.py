"""The server's session over datagrams: a few threads read one socket and run what arrives.

A call runs once, however often its datagram arrives: see `Replay`. A notification has no id, so
one that the network doubles runs twice; and no order holds between datagrams. Replies go where the
request says that it comes from, which anybody on the network may forge: only a request is
answered, and who must know the peer takes another wire.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from ipckit._session.datagram import LARGEST, ROOM, datagram
from ipckit._session.ending import Over
from ipckit._session.leases import Subscribers
from ipckit._session.replay import Replay
from ipckit._session.standard import failed
from ipckit.errors import ConnectFailed, IpcError, LimitExceeded, Unavailable
from ipckit.transports._open import bound, resolve

if TYPE_CHECKING:
    from ipckit._address import Address
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._session.wire import Out, Wire

__all__ = ["DatagramServer"]

log: Final = logging.getLogger("ipckit.server")

THREADS: Final = 64
"""Calls that run at once; what arrives meanwhile waits in the kernel's buffer."""
SPARE: Final = 2
"""Threads that wait for a datagram; one more of them ends. The kernel wakes them in turn, so that
a second one costs a call 0.5 us, and four 1.6 us."""
BUFFER: Final = 1 << 22
"""Octets that may wait in the kernel, which has its own bound (net.core.rmem_max)."""
BREATH: Final = 0.05


class DatagramServer:
    """Serves one dispatcher at one address until it is closed."""

    def __init__(
        self, wire: Wire, address: Address, options: Options, dispatcher: Dispatcher
    ) -> None:
        self._wire = wire
        self._limits = limits = options.limits
        self._entries = {
            method: (operation, entry.invoke)
            for method, (operation, entry) in wire.entries(dispatcher).items()
        }
        self._replay = Replay(limits.replay, limits.replay_memory)
        self._subscribers = Subscribers(wire, limits, dispatcher, self._signal)
        self._threads: set[threading.Thread] = set()
        self._idle: deque[None] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._over = Over()
        self.native = _listen(address)
        self.address = bound(address, self.native.getsockname())
        self._limit = min(LARGEST[self.native.family], limits.message)
        self._start()

    def close(self) -> None:
        """Take no new calls, let running ones finish within the grace period, and close."""
        self._closing.set()
        # Linux answers that nothing is connected, and wakes the readers all the same.
        with contextlib.suppress(OSError):
            self.native.shutdown(socket.SHUT_RD)
        until = time.monotonic() + self._limits.grace
        for thread in self._others():
            thread.join(max(until - time.monotonic(), 0.0))
        if self._others():
            log.warning("%s: a call still runs; it will not be answered", self.address)
        self._subscribers.close()
        self.native.close()
        self._over.tell()

    def wait(self) -> None:
        """Return when the server has been closed."""
        self._over.wait()

    # The threads: whoever takes a datagram while nobody waits for the next one starts another

    def _others(self) -> list[threading.Thread]:
        with self._lock:
            return [t for t in self._threads if t is not threading.current_thread()]

    def _start(self) -> None:
        with self._lock:
            if len(self._threads) >= THREADS or self._closing.is_set():
                return
            thread = threading.Thread(
                target=self._run, name=f"ipckit-serve {self.address}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:
                log.warning("%s: no thread for more calls: %s", self.address, error)
            else:
                self._threads.add(thread)

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _serve(self) -> None:
        receive, idle, closing = self.native.recvfrom, self._idle, self._closing
        idle.append(None)
        while not self._spare():
            try:
                data, source = receive(ROOM)
            except OSError as error:
                log.debug("%s: %s", self.address, error)
                closing.wait(BREATH)
                data, source = b"", None
            idle.pop()
            if closing.is_set():
                return
            if not idle:
                self._start()
            reply = None if source is None else self._take(data, source)
            # Sending does not wait, so this thread is as good as back: nobody need be started.
            idle.append(None)
            if reply:
                self._send(reply, source)

    def _spare(self) -> bool:
        """Say whether this thread is one too many of those that wait, and leave them if so."""
        if len(self._idle) <= SPARE:
            return False
        with self._lock:
            if len(self._idle) <= SPARE:
                return False
            self._idle.pop()
            return True

    # One datagram: each of these returns the reply, or None where none is due

    def _take(self, data: bytes, source: Any) -> bytes | None:
        try:
            message = self._wire.decode(data, ROOM)
            method = message.method
        except (IpcError, AttributeError) as error:
            log.debug("%s: from %s: no request: %s", self.address, source, error)
            return None
        try:
            if len(data) > self._limits.message:
                return self._refusal(message, len(data), source)
            if message.id is None:
                self._notified(message, source)
                return None
            return self._called(message, hash((source, message.id, data)), source)
        except Exception:
            log.exception("%s: %r from %s", self.address, method, source)
            return None

    def _called(self, request: Any, trace: int, source: Any) -> bytes | None:
        try:
            if not self._replay.admit(source, trace):
                return self._replay.reply(source, trace)
        except Unavailable as error:
            return self._failure(request, error)
        reply = self._answer(request, source)
        if type(reply) is not bytes or len(reply) > self._limit:
            reply = self._fitted(request, reply)
        self._replay.finish(source, trace, reply)
        return reply

    def _answer(self, request: Any, source: Any) -> Out:
        found = self._entries.get(request.method)
        try:
            if found is None:
                return self._subscribers.answer(request, source)
            operation, invoke = found
            arguments = operation.arguments(request, self._limits.nesting)
            return operation.result(request.id, invoke(arguments))
        except IpcError as error:
            return self._failed(request, error)

    def _notified(self, message: Any, source: Any) -> None:
        try:
            found = self._entries.get(message.method)
            if found is None:
                self._subscribers.answer(message, source)
            else:
                operation, invoke = found
                invoke(operation.arguments(message, self._limits.nesting))
        except IpcError as error:
            log.warning("%s: the notification %r failed: %s", self.address, message.method, error)

    def _refusal(self, message: Any, size: int, source: Any) -> bytes | None:
        text = f"a message of {size} octets is over the limit of {self._limits.message}"
        log.info("%s: from %s: %s", self.address, source, text)
        return None if message.id is None else self._failure(message, LimitExceeded(text))

    # What is sent

    def _failure(self, request: Any, error: IpcError) -> bytes:
        return datagram(self._failed(request, error), ROOM, "the fault")

    def _failed(self, request: Any, error: IpcError) -> Out:
        found = self._entries.get(request.method)
        return failed(found[0] if found else self._wire, request, error, str(self.address))

    def _fitted(self, request: Any, out: Out) -> bytes:
        """Return a reply as one datagram; one that is too large becomes a fault that says so."""
        try:
            return datagram(out, self._limit, "the reply")
        except LimitExceeded as error:
            log.warning("%s: %s", self.address, error)
            return self._failure(request, error)

    def _send(self, data: bytes, source: Any) -> None:
        try:
            self.native.sendto(data, source)
        except OSError as error:
            log.info("%s: to %s: %s", self.address, source, error)

    def _signal(self, out: Out, source: Any) -> None:
        """Send a signal, or drop it where it would have to wait; raises LimitExceeded."""
        data = datagram(out, self._limit, "the signal")
        try:
            self.native.sendto(data, socket.MSG_DONTWAIT, source)
        except OSError as error:
            log.info("%s: a signal to %s: %s", self.address, source, error)


def _listen(address: Address) -> socket.socket:
    family, name = resolve(address, socket.SOCK_DGRAM, passive=True)[0]
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        sock.bind(name)
    except OSError as error:
        sock.close()
        raise ConnectFailed(f"{address}: cannot listen: {error.strerror}") from None
    return sock
