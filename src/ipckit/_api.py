"""The front door: serve and connect, and what they return."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, overload

from ipckit import _registry
from ipckit._batch import Batch
from ipckit._capabilities import check
from ipckit._contract import Contract, contract_of
from ipckit._deadline import DEFAULT_TIMEOUT
from ipckit._dispatch import Dispatcher, caller
from ipckit._options import Options
from ipckit._proxy import make_proxy
from ipckit.errors import AddressError, ContractError, NotSupported
from ipckit.transports.limits import Limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from ipckit._address import Address
    from ipckit._proxy import Channel
    from ipckit._registry import Adapter, AdapterServer, Row
    from ipckit.transports.tls import Tls

__all__ = ["Connection", "Server", "connect", "peer", "serve"]

T = TypeVar("T")
log: Final = logging.getLogger("ipckit")


class Server:
    """A servant behind one address or several, until it is closed."""

    def __init__(self, servers: list[AdapterServer]) -> None:
        self._servers = servers

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

    def wait(self) -> None:
        """Return when no more peers can arrive: another thread closed it, or the parent left."""
        for server in self._servers:
            server.wait()

    def close(self) -> None:
        """Refuse new peers, let running calls finish within the grace period; then end them."""
        for server in self._servers:
            server.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Connection(Generic[T]):
    """A connection to a peer; its `with` block yields the proxy, typed as the contract."""

    def __init__(self, channel: Channel, contract: Contract | None) -> None:
        self._channel = channel
        self.contract = contract
        self._proxy = None if contract is None else make_proxy(contract, channel)

    @property
    def proxy(self) -> T:
        """The peer as an object of the contract."""
        if self._proxy is None:
            raise NotSupported("connected without a contract: use connection.call(name, ...)")
        return cast("T", self._proxy)

    @property
    def native(self) -> Any:
        """The library's own client object, the socket, or the child's Popen."""
        return self._channel.native

    def call(self, name: str, *args: Any) -> Any:
        """Call an operation by its name, as the peer knows it, with untyped values."""
        return self._channel.call(name, list(args))

    def batch(self) -> Batch:
        """Return a `with` block whose calls leave in one message at its end.

        Each call in it returns an Answer, which has the `result` after the block. Raises
        NotSupported where the wire has no batches, or without a contract.
        """
        return Batch(self.contract, self._channel)

    def close(self) -> None:
        """Close the connection; once more does nothing."""
        self._channel.close()

    def __enter__(self) -> T:
        return cast("T", self if self._proxy is None else self._proxy)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


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
) -> Server:
    """Serve an object at one address or several, and return at once.

    A list serves several objects together, where the wire tells them apart (Sun RPC does, by
    program and version). `contract` exposes that class alone, of a list one class each; by default
    the servant's own class is the contract.
    `serialize` runs one operation at a time. `any_user` admits other users of this machine to a
    Unix socket. `discovery=False` hides `rpc.discover`. `register` lists the server where the
    mechanism's clients look for it, such as a port mapper, until it closes. `admit` is given who
    calls, as the mechanism tells it, and returns the mechanism's reason to refuse, or None.

    Raises ContractError, NotSupported, AddressError, UnknownMechanism, MechanismUnavailable, or
    ConnectFailed where the address cannot be had.
    """
    limits = limits or Limits()
    options = Options(limits=limits, tls=tls, any_user=any_user, register=register, admit=admit)
    dispatcher = dispatcher_of(
        servant, contract, serialize=serialize, in_flight=limits.in_flight, discovery=discovery
    )
    return Server(open_servers(dispatcher, addresses, options))


def dispatcher_of(
    servant: object, contract: type | Sequence[type] | None, **options: Any
) -> Dispatcher:
    """Return the dispatcher of what `serve` was given: of several servants, the first's."""
    # A servant may itself be a tuple, as a NamedTuple is.
    servants: list[Any] = [*servant] if type(servant) in (list, tuple) else [servant]  # type: ignore[misc]
    if not servants:
        raise ContractError("serve() was given no servant: the list is empty")
    given = list(contract) if isinstance(contract, list | tuple) else [contract] * len(servants)
    if len(given) != len(servants):
        raise ContractError(f"serve() was given {len(servants)} servants, {len(given)} contracts")
    beside: list[Dispatcher] = []
    for one, of in reversed(list(zip(servants, given, strict=True))):
        spoken = contract_of(of or (one if isinstance(one, type) else type(one)))
        beside = [Dispatcher(one, spoken, **options, beside=beside), *beside]
    return beside[0]


def open_servers(
    dispatcher: Dispatcher, addresses: tuple[str, ...], options: Options
) -> list[AdapterServer]:
    """Open a server at each address, all or none."""
    if not addresses:
        raise TypeError("serve() needs an address, such as 'tcp://127.0.0.1:0'")
    servers: list[AdapterServer] = []
    try:
        for text in addresses:
            address, adapter = served_at(text, dispatcher, options)
            servers.append(adapter.serve(dispatcher, address, options))
            log_exposed(servers[-1].address, dispatcher)
    except BaseException:
        for server in servers:
            with contextlib.suppress(Exception):
                server.close()
        raise
    return servers


def log_exposed(address: Address, dispatcher: Dispatcher) -> None:
    """Say in the log what an address makes reachable."""
    for one in (dispatcher, *dispatcher.beside):
        log.info("%s serves %s: %s", address, one.contract.name, ", ".join(one.contract.operations))


@overload
def connect(
    contract: Callable[..., T],
    address: str,
    *,
    timeout: float | None = ...,
    limits: Limits | None = ...,
    tls: ssl.SSLContext | Tls | None = ...,
    connections: int | None = ...,
    servant: object | None = ...,
) -> Connection[T]: ...
@overload
def connect(
    contract: str,
    *,
    timeout: float | None = ...,
    limits: Limits | None = ...,
    tls: ssl.SSLContext | Tls | None = ...,
    connections: int | None = ...,
    servant: object | None = ...,
) -> Connection[Any]: ...
def connect(
    contract: Callable[..., T] | str,
    address: str | None = None,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    limits: Limits | None = None,
    tls: ssl.SSLContext | Tls | None = None,
    connections: int | None = None,
    servant: object | None = None,
) -> Connection[Any]:
    """Connect to the peer at an address, as `connect(Contract, address)` or `connect(address)`.

    `timeout` is the seconds that connecting, and then each call, may take; None is for ever.
    `servant` answers the peer's own calls to this side. `connections=1` makes threads take turns
    on one connection.

    Raises ContractError, NotSupported, AddressError, UnknownMechanism, MechanismUnavailable,
    ConnectFailed, AccessDenied or CallTimeout.
    """
    source, text = (None, contract) if isinstance(contract, str) else (contract, address)
    if text is None:
        raise TypeError("connect() needs an address: connect(Contract, 'tcp://host:port')")
    spoken = None if source is None else contract_of(source)
    options = Options(
        limits=limits or Limits(),
        timeout=timeout,
        tls=tls,
        connections=connections,
        contract=spoken,
    )
    if spoken is not None:
        refuse_async(spoken)
    channel = open_channel(text, options, servant)
    return Connection(channel, spoken)


def refuse_async(contract: Contract) -> None:
    """Raise ContractError for an `async def` operation, which the blocking face cannot await."""
    for operation in contract.operations.values():
        if operation.is_async:
            raise ContractError(
                f"{contract.name}.{operation.name} is async: use ipckit.aio.connect, "
                "or a contract of plain methods"
            )


def open_channel(text: str, options: Options, servant: object | None) -> Channel:
    """Find the adapter of an address, check the contract against it, and connect."""
    row, address, adapter = adapter_at(text, options.contract)
    dispatcher = None
    if servant is not None:
        if not adapter.CAPABILITIES[address.transport or row.transports[0]].reverse_calls:
            raise NotSupported(
                f"{row.mechanism}: the peer cannot call back, so servant= is useless"
            )
        dispatcher = Dispatcher(
            servant, contract_of(type(servant)), in_flight=options.limits.in_flight
        )
    return adapter.connect(address, options, dispatcher)


def served_at(text: str, dispatcher: Dispatcher, options: Options) -> tuple[Address, Adapter]:
    """Return what is to serve at an address; raises NotSupported for what it cannot do there."""
    row, address = _registry.find(text)
    if not row.serves:
        raise NotSupported(
            f"{row.mechanism} cannot be served, only connected to: its peer is {row.summary}"
        )
    for one in (dispatcher, *dispatcher.beside):
        _, _, adapter = adapter_at(text, one.contract)
    can = adapter.CAPABILITIES[address.transport or row.transports[0]]
    if dispatcher.beside and not can.many_servants:
        raise NotSupported(f"{address}: {row.mechanism} serves one object at an address")
    if options.register and not can.registration:
        raise NotSupported(f"{address}: there is no place where {row.mechanism} servers are listed")
    if options.admit is not None and not can.admission:
        raise NotSupported(f"{address}: no {row.mechanism} call says who makes it; drop admit=")
    if options.admit is not None and not callable(options.admit):
        raise ContractError(f"admit= takes a function of who calls, not {options.admit!r}")
    return address, adapter


def adapter_at(text: str, contract: Contract | None) -> tuple[Row, Address, Adapter]:
    """Return what an address names; raises NotSupported for what the mechanism cannot do there."""
    row, address = _registry.find(text)
    adapter = row.load()
    if address.tls and not adapter.CAPABILITIES[address.transport or row.transports[0]].tls:
        wire = address.transport or row.transports[0]
        raise AddressError(f"{address}: {row.mechanism} has no TLS on {wire}")
    if contract is not None:
        _check_row(contract, row, adapter, address)
    return row, address, adapter


def _check_row(contract: Contract, row: Row, adapter: Adapter, address: Address) -> None:
    # An adapter whose address switches extensions on says by itself what it carries there.
    by_address = getattr(adapter, "capabilities", None)
    if by_address is not None:
        capabilities = by_address(address)
    else:
        capabilities = adapter.CAPABILITIES[address.transport or row.transports[0]]
    check(contract, capabilities, row.mechanism)


def _on_a_loop() -> bool:
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


def peer(contract: Callable[..., T]) -> T:
    """Return a proxy of whoever called the operation that is running.

    Its calls go back over the caller's own connection, to the `servant=` of its connect().
    Raises NotSupported outside an operation, in an `async def` one, or where the wire has no calls
    back.
    """
    link = caller.get(None)
    if link is not None and _on_a_loop():
        raise NotSupported(
            "peer() blocks, and the thread that would read the answer waits for this `async def` "
            "operation: make it a plain one, or use ipckit.aio.serve and ipckit.aio.peer"
        )
    if link is None:
        raise NotSupported("peer() works inside an operation, on a wire that can call back")
    if contract not in link.proxies:
        spoken = contract_of(contract)
        if spoken.signals:
            raise NotSupported(f"{spoken.name}: peer() carries calls only; a caller has no signals")
        link.proxies[contract] = make_proxy(spoken, link)
    return cast("T", link.proxies[contract])
