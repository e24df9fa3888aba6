"""The asyncio face of mechanisms whose adapter only blocks: their calls run in worker threads."""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import TYPE_CHECKING, Any, Final

from ipckit import _deadline
from ipckit._aside import aside, started
from ipckit._session.aio_workers import Workers, post
from ipckit._session.cancelling import Cancellation, current
from ipckit._session.ending import again, poison_after_fork
from ipckit.errors import ConnectionLost, IpcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ipckit._address import Address
    from ipckit._contract import Contract, Operation
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._proxy import Channel
    from ipckit._registry import AdapterServer
    from ipckit._session.aio_runner import Runner

__all__ = ["ThreadChannel", "ThreadServer", "connect"]

CALLS: Final = 8
"""Calls that one connection has under way at once; others wait their turn."""


class ThreadServer:
    """A blocking server whose operations run on the loop of the runner."""

    def __init__(
        self,
        serve: Callable[[Dispatcher, Address, Options], AdapterServer],
        runner: Runner,
        address: Address,
        options: Options,
    ) -> None:
        self._runner = runner
        self._server = serve(runner.threaded(), address, options)
        self._closing: asyncio.Task[None] | None = None

    @property
    def address(self) -> Address:
        """The address really bound."""
        return self._server.address

    @property
    def native(self) -> Any:
        """The library's own server."""
        return self._server.native

    async def wait(self) -> None:
        """Return when no more peers can arrive and the last one has left."""
        await aside(self._server.wait)

    def refuse(self) -> None:
        """Begin to close: the library's server lets running calls finish by itself."""
        if self._closing is None:
            # In a thread that ends with it: those of the loop's own executor stay.
            closing = aside(self._server.close)
            self._closing = asyncio.get_running_loop().create_task(closing)

    async def settle(self) -> None:
        """Return when every call that runs is answered."""
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def close(self) -> None:
        """Close every connection."""
        self.refuse()
        await self.settle()


async def connect(
    adapter_connect: Callable[[Address, Options, Dispatcher | None], Channel],
    address: Address,
    options: Options,
    runner: Runner | None,
) -> ThreadChannel:
    """Return a channel to the peer, opened in a thread."""
    workers = Workers(CALLS, f"ipckit-call {address}")
    dispatcher = None if runner is None else runner.threaded()
    opening = asyncio.ensure_future(workers.run(adapter_connect, address, options, dispatcher))
    try:
        channel = await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread cannot be stopped: what it opens after all is closed.
        opening.add_done_callback(_close_late)
        workers.close()
        raise
    except BaseException:
        workers.close()
        raise
    return ThreadChannel(channel, workers, str(address), options.timeout)


def _close_late(opening: asyncio.Future[Channel]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        started(opening.result().close)


class _Nothing:
    """What a forked child has to close of a channel that sees to its own descriptors."""

    def forget(self) -> None: ...


class ThreadChannel:
    """A blocking channel behind awaits."""

    def __init__(
        self, channel: Channel, workers: Workers, name: str, timeout: float | None
    ) -> None:
        self.name = name
        self.dead: IpcError | None = None
        self.stream = _Nothing()
        self._channel = channel
        self._workers = workers
        self._timeout = timeout
        poison_after_fork(self)

    @property
    def native(self) -> Any:
        """The library's own client."""
        return self._channel.native

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Awaitable[Any]]:
        """Return the function that performs one operation, given its checked arguments."""
        perform = self._channel.bind(operation, where)
        return lambda args: self._run(perform, args)

    async def call(self, name: str, args: Sequence[Any]) -> Any:
        """Call by name, without a contract."""
        return await self._run(self._channel.call, name, list(args))

    @property
    def batch(self) -> Callable[[Sequence[Any]], Awaitable[list[Any]]] | None:
        """What sends several calls in one message, if the wire can."""
        send = getattr(self._channel, "batch", None)
        return None if send is None else lambda calls: self._run(send, calls)

    async def subscribe(
        self,
        contract: Contract,
        name: str,
        deliver: Callable[[Any], object],
        lost: Callable[[IpcError], None],
    ) -> None:
        """Hand every value of a signal to `deliver`, on the loop, in order."""
        loop = asyncio.get_running_loop()
        await self._run(
            self._channel.subscribe, contract, name, lambda value: post(loop, deliver, value)
        )

    async def unsubscribe(self, name: str) -> None:
        """End what `subscribe` began."""
        await self._run(self._channel.unsubscribe, name)

    async def close(self) -> None:
        """Close the channel; once more does nothing."""
        if self.dead is None:
            self.dead = ConnectionLost(f"{self.name}: the connection was closed on this side")
            await self._workers.run(self._channel.close)
            self._workers.close()

    async def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        if self.dead is not None:
            raise again(self.dead, "no")
        # A call that waits for a thread spends its own time.
        seconds = _deadline.remaining(self._timeout)
        context = contextvars.copy_context()
        if seconds is not None:
            context.run(_deadline.deadline.set, time.monotonic() + seconds)
        cancellation = Cancellation()
        context.run(current.set, cancellation)
        try:
            return await self._workers.run(context.run, function, *args)
        except asyncio.CancelledError:
            cancellation.cancel()
            raise
