"""CORBA 3.3 (GIOP 1.2) by omniORB, over TCP and Unix sockets.

    corba://host:port/Name        corba+unix:///path?name=Name        corba+file:///path
    corbaname://host:port/a/b     IOR:...   corbaloc:...   corbaname:...

Peers are what any CORBA compiler makes of the IDL. The name of an object that an address leaves out
is its contract's. `corba+file` keeps the object reference in a file, `corbaname` in a naming
service. A process has one ORB, of which `ipckit._corba.orb` says what that means. Strings are
UTF-8. Limits: `ipckit.transports.Limits`; the ORB refuses messages over the largest of its process
(64 MiB at least) before they are taken in, those over a smaller one are refused when they are.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import omniORB
from omniORB import CORBA

from ipckit import _deadline
from ipckit._capabilities import Capabilities
from ipckit._corba import addresses, interfaces, naming
from ipckit._corba.binding import binding
from ipckit._corba.calls import Caller, is_call, milliseconds
from ipckit._corba.channels import ObjectChannel
from ipckit._corba.explain import explain
from ipckit._corba.listeners import Subscribers
from ipckit._corba.naming import directory
from ipckit._corba.objects import Objects
from ipckit._corba.orb import Orb, Wanted, hold
from ipckit._corba.places import Place, placed
from ipckit._corba.servants import Gate, servant_of
from ipckit._corba.sockets import watch_for_ctrl_c
from ipckit._session.ending import Over
from ipckit.errors import AddressError, ConnectFailed, IpcError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipckit._address import Address
    from ipckit._contract import Contract
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._proxy import Channel
    from ipckit._registry import AdapterServer

__all__ = ["CAPABILITIES", "HINTS", "connect", "directory", "explain", "misfits", "serve"]

HINTS: Final = ("idl", "interface", "module", "name", "out")

_TCP: Final = Capabilities(
    integers=(-(2**63), 2**64 - 1),
    plain_integers=(-(2**63), 2**63 - 1),
    text="no NUL",
    fault_text="ours",
    fault_details="ours",
    references=True,
    after_fork=False,
    reverse_calls=False,
)
CAPABILITIES: Final[Mapping[str, Capabilities]] = {"tcp": _TCP, "unix": _TCP, "file": _TCP}


def serve(dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
    """Serve at the address; returns at once."""
    return CorbaServer(dispatcher, address, options)


def connect(address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
    """Return a channel to the object, which was asked whether it has the contract's interface."""
    return CorbaChannel(address, options)


def misfits(contract: Contract) -> Iterator[str]:
    """Yield one sentence for each thing in the contract that has no form in IDL."""
    try:
        binding(contract)
    except IpcError as error:
        yield str(error)


class CorbaServer:
    """One object of this process's ORB."""

    def __init__(self, dispatcher: Dispatcher, address: Address, options: Options) -> None:
        bound = binding(dispatcher.contract)
        self._grace = options.limits.grace
        self._over = Over()
        self._closed = False
        self._orb = hold(Wanted.by_server(options.limits, placed(address)), str(address))
        self._gate = _gate(self._orb, options, address)
        self._objects = Objects(self._orb, options, self._gate)
        self._subscribers = (
            Subscribers(bound, dispatcher, self._objects, options.limits) if bound.signals else None
        )
        servant = servant_of(bound, dispatcher, self._gate, self._objects, self._subscribers)
        self._orb.accepted.bound(self, options.limits.connections)
        try:
            self._place = Place(self._orb, servant, address, dispatcher.contract.name, options)
        except BaseException:
            self._release()
            raise

    @property
    def address(self) -> Address:
        """The address really bound."""
        return self._place.address

    @property
    def native(self) -> Any:
        """The ORB's own reference of the object."""
        return self._place.reference

    def wait(self) -> None:
        """Return when the server is closed."""
        self._over.wait()

    def close(self) -> None:
        """Refuse new calls and let running ones finish within the grace period."""
        if self._closed or self._orb.process != os.getpid():
            return
        self._closed = True
        self._place.close()
        self._gate.settle(self._grace)
        self._release()
        self._over.tell()

    def _release(self) -> None:
        if self._subscribers is not None:
            self._subscribers.close()
        self._objects.close()
        self._orb.accepted.unbound(self)
        self._gate.close()
        self._orb.release()


class CorbaChannel(ObjectChannel):
    """Calls to the object at an address."""

    def __init__(self, address: Address, options: Options) -> None:
        self.name = str(address)
        orb = hold(Wanted(message=options.limits.message), self.name)
        gate = _gate(orb, options, address)
        objects = Objects(orb, options, gate)
        try:
            super().__init__(_caller(orb, address, options, objects), objects)
        except BaseException:
            objects.close()
            gate.close()
            orb.release()
            raise
        watch_for_ctrl_c(is_call)

    def close(self) -> None:
        """End every call; once more does nothing."""
        if self.caller.dead is None:
            super().close()
            self.objects.close()
            self.objects.gate.close()
            self.objects.orb.release()


def _gate(orb: Orb, options: Options, address: Address) -> Gate:
    schemes = ("giop:unix:",) if address.transport == "unix" else ("giop:",)
    return Gate(orb, schemes, options.limits)


def _caller(orb: Orb, address: Address, options: Options, objects: Objects) -> Caller:
    """Return who calls the object at an address; raises what connect does."""
    name = str(address)
    reference = _reference(orb, address, options)
    seconds = _deadline.remaining(options.timeout)
    try:
        asked = objects.own(reference)
        omniORB.setClientCallTimeout(asked, milliseconds(seconds))
        bound = interfaces.binding_of(asked, options.contract, name)
        return Caller(reference, bound, objects, name)
    except CORBA.SystemException as error:
        raise naming.refused(error, address) from None


def _reference(orb: Orb, address: Address, options: Options) -> Any:
    if addresses.is_named(address):
        return naming.resolve(orb.orb, address.path, options.timeout)
    usual = None if options.contract is None else options.contract.name
    try:
        reference = orb.orb.string_to_object(addresses.locator(address, usual))
    except CORBA.SystemException as error:
        raise AddressError(f"{address}: no object reference, says the ORB: {error}") from None
    if reference is None:
        raise ConnectFailed(f"{address}: a nil reference, which stands for no object")
    return reference
