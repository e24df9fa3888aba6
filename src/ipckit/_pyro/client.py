"""The client: Pyro's proxy, for any number of threads, over the connections of ipckit.

Each thread that calls has a connection of its own, as Pyro wants it of its proxies; with
`connections=1` they take turns on one. Nothing is sent twice, and a connection on which a call
failed half-way is closed, so that its answer is never taken for that of the next call.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, Literal

from Pyro5 import protocol

from ipckit import _deadline
from ipckit._pyro import faults
from ipckit._pyro.exposed import DAEMON, GET, SET, SUBSCRIBE
from ipckit._pyro.items import Items, Listener, StreamEnded
from ipckit._pyro.lanes import LEAST, Lane
from ipckit._pyro.messages import Message, message
from ipckit._pyro.naming import Place
from ipckit._pyro.operations import Bound
from ipckit._pyro.typed import plainly
from ipckit._pyro.values import spoken
from ipckit._session.ending import again, expired, lost, poison_after_fork
from ipckit.errors import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    Fault,
    IpcError,
    MarshalError,
    NotSupported,
    ProtocolError,
    TransportError,
    UnknownOperation,
)
from ipckit.transports._stream import EXPIRED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipckit._address import Address
    from ipckit._batch import BatchCall
    from ipckit._contract import Contract, Operation
    from ipckit._options import Options
    from ipckit._pyro.references import Exports
    from ipckit._pyro.values import Serializer

__all__ = ["PyroChannel"]

_clock: Final = time.monotonic


class PyroChannel:
    """Calls out: one object of one daemon."""

    def __init__(
        self,
        address: Address,
        item: str,
        options: Options,
        serializer: Serializer,
        exports: Callable[[PyroChannel], Exports],
        *,
        lazily: bool = False,
    ) -> None:
        self.name = (
            f"{address}/{item}" if address.transport != "unix" else f"{address}?object={item}"
        )
        self.dead: IpcError | None = None
        self.item = item
        self._address = address
        self._options = options
        self._serializer = serializer
        self._lanes: weakref.WeakSet[Lane] = weakref.WeakSet()
        self._local = threading.local()
        self._listening: dict[str, Listener] = {}
        self._metadata: Mapping[str, Any] | None = None
        self._dropped: collections.deque[str] = collections.deque()
        self._first = self._local.lane = self._new_lane()
        self._make_exports = exports
        if not lazily:
            self._first.open(_deadline.remaining(options.timeout))
        poison_after_fork(self)

    @functools.cached_property
    def exports(self) -> Exports:
        """The objects of this side that were handed out, and the proxies of what came."""
        return self._make_exports(self)

    @functools.cached_property
    def native(self) -> Any:
        """A proxy of Pyro's own for the same object, not yet connected."""
        from Pyro5.client import Proxy

        return Proxy(self.uri)

    @property
    def grace(self) -> float:
        """How long a thread of this channel may take to end."""
        return self._options.limits.grace

    @property
    def host_here(self) -> str:
        """The address of this machine by which the peer is reached."""
        return self._first.host_here()

    @property
    def uri(self) -> str:
        """The object's PYRO: URI."""
        address = self._address
        return Place(self.item, address.host, address.port or 0, address.path).uri

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Any]:
        """Return the function that performs one operation, given its checked arguments."""
        return Bound(self, operation, where).function()

    def call(self, name: str, args: Sequence[Any]) -> Any:
        """Call by name, without a contract."""
        wanted, given = self._attribute_of(name, args)
        try:
            return self.perform(wanted, self._plain(given, name), {})
        except UnknownOperation:
            if name not in _LISTED or self._metadata is None:
                raise
            return _LISTED[name](self._metadata)

    def batch(self, calls: Sequence[BatchCall]) -> list[Any]:
        """Perform several calls in one message; returns results and exceptions up to the first."""
        bound = [Bound(self, call.operation, call.where) for call in calls]
        written = [one.written(call.args) for one, call in zip(bound, calls, strict=True)]
        reply = self.exchange(self.data("<batch>", written, {}), protocol.FLAGS_BATCH)
        values = self.outcome(reply, "<batch>")
        if not isinstance(values, list | tuple) or len(values) > len(calls):
            raise ProtocolError(f"{self.name}: that is no answer to a batch", executed="maybe")
        return [one.answered(value) for one, value in zip(bound, values, strict=False)]

    def subscribe(self, contract: Contract, name: str, deliver: Callable[[Any], None]) -> None:
        """Hand every value of a signal to `deliver`, on a thread of its own, in order."""
        lane = self._new_lane()
        try:
            reply = self.exchange(self.data(SUBSCRIBE, (name,), {}), lane=lane)
            stream = self._stream_of(reply, SUBSCRIBE)
        except UnknownOperation:
            lane.shut()
            raise NotSupported(
                f"{contract.name}.{name}: {self.name} has no signals; hand a servant of your own "
                "to an operation that calls it"
            ) from None
        except BaseException:
            lane.shut()
            raise
        self._listening[name] = Listener(self, lane, stream, contract, name, deliver)

    def unsubscribe(self, name: str) -> None:
        """End what `subscribe` began."""
        listener = self._listening.pop(name, None)
        if listener is not None:
            listener.close()

    def close(self) -> None:
        """Close every connection; once more does nothing."""
        if self.dead is None:
            self.dead = ConnectionLost(f"{self.name}: the connection was closed on this side")
        for name in list(self._listening):
            self.unsubscribe(name)
        for lane in list(self._lanes):
            lane.shut()
        if "exports" in vars(self):
            self.exports.close()
        if "native" in vars(self):
            self.native._pyroClaimOwnership()
            self.native._pyroRelease()

    @property
    def stream(self) -> PyroChannel:
        """What a forked child forgets: every connection."""
        return self

    def forget(self) -> None:
        """Drop the connections in a forked child without a word to the peer."""
        for lane in list(self._lanes):
            lane.forget()

    # What a call is made of

    def data(self, name: str, args: Any, kwargs: Mapping[str, Any], item: str = "") -> bytes:
        """Write a call; raises MarshalError."""
        return self._serializer.dumps((item or self._item(), name, args, kwargs))

    def perform(
        self, name: str, args: Any, kwargs: Mapping[str, Any], item: str = "", flags: int = 0
    ) -> Any:
        """Make a call of plain values; returns its plain result, or the iterator of a stream."""
        reply = self.exchange(self.data(name, args, kwargs, item), flags)
        return None if reply is None else self.outcome(reply, name)

    def exchange(
        self, data: bytes, flags: int = 0, *, lane: Lane | None = None, patient: bool = False
    ) -> Message | None:
        """Send a call and return the reply, None for one-way calls.

        A patient call waits for ever, on a connection that is open already.
        """
        # Before the lock, which a thread that a fork left behind may hold.
        self.alive()
        while self._dropped:
            self.end_stream(self._dropped.popleft())
        seconds = None if patient else _deadline.remaining(self._options.timeout)
        until = None if seconds is None else _clock() + seconds
        lane = lane or self._lane()
        waited = not lane.lock.acquire(False)
        if waited and not lane.lock.acquire(timeout=-1 if seconds is None else seconds):
            raise CallTimeout(f"{self.name}: another thread's call took all the time")
        try:
            self.alive()
            if patient and not lane.is_open:
                raise ConnectionLost(f"{self.name}: the connection is closed")
            if not patient and lane.stale():
                lane.open(_left(until))
                waited = True
            left = _left(until) if waited else seconds
            try:
                return lane.exchange(data, flags, self._serializer.number, left, until)
            except BaseException as error:  # noqa: BLE001  (raised again, as ours where it is not)
                # Half an exchange: its answer must not be taken for that of the next call.
                lane.shut()
                raise self.mapped(error, seconds) from None
        finally:
            lane.lock.release()

    def drop_stream(self, stream: str) -> None:
        """Let the next call end a stream: this may be in the middle of one."""
        self._dropped.append(stream)

    def end_stream(self, stream: str) -> None:
        """Tell the server that no more items are wanted."""
        with contextlib.suppress(IpcError):
            self.perform("close_stream", (stream,), {}, DAEMON, protocol.FLAGS_ONEWAY)

    def outcome(self, reply: Message | None, name: str) -> Any:
        """Return the plain value of a reply, or an iterator; raises Fault or ProtocolError."""
        assert reply is not None
        if reply.flags & protocol.FLAGS_ITEMSTREAMRESULT:
            return Items(self, self._stream_of(reply, name))
        try:
            value = self._serializer.loads(reply.data, self._options.limits.nesting)
        except TransportError as error:
            raise type(error)(f"{self.name}: {name}: {error}", executed="maybe") from None
        if reply.flags & protocol.FLAGS_EXCEPTION:
            if faults.is_end(value):
                raise StreamEnded
            fault = faults.fault_of(value)
            if fault.kind == "LimitExceeded":
                self._lane().shut()  # Its daemon reads no further.
            raise self._known(fault, name)
        return value

    def greeting(self) -> bytes:
        """Return the message by which this side introduces itself to a daemon."""
        asked = {"handshake": "hello", "object": self.item or DAEMON}
        data = self._serializer.dumps(asked)
        return message(protocol.MSG_CONNECT, self._serializer.number, 0, 0, data)

    def greeted(self, reply: Message) -> None:
        """Take the daemon's answer, which tells what the object has; raises ConnectFailed."""
        said = spoken[reply.serializer].loads(reply.data, self._options.limits.nesting)
        if reply.kind == protocol.MSG_CONNECTFAIL:
            raise ConnectFailed(f"{self.name}: the daemon refuses: {ascii(str(said)[:200])[1:-1]}")
        meta = said.get("meta") if isinstance(said, dict) else None
        if isinstance(meta, dict) and self.item:
            self._metadata = meta

    def _stream_of(self, reply: Message | None, name: str) -> str:
        """Return the stream that a reply opens; raises as `outcome` for any other."""
        if reply is None or not reply.flags & protocol.FLAGS_ITEMSTREAMRESULT:
            self.outcome(reply, name)
            raise ProtocolError(f"{self.name}: {name}: no stream was opened", executed="maybe")
        stream = reply.annotations.get("STRM", b"").decode("latin-1")
        if not stream:
            raise NotSupported(f"{self.name}: {name}: the server's Pyro is told to stream nothing")
        return stream

    def _known(self, fault: Fault, name: str) -> Fault:
        """Return a fault as it is, but for names that the object is known not to have."""
        if fault.kind != "AttributeError" or self._metadata is None:
            return fault
        known = {*self._metadata.get("methods", ()), GET, SET, "<batch>"}
        return fault if name in known else UnknownOperation(fault.message)

    def _item(self) -> str:
        """Return the object's name; raises ConnectFailed where none is named and none is alone."""
        if not self.item:
            names = [n for n in self.perform("registered", (), {}, DAEMON) if n != DAEMON]
            if len(names) != 1:
                raise ConnectFailed(
                    f"{self.name}: name the object, as in pyro://host:port/object; there are "
                    + ", ".join(map(repr, names[:8]))
                )
            self.item = str(names[0])
            self._metadata = self.perform("get_metadata", (self.item,), {}, DAEMON)
        return self.item

    def _attribute_of(self, name: str, args: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
        """Return what is sent for `get_x` and `set_x` where the object has an attribute x."""
        part, attribute = name[:4], name[4:]
        if part not in ("get_", "set_"):
            return name, tuple(args)
        if self._metadata is None:
            self._metadata = self.perform("get_metadata", (self._item(),), {}, DAEMON)
        meta = self._metadata
        if attribute in meta["attrs"] and name not in meta["methods"]:
            return (GET if part == "get_" else SET), (attribute, *args)
        return name, tuple(args)

    def _plain(self, args: tuple[Any, ...], where: str) -> Any:
        try:
            return plainly([Any] * len(args), self.refuse)(args)
        except MarshalError as error:
            raise MarshalError(f"{where}: {error}") from None

    def refuse(self, contract: type, value: Any) -> Any:
        """Raise MarshalError for an object where there is no contract for it."""
        raise MarshalError(f"{value!r}: without a contract no object crosses")

    def alive(self) -> None:
        """Raise ConnectionLost once the channel is closed."""
        if self.dead is not None:
            raise again(self.dead, "no")

    def _lane(self) -> Lane:
        lane: Lane | None = getattr(self._local, "lane", None)
        if lane is None:
            lane = self._first if self._options.connections == 1 else self._new_lane()
            self._local.lane = lane
        return lane

    def _new_lane(self) -> Lane:
        lane = Lane(self, self._address, self._options)
        self._lanes.add(lane)
        return lane

    def mapped(
        self,
        error: BaseException,
        seconds: float | None,
        executed: Literal["no", "maybe"] = "maybe",
    ) -> BaseException:
        """Return our error for one met on the way; the call had begun, or this was its greeting."""
        if self.dead is not None and isinstance(error, OSError | ConnectionLost):
            return again(self.dead, executed)
        match error:
            case ConnectFailed():
                return error
            case TransportError():
                return type(error)(f"{self.name}: {error}", executed=executed)
            case IpcError():
                return error
            case _ if isinstance(error, EXPIRED):
                error = expired(self.name, seconds)
            case OSError():
                error = lost(self.name, error)
            case _:
                return error
        error.executed = executed
        return error


def _left(until: float | None) -> float | None:
    """Return the seconds until a monotonic time, a little where it is over."""
    return None if until is None else max(until - _clock(), LEAST)


_LISTED: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "system.listMethods": lambda meta: sorted(
        [*meta["methods"], *(f"get_{name}" for name in meta["attrs"])]
    ),
    "system.methodSignature": lambda _: "undef",
    "system.methodHelp": lambda _: "",
}
"""What is told of a daemon that tells no more than names, as other wires ask it."""
