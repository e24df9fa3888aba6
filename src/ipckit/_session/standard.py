"""What every link of ours answers beside its contract: the peer's subscriptions to signals."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from ipckit._contract import contract_of, signal_checker
from ipckit.errors import BadArguments, Fault, IpcError, UnknownOperation

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._dispatch import Dispatcher
    from ipckit._session.wire import Out, Wire, WireServerOperation
    from ipckit._signal import Subscription
    from ipckit.transports.limits import Limits

__all__ = ["SUBSCRIBE", "UNSUBSCRIBE", "Standard", "failed"]

log: Final = logging.getLogger("ipckit.server")

SUBSCRIBE: Final = "rpc.subscribe"
UNSUBSCRIBE: Final = "rpc.unsubscribe"


class _Outbox(Protocol):
    def put(self, out: Out) -> None: ...


class Standard:
    """The standard operations of one link.

    `outbox` returns where the link's signals wait to be sent; it is called once there are any.
    """

    def __init__(
        self,
        wire: Wire,
        limits: Limits,
        dispatcher: Dispatcher | None,
        outbox: Callable[[], _Outbox],
    ) -> None:
        self._wire = wire
        self._limits = limits
        self._dispatcher = dispatcher
        self._outbox = outbox
        self._subscriptions: dict[str, Subscription] = {}

    def answer(self, request: Any) -> Out:
        """Answer a request that is no operation of the contract; raises a Fault."""
        if self._wire.otherwise is not None:
            return self._wire.otherwise(request)
        if self._dispatcher is None:
            raise UnknownOperation(f"{request.method!r}: this side serves nothing")
        if request.method not in (SUBSCRIBE, UNSUBSCRIBE):
            self._dispatcher.entry(request.method)
        arguments = self._wire.server(_SUBSCRIPTION).arguments(request, self._limits.nesting)
        if request.method == SUBSCRIBE:
            self._subscribe(self._dispatcher, arguments.p0)
        else:
            subscription = self._subscriptions.pop(arguments.p0, None)
            if subscription is not None:
                subscription.close()
        return self._wire.result(request.id, None)

    def close(self) -> None:
        """End every subscription."""
        while self._subscriptions:
            self._subscriptions.popitem()[1].close()

    def _subscribe(self, dispatcher: Dispatcher, name: str) -> None:
        contract = dispatcher.contract
        if name not in contract.signals:
            known = ", ".join(contract.signals) or "none"
            raise BadArguments(f"{contract.name} has no signal {name!r}; it has {known}")
        if name in self._subscriptions:
            return
        check, outbox, wire = signal_checker(contract, name), self._outbox(), self._wire
        self._subscriptions[name] = getattr(dispatcher.servant, name).subscribe(
            lambda value: outbox.put(wire.notification(name, (check(value),)))
        )


def failed(operation: Wire | WireServerOperation, request: Any, error: IpcError, name: str) -> Out:
    """Return the reply to a request that failed; the log has what nobody is told."""
    fault = error if isinstance(error, Fault) else Fault(type(error).__name__, str(error))
    out = operation.failure(request.id, fault)
    if not out:
        log.warning("%s: the one-way call of %s failed: %s", name, request.method, error)
    return out


class _Standard:
    def subscribe(self, signal: str) -> None: ...


_SUBSCRIPTION: Final = contract_of(_Standard).operations["subscribe"]
