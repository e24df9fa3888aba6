"""The asyncio face: the same contracts, addresses and errors, awaited.

class AsyncCalculator:
    async def add(self, a: int, b: int) -> int: ...

async with ipckit.aio.serve(Calculator(), "tcp://127.0.0.1:0") as server:
    async with ipckit.aio.connect(AsyncCalculator, server.address) as calculator:
        await calculator.add(2, 3)

The contract of `connect` has `async def` methods; a property of it is `async def` too, is read by
`await proxy.name`, and is set by `await connection.call("set_name", value)`. A servant may have
both kinds of methods: `async def` ones run as tasks, plain ones in worker threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, overload

from ipckit._api import adapter_at, dispatcher_of, log_exposed, served_at
from ipckit._batch import AioBatch
from ipckit._contract import Contract, contract_of
from ipckit._deadline import DEFAULT_TIMEOUT
from ipckit._dispatch import Dispatcher, caller
from ipckit._options import Options
from ipckit._proxy import make_proxy
from ipckit._session import aio_threads
from ipckit._session.aio_channel import Caller
from ipckit._session.aio_runner import Runner
from ipckit._session.aio_server import AioServer, Starting
from ipckit._session.aio_signals import AioSignal, Subscription
from ipckit.errors import ContractError, NotSupported
from ipckit.transports.limits import Limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator, Sequence
    from types import TracebackType

    from ipckit._session.aio_channel import AioChannel
    from ipckit._signal import BoundSignal
    from ipckit.transports.tls import Tls

__all__ = ["Connection", "Server", "Subscription", "connect", "peer", "serve", "subscribe"]

T = TypeVar("T")
log: Final = logging.getLogger("ipckit")


class Server:
    """A servant behind one address or several, on the running loop, until it is closed."""

    def __init__(self, servers: list[AioServer], runner: Runner, grace: float) -> None:
        self._servers = servers
        self._runner = runner
        self._grace = grace

    @property
    def address(self) -> str:
        """The address really bound, ready to be given to connect; of several, the first."""
        return self._servers[0].address.text

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses really bound, in the order they were asked for."""
        return tuple(server.address.text for server in self._servers)

    @property
    def native(self) -> Any:
        """The library's own server object, or the listening socket; of several, the first's."""
        return self._servers[0].native

    async def wait(self) -> None:
        """Return when no more peers can arrive and the last one has left."""
        for server in self._servers:
            await server.wait()

    async def close(self) -> None:
        """Refuse new peers and calls, let running ones finish within the grace period; end them."""
        for server in self._servers:
            server.refuse()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._grace):
                for server in self._servers:
                    await server.settle()
        for server in self._servers:
            await server.close()
        await self._runner.close()

    def __await__(self) -> Generator[Any, None, Server]:
        return self._started().__await__()

    async def _started(self) -> Server:
        """List the server where clients look for it, if it is to be; closed where that fails."""
        try:
            for server in self._servers:
                if isinstance(server, Starting):
                    await server.started()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aenter__(self) -> Server:
        return await self._started()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class Connection(Generic[T]):
    """A connection to a peer, opened by awaiting it or by its `async with` block.

    The block yields the proxy, typed as the contract; without a contract, the connection.
    """

    def __init__(self, opener: _Opener, contract: Contract | None) -> None:
        self.contract = contract
        self._opener = opener
        self._channel: AioChannel | None = None
        self._proxy: Any = None

    @property
    def proxy(self) -> T:
        """The peer as an object of the contract."""
        self._opened()
        if self._proxy is None:
            raise NotSupported("connected without a contract: use connection.call(name, ...)")
        return cast("T", self._proxy)

    @property
    def native(self) -> Any:
        """The library's own client object, the socket, or the child's Popen."""
        return self._opened().native

    async def call(self, name: str, *args: Any) -> Any:
        """Call an operation by its name, as the peer knows it, with untyped values."""
        return await self._opened().call(name, list(args))

    def batch(self) -> AioBatch:
        """Return an `async with` block whose calls leave in one message, as `Connection.batch`."""
        return AioBatch(self.contract, self._opened())

    async def close(self) -> None:
        """Close the connection; once more does nothing."""
        if self._channel is not None:
            await self._channel.close()
        if self._opener.runner is not None:
            await self._opener.runner.close()

    def __await__(self) -> Generator[Any, None, Connection[T]]:
        return self._open().__await__()

    async def __aenter__(self) -> T:
        await self._open()
        return cast("T", self if self.contract is None else self._proxy)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _open(self) -> Connection[T]:
        if self._channel is None:
            self._channel = await self._opener.open()
            if self.contract is not None:
                self._proxy = _proxy(
                    self.contract, self._channel, self._opener.options.limits.queue
                )
        return self

    def _opened(self) -> AioChannel:
        if self._channel is None:
            raise NotSupported("the connection is not open yet: await it, or enter `async with`")
        return self._channel


class _Opener:
    """What it takes to open a connection, checked before anything is awaited."""

    def __init__(self, text: str, options: Options, servant: object | None) -> None:
        row, self._address, self._adapter = adapter_at(text, options.contract)
        self.options = options
        self.runner: Runner | None = None
        self._servant = servant
        transport = self._address.transport or row.transports[0]
        can_call_back = (
            self._adapter.CAPABILITIES[transport].reverse_calls
            # In threads, a call back would wait for the loop that waits for it.
            and hasattr(self._adapter, "aio_connect")
        )
        if servant is not None and not can_call_back:
            raise NotSupported(
                f"{row.mechanism}: the peer cannot call back, so servant= is useless"
            )

    async def open(self) -> AioChannel:
        """Open the connection."""
        if self._servant is not None:
            in_flight = self.options.limits.in_flight
            contract = contract_of(type(self._servant))
            dispatcher = Dispatcher(self._servant, contract, in_flight=in_flight)
            self.runner = Runner(dispatcher, in_flight=in_flight)
        opener = getattr(self._adapter, "aio_connect", None)
        if opener is not None:
            channel: AioChannel = await opener(self._address, self.options, self.runner)
            return channel
        return await aio_threads.connect(
            self._adapter.connect, self._address, self.options, self.runner
        )


def serve(
    servant: object,
    *addresses: str,
    contract: type | Sequence[type] | None = None,
    limits: Limits | None = None,
    tls: ssl.SSLContext | Tls | None = None,
    serialize: bool = False,
    any_user: bool = False,
    discovery: bool = True,
    register: bool = False,
    admit: Callable[[Any], Any] | None = None,
    inline: bool = False,
    threads: int = 32,
) -> Server:
    """Serve an object at one address or several on the running loop, from now on.

    `async def` methods run as tasks; plain ones in at most `threads` worker threads, or with
    `inline` on the loop itself, for methods that never block. The other options, and what is
    raised, are those of `ipckit.serve`. Awaiting the server gives the server; with `register` it
    is listed by then.
    """
    if not addresses:
        raise TypeError("serve() needs an address, such as 'tcp://127.0.0.1:0'")
    limits = limits or Limits()
    options = Options(limits=limits, tls=tls, any_user=any_user, register=register, admit=admit)
    dispatcher = dispatcher_of(servant, contract, in_flight=limits.in_flight, discovery=discovery)
    runner = Runner(
        dispatcher,
        in_flight=limits.in_flight,
        inline=inline,
        serialize=serialize,
        threads=threads,
    )
    servers: list[AioServer] = []
    try:
        for text in addresses:
            servers.append(_open_server(runner, text, options))
            log_exposed(servers[-1].address, dispatcher)
    except BaseException:
        for server in servers:
            server.refuse()
        raise
    return Server(servers, runner, limits.grace)


def _open_server(runner: Runner, text: str, options: Options) -> AioServer:
    address, adapter = served_at(text, runner.dispatcher, options)
    opener = getattr(adapter, "aio_serve", None)
    if opener is not None:
        server: AioServer = opener(runner, address, options)
        return server
    return aio_threads.ThreadServer(adapter.serve, runner, address, options)


@overload
def connect(
    contract: Callable[..., T],
    address: str,
    *,
    timeout: float | None = ...,
    limits: Limits | None = ...,
    tls: ssl.SSLContext | Tls | None = ...,
    servant: object | None = ...,
) -> Connection[T]: ...
@overload
def connect(
    contract: str,
    *,
    timeout: float | None = ...,
    limits: Limits | None = ...,
    tls: ssl.SSLContext | Tls | None = ...,
    servant: object | None = ...,
) -> Connection[Any]: ...
def connect(
    contract: Callable[..., T] | str,
    address: str | None = None,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    limits: Limits | None = None,
    tls: ssl.SSLContext | Tls | None = None,
    servant: object | None = None,
) -> Connection[Any]:
    """Connect to the peer at an address, as `connect(Contract, address)` or `connect(address)`.

    Nothing happens until the connection is awaited or entered. Calls share it side by side;
    cancelling one drops its reply. The options, and what is raised, are those of `ipckit.connect`.
    """
    source, text = (None, contract) if isinstance(contract, str) else (contract, address)
    if text is None:
        raise TypeError("connect() needs an address: connect(Contract, 'tcp://host:port')")
    spoken = None if source is None else _async_contract(source)
    options = Options(limits=limits or Limits(), timeout=timeout, tls=tls, contract=spoken)
    return Connection(_Opener(text, options, servant), spoken)


def peer(contract: Callable[..., T]) -> T:
    """Return a proxy, with methods to await, of whoever called the operation that is running.

    Its calls go back over the caller's own connection, to the `servant=` of its connect().
    Raises NotSupported outside an operation, or where the wire has no calls back.
    """
    link = caller.get(None)
    if not isinstance(link, Caller):
        raise NotSupported(
            "aio.peer() works inside an operation of aio.serve(), on a wire that can call back"
        )
    if contract not in link.async_proxies:
        spoken = _async_contract(contract)
        if spoken.signals:
            raise NotSupported(f"{spoken.name}: peer() carries calls only; a caller has no signals")
        link.async_proxies[contract] = _proxy(spoken, link.channel, 0)
    return cast("T", link.async_proxies[contract])


def subscribe(
    signal: BoundSignal[T], callback: Callable[[T], object] | None = None
) -> Subscription[T]:
    """Subscribe to a signal of an asyncio proxy.

    async with ipckit.aio.subscribe(thermometer.changed) as values:
        async for value in values: ...
    subscription = await ipckit.aio.subscribe(thermometer.changed, print)
    await subscription.close()

    The callback runs on the loop, for each value in order. Without one, values wait to be iterated
    over: as many as `Limits.queue`; one more is dropped and logged.
    """
    bound: object = signal  # what an asyncio proxy has there is typed as the contract says
    if not isinstance(bound, AioSignal):
        raise NotSupported(
            "aio.subscribe() takes the signal of an asyncio proxy; others have subscribe()"
        )
    return bound.open(callback)


def _proxy(contract: Contract, channel: AioChannel, queue: int) -> Any:
    proxy = make_proxy(contract, cast("Any", channel), is_async=True)
    for name in contract.signals:
        vars(proxy)[name] = AioSignal(contract, name, channel, queue)
    return proxy


def _async_contract(source: Any) -> Contract:
    """Read a contract whose every operation can be awaited; raises ContractError for others."""
    contract = contract_of(source)
    for operation in contract.operations.values():
        is_setter = operation.attribute is not None and operation.parameters
        if not operation.is_async and not is_setter:
            raise ContractError(
                f"{contract.name}.{operation.attribute or operation.name}: "
                "a contract of ipckit.aio is awaited: make it async def, or write the class with "
                "`ipckit export --to python --async`, of an .x file `ipckit import --async`"
            )
    return contract
