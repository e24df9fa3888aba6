"""Blocking byte streams: sockets and pipes behind the few methods a session drives.

`send` and `receive_into` are bound to the descriptor's own functions, so that a call costs no
Python frame. They raise OSError, and BlockingIOError or TimeoutError once the time that
`set_timeout` gave has passed without an octet moving; a deadline over many reads is the session's.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence

__all__ = ["NotReady", "PipeStream", "SocketStream", "Stream", "wait"]

SEND_BUFFER: Final = 1 << 20
LONGEST_POLL: Final = 2**31 - 1
"""Milliseconds, 24 days."""
EXPIRED: Final = (BlockingIOError, TimeoutError)


class NotReady(BlockingIOError):
    """No octet can move before `descriptor` is ready for `event` (POLLIN or POLLOUT)."""

    def __init__(self, descriptor: int, event: int) -> None:
        super().__init__(errno.EAGAIN, "no octet can move now")
        self.descriptor = descriptor
        self.event = event


class Stream:
    """One connected byte stream; see the module for what its methods raise."""

    send: Callable[[Any], object]
    """Send all of one buffer."""
    receive_into: Callable[[memoryview], int]
    """Read at least one octet into a buffer and return how many; 0 at the end of the stream."""
    native: Any
    """The socket, or the child's Popen."""

    def receive(self, count: int) -> bytes:
        """Read up to `count` octets, all of them if they come in time; nothing at the end."""
        raise NotImplementedError

    def send_parts(self, parts: Sequence[Any], until: float | None) -> None:
        """Send all of several buffers, uncopied, before the monotonic time `until`."""
        sent = self._send_first(parts)
        if sent == sum(map(len, parts)):
            return
        views = [memoryview(part).cast("B") for part in parts]
        while True:
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if not views:
                return
            views[0] = views[0][sent:]
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise BlockingIOError(errno.EAGAIN, "the time to send is over")
            sent = self._send_more(views, left)

    def _send_first(self, views: Sequence[Any]) -> int:
        """Send some octets within the time that `set_timeout` gave."""
        raise NotImplementedError

    def _send_more(self, views: Sequence[Any], seconds: float | None) -> int:
        """Send some octets within `seconds`; what `set_timeout` gave stays as it is."""
        raise NotImplementedError

    def has_room(self) -> bool:
        """Say whether a short message would be sent at once; False where that is not known."""
        return False

    def receive_now(self, buffer: memoryview) -> int:
        """Read like `receive_into`, but raise NotReady rather than wait."""
        raise NotImplementedError

    def send_now(self, data: memoryview) -> int:
        """Send what can leave at once and return how much; raises NotReady rather than wait."""
        raise NotImplementedError

    def finish_sending(self) -> None:
        """Let the peer read the end of the stream, while it may still write."""
        raise NotImplementedError

    def set_timeout(self, receive: float | None, send: float | None) -> None:
        """Let each later operation wait that long for an octet to move; None is for ever."""
        raise NotImplementedError

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""
        raise NotImplementedError

    def pending(self) -> int:
        """Return the octets already taken from the descriptor, which no poll will report."""
        return 0

    def finish(self) -> None:
        """Make later reads return 0, here and in other threads, while writes still work."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the stream; once more does nothing."""
        raise NotImplementedError

    def forget(self) -> None:
        """Close the descriptor in a forked child without a word to the peer."""
        with contextlib.suppress(OSError):
            os.close(self.fileno())

    def epitaph(self) -> str:
        """Return what is known about why the peer is gone, or nothing."""
        return ""


class SocketStream(Stream):
    """A connected stream socket, blocking; timeouts are the kernel's."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            # One large message then fits the kernel's buffer and takes one wake-up of the reader.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.native = sock
        self.send = sock.sendall
        self.receive_into = sock.recv_into

    def receive(self, count: int) -> bytes:
        # The kernel fills the final object; what a signal or the time cuts short is returned.
        return self.native.recv(count, socket.MSG_WAITALL)  # type: ignore[no-any-return]

    def _send_first(self, views: Sequence[Any]) -> int:
        if len(views) == 1:
            return self.native.send(views[0])  # type: ignore[no-any-return]
        return self.native.sendmsg(views)  # type: ignore[no-any-return]

    def _send_more(self, views: Sequence[Any], seconds: float | None) -> int:
        wait(self.native.fileno(), select.POLLOUT, seconds)
        return self.native.sendmsg(views, (), socket.MSG_DONTWAIT)  # type: ignore[no-any-return]

    def has_room(self) -> bool:
        return is_writable(self.native.fileno())

    def receive_now(self, buffer: memoryview) -> int:
        try:
            return self.native.recv_into(buffer, 0, socket.MSG_DONTWAIT)  # type: ignore[no-any-return]
        except BlockingIOError:
            raise NotReady(self.native.fileno(), select.POLLIN) from None

    def send_now(self, data: memoryview) -> int:
        try:
            return self.native.send(data, socket.MSG_DONTWAIT)  # type: ignore[no-any-return]
        except BlockingIOError:
            raise NotReady(self.native.fileno(), select.POLLOUT) from None

    def finish_sending(self) -> None:
        self.native.shutdown(socket.SHUT_WR)

    def set_timeout(self, receive: float | None, send: float | None) -> None:
        for option, seconds in ((socket.SO_RCVTIMEO, receive), (socket.SO_SNDTIMEO, send)):
            # Zero would mean for ever to the kernel.
            micros = 0 if seconds is None else max(int(seconds * 1e6), 1)
            interval = struct.pack("ll", *divmod(micros, 1_000_000))
            self.native.setsockopt(socket.SOL_SOCKET, option, interval)

    def fileno(self) -> int:
        return self.native.fileno()  # type: ignore[no-any-return]

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            _shutdown(self.native, socket.SHUT_RD)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            _shutdown(self.native, socket.SHUT_RDWR)
        self.native.close()

    def forget(self) -> None:
        self.native.close()


def _shutdown(sock: socket.socket, how: int) -> None:
    # An SSLSocket's own shutdown first drops the encryption: what is sent later leaves in clear.
    socket.socket.shutdown(sock, how)


class PipeStream(Stream):
    """Two pipes, one each way; `process` is the child at their other end, if we started it."""

    def __init__(self, reader: int, writer: int, process: Child | None = None) -> None:
        self.reader, self.writer = reader, writer
        self.process = process
        self.native = process.popen if process is not None else (reader, writer)
        self._receive_seconds: float | None = None
        self._send_seconds: float | None = None
        self._finished = False
        # A byte here wakes a reader that another thread ends: a pipe has no shutdown.
        self._wake_reader, self._wake_writer = os.pipe()
        self._lock = threading.Lock()
        for descriptor in (reader, writer):
            os.set_blocking(descriptor, False)
            # More than the default 64 KiB, so that a large message takes few wake-ups. What is no
            # pipe, or is over the user's share, stays as it is.
            with contextlib.suppress(OSError):
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, SEND_BUFFER)
        self._arriving = select.poll()
        self._arriving.register(reader, select.POLLIN)
        self._arriving.register(self._wake_reader, select.POLLIN)
        self.send = self._send_all
        self.receive_into = self._receive_into

    def _receive_into(self, buffer: memoryview) -> int:
        # Waiting first costs one call the less: between question and answer there is nothing yet.
        while not self._finished:
            wait_on(self._arriving, self._receive_seconds)
            with contextlib.suppress(BlockingIOError):
                return os.readv(self.reader, [buffer])
        return 0

    def receive(self, count: int) -> bytes:
        content = bytearray(min(count, 1 << 16))
        return bytes(content[: self._receive_into(memoryview(content))])

    def _send_all(self, data: Any) -> None:
        seconds = self._send_seconds
        until = None if seconds is None else time.monotonic() + seconds
        self.send_parts([data], until)

    def _send_first(self, views: Sequence[Any]) -> int:
        return self._send_more(views, self._send_seconds)

    def _send_more(self, views: Sequence[Any], seconds: float | None) -> int:
        while True:
            try:
                return os.writev(self.writer, views)
            except BlockingIOError:
                wait(self.writer, select.POLLOUT, seconds)

    def has_room(self) -> bool:
        return is_writable(self.writer)

    def receive_now(self, buffer: memoryview) -> int:
        try:
            return os.readv(self.reader, [buffer])
        except BlockingIOError:
            raise NotReady(self.reader, select.POLLIN) from None

    def send_now(self, data: memoryview) -> int:
        try:
            return os.write(self.writer, data)
        except BlockingIOError:
            raise NotReady(self.writer, select.POLLOUT) from None

    def finish_sending(self) -> None:
        with self._lock:
            writer, self.writer = self.writer, -1
            if writer >= 0:
                os.close(writer)

    def set_timeout(self, receive: float | None, send: float | None) -> None:
        self._receive_seconds, self._send_seconds = receive, send

    def fileno(self) -> int:
        return self.reader

    def finish(self) -> None:
        self._finished = True
        with contextlib.suppress(OSError):
            os.write(self._wake_writer, b".")

    def close(self) -> None:
        self.finish()
        with self._lock:
            if self.reader < 0:
                return
            self.forget()
        if self.process is not None:
            self.process.end()

    def forget(self) -> None:
        for descriptor in {self.reader, self.writer, self._wake_reader, self._wake_writer} - {-1}:
            os.close(descriptor)
        self.reader = self.writer = self._wake_reader = self._wake_writer = -1

    def epitaph(self) -> str:
        return "" if self.process is None else self.process.epitaph()


class Child:
    """A program started for its stdin and stdout; its own stderr is passed on, its end kept."""

    KEPT: Final = 2048
    GRACE: Final = 5.0

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self.popen = popen
        self._last = bytearray()
        self._thread = threading.Thread(target=self._pass_on, name="ipckit-stderr", daemon=True)
        self._thread.start()

    def _pass_on(self) -> None:
        if self.popen.stderr is None:
            return
        with self.popen.stderr as pipe, contextlib.suppress(OSError, ValueError):
            while chunk := os.read(pipe.fileno(), 4096):
                self._last += chunk
                del self._last[: -self.KEPT]
                with contextlib.suppress(OSError):
                    os.write(2, chunk)

    def end(self) -> None:
        """Wait for the child, whose stdin is closed; terminate, then kill one that lingers."""
        import subprocess

        for act in (self.popen.terminate, self.popen.kill, self.popen.kill):
            try:
                self.popen.wait(self.GRACE)
                break
            except subprocess.TimeoutExpired:
                act()
        self._thread.join(self.GRACE)

    def epitaph(self) -> str:
        """Say how the child ended and what it last wrote to stderr."""
        import subprocess

        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(1.0)
        status = self.popen.poll()
        if status is None:
            return ""
        self._thread.join(1.0)
        how = f"exit status {status}" if status >= 0 else f"signal {-status}"
        lines = self._last.decode(errors="replace").strip().splitlines()[-5:]
        said = f"; its last words on stderr: {' | '.join(lines)}" if lines else ""
        return f"the program {self.popen.args!r} ended with {how}{said}"


def is_writable(descriptor: int) -> bool:
    """Say whether a descriptor takes octets now."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return poll.poll(0) == [(descriptor, select.POLLOUT)]


def wait(descriptor: int, event: int, seconds: float | None) -> None:
    """Wait until a descriptor is ready; raises BlockingIOError when the time is over."""
    if descriptor < 0:
        raise OSError(errno.EBADF, "the stream was closed on this side")
    poll = select.poll()
    poll.register(descriptor, event)
    wait_on(poll, seconds)


def wait_on(poll: select.poll, seconds: float | None) -> None:
    """Wait until one of the descriptors of a poll is ready; raises BlockingIOError in time."""
    if not poll.poll(None if seconds is None else min(max(seconds, 0) * 1000, LONGEST_POLL)):
        raise BlockingIOError(errno.EAGAIN, "no octet moved in time")
