"""The server's side of a loop: it accepts, and every link answers by itself."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from ipckit._session.aio_link import AioLink
from ipckit._session.aio_stream import DescriptorStream
from ipckit._session.aio_tls import TlsStream
from ipckit._session.server import EXHAUSTED
from ipckit.errors import AccessDenied
from ipckit.transports._open import listen
from ipckit.transports._stream import SocketStream, Stream
from ipckit.transports.tls import server_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._address import Address
    from ipckit._options import Options
    from ipckit._session.aio_runner import Runner
    from ipckit._session.wire import Wire

__all__ = ["AioServer", "AioStreamServer", "Starting"]

log: Final = logging.getLogger("ipckit.server")


class AioServer(Protocol):
    """What an adapter's aio_serve returns."""

    @property
    def address(self) -> Address: ...
    @property
    def native(self) -> Any: ...
    async def wait(self) -> None: ...
    def refuse(self) -> None: ...
    async def settle(self) -> None: ...
    async def close(self) -> None: ...


@runtime_checkable
class Starting(Protocol):
    """A server with something to be awaited before clients can find it; once more does nothing."""

    async def started(self) -> None: ...


class AioStreamServer:
    """Serves one runner at one stream address until it is closed."""

    # How long to wait for a descriptor to come free before accepting again.
    BREATH: Final = 0.05
    # Peers admitted in one turn of the loop.
    BATCH: Final = 64

    def __init__(self, wire: Wire, address: Address, options: Options, runner: Runner) -> None:
        self._wire = wire
        self._options = options
        self._runner = runner
        self._loop = asyncio.get_running_loop()
        self._links: set[AioLink] = set()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._context = server_context(options.tls) if address.tls else None
        self._listener = listen(address, options)
        self.address = self._listener.address
        self._accepting = True
        self._listener.native.setblocking(False)
        self._loop.add_reader(self._listener.native, self._accept)

    @property
    def native(self) -> Any:
        """The listening socket."""
        return self._listener.native

    async def wait(self) -> None:
        """Return when no more peers can arrive and the last one has left."""
        while self._accepting or self._links:
            self._changed.clear()
            await self._changed.wait()

    def refuse(self) -> None:
        """Stop accepting peers and requests; what runs goes on."""
        self._stop_accepting()
        for task in self._handshakes:
            task.cancel()
        for link in self._links:
            link.closing = True

    async def settle(self) -> None:
        """Return when every call that runs is answered and its answer taken."""
        while busy := [
            link for link in self._links if link.running or link.held or link.stream.backlog
        ]:
            self._changed.clear()
            for link in busy:
                link.rested = self._changed.set
            await self._changed.wait()

    async def close(self) -> None:
        """Close every connection; to be called after `refuse`."""
        self.refuse()
        links = list(self._links)
        for link in links:
            if link.running:
                log.warning("%s: a call still runs; its connection is closed", link.name)
            link.close()
        for link in links:
            await link.stream.ended()
        if self._handshakes:
            await asyncio.wait(self._handshakes)

    def _stop_accepting(self) -> None:
        if self._accepting:
            self._accepting = False
            self._loop.remove_reader(self._listener.native)
            self._listener.close()
            self._changed.set()

    def _accept(self) -> None:
        for _ in range(self.BATCH):
            try:
                accepted = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    log.warning("%s: cannot accept: %s", self.address, error.strerror)
                    self._loop.remove_reader(self._listener.native)
                    self._loop.call_later(self.BREATH, self._accept_again)
                return
            if accepted is None:
                self._stop_accepting()
                return
            if len(self._links) >= self._options.limits.connections:
                log.warning(
                    "%s: %d connections are open, which is the limit; one more is closed",
                    self.address,
                    self._options.limits.connections,
                )
                accepted.close()
                continue
            self._admit(accepted)

    def _accept_again(self) -> None:
        if self._accepting:
            self._loop.add_reader(self._listener.native, self._accept)
            self._accept()

    def _admit(self, accepted: socket.socket | Stream) -> None:
        if self._context is not None and isinstance(accepted, socket.socket):
            task = self._loop.create_task(self._shake_hands(accepted, self._context))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)
            return
        try:
            stream = accepted if isinstance(accepted, Stream) else self._listener.wrap(accepted)
        except AccessDenied as error:
            log.warning("%s", error)
            return
        except OSError as error:
            log.info("%s: a peer left before it was admitted: %s", self.address, error)
            accepted.close()
            return
        self._link(functools.partial(DescriptorStream, stream)).start(guarded=True)

    async def _shake_hands(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        stream = functools.partial(TlsStream, SocketStream(sock), context, None)
        link = self._link(stream)
        assert isinstance(link.stream, TlsStream)
        try:
            async with asyncio.timeout(self._options.limits.request):
                await link.stream.handshake()
        except OSError as error:
            log.info("%s: the TLS handshake failed: %s", self.address, error)
            link.close()
        except BaseException:
            link.close()
            raise
        else:
            link.start(guarded=True)

    def _link(self, make_stream: Callable[[AioLink], DescriptorStream]) -> AioLink:
        link = AioLink(
            make_stream,
            self._wire,
            self._options.limits,
            str(self.address),
            self._options.timeout,
            self._runner,
        )
        self._links.add(link)
        link.ended = self._left
        return link

    def _left(self, link: AioLink) -> None:
        self._links.discard(link)
        self._changed.set()
