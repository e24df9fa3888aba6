"""The client's session: the links of one connection, and the thread that waits for signals."""

from __future__ import annotations

import contextlib
import logging
import queue
import select
import socket
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, Protocol

from ipckit import _deadline
from ipckit._contract import Contract, Operation, arguments_struct, undeclared
from ipckit._proxy import asked_by_name
from ipckit._session.link import SUBSCRIBE, UNSUBSCRIBE, Link
from ipckit.errors import BadArguments, ConnectionLost, Fault, IpcError
from ipckit.transports._open import dial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipckit._address import Address
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._session.wire import Out, Wire, WireClientOperation
    from ipckit.transports._stream import Stream
    from ipckit.transports.limits import Limits

__all__ = ["ClientSession", "Conversation"]

log: Final = logging.getLogger("ipckit.session")


class Conversation(Protocol):
    """What a session drives: a `Link` over a stream, or its like over datagrams."""

    name: str
    limits: Limits
    wire: Wire
    dead: IpcError | None
    dispatcher: Dispatcher | None
    signals: Callable[[str, Any], None] | None
    """Takes each notification that is no operation of the dispatcher: its name and the message."""

    @property
    def stream(self) -> Stream: ...
    def call(self, operation: WireClientOperation, args: Any) -> Any: ...
    def notify(self, out: Out) -> None: ...
    def pump(self) -> bool: ...
    def close(self) -> None: ...


class ClientSession:
    """A channel over one protocol: the first link carries signals and the peer's calls.

    Other threads that call get a link of their own, kept for the thread; with `connections=1`, and
    where one connection is all there is, they take turns on the first.
    """

    _renewal: float | None = None
    """How often a subscription must be renewed, where the wire cannot tell that a peer has left."""

    def __init__(
        self,
        wire: Wire,
        address: Address,
        options: Options,
        dispatcher: Dispatcher | None = None,
        *,
        one: bool = False,
    ) -> None:
        self._wire = wire
        self._address = address
        self._options = options
        self._one = one or options.connections == 1
        self._local = threading.local()
        self._links: weakref.WeakSet[Conversation] = weakref.WeakSet()
        self._closed = False
        self._lock = threading.Lock()
        self._first: Conversation = self._open(dispatcher)
        self._local.link = self._first
        self._pump: Pump | None = None
        if dispatcher is not None:
            self._pump = Pump(self._first)

    @property
    def native(self) -> Any:
        """The first connection's socket, or the child's Popen."""
        return self._first.stream.native

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Any]:
        """Return the function that performs one operation, given its checked arguments."""
        spoken = self._wire.client(operation, where)
        local, link = self._local, self._link
        if operation.oneway:

            def send(args: Any) -> None:
                link().notify(spoken.notification(args))

            return send

        def call(args: Any) -> Any:
            try:
                mine = local.link
            except AttributeError:
                mine = link()
            return mine.call(spoken, args)

        return call

    def call(self, name: str, args: Sequence[Any]) -> Any:
        """Call by name; what is declared to be raised comes as a fault, as to any such call."""
        contract = self._wire.contract
        if contract is not None:
            operation, checked = asked_by_name(contract, name, args)
            try:
                return self.bind(operation, f"{contract.name}.{name}")(checked)
            except operation.raises as error:
                raise undeclared(error) from None
        operation = Operation(name, (), Any, arguments_struct(name, []))
        return self._link().call(self._wire.client(operation, name), list(args))

    def notify(self, name: str, args: Sequence[Any]) -> None:
        """Send a one-way call by name."""
        self._link().notify(self._wire.notification(name, args))

    def subscribe(self, contract: Contract, name: str, deliver: Callable[[Any], None]) -> None:
        """Hand every value of a signal to `deliver`, on the session's own thread, in order."""
        with self._lock:
            if self._pump is None:
                self._pump = Pump(self._first, self._renewal)
            payload = Operation(
                name, (), None, arguments_struct(name, [_value(contract.signals[name])])
            )
            self._pump.expect(name, self._wire.server(payload), deliver)
        try:
            self._standard(SUBSCRIBE, name)
        except BaseException:
            self._forget(name)
            raise

    def unsubscribe(self, name: str) -> None:
        """End what `subscribe` began; values that have arrived are still delivered."""
        try:
            self._standard(UNSUBSCRIBE, name)
        except IpcError as error:
            log.debug("%s: %s", UNSUBSCRIBE, error)
        self._forget(name)

    def close(self) -> None:
        """Close every connection; once more does nothing."""
        with self._lock:
            self._closed = True
            pump, links = self._pump, list(self._links)
        if pump is not None:
            pump.close()
        for link in links:
            link.close()

    def _standard(self, method: str, name: str) -> None:
        operation = Operation(method, (), Any, arguments_struct(method, []))
        try:
            self._first.call(self._wire.client(operation, method), [name])
        except BadArguments:
            raise
        except Fault as error:
            # A foreign peer knows no subscriptions: it sends what it sends.
            log.debug("%s: %s", method, error)

    def _forget(self, name: str) -> None:
        with self._lock:
            pump = self._pump
            if pump is not None and pump.forget(name):
                self._pump = None
                # Not waited for: it may be in a callback that subscribes or unsubscribes.
                pump.end()

    def _open(self, dispatcher: Dispatcher | None = None) -> Conversation:
        if self._closed:
            raise ConnectionLost(f"{self._address}: the connection was closed on this side")
        options = self._options
        stream = dial(self._address, options, _deadline.remaining(options.timeout))
        link = Link(
            stream, self._wire, options.limits, str(self._address), options.timeout, dispatcher
        )
        self._adopt(link)
        return link

    def _adopt(self, link: Conversation) -> None:
        """Close the link with the others, at once if they are closed already."""
        with self._lock:
            if not self._closed:
                self._links.add(link)
                return
        link.close()

    def _link(self) -> Conversation:
        link: Conversation | None = getattr(self._local, "link", None)
        if link is None:
            link = self._first if self._one else self._open()
            self._local.link = link
        return link


class Pump:
    """The thread that exists while somebody listens: it waits for the peer, and runs callbacks.

    It waits on the descriptor holding nothing, and reads only when nobody is calling: what arrives
    during a call is read by the caller, which leaves signals here.
    With `renewal`, it says that often, in seconds, which signals are still wanted.
    """

    # While a caller reads, the descriptor stays readable: look again, but not at once.
    PATIENCE: Final = 0.001

    def __init__(self, link: Conversation, renewal: float | None = None) -> None:
        self._link = link
        self._renewal = renewal
        self._closing = threading.Event()
        self._expected: dict[str, tuple[Any, Callable[[Any], None]]] = {}
        self._deliveries: queue.SimpleQueue[tuple[Callable[[Any], None], Any]] = queue.SimpleQueue()
        # Sockets, not a bare pipe: a late wake-up on a closed one is refused, not sent elsewhere.
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        self._has_servant = link.dispatcher is not None
        link.signals = self._arrived
        self._thread = threading.Thread(
            target=self._run, name=f"ipckit-pump {link.name}", daemon=True
        )
        self._thread.start()

    def expect(self, name: str, operation: Any, deliver: Callable[[Any], None]) -> None:
        """Deliver signals of that name from now on."""
        self._expected[name] = operation, deliver

    def forget(self, name: str) -> bool:
        """Deliver them no more; returns whether the pump has nothing left to do."""
        self._expected.pop(name, None)
        return not self._expected and not self._has_servant

    def end(self) -> None:
        """End the thread once the callback that it may be in has returned."""
        self._closing.set()
        self._wake()

    def close(self) -> None:
        """End the thread and wait for it, unless it is the one that calls."""
        if self._closing.is_set():
            return
        self.end()
        if threading.get_ident() != self._thread.ident:
            self._thread.join(self._link.limits.grace)

    def _arrived(self, name: str, message: Any) -> None:
        """Take a notification, in the thread that read it, whose buffer it may lie in."""
        found = self._expected.get(name)
        if found is None:
            log.debug("%s: nobody listens to %r", self._link.name, name)
            return
        operation, deliver = found
        value = operation.arguments(message, self._link.limits.nesting).p0
        self._deliveries.put((deliver, value))
        if threading.get_ident() != self._thread.ident:
            self._wake()

    def _wake(self) -> None:
        # Full is as good as sent: the thread will wake. Closed: there is nothing to wake.
        with contextlib.suppress(OSError):
            self._waker.send(b".")

    def _run(self) -> None:
        poll = select.poll()
        descriptor = self._link.stream.fileno()
        poll.register(descriptor, select.POLLIN)
        poll.register(self._wakened, select.POLLIN)
        due = None if self._renewal is None else time.monotonic() + self._renewal
        try:
            while not self._closing.is_set():
                ready = {fd for fd, _ in poll.poll(_milliseconds(due))}
                if self._wakened.fileno() in ready:
                    self._wakened.recv(4096)
                if descriptor in ready and not self._link.pump():
                    if self._link.dead is not None:
                        poll.unregister(descriptor)
                        descriptor = -1
                    else:
                        self._closing.wait(self.PATIENCE)
                self._deliver()
                if due is not None and self._renewal is not None and time.monotonic() >= due:
                    self._renew()
                    due = time.monotonic() + self._renewal
        finally:
            self._waker.close()
            self._wakened.close()

    def _renew(self) -> None:
        for name in list(self._expected):
            with contextlib.suppress(IpcError):
                self._link.notify(self._link.wire.notification(SUBSCRIBE, (name,)))

    def _deliver(self) -> None:
        while not self._deliveries.empty():
            deliver, value = self._deliveries.get()
            try:
                deliver(value)
            except Exception:
                log.exception("%s: a subscriber failed", self._link.name)


def _milliseconds(due: float | None) -> int | None:
    """Return how long to poll so that it ends after `due`, not just before."""
    return None if due is None else max(int((due - time.monotonic()) * 1000) + 1, 0)


def _value(payload: Any) -> Any:
    from ipckit._contract import Parameter

    return Parameter("value", payload)
