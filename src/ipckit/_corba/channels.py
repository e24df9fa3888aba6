"""What proxies send their calls through: one object, whether connected to or received."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from omniORB import CORBA

from ipckit._contract import undeclared
from ipckit._corba.calls import calls_of
from ipckit._corba.errors import failed
from ipckit._corba.interfaces import document
from ipckit._corba.listeners import Listener
from ipckit._corba.sockets import end_calls
from ipckit._dispatch import DISCOVER
from ipckit._proxy import asked_by_name
from ipckit._session.standard import SUBSCRIBE
from ipckit.errors import BadArguments, ConnectionLost, NotSupported, UnknownOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipckit._contract import Contract, Operation
    from ipckit._corba.calls import Caller
    from ipckit._corba.objects import Objects

__all__ = ["ObjectChannel"]


class ObjectChannel:
    """The operations and signals of one object."""

    def __init__(self, caller: Caller, objects: Objects) -> None:
        self.caller = caller
        self.objects = objects
        self._listener: Listener | None = None
        self._lock = threading.Lock()

    @property
    def native(self) -> Any:
        """The ORB's own reference, narrowed to the interface."""
        return self.caller.plain

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Any]:
        """Return the function that performs one operation, given its checked arguments."""
        return self.caller.performer(operation)

    def call(self, name: str, args: Sequence[Any]) -> Any:
        """Call an operation by name; what it declares to raise is a fault here."""
        contract = self.caller.binding.contract
        if name == DISCOVER:
            return self._said()
        if name == SUBSCRIBE:
            raise _no_subscription(contract, args)
        operation, checked = asked_by_name(contract, name, args)
        try:
            return self.bind(operation, name)(checked)
        except operation.raises as error:
            raise undeclared(error) from None

    def subscribe(self, contract: Contract, name: str, deliver: Callable[[Any], None]) -> None:
        """Hand every value of a signal to `deliver`, in a thread of the ORB's."""
        with self._lock:
            if self._listener is None:
                self._listener = Listener(self.caller, self.objects)
            self._listener.subscribe(name, deliver)

    def unsubscribe(self, name: str) -> None:
        """End what `subscribe` began."""
        with self._lock:
            if self._listener is not None and self._listener.unsubscribe(name):
                self._listener = None

    def close(self) -> None:
        """End every call; once more does nothing."""
        if self.caller.dead is None:
            self.caller.dead = ConnectionLost(
                f"{self.caller.name}: the connection was closed on this side"
            )
            end_calls(calls_of(self.caller))

    def _said(self) -> Any:
        try:
            said = document(self.caller.stub)
        except CORBA.SystemException as error:
            raise failed(error, self.caller.name) from None
        if said is None:
            raise UnknownOperation(f"{self.caller.name}: the server does not say what it serves")
        return said


def _no_subscription(contract: Contract, args: Sequence[Any]) -> Exception:
    name = args[0] if args else None
    if name not in contract.signals:
        known = ", ".join(contract.signals) or "none"
        return BadArguments(f"{contract.name} has no signal {name!r}; it has {known}")
    return NotSupported(f"{contract.name}.{name}: signals call an object back: use the proxy's")
