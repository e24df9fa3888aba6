"""Object references: servants that cross as themselves, and proxies of what came.

A servant of this process that is an argument or a result becomes an object of the ORB, one for each
servant and contract, for as long as the server or the connection lasts over which it left. A
reference that comes back to where it was made is the servant again.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from typing import TYPE_CHECKING, Any

from omniORB import CORBA

from ipckit._corba.binding import binding
from ipckit._corba.calls import Caller
from ipckit._corba.channels import ObjectChannel
from ipckit._corba.marks import Reference
from ipckit._corba.orb import Connections
from ipckit._corba.servants import Gate, servant_of
from ipckit._dispatch import Dispatcher
from ipckit._session.objects import proxy_of

if TYPE_CHECKING:
    from ipckit._contract import Contract
    from ipckit._corba.orb import Orb
    from ipckit._options import Options

__all__ = ["Objects"]


class Objects:
    """The objects that cross one server's or one connection's wire."""

    def __init__(self, orb: Orb, options: Options, gate: Gate) -> None:
        self.orb = orb
        self.gate = gate
        self.options = options
        self._over = Connections(options.connections)
        self._adapter: Any = None
        self._active: set[bytes] = set()
        self._lock = threading.RLock()
        self._known: dict[tuple[int, str], tuple[Any, Any]] = {}

    def export(self, contract: Contract | None, value: Any) -> Any:
        """Return the reference of a servant or of a proxy; nil of None.

        Where there is no contract the value is a Reference, of which nothing is known, or a proxy.
        """
        if value is None:
            return None
        if isinstance(value, Reference):
            return value.native
        native = getattr(getattr(type(value), "_ipckit_channel_", None), "native", None)
        if isinstance(native, CORBA.Object):
            return native
        if contract is None:
            contract = type(value)._ipckit_contract_
        with self._lock:
            key = id(value), contract.name
            if key not in self._known:
                # The servant is held, so that its identity is not given to another.
                self._known[key] = value, self._activated(contract, value)
            return self._known[key][1]

    def proxy(self, contract: Contract | None, reference: Any) -> Any:
        """Return what a reference stands for: a proxy, or the servant where it is ours; or None."""
        if reference is None:
            return None
        if contract is None:
            return Reference(reference)
        servant = self._own(reference)
        if servant is not None:
            return servant
        caller = Caller(reference, binding(contract), self, contract.name)
        channel = ObjectChannel(caller, self)
        return proxy_of(contract, channel, contract.name, self.options.timeout)

    def own(self, reference: Any) -> Any:
        """Return another reference to an object, over the connections that these objects share."""
        return self._over(self.orb.apart(reference))

    def activate(self, servant: Any) -> Any:
        """Return the reference of a servant of the ORB's, which lasts as long as these objects."""
        with self._lock:
            if self._adapter is None:
                self._adapter = self.orb.adapter(f"ipckit-{secrets.token_hex(8)}")
            identity = self._adapter.activate_object(servant)
            self._active.add(identity)
            return self._adapter.id_to_reference(identity)

    def deactivate(self, reference: Any) -> None:
        """Let one object go."""
        with contextlib.suppress(CORBA.SystemException, CORBA.UserException, AttributeError):
            self._let_go(self._adapter, self._adapter.reference_to_id(reference))

    def close(self) -> None:
        """Let every object go; running calls are not waited for."""
        adapter, self._adapter = self._adapter, None
        self._known.clear()
        if adapter is None:
            return
        for identity in list(self._active):
            self._let_go(adapter, identity)
        # It goes in its own time, as a call may run on.
        with contextlib.suppress(CORBA.SystemException):
            adapter.destroy(True, False)

    def _let_go(self, adapter: Any, identity: bytes) -> None:
        self._active.discard(identity)
        with contextlib.suppress(CORBA.SystemException, CORBA.UserException):
            adapter.deactivate_object(identity)

    def _activated(self, contract: Contract, value: Any) -> Any:
        dispatcher = Dispatcher(value, contract, in_flight=self.options.limits.in_flight)
        return self.activate(servant_of(binding(contract), dispatcher, self.gate, self))

    def _own(self, reference: Any) -> Any:
        if self._adapter is None:
            return None
        try:
            return self._adapter.reference_to_servant(reference)._ipckit_servant
        except (CORBA.SystemException, CORBA.UserException, AttributeError):
            return None
