"""Objects in: what the ORB calls, made of a dispatcher.

A skeleton's class is made for each object, with a method an operation, generated from the one
template here.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from omniORB import CORBA

from ipckit._corba.accepted import caller
from ipckit._corba.calls import octets_of, wire_of
from ipckit._corba.depth import exceeds, is_open
from ipckit._corba.unrolled import LEVELS, unrolled
from ipckit._dispatch import DISCOVER as RPC_DISCOVER
from ipckit.contracts.idl.export import DISCOVER, SUBSCRIBE, UNSUBSCRIBE
from ipckit.errors import BadArguments, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

    from ipckit._corba.binding import Binding, OperationBinding, References
    from ipckit._corba.listeners import Subscribers
    from ipckit._corba.orb import Orb
    from ipckit._dispatch import Dispatcher, Entry
    from ipckit.transports.limits import Limits

__all__ = ["Gate", "servant_of"]

log: Final = logging.getLogger("ipckit.server")

MOMENT: Final = 0.005


class Gate:
    """Who may call the objects of one server, and which of their calls run.

    `schemes` are the beginnings of the endpoints over which they may be called.
    """

    def __init__(self, orb: Orb, schemes: tuple[str, ...], limits: Limits) -> None:
        self.message = limits.message if limits.message < orb.wanted.message else None
        """Octets that arguments may have, where that is less than the ORB lets through."""
        self.nesting = limits.nesting
        self.known: dict[int, str] = {}
        """The connection of each thread of the ORB that has been let in."""
        self._accepted = orb.accepted
        self._schemes = schemes
        self._accepted.rooms.append(self.known)

    def enter(self) -> None:
        """Let the connection of this thread in; raises NO_PERMISSION, which is the answer."""
        endpoint, connection = caller()
        if endpoint and not endpoint.startswith(self._schemes):
            raise CORBA.NO_PERMISSION(0, CORBA.COMPLETED_NO)
        ident = threading.get_ident()
        self._accepted.confirm(ident, connection)
        self.known[ident] = connection

    def weigh(self, descriptors: Any, values: tuple[Any, ...]) -> None:
        """Raise IMP_LIMIT for arguments over the limit."""
        octets = octets_of(descriptors, values)
        if self.message is not None and octets > self.message:
            log.warning("a request of %d octets is over the limit of %d", octets, self.message)
            raise CORBA.IMP_LIMIT(0, CORBA.COMPLETED_NO)

    def measured(self, arguments: Callable[..., Any]) -> Callable[..., Any]:
        """Return what makes arguments, and refuses those that are nested too deep."""

        def measure(*values: Any) -> Any:
            made = arguments(*values)
            if any(exceeds(value, self.nesting) for value in msgspec.structs.astuple(made)):
                raise BadArguments(f"the arguments are nested deeper than {self.nesting}")
            return made

        return measure

    def settle(self, seconds: float) -> None:
        """Wait until no call runs, at most so long; end the connections of those that still do."""
        until = time.monotonic() + seconds
        while running := list(self._running()):
            if time.monotonic() >= until:
                log.warning("%d calls run on after the grace period", len(running))
                for ident in running:
                    self._accepted.end(ident)
                return
            time.sleep(MOMENT)

    def close(self) -> None:
        """Forget the connections."""
        rooms = self._accepted.rooms
        rooms[:] = [room for room in rooms if room is not self.known]  # others may be equal

    def _running(self) -> Iterator[int]:
        own = threading.get_ident()
        for ident, innermost in sys._current_frames().items():
            frame: FrameType | None = innermost
            while frame is not None and ident != own:
                if frame.f_code.co_filename == _CALLED and frame.f_globals["gate"] is self:
                    yield ident
                    break
                frame = frame.f_back


def servant_of(
    binding: Binding,
    dispatcher: Dispatcher,
    gate: Gate,
    references: References,
    subscribers: Subscribers | None = None,
) -> Any:
    """Return an object that the ORB can activate, whose operations the dispatcher runs."""
    methods: dict[str, Any] = {
        bound.method: _method(binding, bound, dispatcher.entries[name], gate, references)
        for name, bound in binding.operations.items()
        if name in dispatcher.entries
    }
    if subscribers is not None:
        methods[SUBSCRIBE] = _told(gate, subscribers.add)
        methods[UNSUBSCRIBE] = _told(gate, subscribers.remove)
    if RPC_DISCOVER in dispatcher.entries:
        methods[DISCOVER] = _discovery(dispatcher.entries[RPC_DISCOVER], gate)
    described = binding.skeleton._omni_op_d  # type: ignore[attr-defined]
    methods["_omni_op_d"] = {
        name: unrolled(one, gate.nesting + LEVELS) for name, one in described.items()
    }
    made = type(binding.contract.name, (binding.skeleton,), methods)()
    made._ipckit_servant = dispatcher.servant
    return made


def _told(gate: Gate, tell: Callable[[Any], None]) -> Callable[[Any, Any], None]:
    def told(self: Any, listener: Any) -> None:
        if threading.get_ident() not in gate.known:
            gate.enter()
        tell(listener)

    return told


def _discovery(entry: Entry, gate: Gate) -> Callable[[Any], str]:
    def discover(self: Any) -> str:
        if threading.get_ident() not in gate.known:
            gate.enter()
        return msgspec.json.encode(entry.invoke(())).decode()

    return discover


def _method(
    binding: Binding, bound: OperationBinding, entry: Entry, gate: Gate, references: References
) -> Callable[..., Any]:
    """Return a skeleton's method, generated for its signature."""
    _, (descriptors, results, *_) = wire_of(binding, bound.method)
    result = bound.result(references)
    arguments = bound.arguments(references)
    if is_open(*(parameter.type for parameter in entry.operation.parameters)):
        arguments = gate.measured(arguments)
    names: dict[str, Any] = {
        "gate": gate,
        "known": gate.known,
        "ident": threading.get_ident,
        "arguments": arguments,
        "invoke": entry.invoke,
        "result": result,
        "failed": functools.partial(_failed, bound, entry, references, oneway=results is None),
        "descriptors": descriptors,
    }
    places = ", ".join(f"p{index}" for index in range(len(descriptors)))
    called = f"invoke(arguments({places}))"
    comma = "," if len(descriptors) == 1 else ""
    weighed = "" if gate.message is None else f"    gate.weigh(descriptors, ({places}{comma}))\n"
    source = (
        f"def method(self, {places}):\n"
        "    if ident() not in known: gate.enter()\n"
        f"{weighed}"
        f"    try: return {called if result is None else f'result({called})'}\n"
        "    except Exception as error: raise failed(error) from None\n"
    )
    if results is None:
        source = source.replace("return ", "", 1).replace(
            "raise failed(error) from None", "failed(error)"
        )
    exec(_compiled(source), names)  # noqa: S102  (the text above; only counts enter it)
    method: Callable[..., Any] = names["method"]
    return method


def _failed(
    bound: OperationBinding, entry: Entry, references: References, error: Exception, *, oneway: bool
) -> Exception:
    """Return what leaves for what was raised; of a one-way call nothing does."""
    if oneway:
        log.warning("the one-way call %s failed: %s", entry.operation.name, error)
        return error
    if isinstance(error, Fault):
        return bound.fault(error, references)
    log.error("%s: the result: %s", entry.operation.name, error)
    return bound.fault(Fault("MarshalError", f"the result: {error}"))


_CALLED: Final = "<servant of ipckit.corba>"


@functools.lru_cache(maxsize=4096)
def _compiled(source: str) -> CodeType:
    return compile(source, _CALLED, "exec")
