"""Signals of asyncio proxies: one subscription at the peer, any number of subscribers here."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ipckit.errors import ContractError, IpcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator
    from types import TracebackType

    from ipckit._contract import Contract
    from ipckit._session.aio_channel import AioChannel

__all__ = ["AioSignal", "Subscription"]

log: Final = logging.getLogger("ipckit.session")

T = TypeVar("T")


class AioSignal(Generic[T]):
    """One signal of one proxy; see `ipckit.aio.subscribe`."""

    def __init__(self, contract: Contract, name: str, channel: AioChannel, queue: int) -> None:
        self.name = f"{contract.name}.{name}"
        self.queue = queue
        self._contract = contract
        self._wire_name = name
        self._channel = channel
        self._subscriptions: dict[Subscription[T], Callable[[T], object]] = {}
        self._turn = asyncio.Lock()

    async def subscribe(self, callback: Callable[[T], object]) -> Subscription[T]:
        """Call `callback` with every value from now on until the subscription is closed."""
        return await self.open(callback)

    def open(self, callback: Callable[[T], object] | None) -> Subscription[T]:
        """Return a subscription that begins when it is awaited or entered."""
        if inspect.iscoroutinefunction(callback):
            raise ContractError(
                f"{self.name}: a callback is a plain function, so that values keep their order; "
                "to await at each, iterate with `async for` over the subscription"
            )
        return Subscription(self, callback)

    async def add(self, subscription: Subscription[T], take: Callable[[T], object]) -> None:
        """Deliver to a subscription from now on."""
        async with self._turn:
            first = not self._subscriptions
            self._subscriptions[subscription] = take
            if first:
                try:
                    await self._channel.subscribe(
                        self._contract, self._wire_name, self._deliver, self._lost
                    )
                except BaseException:
                    self._subscriptions.pop(subscription, None)
                    raise

    async def drop(self, subscription: Subscription[T]) -> None:
        """Deliver to it no more."""
        if self._subscriptions.pop(subscription, None) is None:
            return
        async with self._turn:
            if not self._subscriptions:
                await self._channel.unsubscribe(self._wire_name)

    def _deliver(self, value: T) -> None:
        for take in list(self._subscriptions.values()):
            try:
                take(value)
            except Exception:
                log.exception("%s: a subscriber failed", self.name)

    def _lost(self, error: IpcError) -> None:
        subscriptions, self._subscriptions = self._subscriptions, {}
        for subscription in subscriptions:
            subscription.end(error)


class Subscription(Generic[T]):
    """One subscriber of one signal: begun by `await` or `async with`, ended by `close`.

    Iterating gives the values that no callback takes; it ends with the subscription, and raises
    ConnectionLost if the connection does not last as long.
    """

    def __init__(self, signal: AioSignal[T], callback: Callable[[T], object] | None) -> None:
        self._signal = signal
        self._take = callback or self._keep
        self._values: deque[T] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: IpcError | None = None
        self.dropped = 0
        """Values that came while as many waited as may."""

    async def close(self) -> None:
        """End the subscription; once more does nothing."""
        if not self._ended:
            self.end(None)
            await self._signal.drop(self)

    def end(self, error: IpcError | None) -> None:
        """Let iteration end once what has come is taken, with the error if there is one."""
        self._ended = True
        self._error = error
        self._changed.set()

    def __await__(self) -> Generator[Any, None, Subscription[T]]:
        return self._begin().__await__()

    async def _begin(self) -> Subscription[T]:
        await self._signal.add(self, self._take)
        return self

    async def __aenter__(self) -> Subscription[T]:
        return await self._begin()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._values:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._values.popleft()

    def _keep(self, value: T) -> None:
        if len(self._values) >= self._signal.queue:
            self.dropped += 1
            log.warning(
                "%s: values are taken too slowly; %d dropped", self._signal.name, self.dropped
            )
            return
        self._values.append(value)
        self._changed.set()
