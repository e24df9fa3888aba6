"""The dispatcher: the only code that runs a servant.

An adapter gives it typed arguments and gets a checked result, or a Fault: whatever a servant
raises ends here, is logged with its traceback, and leaves as kind, message and details.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import functools
import inspect
import logging
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit import _contract
from ipckit._annotations import NATIVE, bad_arguments, checker, exactly, stream_item
from ipckit._contract import Contract, Operation
from ipckit._servants import fulfil
from ipckit._streams import checked
from ipckit.errors import Fault, MarshalError, Unavailable, UnknownOperation

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Dispatcher", "Entry", "caller"]

log: Final = logging.getLogger("ipckit.server")

DISCOVER: Final = "rpc.discover"

caller: Final[ContextVar[Any]] = ContextVar("ipckit.caller")
"""The link over which the running operation was called; what `ipckit.peer` speaks through."""


@dataclasses.dataclass(slots=True, eq=False)
class Entry:
    """One operation of one servant, ready to run.

    `invoke` takes the arguments' Struct and returns the checked result, or raises Fault;
    `method` and `check` are its two halves, for servers that await between them.
    """

    operation: Operation
    method: Callable[..., Any]
    check: Callable[[Any], Any]
    invoke: Callable[[Any], Any]

    def arguments(
        self, values: Sequence[Any], natives: tuple[type, ...] = NATIVE
    ) -> msgspec.Struct:
        """Return the typed arguments from a library's plain values; raises BadArguments.

        `natives` are the types that the wire delivers as themselves; all others come as text.
        """
        names = [parameter.name for parameter in self.operation.parameters]
        try:
            return msgspec.convert(list(values), self.operation.arguments, builtin_types=natives)
        except Exception as error:  # noqa: BLE001  (a type's own code, as in __post_init__)
            raise bad_arguments(error, names) from None


class Dispatcher:
    """A servant behind its contract.

    `serialize` runs one operation at a time; `in_flight` bounds how many run at once, after which
    calls are answered Unavailable. `loop` runs `async def` operations; by default one shared
    background loop does. `beside` are the dispatchers of further servants at the same addresses,
    with which it shares both bounds.
    """

    def __init__(
        self,
        servant: object,
        contract: Contract,
        *,
        serialize: bool = False,
        in_flight: int = 1024,
        discovery: bool = True,
        loop: asyncio.AbstractEventLoop | None = None,
        beside: Sequence[Dispatcher] = (),
    ) -> None:
        self.servant = servant
        self.contract = contract
        self.loop = loop
        self.beside = tuple(beside)
        self._lock = threading.RLock() if serialize else None
        self._in_flight = in_flight
        self._running: collections.deque[None] = collections.deque()
        for other in beside:
            self._lock, self._running = other._lock, other._running
        fulfil(servant, contract)
        self.entries: Mapping[str, Entry] = {
            name: self._entry(operation) for name, operation in contract.operations.items()
        } | ({DISCOVER: self._discovery()} if discovery else {})

    def with_entries(self, changed: Callable[[Entry], Entry]) -> Dispatcher:
        """Return one like this, and those beside it, whose entries are other ones."""
        other = copy.copy(self)
        other.beside = tuple(one.with_entries(changed) for one in self.beside)
        other.entries = {name: changed(entry) for name, entry in self.entries.items()}
        return other

    def entry(self, name: str) -> Entry:
        """Return the operation of that name; raises UnknownOperation."""
        try:
            return self.entries[name]
        except (KeyError, TypeError):
            raise UnknownOperation(
                f"{self.contract.name} has no operation {name!r}; it has "
                + ", ".join(self.contract.operations)
            ) from None

    def _entry(self, operation: Operation) -> Entry:
        method = self._method(operation)
        check = self._checker(operation)
        return Entry(operation, method, check, self._invoker(operation, method, check))

    def _checker(self, operation: Operation) -> Callable[[Any], Any]:
        """Return the check of a result; of a stream, what checks each item on its way."""
        where = f"{self.contract.name}.{operation.name}"
        item = stream_item(operation.result)
        if item is None:
            return checker(operation.result, f"{where}: the result")
        check = checker(item, f"{where}: an item")
        return lambda values: checked(
            values, where, check, self._wait, functools.partial(self.fault, operation)
        )

    def _method(self, operation: Operation) -> Callable[..., Any]:
        if operation.attribute is None:
            return _positional(operation, getattr(self.servant, operation.name))
        name, servant = operation.attribute, self.servant
        if operation.parameters:
            return lambda value: setattr(servant, name, value)
        return lambda: getattr(servant, name)

    def _discovery(self) -> Entry:
        def discover() -> dict[str, Any]:
            from ipckit.contracts import openrpc  # not needed until somebody asks

            return openrpc.document(self.contract)

        arguments = _contract.arguments_struct(DISCOVER, [])
        operation = Operation(DISCOVER, (), dict[str, Any], arguments, "The contract as OpenRPC.")
        return Entry(operation, discover, lambda result: result, lambda _: discover())

    def _invoker(
        self, operation: Operation, method: Callable[..., Any], check: Callable[[Any], Any]
    ) -> Callable[[Any], Any]:
        """Return a function generated for this signature: no loop over parameters at a call."""
        call = f"method({', '.join(f'a.p{i}' for i in range(len(operation.parameters)))})"
        if inspect.iscoroutinefunction(getattr(self.servant, operation.name, None)):
            call = f"wait({call})"
        names: dict[str, Any] = {
            "method": method,
            "check": check,
            "running": self._running,
            "limit": self._in_flight,
            "unavailable": self.unavailable,
            "wait": self._wait,
            "translate": lambda error: self.fault(operation, error),
        }
        exact = exactly("r", operation.result, names)
        source = (
            "def invoke(a):\n"
            "    if len(running) >= limit: raise unavailable()\n"
            "    running.append(None)\n"
            "    try:\n"
            f"        r = {call}\n"
            f"        return {'check(r)' if exact is None else f'r if {exact} else check(r)'}\n"
            "    except BaseException as error: raise translate(error) from None\n"
            "    finally: running.pop()\n"
        )
        exec(source, names)  # noqa: S102  (the text above; counts, ranges and class names enter it)
        invoke: Callable[[Any], Any] = names["invoke"]
        lock = self._lock
        if lock is None:
            return invoke

        def serialized(arguments: Any) -> Any:
            with lock:
                return invoke(arguments)

        return serialized

    def unavailable(self) -> Unavailable:
        """Return the fault of a call that comes when as many run as may."""
        return Unavailable(f"{self._in_flight} calls are running, which is the limit; call later")

    def _wait(self, coroutine: Any) -> Any:
        import asyncio

        return asyncio.run_coroutine_threadsafe(coroutine, self.loop or shared_loop()).result()

    def fault(self, operation: Operation, error: BaseException) -> Fault:
        """Return what leaves for what was raised; the traceback stays in the log."""
        name = f"{self.contract.name}.{operation.name}"
        if isinstance(error, Fault):
            return error
        if isinstance(error, MarshalError):
            log.error("%s", error)
            return Fault("MarshalError", str(error))
        details = None
        try:
            message = str(error)
        except Exception as trouble:  # noqa: BLE001  (the servant's own code, once more)
            message = f"its text cannot be had: {type(trouble).__name__}"
        if isinstance(error, operation.raises):
            details = _contract.details_of(error)
        else:
            log.error("%s raised", name, exc_info=error)
        return Fault(type(error).__name__, message, details)


def _positional(operation: Operation, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method so that it can be called with positions only, as a wire has them."""
    names = [p.name for p in operation.parameters if p.keyword_only]
    if not names:
        return method
    places = len(operation.parameters) - len(names)

    def call(*values: Any) -> Any:
        return method(*values[:places], **dict(zip(names, values[places:], strict=True)))

    return call


_shared: list[asyncio.AbstractEventLoop] = []
_shared_lock = threading.Lock()


def shared_loop() -> asyncio.AbstractEventLoop:
    """Return the background loop on which `async def` servants of blocking servers run."""
    import asyncio

    with _shared_lock:
        if not _shared:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="ipckit-async", daemon=True).start()
            _shared.append(loop)
        return _shared[0]
