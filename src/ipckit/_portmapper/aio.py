"""The port mapper beside a loop: it is asked by threads, so that nothing waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from typing import TYPE_CHECKING, Any, TypeVar

from ipckit._session.aio_workers import Workers
from ipckit._session.cancelling import Cancellation, current
from ipckit.errors import IpcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._address import Address
    from ipckit._portmapper.listing import Listing
    from ipckit._session.aio_server import AioServer

__all__ = ["ListedAioServer", "in_a_thread"]

T = TypeVar("T")


async def in_a_thread(function: Callable[..., T], *args: Any) -> T:
    """Return what a function of this package does in a thread; cancelling it ends its question."""
    workers = Workers(1, "ipckit-portmapper")
    context = contextvars.copy_context()
    cancellation = Cancellation()
    context.run(current.set, cancellation)
    try:
        return await workers.run(context.run, function, *args)
    except asyncio.CancelledError:
        cancellation.cancel()
        raise
    finally:
        workers.close()


class ListedAioServer:
    """A server on a loop that is listed from when it is awaited until it is closed."""

    def __init__(self, server: AioServer, list_it: Callable[[Address], Listing]) -> None:
        self._server = server
        self._list_it = list_it
        self._listing: asyncio.Task[Listing] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def address(self) -> Address:
        """The address really bound."""
        return self._server.address

    @property
    def native(self) -> Any:
        """The server's own object."""
        return self._server.native

    async def started(self) -> None:
        """List it, in a thread; raises what `Listing` does."""
        if self._closed:
            return
        if self._listing is None:
            listing = in_a_thread(self._list_it, self._server.address)
            self._listing = asyncio.get_running_loop().create_task(listing)
        # Whoever stops waiting leaves it to `refuse` to take the entries off again.
        await asyncio.shield(self._listing)

    async def wait(self) -> None:
        """Return when no more peers can arrive and the last one has left."""
        await self._server.wait()

    def refuse(self) -> None:
        """Begin to take it off the list, and stop accepting peers."""
        self._closed = True
        if self._listing is not None and self._leaving is None:
            leaving = self._leave(self._listing)
            self._leaving = asyncio.get_running_loop().create_task(leaving)
        self._server.refuse()

    async def settle(self) -> None:
        """Return when every call that runs is answered."""
        await self._left()
        await self._server.settle()

    async def close(self) -> None:
        """Close every connection."""
        self.refuse()
        await self._server.close()
        await self._left()

    async def _leave(self, listing: asyncio.Task[Listing]) -> None:
        with contextlib.suppress(IpcError):
            listed = await listing
            await in_a_thread(listed.close)

    async def _left(self) -> None:
        if self._leaving is not None:
            await asyncio.shield(self._leaving)
