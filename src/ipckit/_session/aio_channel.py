"""Channels over a link of the loop: for its coroutines, and back to whoever called."""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from ipckit._contract import Contract, Operation, Parameter, arguments_struct, undeclared
from ipckit._proxy import asked_by_name
from ipckit._session.standard import SUBSCRIBE, UNSUBSCRIBE
from ipckit.errors import BadArguments, Fault, IpcError, NotSupported

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ipckit._session.aio_link import AioLink

__all__ = ["AioChannel", "Caller", "LinkChannel"]

log: Final = logging.getLogger("ipckit.session")


class AioChannel(Protocol):
    """What an adapter's aio_connect returns."""

    @property
    def native(self) -> Any: ...
    def bind(self, operation: Operation, where: str) -> Callable[[Any], Awaitable[Any]]: ...
    async def call(self, name: str, args: Sequence[Any]) -> Any: ...
    async def subscribe(
        self,
        contract: Contract,
        name: str,
        deliver: Callable[[Any], object],
        lost: Callable[[IpcError], None],
    ) -> None:
        """Hand every value of a signal to `deliver`, in order.

        `lost` is called if the connection ends first, where the wire can tell.
        """

    async def unsubscribe(self, name: str) -> None: ...
    async def close(self) -> None: ...


class LinkChannel:
    """A channel over one link; all calls share it, side by side."""

    def __init__(self, link: AioLink) -> None:
        self._link = link

    @property
    def native(self) -> Any:
        """The connection's socket, or the child's Popen."""
        return self._link.stream.native

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Awaitable[Any]]:
        """Return the function that performs one operation, given its checked arguments."""
        spoken = self._link.wire.client(operation, where)
        if operation.oneway:
            return lambda args: self._link.notify(spoken.notification(args))
        return functools.partial(self._link.call, spoken)

    async def call(self, name: str, args: Sequence[Any]) -> Any:
        """Call by name; what is declared to be raised comes as a fault, as to any such call."""
        contract = self._link.wire.contract
        if contract is not None:
            operation, checked = asked_by_name(contract, name, args)
            try:
                return await self.bind(operation, f"{contract.name}.{name}")(checked)
            except operation.raises as error:
                raise undeclared(error) from None
        operation = Operation(name, (), Any, arguments_struct(name, []))
        return await self._link.call(self._link.wire.client(operation, name), list(args))

    async def subscribe(
        self,
        contract: Contract,
        name: str,
        deliver: Callable[[Any], object],
        lost: Callable[[IpcError], None],
    ) -> None:
        """Hand every value of a signal to `deliver`, on the loop, in order."""
        value = Parameter("value", contract.signals[name])
        payload = Operation(name, (), None, arguments_struct(name, [value]))
        self._link.listeners[name] = self._link.wire.server(payload), deliver, lost
        try:
            await self._standard(SUBSCRIBE, name)
        except BaseException:
            self._link.listeners.pop(name, None)
            raise

    async def unsubscribe(self, name: str) -> None:
        """End what `subscribe` began."""
        try:
            await self._standard(UNSUBSCRIBE, name)
        except IpcError as error:
            log.debug("%s: %s", UNSUBSCRIBE, error)
        finally:
            self._link.listeners.pop(name, None)

    async def close(self) -> None:
        """Send what waits and close the link; once more does nothing."""
        await self._link.aclose()

    async def _standard(self, method: str, name: str) -> None:
        try:
            await self.call(method, [name])
        except BadArguments:
            raise
        except Fault as error:
            # A foreign peer knows no subscriptions: it sends what it sends.
            log.debug("%s: %s", method, error)


class Caller:
    """What `peer` speaks through: the link of a caller, for plain methods in worker threads."""

    def __init__(self, link: AioLink) -> None:
        self._link = link
        self.channel = LinkChannel(link)
        """The same link for coroutines."""
        self.proxies: dict[Any, Any] = {}
        """Those that `ipckit.peer` has made, by contract."""
        self.async_proxies: dict[Any, Any] = {}
        """Those that `ipckit.aio.peer` has made."""

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Any]:
        """Return the function that performs one operation and waits for it."""
        perform = self.channel.bind(operation, where)

        async def run(args: Any) -> Any:
            return await perform(args)

        return lambda args: self._wait(run, args)

    def _wait(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._link.loop:
            raise NotSupported(
                "ipckit.peer() blocks the loop that it waits for; in an async operation use "
                "`await ipckit.aio.peer(Contract).operation(...)`"
            )
        return asyncio.run_coroutine_threadsafe(function(*args), self._link.loop).result()
