"""Streams as an event loop drives them: sockets and pipes, read and written without waiting.

A descriptor is read by the link that owns it, straight into the protocol's buffer, and written at
once; only what the kernel has no room for waits here, and only then is the loop told. asyncio's
own transports cost several times as much for large messages.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from ipckit.transports._stream import PipeStream, Stream

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from contextvars import Context

    from ipckit._session.wire import Out

__all__ = ["HIGH", "DescriptorStream", "Owner"]

HIGH: Final = 1 << 20
"""Octets waiting to be sent from which a stream counts as full."""
_PARTS: Final = 64
_FULL: Final = (BlockingIOError, InterruptedError)


class Owner(Protocol):
    """The link, as a stream speaks to it."""

    context: Context
    """What the callbacks of the loop run in copies of: a context is not entered twice."""

    def readable(self) -> None: ...
    def drained(self) -> None: ...
    def broken(self, error: OSError | None) -> None: ...


class DescriptorStream:
    """A socket, or two pipes, watched by the loop."""

    def __init__(self, stream: Stream, owner: Owner) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._stream = stream
        self.native = stream.native
        self.backlog = 0
        """Octets accepted by `send` that the kernel has not taken yet."""
        self.moved_at = 0.0
        """When, on the monotonic clock, something that waited was last taken."""
        self.receive_into: Callable[[Any], int]
        self._send: Callable[[Any], int]
        self._send_parts: Callable[[Any], int]
        if isinstance(stream, PipeStream):
            reader, writer = stream.reader, stream.writer
            self._reader, self._writer = reader, writer
            self.receive_into = lambda buffer: os.readv(reader, [buffer])
            self._send = lambda data: os.write(writer, data)
            self._send_parts = lambda parts: os.writev(writer, parts)
        else:
            sock: socket.socket = stream.native
            sock.setblocking(False)
            self._reader = self._writer = sock.fileno()
            self.receive_into = sock.recv_into
            self._send = sock.send
            self._send_parts = sock.sendmsg
        self._waiting: deque[memoryview] = deque()
        self._reading = False
        self._closed = False
        self._closing: asyncio.Future[None] | None = None

    def send(self, out: Out) -> None:
        """Send a message, or keep what the kernel does not take; raises OSError."""
        if self._waiting:
            self._keep([out] if type(out) is bytes else out, 0)
            return
        try:
            if type(out) is bytes:
                sent = self._send(out)
                if sent == len(out):
                    return
                out = [out]
            else:
                sent = self._send_parts(out)
        except _FULL:
            sent = 0
        self._keep([out] if type(out) is bytes else out, sent)

    def _keep(self, parts: Any, sent: int) -> None:
        """Keep all but the first `sent` octets until the descriptor takes them."""
        idle = not self._waiting
        for part in parts:
            view = memoryview(part).cast("B")
            if sent < len(view):
                self._waiting.append(view[sent:])
                self.backlog += len(view) - sent
                sent = 0
            else:
                sent -= len(view)
        if idle and self._waiting:
            self.moved_at = time.monotonic()
            self._watch(self._loop.add_writer, self._writer, self._writable)

    def _writable(self) -> None:
        try:
            sent = self._send_parts(list(islice(self._waiting, _PARTS)))
        except _FULL:
            return
        except OSError as error:
            self._owner.broken(error)
            return
        self.backlog -= sent
        self.moved_at = time.monotonic()
        while self._waiting and sent >= len(self._waiting[0]):
            sent -= len(self._waiting.popleft())
        if self._waiting:
            self._waiting[0] = self._waiting[0][sent:]
        else:
            self._loop.remove_writer(self._writer)
            self._owner.drained()

    def _watch(self, add: Callable[..., Any], descriptor: int, callback: Any) -> None:
        # What the loop calls runs in the context of this moment, which may be any caller's.
        self._owner.context.copy().run(add, descriptor, callback)

    def _watch_once(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon(callback, context=self._owner.context.copy())

    def pause(self) -> None:
        """Read no more for now."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._reader)

    def resume(self) -> None:
        """Begin to read, or go on."""
        if not self._reading and not self._closed:
            self._reading = True
            self._watch(self._loop.add_reader, self._reader, self._readable)

    def close(self) -> None:
        """Close at once, whatever waits; once more does nothing."""
        if self._closed:
            return
        self._closed = True
        if not self._loop.is_closed():
            self.pause()
            self._loop.remove_writer(self._writer)
        self._waiting.clear()
        self.backlog = 0
        if self._is_parent and not self._loop.is_closed():
            # A child is given time to end by itself.
            self._closing = self._loop.run_in_executor(None, self._stream.close)
        else:
            self._stream.close()

    def forget(self) -> None:
        """Close in a forked child without a word to the peer."""
        self._closed = True
        self._stream.forget()

    def _readable(self) -> None:
        self._owner.readable()

    @property
    def _is_parent(self) -> bool:
        return isinstance(self._stream, PipeStream) and self._stream.process is not None

    def epitaph(self) -> Callable[[], str] | None:
        """Return what to ask, in a thread, about why the peer is gone."""
        return self._stream.epitaph if self._is_parent else None

    async def ended(self) -> None:
        """Return when what `close` began, the end of a child, is done."""
        if self._closing is not None:
            await asyncio.shield(self._closing)
