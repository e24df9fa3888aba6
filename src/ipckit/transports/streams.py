r"""Blocking byte streams by address: connect, listen, and reads that end where they should.

with transports.connect("tcp://127.0.0.1:7", timeout=5) as stream:
    stream.send(b"hello\n")
    print(stream.receive_line())
"""

from __future__ import annotations

import contextlib
import select
import threading
import time
from typing import TYPE_CHECKING, Self

from ipckit._deadline import DEFAULT_TIMEOUT
from ipckit._options import Options
from ipckit.errors import ConnectionLost
from ipckit.transports._connected import (
    BREATH,
    LARGEST,
    LONGEST_LINE,
    Arrivals,
    ConnectedStream,
    Deadline,
    Found,
    stream_address,
)
from ipckit.transports._open import dial
from ipckit.transports._stream import NotReady, Stream, wait

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

    from ipckit.transports._incoming import Incoming
    from ipckit.transports.tls import Tls

__all__ = ["ByteStream", "StreamListener", "connect", "listen"]


def connect(
    address: str,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    tls: ssl.SSLContext | Tls | None = None,
) -> ByteStream:
    """Connect to a `tcp`, `tcp+tls`, `unix`, `pipe` or `memory` address within `timeout` seconds.

    The stream's later operations have the same timeout, each for itself. Raises ConnectFailed,
    CallTimeout, AccessDenied (TLS) or AddressError.
    """
    parsed = stream_address(address)
    options = Options(timeout=timeout, tls=tls)
    return ByteStream(dial(parsed, options, Deadline(timeout).seconds), str(parsed), timeout)


def listen(
    address: str,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    tls: ssl.SSLContext | Tls | None = None,
    any_user: bool = False,
) -> StreamListener:
    """Listen at an address; the accepted streams have `timeout`.

    A Unix socket is made with mode 0600, and accepts our own user and root unless `any_user`.
    Raises ConnectFailed where the address is taken or not ours, and AddressError.
    """
    return StreamListener(address, timeout, tls, any_user)


class ByteStream(ConnectedStream):
    """One connected byte stream, for blocking use; `with` closes it.

    One thread may send while another receives; two that do the same take turns. Every method that
    waits takes `timeout`, in seconds, for the whole operation: None is the stream's own, and
    `math.inf` waits for ever. A `with ipckit.timeout(...)` block bounds them as well.

    They raise CallTimeout, ConnectionLost, LimitExceeded, and under TLS AccessDenied and
    ProtocolError. A receive that fails by time or limit loses nothing: what has arrived is there
    for the next one.
    """

    def __init__(self, stream: Stream, address: str, timeout: float | None) -> None:
        super().__init__(stream, address, timeout)
        self._armed: float | None = -1.0
        self._sending = threading.Lock()
        self._receiving = threading.Lock()

    def send(self, data: Buffer, *, timeout: float | None = None) -> None:
        """Send all of `data`; the stream is closed if that fails when part has left."""
        deadline = self._deadline(timeout)
        whole = rest = memoryview(data).cast("B")
        self._take_turn(self._sending, deadline)
        try:
            while rest:
                try:
                    rest = rest[self._stream.send_now(rest) :]
                except NotReady as busy:
                    wait(busy.descriptor, busy.event, deadline.left())
        except OSError as error:
            raise self._with_epitaph(self._trouble(error, deadline.seconds)) from None
        finally:
            self._sending.release()
            if self._torn(whole, rest):
                self.close()

    def receive(self, size: int = 65536, *, timeout: float | None = None) -> bytes:
        """Return what is there, at least one octet and at most `size`; b"" at the end."""
        return self._receive(lambda incoming: incoming.some(size), timeout)

    def receive_exactly(
        self, size: int, *, limit: int = LARGEST, timeout: float | None = None
    ) -> bytes:
        """Return `size` octets; ConnectionLost if the stream ends before, see `at_end`.

        Memory is taken as they arrive, so `size` may be what the peer announced.
        """
        return self._receive(lambda incoming: incoming.exactly(size, limit), timeout)

    def receive_line(self, *, limit: int = LONGEST_LINE, timeout: float | None = None) -> bytes:
        r"""Return the octets up to and with the next b"\n"; b"" at the end of the stream.

        A stream that ends inside a line is ConnectionLost: half a line is not taken for one.
        """
        return self.receive_until(b"\n", limit=limit, timeout=timeout)

    def receive_until(
        self, separator: bytes, *, limit: int = LONGEST_LINE, timeout: float | None = None
    ) -> bytes:
        """Return the octets up to and with `separator`, at most `limit`; as `receive_line`."""
        return self._receive(lambda incoming: incoming.until(separator, limit), timeout)

    def at_end(self, *, timeout: float | None = None) -> bool:
        """Wait for an octet or the end, take nothing, and say whether it is the end."""
        return self._receive(lambda incoming: incoming.at_end(), timeout)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines up to the end of the stream."""
        return iter(self.receive_line, b"")

    def close(self) -> None:
        """Close the stream and wake who waits on it; once more does nothing."""
        self._closed = True
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, ask: Callable[[Incoming], Found | None], timeout: float | None) -> Found:
        deadline = self._deadline(timeout)
        self._take_turn(self._receiving, deadline)
        try:
            while (found := self._asked(ask)) is None:
                self._fill(deadline)
        except ConnectionLost as error:
            raise self._with_epitaph(error) from None
        finally:
            self._receiving.release()
        return found

    def _fill(self, deadline: Deadline) -> None:
        try:
            left = deadline.left()
            if left != self._armed:
                self._stream.set_timeout(left, None)
                self._armed = left
            count = self._stream.receive_into(self._incoming.space())
        except OSError as error:
            raise self._trouble(error, deadline.seconds) from None
        self._arrived(count)

    def _take_turn(self, lock: threading.Lock, deadline: Deadline) -> None:
        self._check_open()
        if lock.acquire(blocking=False):
            return
        if not lock.acquire(timeout=-1 if deadline.seconds is None else deadline.seconds):
            raise self._trouble(BlockingIOError(), deadline.seconds)
        deadline.begin()


class StreamListener(Arrivals):
    """A place where peers arrive; iteration yields their streams until `close`."""

    def accept(self, timeout: float | None = None) -> ByteStream:
        """Return the next peer's stream; None waits for ever. CallTimeout if nobody comes.

        Peers that are refused are logged and passed over. Raises ConnectionLost once closed.
        """
        deadline = Deadline(timeout)
        while True:
            try:
                left = deadline.left()
            except BlockingIOError:
                raise self._nobody(deadline) from None
            try:
                stream = self._admit()
                if stream is not None:
                    return ByteStream(stream, self.address, self._timeout)
            except BlockingIOError:
                # In time or not, or closed meanwhile: the next turn finds out.
                with contextlib.suppress(BlockingIOError, ValueError):
                    wait(self.native.fileno(), select.POLLIN, left)
            except ConnectionLost:
                raise
            except OSError as error:
                self._cannot_accept(error)
                time.sleep(BREATH)

    def __iter__(self) -> Iterator[ByteStream]:
        while not self._closed:
            try:
                stream = self.accept()
            except ConnectionLost:
                return
            yield stream

    def close(self) -> None:
        """Stop listening, remove a Unix socket's file, wake who accepts."""
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
