"""The TLS stream, apart from the others so that only who uses TLS loads its library."""

from __future__ import annotations

import contextlib
import select
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

from ipckit.errors import NotSupported
from ipckit.transports._stream import NotReady, SocketStream, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["TlsStream"]


class TlsStream(SocketStream):
    """A TLS connection; timeouts are Python's, since the library reads more than it returns.

    The library is not to be entered by two threads at once: a write waits for no read, so reads
    first wait for the descriptor and then take the lock for as long as the octets at hand last.
    """

    native: ssl.SSLSocket
    cut = False
    """Whether the stream ended without the peer's word that it was whole (close_notify)."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock)
        self._receive_seconds: float | None = None
        self._send_seconds: float | None = None
        self._library = threading.Lock()
        sock.setblocking(False)
        sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]  # typeshed lacks it
        self.send = self._send_all
        self.receive_into = self._receive_into

    def has_room(self) -> bool:
        # What the library holds of a record is not to be seen.
        return False

    def set_timeout(self, receive: float | None, send: float | None) -> None:
        self._receive_seconds, self._send_seconds = receive, send

    def pending(self) -> int:
        return self.native.pending() if self.native.fileno() >= 0 else 0

    def _send_all(self, data: Any) -> None:
        seconds = self._send_seconds
        until = None if seconds is None else time.monotonic() + seconds
        self.send_parts([data], until)

    def _send_first(self, views: Sequence[Any]) -> int:
        return self._send_more(views, self._send_seconds)

    def _send_more(self, views: Sequence[Any], seconds: float | None) -> int:
        return self._retry(lambda: self.send_now(views[0]), seconds)

    def receive(self, count: int) -> bytes:
        content = bytearray(min(count, 1 << 16))
        return bytes(content[: self._receive_into(memoryview(content))])

    def _receive_into(self, buffer: memoryview) -> int:
        return self._retry(lambda: self.receive_now(buffer), self._receive_seconds)

    def receive_now(self, buffer: memoryview) -> int:
        try:
            return self._now(lambda: self.native.recv_into(buffer))
        except ssl.SSLZeroReturnError:
            return 0
        except ssl.SSLEOFError:
            self.cut = True
            return 0

    def send_now(self, data: memoryview) -> int:
        return self._now(lambda: self.native.send(data))

    def finish_sending(self) -> None:
        raise NotSupported(
            "TLS of the ssl module ends both directions at once: "
            "say in the protocol where a message ends, by its length or a last line"
        )

    def close(self) -> None:
        # All in one: after unwrap() a thread that still sends would send in clear.
        with self._library:
            # Without close_notify the peer could not tell the end from an attacker's cut.
            with contextlib.suppress(OSError, ValueError):
                self.native.unwrap()
            super().close()

    def _now(self, operation: Callable[[], int]) -> int:
        try:
            with self._library:
                return operation()
        except ssl.SSLWantReadError:
            raise NotReady(self.native.fileno(), select.POLLIN) from None
        except ssl.SSLWantWriteError:
            raise NotReady(self.native.fileno(), select.POLLOUT) from None

    def _retry(self, operation: Callable[[], int], seconds: float | None) -> int:
        while True:
            try:
                return operation()
            except NotReady as busy:
                wait(busy.descriptor, busy.event, seconds)
