"""Subscribers without a connection: each is known by where it is, and for as long as it asks."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from ipckit._session.standard import SUBSCRIBE, UNSUBSCRIBE, Standard
from ipckit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._dispatch import Dispatcher
    from ipckit._session.wire import Out, Wire
    from ipckit.transports.limits import Limits

__all__ = ["Subscribers"]

_clock: Final = time.monotonic


class Subscribers:
    """The sources that have asked for signals; one that does not ask again is forgotten.

    `send` gives one signal to one source; it must not wait.
    """

    def __init__(
        self,
        wire: Wire,
        limits: Limits,
        dispatcher: Dispatcher,
        send: Callable[[Out, Any], None],
    ) -> None:
        self._wire = wire
        self._limits = limits
        self._dispatcher = dispatcher
        self._send = send
        self._leases: dict[Any, _Lease] = {}
        self._lock = threading.RLock()

    def answer(self, message: Any, source: Any) -> Out:
        """Answer what is no operation of the contract; raises a Fault."""
        if self._wire.otherwise is not None:
            return self._wire.otherwise(message)
        if message.method not in (SUBSCRIBE, UNSUBSCRIBE):
            self._dispatcher.entry(message.method)
        with self._lock:
            self._forget_silent()
            lease = self._leases.get(source) or self._lease(source)
            answer = lease.standard.answer(message)
            if message.method == SUBSCRIBE:
                lease.until = _clock() + self._limits.lease
                self._leases[source] = lease
            return answer

    def close(self) -> None:
        """Send nothing more to anybody."""
        with self._lock:
            while self._leases:
                self._leases.popitem()[1].standard.close()

    def _lease(self, source: Any) -> _Lease:
        if len(self._leases) >= self._limits.connections:
            raise Unavailable(f"there are {len(self._leases)} subscribers, which is the limit")
        lease = _Lease(lambda out: self._send(out, source))
        lease.standard = Standard(self._wire, self._limits, self._dispatcher, lambda: lease)
        return lease

    def _forget_silent(self) -> None:
        now = _clock()
        for source in [s for s, lease in self._leases.items() if lease.until < now]:
            self._leases.pop(source).standard.close()


class _Lease:
    """One source's subscriptions, and until when they count."""

    standard: Standard

    def __init__(self, send: Callable[[Out], None]) -> None:
        self._send = send
        self.until = 0.0

    def put(self, out: Out) -> None:
        """Send one signal, unless the time is over."""
        if _clock() < self.until:
            self._send(out)
