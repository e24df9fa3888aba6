"""Lines to a program or server that is spoken to as text: child, terminal, ssh, socket, datagrams.

A line moves octets and knows nothing of what they say. `receive` waits for the next ones, and
raises BlockingIOError when its time is over; nothing at the end.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from typing import TYPE_CHECKING, Any, Final

from ipckit.errors import AddressError, ConnectFailed
from ipckit.transports._open import dial, dialling, resolve, start
from ipckit.transports._stream import NotReady, PipeStream, Stream, wait

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ipckit._address import Address
    from ipckit._options import Options

__all__ = ["Line", "open_line"]

CHUNK: Final = 1 << 16


class Line:
    """One line to a peer; see the module."""

    native: Any
    """The library's own object, the child's Popen, or the socket."""
    longest: int | None = None
    """Octets that one line may have, where the transport would cut a longer one."""

    def send(self, data: bytes, seconds: float | None) -> None:
        """Send all of it; raises BlockingIOError when it did not leave in time."""
        raise NotImplementedError

    def receive(self, seconds: float | None) -> bytes:
        """Return what arrives next; see the module."""
        raise NotImplementedError

    def close(self) -> None:
        """End the line in good order, a program by the end of its input."""
        raise NotImplementedError

    def kill(self) -> None:
        """End the line and a program at once, with its process group."""
        self.close()

    def forget(self) -> None:
        """Close the descriptors in a forked child, without a word to the peer."""
        raise NotImplementedError

    def epitaph(self) -> str:
        """Return what is known about why the peer is gone, or nothing."""
        return ""


def open_line(
    address: Address,
    argv: Sequence[str],
    environment: Mapping[str, str],
    options: Options,
    seconds: float | None,
) -> Line:
    """Return a line to the peer at an address, opened within `seconds`; `argv` is the program.

    Raises ConnectFailed, CallTimeout, AccessDenied or AddressError.
    """
    match address.transport or "pipe":
        case "pipe":
            with dialling(address, seconds):
                stream = start(address, argv, merged=True, environment=environment)
            return _StreamLine(stream)
        case "udp":
            with dialling(address, seconds):
                return _DatagramLine(address, options.limits.message)
        case _:
            return _StreamLine(dial(address, options, seconds))


class _StreamLine(Line):
    """A line over a byte stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = memoryview(bytearray(CHUNK))
        self.native = stream.native

    def send(self, data: bytes, seconds: float | None) -> None:
        self._stream.set_timeout(seconds, seconds)
        self._stream.send(data)

    def receive(self, seconds: float | None) -> bytes:
        while True:
            try:
                return bytes(self._buffer[: self._stream.receive_now(self._buffer)])
            except NotReady as not_ready:
                wait(not_ready.descriptor, not_ready.event, seconds)

    def close(self) -> None:
        self._stream.close()

    def kill(self) -> None:
        process = self._stream.process if isinstance(self._stream, PipeStream) else None
        if process is not None and process.popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.popen.pid, signal.SIGKILL)
        self._stream.close()

    def forget(self) -> None:
        self._stream.forget()

    def epitaph(self) -> str:
        return self._stream.epitaph()


class _DatagramLine(Line):
    """A line in datagrams: each holds whole lines, so its end is the end of a line."""

    longest = 65507

    def __init__(self, address: Address, limit: int) -> None:
        if not address.port:
            raise AddressError(f"{address}: the port is missing, as in {address.scheme}://host:7")
        family, name = resolve(address, socket.SOCK_DGRAM)[0]
        self.native = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self.native.connect(name)
        except OSError as error:
            self.native.close()
            raise ConnectFailed(f"{address}: {error.strerror}") from None

    def send(self, data: bytes, seconds: float | None) -> None:
        wait(self.native.fileno(), select.POLLOUT, seconds)
        self.native.send(data)

    def receive(self, seconds: float | None) -> bytes:
        wait(self.native.fileno(), select.POLLIN, seconds)
        data: bytes = self.native.recv(CHUNK, socket.MSG_DONTWAIT)
        return data if data.endswith(b"\n") else data + b"\n"

    def close(self) -> None:
        self.native.close()

    def forget(self) -> None:
        self.native.close()
