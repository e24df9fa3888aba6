"""The faces of the library behind one look, so that a promise is written once for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

import ipckit
import ipckit.aio
from ipckit._contract import contract_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

    from ipckit._contract import Contract

__all__ = ["FACES", "Client", "Face"]

PATIENCE: Final = 60.0


class Client(Protocol):
    """What `Face.connect` returns: an ipckit.Connection, or what looks like it."""

    @property
    def proxy(self) -> Any:
        """The proxy, whose calls block."""

    @property
    def native(self) -> Any:
        """The library's own object."""

    def call(self, name: str, *args: Any) -> Any:
        """Call by name."""

    def batch(self) -> AbstractContextManager[Any]:
        """Return a block of calls that leave together."""

    def close(self) -> None:
        """Close."""

    def __enter__(self) -> Any: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Face(Protocol):
    """One face: how its programs connect and serve."""

    name: str

    def connect(self, *where: Any, **options: Any) -> Client:
        """Connect."""

    def serve(self, servant: object, address: str, **options: Any) -> Any:
        """Serve."""


class Blocking:
    """`ipckit.connect` and `ipckit.serve` themselves."""

    name = "blocking"

    def connect(self, *where: Any, **options: Any) -> Client:
        """Connect."""
        return ipckit.connect(*where, **options)

    def serve(self, servant: object, address: str, **options: Any) -> Any:
        """Serve."""
        return ipckit.serve(servant, address, **options)


class Asyncio:
    """`ipckit.aio`, with every await done on one loop in a thread of its own."""

    name = "asyncio"

    def connect(self, *where: Any, **options: Any) -> Client:
        """Connect; all calls share one connection, so that there is nothing to choose."""
        options.pop("connections", None)
        typed = not isinstance(where[0], str)
        given = (awaitable(where[0]), *where[1:]) if typed else where

        async def opened() -> Any:
            return await ipckit.aio.connect(*given, **options)

        return _AsyncioClient(run(opened()), contract_of(where[0]) if typed else None)

    def serve(self, servant: object, address: str, **options: Any) -> Any:
        """Serve."""

        async def started() -> Any:
            return await ipckit.aio.serve(servant, address, **options)

        return _AsyncioServer(run(started()))


@functools.cache
def awaitable(contract: type) -> type:
    """Return the contract with every operation and attribute to be awaited."""
    # Of a Protocol, the class would else be said to be of the module abc.
    members: dict[str, Any] = {"__module__": contract.__module__}
    for name in dir(contract):
        member = inspect.getattr_static(contract, name)
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            members[name] = property(_awaited_method(member.fget), member.fset)
        elif inspect.isfunction(member):
            members[name] = _awaited_method(member)
    return type(contract.__name__, (contract,), members)


def _awaited_method(function: Any) -> Any:
    @functools.wraps(function)
    async def method(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    return method


class _AsyncioClient:
    """An asyncio connection whose calls block."""

    def __init__(self, connection: Any, contract: Contract | None) -> None:
        self.connection = connection
        self._proxy = None if contract is None else _AsyncioProxy(connection, contract)

    @property
    def proxy(self) -> Any:
        return self.connection.proxy if self._proxy is None else self._proxy

    @property
    def native(self) -> Any:
        return self.connection.native

    def call(self, name: str, *args: Any) -> Any:
        return run(self.connection.call(name, *args))

    @contextlib.contextmanager
    def batch(self) -> Iterator[Any]:
        block = self.connection.batch()
        yield run(block.__aenter__())
        run(block.__aexit__(None, None, None))

    def close(self) -> None:
        run(self.connection.close())

    def __enter__(self) -> Any:
        return self if self._proxy is None else self._proxy

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _AsyncioProxy:
    """An asyncio proxy whose operations block; attributes are read and set as Python's are."""

    def __init__(self, connection: Any, contract: Contract) -> None:
        self.__dict__["_connection"] = connection
        self.__dict__["_contract"] = contract

    def __getattr__(self, name: str) -> Any:
        proxy = self._connection.proxy
        if name in self._contract.signals:
            return _AsyncioSignal(getattr(proxy, name))
        if name in self._contract.attributes:
            return run(_awaited(lambda: getattr(proxy, name)))
        operation = getattr(proxy, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = run(_awaited(lambda: operation(*args, **kwargs)))
            return _items(result) if hasattr(result, "__anext__") else result

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        attribute = self._contract.attributes.get(name)
        if attribute is None or not attribute.writable:
            setattr(self._connection.proxy, name, value)
        else:
            run(self._connection.call(f"set_{name}", value))


def _items(values: AsyncGenerator[Any, None]) -> Iterator[Any]:
    """Yield the items of an asynchronous stream; who closes this one closes that one."""
    end = object()

    async def next_or_end() -> Any:
        return await anext(values, end)

    try:
        while (value := run(next_or_end())) is not end:
            yield value
    finally:
        run(_awaited(values.aclose))


class _AsyncioSignal:
    """An asyncio signal whose subscribing blocks."""

    def __init__(self, signal: Any) -> None:
        self._signal = signal

    def subscribe(self, callback: Callable[[Any], object]) -> _AsyncioSubscription:
        return _AsyncioSubscription(run(self._signal.subscribe(callback)))


class _AsyncioSubscription:
    def __init__(self, subscription: Any) -> None:
        self._subscription = subscription

    def close(self) -> None:
        run(self._subscription.close())

    def __enter__(self) -> _AsyncioSubscription:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _AsyncioServer:
    """An asyncio server that is closed by a blocking call."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def address(self) -> str:
        return str(self._server.address)

    @property
    def native(self) -> Any:
        return self._server.native

    def wait(self) -> None:
        run(self._server.wait(), None)

    def close(self) -> None:
        run(self._server.close())

    def __enter__(self) -> _AsyncioServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


async def _awaited(make: Callable[[], Any]) -> Any:
    """Return what `make` gives, awaited on the loop if it is to be awaited."""
    made = make()
    return await made if hasattr(made, "__await__") else made


_loop_lock = threading.Lock()
_loops: list[asyncio.AbstractEventLoop] = []
# Of the thread that runs the loop, a forked child has nothing.
os.register_at_fork(after_in_child=_loops.clear)


def loop() -> asyncio.AbstractEventLoop:
    """Return the loop on which all asyncio clients and servers of this process run."""
    with _loop_lock:
        if not _loops:
            made = asyncio.new_event_loop()
            threading.Thread(target=made.run_forever, name="asyncio-face", daemon=True).start()
            _loops.append(made)
        return _loops[0]


def run(work: Coroutine[Any, Any, Any], seconds: float | None = PATIENCE) -> Any:
    """Do the work on the loop, in the caller's context; Ctrl-C cancels it."""
    future = asyncio.run_coroutine_threadsafe(work, loop())
    try:
        return future.result(seconds)
    finally:
        with contextlib.suppress(BaseException):
            future.cancel()


FACES: Final[tuple[Face, ...]] = (Blocking(), Asyncio())
