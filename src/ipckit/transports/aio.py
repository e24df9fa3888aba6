r"""Streams and datagrams for asyncio: the same names and the same promises, awaited.

async with await transports.aio.connect("tcp://127.0.0.1:7", timeout=5) as stream:
    await stream.send(b"hello\n")
    print(await stream.receive_line())

Nothing here blocks the loop: descriptors are watched by it, and what only a blocking call can do
(finding a host's address, starting a program) runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
import select
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from ipckit._aside import aside, started
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
from ipckit.transports._stream import NotReady, PipeStream, Stream
from ipckit.transports.datagrams import (
    LARGEST_DATAGRAM,
    PAUSE,
    Datagram,
    DatagramSocket,
    Routing,
    open_bound,
    open_connected,
)

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import AsyncIterator, Callable

    from typing_extensions import Buffer

    from ipckit.transports._incoming import Incoming
    from ipckit.transports.tls import Tls

__all__ = [
    "ByteStream",
    "Datagrams",
    "StreamListener",
    "bind",
    "connect",
    "connect_datagrams",
    "listen",
]

Result = TypeVar("Result")


async def connect(
    address: str,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    tls: ssl.SSLContext | Tls | None = None,
) -> ByteStream:
    """Connect as `transports.connect`."""
    parsed = stream_address(address)
    options = Options(timeout=timeout, tls=tls)
    work = partial(dial, parsed, options, Deadline(timeout).seconds)
    return ByteStream(await aside(work, lambda late: late.close()), str(parsed), timeout)


async def listen(
    address: str,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    tls: ssl.SSLContext | Tls | None = None,
    any_user: bool = False,
) -> StreamListener:
    """Listen as `transports.listen`."""
    work = partial(StreamListener, address, timeout, tls, any_user)
    return await aside(work, StreamListener.stop)


async def bind(
    address: str,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    interface: str | None = None,
    hops: int = 1,
    loopback: bool = True,
    broadcast: bool = False,
) -> Datagrams:
    """Bind as `transports.bind`."""
    routing = Routing(interface, hops, loopback, broadcast)
    sock = await aside(partial(open_bound, address, routing), DatagramSocket.close)
    return Datagrams(sock, timeout)


async def connect_datagrams(
    address: str,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    interface: str | None = None,
    hops: int = 1,
    loopback: bool = True,
    broadcast: bool = False,
) -> Datagrams:
    """Make a socket for one peer as `transports.connect_datagrams`."""
    routing = Routing(interface, hops, loopback, broadcast)
    sock = await aside(partial(open_connected, address, routing), DatagramSocket.close)
    return Datagrams(sock, timeout)


class ByteStream(ConnectedStream):
    """`transports.ByteStream` for asyncio: one task may send while another receives.

    A cancelled receive loses nothing; a cancelled send closes the stream if part had left.
    """

    def __init__(self, stream: Stream, address: str, timeout: float | None) -> None:
        super().__init__(stream, address, timeout)
        self._watch = _Watch()
        self._sending = asyncio.Lock()
        self._receiving = asyncio.Lock()
        self._ending: asyncio.Future[None] | None = None

    async def send(self, data: Buffer, *, timeout: float | None = None) -> None:
        """Send all of `data`; the stream is closed if that fails when part has left."""
        seconds = self._deadline(timeout).seconds
        whole = rest = memoryview(data).cast("B")
        try:
            async with asyncio.timeout(seconds), self._sending:
                while rest:
                    self._check_open()
                    try:
                        rest = rest[self._stream.send_now(rest) :]
                    except NotReady as busy:
                        await self._watch.ready(busy.descriptor, busy.event)
        except OSError as error:
            raise await self._said(error, seconds) from None
        finally:
            if self._torn(whole, rest):
                self._shut()

    async def receive(self, size: int = 65536, *, timeout: float | None = None) -> bytes:
        """Return what is there, at least one octet and at most `size`; b"" at the end."""
        return await self._receive(lambda incoming: incoming.some(size), timeout)

    async def receive_exactly(
        self, size: int, *, limit: int = LARGEST, timeout: float | None = None
    ) -> bytes:
        """Return `size` octets; ConnectionLost if the stream ends before."""
        return await self._receive(lambda incoming: incoming.exactly(size, limit), timeout)

    async def receive_line(
        self, *, limit: int = LONGEST_LINE, timeout: float | None = None
    ) -> bytes:
        r"""Return the octets up to and with the next b"\n"; b"" at the end of the stream."""
        return await self.receive_until(b"\n", limit=limit, timeout=timeout)

    async def receive_until(
        self, separator: bytes, *, limit: int = LONGEST_LINE, timeout: float | None = None
    ) -> bytes:
        """Return the octets up to and with `separator`, at most `limit`; as `receive_line`."""
        return await self._receive(lambda incoming: incoming.until(separator, limit), timeout)

    async def at_end(self, *, timeout: float | None = None) -> bool:
        """Wait for an octet or the end, take nothing, and say whether it is the end."""
        return await self._receive(lambda incoming: incoming.at_end(), timeout)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the lines up to the end of the stream."""
        while line := await self.receive_line():
            yield line

    async def close(self) -> None:
        """Close the stream and wake who waits on it; a program is given time to end."""
        self._shut()
        if self._ending is not None:
            await asyncio.shield(self._ending)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _receive(
        self, ask: Callable[[Incoming], Found | None], timeout: float | None
    ) -> Found:
        seconds = self._deadline(timeout).seconds
        try:
            async with asyncio.timeout(seconds), self._receiving:
                while True:
                    self._check_open()
                    if (found := self._asked(ask)) is not None:
                        return found
                    await self._fill()
        except OSError as error:
            raise await self._said(error, seconds) from None

    async def _fill(self) -> None:
        try:
            self._arrived(self._stream.receive_now(self._incoming.space()))
        except NotReady as busy:
            await self._watch.ready(busy.descriptor, busy.event)
        else:
            # A peer that never pauses must not keep others, or the deadline, from their turn.
            await asyncio.sleep(0)

    async def _said(self, error: OSError, seconds: float | None) -> Exception:
        trouble = self._trouble(error, seconds)
        if isinstance(self._stream, PipeStream) and isinstance(trouble, ConnectionLost):
            return await aside(partial(self._with_epitaph, trouble))
        return trouble

    def _shut(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._watch.wake()
        if isinstance(self._stream, PipeStream):
            self._ending = started(self._stream.close)
        else:
            self._stream.close()


class StreamListener(Arrivals):
    """`transports.StreamListener` for asyncio; `async for` yields streams until `close`."""

    def __init__(
        self,
        address: str,
        timeout: float | None,
        tls: ssl.SSLContext | Tls | None,
        any_user: bool,
    ) -> None:
        super().__init__(address, timeout, tls, any_user)
        self._watch = _Watch()

    async def accept(self, timeout: float | None = None) -> ByteStream:
        """Return the next peer's stream; None waits for ever. CallTimeout if nobody comes."""
        deadline = Deadline(timeout)
        try:
            async with asyncio.timeout(deadline.seconds):
                while (stream := await self._attempt()) is None:
                    pass
        except TimeoutError:
            raise self._nobody(deadline) from None
        return ByteStream(stream, self.address, self._timeout)

    async def _attempt(self) -> Stream | None:
        try:
            return self._admit()
        except BlockingIOError:
            await self._watch.ready(self.native.fileno(), select.POLLIN)
        except ConnectionLost:
            raise
        except OSError as error:
            self._cannot_accept(error)
            await asyncio.sleep(BREATH)
        return None

    async def __aiter__(self) -> AsyncIterator[ByteStream]:
        while not self._closed:
            try:
                stream = await self.accept()
            except ConnectionLost:
                return
            yield stream

    async def close(self) -> None:
        """Stop listening, remove a Unix socket's file, wake who accepts."""
        self._watch.wake()
        self.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Datagrams:
    """`transports.Datagrams` for asyncio."""

    def __init__(self, sock: DatagramSocket, timeout: float | None) -> None:
        self.timeout = timeout
        """Seconds an operation may take that is not told otherwise; None is no bound."""
        self._socket = sock
        self._watch = _Watch()

    @property
    def address(self) -> str:
        """The address bound, with the port really taken; of a connected socket the peer's."""
        return self._socket.address

    @property
    def native(self) -> socket.socket:
        """The socket."""
        return self._socket.native

    async def send(
        self, data: Buffer, to: str | None = None, *, timeout: float | None = None
    ) -> None:
        """Send one datagram whole; a host in `to` is looked up at once, so give its number."""
        name = self._socket.destination(to)
        await self._retry(lambda: self._socket.send_now(data, name), select.POLLOUT, timeout)

    async def receive(
        self, limit: int = LARGEST_DATAGRAM, *, timeout: float | None = None
    ) -> Datagram:
        """Return the next datagram; a larger one than `limit` is dropped, and is LimitExceeded."""
        return await self._retry(lambda: self._socket.receive_now(limit), select.POLLIN, timeout)

    async def _retry(
        self, attempt: Callable[[], Result], event: int, timeout: float | None
    ) -> Result:
        seconds = Deadline(self.timeout if timeout is None else timeout).seconds
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        return attempt()
                    except BlockingIOError:
                        if self._socket.blind and event == select.POLLOUT:
                            await asyncio.sleep(PAUSE)
                        else:
                            await self._watch.ready(self.native.fileno(), event)
        except OSError as error:
            raise self._socket.trouble(error, seconds) from None

    async def close(self) -> None:
        """Close the socket, remove a Unix socket's file, wake who waits."""
        self._watch.wake()
        self._socket.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Watch:
    """The tasks that wait for descriptors, several on one if need be."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], set[asyncio.Future[None]]] = {}

    async def ready(self, descriptor: int, event: int) -> None:
        """Return when the descriptor is ready for POLLIN or POLLOUT, or after `wake`."""
        loop = asyncio.get_running_loop()
        key = descriptor, event
        if key not in self._waiting:
            self._waiting[key] = set()
            add = loop.add_reader if event == select.POLLIN else loop.add_writer
            add(descriptor, self._release, key)
        future = loop.create_future()
        self._waiting[key].add(future)
        try:
            await future
        finally:
            if (others := self._waiting.get(key)) is not None:
                others.discard(future)
                if not others:
                    self._release(key)

    def wake(self) -> None:
        """Let all go on; to be called before their descriptors are closed."""
        for key in list(self._waiting):
            self._release(key)

    def _release(self, key: tuple[int, int]) -> None:
        loop = asyncio.get_running_loop()
        descriptor, event = key
        (loop.remove_reader if event == select.POLLIN else loop.remove_writer)(descriptor)
        for future in self._waiting.pop(key):
            if not future.done():
                future.set_result(None)
