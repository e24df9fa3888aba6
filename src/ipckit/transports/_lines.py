"""Lines to a program or server that is spoken to as text: child, terminal, ssh, socket, datagrams.

A line moves octets and knows nothing of what they say. A program at its other end is ended with
its whole process group, so that nothing it started is left behind by a conversation that failed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from ipckit.errors import AddressError, ConnectFailed
from ipckit.transports._open import dial, dialling, resolve, start
from ipckit.transports._stream import PipeStream, Stream, wait, wait_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ipckit._address import Address
    from ipckit._options import Options

__all__ = ["Line", "open_line"]

CHUNK: Final = 1 << 16
MOMENT: Final = 1.0
"""Seconds that a program gets to end after it closed its output, or was killed."""


class Line:
    """One line to a peer; one thread at a time uses it, and any may `interrupt`."""

    native: Any
    """The library's own object, the child's Popen, or the socket."""
    longest: int | None = None
    """Octets that one line may have, where the transport would cut a longer one."""
    ends: bool = True
    """Whether the peer's end can be seen."""

    def send(self, data: bytes, seconds: float | None, arrived: Callable[[bytes], object]) -> None:
        """Send all of it, and take what arrives meanwhile: a peer may answer before it reads on.

        Raises BlockingIOError when it did not leave in time, and EOFError.
        """
        until = None if seconds is None else time.monotonic() + seconds
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._send_now(rest) :]
                continue
            except BlockingIOError:
                self._wait_for_either(until)
            with contextlib.suppress(BlockingIOError):
                came = self.receive(0)
                if not came:
                    raise EOFError
                arrived(came)

    def receive(self, seconds: float | None) -> bytes:
        """Return what arrives next, nothing at the end; raises BlockingIOError in time."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """End the peer at once, or the connection, so that who waits on the line sees its end."""
        raise NotImplementedError

    def close(self, grace: float) -> None:
        """End the line in good order; a program has that many seconds before it is killed."""
        raise NotImplementedError

    def kill(self) -> None:
        """End the line and the peer at once."""
        self.interrupt()
        self.close(0)

    def forget(self) -> None:
        """Close the descriptors in a forked child, without a word to the peer."""
        raise NotImplementedError

    def epitaph(self) -> str:
        """Return what is known about why the peer is gone, or nothing."""
        return ""

    def state(self) -> str:
        """Return what keeps a peer that is there from answering, or nothing."""
        return ""

    def _send_now(self, data: memoryview) -> int:
        raise NotImplementedError

    def _descriptors(self) -> tuple[int, int]:
        """Return where octets come from and where they go."""
        raise NotImplementedError

    def _wait_for_either(self, until: float | None) -> None:
        reader, writer = self._descriptors()
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        poll.register(writer, select.POLLOUT | (select.POLLIN if reader == writer else 0))
        wait_on(poll, None if until is None else until - time.monotonic())


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
            return _PipeLine(stream)
        case "udp":
            with dialling(address, seconds):
                return _DatagramLine(address)
        case _:
            return _StreamLine(dial(address, options, seconds))


class _StreamLine(Line):
    """A line over a byte stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = memoryview(bytearray(CHUNK))
        self.native = stream.native

    def receive(self, seconds: float | None) -> bytes:
        if seconds == 0:
            return bytes(self._buffer[: self._stream.receive_now(self._buffer)])
        self._stream.set_timeout(seconds, None)
        return bytes(self._buffer[: self._stream.receive_into(self._buffer)])

    def interrupt(self) -> None:
        self._stream.finish()

    def close(self, grace: float) -> None:
        self._stream.close()

    def forget(self) -> None:
        self._stream.forget()

    def _send_now(self, data: memoryview) -> int:
        return self._stream.send_now(data)

    def _descriptors(self) -> tuple[int, int]:
        return self._stream.fileno(), self._stream.fileno()


class _PipeLine(_StreamLine):
    """A line to a program on its stdin, stdout and stderr."""

    _stream: PipeStream

    def __init__(self, stream: PipeStream) -> None:
        super().__init__(stream)
        assert stream.process is not None
        self._child = stream.process

    def interrupt(self) -> None:
        if self.native.returncode is None:
            signal_group(self.native.pid, signal.SIGKILL)
        super().interrupt()

    def close(self, grace: float) -> None:
        self._stream.finish()
        self._stream.forget()
        if self.native.returncode is None:
            end_program(self.native.pid, grace)
        self._child.end()

    def epitaph(self) -> str:
        if self.native.returncode is None:
            if not is_over(self.native.pid, MOMENT):
                return "the program closed its output, and runs on"
            # Before it is waited for: what it started is left to nobody.
            signal_group(self.native.pid, signal.SIGKILL)
        return self._child.epitaph()

    def state(self) -> str:
        return "" if self.native.returncode is not None else stopped(self.native.pid)

    def _descriptors(self) -> tuple[int, int]:
        return self._stream.reader, self._stream.writer


class _DatagramLine(Line):
    """A line in datagrams: each holds whole lines, so its end is the end of a line."""

    longest = 65507
    ends = False

    def __init__(self, address: Address) -> None:
        if not address.port:
            raise AddressError(f"{address}: the port is missing, as in {address.scheme}://host:7")
        family, name = resolve(address, socket.SOCK_DGRAM)[0]
        self._address = address
        self._interrupted = False
        self._heard = False
        self.native = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self.native.connect(name)
        except BaseException:
            self.native.close()
            raise

    def receive(self, seconds: float | None) -> bytes:
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            wait(
                self.native.fileno(),
                select.POLLIN,
                None if until is None else until - time.monotonic(),
            )
            if self._interrupted:
                return b""
            # A datagram whose checksum is wrong wakes, and is not there.
            with contextlib.suppress(BlockingIOError), self._refusing():
                data: bytes = self.native.recv(CHUNK, socket.MSG_DONTWAIT)
                self._heard = True
                return data if data.endswith(b"\n") else data + b"\n"

    def interrupt(self) -> None:
        self._interrupted = True
        with contextlib.suppress(OSError):
            self.native.shutdown(socket.SHUT_RD)

    def close(self, grace: float) -> None:
        self.native.close()

    def forget(self) -> None:
        self.native.close()

    def _send_now(self, data: memoryview) -> int:
        with self._refusing():
            return self.native.send(data, socket.MSG_DONTWAIT)  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        """Tell nobody who listens from a peer that was heard once, and may have done the last."""
        try:
            yield
        except ConnectionRefusedError as error:
            if self._heard:
                raise
            raise ConnectFailed(
                f"{self._address}: {error.strerror}: nobody listens there"
            ) from None

    def _descriptors(self) -> tuple[int, int]:
        return self.native.fileno(), self.native.fileno()


def end_program(pid: int, grace: float) -> None:
    """Let a program that lost its input end; tell it to, then kill it with its group.

    It must not be waited for yet: until then nobody else can have its number.
    """
    if is_over(pid, grace / 2):
        return
    signal_group(pid, signal.SIGTERM)
    # One that is stopped would learn of it never.
    signal_group(pid, signal.SIGCONT)
    if not is_over(pid, grace / 2):
        signal_group(pid, signal.SIGKILL)
        is_over(pid, MOMENT)


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send a signal to a process group, if there is one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def is_over(pid: int, seconds: float) -> bool:
    """Wait for the end of a child that long, leaving its status to be waited for."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        wait(descriptor, select.POLLIN, seconds)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def stopped(pid: int) -> str:
    """Say whether a child is stopped."""
    with contextlib.suppress(ChildProcessError):
        found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
        if found is not None:
            return f"the program is stopped by signal {found.si_status}; SIGCONT lets it go on"
    return ""
