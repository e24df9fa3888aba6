"""Signals by callback: subscribers have an object that the server calls, one way.

A client activates one listener for all signals of its contract; a server has a queue and a thread
for each listener, so that a servant that emits waits for nobody. A listener that cannot be reached
is dropped.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

import omniORB
from omniORB import CORBA

from ipckit._contract import signal_checker
from ipckit._corba.errors import failed
from ipckit._corba.orb import Connections
from ipckit._corba.unrolled import LEVELS, unrolled
from ipckit._session.outbox import Outbox
from ipckit.contracts.idl.export import SUBSCRIBE, UNSUBSCRIBE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._corba.binding import Binding, References
    from ipckit._corba.calls import Caller
    from ipckit._corba.objects import Objects
    from ipckit._dispatch import Dispatcher
    from ipckit._signal import Subscription
    from ipckit.transports.limits import Limits

__all__ = ["Listener", "Subscribers"]

log: Final = logging.getLogger("ipckit.server")

SENDING: Final = 10_000
"""Milliseconds that a signal may take to leave."""


class Listener:
    """The object by which one client hears the signals of one server's object."""

    def __init__(self, caller: Caller, objects: Objects) -> None:
        self._caller = caller
        self._delivers: dict[str, Callable[[Any], None]] = {}
        self._reference = objects.activate(self._servant(caller.binding, objects))
        self._objects = objects

    def subscribe(self, name: str, deliver: Callable[[Any], None]) -> None:
        """Hand every value of a signal to `deliver`; the first one tells the server."""
        first = not self._delivers
        self._delivers[name] = deliver
        if first:
            try:
                self._tell(SUBSCRIBE)
            except BaseException:
                del self._delivers[name]
                raise

    def unsubscribe(self, name: str) -> bool:
        """Let go of a signal; return whether it was the last, so that the server knows no more."""
        self._delivers.pop(name, None)
        if self._delivers:
            return False
        if self._caller.dead is None:
            with contextlib.suppress(Exception):  # a server that is gone has forgotten already
                self._tell(UNSUBSCRIBE)
        self._objects.deactivate(self._reference)
        return True

    def _tell(self, what: str) -> None:
        try:
            getattr(self._caller.stub, what)(self._reference)
        except CORBA.SystemException as error:
            raise failed(error, self._caller.name) from None

    def _servant(self, binding: Binding, references: References) -> Any:
        signals = binding.signals
        assert signals is not None
        methods = {
            event.method: self._method(name, event.receive(references))
            for name, event in signals.events.items()
        }
        described = signals.skeleton._omni_op_d  # type: ignore[attr-defined]
        read = {"_omni_op_d": {name: unrolled(one, LEVELS) for name, one in described.items()}}
        return type("Listener", (signals.skeleton,), methods | read)()

    def _method(self, name: str, value_of: Callable[[Any], Any] | None) -> Callable[..., None]:
        def hear(servant: Any, value: Any) -> None:
            deliver = self._delivers.get(name)
            if deliver is None:
                return
            try:
                deliver(value if value_of is None else value_of(value))
            except Exception:
                log.exception("a subscriber of %s failed", name)

        return hear


class Subscribers:
    """Whoever listens to the signals of one servant."""

    def __init__(
        self, binding: Binding, dispatcher: Dispatcher, references: References, limits: Limits
    ) -> None:
        self._binding = binding
        self._dispatcher = dispatcher
        self._references = references
        self._limits = limits
        self._lock = threading.Lock()
        self._all: list[_Subscriber] = []

    def add(self, listener: Any) -> None:
        """Begin to send every signal to a listener."""
        if listener is None:
            raise CORBA.BAD_PARAM(0, CORBA.COMPLETED_NO)
        with self._lock:
            if len(self._all) >= self._limits.connections:
                raise CORBA.NO_RESOURCES(0, CORBA.COMPLETED_NO)
            self._all.append(_Subscriber(listener, self))

    def remove(self, listener: Any) -> None:
        """Send it nothing more."""
        with self._lock:
            found = [one for one in self._all if one.listener._is_equivalent(listener)]
        for subscriber in found:
            self.drop(subscriber)

    def drop(self, subscriber: _Subscriber) -> None:
        """Forget one subscriber."""
        with self._lock:
            if subscriber in self._all:
                self._all.remove(subscriber)
        subscriber.close()

    def close(self) -> None:
        """Forget all of them."""
        for subscriber in list(self._all):
            self.drop(subscriber)


class _Subscriber:
    """One listener: what is emitted waits for it in a queue that a thread empties."""

    name = "corba"

    def __init__(self, listener: Any, among: Subscribers) -> None:
        signals = among._binding.signals
        assert signals is not None
        self._among = among
        # One after the other: several connections, or threads, would change the order.
        own = Connections(1, 1)(listener)
        self.listener = own._unchecked_narrow(signals.stub)
        omniORB.setClientCallTimeout(self.listener, SENDING)
        self._outbox = Outbox(self, among._limits.queue)  # type: ignore[arg-type]
        servant, contract = among._dispatcher.servant, among._dispatcher.contract
        self._subscriptions: list[Subscription] = [
            getattr(servant, name).subscribe(
                self._queue(
                    event.method, event.send(among._references), signal_checker(contract, name)
                )
            )
            for name, event in signals.events.items()
        ]

    def notify(self, out: tuple[str, Any]) -> None:
        """Send one signal, in the thread of the queue; a listener that is gone is dropped."""
        method, value = out
        try:
            getattr(self.listener, method)(value)
        except CORBA.SystemException as error:
            self._among.drop(self)
            raise failed(error, "a subscriber, who is dropped") from None

    def close(self) -> None:
        """End the subscriptions and the thread."""
        for subscription in self._subscriptions:
            subscription.close()
        self._outbox.close()

    def _queue(
        self, method: str, sent: Callable[[Any], Any] | None, check: Callable[[Any], Any]
    ) -> Callable[[Any], None]:
        def queue(value: Any) -> None:
            checked = check(value)
            self._outbox.put((method, checked if sent is None else sent(checked)))  # type: ignore[arg-type]

        return queue
